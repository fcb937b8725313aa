//! What compiles, what it gives, and what is said of what does not.

use proptest::prelude::*;

use super::*;
use crate::domain::attribute::{AttributeId, AttributeValue, Attributes};
use crate::domain::extra::Extras;
use crate::domain::metric::{MetricId as M, MetricSet};
use crate::domain::units::UnixMillis;

fn state(key: EntityKey, values: &[(M, f64)]) -> EntityState {
    let mut metrics = MetricSet::new(key.kind());
    values.iter().for_each(|(id, value)| metrics.set(*id, *value));
    EntityState {
        serving_brokers: Vec::new(),
        data_source: crate::domain::data_source::DataSource::Infrastructure,
        observed_at: UnixMillis(1_000),
        metrics,
        window: None,
        attributes: Attributes::default(),
        topics: Vec::new(),
        extras: Extras::default(),
        key,
    }
}

fn cluster(values: &[(M, f64)]) -> EntityState {
    state(EntityKey::Cluster { provider: Provider::Kafka, cluster: "c".to_owned() }, values)
}

fn broker(values: &[(M, f64)]) -> EntityState {
    let (provider, cluster) = (Provider::Kafka, "c".to_owned());
    state(EntityKey::Broker { provider, cluster, broker_id: "7".to_owned() }, values)
}

fn spec(name: &str, entity: EntityKind, expression: &str) -> MetricSpec {
    let form = Form::Calculation { expression: expression.to_owned() };
    MetricSpec { name: name.to_owned(), entity, form }
}

fn surroundings() -> Surroundings {
    let tags = [("cost_per_hour", "1.5"), ("team", "core")];
    Surroundings {
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        mapped: vec![(EntityKind::Broker, "gc.pause.ms".to_owned())],
    }
}

/// The value of a broker's metric, or why there is none.
fn value_of(expression: &str) -> Result<f64, &'static str> {
    let specs = [
        spec("m", EntityKind::Broker, expression),
        spec("clusterload", EntityKind::Cluster, "cluster.throughput.total / 100"),
    ];
    let metrics = compile(&specs, &surroundings()).expect(expression);
    let mut broker = broker(&[(M::BROKER_CPU_USAGE, 40.0), (M::BROKER_UNDER_REPLICATED, 0.0)]);
    broker.attributes.set(AttributeId::Rack, AttributeValue::Text("r1".into()));
    broker.attributes.set(AttributeId::Port, AttributeValue::Integer(9_092));
    broker.extras.set(&"gc.pause.ms".into(), ExtraValue::Number(12.0));
    let mut states = [cluster(&[(M::CLUSTER_THROUGHPUT_TOTAL, 500.0)]), broker];
    let absences = metrics.apply(&mut states);
    match (states[1].extras.get("m"), absences.keys().next()) {
        (Some(ExtraValue::Number(value)), None) => Ok(*value),
        (None, Some((name, absence))) => {
            assert_eq!((name.as_ref(), absences.len()), ("m", 1));
            Err(absence.as_str())
        }
        other => panic!("{expression}: {other:?}"),
    }
}

#[test]
fn expressions_have_the_values_of_nrql() {
    let check = |expression: &str, expected: Result<f64, &'static str>| {
        assert_eq!(value_of(expression), expected, "{expression}");
    };
    check("broker.cpu.usage", Ok(40.0));
    check("1 + 2 * 3 ^ 2 - -1", Ok(20.0));
    check("(broker.cpu.usage - 30) / 4 % 2", Ok(0.5));
    check("broker.cpu.usage > 30", Ok(1.0));
    check("NOT broker.cpu.usage > 30", Ok(0.0));
    check("broker.cpu.usage > 30 AND rack = 'r2'", Ok(0.0));
    check("rack = 'r2' OR port = 9092", Ok(1.0));
    check("rack IN ('r1', 'r2')", Ok(1.0));
    check("rack NOT IN ('r1')", Ok(0.0));
    check("brokerId = '7' AND clusterName = 'c' AND provider = 'kafka'", Ok(1.0));
    check("if(broker.cpu.usage > 80, 0, 100)", Ok(100.0));
    check("if(broker.cpu.usage > 80, 0)", Err("missing_input"));
    check("clamp_max(broker.cpu.usage, 10) + clamp_min(broker.cpu.usage, 90)", Ok(100.0));
    check("round(2.5) + round(7, 5) + floor(1.9) + ceil(1.1) + abs(-1)", Ok(12.0));
    check("sqrt(9) + pow(2, 3) + mod(-1, 4) + ln(exp(1)) + log2(8) + log10(100)", Ok(20.0));
    check("numeric(tags.cost_per_hour) * 2", Ok(3.0));
    check("numeric(tags.team)", Err("not_a_number"));
    check("`gc.pause.ms` / 4", Ok(3.0));
    check("cluster.throughput.total", Ok(500.0));
    check("cluster.clusterload * 2", Ok(10.0));
    // Unknown, zero and beyond all numbers are different things.
    check("broker.disk.usage + 1", Err("missing_input"));
    check("broker.disk.usage OR 5", Ok(5.0));
    check("broker.cpu.usage OR 5", Ok(40.0));
    check("broker.disk.usage IS NULL", Ok(1.0));
    check("broker.cpu.usage IS NOT NULL", Ok(1.0));
    check("1 / partitions.underReplicated", Err("division_by_zero"));
    check("1 % partitions.underReplicated", Err("division_by_zero"));
    check("pow(10, 300) * pow(10, 300)", Err("not_finite"));
    check("sqrt(0 - broker.cpu.usage)", Err("not_finite"));
    check("if(1e308 * 10 > 5, 1, 0)", Err("not_finite"));
}

#[test]
fn composites_are_weighted_and_thresholds_take_the_highest_level() {
    let part = |expression: &str, weight| PartSpec { expression: expression.to_owned(), weight };
    let form = Form::Composite { parts: vec![part("broker.cpu.usage", 3.0), part("100", 1.0)] };
    let composite = MetricSpec { name: "c".to_owned(), entity: EntityKind::Broker, form };
    let level = |at_least, value| Level { at_least, value };
    let threshold = |name: &str, expression: &str| MetricSpec {
        name: name.to_owned(),
        entity: EntityKind::Broker,
        form: Form::Threshold {
            expression: expression.to_owned(),
            levels: vec![level(50.0, 60.0), level(90.0, 0.0), level(70.0, 30.0)],
            otherwise: 100.0,
        },
    };
    // Written before what it needs.
    let specs = [threshold("t", "c"), composite, threshold("low", "broker.cpu.usage + 9.9")];
    let metrics = compile(&specs, &Surroundings::default()).expect("valid");
    assert_eq!(metrics.of_kind(EntityKind::Broker), 3);
    let mut states = [broker(&[(M::BROKER_CPU_USAGE, 40.0)]), broker(&[])];
    let absences = metrics.apply(&mut states);
    let of = |state: &EntityState, name: &str| state.extras.get(name).cloned();
    assert_eq!(of(&states[0], "c"), Some(ExtraValue::Number(55.0)));
    assert_eq!(of(&states[0], "t"), Some(ExtraValue::Number(60.0)));
    assert_eq!(of(&states[0], "low"), Some(ExtraValue::Number(100.0)));
    assert!(states[1].extras.is_empty());
    assert_eq!(absences.values().sum::<u64>(), 3, "each metric of the empty broker is counted");
}

#[test]
fn every_problem_is_told_with_its_place_and_a_fix() {
    let check = |specs: &[MetricSpec], expected: &[(usize, Fault, &str, &str)]| {
        let problems = compile(specs, &surroundings()).expect_err("a problem");
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, (metric, fault, message, help)) in problems.iter().zip(expected) {
            assert_eq!((problem.metric, &problem.fault), (*metric, fault), "{problem:?}");
            assert!(problem.message.contains(message), "{problem:?}");
            assert!(problem.help.contains(help), "{problem:?}");
        }
    };
    let one = |expression: &str, span: Range<usize>, message: &str, help: &str| {
        let specs = [spec("m", EntityKind::Broker, expression)];
        check(&specs, &[(0, Fault::Expression(Some(span)), message, help)]);
    };
    one("1 + broker.cpu.usege", 4..20, "broker.cpu.usege", "`broker.cpu.usage`");
    one("1 + topic.lag", 4..13, "nothing of a broker", "METRICS.md");
    one("rack + 1", 0..4, "is a text, not a number", "numeric");
    one("(1 > 0) * 2", 0..7, "is a condition, not a number", "if(");
    one("NOT 1", 4..5, "not a condition", "compare");
    one("rack = 1", 7..8, "a number, not a text", "");
    one("average(broker.cpu.usage)", 0..25, "means nothing", "clamp_max");
    one("rack LIKE 'r%'", 0..14, "cannot stand", "use names");
    one("1 +", 3..3, "Syntax", "");
    one("1 FROM MessageQueue", 2..6, "unexpected", "");
    let broker = EntityKind::Broker;
    let named = |name: &str, message: &str| {
        check(&[spec(name, broker, "1")], &[(0, Fault::Name, message, "")]);
    };
    named("1st", "is no name");
    named("", "is no name");
    named("a b", "is no name");
    named("load.in.total", "holds a keyword");
    named("broker.cpu.usage", "have `broker.cpu.usage` already");
    named("timestamp", "already");
    named("tags.cost", "already");
    named("gc.pause.ms", "a mapping brings in");
    let twice = [spec("a", broker, "1"), spec("a", broker, "2"), spec("a", EntityKind::Topic, "3")];
    check(&twice, &[(1, Fault::Name, "defined already", "rename")]);
    let text = [spec("a", broker, "rack")];
    check(&text, &[(0, Fault::Expression(None), "gives a text", "numeric")]);
    let ring = [spec("a", broker, "b + 1"), spec("b", broker, "c"), spec("c", broker, "a OR 1")];
    let all = "a → b → c → a";
    check(
        &ring,
        &[
            (0, Fault::Whole, all, ""),
            (1, Fault::Whole, "b → c → a → b", ""),
            (2, Fault::Whole, "c → a → b → c", ""),
        ],
    );
    let form = Form::Composite { parts: vec![PartSpec { expression: "1".into(), weight: 0.0 }] };
    let weightless = [MetricSpec { name: "w".into(), entity: broker, form }];
    check(&weightless, &[(0, Fault::Weight(0), "the weight is 0", "above 0")]);
}

#[test]
fn an_event_has_room_for_every_metric() {
    let many = |count: usize| -> Vec<MetricSpec> {
        (0..count).map(|n| spec(&format!("m{n}"), EntityKind::Broker, "1")).collect()
    };
    assert!(compile(&many(METRICS_MAX), &Surroundings::default()).is_ok());
    let problems = compile(&many(METRICS_MAX + 1), &Surroundings::default()).expect_err("many");
    assert!(problems[0].message.contains("101 custom metrics"), "{problems:?}");
    let tags = (0..120).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let crowded = Surroundings { tags, mapped: Vec::new() };
    let problems = compile(&many(METRICS_MAX), &crowded).expect_err("no room");
    assert!(problems[0].message.contains("at most 255"), "{problems:?}");
}

#[test]
fn without_metrics_nothing_is_allocated() {
    let mut states = [cluster(&[(M::CLUSTER_THROUGHPUT_TOTAL, 5.0)]), broker(&[])];
    let mut count = |metrics: &CustomMetrics| {
        allocation_counter::measure(|| drop(metrics.apply(&mut states))).count_total
    };
    assert_eq!(count(&CustomMetrics::default()), 0);
    // One metric is paid for, or nothing was counted.
    let one = compile(&[spec("m", EntityKind::Broker, "1 + 1")], &surroundings()).expect("valid");
    assert!(count(&one) > 0);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-z0-9.+*/%^()<>=!' `,-]{0,60}|.{0,40}") {
        let specs = [spec("m", EntityKind::Broker, &text)];
        if let Ok(metrics) = compile(&specs, &surroundings()) {
            let mut states = [broker(&[(M::BROKER_CPU_USAGE, 40.0)])];
            let absences = metrics.apply(&mut states);
            let known = states[0].extras.len() as u64;
            prop_assert_eq!(known + absences.values().sum::<u64>(), 1);
        }
    }
}
