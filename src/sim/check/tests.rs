//! Each check on small hand-made records: what it must catch, and that nothing is not enough.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

mod incidents;
mod observation;
mod resilience;
mod user;

use super::answers::Answers;
use super::record::{
    CycleRecord, EntityRecord, FleetRecord, Names, NewRelicRecord, PipelineRecord, Record,
    StoredEvent,
};
use super::user::UserRecord;
use super::{CATALOGUE, CheckResult, examine};
use crate::alerts::AlertsFile;
use crate::domain::units::UnixMillis;
use crate::sim::fault::FaultSpec;
use crate::sim::fleet::{
    BrokerCounters, BrokerGauges, BrokerTruth, GroupTruth, Observation, Observed, TopicCounters,
};
use crate::sim::oracle::guid::{Identity, expected};
use crate::sim::oracle::objects::{self, Moment};
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;

fn at(seconds: u64) -> SimTime {
    SimTime::from_millis(seconds * 1_000)
}

/// A run of the steady scenario that left nothing behind.
fn empty() -> Record {
    let text = include_str!("../../../scenarios/steady.toml");
    let scenario = scenario::load("steady", text).expect("the steady scenario loads");
    Record {
        faults: scenario.faults(),
        scenario,
        seed: Seed(1),
        end: at(300),
        heal: SimTime::ZERO,
        broken: None,
        tick: Duration::ZERO,
        fleets: BTreeMap::new(),
        pipelines: Vec::new(),
        newrelic: NewRelicRecord::default(),
        crash_points: Vec::new(),
        user: UserRecord::default(),
    }
}

fn wall(record: &Record, time: SimTime) -> UnixMillis {
    let millis = i64::try_from(time.as_millis()).expect("small");
    record.scenario.epoch().plus_millis(millis)
}

fn cycle(record: &Record, number: u64, started: SimTime) -> CycleRecord {
    CycleRecord {
        number,
        started,
        wall: wall(record, started),
        collected: started + Duration::from_millis(50),
        ended: started + Duration::from_millis(100),
        ..CycleRecord::default()
    }
}

/// One cycle every 15 s for 300 s, and a fleet of one topic that nobody ever saw.
fn steady() -> Record {
    let mut record = empty();
    let cycles = (0..20).map(|n| cycle(&record, n + 1, at(n * 15))).collect();
    record.pipelines = vec![PipelineRecord { ended: at(300), cycles, ..PipelineRecord::default() }];
    let fleet = FleetRecord {
        journal: Answers::default(),
        brokers: Vec::new(),
        down: BTreeMap::new(),
        topics: ["a".to_owned()].into(),
        groups: Default::default(),
    };
    record.fleets.insert("orders".to_owned(), fleet);
    record
}

fn sample(record: &Record, topic: &str, time: SimTime) -> StoredEvent {
    let identity = Identity::new("MESSAGE_QUEUE_TOPIC", "orders", Some(topic));
    let (readable, wire) = expected(record.scenario.pipeline.account_id, &identity);
    let identifier = readable.rsplit('|').next().unwrap_or_default().to_owned();
    let texts = [
        ("entityType", "MESSAGE_QUEUE_TOPIC".to_owned()),
        ("clusterName", "orders".to_owned()),
        ("topicName", topic.to_owned()),
        ("entityGuid", wire),
        ("entityIdentifier", identifier),
    ];
    let mut event = StoredEvent {
        timestamp: wall(record, time),
        stored_at: time,
        names: Arc::default(),
        numbers: Box::default(),
        texts: Box::default(),
    };
    for (name, text) in texts {
        set_text(&mut event, name, &text);
    }
    event
}

/// Sets a text, in the order of names that events keep.
fn set_text(event: &mut StoredEvent, name: &str, text: &str) {
    let names = event.names.texts.iter().cloned().zip(event.texts.iter().cloned());
    let mut texts: BTreeMap<Arc<str>, Arc<str>> = names.collect();
    texts.insert(name.into(), text.into());
    let numbers = event.names.numbers.clone();
    event.names = Arc::new(Names { numbers, texts: texts.keys().cloned().collect() });
    event.texts = texts.into_values().collect();
}

fn result(record: &Record, name: &str) -> CheckResult {
    let found = examine(record).into_iter().find(|result| result.name == name);
    found.unwrap_or_else(|| panic!("there is no check called {name}"))
}

#[track_caller]
fn holds(record: &Record, name: &str) {
    let result = result(record, name);
    assert!(result.passed(), "{name}: {:?}", result.first_violation());
}

#[track_caller]
fn breaks(record: &Record, name: &str, words: &str) {
    let said = result(record, name).first_violation().unwrap_or_else(|| "nothing".to_owned());
    assert!(said.contains(words), "{name} says: {said}");
}

#[test]
fn every_check_fails_on_a_run_that_left_nothing() {
    let mut record = empty();
    record.scenario.pipeline.hybrid = Some(scenario::HybridSpec::default());
    record.scenario.newrelic.alerts = Some(AlertsFile::default());
    for result in examine(&record) {
        assert!(!result.passed(), "{} passes on nothing", result.name);
    }
    assert_eq!(examine(&record).len(), CATALOGUE.len());
}

#[test]
fn guids_are_those_of_the_book() {
    let mut record = steady();
    record.newrelic.samples = vec![sample(&record, "a", at(15)), sample(&record, "b", at(15))];
    holds(&record, "guid");
    let other = record.newrelic.samples[0].text("entityGuid").to_owned();
    set_text(&mut record.newrelic.samples[1], "entityGuid", &other);
    breaks(&record, "guid", "topic orders/b has GUID");
}

#[test]
fn cycles_keep_their_rhythm() {
    let record = steady();
    holds(&record, "cycles");
    let broken = |change: &dyn Fn(&mut Vec<CycleRecord>), words: &str| {
        let mut record = steady();
        change(&mut record.pipelines[0].cycles);
        breaks(&record, "cycles", words);
    };
    broken(&|c| c[3].wall = c[3].wall.plus_millis(70), "70 ms after a multiple of the interval");
    broken(&|c| c[3].ended = at(61), "began before cycle 4 ended at 01:01.000");
    broken(&|c| drop(c.remove(5)), "the report of one is lost");
    broken(&|c| c.truncate(10), "no cycle for");
    let skipping = |c: &mut Vec<CycleRecord>| {
        c.remove(5);
        c.iter_mut().skip(5).for_each(|cycle| cycle.number -= 1);
    };
    broken(&skipping, "1 starts passed between cycles 5 and 6, and 0 were counted");
    let mut honest = steady();
    skipping(&mut honest.pipelines[0].cycles);
    honest.pipelines[0].cycles[4].skipped = 1;
    holds(&honest, "cycles");
    // Unless the clock was set meanwhile.
    let mut set = steady();
    set.pipelines[0].cycles[3].wall = set.pipelines[0].cycles[3].wall.plus_millis(70);
    let jump = "at = \"44s\"\nlasts = \"3s\"\nclock_jump = { offset_ms = 70 }";
    let jump: FaultSpec = toml::from_str(jump).expect("well-formed");
    set.faults.push(jump.fault(&set.scenario.network).expect("a fault"));
    holds(&set, "cycles");
}

#[test]
fn entities_are_the_fleets_objects_and_visible_in_time() {
    let mut record = steady();
    breaks(&record, "coverage", "has no entity");
    let entity = |record: &Record, name: &str, lag: u64| EntityRecord {
        guid: sample(record, name, at(0)).text("entityGuid").to_owned(),
        type_name: "MESSAGE_QUEUE_TOPIC".to_owned(),
        name: name.to_owned(),
        first_event_at: at(1),
        visible_at: at(1 + lag),
    };
    record.newrelic.entities = vec![entity(&record, "ghost", 5)];
    let said = result(&record, "coverage");
    let invented = said.finding.violations.iter().any(|v| v.what.contains("no object of the"));
    assert!(invented, "{:?}", said.finding.violations);
    holds(&record, "synthesis lag");
    record.newrelic.entities = vec![entity(&record, "a", 61)];
    breaks(&record, "synthesis lag", "61000 ms after its first event, limit 60000 ms");
}

#[test]
fn old_samples_are_not_fresh() {
    let mut record = steady();
    record.newrelic.samples = vec![sample(&record, "a", at(15))];
    let said = result(&record, "freshness");
    let what = "the newest sample of topic orders/a is 285 s old, limit 60 s";
    assert!(said.finding.violations.iter().any(|v| v.what == what), "{:?}", said.finding);
}

#[test]
fn figures_that_nothing_explains_are_found() {
    let mut record = steady();
    let mut event = sample(&record, "a", at(15));
    let texts = event.names.texts.clone();
    event.names = Arc::new(Names { numbers: vec!["topic.lag".into()], texts });
    event.numbers = [7.0].into();
    record.newrelic.samples = vec![event, sample(&record, "a", at(20))];
    let said = result(&record, "ground truth");
    for what in ["belongs to no cycle", "topic.lag = 7, which nothing explains"] {
        let found = said.finding.violations.iter().any(|v| v.what.contains(what));
        assert!(found, "{what}: {:?}", said.finding.violations);
    }
}

/// Brokers that the oracle wants group `g` to be coordinated by, after these descriptions: at the
/// end, and at any time.
fn coordinators(described: &[(u64, i32)]) -> [Vec<i32>; 2] {
    let mut record = steady();
    let account = record.scenario.pipeline.account_id;
    let fleet = record.fleets.get_mut("orders").expect("the only one");
    (fleet.brokers, fleet.groups) = (vec![1, 2], ["g".to_owned()].into());
    let described = described.iter().map(|(seconds, coordinator)| Observation {
        at: at(*seconds),
        broker: *coordinator,
        client_id: "shakedown".into(),
        what: Observed::Groups {
            described: true,
            groups: vec![GroupTruth {
                group: "g".into(),
                state: "Stable",
                members: 1,
                protocol: "range".into(),
                coordinator: *coordinator,
            }],
        },
    });
    fleet.journal = Answers::new(described.collect());
    [Moment::End, Moment::Ever].map(|moment| {
        let edges = objects::relationships(&record, moment);
        let of = |type_name: &str, own: &str| {
            expected(account, &Identity::new(type_name, "orders", Some(own))).1
        };
        let group = of("MESSAGE_QUEUE_CONSUMER_GROUP", "g");
        let is_told = |broker: &i32| {
            let broker = of("MESSAGE_QUEUE_BROKER", &broker.to_string());
            edges.contains(&(group.clone(), "CONNECTS_TO".to_owned(), broker))
        };
        [1, 2].into_iter().filter(is_told).collect()
    })
}

#[test]
fn coordinators_are_owed_once_they_have_settled() {
    assert_eq!(coordinators(&[(20, 1), (290, 1)]), [vec![1], vec![1]]);
    assert_eq!(coordinators(&[(20, 1), (40, 2), (290, 2)]), [vec![2], vec![1, 2]]);
    assert_eq!(coordinators(&[(20, 1), (290, 2)]), [vec![], vec![1, 2]], "it moved just now");
    assert_eq!(coordinators(&[(290, 1)]), [vec![], vec![1]], "it was never told of before");
    assert_eq!(coordinators(&[]).concat(), Vec::<i32>::new());
}

/// Topics that the oracle wants broker 1 to serve when its exporter counted these, in lives that
/// began then: at the end, and at any time.
fn served(counted: &[(u64, u64, &[&str])], serves: bool) -> [Vec<String>; 2] {
    let mut record = steady();
    record.scenario.pipeline.serves = serves;
    let account = record.scenario.pipeline.account_id;
    let fleet = record.fleets.get_mut("orders").expect("the only one");
    let scrape = |(seconds, started, topics): &(u64, u64, &[&str])| Observation {
        at: at(*seconds),
        broker: 1,
        client_id: "shakedown".into(),
        what: Observed::Scrape(Box::new(BrokerTruth {
            started_at: at(*started),
            counters: BrokerCounters::default(),
            topics: topics.iter().map(|t| ((*t).into(), TopicCounters::default())).collect(),
            gauges: BrokerGauges::default(),
        })),
    };
    fleet.journal = Answers::new(counted.iter().map(scrape).collect());
    [Moment::End, Moment::Ever].map(|moment| {
        let edges = objects::relationships(&record, moment);
        let of = |type_name: &str, own: &str| {
            expected(account, &Identity::new(type_name, "orders", Some(own))).1
        };
        let broker = of("MESSAGE_QUEUE_BROKER", "1");
        let is_told = |topic: &&str| {
            let topic = of("MESSAGE_QUEUE_TOPIC", topic);
            edges.contains(&(broker.clone(), "SERVES".to_owned(), topic))
        };
        ["a", "b", "__c"].into_iter().filter(is_told).map(str::to_owned).collect()
    })
}

#[test]
fn topics_are_served_by_those_who_count_their_traffic() {
    let check = |counted: &[(u64, u64, &[&str])], end: &[&str], ever: &[&str]| {
        assert_eq!(served(counted, true), [end, ever], "{counted:?}");
        assert_eq!(served(counted, false).concat(), Vec::<String>::new(), "nobody is told");
    };
    check(&[(20, 0, &["a", "b", "__c"]), (290, 0, &["a", "b"])], &["a", "b"], &["a", "b"]);
    check(&[(20, 0, &["a"]), (290, 0, &["a", "b"])], &["a"], &["a", "b"]);
    check(&[(20, 0, &["a", "b"]), (200, 0, &["a"]), (290, 0, &["a", "b"])], &["a"], &["a", "b"]);
    check(&[(20, 0, &["a"]), (290, 280, &["a"])], &[], &["a"]);
    check(&[(290, 0, &["a"])], &[], &["a"]);
    check(&[], &[], &[]);
}

/// A cycle that tells relationships tells of every broker that reports a topic's traffic.
#[test]
fn servers_are_as_many_as_report() {
    let violations = |reporting: f64, told: &[&str]| {
        let mut record = steady();
        record.scenario.pipeline.serves = true;
        let account = record.scenario.pipeline.account_id;
        let broker = |own: &str| {
            expected(account, &Identity::new("MESSAGE_QUEUE_BROKER", "orders", Some(own))).1
        };
        let mut topic = sample(&record, "a", at(270));
        let edge = |own: &&str| {
            let mut event = topic.clone();
            set_text(&mut event, "sourceEntityGuid", &broker(own));
            set_text(&mut event, "relationshipType", "SERVES");
            set_text(&mut event, "targetEntityGuid", topic.text("entityGuid"));
            event
        };
        record.newrelic.relationship_events = told.iter().map(edge).collect();
        let texts = topic.names.texts.clone();
        let numbers = vec!["topic.brokers.reporting".into()];
        topic.names = Arc::new(Names { numbers, texts });
        topic.numbers = [reporting].into();
        record.newrelic.samples = vec![topic];
        let found = result(&record, "relationships").finding.violations;
        let told: Vec<String> = found.into_iter().map(|violation| violation.what).collect();
        told.into_iter().filter(|what| what.contains("is told to be served")).collect::<Vec<_>>()
    };
    let none: &[String] = &[];
    assert_eq!(violations(2.0, &["1", "2"]), none);
    let words = "topic orders/a is told to be served by 1 brokers, and 2 report its traffic";
    assert_eq!(violations(2.0, &["1"]), [words]);
    assert_eq!(violations(1.0, &["1", "2"]).len(), 1);
    // A cycle that tells no relationships owes none.
    assert_eq!(violations(2.0, &[]), none);
}

#[test]
fn relationships_are_timed_by_their_ends() {
    let mut record = steady();
    let cluster = Identity::new("MESSAGE_QUEUE_CLUSTER", "orders", None);
    let (_, cluster) = expected(record.scenario.pipeline.account_id, &cluster);
    let topic = sample(&record, "a", at(285));
    let edge = (cluster, "CONTAINS".to_owned(), topic.text("entityGuid").to_owned());
    breaks(&record, "relationships", "missing: cluster orders CONTAINS topic orders/a");
    let mut event = topic.clone();
    let texts = [("sourceEntityGuid", &edge.0), ("relationshipType", &edge.1)];
    for (name, text) in texts.into_iter().chain([("targetEntityGuid", &edge.2)]) {
        set_text(&mut event, name, text);
    }
    record.newrelic.samples = vec![topic];
    record.newrelic.relationship_events = vec![event];
    record.newrelic.relationships = [edge].into();
    holds(&record, "relationships");
    record.newrelic.relationship_events[0].timestamp = wall(&record, at(270));
    breaks(&record, "relationships", "at which neither end was sampled");
    record.newrelic.relationship_events[0].timestamp = wall(&record, at(285));
    record.newrelic.relationship_events[0].stored_at = at(100);
    breaks(&record, "relationships", "was last told 200 s ago, limit 120 s");
}
