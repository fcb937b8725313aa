//! Where a cycle's raw samples come from: one source per Kafka cluster or nri-kafka output.
//!
//! A trait, because a pipeline has sources of several kinds at once; a test's script is one more.

use std::future::Future;
use std::pin::Pin;

use super::report::SourceFailure;
use crate::domain::sample::RawSample;

/// What one source gave in one cycle.
#[derive(Debug, Default)]
pub struct Collected {
    /// Its samples.
    pub samples: Vec<RawSample<'static>>,
    /// What it could not give.
    pub missing: Vec<MissingPart>,
}

/// A part that a source could not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPart {
    /// Name in counters.
    pub reason: String,
    /// Which part, and why, in words.
    pub detail: String,
}

/// The future of [`Source::collect`]; it stays on its thread, as the pipeline does.
pub type Collecting<'a> = Pin<Box<dyn Future<Output = Result<Collected, SourceFailure>> + 'a>>;

/// A source of raw samples.
pub trait Source {
    /// Its name in reports, logs and metrics, e.g. `kafka/orders`.
    fn name(&self) -> &str;

    /// Collects once. The future may be dropped at any await point (the cycle's deadline); the
    /// next call then begins anew.
    ///
    /// # Errors
    /// When nothing at all can be collected.
    fn collect(&mut self) -> Collecting<'_>;
}
