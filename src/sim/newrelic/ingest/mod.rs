//! What New Relic takes in: Event API, Metric API, what infrastructure agents send.
//!
//! A request is judged by its head, read, answered, and only then parsed, a drawn delay later.
//!
//! Invariants:
//! - What was accepted is parsed when its delay has passed, in the order of those instants.
//! - Every accepted event and data point is stored, or becomes part of a row of
//!   `NrIntegrationError`, or is counted.
//! - Memory is bounded: bodies that wait, what a body unpacks to, what limits have to remember.

mod api;
mod arrival;
mod body;
mod census;
pub(super) mod claims;
mod direct;
mod envelope;
mod event;
mod infra;
mod metric;
mod minutes;
mod report;
mod synthesis;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

pub use api::router;
pub use direct::DirectPost;
pub use event::EventFault;
pub use infra::{AgentHost, ForwardError, Forwarded, Forwarder};
pub use metric::MetricFault;

use super::fault::{IngestFault, Target};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::rt::cause::Cause;
use crate::sim::seed::Seed;
use census::Census;
use envelope::{Encoding, Head};
use minutes::Minutes;

/// Memory of a waiting body beside its bytes, roughly.
const PENDING_BYTES: usize = 256;

/// A body that was accepted and waits to be parsed.
#[derive(Debug)]
pub(super) struct Pending {
    part: Target,
    account: AccountId,
    key_prefix: String,
    received_at: UnixMillis,
    request: u32,
    uuid: Arc<str>,
    encoding: Encoding,
    body: Bytes,
    /// What led to it: what was told of its request, if anybody listened.
    led_by: Option<Cause>,
}

impl Pending {
    /// What it takes of the queue's room.
    fn bytes(&self) -> usize {
        self.body.len() + PENDING_BYTES
    }
}

/// A request whose head passed.
#[derive(Debug)]
pub(super) struct Ticket {
    part: Target,
    account: AccountId,
    key_prefix: String,
    head: Head,
    at: UnixMillis,
    request_id: String,
    fault: Option<IngestFault>,
    /// What led to the fault.
    led_by: Option<Cause>,
}

/// What ingest itself remembers.
pub(super) struct Ingest {
    uuids: ChaCha8Rng,
    delays: ChaCha8Rng,
    lags: ChaCha8Rng,
    /// By the time at which they are parsed, then by arrival.
    queue: BTreeMap<(UnixMillis, u64), Pending>,
    /// Bodies that were accepted so far.
    arrivals: u64,
    queue_bytes: usize,
    minutes: Minutes,
    census: Census,
}

impl Ingest {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            uuids: seed.stream("newrelic/uuid"),
            delays: seed.stream("newrelic/parse-delay"),
            lags: seed.stream("newrelic/synthesis-lag"),
            queue: BTreeMap::new(),
            arrivals: 0,
            queue_bytes: 0,
            minutes: Minutes::default(),
            census: Census::default(),
        }
    }

    /// Bodies that were accepted and are not parsed yet.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Events in them; a body that will turn out to be unreadable has none.
    pub(super) fn queued_events(&self, bytes_max: usize) -> u64 {
        let bodies = self.queue.values().filter(|pending| pending.part == Target::Event);
        let counts = bodies.map(|pending| {
            let text = body::unpack(&pending.body, pending.encoding, bytes_max).ok()?;
            let events: Vec<serde::de::IgnoredAny> = serde_json::from_slice(&text).ok()?;
            Some(events.len() as u64)
        });
        counts.flatten().sum()
    }
}
