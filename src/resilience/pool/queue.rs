//! Which waiting task is next: highest priority first, first come first served within one.
//!
//! With ageing, a task's priority grows by 1 for every `ageing` that it waits: at any instant the
//! task with the largest `priority + waited / ageing` is next (not rounded). As all tasks age at
//! the same speed, their order never changes: it is the order of `queued_at − priority · ageing`,
//! a constant, so nothing is ever sorted anew.
//!
//! Invariants:
//! - Within one priority tasks leave in the order in which they entered; with ageing, so do tasks
//!   of equal claim.
//! - Entering, leaving and being removed cost O(log of the number of priorities in use), whatever
//!   the number of tasks: each priority has a linked list, and only its head takes part in the
//!   choice. (Within one priority the constant never falls, as the clock never goes back.)

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    previous: u32,
    next: u32,
    priority: i32,
    sequence: u64,
    claim: i128,
}

const EMPTY: Node = Node { previous: NONE, next: NONE, priority: 0, sequence: 0, claim: 0 };

#[derive(Clone, Copy)]
struct Level {
    head: u32,
    tail: u32,
}

/// Waiting tasks, each known by its slot; a slot is in the queue at most once.
pub(super) struct Queue {
    /// Links by slot; those of slots that are not in the queue mean nothing.
    nodes: Vec<Node>,
    /// Priorities in use.
    levels: BTreeMap<i32, Level>,
    /// With ageing: (claim, sequence, priority) of every level's head; the smallest is next.
    heads: BTreeSet<(i128, u64, i32)>,
    ageing_ns: Option<i128>,
    sequence: u64,
    len: usize,
}

impl Queue {
    pub(super) fn new(ageing: Option<Duration>) -> Self {
        Self {
            nodes: Vec::new(),
            levels: BTreeMap::new(),
            heads: BTreeSet::new(),
            ageing_ns: ageing.map(nanos),
            sequence: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts `slot`, which is not in the queue, behind all others of its priority.
    pub(super) fn push(&mut self, slot: u32, priority: i32, now: Duration) {
        let at = slot as usize;
        if at >= self.nodes.len() {
            self.nodes.resize(at + 1, EMPTY);
        }
        let sequence = self.sequence;
        self.sequence += 1;
        self.len += 1;
        let claim = match self.ageing_ns {
            Some(ageing) => nanos(now).saturating_sub(i128::from(priority).saturating_mul(ageing)),
            None => 0,
        };
        let mut previous = NONE;
        match self.levels.get_mut(&priority) {
            Some(level) => {
                previous = level.tail;
                self.nodes[previous as usize].next = slot;
                level.tail = slot;
            }
            None => {
                self.levels.insert(priority, Level { head: slot, tail: slot });
                if self.ageing_ns.is_some() {
                    self.heads.insert((claim, sequence, priority));
                }
            }
        }
        self.nodes[at] = Node { previous, next: NONE, priority, sequence, claim };
    }

    /// Takes the next task.
    pub(super) fn pop(&mut self) -> Option<u32> {
        let slot = if self.ageing_ns.is_some() {
            let (_, _, priority) = self.heads.first()?;
            self.levels.get(priority)?.head
        } else {
            self.levels.last_key_value()?.1.head
        };
        self.remove(slot);
        Some(slot)
    }

    /// Takes `slot`, which is in the queue, out of turn.
    pub(super) fn remove(&mut self, slot: u32) {
        let Node { previous, next, priority, sequence, claim } = self.nodes[slot as usize];
        self.len -= 1;
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        if previous != NONE {
            self.nodes[previous as usize].next = next;
        }
        if previous != NONE && next != NONE {
            return;
        }
        if previous == NONE && self.ageing_ns.is_some() {
            self.heads.remove(&(claim, sequence, priority));
            if next != NONE {
                let head = &self.nodes[next as usize];
                self.heads.insert((head.claim, head.sequence, priority));
            }
        }
        if previous == NONE && next == NONE {
            self.levels.remove(&priority);
        } else if let Some(level) = self.levels.get_mut(&priority) {
            if previous == NONE {
                level.head = next;
            } else {
                level.tail = previous;
            }
        }
    }
}

/// Nanoseconds; durations below 2⁶⁴ s fit.
fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
