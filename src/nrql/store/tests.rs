//! The store against a plain list of events.

use proptest::prelude::*;

use super::*;
use crate::nrql::Value;

fn account(number: u64) -> AccountId {
    AccountId::try_from(number).expect("valid")
}

fn push(store: &mut EventStore, event_type: &str, timestamp: i64, cells: &[(&str, Cell<'_>)]) {
    store.push(NewEvent {
        account: account(1),
        event_type,
        timestamp: UnixMillis(timestamp),
        stored_at: UnixMillis(timestamp + 5),
        request: 7,
        cells,
    });
}

fn read(store: &EventStore, event_type: &str) -> Vec<(i64, String)> {
    let rows = store.rows(None, event_type);
    rows.iter()
        .map(|row| {
            let texts: Vec<_> = row.attributes().map(|(n, v)| format!("{n}={v:?}")).collect();
            (row.timestamp().0, texts.join(" "))
        })
        .collect()
}

#[test]
fn kinds_and_order_are_kept() {
    let mut store = EventStore::new(StoreConfig { bytes_max: 1 << 20 });
    push(&mut store, "A", 30, &[("n", Cell::Number(1.5)), ("s", Cell::Text("123"))]);
    push(&mut store, "A", 10, &[("n", Cell::Text("1.5"))]);
    push(&mut store, "A", 10, &[("n", Cell::Integer(i64::MAX))]);
    push(&mut store, "B", 5, &[]);
    assert_eq!(
        read(&store, "A"),
        [
            (10, r#"n=Text("1.5")"#.to_owned()),
            (10, format!("n=Integer({})", i64::MAX)),
            (30, r#"n=Number(1.5) s=Text("123")"#.to_owned()),
        ]
    );
    assert_eq!(read(&store, "B"), [(5, String::new())]);
    assert_eq!(read(&store, "C"), []);
    let rows = store.rows(Some(account(1)), "A");
    assert_eq!(rows[2].get("n").and_then(|v| v.as_f64()), Some(1.5));
    assert_eq!(rows[2].get("absent"), None);
    assert_eq!((rows[0].stored_at(), rows[0].request()), (UnixMillis(15), 7));
    assert!(store.rows(Some(account(2)), "A").is_empty());
    assert_eq!(store.counts()[&(account(1), "A".to_owned())], 3);
}

#[test]
fn of_repeated_names_the_last_counts() {
    let mut store = EventStore::new(StoreConfig { bytes_max: 1 << 20 });
    let cells = [("a", Cell::Number(1.0)), ("b", Cell::Text("x")), ("a", Cell::Text("y"))];
    push(&mut store, "A", 1, &cells);
    assert_eq!(read(&store, "A"), [(1, r#"a=Text("y") b=Text("x")"#.to_owned())]);
}

#[test]
fn memory_is_capped_and_losses_are_counted() {
    let mut store = EventStore::new(StoreConfig { bytes_max: 400_000 });
    let events = 20_000u64;
    for n in 0..events {
        let unique = format!("event number {n}");
        let cells = [("text", Cell::Text(&unique)), ("n", Cell::Number(1.0))];
        push(&mut store, "A", i64::try_from(n).expect("small"), &cells);
        assert!(store.bytes() <= 400_000, "{} bytes after {n}", store.bytes());
    }
    let kept = store.rows(None, "A");
    assert_eq!(kept.len() as u64 + store.evicted()[&Eviction::Memory], events);
    assert!(kept.len() > 1_000, "{} kept", kept.len());
    assert_eq!(kept.last().map(|row| row.timestamp().0), Some(19_999), "the newest stay");
}

#[test]
fn retention_drops_old_chunks_and_their_texts() {
    let mut store = EventStore::new(StoreConfig { bytes_max: 1 << 24 });
    for n in 0..3_000 {
        let unique = format!("{n}");
        push(&mut store, "A", n, &[("text", Cell::Text(&unique))]);
    }
    let before = store.bytes();
    store.expire(UnixMillis(2_048));
    assert_eq!(store.evicted()[&Eviction::Retention], 2_048);
    assert_eq!(read(&store, "A").len(), 952);
    store.expire(UnixMillis(10_000));
    assert_eq!(read(&store, "A"), []);
    assert!(store.bytes() < before / 100, "{} of {before} bytes", store.bytes());
}

#[test]
fn shapes_that_never_repeat_do_not_fill_memory() {
    let mut store = EventStore::new(StoreConfig { bytes_max: 100_000 });
    for n in 0..5_000 {
        let name = format!("attribute{n}");
        push(&mut store, "A", n, &[(&name, Cell::Number(1.0))]);
    }
    assert!(store.bytes() <= 100_000, "{} bytes", store.bytes());
    let kept = store.rows(None, "A").len() as u64;
    assert!(kept > 0);
    assert_eq!(kept + store.evicted()[&Eviction::Memory], 5_000);
}

/// A timestamp, and attributes as (name, value) to look up.
type Plan = (i64, Vec<(usize, u8)>);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let attributes = prop::collection::vec((0usize..4, 0u8..6), 0..4);
    prop::collection::vec((0i64..50, attributes), 0..2_500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reading_gives_what_was_written(
        events in plans(),
    ) {
        let names = ["a", "b", "c", "d"];
        let texts = ["x", "y"];
        let mut store = EventStore::new(StoreConfig { bytes_max: 1 << 26 });
        let mut model: Vec<(i64, usize, BTreeMap<&str, Value>)> = Vec::new();
        for (order, (timestamp, attributes)) in events.iter().enumerate() {
            let mut cells = Vec::new();
            let mut expected = BTreeMap::new();
            for (name, value) in attributes {
                let (cell, value) = match *value {
                    n @ 0..2 => {
                        let text = texts[usize::from(n)];
                        (Cell::Text(text), Value::Text(text.into()))
                    }
                    2 => (Cell::Integer(i64::MIN), Value::Integer(i64::MIN)),
                    n => (Cell::Number(f64::from(n)), Value::Number(f64::from(n))),
                };
                cells.push((names[*name], cell));
                expected.insert(names[*name], value);
            }
            push(&mut store, "A", *timestamp, &cells);
            model.push((*timestamp, order, expected));
        }
        model.sort_by_key(|(timestamp, order, _)| (*timestamp, *order));
        let rows = store.rows(None, "A");
        prop_assert_eq!(rows.len(), model.len());
        for (row, (timestamp, _, expected)) in rows.iter().zip(&model) {
            prop_assert_eq!(row.timestamp().0, *timestamp);
            let got: BTreeMap<&str, Value> =
                row.attributes().map(|(name, value)| (&**name, value)).collect();
            prop_assert_eq!(&got, expected);
        }
    }
}
