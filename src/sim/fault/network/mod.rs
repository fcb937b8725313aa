//! Faults of the links between two hosts.

use crate::sim::world::{Direction, HostName};

pub mod bandwidth;
pub mod dns_failure;
pub mod half_open;
pub mod hold;
pub mod jitter;
pub mod latency;
pub mod loss;
pub mod partition;
pub mod reset;

fn ends(between: &[String; 2]) -> (HostName, HostName) {
    (between[0].clone(), between[1].clone())
}

fn direction(one_way: bool) -> Direction {
    if one_way { Direction::OneWay } else { Direction::Both }
}

/// `partition of a–b`, or `a→b`.
fn arrow_label(kind: &str, between: &[String; 2], one_way: bool) -> String {
    let arrow = if one_way { '→' } else { '–' };
    format!("{kind} of {}{arrow}{}", between[0], between[1])
}
