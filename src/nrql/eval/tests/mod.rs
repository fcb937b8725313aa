//! What queries answer, word for word.

mod answers;
mod property;

use serde_json::Value as Json;

use super::{QueryContext, QueryLimits, run};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
use crate::nrql::{MetricKind, MetricValue, QueryResult, parse};

/// 2023-12-18T12:00:00Z.
pub(super) const NOW: i64 = 1_702_900_800_000;

/// An account.
pub(super) fn account(number: u64) -> AccountId {
    AccountId::try_from(number).expect("an account")
}

/// A store of events as JSON objects; `ago` is their age in seconds, `account` 1 unless given.
pub(super) fn store(events: &[Json]) -> EventStore {
    let mut store = EventStore::new(StoreConfig { bytes_max: 64 << 20 });
    for event in events {
        let members = event.as_object().expect("an object");
        let cells: Vec<(&str, Cell<'_>)> = members
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "eventType" | "ago" | "account"))
            .filter_map(|(name, value)| Some((name.as_str(), cell(value)?)))
            .collect();
        let ago = event["ago"].as_f64().unwrap_or(60.0);
        let timestamp = UnixMillis(NOW - (ago * 1_000.0) as i64);
        store.push(NewEvent {
            account: account(event["account"].as_u64().unwrap_or(1)),
            event_type: event["eventType"].as_str().unwrap_or("E"),
            timestamp,
            stored_at: timestamp,
            request: 1,
            cells: &cells,
        });
    }
    store
}

fn cell(value: &Json) -> Option<Cell<'_>> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => Cell::Bool(*value),
        Json::String(text) => Cell::Text(text),
        Json::Number(number) => Cell::Number(number.as_f64().expect("a number")),
        Json::Object(_) => Cell::Metric(metric(value)),
        Json::Array(_) => panic!("no lists in events"),
    })
}

fn metric(value: &Json) -> MetricValue {
    let part = |name: &str| value[name].as_f64().unwrap_or_default();
    MetricValue {
        kind: match value["type"].as_str() {
            Some("count") => MetricKind::Count,
            Some("summary") => MetricKind::Summary,
            _ => MetricKind::Gauge,
        },
        count: part("count"),
        sum: part("sum"),
        min: part("min"),
        max: part("max"),
        latest: part("latest"),
    }
}

/// The answer to `text`, or the message of its error.
pub(super) fn ask(store: &EventStore, text: &str) -> Result<QueryResult, String> {
    let statement = parse(text).map_err(|error| error.message)?;
    let context = QueryContext {
        store,
        accounts: &[account(1)],
        now: UnixMillis(NOW),
        limits: QueryLimits::default(),
    };
    run(text, &statement, &context).map_err(|error| error.message)
}

/// Requires that `text` has these results.
#[track_caller]
pub(super) fn check(store: &EventStore, text: &str, expected: Json) {
    let results = ask(store, text).map(|result| result.to_json()["results"].clone());
    assert_eq!(results, Ok(expected), "{text}");
}

/// Requires that `text` is refused with a message that holds `expected`.
#[track_caller]
pub(super) fn refused(store: &EventStore, text: &str, expected: &str) {
    let message = ask(store, text).expect_err(text);
    assert!(message.contains(expected), "{text}: {message}");
}
