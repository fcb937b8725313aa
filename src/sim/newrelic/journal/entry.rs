//! One input as it is kept: a head as JSON, then the body as it came.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::units::UnixMillis;

/// Bytes of a digest of a key.
const DIGEST_BYTES: usize = 16;

/// Names a key without showing it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyDigest(String);

impl KeyDigest {
    /// Of a key's text.
    pub fn of(key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        Self(digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A request that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// For example `POST`.
    pub method: String,
    /// Path and query, without a key.
    pub target: String,
    /// Headers that matter, without keys.
    pub headers: Vec<(String, String)>,
    /// The key that it came with.
    pub key: Option<KeyDigest>,
    /// Body as sent.
    pub body: Bytes,
    /// Whether it counts for ever, as what users change does, or as long as data are kept.
    pub for_ever: bool,
}

/// What changed the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A request.
    Request(Taken),
    /// From now on entities become visible so much later than usual.
    SynthesisDelay(Duration),
    /// Nothing but time.
    Clock,
}

/// An input and its instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Virtual time at which it was taken.
    pub at: UnixMillis,
    /// What.
    pub input: Input,
}

/// A record that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadEntry(String);

/// What stands before the body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestHead>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    synthesis_delay_ms: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestHead {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<KeyDigest>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    for_ever: bool,
}

impl Entry {
    /// Whether it counts for ever.
    pub fn for_ever(&self) -> bool {
        match &self.input {
            Input::Request(taken) => taken.for_ever,
            Input::SynthesisDelay(_) => true,
            Input::Clock => false,
        }
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        match &self.input {
            Input::Request(taken) => {
                let headers = taken.headers.iter().map(|(name, value)| name.len() + value.len());
                256 + taken.target.len() + headers.sum::<usize>() + taken.body.len()
            }
            _ => 64,
        }
    }

    /// As a record.
    ///
    /// # Errors
    /// A head that has no JSON form, or is too long; neither happens to what [`Entry`] can hold.
    pub fn encode(&self) -> Result<Vec<u8>, BadEntry> {
        let mut head = Head { at_ms: self.at.0, request: None, synthesis_delay_ms: None };
        let mut body: &[u8] = &[];
        match &self.input {
            Input::Request(taken) => {
                head.request = Some(RequestHead {
                    method: taken.method.clone(),
                    target: taken.target.clone(),
                    headers: taken.headers.clone(),
                    key: taken.key.clone(),
                    for_ever: taken.for_ever,
                });
                body = &taken.body;
            }
            Input::SynthesisDelay(delay) => {
                head.synthesis_delay_ms = Some(crate::domain::units::whole_millis(*delay));
            }
            Input::Clock => {}
        }
        let head = serde_json::to_vec(&head).map_err(|error| BadEntry(error.to_string()))?;
        let length = u32::try_from(head.len()).map_err(|error| BadEntry(error.to_string()))?;
        let mut record = Vec::with_capacity(4 + head.len() + body.len());
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&head);
        record.extend_from_slice(body);
        Ok(record)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A record that [`Entry::encode`] did not make.
    pub fn decode(record: &[u8]) -> Result<Self, BadEntry> {
        let short = || BadEntry("the record is too short".to_owned());
        let (length, rest) = record.split_first_chunk::<4>().ok_or_else(short)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (head, body) = rest.split_at_checked(length).ok_or_else(short)?;
        let head: Head =
            serde_json::from_slice(head).map_err(|error| BadEntry(error.to_string()))?;
        let input = match (head.request, head.synthesis_delay_ms) {
            (Some(request), None) => Input::Request(Taken {
                method: request.method,
                target: request.target,
                headers: request.headers,
                key: request.key,
                body: Bytes::copy_from_slice(body),
                for_ever: request.for_ever,
            }),
            (None, Some(millis)) => Input::SynthesisDelay(Duration::from_millis(millis)),
            (None, None) => Input::Clock,
            (Some(_), Some(_)) => return Err(BadEntry("two inputs in one record".to_owned())),
        };
        Ok(Self { at: UnixMillis(head.at_ms), input })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_show_no_key() {
        let key = "0123456789abcdef0123456789abcdef0123NRAL";
        let taken = Taken {
            method: "POST".to_owned(),
            target: "/v1/accounts/1/events".to_owned(),
            headers: vec![("content-encoding".to_owned(), "gzip".to_owned())],
            key: Some(KeyDigest::of(key)),
            body: Bytes::from_static(b"\x1f\x8b\0\xff"),
            for_ever: false,
        };
        let taken_for_size = taken.clone();
        let inputs = [
            Input::Request(taken.clone()),
            Input::Request(Taken { for_ever: true, key: None, body: Bytes::new(), ..taken }),
            Input::SynthesisDelay(Duration::from_millis(30_001)),
            Input::Clock,
        ];
        let long = Taken { headers: vec![("x".to_owned(), "y".repeat(9_999))], ..taken_for_size };
        let entry = Entry { at: UnixMillis(0), input: Input::Request(long) };
        assert!(entry.bytes() >= 10_000, "headers wait as well");
        for input in inputs {
            let entry = Entry { at: UnixMillis(1_700_000_000_123), input };
            let record = entry.encode().expect("a record");
            assert_eq!(Entry::decode(&record), Ok(entry.clone()));
            assert!(!String::from_utf8_lossy(&record).contains(key));
            for end in 0..record.len().min(40) {
                assert!(Entry::decode(&record[..end]).is_err(), "{end}");
            }
            let kept = matches!(&entry.input, Input::SynthesisDelay(_))
                || matches!(&entry.input, Input::Request(taken) if taken.for_ever);
            assert_eq!(entry.for_ever(), kept);
        }
        assert!(Entry::decode(b"\x02\0\0\0{}").is_err(), "no time");
        assert_ne!(KeyDigest::of("a"), KeyDigest::of("b"));
    }
}
