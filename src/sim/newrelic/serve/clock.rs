//! The time of a served New Relic: real time, or faster, with leaps on request.
//!
//! Invariants:
//! - Time never goes back: it is the monotonic clock of the world below, times the speed, plus all
//!   leaps, from a start of the caller's choice on.
//! - Whoever sleeps in this time wakes at once when a leap passes the end of the sleep.
//! - [`Clock::timeout`] is the patience with a peer's bytes; the peer lives in real time, so this is
//!   not sped up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::units::UnixMillis;
use crate::ports::{Clock, Elapsed};
use crate::rt::{Race, race};

/// Slowest and fastest pace.
pub const SPEEDS: (f64, f64) = (0.001, 10_000.0);

/// Nothing holds the clock.
const FREE: i64 = i64::MIN;

/// A clock that runs `speed` times as fast as another one.
#[derive(Debug, Clone)]
pub struct PacedClock<C>(Arc<Shared<C>>);

#[derive(Debug)]
struct Shared<C> {
    clock: C,
    speed: f64,
    /// The other clock's monotonic time at the start.
    origin: Duration,
    start: UnixMillis,
    leaps_ms: AtomicU64,
    /// What [`Clock::wall`] says while it is held.
    held: AtomicI64,
    leapt: Notify,
}

impl<C: Clock> PacedClock<C> {
    /// A clock that shows `start` now and then runs `speed` times as fast as `clock`.
    pub fn new(clock: C, start: UnixMillis, speed: f64) -> Self {
        let origin = clock.monotonic();
        let (leaps_ms, held) = (AtomicU64::new(0), AtomicI64::new(FREE));
        Self(Arc::new(Shared { clock, speed, origin, start, leaps_ms, held, leapt: Notify::new() }))
    }

    /// Virtual seconds per real second.
    pub fn speed(&self) -> f64 {
        self.0.speed
    }

    /// The clock below.
    pub fn real(&self) -> &C {
        &self.0.clock
    }

    /// Leaps ahead by `by`, in whole milliseconds.
    pub fn leap(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        // Leaps beyond any calendar stop at its end instead of wrapping to its start.
        let _ = self.0.leaps_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |leaps| {
            Some(leaps.saturating_add(by).min(u64::MAX / 4))
        });
        self.0.leapt.notify_waiters();
    }

    /// Runs `work` while the wall clock stands at `at`; other threads must not read it meanwhile.
    pub(super) fn hold<T>(&self, at: UnixMillis, work: impl FnOnce() -> T) -> T {
        let before = self.0.held.swap(at.0, Ordering::Relaxed);
        let output = work();
        self.0.held.store(before, Ordering::Relaxed);
        output
    }
}

impl<C: Clock> Clock for PacedClock<C> {
    fn wall(&self) -> UnixMillis {
        match self.0.held.load(Ordering::Relaxed) {
            FREE => self.0.start.plus(self.monotonic()),
            held => UnixMillis(held),
        }
    }

    fn monotonic(&self) -> Duration {
        let real = self.0.clock.monotonic().saturating_sub(self.0.origin);
        let own = if self.0.speed == 1.0 { real } else { real.mul_f64(self.0.speed) };
        own.saturating_add(Duration::from_millis(self.0.leaps_ms.load(Ordering::Relaxed)))
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.monotonic().saturating_add(duration);
        loop {
            let leapt = self.0.leapt.notified();
            let rest = until.saturating_sub(self.monotonic());
            if rest.is_zero() {
                return;
            }
            let real = rest.div_f64(self.0.speed).max(Duration::from_micros(100));
            if matches!(race(self.0.clock.sleep(real), leapt).await, Race::First(())) {
                return;
            }
        }
    }

    async fn timeout<F: Future + Send>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        self.0.clock.timeout(duration, future).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::testing::{EPOCH, TestClock};

    #[test]
    fn time_runs_at_its_speed_and_leaps() {
        let below = TestClock::default();
        let clock = PacedClock::new(below.clone(), EPOCH, 60.0);
        below.run({
            let (below, clock) = (below.clone(), clock.clone());
            async move {
                below.sleep(Duration::from_secs(2)).await;
                assert_eq!(clock.wall(), EPOCH.plus_millis(120_000));
                clock.sleep(Duration::from_secs(60)).await;
                assert_eq!(below.monotonic(), Duration::from_secs(3), "60 s in one");
                clock.leap(Duration::from_secs(3_600));
                assert_eq!(clock.monotonic(), Duration::from_secs(3_780));
                let held = clock.hold(EPOCH, || clock.wall());
                assert_eq!(held, EPOCH);
                assert_eq!(clock.wall(), EPOCH.plus_millis(3_780_000), "free again");
            }
        });
    }

    #[test]
    fn a_leap_wakes_sleepers_and_patience_is_real() {
        let below = TestClock::default();
        let clock = PacedClock::new(below.clone(), EPOCH, 10.0);
        below.run({
            let (below, clock) = (below.clone(), clock.clone());
            async move {
                let leaper = async {
                    below.sleep(Duration::from_secs(1)).await;
                    clock.leap(Duration::from_secs(3_000));
                    below.sleep(Duration::from_secs(1)).await;
                    clock.leap(Duration::from_secs(3_000));
                    std::future::pending::<()>().await;
                };
                race(clock.sleep(Duration::from_secs(3_600)), leaper).await;
                assert_eq!(below.monotonic(), Duration::from_secs(2), "not 360 s");
                let before = below.monotonic();
                let patience = Duration::from_secs(10);
                let waited = clock.timeout(patience, std::future::pending::<()>()).await;
                assert_eq!(waited, Err(Elapsed(patience)));
                assert_eq!(below.monotonic() - before, patience, "not a tenth");
            }
        });
    }

    #[test]
    fn endless_leaps_end_somewhere() {
        let clock = PacedClock::new(TestClock::default(), EPOCH, 1.0);
        clock.leap(Duration::MAX);
        clock.leap(Duration::MAX);
        assert!(clock.wall() > EPOCH);
    }
}
