//! The chain's order, its drops and failures, and each middleware within it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::domain::attribute::Attributes;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::extra::{ExtraValue, Extras};
use crate::domain::metric::{MetricId as M, MetricSet};
use crate::domain::provider::Provider;
use crate::domain::sample::{Origin, Subject};
use crate::domain::units::UnixMillis;
use crate::ports::testing::TestClock;
use crate::resilience::limiter::LimiterConfig;
use crate::transform::transform;

fn entity(name: &str, cpu: f64) -> EntityState {
    let (provider, cluster) = (Provider::Kafka, "orders".to_owned());
    let mut metrics = MetricSet::new(EntityKind::Broker);
    metrics.set(M::BROKER_CPU_USAGE, cpu);
    EntityState {
        serving_brokers: Vec::new(),
        data_source: crate::domain::data_source::DataSource::Infrastructure,
        key: EntityKey::Broker { provider, cluster, broker_id: name.to_owned() },
        observed_at: UnixMillis(1),
        metrics,
        window: None,
        attributes: Attributes::default(),
        topics: Vec::new(),
        extras: Extras::default(),
    }
}

fn sample(host: &str) -> RawSample<'static> {
    let subject = Subject::Broker { broker_id: 1 };
    let mut sample = RawSample::new(Origin::NriKafka, "orders", subject, UnixMillis(1));
    sample.number("broker.messagesInPerSecond", 5.0).text("host", host.to_owned());
    sample
}

fn spec(name: &str, point: Point, when: &[(&str, &str)], action: StepAction) -> StepSpec {
    let pattern = |text: &str| Pattern::new(text).expect("valid");
    let when = when.iter().map(|(name, text)| ((*name).to_owned(), pattern(text))).collect();
    let on_error = OnError::Pass;
    StepSpec { name: name.to_owned(), point, when: Condition::new(when), on_error, action }
}

fn values(values: &[(&str, &str)]) -> Vec<(Arc<str>, String)> {
    values.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect()
}

fn set(pairs: &[(&str, &str)]) -> StepAction {
    StepAction::Set(StaticTags { set: values(pairs) })
}

fn rule(source: &[&str], regex: &str, action: Action) -> RelabelRule {
    RelabelRule {
        source: source.iter().map(|name| (*name).to_owned()).collect(),
        separator: ";".to_owned(),
        pattern: Pattern::new(regex).expect("valid"),
        action,
    }
}

fn replace(target: &str, replacement: &str) -> Action {
    Action::Replace { target: target.into(), replacement: replacement.to_owned() }
}

fn text(entity: &EntityState, name: &str) -> Option<String> {
    match entity.extras.get(name)? {
        ExtraValue::Text(text) => Some(text.to_string()),
        ExtraValue::Number(number) => Some(number.to_string()),
    }
}

fn stream(chain: &mut Chain, mut entities: Vec<EntityState>) -> (Vec<EntityState>, Dropped) {
    let dropped = chain.before_stream(&mut entities, &TestClock::default()).expect("no failure");
    (entities, dropped)
}

#[test]
fn steps_run_in_order_and_later_ones_see_what_earlier_ones_did() {
    let relabel = |rules| StepAction::Relabel(Relabel { rules });
    let twice = rule(&["team"], "(.+)", replace("team", "$1$1"));
    let specs = [
        spec("first", Point::BeforeStream, &[], set(&[("team", "a")])),
        spec("twice", Point::BeforeStream, &[("team", "a+")], relabel(vec![twice.clone(), twice])),
        spec("never", Point::BeforeStream, &[("team", "a")], set(&[("team", "x")])),
        spec("raw", Point::BeforeTransform, &[], set(&[("team", "y")])),
    ];
    let mut chain = Chain::new(&specs);
    let (entities, dropped) = stream(&mut chain, vec![entity("1", 5.0), entity("2", 6.0)]);
    assert_eq!(text(&entities[0], "team").as_deref(), Some("aaaa"));
    assert!(dropped.is_empty() && entities.len() == 2);
    let stats = chain.stats();
    let counts: Vec<_> = stats.iter().map(|step| (step.passed, step.changed)).collect();
    assert_eq!(counts, [(0, 2), (0, 2), (2, 0), (0, 0)]);
    assert!(chain.stands_at(Point::BeforeTransform) && !chain.stands_at(Point::AfterTransform));
}

#[test]
fn what_a_step_drops_is_counted_and_seen_by_no_later_one() {
    let ranges = vec![("broker.cpu.usage".to_owned(), 0.0..=50.0)];
    let validation = Validation { required: vec!["tags.team".to_owned()], ranges };
    let specs = [
        spec("owners", Point::BeforeStream, &[("brokerId", "[12]")], set(&[("tags.team", "core")])),
        spec("sane", Point::BeforeStream, &[], StepAction::Validate(validation)),
        spec("after", Point::BeforeStream, &[], set(&[("seen", "yes")])),
    ];
    let mut chain = Chain::new(&specs);
    let all = vec![entity("1", 5.0), entity("2", 51.0), entity("3", 5.0)];
    let (entities, dropped) = stream(&mut chain, all);
    let names: Vec<_> = entities.iter().map(|entity| entity.key.name()).collect();
    assert_eq!(names, ["1"]);
    let expected = [("hook/sane/missing", 1), ("hook/sane/out_of_range", 1)];
    assert_eq!(dropped, expected.map(|(reason, count)| (reason.to_owned(), count)).into());
    assert_eq!(chain.stats()[2].changed, 1);
}

#[test]
fn a_limit_lets_through_what_its_buckets_hold() {
    let check = |per: Per, expected: &[&str]| {
        let config = LimiterConfig { rate_per_second: 1.0, burst: 2 };
        let limit = StepAction::Limit(RateLimit::new(config, per).expect("valid"));
        let mut chain = Chain::new(&[spec("limit", Point::BeforeStream, &[], limit)]);
        let clock = TestClock::default();
        let mut other = entity("9", 1.0);
        other.key =
            EntityKey::Cluster { provider: Provider::Kafka, cluster: "payments".to_owned() };
        let mut entities = vec![entity("1", 1.0), entity("2", 1.0), entity("3", 1.0), other];
        let dropped = chain.before_stream(&mut entities, &clock).expect("no failure");
        let names: Vec<_> = entities.iter().map(|entity| entity.key.name()).collect();
        assert_eq!(names, expected, "{per:?}");
        assert_eq!(dropped["hook/limit/rate_limited"] as usize, 4 - expected.len());
    };
    check(Per::All, &["1", "2"]);
    check(Per::Source, &["1", "2"]);
    check(Per::Kind, &["1", "2", "payments"]);
    check(Per::Cluster, &["1", "2", "payments"]);
}

#[test]
fn a_limit_of_one_chain_is_not_that_of_another() {
    let config = LimiterConfig { rate_per_second: 0.0, burst: 1 };
    let limit = StepAction::Limit(RateLimit::new(config, Per::All).expect("valid"));
    let specs = [spec("limit", Point::BeforeStream, &[], limit)];
    for life in 0..2 {
        let (entities, _) = stream(&mut Chain::new(&specs), vec![entity("1", 1.0)]);
        assert_eq!(entities.len(), 1, "life {life} begins with full buckets");
    }
}

#[test]
fn lookups_take_the_row_the_fallback_or_drop() {
    let check = |drop_missing: bool, expected: &[(&str, Option<&str>)]| {
        let table = BTreeMap::from([("1".to_owned(), values(&[("tags.owner", "ann")]))]);
        let fallback = if drop_missing { Vec::new() } else { values(&[("tags.owner", "nobody")]) };
        let lookup = Lookup { key: "brokerId".to_owned(), table, fallback, drop_missing };
        let specs = [spec("owner", Point::BeforeStream, &[], StepAction::Lookup(lookup))];
        let both = vec![entity("1", 1.0), entity("2", 1.0)];
        let (entities, dropped) = stream(&mut Chain::new(&specs), both);
        let found: Vec<_> =
            entities.iter().map(|one| (one.key.name(), text(one, "tags.owner"))).collect();
        let expected: Vec<_> =
            expected.iter().map(|(name, owner)| (*name, owner.map(str::to_owned))).collect();
        assert_eq!(found, expected);
        assert_eq!(dropped.contains_key("hook/owner/not_in_table"), drop_missing);
    };
    check(false, &[("1", Some("ann")), ("2", Some("nobody"))]);
    check(true, &[("1", Some("ann"))]);
}

#[test]
fn relabelling_does_what_prometheus_does() {
    let check = |rules: Vec<RelabelRule>, expected: Option<&[(&str, &str)]>| {
        let action = StepAction::Relabel(Relabel { rules });
        let mut chain = Chain::new(&[spec("r", Point::BeforeStream, &[], action)]);
        let mut one = entity("7", 12.5);
        one.extras.set(&"rack".into(), ExtraValue::Text("eu-1a".into()));
        let (entities, _) = stream(&mut chain, vec![one]);
        let found = entities.first().map(|one| {
            let texts = one
                .extras
                .iter()
                .map(|(name, _)| (name.to_string(), text(one, name).expect("there")));
            texts.collect::<Vec<_>>()
        });
        let expected = expected.map(|all| {
            all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
        });
        assert_eq!(found, expected);
    };
    let rack = ("rack", "eu-1a");
    let zone = rule(&["rack"], "([a-z]+)-(?<zone>.*)", replace("zone", "${zone}@$1"));
    check(vec![zone.clone()], Some(&[rack, ("zone", "1a@eu")]));
    let joined = rule(&["clusterName", "brokerId", "none"], "(.*);(.*);", replace("id", "$1/$2"));
    check(vec![joined], Some(&[("id", "orders/7"), rack]));
    // A part that matches is no match.
    check(vec![rule(&["rack"], "eu", replace("zone", "x"))], Some(&[rack]));
    check(
        vec![rule(&["broker.cpu.usage"], "12\\.5", replace("hot", "no"))],
        Some(&[("hot", "no"), rack]),
    );
    check(vec![rule(&["rack"], ".*", replace("rack", ""))], Some(&[]));
    check(vec![rule(&["rack"], "eu-.*", Action::Remove { target: "rack".into() })], Some(&[]));
    check(vec![rule(&["rack"], "us-.*", Action::Keep)], None);
    check(vec![rule(&["rack"], "eu-.*", Action::Keep)], Some(&[rack]));
    check(vec![rule(&["rack"], "eu-.*", Action::Drop), zone], None);
}

#[test]
fn raw_and_canonical_samples_are_items_too() {
    let rename = rule(&["host"], "(.*)\\.example\\.com", replace("host", "$1"));
    let cluster = rule(&["clusterName"], "(.*)", replace("clusterName", "eu-$1"));
    let relabel = StepAction::Relabel(Relabel { rules: vec![rename, cluster] });
    let specs = [
        spec("short", Point::BeforeTransform, &[("kind", "broker")], relabel),
        spec("tag", Point::AfterTransform, &[("hostname", "kafka-1")], set(&[("tags.tier", "1")])),
    ];
    let mut chain = Chain::new(&specs);
    let clock = TestClock::default();
    let mut samples = vec![sample("kafka-1.example.com"), sample("other")];
    let dropped = chain.before_transform(&mut samples, &clock).expect("no failure");
    assert!(dropped.is_empty() && samples[0].cluster == "eu-orders");
    let mut canonical: Vec<_> = samples.iter().map(|raw| transform(raw).expect("valid")).collect();
    let dropped = chain.after_transform(&mut canonical, &clock).expect("no failure");
    assert!(dropped.is_empty());
    let tags: Vec<_> = canonical.iter().map(|one| one.extras.len()).collect();
    assert_eq!(tags, [1, 0]);
}

/// A step of the library's users: does to the n-th item what its script says.
struct Scripted {
    script: Vec<&'static str>,
    seen: Arc<Mutex<usize>>,
}

impl Hook for Scripted {
    fn points(&self) -> &[Point] {
        &[Point::BeforeStream]
    }

    fn before_stream(&mut self, entity: &mut EntityState, _: &Context) -> Verdict {
        let mut seen = self.seen.lock().expect("not poisoned");
        *seen += 1;
        let word = self.script[*seen - 1];
        drop(seen);
        // What it has begun must not be seen when it fails.
        entity.extras.set(&"begun".into(), ExtraValue::Number(1.0));
        match word {
            "fail" => Verdict::Fail("no answer".to_owned()),
            "panic" => panic!("on purpose"),
            _ => Verdict::Changed,
        }
    }
}

fn scripted(on_error: OnError) -> (Result<Vec<EntityState>, CycleFailure>, Dropped, HookStats) {
    let mut chain = Chain::default();
    let seen = Arc::new(Mutex::new(0));
    let script = vec!["change", "fail", "panic", "change"];
    chain.push("mine", on_error, Box::new(Scripted { script, seen }));
    let mut entities: Vec<_> = (1..=4).map(|id| entity(&id.to_string(), 1.0)).collect();
    let done = chain.before_stream(&mut entities, &TestClock::default());
    let dropped = done.as_ref().cloned().unwrap_or_default();
    (done.map(|_| entities), dropped, chain.stats().remove(0))
}

#[test]
fn a_failing_step_is_isolated_as_configured() {
    let begun = |entities: &[EntityState]| -> Vec<bool> {
        entities.iter().map(|one| one.extras.get("begun").is_some()).collect()
    };
    let (passed, dropped, stats) = scripted(OnError::Pass);
    let passed = passed.expect("no failure");
    assert_eq!(begun(&passed), [true, false, false, true], "failed ones are as they were");
    assert!(dropped.is_empty());
    assert_eq!((stats.changed, stats.failed), (2, 2));
    assert_eq!(stats.last_failure.as_deref(), Some("the hook panicked"));

    let (rest, dropped, stats) = scripted(OnError::Drop);
    assert_eq!(begun(&rest.expect("no failure")), [true, true]);
    assert_eq!(dropped, [("hook/mine/failed".to_owned(), 2)].into());
    assert_eq!((stats.changed, stats.failed, stats.dropped["failed"]), (2, 2, 2));

    let (failed, _, stats) = scripted(OnError::FailCycle);
    let failure = failed.expect_err("the cycle fails");
    assert_eq!((failure.hook.as_str(), failure.message.as_str()), ("mine", "no answer"));
    assert_eq!((stats.changed, stats.failed), (1, 1), "nobody is asked any more");
}

#[test]
fn no_step_writes_over_what_a_table_names() {
    let check = |name: &str| {
        let specs = [spec("s", Point::BeforeStream, &[], set(&[("ok", "1"), (name, "x")]))];
        let mut chain = Chain::new(&specs);
        let (entities, _) = stream(&mut chain, vec![entity("1", 1.0)]);
        assert_eq!(entities[0], entity("1", 1.0), "{name}: as it was");
        assert_eq!(chain.stats()[0].failed, 1, "{name}");
    };
    for name in ["broker.cpu.usage", "entityGuid", "hostname", "brokerId", "entity.name"] {
        check(name);
    }
    let bad = Pattern::new("(").expect_err("no pattern");
    assert_eq!(bad.text, "(");
    assert!(bad.reason.contains("unclosed group"), "{bad}");
}

#[test]
fn without_a_step_at_a_point_nothing_is_allocated() {
    let clock = TestClock::default();
    let mut raw = vec![sample("h"), sample("i")];
    let copied = raw.clone();
    let mut canonical: Vec<_> = copied.iter().map(|raw| transform(raw).expect("valid")).collect();
    let mut entities = vec![entity("1", 1.0), entity("2", 2.0)];
    let mut count = |chain: &mut Chain| {
        let info = allocation_counter::measure(|| {
            chain.before_transform(&mut raw, &clock).expect("no failure");
            chain.after_transform(&mut canonical, &clock).expect("no failure");
            chain.before_stream(&mut entities, &clock).expect("no failure");
        });
        info.count_total
    };
    assert_eq!(count(&mut Chain::default()), 0);
    // One step at one point is paid for, or nothing was counted.
    let step = spec("tags", Point::BeforeStream, &[], set(&[("team", "a")]));
    assert!(count(&mut Chain::new(&[step])) > 0);
    assert_eq!((raw.len(), canonical.len(), entities.len()), (2, 2, 2));
}
