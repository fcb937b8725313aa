//! The check on what a user is told, on answers written by hand.

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::entity::EntityKind;
use crate::newrelic::nerdgraph::{EntityDetail, EntityOutline, GoldenMetricQuery, RelatedEntity};
use crate::sim::check::user::{Question, Told, UserAnswer, Window};

type Rows = Vec<Map<String, Value>>;

const NAME: &str = "as a user sees it";
const LAG: &str = "topic.lag";

fn topic(record: &Record, name: &str, seconds: u64, lag: f64) -> StoredEvent {
    let mut event = sample(record, name, at(seconds));
    set_text(&mut event, "displayName", name);
    let texts = event.names.texts.clone();
    event.names = Arc::new(Names { numbers: vec![LAG.into()], texts });
    event.numbers = Box::new([lag]);
    event
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn rows(rows: Value) -> Told {
    Told::Rows(rows.as_array().expect("a list").iter().cloned().map(object).collect())
}

fn outline(event: &StoredEvent) -> EntityOutline {
    EntityOutline {
        guid: event.text("entityGuid").to_owned(),
        name: event.text("displayName").to_owned(),
        domain: "INFRA".to_owned(),
        entity_type: "MESSAGE_QUEUE_TOPIC".to_owned(),
        reporting: true,
        tags: [("clusterName".to_owned(), vec!["orders".to_owned()])].into(),
    }
}

fn whole(event: &StoredEvent) -> Value {
    let mut row = json!({"timestamp": event.timestamp.0, "entity.name": "added", "no": null});
    for (name, value) in event.numbers() {
        row[name] = json!(value);
    }
    for (name, value) in event.names.texts.iter().zip(&event.texts) {
        row[&**name] = json!(&**value);
    }
    row
}

/// Topics a and b in two minutes, and everything that a user may ask about them, told right.
fn asked() -> Record {
    let mut record = steady();
    let events = [("a", 10, 1.0), ("a", 70, 3.0), ("b", 80, 5.0)];
    let events = events.map(|(name, seconds, lag)| topic(&record, name, seconds, lag));
    let [a1, a2, b] = &events;
    let window = Window { begin: wall(&record, at(0)), end: wall(&record, at(120)) };
    let kind = EntityKind::Topic;
    let (guid_a, guid_b) = (a1.text("entityGuid").to_owned(), b.text("entityGuid").to_owned());
    let bucket = |events: u64, average: f64, min: f64, max: f64, entities: u64| json!({"events": events, "average": average, "min": min, "max": max, "entities": entities});
    let manages = ("c".to_owned(), "CONTAINS".to_owned(), guid_a.clone());
    let detail = EntityDetail {
        outline: outline(a1),
        golden_metrics: vec![GoldenMetricQuery { name: "lag".into(), query: "q".into() }],
        related: vec![RelatedEntity {
            source: manages.0.clone(),
            kind: manages.1.clone(),
            target: manages.2.clone(),
        }],
    };
    let golden = Question::Golden {
        guid: guid_a.clone(),
        name: "lag".to_owned(),
        query: format!("SELECT average(`{LAG}`) FROM MessageQueue TIMESERIES"),
        before: window.end,
    };
    let latest = Question::Latest { kind, metrics: vec![LAG], window };
    let answers = [
        (
            Question::Counts { window },
            rows(json!([{"entityType": "MESSAGE_QUEUE_TOPIC", "count": 3}])),
        ),
        (
            latest,
            rows(json!([
                {"entityGuid": guid_a, "events": 2, LAG: 3.0},
                {"entityGuid": guid_b, "events": 1, LAG: 5}])),
        ),
        (
            Question::Series { kind, metric: LAG, window },
            rows(json!([bucket(1, 1.0, 1.0, 1.0, 1), bucket(2, 4.0, 3.0, 5.0, 2)])),
        ),
        (Question::Rows { window }, rows(json!([whole(b), whole(a2), whole(a1)]))),
        (Question::Search, Told::Entities(vec![outline(a1), outline(b)])),
        (Question::Entity { guid: guid_a.clone() }, Told::Entity(Some(detail))),
        (golden, rows(json!([{"beginTimeSeconds": 1, "lag": null}, {"lag": 2.0}]))),
    ];
    record.user.answers = answers
        .map(|(question, told)| UserAnswer {
            asked: at(130),
            answered: at(131),
            question,
            answer: Ok(told),
        })
        .into();
    let entity = |event: &StoredEvent| EntityRecord {
        guid: event.text("entityGuid").to_owned(),
        type_name: "MESSAGE_QUEUE_TOPIC".to_owned(),
        name: event.text("displayName").to_owned(),
        first_event_at: at(10),
        visible_at: at(20),
    };
    record.newrelic.entities = vec![entity(a1), entity(b)];
    record.newrelic.relationships = [manages].into();
    record.newrelic.samples = events.into();
    record
}

/// Answers in the order of [`asked`].
const COUNTS: usize = 0;
const LATEST: usize = 1;
const SERIES: usize = 2;
const WHOLE: usize = 3;
const SEARCH: usize = 4;
const ENTITY: usize = 5;
const GOLDEN: usize = 6;

#[test]
fn right_answers_hold() {
    let record = asked();
    holds(&record, NAME);
    assert_eq!(result(&record, NAME).finding.examined, 7);
}

#[test]
fn a_wrong_row_is_found() {
    let check = |answer: usize, change: &dyn Fn(&mut Rows), words: &str| {
        let mut record = asked();
        match &mut record.user.answers[answer].answer {
            Ok(Told::Rows(rows)) => change(rows),
            other => panic!("{other:?} has no rows"),
        }
        breaks(&record, NAME, words);
    };
    let set = |row: usize, key: &'static str, value: Value| {
        move |rows: &mut Rows| drop(rows[row].insert(key.to_owned(), value.clone()))
    };
    check(COUNTS, &set(0, "count", json!(2)), "is Some(2.0), must be Some(3.0)");
    check(COUNTS, &Vec::clear, "is None, must be Some(3.0)");
    check(COUNTS, &set(0, "entityType", json!("GHOST")), "GHOST is Some(3.0), must be None");
    check(LATEST, &set(0, LAG, json!(1.0)), "topic.lag is Some(1.0), must be one of [3.0]");
    check(LATEST, &set(0, LAG, json!(null)), "topic.lag is None, must be one of [3.0]");
    check(LATEST, &set(1, "events", json!(2)), "is Some(2.0), must be Some(1.0)");
    check(LATEST, &|rows| drop(rows.pop()), "1 entities, must be 2");
    check(SERIES, &|rows| drop(rows.pop()), "1 buckets, must be 2");
    check(SERIES, &set(1, "average", json!(4.1)), "average of minute 1 is Some(4.1)");
    check(SERIES, &set(1, "min", json!(5)), "min of minute 1");
    check(SERIES, &set(1, "max", json!(null)), "max of minute 1 is None");
    check(SERIES, &set(0, "entities", json!(2)), "entities of minute 0");
    check(SERIES, &set(0, "events", json!(0)), "events of minute 0");
    check(WHOLE, &|rows| drop(rows.pop()), "2 rows, must be 3");
    check(WHOLE, &set(0, LAG, json!("5")), "must be (");
    check(WHOLE, &set(0, "topicName", json!("x")), "must be (");
    check(WHOLE, &set(0, "timestamp", json!(1)), "must be (");
    check(WHOLE, &set(0, "invented", json!(1)), "must be (");
    check(GOLDEN, &Vec::clear, "no bucket");
    check(GOLDEN, &set(1, "lag", json!(null)), "shows nothing");
}

#[test]
fn a_wrong_entity_is_found() {
    let check = |change: &dyn Fn(&mut Vec<EntityOutline>), words: &str| {
        let mut record = asked();
        match &mut record.user.answers[SEARCH].answer {
            Ok(Told::Entities(found)) => change(found),
            other => panic!("{other:?} has no entities"),
        }
        breaks(&record, NAME, words);
    };
    check(&|found| drop(found.pop()), "is missing");
    check(&|found| found.push(found[0].clone()), "comes twice");
    check(&|found| found[0].guid = "ghost".to_owned(), "is missing");
    check(&|found| found[0].name = "x".to_owned(), "is called `x`, must be `a`");
    check(&|found| found[0].domain = "EXT".to_owned(), "is of EXT-MESSAGE_QUEUE_TOPIC");
    check(&|found| found[0].tags.clear(), "lacks the tag clusterName = orders");

    let check = |change: &dyn Fn(&mut Option<EntityDetail>), words: &str| {
        let mut record = asked();
        match &mut record.user.answers[ENTITY].answer {
            Ok(Told::Entity(detail)) => change(detail),
            other => panic!("{other:?} is no entity"),
        }
        breaks(&record, NAME, words);
    };
    check(&|detail| *detail = None, "is not known");
    let with = |change: fn(&mut EntityDetail)| {
        move |d: &mut Option<EntityDetail>| {
            change(d.as_mut().expect("known"));
        }
    };
    check(&with(|detail| detail.golden_metrics.clear()), "has no golden metrics");
    check(&with(|detail| detail.related.clear()), "is related to nothing");
    check(&with(|detail| detail.related[0].kind = "HOSTS".to_owned()), "is invented");
    check(&with(|detail| detail.outline.guid = "x".to_owned()), "is x");
}

#[test]
fn what_is_stored_meanwhile_may_be_told_or_not() {
    let mut record = asked();
    let mut late = topic(&record, "a", 30, 9.0);
    late.stored_at = at(131);
    record.newrelic.samples.push(late);
    holds(&record, NAME);
    record.newrelic.samples.last_mut().expect("one").stored_at = at(130);
    breaks(&record, NAME, "must be");
}

#[test]
fn no_answer_is_a_violation() {
    let mut record = asked();
    record.user.answers[COUNTS].answer = Err("NerdGraph failed: 500".to_owned());
    breaks(&record, NAME, "events by type: NerdGraph failed: 500");
    let mut record = asked();
    record.user.answers.truncate(SEARCH);
    breaks(&record, NAME, "before the user had asked everything");
}
