//! New Relic's side of the wire as a client sees it: addresses, keys, limits, error classes,
//! Event API ingest, NerdGraph.
//!
//! Invariants:
//! - A key is never printed: `Debug` and `Display` show its first six characters at most, the part
//!   that New Relic itself shows as `apiKeyPrefix`.
//! - Every end of an exchange falls into exactly one class of [`PostOutcome`]; an answer that is
//!   missing or unreadable is *unknown*, because the events may be stored.

pub mod event_api;
pub mod key;
pub mod limits;
pub mod nerdgraph;
pub mod region;

pub use event_api::{EventApi, Payload, PostOutcome, RejectReason, RetryReason, UnknownReason};
pub use key::{ApiKey, InvalidKey, KeyKind};
pub use nerdgraph::{NerdGraph, NerdGraphConfig, NerdGraphError};
pub use region::{Addresses, Region};
