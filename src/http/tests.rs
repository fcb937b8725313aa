//! The pages, their errors, and the metrics text, over a pipeline in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::pipeline::testing::*;

mod bodies;
mod documents;
mod openmetrics;
mod world;

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

/// A world whose pipeline ran `cycles` cycles, the last with all its retries, and its router.
/// Cycles begin 10 s, 25 s, 40 s … after the test's beginning.
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
            let wait = Duration::from_millis(15 * 1_000 * cycles - 100);
            crate::rt::race(run, world.clock.sleep(wait)).await;
        });
    }
    (world, router)
}

#[test]
fn health_pages() {
    let partial = [Step::Partial(2, Duration::from_millis(5))];
    let fails = [Step::Fails(Duration::from_millis(5))];
    // Cycles run, script, the codes of the pages, the word of /health.
    let cases: [(u64, &[Step], [u16; 4], &str); 4] = [
        (0, &[QUICK], [503, 200, 503, 503], "UNHEALTHY"),
        (1, &[QUICK], [200, 200, 200, 200], "HEALTHY"),
        (1, &partial, [200, 200, 200, 200], "DEGRADED"),
        (1, &fails, [503, 200, 503, 200], "UNHEALTHY"),
    ];
    for (cycles, steps, expected, word) in cases {
        let (world, router) = after(cycles, steps, &[]);
        let pages = ["/health", "/health/live", "/health/ready", "/health/startup"];
        let answers = pages.map(|path| ask(&world, &router, "GET", path));
        let codes = answers.each_ref().map(|answer| answer.0);
        assert_eq!(codes, expected, "{steps:?} {answers:?}");
        assert!(answers.iter().all(|answer| answer.1 == "application/json"));
        let health = body(&answers[0].2);
        assert_eq!(health["status"], word);
        let checks = health["checks"].as_array().expect("list");
        let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
        let expected = [
            "loop",
            "collection",
            "source/kafka/orders \"A\"\\",
            "newrelic",
            "buffer",
            "samples",
            "entities",
            "memory",
        ];
        // What guards the pipeline comes after what it does.
        let (own, rooms) = names.split_at(expected.len());
        assert_eq!(own, expected);
        assert!(rooms.iter().all(|room| ["spool", "pool", "breakers"].contains(room)), "{rooms:?}");
        assert!(checks.iter().all(|c| c["detail"].is_string() && c["status"].is_string()));
        let words = ["status", "phase", "timestamp", "version"];
        for answer in &answers {
            assert!(words.iter().all(|word| body(&answer.2)[word].is_string()), "{answer:?}");
        }
        // The other family of pages tells the same.
        let (code, _, text) = ask(&world, &router, "GET", "/api/health/detailed");
        let overall = body(&text)["data"]["health"]["overall"].clone();
        assert_eq!((code, overall), (codes[0], word.to_lowercase().into()));
        let (code, _, text) = ask(&world, &router, "GET", "/api/health");
        let short = match word {
            "HEALTHY" => "ok",
            "DEGRADED" => "degraded",
            _ => "error",
        };
        assert_eq!((code, &body(&text)["data"]["status"]), (codes[0], &short.into()));
        let (code, _, text) = ask(&world, &router, "GET", "/api/health/circuit-breakers");
        assert_eq!((code, &body(&text)["data"]["summary"]["healthy"]), (200, &true.into()));
    }
}

#[test]
fn uptime_is_measured_from_page_to_page() {
    let (world, router) = after(1, &[QUICK], &[]);
    let uptime = |at: &str| {
        let health = body(&ask(&world, &router, "GET", "/health").2);
        assert!(health["metrics"]["uptime"].is_string(), "{at}: {health}");
        health["metrics"]["uptime"].as_str().expect("text").to_owned()
    };
    assert_eq!(uptime("healthy"), "100.00%");
    // Far too long without a cycle: the time since the last look is not counted as up.
    world.clock.advance(Duration::from_secs(3_600));
    let stuck = uptime("stuck");
    assert!(stuck.len() == 5 && &*stuck < "0.30%", "{stuck}");
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
        ("PUT", "/api/health/detailed", 405, "Method Not Allowed"),
        ("GET", "/api/health/", 404, "Not Found"),
    ];
    for (method, path, expected, title) in cases {
        let (code, kind, text) = ask(&world, &router, method, path);
        assert_eq!((code, kind.as_str()), (expected, "application/problem+json"), "{path}");
        let problem = body(&text);
        assert_eq!((&problem["title"], &problem["status"]), (&title.into(), &expected.into()));
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains(path));
        let names_all = PAGES.iter().all(|(page, _)| detail.contains(page));
        assert_eq!(names_all, code == 404, "{detail}");
    }
    let (code, _, text) = ask(&world, &router, "HEAD", "/health/live");
    assert_eq!((code, text.as_str()), (200, ""));
}

/// Samples of an OpenMetrics text by name and labels as written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let families = openmetrics::parse(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    let samples = families.into_iter().flat_map(|family| family.samples);
    samples.map(|sample| (sample.series, sample.value)).collect()
}

#[test]
fn metrics_are_open_metrics_and_true() {
    let steps = [QUICK, Step::Partial(1, Duration::from_millis(5)), Step::Fails(Duration::ZERO)];
    let (world, router) = after(3, &steps, &[ACCEPT, UNAVAILABLE]);
    let (code, kind, text) = ask(&world, &router, "GET", "/metrics");
    assert_eq!(code, 200);
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let samples = samples(&text);
    let source = r#"source="kafka/orders \"A\"\\""#;
    let name = r#""source/kafka/orders \"A\"\\""#;
    let expected = [
        ("shakedown_cycles_total".to_owned(), 3.0),
        ("shakedown_cycles_skipped_total".to_owned(), 0.0),
        ("shakedown_cycle_duration_seconds_count".to_owned(), 3.0),
        (r#"shakedown_cycle_duration_seconds_bucket{le="+Inf"}"#.to_owned(), 3.0),
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
        ("platform_running".to_owned(), 1.0),
        ("platform_uptime_seconds".to_owned(), 44.9),
        ("platform_cycles_total".to_owned(), 3.0),
        ("platform_cycle_duration_seconds_count".to_owned(), 3.0),
        (r#"platform_cycle_duration_seconds_bucket{le="+Inf"}"#.to_owned(), 3.0),
        (r#"entities_created_total{type="MESSAGE_QUEUE_BROKER"}"#.to_owned(), 4.0),
        ("streaming_queue_size".to_owned(), 0.0),
        (r#"health_check_status{check="loop"}"#.to_owned(), 1.0),
        (r#"health_check_status{check="samples"}"#.to_owned(), 1.0),
        (format!("health_check_status{{check={name}}}"), 0.5),
        ("health_check_duration_seconds_count".to_owned(), 3.0),
        (format!("infrastructure_collection_duration_seconds_count{{{source}}}"), 3.0),
        (format!("infrastructure_collection_duration_seconds_bucket{{le=\"+Inf\",{source}}}"), 3.0),
        (
            format!(r#"infrastructure_collection_errors_total{{{source},reason="unreachable"}}"#),
            1.0,
        ),
        ("shakedown_series_left_out_total".to_owned(), 0.0),
    ];
    for (series, value) in expected {
        assert_eq!(samples.get(&series), Some(&value), "{series}\n{text}");
    }
    let enqueued = samples["shakedown_events_enqueued_total"];
    let acknowledged = samples[r#"shakedown_events_total{outcome="acknowledged",reason=""}"#];
    assert!(enqueued > 0.0 && enqueued == acknowledged);
    assert_eq!(samples["streaming_events_sent_total"], acknowledged);
    let collected = samples[r#"shakedown_last_success_timestamp_seconds{stage="collect"}"#];
    assert!(collected > 1_700_000_000.0);
    // The same snapshot gives the same bytes.
    assert_eq!(ask(&world, &router, "GET", "/metrics").2, text);
    assert!(!text.contains(&CANARY_KEY[..7]));
}
