//! New Relic's entity-definition language: load, validate, match, explain, GUIDs, relationships.
//! Pure.
//!
//! Source: `docs/entities`, `docs/relationships` and the schemas of newrelic/entity-definitions.
//!
//! Invariants:
//! - An unknown key, a missing one or a value out of range is an error with file, line and fix;
//!   nothing is skipped.
//! - Matching depends on the point and the definitions only: what matches comes in the order of
//!   loading, and its cost does not follow the number of rules.

mod builtin;
mod check;
mod dashboard;
mod duration;
mod error;
mod explain;
pub mod farmhash;
mod files;
mod guid;
mod index;
mod load;
mod matching;
mod metrics;
mod model;
pub mod relationship;
mod source;
mod test_run;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub use builtin::{BUILTIN, BuiltinFile, builtin};
pub use dashboard::{Dashboard, DashboardTemplate, Layout, Widget};
pub use error::{DefinitionError, Place, Severity};
pub use explain::{ExplainOptions, Explanation, NearMiss, Need, Step, explain, golden_queries};
pub use guid::{GuidError, GuidParts, entity_guid};
pub use load::Definitions;
pub use matching::{Attributes, Match, Point, Scalar, Tag};
pub use metrics::{
    GoldenMetric, GoldenMetrics, MetricQuery, SummaryKind, SummaryMetric, SummaryMetrics,
};
pub use model::{
    Condition, EntityDefinition, Expiration, Identifier, NameFragment, NamePattern, Rule, TagRule,
    Test,
};
pub use source::{Source, View};
pub use test_run::{EntityRun, PointRun, TestOptions, TestRun, TypeRun, json_attributes};
