//! What is counted where, what is dropped, what is told, and that neither order nor threads matter.

mod checked;
mod threads;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::domain::entity::EntityKind;
use crate::domain::metric::{CATALOGUE, MetricId as M};
use crate::domain::provider::Provider;

const SIZE: i64 = 60_000;
const LATENESS: i64 = 30_000;
/// The beginning of a window.
const T0: i64 = 28_333_333 * SIZE;

fn config(groups_max: usize) -> WindowConfig {
    WindowConfig { size_ms: SIZE, lateness_ms: LATENESS, groups_max }
}

fn windows() -> Windows {
    Windows::new(config(1_000), NonZeroUsize::MIN)
}

fn at(ms: i64) -> UnixMillis {
    UnixMillis(T0 + ms)
}

fn key(kind: EntityKind, name: &str) -> EntityKey {
    let (provider, cluster) = (Provider::Kafka, "c".to_owned());
    match kind {
        EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: name.to_owned() },
        EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: name.to_owned() },
        EntityKind::ConsumerGroup => EntityKey::Group { provider, cluster, group: name.to_owned() },
        EntityKind::Cluster | EntityKind::Queue => EntityKey::Cluster { provider, cluster },
    }
}

/// A reading that owns what it says.
#[derive(Debug, Clone)]
struct Said {
    key: EntityKey,
    at: UnixMillis,
    source: u64,
    metrics: MetricSet,
    measured: Option<i64>,
    topics: Vec<String>,
}

impl Said {
    fn new(kind: EntityKind, name: &str, at_ms: i64, values: &[(M, f64)]) -> Self {
        let mut metrics = MetricSet::new(kind);
        values.iter().for_each(|(id, value)| metrics.set(*id, *value));
        let key = key(kind, name);
        Self { key, at: at(at_ms), source: 0, metrics, measured: None, topics: Vec::new() }
    }

    fn broker(at_ms: i64, cpu: f64) -> Self {
        Self::new(EntityKind::Broker, "1", at_ms, &[(M::BROKER_CPU_USAGE, cpu)])
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            key: &self.key,
            at: self.at,
            source: SourceId(self.source),
            metrics: &self.metrics,
            measured: self.measured.map(Window::of),
            topics: &self.topics,
        }
    }
}

fn observe(windows: &Windows, said: &Said, now: i64) -> Taken {
    windows.observe(&said.reading(), at(now))
}

fn figures_of(window: &ClosedWindow) -> Vec<String> {
    window.figures.iter().map(ToString::to_string).collect()
}

#[test]
fn a_boundary_belongs_to_the_window_that_begins_there() {
    let check = |at_ms: i64, start: i64| {
        let span = config(1).span_of(at(at_ms));
        assert_eq!((span.start, span.end), (at(start), at(start + SIZE)), "{at_ms}");
    };
    check(0, 0);
    check(1, 0);
    check(SIZE - 1, 0);
    check(SIZE, SIZE);
    check(-1, -SIZE);
    let before_1970 = config(1).span_of(UnixMillis(-1));
    assert_eq!((before_1970.start.0, before_1970.end.0), (-SIZE, 0));
    let odd = WindowConfig { size_ms: 0, ..config(1) };
    assert_eq!(odd.span_of(UnixMillis(7)).start, UnixMillis(7), "less than 1 counts as 1");
}

#[test]
fn what_becomes_of_a_reading_depends_on_its_time_and_now() {
    let check = |at_ms: i64, now: i64, expected: Taken| {
        let windows = windows();
        assert_eq!(observe(&windows, &Said::broker(at_ms, 1.0), now), expected, "{at_ms} {now}");
        assert_eq!(windows.stats().offered(), 1);
        let open = u64::from(matches!(expected, Taken::Counted | Taken::Amended));
        assert_eq!((windows.stats().counted, windows.stats().groups), (open, open));
    };
    check(0, 0, Taken::Counted);
    check(0, SIZE - 1, Taken::Counted);
    check(0, SIZE, Taken::Amended);
    check(0, SIZE + LATENESS - 1, Taken::Amended);
    check(0, SIZE + LATENESS, Taken::Late);
    check(SIZE - 1, SIZE + LATENESS, Taken::Late);
    check(SIZE, SIZE + LATENESS, Taken::Counted);
    check(SIZE, 0, Taken::Counted);
    check(2 * SIZE, 0, Taken::Ahead);
    check(2 * SIZE, SIZE, Taken::Counted);
}

#[test]
fn a_window_is_told_once_when_lateness_is_over() {
    let windows = windows();
    for (at_ms, cpu, now) in [(0, 10.0, 0), (15_000, 40.0, 15_000), (30_000, 40.0, SIZE + 5)] {
        assert_ne!(observe(&windows, &Said::broker(at_ms, cpu), now), Taken::Late);
    }
    assert_eq!(observe(&windows, &Said::broker(15_000, 40.0), 20_000), Taken::Duplicate);
    let again = Said { source: 1, ..Said::broker(15_000, 40.0) };
    assert_eq!(observe(&windows, &again, 20_000), Taken::Counted, "another source is no copy");
    assert_eq!(observe(&windows, &Said::broker(SIZE, 99.0), SIZE), Taken::Counted);
    assert_eq!(windows.advance(at(SIZE + LATENESS - 1)), []);
    let closed = windows.advance(at(SIZE + LATENESS));
    assert_eq!(closed.len(), 1, "{closed:?}");
    let window = &closed[0];
    assert_eq!((window.span.start, window.closing), (at(0), Closing::Time));
    assert_eq!((window.readings, window.amendments), (4, 1));
    assert_eq!(
        figures_of(window),
        [
            "broker.cpu.usage.mean=32.5",
            "broker.cpu.usage.min=10",
            "broker.cpu.usage.max=40",
            "broker.cpu.usage.last=40",
        ]
    );
    assert_eq!(windows.advance(at(SIZE + LATENESS)), [], "once");
    assert_eq!(windows.shut_down().len(), 1);
    let stats = windows.stats();
    assert_eq!((stats.counted, stats.duplicate, stats.amended), (5, 1, 1));
    assert_eq!((stats.closed, stats.shut_down, stats.groups), (1, 1, 0));
}

#[test]
fn a_metric_is_aggregated_by_what_it_is() {
    let check = |kind: EntityKind, id: M, readings: &[(f64, Option<i64>)], expected: &[&str]| {
        let windows = windows();
        for (place, (value, measured)) in readings.iter().enumerate() {
            let said = Said::new(kind, "1", place as i64, &[(id, *value)]);
            observe(&windows, &Said { measured: *measured, ..said }, 0);
        }
        let closed = windows.shut_down();
        let expected: Vec<_> =
            expected.iter().map(|text| format!("{}.{text}", id.name())).collect();
        assert_eq!(figures_of(&closed[0]), expected);
    };
    let broker = EntityKind::Broker;
    check(
        broker,
        M::BROKER_MESSAGES_IN,
        &[(10.0, Some(10_000)), (40.0, Some(30_000))],
        &["mean=32.5", "max=40", "sum=1300"],
    );
    // Nobody knows how long one of them was measured: no weights, and no growth in all.
    let some = [(10.0, Some(10_000)), (40.0, None)];
    check(broker, M::BROKER_MESSAGES_IN, &some, &["mean=25", "max=40"]);
    let counts = [(5.0, None), (7.0, None), (6.0, None)];
    check(broker, M::BROKER_UNDER_REPLICATED, &counts, &["max=7", "last=6"]);
    let gauge = [(80.0, Some(1_000)), (20.0, Some(9_000))];
    check(broker, M::BROKER_CPU_USAGE, &gauge, &["mean=50", "min=20", "max=80", "last=20"]);
    let out = [(3.0, Some(1)), (1.0, Some(99))];
    check(EntityKind::Topic, M::TOPIC_MESSAGES_OUT, &out, &["mean=2", "max=3"]);
}

#[test]
fn no_entity_has_more_figures_than_an_event_holds_beside_fifty_tags() {
    for table in CATALOGUE.iter().filter(|table| !table.is_empty()) {
        let figures: usize = table.iter().map(|def| Aggregation::of(def).statistics().len()).sum();
        let roll_ups = ROLL_UPS.iter().filter(|roll_up| roll_up.whole == table[0].entity).count();
        assert!(figures + roll_ups + 16 + 50 <= 255, "{:?}: {figures}", table[0].entity);
    }
}

#[test]
fn entities_beyond_the_cap_go_oldest_first_and_are_told() {
    let windows = Windows::new(config(2), NonZeroUsize::MIN);
    let broker = |name: &str, at_ms| {
        Said::new(EntityKind::Broker, name, at_ms, &[(M::BROKER_CPU_USAGE, 1.0)])
    };
    // Brokers 2 and 4 were last touched at the same time: the lesser key goes.
    for said in [broker("1", 5), broker("2", 2), broker("3", 9), broker("4", 2), broker("4", 1)] {
        assert_eq!(observe(&windows, &said, 10), Taken::Counted);
    }
    let told = windows.advance(at(10));
    let names: Vec<_> = told.iter().map(|window| window.key.name()).collect();
    assert_eq!(names, ["2", "4"]);
    assert!(told.iter().all(|window| window.closing == Closing::Eviction));
    assert_eq!(told[1].readings, 2);
    let stats = windows.stats();
    assert_eq!((stats.evicted, stats.groups, stats.counted), (2, 2, 5));
    // Every reading is in exactly one window that is told.
    observe(&windows, &broker("2", 20), 20);
    let rest = windows.shut_down();
    let told: u64 = told.iter().chain(&rest).map(|window| window.readings).sum();
    assert_eq!(told, windows.stats().counted);
}

/// Brokers whose windows say that they are complete, of those that are told at these times.
fn complete(windows: &Windows, said: &[Said], times: &[i64]) -> Vec<(String, i64, bool)> {
    let mut told = Vec::new();
    for now in times {
        for said in said.iter().filter(|said| said.at <= at(*now)) {
            observe(windows, said, *now);
        }
        told.extend(windows.advance(at(*now)));
    }
    told.extend(windows.shut_down());
    let incomplete = told.iter().filter(|window| !window.is_complete).count() as u64;
    assert_eq!(windows.stats().incomplete, incomplete);
    let words = |window: &ClosedWindow| {
        (window.key.name().to_owned(), window.span.start.millis_since(at(0)), window.is_complete)
    };
    told.iter().map(words).collect()
}

#[test]
fn a_window_that_lacks_a_part_says_so() {
    let broker = |name: &str, at_ms| {
        Said::new(EntityKind::Broker, name, at_ms, &[(M::BROKER_CPU_USAGE, 1.0)])
    };
    let check = |windows: Windows, said: &[Said], times: &[i64], expected: &[(&str, i64, bool)]| {
        let told = complete(&windows, said, times);
        let told: Vec<_> = told.iter().map(|(name, at, is)| (name.as_str(), *at, *is)).collect();
        assert_eq!(told, expected);
    };
    let over = SIZE + LATENESS;
    let both = [broker("1", 5), broker("1", SIZE)];
    let (first, second) = (("1", 0), ("1", SIZE));
    let with = |(name, at), is| (name, at, is);
    // Watched for ever, from the first instant of a window, and from the second.
    let all = [with(first, true), with(second, true)];
    check(windows(), &both, &[5, over, over + SIZE], &all);
    check(windows().watched_since(at(0)), &both, &[5, over, over + SIZE], &all);
    let since_1 = [with(first, false), with(second, true)];
    check(windows().watched_since(at(1)), &both, &[5, over, over + SIZE], &since_1);
    // Told before its time.
    check(windows(), &both, &[5, over], &[with(first, true), with(second, false)]);
    // Evicted, and what comes of the same span after that.
    let one = Windows::new(config(1), NonZeroUsize::MIN);
    let said = [broker("1", 5), broker("2", 6)];
    check(one, &said, &[6, over], &[("1", 0, false), ("2", 0, false)]);
}

#[test]
fn parts_are_rolled_up_if_all_are_known() {
    let group = |name: &str, topics: &[&str], lag: f64| {
        let said = Said::new(EntityKind::ConsumerGroup, name, 0, &[(M::GROUP_LAG_TOTAL, lag)]);
        Said { topics: topics.iter().map(|topic| (*topic).to_owned()).collect(), ..said }
    };
    let topic = |name: &str, values: &[(M, f64)]| Said::new(EntityKind::Topic, name, 0, values);
    let cluster = || Said::new(EntityKind::Cluster, "", 0, &[(M::CLUSTER_TOPIC_COUNT, 2.0)]);
    let check = |said: &[Said], kind: EntityKind, name: &str, expected: &[(&str, f64)]| {
        let windows = windows();
        said.iter().for_each(|said| assert_eq!(observe(&windows, said, 0), Taken::Counted));
        let closed = windows.advance(at(SIZE + LATENESS));
        let wanted = key(kind, name);
        let window = closed.iter().find(|window| window.key == wanted).expect("told");
        let sums: Vec<_> = window.roll_ups.iter().map(|(of, value)| (of.name, *value)).collect();
        assert_eq!(sums, expected, "{name}");
    };
    let (a, b) =
        ([(M::TOPIC_MESSAGES_IN, 3.0), (M::TOPIC_LAG, 7.0)], [(M::TOPIC_MESSAGES_IN, 4.0)]);
    let whole = [cluster(), topic("a", &a), topic("b", &b)];
    // One topic's lag is unknown, so the largest is.
    check(&whole, EntityKind::Cluster, "", &[("topics.messagesIn.mean", 7.0)]);
    let lags = [("groups.lag.mean", 30.0), ("groups.lag.max", 20.0)];
    let read = [topic("a", &a), group("g", &["a"], 10.0), group("h", &["a"], 20.0)];
    check(&read, EntityKind::Topic, "a", &lags);
    // A group's figures over several topics cannot be told apart.
    let both =
        [topic("a", &a), topic("b", &b), group("g", &["a", "b"], 9.0), group("h", &["a"], 2.0)];
    check(&both, EntityKind::Topic, "a", &[]);
    let other = [topic("b", &b), group("g", &["a"], 10.0)];
    check(&other, EntityKind::Topic, "b", &[]);
}

#[test]
fn an_evicted_part_leaves_the_whole_unknown() {
    let windows = Windows::new(config(2), NonZeroUsize::MIN);
    let cluster = Said::new(EntityKind::Cluster, "", 9, &[(M::CLUSTER_TOPIC_COUNT, 2.0)]);
    let topic = |name: &str, at_ms| {
        Said::new(EntityKind::Topic, name, at_ms, &[(M::TOPIC_MESSAGES_IN, 1.0)])
    };
    for said in [&cluster, &topic("a", 1), &topic("b", 2)] {
        observe(&windows, said, 10);
    }
    assert_eq!(windows.advance(at(10)).len(), 1, "one topic too many");
    let closed = windows.advance(at(SIZE + LATENESS));
    let told = closed.iter().find(|window| window.key == cluster.key).expect("told");
    assert_eq!(told.roll_ups, []);
}

#[test]
fn memory_does_not_grow_with_time() {
    let peak = |cycles: i64| {
        let info = allocation_counter::measure(|| {
            let windows = windows();
            for cycle in 0..cycles {
                let now = cycle * 15_000;
                for name in ["1", "2", "3"] {
                    let values = [(M::BROKER_CPU_USAGE, 1.5), (M::BROKER_MESSAGES_IN, 7.0)];
                    observe(&windows, &Said::new(EntityKind::Broker, name, now, &values), now);
                }
                windows.advance(at(now));
            }
        });
        info.bytes_max
    };
    let (few, many) = (peak(40), peak(2_000));
    assert!(few > 0 && many as f64 <= few as f64 * 1.1, "{few} bytes became {many}");
}

#[test]
fn every_topic_has_the_groups_that_read_it_and_no_others() {
    let windows = windows();
    let mut expected = BTreeMap::new();
    for number in 0..40_u32 {
        let topic = format!("t{number}");
        let of_topic = [(M::TOPIC_MESSAGES_IN, 1.0)];
        observe(&windows, &Said::new(EntityKind::Topic, &topic, 1, &of_topic), 1);
        // Each number's divisors among 1 to 3 give it as many readers.
        for reader in (1..=3).filter(|divisor| number % divisor == 0) {
            let lag = f64::from(number * 10 + reader);
            let name = format!("g{number}-{reader}");
            let mut group =
                Said::new(EntityKind::ConsumerGroup, &name, 1, &[(M::GROUP_LAG_TOTAL, lag)]);
            group.topics = vec![topic.clone()];
            observe(&windows, &group, 1);
            *expected.entry(topic.clone()).or_insert(0.0) += lag;
        }
    }
    let closed = windows.advance(at(SIZE + LATENESS));
    let mut told = BTreeMap::new();
    for window in closed.iter().filter(|window| window.key.kind() == EntityKind::Topic) {
        let lag = window.roll_ups.iter().find(|(roll_up, _)| roll_up.name == "groups.lag.mean");
        told.extend(lag.map(|(_, value)| (window.key.name().to_owned(), *value)));
    }
    assert_eq!(told.len(), 40);
    assert_eq!(told, expected);
}

/// Readings of a source that does not contradict itself: what it says is a function of entity,
/// time and source.
fn said() -> impl Strategy<Value = Said> {
    (0..4_usize, 0..6_usize, 0..2_u64).prop_map(|(entity, time, source)| {
        let times = [0, 14_999, SIZE - 1, SIZE, SIZE + 15_000, 2 * SIZE - 1];
        let seed = (entity * 100 + time * 10) as f64 + source as f64;
        let value = |factor: f64| (seed * factor).rem_euclid(97.0) / 7.0;
        let mut said = match entity {
            0 => Said::new(
                EntityKind::Cluster,
                "",
                times[time],
                &[(M::CLUSTER_CPU_MEAN, value(3.3))],
            ),
            1 => Said::new(
                EntityKind::Topic,
                "a",
                times[time],
                &[(M::TOPIC_MESSAGES_IN, value(1.7))],
            ),
            2 => Said::new(
                EntityKind::Topic,
                "b",
                times[time],
                &[(M::TOPIC_MESSAGES_IN, value(1e9)), (M::TOPIC_LAG, value(5.1))],
            ),
            _ => Said::new(
                EntityKind::ConsumerGroup,
                "g",
                times[time],
                &[(M::GROUP_LAG_TOTAL, value(0.1))],
            ),
        };
        said.source = source;
        said.measured = (time % 2 == 0).then_some(10_000 + time as i64);
        said.topics = if entity == 3 { vec!["a".to_owned()] } else { Vec::new() };
        said
    })
}

fn told(said: &[Said], shards: usize, groups_max: usize) -> (Vec<ClosedWindow>, WindowStats) {
    let shards = NonZeroUsize::new(shards).expect("not zero");
    let windows = Windows::new(config(groups_max), shards);
    for said in said {
        observe(&windows, said, SIZE + 20_000);
    }
    let mut closed = windows.advance(at(SIZE + 20_000));
    closed.extend(windows.advance(at(SIZE + LATENESS)));
    closed.extend(windows.shut_down());
    (closed, windows.stats())
}

proptest! {
    #[test]
    fn neither_order_nor_copies_nor_shards_matter(
        (original, shuffled) in proptest::collection::vec(said(), 1..60)
            .prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
        shards in 1..5_usize,
        groups_max in 1..6_usize,
    ) {
        let (expected, stats) = told(&original, 1, groups_max);
        prop_assert_eq!(&told(&shuffled, shards, groups_max), &(expected.clone(), stats));
        prop_assert_eq!(stats.offered(), original.len() as u64);
        let readings: u64 = expected.iter().map(|window| window.readings).sum();
        prop_assert_eq!(readings, stats.counted, "nothing that counts is lost");
    }
}
