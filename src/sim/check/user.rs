//! What New Relic tells a user is what the run stored.
//!
//! Every answer is foretold from the stored events and the times at which they were stored. What
//! was stored while an answer was on its way may be in it or not: either is right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::record::{Record, StoredEvent};
use super::{Check, Class, Finding};
use crate::domain::entity::EntityKind;
use crate::domain::units::UnixMillis;
use crate::newrelic::nerdgraph::{EntityDetail, EntityOutline};
use crate::sim::time::SimTime;

/// This check.
pub const CHECK: Check = Check {
    name: "as a user sees it",
    promise: "NRQL and NerdGraph tell exactly what was stored and made of it",
    class: Class::Oracle,
    examine,
};

/// Everything a user was told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserRecord {
    /// In the order of asking.
    pub answers: Vec<UserAnswer>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct UserAnswer {
    /// When the question was asked.
    pub asked: SimTime,
    /// When the answer was there.
    pub answered: SimTime,
    /// What was asked.
    pub question: Question,
    /// What was told, or why nothing was.
    pub answer: Result<Told, String>,
}

/// From `begin`, inclusive, to `end`, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Inclusive.
    pub begin: UnixMillis,
    /// Exclusive.
    pub end: UnixMillis,
}

impl Window {
    fn holds(self, at: UnixMillis) -> bool {
        self.begin <= at && at < self.end
    }
}

/// What a user asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Events by type of entity.
    Counts {
        /// When.
        window: Window,
    },
    /// The newest value of each metric, by entity.
    Latest {
        /// Of these.
        kind: EntityKind,
        /// Names.
        metrics: Vec<&'static str>,
        /// When.
        window: Window,
    },
    /// Minute by minute: number of events, average, least, greatest, number of entities.
    Series {
        /// Of these.
        kind: EntityKind,
        /// Name.
        metric: &'static str,
        /// When; whole minutes.
        window: Window,
    },
    /// Whole events.
    Rows {
        /// When.
        window: Window,
    },
    /// All entities.
    Search,
    /// One entity and what it is related to.
    Entity {
        /// Its GUID.
        guid: String,
    },
    /// A golden metric of an entity, as New Relic itself words it.
    Golden {
        /// Of this entity.
        guid: String,
        /// Its name.
        name: String,
        /// Its NRQL.
        query: String,
        /// Events before this are surely stored.
        before: UnixMillis,
    },
}

/// What a user was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Rows of NRQL.
    Rows(Vec<Map<String, Value>>),
    /// Entities.
    Entities(Vec<EntityOutline>),
    /// An entity, if it is known.
    Entity(Option<EntityDetail>),
}

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    if record.broken.is_some() {
        finding.excused = Some("the world broke before anybody could ask".to_owned());
        return finding;
    }
    for answer in &record.user.answers {
        finding.examine();
        let at = Some(answer.asked);
        match &answer.answer {
            Err(error) => {
                finding.violate(at, format!("{}: {error}", title(&answer.question)));
            }
            Ok(told) => {
                for what in differences(record, answer, told) {
                    finding.violate(at, format!("{}: {what}", title(&answer.question)));
                }
            }
        }
    }
    let asked = |wanted: fn(&Question) -> bool| {
        record.user.answers.iter().any(|answer| wanted(&answer.question))
    };
    if !asked(|q| matches!(q, Question::Rows { .. })) || !asked(|q| *q == Question::Search) {
        finding.violate(Some(record.end), "the run ended before the user had asked everything");
    }
    finding
}

fn title(question: &Question) -> String {
    match question {
        Question::Counts { .. } => "events by type".to_owned(),
        Question::Latest { kind, .. } => format!("newest values of {}", kind.type_name()),
        Question::Series { kind, metric, .. } => {
            format!("{metric} of {} by minute", kind.type_name())
        }
        Question::Rows { .. } => "whole events".to_owned(),
        Question::Search => "entity search".to_owned(),
        Question::Entity { guid } => format!("entity {guid}"),
        Question::Golden { guid, name, .. } => format!("golden metric {name} of {guid}"),
    }
}

/// Stored `MessageQueue` events as they stood at one instant.
struct View<'a> {
    events: Vec<&'a StoredEvent>,
}

impl<'a> View<'a> {
    fn at(record: &'a Record, instant: SimTime) -> Self {
        let stored = |event: &&StoredEvent| event.stored_at <= instant;
        Self { events: record.newrelic.samples.iter().filter(stored).collect() }
    }

    fn within(&self, window: Window) -> impl Iterator<Item = &'a StoredEvent> {
        self.events.iter().copied().filter(move |event| window.holds(event.timestamp))
    }

    fn of(&self, kind: EntityKind, window: Window) -> impl Iterator<Item = &'a StoredEvent> {
        self.within(window).filter(move |event| event.text("entityType") == kind.type_name())
    }
}

/// What is wrong with an answer: nothing, if it is right for what was stored when the question was
/// asked or when it was answered.
fn differences(record: &Record, answer: &UserAnswer, told: &Told) -> Vec<String> {
    let at = |instant| {
        let view = View::at(record, instant);
        match (&answer.question, told) {
            (Question::Counts { window }, Told::Rows(rows)) => counts(&view, *window, rows),
            (Question::Latest { kind, metrics, window }, Told::Rows(rows)) => {
                latest(&view, *kind, metrics, *window, rows)
            }
            (Question::Series { kind, metric, window }, Told::Rows(rows)) => {
                series(&view, *kind, metric, *window, rows)
            }
            (Question::Rows { window }, Told::Rows(rows)) => whole(&view, *window, rows),
            (Question::Golden { guid, query, before, .. }, Told::Rows(rows)) => {
                golden(&view, guid, query, *before, rows)
            }
            (Question::Search, Told::Entities(found)) => search(record, &view, instant, found),
            (Question::Entity { guid }, Told::Entity(detail)) => {
                entity(record, guid, detail.as_ref())
            }
            _ => vec!["the answer belongs to another question".to_owned()],
        }
    };
    let first = at(answer.asked);
    if first.is_empty() { first } else { at(answer.answered) }
}

fn number(row: &Map<String, Value>, key: &str) -> Option<f64> {
    row.get(key).and_then(Value::as_f64)
}

fn text<'a>(row: &'a Map<String, Value>, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Sums of many addends depend on their order; everything else is exact.
fn close(left: f64, right: f64) -> bool {
    let scale = left.abs().max(right.abs());
    (left - right).abs() <= scale * 1e-9
}

fn same(wrong: &mut Vec<String>, what: &str, told: Option<f64>, expected: Option<f64>) {
    let equal = match (told, expected) {
        (Some(told), Some(expected)) => close(told, expected),
        (told, expected) => told.is_none() && expected.is_none(),
    };
    if !equal {
        wrong.push(format!("{what} is {told:?}, must be {expected:?}"));
    }
}

/// A whole number of things as NRQL counts them.
fn counted(count: usize) -> Option<f64> {
    u32::try_from(count).ok().map(f64::from)
}

fn counts(view: &View<'_>, window: Window, rows: &[Map<String, Value>]) -> Vec<String> {
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for event in view.within(window) {
        *expected.entry(event.text("entityType")).or_default() += 1;
    }
    let mut wrong = Vec::new();
    let told: BTreeMap<&str, Option<f64>> =
        rows.iter().map(|row| (text(row, "entityType"), number(row, "count"))).collect();
    for kind in expected.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
        let expected = expected.get(kind).copied().and_then(counted);
        same(&mut wrong, kind, told.get(kind).copied().flatten(), expected);
    }
    wrong
}

fn latest(
    view: &View<'_>,
    kind: EntityKind,
    metrics: &[&str],
    window: Window,
    rows: &[Map<String, Value>],
) -> Vec<String> {
    let mut by_guid: BTreeMap<&str, Vec<&StoredEvent>> = BTreeMap::new();
    for event in view.of(kind, window) {
        by_guid.entry(event.text("entityGuid")).or_default().push(event);
    }
    let told: BTreeMap<&str, &Map<String, Value>> =
        rows.iter().map(|row| (text(row, "entityGuid"), row)).collect();
    let mut wrong = Vec::new();
    if told.len() != by_guid.len() {
        wrong.push(format!("{} entities, must be {}", told.len(), by_guid.len()));
    }
    for (guid, events) in by_guid {
        let Some(row) = told.get(guid) else {
            wrong.push(format!("{guid} is missing"));
            continue;
        };
        same(&mut wrong, guid, number(row, "events"), counted(events.len()));
        for metric in metrics {
            let newest = newest(&events, metric);
            let told = number(row, metric);
            let right = match told {
                Some(told) => newest.contains(&told),
                None => newest.is_empty(),
            };
            if !right {
                wrong.push(format!("{guid}: {metric} is {told:?}, must be one of {newest:?}"));
            }
        }
    }
    wrong
}

/// Values of the newest events that have the metric; several when they are equally new.
fn newest(events: &[&StoredEvent], metric: &str) -> Vec<f64> {
    let valued = || events.iter().filter_map(|e| Some((e.timestamp, e.number(metric)?)));
    let Some(newest) = valued().map(|(at, _)| at).max() else { return Vec::new() };
    valued().filter(|(at, _)| *at == newest).map(|(_, value)| value).collect()
}

const MINUTE_MS: i64 = 60_000;

fn series(
    view: &View<'_>,
    kind: EntityKind,
    metric: &str,
    window: Window,
    rows: &[Map<String, Value>],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let minutes = window.end.millis_since(window.begin) / MINUTE_MS;
    if i64::try_from(rows.len()) != Ok(minutes) {
        wrong.push(format!("{} buckets, must be {minutes}", rows.len()));
        return wrong;
    }
    for (row, minute) in rows.iter().zip(0..) {
        let begin = window.begin.plus_millis(minute * MINUTE_MS);
        let bucket = Window { begin, end: begin.plus_millis(MINUTE_MS) };
        let events: Vec<&StoredEvent> = view.of(kind, bucket).collect();
        let values: Vec<f64> = events.iter().filter_map(|event| event.number(metric)).collect();
        let guids: BTreeSet<&str> = events.iter().map(|event| event.text("entityGuid")).collect();
        let some = |value: f64| (!values.is_empty()).then_some(value);
        let mean = values.iter().sum::<f64>() / counted(values.len()).unwrap_or(f64::NAN);
        let at = |what: &str| format!("{what} of minute {minute}");
        same(&mut wrong, &at("events"), number(row, "events"), counted(events.len()));
        same(&mut wrong, &at("average"), number(row, "average"), some(mean));
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        same(&mut wrong, &at("min"), number(row, "min"), some(least));
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        same(&mut wrong, &at("max"), number(row, "max"), some(greatest));
        same(&mut wrong, &at("entities"), number(row, "entities"), counted(guids.len()));
    }
    wrong
}

/// Names that New Relic adds to events.
fn added(name: &str) -> bool {
    matches!(name, "timestamp" | "entity.guid" | "entity.name" | "entity.type")
}

fn whole(view: &View<'_>, window: Window, rows: &[Map<String, Value>]) -> Vec<String> {
    const ROWS_MAX: usize = 5_000;
    let written = |event: &StoredEvent| {
        let numbers = event.numbers().map(|(name, value)| (name.to_owned(), value.to_string()));
        let texts = event.names.texts.iter().zip(&event.texts);
        let texts = texts.map(|(name, value)| (name.to_string(), format!("'{value}'")));
        let cells: BTreeMap<String, String> =
            numbers.chain(texts).filter(|(name, _)| !added(name)).collect();
        (event.timestamp.0, cells)
    };
    let told = |row: &Map<String, Value>| {
        let cells = row.iter().filter(|(name, value)| !added(name) && !value.is_null());
        let cells: BTreeMap<String, String> = cells
            .map(|(name, value)| {
                let value = match (value.as_f64(), value.as_str()) {
                    (Some(number), _) => number.to_string(),
                    (None, Some(text)) => format!("'{text}'"),
                    (None, None) => value.to_string(),
                };
                (name.clone(), value)
            })
            .collect();
        (row.get("timestamp").and_then(Value::as_i64).unwrap_or(0), cells)
    };
    let mut expected: Vec<_> = view.within(window).map(written).collect();
    let mut found: Vec<_> = rows.iter().map(told).collect();
    expected.sort();
    found.sort();
    let mut wrong = Vec::new();
    if found.len() != expected.len().min(ROWS_MAX) {
        wrong.push(format!("{} rows, must be {}", found.len(), expected.len().min(ROWS_MAX)));
    } else if expected.len() <= ROWS_MAX {
        let differing = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        wrong.extend(differing.map(|(found, expected)| format!("{found:?}, must be {expected:?}")));
    }
    wrong
}

/// The query runs, and shows something where the entity's events of the last minutes have all
/// that it names.
fn golden(
    view: &View<'_>,
    guid: &str,
    query: &str,
    before: UnixMillis,
    rows: &[Map<String, Value>],
) -> Vec<String> {
    const RECENT_MS: i64 = 30 * MINUTE_MS;
    let mut wrong = Vec::new();
    if rows.is_empty() {
        wrong.push(format!("no bucket: {query}"));
    }
    let named: Vec<&str> = query.split('`').skip(1).step_by(2).filter(|n| !added(n)).collect();
    let recent = Window { begin: before.plus_millis(-RECENT_MS), end: before };
    let mut events = view.within(recent).filter(|event| event.text("entityGuid") == guid);
    let has_all = |event: &StoredEvent| named.iter().all(|name| event.number(name).is_some());
    let bounds = ["beginTimeSeconds", "endTimeSeconds", "inspectedCount"];
    let shown = |row: &Map<String, Value>| {
        row.iter().any(|(key, value)| !bounds.contains(&key.as_str()) && value.as_f64().is_some())
    };
    if !named.is_empty() && events.any(has_all) && !rows.iter().any(shown) {
        wrong.push(format!("shows nothing: {query}"));
    }
    wrong
}

fn search(
    record: &Record,
    view: &View<'_>,
    instant: SimTime,
    found: &[EntityOutline],
) -> Vec<String> {
    let visible = record.newrelic.entities.iter().filter(|e| e.visible_at <= instant);
    let expected: BTreeMap<&str, _> = visible.map(|e| (e.guid.as_str(), e)).collect();
    let told: BTreeMap<&str, &EntityOutline> = found.iter().map(|e| (e.guid.as_str(), e)).collect();
    let mut wrong = Vec::new();
    if told.len() != found.len() {
        wrong.push("an entity comes twice".to_owned());
    }
    for guid in expected.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
        match (told.get(guid), expected.get(guid)) {
            (Some(told), Some(expected)) => {
                if (told.entity_type.as_str(), told.domain.as_str())
                    != (expected.type_name.as_str(), "INFRA")
                {
                    wrong.push(format!("{guid} is of {}-{}", told.domain, told.entity_type));
                }
                names(&mut wrong, view, told);
            }
            (Some(told), None) => wrong.push(format!("{} ({guid}) cannot be known", told.name)),
            (None, _) => wrong.push(format!("{guid} is missing")),
        }
    }
    wrong
}

/// An entity's name and identity tags are those of its events.
fn names(wrong: &mut Vec<String>, view: &View<'_>, told: &EntityOutline) {
    let mut events = view.events.iter().filter(|event| event.text("entityGuid") == told.guid);
    let Some(newest) = events.next_back() else { return };
    if told.name != newest.text("displayName") {
        let name = newest.text("displayName");
        wrong.push(format!("{} is called `{}`, must be `{name}`", told.guid, told.name));
    }
    let cluster = newest.text("clusterName");
    let tagged = |values: &Vec<String>| values.iter().any(|value| value == cluster);
    if !told.tags.get("clusterName").is_some_and(tagged) {
        wrong.push(format!("{} lacks the tag clusterName = {cluster}", told.name));
    }
}

fn entity(record: &Record, guid: &str, detail: Option<&EntityDetail>) -> Vec<String> {
    let Some(detail) = detail else { return vec!["is not known".to_owned()] };
    let mut wrong = Vec::new();
    if detail.outline.guid != guid {
        wrong.push(format!("is {}", detail.outline.guid));
    }
    if detail.golden_metrics.is_empty() {
        wrong.push("has no golden metrics".to_owned());
    }
    let edges = &record.newrelic.relationships;
    for edge in &detail.related {
        let told = (edge.source.clone(), edge.kind.clone(), edge.target.clone());
        if !edges.contains(&told) {
            wrong.push(format!("{} {} {} is invented", edge.source, edge.kind, edge.target));
        }
    }
    let own = edges.iter().any(|(source, _, target)| source == guid || target == guid);
    if own && detail.related.is_empty() {
        wrong.push("is related to nothing".to_owned());
    }
    wrong
}
