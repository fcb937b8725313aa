//! What an error means for retrying, for the breaker and for the component.
//!
//! Purpose: the caller names the class of its typed error; nobody looks for words in a message.
//! The classes and their treatment are those of the error recovery manager's table: network errors
//! wait longer each time, rate limits wait as long as the service asks, wrong credentials end the
//! loop, an invalid item is skipped, memory pressure waits for the host.

use std::borrow::Cow;
use std::time::Duration;

use crate::resilience::breaker::Outcome;

/// Wait before the next try when the service limits the rate without saying for how long.
pub const RATE_LIMIT_DELAY: Duration = Duration::from_secs(60);
/// Wait before the next try when this host is short of memory.
pub const MEMORY_DELAY: Duration = Duration::from_secs(5);

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Nothing reached the service, or nothing came of it: no name, refused, reset before sending.
    Network,
    /// The service answered that it failed (5xx, 408).
    Server,
    /// No answer in time.
    Timeout,
    /// The request left and its answer is missing: it may have been carried out.
    UnknownOutcome,
    /// The service wants fewer calls (429), and says when to come again or not.
    RateLimit {
        /// What the service asked for.
        retry_after: Option<Duration>,
    },
    /// Credentials are wrong or insufficient (401, 403): trying again changes nothing.
    Auth,
    /// The item is invalid (400, 413 and the like): it is skipped, the component is not at fault.
    Validation,
    /// This host is short of memory; it says nothing of the service.
    Memory,
    /// The caller no longer wants the result.
    Cancelled,
    /// Any other failure for which trying again is of no use.
    Fatal,
}

impl ErrorClass {
    /// `network`, `server`, `timeout`, `unknown_outcome`, `rate_limit`, `auth`, `validation`,
    /// `memory`, `cancelled`, `fatal`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Server => "server",
            Self::Timeout => "timeout",
            Self::UnknownOutcome => "unknown_outcome",
            Self::RateLimit { .. } => "rate_limit",
            Self::Auth => "auth",
            Self::Validation => "validation",
            Self::Memory => "memory",
            Self::Cancelled => "cancelled",
            Self::Fatal => "fatal",
        }
    }

    /// Whether another try may help. What may have been carried out already is only tried again
    /// when doing it twice does no harm (`idempotent`).
    pub const fn is_retryable(self, idempotent: bool) -> bool {
        match self {
            Self::Network | Self::Server | Self::RateLimit { .. } | Self::Memory => true,
            Self::Timeout | Self::UnknownOutcome => idempotent,
            Self::Auth | Self::Validation | Self::Cancelled | Self::Fatal => false,
        }
    }

    /// How long the next try has to wait at least, where that is not the back-off's business.
    pub const fn asked_delay(self) -> Option<Duration> {
        match self {
            Self::RateLimit { retry_after: Some(delay) } => Some(delay),
            Self::RateLimit { retry_after: None } => Some(RATE_LIMIT_DELAY),
            Self::Memory => Some(MEMORY_DELAY),
            _ => None,
        }
    }

    /// Whether the item or the caller is the reason, so that it says nothing of the component.
    pub const fn skips_item(self) -> bool {
        matches!(self, Self::Validation | Self::Cancelled)
    }

    /// What the breaker is told, with the error's words: wrong credentials, invalid items, lack of
    /// memory here and cancellation say nothing of the service behind it.
    pub fn outcome(self, error: &str) -> Outcome {
        let words = || Cow::Owned(error.to_owned());
        match self {
            Self::Network | Self::Server | Self::RateLimit { .. } | Self::Fatal => {
                Outcome::Failure(words())
            }
            Self::Timeout => Outcome::Timeout,
            Self::UnknownOutcome => Outcome::Unknown(words()),
            Self::Auth | Self::Validation | Self::Memory | Self::Cancelled => Outcome::Ignored,
        }
    }
}
