//! Faults of brokers and of what runs on them; crashes befall any host.

use super::{Action, FormFault, Name};
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

/// Only brokers can do that.
fn is_broker(host: &str) -> Vec<FormFault> {
    if broker_of(host).is_some() {
        return Vec::new();
    }
    let message = format!("`{host}` is no broker");
    let help = "name one as CLUSTER-broker-N, such as orders-broker-1";
    vec![FormFault::new("not_a_broker", &["host"], message, help)]
}

/// A fault of the broker on `host`, for as long as it lasts.
fn on_broker(host: &str, fault: impl Fn(i32) -> FleetFault) -> (Vec<Action>, Vec<Action>) {
    let Some((cluster, id)) = broker_of(host) else { return Default::default() };
    on_cluster(cluster, fault(id))
}

/// A fault of a cluster, for as long as it lasts.
fn on_cluster(cluster: &str, fault: FleetFault) -> (Vec<Action>, Vec<Action>) {
    let cluster = cluster.to_owned();
    let begin = Action::Fleet { cluster: cluster.clone(), fault: fault.clone() };
    (vec![begin], vec![Action::FleetWell { cluster, fault }])
}

fn group_name(cluster: &str, group: &str) -> Name {
    Name::Group { cluster: cluster.to_owned(), group: group.to_owned() }
}
