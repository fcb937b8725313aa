//! What became of a call, and how results are read as outcomes.
//!
//! Invariants:
//! - An answer that was lost after sending is [`Outcome::Unknown`]: it counts as a failure here
//!   and must not be taken for one by those who decide whether to send again.
//! - What the caller did wrong says nothing about the dependency and is ignored.

use std::borrow::Cow;
use std::time::Duration;

use crate::ports::{Fate, HttpError, HttpResponse};

/// What became of an admitted call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The dependency did what it was asked.
    Success,
    /// It did not, in words.
    Failure(Cow<'static, str>),
    /// It did not answer in time. Counts as a failure.
    Timeout,
    /// The call panicked. Counts as a failure.
    Panic,
    /// Nobody knows whether it was carried out. Counts as a failure.
    Unknown(Cow<'static, str>),
    /// It says nothing about the dependency: bad input, missing rights, cancelled by the caller.
    Ignored,
}

/// When a call ended and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The end, monotonic.
    pub now: Duration,
    /// The duration, where the caller measured it.
    pub took: Option<Duration>,
}

/// Reads results as outcomes.
pub trait Classify<T, E> {
    /// The outcome that `result` amounts to.
    fn classify(&self, result: &Result<T, E>) -> Outcome;
}

impl<T, E, F: Fn(&Result<T, E>) -> Outcome> Classify<T, E> for F {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        self(result)
    }
}

/// Every error is a failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyError;

impl<T, E: std::fmt::Display> Classify<T, E> for AnyError {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => Outcome::Failure(error.to_string().into()),
        }
    }
}

/// HTTP exchanges: status codes by [`of_status`], missing answers by [`of_http_error`].
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpOutcome;

impl Classify<HttpResponse, HttpError> for HttpOutcome {
    fn classify(&self, result: &Result<HttpResponse, HttpError>) -> Outcome {
        match result {
            Ok(response) => of_status(response.status().as_u16()),
            Err(error) => of_http_error(error),
        }
    }
}

/// A status code as outcome: 408, 429 and 5xx are failures of the dependency; the other 4xx are
/// the caller's.
pub fn of_status(status: u16) -> Outcome {
    match status {
        408 => Outcome::Timeout,
        429 | 500.. => Outcome::Failure(format!("HTTP {status}").into()),
        400..=499 => Outcome::Ignored,
        _ => Outcome::Success,
    }
}

/// A missing answer as outcome: no answer in time is a timeout; a request that was never sendable
/// is the caller's; after a lost answer nobody knows.
pub fn of_http_error(error: &HttpError) -> Outcome {
    match error {
        HttpError::Timeout { .. } => Outcome::Timeout,
        HttpError::Request(_) => Outcome::Ignored,
        _ => match error.fate() {
            Fate::NotSent => Outcome::Failure(error.to_string().into()),
            Fate::Unknown => Outcome::Unknown(error.to_string().into()),
        },
    }
}
