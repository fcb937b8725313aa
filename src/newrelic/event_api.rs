//! Client of the Event API: one POST, one outcome.
//!
//! Source: "Introduction to the Event API" (statuses, headers) and New Relic's guidance on
//! retries: repeat 408, 429 and 5xx, honour `Retry-After`, never repeat 400 and 403, split on 413.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode, Uri};

use super::key::ApiKey;
use crate::domain::units::UnixMillis;
use crate::ports::{Fate, Http, HttpError, HttpLimits, HttpResponse};
use crate::resilience::breaker::Admitted;

/// Longest answer read; real ones have about 70 bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One body, ready to go.
#[derive(Debug, Clone)]
pub struct Payload {
    /// JSON, gzipped when `gzip` says so.
    pub body: Bytes,
    /// Whether `body` is gzipped.
    pub gzip: bool,
    /// Value of `X-Request-Id`.
    pub request_id: String,
}

/// How one POST ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostOutcome {
    /// Taken for parsing; single events may still turn out bad later.
    Accepted {
        /// New Relic's id of the request.
        uuid: String,
    },
    /// Sending the same again gives the same answer.
    Rejected(RejectReason),
    /// 413: fewer events may pass.
    TooLarge,
    /// Not taken; worth another try.
    RetryLater {
        /// Why.
        reason: RetryReason,
        /// The wait that the answer asked for.
        after: Option<Duration>,
    },
    /// It may have been taken.
    Unknown(UnknownReason),
}

/// Why New Relic will never take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// 400: body or its length.
    BadRequest,
    /// 401 or 403: the key.
    Key,
    /// 415: content type or encoding.
    MediaType,
}

impl RejectReason {
    /// Name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Key => "forbidden",
            Self::MediaType => "unsupported_media_type",
        }
    }
}

/// Why a request was not taken this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryReason {
    /// It never left.
    NotSent,
    /// 408.
    ServerTimeout,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// A status the Event API does not document (a proxy's, a wrong address's).
    UnexpectedStatus(u16),
}

impl RetryReason {
    /// Name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::ServerTimeout => "server_timeout",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::UnexpectedStatus(_) => "unexpected_status",
        }
    }
}

/// Why nobody knows whether a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownReason {
    /// No answer in time.
    Timeout,
    /// The connection broke after the request began to leave.
    Broken,
    /// The answer is unreadable: not HTTP, too long, or a 2xx without the promised JSON.
    Answer,
}

impl UnknownReason {
    /// Name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Answer => "answer",
        }
    }
}

/// One account's door to the Event API.
#[derive(Debug, Clone)]
pub struct EventApi {
    uri: Uri,
    key: ApiKey,
}

impl EventApi {
    /// A door at `uri` (see [`super::Addresses::events_of`]).
    pub fn new(uri: Uri, key: ApiKey) -> Self {
        Self { uri, key }
    }

    /// Where it leads.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Sends `payload` and says how that ended; `now` is needed for a `Retry-After` date. Who
    /// calls it proves that a breaker let the call pass: there is no way around one.
    pub async fn post<H: Http>(
        &self,
        _admitted: Admitted,
        http: &H,
        payload: Payload,
        timeout: Duration,
        now: impl Fn() -> UnixMillis,
    ) -> PostOutcome {
        let limits = HttpLimits { timeout, body_bytes_max: ANSWER_BYTES_MAX };
        match http.send(self.request(payload), limits).await {
            Ok(answer) => classify(&answer, now()),
            Err(error) => lost(&error),
        }
    }

    fn request(&self, payload: Payload) -> Request<Bytes> {
        let mut request = Request::new(payload.body);
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.uri);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if payload.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut key = HeaderValue::from_str(self.key.expose())
            .expect("ApiKey holds visible ASCII characters only");
        key.set_sensitive(true);
        headers.insert("api-key", key);
        if let Ok(id) = HeaderValue::from_str(&payload.request_id) {
            headers.insert("x-request-id", id);
        }
        request
    }
}

#[derive(serde::Deserialize)]
struct Answer {
    success: bool,
    uuid: String,
}

/// The class of a whole answer.
fn classify(answer: &HttpResponse, now: UnixMillis) -> PostOutcome {
    let status = answer.status();
    let later = |reason| PostOutcome::RetryLater { reason, after: retry_after(answer, now) };
    match status {
        _ if status.is_success() => match serde_json::from_slice::<Answer>(answer.body()) {
            Ok(Answer { success: true, uuid }) => PostOutcome::Accepted { uuid },
            _ => PostOutcome::Unknown(UnknownReason::Answer),
        },
        StatusCode::BAD_REQUEST => PostOutcome::Rejected(RejectReason::BadRequest),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            PostOutcome::Rejected(RejectReason::Key)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => PostOutcome::Rejected(RejectReason::MediaType),
        StatusCode::PAYLOAD_TOO_LARGE => PostOutcome::TooLarge,
        StatusCode::REQUEST_TIMEOUT => later(RetryReason::ServerTimeout),
        StatusCode::TOO_MANY_REQUESTS => later(RetryReason::RateLimited),
        _ if status.is_server_error() => later(RetryReason::ServerError),
        _ => later(RetryReason::UnexpectedStatus(status.as_u16())),
    }
}

fn lost(error: &HttpError) -> PostOutcome {
    tracing::warn!(%error, "New Relic gave no answer.");
    match (error.fate(), error) {
        (Fate::NotSent, _) => PostOutcome::RetryLater { reason: RetryReason::NotSent, after: None },
        (Fate::Unknown, HttpError::Timeout { .. }) => PostOutcome::Unknown(UnknownReason::Timeout),
        (Fate::Unknown, HttpError::Garbage { .. } | HttpError::BodyTooLong { .. }) => {
            PostOutcome::Unknown(UnknownReason::Answer)
        }
        (Fate::Unknown, _) => PostOutcome::Unknown(UnknownReason::Broken),
    }
}

/// `Retry-After` as seconds or as a date (RFC 9110, 10.2.3); a date in the past is no wait.
fn retry_after(answer: &HttpResponse, now: UnixMillis) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let wait = date.timestamp().as_millisecond().saturating_sub(now.0);
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(784_111_777_000); // Sun, 06 Nov 1994 08:49:37 GMT

    #[test]
    fn every_answer_has_one_class() {
        let check = |status: u16, header: Option<&str>, body: &'static str, expected| {
            let mut answer = http::Response::new(Bytes::from_static(body.as_bytes()));
            *answer.status_mut() = StatusCode::from_u16(status).expect("status");
            if let Some(wait) = header {
                answer.headers_mut().insert(RETRY_AFTER, wait.parse().expect("header"));
            }
            assert_eq!(classify(&answer, NOW), expected, "{status} {header:?} {body}");
        };
        let later = |reason, seconds: Option<u64>| PostOutcome::RetryLater {
            reason,
            after: seconds.map(Duration::from_secs),
        };
        let unknown = PostOutcome::Unknown(UnknownReason::Answer);
        let ok = r#"{"success":true,"uuid":"u1"}"#;
        check(200, None, ok, PostOutcome::Accepted { uuid: "u1".into() });
        check(202, None, ok, PostOutcome::Accepted { uuid: "u1".into() });
        check(200, None, r#"{"success":true,"uu"#, unknown.clone());
        check(200, None, r#"{"success":false,"uuid":"u1"}"#, unknown.clone());
        check(200, None, "<html>", unknown.clone());
        check(200, None, "", unknown);
        check(400, None, "", PostOutcome::Rejected(RejectReason::BadRequest));
        check(401, None, "", PostOutcome::Rejected(RejectReason::Key));
        check(403, None, "", PostOutcome::Rejected(RejectReason::Key));
        check(415, None, "", PostOutcome::Rejected(RejectReason::MediaType));
        check(413, None, "", PostOutcome::TooLarge);
        check(408, None, "", later(RetryReason::ServerTimeout, None));
        check(429, Some("30"), "", later(RetryReason::RateLimited, Some(30)));
        check(429, Some("soon"), "", later(RetryReason::RateLimited, None));
        check(503, Some("Sun, 06 Nov 1994 08:50:37 GMT"), "", {
            later(RetryReason::ServerError, Some(60))
        });
        check(503, Some("Sun, 06 Nov 1994 08:00:00 GMT"), "", {
            later(RetryReason::ServerError, Some(0))
        });
        check(500, None, "", later(RetryReason::ServerError, None));
        check(404, None, "", later(RetryReason::UnexpectedStatus(404), None));
        check(302, None, "", later(RetryReason::UnexpectedStatus(302), None));
    }

    #[test]
    fn a_lost_answer_is_unknown_only_when_the_request_may_have_left() {
        let authority = || "newrelic:3000".to_owned();
        let timeout = |sent| HttpError::Timeout {
            authority: authority(),
            timeout: Duration::from_secs(1),
            sent,
        };
        let refused = HttpError::Connect {
            authority: authority(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        let not_sent = PostOutcome::RetryLater { reason: RetryReason::NotSent, after: None };
        let broken = HttpError::Broken { authority: authority(), reason: "eof".into() };
        let garbage = HttpError::Garbage { authority: authority(), reason: "status".into() };
        let check = |error: &HttpError, expected: PostOutcome| {
            assert_eq!(lost(error), expected, "{error}");
        };
        check(&refused, not_sent.clone());
        check(&timeout(false), not_sent);
        check(&timeout(true), PostOutcome::Unknown(UnknownReason::Timeout));
        check(&broken, PostOutcome::Unknown(UnknownReason::Broken));
        check(&garbage, PostOutcome::Unknown(UnknownReason::Answer));
    }

    #[test]
    fn the_request_carries_what_the_event_api_asks_for() {
        let key = ApiKey::ingest("secret-license-key").expect("valid");
        let api =
            EventApi::new("http://newrelic:3000/v1/accounts/1/events".parse().expect("uri"), key);
        let payload =
            Payload { body: Bytes::from_static(b"[]"), gzip: true, request_id: "id-1".into() };
        let request = api.request(payload);
        assert_eq!(request.method(), Method::POST);
        let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
        assert_eq!(header("api-key"), Some("secret-license-key"));
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(header("content-encoding"), Some("gzip"));
        assert_eq!(header("x-request-id"), Some("id-1"));
        assert!(!format!("{request:?} {api:?}").contains("license-key"));
    }
}
