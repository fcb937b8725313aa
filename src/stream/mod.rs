//! Events to batches to New Relic, with an account of every event.
//!
//! The [`Streamer`] takes events, the courier delivers them, the spool keeps them across crashes.
//!
//! Invariants:
//! - The ledger's law holds at every await point: every event that was enqueued, or found in the
//!   spool, is acknowledged, rejected for a reason, dropped for a reason, or still held
//!   ([`Ledger::check`]).
//! - Events leave the spool only when New Relic took them, refused them for ever or as often as
//!   they may be sent (then they are dead letters), when a limit of size or age was passed, or
//!   when the disk gave them back damaged.
//! - Chunks leave in the order of their events; a chunk that must be repeated keeps its events,
//!   and with them its `X-Request-Id`, also across a crash, so that both ends can see a repetition.
//! - No body is longer than New Relic's limit, and memory is bounded by events and bytes.

use std::borrow::Cow;

mod batch;
mod config;
mod core;
mod courier;
#[cfg(test)]
mod durability_tests;
mod egress;
mod ledger;
mod queue;
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
