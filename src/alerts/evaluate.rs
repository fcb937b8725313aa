//! What a condition would have said of a span of time, window by window.
//!
//! A window ends every `aggregation_window_seconds` and is judged `aggregation_delay_seconds`
//! later, by what was stored by then; [`Judge`] says what its values mean.

use std::collections::BTreeSet;

use serde::Serialize;

use super::condition::{Condition, Priority};
use super::judge::{Cause, Criteria, Judge, Violation};
use super::signal_query::{SignalQuery, readings};
use crate::domain::units::UnixMillis;
use crate::nrql::ast::Statement;
use crate::nrql::{NrqlError, QueryResult};

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

impl Incident {
    /// Of a violation whose signal is facetted by GUID and name.
    fn of(violation: &Violation) -> Self {
        let facet = |at: usize| violation.facets.get(at).cloned().unwrap_or_default();
        Self {
            entity_guid: facet(0),
            entity: facet(1),
            priority: violation.priority(),
            opened_at: violation.opened_at,
            closed_at: violation.closing.map(|closing| closing.at),
            cause: violation.closing.map(|closing| closing.cause),
            worst: violation.worst,
        }
    }
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

/// Judges every whole window from `from` to `until`; `ask` answers a query as it would be answered
/// at an instant, by what was stored then. Instants never go back.
///
/// # Errors
/// What `ask` says of the query.
pub fn evaluate(
    condition: &Condition,
    (from, until): (UnixMillis, UnixMillis),
    mut ask: impl FnMut(UnixMillis, &str, &Statement) -> Result<QueryResult, NrqlError>,
) -> Result<Evaluation, NrqlError> {
    let query = SignalQuery::read(&condition.query.nrql())?;
    let mut judge = Judge::new(Criteria::of(condition));
    let mut violations: Vec<Violation> = Vec::new();
    let mut entities = BTreeSet::new();
    let mut windows = 0;
    let width = i64::from(condition.signal.aggregation_window_seconds) * 1_000;
    let mut begin = UnixMillis(from.0.div_euclid(width) * width);
    while judge.criteria().judged_at(begin) <= until {
        let now = judge.criteria().judged_at(begin);
        let over = query.over(begin, judge.criteria().end(begin));
        let readings = readings(&ask(now, query.text(), &over)?);
        entities.extend(readings.iter().filter_map(|reading| reading.facets.first().cloned()));
        for changed in judge.window(&readings, begin, now).changed {
            put(&mut violations, changed);
        }
        windows += 1;
        begin = judge.criteria().next_window(begin);
    }
    judge.open().cloned().for_each(|open| put(&mut violations, open));
    let incidents = violations.iter().map(Incident::of).collect();
    Ok(Evaluation { windows, entities: entities.len(), incidents })
}

/// Keeps what is known last of a violation.
fn put(violations: &mut Vec<Violation>, known: Violation) {
    match violations.iter_mut().find(|old| old.number == known.number) {
        Some(old) => *old = known,
        None => violations.push(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::{AlertsFile, plan};
    use crate::domain::account::AccountId;
    use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
    use crate::nrql::{QueryContext, QueryLimits, run};

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
        let ask = |now: UnixMillis, text: &str, over: &Statement| {
            while let Some(event) = left.next_if(|event| event.stored_at <= now.0) {
                push(&mut store, event);
            }
            let (limits, accounts) = (QueryLimits::default(), [account()]);
            let context = QueryContext { store: &store, accounts: &accounts, now, limits };
            run(text, over, &context)
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
