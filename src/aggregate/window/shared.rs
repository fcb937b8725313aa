//! Windows that many threads fill.
//!
//! Invariants:
//! - An entity's windows are behind one lock; whoever closes windows holds all of them, taken in
//!   one order, so that a reading is wholly before or wholly after.
//! - The shards are no part of the result: it is the same for one as for many.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::PoisonError;

use super::rollup::{Span, roll_up};
use super::shard::Shard;
use super::sync::{Mutex, MutexGuard};
use super::{ClosedWindow, Reading, Taken, WindowConfig, WindowStats};
use crate::domain::entity::EntityKey;
use crate::domain::units::UnixMillis;

/// Open windows of all entities.
#[derive(Debug)]
pub struct Windows {
    config: WindowConfig,
    /// Since when readings come.
    watched_since: UnixMillis,
    shards: Box<[Mutex<Shard>]>,
    book: Mutex<Book>,
}

/// What is known of windows that were told.
#[derive(Debug, Default)]
struct Book {
    closed: u64,
    evicted: u64,
    shut_down: u64,
    incomplete: u64,
    /// Spans of which some entity's window is missing, because it was evicted.
    gaps: BTreeSet<Span>,
}

/// A lock outlives a panic: what it guards is whole between any two statements that matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Windows {
    /// No windows yet; `shards` locks, about twice as many as threads. All that is ever said comes
    /// here, unless [`Windows::watched_since`] says otherwise.
    pub fn new(config: WindowConfig, shards: NonZeroUsize) -> Self {
        let shards = (0..shards.get()).map(|_| Mutex::new(Shard::default())).collect();
        let watched_since = UnixMillis(i64::MIN);
        Self { config, watched_since, shards, book: Mutex::new(Book::default()) }
    }

    /// The same, but what was said before `at` has not come here: windows that begin earlier are
    /// not complete.
    #[must_use]
    pub fn watched_since(self, at: UnixMillis) -> Self {
        Self { watched_since: at, ..self }
    }

    /// How windows are cut.
    pub fn config(&self) -> WindowConfig {
        self.config
    }

    fn place_of(&self, key: &EntityKey) -> usize {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        key.hash(&mut hasher);
        // The remainder is below the number of shards.
        (hasher.finish() % self.shards.len() as u64) as usize
    }

    /// Counts `reading`, or says why not; `now` is the clock's time, to which late and early refer.
    pub fn observe(&self, reading: &Reading<'_>, now: UnixMillis) -> Taken {
        let place = if self.shards.len() == 1 { 0 } else { self.place_of(reading.key) };
        lock(&self.shards[place]).observe(&self.config, reading, now)
    }

    /// The windows whose time is over at `now`, and those of entities beyond the cap; sorted by
    /// span, entity and reason, sums over parts included.
    pub fn advance(&self, now: UnixMillis) -> Vec<ClosedWindow> {
        let mut shards: Vec<_> = self.shards.iter().map(lock).collect();
        let mut closed = Vec::new();
        for shard in &mut shards {
            shard.close_due(&self.config, now, &mut closed);
        }
        let mut book = lock(&self.book);
        book.closed += closed.len() as u64;
        // The order decides in which the parts are added, so it must not be that of the shards.
        sort(&mut closed);
        roll_up(&mut closed, &book.gaps);
        for window in &mut closed {
            window.is_complete = window.span.start >= self.watched_since
                && (book.gaps.is_empty() || !book.gaps.contains(&Span::of(window)));
        }
        book.incomplete += incomplete(&closed);
        book.gaps.retain(|gap| self.config.closes(gap.span()) > now);

        let told = closed.len();
        let groups: usize = shards.iter().map(|shard| shard.len()).sum();
        let surplus = groups.saturating_sub(self.config.groups_max);
        if surplus > 0 {
            let mut oldest: Vec<_> = shards.iter().flat_map(|shard| shard.touched()).collect();
            oldest.sort_unstable();
            oldest.truncate(surplus);
            let oldest: Vec<EntityKey> = oldest.into_iter().map(|(_, key)| key.clone()).collect();
            for key in oldest {
                let place = if shards.len() == 1 { 0 } else { self.place_of(&key) };
                shards[place].evict(&key, &mut closed);
            }
            book.evicted += (closed.len() - told) as u64;
            book.incomplete += incomplete(&closed[told..]);
            book.gaps.extend(closed[told..].iter().map(Span::of));
        }
        sort(&mut closed);
        closed
    }

    /// All open windows, as they are: nobody will come any more.
    pub fn shut_down(&self) -> Vec<ClosedWindow> {
        let mut shards: Vec<_> = self.shards.iter().map(lock).collect();
        let mut closed = Vec::new();
        for shard in &mut shards {
            shard.close_all(&mut closed);
        }
        let mut book = lock(&self.book);
        book.shut_down += closed.len() as u64;
        book.incomplete += incomplete(&closed);
        sort(&mut closed);
        roll_up(&mut closed, &book.gaps);
        closed
    }

    /// What happened so far.
    pub fn stats(&self) -> WindowStats {
        let shards: Vec<_> = self.shards.iter().map(lock).collect();
        let book = lock(&self.book);
        let mut all = WindowStats {
            closed: book.closed,
            evicted: book.evicted,
            shut_down: book.shut_down,
            incomplete: book.incomplete,
            ..WindowStats::default()
        };
        for shard in &shards {
            let WindowStats { counted, amended, duplicate, late, ahead, .. } = shard.stats;
            all.counted += counted;
            all.amended += amended;
            all.duplicate += duplicate;
            all.late += late;
            all.ahead += ahead;
            all.groups += shard.len() as u64;
        }
        all
    }
}

fn incomplete(told: &[ClosedWindow]) -> u64 {
    told.iter().filter(|window| !window.is_complete).count() as u64
}

fn sort(closed: &mut [ClosedWindow]) {
    closed.sort_by(|left, right| {
        (left.span.cmp(&right.span))
            .then_with(|| left.key.cmp(&right.key))
            .then_with(|| left.closing.cmp(&right.closing))
    });
}
