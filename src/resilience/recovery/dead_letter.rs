//! Items that nobody could deal with, kept for a second chance.
//!
//! Purpose: a bounded, ordered, replayable store of what exhausted its tries, in memory; the one
//! for events that outlives the process is the spool's.
//!
//! Invariants:
//! - Never more than the capacity is held; the oldest letter makes room and is given back to the
//!   caller, so that nothing is lost without somebody knowing.
//! - `pushed = held + evicted + replayed + purged`, always.
//! - Letters are in the order of their arrival; identifiers are never used twice.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Letters kept unless told otherwise (domain: bounded 1 000).
pub const DEAD_LETTERS_MAX: usize = 1_000;

/// An item that exhausted its tries. Instants are monotonic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<T> {
    /// Order of arrival; unique within its queue.
    pub id: u64,
    /// The item.
    pub payload: T,
    /// Why it is here, for people.
    pub reason: String,
    /// Tries that were made.
    pub attempts: u32,
    /// When its first try failed.
    pub first_failed_at: Duration,
    /// When it was given up.
    pub dead_at: Duration,
}

/// Which letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// The oldest so many.
    Oldest(usize),
    /// Identifiers, both ends included.
    Ids(RangeInclusive<u64>),
}

/// A queue's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLetterStats {
    /// Letters held now.
    pub held: u64,
    /// Letters that ever came.
    pub pushed: u64,
    /// Letters that made room for younger ones.
    pub evicted: u64,
    /// Letters handed out for another try.
    pub replayed: u64,
    /// Letters deleted by hand.
    pub purged: u64,
}

/// A bounded first-in first-out store of letters.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue<T> {
    letters: VecDeque<DeadLetter<T>>,
    capacity: usize,
    stats: DeadLetterStats,
}

impl<T> Default for DeadLetterQueue<T> {
    fn default() -> Self {
        Self::new(DEAD_LETTERS_MAX)
    }
}

impl<T> DeadLetterQueue<T> {
    /// An empty queue for at most `capacity` letters; with 0 every letter is evicted at once.
    pub const fn new(capacity: usize) -> Self {
        let stats = DeadLetterStats { held: 0, pushed: 0, evicted: 0, replayed: 0, purged: 0 };
        Self { letters: VecDeque::new(), capacity, stats }
    }

    /// Adds an item; gives back the letter that had to make room, if any.
    #[must_use = "an evicted letter is lost for good unless the caller keeps it"]
    pub fn push(
        &mut self,
        payload: T,
        reason: impl Into<String>,
        attempts: u32,
        first_failed_at: Duration,
        now: Duration,
    ) -> Option<DeadLetter<T>> {
        let id = self.stats.pushed;
        self.stats.pushed += 1;
        let reason = reason.into();
        let letter = DeadLetter { id, payload, reason, attempts, first_failed_at, dead_at: now };
        self.letters.push_back(letter);
        if self.letters.len() <= self.capacity {
            return None;
        }
        self.stats.evicted += 1;
        self.letters.pop_front()
    }

    /// Letters held now.
    pub fn len(&self) -> usize {
        self.letters.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Letters, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &DeadLetter<T>> {
        self.letters.iter()
    }

    /// Removes the selected letters and gives them back, oldest first, for another try. A letter
    /// that fails again comes back by [`DeadLetterQueue::push`] with a new identifier.
    pub fn take(&mut self, selection: &Selection) -> Vec<DeadLetter<T>> {
        let taken = self.remove(selection);
        self.stats.replayed += taken.len() as u64;
        taken
    }

    /// Deletes the selected letters; how many there were.
    pub fn purge(&mut self, selection: &Selection) -> usize {
        let purged = self.remove(selection).len();
        self.stats.purged += purged as u64;
        purged
    }

    /// The account.
    pub fn stats(&self) -> DeadLetterStats {
        DeadLetterStats { held: self.letters.len() as u64, ..self.stats }
    }

    fn remove(&mut self, selection: &Selection) -> Vec<DeadLetter<T>> {
        // Identifiers ascend, so every selection is one run of the queue.
        let run = match selection {
            Selection::All => 0..self.letters.len(),
            Selection::Oldest(count) => 0..self.letters.len().min(*count),
            Selection::Ids(ids) => {
                let begin = self.letters.partition_point(|letter| letter.id < *ids.start());
                let end = self.letters.partition_point(|letter| letter.id <= *ids.end());
                begin..end.max(begin)
            }
        };
        self.letters.drain(run).collect()
    }
}
