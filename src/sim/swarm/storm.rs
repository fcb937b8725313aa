//! What goes wrong: which kinds are enabled, and their instances with targets, values and times.
//!
//! Uniform times would mostly hit quiet: a cycle takes a hundredth of its interval. So half of the
//! faults begin just after a cycle's start, and half of the others near the begin or the end of an
//! earlier one, where what one leaves behind meets the next.
//!
//! Invariant: the kind and the values of a fault are its own; only its time, and whether there is
//! room for it at all, hang on the faults before it.

use std::time::Duration;

use super::dice::Dice;
use super::spec::SwarmSpec;
use crate::config::quantity::DurationText;
use crate::sim::fault::{CATALOGUE, Entry, FaultSpec, Lot, Stage};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;

/// Places tried for one fault before it is left out.
const TRIES: u32 = 12;
/// Most time between a cycle's start, or another fault's begin or end, and a fault that is drawn to
/// be near it.
const NEAR_MS: u64 = 3_000;

/// Adds drawn faults to those of `scenario`.
pub fn draw(scenario: &mut Scenario, spec: &SwarmSpec, seed: Seed) {
    let kinds = enabled(spec, seed);
    let count = Dice::new(seed, "count").even(spec.count[0].into(), spec.count[1].into());
    let window = Window::of(scenario, spec);
    let stage = Stage::of(scenario);
    for number in 1..=count {
        let Some(entry) = heaviest(&kinds, seed, &format!("fault/{number}/kind")) else { return };
        let mut dice = Dice::new(seed, &format!("fault/{number}"));
        let mut lot = Lot::new(seed.stream(&format!("fault/{number}/{}", entry.name)));
        let Some(fault) = (entry.draw)(&mut lot, &stage) else { continue };
        let placed = (0..TRIES).find_map(|_| {
            let fault = window.place(&mut dice, scenario, entry, &fault)?;
            is_free(scenario, &fault).then_some(fault)
        });
        scenario.fault.extend(placed);
    }
    scenario.fault.sort_by_key(|fault| fault.at);
}

/// Each kind by its own coin; one at least, if any may be drawn.
fn enabled(spec: &SwarmSpec, seed: Seed) -> Vec<&'static Entry> {
    let named = |names: &[String], entry: &Entry| names.iter().any(|name| name == entry.name);
    let allowed = |entry: &&Entry| {
        (spec.faults.is_empty() || named(&spec.faults, entry)) && !named(&spec.except, entry)
    };
    let allowed: Vec<&'static Entry> = CATALOGUE.iter().filter(allowed).collect();
    let coin =
        |entry: &&&Entry| Dice::new(seed, &format!("enabled/{}", entry.name)).chance(spec.enabled);
    let enabled: Vec<&'static Entry> = allowed.iter().filter(coin).copied().collect();
    if enabled.is_empty() {
        return heaviest(&allowed, seed, "lone").into_iter().collect();
    }
    enabled
}

/// One of `kinds`, all equally likely. Each has a weight of its own, so that one kind more or less
/// changes the choice only where it is chosen itself; a place in the list would move with it.
fn heaviest(kinds: &[&'static Entry], seed: Seed, stream: &str) -> Option<&'static Entry> {
    let weight =
        |entry: &&&Entry| Dice::new(seed, &format!("{stream}/{}", entry.name)).below(u64::MAX);
    kinds.iter().max_by_key(weight).copied()
}

/// When faults may be, and what they are near to.
struct Window {
    from_ms: u64,
    to_ms: u64,
    lasts_ms: [u64; 2],
    interval_ms: u64,
    /// From the run's start to the first start of a cycle.
    phase_ms: u64,
}

impl Window {
    fn of(scenario: &Scenario, spec: &SwarmSpec) -> Self {
        let [from, to] = spec.storm.unwrap_or_else(|| {
            let duration = scenario.duration.0;
            let calm = duration.saturating_sub(scenario.settle_time());
            [DurationText(duration / 10), DurationText(calm.max(duration / 5))]
        });
        let interval_ms = scenario.pipeline.interval.as_millis().max(1);
        let epoch = i128::from(scenario.epoch().0).rem_euclid(i128::from(interval_ms));
        let phase_ms = interval_ms - u64::try_from(epoch).unwrap_or(0);
        Self {
            from_ms: from.as_millis(),
            to_ms: to.as_millis(),
            lasts_ms: spec.lasts.map(DurationText::as_millis),
            interval_ms,
            phase_ms: phase_ms % interval_ms,
        }
    }

    /// `fault` at a time of its own; `None` when it would begin or end outside.
    fn place(
        &self,
        dice: &mut Dice,
        scenario: &Scenario,
        entry: &Entry,
        fault: &FaultSpec,
    ) -> Option<FaultSpec> {
        let longest = self.lasts_ms[1].min(self.to_ms.saturating_sub(self.from_ms));
        let lasts = dice.wide(self.lasts_ms[0].min(longest).max(1), longest.max(1));
        let lasts = if entry.instant { 0 } else { lasts };
        let begin = match dice.below(4) {
            0 | 1 => self.within_a_cycle(dice),
            2 => near(dice, scenario),
            _ => None,
        };
        let latest = self.to_ms.saturating_sub(lasts);
        let begin = begin.unwrap_or_else(|| dice.even(self.from_ms, latest.max(self.from_ms)));
        (self.from_ms <= begin && begin <= latest).then(|| FaultSpec {
            at: DurationText::from_millis(begin),
            lasts: (!entry.instant).then(|| DurationText::from_millis(lasts)),
            ..fault.clone()
        })
    }

    /// Shortly after some cycle's start.
    fn within_a_cycle(&self, dice: &mut Dice) -> Option<u64> {
        let first = self.from_ms.saturating_sub(self.phase_ms) / self.interval_ms;
        let last = self.to_ms.saturating_sub(self.phase_ms) / self.interval_ms;
        let start = dice.even(first, last.max(first)) * self.interval_ms + self.phase_ms;
        start.checked_add(dice.wide(1, NEAR_MS.min(self.interval_ms)))
    }
}

/// About the begin or the end of a fault that is there already.
fn near(dice: &mut Dice, scenario: &Scenario) -> Option<u64> {
    let other = dice.pick(&scenario.fault)?;
    let lasts = other.lasts.map_or(Duration::ZERO, |lasts| lasts.0);
    let at = if dice.chance(0.5) { other.at.0 } else { other.at.0 + lasts };
    let at = DurationText(at).as_millis();
    let off = dice.wide(0, NEAR_MS);
    if dice.chance(0.5) { at.checked_add(off) } else { at.checked_sub(off) }
}

/// Whether no other fault of the same target is in force meanwhile, or ends or begins at its very
/// begin or end.
fn is_free(scenario: &Scenario, fault: &FaultSpec) -> bool {
    let span = |fault: &FaultSpec| {
        let from = SimTime::from(fault.at.0);
        (from, from + fault.lasts.map_or(Duration::ZERO, |lasts| lasts.0))
    };
    let target = fault.target();
    let (from, to) = span(fault);
    scenario.fault.iter().filter(|other| other.target() == target).all(|other| {
        let (begin, end) = span(other);
        to < begin || end < from
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is drawn for the first faults, room or not.
    fn kinds(except: &[&str], seed: Seed) -> Vec<&'static str> {
        let except = except.iter().map(|name| (*name).to_owned()).collect();
        let kinds = enabled(&SwarmSpec { except, ..SwarmSpec::default() }, seed);
        let kind = |number| heaviest(&kinds, seed, &format!("fault/{number}/kind"));
        (1..=8).filter_map(kind).map(|entry| entry.name).collect()
    }

    #[test]
    fn a_kind_less_changes_only_what_it_was_chosen_for() {
        let mut changed = 0;
        for gone in CATALOGUE {
            for seed in (0..40).map(Seed) {
                let (before, after) = (kinds(&[], seed), kinds(&[gone.name], seed));
                assert_eq!((before.len(), after.len()), (8, 8));
                for (was, is) in before.iter().zip(after) {
                    assert_ne!(is, gone.name);
                    assert!(*was == is || *was == gone.name, "seed {seed}: {was} became {is}");
                    changed += usize::from(*was != is);
                }
            }
        }
        let faults = CATALOGUE.len() * 40 * 8;
        assert!(changed > faults / 100, "{changed} of {faults}: nothing was tried");
    }
}
