//! What an execution gives: a result and where it comes from, or all that went wrong.

use std::sync::Arc;
use std::time::Duration;

use super::ErrorClass;
use crate::ports::Elapsed;
use crate::resilience::breaker::Rejected;

/// Where a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the component, just now.
    Fresh,
    /// From the component, some time ago.
    Cached {
        /// How long ago.
        age: Duration,
    },
    /// From the fallback.
    Fallback,
}

/// A result and its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered<T> {
    /// The result.
    pub value: T,
    /// Where it comes from.
    pub source: Source,
    /// Tries that were made, failed ones included; 0 when the breaker admitted none.
    pub tries: u32,
}

/// Why one try, or a fallback, gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum TryError<E> {
    /// It took too long and was cancelled.
    #[error(transparent)]
    TimedOut(Elapsed),
    /// It panicked, with these words.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It failed.
    #[error("{error}")]
    Failed {
        /// How.
        error: E,
        /// As its caller classifies it.
        class: ErrorClass,
    },
}

impl<E> TryError<E> {
    /// `TIMEOUT`, `PANIC`, or the error's class.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TimedOut(_) => "TIMEOUT",
            Self::Panicked(_) => "PANIC",
            Self::Failed { class, .. } => class.as_str(),
        }
    }
}

/// Why no further try was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// All tries were made.
    #[error("all tries were made")]
    AttemptsSpent,
    /// Another try would be of no use, or do harm.
    #[error("another try is of no use")]
    NotRetryable,
    /// The next try would have begun after the deadline.
    #[error("the deadline leaves no time for another try")]
    DeadlinePassed,
    /// The shared budget had no retry left.
    #[error("the retry budget is spent")]
    BudgetSpent,
    /// The breaker admitted no call, or would not by the time of the next try.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

/// All tries of an execution came to nothing, and nothing answered in their place.
#[derive(Debug)]
pub struct Failure<E> {
    /// Whose.
    pub component: Arc<str>,
    /// Why each try failed, in order; empty when the breaker admitted none.
    pub tries: Vec<TryError<E>>,
    /// Why there were no more.
    pub stopped: Stopped,
    /// Why the fallback failed, where there is one.
    pub fallback: Option<TryError<E>>,
}

impl<E> Failure<E> {
    /// `CIRCUIT_OPEN` when the breaker ended it, else the last try's code.
    pub fn code(&self) -> &'static str {
        match (&self.stopped, self.tries.last()) {
            (Stopped::Rejected(_), _) | (_, None) => Rejected::CODE,
            (_, Some(last)) => last.code(),
        }
    }

    /// Whether a breaker ended it.
    pub fn is_rejected(&self) -> bool {
        matches!(self.stopped, Stopped::Rejected(_))
    }

    /// The last try's own error, if it had one.
    pub fn into_error(mut self) -> Option<E> {
        match self.tries.pop()? {
            TryError::Failed { error, .. } => Some(error),
            TryError::TimedOut(_) | TryError::Panicked(_) => None,
        }
    }
}

impl<E: std::fmt::Display> std::fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed: {}", self.component, self.stopped)?;
        for (index, cause) in self.tries.iter().enumerate() {
            write!(f, "; try {}: {cause}", index + 1)?;
        }
        match &self.fallback {
            Some(cause) => write!(f, "; fallback: {cause}"),
            None => Ok(()),
        }
    }
}

// All causes are in the text; a chain of sources would repeat the last one.
impl<E: std::fmt::Debug + std::fmt::Display> std::error::Error for Failure<E> {}

/// There is no component of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no component is registered as `{0}`")]
pub struct UnknownComponent(pub String);

/// Why an execution by name gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError<E: std::fmt::Debug + std::fmt::Display> {
    /// Nothing was executed.
    #[error(transparent)]
    Unknown(#[from] UnknownComponent),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Failure<E>),
}
