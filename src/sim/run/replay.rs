//! A run once more, with a look at everybody at one instant.
//!
//! Invariant: the run goes on to its end after the look, so its digest and its verdict are those of
//! the whole run, and both can be compared with what was recorded.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::passport::Passport;
use super::state::RunState;
use super::{Options, RunReport, observe};
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, Sink, TraceEvent};

/// A replayed run.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The whole run.
    pub report: RunReport,
    /// Everybody at the instant that was asked for, or where the run broke off before it.
    pub state: Option<RunState>,
    /// The last events of each host until then, oldest first.
    pub events: BTreeMap<String, Vec<TraceEvent>>,
}

/// Runs `passport` again and looks at everybody at `until`; `keep` is how many of each host's last
/// events are kept.
pub fn replay(passport: &Passport, until: SimTime, keep: usize) -> Replay {
    let last = LastEvents::new(until, keep);
    let sink = Sink::Writer(Box::new(last.clone()), None);
    let options = Options { seed: passport.seed, network: passport.network, sink };
    let (report, state) = observe(&passport.scenario, options, until);
    Replay { report, state, events: last.into_events() }
}

/// When event `id` of the run in `passport` happens, or how many events the run has instead.
pub fn instant_of(passport: &Passport, id: EventId) -> Result<SimTime, u64> {
    let wanted = Wanted { id: id.0, seen: Arc::default() };
    let sink = Sink::Writer(Box::new(wanted.clone()), None);
    let options = Options { seed: passport.seed, network: passport.network, sink };
    let report = super::run(&passport.scenario, options);
    let (_, found) = *wanted.seen.lock().unwrap_or_else(PoisonError::into_inner);
    found.ok_or(report.trace.events)
}

/// Takes lines until the one that is wanted.
#[derive(Clone)]
struct Wanted {
    id: u64,
    /// Lines so far, and the time of the wanted one.
    seen: Arc<Mutex<(u64, Option<SimTime>)>>,
}

impl Write for Wanted {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 += 1;
        if seen.0 == self.id {
            seen.1 = event(line).map(|event| event.at);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn event(line: &[u8]) -> Option<TraceEvent> {
    TraceEvent::parse(std::str::from_utf8(line).ok()?, 0).ok()
}

/// Takes lines, one per call, and keeps the last ones of each host.
#[derive(Clone)]
struct LastEvents {
    until: SimTime,
    keep: usize,
    kept: Arc<Mutex<BTreeMap<String, VecDeque<TraceEvent>>>>,
}

impl LastEvents {
    fn new(until: SimTime, keep: usize) -> Self {
        Self { until, keep, kept: Arc::default() }
    }

    fn into_events(self) -> BTreeMap<String, Vec<TraceEvent>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut *kept);
        kept.into_iter().map(|(host, events)| (host, events.into())).collect()
    }
}

impl Write for LastEvents {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let Some(event) = event(line).filter(|event| event.at <= self.until) else {
            return Ok(line.len());
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for host in event.hosts() {
            let events = kept.entry(host).or_default();
            events.push_back(event.clone());
            if events.len() > self.keep {
                events.pop_front();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::RoleState;
    use super::super::{Network, run};
    use super::*;
    use crate::sim::scenario;
    use crate::sim::seed::Seed;

    fn passport(network: Network) -> Passport {
        let scenario = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
        Passport::of(scenario::BUILT_IN_NAME, &scenario, Seed(1), network)
    }

    #[test]
    fn a_look_changes_nothing() {
        for network in [Network::Kernel, Network::Turmoil] {
            let passport = passport(network);
            let options = Options { seed: passport.seed, network, sink: Sink::None };
            let plain = run(&passport.scenario, options).trace;
            for seconds in [0, 1, 125, 301, 10_000] {
                let replay = replay(&passport, SimTime::from_secs(seconds), 5);
                assert_eq!(replay.report.trace, plain, "{network:?} at {seconds} s");
                let state = replay.state.expect("looked");
                let end = passport.scenario.end();
                assert!(state.at >= SimTime::from_secs(seconds).min(end));
                assert_eq!(state.hosts.len(), passport.scenario.hosts().len() + 1);
            }
        }
    }

    #[test]
    fn the_state_is_that_of_the_instant() {
        let passport = passport(Network::Kernel);
        // The scenario's broker 2 is down from 120 s on.
        let up = |seconds| {
            let state = replay(&passport, SimTime::from_secs(seconds), 3).state.expect("looked");
            let host = state.hosts.iter().find(|host| host.name == "orders-broker-2");
            let host = host.expect("a broker").clone();
            let RoleState::Broker { broker, .. } = host.role else { panic!("a broker") };
            let network = host.network.expect("the kernel tells").up;
            (network, broker.up, broker.fenced, broker.leads > 0, state.faults.len())
        };
        assert_eq!(up(119), (true, true, false, true, 0));
        // Nine seconds later the controller holds it for dead, though nobody has asked yet.
        assert_eq!(up(128), (false, false, false, true, 1));
        assert_eq!(up(130), (false, false, true, false, 1));
        let replay = replay(&passport, SimTime::from_secs(130), 3);
        let events = &replay.events["orders-broker-2"];
        assert!(events.len() == 3 && events.iter().all(|e| e.at <= SimTime::from_secs(130)));
        let state = replay.state.expect("looked");
        let pipeline = state.hosts.iter().find_map(|host| match &host.role {
            RoleState::Pipeline(pipeline) => Some(pipeline),
            _ => None,
        });
        let pipeline = pipeline.expect("a pipeline");
        assert!(pipeline.cycles_ended >= 7 && pipeline.ledger.acknowledged > 0, "{pipeline:?}");
    }

    #[test]
    fn events_are_found_by_number() {
        let passport = passport(Network::Kernel);
        assert!(instant_of(&passport, EventId(1)).is_ok_and(|at| at < SimTime::from_secs(1)));
        let events = instant_of(&passport, EventId(u64::MAX)).expect_err("no such event");
        assert!(instant_of(&passport, EventId(events)).is_ok());
        assert_eq!(instant_of(&passport, EventId(events + 1)), Err(events));
    }
}
