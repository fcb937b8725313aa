//! What rows have to fulfil.

use std::fmt;

use super::expression::name;
use super::{number, quoted};
use crate::domain::metric::MetricId;

/// A condition on one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Greater than.
    Above(MetricId, f64),
    /// Greater or equal.
    AtLeast(MetricId, f64),
    /// Less than.
    Below(MetricId, f64),
    /// A descriptive attribute equals a text.
    Is(&'static str, String),
    /// All of them.
    All(Vec<Condition>),
    /// One of them at least.
    Any(Vec<Condition>),
}

impl Condition {
    /// From `from` to below `to`. NRQL has no BETWEEN.
    pub fn within(metric: MetricId, from: f64, to: f64) -> Self {
        Self::All(vec![Self::AtLeast(metric, from), Self::Below(metric, to)])
    }

    /// Calls `see` with every metric that it reads.
    pub(super) fn metrics(&self, see: &mut dyn FnMut(MetricId)) {
        match self {
            Self::Above(metric, _) | Self::AtLeast(metric, _) | Self::Below(metric, _) => {
                see(*metric);
            }
            Self::Is(..) => {}
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.metrics(see));
            }
        }
    }

    /// As text between ANDs.
    pub(super) fn operand(&self) -> String {
        match self {
            Self::Any(parts) if parts.len() > 1 => format!("({self})"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut compare = |metric: &MetricId, operator, value: &f64| {
            write!(f, "{} {operator} {}", name(metric.name()), number(*value))
        };
        match self {
            Self::Above(metric, value) => compare(metric, ">", value),
            Self::AtLeast(metric, value) => compare(metric, ">=", value),
            Self::Below(metric, value) => compare(metric, "<", value),
            Self::Is(attribute, value) => write!(f, "{} = {}", name(attribute), quoted(value)),
            Self::All(parts) => {
                let parts: Vec<String> = parts.iter().map(Self::operand).collect();
                f.write_str(&parts.join(" AND "))
            }
            Self::Any(parts) => {
                let part = |part: &Self| match part {
                    Self::All(inner) if inner.len() > 1 => format!("({part})"),
                    other => other.to_string(),
                };
                let parts: Vec<String> = parts.iter().map(part).collect();
                f.write_str(&parts.join(" OR "))
            }
        }
    }
}
