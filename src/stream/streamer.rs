//! The streamer: takes events, flushes batches, keeps what must be repeated.
//!
//! Invariants:
//! - A batch under way is held here until its answer is booked, so a flush that is dropped loses
//!   nothing: the next one puts back what was under way and counts it as of unknown fate.
//! - Nothing is sent while a `Retry-After` lasts, and no POST is begun after the flush's deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::batch::{Batch, Packer};
use super::buffer::Buffer;
use super::egress::Egress;
use super::ledger::{DropReason, Ledger, Rejection};
use super::{EncodedEvent, StreamConfig, StreamConfigError, StreamStats};
use crate::newrelic::{EventApi, Payload, PostOutcome};
use crate::ports::{Clock, Ports};

/// Streams events of one account.
pub struct Streamer<P: Ports> {
    ports: P,
    config: StreamConfig,
    egress: Egress<P>,
    buffer: Buffer,
    packer: Packer,
    /// Batches under way, by their first event; empty between flushes unless one was dropped.
    outgoing: BTreeMap<u64, Batch>,
    /// Monotonic time before which New Relic asked to be left alone.
    not_before: Duration,
    ledger: Ledger,
    stats: StreamStats,
}

/// What one flush did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlushReport {
    /// POSTs that ended.
    pub posts: u64,
    /// Events that New Relic accepted.
    pub acknowledged: u64,
    /// Events refused for ever.
    pub rejected: u64,
    /// Events still in memory.
    pub remaining: u64,
    /// Why sending stopped early, by the name of the outcome.
    pub stopped: Option<&'static str>,
    /// The wait that New Relic asked for, when it still lasts.
    pub wait: Option<Duration>,
    /// Whether the deadline came before the end of the queue.
    pub deadline_passed: bool,
}

impl<P: Ports> Streamer<P> {
    /// A streamer that sends through `api`.
    ///
    /// # Errors
    /// Every setting of `config` that is out of range.
    pub fn new(
        ports: P,
        api: EventApi,
        config: StreamConfig,
    ) -> Result<Self, Vec<StreamConfigError>> {
        let errors = config.validate();
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            egress: Egress::new(ports.clone(), api),
            ports,
            config,
            buffer: Buffer::default(),
            packer: Packer::default(),
            outgoing: BTreeMap::new(),
            not_before: Duration::ZERO,
            ledger: Ledger::default(),
            stats: StreamStats::default(),
        })
    }

    /// Takes one event; drops the oldest ones when memory is full.
    pub fn enqueue(&mut self, event: EncodedEvent) {
        self.ledger.enqueued += 1;
        if event.json.len() + 2 > self.config.batch_bytes_max {
            self.ledger.reject(Rejection::EventTooLarge, 1);
            return;
        }
        self.buffer.push(event);
        let kept = self.held_events();
        self.stats.buffer_events_peak = self.stats.buffer_events_peak.max(kept);
        let mut over_events = kept.saturating_sub(self.config.buffer_events_max);
        while over_events > 0 || self.buffer.bytes() > self.config.buffer_bytes_max {
            if self.buffer.pop_oldest().is_none() {
                break;
            }
            self.ledger.drop_events(DropReason::BufferFull, 1);
            over_events = over_events.saturating_sub(1);
        }
    }

    /// Sends what is queued, in order, until the queue is empty, a POST fails for the time being,
    /// or `deadline` has passed. POSTs under way run to their end in any case; none is begun
    /// while a `Retry-After` lasts.
    pub async fn flush(&mut self, deadline: Duration) -> FlushReport {
        self.recover();
        let end = self.ports.clock().monotonic().saturating_add(deadline);
        let before = self.ledger();
        let mut report = FlushReport::default();
        let mut posts = FuturesUnordered::new();
        loop {
            while report.stopped.is_none() && posts.len() < self.config.concurrency {
                let now = self.ports.clock().monotonic();
                if now < self.not_before {
                    break;
                }
                if now >= end {
                    report.deadline_passed = self.buffer.events() > 0;
                    break;
                }
                let Some((first, payload)) = self.prepare() else { break };
                let timeout = self.config.request_timeout.min(end - now);
                let post = self.egress.clone().post(payload, timeout);
                posts.push(async move { (first, post.await) });
            }
            let Some((first, (outcome, took))) = posts.next().await else { break };
            report.posts += 1;
            self.stats.post_time += took;
            if let Some(reason) = self.settle(first, outcome) {
                report.stopped.get_or_insert(reason);
            }
        }
        drop(posts);
        let after = self.ledger();
        report.acknowledged = after.acknowledged - before.acknowledged;
        report.rejected = after.rejected_total() - before.rejected_total();
        report.remaining = after.in_flight;
        let now = self.ports.clock().monotonic();
        report.wait = self.not_before.checked_sub(now).filter(|wait| !wait.is_zero());
        report
    }

    /// Where every event is now.
    pub fn ledger(&self) -> Ledger {
        Ledger { in_flight: self.held_events() as u64, ..self.ledger.clone() }
    }

    /// Counters since the beginning.
    pub fn stats(&self) -> &StreamStats {
        &self.stats
    }

    /// Bytes of the events in memory.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.bytes() + self.outgoing.values().map(Batch::bytes).sum::<usize>()
    }

    fn held_events(&self) -> usize {
        let under_way: usize = self.outgoing.values().map(|batch| batch.events.len()).sum();
        self.buffer.events() + under_way
    }

    /// Puts back what a dropped flush left under way: nobody heard those answers.
    fn recover(&mut self) {
        while let Some((_, batch)) = self.outgoing.pop_first() {
            self.count_unknown(&batch);
            self.buffer.put_back(batch);
        }
    }

    fn count_unknown(&mut self, batch: &Batch) {
        self.ledger.unknown_sends += 1;
        self.ledger.unknown_events += batch.events.len() as u64;
    }

    /// Takes the next batch that fits a body and marks it as under way.
    fn prepare(&mut self) -> Option<(u64, Payload)> {
        loop {
            let mut batch = self.buffer.next_batch(&self.config)?;
            let json = batch.json();
            let json_bytes = json.len();
            // Writing to memory cannot fail; if it did, the batch is kept rather than lost.
            let Ok(payload) = self.packer.payload(json, &self.config) else {
                self.buffer.put_back(batch);
                return None;
            };
            if payload.body.len() >= self.config.body_bytes_limit {
                self.split(batch);
                continue;
            }
            self.stats.retries += u64::from(batch.attempts > 0);
            self.stats.body_bytes += json_bytes as u64;
            self.stats.sent_bytes += payload.body.len() as u64;
            batch.attempts += 1;
            let first = batch.first;
            self.outgoing.insert(first, batch);
            return Some((first, payload));
        }
    }

    /// Cuts a batch in two; a single event that does not fit is rejected.
    fn split(&mut self, mut batch: Batch) {
        match batch.split() {
            Some(later) => {
                self.stats.splits += 1;
                self.buffer.put_back(batch);
                self.buffer.put_back(later);
            }
            None => self.ledger.reject(Rejection::EventTooLarge, batch.events.len()),
        }
    }

    /// Books the end of a POST; a reason to stop sending for now, if it is one.
    fn settle(&mut self, first: u64, outcome: PostOutcome) -> Option<&'static str> {
        let batch = self.outgoing.remove(&first)?;
        let (name, stop) = match &outcome {
            PostOutcome::Accepted { .. } => ("accepted", false),
            PostOutcome::Rejected(reason) => (reason.as_str(), false),
            PostOutcome::TooLarge => ("too_large", false),
            PostOutcome::RetryLater { reason, .. } => (reason.as_str(), true),
            PostOutcome::Unknown(reason) => (reason.as_str(), true),
        };
        *self.stats.posts.entry(name).or_default() += 1;
        match outcome {
            PostOutcome::Accepted { .. } => self.acknowledge(&batch),
            PostOutcome::Rejected(reason) => {
                tracing::warn!(reason = name, events = batch.events.len(), "Batch refused.");
                self.ledger.reject(Rejection::Refused(reason), batch.events.len());
            }
            PostOutcome::TooLarge => self.split(batch),
            PostOutcome::RetryLater { after, .. } => {
                if let Some(after) = after {
                    let wait = after.min(self.config.retry_after_max);
                    let until = self.ports.clock().monotonic() + wait;
                    self.not_before = self.not_before.max(until);
                }
                self.buffer.put_back(batch);
            }
            PostOutcome::Unknown(_) => {
                self.count_unknown(&batch);
                self.buffer.put_back(batch);
            }
        }
        stop.then_some(name)
    }

    fn acknowledge(&mut self, batch: &Batch) {
        self.ledger.acknowledged += batch.events.len() as u64;
        for event in &batch.events {
            *self.stats.acknowledged.entry(event.kind.clone()).or_default() += 1;
        }
        self.stats.last_success = Some(self.ports.clock().wall());
    }
}
