//! The event queue: what happens next, and the timers of all hosts.
//!
//! Invariants:
//! - Events leave in the order of their instants; at one instant, in the order in which they were
//!   scheduled. Nothing else breaks a tie.
//! - A cancelled timer never moves time: it is skipped before anyone asks for the next instant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

use super::packet::Packet;
use super::socket::ConnId;

/// Something due at an instant.
#[derive(Debug)]
pub(super) enum Event {
    /// A packet reaches the far end of its link.
    Arrive(Box<Packet>),
    /// A sender's retransmission timer fires for a lost packet.
    Resend(Box<Packet>),
    /// A timer of a host.
    Timer(TimerId),
    /// A sender checks whether it has waited too long for an acknowledgement.
    GiveUp(GiveUp),
}

/// A give-up timer; it acts only if nothing has moved since it was set.
#[derive(Debug, Clone, Copy)]
pub(super) struct GiveUp {
    pub(super) conn: ConnId,
    pub(super) side: usize,
    pub(super) kind: GiveUpKind,
}

/// What a give-up timer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveUpKind {
    /// The handshake of the client.
    Connect,
    /// The handshake as the server sees it.
    HalfOpen,
    /// Data that cannot get through; the payload is when the wait began.
    Data(u64),
    /// Acknowledgements that cannot get back; the payload is when the wait began.
    Acknowledgement(u64),
}

/// A timer of a host; ids are reused, generations are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimerId {
    index: u32,
    generation: u32,
}

#[derive(Debug, Default)]
struct Timer {
    generation: u32,
    live: bool,
    fired: bool,
    waker: Option<Waker>,
}

struct Entry {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Events by instant, and the timers among them.
#[derive(Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Reverse<Entry>>,
    scheduled: u64,
    timers: Vec<Timer>,
    free: Vec<u32>,
    cancelled: usize,
}

impl EventQueue {
    /// Schedules `event` at `at` nanoseconds.
    pub(super) fn push(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.heap.push(Reverse(Entry { at, number: self.scheduled, event }));
    }

    /// The instant of the next event.
    pub(super) fn next_at(&mut self) -> Option<u64> {
        loop {
            let Reverse(entry) = self.heap.peek()?;
            match entry.event {
                Event::Timer(id) if !self.is_live(id) => {
                    self.heap.pop();
                    self.cancelled = self.cancelled.saturating_sub(1);
                }
                _ => return Some(entry.at),
            }
        }
    }

    /// The next event due at or before `now`.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Event> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.event)
    }

    /// A timer that fires at `at`.
    pub(super) fn set_timer(&mut self, at: u64, waker: Waker) -> TimerId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.timers.push(Timer::default());
            u32::try_from(self.timers.len() - 1).expect("fewer than 2³² timers fit in memory")
        });
        let timer = &mut self.timers[index as usize];
        timer.live = true;
        timer.fired = false;
        timer.waker = Some(waker);
        let id = TimerId { index, generation: timer.generation };
        self.push(at, Event::Timer(id));
        id
    }

    /// Whether `id` has fired; if not, `waker` is woken when it does. The old waker comes back.
    pub(super) fn poll_timer(&mut self, id: TimerId, waker: &Waker) -> (bool, Option<Waker>) {
        let timer = &mut self.timers[id.index as usize];
        if timer.fired {
            return (true, None);
        }
        match &timer.waker {
            Some(old) if old.will_wake(waker) => (false, None),
            _ => (false, timer.waker.replace(waker.clone())),
        }
    }

    /// Marks a timer as fired and gives its waker.
    pub(super) fn fire(&mut self, id: TimerId) -> Option<Waker> {
        let timer = &mut self.timers[id.index as usize];
        timer.fired = true;
        timer.waker.take()
    }

    /// Forgets a timer, fired or not; its waker comes back so that it is dropped outside any lock.
    pub(super) fn clear_timer(&mut self, id: TimerId) -> Option<Waker> {
        let timer = &mut self.timers[id.index as usize];
        timer.live = false;
        timer.generation = timer.generation.wrapping_add(1);
        let waker = timer.waker.take();
        if !timer.fired {
            self.cancelled += 1;
        }
        self.free.push(id.index);
        self.compact();
        waker
    }

    fn is_live(&self, id: TimerId) -> bool {
        let timer = &self.timers[id.index as usize];
        timer.live && timer.generation == id.generation
    }

    /// Drops cancelled entries once they are the most: long time-outs that are always cancelled
    /// would else make every operation slower.
    fn compact(&mut self) {
        if self.cancelled < 256 || self.cancelled * 2 < self.heap.len() {
            return;
        }
        let timers = &self.timers;
        self.heap.retain(|Reverse(entry)| match entry.event {
            Event::Timer(id) => {
                let timer = &timers[id.index as usize];
                timer.live && timer.generation == id.generation
            }
            _ => true,
        });
        self.cancelled = 0;
    }
}
