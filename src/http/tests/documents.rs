//! docs/MONITORING.md lists every page and metric; it is made of what a full snapshot gives.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::super::{PAGES, metrics};
use super::openmetrics::{Family, parse};
use crate::pipeline::Snapshot;
use crate::pipeline::health::fixture::{after_cycle, open_circuit};
use crate::pipeline::testing::Step;
use crate::pipeline::{Figure, Moment};
use crate::resilience::pool::{Percentiles, PoolStats};

/// A snapshot in which every family has a sample.
fn full() -> (Snapshot, Moment) {
    let (mut snapshot, now) = after_cycle(Step::Invalid(2, Duration::from_millis(5)));
    open_circuit(&mut snapshot, now);
    let mut figures = (*snapshot.figures).clone();
    let figure = |name: &str, value| Figure {
        provider: "kafka".to_owned(),
        cluster: "orders".to_owned(),
        name: name.to_owned(),
        value,
    };
    figures.broker_cpu_usage.series = vec![figure("1", 12.5)];
    figures.topic_messages_per_second.series = vec![figure("a \"quoted\"\ntopic\\", 100.0)];
    figures.consumer_group_lag.series = vec![figure("billing", 7.0)];
    snapshot.figures = figures.into();
    snapshot.stream.dropped.insert(crate::stream::DropReason::BufferFull, 1);
    let failures = snapshot.ledger.failures.entry("kafka/orders".to_owned()).or_default();
    failures.insert("unreachable".to_owned(), 1);
    let missing = snapshot.ledger.missing.entry("kafka/orders".to_owned()).or_default();
    missing.insert("broker/connect".to_owned(), 1);
    snapshot.hooks = vec![crate::hooks::HookStats {
        name: "sane".to_owned(),
        passed: 5,
        dropped: [("out_of_range".to_owned(), 1)].into(),
        took_ns: 2_500_000,
        ..Default::default()
    }];
    snapshot.windows =
        Some(crate::aggregate::window::WindowStats { counted: 9, closed: 2, ..Default::default() });
    snapshot.ledger.metrics_absent.insert("stalled/missing_input".to_owned(), 3);
    snapshot.ledger.unsynthesized.insert("too_many_attributes".to_owned(), 1);
    (snapshot, now)
}

fn families() -> Vec<Family> {
    let (snapshot, now) = full();
    let text = metrics::encode(snapshot, now.monotonic).expect("text");
    parse(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

fn document(families: &[Family]) -> String {
    let mut text = String::from(
        "# Monitoring the pipeline\n\nMade of what the pages answer; a test compares this file \
         with them. Write it anew with `SHAKEDOWN_BLESS=1 cargo test --lib http::`.\n\n## Pages\n\n\
         | Path | Answer |\n|---|---|\n",
    );
    for (path, answer) in PAGES {
        let _ = writeln!(text, "| `{path}` | {answer} |");
    }
    text.push_str(
        "\nDegraded is 200: a degraded pipeline still does its work, and restarting it would not \
         help. Unhealthy is 503. The whole is as well as its worst component or check. A \
         component that does not work is unhealthy when the system is down with it, and degraded \
         when it is optional or something stands in for it (the spool for New Relic). Errors are \
         `application/problem+json`.\n\n\
         `metrics.uptime` is the share of the time since the end of the first cycle in which the \
         whole was not unhealthy. It is measured where somebody looked (the pipeline after every \
         cycle, and each request of a health page); a span between two looks counts as down when \
         either of its ends was. `metrics.throughput` is the entities of the last cycle by its \
         duration or the interval, whichever is longer. `metrics.errorRate` is what was rejected \
         or dropped of samples, entities and events. Shares are rounded to the worse side; what is \
         not known is absent.\n\n\
         ## Metrics\n\nOpenMetrics text. Counters carry the suffix `_total`, histograms `_bucket`, \
         `_sum` and `_count`. A room that the pipeline runs without (pool, spool, alerts) has no \
         metrics. Figures of entities are those of the last cycle, the first 1,000 entities by \
         name; `shakedown_series_left_out_total` counts the rest.\n\n\
         | Name | Type | Labels | Meaning |\n|---|---|---|---|\n",
    );
    for family in families {
        let labels: BTreeSet<&str> =
            family.samples.iter().flat_map(|one| one.labels.keys()).map(String::as_str).collect();
        let labels: Vec<String> = labels
            .into_iter()
            .filter(|label| *label != "le")
            .map(|label| format!("`{label}`"))
            .collect();
        let Family { name, kind, help, .. } = family;
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    text
}

#[test]
fn every_family_has_a_sample_and_stands_in_the_document() {
    let families = families();
    let empty: Vec<&str> =
        families.iter().filter(|one| one.samples.is_empty()).map(|one| &*one.name).collect();
    assert!(empty.is_empty(), "no example of {empty:?}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MONITORING.md");
    let text = document(&families);
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == text, "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib http::");
}

/// The names of the platform's exporter, which others know (domain: Prometheus exporter).
#[test]
fn the_platforms_names_are_all_there() {
    let families = families();
    let cases = [
        ("platform_running", "gauge"),
        ("platform_uptime_seconds", "gauge"),
        ("platform_cycles", "counter"),
        ("platform_cycle_duration_seconds", "histogram"),
        ("entities_total", "gauge"),
        ("entities_created", "counter"),
        ("streaming_events_sent", "counter"),
        ("streaming_events_failed", "counter"),
        ("streaming_queue_size", "gauge"),
        ("streaming_circuit_breaker_state", "gauge"),
        ("health_check_status", "gauge"),
        ("health_check_duration_seconds", "histogram"),
        ("message_queue_cluster_health_score", "gauge"),
        ("message_queue_broker_cpu_usage", "gauge"),
        ("message_queue_topic_messages_per_second", "gauge"),
        ("message_queue_consumer_group_lag", "gauge"),
        ("infrastructure_collection_duration_seconds", "histogram"),
        ("infrastructure_collection_errors", "counter"),
    ];
    for (name, kind) in cases {
        let family = families.iter().find(|family| family.name == name);
        assert_eq!(family.map(|family| family.kind.as_str()), Some(kind), "{name}");
    }
}

#[test]
fn labels_survive_and_states_are_numbers() {
    let families = families();
    let value = |family: &str, labels: &[(&str, &str)]| {
        let family = families.iter().find(|one| one.name == family).expect("there");
        let fits = |(label, value): &(&str, &str), labels: &std::collections::BTreeMap<_, _>| {
            labels.get(*label).map(String::as_str) == Some(*value)
        };
        let mut found = family
            .samples
            .iter()
            .filter(|sample| labels.iter().all(|label| fits(label, &sample.labels)));
        let sample = found.next().expect("a sample");
        assert!(found.next().is_none(), "one sample");
        sample.value
    };
    let topic = [("topic", "a \"quoted\"\ntopic\\"), ("cluster", "orders"), ("provider", "kafka")];
    assert_eq!(value("message_queue_topic_messages_per_second", &topic), 100.0);
    assert_eq!(value("streaming_circuit_breaker_state", &[("breaker", "event-api")]), 2.0);
    assert_eq!(value("shakedown_breaker_state", &[("breaker", "collector")]), 0.0);
    assert_eq!(value("shakedown_breaker_opens", &[("breaker", "event-api")]), 1.0);
    let open = [("component", "streamer"), ("state", "CIRCUIT_OPEN")];
    assert_eq!(value("shakedown_component_state", &open), 1.0);
    let healthy = [("component", "streamer"), ("state", "HEALTHY")];
    assert_eq!(value("shakedown_component_state", &healthy), 0.0);
    assert_eq!(value("shakedown_recovery_mttr_seconds", &[]), 1.5);
    assert_eq!(value("health_check_status", &[("check", "breakers")]), 0.5);
}

#[test]
fn percentiles_are_seconds() {
    let (mut snapshot, now) = full();
    let run = Percentiles { count: 1, p95: Duration::from_millis(250), ..Percentiles::default() };
    snapshot.resilience.pool = Some(PoolStats { run, ..PoolStats::default() });
    let text = metrics::encode(snapshot, now.monotonic).expect("text");
    let line = "shakedown_pool_run_quantile_seconds{quantile=\"0.95\"} 0.25";
    assert!(text.lines().any(|one| one == line), "{text}");
}

/// A snapshot without any room is text as well, without their families.
#[test]
fn rooms_that_are_not_there_have_no_metrics() {
    let (snapshot, now) = after_cycle(Step::Brokers(1, Duration::ZERO));
    let text = metrics::encode(snapshot, now.monotonic).expect("text");
    let families = parse(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    let rooms = ["breaker_", "component_", "pool_", "spool_", "limiter_", "alert"];
    let own = |family: &Family| {
        let name = family.name.strip_prefix("shakedown_").unwrap_or("");
        rooms.iter().any(|room| name.starts_with(room))
    };
    assert!(!families.iter().any(own));
    assert!(families.len() > 30);
}
