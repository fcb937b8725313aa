//! What an answer of NerdGraph means.
//!
//! Source: the error shapes that newrelic-client-go, newrelic-cli and the Terraform provider look
//! for; NerdGraph reports most failures with status 200.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::Value;

use crate::ports::{Fate, HttpError, HttpResponse};
use crate::resilience::breaker::Outcome;
use crate::resilience::retry::{Retryable, Verdict};

/// One element of `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What New Relic says.
    pub message: String,
    /// `extensions.errorClass` or `extensions.error_code`; empty when it has none.
    pub class: String,
    /// The field it is about, joined by dots: `actor.account.nrql`; empty for the whole request.
    pub path: String,
}

/// Why a query gave no data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NerdGraphError {
    /// 401, 403 or `BAD_API_KEY`.
    #[error("New Relic does not accept the user key: {0}")]
    Key(String),
    /// 402.
    #[error("New Relic asks for payment")]
    Payment,
    /// 429 or `TOO_MANY_REQUESTS`.
    #[error("New Relic has too many requests: {message}")]
    TooMany {
        /// What it says.
        message: String,
        /// The wait it asks for.
        after: Option<Duration>,
    },
    /// `TIMEOUT`: the NRQL ran longer than it may.
    #[error("the NRQL query ran out of time: {0}")]
    NrqlTimeout(String),
    /// The NRQL is wrong.
    #[error("{0}")]
    Nrql(String),
    /// The request is wrong: an unknown field, a bad type, a missing variable.
    #[error("NerdGraph refuses the request: {0}")]
    Invalid(String),
    /// 5xx, or `SERVER_ERROR` of the whole request.
    #[error("NerdGraph failed: {0}")]
    Server(String),
    /// Nothing came back.
    #[error("no answer from NerdGraph: {reason}")]
    NoAnswer {
        /// Why.
        reason: String,
        /// Whether the request may have been carried out.
        sent: bool,
        /// Whether time ran out.
        timeout: bool,
    },
    /// Something came back that is not NerdGraph's.
    #[error("unreadable answer from NerdGraph: {0}")]
    Unreadable(String),
    /// The breaker is open.
    #[error("NerdGraph is not asked: its breaker is open")]
    CircuitOpen,
    /// More at once than the limiter ever lets pass.
    #[error("NerdGraph is not asked: the limiter lets nothing pass")]
    RateLimit,
    /// A change that New Relic refused, with the type and description it gives.
    #[error("New Relic refused the change: {0}")]
    Refused(String),
}

impl NerdGraphError {
    /// The class of an exchange without answer.
    pub(super) fn lost(error: &HttpError) -> Self {
        Self::NoAnswer {
            reason: error.to_string(),
            sent: error.fate() == Fate::Unknown,
            timeout: matches!(error, HttpError::Timeout { .. }),
        }
    }

    /// What it says about NerdGraph. A refusal of the request itself says nothing: the service
    /// works.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Key(_)
            | Self::Payment
            | Self::Nrql(_)
            | Self::NrqlTimeout(_)
            | Self::Invalid(_)
            | Self::CircuitOpen
            | Self::RateLimit
            | Self::Refused(_) => Outcome::Ignored,
            Self::TooMany { .. } => Outcome::Failure("rate_limited".into()),
            Self::Server(_) => Outcome::Failure("server_error".into()),
            Self::NoAnswer { timeout: true, .. } => Outcome::Timeout,
            Self::NoAnswer { .. } => Outcome::Failure("no_answer".into()),
            Self::Unreadable(_) => Outcome::Failure("unreadable".into()),
        }
    }

    /// Whether the same may succeed later, for a request that does no harm twice or did not leave.
    pub(super) fn verdict_of(&self, idempotent: bool) -> Verdict {
        match self {
            // Refused before anything was done.
            Self::TooMany { after, .. } => Verdict::RetryAfter(*after),
            Self::NoAnswer { sent: false, .. } => Verdict::RetryAfter(None),
            Self::Server(_) | Self::NoAnswer { .. } | Self::Unreadable(_) if idempotent => {
                Verdict::RetryAfter(None)
            }
            _ => Verdict::GiveUp,
        }
    }
}

impl Retryable for NerdGraphError {
    fn verdict(&self) -> Verdict {
        self.verdict_of(false)
    }
}

#[derive(Deserialize)]
struct RawAnswer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<RawProblem>,
}

#[derive(Deserialize)]
struct RawProblem {
    #[serde(default)]
    message: String,
    #[serde(default)]
    path: Vec<Value>,
    #[serde(default)]
    extensions: RawExtensions,
}

#[derive(Deserialize, Default)]
struct RawExtensions {
    #[serde(rename = "errorClass")]
    error_class: Option<String>,
    error_code: Option<String>,
}

impl From<RawProblem> for Problem {
    fn from(raw: RawProblem) -> Self {
        let segment = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        let path: Vec<String> = raw.path.iter().map(segment).collect();
        Self {
            message: raw.message,
            class: raw.extensions.error_class.or(raw.extensions.error_code).unwrap_or_default(),
            path: path.join("."),
        }
    }
}

/// `data` of a whole answer, and remarks about deprecated fields.
///
/// # Errors
/// Its class; of several errors the first that is no mere remark counts.
pub(super) fn read(answer: &HttpResponse) -> Result<(Value, Vec<Problem>), NerdGraphError> {
    let status = answer.status();
    let text = || String::from_utf8_lossy(&answer.body()[..answer.body().len().min(200)]).into();
    let body = serde_json::from_slice::<RawAnswer>(answer.body());
    let problems: Vec<Problem> = match body {
        Ok(RawAnswer { data, errors }) if status.is_success() => {
            let problems: Vec<Problem> = errors.into_iter().map(Problem::from).collect();
            let (remarks, errors): (Vec<_>, Vec<_>) = problems
                .into_iter()
                .partition(|p| p.message.starts_with("This field is deprecated!"));
            return match (errors.first(), data) {
                (Some(problem), _) => Err(class(problem, retry_after(answer))),
                (None, Some(data)) => Ok((data, remarks)),
                (None, None) => Err(NerdGraphError::Unreadable(text())),
            };
        }
        Ok(RawAnswer { errors, .. }) => errors.into_iter().map(Problem::from).collect(),
        Err(_) => Vec::new(),
    };
    let said = problems.first().map_or_else(|| format!("status {status}"), |p| p.message.clone());
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => NerdGraphError::Key(said),
        StatusCode::PAYMENT_REQUIRED => NerdGraphError::Payment,
        StatusCode::TOO_MANY_REQUESTS => {
            NerdGraphError::TooMany { message: said, after: retry_after(answer) }
        }
        _ if status.is_server_error() => NerdGraphError::Server(said),
        _ if status.is_client_error() => NerdGraphError::Invalid(said),
        _ => NerdGraphError::Unreadable(text()),
    })
}

fn class(problem: &Problem, after: Option<Duration>) -> NerdGraphError {
    let said = problem.message.clone();
    match problem.class.as_str() {
        "BAD_API_KEY" | "UNAUTHORIZED" | "ACCESS_DENIED" => NerdGraphError::Key(said),
        "TOO_MANY_REQUESTS" => NerdGraphError::TooMany { message: said, after },
        "TIMEOUT" => NerdGraphError::NrqlTimeout(said),
        // A wrong query fails its field with the class of the server's own failures.
        _ if problem.path.ends_with("nrql") => NerdGraphError::Nrql(said),
        "SERVER_ERROR" | "INTERNAL_SERVER_ERROR" => NerdGraphError::Server(said),
        _ => NerdGraphError::Invalid(said),
    }
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
