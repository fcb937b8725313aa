//! Widgets that templates are made of.
//!
//! Windows: figures of the present look back half an hour, so that a pipeline with slow cycles or a
//! short outage still shows its newest values; trends look back further.

use crate::dashboards::draft::Draft;
use crate::dashboards::model::Visualization;
use crate::dashboards::query::{Ask, Condition, Expression, Facet, Fold, Measure, Subject};
use crate::domain::entity::EntityKind;
use crate::domain::metric::{MetricId as M, Unit};

/// Minutes of a trend.
const TREND_MINUTES: u32 = 120;

/// From where on a metric's values are a warning, and critical: the same wherever it is shown.
const THRESHOLDS: [(M, f64, f64); 16] = [
    (M::CLUSTER_HEALTH_SCORE, 80.0, 60.0),
    (M::BROKER_HEALTH_SCORE, 80.0, 60.0),
    (M::GROUP_HEALTH_SCORE, 80.0, 60.0),
    (M::CLUSTER_AVAILABILITY, 99.0, 95.0),
    (M::CLUSTER_ERROR_RATE, 1.0, 5.0),
    (M::BROKER_ERROR_RATE, 1.0, 5.0),
    (M::TOPIC_ERROR_RATE, 1.0, 5.0),
    (M::BROKER_CPU_USAGE, 70.0, 85.0),
    (M::CLUSTER_CPU_MEAN, 70.0, 85.0),
    (M::BROKER_MEMORY_USAGE, 80.0, 90.0),
    (M::CLUSTER_MEMORY_MEAN, 80.0, 90.0),
    (M::BROKER_DISK_USAGE, 80.0, 90.0),
    (M::CLUSTER_DISK_MAX, 80.0, 90.0),
    (M::BROKER_REQUEST_LATENCY, 100.0, 1_000.0),
    (M::BROKER_HANDLER_IDLE, 30.0, 20.0),
    (M::QUEUE_PROCESSING_TIME, 5_000.0, 10_000.0),
];

/// `draft` with the thresholds of `metric`, if it has some.
fn judged(draft: Draft, metric: M) -> Draft {
    match THRESHOLDS.iter().find(|(known, ..)| *known == metric) {
        Some((_, warning, critical)) => draft.alarm(*warning, *critical),
        None => draft,
    }
}

/// A billboard of one value.
pub(super) fn figure(title: &str, ask: Ask) -> Draft {
    Draft::chart(title, Visualization::Billboard, ask)
}

/// An aggregate of events that are about no entity.
pub(super) fn event(fold: Fold, attribute: &'static str, unit: Unit, label: &str) -> Measure {
    Measure::computed(Expression::OfEvents(fold, attribute), unit, label)
}

/// How many events there are.
pub(super) fn events(label: &str) -> Measure {
    Measure::computed(Expression::Events, Unit::Count, label)
}

fn folded(title: &str, metric: M, fold: Fold) -> Draft {
    let ask = Ask::of(metric.entity()).select(Measure::of(fold, metric, title));
    judged(figure(title, ask), metric)
}

/// A billboard of a metric's mean over entities and time.
pub(super) fn mean(title: &str, metric: M) -> Draft {
    folded(title, metric, Fold::Mean)
}

/// A billboard of the least value.
pub(super) fn least(title: &str, metric: M) -> Draft {
    folded(title, metric, Fold::Least)
}

/// A billboard of the greatest value.
pub(super) fn greatest(title: &str, metric: M) -> Draft {
    folded(title, metric, Fold::Greatest)
}

/// A billboard of the newest values of all entities together.
pub(super) fn total(title: &str, metric: M) -> Draft {
    figure(title, Ask::of(metric.entity()).select(Measure::total(metric, title)))
}

/// A billboard that counts entities.
pub(super) fn entities(title: &str, kind: EntityKind) -> Draft {
    figure(title, Ask::of(kind).select(Measure::entities(title)))
}

/// A billboard that counts entities that fulfil a condition; zero when none does.
pub(super) fn entities_with(title: &str, kind: EntityKind, condition: Condition) -> Draft {
    figure(title, Ask::of(kind).select(Measure::entities_with(condition, title)))
}

/// A line of means of metrics of one unit, over all entities.
pub(super) fn trend(title: &str, metrics: &[(M, &str)]) -> Draft {
    let measures = metrics.iter().map(|(metric, label)| Measure::of(Fold::Mean, *metric, label));
    let draft = over_time(title, Visualization::Line, metrics, measures.collect());
    // Lines of several metrics are judged by no single one's thresholds.
    match metrics {
        [(metric, _)] => judged(draft, *metric),
        _ => draft,
    }
}

/// A line for each entity.
pub(super) fn trend_by_entity(title: &str, metric: M) -> Draft {
    let ask = Ask::of(metric.entity())
        .select(Measure::of(Fold::Mean, metric, title))
        .facet(Facet::entity(metric.entity()))
        .limit(20)
        .since_minutes(TREND_MINUTES)
        .over_time();
    judged(Draft::chart(title, Visualization::Line, ask), metric)
}

/// Sums over entities, over time.
pub(super) fn total_trend(title: &str, metrics: &[(M, &str)]) -> Draft {
    let measures = metrics.iter().map(|(metric, label)| Measure::total(*metric, label));
    over_time(title, Visualization::Area, metrics, measures.collect())
}

fn over_time(
    title: &str,
    visualization: Visualization,
    metrics: &[(M, &str)],
    measures: Vec<Measure>,
) -> Draft {
    let kind = metrics.first().map_or(EntityKind::Cluster, |(metric, _)| metric.entity());
    let ask = Ask::of(kind).select_all(measures).since_minutes(TREND_MINUTES).over_time();
    Draft::chart(title, visualization, ask)
}

/// Sums over entities, over time, by an attribute, one upon the other.
pub(super) fn total_trend_by(title: &str, metric: M, attribute: &'static str) -> Draft {
    let ask = Ask::of(metric.entity())
        .select(Measure::total(metric, title))
        .facet(Facet::by(attribute))
        .since_minutes(TREND_MINUTES)
        .over_time();
    Draft::chart(title, Visualization::Area, ask)
}

/// Bars of the entities with the greatest values of a metric.
pub(super) fn top(title: &str, metric: M, limit: u32) -> Draft {
    let ask = Ask::of(metric.entity())
        .select(Measure::of(Fold::Greatest, metric, title))
        .facet(Facet::entity(metric.entity()))
        .limit(limit);
    Draft::chart(title, Visualization::Bar, ask)
}

/// Bars of means of metrics of one unit, by entity; ordered by the first.
pub(super) fn bars(title: &str, metrics: &[(M, &str)], limit: u32) -> Draft {
    let kind = metrics.first().map_or(EntityKind::Cluster, |(metric, _)| metric.entity());
    let measures = metrics.iter().map(|(metric, label)| Measure::of(Fold::Mean, *metric, label));
    let ask = Ask::of(kind).select_all(measures).facet(Facet::entity(kind)).limit(limit);
    Draft::chart(title, Visualization::Bar, ask)
}

/// Bars of sums over entities, by an attribute.
pub(super) fn totals_by(title: &str, metric: M, attribute: &'static str) -> Draft {
    let ask =
        Ask::of(metric.entity()).select(Measure::total(metric, title)).facet(Facet::by(attribute));
    Draft::chart(title, Visualization::Bar, ask)
}

/// Shares of a sum: each entity's newest value.
pub(super) fn shares(title: &str, metric: M, limit: u32) -> Draft {
    let ask = Ask::of(metric.entity())
        .select(Measure::of(Fold::Greatest, metric, title))
        .facet(Facet::entity(metric.entity()))
        .limit(limit);
    Draft::chart(title, Visualization::Pie, ask)
}

/// How many entities are in which state, best first; the last case takes the rest of what is known.
pub(super) fn states(
    title: &str,
    kind: EntityKind,
    cases: Vec<(Condition, &'static str)>,
) -> Draft {
    let ask = Ask::of(kind).select(Measure::entities(title)).facet(Facet::Cases(cases));
    Draft::chart(title, Visualization::Pie, ask)
}

/// How many entities are good, fair, poor by a score.
pub(super) fn grades(title: &str, score: M, good: f64, fair: f64) -> Draft {
    let cases = vec![
        (Condition::AtLeast(score, good), "Healthy"),
        (Condition::AtLeast(score, fair), "Warning"),
        (Condition::Below(score, fair), "Critical"),
    ];
    states(title, score.entity(), cases)
}

/// How many entities have which value of an attribute.
pub(super) fn entities_by(title: &str, kind: EntityKind, attribute: &'static str) -> Draft {
    let ask = Ask::of(kind).select(Measure::entities(title)).facet(Facet::by(attribute));
    Draft::chart(title, Visualization::Pie, ask)
}

/// How often values fall into ranges of `width`.
pub(super) fn distribution(title: &str, metric: M, width: f64, buckets: u32) -> Draft {
    let measure = Measure {
        expression: Expression::Histogram(metric, width, buckets),
        label: title.to_owned(),
        unit: Some(metric.def().unit),
    };
    Draft::chart(title, Visualization::Histogram, Ask::of(metric.entity()).select(measure))
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// A metric's newest value.
    Metric(M, &'static str),
    /// A descriptive attribute's newest value.
    Attribute(&'static str, &'static str),
}

impl From<(M, &'static str)> for Column {
    fn from((metric, label): (M, &'static str)) -> Self {
        Self::Metric(metric, label)
    }
}

impl From<(&'static str, &'static str)> for Column {
    fn from((attribute, label): (&'static str, &'static str)) -> Self {
        Self::Attribute(attribute, label)
    }
}

/// A row for each entity of `order`'s kind, those with its greatest values first.
pub(super) fn table(title: &str, order: M, columns: &[Column]) -> Draft {
    let ask = table_ask(order.entity(), columns).ordered_by(order).limit(100);
    Draft::chart(title, Visualization::Table, ask)
}

/// As [`table`], of entities that fulfil a condition.
pub(super) fn table_of(title: &str, order: M, condition: Condition, columns: &[Column]) -> Draft {
    let ask = table_ask(order.entity(), columns).only(condition).ordered_by(order).limit(50);
    Draft::chart(title, Visualization::Table, ask)
}

fn table_ask(kind: EntityKind, columns: &[Column]) -> Ask {
    let measures = columns.iter().map(|column| match column {
        Column::Metric(metric, label) => Measure::of(Fold::Latest, *metric, label),
        Column::Attribute(attribute, label) => Measure::attribute(attribute, label),
    });
    Ask::of(kind).select_all(measures).facet(Facet::entity(kind)).as_table()
}

/// A row for each entity of any kind that fulfils a condition.
pub(super) fn table_of_all(title: &str, condition: Condition, columns: &[(M, &str)]) -> Draft {
    let measures = columns.iter().map(|(metric, label)| Measure::of(Fold::Latest, *metric, label));
    let ask = Ask::about(Subject::EveryKind)
        .select_all(measures)
        .only(condition)
        .facet(Facet::By(vec!["entityType", "clusterName", "displayName"]))
        .limit(50)
        .as_table();
    Draft::chart(title, Visualization::Table, ask)
}

/// Counts entities of any kind that fulfil a condition.
pub(super) fn any_kind_with(title: &str, condition: Condition) -> Draft {
    let measure = Measure::entities_with(condition, title);
    figure(title, Ask::about(Subject::EveryKind).select(measure))
}

/// A figure that is computed from totals over entities.
pub(super) fn computed(title: &str, kind: EntityKind, value: Expression, unit: Unit) -> Draft {
    figure(title, Ask::of(kind).select(Measure::computed(value, unit, title)))
}
