//! The one way out to New Relic's ingest: limiter, breaker, deadline, POST.
//!
//! Invariant: [`EventApi::post`] asks for the proof that a breaker admitted the call, and only a
//! [`Permit`] gives it: no request reaches New Relic around the breaker.

use std::time::Duration;

use crate::newrelic::{EventApi, Payload, PostOutcome, RetryReason, UnknownReason};
use crate::ports::{Clock, Ports};
use crate::resilience::breaker::{Breaker, Measured, Outcome, Permit};
use crate::resilience::limiter::Limiter;

/// The way out.
#[derive(Clone)]
pub(super) struct Egress<P> {
    ports: P,
    api: EventApi,
    breaker: Breaker,
    limiter: Limiter,
}

/// Why nothing may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotNow {
    /// Name in reports.
    pub(super) reason: &'static str,
    /// When to ask again (monotonic); `None` when a call under way decides.
    pub(super) until: Option<Duration>,
}

impl<P: Ports> Egress<P> {
    pub(super) fn new(ports: P, api: EventApi, breaker: Breaker, limiter: Limiter) -> Self {
        Self { ports, api, breaker, limiter }
    }

    pub(super) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Leave to send one POST now.
    pub(super) fn admit(&self, now: Duration) -> Result<Permit, NotNow> {
        if let Err(refused) = self.limiter.try_acquire(1, now) {
            crate::sometimes!(RATE_LIMIT_HELD_BACK);
            // A rate of zero lets nothing pass until it is changed: ask again now and then.
            let wait = refused.wait().unwrap_or(Duration::from_secs(1));
            return Err(NotNow { reason: "rate_limit", until: Some(now.saturating_add(wait)) });
        }
        self.breaker
            .admit_owned(|| now)
            .map_err(|rejected| NotNow { reason: "circuit_open", until: rejected.retry_at })
    }

    /// Sends one payload; the outcome and the time it took. The breaker is told.
    pub(super) async fn post(
        &self,
        permit: Permit,
        payload: Payload,
        timeout: Duration,
    ) -> (PostOutcome, Duration) {
        let clock = self.ports.clock();
        let began = clock.monotonic();
        let timeout = timeout.min(self.breaker.config().call_timeout);
        let http = self.ports.http();
        let outcome =
            self.api.post(permit.admitted(), http, payload, timeout, || clock.wall()).await;
        let now = clock.monotonic();
        let took = now.saturating_sub(began);
        permit.record(class(&outcome), || Measured { now, took: Some(took) });
        (outcome, took)
    }
}

/// What an outcome says about New Relic. A refusal of the request itself says nothing: the service
/// works (domain rule: 400, 401, 403, 404 and 413 are ignored; 408, 429, 5xx, broken connections
/// and timeouts count).
pub(super) fn class(outcome: &PostOutcome) -> Outcome {
    match outcome {
        PostOutcome::Accepted { .. } => Outcome::Success,
        PostOutcome::Rejected(_) | PostOutcome::TooLarge => Outcome::Ignored,
        PostOutcome::RetryLater { reason: RetryReason::UnexpectedStatus(404), .. } => {
            Outcome::Ignored
        }
        PostOutcome::RetryLater { reason, .. } => Outcome::Failure(reason.as_str().into()),
        PostOutcome::Unknown(UnknownReason::Timeout) => Outcome::Timeout,
        PostOutcome::Unknown(reason) => Outcome::Unknown(reason.as_str().into()),
    }
}
