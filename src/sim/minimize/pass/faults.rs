//! Fewer faults.

use super::super::ddmin::ddmin;
use super::super::search::{Search, Stopped};
use crate::sim::scenario::Scenario;

/// Drops faults until each one that is left is needed.
pub fn drop_faults(search: &mut Search<'_>) -> Result<(), Stopped> {
    let all = search.best().clone();
    let keeping = |kept: &Vec<usize>| Scenario {
        fault: kept.iter().map(|index| all.fault[*index].clone()).collect(),
        ..all.clone()
    };
    let mut test = |lists: &[Vec<usize>]| {
        let candidates: Vec<Scenario> = lists.iter().map(keeping).collect();
        search.advance(&candidates)
    };
    ddmin(all.fault.len(), &mut test).map(|_| ())
}
