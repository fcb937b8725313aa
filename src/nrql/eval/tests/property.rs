//! The engine and the naive reference agree on random events and random queries.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::reference::{self, Event};
use super::{NOW, account, ask};
use crate::domain::units::UnixMillis;
use crate::nrql::ast::Statement;
use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
use crate::nrql::{Value, parse};

fn cell() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => (-12..40_i32).prop_map(|quarters| Value::Number(f64::from(quarters) / 4.0)),
        1 => prop::sample::select(vec!["x", "Xy", "z"]).prop_map(Value::text),
        1 => any::<bool>().prop_map(Value::Bool),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let text = prop::sample::select(vec!["a", "b", "c", "ab"]).prop_map(Value::text);
    let number = (-8..40_i32).prop_map(|quarters| Value::Number(f64::from(quarters) / 4.0));
    let small = (0..3_i32).prop_map(|whole| Value::Number(f64::from(whole)));
    (
        1..200_i64,
        prop::option::weighted(0.9, text),
        prop::option::weighted(0.8, number),
        prop::option::weighted(0.8, cell()),
        prop::option::weighted(0.95, small),
    )
        .prop_map(|(ago, h, n, m, k)| {
            let attributes = [("h", h), ("n", n), ("m", m), ("k", k)];
            let attributes = attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect();
            // Every third of a minute: many events share an instant.
            Event { time: NOW - ago * 20_000, attributes }
        })
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "n > 2",
        "n <= 1.5",
        "k = 1",
        "k != 1",
        "h = 'a'",
        "h != 'a'",
        "m = 'x'",
        "m != 2",
        "m IS NULL",
        "m IS NOT NULL",
        "h IN ('a', 'c')",
        "h NOT IN ('a', 'c')",
        "n + k < 4",
        "n * 2 >= k",
        "h LIKE '%a%'",
        "h NOT LIKE '%B%'",
        "m LIKE '%x%'",
        "n - k = 1",
        "m > 1",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

fn aggregate() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        "count(*)",
        "count(n)",
        "count(m)",
        "sum(n)",
        "sum(m)",
        "average(n)",
        "average(m)",
        "min(n)",
        "max(n)",
        "max(m)",
        "latest(m)",
        "latest(h)",
        "earliest(n)",
        "uniqueCount(h)",
        "uniqueCount(m)",
        "uniques(h)",
        "uniques(m)",
        "stddev(n)",
        "histogram(n, 8, 4)",
        "sum(n) / count(*)",
        "sum(n) - 2 * sum(k)",
        "rate(count(*), 1 minute)",
        "rate(sum(n), 30 seconds)",
        "average(n + k)",
        "max(n * 2)",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        6 => plain,
        1 => condition().prop_map(|c| format!("filter(count(*), WHERE {c})")),
        1 => condition().prop_map(|c| format!("filter(average(n), WHERE {c})")),
        1 => condition().prop_map(|c| format!("percentage(count(*), WHERE {c})")),
        1 => condition().prop_map(|c| format!("percentage(sum(k), WHERE {c})")),
    ]
}

fn items() -> impl Strategy<Value = String> {
    prop::collection::vec(aggregate(), 1..4).prop_map(|items| {
        let named = items.iter().enumerate().map(|(at, item)| format!("{item} AS a{at}"));
        named.collect::<Vec<_>>().join(", ")
    })
}

fn facet() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        4 => prop::sample::select(vec!["h", "m", "k", "n", "h, k", "m, h, k", "n + k AS s", "h AS g"])
            .prop_map(|by| format!(" FACET {by}")),
        1 => (condition(), condition(), prop::sample::select(vec!["", ", OR 'rest'"])).prop_map(
            |(a, b, other)| format!(" FACET CASES (WHERE {a} AS 'one', WHERE {b} AS 'two'{other})")
        ),
    ]
}

fn series() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        2 => (1..9_u32).prop_map(|minutes| format!(" TIMESERIES {minutes} minutes")),
        1 => (2..9_u32, 1..4_u32).prop_map(|(minutes, slide)| {
            format!(" TIMESERIES {minutes} minutes SLIDE BY {} minutes", slide.min(minutes))
        }),
    ]
}

fn limit() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        1 => Just(" LIMIT MAX".to_owned()),
        2 => (1..5_u32).prop_map(|rows| format!(" LIMIT {rows}")),
        1 => (1..4_u32, 1..3_u32).prop_map(|(rows, skip)| format!(" LIMIT {rows} OFFSET {skip}")),
    ]
}

fn window() -> impl Strategy<Value = String> {
    (10..70_u32, 0..9_u32).prop_map(|(since, until)| {
        let until = if until == 0 { String::new() } else { format!(" UNTIL {until} minutes ago") };
        format!(" SINCE {since} minutes ago{until}")
    })
}

/// An aggregating query without its window.
fn body() -> impl Strategy<Value = String> {
    let filter = prop::option::of(condition())
        .prop_map(|filter| filter.map_or(String::new(), |filter| format!(" WHERE {filter}")));
    let order = prop::sample::select(vec![
        "",
        "",
        " ORDER BY a0",
        " ORDER BY max(n)",
        " ORDER BY sum(k) ASC",
    ]);
    (items(), filter, facet(), order, series(), limit()).prop_map(
        |(items, filter, facet, order, series, limit)| {
            let (order, limit) =
                if facet.is_empty() { ("", String::new()) } else { (order, limit) };
            format!("SELECT {items} FROM E{filter}{facet}{order}{series}{limit}")
        },
    )
}

fn nested() -> impl Strategy<Value = String> {
    let outer = prop::sample::select(vec![
        "count(*) AS b0, sum(a0) AS b1",
        "average(a0) AS b0, max(a0) AS b1",
        "latest(a0) AS b0",
        "sum(a0) AS b0, uniqueCount(a0) AS b1",
    ]);
    let by = prop::sample::select(vec!["", " FACET h", " FACET k", " TIMESERIES 10 minutes"]);
    (outer, body(), by).prop_map(|(outer, body, by)| format!("SELECT {outer} FROM ({body}){by}"))
}

fn raw() -> impl Strategy<Value = String> {
    let items = prop::sample::select(vec!["n, h", "m", "n + k AS s", "timestamp, h"]);
    let order = prop::sample::select(vec!["", " ORDER BY n", " ORDER BY h DESC", " ORDER BY m"]);
    let filter = prop::option::of(condition())
        .prop_map(|filter| filter.map_or(String::new(), |filter| format!(" WHERE {filter}")));
    (items, filter, order, limit()).prop_map(|(items, filter, order, limit)| {
        format!("SELECT {items} FROM E{filter}{order}{limit}")
    })
}

fn query() -> impl Strategy<Value = String> {
    let compared = (body(), 1..30_u32)
        .prop_map(|(body, back)| format!("{body} COMPARE WITH {back} minutes ago"));
    (prop_oneof![4 => body(), 2 => compared, 2 => nested(), 1 => raw()], window())
        .prop_map(|(body, window)| format!("{body}{window}"))
}

fn stored(events: &[Event]) -> EventStore {
    let mut store = EventStore::new(StoreConfig { bytes_max: 64 << 20 });
    for event in events {
        let cell = |value: &Value| match value {
            Value::Number(number) => Cell::Number(*number),
            Value::Bool(truth) => Cell::Bool(*truth),
            _ => Cell::Number(0.0),
        };
        let cells: Vec<(&str, Cell<'_>)> = event
            .attributes
            .iter()
            .map(|(name, value)| match value {
                Value::Text(text) => (name.as_str(), Cell::Text(text)),
                other => (name.as_str(), cell(other)),
            })
            .collect();
        let timestamp = UnixMillis(event.time);
        store.push(NewEvent {
            account: account(1),
            event_type: "E",
            timestamp,
            stored_at: timestamp,
            request: 1,
            cells: &cells,
        });
    }
    store
}

/// Whether two answers are the same up to rounding.
fn alike(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| alike(a, b))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, a)| other.get(key).is_some_and(|b| alike(a, b)))
        }
        (one, other) => one == other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn engine_and_reference_agree(
        events in prop::collection::vec(event(), 0..60),
        text in query(),
    ) {
        let Ok(Statement::Select(query)) = parse(&text) else {
            return Err(TestCaseError::fail(format!("{text}: {:?}", parse(&text))));
        };
        let expected = reference::answer(&query, &events, NOW);
        let answer = ask(&stored(&events), &text).map_err(TestCaseError::fail)?.to_json();
        let found = (&answer["results"], &answer["totalResult"], &answer["otherResult"]);
        let results = Json::Array(expected.results);
        prop_assert!(
            alike(found.0, &results),
            "{}\nengine    {}\nreference {}", text, found.0, results
        );
        prop_assert!(
            alike(found.1, &expected.total) && alike(found.2, &expected.other),
            "{}\nengine    {} {}\nreference {} {}",
            text, found.1, found.2, expected.total, expected.other
        );
    }
}
