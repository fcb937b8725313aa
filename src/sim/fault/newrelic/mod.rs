//! Faults of New Relic itself: what it answers, how late, and whom it hits.

use std::time::Duration;

use super::Action;
use crate::config::quantity::DurationText;
use crate::sim::newrelic::IngestFault;

pub mod accepted_then_lost;
pub mod forbidden;
pub mod garbage_answers;
pub mod late_synthesis;
pub mod payload_too_large;
pub mod request_timeout;
pub mod server_error;
pub mod slow_answers;
pub mod too_many_requests;
pub mod truncated_answers;
pub mod unavailable;

/// What New Relic does while it misbehaves.
#[derive(Debug, Clone, PartialEq)]
pub enum NewRelicFault {
    /// To requests.
    Ingest {
        /// What happens to those that it hits.
        fault: IngestFault,
        /// Share of the requests that it hits, 0.0 to 1.0.
        share: f64,
    },
    /// Entities become visible this much later than usual; requests are answered as ever.
    LateSynthesis {
        /// How much.
        lag: Duration,
    },
}

impl NewRelicFault {
    fn ingest(fault: IngestFault, share: Option<f64>) -> Self {
        Self::Ingest { fault, share: share.unwrap_or(1.0) }
    }

    /// Whether ingest itself goes on as ever.
    pub const fn spares_ingest(&self) -> bool {
        matches!(self, Self::LateSynthesis { .. })
    }

    /// How long it asks callers to leave it alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Ingest { fault: IngestFault::Status { retry_after_seconds, .. }, .. } => {
                retry_after_seconds.map(|seconds| Duration::from_secs(seconds.into()))
            }
            _ => None,
        }
    }

    /// How much later than usual entities become visible under it.
    pub fn lag(&self) -> Duration {
        match self {
            Self::LateSynthesis { lag } => *lag,
            Self::Ingest { .. } => Duration::ZERO,
        }
    }
}

fn begin_and_end(fault: NewRelicFault) -> (Vec<Action>, Vec<Action>) {
    (vec![Action::NewRelic(fault.clone())], vec![Action::NewRelicWell(fault)])
}

/// The seconds of a `Retry-After` whose form was found right.
fn whole_seconds(wait: DurationText) -> u32 {
    u32::try_from(wait.0.as_secs()).unwrap_or(u32::MAX)
}
