//! Metrics that users derive from the catalogue's: calculations, composites and thresholds. Pure.
//!
//! The language of the expressions is NRQL's own, by the parser of [`crate::nrql`]: whoever writes
//! one knows it from dashboards and can try it there, and it needs no further dependency. Looked
//! at instead: evalexpr (AGPL since version 12), fasteval (not kept since 2020), rhai (a whole
//! scripting language), cel (brings an ANTLR run-time, and its numbers do not mix: `a / 2` is an
//! error for a double), exmex (no places in its errors, names without dots).
//!
//! Invariants:
//! - What has been compiled can always be evaluated: every name is known, every type fits, no
//!   metric depends on itself. Evaluation does no I/O, allocates nothing but the results' place,
//!   and takes a time bounded by the length of the text.
//! - An input that is missing, a division by zero or a number beyond the doubles leaves the metric
//!   absent, for a reason that is counted; it never becomes a zero.
//! - Without a metric nothing is copied, allocated or looked at.
//! - Metrics of clusters come first, so that others may refer to them (`cluster.NAME`).
//!
//! Not modelled: functions over time (see [`crate::aggregate::window`]) and over several entities.

mod compile;
mod evaluate;
mod expression;
mod names;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::aggregate::EntityState;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::extra::ExtraValue;
use crate::domain::provider::Provider;

pub use compile::compile;
pub use names::{check_name, is_event_name, kind_word};

use evaluate::{Scope, Subject};
use expression::Node;

/// Most metrics of one configuration: few enough to leave room for the catalogue's in an event.
pub const METRICS_MAX: usize = 100;

/// A metric as somebody wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSpec {
    /// Its name in events.
    pub name: String,
    /// What it is of.
    pub entity: EntityKind,
    /// How it is made.
    pub form: Form,
}

/// How a custom metric is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// The value of an expression; a condition counts 1 or 0.
    Calculation {
        /// NRQL.
        expression: String,
    },
    /// The weighted mean of several expressions.
    Composite {
        /// One at least.
        parts: Vec<PartSpec>,
    },
    /// The value of the highest level that an expression reaches.
    Threshold {
        /// NRQL.
        expression: String,
        /// One at least.
        levels: Vec<Level>,
        /// The value below all levels.
        otherwise: f64,
    },
}

/// One part of a composite.
#[derive(Debug, Clone, PartialEq)]
pub struct PartSpec {
    /// NRQL.
    pub expression: String,
    /// More than 0.
    pub weight: f64,
}

/// A level of a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Reached from this value on.
    pub at_least: f64,
    /// What the metric then is.
    pub value: f64,
}

/// What expressions may name beside the catalogue.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Tags of all entities: `tags.KEY`.
    pub tags: BTreeMap<String, String>,
    /// Numbers that a mapping brings in, by kind and name.
    pub mapped: Vec<(EntityKind, String)>,
}

/// Which part of a metric a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Its name.
    Name,
    /// Its expression, and where within if known.
    Expression(Option<Range<usize>>),
    /// The expression of the part with this number.
    Part(usize, Option<Range<usize>>),
    /// The weight of the part with this number.
    Weight(usize),
    /// The level with this number.
    Level(usize),
    /// All of it.
    Whole,
}

/// What is wrong with a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecProblem {
    /// Its place among the metrics.
    pub metric: usize,
    /// Which part.
    pub fault: Fault,
    /// In words.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// Why a metric has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absence {
    /// An input is not known.
    MissingInput,
    /// Something is divided by zero.
    DivisionByZero,
    /// The result is no finite number.
    NotFinite,
    /// A text that should hold a number does not.
    NotANumber,
}

impl Absence {
    /// The label under which it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingInput => "missing_input",
            Self::DivisionByZero => "division_by_zero",
            Self::NotFinite => "not_finite",
            Self::NotANumber => "not_a_number",
        }
    }
}

/// Metrics ready to be evaluated.
#[derive(Debug, Clone, Default)]
pub struct CustomMetrics {
    /// By kind, in an order in which each comes behind what it needs.
    by_kind: [Vec<Program>; EntityKind::ALL.len()],
}

/// One metric, compiled.
#[derive(Debug, Clone)]
struct Program {
    name: Arc<str>,
    form: Compiled,
}

#[derive(Debug, Clone)]
enum Compiled {
    Calculation(Node),
    /// Parts and weights.
    Composite(Vec<(Node, f64)>),
    /// Levels, highest first.
    Threshold(Node, Vec<Level>, f64),
}

/// How often which metric had no value, and why.
pub type Absences = BTreeMap<(Arc<str>, Absence), u64>;

impl CustomMetrics {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_kind.iter().all(Vec::is_empty)
    }

    /// Number of metrics of entities of `kind`.
    pub fn of_kind(&self, kind: EntityKind) -> usize {
        self.by_kind[kind as usize].len()
    }

    /// Sets every metric that has a value on `states`, which are sorted by key; the others are
    /// counted.
    pub fn apply(&self, states: &mut [EntityState]) -> Absences {
        let mut absences = Absences::new();
        if self.is_empty() {
            return absences;
        }
        let of_clusters = &self.by_kind[EntityKind::Cluster as usize];
        for state in states.iter_mut().filter(|state| state.key.kind() == EntityKind::Cluster) {
            set_all(of_clusters, state, None, &mut absences);
        }
        let clusters: BTreeMap<(Provider, String), EntityState> = states
            .iter()
            .filter(|state| matches!(state.key, EntityKey::Cluster { .. }))
            .map(|state| {
                let key = (state.key.provider().clone(), state.key.cluster().to_owned());
                (key, state.clone())
            })
            .collect();
        let mut last: Option<&EntityState> = None;
        for state in states.iter_mut() {
            let programs = &self.by_kind[state.key.kind() as usize];
            if programs.is_empty() || state.key.kind() == EntityKind::Cluster {
                continue;
            }
            let same = |cluster: &&EntityState| {
                cluster.key.cluster() == state.key.cluster()
                    && cluster.key.provider() == state.key.provider()
            };
            // Entities of one cluster mostly stand in a row.
            last = last.filter(same).or_else(|| {
                let key = (state.key.provider().clone(), state.key.cluster().to_owned());
                clusters.get(&key)
            });
            set_all(programs, state, last, &mut absences);
        }
        absences
    }
}

fn set_all(
    programs: &[Program],
    state: &mut EntityState,
    cluster: Option<&EntityState>,
    absences: &mut Absences,
) {
    for program in programs {
        let subject = Subject { state, cluster };
        let value = program
            .form
            .value(&Scope { subject })
            .and_then(|value| if value.is_finite() { Ok(value) } else { Err(Absence::NotFinite) });
        match value {
            Ok(value) => {
                state.extras.set(&program.name, ExtraValue::Number(value));
            }
            Err(absence) => {
                *absences.entry((Arc::clone(&program.name), absence)).or_default() += 1;
            }
        }
    }
}

impl Compiled {
    fn value(&self, scope: &Scope<'_>) -> Result<f64, Absence> {
        match self {
            Self::Calculation(node) => scope.number(node),
            Self::Composite(parts) => {
                let (mut sum, mut weights) = (0.0, 0.0);
                for (node, weight) in parts {
                    sum += scope.number(node)? * weight;
                    weights += weight;
                }
                Ok(sum / weights)
            }
            Self::Threshold(node, levels, otherwise) => {
                let value = scope.number(node)?;
                let reached = levels.iter().find(|level| value >= level.at_least);
                Ok(reached.map_or(*otherwise, |level| level.value))
            }
        }
    }
}

#[cfg(test)]
mod tests;
