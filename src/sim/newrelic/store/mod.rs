//! Events by account and type: time-ordered to read, dictionary-encoded, bounded.
//!
//! An event is a row of 64-bit cells in a chunk of events of the same shape (names and kinds of
//! attributes); a full chunk is turned into columns. Texts are numbers in one dictionary.
//!
//! Invariants:
//! - Reading gives events by timestamp, and those of one timestamp in order of arrival.
//! - Memory stays below the cap: the oldest chunk goes first, and every event that goes is counted.
//!
//! Not modelled: New Relic's own retention per data type and account.

mod chunk;
mod dictionary;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chunk::{Chunk, Row};
use dictionary::Dictionary;
use shape::{Kind, Shapes};

use crate::definitions::Scalar;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// A stored value. Texts and numbers are never converted into each other; booleans are texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(Arc<str>),
    /// A number.
    Number(f64),
    /// An integer that a 64-bit float cannot hold exactly.
    Integer(i64),
}

impl Value {
    /// The number, however it is held.
    #[expect(clippy::cast_precision_loss, reason = "callers that need every digit match Integer")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Text(_) => None,
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
        }
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Integer(_) => None,
        }
    }
}

fn kind(scalar: Scalar<'_>) -> Kind {
    match scalar {
        Scalar::Text(_) | Scalar::Bool(_) | Scalar::Metric => Kind::Text,
        Scalar::Number(_) => Kind::Number,
        Scalar::Integer(_) => Kind::Integer,
    }
}

/// An event on its way into the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewEvent<'a> {
    pub(super) account: AccountId,
    pub(super) event_type: &'a str,
    pub(super) timestamp: UnixMillis,
    pub(super) stored_at: UnixMillis,
    pub(super) request: u32,
    pub(super) cells: &'a [(&'a str, Scalar<'a>)],
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
    sealed: VecDeque<Chunk>,
    /// Growing chunks, by shape.
    open: BTreeMap<u32, Chunk>,
}

impl Table {
    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.sealed.iter().chain(self.open.values())
    }
}

/// Shapes may take one part in so many of the memory cap.
const SHAPES_SHARE: usize = 4;

/// All events.
#[derive(Debug)]
pub(super) struct EventStore {
    tables: BTreeMap<AccountId, BTreeMap<String, Table>>,
    shapes: Shapes,
    dictionary: Dictionary,
    chunk_bytes: usize,
    bytes_max: usize,
    next_number: u64,
    evicted: BTreeMap<Eviction, u64>,
}

impl EventStore {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            tables: BTreeMap::new(),
            shapes: Shapes::default(),
            dictionary: Dictionary::default(),
            chunk_bytes: 0,
            bytes_max,
            next_number: 0,
            evicted: BTreeMap::new(),
        }
    }

    /// Memory in use, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.chunk_bytes + self.dictionary.bytes() + self.shapes.bytes()
    }

    /// Events that were stored and are gone.
    pub(super) fn evicted(&self) -> &BTreeMap<Eviction, u64> {
        &self.evicted
    }

    /// Stores one event; of two attributes with one name the later counts.
    pub(super) fn push(&mut self, event: NewEvent<'_>) {
        let columns = event.cells.iter().map(|(name, cell)| (*name, kind(*cell)));
        // Senders repeat few shapes; one that never repeats any must not fill memory with them.
        let Some(shape) = self.shapes.find(columns, self.bytes_max / SHAPES_SHARE) else {
            *self.evicted.entry(Eviction::Memory).or_default() += 1;
            return;
        };
        if self.shapes.get(shape).repeats {
            let cells = without_repeats(event.cells);
            return self.push(NewEvent { cells: &cells, ..event });
        }
        let types = self.tables.entry(event.account).or_default();
        if !types.contains_key(event.event_type) {
            types.insert(event.event_type.to_owned(), Table::default());
        }
        let Some(table) = types.get_mut(event.event_type) else { return };
        let width = event.cells.len();
        let chunk = table.open.entry(shape).or_insert_with(|| Chunk::new(shape, width));
        let row = Row {
            timestamp: event.timestamp.0,
            stored_at: event.stored_at.0,
            number: self.next_number,
            request: event.request,
        };
        self.next_number += 1;
        let before = if chunk.rows.is_empty() { 0 } else { chunk.bytes() };
        let dictionary = &mut self.dictionary;
        chunk.push(
            row,
            event.cells.iter().map(|(_, cell)| match *cell {
                Scalar::Text(text) => u64::from(dictionary.take(text)),
                Scalar::Bool(true) => u64::from(dictionary.take("true")),
                Scalar::Bool(false) => u64::from(dictionary.take("false")),
                // The Event API takes no metric objects.
                Scalar::Metric => u64::from(dictionary.take("")),
                Scalar::Number(number) => number.to_bits(),
                Scalar::Integer(number) => number.cast_unsigned(),
            }),
        );
        self.chunk_bytes = self.chunk_bytes + chunk.bytes() - before;
        if chunk.is_full()
            && let Some(mut chunk) = table.open.remove(&shape)
        {
            let before = chunk.bytes();
            chunk.seal();
            self.chunk_bytes = self.chunk_bytes + chunk.bytes() - before;
            table.sealed.push_back(chunk);
        }
        while self.bytes() > self.bytes_max && self.evict_oldest() {}
    }

    /// Drops chunks whose events are all older than `oldest`.
    pub(super) fn expire(&mut self, oldest: UnixMillis) {
        let mut gone = Vec::new();
        for table in self.tables.values_mut().flat_map(BTreeMap::values_mut) {
            let old = |chunk: &Chunk| chunk.newest < oldest.0;
            gone.extend(table.open.extract_if(.., |_, chunk| old(chunk)).map(|(_, chunk)| chunk));
            while table.sealed.front().is_some_and(old) {
                gone.extend(table.sealed.pop_front());
            }
        }
        for types in self.tables.values_mut() {
            types.retain(|_, table| table.chunks().next().is_some());
        }
        for chunk in gone {
            self.forget(&chunk, Eviction::Retention);
        }
    }

    /// Whether an event of this type can be stored without more than `types_max` types.
    pub(super) fn has_room(&self, account: AccountId, event_type: &str, types_max: usize) -> bool {
        self.tables
            .get(&account)
            .is_none_or(|types| types.len() < types_max || types.contains_key(event_type))
    }

    /// Drops the chunk whose first event came first; `false` when there is none left.
    fn evict_oldest(&mut self) -> bool {
        let first = |chunk: &Chunk| chunk.rows.first().map_or(u64::MAX, |row| row.number);
        let tables = self.tables.values_mut().flat_map(BTreeMap::values_mut);
        let oldest = tables.min_by_key(|t| t.chunks().map(first).min().unwrap_or(u64::MAX));
        let Some(table) = oldest else { return false };
        let sealed = table.sealed.front().map(first);
        let open = table.open.iter().map(|(shape, chunk)| (first(chunk), *shape)).min();
        let chunk = match (sealed, open) {
            (Some(sealed), Some((open, shape))) if open < sealed => table.open.remove(&shape),
            (None, Some((_, shape))) => table.open.remove(&shape),
            _ => table.sealed.pop_front(),
        };
        let Some(chunk) = chunk else { return false };
        self.forget(&chunk, Eviction::Memory);
        true
    }

    fn forget(&mut self, chunk: &Chunk, why: Eviction) {
        self.chunk_bytes -= chunk.bytes();
        *self.evicted.entry(why).or_default() += chunk.rows.len() as u64;
        for (column, (_, kind)) in self.shapes.get(chunk.shape).columns.iter().enumerate() {
            if *kind == Kind::Text {
                for row in 0..chunk.rows.len() {
                    self.dictionary.release(chunk.cell(row, column) as u32);
                }
            }
        }
    }

    /// Events of one type in order; all accounts or one.
    pub(super) fn rows(&self, account: Option<AccountId>, event_type: &str) -> Vec<EventRow<'_>> {
        let mut rows: Vec<EventRow<'_>> = self
            .tables
            .iter()
            .filter(|(id, _)| account.is_none_or(|wanted| wanted == **id))
            .filter_map(|(id, types)| types.get(event_type).map(|table| (*id, table)))
            .flat_map(|(account, table)| table.chunks().map(move |chunk| (account, chunk)))
            .flat_map(|(account, chunk)| {
                (0..chunk.rows.len()).map(move |row| EventRow { store: self, account, chunk, row })
            })
            .collect();
        rows.sort_unstable_by_key(|row| (row.row().timestamp, row.row().number));
        rows
    }

    /// Number of events by account and type.
    pub(super) fn counts(&self) -> BTreeMap<(AccountId, String), u64> {
        let mut counts = BTreeMap::new();
        for (account, types) in &self.tables {
            for (event_type, table) in types {
                let events = table.chunks().map(|chunk| chunk.rows.len() as u64).sum();
                counts.insert((*account, event_type.clone()), events);
            }
        }
        counts
    }
}

fn without_repeats<'a>(cells: &[(&'a str, Scalar<'a>)]) -> Vec<(&'a str, Scalar<'a>)> {
    let mut kept: indexmap::IndexMap<&str, Scalar<'_>> = indexmap::IndexMap::new();
    for (name, cell) in cells {
        kept.insert(name, *cell);
    }
    kept.into_iter().collect()
}

/// One stored event, read in place.
#[derive(Clone, Copy)]
pub struct EventRow<'a> {
    store: &'a EventStore,
    account: AccountId,
    chunk: &'a Chunk,
    row: usize,
}

impl<'a> EventRow<'a> {
    fn row(&self) -> &'a Row {
        &self.chunk.rows[self.row]
    }

    /// The account it belongs to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its own time.
    pub fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.row().timestamp)
    }

    /// When it could be queried first.
    pub fn stored_at(&self) -> UnixMillis {
        UnixMillis(self.row().stored_at)
    }

    /// Number of the accepted request that brought it.
    pub fn request(&self) -> u32 {
        self.row().request
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<Value> {
        let shape = self.store.shapes.get(self.chunk.shape);
        shape.column(name).map(|column| self.value(column, shape.columns[column].1))
    }

    /// Names and values in the order in which they were sent.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a Arc<str>, Value)> + use<'a> {
        let row = *self;
        let columns = &self.store.shapes.get(self.chunk.shape).columns;
        columns.iter().enumerate().map(move |(at, (name, kind))| (name, row.value(at, *kind)))
    }

    /// The attribute in a column of its form, in the order of [`EventRow::attributes`].
    ///
    /// # Panics
    /// When the form has no such column.
    pub fn at(&self, column: usize) -> Value {
        let shape = self.store.shapes.get(self.chunk.shape);
        self.value(column, shape.columns[column].1)
    }

    /// Number of its form: rows of one form have the same names and kinds in the same order.
    pub fn form(&self) -> u32 {
        self.chunk.shape
    }

    fn value(&self, column: usize, kind: Kind) -> Value {
        let cell = self.chunk.cell(self.row, column);
        match kind {
            Kind::Number => Value::Number(f64::from_bits(cell)),
            Kind::Integer => Value::Integer(cell.cast_signed()),
            Kind::Text => Value::Text(Arc::clone(self.store.dictionary.text(cell as u32))),
        }
    }
}
