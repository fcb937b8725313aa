//! Data points against entity rules: points matched per CPU second through the index and by a scan
//! over all rules, for sets of 100, 700 and 5,000 rules, and what a match allocates; points against
//! relationship rules; synthesis of 100,000 entities.
//!
//! The sets are synthetic, with the public set's proportions: of 673 rules, conditions on values
//! 881, presence 457, beginnings 248, absence 118; most ask for an event type or a provider, and
//! identifiers of two attributes are as frequent as there. Points have 30 attributes: a third
//! match one rule, a third miss one condition, a third resemble nothing.
//!
//! `cargo bench --bench definitions` prints criterion's wall-clock figures, then (and with
//! `-- --figures` only) the same in points per CPU second.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use indexmap::IndexMap;
use shakedown::definitions::relationship::{NoEntities, PointEntity, RelationshipRules, load};
use shakedown::definitions::{
    Condition, Definitions, EntityDefinition, Expiration, Identifier, NameFragment, NamePattern,
    Place, Point, Rule, Scalar, Source, TagRule, View,
};

const POINTS: usize = 3_000;
const ENTITIES: usize = 100_000;
const RELATIONSHIP_RULES: usize = 286;

/// Whether the `n`-th of a sequence is one of `per` in `of`, spread evenly.
fn every(n: usize, per: usize, of: usize) -> bool {
    (n * per) % of < per
}

fn provider(service: usize) -> &'static str {
    ["opentelemetry", "prometheus", "aws", "gcp", "azure", "newRelic", "pixie"][service % 7]
}

/// The rules of one service; its attributes begin with its name.
fn rule(n: usize) -> Rule {
    let text = |suffix: &str| format!("svc{n}.{suffix}");
    let mut conditions = Vec::new();
    if n.is_multiple_of(3) {
        conditions.push(Condition::Value("eventType".into(), format!("Svc{n}Sample")));
    } else {
        conditions.push(Condition::Value("eventType".into(), "Metric".into()));
        // Together with the event type: 881 of 673, not counting the third above.
        if every(n, 47, 100) || n.is_multiple_of(3) {
            let provider = provider(n).to_owned();
            conditions.push(Condition::Value("instrumentation.provider".into(), provider));
        }
    }
    if every(n, 248, 673) && !n.is_multiple_of(3) {
        conditions.push(Condition::Prefix("metricName".into(), text("")));
    } else if every(n, 500, 673) {
        conditions.push(Condition::Present(text("kind"), true));
    }
    if every(n, 100, 673) {
        conditions.push(Condition::Present("k8s.cluster.name".into(), true));
    }
    if every(n, 118, 673) {
        conditions.push(Condition::Present("aws.accountId".into(), false));
    }
    let tag = |attribute: &str| TagRule {
        attribute: attribute.to_owned(),
        is_prefix: false,
        names: Vec::new(),
        multi_value: true,
        ttl: None,
    };
    let identifier = if every(n, 147, 673) {
        let attributes = vec![text("id"), "cluster.name".to_owned()];
        Identifier::Composite { separator: ":".into(), attributes }
    } else {
        Identifier::Attribute(text("id"))
    };
    let display = if every(n, 22, 673) {
        NamePattern::Composite(vec![
            NameFragment::Attribute(text("id")),
            NameFragment::Value(" of ".into()),
            NameFragment::Attribute("cluster.name".into()),
        ])
    } else {
        NamePattern::Attribute(text("id"))
    };
    Rule {
        name: format!("rule_{n}"),
        place: Place::default(),
        condition_places: Vec::new(),
        identifier,
        display,
        encode_identifier: every(n, 610, 673),
        override_guid_type: every(n, 240, 673),
        debug: false,
        non_standard_attributes: false,
        conditions,
        tags: vec![tag("cluster.name"), tag("cloud.region"), tag("k8s.cluster.name"), tag("team")],
    }
}

fn definitions(rules: usize) -> Definitions {
    let definition = |n: usize| EntityDefinition {
        place: Place::default(),
        domain: "INFRA".into(),
        entity_type: format!("TYPE{n}"),
        golden_tags: Vec::new(),
        expiration: Expiration::Daily,
        alertable: true,
        owner: "bench".into(),
        synthesis_disabled: false,
        rules: vec![rule(n)],
        dashboards: IndexMap::new(),
        golden_metrics: IndexMap::new(),
        summary_metrics: IndexMap::new(),
        tests: Vec::new(),
    };
    Definitions::of((0..rules).map(definition).collect())
}

/// A point that owns its texts.
struct Owned {
    event_type: String,
    attributes: Vec<(String, Value)>,
}

enum Value {
    Text(String),
    Number(f64),
}

/// What most points carry.
const COMMON: [&str; 21] = [
    "host.name",
    "host.id",
    "cloud.provider",
    "cloud.region",
    "cloud.account.id",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.node.name",
    "service.name",
    "service.instance.id",
    "telemetry.sdk.name",
    "telemetry.sdk.language",
    "telemetry.sdk.version",
    "otel.library.name",
    "otel.library.version",
    "newrelic.source",
    "description",
    "unit",
    "team",
    "cluster.name",
];

/// The `n`-th of points: matching, missing, or strange.
fn point(n: usize, rules: usize, entity: usize) -> Owned {
    // A stride that is prime to every number of rules here visits all of them.
    let service = (n * 7_919) % rules;
    let kind = n % 3;
    let event_type = match (kind, service % 3) {
        (2, _) => "SystemSample".to_owned(),
        (_, 0) => format!("Svc{service}Sample"),
        _ => "Metric".to_owned(),
    };
    let mut attributes: Vec<(String, Value)> = Vec::new();
    let mut text = |name: String, value: String| attributes.push((name, Value::Text(value)));
    for (at, name) in COMMON.iter().enumerate() {
        text((*name).to_owned(), format!("value-{at}-of-{}", entity % 50));
    }
    text("instrumentation.provider".into(), provider(service).into());
    if kind == 2 {
        text("metricName".into(), "system.cpu.time".into());
        text("diskPath".into(), "/var/lib".into());
        text("linuxDistribution".into(), "Debian".into());
        text("agentName".into(), "Infrastructure".into());
    } else {
        text("metricName".into(), format!("svc{service}.requests"));
        text(format!("svc{service}.kind"), "leader".into());
        text(format!("svc{service}.role"), "follower".into());
        // A miss lacks what the identifier needs.
        let id = if kind == 0 { "id" } else { "ident" };
        text(format!("svc{service}.{id}"), format!("instance-{entity}"));
    }
    for name in ["timestamp", "interval.ms", "endTimestamp", "value"] {
        attributes.push((name.to_owned(), Value::Number(1_700_000_000_000.0 + n as f64)));
    }
    assert_eq!(attributes.len(), 30);
    Owned { event_type, attributes }
}

fn borrowed(point: &Owned) -> Vec<(&str, Scalar<'_>)> {
    let scalar = |value| match value {
        &Value::Number(number) => Scalar::Number(number),
        Value::Text(text) => Scalar::Text(text),
    };
    point.attributes.iter().map(|(name, value)| (name.as_str(), scalar(value))).collect()
}

/// Every point once; how many matches.
fn through(
    definitions: &Definitions,
    points: &[(&str, Vec<(&str, Scalar<'_>)>)],
    by_scan: bool,
) -> usize {
    let mut matches = 0;
    for (event_type, attributes) in points {
        let point = Point { event_type, attributes };
        let found = if by_scan {
            definitions.match_point_by_scan(point)
        } else {
            definitions.match_point(point)
        };
        matches += black_box(found).len();
    }
    matches
}

fn relationships() -> RelationshipRules {
    let mut text = String::from("relationships:\n");
    for n in 0..RELATIONSHIP_RULES {
        let _ = write!(
            text,
            "  - name: rule{n}\n    version: \"1\"\n    origins: [OpenTelemetry]\n    conditions:\n\
             \x20     - {{attribute: eventType, anyOf: [Metric]}}\n\
             \x20     - {{attribute: metricName, startsWith: svc{n}.}}\n\
             \x20     - {{attribute: service.name, present: true}}\n    relationship:\n\
             \x20     expires: PT75M\n      relationshipType: CALLS\n\
             \x20     source: {{extractGuid: {{attribute: entity.guid}}}}\n      target:\n\
             \x20       buildGuid:\n          account: {{attribute: accountId}}\n\
             \x20         domain: {{value: INFRA}}\n          type: {{value: HOST}}\n\
             \x20         identifier: {{fragments: [{{attribute: host.id}}], \
             hashAlgorithm: FARM_HASH}}\n"
        );
    }
    let source = Source { path: "relationships/synthesis/A-to-B.yml", text: &text };
    let (rules, problems) = load([source], View::Production);
    assert!(problems.is_empty(), "{problems:?}");
    rules
}

/// CPU time of this thread.
fn cpu() -> Duration {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanos.expect("the first field is nanoseconds"))
}

/// Points per CPU second of the fastest of several rounds.
fn rate(rounds: usize, points: usize, mut round: impl FnMut()) -> f64 {
    round();
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = cpu();
        round();
        best = best.min(cpu() - start);
    }
    points as f64 / best.as_secs_f64()
}

fn matching_figures(out: &mut String) {
    let _ = writeln!(out, "points of 30 attributes matched per CPU second, one thread");
    let _ = writeln!(
        out,
        "{:>7} {:>12} {:>12} {:>7} {:>14} {:>14}",
        "rules", "index", "scan", "ratio", "allocs/match", "allocs/miss"
    );
    for rules in [100, 700, 5_000] {
        let definitions = definitions(rules);
        let owned: Vec<Owned> = (0..POINTS).map(|n| point(n, rules, n)).collect();
        let points: Vec<(&str, Vec<_>)> =
            owned.iter().map(|point| (point.event_type.as_str(), borrowed(point))).collect();
        let matches = through(&definitions, &points, false);
        assert_eq!(matches, through(&definitions, &points, true), "the index equals the scan");
        let index = rate(30, POINTS, || {
            black_box(through(&definitions, &points, false));
        });
        let scan = rate(2, POINTS, || {
            black_box(through(&definitions, &points, true));
        });
        let allocations = |kind: usize| {
            let chosen: Vec<_> = points.iter().skip(kind).step_by(3).cloned().collect();
            let counted = allocation_counter::measure(|| {
                black_box(through(&definitions, &chosen, false));
            });
            counted.count_total as f64 / chosen.len() as f64
        };
        let _ = writeln!(
            out,
            "{rules:>7} {index:>12.0} {scan:>12.0} {:>6.0}x {:>14.2} {:>14.2}",
            index / scan,
            allocations(0),
            allocations(1).max(allocations(2)),
        );
    }
}

fn relationship_figures(out: &mut String) {
    let rules = relationships();
    let owned: Vec<Owned> = (0..POINTS).map(|n| point(n, 700, n)).collect();
    let points: Vec<(&str, Vec<_>)> =
        owned.iter().map(|point| (point.event_type.as_str(), borrowed(point))).collect();
    let entity = PointEntity {
        guid: "MXxJTkZSQXxTVkN8MQ",
        name: "one",
        entity_type: "SVC",
        non_standard: false,
    };
    let mut related = 0;
    let rate = rate(20, POINTS, || {
        related = 0;
        for (event_type, attributes) in &points {
            let point = Point { event_type, attributes };
            related += black_box(rules.apply(point, &[entity], 1, &NoEntities)).len();
        }
    });
    let _ = writeln!(
        out,
        "\n{RELATIONSHIP_RULES} relationship rules: {rate:.0} points per CPU second, \
         {related} relationships from {POINTS} points"
    );
}

fn synthesis_figures(out: &mut String) {
    let definitions = definitions(700);
    let mut time = Duration::ZERO;
    let counted = allocation_counter::measure(|| {
        let start = cpu();
        let mut entities: IndexMap<String, (String, Vec<(String, String)>)> = IndexMap::new();
        for n in 0..ENTITIES {
            let owned = point(n * 3, 700, n);
            let attributes = borrowed(&owned);
            let point = Point { event_type: &owned.event_type, attributes: &attributes };
            for found in definitions.match_point(point) {
                let guid = found.guid(1_234_567).expect("fits");
                let tags =
                    found.tags.iter().map(|tag| (tag.key.to_string(), tag.value.to_string()));
                entities.insert(guid, (found.name.to_string(), tags.collect()));
            }
        }
        time = cpu() - start;
        assert_eq!(entities.len(), ENTITIES);
        std::mem::forget(entities);
    });
    let per = counted.bytes_current as f64 / ENTITIES as f64;
    let _ = writeln!(
        out,
        "\n{ENTITIES} entities (points made, matched; GUID, name, tags kept): {:.2} s CPU, \
         {:.1} MB kept, \
         {per:.0} bytes each",
        time.as_secs_f64(),
        counted.bytes_current as f64 / 1e6,
    );
}

fn main() {
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        let mut group = criterion.benchmark_group("definitions");
        for rules in [100, 700, 5_000] {
            let definitions = definitions(rules);
            let owned: Vec<Owned> = (0..POINTS).map(|n| point(n, rules, n)).collect();
            let points: Vec<(&str, Vec<_>)> =
                owned.iter().map(|point| (point.event_type.as_str(), borrowed(point))).collect();
            group.throughput(Throughput::Elements(POINTS as u64));
            group.bench_function(format!("index/{rules}"), |bencher| {
                bencher.iter(|| through(&definitions, &points, false));
            });
        }
        group.finish();
        criterion.final_summary();
    }
    let mut out = String::new();
    matching_figures(&mut out);
    relationship_figures(&mut out);
    synthesis_figures(&mut out);
    let _ = std::io::stdout().write_all(out.as_bytes());
}
