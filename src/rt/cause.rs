//! What led to what is done now: a number that follows the work, for simulated worlds that record
//! it. Real hosts follow nothing, which costs them one comparison per poll.
//!
//! A *strand* is work with a cause of its own: every spawned task is one, and so is each part of a
//! task that runs beside others ([`strand`]). A strand begins with the cause of whoever made it,
//! keeps it while it waits, and takes another when it says so ([`set`], as the simulated sockets do
//! for what they hand out), or when another strand wakes it: then the waker's cause is its own.
//! Whoever awaits a strand goes on with the cause that it ended with.
//!
//! Invariants:
//! - Nothing is ever decided by a cause: work runs the same whether it is followed or not.
//! - Timers and sockets wake without a cause: a strand that a timer wakes keeps its own.
//!
//! Not modelled: values that pass through memory without waking anybody (a queue whose reader is
//! busy) leave the reader's cause as it is; of several wakers before a poll the last one counts; a
//! lock passes the cause of whoever gives it back.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

/// The number of something that happened.
pub type Cause = NonZeroU64;

thread_local! {
    /// 0: nothing.
    static PRESENT: Cell<u64> = const { Cell::new(0) };
    static FOLLOWED: Cell<bool> = const { Cell::new(false) };
    static STRAND: RefCell<Option<Arc<Relay>>> = const { RefCell::new(None) };
}

/// From now on strands made on this thread have causes, or have none.
pub fn follow(on: bool) {
    FOLLOWED.set(on);
    PRESENT.set(0);
}

/// What led to what is done now.
pub fn present() -> Option<Cause> {
    NonZeroU64::new(PRESENT.get())
}

/// Sets what leads to what is done from now on by this strand; what did before.
pub fn set(cause: Option<Cause>) -> Option<Cause> {
    NonZeroU64::new(PRESENT.replace(cause.map_or(0, NonZeroU64::get)))
}

/// A strand, for those who ask later what it was led by.
#[derive(Debug, Clone)]
pub struct Strand(Arc<Relay>);

impl Strand {
    /// The one that runs now; `None` where nothing is followed.
    pub fn running() -> Option<Self> {
        STRAND.with_borrow(|running| running.clone().map(Self))
    }

    /// What led to what it did last, up to its last pause.
    pub fn cause(&self) -> Option<Cause> {
        NonZeroU64::new(self.0.cause.load(Ordering::Relaxed))
    }
}

/// Keeps a strand's cause while it waits, and passes on who wakes it.
#[derive(Debug)]
struct Relay {
    cause: AtomicU64,
    waker: Waker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let present = PRESENT.get();
        if present == 0 {
            return self.waker.wake_by_ref();
        }
        self.cause.store(present, Ordering::Relaxed);
        // A strand around this one is not who was meant.
        PRESENT.set(0);
        self.waker.wake_by_ref();
        PRESENT.set(present);
    }
}

/// How a strand is followed.
enum Followed {
    Not,
    /// It has not run yet.
    New(u64),
    Begun(Arc<Relay>, Waker),
}

pin_project! {
    /// The future of [`strand`].
    pub struct StrandOf<F> {
        followed: Followed,
        #[pin]
        future: F,
    }
}

impl<F> std::fmt::Debug for StrandOf<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StrandOf")
    }
}

/// `future` with a cause of its own, beside others in the same task.
pub fn strand<F: Future>(future: F) -> StrandOf<F> {
    let followed = if FOLLOWED.get() { Followed::New(PRESENT.get()) } else { Followed::Not };
    StrandOf { followed, future }
}

impl Followed {
    /// The relay to `waker`, made anew when somebody else polls.
    fn relay(&mut self, waker: &Waker) -> Option<(&Arc<Relay>, &Waker)> {
        let cause = match self {
            Self::Not => return None,
            Self::New(cause) => Some(*cause),
            Self::Begun(relay, _) if relay.waker.will_wake(waker) => None,
            Self::Begun(relay, _) => Some(relay.cause.load(Ordering::Relaxed)),
        };
        if let Some(cause) = cause {
            let relay = Arc::new(Relay { cause: AtomicU64::new(cause), waker: waker.clone() });
            let own = Waker::from(Arc::clone(&relay));
            *self = Self::Begun(relay, own);
        }
        match self {
            Self::Begun(relay, own) => Some((relay, own)),
            Self::Not | Self::New(_) => None,
        }
    }
}

impl<F: Future> Future for StrandOf<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some((relay, waker)) = this.followed.relay(cx.waker()) else {
            return this.future.poll(cx);
        };
        let outer_cause = PRESENT.replace(relay.cause.load(Ordering::Relaxed));
        let outer = STRAND.replace(Some(Arc::clone(relay)));
        let polled = this.future.poll(&mut Context::from_waker(waker));
        STRAND.set(outer);
        relay.cause.store(PRESENT.get(), Ordering::Relaxed);
        if polled.is_pending() {
            PRESENT.set(outer_cause);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt;

    fn number(cause: Option<Cause>) -> u64 {
        cause.map_or(0, NonZeroU64::get)
    }

    /// Runs `main` as a strand of a thread that follows.
    fn followed<F: Future>(main: impl FnOnce() -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        follow(true);
        let local = tokio::task::LocalSet::new();
        let output = local.block_on(&runtime, strand(main()));
        follow(false);
        output
    }

    #[test]
    fn a_strand_inherits_keeps_and_hands_back() {
        let seen = followed(|| async {
            set(Cause::new(1));
            let own = strand(async {
                let before = present();
                set(Cause::new(2));
                tokio::task::yield_now().await;
                (before, present())
            });
            let beside = strand(async {
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                present()
            });
            let ((before, after), beside) = futures_util::future::join(own, beside).await;
            [before, after, beside, present()].map(number)
        });
        // The one that ended last is what the joiner goes on from.
        assert_eq!(seen, [1, 2, 1, 1]);
    }

    #[test]
    fn who_is_woken_by_another_takes_over_its_cause() {
        let seen = followed(|| async {
            set(Cause::new(1));
            let (to_task, from_main) = tokio::sync::oneshot::channel::<()>();
            let (to_main, from_task) = tokio::sync::oneshot::channel::<()>();
            let task = rt::spawn("hears", async move {
                let born = present();
                from_main.await.unwrap();
                let woken = present();
                set(Cause::new(9));
                to_main.send(()).unwrap();
                (born, woken)
            });
            tokio::task::yield_now().await;
            set(Cause::new(5));
            to_task.send(()).unwrap();
            from_task.await.unwrap();
            let answered = present();
            let (born, woken) = task.await.unwrap();
            [born, woken, answered].map(number)
        });
        assert_eq!(seen, [1, 5, 9]);
    }

    #[test]
    fn nothing_is_followed_unless_asked_for() {
        follow(false);
        let local = tokio::task::LocalSet::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let running = local.block_on(&runtime, strand(async { Strand::running().is_some() }));
        assert!(!running);
        assert_eq!(present(), None);
    }
}
