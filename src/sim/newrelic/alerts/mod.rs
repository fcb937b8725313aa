//! Alert policies and NRQL conditions of accounts.
//!
//! Source: "NerdGraph tutorial: Alert policies", "NerdGraph tutorial: NRQL condition alerts",
//! newrelic-client-go's alerts package, limits from "Create NRQL alert conditions" and the
//! arguments of the Terraform provider.
//!
//! Invariants:
//! - A condition belongs to a policy of its account and goes with it.
//! - What is stored has passed every check, also after an update of a part.
//! - Enabled conditions are judged window by window as time passes; without any, nothing is done.
//!
//! Not modelled: conditions of other products, outliers, muting, notifications, predictions.

mod criteria;
mod incidents;
mod shelf;
#[cfg(test)]
mod tests;
mod validate;
mod watch;

pub(super) use shelf::{Alerts, Kind, Search};

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is none of this id in the account.
    #[error("Not Found")]
    NotFound,
    /// What is wrong with it.
    #[error("Validation Error: {0}")]
    Invalid(String),
}
