//! The account of every event.
//!
//! Invariant: enqueued + recovered = acknowledged + rejected + dropped + in flight
//! ([`Ledger::check`]); in flight = spooled + in memory alone. A send with an unknown fate is
//! counted beside it: its events are still in flight.

use std::collections::BTreeMap;

use crate::newrelic::RejectReason;

/// Why an event will never be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// Alone it exceeds a body's limit, here or by New Relic's answer 413.
    EventTooLarge,
    /// New Relic refused the request it was in.
    Refused(RejectReason),
    /// It was sent as often as the configuration allows.
    AttemptsSpent,
}

impl Rejection {
    /// Name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventTooLarge => "event_too_large",
            Self::Refused(reason) => reason.as_str(),
            Self::AttemptsSpent => "attempts_spent",
        }
    }
}

/// Why an event was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// It was the oldest in memory alone when that overflowed.
    BufferFull,
    /// It was the oldest on disk when the spool overflowed.
    SpoolFull,
    /// It waited longer than events are worth sending.
    Expired,
    /// The disk gave it back damaged, or not at all.
    Unreadable,
}

impl DropReason {
    /// Name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BufferFull => "buffer_full",
            Self::SpoolFull => "spool_full",
            Self::Expired => "expired",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Where every event is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Events handed to the streamer.
    pub enqueued: u64,
    /// Events that an earlier life of the pipeline had left in the spool.
    pub recovered: u64,
    /// Events that New Relic accepted, in chunks that the spool has given up since.
    pub acknowledged: u64,
    /// Events refused for ever.
    pub rejected: BTreeMap<Rejection, u64>,
    /// Events given up.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Events in memory or in the spool, counted there.
    pub in_flight: u64,
    /// Of which the spool holds: a crash does not lose them.
    pub spooled: u64,
    /// Of the spooled ones: those whose fate New Relic has told, but the spool does not know yet.
    /// If the process ends now, they are sent again.
    pub unsettled: u64,
    /// Of the rejected ones: those kept as dead letters, to be replayed.
    pub dead_lettered: u64,
    /// POSTs whose fate nobody knows. Their events stay in flight and are sent again, so New Relic
    /// may hold each of them once more for every such POST.
    pub unknown_sends: u64,
    /// Events in those POSTs.
    pub unknown_events: u64,
}

/// The law is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{enqueued} events came in, but {accounted} are accounted for: {ledger:?}")]
pub struct LedgerError {
    /// Events that came in.
    pub enqueued: u64,
    /// Events that have a place.
    pub accounted: u64,
    /// The whole account.
    pub ledger: Box<Ledger>,
}

impl Ledger {
    /// Events refused for ever, for whatever reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Events given up, for whatever reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Checks enqueued + recovered = acknowledged + rejected + dropped + in flight.
    ///
    /// # Errors
    /// The two sides, when they differ.
    pub fn check(&self) -> Result<(), LedgerError> {
        let accounted =
            self.acknowledged + self.rejected_total() + self.dropped_total() + self.in_flight;
        let enqueued = self.enqueued + self.recovered;
        if accounted == enqueued && self.unsettled <= self.spooled && self.spooled <= self.in_flight
        {
            Ok(())
        } else {
            Err(LedgerError { enqueued, accounted, ledger: Box::new(self.clone()) })
        }
    }

    pub(super) fn reject(&mut self, reason: Rejection, events: usize) {
        *self.rejected.entry(reason).or_default() += events as u64;
    }

    pub(super) fn drop_events(&mut self, reason: DropReason, events: usize) {
        *self.dropped.entry(reason).or_default() += events as u64;
    }
}
