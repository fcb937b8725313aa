//! The switch between modes, and the part of a cycle that follows it.
//!
//! Invariant: a cycle has one mode, the one that was set when it began; a switch in between waits
//! for the next. Nothing else changes with it: what waits for New Relic goes on waiting, so a
//! switch neither loses nor repeats an event.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::units::{UnixMillis, UnixNanos};
use crate::hybrid::manager::HybridConfig;
use crate::hybrid::mode::Mode;

/// A pipeline's desired topology, and the mode that it begins in.
#[derive(Debug, Clone, PartialEq)]
pub struct HybridSettings {
    /// The mode of the first cycle.
    pub mode: Mode,
    /// How gaps are found and filled.
    pub config: HybridConfig,
}

/// Sets the mode of a running pipeline; clones set the same one.
#[derive(Debug, Clone)]
pub struct ModeSwitch {
    mode: Arc<Mutex<Mode>>,
    has_topology: bool,
}

/// A mode that a pipeline cannot be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("mode {0} needs a topology: name its file as `topology` in [hybrid]")]
pub struct NoTopology(pub Mode);

impl ModeSwitch {
    /// The switch of a pipeline with these settings.
    pub(super) fn new(settings: Option<&HybridSettings>) -> Self {
        let mode = settings.map_or(Mode::Infrastructure, |settings| settings.mode);
        Self { mode: Arc::new(Mutex::new(mode)), has_topology: settings.is_some() }
    }

    /// The mode of the next cycle.
    pub fn get(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the mode of all cycles that begin from now on; the one that was set before.
    ///
    /// # Errors
    /// Every mode but infrastructure needs a topology.
    pub fn set(&self, mode: Mode) -> Result<Mode, NoTopology> {
        if !self.has_topology && mode != Mode::Infrastructure {
            return Err(NoTopology(mode));
        }
        let mut set = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut set, mode))
    }
}

/// A calendar that no one sets: the wall clock as it was at the start, plus the time since by the
/// monotonic clock. Silence is measured on it, because a wall clock that leaps would make every
/// entity stale at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct SteadyCalendar {
    wall: UnixMillis,
    monotonic: Duration,
}

impl SteadyCalendar {
    pub(super) fn new(wall: UnixMillis, monotonic: Duration) -> Self {
        Self { wall, monotonic }
    }

    /// The instant at `monotonic`.
    pub(super) fn at(self, monotonic: Duration) -> UnixNanos {
        let since = monotonic.saturating_sub(self.monotonic).as_nanos();
        UnixNanos(UnixNanos::from(self.wall).0.saturating_add(since.cast_signed()))
    }
}
