//! Straight lines through points: `derivative` and `predictLinear`.
//!
//! Invariants: times are counted from the first point seen, so that squares of milliseconds since
//! 1970 cancel nothing; fewer than two points in time have no slope.

use super::super::super::value::Value;
use super::input::{Input, Part, Target, numbers};
use super::moments::finite;
use super::{Accumulator, merge_with};

/// Means and co-moments of time (in seconds from an origin) and value.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    count: f64,
    time: f64,
    value: f64,
    time_squares: f64,
    products: f64,
}

impl Line {
    fn add(&mut self, time: f64, value: f64) {
        self.count += 1.0;
        let distance = time - self.time;
        self.time += distance / self.count;
        self.value += (value - self.value) / self.count;
        self.time_squares += distance * (time - self.time);
        self.products += distance * (value - self.value);
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        let count = self.count + other.count;
        let (time, value) = (other.time - self.time, other.value - self.value);
        let weight = self.count * other.count / count;
        self.time_squares += other.time_squares + time * time * weight;
        self.products += other.products + time * value * weight;
        self.time += time * other.count / count;
        self.value += value * other.count / count;
        self.count = count;
    }

    /// Change a second.
    fn slope(&self) -> Option<f64> {
        (self.count >= 2.0 && self.time_squares > 0.0).then(|| self.products / self.time_squares)
    }
}

/// What is asked of the line.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// Its slope, scaled to this many milliseconds.
    Slope(f64),
    /// Its value so many milliseconds behind the end.
    Ahead(f64),
}

/// `derivative(a, interval)` and `predictLinear(a, ahead)`.
#[derive(Debug)]
pub(super) struct Trend {
    ask: Ask,
    origin: Option<i64>,
    slots: Vec<Line>,
}

impl Trend {
    pub(super) const fn slope(interval_ms: f64) -> Self {
        Self { ask: Ask::Slope(interval_ms), origin: None, slots: Vec::new() }
    }

    pub(super) const fn ahead(ahead_ms: f64) -> Self {
        Self { ask: Ask::Ahead(ahead_ms), origin: None, slots: Vec::new() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "distances between instants of one query")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

impl Accumulator for Trend {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), Line::default());
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let times = input.batch.timestamps();
        let Some(first) = times.first() else { return };
        let origin = *self.origin.get_or_insert(*first);
        let part = if super::input::has_metrics(column) { Part::Mean } else { Part::Latest };
        let (values, valid) = numbers(column, part);
        target.each(&valid, |row, slot| {
            self.slots[slot].add(seconds(times[row].saturating_sub(origin)), values[row]);
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| into.merge(from));
    }

    fn finish(&self, slot: usize, (_, end): (i64, i64)) -> Value {
        let line = self.slots[slot];
        let (Some(slope), Some(origin)) = (line.slope(), self.origin) else {
            return Value::Null;
        };
        finite(match self.ask {
            Ask::Slope(interval_ms) => slope * interval_ms / 1_000.0,
            Ask::Ahead(ahead_ms) => {
                let at = seconds(end.saturating_sub(origin)) + ahead_ms / 1_000.0;
                line.value + slope * (at - line.time)
            }
        })
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Line>()
    }
}
