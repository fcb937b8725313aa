//! The four pages, their errors, and the metrics text, over a pipeline in virtual time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::collect::kafka::{Jmx, KafkaSourceConfig};
use crate::domain::units::UnixMillis;
use crate::pipeline::testing::*;
use crate::pipeline::{Cycles, KafkaSource, Pipeline};
use crate::ports::{Http, HttpLimits, Net, Ports};
use crate::rt::ShutdownHandle;
use crate::sim::fleet::{Fleet, FleetSpec, serve_broker};
use crate::sim::kernel::{Kernel, KernelConfig, KernelPorts};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::{Sink, Trace};
use crate::sim::world::World;

const QUICK: Step = Step::Brokers(3, Duration::from_millis(200));

/// Status, content type and body of one request.
fn ask(world: &TestWorld, router: &Router, method: &str, path: &str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("valid");
    world.clock.run(async {
        let response = router.clone().oneshot(request).await.expect("never fails");
        let code = response.status().as_u16();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
        let body = response.into_body().collect().await.expect("whole").to_bytes();
        (code, kind, String::from_utf8(body.to_vec()).expect("utf-8"))
    })
}

fn body(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect(text)
}

/// A world whose pipeline ran `cycles` cycles, and its router.
fn after(cycles: u64, steps: &[Step], answers: &[Answer]) -> (TestWorld, Router) {
    let world = TestWorld::new(answers, ACCEPT);
    let source = ScriptedSource::new(&world.clock, "kafka/orders \"A\"\\", steps);
    let mut pipeline = world.pipeline(TestWorld::config(), vec![source]);
    let router = router(pipeline.status(), world.clock.clone());
    let signal = world.shutdown.signal();
    if cycles > 0 {
        // The run goes on waiting for the next start; it is dropped there.
        world.clock.run(async {
            let run = pipeline.run(crate::pipeline::Cycles::Forever, &signal);
            let wait = Duration::from_secs(11 + 15 * (cycles - 1));
            crate::rt::race(run, world.clock.sleep(wait)).await;
        });
    }
    (world, router)
}

#[test]
fn health_pages() {
    let partial = [Step::Partial(2, Duration::from_millis(5))];
    let fails = [Step::Fails(Duration::from_millis(5))];
    // Cycles run, script, and the codes of /health, /health/live and /health/ready.
    let cases: [(u64, &[Step], [u16; 3], &str); 4] = [
        (0, &[QUICK], [503, 200, 503], "unhealthy"),
        (1, &[QUICK], [200, 200, 200], "healthy"),
        (1, &partial, [200, 200, 200], "degraded"),
        (1, &fails, [503, 200, 503], "unhealthy"),
    ];
    for (cycles, steps, expected, word) in cases {
        let (world, router) = after(cycles, steps, &[]);
        let pages = ["/health", "/health/live", "/health/ready"];
        let answers = pages.map(|path| ask(&world, &router, "GET", path));
        let codes = answers.each_ref().map(|answer| answer.0);
        assert_eq!(codes, expected, "{steps:?} {answers:?}");
        assert!(answers.iter().all(|answer| answer.1 == "application/json"));
        let health = body(&answers[0].2);
        assert_eq!(health["status"], word);
        let checks = health["checks"].as_array().expect("list");
        let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
        let expected =
            ["loop", "collection", "source/kafka/orders \"A\"\\", "newrelic", "buffer", "samples"];
        assert_eq!(names, expected);
        assert!(checks.iter().all(|c| c["detail"].is_string() && c["status"].is_string()));
    }
}

#[test]
fn a_stuck_loop_is_not_live() {
    let (world, router) = after(1, &[QUICK], &[]);
    assert_eq!(ask(&world, &router, "GET", "/health/live").0, 200);
    world.clock.advance(Duration::from_secs(45));
    let (code, _, text) = ask(&world, &router, "GET", "/health/live");
    assert_eq!((code, body(&text)["status"].as_str()), (503, Some("stuck")));
}

#[test]
fn errors_are_problems() {
    let (world, router) = after(0, &[QUICK], &[]);
    let cases = [
        ("GET", "/nothing", 404, "Not Found"),
        ("GET", "/", 404, "Not Found"),
        ("POST", "/metrics", 405, "Method Not Allowed"),
        ("DELETE", "/health/live", 405, "Method Not Allowed"),
    ];
    for (method, path, expected, title) in cases {
        let (code, kind, text) = ask(&world, &router, method, path);
        assert_eq!((code, kind.as_str()), (expected, "application/problem+json"), "{path}");
        let problem = body(&text);
        assert_eq!((&problem["title"], &problem["status"]), (&title.into(), &expected.into()));
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(path)));
    }
    let (code, _, text) = ask(&world, &router, "HEAD", "/health/live");
    assert_eq!((code, text.as_str()), (200, ""));
}

/// Samples of an OpenMetrics text by name and labels; fails on anything malformed.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut types = BTreeMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            assert_eq!(lines.peek(), None, "something follows the end");
            return samples;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let name = series.split('{').next().expect(line);
            let known = types.keys().any(|known| name.starts_with(known.as_str()));
            assert!(known, "no type: {line}");
            let value: f64 = value.parse().expect(line);
            assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    panic!("no end");
}

#[test]
fn metrics_are_open_metrics_and_true() {
    let steps = [QUICK, Step::Partial(1, Duration::from_millis(5)), Step::Fails(Duration::ZERO)];
    let (world, router) = after(3, &steps, &[ACCEPT, UNAVAILABLE]);
    let (code, kind, text) = ask(&world, &router, "GET", "/metrics");
    assert_eq!(code, 200);
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let samples = parse(&text);
    let source = r#"source="kafka/orders \"A\"\\""#;
    let expected = [
        ("shakedown_cycles_total".to_owned(), 3.0),
        ("shakedown_cycles_skipped_total".to_owned(), 0.0),
        ("shakedown_cycle_duration_seconds_count".to_owned(), 3.0),
        (r#"shakedown_cycle_duration_seconds_bucket{le="+Inf"}"#.to_owned(), 3.0),
        (r#"shakedown_cycle_duration_seconds_bucket{le="0.1"}"#.to_owned(), 2.0),
        (r#"shakedown_samples_collected_total{kind="broker"}"#.to_owned(), 4.0),
        ("shakedown_samples_transformed_total".to_owned(), 4.0),
        (format!(r#"shakedown_collector_failures_total{{{source},reason="unreachable"}}"#), 1.0),
        (
            format!(
                r#"shakedown_collector_missing_parts_total{{{source},reason="broker/connect"}}"#
            ),
            1.0,
        ),
        (r#"shakedown_posts_total{outcome="server_error"}"#.to_owned(), 1.0),
        ("shakedown_events_in_flight".to_owned(), 0.0),
    ];
    for (series, value) in expected {
        assert_eq!(samples.get(&series), Some(&value), "{series}\n{text}");
    }
    let enqueued = samples["shakedown_events_enqueued_total"];
    let acknowledged = samples[r#"shakedown_events_total{outcome="acknowledged",reason=""}"#];
    assert!(enqueued > 0.0 && enqueued == acknowledged);
    let collected = samples[r#"shakedown_last_success_timestamp_seconds{stage="collect"}"#];
    assert!(collected > 1_700_000_000.0);
    // The same snapshot gives the same bytes.
    assert_eq!(ask(&world, &router, "GET", "/metrics").2, text);
    assert!(!text.contains(&CANARY_KEY[..7]));
}

/// The same pages on simulated sockets, in front of a pipeline whose every port is simulated.
#[test]
fn pages_are_served_in_the_simulated_world() {
    let epoch = UnixMillis(1_700_000_005_000);
    let spec = FleetSpec { topics: 3, groups: 2, ..FleetSpec::default() };
    let fleet = Fleet::new(spec, Seed(7), epoch).expect("possible");
    let mut kernel = Kernel::new(KernelConfig::new(Seed(7), epoch), Trace::new(Sink::None));
    for id in fleet.broker_ids() {
        let (fleet, host) = (fleet.clone(), format!("orders-broker-{id}"));
        let serve = move |ports| -> Pin<Box<dyn Future<Output = ()>>> {
            let fleet = fleet.clone();
            Box::pin(async move {
                let signal = ShutdownHandle::new().signal();
                serve_broker(ports, fleet, id, signal).await.expect("serves");
            })
        };
        kernel.host(&host, Box::new(serve)).expect("new");
    }
    kernel.host("pipeline", Box::new(|ports| Box::pin(simulated_pipeline(ports)))).expect("new");
    let answers = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&answers);
    let probe = move |ports: KernelPorts| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(probe(ports, Rc::clone(&heard)))
    };
    kernel.host("probe", Box::new(probe)).expect("new");
    kernel.run_until(SimTime::ZERO + Duration::from_secs(60)).expect("no panic");

    let answers = answers.borrow();
    let codes: Vec<(&str, u16)> =
        answers.iter().map(|(path, code, _)| (path.as_str(), *code)).collect();
    // Nobody plays New Relic here, so the pipeline is alive and not ready.
    let expected = [("/health/live", 200), ("/health/ready", 503), ("/metrics", 200)];
    assert_eq!(codes, expected);
    let samples = parse(&answers[2].2);
    assert_eq!(samples["shakedown_cycles_total"], 2.0);
    assert_eq!(samples[r#"shakedown_samples_collected_total{kind="broker"}"#], 6.0);
    assert_eq!(samples[r#"shakedown_health{check="source/kafka/orders",status="healthy"}"#], 1.0);
    assert!(samples["shakedown_events_in_flight"] > 0.0);
}

async fn simulated_pipeline(ports: KernelPorts) {
    let bootstrap = vec!["orders-broker-1:9092".parse().expect("valid")];
    let settings =
        KafkaSourceConfig { jmx: Jmx::Port(7071), ..KafkaSourceConfig::new("orders", bootstrap) };
    let source = KafkaSource::new(ports.clone(), settings);
    let config = TestWorld::config();
    let mut pipeline =
        Pipeline::new(ports.clone(), config, vec![Box::new(source)], None).expect("valid");
    let pages = router(pipeline.status(), ports.clock().clone());
    let listener = ports.net().listen(8080).await.expect("free");
    let stop = ShutdownHandle::new();
    let signal = stop.signal();
    crate::rt::spawn("pages", async move {
        crate::rt::http::serve("pages", listener, pages, signal).await;
    });
    pipeline.run(Cycles::Forever, &stop.signal()).await;
}

/// Asks for three pages 26 s into the run.
async fn probe(ports: KernelPorts, answers: Rc<RefCell<Vec<(String, u16, String)>>>) {
    ports.clock().sleep(Duration::from_secs(26)).await;
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let request = Request::get(format!("http://pipeline:8080{path}"));
        let request = request.body(bytes::Bytes::new()).expect("valid");
        let limits = HttpLimits { timeout: Duration::from_secs(5), body_bytes_max: 1 << 20 };
        let answer = ports.http().send(request, limits).await.expect("an answer");
        let body = String::from_utf8(answer.body().to_vec()).expect("utf-8");
        answers.borrow_mut().push((path.to_owned(), answer.status().as_u16(), body));
    }
}
