//! Stored figures against the oracle's, cycle by cycle.
//!
//! Invariant: the truth is what the check judges by; where a figure has several admissible values
//! the nearest to the stored one is shown.

use std::collections::BTreeMap;

use super::{Curve, Line, Part};
use crate::domain::metric::MetricId;
use crate::sim::check::ground_truth::{figures, is_elsewhere, relative};
use crate::sim::check::record::{Record, StoredEvent};
use crate::sim::oracle::cycle::{CycleEvents, group_by_cycle};
use crate::sim::oracle::expect::{Expected, Situation};
use crate::sim::oracle::guid::Identity;
use crate::sim::oracle::health;
use crate::sim::time::SimTime;

const HEALTH_SCORE: &str = "cluster.health.score";

/// Figures that tell most when none was found wrong, the best first.
const TELLING: [&str; 6] = [
    "cluster.throughput.total",
    "consumerGroup.lag.total",
    "cluster.partitions.underReplicated",
    HEALTH_SCORE,
    "cluster.brokers.online",
    "broker.messages.in.rate",
];
/// Most figures of a card.
const METRICS_MAX: usize = 3;

/// One figure of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric {
    object: Identity,
    attribute: String,
}

/// What one figure was, cycle by cycle.
#[derive(Debug, Default)]
struct Series {
    found: Vec<(SimTime, f64)>,
    truth: Vec<(SimTime, f64)>,
    differences: Vec<SimTime>,
}

/// The figures that were stored wrong, or, if none was, some that tell much.
pub(super) fn curves(record: &Record, wrong_only: bool) -> Vec<Curve> {
    let (cycles, _) = group_by_cycle(record);
    let mut all: BTreeMap<Metric, Series> = BTreeMap::new();
    let mut wrong: Vec<Metric> = Vec::new();
    for events in &cycles {
        let Some(situation) = Situation::new(record, events) else { continue };
        let expected = situation.expected();
        for event in &events.events {
            let limit = record.scenario.expect.relative_error_max;
            for compared in compare(record, events, &expected, event) {
                if !wrong_only && !TELLING.contains(&compared.attribute.as_str()) {
                    continue;
                }
                book(&mut all, &mut wrong, events.cycle.started, compared, limit);
            }
        }
    }
    let chosen = if wrong.is_empty() { telling(&all) } else { wrong };
    let chosen = chosen.into_iter().take(METRICS_MAX);
    chosen.filter_map(|metric| Some(curve(&metric, all.remove(&metric)?))).collect()
}

/// One figure of one event beside its truth.
struct Compared {
    object: Identity,
    attribute: String,
    found: Option<f64>,
    /// Admissible values.
    truth: Vec<f64>,
}

fn compare(
    record: &Record,
    events: &CycleEvents<'_>,
    expected: &Expected,
    event: &StoredEvent,
) -> Vec<Compared> {
    let Some(object) = Identity::of(event) else { return Vec::new() };
    let Some(figures) = figures(expected, event) else { return Vec::new() };
    let knowable = |name: &&str| !expected.unknowable(event, name);
    let complete = events.cycle.claims_all(events.cluster);
    let names = event.numbers().map(|(name, _)| name);
    let absent = figures
        .iter()
        .filter(|(name, truth)| complete && !truth.is_empty() && event.number(name).is_none());
    let names = names.filter(|name| !is_elsewhere(name)).chain(absent.map(|(name, _)| *name));
    let of = |attribute: &str| Compared {
        object: object.clone(),
        attribute: attribute.to_owned(),
        found: event.number(attribute),
        truth: figures.get(attribute).cloned().unwrap_or_default(),
    };
    let mut compared: Vec<Compared> = names.filter(knowable).map(of).collect();
    if let Some(found) = event.number(HEALTH_SCORE) {
        let scores = health::expected(record, events).into_iter();
        let truth = scores.map(|score| score.score).collect();
        let attribute = HEALTH_SCORE.to_owned();
        compared.push(Compared { object, attribute, found: Some(found), truth });
    }
    compared
}

fn book(
    all: &mut BTreeMap<Metric, Series>,
    wrong: &mut Vec<Metric>,
    at: SimTime,
    compared: Compared,
    limit: f64,
) {
    let Compared { object, attribute, found, truth } = compared;
    let metric = Metric { object, attribute };
    let distance = |truth: &f64| found.map_or(0.0, |found| relative(found, *truth));
    let nearest = truth.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let differs = match (found, nearest) {
        (Some(_), Some(truth)) => distance(&truth) > limit,
        (found, truth) => found.is_some() != truth.is_some(),
    };
    if differs && !wrong.contains(&metric) && wrong.len() < METRICS_MAX {
        wrong.push(metric.clone());
    }
    let series = all.entry(metric).or_default();
    series.found.extend(found.map(|value| (at, value)));
    series.truth.extend(nearest.map(|value| (at, value)));
    series.differences.extend(differs.then_some(at));
}

/// One object's series of each telling figure, if it moves at all: the one that moves most.
fn telling(all: &BTreeMap<Metric, Series>) -> Vec<Metric> {
    let spread = |series: &Series| {
        let values = || series.truth.iter().map(|(_, value)| *value);
        values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min)
    };
    let best = |name: &&str| {
        let named = all.iter().filter(|(metric, _)| metric.attribute == **name);
        let moving = named.filter(|(_, series)| series.truth.len() > 1 && spread(series) > 0.0);
        let best = moving.max_by(|(_, a), (_, b)| spread(a).total_cmp(&spread(b)));
        best.map(|(metric, _)| metric.clone())
    };
    TELLING.iter().filter_map(best).collect()
}

fn curve(metric: &Metric, series: Series) -> Curve {
    let known = MetricId::all().find(|id| id.name() == metric.attribute);
    let line = |label: &str, part, points| Line { label: label.to_owned(), part, points };
    Curve {
        title: format!("{} of {}", metric.attribute, metric.object),
        unit: known.map(|id| id.def().unit.as_str().to_owned()).unwrap_or_default(),
        lines: vec![
            line("truth", Part::Truth, series.truth),
            line("stored", Part::Found, series.found),
        ],
        differences: series.differences,
        note: known.map(|id| id.def().meaning.to_owned()),
    }
}
