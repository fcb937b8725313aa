//! A cap on the pipeline's memory while a world runs: kills by the kernel's OOM killer, and the
//! pipeline's returns.
//!
//! Invariants:
//! - While a cap is in force and the pipeline runs, its memory is looked at every
//!   [`LOOK_EVERY`]; it is killed when the events that it holds take more than the cap, or took
//!   more since the last look.
//! - A pipeline that was killed starts again after the fault's down time, or when the fault ends,
//!   whichever comes first, and once.
//!
//! Not modelled: memory of anything but events (code, connections, figures), swapping, slow
//! reclaim near the cap. The events' bytes are the pipeline's own count.

use std::time::Duration;

use super::hosts::Setup;
use crate::sim::fault::MemoryCap;
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::time::SimTime;
use crate::sim::trace::EventId;
use crate::sim::world::{CrashMode, NetworkFault, World, WorldError};

/// Time between two looks at the memory.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A cap in force.
struct Armed {
    spec: MemoryCap,
    /// The fault's begin.
    by: Option<EventId>,
    /// The life that was looked at last, and the most that it had held by then.
    seen: (usize, u64),
    restart_at: Option<SimTime>,
}

/// The cap in force, if one is: there is one pipeline.
#[derive(Default)]
pub struct MemoryCaps(Option<Armed>);

/// What the present life of the pipeline holds.
struct Held {
    life: usize,
    now_bytes: u64,
    peak_bytes: u64,
}

fn held(setup: &Setup) -> Option<Held> {
    let lives = setup.lives.lock();
    let life = lives.last().filter(|life| life.ended.is_none())?;
    let (now_bytes, peak_bytes) = life
        .status
        .as_ref()?
        .read(|status| (status.memory.held_bytes, status.stream_stats.resident_bytes_peak as u64));
    Some(Held { life: lives.len(), now_bytes, peak_bytes })
}

impl MemoryCaps {
    /// The fault begins.
    pub fn arm(&mut self, setup: &Setup, spec: &MemoryCap) {
        let by = setup.trace.cause();
        let seen = held(setup).map_or((0, 0), |held| (held.life, held.peak_bytes));
        self.0 = Some(Armed { spec: spec.clone(), by, seen, restart_at: None });
    }

    /// When to look next.
    pub fn next_look(&self, now: SimTime) -> Option<SimTime> {
        let armed = self.0.as_ref()?;
        Some(armed.restart_at.unwrap_or(now + LOOK_EVERY))
    }

    /// Kills the pipeline if it holds too much, or starts it again if it is time.
    ///
    /// # Errors
    /// The world's.
    pub fn look<W: World>(&mut self, world: &mut W, setup: &Setup) -> Result<(), WorldError> {
        let Some(armed) = self.0.as_mut() else { return Ok(()) };
        let now = world.now();
        if let Some(at) = armed.restart_at {
            return if at <= now { armed.restart(world, setup) } else { Ok(()) };
        }
        let Some(held) = held(setup) else { return Ok(()) };
        let before = if armed.seen.0 == held.life { armed.seen.1 } else { 0 };
        armed.seen = (held.life, held.peak_bytes);
        let peak_bytes = if held.peak_bytes > before { held.peak_bytes } else { 0 };
        let held_bytes = held.now_bytes.max(peak_bytes);
        if held_bytes <= armed.spec.bytes.0 {
            return Ok(());
        }
        armed.restart_at = Some(now + armed.spec.down.0);
        let cap_bytes = armed.spec.bytes.0;
        let what = format_args!(
            "oom-kill host={PIPELINE_HOST} held_bytes={held_bytes} cap_bytes={cap_bytes}"
        );
        let kill = setup.trace.event_from(armed.by, now, "fault", what);
        setup.trace.led_by(Some(kill), || {
            setup.host_down(PIPELINE_HOST, now);
            let (host, mode) = (PIPELINE_HOST.to_owned(), CrashMode::Process);
            world.apply(&NetworkFault::Crash { host, mode })
        })
    }

    /// The fault ends.
    ///
    /// # Errors
    /// The world's.
    pub fn end<W: World>(&mut self, world: &mut W, setup: &Setup) -> Result<(), WorldError> {
        match self.0.take() {
            Some(mut armed) if armed.restart_at.is_some() => armed.restart(world, setup),
            _ => Ok(()),
        }
    }
}

impl Armed {
    fn restart<W: World>(&mut self, world: &mut W, setup: &Setup) -> Result<(), WorldError> {
        self.restart_at = None;
        setup.trace.led_by(self.by, || {
            setup.host_up(PIPELINE_HOST, world.now());
            world.apply(&NetworkFault::Restart { host: PIPELINE_HOST.to_owned() })
        })
    }
}
