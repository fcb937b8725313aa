//! Events to batches to New Relic, with an account of every event.
//!
//! Invariants:
//! - The ledger's law holds at every await point: every event that was enqueued is acknowledged,
//!   rejected for a reason, dropped for a reason, or still in memory ([`Ledger::check`]).
//! - Events leave memory only when New Relic took them, refused them for ever, or the buffer
//!   overflowed; dropping a flush half way loses nothing.
//! - Batches leave in the order of their events; a batch that must be repeated keeps its events,
//!   and with them its `X-Request-Id`, so that both ends can see a repetition.
//! - No body is longer than New Relic's limit, and memory is bounded by events and bytes.

use std::borrow::Cow;

mod batch;
mod buffer;
mod config;
mod egress;
mod ledger;
pub mod spool;
mod stats;
mod streamer;
#[cfg(test)]
mod tests;

pub use config::{StreamConfig, StreamConfigError};
pub use ledger::{DropReason, Ledger, LedgerError, Rejection};
pub use stats::StreamStats;
pub use streamer::{FlushReport, Streamer};

/// One event as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEvent {
    /// A flat JSON object.
    pub json: Vec<u8>,
    /// What counters call it, for example `MESSAGE_QUEUE_BROKER`.
    pub kind: Cow<'static, str>,
}
