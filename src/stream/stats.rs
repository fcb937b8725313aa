//! Counters for the pipeline to export.
//!
//! Invariant: all but the time of the last success only grow.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::units::UnixMillis;

/// Totals since the streamer began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// POSTs by outcome: `accepted`, `too_large`, or the reason of the class.
    pub posts: BTreeMap<&'static str, u64>,
    /// Acknowledged events by kind.
    pub acknowledged: BTreeMap<Cow<'static, str>, u64>,
    /// POSTs of a batch that had been sent before.
    pub retries: u64,
    /// Batches cut in two: the body was too long here, or 413 there.
    pub splits: u64,
    /// Bytes of bodies before compression.
    pub body_bytes: u64,
    /// Bytes of bodies as sent.
    pub sent_bytes: u64,
    /// Time between sending and the end of each POST, added up.
    pub post_time: Duration,
    /// When New Relic last accepted a request, on both clocks.
    pub last_success: Option<(Duration, UnixMillis)>,
    /// Dead letters that a failing disk did not take in time.
    pub letters_dropped: u64,
    /// Most events that were in memory alone at once.
    pub buffer_events_peak: usize,
    /// Most bytes of events that were in memory at once, whether or not also in the spool.
    pub resident_bytes_peak: usize,
    /// Most bytes of events that were in the spool at once.
    pub spool_bytes_peak: usize,
    /// Operations of the spool that failed.
    pub spool_failures: u64,
    /// Why the last one failed; `None` once one succeeded again.
    pub spool_error: Option<String>,
}
