//! Simpler and milder faults, as each kind knows for itself.

use super::super::search::{Search, Stopped};
use crate::sim::fault::FaultSpec;
use crate::sim::scenario::Scenario;

/// Forms of a fault that are one step simpler, boldest first.
pub fn simpler(fault: &FaultSpec) -> Vec<FaultSpec> {
    fault.simpler()
}

/// Makes each fault as simple as it can be.
pub fn simplify(search: &mut Search<'_>) -> Result<(), Stopped> {
    for index in 0..search.best().fault.len() {
        loop {
            let best = search.best();
            let with = |fault: FaultSpec| {
                let mut candidate = best.clone();
                candidate.fault[index] = fault;
                candidate
            };
            let candidates: Vec<Scenario> =
                simpler(&best.fault[index]).into_iter().map(with).collect();
            if search.advance(&candidates)?.is_none() {
                break;
            }
        }
    }
    Ok(())
}
