//! The store against a plain list of events.

use proptest::prelude::*;

use super::*;
use crate::nrql::value::Value;

fn account(number: u64) -> AccountId {
    AccountId::try_from(number).expect("valid")
}

fn store(bytes_max: usize) -> EventStore {
    EventStore::new(StoreConfig { bytes_max })
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
    let mut store = store(1 << 20);
    push(&mut store, "A", 30, &[("n", Cell::Number(1.5)), ("s", Cell::Text("123"))]);
    push(&mut store, "A", 10, &[("n", Cell::Text("1.5"))]);
    push(&mut store, "A", 10, &[("n", Cell::Integer(i64::MAX))]);
    push(&mut store, "A", 20, &[("n", Cell::Integer(7)), ("b", Cell::Bool(true))]);
    push(&mut store, "B", 5, &[]);
    assert_eq!(
        read(&store, "A"),
        [
            (10, r#"n=Text("1.5")"#.to_owned()),
            (10, format!("n=Integer({})", i64::MAX)),
            (20, "n=Number(7.0) b=Bool(true)".to_owned()),
            (30, r#"n=Number(1.5) s=Text("123")"#.to_owned()),
        ]
    );
    assert_eq!(read(&store, "B"), [(5, String::new())]);
    assert_eq!(read(&store, "C"), []);
    let rows = store.rows(Some(account(1)), "A");
    assert_eq!(rows[3].get("n").and_then(|v| v.as_f64()), Some(1.5));
    assert_eq!(rows[3].get("absent"), None);
    assert_eq!(rows[3].at(1), Value::text("123"));
    assert_eq!(rows[3].at(2), Value::Null);
    assert_ne!(rows[0].form(), rows[1].form());
    assert_eq!((rows[0].stored_at(), rows[0].request()), (UnixMillis(15), 7));
    assert!(store.rows(Some(account(2)), "A").is_empty());
    assert_eq!(store.counts()[&(account(1), "A".to_owned())], 4);
    let kinds = store.attributes(account(1), "A");
    let n = kinds["n"].iter().copied().collect::<Vec<_>>();
    assert_eq!(n, [Kind::Number, Kind::Integer, Kind::Text]);
    assert_eq!(kinds.len(), 3);
    assert!(store.attributes(account(2), "A").is_empty());
}

#[test]
fn of_repeated_names_the_last_counts() {
    let mut store = store(1 << 20);
    let cells = [("a", Cell::Number(1.0)), ("b", Cell::Text("x")), ("a", Cell::Text("y"))];
    push(&mut store, "A", 1, &cells);
    assert_eq!(read(&store, "A"), [(1, r#"a=Text("y") b=Text("x")"#.to_owned())]);
}

#[test]
fn event_types_are_known_by_window() {
    let mut store = store(1 << 20);
    push(&mut store, "B", 30, &[]);
    push(&mut store, "A", 10, &[]);
    let types = |from, until| {
        store.event_types(&[account(1)], UnixMillis(from), UnixMillis(until)).join(" ")
    };
    assert_eq!(types(0, 100), "A B");
    assert_eq!(types(10, 30), "A");
    assert_eq!(types(11, 31), "B");
    assert_eq!(store.event_types(&[account(2)], UnixMillis(0), UnixMillis(100)), [""; 0]);
    assert!(store.has_room(account(1), "A", 2) && !store.has_room(account(1), "C", 2));
    assert!(store.has_room(account(2), "C", 2));
}

#[test]
fn one_millisecond_out_of_order_is_out_of_order() {
    let mut store = store(1 << 20);
    push(&mut store, "A", 10, &[]);
    push(&mut store, "A", 9, &[]);
    let times = |store: &EventStore, from, until| {
        let batches = store.scan(&[account(1)], &["A"], UnixMillis(from), UnixMillis(until));
        batches.flat_map(|batch| batch.timestamps().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(times(&store, 0, 100), [9, 10]);
    assert_eq!(times(&store, 9, 10), [9]);
    assert_eq!(times(&store, 10, 11), [10]);
    store.expire(UnixMillis(10));
    assert_eq!(times(&store, 0, 100), [10]);
}

#[test]
fn memory_is_capped_and_losses_are_counted() {
    let mut store = store(400_000);
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
fn retention_drops_old_events_and_their_texts() {
    let mut store = store(1 << 24);
    for n in 0..3_000 {
        let unique = format!("{n}");
        push(&mut store, "A", n, &[("text", Cell::Text(&unique))]);
    }
    let before = store.bytes();
    store.expire(UnixMillis(2_047));
    assert_eq!(store.evicted()[&Eviction::Retention], 2_047);
    assert_eq!(read(&store, "A").len(), 953);
    assert!(store.bytes() < before / 2, "{} of {before} bytes", store.bytes());
    store.expire(UnixMillis(10_000));
    assert_eq!(read(&store, "A"), []);
    assert!(store.bytes() < before / 100, "{} of {before} bytes", store.bytes());
    assert!(store.counts().is_empty());
}

#[test]
fn forms_that_never_repeat_do_not_fill_memory() {
    let mut store = store(100_000);
    for n in 0..5_000 {
        let name = format!("attribute{n}");
        push(&mut store, "A", n, &[(&name, Cell::Number(1.0))]);
        assert!(store.bytes() <= 100_000, "{} bytes", store.bytes());
    }
    let kept = store.rows(None, "A").len() as u64;
    assert!(kept > 0);
    assert_eq!(kept + store.evicted()[&Eviction::Memory], 5_000);
    store.expire(UnixMillis(10_000));
    push(&mut store, "A", 10_001, &[("of another form", Cell::Number(1.0))]);
    assert_eq!(read(&store, "A").len(), 1, "forms that nothing has any more give room");
}

/// 32,768 rows of which few have an attribute must not cost 32,768 values of it.
#[test]
fn rare_attributes_cost_what_they_hold() {
    let fill = |with_rare: bool| {
        let mut store = store(1 << 30);
        for n in 0..40_000i64 {
            let name = format!("rare{}", n / 50 % 500);
            let cells = [("n", Cell::Number(1.0)), (name.as_str(), Cell::Number(2.0))];
            let count = if with_rare && n % 50 == 0 { 2 } else { 1 };
            push(&mut store, "A", n, &cells[..count]);
        }
        store.bytes()
    };
    let (with, without) = (fill(true), fill(false));
    assert!(with < without + 500_000, "{with} bytes with rare attributes, {without} without");
}

#[test]
fn sealed_segments_are_tight() {
    let mut store = store(1 << 30);
    let texts: Vec<String> = (0..100).map(|n| format!("host-{n}.example.net")).collect();
    let events = 65_536;
    for n in 0..events {
        let host = texts[n as usize % 100].as_str();
        let cells = [("host", Cell::Text(host)), ("n", Cell::Number(f64::from(n)))];
        push(&mut store, "A", n.into(), &cells);
    }
    let per_event = store.bytes() / events as usize;
    // Timestamp and number 8 bytes each, a code 1, when it was stored 4.
    assert!(per_event <= 22, "{per_event} bytes per event");
}

/// More texts than a byte can tell apart, and none twice; what only finding them took is given
/// back.
#[test]
fn many_texts_come_back_from_sealed_segments() {
    for distinct in [256, 257, 32_768] {
        let mut store = store(1 << 30);
        let text = |n: i64| format!("text {:04}", n % distinct);
        for n in 0..32_768 {
            push(&mut store, "A", n, &[("text", Cell::Text(&text(n)))]);
        }
        let rows = store.rows(None, "A");
        for (n, row) in rows.iter().enumerate() {
            assert_eq!(row.get("text"), Some(Value::text(&text(n as i64))), "of {distinct}");
        }
        let per_event = store.bytes() / 32_768;
        assert!(per_event <= 65, "{per_event} bytes per event with {distinct} texts");
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const TYPES: [&str; 2] = ["A", "B"];

#[derive(Debug, Clone)]
enum Step {
    Push { account: u64, event_type: usize, timestamp: i64, cells: Vec<(usize, u8)>, times: usize },
    Expire(i64),
    Scan(i64, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cells = prop::collection::vec((0usize..6, 0u8..10), 0..5);
    let push = (1u64..3, 0usize..2, 0i64..1_000, cells, 1usize..60);
    let push = push.prop_map(|(account, event_type, timestamp, cells, times)| Step::Push {
        account,
        event_type,
        timestamp,
        cells,
        times,
    });
    let step = prop_oneof![
        12 => push,
        1 => (0i64..900).prop_map(Step::Expire),
        2 => (0i64..1_000, 0i64..400).prop_map(|(from, width)| Step::Scan(from, from + width)),
    ];
    prop::collection::vec(step, 1..60)
}

fn value(kind: u8) -> (Cell<'static>, Value) {
    let metric = MetricValue::summary(2.0, 3.0, 1.0, 2.0);
    match kind {
        0 => (Cell::Text("x"), Value::text("x")),
        1 => (Cell::Text("y"), Value::text("y")),
        2 => (Cell::Integer(i64::MIN), Value::Integer(i64::MIN)),
        3 => (Cell::Bool(false), Value::Bool(false)),
        4 => (Cell::Metric(metric), Value::Metric(Arc::new(metric))),
        5 => (Cell::Integer(1 << 53), Value::Number(9_007_199_254_740_992.0)),
        n => (Cell::Number(f64::from(n)), Value::Number(f64::from(n))),
    }
}

/// An event as the model has it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    timestamp: i64,
    arrival: u64,
    account: AccountId,
    event_type: &'static str,
    values: BTreeMap<String, Value>,
}

#[derive(Debug, Default)]
struct Model {
    events: Vec<Known>,
    pushed: u64,
    expired: u64,
}

impl Model {
    /// What the memory cap took is, within each table, what came first.
    fn forget_evicted(&mut self, store: &EventStore) {
        let mut first: BTreeMap<(AccountId, &str), u64> = BTreeMap::new();
        for (account, event_type) in [1, 2]
            .map(account)
            .into_iter()
            .flat_map(|account| TYPES.map(|event_type| (account, event_type)))
        {
            let rows = store.rows(Some(account), event_type);
            let least = rows.iter().map(EventRow::arrival).min().unwrap_or(u64::MAX);
            first.insert((account, event_type), least);
        }
        self.events.retain(|event| event.arrival >= first[&(event.account, event.event_type)]);
        self.events.sort_by_key(|event| (event.timestamp, event.arrival));
    }

    fn check(&mut self, store: &EventStore, bytes_max: usize) {
        assert!(store.bytes() <= bytes_max, "{} of {bytes_max} bytes", store.bytes());
        let evicted = |why| store.evicted().get(&why).copied().unwrap_or(0);
        let stored: u64 = store.counts().values().sum();
        assert_eq!(evicted(Eviction::Memory) + evicted(Eviction::Retention) + stored, self.pushed);
        if evicted(Eviction::Memory) == 0 {
            assert_eq!(evicted(Eviction::Retention), self.expired);
        }
        self.forget_evicted(store);
        for event_type in TYPES {
            let rows = store.rows(None, event_type);
            let own: Vec<Known> = rows.iter().map(|row| known(row, event_type)).collect();
            let expected = self.events.iter().filter(|event| event.event_type == event_type);
            assert_eq!(own, expected.cloned().collect::<Vec<_>>());
        }
    }

    /// All that a window holds, each batch in order.
    fn check_scan(&mut self, store: &EventStore, from: i64, until: i64) {
        self.forget_evicted(store);
        let accounts = [account(1), account(2)];
        let mut found = Vec::new();
        let mut started = i64::MIN;
        for batch in store.scan(&accounts, &TYPES, UnixMillis(from), UnixMillis(until)) {
            assert!(!batch.is_empty() && started <= batch.timestamps()[0], "batches by time");
            started = batch.timestamps()[0];
            let columns: Vec<_> = batch
                .names()
                .into_iter()
                .map(|name| {
                    let column = batch
                        .column(&name)
                        .unwrap_or(crate::nrql::eval::column::Column::null(batch.len()));
                    assert_eq!(column.len(), batch.len());
                    (name, column)
                })
                .collect();
            let before = found.len();
            for (row, timestamp) in batch.timestamps().iter().enumerate() {
                let values = columns.iter().map(|(name, own)| (name.to_string(), own.value(row)));
                found.push(Known {
                    timestamp: *timestamp,
                    arrival: batch.arrival(row),
                    account: batch.account().expect("stored"),
                    event_type: TYPES[usize::from(batch.event_type() == "B")],
                    values: values.filter(|(_, value)| !value.is_null()).collect(),
                });
            }
            assert!(found[before..].is_sorted_by_key(|event| (event.timestamp, event.arrival)));
        }
        found.sort_by_key(|event| (event.timestamp, event.arrival));
        let within = self.events.iter().filter(|event| (from..until).contains(&event.timestamp));
        assert_eq!(found, within.cloned().collect::<Vec<_>>());
    }
}

fn known(row: &EventRow<'_>, event_type: &'static str) -> Known {
    let values: BTreeMap<String, Value> =
        row.attributes().map(|(name, value)| (name.to_string(), value)).collect();
    for (name, value) in &values {
        assert_eq!(row.get(name).as_ref(), Some(value));
    }
    Known {
        timestamp: row.timestamp().0,
        arrival: row.arrival(),
        account: row.account(),
        event_type,
        values,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_store_is_a_list_of_events(
        steps in steps(),
        bytes_max in prop::sample::select(vec![20_000usize, 60_000, 400_000, 1 << 26]),
    ) {
        let mut store = store(bytes_max);
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Push { account: number, event_type, timestamp, cells, times } => {
                    for time in 0..*times {
                        let timestamp = timestamp + time as i64;
                        let rare = format!("rare{}", time % 7);
                        let cell = |(name, kind): &(usize, u8)| (NAMES[*name], value(*kind).0);
                        let mut own: Vec<(&str, Cell<'_>)> = cells.iter().map(cell).collect();
                        let mut values: BTreeMap<String, Value> = cells
                            .iter()
                            .map(|(name, kind)| (NAMES[*name].to_owned(), value(*kind).1))
                            .collect();
                        if time % 11 == 3 {
                            own.push((&rare, Cell::Text(&rare)));
                            values.insert(rare.clone(), Value::text(&rare));
                        }
                        store.push(NewEvent {
                            account: account(*number),
                            event_type: TYPES[*event_type],
                            timestamp: UnixMillis(timestamp),
                            stored_at: UnixMillis(timestamp),
                            request: 1,
                            cells: &own,
                        });
                        model.events.push(Known {
                            timestamp,
                            arrival: model.pushed,
                            account: account(*number),
                            event_type: TYPES[*event_type],
                            values,
                        });
                        model.pushed += 1;
                    }
                }
                Step::Expire(oldest) => {
                    model.forget_evicted(&store);
                    let before = model.events.len();
                    model.events.retain(|event| event.timestamp >= *oldest);
                    model.expired += (before - model.events.len()) as u64;
                    store.expire(UnixMillis(*oldest));
                }
                Step::Scan(from, until) => model.check_scan(&store, *from, *until),
            }
        }
        model.check_scan(&store, 0, 2_000);
        model.check(&store, bytes_max);
    }
}
