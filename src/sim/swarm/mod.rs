//! Swarm: a scenario that leaves open what goes wrong, where, how often and to how large a fleet;
//! the seed decides.
//!
//! Each run enables some kinds of faults and leaves the others out, so that no kind always hides
//! what another one would show. Faults fall in a storm; all have ended before the heal phase, which
//! is long enough to converge.
//!
//! Invariants:
//! - [`draw`] is a pure function of scenario and seed; what it gives has no `[swarm]` table any
//!   more, is possible by the rules of scenario files, and can be written to one.
//! - Each decision has a named stream of its own: another range, or a kind more or less, shifts no
//!   other decision. The times of faults alone hang together: one may be drawn to be near another,
//!   and makes room for those of its target.

use std::time::Duration;

use crate::config::quantity::DurationText;
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;

mod dice;
pub mod rules;
mod spec;
mod storm;
#[cfg(test)]
mod tests;
mod world;

pub use spec::{
    NetworkSwarm, NewRelicSwarm, Pair, PipelineSwarm, SwarmSpec, TopologySwarm, WorkloadSwarm,
};

/// Longest pause of the pipeline between two tries of a POST, jitter included.
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// From a timer's end to the answer of a request that it started, with something to spare.
const SLACK: Duration = Duration::from_secs(5);

/// The scenario with everything decided; the scenario itself when it leaves nothing open.
pub fn draw(scenario: &Scenario, seed: Seed) -> Scenario {
    let mut drawn = Scenario { swarm: None, ..scenario.clone() };
    let Some(spec) = &scenario.swarm else { return drawn };
    let seed = seed.child("swarm");
    world::draw(&mut drawn, spec, seed);
    expect(&mut drawn, spec);
    storm::draw(&mut drawn, spec, seed);
    last(&mut drawn);
    drawn
}

/// Limits that follow from drawn settings; a scenario's own stand where nothing of theirs is drawn.
fn expect(scenario: &mut Scenario, spec: &SwarmSpec) {
    let pipeline = &scenario.pipeline;
    if spec.pipeline.interval.is_some() {
        let freshness = pipeline.interval.0 * 2 + SLACK;
        scenario.expect.freshness_max = DurationText(freshness);
    }
    if spec.newrelic.synthesis_lag.is_some() {
        let lag = scenario.newrelic.synthesis_lag_max.0 + SLACK;
        scenario.expect.synthesis_lag_max = DurationText(lag);
    }
    if spec.pipeline.request_timeout.is_some() || spec.pipeline.retry_delay.is_some() {
        let pause = pipeline.event_api.retry_delay.0.max(BACKOFF_MAX);
        let recovery = pipeline.request_timeout.0 + pause + SLACK;
        scenario.expect.recovery_max = DurationText(recovery);
    }
}

/// Lets the run last until everything can have converged, and end between two cycles.
fn last(scenario: &mut Scenario) {
    let least = scenario.heal() + scenario.settle_time();
    let least = least.as_millis().max(scenario.duration.as_millis());
    let interval = scenario.pipeline.interval.as_millis().max(1);
    let epoch = i128::from(scenario.epoch().0) + i128::from(least);
    let into = u64::try_from(epoch.rem_euclid(i128::from(interval))).unwrap_or(0);
    // Late in an interval, when its cycle is over and the next one has not begun.
    let place = interval * 9 / 10;
    let wait = (place + interval - into) % interval;
    scenario.duration = DurationText::from_millis(least + wait);
}
