//! An eye on what the pipeline sends, at its own ports, and an ear for its cycles, breakers and
//! components: an account that the pipeline cannot write. What it sees goes into the trace too.
//!
//! Invariants:
//! - Nothing is changed on the way, and nothing is awaited that the pipeline did not await.
//! - What the pipeline does after an event of these was led to by it.
//! - A POST that was given up, or cut off with its host, is kept as one without an end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use serde::de::IgnoredAny;

use super::with_http::WithHttp;
use crate::pipeline::{CycleReport, EVENT_API, total};
use crate::ports::{Clock, Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Ports};
use crate::resilience::breaker::{
    Breaker, BreakerConfig, BreakerEvent, BreakerRegistry, EventKind,
};
use crate::resilience::recovery::{RecoveryEvent, RecoveryView};
use crate::sim::check::record::{
    BreakerEventRecord, BreakerNews, BreakerRecord, PostAnswer, PostRecord,
};
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, Trace, Value};

/// Most bytes that are read of a body.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// The POSTs of one life, in the order in which they began.
#[derive(Debug, Clone, Default)]
pub struct Posts(Arc<Mutex<Vec<PostRecord>>>);

impl Posts {
    fn lock(&self) -> MutexGuard<'_, Vec<PostRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies of all of them.
    pub fn records(&self) -> Vec<PostRecord> {
        self.lock().clone()
    }

    fn begin(&self, began: SimTime, request: &HttpRequest, trace: &Trace) -> usize {
        let id = request.headers().get("x-request-id");
        let request_id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let request_id = request_id.unwrap_or_default();
        let what = format_args!("post-begin request={}", Value(&request_id));
        trace.go_on_from(trace.event(began, PIPELINE_HOST, what));
        let mut posts = self.lock();
        posts.push(PostRecord {
            began,
            ended: None,
            request_id,
            answer: PostAnswer::None { sent: true },
            retry_after: None,
            refused_events: 0,
        });
        posts.len() - 1
    }

    fn end(
        &self,
        post: usize,
        at: SimTime,
        sent: &Sent,
        result: &Result<HttpResponse, HttpError>,
        trace: &Trace,
    ) {
        let mut posts = self.lock();
        let Some(post) = posts.get_mut(post) else { return };
        post.ended = Some(at);
        match result {
            Ok(response) => {
                post.answer = answer(response);
                if matches!(post.answer, PostAnswer::Refused(_)) {
                    post.refused_events = sent.events();
                }
                let asked = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
                let seconds = asked.and_then(|text| text.parse().ok());
                post.retry_after = seconds.map(Duration::from_secs);
            }
            Err(error) => {
                let sent = error.fate() == crate::ports::Fate::Unknown;
                post.answer = PostAnswer::None { sent };
            }
        }
        let (request, answer) = (Value(&post.request_id), answer_word(&post.answer));
        let what = format_args!("post-end request={request} answer={answer}");
        trace.go_on_from(trace.event(at, PIPELINE_HOST, what));
    }
}

/// The body of a POST under way.
struct Sent {
    body: Bytes,
    gzip: bool,
}

impl Sent {
    fn of(request: &HttpRequest) -> Self {
        let gzip = request.headers().contains_key(CONTENT_ENCODING);
        Self { body: request.body().clone(), gzip }
    }

    /// How many events it has; none if it cannot be read.
    fn events(&self) -> u64 {
        let events: Result<Vec<IgnoredAny>, _> = if self.gzip {
            let text = GzDecoder::new(self.body.as_ref()).take(BODY_BYTES_MAX);
            serde_json::from_reader(BufReader::new(text))
        } else {
            serde_json::from_slice(&self.body)
        };
        events.map_or(0, |events| events.len() as u64)
    }
}

/// An answer in the trace: `accepted`, a status, `unreadable`; `none` when nobody knows what became
/// of the request, `unsent` when nothing of it left.
fn answer_word(answer: &PostAnswer) -> Cow<'static, str> {
    match answer {
        PostAnswer::Accepted => "accepted".into(),
        PostAnswer::Refused(status) => status.to_string().into(),
        PostAnswer::Unreadable => "unreadable".into(),
        PostAnswer::None { sent: true } => "none".into(),
        PostAnswer::None { sent: false } => "unsent".into(),
    }
}

/// Whether New Relic took it, as far as an answer can tell.
fn answer(response: &HttpResponse) -> PostAnswer {
    let status = response.status().as_u16();
    if !response.status().is_success() {
        return PostAnswer::Refused(status);
    }
    let body: Option<serde_json::Value> = serde_json::from_slice(response.body()).ok();
    let whole = body.is_some_and(|body| body.get("success") == Some(&serde_json::json!(true)));
    if whole { PostAnswer::Accepted } else { PostAnswer::Unreadable }
}

/// The breakers of one life, and everything that they told, in the order of the telling.
#[derive(Clone, Default)]
pub struct Told {
    registry: BreakerRegistry,
    events: Arc<Mutex<BTreeMap<String, Vec<BreakerEventRecord>>>>,
}

impl Told {
    /// Listens to every breaker of `registry`, present and future.
    pub fn by(registry: &BreakerRegistry, trace: &Trace) -> Self {
        let told = Self { registry: registry.clone(), events: Arc::default() };
        let (events, trace) = (Arc::clone(&told.events), trace.clone());
        registry.subscribe(Arc::new(move |event: &BreakerEvent| {
            let what = match &event.kind {
                EventKind::Success { .. } => BreakerNews::Success,
                EventKind::Failure { .. } => BreakerNews::Failure,
                EventKind::CallRejected { .. } => BreakerNews::Rejected,
                EventKind::StateChange { from, to, .. } => {
                    let (at, name) = (SimTime::from(event.at), Value(&event.breaker));
                    let (before, after) = (from.as_str(), to.as_str());
                    let what = format_args!("breaker name={name} from={before} to={after}");
                    trace.go_on_from(trace.event(at, PIPELINE_HOST, what));
                    BreakerNews::Change { from: *from, to: *to }
                }
                EventKind::Reset | EventKind::Trip { .. } => BreakerNews::ByHand,
                EventKind::CircuitOpened { .. }
                | EventKind::CircuitHalfOpen
                | EventKind::CircuitClosed { .. } => return,
            };
            let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
            let told = events.entry(event.breaker.to_string()).or_default();
            told.push(BreakerEventRecord { at: SimTime::from(event.at), what });
        }));
        told
    }

    /// Each breaker with what it told; `ingest` is what the one of New Relic's ingest was asked to
    /// obey, whatever it was given.
    pub fn records(&self, ingest: &BreakerConfig, end: SimTime) -> Vec<BreakerRecord> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let record = |breaker: Breaker| {
            let asked = if breaker.name() == EVENT_API { ingest } else { breaker.config() };
            let stats = breaker.stats(end.since_start());
            BreakerRecord {
                failure_threshold: asked.failure_threshold,
                success_threshold: asked.success_threshold,
                half_open_max: asked.half_open_max,
                retry_delay: asked.retry_delay,
                state: stats.state,
                generation: stats.generation,
                opens: stats.opens,
                events: events.get(breaker.name()).cloned().unwrap_or_default(),
                name: stats.name,
            }
        };
        self.registry.all().into_iter().map(record).collect()
    }
}

/// Writes the changes of components' states into the trace.
pub fn tell_components(recovery: &RecoveryView, trace: &Trace) {
    let trace = trace.clone();
    recovery.subscribe(Arc::new(move |event| {
        if let RecoveryEvent::StateChanged { component, from, to, at, .. } = event {
            let (from, to) = (from.as_str(), to.as_str());
            let what = format_args!("component name={} from={from} to={to}", Value(component));
            trace.go_on_from(trace.event(SimTime::from(*at), PIPELINE_HOST, what));
        }
    }));
}

/// Writes a cycle's begin into the trace; its work was led to by `born`, the pipeline's start, and
/// not by the cycle before.
pub fn tell_cycle_begin(trace: &Trace, born: Option<EventId>, number: u64, at: SimTime) {
    let what = format_args!("cycle-begin number={number}");
    trace.go_on_from(trace.event_from(born, at, PIPELINE_HOST, what));
}

/// Writes a cycle's end into the trace: the sources that gave nothing, and the parts that others
/// did not give.
pub fn tell_cycle_end(trace: &Trace, report: &CycleReport, at: SimTime) {
    let failed = report.sources.iter().filter(|source| source.failure.is_some()).count();
    let missing: u64 = report.sources.iter().map(|source| total(&source.missing)).sum();
    let number = report.cycle;
    let what = format_args!("cycle-end number={number} failed={failed} missing={missing}");
    trace.go_on_from(trace.event(at, PIPELINE_HOST, what));
}

/// A watched HTTP arm.
#[derive(Clone)]
pub struct WatchedHttp<H, C> {
    http: H,
    clock: C,
    posts: Posts,
    trace: Trace,
}

/// `ports`, whose POSTs go into `posts` and `trace`.
pub fn watched<P: Ports>(
    ports: P,
    posts: Posts,
    trace: Trace,
) -> WithHttp<P, WatchedHttp<P::Http, P::Clock>> {
    let (http, clock) = (ports.http().clone(), ports.clock().clone());
    WithHttp { ports, http: WatchedHttp { http, clock, posts, trace } }
}

impl<H: Http, C: Clock> Http for WatchedHttp<H, C> {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        if request.method() != http::Method::POST {
            return self.http.send(request, limits).await;
        }
        // The monotonic clocks of both networks count from the world's start.
        let now = || SimTime::from(self.clock.monotonic());
        let post = self.posts.begin(now(), &request, &self.trace);
        let sent = Sent::of(&request);
        let result = self.http.send(request, limits).await;
        self.posts.end(post, now(), &sent, &result, &self.trace);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn events_of_a_body_are_counted() {
        let gzip = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("memory")
        };
        let three = "[{\"a\": [1, 2]}, {}, {\"b\": \"}, {\"}]";
        for (body, packed, events) in [
            (three.as_bytes().to_vec(), false, 3),
            (gzip(three), true, 3),
            (b"[]".to_vec(), false, 0),
            (b"[{}, {".to_vec(), false, 0),
            (three.as_bytes().to_vec(), true, 0),
            (gzip(three)[..20].to_vec(), true, 0),
        ] {
            let mut request = http::Request::new(Bytes::from(body));
            if packed {
                let gzip = http::HeaderValue::from_static("gzip");
                request.headers_mut().insert(CONTENT_ENCODING, gzip);
            }
            assert_eq!(Sent::of(&request).events(), events, "{:?}", request.body());
        }
    }
}
