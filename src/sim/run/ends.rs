//! What happens between the steps of a plan: hosts that end by themselves and return; and the
//! events of the faults that have begun.
//!
//! Invariant: whatever a fault did is recorded as led to by its begin, its end included.

use std::collections::BTreeMap;

use super::crash_point::CrashPoints;
use super::hosts::Setup;
use super::memory_cap::MemoryCaps;
use super::runner::Look;
use crate::sim::check::record::CrashPointRecord;
use crate::sim::fault::Fault;
use crate::sim::fleet::{Fleet, broker_host};
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, Trace, Value};
use crate::sim::world::{CrashMode, HostName, NetworkFault, World, WorldError};
use crate::sometimes;

/// Why a step is taken; faults by their place in the plan.
#[derive(Clone)]
pub enum What {
    Begin(usize),
    End(usize),
    /// A host is there from now on.
    Join(HostName),
}

/// What takes hosts down by itself, and what has begun so far.
pub struct Ends {
    pub points: CrashPoints,
    pub caps: MemoryCaps,
    faults: Vec<Fault>,
    /// Events of the faults that have begun, by their place in the plan.
    begun: BTreeMap<usize, EventId>,
}

impl Ends {
    /// Nothing has begun of `faults`.
    pub fn new(faults: Vec<Fault>) -> Self {
        let (points, caps) = (CrashPoints::default(), MemoryCaps::default());
        Self { points, caps, faults, begun: BTreeMap::new() }
    }

    /// Lets time pass until `until`, through the ends of hosts and their returns on the way; takes
    /// `look` if its instant comes before.
    ///
    /// # Errors
    /// The world's.
    pub fn reach<W: World>(
        &mut self,
        world: &mut W,
        setup: &Setup,
        look: &mut Look,
        until: SimTime,
    ) -> Result<(), WorldError> {
        loop {
            self.caps.look(world, setup)?;
            self.end_full_brokers(world, setup)?;
            let now = world.now();
            if now >= until {
                return Ok(());
            }
            let looks = setup.fleets.values().filter_map(Fleet::next_look);
            let looks = looks.chain(self.caps.next_look(now)).filter(|at| *at > now);
            let next = looks.min().unwrap_or(until).min(until);
            // No more than a look: what takes hosts down has its own instants.
            if let Some(at) = look.due(next) {
                self.points.reach(world, setup, at)?;
                look.take(world, setup);
            }
            self.points.reach(world, setup, next)?;
        }
    }

    /// Brokers that find their log volume full take their hosts' processes with them.
    fn end_full_brokers<W: World>(&self, world: &mut W, setup: &Setup) -> Result<(), WorldError> {
        let now = world.now();
        for (cluster, fleet) in &setup.fleets {
            for broker in fleet.take_died(now) {
                sometimes!(LOG_VOLUME_FULL);
                let (host, mode) = (broker_host(cluster, broker), CrashMode::Process);
                let by = self.begin_of("log_disk_full", now);
                let what = format_args!("down host={host} reason=\"log volume full\"");
                let down = setup.trace.event_from(by, now, "fault", what);
                let fault = NetworkFault::Crash { host, mode };
                setup.trace.led_by(Some(down), || world.apply(&fault))?;
            }
        }
        Ok(())
    }

    /// The event of the newest fault of a kind that is in force.
    fn begin_of(&self, kind: &str, now: SimTime) -> Option<EventId> {
        let in_force = |fault: &Fault| fault.kind == kind && fault.from <= now && now <= fault.to;
        let mut begun = self.begun.iter().rev();
        begun.find(|(index, _)| self.faults.get(**index).is_some_and(in_force)).map(|(_, id)| *id)
    }

    /// Writes a step into the trace; the end of a fault was led to by its begin.
    pub fn tell(&mut self, trace: &Trace, now: SimTime, what: &What) -> EventId {
        let words = |index: &usize| {
            let fault = self.faults.get(*index);
            let label = fault.map_or("", |fault| fault.label.as_str());
            let kind = fault.map_or("", |fault| fault.kind);
            format!("kind={kind} label={}", Value(label))
        };
        match what {
            What::Begin(index) => {
                let event = trace.event(now, "fault", format_args!("begin {}", words(index)));
                self.begun.insert(*index, event);
                event
            }
            What::End(index) => {
                let begin = self.begun.get(index).copied();
                trace.event_from(begin, now, "fault", format_args!("end {}", words(index)))
            }
            What::Join(host) => trace.event(now, "world", format_args!("join host={host}")),
        }
    }

    /// What became of the crash points that are over.
    pub fn into_records(self) -> Vec<CrashPointRecord> {
        self.points.into_records()
    }
}
