//! Alerts to a webhook: what happens to breakers, told to whoever is on call.
//!
//! One POST per alert, a JSON object `{event, breaker, component, at, timestamp, failureCount,
//! reason}`. An answer 2xx takes it; 408, 425, 429, 5xx and a missing answer are tried again after
//! a back-off (the receiver may so hear an alert twice; its `X-Request-Id` stays the same); any
//! other answer refuses it for good.
//!
//! Invariants:
//! - Whoever raises an alert waits for nothing: it goes into a bounded queue, whose oldest alert is
//!   dropped, and counted, when it is full.
//! - Every call passes the breaker `webhook`, whose own events are never alerted; while it is open
//!   the alert waits and none of its tries are spent.
//! - raised = delivered + failed + dropped + waiting, at every await point.
//! - The address and the secret's value are in requests only: neither in logs nor in `Debug` nor
//!   in errors.
//!
//! Not modelled: alerts that survive the process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Uri, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;

use super::moment;
use super::status::AlertStats;
use crate::config::Alerts;
use crate::domain::units::UnixMillis;
use crate::ports::{Clock, Entropy, Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Ports};
use crate::resilience::InvalidSetting;
use crate::resilience::breaker::{
    Breaker, BreakerConfig, BreakerError, BreakerEvent, BreakerRegistry, Classify, EventKind,
    HttpOutcome, Outcome, RegistryError, guard, of_http_error,
};
use crate::resilience::retry::{Backoff, HttpJudge, RetryConfig, Verdict};
use crate::rt::{Shutdown, race};

/// Name of the breaker in front of the receiver.
pub const BREAKER: &str = "webhook";
/// Events of the bus that may be alerted.
pub const EVENTS: [&str; 3] = ["circuit.opened", "circuit.half_open", "circuit.closed"];
/// Bytes of an answer that are read; they are not used.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Shortest wait at an open breaker, so that a clock that stands still is no busy loop.
const BREAKER_WAIT_MIN: Duration = Duration::from_millis(1);

/// Settings of an [`Alerter`].
#[derive(Debug, Clone)]
pub struct AlertConfig {
    /// Where alerts go; `http://` or `https://`. Its path often is a secret, so none of it is shown.
    pub url: SecretString,
    /// Which events of [`EVENTS`] are alerted.
    pub events: Vec<String>,
    /// Header that proves who sends, e.g. `Authorization`, and its secret value.
    pub secret_header: Option<(String, SecretString)>,
    /// Longest time for one try.
    pub timeout: Duration,
    /// Alerts that may wait behind the one under way; at least 1.
    pub queue_max: usize,
    /// How one alert is tried again.
    pub retry: RetryConfig,
    /// The breaker in front of the receiver; its call time-out is `timeout`.
    pub breaker: BreakerConfig,
}

impl Default for AlertConfig {
    /// No receiver yet; `circuit.opened`, 10 s a try, 100 alerts waiting, 5 tries.
    fn default() -> Self {
        Self {
            url: String::new().into(),
            events: vec![EVENTS[0].to_owned()],
            secret_header: None,
            timeout: Duration::from_secs(10),
            queue_max: 100,
            retry: RetryConfig { attempts_max: 5, ..RetryConfig::default() },
            breaker: BreakerConfig {
                retry_delay: Duration::from_secs(30),
                ..BreakerConfig::DEFAULT
            },
        }
    }
}

impl AlertConfig {
    /// The settings that a configuration file gives; the rest is the default.
    pub fn from_config(alerts: &Alerts) -> Self {
        let secret = alerts.secret.as_ref();
        Self {
            url: alerts.webhook.expose().to_owned().into(),
            events: alerts.events.iter().map(|event| event.bus_name().to_owned()).collect(),
            secret_header: secret.map(|(name, value)| (name.to_string(), value.clone())),
            timeout: alerts.timeout,
            ..Self::default()
        }
    }

    /// Every setting that is out of range; secrets are not repeated.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, setting, value: String, allowed| {
            if !holds {
                faults.push(InvalidSetting { setting, value, allowed });
            }
        };
        check(
            self.uri().is_some(),
            "url",
            "(hidden)".to_owned(),
            "an address such as https://alerts.example.com/hook",
        );
        for event in &self.events {
            check(
                EVENTS.contains(&event.as_str()),
                "events",
                event.clone(),
                "circuit.opened, circuit.half_open or circuit.closed",
            );
        }
        if let Some((name, value)) = &self.secret_header {
            let is_name = HeaderName::try_from(name.as_str()).is_ok();
            check(is_name, "secret_header", name.clone(), "the name of a header");
            let is_value = HeaderValue::from_str(value.expose_secret()).is_ok();
            check(is_value, "secret_header value", "(hidden)".to_owned(), "visible characters");
        }
        let timeout = format!("{:?}", self.timeout);
        check(!self.timeout.is_zero(), "timeout", timeout, "more than 0");
        check(self.queue_max >= 1, "queue_max", self.queue_max.to_string(), "at least 1");
        faults.extend(self.retry.validate());
        faults.extend(self.breaker.validate());
        faults
    }

    fn uri(&self) -> Option<Uri> {
        let uri: Uri = self.url.expose_secret().parse().ok()?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        (known && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
    }
}

/// Why there can be no [`Alerter`].
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// Settings, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<InvalidSetting>),
    /// Somebody else has a breaker of that name.
    #[error(transparent)]
    Breaker(#[from] RegistryError),
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alert {
    event: &'static str,
    breaker: Arc<str>,
    at: Duration,
    failure_count: u64,
    reason: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct Desk {
    queue: VecDeque<Alert>,
    under_way: bool,
    components: BTreeMap<String, String>,
    stats: AlertStats,
}

#[derive(Debug)]
struct Shared {
    events: Vec<String>,
    queue_max: usize,
    desk: Mutex<Desk>,
    /// Wakes the one who delivers.
    wake: Notify,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Each booking is complete by itself: a panic elsewhere does not spoil the account.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event that is to be alerted; waits for nothing.
    fn hear(&self, event: &BreakerEvent) {
        let Some(name) = event.kind.bus_name() else { return };
        if &*event.breaker == BREAKER || !self.events.iter().any(|wanted| wanted == name) {
            return;
        }
        let (failure_count, reason) = match &event.kind {
            EventKind::CircuitOpened { failure_count, reason } => {
                (*failure_count, Some(Arc::clone(reason)))
            }
            _ => (0, None),
        };
        let breaker = Arc::clone(&event.breaker);
        let mut desk = self.desk();
        desk.stats.raised += 1;
        desk.queue.push_back(Alert { event: name, breaker, at: event.at, failure_count, reason });
        while desk.queue.len() > self.queue_max {
            desk.queue.pop_front();
            desk.stats.dropped += 1;
        }
        drop(desk);
        self.wake.notify_one();
    }

    async fn next(&self) -> Alert {
        loop {
            {
                let mut desk = self.desk();
                if let Some(alert) = desk.queue.pop_front() {
                    desk.under_way = true;
                    return alert;
                }
            }
            self.wake.notified().await;
        }
    }
}

/// Delivers alerts about the breakers of one registry; clones are handles of the same one, of which
/// one may [`Alerter::run`].
#[derive(Clone)]
pub struct Alerter<P: Ports> {
    ports: P,
    uri: Uri,
    secret: Option<(HeaderName, HeaderValue)>,
    timeout: Duration,
    retry: RetryConfig,
    breaker: Breaker,
    shared: Arc<Shared>,
}

impl<P: Ports> fmt::Debug for Alerter<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerter").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

impl<P: Ports> Alerter<P> {
    /// An alerter that listens to `registry` from now on, and has its own breaker there.
    ///
    /// # Errors
    /// Every setting that is out of range, or a breaker `webhook` with other settings.
    pub fn new(
        ports: P,
        config: AlertConfig,
        registry: &BreakerRegistry,
    ) -> Result<Self, AlertError> {
        let faults = config.validate();
        let (Some(uri), true) = (config.uri(), faults.is_empty()) else {
            return Err(AlertError::Settings(faults));
        };
        let secret = config.secret_header.as_ref().and_then(|(name, value)| {
            let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::try_from(name.as_str()).ok()?, value))
        });
        let settings = BreakerConfig { call_timeout: config.timeout, ..config.breaker };
        let breaker = registry.get_or_create(BREAKER, settings)?;
        let shared = Arc::new(Shared {
            events: config.events,
            queue_max: config.queue_max,
            desk: Mutex::default(),
            wake: Notify::new(),
        });
        let listener = Arc::clone(&shared);
        registry.subscribe(Arc::new(move |event| listener.hear(event)));
        let (timeout, retry) = (config.timeout, config.retry);
        Ok(Self { ports, uri, secret, timeout, retry, breaker, shared })
    }

    /// Names the component that `breaker` stands in front of; without it, the breaker's own name
    /// is told.
    pub fn name_component(&self, breaker: &str, component: &str) {
        self.shared.desk().components.insert(breaker.to_owned(), component.to_owned());
    }

    /// The account.
    pub fn stats(&self) -> AlertStats {
        let desk = self.shared.desk();
        let waiting = desk.queue.len() as u64 + u64::from(desk.under_way);
        AlertStats { waiting, ..desk.stats.clone() }
    }

    /// Delivers alerts, one after the other, until `shutdown`; what waits then is lost and logged.
    /// Run it beside the pipeline.
    pub async fn run(&self, shutdown: &Shutdown) {
        race(shutdown.requested(), self.deliver_all()).await;
        let waiting = self.stats().waiting;
        if waiting > 0 {
            tracing::warn!(waiting, "Alerts were not delivered.");
        }
    }

    async fn deliver_all(&self) {
        let rng = self.ports.entropy().stream("alerts");
        let mut backoff = Backoff::new(self.retry.clone(), rng);
        loop {
            let alert = self.shared.next().await;
            backoff.reset();
            let outcome = self.deliver(&alert, &mut backoff).await;
            let mut desk = self.shared.desk();
            desk.under_way = false;
            match outcome {
                Ok(()) => {
                    desk.stats.delivered += 1;
                    desk.stats.last_error = None;
                }
                Err(error) => {
                    desk.stats.failed += 1;
                    drop(desk);
                    let (event, breaker) = (alert.event, &*alert.breaker);
                    tracing::error!(event, breaker, %error, "Alert was not delivered.");
                }
            }
        }
    }

    /// Tries until it is taken, refused, or the tries are spent.
    async fn deliver(&self, alert: &Alert, backoff: &mut Backoff) -> Result<(), String> {
        let clock = self.ports.clock();
        let wall = moment(clock).wall_of(alert.at);
        let body = self.document(alert, wall);
        let limits = HttpLimits { timeout: self.timeout, body_bytes_max: ANSWER_BYTES_MAX };
        loop {
            let send = async {
                let request = self.request(alert, wall, &body);
                self.ports.http().send(request?, limits).await
            };
            let (verdict, error) = match guard(&self.breaker, clock, &Receiver, send).await {
                Err(BreakerError::Rejected(rejected)) => {
                    let delay = self.breaker.config().retry_delay;
                    let now = clock.monotonic();
                    let wait = rejected.retry_at.map_or(delay, |at| at.saturating_sub(now));
                    clock.sleep(wait.max(BREAKER_WAIT_MIN)).await;
                    continue;
                }
                Err(BreakerError::TimedOut(elapsed)) => {
                    (Verdict::RetryAfter(None), elapsed.to_string())
                }
                Err(BreakerError::Inner(error)) => {
                    let text = words(&error).to_owned();
                    (judge(&Err(error)), text)
                }
                Ok(answer) => {
                    let text = format!("the receiver answered {}", answer.status());
                    (judge(&Ok(answer)), text)
                }
            };
            let asked = match verdict {
                Verdict::Done => return Ok(()),
                Verdict::GiveUp => None,
                Verdict::RetryAfter(asked) => Some(asked),
            };
            let delay = asked.and_then(|asked| backoff.next_delay(asked));
            self.book_failed_try(&error, delay.is_some());
            let Some(delay) = delay else { return Err(error) };
            clock.sleep(delay).await;
        }
    }

    fn book_failed_try(&self, error: &str, goes_on: bool) {
        let mut desk = self.shared.desk();
        desk.stats.last_error = Some(error.to_owned());
        desk.stats.retries += u64::from(goes_on);
    }

    fn document(&self, alert: &Alert, wall: UnixMillis) -> Bytes {
        let desk = self.shared.desk();
        let component = desk.components.get(&*alert.breaker).map(String::as_str);
        let at = jiff::Timestamp::from_millisecond(wall.0).ok().map(|at| at.to_string());
        let document = serde_json::json!({
            "event": alert.event,
            "breaker": &*alert.breaker,
            "component": component.unwrap_or(&alert.breaker),
            "at": at,
            "timestamp": wall.0,
            "failureCount": alert.failure_count,
            "reason": alert.reason.as_deref(),
        });
        Bytes::from(document.to_string())
    }

    fn request(
        &self,
        alert: &Alert,
        wall: UnixMillis,
        body: &Bytes,
    ) -> Result<HttpRequest, HttpError> {
        // A breaker changes its state once per instant and kind: that identifies the alert.
        let identity = format!("{} {} {}", alert.event, alert.breaker, wall.0);
        let identity = xxhash_rust::xxh3::xxh3_128(identity.as_bytes());
        let mut request = http::Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-request-id", format!("{identity:032x}"))
            .body(body.clone())
            .map_err(|error| HttpError::Request(error.to_string()))?;
        if let Some((name, value)) = &self.secret {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

/// What went wrong, without the address.
fn words(error: &HttpError) -> &'static str {
    match error {
        HttpError::Request(_) => "the request cannot be sent",
        HttpError::Connect { .. } => "cannot connect to the receiver",
        HttpError::Timeout { .. } => "no answer in time",
        HttpError::Broken { .. } => "the connection broke",
        HttpError::Garbage { .. } => "the answer is not valid HTTP",
        HttpError::BodyTooLong { .. } => "the answer is too long",
    }
}

/// Reads what the receiver did as the breaker's outcome, without the address.
struct Receiver;

impl Classify<HttpResponse, HttpError> for Receiver {
    fn classify(&self, result: &Result<HttpResponse, HttpError>) -> Outcome {
        let Err(error) = result else { return HttpOutcome.classify(result) };
        match of_http_error(error) {
            Outcome::Failure(_) => Outcome::Failure(words(error).into()),
            Outcome::Unknown(_) => Outcome::Unknown(words(error).into()),
            other => other,
        }
    }
}

/// Telling twice does no harm.
fn judge(result: &Result<HttpResponse, HttpError>) -> Verdict {
    let answer = result.as_ref().ok();
    let asked = answer.and_then(|answer| answer.headers().get(header::RETRY_AFTER));
    let asked = asked.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
    HttpJudge { idempotent: true }.verdict(result, asked.map(Duration::from_secs))
}

#[cfg(test)]
mod tests;
