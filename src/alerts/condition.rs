//! A condition as New Relic has it, and what New Relic asks of one.

use serde::Serialize;

use super::EVENT_TYPE;
use super::rule::{Limit, Measure, Rule};
use crate::domain::data_source::DataSource;
use crate::domain::entity::EntityKind;
use crate::domain::metric::{MetricId, Unit, needs_back_quotes};
use crate::nrql::lint::{Catalogue, Severity, lint};
use crate::nrql::parse;

/// Longest and shortest time that a static term's values must last, in seconds.
const STATIC_SECONDS: (u32, u32) = (60, 86_400);
/// The same for baselines.
const BASELINE_SECONDS: (u32, u32) = (120, 86_400);
/// Standard deviations of a baseline.
const DEVIATIONS: (f64, f64) = (1.0, 1_000.0);

/// Which side of a threshold is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operator {
    /// Greater values.
    Above,
    /// Greater values, and the threshold itself.
    AboveOrEquals,
    /// Smaller values.
    Below,
    /// Smaller values, and the threshold itself.
    BelowOrEquals,
    /// The threshold alone.
    Equals,
    /// Whatever is not the threshold.
    NotEquals,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Above,
        Self::AboveOrEquals,
        Self::Below,
        Self::BelowOrEquals,
        Self::Equals,
        Self::NotEquals,
    ];

    /// Whether `value` is beyond `threshold`.
    // Whoever asks for equality means it: New Relic compares the same way.
    #[expect(clippy::float_cmp, reason = "equality is what is asked for")]
    pub fn is_worse(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Above => value > threshold,
            Self::AboveOrEquals => value >= threshold,
            Self::Below => value < threshold,
            Self::BelowOrEquals => value <= threshold,
            Self::Equals => value == threshold,
            Self::NotEquals => value != threshold,
        }
    }

    /// As people write it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AboveOrEquals => ">=",
            Self::Below => "<",
            Self::BelowOrEquals => "<=",
            Self::Equals => "=",
            Self::NotEquals => "!=",
        }
    }

    /// As NerdGraph writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Above => "ABOVE",
            Self::AboveOrEquals => "ABOVE_OR_EQUALS",
            Self::Below => "BELOW",
            Self::BelowOrEquals => "BELOW_OR_EQUALS",
            Self::Equals => "EQUALS",
            Self::NotEquals => "NOT_EQUALS",
        }
    }
}

/// How bad a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Priority {
    /// Somebody should look.
    Warning,
    /// Somebody must look.
    Critical,
}

impl Priority {
    /// As NerdGraph writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

/// The thresholds of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// Of a warning.
    pub warning: Option<f64>,
    /// Of what is critical.
    pub critical: Option<f64>,
}

/// One threshold of a condition. All values of its time must be beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Term {
    /// How bad it is.
    pub priority: Priority,
    /// In the unit of the condition; of a baseline, standard deviations.
    pub threshold: f64,
    /// How long.
    pub duration_seconds: u32,
}

/// What a condition is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Fixed thresholds.
    Static(Operator),
    /// New Relic's expectation; only greater values are bad.
    Baseline,
    /// That data come at all.
    Silence,
}

/// How a condition makes values of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// One value per so many seconds.
    pub aggregation_window_seconds: u32,
    /// How long late data are waited for.
    pub aggregation_delay_seconds: u32,
    /// After how long an incident ends by itself.
    pub closes_after_seconds: u32,
    /// After how long without data an entity counts as silent.
    pub silent_after_seconds: u32,
}

/// What is asked of the events of a window: one value per entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Query {
    /// An aggregate, as NRQL.
    pub select: String,
    /// Which events, as NRQL.
    pub filter: String,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Condition {
    /// Of its rule.
    pub id: String,
    /// Shown in New Relic.
    pub name: String,
    /// What it means.
    pub description: String,
    /// The type of entity that it watches.
    #[serde(serialize_with = "type_name")]
    pub kind: EntityKind,
    /// Of its thresholds.
    #[serde(serialize_with = "unit_name")]
    pub unit: Unit,
    /// What it asks.
    pub query: Query,
    /// What it is held to.
    pub basis: Basis,
    /// Warning before critical; none for silence.
    pub terms: Vec<Term>,
    /// How values are made.
    pub signal: Signal,
    /// What to do then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
}

fn type_name<S: serde::Serializer>(kind: &EntityKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.type_name())
}

fn unit_name<S: serde::Serializer>(unit: &Unit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(unit.as_str())
}

/// A metric's name in a query.
pub(super) fn column(metric: MetricId) -> String {
    let name = metric.name();
    if needs_back_quotes(name) { format!("`{name}`") } else { name.to_owned() }
}

/// A text in a query.
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Which events tell of a kind of entity, in some clusters or in all.
pub(super) fn events_of(kind: EntityKind, clusters: &[String]) -> String {
    // A stand-in hides a gap from dashboards; it must not hide one from whoever is on call.
    let real = text(DataSource::Infrastructure.as_str());
    let of_kind = format!("entityType = {} AND dataSource = {real}", text(kind.type_name()));
    if clusters.is_empty() {
        return of_kind;
    }
    let names: Vec<String> = clusters.iter().map(|cluster| text(cluster)).collect();
    format!("{of_kind} AND clusterName IN ({})", names.join(", "))
}

impl Query {
    /// What `rule` asks of the events of `clusters`; of all when there are none.
    pub fn of(rule: &Rule, clusters: &[String]) -> Self {
        let select = match rule.measure {
            Measure::Latest(metric) => format!("latest({})", column(metric)),
            Measure::Average(metric) => format!("average({})", column(metric)),
            Measure::Max(metric) => format!("max({})", column(metric)),
            Measure::Percentile99(metric) => format!("percentile({}, 99)", column(metric)),
            Measure::AverageSum(first, second) => {
                format!("average({} + {})", column(first), column(second))
            }
            Measure::Events => "count(*)".to_owned(),
        };
        let mut filter = events_of(rule.kind, clusters);
        if let Some(only) = rule.only {
            filter = format!("{filter} AND {only}");
        }
        Self { select, filter }
    }

    /// As a condition has it: no window, which New Relic adds.
    pub fn nrql(&self) -> String {
        let Self { select, filter } = self;
        format!("SELECT {select} FROM {EVENT_TYPE} WHERE {filter} FACET entityGuid, displayName")
    }
}

impl Condition {
    /// What New Relic, a reader or the linter would object to.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = query_problems(&self.query.nrql());
        let (least, most) = match self.basis {
            Basis::Baseline => BASELINE_SECONDS,
            _ => STATIC_SECONDS,
        };
        let window = self.signal.aggregation_window_seconds;
        for Term { priority, threshold, duration_seconds } in &self.terms {
            let priority = priority.as_str();
            if !(least..=most).contains(duration_seconds) {
                problems.push(format!(
                    "{priority}: {duration_seconds} s is not from {least} to {most} s"
                ));
            }
            if duration_seconds % window != 0 {
                problems.push(format!(
                    "{priority}: {duration_seconds} s is no multiple of the window of {window} s"
                ));
            }
            problems.extend(self.threshold_problem(*threshold).map(|p| format!("{priority}: {p}")));
        }
        if let (Basis::Static(operator), [warning, critical]) = (self.basis, self.terms.as_slice())
            && !operator.is_worse(critical.threshold, warning.threshold)
        {
            problems.push(format!(
                "critical ({}) is not worse than warning ({})",
                critical.threshold, warning.threshold
            ));
        }
        if self.terms.is_empty() && self.basis != Basis::Silence {
            problems.push("it has no threshold".to_owned());
        }
        problems
    }

    /// Whether values of this unit can be beyond `threshold` at all.
    fn threshold_problem(&self, threshold: f64) -> Option<String> {
        if self.basis == Basis::Baseline {
            let within = (DEVIATIONS.0..=DEVIATIONS.1).contains(&threshold);
            return (!within).then(|| format!("{threshold} standard deviations are not 1 to 1000"));
        }
        let most = match self.unit {
            Unit::Percent | Unit::Score => 100.0,
            Unit::Share | Unit::Flag => 1.0,
            _ => f64::MAX,
        };
        let never = match self.basis {
            Basis::Static(Operator::Above) => threshold >= most || threshold < 0.0,
            Basis::Static(Operator::Below) => threshold <= 0.0 || threshold > most,
            _ => false,
        };
        let unit = self.unit.as_str();
        (never || !threshold.is_finite())
            .then(|| format!("{threshold} {unit} is no threshold: it fires never or always"))
    }
}

/// What is wrong with the query of a condition.
pub(super) fn query_problems(text: &str) -> Vec<String> {
    let statement = match parse(text) {
        Ok(statement) => statement,
        Err(error) => return vec![format!("{text}: {}", error.message)],
    };
    lint(&statement, Some(&Catalogue::message_queue()))
        .into_iter()
        .filter(|finding| finding.severity > Severity::Advice)
        .map(|finding| format!("{text}: {} ({})", finding.message, finding.code))
        .collect()
}

/// The basis and the thresholds of a rule that needs no capacity.
pub(super) fn basis_of(limit: Limit) -> (Basis, Level) {
    match limit {
        Limit::Static(operator, level) => (Basis::Static(operator), level),
        Limit::OfCapacity(_, level) => (Basis::Static(Operator::Above), level),
        Limit::Baseline(level) => (Basis::Baseline, level),
        Limit::Silence => (Basis::Silence, Level::default()),
    }
}
