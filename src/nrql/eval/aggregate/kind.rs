//! Which aggregate a call asks for, with its constants.
//!
//! Invariants: a call is read once, when the query is planned; what it gets wrong is an error of
//! the query, not a null in its answer.
//!
//! Source: "NRQL syntax, clauses, and functions", aggregator functions. Assumed: the interval of
//! rate and derivative where none is written (one second), what the precision of uniqueCount counts
//! in.

use super::super::super::ast::{Amount, Argument, ArgumentValue, Expr, ExprKind, TimeUnit};
use super::super::super::error::NrqlError;
use super::super::limits::semantic;
use super::super::sketch::PRECISION;
use super::super::window::amount_ms;

/// Percentiles of one call.
const POINTS_MAX: usize = 50;
/// Source: "cdfPercentage(attribute, threshold…)".
const THRESHOLDS_MAX: usize = 10;
/// What a sketch of distinct values can be made with.
const PRECISIONS: std::ops::RangeInclusive<f64> = 4.0..=18.0;
/// Source: "Use funnels to evaluate related event data".
const FUNNEL_STEPS_MAX: usize = 10;
/// Source: `uniques(attribute [,limit])`.
const UNIQUES_DEFAULT: usize = 1_000;
const UNIQUES_MAX: usize = 10_000;
/// Source: "histogram(attribute…)".
const HISTOGRAM_BUCKETS_MAX: f64 = 500.0;

/// An aggregate and its constants.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Kind {
    /// `count(*)`.
    CountAll,
    /// `count(*)` of metric points: the values that they stand for.
    CountPoints,
    /// `count(a)`.
    Count,
    /// `sum(a)`.
    Sum,
    /// `average(a)`.
    Average,
    /// `min(a)`.
    Min,
    /// `max(a)`.
    Max,
    /// `latest(a)`.
    Latest,
    /// `earliest(a)`.
    Earliest,
    /// `stddev(a)`.
    Stddev,
    /// `stdvar(a)`.
    Stdvar,
    /// `uniqueCount(a, …, precision: p)`.
    UniqueCount {
        /// Registers beyond 256 values are two to this power.
        precision: u8,
    },
    /// `uniques(a, limit)`.
    Uniques {
        /// Values kept.
        limit: usize,
    },
    /// `percentile(a, p, …)` and `median(a)`.
    Percentile {
        /// 0 to 100 each.
        points: Vec<f64>,
    },
    /// `histogram(a, width, buckets, start)`.
    Histogram {
        /// Of the whole range.
        width: f64,
        /// 1 to 500.
        buckets: usize,
        /// Of the range.
        start: f64,
    },
    /// `derivative(a, interval)`.
    Derivative {
        /// In milliseconds.
        interval_ms: f64,
    },
    /// `predictLinear(a, ahead)`.
    PredictLinear {
        /// In milliseconds.
        ahead_ms: f64,
    },
    /// `latestrate(a, interval)`.
    LatestRate {
        /// In milliseconds.
        interval_ms: f64,
    },
    /// `apdex(a, t)`.
    Apdex {
        /// Up to which a value satisfies.
        threshold: f64,
    },
    /// `funnel(a, WHERE …, …)`; its steps are arguments behind the first.
    Funnel {
        /// Of the steps.
        labels: Vec<String>,
    },
    /// `cdfPercentage(a, threshold, …)`.
    CdfPercentage {
        /// In the order written.
        thresholds: Vec<f64>,
    },
    /// `bucketPercentile(a_bucket, p, …)`; the second argument is the attribute `le`.
    BucketPercentile {
        /// 0 to 100 each.
        points: Vec<f64>,
    },
    /// `cardinality(a, include: {…}, exclude: {…})`.
    Cardinality {
        /// The only attributes that count; `None`: all.
        include: Option<Vec<String>>,
        /// Attributes that do not count.
        exclude: Vec<String>,
    },
    /// `datapointCount()`.
    DatapointCount,
    /// `aggregationendtime()`.
    AggregationEndTime,
    /// `bytecountestimate()`.
    ByteCountEstimate,
}

impl Kind {
    /// Members of its value; 1 for a plain one. What `uniques` holds is counted as it comes.
    pub(in super::super) fn members(&self) -> usize {
        match self {
            Self::Percentile { points } | Self::BucketPercentile { points } => points.len(),
            Self::CdfPercentage { thresholds } => thresholds.len(),
            Self::Histogram { buckets, .. } => *buckets,
            Self::Funnel { labels } => labels.len(),
            Self::Apdex { .. } => 5,
            _ => 1,
        }
    }
}

/// An aggregate and the arguments that are read per row.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Call {
    /// What is computed.
    pub kind: Kind,
    /// Of what.
    pub arguments: Vec<Expr>,
}

/// Names of all functions that aggregate by themselves, as keys of results spell them.
const NAMES: &[&str] = &[
    "aggregationendtime",
    "apdex",
    "average",
    "bucketPercentile",
    "bytecountestimate",
    "cardinality",
    "cdfPercentage",
    "count",
    "datapointCount",
    "derivative",
    "earliest",
    "funnel",
    "histogram",
    "latest",
    "latestrate",
    "max",
    "median",
    "min",
    "percentile",
    "predictLinear",
    "stddev",
    "stdvar",
    "sum",
    "uniqueCount",
    "uniques",
];

/// Those that take one attribute and nothing else, in lower case.
const ONE_ARGUMENT: &[&str] =
    &["average", "count", "earliest", "latest", "max", "median", "min", "stddev", "stdvar", "sum"];

/// The name of an aggregate as keys of results spell it, however the query does.
pub(in super::super) fn canonical(name: &str) -> Option<&'static str> {
    NAMES.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
}

/// Names, in lower case, of those that change another aggregate.
const AROUND: &[&str] = &["filter", "percentage", "rate"];

/// Names of all aggregates, as keys of results spell them.
pub fn aggregate_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().chain(AROUND).copied()
}

/// Whether `name` (any case) aggregates, by itself or around another that does.
pub fn is_aggregate(name: &str) -> bool {
    aggregate_names().any(|known| known.eq_ignore_ascii_case(name))
}

/// The aggregate that a call asks for; `None` when the function does not aggregate by itself.
pub(in super::super) fn read(
    name: &str,
    arguments: &[Argument],
) -> Result<Option<Call>, NrqlError> {
    if canonical(name).is_none() {
        return Ok(None);
    }
    let lower = name.to_ascii_lowercase();
    let given = Given { name, arguments };
    if matches!(lower.as_str(), "datapointcount" | "aggregationendtime" | "bytecountestimate") {
        let kind = match lower.as_str() {
            "datapointcount" => Kind::DatapointCount,
            "aggregationendtime" => Kind::AggregationEndTime,
            _ => Kind::ByteCountEstimate,
        };
        return Ok(Some(Call { kind, arguments: Vec::new() }));
    }
    if lower == "cardinality" {
        return given.cardinality().map(Some);
    }
    let first = given.first()?;
    if lower == "count" && first.kind == ExprKind::Star {
        return Ok(Some(Call { kind: Kind::CountAll, arguments: Vec::new() }));
    }
    if first.kind == ExprKind::Star {
        return Err(semantic(format!("{name}() needs an attribute, not *")));
    }
    if ONE_ARGUMENT.contains(&lower.as_str()) && arguments.len() > 1 {
        return Err(semantic(format!("{name}() takes one argument, found {}", arguments.len())));
    }
    let (kind, more) = given.kind_of(&lower)?;
    let mut read = vec![first];
    read.extend(more);
    Ok(Some(Call { kind, arguments: read }))
}

/// A call's arguments, with the name for messages.
struct Given<'a> {
    name: &'a str,
    arguments: &'a [Argument],
}

impl Given<'_> {
    fn first(&self) -> Result<Expr, NrqlError> {
        match self.arguments.first().map(|argument| &argument.value) {
            Some(ArgumentValue::Expr(expr)) => Ok(expr.clone()),
            _ => Err(semantic(format!("{}() requires an attribute", self.name))),
        }
    }

    /// The aggregate, and arguments behind the first that are read per row.
    fn kind_of(&self, lower: &str) -> Result<(Kind, Vec<Expr>), NrqlError> {
        let simple = |kind| Ok((kind, Vec::new()));
        match lower {
            "count" => simple(Kind::Count),
            "sum" => simple(Kind::Sum),
            "average" => simple(Kind::Average),
            "min" => simple(Kind::Min),
            "max" => simple(Kind::Max),
            "latest" => simple(Kind::Latest),
            "earliest" => simple(Kind::Earliest),
            "stddev" => simple(Kind::Stddev),
            "stdvar" => simple(Kind::Stdvar),
            "median" => simple(Kind::Percentile { points: vec![50.0] }),
            "percentile" => simple(Kind::Percentile { points: self.points(&[95.0])? }),
            "derivative" => simple(Kind::Derivative { interval_ms: self.interval(1)? }),
            "predictlinear" => simple(Kind::PredictLinear { ahead_ms: self.interval(1)? }),
            "latestrate" => simple(Kind::LatestRate { interval_ms: self.interval(1)? }),
            "apdex" => simple(Kind::Apdex { threshold: self.number("t", 1)?.unwrap_or(0.5) }),
            "histogram" => simple(self.histogram()?),
            "uniques" => {
                let limit = self.number("limit", 1)?.unwrap_or(UNIQUES_DEFAULT as f64);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to the range of the target"
                )]
                let limit = limit.clamp(1.0, UNIQUES_MAX as f64) as usize;
                simple(Kind::Uniques { limit })
            }
            "uniquecount" => {
                let more = self.arguments.iter().skip(1).filter(|argument| argument.name.is_none());
                let more = more.filter_map(|argument| match &argument.value {
                    ArgumentValue::Expr(expr) if numeric_constant(expr).is_none() => {
                        Some(expr.clone())
                    }
                    _ => None,
                });
                Ok((Kind::UniqueCount { precision: self.precision()? }, more.collect()))
            }
            "cdfpercentage" => {
                let thresholds = self.constants()?;
                if thresholds.is_empty() {
                    return Err(semantic("cdfPercentage() requires at least one threshold"));
                }
                if thresholds.len() > THRESHOLDS_MAX {
                    return Err(semantic("cdfPercentage() takes at most 10 thresholds"));
                }
                simple(Kind::CdfPercentage { thresholds })
            }
            "bucketpercentile" => {
                let le = ExprKind::Attribute { name: "le".to_owned(), quoted: false };
                let le = Expr { kind: le, span: super::super::super::error::Span::default() };
                Ok((Kind::BucketPercentile { points: self.points(&[50.0, 75.0, 95.0])? }, vec![le]))
            }
            "funnel" => self.funnel(),
            _ => Err(semantic(format!("Unknown function {}()", self.name))),
        }
    }

    fn histogram(&self) -> Result<Kind, NrqlError> {
        let width = self.number("width", 1)?.unwrap_or(10.0);
        let buckets = self.number("buckets", 2)?.unwrap_or(40.0);
        let start = self.number("start", 3)?.unwrap_or(0.0);
        if !(1.0..=HISTOGRAM_BUCKETS_MAX).contains(&buckets) {
            return Err(semantic("histogram() requires between 1 and 500 buckets"));
        }
        if !(width > 0.0 && width.is_finite() && start.is_finite()) {
            return Err(semantic("histogram() requires a positive width"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 500"
        )]
        Ok(Kind::Histogram { width, buckets: buckets as usize, start })
    }

    fn funnel(&self) -> Result<(Kind, Vec<Expr>), NrqlError> {
        let mut labels = Vec::new();
        let mut steps = Vec::new();
        for argument in &self.arguments[1..] {
            let ArgumentValue::Where(case) = &argument.value else {
                return Err(semantic("funnel() takes an attribute and WHERE clauses"));
            };
            labels.push(case.label.clone().unwrap_or_else(|| format!("Step {}", labels.len() + 1)));
            steps.push(case.condition.clone());
        }
        if !(2..=FUNNEL_STEPS_MAX).contains(&steps.len()) {
            return Err(semantic("funnel() requires between 2 and 10 steps"));
        }
        Ok((Kind::Funnel { labels }, steps))
    }

    fn cardinality(&self) -> Result<Call, NrqlError> {
        let (mut include, mut exclude, mut arguments) = (None, Vec::new(), Vec::new());
        for (at, argument) in self.arguments.iter().enumerate() {
            let ArgumentValue::Expr(value) = &argument.value else {
                return Err(semantic("cardinality() takes a metric and lists of attributes"));
            };
            match argument.name.as_ref().map(|name| name.text.to_ascii_lowercase()).as_deref() {
                Some("include") => include = Some(attribute_names(value)?),
                Some("exclude") => exclude = attribute_names(value)?,
                None if at == 0 => arguments.push(value.clone()),
                _ => return Err(semantic("cardinality() takes include: and exclude:")),
            }
        }
        Ok(Call { kind: Kind::Cardinality { include, exclude }, arguments })
    }

    /// `precision:` of uniqueCount, or a number behind its attributes.
    fn precision(&self) -> Result<u8, NrqlError> {
        let is_number = |argument: &Argument| match &argument.value {
            ArgumentValue::Expr(expr) => numeric_constant(expr).is_some(),
            _ => false,
        };
        let position = self.arguments.iter().skip(1).position(is_number);
        let given = self.number("precision", position.map_or(usize::MAX, |at| at + 1))?;
        let Some(given) = given else { return Ok(PRECISION) };
        if !PRECISIONS.contains(&given) {
            return Err(semantic("uniqueCount() takes a precision from 4 to 18"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 4 and 18"
        )]
        Ok(given as u8)
    }

    /// The number named `name`, or without a name at `position`.
    fn number(&self, name: &str, position: usize) -> Result<Option<f64>, NrqlError> {
        let is_named = |argument: &&Argument| {
            argument.name.as_ref().is_some_and(|given| given.text.eq_ignore_ascii_case(name))
        };
        let unnamed = || self.arguments.get(position).filter(|argument| argument.name.is_none());
        let Some(argument) = self.arguments.iter().find(is_named).or_else(unnamed) else {
            return Ok(None);
        };
        match &argument.value {
            ArgumentValue::Expr(expr) => numeric_constant(expr).map(Some),
            ArgumentValue::Amount(amount) => Some(Some(amount_ms(*amount) / 1_000.0)),
            _ => None,
        }
        .ok_or_else(|| semantic(format!("{}() requires a number for {name}", self.name)))
    }

    /// All numbers behind the first argument.
    fn constants(&self) -> Result<Vec<f64>, NrqlError> {
        let points = self.arguments.iter().skip(1).map(|argument| match &argument.value {
            ArgumentValue::Expr(expr) => numeric_constant(expr),
            _ => None,
        });
        let points: Option<Vec<f64>> = points.collect();
        match points {
            Some(points) if points.len() <= POINTS_MAX => Ok(points),
            _ => Err(semantic(format!("{}() requires numbers after its attribute", self.name))),
        }
    }

    fn points(&self, default: &[f64]) -> Result<Vec<f64>, NrqlError> {
        let points = self.constants()?;
        if points.iter().any(|point| !(0.0..=100.0).contains(point)) {
            return Err(semantic(format!("{}() takes numbers from 0 to 100", self.name)));
        }
        Ok(if points.is_empty() { default.to_vec() } else { points })
    }

    fn interval(&self, position: usize) -> Result<f64, NrqlError> {
        interval_ms(self.name, self.arguments.get(position))
    }
}

/// The length of time that a function like rate scales to; one second where none is written.
pub(in super::super) fn interval_ms(
    name: &str,
    argument: Option<&Argument>,
) -> Result<f64, NrqlError> {
    let amount = match argument.map(|argument| &argument.value) {
        None => Amount { count: 1.0, unit: TimeUnit::Second },
        Some(ArgumentValue::Amount(amount)) => *amount,
        Some(_) => {
            return Err(semantic(format!("{name}() requires a length of time, as in 1 minute")));
        }
    };
    let millis = amount_ms(amount);
    if millis > 0.0 && millis.is_finite() {
        Ok(millis)
    } else {
        Err(semantic(format!("{name}() requires a positive length of time")))
    }
}

/// The names in `{a, b}`; one attribute needs no braces.
fn attribute_names(expr: &Expr) -> Result<Vec<String>, NrqlError> {
    let name = |expr: &Expr| match &expr.kind {
        ExprKind::Attribute { name, .. } | ExprKind::Text(name) => Ok(name.clone()),
        _ => Err(semantic("cardinality() takes names of attributes, as in include: {a, b}")),
    };
    match &expr.kind {
        ExprKind::List(members) => members.iter().map(name).collect(),
        _ => Ok(vec![name(expr)?]),
    }
}

/// The number that `expr` is, when it is written out.
fn numeric_constant(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        #[expect(clippy::cast_precision_loss, reason = "NRQL computes with doubles")]
        ExprKind::Integer(value) => Some(*value as f64),
        ExprKind::Number(value) => Some(*value),
        ExprKind::Negate(inner) => numeric_constant(inner).map(|value| -value),
        _ => None,
    }
}
