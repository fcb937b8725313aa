//! What a fault's own file says of it.

use std::fmt::Debug;

use super::catalogue::Group;
use super::stage::{Lot, Stage};
use super::{Action, FaultSpec, FormFault};
use crate::sim::scenario::NetworkSpec;

/// An object of a scenario that is no host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A cluster.
    Cluster(String),
    /// A topic.
    Topic {
        /// Of this cluster.
        cluster: String,
        /// Its name.
        topic: String,
    },
    /// A consumer group.
    Group {
        /// Of this cluster.
        cluster: String,
        /// Its name.
        group: String,
    },
}

/// One fault with its keys.
pub trait Body: Debug {
    /// Every host that it names, with the key that names it.
    fn hosts(&self) -> Vec<(&'static str, String)>;

    /// Every object of a cluster that it names, with the key that names it.
    fn objects(&self) -> Vec<(&'static str, Object)> {
        Vec::new()
    }

    /// What is wrong with its form, seen from its own table.
    fn form(&self) -> Vec<FormFault> {
        Vec::new()
    }

    /// What two faults must not have in force at once.
    fn target(&self) -> String;

    /// For people, short: `crash of orders-broker-2`.
    fn label(&self) -> String;

    /// As a feature says it: `broker "orders-broker-2" crashes`.
    fn prose(&self) -> String;

    /// What to do at its begin and at its end, on links that are `normal` before and after.
    /// Asked only of one whose form is right.
    fn actions(&self, normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>);
}

/// Where a fault's keys stand in a [`FaultSpec`]; made by the list of faults.
pub trait InSpec: Sized {
    /// Its name everywhere: in files, features, on the command line, in documents.
    const NAME: &'static str;

    /// The fault's keys, if `spec` is one of this kind.
    fn of(spec: &FaultSpec) -> Option<&Self>;

    /// A fault of this kind, without times.
    fn into_spec(self) -> FaultSpec;
}

/// What is true of every fault of one kind.
pub trait Kind: Body + InSpec + 'static {
    /// Whom it befalls.
    const GROUP: Group;
    /// What it does, in one or two sentences.
    const SUMMARY: &'static str;
    /// How features say it: `<…>` stands for a value, `[…]` may be absent, `|` parts two ways.
    const PROSE: &'static str;
    /// One with every key, as a scenario file has it.
    const EXAMPLE: &'static str;
    /// Names of the checks that it puts to the test, or that excuse something on its account.
    const AFFECTS: &'static [&'static str];
    /// Whether it happens at one instant, without `lasts`.
    const INSTANT: bool = false;
    /// Whether only the kernel can do it, and turmoil cannot.
    const KERNEL_ONLY: bool = false;

    /// One that is possible on `stage`; `None` if none is.
    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self>;

    /// The same fault with simpler or milder values, boldest first. Following any of them again
    /// and again comes to an end.
    fn simpler(&self) -> Vec<Self> {
        Vec::new()
    }
}
