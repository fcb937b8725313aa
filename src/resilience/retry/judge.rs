//! Which failures are worth another try.
//!
//! Invariants:
//! - Of the client errors only 408, 425 and 429 may be tried again: the others say that the
//!   request itself is wrong, and it would be wrong again.
//! - A request that may have been carried out is sent again only if it does no harm twice.

use std::time::Duration;

use http::StatusCode;

use crate::ports::{Fate, HttpError, HttpResponse};

/// What a result means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was wanted.
    Done,
    /// Another try may succeed; with the wait the other side asked for.
    RetryAfter(Option<Duration>),
    /// Another try would fail as well, or do harm.
    GiveUp,
}

impl Verdict {
    /// `Ok` is done, an error says itself what it is.
    pub fn of<T, E: Retryable>(result: &Result<T, E>) -> Self {
        result.as_ref().map_or_else(Retryable::verdict, |_| Self::Done)
    }
}

/// An error that knows whether another try may succeed.
pub trait Retryable {
    /// [`Verdict::RetryAfter`] or [`Verdict::GiveUp`].
    fn verdict(&self) -> Verdict;
}

/// Only what surely never left is sent again; [`HttpJudge`] has the choice.
impl Retryable for HttpError {
    fn verdict(&self) -> Verdict {
        HttpJudge { idempotent: false }.error(self)
    }
}

/// Whether the same request may succeed later, by the status of its answer: 408, 425, 429, and
/// the server's own failures except those that say it never will (501, 505).
pub fn may_succeed_later(status: StatusCode) -> bool {
    match status.as_u16() {
        408 | 425 | 429 => true,
        501 | 505 => false,
        code => code >= 500,
    }
}

/// Judges an HTTP exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpJudge {
    /// Whether the request does no harm when it is carried out twice.
    pub idempotent: bool,
}

impl HttpJudge {
    /// Judges `result`; `asked` is its `Retry-After`, if there is one.
    pub fn verdict(
        self,
        result: &Result<HttpResponse, HttpError>,
        asked: Option<Duration>,
    ) -> Verdict {
        match result {
            Ok(answer) if answer.status().is_success() => Verdict::Done,
            Ok(answer) if may_succeed_later(answer.status()) => Verdict::RetryAfter(asked),
            Ok(_) => Verdict::GiveUp,
            Err(error) => self.error(error),
        }
    }

    fn error(self, error: &HttpError) -> Verdict {
        match (error, error.fate()) {
            (HttpError::Request(_), _) => Verdict::GiveUp,
            (_, Fate::NotSent) => Verdict::RetryAfter(None),
            (_, Fate::Unknown) if self.idempotent => Verdict::RetryAfter(None),
            (_, Fate::Unknown) => Verdict::GiveUp,
        }
    }
}
