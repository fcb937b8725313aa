//! Alerts and service levels: which figures of which entities mean trouble, as New Relic's NRQL
//! conditions and service levels, and what they would have said of stored events. Pure.
//!
//! Source: the thresholds of the entity definitions; "NerdGraph tutorial: NRQL conditions", "Create
//! NRQL alert conditions" and "Loss of signal"; input types as newrelic-client-go's alerts and
//! servicelevel packages send them; the arguments of the Terraform provider's
//! `newrelic_nrql_alert_condition` and `newrelic_service_level`.
//!
//! Invariants:
//! - A rule names metrics by [`crate::domain::metric::MetricId`], so it cannot watch what nobody
//!   sends.
//! - Every condition's query parses, and the linter has no more than advice about it.
//! - NerdGraph's and Terraform's forms are two views of one [`Plan`].
//! - Nothing here reads a clock: an evaluation is told its times.
//! - One [`Judge`] says what values mean, whether they come from a run that is over or while the
//!   simulated New Relic is running.
//!
//! Not modelled: notifications (destinations, workflows), muting, and baselines, whose model New
//! Relic does not publish: of those conditions it is known only whether they have data.

mod budget;
mod condition;
mod evaluate;
mod judge;
mod nerdgraph;
mod rule;
mod service_level;
mod settings;
mod signal_query;
mod terraform;

pub use budget::{Budget, Tally};
pub use condition::{Basis, Condition, Level, Operator, Priority, Query, Signal, Term};
pub use evaluate::{Evaluation, Incident, evaluate};
pub use judge::{
    Cause, Closing, Criteria, Criterion, Expiration, Fill, Findings, Judge, Occurrences,
    SIGNALS_MAX, Trigger, Violation,
};
pub use nerdgraph::{
    Mutation, POLICY_ID, condition_input, indicator_create_input, indicator_input, mutations,
    service_level_mutations,
};
pub use rule::{Capacity, Limit, Measure, RULES, Rule};
pub use service_level::{Figure, Indicator, SERVICE_LEVELS, ServiceLevel, service_levels};
pub use settings::{
    AlertsFile, IncidentPreference, LeftOut, Plan, Policy, RuleTable, SettingFault, plan,
};
pub use signal_query::{Reading, SignalQuery, readings};
pub use terraform::{conditions_text, service_levels_text};

/// The event type that every rule reads.
pub const EVENT_TYPE: &str = "MessageQueue";

#[cfg(test)]
mod tests;
