//! Counts what a host does to the world and what the world does to it, and ends the host after
//! the n-th such event.
//!
//! Invariants:
//! - The event that blows the fuse takes effect; nothing that the host does afterwards does.
//! - An event is counted once, whoever asks: the disk and the network of a host share its fuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// No event has this number.
const NEVER: u64 = u64::MAX;

/// One host's fuse; clones are handles on the same one.
#[derive(Debug, Clone, Default)]
pub struct Fuse(Arc<State>);

#[derive(Debug)]
struct State {
    events: AtomicU64,
    last: AtomicU64,
    blown: AtomicBool,
    /// Set when any of the fuses that share it blows.
    alarm: Arc<AtomicBool>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            events: AtomicU64::new(0),
            last: AtomicU64::new(NEVER),
            blown: AtomicBool::new(false),
            alarm: Arc::default(),
        }
    }
}

impl Fuse {
    /// A fuse that sets `alarm` when it blows.
    pub fn new(alarm: &Arc<AtomicBool>) -> Self {
        Self(Arc::new(State { alarm: Arc::clone(alarm), ..State::default() }))
    }

    /// Counts one event; whether it may take effect.
    pub fn pass(&self) -> bool {
        if self.is_blown() {
            return false;
        }
        let number = self.0.events.fetch_add(1, Ordering::Relaxed) + 1;
        if number >= self.0.last.load(Ordering::Relaxed) {
            self.0.blown.store(true, Ordering::Relaxed);
            self.0.alarm.store(true, Ordering::Relaxed);
        }
        true
    }

    /// Whether the host's last event has been.
    pub fn is_blown(&self) -> bool {
        self.0.blown.load(Ordering::Relaxed)
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.0.events.load(Ordering::Relaxed)
    }

    /// Lets it blow at the `events`-th event from now on; at least at the next one.
    pub fn arm(&self, events: u64) {
        self.0.last.store(self.events().saturating_add(events.max(1)), Ordering::Relaxed);
    }

    /// Makes it whole again; it will not blow by itself.
    pub fn mend(&self) {
        self.0.last.store(NEVER, Ordering::Relaxed);
        self.0.blown.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_event_is_the_last_to_take_effect() {
        for n in 1..5u64 {
            let alarm = Arc::default();
            let fuse = Fuse::new(&alarm);
            assert!(fuse.pass(), "events before it is armed only count");
            fuse.arm(n);
            let passed = (0..10).filter(|_| fuse.clone().pass()).count() as u64;
            assert_eq!((passed, fuse.events()), (n, n + 1));
            assert!(fuse.is_blown() && alarm.load(Ordering::Relaxed));
            fuse.mend();
            assert!(fuse.pass() && !fuse.is_blown());
        }
    }
}
