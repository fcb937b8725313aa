//! How many retries all operations of a kind may make together.
//!
//! Retries multiply load just when the other side has too much of it: the budget ties them to the
//! calls that are made anyway.
//!
//! Invariants:
//! - Whenever a retry is admitted, the retries of the window (this one included) are at most
//!   `percent` of the window's calls plus `floor_per_second` times the window, to the last retry.
//! - The window is the present slot and the nine whole ones before it: memory is bounded, and what
//!   lies a whole window back is forgotten exactly at a slot's edge.
//! - An instant before the latest one seen is taken for the latest: nothing is forgotten twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::nanos;
use crate::resilience::InvalidSetting;

const SLOTS: usize = 10;
const PERCENT_MAX: f64 = 1_000.0;
const FLOOR_MAX: f64 = 1e9;
const WINDOW_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Retries are counted in millionths, so that sums of percentages are exact.
const MICRO: u128 = 1_000_000;

/// How many retries are affordable.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetConfig {
    /// Retries per hundred calls; 0 to 1000, to four decimals.
    pub percent: f64,
    /// Retries per second that are affordable whatever the number of calls; 0 to 1e9, to six
    /// decimals.
    pub floor_per_second: f64,
    /// What "present" means; ten nanoseconds to a day.
    pub window: Duration,
}

/// Finagle's figures.
impl Default for BudgetConfig {
    fn default() -> Self {
        Self { percent: 20.0, floor_per_second: 10.0, window: Duration::from_secs(10) }
    }
}

impl BudgetConfig {
    /// Every setting that is out of range.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        if !(0.0..=PERCENT_MAX).contains(&self.percent) {
            let (setting, value) = ("budget.percent", self.percent.to_string());
            faults.push(InvalidSetting { setting, value, allowed: "0 to 1000" });
        }
        if !(0.0..=FLOOR_MAX).contains(&self.floor_per_second) {
            let (setting, value) = ("budget.floor_per_second", self.floor_per_second.to_string());
            faults.push(InvalidSetting { setting, value, allowed: "0 to 1000000000" });
        }
        if self.window.as_nanos() < SLOTS as u128 || self.window > WINDOW_MAX {
            let (setting, value) = ("budget.window", format!("{:?}", self.window));
            faults.push(InvalidSetting { setting, value, allowed: "10ns to 24h" });
        }
        faults
    }
}

/// A budget's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetStats {
    /// Calls in the window.
    pub calls: u64,
    /// Retries in the window.
    pub retries: u64,
    /// Retries that are affordable now.
    pub available: u64,
    /// Retries admitted, ever.
    pub admitted_total: u64,
    /// Retries refused, ever.
    pub refused_total: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    calls: u64,
    retries: u64,
}

#[derive(Debug)]
struct Inner {
    slot_ns: u64,
    micro_per_call: u128,
    floor_micro: u128,
    /// Number of the latest slot since the clock's origin.
    latest: u64,
    slots: [Slot; SLOTS],
    admitted_total: u64,
    refused_total: u64,
}

/// A shared retry budget; clones are the same budget.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<Inner>>);

impl Budget {
    /// A budget without history.
    ///
    /// # Errors
    /// All settings that are out of range.
    pub fn new(config: &BudgetConfig) -> Result<Self, Vec<InvalidSetting>> {
        let faults = config.validate();
        if !faults.is_empty() {
            return Err(faults);
        }
        // Within the validated ranges the products fit a u64.
        let floor_micro_per_second = (config.floor_per_second * 1e6).round() as u128;
        let window_ns = config.window.as_nanos();
        Ok(Self(Arc::new(Mutex::new(Inner {
            slot_ns: nanos(config.window) / SLOTS as u64,
            micro_per_call: (config.percent * 1e4).round() as u128,
            floor_micro: floor_micro_per_second * window_ns / 1_000_000_000,
            latest: 0,
            slots: [Slot::default(); SLOTS],
            admitted_total: 0,
            refused_total: 0,
        }))))
    }

    /// Counts a call's first try at `now` (monotonic).
    pub fn record_call(&self, now: Duration) {
        let mut inner = self.inner();
        let slot = inner.slot(now);
        slot.calls = slot.calls.saturating_add(1);
    }

    /// Takes one retry at `now` out of the budget, if there is one.
    pub fn try_retry(&self, now: Duration) -> bool {
        let mut inner = self.inner();
        inner.slot(now);
        if inner.available() == 0 {
            inner.refused_total += 1;
            return false;
        }
        inner.slot(now).retries += 1;
        inner.admitted_total += 1;
        true
    }

    /// The account at `now`.
    pub fn stats(&self, now: Duration) -> BudgetStats {
        let mut inner = self.inner();
        inner.slot(now);
        let Slot { calls, retries } = inner.window();
        BudgetStats {
            calls,
            retries,
            available: inner.available(),
            admitted_total: inner.admitted_total,
            refused_total: inner.refused_total,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Counters are valid after every single step, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The slot of `now`, with everything a window back forgotten.
    fn slot(&mut self, now: Duration) -> &mut Slot {
        let number = nanos(now) / self.slot_ns;
        if number > self.latest {
            let steps = number - self.latest;
            for back in 0..steps.min(SLOTS as u64) {
                self.slots[index(number - back)] = Slot::default();
            }
            self.latest = number;
        }
        &mut self.slots[index(self.latest)]
    }

    fn window(&self) -> Slot {
        self.slots.iter().fold(Slot::default(), |sum, slot| Slot {
            calls: sum.calls.saturating_add(slot.calls),
            retries: sum.retries + slot.retries,
        })
    }

    fn available(&self) -> u64 {
        let Slot { calls, retries } = self.window();
        let allowed = (u128::from(calls) * self.micro_per_call + self.floor_micro) / MICRO;
        u64::try_from(allowed.saturating_sub(u128::from(retries))).unwrap_or(u64::MAX)
    }
}

fn index(number: u64) -> usize {
    (number % SLOTS as u64) as usize
}
