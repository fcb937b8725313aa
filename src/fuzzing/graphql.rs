//! Requests to NerdGraph.

use std::sync::{Arc, LazyLock};

use crate::definitions::{Definitions, builtin};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::ApiKey;
use crate::sim::newrelic::{Account, NewRelic, NewRelicConfig};
use crate::sim::seed::Seed;

const KEY: &str = "NRAK-ABCDEFGHIJKLMNOPQRSTUVWXYZ0";
static DEFINITIONS: LazyLock<Arc<Definitions>> = LazyLock::new(|| Arc::new(builtin()));

/// A body as it is sent; what does not begin as JSON is taken for its document.
///
/// # Panics
/// When an answer is neither data nor errors, or another one than the same request gave before.
pub fn graphql(data: &[u8]) {
    let (Ok(id), Ok(key)) = (AccountId::try_from(1), ApiKey::new(KEY)) else { return };
    let service = || {
        let account = Account { id, name: "Shop".to_owned(), keys: vec![key.clone()] };
        let config = NewRelicConfig::new(vec![account]);
        NewRelic::new(config, Seed(1), Arc::clone(&DEFINITIONS))
    };
    let body = if data.first() == Some(&b'{') && data.get(1) == Some(&b'"') {
        data.to_vec()
    } else {
        let document = String::from_utf8_lossy(data);
        serde_json::json!({"query": document, "variables": {"account": 1}}).to_string().into_bytes()
    };
    let now = UnixMillis(1_700_000_000_000);
    let ask = || service().graphql(now, Some(KEY), &body);
    let answer = ask();
    assert!(answer.body.get("data").is_some() || answer.body.get("errors").is_some());
    assert!(answer == ask(), "the same request at the same time has one answer");
}
