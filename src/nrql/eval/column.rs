//! Values of one attribute, or of one expression, for all rows of a batch.
//!
//! Invariants:
//! - What a row that is not valid holds in `values` or `codes` means nothing.
//! - Entries of a dictionary may repeat; codes of different columns have nothing in common.
//! - Numbers are finite; a computation that would give anything else gives null.

use std::borrow::Cow;
use std::sync::Arc;

use super::bitmap::Bitmap;
use crate::nrql::value::{MetricKind, MetricValue, Value};

/// Which rows have a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Validity<'a> {
    /// All of them.
    All,
    /// These.
    Rows(Cow<'a, Bitmap>),
}

impl<'a> Validity<'a> {
    /// Of an own bitmap.
    pub fn of(rows: Bitmap) -> Self {
        if rows.all() { Self::All } else { Self::Rows(Cow::Owned(rows)) }
    }

    /// Whether `row` has a value.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::Rows(rows) => rows.get(row),
        }
    }

    /// As a bitmap of `len` rows.
    pub fn to_bitmap(&self, len: usize) -> Bitmap {
        match self {
            Self::All => Bitmap::ones(len),
            Self::Rows(rows) => rows.clone().into_owned(),
        }
    }

    /// Keeps of `rows` those that have a value.
    pub fn restrict(&self, rows: &mut Bitmap) {
        if let Self::Rows(valid) = self {
            rows.and(valid);
        }
    }

    /// The rows that have a value here and there.
    #[must_use]
    pub fn and(self, other: &Validity<'_>) -> Validity<'a> {
        match (self, other) {
            (own, Validity::All) => own,
            (Self::All, Validity::Rows(rows)) => Self::Rows(Cow::Owned(rows.clone().into_owned())),
            (Self::Rows(own), Validity::Rows(rows)) => {
                let mut both = own.into_owned();
                both.and(rows);
                Self::Rows(Cow::Owned(both))
            }
        }
    }

    fn map(self, change: impl FnOnce(&Bitmap) -> Bitmap) -> Validity<'a> {
        match self {
            Self::All => Self::All,
            Self::Rows(rows) => Self::of(change(&rows)),
        }
    }
}

/// Codes of texts, as narrow as their dictionary allows.
#[derive(Debug, Clone)]
pub enum Codes<'a> {
    /// At most 256 texts.
    Narrow(Cow<'a, [u8]>),
    /// At most 65,536 texts.
    Middle(Cow<'a, [u16]>),
    /// More.
    Wide(Cow<'a, [u32]>),
}

/// Runs `$body` with `$codes` bound to the slice, whatever its width.
macro_rules! with_codes {
    ($all:expr, $codes:ident => $body:expr) => {
        match $all {
            Codes::Narrow($codes) => $body,
            Codes::Middle($codes) => $body,
            Codes::Wide($codes) => $body,
        }
    };
}

fn slice<'a, T: Clone>(values: Cow<'a, [T]>, start: usize, end: usize) -> Cow<'a, [T]> {
    match values {
        Cow::Borrowed(values) => Cow::Borrowed(&values[start..end]),
        Cow::Owned(values) => Cow::Owned(values[start..end].to_vec()),
    }
}

fn take<T: Clone>(values: &[T], rows: &[u32]) -> Cow<'static, [T]> {
    Cow::Owned(rows.iter().map(|row| values[*row as usize].clone()).collect())
}

impl<'a> Codes<'a> {
    /// The code of `row`; what it says of a row that is not valid means nothing.
    #[inline]
    pub fn get(&self, row: usize) -> usize {
        with_codes!(self, codes => codes[row] as usize)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        with_codes!(self, codes => codes.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All codes at one width, for loops that should exist once.
    pub fn to_wide(&self) -> Cow<'_, [u32]> {
        match self {
            Self::Narrow(codes) => Cow::Owned(codes.iter().map(|code| (*code).into()).collect()),
            Self::Middle(codes) => Cow::Owned(codes.iter().map(|code| (*code).into()).collect()),
            Self::Wide(codes) => Cow::Borrowed(codes),
        }
    }

    /// The rows for whose code `holds` says so; `holds` has one entry per text.
    pub fn rows_where(&self, holds: &[bool]) -> Bitmap {
        let of = |code: usize| holds.get(code).copied().unwrap_or(false);
        with_codes!(self, codes => Bitmap::from_slice(codes, |code| of(code as usize)))
    }

    fn slice(self, start: usize, end: usize) -> Self {
        match self {
            Self::Narrow(codes) => Self::Narrow(slice(codes, start, end)),
            Self::Middle(codes) => Self::Middle(slice(codes, start, end)),
            Self::Wide(codes) => Self::Wide(slice(codes, start, end)),
        }
    }

    fn take(&self, rows: &[u32]) -> Codes<'a> {
        match self {
            Self::Narrow(codes) => Codes::Narrow(take(codes, rows)),
            Self::Middle(codes) => Codes::Middle(take(codes, rows)),
            Self::Wide(codes) => Codes::Wide(take(codes, rows)),
        }
    }
}

/// Metric values, part by part.
#[derive(Debug, Clone)]
pub struct MetricParts<'a> {
    /// Kinds.
    pub kinds: Cow<'a, [MetricKind]>,
    /// [`MetricValue::count`].
    pub count: Cow<'a, [f64]>,
    /// [`MetricValue::sum`].
    pub sum: Cow<'a, [f64]>,
    /// [`MetricValue::min`].
    pub min: Cow<'a, [f64]>,
    /// [`MetricValue::max`].
    pub max: Cow<'a, [f64]>,
    /// [`MetricValue::latest`].
    pub latest: Cow<'a, [f64]>,
}

impl<'a> MetricParts<'a> {
    /// The value of `row`.
    pub fn get(&self, row: usize) -> MetricValue {
        MetricValue {
            kind: self.kinds[row],
            count: self.count[row],
            sum: self.sum[row],
            min: self.min[row],
            max: self.max[row],
            latest: self.latest[row],
        }
    }

    fn map(
        self,
        kinds: impl FnOnce(Cow<'a, [MetricKind]>) -> Cow<'a, [MetricKind]>,
        part: impl Fn(Cow<'a, [f64]>) -> Cow<'a, [f64]>,
    ) -> Self {
        Self {
            kinds: kinds(self.kinds),
            count: part(self.count),
            sum: part(self.sum),
            min: part(self.min),
            max: part(self.max),
            latest: part(self.latest),
        }
    }
}

/// Values of one attribute or expression.
#[derive(Debug, Clone)]
pub enum Column<'a> {
    /// The same for each of so many rows; absent attributes are [`Value::Null`].
    Constant(Value, usize),
    /// Numbers.
    Numbers(Cow<'a, [f64]>, Validity<'a>),
    /// Integers that a 64-bit float need not hold exactly.
    Integers(Cow<'a, [i64]>, Validity<'a>),
    /// Truth values.
    Bools(Cow<'a, Bitmap>, Validity<'a>),
    /// Texts.
    Texts {
        /// Places in `dictionary`.
        codes: Codes<'a>,
        /// Which rows have one.
        valid: Validity<'a>,
        /// The texts.
        dictionary: Cow<'a, [Arc<str>]>,
    },
    /// Metric values.
    Metrics(MetricParts<'a>, Validity<'a>),
    /// Kinds mixed; a row has a value in at most one of them.
    Mixed(Vec<Column<'a>>),
    /// Anything, one by one.
    Values(Cow<'a, [Value]>),
}

impl<'a> Column<'a> {
    /// Of no value at all.
    pub fn null(len: usize) -> Self {
        Self::Constant(Value::Null, len)
    }

    /// Numbers without validity known; those that are not finite are null.
    pub fn finite(mut values: Vec<f64>, valid: Validity<'a>) -> Self {
        if values.iter().all(|value| value.is_finite()) {
            return Self::Numbers(Cow::Owned(values), valid);
        }
        let mut rows = Bitmap::from_slice(&values, f64::is_finite);
        valid.restrict(&mut rows);
        values.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
        Self::Numbers(Cow::Owned(values), Validity::of(rows))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Constant(_, len) => *len,
            Self::Numbers(values, _) => values.len(),
            Self::Integers(values, _) => values.len(),
            Self::Bools(values, _) => values.len(),
            Self::Texts { codes, .. } => codes.len(),
            Self::Metrics(parts, _) => parts.kinds.len(),
            Self::Mixed(parts) => parts.first().map_or(0, Column::len),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `row`, boxed: for results and slow paths.
    pub fn value(&self, row: usize) -> Value {
        match self {
            Self::Constant(value, _) => value.clone(),
            Self::Numbers(values, valid) if valid.get(row) => Value::Number(values[row]),
            Self::Integers(values, valid) if valid.get(row) => Value::Integer(values[row]),
            Self::Bools(values, valid) if valid.get(row) => Value::Bool(values.get(row)),
            Self::Texts { codes, valid, dictionary } if valid.get(row) => {
                Value::Text(Arc::clone(&dictionary[codes.get(row)]))
            }
            Self::Metrics(parts, valid) if valid.get(row) => {
                Value::Metric(Arc::new(parts.get(row)))
            }
            Self::Mixed(parts) => {
                let values = parts.iter().map(|part| part.value(row));
                values.into_iter().find(|value| *value != Value::Null).unwrap_or(Value::Null)
            }
            Self::Values(values) => values[row].clone(),
            _ => Value::Null,
        }
    }

    /// Which rows have a value.
    pub fn validity(&self) -> Validity<'_> {
        match self {
            Self::Constant(Value::Null, len) => Validity::Rows(Cow::Owned(Bitmap::zeros(*len))),
            Self::Constant(..) => Validity::All,
            Self::Numbers(_, valid)
            | Self::Integers(_, valid)
            | Self::Bools(_, valid)
            | Self::Texts { valid, .. }
            | Self::Metrics(_, valid) => match valid {
                Validity::All => Validity::All,
                Validity::Rows(rows) => Validity::Rows(Cow::Borrowed(rows)),
            },
            Self::Mixed(parts) => {
                let mut rows = Bitmap::zeros(self.len());
                for part in parts {
                    rows.or(&part.validity().to_bitmap(part.len()));
                }
                Validity::of(rows)
            }
            Self::Values(values) => {
                Validity::of(Bitmap::from_fn(values.len(), |row| values[row] != Value::Null))
            }
        }
    }

    /// What is a number here, as 64-bit floats; anything else is not valid. Metric values count as
    /// [`MetricValue::scalar`] says. Borrows where it can.
    pub fn numbers(&self) -> (Cow<'_, [f64]>, Validity<'_>) {
        match self {
            Self::Numbers(values, _) => (Cow::Borrowed(values), self.validity()),
            Self::Integers(values, _) => {
                (values.iter().map(|value| as_f64(*value)).collect(), self.validity())
            }
            Self::Metrics(parts, _) => {
                let rows = 0..parts.kinds.len();
                (rows.map(|row| parts.get(row).scalar()).collect(), self.validity())
            }
            Self::Constant(value, len) => match value.as_f64() {
                Some(number) => (vec![number; *len].into(), Validity::All),
                None => (vec![0.0; *len].into(), Validity::Rows(Cow::Owned(Bitmap::zeros(*len)))),
            },
            Self::Bools(..) | Self::Texts { .. } => {
                let len = self.len();
                (vec![0.0; len].into(), Validity::Rows(Cow::Owned(Bitmap::zeros(len))))
            }
            Self::Mixed(parts) => {
                let mut all = vec![0.0; self.len()];
                let mut rows = Bitmap::zeros(self.len());
                for part in parts {
                    let (values, valid) = part.numbers();
                    let valid = valid.to_bitmap(values.len());
                    valid.for_each(|row| all[row] = values[row]);
                    rows.or(&valid);
                }
                (all.into(), Validity::of(rows))
            }
            Self::Values(values) => {
                let numbers: Vec<Option<f64>> = values.iter().map(Value::as_f64).collect();
                let valid = Bitmap::from_fn(numbers.len(), |row| numbers[row].is_some());
                let numbers = numbers.into_iter().map(Option::unwrap_or_default).collect();
                (numbers, Validity::of(valid))
            }
        }
    }

    /// Rows `start..end`, borrowed where it can be.
    #[must_use]
    pub fn slice(self, start: usize, end: usize) -> Self {
        if (start, end) == (0, self.len()) {
            return self;
        }
        let cut = |valid: Validity<'a>| valid.map(|rows| rows.slice(start, end));
        match self {
            Self::Constant(value, _) => Self::Constant(value, end - start),
            Self::Numbers(values, valid) => Self::Numbers(slice(values, start, end), cut(valid)),
            Self::Integers(values, valid) => Self::Integers(slice(values, start, end), cut(valid)),
            Self::Bools(values, valid) => {
                Self::Bools(Cow::Owned(values.slice(start, end)), cut(valid))
            }
            Self::Texts { codes, valid, dictionary } => {
                Self::Texts { codes: codes.slice(start, end), valid: cut(valid), dictionary }
            }
            Self::Metrics(parts, valid) => {
                let parts =
                    parts.map(|kinds| slice(kinds, start, end), |part| slice(part, start, end));
                Self::Metrics(parts, cut(valid))
            }
            Self::Mixed(parts) => {
                Self::Mixed(parts.into_iter().map(|part| part.slice(start, end)).collect())
            }
            Self::Values(values) => Self::Values(slice(values, start, end)),
        }
    }

    /// The given rows, in the given order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Column<'a> {
        let pick = |valid: &Validity<'a>| valid.clone().map(|valid| valid.take(rows));
        match self {
            Self::Constant(value, _) => Column::Constant(value.clone(), rows.len()),
            Self::Numbers(values, valid) => Column::Numbers(take(values, rows), pick(valid)),
            Self::Integers(values, valid) => Column::Integers(take(values, rows), pick(valid)),
            Self::Bools(values, valid) => Column::Bools(Cow::Owned(values.take(rows)), pick(valid)),
            Self::Texts { codes, valid, dictionary } => Column::Texts {
                codes: codes.take(rows),
                valid: pick(valid),
                dictionary: dictionary.clone(),
            },
            Self::Metrics(parts, valid) => {
                let parts = parts.clone().map(|kinds| take(&kinds, rows), |part| take(&part, rows));
                Column::Metrics(parts, pick(valid))
            }
            Self::Mixed(parts) => Column::Mixed(parts.iter().map(|part| part.take(rows)).collect()),
            Self::Values(values) => Column::Values(take(values, rows)),
        }
    }

    /// Of boxed values, in the tightest form that holds them.
    pub fn from_values(values: Vec<Value>) -> Column<'static> {
        let mut kinds = [false; 4];
        for value in &values {
            match value {
                Value::Null => {}
                Value::Number(_) => kinds[0] = true,
                Value::Text(_) => kinds[1] = true,
                Value::Bool(_) => kinds[2] = true,
                _ => kinds[3] = true,
            }
        }
        let valid =
            || Validity::of(Bitmap::from_fn(values.len(), |row| values[row] != Value::Null));
        match kinds {
            [false, false, false, false] => Column::Constant(Value::Null, values.len()),
            [true, false, false, false] => {
                let valid = valid();
                let number = |value: &Value| value.as_f64().unwrap_or_default();
                Column::Numbers(values.iter().map(number).collect(), valid)
            }
            [false, true, false, false] => {
                let valid = valid();
                texts_of(&values, valid)
            }
            [false, false, true, false] => {
                let truth = Bitmap::from_fn(values.len(), |row| values[row] == Value::Bool(true));
                Column::Bools(Cow::Owned(truth), valid())
            }
            _ => Column::Values(values.into()),
        }
    }
}

fn texts_of(values: &[Value], valid: Validity<'static>) -> Column<'static> {
    let mut dictionary: indexmap::IndexSet<Arc<str>, crate::nrql::hashing::FixedState> =
        indexmap::IndexSet::default();
    let codes = values.iter().map(|value| match value {
        Value::Text(text) => match dictionary.get_index_of(&**text) {
            Some(code) => code as u32,
            None => dictionary.insert_full(Arc::clone(text)).0 as u32,
        },
        _ => 0,
    });
    let codes = Codes::Wide(codes.collect());
    Column::Texts { codes, valid, dictionary: dictionary.into_iter().collect() }
}

#[expect(clippy::cast_precision_loss, reason = "where every digit counts, Integer is matched")]
pub(super) fn as_f64(number: i64) -> f64 {
    number as f64
}
