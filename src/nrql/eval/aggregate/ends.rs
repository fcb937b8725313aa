//! The newest and the oldest values.
//!
//! Invariants: rows are ordered by timestamp, then by arrival, whatever order they are read in;
//! within a batch only the place of the best row is kept, its value is taken once at the end.

use super::super::super::value::{MetricKind, Value};
use super::input::{Input, Part, Target, has_metrics, numbers};
use super::moments::finite;
use super::{Accumulator, merge_with};

/// When a row was, and its place among rows of the same time.
type When = (i64, u64);

/// `latest(a)` and `earliest(a)`.
#[derive(Debug)]
pub(super) struct End {
    newest: bool,
    when: Vec<Option<When>>,
    values: Vec<Value>,
    /// Row of the batch at hand that is best so far, by slot.
    rows: Vec<u32>,
    touched: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

impl End {
    pub(super) const fn new(newest: bool) -> Self {
        Self { newest, when: Vec::new(), values: Vec::new(), rows: Vec::new(), touched: Vec::new() }
    }

    fn better(&self, one: When, other: Option<When>) -> bool {
        match other {
            None => true,
            Some(other) if self.newest => one >= other,
            Some(other) => one < other,
        }
    }

    /// What a value is to these functions: of a metric its newest value, where its kind has one.
    fn seen(value: Value) -> Value {
        match value {
            Value::Metric(metric) => {
                let known = matches!(metric.kind, MetricKind::Gauge | MetricKind::CumulativeCount);
                if known { finite(metric.latest) } else { Value::Null }
            }
            other => other,
        }
    }
}

impl Accumulator for End {
    fn grow(&mut self, slots: usize) {
        let slots = slots.max(self.when.len());
        self.when.resize(slots, None);
        self.values.resize(slots, Value::Null);
        self.rows.resize(slots, NO_ROW);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let times = input.batch.timestamps();
        let metric_valid = has_metrics(column).then(|| numbers_or_any(column));
        let valid = metric_valid.unwrap_or_else(|| column.validity());
        target.each(&valid, |row, slot| {
            let held = self.rows[slot];
            if held == NO_ROW {
                self.rows[slot] = u32::try_from(row).unwrap_or(NO_ROW);
                self.touched.push(u32::try_from(slot).unwrap_or(NO_ROW));
                return;
            }
            let held_time = times[held as usize];
            // Equal times are told apart by arrival, which costs more to find.
            let wins = if times[row] == held_time {
                let (new, old) = (input.batch.arrival(row), input.batch.arrival(held as usize));
                (new > old) == self.newest
            } else {
                (times[row] > held_time) == self.newest
            };
            if wins {
                self.rows[slot] = u32::try_from(row).unwrap_or(NO_ROW);
            }
        });
        for slot in std::mem::take(&mut self.touched) {
            let slot = slot as usize;
            let row = std::mem::replace(&mut self.rows[slot], NO_ROW) as usize;
            let when = (times[row], input.batch.arrival(row));
            if self.better(when, self.when[slot]) {
                self.when[slot] = Some(when);
                self.values[slot] = Self::seen(column.value(row));
            }
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        if let Some(when) = self.when[from]
            && self.better(when, self.when[into])
        {
            self.when[into] = Some(when);
            self.values[into] = self.values[from].clone();
        }
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        self.values[slot].clone()
    }

    fn bytes(&self) -> usize {
        self.when.capacity() * (size_of::<Option<When>>() + size_of::<Value>() + 4)
    }
}

/// Which rows hold anything that [`End::seen`] lets through.
fn numbers_or_any<'c>(
    column: &'c super::super::column::Column<'_>,
) -> super::super::column::Validity<'c> {
    use super::super::bitmap::Bitmap;
    use super::super::column::Validity;
    let rows = Bitmap::from_fn(column.len(), |row| !End::seen(column.value(row)).is_null());
    Validity::of(rows)
}

/// The two newest points.
#[derive(Debug, Clone, Copy, Default)]
struct LastTwo {
    newest: Option<(When, f64)>,
    before: Option<(When, f64)>,
}

impl LastTwo {
    fn add(&mut self, when: When, value: f64) {
        if self.newest.is_none_or(|(held, _)| when >= held) {
            self.before = self.newest;
            self.newest = Some((when, value));
        } else if self.before.is_none_or(|(held, _)| when >= held) {
            self.before = Some((when, value));
        }
    }
}

/// `latestrate(a, interval)`: the change between the last two points, scaled to the interval.
#[derive(Debug)]
pub(super) struct LatestRate {
    interval_ms: f64,
    slots: Vec<LastTwo>,
}

impl LatestRate {
    pub(super) const fn new(interval_ms: f64) -> Self {
        Self { interval_ms, slots: Vec::new() }
    }
}

impl Accumulator for LatestRate {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), LastTwo::default());
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let times = input.batch.timestamps();
        let (values, valid) = numbers(column, Part::Latest);
        target.each(&valid, |row, slot| {
            self.slots[slot].add((times[row], input.batch.arrival(row)), values[row]);
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| {
            for (when, value) in [from.before, from.newest].into_iter().flatten() {
                into.add(when, value);
            }
        });
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let LastTwo { newest: Some((late, to)), before: Some((early, from)) } = self.slots[slot]
        else {
            return Value::Null;
        };
        let millis = late.0.saturating_sub(early.0);
        if millis <= 0 {
            return Value::Null;
        }
        #[expect(clippy::cast_precision_loss, reason = "a length of time")]
        let millis = millis as f64;
        finite((to - from) / millis * self.interval_ms)
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<LastTwo>()
    }
}
