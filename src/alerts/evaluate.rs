//! What a condition would have said, window by window.
//!
//! A window ends every `aggregation_window_seconds` and is judged `aggregation_delay_seconds`
//! later, by what was stored by then. A term opens an incident when as many windows in a row as
//! make its duration are beyond its threshold, and closes it when as many are not. A window without
//! a value resets the count, as New Relic does without a fill option. An entity that has been seen
//! and is not seen for `silent_after_seconds` is silent until the next event.
//!
//! Not modelled: that New Relic judges a window of the EVENT_FLOW method only when newer data of
//! the signal have come; baselines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::condition::{Basis, Condition, Operator, Priority};
use crate::domain::units::UnixMillis;
use crate::nrql::{NrqlError, QueryResult, Value};

/// Why an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The values were good again for as long as they had to be bad.
    Recovered,
    /// Data came again.
    SignalCame,
    /// It lasted as long as an incident may.
    TimeLimit,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// GUID of the entity, as its events say.
    pub entity_guid: String,
    /// Its name.
    pub entity: String,
    /// How bad.
    pub priority: Priority,
    /// When it began.
    pub opened_at: UnixMillis,
    /// When it ended; it had not at the end of the evaluation when absent.
    pub closed_at: Option<UnixMillis>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// The worst value of its time; of a silence none.
    pub worst: Option<f64>,
}

/// What a condition said of a span of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Evaluation {
    /// Windows judged.
    pub windows: usize,
    /// Entities that had a value in some window.
    pub entities: usize,
    /// In the order of their opening.
    pub incidents: Vec<Incident>,
}

/// One term of one entity: how many windows in a row were bad, or good.
#[derive(Debug, Clone, Default)]
struct Track {
    bad: u32,
    good: u32,
    open: Option<usize>,
}

/// One entity.
#[derive(Debug, Default)]
struct Target {
    name: String,
    seen_at: Option<UnixMillis>,
    tracks: Vec<Track>,
}

struct Judge<'a> {
    condition: &'a Condition,
    targets: BTreeMap<String, Target>,
    incidents: Vec<Incident>,
}

/// Judges every whole window from `from` to `until`; `ask` answers a query as it would be answered
/// at an instant, by what was stored then. Instants never go back.
///
/// # Errors
/// What `ask` says of the query.
pub fn evaluate(
    condition: &Condition,
    (from, until): (UnixMillis, UnixMillis),
    mut ask: impl FnMut(UnixMillis, &str) -> Result<QueryResult, NrqlError>,
) -> Result<Evaluation, NrqlError> {
    let width = i64::from(condition.signal.aggregation_window_seconds) * 1_000;
    let delay = i64::from(condition.signal.aggregation_delay_seconds) * 1_000;
    let mut judge = Judge { condition, targets: BTreeMap::new(), incidents: Vec::new() };
    let mut windows = 0;
    let mut begin = from.0.div_euclid(width) * width;
    while begin + width + delay <= until.0 {
        let (end, now) = (begin + width, UnixMillis(begin + width + delay));
        let answer = ask(now, &condition.query.within(begin, end))?;
        judge.window(values(&answer), UnixMillis(end), now);
        windows += 1;
        begin = end;
    }
    Ok(Evaluation { windows, entities: judge.targets.len(), incidents: judge.incidents })
}

/// GUID, name and value of each entity that has one.
fn values(answer: &QueryResult) -> BTreeMap<String, (String, f64)> {
    let row = |row: &crate::nrql::Row| {
        let value = number(row.get("value")?)?;
        let Value::List(facet) = row.get("facet")? else { return None };
        let [Value::Text(guid), name] = facet.as_slice() else { return None };
        let name = if let Value::Text(name) = name { name.to_string() } else { String::new() };
        Some((guid.to_string(), (name, value)))
    };
    answer.results.iter().filter_map(row).collect()
}

/// A number; of a percentile the one that was asked for.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        // Counts of events are far below what a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "a count of one window")]
        Value::Integer(number) => Some(*number as f64),
        Value::Map(members) => members.values().next().and_then(number),
        _ => None,
    }
}

impl Judge<'_> {
    fn window(
        &mut self,
        mut values: BTreeMap<String, (String, f64)>,
        end: UnixMillis,
        now: UnixMillis,
    ) {
        let terms = self.condition.terms.len();
        for (guid, (name, _)) in &values {
            let new = || Target { tracks: vec![Track::default(); terms], ..Target::default() };
            let target = self.targets.entry(guid.clone()).or_insert_with(new);
            target.name.clone_from(name);
        }
        let guids: Vec<String> = self.targets.keys().cloned().collect();
        for guid in guids {
            let value = values.remove(&guid).map(|(_, value)| value);
            match self.condition.basis {
                Basis::Static(operator) => self.levels(&guid, value, operator, now),
                Basis::Silence => self.silence(&guid, value.is_some(), end, now),
                Basis::Baseline => {}
            }
        }
    }

    /// One value, or a gap, of one entity against all terms.
    fn levels(&mut self, guid: &str, value: Option<f64>, operator: Operator, now: UnixMillis) {
        let Self { condition, targets, incidents } = self;
        let Some(target) = targets.get_mut(guid) else { return };
        let limit = i64::from(condition.signal.closes_after_seconds) * 1_000;
        for (term, track) in condition.terms.iter().zip(&mut target.tracks) {
            let needed = term.duration_seconds / condition.signal.aggregation_window_seconds;
            let is_bad = value.map(|value| operator.is_worse(value, term.threshold));
            (track.bad, track.good) = match is_bad {
                Some(true) => (track.bad + 1, 0),
                Some(false) => (0, track.good + 1),
                None => (0, 0),
            };
            match track.open {
                None if track.bad >= needed.max(1) => {
                    track.open = Some(incidents.len());
                    incidents.push(Incident {
                        entity_guid: guid.to_owned(),
                        entity: target.name.clone(),
                        priority: term.priority,
                        opened_at: now,
                        closed_at: None,
                        cause: None,
                        worst: value,
                    });
                }
                None => {}
                Some(open) => {
                    let incident = &mut incidents[open];
                    if let (Some(value), Some(worst)) = (value, incident.worst)
                        && operator.is_worse(value, worst)
                    {
                        incident.worst = Some(value);
                    }
                    let cause = if track.good >= needed.max(1) {
                        Some(Cause::Recovered)
                    } else {
                        let too_long = now.millis_since(incident.opened_at) >= limit;
                        too_long.then_some(Cause::TimeLimit)
                    };
                    if cause.is_some() {
                        (incident.closed_at, incident.cause) = (Some(now), cause);
                        *track = Track::default();
                    }
                }
            }
        }
    }

    /// Whether an entity was heard of.
    fn silence(&mut self, guid: &str, heard: bool, end: UnixMillis, now: UnixMillis) {
        let Self { condition, targets, incidents } = self;
        let Some(target) = targets.get_mut(guid) else { return };
        let patience = i64::from(condition.signal.silent_after_seconds) * 1_000;
        let open = incidents
            .iter_mut()
            .find(|incident| incident.entity_guid == guid && incident.closed_at.is_none());
        if heard {
            target.seen_at = Some(end);
            if let Some(incident) = open {
                (incident.closed_at, incident.cause) = (Some(now), Some(Cause::SignalCame));
            }
            return;
        }
        let since = target.seen_at.map_or(0, |seen| end.millis_since(seen));
        if open.is_none() && since >= patience {
            incidents.push(Incident {
                entity_guid: guid.to_owned(),
                entity: target.name.clone(),
                priority: Priority::Critical,
                opened_at: now,
                closed_at: None,
                cause: None,
                worst: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::{AlertsFile, plan};
    use crate::domain::account::AccountId;
    use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
    use crate::nrql::{QueryContext, QueryLimits, parse, run};

    const MINUTE_MS: i64 = 60_000;
    /// A whole minute; numbers near zero would be read as seconds.
    const BEGIN_MS: i64 = 28_333_334 * MINUTE_MS;

    fn account() -> AccountId {
        AccountId::try_from(1).expect("an account")
    }

    struct Event {
        kind: &'static str,
        metric: &'static str,
        value: f64,
        at: i64,
        stored_at: i64,
    }

    /// One event a minute, in its middle; `None` is a minute without.
    fn events(kind: &'static str, metric: &'static str, values: &[Option<f64>]) -> Vec<Event> {
        let event = |(minute, value): (usize, &Option<f64>)| {
            let at = BEGIN_MS + minute as i64 * MINUTE_MS + MINUTE_MS / 2;
            value.map(|value| Event { kind, metric, value, at, stored_at: at })
        };
        values.iter().enumerate().filter_map(event).collect()
    }

    fn push(store: &mut EventStore, event: &Event) {
        let cells = [
            ("entityType", Cell::Text(event.kind)),
            ("dataSource", Cell::Text("infrastructure")),
            ("entityGuid", Cell::Text("g")),
            ("displayName", Cell::Text("n")),
            (event.metric, Cell::Number(event.value)),
        ];
        store.push(NewEvent {
            account: account(),
            event_type: "MessageQueue",
            timestamp: UnixMillis(event.at),
            stored_at: UnixMillis(event.stored_at),
            request: 1,
            cells: &cells,
        });
    }

    /// Minutes at which incidents of rule `id` open and close, with priority and worst value.
    fn incidents(id: &str, events: &[Event], minutes: i64) -> Vec<(Priority, i64, Option<i64>)> {
        let settings = "[signal]\naggregation_delay_seconds = 0\nsilent_after_seconds = 180\n\
                        closes_after_seconds = 1800";
        let file: AlertsFile = toml::from_str(settings).expect("a file");
        let plan = plan(&file).expect("a plan");
        let condition = plan.conditions.iter().find(|c| c.id == id).expect("the rule");
        let span = (UnixMillis(BEGIN_MS), UnixMillis(BEGIN_MS + minutes * MINUTE_MS));
        let mut store = EventStore::new(StoreConfig { bytes_max: 16 << 20 });
        let mut left = events.iter().peekable();
        let ask = |now: UnixMillis, text: &str| {
            while let Some(event) = left.next_if(|event| event.stored_at <= now.0) {
                push(&mut store, event);
            }
            let (limits, accounts) = (QueryLimits::default(), [account()]);
            let context = QueryContext { store: &store, accounts: &accounts, now, limits };
            run(text, &parse(text)?, &context)
        };
        let evaluation = evaluate(condition, span, ask).expect("the query runs");
        assert_eq!(evaluation.windows as i64, minutes);
        let minute = |at: UnixMillis| (at.0 - BEGIN_MS) / MINUTE_MS;
        evaluation
            .incidents
            .iter()
            .map(|i| (i.priority, minute(i.opened_at), i.closed_at.map(minute)))
            .collect()
    }

    #[test]
    fn a_term_fires_after_its_time_and_ends_after_its_time() {
        let check = |values: &[Option<f64>], expected: &[(Priority, i64, Option<i64>)]| {
            let events = events("MESSAGE_QUEUE_BROKER", "broker.cpu.usage", values);
            let found = incidents("broker-cpu", &events, values.len() as i64);
            assert_eq!(found, expected, "{values:?}");
        };
        let (low, high, top) = (Some(10.0), Some(80.0), Some(90.0));
        let warning = |from, to| (Priority::Warning, from, to);
        check(&[low; 12], &[]);
        check(&[high; 4], &[]);
        check(&[high; 7], &[warning(5, None)]);
        check(&[[high; 5], [low; 5]].concat(), &[warning(5, Some(10))]);
        check(
            &[[high; 5], [low; 5], [high; 5]].concat(),
            &[warning(5, Some(10)), warning(15, None)],
        );
        // A gap starts the count again, as New Relic's threshold timer does.
        check(&[high, high, high, None, high, high, high], &[]);
        check(&[top; 5], &[warning(5, None), (Priority::Critical, 5, None)]);
        // What is exactly at the threshold is not above it.
        check(&[Some(70.0); 12], &[]);
        // It ends by itself after half an hour, and begins anew.
        check(&[high; 41], &[warning(5, Some(35)), warning(40, None)]);
    }

    #[test]
    fn below_is_the_other_side() {
        let values = [[Some(100.0); 2], [Some(79.0); 2], [Some(59.0); 2]].concat();
        let values = [values, vec![Some(59.0); 6]].concat();
        let events = events("MESSAGE_QUEUE_CLUSTER", "cluster.health.score", &values);
        let expected = [(Priority::Warning, 7, None), (Priority::Critical, 9, None)];
        assert_eq!(incidents("cluster-health", &events, 12), expected);
    }

    #[test]
    fn silence_begins_after_the_last_event_and_ends_with_the_next() {
        let values = [vec![Some(1.0); 3], vec![None; 5], vec![Some(1.0); 2]].concat();
        let events = events("MESSAGE_QUEUE_BROKER", "broker.cpu.usage", &values);
        assert_eq!(incidents("broker-silent", &events, 10), [(Priority::Critical, 6, Some(9))]);
        // Nobody misses what was never there.
        assert_eq!(incidents("cluster-silent", &events, 10), []);
    }

    #[test]
    fn what_is_stored_too_late_is_not_judged() {
        let mut late = events("MESSAGE_QUEUE_BROKER", "broker.cpu.usage", &[Some(99.0); 6]);
        let both = [(Priority::Warning, 5, None), (Priority::Critical, 5, None)];
        assert_eq!(incidents("broker-cpu", &late, 6), both);
        for event in &mut late {
            event.stored_at = BEGIN_MS + 60 * MINUTE_MS;
        }
        assert_eq!(incidents("broker-cpu", &late, 12), []);
    }
}
