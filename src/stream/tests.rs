//! The streamer against a scripted New Relic that keeps its own books.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::domain::account::AccountId;
use crate::newrelic::{ApiKey, EventApi, Region, RejectReason};
use crate::ports::testing::{TestClock, TestPorts};
use crate::ports::{Clock, Http, HttpError, HttpLimits, HttpRequest, HttpResponse};
use crate::resilience::breaker::Breaker;
use crate::resilience::retry::RetryConfig;
use crate::rt::{Race, race};

/// What the scripted New Relic does with one POST.
#[derive(Debug, Clone)]
enum Reply {
    /// Answers with this status after so many milliseconds; 200 stores the events.
    Status(u16, u64, Option<u64>),
    /// Stores the events, then the answer is lost.
    StoredThenLost,
    /// Stores the events, answers 200 with half a body.
    StoredThenGarbage,
    /// The request never arrives, and nobody knows.
    LostOnTheWay,
    /// Nothing was sent.
    Refused,
    /// Never answers; events are stored.
    StoredThenSilent,
}

#[derive(Default)]
struct Service {
    script: VecDeque<Reply>,
    /// Copies stored, by event.
    stored: BTreeMap<String, u64>,
    /// Events of each POST that arrived or might have, in order.
    posts: Vec<Post>,
    /// Before this no POST may come.
    quiet_until: Duration,
    under_way: usize,
    under_way_peak: usize,
}

#[derive(Debug, Clone)]
struct Post {
    at: Duration,
    request_id: String,
    events: Vec<String>,
    body_bytes: usize,
}

#[derive(Clone)]
struct Scripted {
    clock: TestClock,
    service: Arc<Mutex<Service>>,
}

impl Scripted {
    fn arrive(&self, request: &HttpRequest) -> (Vec<String>, Reply) {
        let at = self.clock.monotonic();
        let header =
            |name: &str| request.headers().get(name).map(|v| v.to_str().expect("ASCII").to_owned());
        let mut json = Vec::new();
        if header("content-encoding").is_some() {
            let mut decoder = flate2::read::GzDecoder::new(&request.body()[..]);
            decoder.read_to_end(&mut json).expect("the streamer sends valid gzip");
        } else {
            json.extend_from_slice(request.body());
        }
        let events: Vec<serde_json::Value> =
            serde_json::from_slice(&json).expect("the streamer sends valid JSON");
        let events: Vec<String> =
            events.iter().map(|e| e["id"].as_str().expect("an id").to_owned()).collect();
        let mut service = self.service.lock().expect("lock");
        assert!(at >= service.quiet_until, "POST at {at:?} before {:?}", service.quiet_until);
        let post = Post {
            at,
            request_id: header("x-request-id").expect("an id"),
            events: events.clone(),
            body_bytes: request.body().len(),
        };
        service.posts.push(post);
        service.under_way += 1;
        service.under_way_peak = service.under_way_peak.max(service.under_way);
        let reply = service.script.pop_front().unwrap_or(Reply::Status(200, 5, None));
        (events, reply)
    }

    fn store(&self, events: &[String]) {
        let mut service = self.service.lock().expect("lock");
        for event in events {
            *service.stored.entry(event.clone()).or_default() += 1;
        }
    }

    async fn answer(
        &self,
        events: Vec<String>,
        reply: Reply,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let authority = "newrelic:3000".to_owned();
        let broken = HttpError::Broken { authority: authority.clone(), reason: "eof".into() };
        let answer = |status: u16, body: &'static str| {
            let mut answer = http::Response::new(Bytes::from_static(body.as_bytes()));
            *answer.status_mut() = http::StatusCode::from_u16(status).expect("status");
            answer
        };
        match reply {
            Reply::Status(status, delay, wait) => {
                self.clock.sleep(Duration::from_millis(delay)).await;
                if status == 200 {
                    self.store(&events);
                }
                let mut answer = answer(status, r#"{"success":true,"uuid":"u"}"#);
                if let Some(seconds) = wait {
                    answer.headers_mut().insert("retry-after", seconds.into());
                    let until = self.clock.monotonic() + Duration::from_secs(seconds);
                    let mut service = self.service.lock().expect("lock");
                    service.quiet_until = service.quiet_until.max(until);
                }
                Ok(answer)
            }
            Reply::StoredThenLost => {
                self.store(&events);
                Err(broken)
            }
            Reply::StoredThenGarbage => {
                self.store(&events);
                Ok(answer(200, r#"{"success":true,"uu"#))
            }
            Reply::LostOnTheWay => Err(broken),
            Reply::Refused => Err(HttpError::Connect {
                authority,
                source: std::io::ErrorKind::ConnectionRefused.into(),
            }),
            Reply::StoredThenSilent => {
                self.store(&events);
                self.clock.sleep(limits.timeout).await;
                Err(HttpError::Timeout { authority, timeout: limits.timeout, sent: true })
            }
        }
    }
}

impl Http for Scripted {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let (events, reply) = self.arrive(&request);
        let answer = self.answer(events, reply, limits).await;
        self.service.lock().expect("lock").under_way -= 1;
        answer
    }
}

struct Bench {
    clock: TestClock,
    service: Arc<Mutex<Service>>,
    streamer: Streamer<TestPorts<Scripted>>,
    next: u64,
}

impl Bench {
    fn new(config: StreamConfig, script: impl IntoIterator<Item = Reply>) -> Self {
        let clock = TestClock::default();
        let service = Service { script: script.into_iter().collect(), ..Service::default() };
        let service = Arc::new(Mutex::new(service));
        let http = Scripted { clock: clock.clone(), service: Arc::clone(&service) };
        let ports = TestPorts::new(&clock, http);
        let account = AccountId::try_from(1).expect("valid");
        let uri = Region::Local.addresses().events_of(account).expect("valid");
        let key = ApiKey::ingest("test-license-key").expect("valid");
        let breaker = Breaker::new("event-api", config.breaker.clone()).expect("valid");
        let api = EventApi::new(uri, key);
        let streamer = Streamer::new(ports, api, config, breaker, None).expect("valid config");
        Self { clock, service, streamer, next: 0 }
    }

    fn enqueue(&mut self, count: usize, padding: usize) {
        for _ in 0..count {
            let padding = "x".repeat(padding);
            let json = format!(r#"{{"id":"{}","padding":"{padding}"}}"#, self.next);
            self.next += 1;
            self.streamer.enqueue(EncodedEvent { json: json.into_bytes(), kind: "TEST".into() });
            self.streamer.ledger().check().expect("the law");
        }
    }

    fn flush(&mut self, seconds: u64) -> FlushReport {
        let deadline = Duration::from_secs(seconds);
        let report = self.run(self.streamer.flush(deadline));
        self.streamer.ledger().check().expect("the law");
        report
    }

    /// Runs `future` beside the courier.
    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let ran = self.clock.run(race(future, self.streamer.courier(|_| ())));
        // With the courier go the POSTs under way.
        self.service.lock().expect("lock").under_way = 0;
        match ran {
            Race::First(output) => output,
            Race::Second(never) => match never {},
        }
    }

    fn posts(&self) -> Vec<Post> {
        self.service.lock().expect("lock").posts.clone()
    }

    fn sizes(&self) -> Vec<usize> {
        self.posts().iter().map(|post| post.events.len()).collect()
    }
}

fn small() -> StreamConfig {
    StreamConfig { batch_events_max: 10, ..StreamConfig::default() }
}

#[test]
fn events_leave_in_order_and_concurrently() {
    let config = StreamConfig { concurrency: 3, ..small() };
    let mut bench = Bench::new(config, vec![Reply::Status(200, 100, None); 5]);
    bench.enqueue(45, 0);
    let report = bench.flush(60);
    assert_eq!((report.posts, report.acknowledged, report.remaining), (5, 45, 0));
    assert_eq!(bench.sizes(), [10, 10, 10, 10, 5]);
    let sent: Vec<String> = bench.posts().into_iter().flat_map(|post| post.events).collect();
    assert_eq!(sent, (0..45).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(bench.service.lock().expect("lock").under_way_peak, 3);
    assert_eq!(bench.clock.monotonic(), Duration::from_millis(200), "two rounds of 100 ms");
    assert_eq!(bench.streamer.stats().acknowledged["TEST"], 45);
}

#[test]
fn each_outcome_has_its_place() {
    let refused = |reason| Rejection::Refused(reason);
    // Script, then: acknowledged, rejected, remaining, unknown sends, name.
    let check = |reply: Reply, expected: (u64, Option<Rejection>, u64, u64), name: &str| {
        let mut bench = Bench::new(small(), [reply.clone()]);
        bench.enqueue(10, 0);
        bench.flush(60);
        let ledger = bench.streamer.ledger();
        let rejected = ledger.rejected.keys().next().copied();
        let got = (ledger.acknowledged, rejected, ledger.in_flight, ledger.unknown_sends);
        assert_eq!(got, expected, "{reply:?}");
        assert_eq!(bench.streamer.stats().posts.keys().next(), Some(&name), "{reply:?}");
        assert_eq!(ledger.unknown_events, ledger.unknown_sends * 10);
        // Whatever was kept is delivered by the next flush, with the same request id.
        bench.clock.advance(Duration::from_secs(600));
        bench.flush(60);
        let ledger = bench.streamer.ledger();
        assert_eq!(ledger.in_flight, 0, "{reply:?}");
        if expected.2 > 0 {
            let posts = bench.posts();
            assert_eq!(posts[0].request_id, posts[1].request_id, "{reply:?}");
            assert_eq!(bench.streamer.stats().retries, 1);
        }
    };
    let status = |status, wait| Reply::Status(status, 5, wait);
    check(status(200, None), (10, None, 0, 0), "accepted");
    check(status(400, None), (0, Some(refused(RejectReason::BadRequest)), 0, 0), "bad_request");
    check(status(401, None), (0, Some(refused(RejectReason::Key)), 0, 0), "forbidden");
    check(status(403, None), (0, Some(refused(RejectReason::Key)), 0, 0), "forbidden");
    let media = Some(refused(RejectReason::MediaType));
    check(status(415, None), (0, media, 0, 0), "unsupported_media_type");
    check(status(408, None), (0, None, 10, 0), "server_timeout");
    check(status(429, Some(60)), (0, None, 10, 0), "rate_limited");
    check(status(500, None), (0, None, 10, 0), "server_error");
    check(status(503, Some(1)), (0, None, 10, 0), "server_error");
    check(status(404, None), (0, None, 10, 0), "unexpected_status");
    check(Reply::Refused, (0, None, 10, 0), "not_sent");
    check(Reply::StoredThenLost, (0, None, 10, 1), "broken");
    check(Reply::LostOnTheWay, (0, None, 10, 1), "broken");
    check(Reply::StoredThenSilent, (0, None, 10, 1), "timeout");
    check(Reply::StoredThenGarbage, (0, None, 10, 1), "answer");
}

#[test]
fn a_body_that_is_too_large_is_halved_until_it_fits() {
    let script = [413, 413, 200].map(|status| Reply::Status(status, 5, None));
    let config = StreamConfig { concurrency: 1, ..small() };
    let mut bench = Bench::new(config, script);
    bench.enqueue(10, 0);
    let report = bench.flush(60);
    assert_eq!((report.acknowledged, report.remaining), (10, 0));
    assert_eq!(bench.sizes(), [10, 5, 2, 3, 5]);
    assert_eq!(bench.streamer.stats().splits, 2);

    let mut bench = Bench::new(small(), vec![Reply::Status(413, 5, None)]);
    bench.enqueue(1, 0);
    bench.flush(60);
    let ledger = bench.streamer.ledger();
    assert_eq!(ledger.rejected, BTreeMap::from([(Rejection::EventTooLarge, 1)]));
}

#[test]
fn bodies_stay_below_both_limits() {
    let config = StreamConfig {
        batch_events_max: 100,
        batch_bytes_max: 10_000,
        body_bytes_limit: 2_000,
        gzip_above_bytes: 10_000,
        ..StreamConfig::default()
    };
    let mut bench = Bench::new(config, []);
    bench.enqueue(40, 400);
    bench.enqueue(1, 3_000); // Fits the batch, not the body.
    bench.enqueue(1, 20_000); // Fits neither.
    let report = bench.flush(60);
    assert_eq!((report.acknowledged, report.rejected, report.remaining), (40, 1, 0));
    let rejected = bench.streamer.ledger().rejected;
    assert_eq!(rejected, BTreeMap::from([(Rejection::EventTooLarge, 2)]));
    assert!(bench.posts().iter().all(|post| post.body_bytes < 2_000));
    assert!(bench.streamer.stats().splits > 0);
}

#[test]
fn short_bodies_go_plain_and_long_ones_gzipped() {
    let mut bench = Bench::new(small(), []);
    bench.enqueue(1, 10);
    bench.enqueue(9, 1_000);
    bench.flush(60);
    let plain = bench.streamer.stats().clone();
    assert!(plain.sent_bytes < plain.body_bytes / 10, "{plain:?}");
    let mut bench = Bench::new(small(), []);
    bench.enqueue(1, 10);
    bench.flush(60);
    assert_eq!(bench.streamer.stats().sent_bytes, bench.streamer.stats().body_bytes);
}

#[test]
fn overflow_drops_the_oldest_by_events_and_by_bytes() {
    let config = StreamConfig { buffer_events_max: 25, ..small() };
    let mut bench = Bench::new(config, vec![Reply::Status(503, 5, None); 2]);
    bench.enqueue(20, 0);
    bench.flush(60);
    bench.enqueue(20, 0);
    let ledger = bench.streamer.ledger();
    assert_eq!(ledger.dropped, BTreeMap::from([(DropReason::BufferFull, 15)]));
    assert_eq!(ledger.in_flight, 25);
    bench.clock.advance(Duration::from_secs(60));
    bench.flush(60);
    let sent: Vec<String> = bench.posts().iter().skip(2).flat_map(|p| p.events.clone()).collect();
    assert_eq!(sent, (15..40).map(|n| n.to_string()).collect::<Vec<_>>());

    let bytes = StreamConfig { batch_bytes_max: 5_000, buffer_bytes_max: 5_000, ..small() };
    let mut bench = Bench::new(bytes, []);
    bench.enqueue(10, 1_000);
    assert!(bench.streamer.resident_bytes() <= 5_000);
    assert_eq!(bench.streamer.ledger().dropped_total(), 6);
}

#[test]
fn retry_after_holds_across_flushes() {
    let script = [Reply::Status(429, 5, Some(60))];
    let mut bench = Bench::new(small(), script);
    bench.enqueue(10, 0);
    let report = bench.flush(30);
    assert_eq!(report.stopped, Some("rate_limited"));
    assert_eq!(report.wait, Some(Duration::from_secs(60)));
    bench.clock.advance(Duration::from_secs(30));
    let report = bench.flush(30);
    assert_eq!((report.posts, report.wait), (0, Some(Duration::from_secs(30))));
    bench.clock.advance(Duration::from_secs(30));
    let report = bench.flush(30);
    assert_eq!((report.posts, report.acknowledged, report.wait), (1, 10, None));
}

#[test]
fn retry_after_is_believed_up_to_the_maximum() {
    let retry_after_max = Duration::from_secs(100);
    let retry = RetryConfig { retry_after_max, ..small().retry };
    let config = StreamConfig { retry, ..small() };
    let mut bench = Bench::new(config, [Reply::Status(429, 0, Some(9_999_999))]);
    bench.enqueue(1, 0);
    let report = bench.flush(30);
    assert_eq!(report.wait, Some(Duration::from_secs(100)));
}

#[test]
fn a_flush_ends_at_its_deadline_and_the_courier_goes_on() {
    let config = StreamConfig { concurrency: 1, ..small() };
    let mut bench = Bench::new(config, vec![Reply::Status(200, 400, None); 10]);
    bench.enqueue(100, 0);
    let streamer = bench.streamer.clone();
    let report = bench.run(async {
        let report = streamer.flush(Duration::from_secs(1)).await;
        bench.clock.sleep(Duration::from_secs(10)).await;
        report
    });
    assert_eq!((report.acknowledged, report.deadline_passed), (20, true));
    assert_eq!(report.remaining, 80);
    assert_eq!(bench.streamer.ledger().acknowledged, 100);
    assert_eq!(bench.flush(0).posts, 0);
}

#[test]
fn a_dropped_courier_loses_nothing() {
    let config = StreamConfig { concurrency: 2, ..small() };
    let mut bench = Bench::new(config, vec![Reply::Status(200, 5_000, None); 2]);
    bench.enqueue(40, 0);
    let report = bench.flush(1);
    assert!(report.deadline_passed, "it takes five seconds");
    let ledger = bench.streamer.ledger();
    assert_eq!((ledger.in_flight, ledger.unknown_sends), (40, 2));
    assert!(bench.streamer.resident_bytes() > 0);
    bench.flush(60);
    let ledger = bench.streamer.ledger();
    assert_eq!((ledger.acknowledged, ledger.unknown_events), (40, 20));
}

#[test]
fn bad_settings_are_all_named() {
    let check = |config: StreamConfig, expected: &[&str]| {
        let errors = config.validate();
        let settings: Vec<_> = errors.iter().map(|error| error.setting).collect();
        assert_eq!(settings, expected);
    };
    check(StreamConfig::default(), &[]);
    check(
        StreamConfig { batch_events_max: 0, concurrency: 0, ..small() },
        &["batch_events_max", "concurrency"],
    );
    check(
        StreamConfig { body_bytes_limit: 1_000_001, gzip_level: 10, ..small() },
        &["body_bytes_limit", "gzip_level"],
    );
    check(
        StreamConfig { request_timeout: Duration::ZERO, buffer_events_max: 5, ..small() },
        &["request_timeout", "buffer_events_max"],
    );
    check(
        StreamConfig { batch_bytes_max: 10, buffer_bytes_max: 1, ..small() },
        &["batch_bytes_max", "buffer_bytes_max"],
    );
    let text = StreamConfig { gzip_level: 12, ..small() }.validate()[0].to_string();
    assert_eq!(text, "stream.gzip_level = 12: must be 0 to 9");
}

#[derive(Debug, Clone)]
enum Step {
    Enqueue(usize),
    Flush(u64),
    DroppedFlush(u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..40).prop_map(Step::Enqueue),
        4 => (0u64..40).prop_map(Step::Flush),
        1 => (0u64..3_000).prop_map(Step::DroppedFlush),
        2 => (0u64..90).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..30)
}

fn replies() -> impl Strategy<Value = Vec<Reply>> {
    let statuses = prop::sample::select(vec![400, 401, 403, 413, 415, 408, 429, 500, 503, 404]);
    let reply = prop_oneof![
        6 => (0u64..3_000).prop_map(|ms| Reply::Status(200, ms, None)),
        3 => (statuses, 0u64..500).prop_map(|(status, ms)| Reply::Status(status, ms, None)),
        1 => (0u64..120).prop_map(|wait| Reply::Status(429, 5, Some(wait))),
        1 => Just(Reply::StoredThenLost),
        1 => Just(Reply::StoredThenGarbage),
        1 => Just(Reply::StoredThenSilent),
        1 => Just(Reply::LostOnTheWay),
        1 => Just(Reply::Refused),
    ];
    prop::collection::vec(reply, 0..60)
}

/// What New Relic holds agrees with the ledger: nothing acknowledged is missing, and every extra
/// copy is explained by a POST of unknown fate.
fn check_books(bench: &Bench) {
    let ledger = bench.streamer.ledger();
    ledger.check().expect("the law");
    let service = bench.service.lock().expect("lock");
    let copies: u64 = service.stored.values().sum();
    let distinct = service.stored.len() as u64;
    assert!(distinct >= ledger.acknowledged, "{distinct} stored: {ledger:?}");
    assert!(copies <= ledger.acknowledged + ledger.unknown_events, "{copies} copies: {ledger:?}");
}

proptest! {
    #[test]
    fn conservation_holds_at_every_step(
        steps in steps(),
        script in replies(),
        concurrency in 1usize..6,
        batch in 1usize..25,
    ) {
        let config = StreamConfig {
            batch_events_max: batch,
            concurrency,
            buffer_events_max: 60,
            ..StreamConfig::default()
        };
        let mut bench = Bench::new(config, script);
        for step in steps {
            match step {
                Step::Enqueue(count) => bench.enqueue(count, 30),
                Step::Wait(seconds) => bench.clock.advance(Duration::from_secs(seconds)),
                Step::Flush(seconds) => {
                    bench.flush(seconds);
                    check_books(&bench);
                }
                Step::DroppedFlush(millis) => {
                    let clock = bench.clock.clone();
                    let flush = bench.streamer.flush(Duration::from_secs(60));
                    let _ = bench.run(clock.timeout(Duration::from_millis(millis), flush));
                    bench.streamer.ledger().check().expect("the law");
                }
            }
            prop_assert!(bench.streamer.ledger().in_flight <= 60);
        }
        // New Relic recovers: everything that is still in memory gets through.
        bench.service.lock().expect("lock").script.clear();
        bench.clock.advance(Duration::from_secs(300));
        let report = bench.flush(600);
        check_books(&bench);
        prop_assert_eq!(report.remaining, 0);
        let ledger = bench.streamer.ledger();
        let lost = ledger.rejected_total() + ledger.dropped_total();
        let service = bench.service.lock().expect("lock");
        prop_assert!(service.stored.len() as u64 + lost >= ledger.enqueued);
        prop_assert!(service.under_way_peak <= concurrency);
        prop_assert!(service.posts.iter().all(|post| post.events.len() <= batch));
        prop_assert!(service.posts.is_sorted_by_key(|post| post.at));
    }
}
