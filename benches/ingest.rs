//! Ingest on one core: from gzipped bodies to stored rows and synthesized entities, for the Event
//! API and the Metric API.
//!
//! `cargo bench --bench ingest` prints criterion's wall-clock figures; then, and alone with
//! `-- --figures`, events and megabytes of JSON per CPU second, which other load on the machine
//! disturbs least, and what a stored row takes in memory. Events have 26 attributes and make one
//! entity each of 1,000; data points have 8 attributes and make none.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use flate2::Compression;
use flate2::write::GzEncoder;
use shakedown::definitions::builtin;
use shakedown::domain::account::AccountId;
use shakedown::domain::units::UnixMillis;
use shakedown::newrelic::ApiKey;
use shakedown::sim::newrelic::{Account, DelayRange, DirectPost, NewRelic, NewRelicConfig, Target};
use shakedown::sim::seed::Seed;

const KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const ROWS: u64 = 1_000;
const STORE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A value that differs from row to row.
fn value(seed: u64, scale: f64) -> f64 {
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    ((mixed >> 11) as f64 / (1_u64 << 53) as f64 * scale * 1_000.0).round() / 1_000.0
}

fn event(row: u64, turn: u64) -> String {
    let mut text = format!(
        concat!(
            r#"{{"eventType":"MessageQueue","timestamp":{t},"entityType":"MESSAGE_QUEUE_BROKER","#,
            r#""entityIdentifier":"{row:032x}","displayName":"orders-broker-{row}","#,
            r#""provider":"kafka","clusterName":"orders-{c}","brokerId":"{row}","#,
            r#""hostname":"kafka-{row}.prod.example.org","port":9092"#,
        ),
        t = NOW.0 + (turn % 1_000) as i64,
        c = row % 10,
        row = row,
    );
    for metric in 0..16 {
        let number = value(row * 100 + metric + turn, 1e4);
        text.push_str(&format!(r#","broker.metric{metric}.perSecond":{number}"#));
    }
    text.push('}');
    text
}

fn point(row: u64, turn: u64) -> String {
    format!(
        concat!(
            r#"{{"name":"kafka.metric{m}","type":"gauge","value":{v},"timestamp":{t},"#,
            r#""attributes":{{"cluster":"orders-{c}","broker":{b},"topic":"topic-{row}","#,
            r#""partition":"{p}","leader":true,"rack":"r{c}"}}}}"#,
        ),
        m = row % 20,
        v = value(row + turn * 1_000, 1e4),
        t = NOW.0 + (turn % 1_000) as i64,
        c = row % 10,
        b = row % 100,
        row = row,
        p = row % 12,
    )
}

/// A body of [`ROWS`] rows: packed, and its length before.
fn body(part: Target, turn: u64) -> (Bytes, usize) {
    let rows: Vec<String> = (0..ROWS)
        .map(|row| if part == Target::Metric { point(row, turn) } else { event(row, turn) })
        .collect();
    let rows = rows.join(",");
    let text = if part == Target::Metric {
        let common = r#"{"attributes":{"env":"prod","service":"shop"}}"#;
        format!(r#"[{{"common":{common},"metrics":[{rows}]}}]"#)
    } else {
        format!("[{rows}]")
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).expect("memory");
    (Bytes::from(gzip.finish().expect("memory")), text.len())
}

fn newrelic() -> NewRelic {
    let account = Account {
        id: AccountId::try_from(1).expect("valid"),
        name: "Bench".to_owned(),
        keys: vec![ApiKey::ingest(KEY).expect("valid")],
    };
    let config = NewRelicConfig {
        parse_delay: DelayRange::millis(0, 0),
        posts_per_minute: u32::MAX,
        metric_posts_per_minute: u32::MAX,
        metric_points_per_minute: u64::MAX,
        store_bytes_max: STORE_BYTES_MAX,
        ..NewRelicConfig::new(vec![account])
    };
    NewRelic::new(config, Seed(1), Arc::new(builtin()))
}

fn send(newrelic: &NewRelic, part: Target, body: &Bytes) {
    let post = DirectPost { part, account: None, key: KEY, body: body.clone(), gzip: true };
    assert!(black_box(newrelic.post(NOW, post)).is_ok(), "refused");
    newrelic.advance(NOW);
}

/// CPU time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

const CASES: [(&str, Target); 2] = [("Event API", Target::Event), ("Metric API", Target::Metric)];

fn figures() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nper CPU second, gzipped bodies of {ROWS} rows to stored rows and entities:")?;
    for (name, part) in CASES {
        let bodies: Vec<(Bytes, usize)> = (0..10).map(|turn| body(part, turn)).collect();
        let newrelic = newrelic();
        for (body, _) in &bodies {
            send(&newrelic, part, body);
        }
        let (start, mut rows, mut text, mut packed) = (cpu_seconds(), 0.0, 0.0, 0.0);
        while cpu_seconds() - start < 3.0 {
            for (body, length) in &bodies {
                send(&newrelic, part, body);
                rows += ROWS as f64;
                text += *length as f64;
                packed += body.len() as f64;
            }
        }
        let seconds = cpu_seconds() - start;
        let counters = newrelic.counters();
        assert_eq!(counters.bodies_unreadable, 0, "{name}");
        assert!(counters.events_rejected.is_empty() && counters.points_rejected.is_empty());
        let (bytes, _) = newrelic.store_usage();
        let held: u64 = newrelic.event_counts().values().sum();
        writeln!(
            out,
            "  {name:10} {:9.0} rows/s {:7.1} MB/s of JSON {:6.2} MB/s of gzip {:6.0} bytes a row \
             {} entities",
            rows / seconds,
            text / seconds / 1e6,
            packed / seconds / 1e6,
            bytes as f64 / held.max(1) as f64,
            newrelic.entities().len(),
        )?;
    }
    Ok(())
}

fn main() {
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        let mut group = criterion.benchmark_group("ingest");
        group.throughput(Throughput::Elements(ROWS));
        for (name, part) in CASES {
            let (body, _) = body(part, 0);
            let newrelic = newrelic();
            group.bench_function(name, |bencher| bencher.iter(|| send(&newrelic, part, &body)));
        }
        group.finish();
        criterion.final_summary();
    }
    if let Err(error) = figures() {
        let _ = writeln!(std::io::stderr(), "the figures cannot be printed: {error}");
    }
}
