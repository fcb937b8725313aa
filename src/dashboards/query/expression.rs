//! How values are computed.

use super::{Condition, number};
use crate::domain::metric::MetricId;

/// How samples become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Their mean.
    Mean,
    /// The newest one.
    Latest,
    /// The least one.
    Least,
    /// The greatest one.
    Greatest,
}

/// A value that a query computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A metric's samples, folded.
    Metric(Fold, MetricId),
    /// A metric's newest values, one per entity, added up.
    Total(MetricId),
    /// How many entities there are.
    Entities,
    /// How many entities fulfil a condition.
    EntitiesWith(Box<Condition>),
    /// The newest value of a descriptive attribute.
    Attribute(&'static str),
    /// How often values of a metric fall into each of so many ranges of so much.
    Histogram(MetricId, f64, u32),
    /// How many events there are.
    Events,
    /// An aggregate of events that are about no entity.
    OfEvents(Fold, &'static str),
    /// How much an attribute grew between the first and the last event.
    Growth(&'static str),
    /// A number.
    Number(f64),
    /// `left operator right`.
    Arithmetic(Box<Expression>, char, Box<Expression>),
}

impl Expression {
    /// A quotient.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self::Arithmetic(Box::new(self), '/', Box::new(other))
    }

    /// A product.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self::Arithmetic(Box::new(self), '*', Box::new(Self::Number(factor)))
    }

    /// A sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self::Arithmetic(Box::new(self), '+', Box::new(other))
    }

    /// Calls `see` with every metric that it reads.
    pub(super) fn metrics(&self, see: &mut dyn FnMut(MetricId)) {
        match self {
            Self::Metric(_, metric) | Self::Total(metric) | Self::Histogram(metric, ..) => {
                see(*metric);
            }
            Self::EntitiesWith(condition) => condition.metrics(see),
            Self::Arithmetic(left, _, right) => {
                left.metrics(see);
                right.metrics(see);
            }
            Self::Entities
            | Self::Attribute(_)
            | Self::Events
            | Self::OfEvents(..)
            | Self::Growth(_)
            | Self::Number(_) => {}
        }
    }

    /// Calls `see` with every metric that it adds up over entities.
    pub(super) fn totals(&self, see: &mut dyn FnMut(MetricId)) {
        match self {
            Self::Total(metric) => see(*metric),
            Self::Arithmetic(left, _, right) => {
                left.totals(see);
                right.totals(see);
            }
            _ => {}
        }
    }

    /// Whether it adds up values of several entities.
    pub(super) fn has_total(&self) -> bool {
        match self {
            Self::Total(_) => true,
            Self::Arithmetic(left, _, right) => left.has_total() || right.has_total(),
            _ => false,
        }
    }

    /// Whether it folds samples; the number of entities is the same either way.
    pub(super) fn has_samples(&self) -> bool {
        match self {
            Self::Total(_) | Self::Entities | Self::Number(_) => false,
            Self::Arithmetic(left, _, right) => left.has_samples() || right.has_samples(),
            _ => true,
        }
    }

    /// As text over stored samples.
    pub(super) fn over_samples(&self) -> String {
        match self {
            Self::Metric(fold, metric) => folded(*fold, &name(metric.name())),
            // Asked as a total of one's own: see `Ask::nested`.
            Self::Total(metric) => folded(Fold::Latest, &name(metric.name())),
            Self::Entities => "uniqueCount(entityGuid)".to_owned(),
            Self::EntitiesWith(condition) => {
                format!("filter(uniqueCount(entityGuid), WHERE {condition})")
            }
            Self::Attribute(attribute) => folded(Fold::Latest, &name(attribute)),
            Self::Histogram(metric, width, buckets) => {
                // By name: what the second position means depends on who explains it. The width is
                // that of all ranges together.
                let (metric, width) = (name(metric.name()), number(*width * f64::from(*buckets)));
                format!("histogram({metric}, width: {width}, buckets: {buckets})")
            }
            Self::Events => "count(*)".to_owned(),
            Self::OfEvents(fold, attribute) => folded(*fold, &name(attribute)),
            Self::Growth(attribute) => {
                let attribute = name(attribute);
                format!("max({attribute}) - min({attribute})")
            }
            Self::Number(value) => number(*value),
            Self::Arithmetic(left, operator, right) => {
                format!("({} {operator} {})", left.over_samples(), right.over_samples())
            }
        }
    }

    /// As text over rows of one entity each, whose columns `v0`, `v1` … are `columns`.
    pub(super) fn over_columns(&self, columns: &[MetricId]) -> String {
        match self {
            Self::Total(metric) | Self::Metric(_, metric) => {
                let place = columns.iter().position(|column| column == metric);
                let aggregate = if matches!(self, Self::Total(_)) { "sum" } else { "max" };
                format!("{aggregate}(v{})", place.unwrap_or_default())
            }
            Self::Entities => "count(*)".to_owned(),
            Self::Arithmetic(left, operator, right) => {
                let (left, right) = (left.over_columns(columns), right.over_columns(columns));
                format!("({left} {operator} {right})")
            }
            other => other.over_samples(),
        }
    }
}

/// An attribute's name as NRQL takes it.
pub(super) fn name(attribute: &str) -> String {
    if crate::domain::metric::needs_back_quotes(attribute) {
        format!("`{attribute}`")
    } else {
        attribute.to_owned()
    }
}

fn folded(fold: Fold, name: &str) -> String {
    match fold {
        Fold::Mean => format!("average({name})"),
        Fold::Latest => format!("latest({name})"),
        Fold::Least => format!("min({name})"),
        Fold::Greatest => format!("max({name})"),
    }
}
