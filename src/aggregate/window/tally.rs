//! What one metric did within one window.
//!
//! Invariant: the figures do not depend on the order of the readings.

use super::sum::ExactSum;
use super::{SourceId, Statistic};
use crate::domain::metric::{MetricDef, MetricId, MetricKind, Unit};
use crate::domain::units::UnixMillis;

/// How a metric's readings become figures of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// A state: mean, least, largest and last value.
    Gauge,
    /// A growth per second: the mean, each reading weighted with the time that it was measured
    /// over, the largest, and the growth in all when every reading says what it was measured over.
    Rate,
    /// A number of things or a flag, of which a mean would be none: largest and last value.
    Count,
}

impl Aggregation {
    /// The aggregation that the catalogue's row calls for.
    pub fn of(def: &MetricDef) -> Self {
        match (def.kind, def.unit) {
            (MetricKind::Rate, _)
            | (
                MetricKind::Derived,
                Unit::BytesPerSecond | Unit::MessagesPerSecond | Unit::PerSecond | Unit::PerHour,
            ) => Self::Rate,
            (_, Unit::Count | Unit::Flag) => Self::Count,
            (MetricKind::Gauge | MetricKind::Derived, _) => Self::Gauge,
        }
    }

    /// What it tells, in the order in which events carry it.
    pub const fn statistics(self) -> &'static [Statistic] {
        match self {
            Self::Gauge => &[Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Last],
            Self::Rate => &[Statistic::Mean, Statistic::Max, Statistic::Sum],
            Self::Count => &[Statistic::Max, Statistic::Last],
        }
    }
}

/// The readings of one metric so far; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tally {
    count: u32,
    min: f64,
    max: f64,
    last: (UnixMillis, SourceId, f64),
    sum: ExactSum,
    /// Sum of value times milliseconds, and the milliseconds, over the readings that tell them.
    weighted: ExactSum,
    weight_ms: i64,
    weighted_count: u32,
}

impl Tally {
    pub(super) fn new(reading: Point) -> Self {
        let mut tally = Self {
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last: (reading.at, reading.source, reading.value),
            sum: ExactSum::default(),
            weighted: ExactSum::default(),
            weight_ms: 0,
            weighted_count: 0,
        };
        tally.add(reading);
        tally
    }

    pub(super) fn add(&mut self, reading: Point) {
        let Point { at, source, value, measured_ms } = reading;
        self.count = self.count.saturating_add(1);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if (at, source) >= (self.last.0, self.last.1) {
            self.last = (at, source, value);
        }
        self.sum.add(value);
        if let Some(ms) = measured_ms.filter(|ms| *ms > 0) {
            self.weighted.add(value * ms as f64);
            self.weight_ms = self.weight_ms.saturating_add(ms);
            self.weighted_count = self.weighted_count.saturating_add(1);
        }
    }

    /// The mean: weighted by time where every reading says over which, else the plain one.
    pub(super) fn mean(&self) -> f64 {
        if self.all_weighted() {
            return self.weighted.total() / self.weight_ms as f64;
        }
        self.sum.total() / f64::from(self.count)
    }

    fn all_weighted(&self) -> bool {
        self.weighted_count == self.count
    }

    /// The figure that `statistic` asks for.
    pub(super) fn figure(&self, statistic: Statistic) -> Option<f64> {
        match statistic {
            Statistic::Mean => Some(self.mean()),
            Statistic::Min => Some(self.min),
            Statistic::Max => Some(self.max),
            Statistic::Last => Some(self.last.2),
            Statistic::Sum => self.all_weighted().then(|| self.weighted.total() / 1_000.0),
        }
    }
}

/// One value of one metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) at: UnixMillis,
    pub(super) source: SourceId,
    pub(super) value: f64,
    /// What a rate was measured over, if known.
    pub(super) measured_ms: Option<i64>,
}

/// The figures of all metrics, in table order.
pub(super) fn figures(tallies: &[(MetricId, Tally)]) -> Vec<super::Figure> {
    let of_metric = |(id, tally): &(MetricId, Tally)| {
        let id = *id;
        let statistics = Aggregation::of(id.def()).statistics().iter();
        statistics
            .filter_map(|statistic| {
                let value = tally.figure(*statistic)?;
                Some(super::Figure { metric: id, statistic: *statistic, value })
            })
            .collect::<smallvec::SmallVec<[super::Figure; 4]>>()
    };
    tallies.iter().flat_map(of_metric).collect()
}
