//! The streamer: takes events, and tells when they have left.
//!
//! Invariant: it never sends anything itself; the courier does, whether or not anybody waits.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Shared};
use super::courier;
use super::egress::Egress;
use super::ledger::Ledger;
use super::queue::Queue;
use super::spool::Opened;
use super::{EncodedEvent, StreamConfig, StreamConfigError, StreamStats};
use crate::newrelic::EventApi;
use crate::ports::{Clock, Entropy, Ports};
use crate::resilience::breaker::{Breaker, Outcome};
use crate::resilience::limiter::{Limiter, LimiterStats};
use crate::resilience::retry::{Backoff, RetryConfig, UNLIMITED};
use crate::rt::race;

/// Streams events of one account; clones are handles on the same stream.
pub struct Streamer<P: Ports>(Arc<Shared<P>>);

impl<P: Ports> Clone for Streamer<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What one flush saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlushReport {
    /// POSTs that ended meanwhile.
    pub posts: u64,
    /// Events that New Relic accepted meanwhile.
    pub acknowledged: u64,
    /// Events refused for ever meanwhile.
    pub rejected: u64,
    /// Events still in memory or in the spool.
    pub remaining: u64,
    /// Why sending stands still, by the name of the outcome.
    pub stopped: Option<&'static str>,
    /// How long it will, at least.
    pub wait: Option<Duration>,
    /// Whether the deadline came before the end of the queue.
    pub deadline_passed: bool,
}

impl<P: Ports> Streamer<P> {
    /// A streamer that sends through `api` and `breaker`, over what `spool` holds.
    ///
    /// # Errors
    /// Every setting of `config` that is out of range.
    pub fn new(
        ports: P,
        api: EventApi,
        config: StreamConfig,
        breaker: Breaker,
        spool: Option<Opened<P::Disk>>,
    ) -> Result<Self, Vec<StreamConfigError>> {
        let errors = config.validate();
        if !errors.is_empty() {
            return Err(errors);
        }
        let limiter = match Limiter::new(config.limiter) {
            Ok(limiter) => limiter,
            // `validate` has checked the same settings.
            Err(_) => return Err(errors),
        };
        let egress = Egress::new(ports.clone(), api, breaker, limiter);
        let rng = ports.entropy().stream("stream back-off");
        // A chunk's tries are counted by the chunk; the waits go on as long as it takes.
        let waits = RetryConfig { attempts_max: UNLIMITED, deadline: None, ..config.retry.clone() };
        let backoff = Backoff::new(waits, rng);
        let (queue, spool) = match spool {
            Some(Opened { spool, chunks, next_id, .. }) => {
                crate::sometimes!(SPOOL_REPLAYED, !chunks.is_empty());
                (Queue::new(chunks, next_id), Some(spool))
            }
            None => (Queue::default(), None),
        };
        let core = Core::new(config.clone(), queue, backoff, spool.is_some());
        Ok(Self(Arc::new(Shared::new(ports, config, egress, spool, core))))
    }

    /// Takes one event, into memory alone until the next [`Streamer::flush`]; drops the oldest ones
    /// when that is full.
    pub fn enqueue(&self, event: EncodedEvent) {
        let now = self.0.ports.clock().wall();
        self.0.core().enqueue(event, now);
    }

    /// Sends what was enqueued, all the time, until dropped, and tells `observe` what each POST
    /// says of New Relic. Two couriers of one stream must not run at the same time.
    pub async fn courier(&self, observe: impl Fn(&Outcome)) -> Infallible {
        courier::run(&self.0, &observe).await
    }

    /// Hands everything enqueued so far to the courier and waits until it has left, until sending
    /// stands still, or until `deadline` has passed. What is left then leaves later.
    pub async fn flush(&self, deadline: Duration) -> FlushReport {
        let clock = self.0.ports.clock();
        let end = clock.monotonic().saturating_add(deadline);
        let (ledger, posts) = {
            let mut core = self.0.core();
            core.seal(clock.wall());
            (core.ledger(), core.stats.posts.values().sum::<u64>())
        };
        self.0.wake.notify_one();
        let mut report = FlushReport::default();
        loop {
            let news = self.0.news();
            let now = clock.monotonic();
            let (busy, still) = {
                let core = self.0.core();
                let still =
                    core.is_standing_still(now).then(|| core.not_before.saturating_sub(now));
                // A disk that fails is not waited for: what it must hear is told later.
                let disk = core.disk_works(now) && (core.is_staging() || core.has_disk_work());
                (core.is_busy() || disk, still)
            };
            if !busy || still.is_some() {
                report.wait = still;
                break;
            }
            if now >= end {
                report.deadline_passed = true;
                break;
            }
            race(news, clock.sleep(end - now)).await;
        }
        let core = self.0.core();
        let after = core.ledger();
        report.posts = core.stats.posts.values().sum::<u64>() - posts;
        report.acknowledged = after.acknowledged - ledger.acknowledged;
        report.rejected = after.rejected_total() - ledger.rejected_total();
        report.remaining = after.in_flight;
        report.stopped = core.stopped().filter(|_| report.remaining > 0);
        report
    }

    /// Closes the spool's file, within `deadline`: the next start then need not look for damage.
    pub async fn close(&self, deadline: Duration) {
        let Some(spool) = &self.0.spool else { return };
        match self.0.ports.clock().timeout(deadline, spool.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "The spool could not be closed."),
            Err(elapsed) => tracing::warn!(%elapsed, "The spool could not be closed."),
        }
    }

    /// Where every event is now.
    pub fn ledger(&self) -> Ledger {
        self.0.core().ledger()
    }

    /// Counters since the beginning.
    pub fn stats(&self) -> StreamStats {
        self.0.core().stats.clone()
    }

    /// Bytes of the events in memory.
    pub fn resident_bytes(&self) -> usize {
        self.0.core().held().resident_bytes
    }

    /// The breaker in front of New Relic.
    pub fn breaker(&self) -> &Breaker {
        self.0.egress.breaker()
    }

    /// The limiter in front of New Relic.
    pub fn limiter_stats(&self) -> LimiterStats {
        self.0.egress.limiter().stats(self.0.ports.clock().monotonic())
    }

    /// The spool's own account, if there is one.
    pub fn spool_stats(&self) -> Option<super::spool::SpoolStats> {
        self.0.spool.as_ref().map(super::spool::Spool::stats)
    }
}
