//! Queries made of the metric catalogue.
//!
//! Invariants:
//! - A metric is asked of the kind of entity that has it, by its catalogue name, back-quoted where
//!   NRQL needs that.
//! - Values of several entities are added up as one value per entity, never sample by sample: every
//!   metric of the catalogue is a level or a rate, of which each cycle sends another sample.
//! - Values on one axis have one unit; only tables hold several.

mod condition;
mod expression;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

pub use condition::Condition;
pub use expression::{Expression, Fold};

use crate::domain::entity::EntityKind;
use crate::domain::metric::{MetricId, Unit};

/// Event type of entities.
pub const ENTITY_EVENT: &str = "MessageQueue";

/// What a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Entities of one kind.
    Kind(EntityKind),
    /// Entities of all kinds.
    EveryKind,
    /// Events of another type: the pipeline's about itself, New Relic's about what it took.
    Events(&'static str),
    /// Events of another type that are about entities: they name cluster and provider.
    AboutEntities(&'static str),
}

/// What filters narrow of [`Subject::AboutEntities`].
const NAMED_BY_OTHERS: [&str; 2] = ["clusterName", "provider"];

/// Why a query cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// A metric of another kind of entity.
    #[error("{metric:?} is no metric of {subject:?}")]
    ForeignMetric {
        /// The metric.
        metric: MetricId,
        /// What the query is about.
        subject: Subject,
    },
    /// Two units on one axis.
    #[error("{first} and {second} cannot share an axis")]
    MixedUnits {
        /// One label and its unit.
        first: String,
        /// Another one.
        second: String,
    },
    /// A sum over entities beside an aggregate of samples.
    #[error("{0} is a total, the others are not")]
    TotalBesideOthers(String),
    /// A sum over entities of what does not add up: percents, scores, times.
    #[error("{0:?} of several entities does not add up")]
    TotalOfShare(MetricId),
    /// Nothing is selected.
    #[error("nothing is selected")]
    Empty,
}

/// One value that a query selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// How it is computed.
    pub expression: Expression,
    /// What it is called.
    pub label: String,
    /// Its unit; `None` for texts.
    pub unit: Option<Unit>,
}

impl Measure {
    /// `metric`, folded over samples.
    pub fn of(fold: Fold, metric: MetricId, label: &str) -> Self {
        let unit = Some(metric.def().unit);
        Self { expression: Expression::Metric(fold, metric), label: label.to_owned(), unit }
    }

    /// The newest values of `metric`, one per entity, added up.
    pub fn total(metric: MetricId, label: &str) -> Self {
        let unit = Some(metric.def().unit);
        Self { expression: Expression::Total(metric), label: label.to_owned(), unit }
    }

    /// How many entities there are.
    pub fn entities(label: &str) -> Self {
        let unit = Some(Unit::Count);
        Self { expression: Expression::Entities, label: label.to_owned(), unit }
    }

    /// How many entities fulfil `condition`.
    pub fn entities_with(condition: Condition, label: &str) -> Self {
        let expression = Expression::EntitiesWith(Box::new(condition));
        Self { expression, label: label.to_owned(), unit: Some(Unit::Count) }
    }

    /// The newest text or number of a descriptive attribute.
    pub fn attribute(name: &'static str, label: &str) -> Self {
        Self { expression: Expression::Attribute(name), label: label.to_owned(), unit: None }
    }

    /// Whatever `expression` computes, in `unit`.
    pub fn computed(expression: Expression, unit: Unit, label: &str) -> Self {
        Self { expression, label: label.to_owned(), unit: Some(unit) }
    }
}

/// What an answer is divided by.
#[derive(Debug, Clone, PartialEq)]
pub enum Facet {
    /// Attributes.
    By(Vec<&'static str>),
    /// Conditions and their labels; the first that holds wins.
    Cases(Vec<(Condition, &'static str)>),
}

impl Facet {
    /// Each entity of `kind`, by names that tell it from all others: topics, queues and groups of
    /// two clusters may be called the same.
    pub fn entity(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Cluster | EntityKind::Broker => Self::By(vec!["displayName"]),
            EntityKind::Queue => Self::By(vec!["clusterName", "vhost", "displayName"]),
            EntityKind::Topic | EntityKind::ConsumerGroup => {
                Self::By(vec!["clusterName", "displayName"])
            }
        }
    }

    /// One attribute.
    pub fn by(name: &'static str) -> Self {
        Self::By(vec![name])
    }
}

/// What the filters of a dashboard add to every query about entities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Attributes that a variable narrows: name of the attribute and of the variable.
    pub variables: Vec<(&'static str, &'static str)>,
    /// Attributes that have one fixed value.
    pub fixed: Vec<(&'static str, String)>,
}

/// A query about to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    subject: Subject,
    conditions: Vec<Condition>,
    measures: Vec<Measure>,
    facet: Option<Facet>,
    /// What facets are ordered by, greatest first.
    order: Option<Expression>,
    over_time: bool,
    since_minutes: u32,
    compare_hours: Option<u32>,
    limit: Option<u32>,
    mixed: bool,
}

impl Ask {
    /// A query about `subject`, over the last half hour.
    pub fn about(subject: Subject) -> Self {
        Self {
            subject,
            conditions: Vec::new(),
            measures: Vec::new(),
            facet: None,
            order: None,
            over_time: false,
            since_minutes: 30,
            compare_hours: None,
            limit: None,
            mixed: false,
        }
    }

    /// A query about entities of `kind`.
    pub fn of(kind: EntityKind) -> Self {
        Self::about(Subject::Kind(kind))
    }

    /// Selects one more value.
    #[must_use]
    pub fn select(mut self, measure: Measure) -> Self {
        self.measures.push(measure);
        self
    }

    /// Selects several more.
    #[must_use]
    pub fn select_all(mut self, measures: impl IntoIterator<Item = Measure>) -> Self {
        self.measures.extend(measures);
        self
    }

    /// Reads rows that fulfil `condition` only.
    #[must_use]
    pub fn only(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Divides the answer.
    #[must_use]
    pub fn facet(mut self, facet: Facet) -> Self {
        self.facet = Some(facet);
        self
    }

    /// Orders facets by the greatest value of `metric`.
    #[must_use]
    pub fn ordered_by(mut self, metric: MetricId) -> Self {
        self.order = Some(Expression::Metric(Fold::Greatest, metric));
        self
    }

    /// Asks for values over time.
    #[must_use]
    pub fn over_time(mut self) -> Self {
        self.over_time = true;
        self
    }

    /// Sets the window.
    #[must_use]
    pub fn since_minutes(mut self, minutes: u32) -> Self {
        self.since_minutes = minutes;
        self
    }

    /// Compares with the same window so many hours ago.
    #[must_use]
    pub fn compare_hours(mut self, hours: u32) -> Self {
        self.compare_hours = Some(hours);
        self
    }

    /// Sets how many facets there are at most.
    #[must_use]
    pub fn limit(mut self, facets: u32) -> Self {
        self.limit = Some(facets);
        self
    }

    /// Lets several units be: the answer is a table.
    #[must_use]
    pub fn as_table(mut self) -> Self {
        self.mixed = true;
        self
    }

    /// The unit of all values, if they have one and share it.
    pub fn unit(&self) -> Option<Unit> {
        let unit = self.measures.first()?.unit?;
        self.measures.iter().all(|measure| measure.unit == Some(unit)).then_some(unit)
    }

    /// The metrics that it selects.
    pub fn metrics(&self) -> Vec<MetricId> {
        let mut metrics = Vec::new();
        for measure in &self.measures {
            measure.expression.metrics(&mut |metric| metrics.push(metric));
        }
        metrics
    }

    /// Whether it asks for values over time.
    pub fn is_over_time(&self) -> bool {
        self.over_time
    }

    /// The query's text.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn text(&self, scope: &Scope) -> Result<String, AskError> {
        self.check()?;
        let condition = self.condition(scope);
        if self.measures.iter().any(|measure| measure.expression.has_total()) {
            Ok(self.nested(&condition))
        } else {
            Ok(self.flat(&condition))
        }
    }

    fn check(&self) -> Result<(), AskError> {
        let first = self.measures.first().ok_or(AskError::Empty)?;
        let mut foreign = None;
        let mut see = |metric: MetricId| {
            let known = match self.subject {
                Subject::Kind(kind) => metric.entity() == kind,
                Subject::EveryKind => true,
                Subject::Events(_) | Subject::AboutEntities(_) => false,
            };
            foreign = foreign.or((!known).then_some(metric));
        };
        self.measures.iter().for_each(|measure| measure.expression.metrics(&mut see));
        self.conditions.iter().for_each(|condition| condition.metrics(&mut see));
        self.order.iter().for_each(|order| order.metrics(&mut see));
        if let Some(metric) = foreign {
            return Err(AskError::ForeignMetric { metric, subject: self.subject });
        }
        let mut share = None;
        let mut see = |metric: MetricId| share = share.or((!adds_up(metric)).then_some(metric));
        self.measures.iter().for_each(|measure| measure.expression.totals(&mut see));
        if let Some(metric) = share {
            return Err(AskError::TotalOfShare(metric));
        }
        let named = |measure: &Measure| {
            format!("{} ({})", measure.label, measure.unit.map_or("text", Unit::as_str))
        };
        let other = self.measures.iter().find(|measure| measure.unit != first.unit);
        if let Some(second) = other.filter(|_| !self.mixed) {
            return Err(AskError::MixedUnits { first: named(first), second: named(second) });
        }
        let totals = |measure: &&Measure| measure.expression.has_total();
        let samples = |measure: &&Measure| measure.expression.has_samples();
        match (self.measures.iter().find(totals), self.measures.iter().find(samples)) {
            (Some(total), Some(_)) => Err(AskError::TotalBesideOthers(total.label.clone())),
            _ => Ok(()),
        }
    }

    /// What every row has to fulfil, as text behind WHERE; empty for everything.
    fn condition(&self, scope: &Scope) -> String {
        let mut parts = Vec::new();
        match self.subject {
            Subject::Kind(kind) => parts.push(format!("entityType = '{}'", kind.type_name())),
            Subject::EveryKind => parts.push("entityType LIKE 'MESSAGE_QUEUE_%'".to_owned()),
            Subject::Events(_) | Subject::AboutEntities(_) => {}
        }
        let has = |name: &str| match self.subject {
            Subject::Kind(_) | Subject::EveryKind => true,
            Subject::Events(_) => false,
            Subject::AboutEntities(_) => NAMED_BY_OTHERS.contains(&name),
        };
        let fixed = scope.fixed.iter().filter(|(name, _)| has(name));
        parts.extend(fixed.map(|(name, value)| format!("{name} = {}", quoted(value))));
        let variables = scope.variables.iter().filter(|(name, _)| has(name));
        parts.extend(variables.map(|(name, var)| format!("{name} IN ({{{{{var}}}}})")));
        parts.extend(self.conditions.iter().map(Condition::operand));
        parts.join(" AND ")
    }

    fn event_type(&self) -> &'static str {
        match self.subject {
            Subject::Kind(_) | Subject::EveryKind => ENTITY_EVENT,
            Subject::Events(name) | Subject::AboutEntities(name) => name,
        }
    }

    fn flat(&self, condition: &str) -> String {
        let items: Vec<String> = self
            .measures
            .iter()
            .map(|m| format!("{} AS {}", m.expression.over_samples(), quoted(&m.label)))
            .collect();
        let mut text = format!("SELECT {} FROM {}", items.join(", "), self.event_type());
        if !condition.is_empty() {
            let _ = write!(text, " WHERE {condition}");
        }
        self.facets(&mut text, Expression::over_samples);
        self.window(&mut text);
        text
    }

    /// One value per entity inside, their sums outside. Over time it is each bucket's mean per
    /// entity: a bucket without a sample of an entity must not count it twice or as another.
    fn nested(&self, condition: &str) -> String {
        let mut columns = Vec::new();
        let mut see = |metric: MetricId| {
            if !columns.contains(&metric) {
                columns.push(metric);
            }
        };
        self.measures.iter().for_each(|measure| measure.expression.metrics(&mut see));
        let fold = if self.over_time { Fold::Mean } else { Fold::Latest };
        let inner: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(number, metric)| {
                format!("{} AS 'v{number}'", Expression::Metric(fold, *metric).over_samples())
            })
            .collect();
        let mut kept = vec!["entityGuid"];
        if let Some(Facet::By(names)) = &self.facet {
            kept.extend(names.iter().filter(|name| **name != "entityGuid"));
        }
        let series = if self.over_time { " TIMESERIES AUTO" } else { "" };
        let items: Vec<String> = self
            .measures
            .iter()
            .map(|m| format!("{} AS {}", m.expression.over_columns(&columns), quoted(&m.label)))
            .collect();
        let mut text = format!(
            "SELECT {} FROM (SELECT {} FROM {} WHERE {condition} FACET {} LIMIT MAX{series})",
            items.join(", "),
            inner.join(", "),
            self.event_type(),
            kept.join(", "),
        );
        self.facets(&mut text, |order| order.over_columns(&columns));
        self.window(&mut text);
        text
    }

    fn facets(&self, text: &mut String, order: impl Fn(&Expression) -> String) {
        let Some(facet) = &self.facet else { return };
        match facet {
            Facet::By(names) => {
                let _ = write!(text, " FACET {}", names.join(", "));
            }
            Facet::Cases(cases) => {
                let case = |(condition, label): &(Condition, &str)| {
                    format!("WHERE {condition} AS {}", quoted(label))
                };
                let cases: Vec<String> = cases.iter().map(case).collect();
                let _ = write!(text, " FACET CASES ({})", cases.join(", "));
            }
        }
        if let Some(by) = &self.order {
            let _ = write!(text, " ORDER BY {}", order(by));
        }
        if let Some(limit) = self.limit {
            let _ = write!(text, " LIMIT {limit}");
        }
    }

    fn window(&self, text: &mut String) {
        let _ = match self.since_minutes {
            minutes if minutes % 60 == 0 => match minutes / 60 {
                1 => write!(text, " SINCE 1 hour ago"),
                hours => write!(text, " SINCE {hours} hours ago"),
            },
            minutes => write!(text, " SINCE {minutes} minutes ago"),
        };
        if let Some(hours) = self.compare_hours {
            let word = if hours == 1 { "hour" } else { "hours" };
            let _ = write!(text, " COMPARE WITH {hours} {word} ago");
        }
        if self.over_time {
            text.push_str(" TIMESERIES AUTO");
        }
    }
}

/// Whether values of several entities, added up, mean something.
pub fn adds_up(metric: MetricId) -> bool {
    matches!(
        metric.def().unit,
        Unit::Count
            | Unit::Bytes
            | Unit::Mebibytes
            | Unit::BytesPerSecond
            | Unit::Messages
            | Unit::MessagesPerSecond
            | Unit::PerSecond
            | Unit::PerHour
            | Unit::Flag
    )
}

/// A text of NRQL.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A number of NRQL: without a fraction where it has none.
pub(super) fn number(value: f64) -> String {
    format!("{value}")
}
