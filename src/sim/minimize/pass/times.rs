//! Faults that are shorter, earlier, and at rounder times.

use super::super::search::{Search, Stopped};
use super::rounder;
use crate::config::quantity::DurationText;
use crate::sim::scenario::Scenario;

/// Lets faults last less, then begin earlier.
pub fn tighten(search: &mut Search<'_>) -> Result<(), Stopped> {
    for index in 0..search.best().fault.len() {
        while search.advance(&shorter(search.best(), index))?.is_some() {}
    }
    while search.advance(&all_earlier(search.best()))?.is_some() {}
    for index in 0..search.best().fault.len() {
        while search.advance(&earlier(search.best(), index))?.is_some() {}
    }
    Ok(())
}

/// Fault `index` in force for less time.
fn shorter(best: &Scenario, index: usize) -> Vec<Scenario> {
    let Some(lasts) = best.fault[index].lasts else { return Vec::new() };
    let with = |time| {
        let mut candidate = best.clone();
        candidate.fault[index].lasts = Some(time);
        candidate
    };
    rounder(lasts).into_iter().map(with).collect()
}

/// Times before `time` that are rounder, the start of the run first.
fn before(time: DurationText) -> Vec<DurationText> {
    let start = (time > DurationText::default()).then(DurationText::default);
    start.into_iter().chain(rounder(time)).collect()
}

/// Fault `index` and all that begin no earlier than it, together earlier; then it alone.
fn earlier(best: &Scenario, index: usize) -> Vec<Scenario> {
    let at = best.fault[index].at;
    let together = before(at).into_iter().map(|time| moved(best, at, at.0.abs_diff(time.0)));
    let alone = before(at).into_iter().map(|time| {
        let mut candidate = best.clone();
        candidate.fault[index].at = time;
        candidate
    });
    together.chain(alone).collect()
}

/// All faults together earlier.
fn all_earlier(best: &Scenario) -> Vec<Scenario> {
    let Some(first) = best.fault.iter().map(|fault| fault.at).min() else { return Vec::new() };
    before(first)
        .into_iter()
        .map(|time| moved(best, DurationText::default(), first.0.abs_diff(time.0)))
        .collect()
}

/// Every fault from `from` on begins earlier by `by`.
fn moved(best: &Scenario, from: DurationText, by: std::time::Duration) -> Scenario {
    let mut candidate = best.clone();
    for fault in candidate.fault.iter_mut().filter(|fault| fault.at >= from) {
        fault.at = DurationText(fault.at.0.saturating_sub(by));
    }
    candidate
}
