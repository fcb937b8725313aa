//! Virtual time for many timers at once: each waits in one place, and leaves it when dropped.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::domain::units::UnixMillis;
use crate::ports::Clock;

#[derive(Default)]
struct Timers {
    now: Duration,
    next: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
}

/// Time that [`TestClock::run`] drives from timer to timer.
#[derive(Clone, Default)]
pub(super) struct TestClock(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl TestClock {
    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().expect("no test panics while it holds the timers")
    }

    /// Lets `duration` pass while nothing runs.
    pub(super) fn advance(&self, duration: Duration) {
        self.timers().now += duration;
    }

    /// Runs `future` to its end.
    pub(super) fn run<F: Future>(&self, future: F) -> F::Output {
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let mut future = pin!(future);
        loop {
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = polled {
                return output;
            }
            if flag.0.swap(false, Ordering::AcqRel) {
                continue;
            }
            let ((at, _), due) =
                self.timers().waiting.pop_first().expect("the future waits for nothing");
            let mut timers = self.timers();
            timers.now = timers.now.max(at);
            drop(timers);
            due.wake();
        }
    }
}

struct Sleep {
    clock: TestClock,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.clock.timers();
        if timers.now >= self.key.0 {
            return Poll::Ready(());
        }
        timers.waiting.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.timers().waiting.remove(&self.key);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(0).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.timers().now
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let mut timers = self.timers();
        timers.next += 1;
        let key = (timers.now + duration, timers.next);
        drop(timers);
        Sleep { clock: self.clone(), key }
    }
}
