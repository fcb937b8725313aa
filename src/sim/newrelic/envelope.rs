//! The Event API's rules about a request's head, checked before its body is read.
//!
//! Source: New Relic's "Introduction to the Event API". Order (assumed): key, rate, length, content type, encoding.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use super::config::Account;
use super::parse::Encoding;
use crate::newrelic::limits::EVENT_API_BODY_BYTES_MAX;

/// An answer other than 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: &'static str,
    pub(super) retry_after_seconds: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: &'static str) -> Self {
        Self { status, message, retry_after_seconds: None }
    }
}

/// A head that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) encoding: Encoding,
    pub(super) body_bytes: usize,
}

/// The ingest key that a request presents, if it opens `account`.
pub(super) fn key<'h>(
    headers: &'h HeaderMap,
    account: Option<&Account>,
) -> Result<&'h str, Refusal> {
    let forbidden = |message| Refusal::new(StatusCode::FORBIDDEN, message);
    let presented = ["api-key", "x-insert-key", "x-license-key"]
        .into_iter()
        .find_map(|name| headers.get(name))
        .ok_or_else(|| forbidden("Missing insert key"))?;
    let presented = presented.to_str().map_err(|_| forbidden("Invalid insert key"))?;
    match account {
        Some(account) if account.admits(presented) => Ok(presented),
        _ => Err(forbidden("Invalid insert key")),
    }
}

/// Length, content type and encoding.
pub(super) fn head(headers: &HeaderMap) -> Result<Head, Refusal> {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str());
    let length = match text(CONTENT_LENGTH).map(|v| v.ok().and_then(|v| v.parse::<u64>().ok())) {
        Some(Some(length)) => length,
        _ => {
            let message = "Missing or invalid content length";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
    };
    if length == 0 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "Empty request body"));
    }
    let body_bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if body_bytes > EVENT_API_BODY_BYTES_MAX {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body over 1 MB"));
    }
    let unsupported = |message| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    match text(CONTENT_TYPE) {
        Some(Ok(kind)) if kind.trim().to_ascii_lowercase().starts_with("multipart/") => {
            return Err(unsupported("Unsupported content type"));
        }
        Some(Err(_)) => return Err(unsupported("Unsupported content type")),
        _ => {}
    }
    let encoding = match text(CONTENT_ENCODING) {
        None => Encoding::Identity,
        Some(Ok(name)) => match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Encoding::Identity,
            "gzip" => Encoding::Gzip,
            "deflate" => Encoding::Deflate,
            _ => return Err(unsupported("Unsupported content encoding")),
        },
        Some(Err(_)) => return Err(unsupported("Unsupported content encoding")),
    };
    Ok(Head { encoding, body_bytes })
}
