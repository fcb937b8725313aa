//! Bodies of the three APIs that take data in, and outputs of integrations.

use std::sync::Arc;

use bytes::Bytes;

use crate::definitions::builtin;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::ApiKey;
use crate::sim::newrelic::{
    Account, AgentHost, DirectPost, Forwarder, NewRelic, NewRelicConfig, Target,
};
use crate::sim::seed::Seed;

const KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
/// More than any body of a corpus, less than a bomb.
const DECODED_BYTES_MAX: usize = 1_000_000;

/// A body: its first byte says for which API and whether it is packed.
///
/// # Panics
/// When something taken is neither stored nor accounted for.
pub fn ingest(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = Forwarder::new(AgentHost::default()).forward(text, NOW);
    }
    let (Ok(id), Ok(key)) = (AccountId::try_from(1), ApiKey::ingest(KEY)) else { return };
    let account = Account { id, name: "Fuzz".to_owned(), keys: vec![key] };
    let config = NewRelicConfig {
        decoded_bytes_max: DECODED_BYTES_MAX,
        store_bytes_max: 4 * DECODED_BYTES_MAX,
        ..NewRelicConfig::new(vec![account])
    };
    let newrelic = NewRelic::new(config, Seed(1), Arc::new(builtin()));
    let part = match first % 3 {
        0 => Target::Event,
        1 => Target::Metric,
        _ => Target::Infra,
    };
    let body = Bytes::copy_from_slice(body);
    let gzip = first % 2 == 1 && first & 0x80 != 0;
    let taken = newrelic.post(NOW, DirectPost { part, account: None, key: KEY, body, gzip });
    newrelic.advance(NOW.plus_millis(60_000));
    let counters = newrelic.counters();
    let rows = newrelic.integration_errors().len() as u64;
    let rejected = counters.events_rejected.values().chain(counters.points_rejected.values());
    let lost = counters.bodies_unreadable + rejected.sum::<u64>();
    assert!(taken.is_ok() || counters.events_stored + counters.points_stored + rows == 0);
    assert!(lost == 0 || rows > 0, "what is lost has a row");
    drop((newrelic.entities(), newrelic.event_counts()));
}
