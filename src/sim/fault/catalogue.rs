//! Entries of the catalogue: what is known of a kind of fault without one at hand.

use serde::Serialize;

use super::body::Kind;
use super::key::Key;
use super::stage::{Lot, Stage};
use super::{CATALOGUE, FaultSpec};

/// Whom a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Links between hosts.
    Network,
    /// Brokers and what runs on them.
    Broker,
    /// New Relic.
    NewRelic,
    /// The pipeline's own host.
    Pipeline,
}

impl Group {
    /// All, in the order of lists.
    pub const ALL: [Self; 4] = [Self::Network, Self::Broker, Self::NewRelic, Self::Pipeline];

    /// Its name: also the folder of its faults.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Broker => "broker",
            Self::NewRelic => "newrelic",
            Self::Pipeline => "pipeline",
        }
    }
}

/// One kind of fault.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name everywhere.
    pub name: &'static str,
    /// Whom it befalls.
    pub group: Group,
    /// What it does.
    pub summary: &'static str,
    /// How features say it.
    pub prose_pattern: &'static str,
    /// One of these with every key, as a scenario file has it, without times.
    pub sample: &'static str,
    /// Names of the checks that it puts to the test, or that excuse something on its account.
    pub affects: &'static [&'static str],
    /// Whether it happens at one instant.
    pub instant: bool,
    /// Whether only the kernel can do it.
    pub kernel_only: bool,
    /// Draws one that is possible on the stage, without times.
    pub draw: fn(&mut Lot, &Stage) -> Option<FaultSpec>,
    /// The same fault at the same times with simpler or milder values, boldest first; following
    /// any of them again and again comes to an end.
    pub simpler: fn(&FaultSpec) -> Vec<FaultSpec>,
}

impl Entry {
    /// What `K` says of itself.
    pub(super) const fn of<K: Kind>() -> Self {
        Self {
            name: K::NAME,
            group: K::GROUP,
            summary: K::SUMMARY,
            prose_pattern: K::PROSE,
            sample: K::EXAMPLE,
            affects: K::AFFECTS,
            instant: K::INSTANT,
            kernel_only: K::KERNEL_ONLY,
            draw: draw::<K>,
            simpler: simpler::<K>,
        }
    }

    /// Its keys, from the schema of scenario files.
    pub fn keys(&self) -> Vec<Key> {
        Key::of_kind(self.name)
    }

    /// The keys beside its own that say when it is in force.
    pub fn times(&self) -> Vec<Key> {
        Key::of_times(self.instant)
    }

    /// One of these as a scenario file has it, with every key.
    pub fn example(&self) -> String {
        let lasts = if self.instant { "" } else { "lasts = \"90s\"\n" };
        format!("[[fault]]\nat = \"2min\"\n{lasts}{}\n", self.sample)
    }
}

/// The kind called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

fn draw<K: Kind>(lot: &mut Lot, stage: &Stage) -> Option<FaultSpec> {
    K::draw(lot, stage).map(K::into_spec)
}

fn simpler<K: Kind>(spec: &FaultSpec) -> Vec<FaultSpec> {
    let (at, lasts) = (spec.at, spec.lasts);
    let bodies = K::of(spec).map(K::simpler).unwrap_or_default();
    bodies.into_iter().map(|body| FaultSpec { at, lasts, ..body.into_spec() }).collect()
}
