//! The rules about a request's head, checked before its body is read.
//!
//! Source: New Relic's "Introduction to the Event API" and "Report metrics via the Metric API". Order
//! (assumed): length of the head, key, rate, length of the body, content type, encoding.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use super::super::config::Account;
use crate::newrelic::limits::{
    EVENT_API_BODY_BYTES_MAX, METRIC_API_BODY_BYTES_MAX, METRIC_API_HEADER_BYTES_MAX,
    METRIC_API_URI_BYTES_MAX,
};
use crate::sim::newrelic::fault::Target;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

/// An answer other than 200 and 202.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::newrelic) struct Refusal {
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
    /// As declared; `None` when the body comes in chunks.
    pub(super) body_bytes: Option<usize>,
}

/// What a request presents before its body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'r> {
    pub(super) part: Target,
    /// The account that the path names, if it names one.
    pub(super) account: Option<&'r str>,
    pub(super) uri: &'r http::Uri,
    pub(super) headers: &'r HeaderMap,
}

fn forbidden(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, message)
}

/// The ingest key that a request presents. Where it may also stand in the address, both must agree.
pub(super) fn presented_key(arrival: Arrival<'_>) -> Result<String, Refusal> {
    let header = ["api-key", "x-insert-key", "x-license-key"]
        .into_iter()
        .find_map(|name| arrival.headers.get(name));
    let header = match header.map(|value| value.to_str()) {
        None => None,
        Some(Ok(text)) => Some(text.to_owned()),
        Some(Err(_)) => return Err(forbidden("Invalid insert key")),
    };
    let query = match arrival.part {
        Target::Metric => arrival.uri.query().and_then(key_of_query),
        _ => None,
    };
    match (header, query) {
        (Some(header), Some(query)) if header != query => {
            Err(forbidden("Keys of header and query differ"))
        }
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => Err(forbidden("Missing insert key")),
    }
}

fn key_of_query(query: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut keys = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("api-key"));
    keys.next().map(|(_, value)| percent_decoded(value))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |pair: &[u8]| {
            let digits = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        let escaped = (*first == b'%').then(|| tail.get(..2).and_then(hex)).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The account whose door `key` opens, if it is an ingest key of the one that the path names.
pub(super) fn account_of<'c>(
    accounts: &'c [Account],
    named: Option<&str>,
    key: &str,
) -> Result<&'c Account, Refusal> {
    accounts
        .iter()
        .filter(|account| named.is_none_or(|named| account.id.to_string() == named))
        .find(|account| account.admits(key))
        .ok_or_else(|| forbidden("Invalid insert key"))
}

/// Whether address and headers are short enough.
pub(super) fn short_enough(arrival: Arrival<'_>) -> Result<(), Refusal> {
    if arrival.part != Target::Metric {
        return Ok(());
    }
    if arrival.uri.to_string().len() > METRIC_API_URI_BYTES_MAX {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "Request URI too long"));
    }
    // A name, a value, a colon, a space and a line's end.
    let bytes: usize =
        arrival.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > METRIC_API_HEADER_BYTES_MAX {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Refusal::new(status, "Request headers too long"));
    }
    Ok(())
}

/// Length, content type and encoding.
pub(super) fn head(part: Target, headers: &HeaderMap) -> Result<Head, Refusal> {
    let body_bytes = length(part, headers)?;
    content_type(part, headers)?;
    let unsupported =
        || Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported content encoding");
    let encoding = match headers.get(CONTENT_ENCODING).map(|value| value.to_str()) {
        None => Encoding::Identity,
        Some(Ok(name)) => match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Encoding::Identity,
            "gzip" => Encoding::Gzip,
            "deflate" if part != Target::Metric => Encoding::Deflate,
            _ => return Err(unsupported()),
        },
        Some(Err(_)) => return Err(unsupported()),
    };
    Ok(Head { encoding, body_bytes })
}

/// The longest body of a part, in bytes.
pub(super) const fn body_bytes_max(part: Target) -> usize {
    match part {
        Target::Metric => METRIC_API_BODY_BYTES_MAX,
        _ => EVENT_API_BODY_BYTES_MAX,
    }
}

/// The declared length of the body.
pub(super) fn length(part: Target, headers: &HeaderMap) -> Result<Option<usize>, Refusal> {
    let declared = headers.get(CONTENT_LENGTH);
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let length = declared.and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    let Some(length) = length else {
        return match (part, declared) {
            (Target::Event, _) | (_, Some(_)) => {
                let message = "Missing or invalid content length";
                Err(Refusal::new(StatusCode::BAD_REQUEST, message))
            }
            (_, None) if chunked => Ok(None),
            (_, None) => Err(Refusal::new(StatusCode::LENGTH_REQUIRED, "Missing content length")),
        };
    };
    if length == 0 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "Empty request body"));
    }
    let body_bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if body_bytes > body_bytes_max(part) {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body over 1 MB"));
    }
    Ok(Some(body_bytes))
}

fn content_type(part: Target, headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.to_str());
    let kind = match kind {
        None => None,
        Some(Ok(text)) => Some(text.trim().to_ascii_lowercase()),
        Some(Err(_)) => Some("multipart/".to_owned()),
    };
    let json = |kind: &str| kind.split(';').next().map(str::trim) == Some("application/json");
    let taken = match (part, kind.as_deref()) {
        (Target::Metric, kind) => kind.is_some_and(json),
        (_, None) => true,
        (_, Some(kind)) => !kind.starts_with("multipart/"),
    };
    if taken {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported content type"))
}
