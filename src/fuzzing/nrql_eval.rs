//! A query, run over a small store.

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
use crate::nrql::{MetricValue, QueryContext, QueryLimits, parse, run};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const EVENTS: u32 = 60;

/// Events with texts, numbers, holes, mixed kinds and metric values.
fn store(account: AccountId) -> EventStore {
    let mut store = EventStore::new(StoreConfig { bytes_max: 1 << 20 });
    for at in 0..EVENTS {
        let number = f64::from(at % 7) - 2.5;
        let text = ["a", "b", "é"][(at % 3) as usize];
        let mixed = if at % 2 == 0 { Cell::Number(number) } else { Cell::Text(text) };
        let mut cells = vec![("n", Cell::Number(number)), ("m", mixed), ("b", Cell::Bool(at > 9))];
        if at % 4 != 0 {
            cells.push(("h", Cell::Text(text)));
        }
        let event_type = if at % 5 == 0 { "Metric" } else { "E" };
        if event_type == "Metric" {
            cells.push(("metricName", Cell::Text("g")));
            let value =
                if at % 2 == 0 { MetricValue::gauge(number) } else { MetricValue::count(number) };
            cells.push(("g", Cell::Metric(value)));
        }
        let timestamp = NOW.plus_millis(-50_000 * i64::from(at));
        store.push(NewEvent {
            account,
            event_type,
            timestamp,
            stored_at: timestamp,
            request: 0,
            cells: &cells,
        });
    }
    store
}

/// A query; its answer is thrown away in all its forms.
pub fn nrql_eval(data: &[u8]) {
    let (Ok(text), Ok(account)) = (std::str::from_utf8(data), AccountId::try_from(1)) else {
        return;
    };
    let Ok(statement) = parse(text) else { return };
    let limits = QueryLimits {
        rows_max: 200_000,
        groups_max: 1_000,
        bytes_max: 16 << 20,
        ..QueryLimits::default()
    };
    let store = store(account);
    let context = QueryContext { store: &store, accounts: &[account], now: NOW, limits };
    if let Ok(result) = run(text, &statement, &context) {
        drop((result.to_json(), result.raw_response()));
    }
}
