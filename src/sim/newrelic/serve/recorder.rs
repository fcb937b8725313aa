//! Notes every input that changes a served New Relic, and plays notes back.
//!
//! It stands in front of the public routes and looks at what they do: a request of ingest counts
//! when the number of taken requests grew while it was worked on, one to NerdGraph when it holds a
//! mutation and was answered 200.
//!
//! Invariants:
//! - While a request is worked on, the clock stands still at the time that is noted for it; played
//!   back, it meets the same time.
//! - Nothing is worked on beside it: all of this is for one thread.
//! - What waits to be kept is bounded: beyond, requests that may change something get 503.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use tower::ServiceExt as _;

use super::clock::PacedClock;
use crate::domain::units::UnixMillis;
use crate::newrelic::ApiKey;
use crate::ports::{Clock, Disk};
use crate::rt::{Shutdown, race};
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::journal::{Entry, Input, Journal, JournalError, KeyDigest, Taken};

/// Real time between two writes: what a crash may lose.
pub const SYNC_EVERY: Duration = Duration::from_millis(200);
/// Bytes that may wait for the disk.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Headers that a request is played back with.
const HEADERS: [&str; 3] = ["content-type", "content-encoding", "x-request-id"];
/// Headers that carry a key.
const KEY_HEADERS: [&str; 4] = ["api-key", "x-insert-key", "x-license-key", "license-key"];

/// Inputs on their way to the journal.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    bytes: usize,
    noted: u64,
}

impl Recorder {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an input.
    pub fn note(&self, at: UnixMillis, input: Input) {
        let entry = Entry { at, input };
        let mut waiting = self.waiting();
        waiting.bytes += entry.bytes();
        waiting.noted += 1;
        waiting.entries.push(entry);
    }

    /// Inputs noted so far.
    pub fn noted(&self) -> u64 {
        self.waiting().noted
    }

    fn has_room(&self) -> bool {
        self.waiting().bytes < WAITING_BYTES_MAX
    }

    /// What waits, which from now on is the caller's.
    pub fn take(&self) -> Vec<Entry> {
        let mut waiting = self.waiting();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.entries)
    }
}

/// Writes what is noted to `journal` until `stop`, and then what is left.
///
/// # Errors
/// The first one of the journal: nothing is kept from then on.
pub async fn keep<D: Disk>(
    journal: &mut Journal<D>,
    recorder: &Recorder,
    clock: &impl Clock,
    stop: Shutdown,
) -> Result<(), JournalError> {
    loop {
        race(stop.requested(), clock.sleep(SYNC_EVERY)).await;
        let last = stop.is_requested();
        let entries = recorder.take();
        if !entries.is_empty() {
            journal.append(&entries).await?;
        }
        if last {
            return Ok(());
        }
    }
}

/// Requests that ingest took so far.
fn taken(newrelic: &NewRelic) -> u64 {
    let requests = newrelic.counters().requests;
    requests.iter().filter(|(status, _)| (200..300).contains(*status)).map(|(_, count)| count).sum()
}

/// Path and query of a request, without `Api-Key`.
fn target(parts: &Parts) -> String {
    let path = parts.uri.path().to_owned();
    let is_key = |pair: &&str| {
        pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("api-key"))
    };
    let query: Vec<&str> =
        parts.uri.query().unwrap_or_default().split('&').filter(|pair| !is_key(pair)).collect();
    let query = query.join("&");
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

/// The key that a request presents.
fn presented(parts: &Parts) -> Option<KeyDigest> {
    let header = KEY_HEADERS.iter().find_map(|name| parts.headers.get(*name)?.to_str().ok());
    let query = parts.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut keys =
        pairs.filter(|(name, _)| name.eq_ignore_ascii_case("api-key")).map(|(_, key)| key);
    header.or_else(|| keys.next_back()).map(KeyDigest::of)
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = HEADERS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    kept.collect()
}

/// Puts the recorder in front of `routes`.
pub(super) fn record<C: Clock>(
    routes: Router,
    recorder: Recorder,
    clock: PacedClock<C>,
    newrelic: NewRelic,
) -> Router {
    let tap = Arc::new(Tap { routes, recorder, clock, newrelic });
    Router::new().fallback(move |request: Request| {
        let tap = Arc::clone(&tap);
        async move { tap.carry(request).await }
    })
}

struct Tap<C> {
    routes: Router,
    recorder: Recorder,
    clock: PacedClock<C>,
    newrelic: NewRelic,
}

impl<C: Clock> Tap<C> {
    async fn carry(&self, request: Request) -> Response {
        if request.method() != Method::POST {
            return answer(self.routes.clone().oneshot(request).await);
        }
        if !self.recorder.has_room() {
            let text = r#"{"error":"The journal's disk does not keep up"}"#;
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return response;
        }
        let (parts, body) = request.into_parts();
        let is_graphql = parts.uri.path().ends_with("/graphql");
        let mut note = Taken {
            method: parts.method.to_string(),
            target: target(&parts),
            headers: kept_headers(&parts.headers),
            key: presented(&parts),
            body: Bytes::new(),
            for_ever: is_graphql,
        };
        let copy: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let tee = {
            let copy = Arc::clone(&copy);
            body.into_data_stream().inspect(move |chunk| {
                if let Ok(chunk) = chunk {
                    copy.lock().unwrap_or_else(PoisonError::into_inner).push(chunk.clone());
                }
            })
        };
        let request = Request::from_parts(parts, Body::from_stream(tee));
        let mut work = pin!(self.routes.clone().oneshot(request));
        let mut noted = false;
        let response = poll_fn(|context| {
            let (at, before) = (self.clock.wall(), taken(&self.newrelic));
            let polled = self.clock.hold(at, || work.as_mut().poll(context));
            let changed = if is_graphql {
                let done = matches!(&polled, Poll::Ready(Ok(r)) if r.status() == StatusCode::OK);
                done && holds_mutation(&copy)
            } else {
                taken(&self.newrelic) > before
            };
            if changed && !noted {
                noted = true;
                note.body = joined(&copy);
                self.recorder.note(at, Input::Request(note.clone()));
            }
            polled
        });
        answer(response.await)
    }
}

fn joined(chunks: &Mutex<Vec<Bytes>>) -> Bytes {
    let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
    match chunks.as_mut_slice() {
        [one] => std::mem::take(one),
        many => Bytes::from(many.concat()),
    }
}

/// A query that only holds the word does no harm when it is played back.
fn holds_mutation(chunks: &Mutex<Vec<Bytes>>) -> bool {
    let chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
    let whole;
    let body: &[u8] = match chunks.as_slice() {
        [one] => one,
        many => {
            whole = many.concat();
            &whole
        }
    };
    memchr::memmem::find(body, b"mutation").is_some()
}

fn answer(response: Result<Response, std::convert::Infallible>) -> Response {
    match response {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Plays one input back to `routes`, whose clock is `clock`; whether it was taken again.
pub(super) async fn play<C: Clock>(
    routes: &Router,
    clock: &PacedClock<C>,
    newrelic: &NewRelic,
    key: Option<&ApiKey>,
    entry: Entry,
) -> bool {
    let taken = match entry.input {
        Input::Clock => {
            newrelic.advance(entry.at);
            return true;
        }
        Input::SynthesisDelay(delay) => {
            newrelic.delay_synthesis(entry.at, delay);
            return true;
        }
        Input::Request(taken) => taken,
    };
    let mut request = Request::builder().method(taken.method.as_str()).uri(taken.target);
    for (name, value) in taken.headers {
        request = request.header(name, value);
    }
    // Each API looks for it under its own name.
    for name in KEY_HEADERS.iter().filter(|_| key.is_some()) {
        request = request.header(*name, key.map_or("", ApiKey::expose));
    }
    let request = request.header("content-length", taken.body.len()).body(Body::from(taken.body));
    let Ok(request) = request else { return false };
    let mut work = pin!(routes.clone().oneshot(request));
    let answered = poll_fn(|context| clock.hold(entry.at, || work.as_mut().poll(context))).await;
    answer(answered).status().is_success()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_noted_without_its_key() {
        let check = |uri: &str, headers: &[(&str, &str)], expected: (&str, Option<&str>)| {
            let mut request = Request::builder().uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            assert_eq!(target(&parts), expected.0);
            assert_eq!(presented(&parts), expected.1.map(KeyDigest::of), "{uri}");
        };
        check("/metric/v1", &[("api-key", "a")], ("/metric/v1", Some("a")));
        check("/metric/v1?Api-Key=b", &[], ("/metric/v1", Some("b")));
        check("/metric/v1?x=1&api-key=b&y=2", &[], ("/metric/v1?x=1&y=2", Some("b")));
        check("/v1?q", &[("x-license-key", "c")], ("/v1?q", Some("c")));
        check("/v1", &[], ("/v1", None));
    }
}
