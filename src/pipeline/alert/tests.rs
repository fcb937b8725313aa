//! Alerts against a scripted receiver, in virtual time.

use serde_json::Value;

use super::*;
use crate::ports::testing::{EPOCH, TestClock, TestPorts};
use crate::rt::ShutdownHandle;

const SECRET: &str = "Bearer c4n4ry-of-the-webhook";

/// What the receiver does with one request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// This status after that many milliseconds.
    Status(u16, u64),
    /// 503 with `Retry-After` in seconds.
    Later(u64),
    /// Nothing, until the time-out.
    Silence,
    /// No connection.
    Down,
    /// An error that repeats the address.
    Unsendable,
}

/// When a request came (milliseconds), its `X-Request-Id`, its secret, its document.
type Received = (u64, String, Option<String>, Value);

/// A receiver by script, then 200 after 10 ms.
#[derive(Clone)]
struct Receiver {
    clock: TestClock,
    script: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Http for Receiver {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let text = |name: &str| {
            let value = request.headers().get(name);
            value.map(|value| value.to_str().expect("text").to_owned())
        };
        assert_eq!(request.method(), http::Method::POST);
        assert_eq!(request.uri().to_string(), "https://alerts.example.com/c4n4ry-hook");
        assert_eq!(text("content-type").as_deref(), Some("application/json"));
        let now = u64::try_from(self.clock.monotonic().as_millis()).expect("small");
        let document = serde_json::from_slice(request.body()).expect("JSON");
        let id = text("x-request-id").expect("an id");
        let received = (now, id, text("authorization"), document);
        self.received.lock().expect("free").push(received);
        let answer = self.script.lock().expect("free").pop_front();
        let authority = "alerts.example.com:443".to_owned();
        let (status, retry_after) = match answer.unwrap_or(Answer::Status(200, 10)) {
            Answer::Status(status, millis) => {
                self.clock.sleep(Duration::from_millis(millis)).await;
                (status, None)
            }
            Answer::Later(seconds) => (503, Some(seconds)),
            Answer::Silence => {
                self.clock.sleep(limits.timeout).await;
                let timeout = limits.timeout;
                return Err(HttpError::Timeout { authority, timeout, sent: true });
            }
            Answer::Unsendable => {
                return Err(HttpError::Request(format!("`{}`: no", request.uri())));
            }
            Answer::Down => {
                let source = std::io::ErrorKind::ConnectionRefused.into();
                return Err(HttpError::Connect { authority, source });
            }
        };
        let mut response = http::Response::builder().status(status);
        if let Some(seconds) = retry_after {
            response = response.header("retry-after", seconds);
        }
        Ok(response.body(Bytes::new()).expect("valid"))
    }
}

struct Bench {
    clock: TestClock,
    receiver: Receiver,
    registry: BreakerRegistry,
    alerter: Alerter<TestPorts<Receiver>>,
}

fn config() -> AlertConfig {
    AlertConfig {
        url: "https://alerts.example.com/c4n4ry-hook".into(),
        secret_header: Some(("Authorization".to_owned(), SECRET.into())),
        retry: RetryConfig {
            attempts_max: 3,
            base: Duration::from_millis(100),
            ..RetryConfig::default()
        },
        breaker: BreakerConfig { failure_threshold: 1_000, ..BreakerConfig::DEFAULT },
        ..AlertConfig::default()
    }
}

impl Bench {
    fn new(config: AlertConfig, script: &[Answer]) -> Self {
        let clock = TestClock::default();
        let receiver = Receiver {
            clock: clock.clone(),
            script: Arc::new(Mutex::new(script.iter().copied().collect())),
            received: Arc::default(),
        };
        let registry = BreakerRegistry::default();
        let ports = TestPorts::new(&clock, receiver.clone());
        let alerter = Alerter::new(ports, config, &registry).expect("valid");
        Self { clock, receiver, registry, alerter }
    }

    fn breaker(&self, name: &str) -> Breaker {
        self.registry.get_or_create(name, BreakerConfig::DEFAULT).expect("valid")
    }

    /// Lets alerts be delivered for so long.
    fn run(&self, duration: Duration) {
        let stop = ShutdownHandle::new();
        let signal = stop.signal();
        let stopper = async {
            self.clock.sleep(duration).await;
            stop.request();
        };
        self.clock.run(futures_util::future::join(self.alerter.run(&signal), stopper));
        let AlertStats { raised, delivered, failed, dropped, waiting, .. } = self.alerter.stats();
        assert_eq!(raised, delivered + failed + dropped + waiting);
    }

    fn received(&self) -> Vec<Received> {
        self.receiver.received.lock().expect("free").clone()
    }
}

#[test]
fn an_opened_breaker_is_told_once_with_its_facts() {
    let bench = Bench::new(config(), &[]);
    bench.alerter.name_component("event-api", "streamer");
    bench.clock.advance(Duration::from_secs(3));
    let breaker = bench.breaker("event-api");
    breaker.trip(bench.clock.monotonic(), "by hand");
    breaker.trip(bench.clock.monotonic(), "again, which changes nothing");
    bench.clock.advance(Duration::from_secs(2));
    breaker.reset(bench.clock.monotonic());
    bench.run(Duration::from_secs(60));
    let received = bench.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let (_, _, secret, document) = &received[0];
    assert_eq!(secret.as_deref(), Some(SECRET));
    assert_eq!(document["event"], "circuit.opened");
    assert_eq!(document["breaker"], "event-api");
    assert_eq!(document["component"], "streamer");
    assert_eq!(document["timestamp"], EPOCH.0 + 3_000);
    assert_eq!(document["at"], "2023-11-14T22:13:23Z");
    assert_eq!(document["failureCount"], 0);
    assert!(document["reason"].as_str().expect("text").contains("by hand"), "{document}");
    let expected = AlertStats { raised: 1, delivered: 1, ..AlertStats::default() };
    assert_eq!(bench.alerter.stats(), expected);
}

#[test]
fn wanted_events_are_configurable() {
    let events = EVENTS.map(str::to_owned).to_vec();
    let bench = Bench::new(AlertConfig { events, ..config() }, &[]);
    let breaker = bench.breaker("kafka");
    breaker.trip(bench.clock.monotonic(), "by hand");
    breaker.reset(bench.clock.monotonic());
    bench.run(Duration::from_secs(1));
    let events: Vec<Value> =
        bench.received().iter().map(|(_, _, _, document)| document["event"].clone()).collect();
    assert_eq!(events, ["circuit.opened", "circuit.closed"]);
    // Without a name for its component, a breaker's own name is told.
    assert_eq!(bench.received()[1].3["component"], "kafka");
}

/// Script, requests, delivered, failed, retries, a word of the last error.
type Case<'a> = (&'a [Answer], usize, u64, u64, u64, Option<&'a str>);

#[test]
fn receivers_that_fail() {
    use Answer::{Down, Later, Silence, Status, Unsendable};
    let cases: [Case<'_>; 9] = [
        (&[Unsendable], 1, 0, 1, 0, Some("cannot be sent")),
        (&[Status(503, 10)], 2, 1, 0, 1, None),
        (&[Down, Down], 3, 1, 0, 2, None),
        (&[Silence], 2, 1, 0, 1, None),
        (&[Later(7)], 2, 1, 0, 1, None),
        (&[Status(500, 1), Status(429, 1), Status(408, 1)], 3, 0, 1, 2, Some("408")),
        (&[Status(401, 1)], 1, 0, 1, 0, Some("401")),
        (&[Status(302, 1)], 1, 0, 1, 0, Some("302")),
        (&[Status(501, 1)], 1, 0, 1, 0, Some("501")),
    ];
    for (script, requests, delivered, failed, retries, error) in cases {
        let bench = Bench::new(config(), script);
        bench.breaker("event-api").trip(Duration::ZERO, "by hand");
        bench.run(Duration::from_secs(300));
        let received = bench.received();
        assert_eq!(received.len(), requests, "{script:?}");
        let stats = bench.alerter.stats();
        let counts = (stats.delivered, stats.failed, stats.retries, stats.waiting);
        assert_eq!(counts, (delivered, failed, retries, 0), "{script:?}");
        match error {
            None => assert_eq!(stats.last_error, None, "{script:?}"),
            Some(word) => assert!(stats.last_error.expect("an error").contains(word)),
        }
        let webhook = bench.registry.get(BREAKER).expect("there").stats(bench.clock.monotonic());
        assert!(!format!("{:?} {webhook:?}", bench.alerter.stats()).contains("c4n4ry"));
        // The same alert has the same name at each try.
        assert!(received.iter().all(|request| request.1 == received[0].1), "{script:?}");
        if let [Later(seconds)] = script {
            assert!(received[1].0 >= seconds * 1_000, "{received:?}");
        }
    }
}

#[test]
fn the_queue_drops_its_oldest_and_whoever_raises_waits_for_nothing() {
    let config = AlertConfig { queue_max: 2, ..config() };
    let bench = Bench::new(config, &[Answer::Silence, Answer::Silence, Answer::Silence]);
    let breakers: Vec<Breaker> = (0..5).map(|id| bench.breaker(&format!("b{id}"))).collect();
    breakers[0].trip(Duration::ZERO, "by hand");
    let signal = ShutdownHandle::new().signal();
    let others = async {
        // The first one is under way by now.
        bench.clock.sleep(Duration::from_millis(1)).await;
        for breaker in &breakers[1..] {
            let before = bench.clock.monotonic();
            breaker.trip(before, "by hand");
            assert_eq!(bench.clock.monotonic(), before);
        }
        assert_eq!(bench.alerter.stats().waiting, 3);
        bench.clock.sleep(Duration::from_secs(600)).await;
    };
    bench.clock.run(race(bench.alerter.run(&signal), others));
    let names: Vec<Value> =
        bench.received().iter().map(|(_, _, _, document)| document["breaker"].clone()).collect();
    assert_eq!(names, ["b0", "b0", "b0", "b3", "b4"]);
    let stats = bench.alerter.stats();
    let counts = (stats.raised, stats.delivered, stats.failed, stats.dropped, stats.waiting);
    assert_eq!(counts, (5, 2, 1, 2, 0));
}

#[test]
fn its_own_breaker_opens_holds_back_and_is_never_alerted() {
    let breaker = BreakerConfig {
        failure_threshold: 2,
        success_threshold: 1,
        retry_delay: Duration::from_secs(30),
        ..BreakerConfig::DEFAULT
    };
    let bench = Bench::new(AlertConfig { breaker, ..config() }, &[Answer::Down, Answer::Down]);
    bench.breaker("event-api").trip(Duration::ZERO, "by hand");
    bench.run(Duration::from_secs(120));
    let webhook = bench.registry.get(BREAKER).expect("registered").stats(bench.clock.monotonic());
    assert_eq!((webhook.opens, webhook.closes, webhook.total_calls), (1, 1, 3));
    let received = bench.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|(_, _, _, document)| document["breaker"] == "event-api"));
    // The wait at the open breaker cost none of its three tries.
    assert!(received[2].0 >= received[1].0 + 30_000, "{received:?}");
    let stats = bench.alerter.stats();
    assert_eq!((stats.raised, stats.delivered, stats.retries), (1, 1, 2));
}

#[test]
fn settings_are_checked_all_at_once_and_the_secret_stays_hidden() {
    let config = AlertConfig {
        url: "alerts.example.com/c4n4ry".into(),
        events: vec!["circuit.opened".to_owned(), "circuit.melted".to_owned()],
        secret_header: Some(("not a header".to_owned(), "c4n4ry\nc4n4ry".into())),
        timeout: Duration::ZERO,
        queue_max: 0,
        retry: RetryConfig { attempts_max: 0, ..RetryConfig::default() },
        breaker: BreakerConfig { failure_threshold: 0, ..BreakerConfig::DEFAULT },
    };
    let settings: Vec<&str> = config.validate().iter().map(|fault| fault.setting).collect();
    let expected = [
        "url",
        "events",
        "secret_header",
        "secret_header value",
        "timeout",
        "queue_max",
        "attempts_max",
        "failure_threshold",
    ];
    assert_eq!(settings, expected);
    let shown = format!("{config:?}");
    let registry = BreakerRegistry::default();
    let clock = TestClock::default();
    let ports = TestPorts::new(&clock, crate::ports::testing::Nothing);
    let error = Alerter::new(ports, config, &registry).expect_err("invalid");
    let said = format!("{shown} {error} {error:?}");
    assert!(!said.contains("c4n4ry"), "{said}");
    assert!(registry.get(BREAKER).is_none());
    let bench = Bench::new(super::tests::config(), &[]);
    assert!(!format!("{:?}", bench.alerter).contains("c4n4ry"));
}

#[test]
fn urls() {
    let cases = [
        ("https://alerts.example.com/c4n4ry-hook", true),
        ("http://localhost:9/", true),
        ("ftp://alerts.example.com/", false),
        ("https://", false),
        ("/hook", false),
        ("", false),
    ];
    for (url, valid) in cases {
        let config = AlertConfig { url: url.into(), ..AlertConfig::default() };
        assert_eq!(config.validate().is_empty(), valid, "{url}");
    }
}
