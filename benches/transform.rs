//! Samples to events on one core: nri-kafka's JSON of about 0.8 KB and 16 metrics a sample,
//! parsed, transformed, synthesized and written, with and without gzip, beside the floor of
//! parsing and writing alone in the same run.
//!
//! `cargo bench --bench transform` prints criterion's wall-clock figures, then the same cases in
//! samples per CPU second, which other load on the machine disturbs least, what a cycle pays for
//! custom metrics and hooks when none is configured, and the peak memory of each path for growing
//! numbers of entities.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use shakedown::aggregate::{Aggregator, AggregatorConfig, EntityState};
use shakedown::collect::nri::{NriDefaults, read};
use shakedown::custom_metrics::CustomMetrics;
use shakedown::domain::account::AccountId;
use shakedown::domain::sample::{RawSample, RawValue};
use shakedown::domain::tag::Tags;
use shakedown::domain::units::UnixMillis;
use shakedown::hooks::Chain;
use shakedown::ports::Clock;
use shakedown::synthesize::event::write_entity;
use shakedown::synthesize::{SynthesisConfig, Synthesizer};
use shakedown::transform::transform;

const CLUSTERS: u64 = 10;
const BROKERS: u64 = 100;
const SAMPLES: u64 = CLUSTERS * BROKERS;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A value that differs from sample to sample. Three in sixteen have all the digits of a double,
/// as quotients have; the others three decimals or none.
fn value(seed: u64, scale: f64) -> f64 {
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64 * scale
}

fn short(seed: u64, scale: f64) -> f64 {
    (value(seed, scale) * 1_000.0).round() / 1_000.0
}

fn samples() -> String {
    let mut text = String::from("[");
    for cluster in 0..CLUSTERS {
        for broker in 0..BROKERS {
            let seed = (cluster * BROKERS + broker) * 100;
            if text.len() > 1 {
                text.push_str(",\n");
            }
            let host = format!("kafka-{broker}.prod-{cluster}:9092");
            text.push_str(&format!(
                concat!(
                    r#"{{"event_type":"KafkaBrokerSample","timestamp":1700000000000,"#,
                    r#""clusterName":"prod-{c}","displayName":"{h}","#,
                    r#""entityKey":"ka-broker:{h}:brokerid={b}:clustername=prod-{c}","#,
                    r#""broker.IOInPerSecond":{},"broker.IOOutPerSecond":{},"#,
                    r#""broker.messagesInPerSecond":{},"broker.logFlushPerSecond":{},"#,
                    r#""request.produceRequestsPerSecond":{},"#,
                    r#""request.fetchConsumerRequestsPerSecond":{},"#,
                    r#""request.produceRequestsFailedPerSecond":{},"#,
                    r#""request.clientFetchesFailedPerSecond":{},"#,
                    r#""request.produceTime99Percentile":{},"request.fetchTime99Percentile":{},"#,
                    r#""request.handlerIdle":{},"replication.isrExpandsPerSecond":{},"#,
                    r#""replication.unreplicatedPartitions":{},"system.cpuPercent":{},"#,
                    r#""broker.partitionCount":{},"broker.diskUsedPercent":{}}}"#,
                ),
                short(seed, 1e8),
                short(seed + 1, 2e8),
                short(seed + 2, 1e5),
                short(seed + 3, 10.0),
                value(seed + 4, 2_000.0),
                short(seed + 5, 3_000.0),
                0,
                value(seed + 6, 0.5),
                value(seed + 7, 90.0).round(),
                value(seed + 8, 500.0).round(),
                value(seed + 9, 1.0),
                0,
                broker % 3,
                value(seed + 10, 100.0),
                50 + broker,
                short(seed + 11, 100.0),
                c = cluster,
                b = broker,
                h = host,
            ));
        }
    }
    text.push(']');
    text
}

fn synthesizer() -> Synthesizer {
    let mut tags = Tags::default();
    tags.insert("team", "messaging").expect("a valid tag");
    Synthesizer::new(SynthesisConfig {
        account: AccountId::try_from(1_234_567).expect("a valid account"),
        environment: None,
        tags,
        serves: false,
    })
}

fn each_sample<'a>(text: &'a str, mut each: impl FnMut(&RawSample<'a>)) {
    let defaults = NriDefaults { at: NOW, cluster: None };
    let stats = read(text.as_bytes(), defaults, |sample| each(sample.expect("a good sample")));
    assert_eq!(stats.samples, SAMPLES);
}

/// Each sample its own entity: parse, transform, synthesize, write.
fn streaming(text: &str, synthesizer: &Synthesizer, out: &mut Vec<u8>) {
    out.clear();
    each_sample(text, |raw| {
        let sample = transform(raw).expect("a valid sample");
        let state = EntityState::of(&sample).expect("a whole entity");
        let entity = synthesizer.entity_of(&state).expect("within the limits");
        write_entity(&entity, out);
        out.push(b',');
    });
}

/// A cycle as the pipeline runs it: all samples, then the fold with its roll-ups, then all events.
fn cycle(text: &str, synthesizer: &Synthesizer, out: &mut Vec<u8>) -> usize {
    out.clear();
    let mut raw = Vec::with_capacity(SAMPLES as usize);
    each_sample(text, |sample| raw.push(sample.clone()));
    let canonical = raw.iter().map(|raw| transform(raw).expect("a valid sample")).collect();
    let mut aggregator = Aggregator::new(AggregatorConfig::default());
    let states = aggregator.fold(canonical, NOW);
    let synthesis = synthesizer.synthesize(&states);
    for entity in &synthesis.entities {
        write_entity(entity, out);
        out.push(b',');
    }
    synthesis.entities.len()
}

/// A clock that nobody reads.
#[derive(Debug, Clone)]
struct Still;

impl Clock for Still {
    fn wall(&self) -> UnixMillis {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// [`cycle`] with the stages of hooks and custom metrics in place, and nothing configured.
fn cycle_extended(text: &str, synthesizer: &Synthesizer, out: &mut Vec<u8>) -> usize {
    let (mut chain, metrics) = (Chain::default(), CustomMetrics::default());
    out.clear();
    let mut raw = Vec::with_capacity(SAMPLES as usize);
    each_sample(text, |sample| raw.push(sample.clone()));
    black_box(chain.before_transform(&mut raw, &Still).expect("no step"));
    let mut canonical = raw.iter().map(|raw| transform(raw).expect("a valid sample")).collect();
    black_box(chain.after_transform(&mut canonical, &Still).expect("no step"));
    let mut aggregator = Aggregator::new(AggregatorConfig::default());
    let mut states = aggregator.fold(canonical, NOW);
    black_box(metrics.apply(&mut states));
    black_box(chain.before_stream(&mut states, &Still).expect("no step"));
    let synthesis = synthesizer.synthesize(&states);
    for entity in &synthesis.entities {
        write_entity(entity, out);
        out.push(b',');
    }
    synthesis.entities.len()
}

fn gzip(events: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(events.len() / 2), Compression::new(1));
    encoder.write_all(events).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// The floor of our own scanner: every value read and written again, nothing else.
fn scan_and_write(text: &str, out: &mut Vec<u8>) {
    out.clear();
    each_sample(text, |raw| {
        out.push(b'{');
        for field in &raw.fields {
            out.push(b'"');
            out.extend_from_slice(field.name.as_bytes());
            out.extend_from_slice(b"\":");
            match &field.value {
                RawValue::Text(text) => out.extend_from_slice(text.as_bytes()),
                RawValue::Number(number) | RawValue::Rate { per_second: number, .. } => {
                    out.extend_from_slice(zmij::Buffer::new().format_finite(*number).as_bytes());
                }
            }
            out.push(b',');
        }
        out.push(b'}');
    });
}

/// The same sample, typed, for serde_json.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "clusterName")]
    cluster: &'a str,
    #[serde(rename = "displayName")]
    display_name: &'a str,
    #[serde(rename = "entityKey")]
    entity_key: &'a str,
    timestamp: i64,
    #[serde(rename = "broker.IOInPerSecond")]
    io_in: f64,
    #[serde(rename = "broker.IOOutPerSecond")]
    io_out: f64,
    #[serde(rename = "broker.messagesInPerSecond")]
    messages_in: f64,
    #[serde(rename = "broker.logFlushPerSecond")]
    log_flush: f64,
    #[serde(rename = "request.produceRequestsPerSecond")]
    produce: f64,
    #[serde(rename = "request.fetchConsumerRequestsPerSecond")]
    fetch: f64,
    #[serde(rename = "request.produceRequestsFailedPerSecond")]
    produce_failed: f64,
    #[serde(rename = "request.clientFetchesFailedPerSecond")]
    fetch_failed: f64,
    #[serde(rename = "request.produceTime99Percentile")]
    produce_time: f64,
    #[serde(rename = "request.fetchTime99Percentile")]
    fetch_time: f64,
    #[serde(rename = "request.handlerIdle")]
    handler_idle: f64,
    #[serde(rename = "replication.isrExpandsPerSecond")]
    isr_expands: f64,
    #[serde(rename = "replication.unreplicatedPartitions")]
    unreplicated: f64,
    #[serde(rename = "system.cpuPercent")]
    cpu: f64,
    #[serde(rename = "broker.partitionCount")]
    partitions: f64,
    #[serde(rename = "broker.diskUsedPercent")]
    disk: f64,
}

/// The floor of serde_json: parsed into a struct, its values written.
fn serde_and_write(text: &str, out: &mut Vec<u8>) {
    out.clear();
    let all: Vec<Typed<'_>> = serde_json::from_str(text).expect("valid JSON");
    for typed in &all {
        for text in [typed.cluster, typed.display_name, typed.entity_key] {
            out.extend_from_slice(text.as_bytes());
        }
        let numbers = [
            ("broker.network.in.bytesPerSecond", typed.io_in),
            ("broker.network.out.bytesPerSecond", typed.io_out),
            ("broker.messages.in.rate", typed.messages_in),
            ("disk.logFlushRate", typed.log_flush),
            ("request.produce.perSecond", typed.produce),
            ("request.fetchConsumer.perSecond", typed.fetch),
            ("request.produce.failed.perSecond", typed.produce_failed),
            ("request.fetch.failed.perSecond", typed.fetch_failed),
            ("request.produce.latency", typed.produce_time),
            ("request.fetch.latency", typed.fetch_time),
            ("request.handlerIdle.percent", typed.handler_idle),
            ("replication.isrExpands.perSecond", typed.isr_expands),
            ("partitions.underReplicated", typed.unreplicated),
            ("broker.cpu.usage", typed.cpu),
            ("partitionCount", typed.partitions),
            ("broker.disk.usage", typed.disk),
            ("timestamp", typed.timestamp as f64),
        ];
        for (name, number) in numbers {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
            out.push(b',');
        }
    }
}

type Case = (&'static str, fn(&str, &Synthesizer, &mut Vec<u8>));

const CASES: &[Case] = &[
    ("floor/parse", |text, _, _| {
        each_sample(text, |raw| {
            black_box(raw);
        });
    }),
    ("floor/parse_write", |text, _, out| scan_and_write(text, out)),
    ("floor/serde_json_write", |text, _, out| serde_and_write(text, out)),
    ("streaming/plain", streaming),
    ("streaming/gzip", |text, synthesizer, out| {
        streaming(text, synthesizer, out);
        black_box(gzip(out));
    }),
    ("cycle/plain", |text, synthesizer, out| {
        black_box(cycle(text, synthesizer, out));
    }),
    ("cycle/gzip", |text, synthesizer, out| {
        cycle(text, synthesizer, out);
        black_box(gzip(out));
    }),
];

fn benches(criterion: &mut Criterion) {
    let (text, synthesizer) = (samples(), synthesizer());
    let mut out = Vec::with_capacity(4 << 20);
    let mut group = criterion.benchmark_group("transform");
    group.throughput(Throughput::Elements(SAMPLES));
    for (name, case) in CASES {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| case(black_box(&text), &synthesizer, &mut out));
        });
    }
    group.finish();
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// User and system time of this process so far, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

fn cpu_figures() {
    let (text, synthesizer) = (samples(), synthesizer());
    let mut out = Vec::with_capacity(4 << 20);
    print("\nsamples per CPU second");
    for (name, case) in CASES {
        let (start, mut rounds) = (cpu_seconds(), 0.0);
        while cpu_seconds() - start < 2.0 {
            for _ in 0..20 {
                case(&text, &synthesizer, &mut out);
            }
            rounds += 20.0;
        }
        let rate = rounds * SAMPLES as f64 / (cpu_seconds() - start);
        print(&format!("  {name:24} {rate:>9.0}"));
    }
    streaming(&text, &synthesizer, &mut out);
    let per = |bytes: usize| bytes as u64 / SAMPLES;
    let packed = gzip(&out).len();
    let (sample, event, packed) = (per(text.len()), per(out.len()), per(packed));
    print(&format!("bytes: sample {sample}, event {event}, in gzip {packed}"));
}

/// CPU time of this thread so far, in nanoseconds, by the scheduler's account.
fn cpu_nanos() -> u64 {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|field| field.parse().ok()).expect("nanoseconds")
}

/// Runs one cycle and says how many entities it wrote.
type Cycle = fn(&str, &Synthesizer, &mut Vec<u8>) -> usize;

/// What the stages of hooks and custom metrics cost when none is configured: the least CPU time of
/// many cycles with and without them, taken in turn, and their allocations.
fn extension_figures() {
    let (text, synthesizer) = (samples(), synthesizer());
    let mut out = Vec::with_capacity(4 << 20);
    let cases: [(&str, Cycle); 2] = [("stages absent", cycle), ("none configured", cycle_extended)];
    let mut least = [u64::MAX; 2];
    for _ in 0..100 {
        for ((_, case), least) in cases.iter().zip(&mut least) {
            let began = cpu_nanos();
            black_box(case(&text, &synthesizer, &mut out));
            *least = (*least).min(cpu_nanos() - began);
        }
    }
    print("\ncustom metrics and hooks, a cycle of 1,000 samples");
    for ((name, case), least) in cases.iter().zip(least) {
        let counted = allocation_counter::measure(|| {
            black_box(case(&text, &synthesizer, &mut out));
        });
        let (micros, count) = (least as f64 / 1_000.0, counted.count_total);
        print(&format!("  {name:24} {micros:>9.1} us  {count:>7} allocations"));
    }
    print(&format!("  {:24} {:>9.3}", "ratio", least[1] as f64 / least[0] as f64));
}

/// Runs `entities` through the streaming path in this process and prints its peak memory. Bodies of
/// a thousand events are dropped when they are compressed, as they are when they are sent.
fn memory(entities: u64) {
    let (text, synthesizer) = (samples(), synthesizer());
    let mut out = Vec::new();
    for _ in 0..entities / SAMPLES {
        streaming(&text, &synthesizer, &mut out);
        black_box(gzip(&out));
    }
    print(&format!("  {entities:>9} entities  {:>6.0} KiB", peak_kib()));
}

fn memory_figures() {
    print(&format!(
        "\npeak memory of the whole process, transform to gzip in batches of {SAMPLES}"
    ));
    let program = std::env::current_exe().expect("a running program has a path");
    for entities in ["1000", "10000", "100000", "1000000"] {
        let status = std::process::Command::new(&program).args(["--memory", entities]).status();
        assert!(status.is_ok_and(|status| status.success()), "the measuring process failed");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, entities, ..] = arguments.as_slice()
        && flag == "--memory"
    {
        memory(entities.parse().unwrap_or(SAMPLES));
        return;
    }
    let is_flag = |argument: &String| argument == "--figures" || argument == "--extensions";
    if !arguments.iter().any(is_flag) {
        let mut criterion = Criterion::default().configure_from_args();
        benches(&mut criterion);
        criterion.final_summary();
    }
    if !arguments.iter().any(|argument| argument == "--extensions") {
        cpu_figures();
        memory_figures();
    }
    extension_figures();
}
