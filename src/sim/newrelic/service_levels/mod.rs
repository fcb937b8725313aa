//! Service levels of entities: indicators with their objectives.
//!
//! Source: newrelic-client-go's servicelevel package, the arguments of the Terraform provider's
//! `newrelic_service_level`, "NerdGraph tutorial: Service levels".
//!
//! Invariants:
//! - An indicator belongs to one entity and is an entity of its own, `EXT` `SERVICE_LEVEL`.
//! - What is stored has passed every check, also after an update of a part.
//!
//! Not modelled: the metrics that New Relic derives from indicators, and their result queries.

mod shelf;
#[cfg(test)]
mod tests;
mod validate;

pub(super) use shelf::{Indicator, ServiceLevels};

/// Domain of an indicator's entity.
pub(super) const DOMAIN: &str = "EXT";
/// Type of an indicator's entity.
pub(super) const ENTITY_TYPE: &str = "SERVICE_LEVEL";

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is none of this id or GUID.
    #[error("Not Found")]
    NotFound,
    /// What is wrong with it.
    #[error("Validation Error: {0}")]
    Invalid(String),
}
