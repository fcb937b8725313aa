//! Counters become rates: a book of what every counter said last. Pure.
//!
//! Invariants:
//! - First sight gives no rate, and neither does a counter that went down (a reset): never the
//!   raw counter, never a negative or made-up figure.
//! - Counters of one process restart together: whoever sees one of them restart calls
//!   [`Book::forget`] for all, or a counter that stayed at 0 would claim to have been watched.
//! - A window is the whole milliseconds between two receipts; a window of 0 gives no rate and
//!   leaves the older reading in place, so that no growth is lost.
//! - Rows not seen for [`Book::new`]'s `keep_ms` are dropped; the number of rows is bounded.

use std::hash::Hash;

use indexmap::{Equivalent, IndexMap};

/// What a reading says about a counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// Growth per second over the window since the reading before.
    Rate {
        /// Growth per second, in the counter's unit.
        per_second: f64,
        /// Window in ms, above 0.
        window_ms: i64,
    },
    /// The first reading.
    FirstSight,
    /// It went down: its broker restarted, or its log was cut.
    Reset,
    /// A second reading in the same millisecond.
    SameInstant,
    /// The book is full.
    Refused,
}

/// How many readings ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// [`Reading::FirstSight`].
    pub first_seen: u64,
    /// [`Reading::Reset`].
    pub resets: u64,
    /// [`Reading::Refused`].
    pub refused: u64,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    value: f64,
    at_ms: i64,
}

#[derive(Debug)]
struct Row<const N: usize> {
    seen_ms: i64,
    last: [Option<Last>; N],
}

/// The last readings of `N` series for each identity `K`.
#[derive(Debug)]
pub struct Book<K, const N: usize> {
    rows: IndexMap<K, Row<N>>,
    rows_max: usize,
    keep_ms: i64,
    tally: Tally,
}

/// The readings of one identity in one cycle; see [`Book::read`].
pub struct Readings<'a, const N: usize> {
    row: Option<&'a mut Row<N>>,
    tally: &'a mut Tally,
    at_ms: i64,
}

impl<K: Hash + Eq, const N: usize> Book<K, N> {
    /// A book of at most `rows_max` identities that forgets one after `keep_ms` without a reading.
    pub fn new(rows_max: usize, keep_ms: i64) -> Self {
        Self { rows: IndexMap::new(), rows_max, keep_ms, tally: Tally::default() }
    }

    /// The row of `key`, for readings that arrived at `at_ms` of a clock that never goes back.
    pub fn read<Q>(&mut self, key: &Q, at_ms: i64) -> Readings<'_, N>
    where
        Q: Hash + Equivalent<K> + ToKey<K> + ?Sized,
    {
        let found = self.rows.get_index_of(key);
        let index = match found {
            None if self.rows.len() < self.rows_max => {
                let fresh = Row { seen_ms: at_ms, last: [None; N] };
                Some(self.rows.insert_full(key.to_key(), fresh).0)
            }
            found => found,
        };
        let row = index.and_then(|i| self.rows.get_index_mut(i)).map(|(_, row)| row);
        Readings { row, tally: &mut self.tally, at_ms }
    }

    /// Drops rows without a reading since `now_ms − keep_ms`.
    pub fn expire(&mut self, now_ms: i64) {
        let oldest = now_ms.saturating_sub(self.keep_ms);
        if self.rows.values().any(|row| row.seen_ms < oldest) {
            self.rows.retain(|_, row| row.seen_ms >= oldest);
        }
    }

    /// Whether any of `values` is below its last reading for `key`.
    pub fn fell<Q>(&self, key: &Q, values: &[Option<f64>; N]) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let Some(row) = self.rows.get(key) else { return false };
        let fell = |(last, value): (&Option<Last>, &Option<f64>)| {
            last.zip(*value).is_some_and(|(last, value)| value < last.value)
        };
        row.last.iter().zip(values).any(fell)
    }

    /// Forgets the identities that `is` names, so that their next reading is a first sight.
    pub fn forget(&mut self, is: impl Fn(&K) -> bool) {
        self.rows.retain(|key, _| !is(key));
    }

    /// Identities in the book.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the book holds nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the readings since the last call came to.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}

impl<const N: usize> Readings<'_, N> {
    /// Takes down `value` of the series at `index` and says what it means.
    ///
    /// # Panics
    /// If `index` is not below `N` (a programming error).
    pub fn rate(&mut self, index: usize, value: f64) -> Reading {
        let reading = match &mut self.row {
            None => Reading::Refused,
            Some(row) => {
                row.seen_ms = row.seen_ms.max(self.at_ms);
                read(&mut row.last[index], value, self.at_ms)
            }
        };
        match reading {
            Reading::FirstSight => self.tally.first_seen += 1,
            Reading::Reset => {
                crate::sometimes!(COUNTER_RESET);
                self.tally.resets += 1;
            }
            Reading::Refused => self.tally.refused += 1,
            Reading::Rate { .. } | Reading::SameInstant => {}
        }
        reading
    }
}

fn read(slot: &mut Option<Last>, value: f64, at_ms: i64) -> Reading {
    let Some(last) = *slot else {
        *slot = Some(Last { value, at_ms });
        return Reading::FirstSight;
    };
    let window_ms = at_ms - last.at_ms;
    if window_ms <= 0 {
        return Reading::SameInstant;
    }
    *slot = Some(Last { value, at_ms });
    if value < last.value {
        return Reading::Reset;
    }
    let per_second = (value - last.value) / (window_ms as f64 / 1000.0);
    Reading::Rate { per_second, window_ms }
}

/// A borrowed form of a book's key.
pub trait ToKey<K> {
    /// The owned form.
    fn to_key(&self) -> K;
}

impl ToKey<i32> for i32 {
    fn to_key(&self) -> i32 {
        *self
    }
}

impl ToKey<Box<str>> for str {
    fn to_key(&self) -> Box<str> {
        self.into()
    }
}

/// A topic on a broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicOnBroker {
    /// Broker id.
    pub broker: i32,
    /// Topic name.
    pub topic: Box<str>,
}

/// [`TopicOnBroker`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicOnBrokerRef<'a> {
    /// Broker id.
    pub broker: i32,
    /// Topic name.
    pub topic: &'a str,
}

impl Equivalent<TopicOnBroker> for TopicOnBrokerRef<'_> {
    fn equivalent(&self, key: &TopicOnBroker) -> bool {
        self.broker == key.broker && *self.topic == *key.topic
    }
}

impl ToKey<TopicOnBroker> for TopicOnBrokerRef<'_> {
    fn to_key(&self) -> TopicOnBroker {
        TopicOnBroker { broker: self.broker, topic: self.topic.into() }
    }
}

/// A partition as a group reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupPartition {
    /// Group id.
    pub group: Box<str>,
    /// Topic name.
    pub topic: Box<str>,
    /// Partition index.
    pub partition: i32,
}

/// [`GroupPartition`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupPartitionRef<'a> {
    /// Group id.
    pub group: &'a str,
    /// Topic name.
    pub topic: &'a str,
    /// Partition index.
    pub partition: i32,
}

impl Equivalent<GroupPartition> for GroupPartitionRef<'_> {
    fn equivalent(&self, key: &GroupPartition) -> bool {
        self.partition == key.partition && *self.topic == *key.topic && *self.group == *key.group
    }
}

impl ToKey<GroupPartition> for GroupPartitionRef<'_> {
    fn to_key(&self) -> GroupPartition {
        GroupPartition {
            group: self.group.into(),
            topic: self.topic.into(),
            partition: self.partition,
        }
    }
}
