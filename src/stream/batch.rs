//! A batch: the events of one POST, and its body.
//!
//! Invariant: a body and its `X-Request-Id` are functions of the events alone, so that a batch
//! repeated unchanged is recognisable at both ends.

use std::collections::VecDeque;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use super::{EncodedEvent, StreamConfig};
use crate::newrelic::Payload;

/// Events that travel together; not empty while it is queued.
#[derive(Debug)]
pub(super) struct Batch {
    /// Number of its first event, counted from the first one ever enqueued: the place in the
    /// queue.
    pub(super) first: u64,
    pub(super) events: VecDeque<EncodedEvent>,
    /// POSTs so far.
    pub(super) attempts: u32,
}

impl Batch {
    /// Bytes of the events alone.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.json.len()).sum()
    }

    /// Cuts off the later half; `None` when there is only one event.
    pub(super) fn split(&mut self) -> Option<Self> {
        let half = self.events.len() / 2;
        if half == 0 {
            return None;
        }
        let events = self.events.split_off(half);
        Some(Self { first: self.first + half as u64, events, attempts: self.attempts })
    }

    /// The JSON array of its events: `[` event `,` event … `]`.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes() + self.events.len() + 1);
        for event in &self.events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(&event.json);
        }
        body.push(b']');
        body
    }
}

/// The payload of `json`, gzipped when it is long enough to gain from it.
///
/// The request id is a fingerprint of the events, so a repetition has the same one.
pub(super) fn payload(json: Vec<u8>, config: &StreamConfig) -> io::Result<Payload> {
    let print = xxhash_rust::xxh3::xxh3_128(&json);
    let request_id = uuid::Uuid::from_u128(print).to_string();
    if json.len() <= config.gzip_above_bytes {
        return Ok(Payload { body: Bytes::from(json), gzip: false, request_id });
    }
    let compressed = Vec::with_capacity(json.len() / 4);
    let level = Compression::new(config.gzip_level);
    // No time of compression in the header: equal events give equal bytes.
    let mut encoder = GzBuilder::new().mtime(0).write(compressed, level);
    encoder.write_all(&json)?;
    Ok(Payload { body: Bytes::from(encoder.finish()?), gzip: true, request_id })
}
