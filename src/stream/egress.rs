//! The one place where requests to New Relic's ingest leave.
//!
//! Whatever must stand between the streamer and the network (a breaker, a limiter) goes here.

use std::time::Duration;

use crate::newrelic::{EventApi, Payload, PostOutcome};
use crate::ports::{Clock, Ports};

/// The way out.
#[derive(Debug, Clone)]
pub(super) struct Egress<P> {
    ports: P,
    api: EventApi,
}

impl<P: Ports> Egress<P> {
    pub(super) fn new(ports: P, api: EventApi) -> Self {
        Self { ports, api }
    }

    /// Sends one payload; the outcome and the time it took.
    pub(super) async fn post(self, payload: Payload, timeout: Duration) -> (PostOutcome, Duration) {
        let clock = self.ports.clock();
        let began = clock.monotonic();
        let outcome = self.api.post(self.ports.http(), payload, timeout, || clock.wall()).await;
        (outcome, clock.monotonic().saturating_sub(began))
    }
}
