//! What a query may do and hold.
//!
//! Invariants: work is counted in rows, never by a clock, so that the same query over the same
//! events always ends the same way; what exceeds a limit ends in an error that says so.

use std::cell::Cell;

use super::super::error::{ErrorKind, NrqlError};

/// What a query may do and hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Rows that all steps of a query may go through together; stands for its time-out.
    pub rows_max: u64,
    /// Facets that one step may tell apart.
    pub groups_max: usize,
    /// Bytes that the accumulators and intermediate rows of a query may hold.
    pub bytes_max: usize,
    /// Sub-queries of one query. Source: "Subqueries in NRQL".
    pub subqueries_max: usize,
    /// Rows or facets of one answer, and what LIMIT MAX means. Source: "LIMIT".
    pub results_max: u64,
}

/// Rows a second that the time-out of a query stands for.
const ROWS_PER_SECOND: u64 = 20_000_000;

impl QueryLimits {
    /// These limits with the work that `seconds` of New Relic's time-out allow.
    #[must_use]
    pub const fn with_timeout_seconds(mut self, seconds: u64) -> Self {
        self.rows_max = seconds.saturating_mul(ROWS_PER_SECOND);
        self
    }
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            rows_max: 60 * ROWS_PER_SECOND,
            groups_max: 250_000,
            bytes_max: 512 * 1024 * 1024,
            subqueries_max: 3,
            results_max: 5_000,
        }
    }
}

/// What is left of the limits while a query runs.
#[derive(Debug)]
pub(super) struct Budget {
    limits: QueryLimits,
    rows: Cell<u64>,
    inspected: Cell<u64>,
}

impl Budget {
    /// All of `limits`.
    pub(super) const fn new(limits: QueryLimits) -> Self {
        Self { limits, rows: Cell::new(0), inspected: Cell::new(0) }
    }

    /// The limits.
    pub(super) const fn limits(&self) -> &QueryLimits {
        &self.limits
    }

    /// Events of the store that were read, each once per step that read it.
    pub(super) const fn inspected(&self) -> u64 {
        self.inspected.get()
    }

    /// Notes `rows` events read from the store.
    pub(super) fn inspect(&self, rows: usize) -> Result<(), NrqlError> {
        self.inspected.set(self.inspected.get().saturating_add(rows as u64));
        self.work(rows, 1)
    }

    /// Notes work over `rows`, `times` over.
    pub(super) fn work(&self, rows: usize, times: usize) -> Result<(), NrqlError> {
        let work = (rows as u64).saturating_mul(times as u64);
        self.rows.set(self.rows.get().saturating_add(work));
        if self.rows.get() > self.limits.rows_max {
            return Err(NrqlError {
                kind: ErrorKind::Timeout,
                message: "NRQL query timed out: it inspected more events than its time allows"
                    .to_owned(),
                span: None,
                help: Some("narrow the window with SINCE, or filter with WHERE".to_owned()),
            });
        }
        Ok(())
    }

    /// Refuses to hold more than may be held.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), NrqlError> {
        if bytes > self.limits.bytes_max {
            return Err(limit(
                "Query exceeded memory limit: it holds too many facets or values".to_owned(),
                "facet by fewer values, or use fewer buckets",
            ));
        }
        Ok(())
    }

    /// Refuses more facets than may be told apart.
    pub(super) fn groups(&self, groups: usize) -> Result<(), NrqlError> {
        if groups > self.limits.groups_max {
            return Err(limit(
                format!("Too many facets: a query may have at most {}", self.limits.groups_max),
                "filter with WHERE, or facet by fewer attributes",
            ));
        }
        Ok(())
    }
}

/// An error of a limit.
pub(super) fn limit(message: String, help: &str) -> NrqlError {
    NrqlError { kind: ErrorKind::Limit, message, span: None, help: Some(help.to_owned()) }
}

/// An error of NRQL that means nothing.
pub(super) fn semantic(message: impl Into<String>) -> NrqlError {
    NrqlError { kind: ErrorKind::Semantic, message: message.into(), span: None, help: None }
}
