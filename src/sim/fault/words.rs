//! Words for hosts and values that faults share.

use crate::config::quantity::DurationText;
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST};

/// A host as features call it.
pub(super) fn who(host: &str) -> String {
    match host {
        PIPELINE_HOST => "the pipeline".to_owned(),
        NEWRELIC_HOST => "New Relic".to_owned(),
        other => match other.rsplit_once("-broker-") {
            Some((cluster, id)) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => {
                format!("broker {id} of \"{cluster}\"")
            }
            _ => format!("host \"{other}\""),
        },
    }
}

/// Two hosts as features call them.
pub(super) fn pair(between: &[String; 2]) -> String {
    format!("{} and {}", who(&between[0]), who(&between[1]))
}

/// `one–other`, whichever way they were written, for people.
pub(super) fn link(between: &[String; 2]) -> String {
    format!("{}–{}", between[0], between[1])
}

/// `link a–b (layer)`, the same for both orders.
pub(super) fn link_target(between: &[String; 2], layer: &str) -> String {
    let mut ends = between.clone();
    ends.sort();
    format!("link {} ({layer})", link(&ends))
}

/// `30 % of the requests`, `every request`.
pub(super) fn share_of(share: Option<f64>, one: &str) -> String {
    match share {
        Some(share) if share < 1.0 => format!("{} % of the {one}s", percent(share)),
        _ => format!("every {one}"),
    }
}

/// A share in percent, without digits that say nothing.
fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

/// ` to 30 % of the requests`, or nothing when all are hit.
pub(super) fn to_share(share: Option<f64>) -> String {
    match share {
        Some(share) => format!(" to {share} of the requests"),
        None => String::new(),
    }
}

/// Shares that are simpler than `share`: all, then rounder ones.
pub(super) fn simpler_shares(share: Option<f64>) -> Vec<Option<f64>> {
    match share {
        None => Vec::new(),
        Some(0.5) => vec![None],
        Some(_) => vec![None, Some(0.5)],
    }
}

/// Durations below `time` and not below `floor`, boldest first.
pub(super) fn shorter(time: DurationText, floor: DurationText) -> Vec<DurationText> {
    let half = DurationText::from_millis(time.as_millis() / 2);
    let mut shorter: Vec<_> =
        [floor, half].into_iter().filter(|t| floor <= *t && *t < time).collect();
    shorter.dedup();
    shorter
}

/// Numbers below `number` and not below `floor`, boldest first.
pub(super) fn lower(number: u64, floor: u64) -> Vec<u64> {
    let mut lower: Vec<u64> =
        [floor, number / 2].into_iter().filter(|n| floor <= *n && *n < number).collect();
    lower.dedup();
    lower
}
