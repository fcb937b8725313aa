//! Events by account and type: columnar, time-ordered to read, dictionary-encoded, bounded.
//!
//! Events of one account and type fill a segment in order of arrival; a full one is sorted by time
//! and made tight. Every segment has its own dictionaries, so what goes takes its texts along.
//!
//! Invariants:
//! - Reading gives events by timestamp, and those of one timestamp in order of arrival.
//! - Memory stays below the cap: the segment that began first goes first, and every event that goes
//!   is counted.
//! - A value comes back as it was sent, whatever other events hold under the same name.
//!
//! Not modelled: New Relic's own retention per data type and account.

mod forms;
mod lane;
mod part;
mod row;
mod segment;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use forms::Forms;
pub use forms::Kind;
pub use row::EventRow;
pub(crate) use segment::Segment;
use segment::{Head, SEGMENT_ROWS};

use super::eval::batch::Batch;
use super::value::MetricValue;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// Bounds of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreConfig {
    /// Memory of all events, in bytes.
    pub bytes_max: usize,
}

/// A value on its way into the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Text.
    Text(&'a str),
    /// A finite number.
    Number(f64),
    /// A whole number; comes back as a number where a 64-bit float holds it exactly.
    Integer(i64),
    /// A truth value.
    Bool(bool),
    /// A metric value.
    Metric(MetricValue),
}

/// Above it not every integer has a 64-bit float of its own.
const EXACT_MAX: u64 = 1 << 53;

fn is_exact(number: i64) -> bool {
    number.unsigned_abs() <= EXACT_MAX
}

#[expect(clippy::cast_precision_loss, reason = "asked of exact numbers only")]
fn exact(number: i64) -> f64 {
    debug_assert!(is_exact(number));
    number as f64
}

/// An event on its way into the store.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    /// Whose it is.
    pub account: AccountId,
    /// Its type.
    pub event_type: &'a str,
    /// Its own time.
    pub timestamp: UnixMillis,
    /// When it can be queried first.
    pub stored_at: UnixMillis,
    /// Number of the request that brought it.
    pub request: u32,
    /// Names and values; of two with one name the later counts.
    pub cells: &'a [(&'a str, Cell<'a>)],
}

/// Why a stored event is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Eviction {
    /// Older than the retention.
    Retention,
    /// The memory cap.
    Memory,
}

#[derive(Debug, Default)]
struct Table {
    /// In order of arrival; rows of each by timestamp.
    sealed: VecDeque<Segment>,
    /// Grows.
    open: Option<Segment>,
}

impl Table {
    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.sealed.iter().chain(&self.open)
    }

    fn first_arrival(&self) -> Option<u64> {
        self.segments().next().map(Segment::first_arrival)
    }
}

/// Forms may take one part in so many of the memory cap.
const FORMS_SHARE: usize = 4;

/// A growing segment is sealed when it takes one part in so many of the memory cap: what goes at
/// once must be little of the whole.
const SEGMENT_SHARE: usize = 16;

/// All events.
#[derive(Debug)]
pub struct EventStore {
    tables: BTreeMap<AccountId, BTreeMap<String, Table>>,
    forms: Forms,
    segment_bytes: usize,
    bytes_max: usize,
    next_arrival: u64,
    evicted: BTreeMap<Eviction, u64>,
}

impl EventStore {
    /// An empty store.
    pub fn new(config: StoreConfig) -> Self {
        Self {
            tables: BTreeMap::new(),
            forms: Forms::default(),
            segment_bytes: 0,
            bytes_max: config.bytes_max,
            next_arrival: 0,
            evicted: BTreeMap::new(),
        }
    }

    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.segment_bytes + self.forms.bytes()
    }

    /// Events that were stored and are gone.
    pub fn evicted(&self) -> &BTreeMap<Eviction, u64> {
        &self.evicted
    }

    /// Stores one event; of two attributes with one name the later counts.
    pub fn push(&mut self, event: NewEvent<'_>) {
        let Some(form) = self.form(event.cells) else {
            *self.evicted.entry(Eviction::Memory).or_default() += 1;
            return;
        };
        if self.forms.get(form).repeats {
            let cells = without_repeats(event.cells);
            return self.push(NewEvent { cells: &cells, ..event });
        }
        let types = self.tables.entry(event.account).or_default();
        if !types.contains_key(event.event_type) {
            types.insert(event.event_type.to_owned(), Table::default());
        }
        let Some(table) = types.get_mut(event.event_type) else { return };
        let head = Head {
            timestamp: event.timestamp.0,
            stored_at: event.stored_at.0,
            request: event.request,
            arrival: self.next_arrival,
            form,
        };
        self.next_arrival += 1;
        let segment = table.open.get_or_insert_with(|| Segment::new(head.arrival));
        let before = if segment.is_empty() { 0 } else { segment.bytes() };
        segment.push(head, self.forms.get(form), event.cells);
        self.segment_bytes = self.segment_bytes + segment.bytes() - before;
        let full = segment.rows().len() >= SEGMENT_ROWS
            || segment.bytes() > self.bytes_max / SEGMENT_SHARE;
        if full {
            seal(table, &mut self.segment_bytes);
        }
        while self.bytes() > self.bytes_max && self.evict_oldest() {}
    }

    /// Senders repeat few forms; one that never repeats any must not fill memory with them.
    fn form(&mut self, cells: &[(&str, Cell<'_>)]) -> Option<u32> {
        let bytes_max = self.bytes_max / FORMS_SHARE;
        let columns = cells.iter().map(|(name, cell)| (*name, Kind::of(cell)));
        self.forms.find(columns.clone(), bytes_max).or_else(|| {
            self.sweep_forms();
            self.forms.find(columns, bytes_max)
        })
    }

    fn sweep_forms(&mut self) {
        let segments = self.tables.values().flat_map(BTreeMap::values).flat_map(Table::segments);
        let used: BTreeSet<u32> = segments.flat_map(Segment::forms).collect();
        self.forms.sweep(|form| used.contains(&form));
    }

    /// Drops events older than `oldest`.
    pub fn expire(&mut self, oldest: UnixMillis) {
        let mut gone = 0;
        for table in self.tables.values_mut().flat_map(BTreeMap::values_mut) {
            let has_old = |segment: &Segment| segment.oldest() < oldest.0;
            if table.open.as_ref().is_some_and(|open| has_old(open) && !open.is_sorted()) {
                seal(table, &mut self.segment_bytes);
            }
            for segment in table.sealed.iter_mut().filter(|segment| has_old(segment)) {
                gone += segment.expire(oldest.0);
                if segment.is_mostly_hidden() && !segment.is_empty() {
                    let before = segment.bytes();
                    segment.seal();
                    self.segment_bytes = self.segment_bytes + segment.bytes() - before;
                }
            }
            if let Some(open) = table.open.as_mut().filter(|open| has_old(open)) {
                gone += open.expire(oldest.0);
                if open.is_mostly_hidden() && !open.is_empty() {
                    seal(table, &mut self.segment_bytes);
                }
            }
            let mut forget = |segment: &Segment| {
                if segment.is_empty() {
                    self.segment_bytes -= segment.bytes();
                }
                !segment.is_empty()
            };
            table.sealed.retain(&mut forget);
            table.open = table.open.take().filter(&mut forget);
        }
        for types in self.tables.values_mut() {
            types.retain(|_, table| table.segments().next().is_some());
        }
        if gone > 0 {
            *self.evicted.entry(Eviction::Retention).or_default() += gone as u64;
        }
    }

    /// Whether an event of this type can be stored without more than `types_max` types.
    pub fn has_room(&self, account: AccountId, event_type: &str, types_max: usize) -> bool {
        self.tables
            .get(&account)
            .is_none_or(|types| types.len() < types_max || types.contains_key(event_type))
    }

    /// Drops the segment that began first; `false` when there is none left.
    fn evict_oldest(&mut self) -> bool {
        let tables = self.tables.iter().flat_map(|(account, types)| {
            types.iter().filter_map(|(name, table)| {
                table.first_arrival().map(|first| (first, *account, name))
            })
        });
        let Some((_, account, name)) = tables.min() else { return false };
        let name = name.clone();
        let Some(types) = self.tables.get_mut(&account) else { return false };
        let Some(table) = types.get_mut(&name) else { return false };
        let segment = table.sealed.pop_front().or_else(|| table.open.take());
        if table.segments().next().is_none() {
            types.remove(&name);
        }
        let Some(segment) = segment else { return false };
        self.segment_bytes -= segment.bytes();
        *self.evicted.entry(Eviction::Memory).or_default() += segment.rows().len() as u64;
        true
    }

    fn tables_of<'a>(
        &'a self,
        account: Option<AccountId>,
        event_type: &str,
    ) -> impl Iterator<Item = (AccountId, &'a str, &'a Table)> {
        self.tables
            .iter()
            .filter(move |(id, _)| account.is_none_or(|wanted| wanted == **id))
            .filter_map(move |(id, types)| {
                types.get_key_value(event_type).map(|(name, table)| (*id, name.as_str(), table))
            })
    }

    /// Events of one type in order; all accounts or one.
    pub fn rows(&self, account: Option<AccountId>, event_type: &str) -> Vec<EventRow<'_>> {
        let mut rows = Vec::new();
        for (account, _, table) in self.tables_of(account, event_type) {
            for segment in table.segments() {
                let of = |row| EventRow::new(account, segment, row, &self.forms);
                rows.extend(segment.rows().map(of));
            }
        }
        // Runs that stand in order already cost one pass.
        rows.sort_by_key(|row| (row.timestamp(), row.arrival()));
        rows
    }

    /// Number of events per account and type.
    pub fn counts(&self) -> BTreeMap<(AccountId, String), u64> {
        let tables = self.tables.iter().flat_map(|(account, types)| {
            types.iter().map(move |(name, table)| ((*account, name.clone()), table))
        });
        let count =
            |table: &Table| table.segments().map(|segment| segment.rows().len() as u64).sum();
        tables.map(|(key, table)| (key, count(table))).collect()
    }

    /// Event types of these accounts that may have events from `from`, before `until`; sorted.
    pub fn event_types(
        &self,
        accounts: &[AccountId],
        from: UnixMillis,
        until: UnixMillis,
    ) -> Vec<String> {
        let within = |segment: &Segment| segment.newest() >= from.0 && segment.oldest() < until.0;
        let types = accounts.iter().filter_map(|account| self.tables.get(account)).flatten();
        let types = types.filter(|(_, table)| table.segments().any(within));
        let names: BTreeSet<&String> = types.map(|(name, _)| name).collect();
        names.into_iter().cloned().collect()
    }

    /// Names of attributes of one type's events, and the kinds of their values.
    pub fn attributes(
        &self,
        account: AccountId,
        event_type: &str,
    ) -> BTreeMap<Arc<str>, BTreeSet<Kind>> {
        let mut all: BTreeMap<Arc<str>, BTreeSet<Kind>> = BTreeMap::new();
        for (_, _, table) in self.tables_of(Some(account), event_type) {
            for (name, kind) in table.segments().flat_map(Segment::kinds) {
                match all.get_mut(name) {
                    Some(kinds) => {
                        kinds.insert(kind);
                    }
                    None => {
                        all.insert(Arc::clone(name), BTreeSet::from([kind]));
                    }
                }
            }
        }
        all
    }

    /// Events of these accounts and types from `from`, before `until`, as batches: the rows of each
    /// by timestamp, then arrival; the batches by the time of their first rows, overlapping where
    /// events came out of order and between accounts and types.
    pub fn scan<'a>(
        &'a self,
        accounts: &[AccountId],
        event_types: &[&str],
        from: UnixMillis,
        until: UnixMillis,
    ) -> impl Iterator<Item = Batch<'a>> + use<'a> {
        let mut batches = Vec::new();
        let accounts: BTreeSet<AccountId> = accounts.iter().copied().collect();
        let event_types: BTreeSet<&str> = event_types.iter().copied().collect();
        for account in accounts {
            for event_type in &event_types {
                for (account, name, table) in self.tables_of(Some(account), event_type) {
                    let within = |segment: &&Segment| {
                        segment.newest() >= from.0 && segment.oldest() < until.0
                    };
                    let of = |segment| batch(segment, (account, name), from.0, until.0);
                    batches.extend(table.segments().filter(within).filter_map(of));
                }
            }
        }
        batches.sort_by_key(|batch| (batch.timestamps().first().copied(), batch.arrival(0)));
        batches.into_iter()
    }
}

/// The rows of a segment within a window; `None` when there are none.
fn batch<'a>(
    segment: &'a Segment,
    key: (AccountId, &'a str),
    from: i64,
    until: i64,
) -> Option<Batch<'a>> {
    let times = segment.timestamps();
    let visible = segment.rows();
    if segment.is_sorted() {
        let start = times.partition_point(|time| *time < from).max(visible.start);
        let end = times.partition_point(|time| *time < until);
        return (start < end).then(|| Batch::of_range(segment, key, (start, end)));
    }
    let within = |row: &u32| (from..until).contains(&times[*row as usize]);
    let mut rows: Vec<u32> = visible.map(|row| row as u32).filter(within).collect();
    rows.sort_by_key(|row| times[*row as usize]);
    (!rows.is_empty()).then(|| Batch::of_list(segment, key, rows))
}

fn seal(table: &mut Table, bytes: &mut usize) {
    if let Some(mut segment) = table.open.take() {
        let before = segment.bytes();
        segment.seal();
        *bytes = *bytes + segment.bytes() - before;
        table.sealed.push_back(segment);
    }
}

fn without_repeats<'a>(cells: &[(&'a str, Cell<'a>)]) -> Vec<(&'a str, Cell<'a>)> {
    let mut kept: Vec<(&str, Cell<'_>)> = Vec::with_capacity(cells.len());
    for (name, cell) in cells {
        match kept.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = *cell,
            None => kept.push((name, *cell)),
        }
    }
    kept
}
