//! Crash points while a world runs: hosts that go down at an event of their own, and their return.
//!
//! Invariant: a host that a crash point took down starts again after its down time, or when the
//! fault ends, whichever comes first, and once.

use std::collections::BTreeMap;

use super::hosts::Setup;
use crate::sim::check::record::CrashPointRecord;
use crate::sim::fault::CrashPoint;
use crate::sim::time::SimTime;
use crate::sim::trace::EventId;
use crate::sim::world::{HostName, NetworkFault, World, WorldError};

/// A crash point in force.
struct Armed {
    spec: CrashPoint,
    /// The host's events before it was armed.
    before: u64,
    /// The fault's begin.
    by: Option<EventId>,
    crashed_at: Option<SimTime>,
    restart_at: Option<SimTime>,
}

/// All crash points of a run.
#[derive(Default)]
pub struct CrashPoints {
    armed: BTreeMap<HostName, Armed>,
    over: Vec<CrashPointRecord>,
}

impl CrashPoints {
    /// Lets time pass until `until`, through the crashes and restarts on the way.
    ///
    /// # Errors
    /// The world's.
    pub fn reach<W: World>(
        &mut self,
        world: &mut W,
        setup: &Setup,
        until: SimTime,
    ) -> Result<(), WorldError> {
        loop {
            let restarts = self.armed.iter().filter_map(|(host, point)| {
                point.restart_at.filter(|at| *at <= until).map(|at| (at, host.clone()))
            });
            let restart = restarts.min();
            world.run_until(restart.as_ref().map_or(until, |(at, _)| *at))?;
            let crashed = world.take_crashed();
            if !crashed.is_empty() {
                self.note_crashed(world.now(), setup, crashed);
                continue;
            }
            let Some((_, host)) = restart else { return Ok(()) };
            self.restart(world, setup, &host)?;
        }
    }

    fn note_crashed(&mut self, now: SimTime, setup: &Setup, hosts: Vec<HostName>) {
        for host in hosts {
            let by = self.armed.get(&host).and_then(|point| point.by);
            setup.trace.led_by(by, || setup.host_down(&host, now));
            if let Some(point) = self.armed.get_mut(&host) {
                let event = point.spec.event;
                let what = format_args!("down host={host} after_event={event}");
                setup.trace.event_from(point.by, now, "fault", what);
                point.crashed_at = Some(now);
                point.restart_at = Some(now + point.spec.down.0);
            }
        }
    }

    fn restart<W: World>(
        &mut self,
        world: &mut W,
        setup: &Setup,
        host: &HostName,
    ) -> Result<(), WorldError> {
        let mut by = None;
        if let Some(point) = self.armed.get_mut(host) {
            point.restart_at = None;
            by = point.by;
        }
        setup.trace.led_by(by, || {
            setup.host_up(host, world.now());
            world.apply(&NetworkFault::Restart { host: host.clone() })
        })
    }

    /// The fault begins.
    ///
    /// # Errors
    /// The world's; not every world counts events.
    pub fn arm<W: World>(
        &mut self,
        world: &mut W,
        setup: &Setup,
        spec: &CrashPoint,
    ) -> Result<(), WorldError> {
        let before = world.events_of(&spec.host)?;
        world.apply(&NetworkFault::CrashPoint {
            host: spec.host.clone(),
            after_events: Some(spec.event),
            mode: spec.mode.mode(),
        })?;
        let (spec, by) = (spec.clone(), setup.trace.cause());
        let host = spec.host.clone();
        self.armed.insert(host, Armed { spec, before, by, crashed_at: None, restart_at: None });
        Ok(())
    }

    /// The fault ends.
    ///
    /// # Errors
    /// The world's.
    pub fn end<W: World>(
        &mut self,
        world: &mut W,
        setup: &Setup,
        spec: &CrashPoint,
    ) -> Result<(), WorldError> {
        let Some(point) = self.armed.get(&spec.host) else { return Ok(()) };
        let (down, crashed_at) = (point.restart_at.is_some(), point.crashed_at);
        let events = world.events_of(&spec.host)?.saturating_sub(point.before);
        let (host, event, mode) = (spec.host.clone(), spec.event, spec.mode.mode());
        self.over.push(CrashPointRecord { host: host.clone(), event, events, crashed_at });
        if down {
            self.restart(world, setup, &host)?;
        }
        self.armed.remove(&host);
        world.apply(&NetworkFault::CrashPoint { host, after_events: None, mode })
    }

    /// What became of the crash points that are over.
    pub fn into_records(self) -> Vec<CrashPointRecord> {
        self.over
    }
}
