//! Faults of brokers and of what runs on them; crashes befall any host.

use super::body::Object;
use super::{Action, FormFault};
use crate::sim::fleet::{FleetFault, broker_of};

pub mod clock_skew;
pub mod consumer_stall;
pub mod controller_loss;
pub mod coordinator_move;
pub mod corrupt_frames;
pub mod crash;
pub mod crash_point;
pub mod isr_shrink;
pub mod leader_move;
pub mod log_disk_full;
pub mod rebalance_storm;
pub mod restart;
pub mod slow;
pub mod stale_metadata;
pub mod truncated_frames;
pub mod wrong_correlation_id;

/// What is wrong with a host that must be a broker's.
fn not_a_broker(host: &str) -> Vec<FormFault> {
    if broker_of(host).is_some() {
        return Vec::new();
    }
    let message = format!("no broker runs on `{host}`");
    let help = "name a broker's host, for example orders-broker-1";
    vec![FormFault::new("not_a_broker", &["host"], message, help)]
}

/// Actions that begin and end `fault` in `cluster`.
fn on_cluster(cluster: &str, fault: FleetFault) -> (Vec<Action>, Vec<Action>) {
    let cluster = || cluster.to_owned();
    let end = Action::FleetWell { cluster: cluster(), fault: fault.clone() };
    (vec![Action::Fleet { cluster: cluster(), fault }], vec![end])
}

/// Actions that begin and end what `fault` makes of the broker on `host`.
fn on_broker(host: &str, fault: impl Fn(i32) -> FleetFault) -> (Vec<Action>, Vec<Action>) {
    match broker_of(host) {
        Some((cluster, id)) => on_cluster(cluster, fault(id)),
        None => (Vec::new(), Vec::new()),
    }
}

/// A group's cluster and the group, as the keys name them.
fn of_group(cluster: &str, group: &str) -> Vec<(&'static str, Object)> {
    let (cluster, group) = (cluster.to_owned(), group.to_owned());
    vec![("cluster", Object::Cluster(cluster.clone())), ("group", Object::Group { cluster, group })]
}
