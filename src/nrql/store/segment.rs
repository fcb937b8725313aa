//! A run of events of one account and type, column by column.
//!
//! Invariants:
//! - Rows stand in order of arrival while the segment grows; sealed, by timestamp, then arrival.
//! - Rows before `start` are expired: nobody sees them, and they never come back.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Cell;
use super::forms::{Form, Kind};
use super::lane::Lane;
use super::part::Part;
use super::texts::Texts;
use crate::nrql::eval::bitmap::Bitmap;
use crate::nrql::eval::column::{Column, MetricParts};
use crate::nrql::hashing::FixedState;
use crate::nrql::value::{MetricKind, MetricValue, Value};

/// Rows of a full segment: its columns fit a core's own cache, and what is done once per segment
/// (finding columns, looking at dictionaries) is done rarely enough.
pub(super) const SEGMENT_ROWS: usize = 32_768;

#[derive(Debug, Clone)]
struct Metrics {
    kinds: Part<MetricKind>,
    /// Count, sum, min, max, latest.
    parts: [Part<f64>; 5],
}

/// All that one attribute holds; most hold one kind.
#[derive(Debug, Clone, Default)]
struct Attribute {
    numbers: Option<Part<f64>>,
    texts: Option<Box<Texts>>,
    integers: Option<Box<Part<i64>>>,
    bools: Option<Box<Part<bool>>>,
    metrics: Option<Box<Metrics>>,
}

impl Attribute {
    /// Returns what the value cost in bytes.
    fn push(&mut self, row: usize, cell: Cell<'_>) -> usize {
        match cell {
            Cell::Number(number) => self.numbers.get_or_insert_with(Part::new).push(row, number),
            Cell::Integer(number) if super::is_exact(number) => {
                self.push(row, Cell::Number(super::exact(number)))
            }
            Cell::Text(text) => {
                self.texts.get_or_insert_with(|| Box::new(Texts::new())).push(row, text)
            }
            Cell::Integer(number) => {
                self.integers.get_or_insert_with(|| Box::new(Part::new())).push(row, number)
            }
            Cell::Bool(truth) => {
                self.bools.get_or_insert_with(|| Box::new(Part::new())).push(row, truth)
            }
            Cell::Metric(metric) => {
                let own = self.metrics.get_or_insert_with(|| {
                    let parts = std::array::from_fn(|_| Part::new());
                    Box::new(Metrics { kinds: Part::new(), parts })
                });
                let values = [metric.count, metric.sum, metric.min, metric.max, metric.latest];
                let cost: usize = (own.parts.iter_mut().zip(values))
                    .map(|(part, value)| part.push(row, value))
                    .sum();
                cost + own.kinds.push(row, metric.kind)
            }
        }
    }

    fn get(&self, row: usize, kind: Kind) -> Option<Value> {
        match kind {
            Kind::Number => self.numbers.as_ref()?.get(row).map(Value::Number),
            Kind::Integer => self.integers.as_ref()?.get(row).map(Value::Integer),
            Kind::Text => self.texts.as_ref()?.get(row).map(|text| Value::Text(Arc::clone(text))),
            Kind::Bool => self.bools.as_ref()?.get(row).map(Value::Bool),
            Kind::Metric => {
                let own = self.metrics.as_ref()?;
                let part = |at: usize| own.parts[at].get(row);
                let value = MetricValue {
                    kind: own.kinds.get(row)?,
                    count: part(0)?,
                    sum: part(1)?,
                    min: part(2)?,
                    max: part(3)?,
                    latest: part(4)?,
                };
                Some(Value::Metric(Arc::new(value)))
            }
        }
    }

    fn seal(&mut self, rows: usize) {
        if let Some(part) = &mut self.numbers {
            part.seal(rows);
        }
        if let Some(texts) = &mut self.texts {
            texts.seal(rows);
        }
        if let Some(part) = &mut self.integers {
            part.seal(rows);
        }
        if let Some(part) = &mut self.bools {
            part.seal(rows);
        }
        if let Some(own) = &mut self.metrics {
            own.kinds.seal(rows);
            own.parts.iter_mut().for_each(|part| part.seal(rows));
        }
    }

    fn take(&self, rows: &[u32]) -> Self {
        fn part<T: Copy + Default>(part: &Part<T>, rows: &[u32]) -> Option<Part<T>> {
            Some(part.take(rows, |value| value)).filter(|part| !part.is_empty())
        }
        let metrics = self.metrics.as_ref().map(|own| Metrics {
            kinds: own.kinds.take(rows, |kind| kind),
            parts: std::array::from_fn(|at| own.parts[at].take(rows, |value| value)),
        });
        let texts = self.texts.as_ref().map(|texts| texts.take(rows));
        Self {
            numbers: self.numbers.as_ref().and_then(|own| part(own, rows)),
            texts: texts.filter(|texts| !texts.is_empty()).map(Box::new),
            integers: self.integers.as_ref().and_then(|own| part(own, rows)).map(Box::new),
            bools: self.bools.as_ref().and_then(|own| part(own, rows)).map(Box::new),
            metrics: metrics.filter(|own| !own.kinds.is_empty()).map(Box::new),
        }
    }

    fn bytes(&self) -> usize {
        let metrics = |own: &Metrics| {
            let parts: usize = own.parts.iter().map(Part::bytes).sum();
            size_of::<Metrics>() + own.kinds.bytes() + parts
        };
        let boxed = |bytes: usize| bytes + size_of::<Part<i64>>();
        size_of::<Self>()
            + self.numbers.as_ref().map_or(0, Part::bytes)
            + self.texts.as_ref().map_or(0, |texts| size_of::<Texts>() + texts.bytes())
            + self.integers.as_ref().map_or(0, |part| boxed(part.bytes()))
            + self.bools.as_ref().map_or(0, |part| boxed(part.bytes()))
            + self.metrics.as_ref().map_or(0, |own| metrics(own))
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let all = [
            self.numbers.is_some().then_some(Kind::Number),
            self.texts.is_some().then_some(Kind::Text),
            self.integers.is_some().then_some(Kind::Integer),
            self.bools.is_some().then_some(Kind::Bool),
            self.metrics.is_some().then_some(Kind::Metric),
        ];
        all.into_iter().flatten()
    }

    fn column_of(&self, kind: Kind, rows: usize) -> Option<Column<'_>> {
        Some(match kind {
            Kind::Number => {
                let (values, valid) = self.numbers.as_ref()?.column(rows);
                Column::Numbers(values, valid)
            }
            Kind::Integer => {
                let (values, valid) = self.integers.as_ref()?.column(rows);
                Column::Integers(values, valid)
            }
            Kind::Text => self.texts.as_ref()?.column(rows),
            Kind::Bool => {
                let (values, valid) = self.bools.as_ref()?.column(rows);
                let truth = Bitmap::from_slice(&values, |truth| truth);
                Column::Bools(std::borrow::Cow::Owned(truth), valid)
            }
            Kind::Metric => {
                let own = self.metrics.as_ref()?;
                let (kinds, valid) = own.kinds.column(rows);
                let part = |at: usize| own.parts[at].column(rows).0;
                let (count, sum, min, max, latest) = (part(0), part(1), part(2), part(3), part(4));
                Column::Metrics(MetricParts { kinds, count, sum, min, max, latest }, valid)
            }
        })
    }

    fn column(&self, rows: usize) -> Option<Column<'_>> {
        let mut all: Vec<_> = self.kinds().filter_map(|kind| self.column_of(kind, rows)).collect();
        if all.len() > 1 { Some(Column::Mixed(all)) } else { all.pop() }
    }
}

/// A run of events.
#[derive(Debug)]
pub(crate) struct Segment {
    timestamps: Vec<i64>,
    stored_at: Lane,
    requests: Lane,
    arrivals: Lane,
    forms: Lane,
    attributes: IndexMap<Arc<str>, Attribute, FixedState>,
    /// Where the columns of a form's events stand among the attributes.
    places: IndexMap<u32, Box<[u32]>, FixedState>,
    oldest: i64,
    newest: i64,
    first_arrival: u64,
    /// Whether rows stand by timestamp.
    sorted: bool,
    /// Rows before it are expired.
    start: usize,
    /// While the segment grows an estimate from above.
    bytes: usize,
}

/// What the store notes about an event besides its attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) timestamp: i64,
    pub(super) stored_at: i64,
    pub(super) request: u32,
    pub(super) arrival: u64,
    pub(super) form: u32,
}

const PLACE_BYTES: usize = 64;
const ATTRIBUTE_BYTES: usize = size_of::<Attribute>() + 64;

impl Segment {
    pub(super) fn new(first_arrival: u64) -> Self {
        Self {
            timestamps: Vec::new(),
            stored_at: Lane::new(),
            requests: Lane::new(),
            arrivals: Lane::new(),
            forms: Lane::new(),
            attributes: IndexMap::default(),
            places: IndexMap::default(),
            oldest: i64::MAX,
            newest: i64::MIN,
            first_arrival,
            sorted: true,
            start: 0,
            bytes: size_of::<Self>(),
        }
    }

    pub(super) fn push(&mut self, head: Head, form: &Form, cells: &[(&str, Cell<'_>)]) {
        let row = self.timestamps.len();
        if !self.places.contains_key(&head.form) {
            let places = form.columns.iter().map(|(name, _)| self.place(name));
            let places: Box<[u32]> = places.collect();
            self.bytes += PLACE_BYTES + size_of_val(&*places);
            self.places.insert(head.form, places);
        }
        let mut cost = 0;
        if let Some(places) = self.places.get(&head.form) {
            for (place, (_, cell)) in places.iter().zip(cells) {
                cost += self.attributes[*place as usize].push(row, *cell);
            }
        }
        let lanes = [&self.stored_at, &self.requests, &self.arrivals, &self.forms];
        let before: usize = lanes.into_iter().map(Lane::bytes).sum();
        self.sorted &= self.newest <= head.timestamp;
        self.oldest = self.oldest.min(head.timestamp);
        self.newest = self.newest.max(head.timestamp);
        self.timestamps.push(head.timestamp);
        self.stored_at.push(head.stored_at);
        self.requests.push(head.request.into());
        self.arrivals.push(head.arrival.cast_signed());
        self.forms.push(head.form.into());
        let lanes = [&self.stored_at, &self.requests, &self.arrivals, &self.forms];
        let after: usize = lanes.into_iter().map(Lane::bytes).sum();
        // Vectors that grow hold up to twice what they need.
        self.bytes += 2 * (cost + size_of::<i64>()) + after.saturating_sub(before);
    }

    fn place(&mut self, name: &Arc<str>) -> u32 {
        if let Some(place) = self.attributes.get_index_of(name) {
            return place as u32;
        }
        self.bytes += ATTRIBUTE_BYTES;
        self.attributes.insert_full(Arc::clone(name), Attribute::default()).0 as u32
    }

    /// Ends growth: visible rows by timestamp, columns as tight as they can be.
    pub(super) fn seal(&mut self) {
        if !self.sorted || self.start > 0 {
            let mut rows: Vec<u32> = (self.start as u32..self.timestamps.len() as u32).collect();
            // Stable: rows of one timestamp stay in order of arrival.
            rows.sort_by_key(|row| self.timestamps[*row as usize]);
            *self = self.take(&rows);
        }
        let rows = self.timestamps.len();
        self.timestamps.shrink_to_fit();
        for lane in [&mut self.stored_at, &mut self.requests, &mut self.arrivals, &mut self.forms] {
            lane.seal();
        }
        self.attributes.values_mut().for_each(|attribute| attribute.seal(rows));
        self.attributes.shrink_to_fit();
        self.bytes = self.exact_bytes();
    }

    fn exact_bytes(&self) -> usize {
        let places: usize = self.places.values().map(|own| PLACE_BYTES + size_of_val(&**own)).sum();
        let attributes = self.attributes.values();
        size_of::<Self>()
            + self.timestamps.capacity() * size_of::<i64>()
            + self.stored_at.bytes()
            + self.requests.bytes()
            + self.arrivals.bytes()
            + self.forms.bytes()
            + places
            + attributes.map(|own| 64 + own.bytes()).sum::<usize>()
    }

    /// The given rows, which must stand by timestamp, then arrival, as a segment of their own.
    fn take(&self, rows: &[u32]) -> Self {
        let timestamps: Vec<i64> = rows.iter().map(|row| self.timestamps[*row as usize]).collect();
        let mut segment = Self::new(self.first_arrival);
        segment.oldest = timestamps.first().copied().unwrap_or(i64::MAX);
        segment.newest = timestamps.last().copied().unwrap_or(i64::MIN);
        segment.timestamps = timestamps;
        segment.stored_at = self.stored_at.take(rows);
        segment.requests = self.requests.take(rows);
        segment.arrivals = self.arrivals.take(rows);
        segment.forms = self.forms.take(rows);
        let attributes = self.attributes.iter();
        segment.attributes =
            attributes.map(|(name, own)| (Arc::clone(name), own.take(rows))).collect();
        segment.places = self.places.clone();
        segment
    }

    /// Hides rows older than `oldest`; returns how many. Rows must stand by timestamp.
    pub(super) fn expire(&mut self, oldest: i64) -> usize {
        let start = self.timestamps.partition_point(|timestamp| *timestamp < oldest);
        let hidden = start.saturating_sub(self.start);
        self.start = self.start.max(start);
        self.oldest = self.timestamps.get(self.start).copied().unwrap_or(i64::MAX);
        hidden
    }

    /// Whether sealing would give much memory back: most rows are hidden.
    pub(super) fn is_mostly_hidden(&self) -> bool {
        self.start * 2 > self.timestamps.len()
    }

    /// Visible rows.
    pub(super) fn rows(&self) -> std::ops::Range<usize> {
        self.start..self.timestamps.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.sorted
    }

    pub(super) fn oldest(&self) -> i64 {
        self.oldest
    }

    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    pub(super) fn first_arrival(&self) -> u64 {
        self.first_arrival
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    pub(crate) fn arrival(&self, row: usize) -> u64 {
        self.arrivals.get(row).cast_unsigned()
    }

    pub(super) fn stored_at(&self, row: usize) -> i64 {
        self.stored_at.get(row)
    }

    pub(super) fn request(&self, row: usize) -> u32 {
        self.requests.get(row) as u32
    }

    pub(super) fn form(&self, row: usize) -> u32 {
        self.forms.get(row) as u32
    }

    pub(super) fn forms(&self) -> impl Iterator<Item = u32> {
        self.places.keys().copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.attributes.keys()
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (&Arc<str>, Kind)> {
        self.attributes.iter().flat_map(|(name, own)| own.kinds().map(move |kind| (name, kind)))
    }

    /// All rows of an attribute, expired ones too.
    pub(crate) fn column(&self, name: &str) -> Option<Column<'_>> {
        self.attributes.get(name)?.column(self.timestamps.len())
    }

    pub(super) fn value(&self, row: usize, name: &str) -> Option<Value> {
        let attribute = self.attributes.get(name)?;
        attribute.kinds().find_map(|kind| attribute.get(row, kind))
    }

    /// The value in a column of the row's form.
    pub(super) fn value_at(&self, row: usize, column: usize, kind: Kind) -> Option<Value> {
        let places = self.places.get(&self.form(row))?;
        self.attributes[*places.get(column)? as usize].get(row, kind)
    }
}
