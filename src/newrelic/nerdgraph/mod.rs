//! Client of NerdGraph: queries with limiter, breaker, deadline and retries; NRQL; entities page
//! by page; dashboards; alerts; service levels.
//!
//! Source: NerdGraph's introduction, the entity and NRQL tutorials, and the error handling of
//! newrelic-client-go, which retries 429, 500 and what follows 502.
//!
//! Invariants:
//! - No request leaves around the breaker.
//! - Every end of an exchange falls into one class of [`NerdGraphError`]; a 200 may be an error.
//! - What may change something is sent again only if it surely never left.

pub mod alerts;
mod answer;
mod change;
mod client;
pub mod dashboards;
mod entities;
mod nrql;
pub mod service_levels;
#[cfg(test)]
mod tests;

pub use answer::{NerdGraphError, Problem};
pub use change::{ChangeError, Done, Refusal};
pub use client::{NerdGraph, NerdGraphConfig, Operation};
pub use entities::{EntityDetail, EntityOutline, GoldenMetricQuery, RelatedEntity, TagValues};
pub use nrql::{NrqlAnswer, NrqlWindow};
