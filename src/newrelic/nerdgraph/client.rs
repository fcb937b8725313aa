//! One operation: limiter, breaker, deadline, POST, retries.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};

use super::answer::{NerdGraphError, read};
use crate::newrelic::key::ApiKey;
use crate::ports::{Clock, Entropy, Http, HttpLimits, Ports};
use crate::resilience::breaker::{Breaker, BreakerConfig, Measured, Outcome};
use crate::resilience::limiter::{Limiter, LimiterConfig, Profile};
use crate::resilience::retry::{RetryConfig, Verdict, retry};

/// Longest answer read: 5,000 rows of 255 attributes stay far below it.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How NerdGraph is asked.
#[derive(Debug, Clone)]
pub struct NerdGraphConfig {
    /// Its address ([`crate::newrelic::Addresses::nerdgraph`]).
    pub uri: Uri,
    /// A user key.
    pub key: ApiKey,
    /// In front of it; profile `nerdgraph-api` unless told otherwise.
    pub breaker: BreakerConfig,
    /// Profile `nerdgraph_nrql` unless told otherwise.
    pub limiter: LimiterConfig,
    /// How an operation is tried again.
    pub retry: RetryConfig,
    /// From a try's begin to the last byte of its answer.
    pub timeout: Duration,
}

impl NerdGraphConfig {
    /// The usual settings.
    pub fn new(uri: Uri, key: ApiKey) -> Self {
        // New Relic's 3,000 NRQL queries a minute, 25 at once, should the profile ever be renamed.
        let usual = || LimiterConfig::at_most(3_000, Duration::from_secs(60), 25);
        Self {
            uri,
            key,
            breaker: BreakerConfig::named("nerdgraph-api").unwrap_or_default(),
            limiter: Profile::named("nerdgraph_nrql").map_or_else(usual, Profile::config),
            retry: RetryConfig::default(),
            // The longest an NRQL query may be given.
            timeout: Duration::from_secs(120),
        }
    }
}

/// A query or a mutation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// GraphQL.
    pub text: String,
    /// Its variables.
    pub variables: Value,
    /// Whether it does no harm twice.
    pub idempotent: bool,
}

impl Operation {
    /// A query.
    pub fn query(text: impl Into<String>, variables: Value) -> Self {
        Self { text: text.into(), variables, idempotent: true }
    }

    /// A mutation, sent again only when it surely never left.
    pub fn mutation(text: impl Into<String>, variables: Value) -> Self {
        Self { text: text.into(), variables, idempotent: false }
    }
}

/// The way to NerdGraph; clones share breaker and limiter.
#[derive(Clone)]
pub struct NerdGraph<P> {
    ports: P,
    uri: Uri,
    key: ApiKey,
    breaker: Breaker,
    limiter: Limiter,
    retry: RetryConfig,
    timeout: Duration,
}

/// Settings that no client can be built with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("NerdGraph client: {0}")]
pub struct InvalidClient(String);

impl<P: Ports> NerdGraph<P> {
    /// A client with a breaker of its own.
    ///
    /// # Errors
    /// Settings of breaker, limiter or retry out of range.
    pub fn new(ports: P, config: NerdGraphConfig) -> Result<Self, InvalidClient> {
        let faults = |faults: Vec<crate::resilience::InvalidSetting>| {
            let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
            InvalidClient(texts.join("; "))
        };
        let wrong = config.retry.validate();
        if !wrong.is_empty() {
            return Err(faults(wrong));
        }
        Ok(Self {
            ports,
            uri: config.uri,
            key: config.key,
            breaker: Breaker::new("nerdgraph", config.breaker).map_err(faults)?,
            limiter: Limiter::new(config.limiter).map_err(faults)?,
            retry: config.retry,
            timeout: config.timeout,
        })
    }

    /// Its breaker, for health pages.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    pub(super) fn clock(&self) -> &P::Clock {
        self.ports.clock()
    }

    /// Asks, again if that may help; `data` of the answer.
    ///
    /// # Errors
    /// The class of the last try's end.
    pub async fn ask(&self, operation: &Operation) -> Result<Value, NerdGraphError> {
        let rng = self.ports.entropy().stream("nerdgraph/retry");
        let judge = |result: &Result<Value, NerdGraphError>| match result {
            Ok(_) => Verdict::Done,
            Err(error) => error.verdict_of(operation.idempotent),
        };
        let tries = |_| self.once(operation);
        retry(self.ports.clock(), rng, &self.retry, None, tries, judge).await.result
    }

    async fn once(&self, operation: &Operation) -> Result<Value, NerdGraphError> {
        let clock = self.ports.clock();
        self.limiter.acquire(clock, 1).await.map_err(|_| NerdGraphError::RateLimit)?;
        let permit =
            self.breaker.admit(|| clock.monotonic()).map_err(|_| NerdGraphError::CircuitOpen)?;
        let began = clock.monotonic();
        let timeout = self.timeout.min(self.breaker.config().call_timeout);
        let limits = HttpLimits { timeout, body_bytes_max: ANSWER_BYTES_MAX };
        let answer = self.ports.http().send(self.request(operation), limits).await;
        let answer = answer.map_err(|error| NerdGraphError::lost(&error));
        let read = answer.and_then(|answer| read(&answer));
        let outcome = match &read {
            Ok(_) => Outcome::Success,
            Err(error) => error.outcome(),
        };
        let now = clock.monotonic();
        permit.record(outcome, || Measured { now, took: Some(now.saturating_sub(began)) });
        let (data, remarks) = read?;
        for remark in remarks {
            tracing::warn!(field = remark.path, remark = remark.message, "Deprecated field.");
        }
        Ok(data)
    }

    fn request(&self, operation: &Operation) -> Request<Bytes> {
        let body = json!({"query": operation.text, "variables": operation.variables});
        let mut request = Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.uri);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut key = HeaderValue::from_str(self.key.expose())
            .expect("ApiKey holds visible ASCII characters only");
        key.set_sensitive(true);
        headers.insert("api-key", key);
        request
    }
}
