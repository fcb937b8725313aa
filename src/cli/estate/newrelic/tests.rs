//! Asking in parts, against a New Relic that answers as many facets as it may.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::domain::entity::EntityKey;
use crate::domain::guid::EntityGuid;
use crate::domain::provider::Provider;
use crate::newrelic::{ApiKey, NerdGraphConfig};
use crate::ports::testing::{TestClock, TestPorts};
use crate::ports::{Http, HttpError, HttpLimits, HttpRequest, HttpResponse};

/// Few enough that 300 topics are asked for in parts of parts.
const FACETS: usize = 4;

/// Topics, and what was asked about them.
#[derive(Clone)]
struct Store {
    topics: Arc<Vec<(String, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Answers with this status from the n-th request on.
    fails: Option<(usize, u16)>,
}

impl Store {
    fn new(topics: usize) -> Self {
        let account = AccountId::try_from(1).expect("valid");
        let topic = |number: usize| {
            let (provider, cluster) = (Provider::Kafka, "c".to_owned());
            let key = EntityKey::Topic { provider, cluster, topic: format!("t{number}") };
            (EntityGuid::new(account, &key).wire(), key.name().to_owned())
        };
        let topics = Arc::new((0..topics).map(topic).collect());
        Self { topics, asked: Arc::default(), fails: None }
    }

    fn answer(&self, nrql: &str) -> Value {
        // `LIKE` does not tell capital letters.
        let suffix = nrql.split("LIKE '%").nth(1).and_then(|rest| rest.split('\'').next());
        let suffix = suffix.unwrap_or_default().to_lowercase();
        let found = self.topics.iter().filter(|(guid, _)| {
            nrql.contains("MESSAGE_QUEUE_TOPIC") && guid.to_lowercase().ends_with(&suffix)
        });
        let row = |(guid, name): &(String, String)| {
            json!({ "facet": guid, "entityGuid": guid, "seen": 1_700_000_000_000_u64,
                "entityType": "MESSAGE_QUEUE_TOPIC", "provider": "kafka", "clusterName": "c",
                "topicName": name, "brokerId": null, "kafka.partition.count": 3 })
        };
        let rows: Vec<Value> = found.take(FACETS).map(row).collect();
        json!({ "data": { "actor": { "account": { "nrql": { "results": rows,
            "metadata": { "timeWindow": { "begin": 1, "end": 1_700_000_001_000_u64 } } } } } } })
    }
}

impl Http for Store {
    async fn send(
        &self,
        request: HttpRequest,
        _limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let body: Value = serde_json::from_slice(request.body()).expect("JSON");
        let nrql = body["variables"]["nrql"].as_str().expect("a query").to_owned();
        let mut asked = self.asked.lock().expect("free");
        asked.push(nrql.clone());
        let failure = self.fails.filter(|(from, _)| asked.len() > *from);
        let mut response = HttpResponse::new(Bytes::from(self.answer(&nrql).to_string()));
        if let Some((_, status)) = failure {
            *response.status_mut() = status.try_into().expect("a status");
        }
        Ok(response)
    }
}

fn read(store: &Store) -> Result<Estate, SourceError> {
    let clock = TestClock::default();
    let uri = "http://newrelic:3000/graphql".parse().expect("uri");
    let config = NerdGraphConfig::new(uri, ApiKey::new("NRAK-TEST").expect("a key"));
    let nerdgraph = NerdGraph::new(TestPorts::new(&clock, store.clone()), config);
    let client = Client {
        nerdgraph: nerdgraph.expect("the usual settings are possible"),
        account: AccountId::try_from(1).expect("valid"),
        window_seconds: 3_600,
        facets_max: FACETS,
    };
    clock.run(client.read(Wanted::Entities))
}

#[test]
fn more_entities_than_a_query_gives_are_asked_for_in_parts() {
    for topics in [0, FACETS - 1, FACETS, 300] {
        let store = Store::new(topics);
        let estate = read(&store).expect("answers");
        let found: BTreeSet<&str> = estate.observed.iter().map(|seen| seen.key.name()).collect();
        assert_eq!(found.len(), topics);
        assert_eq!(estate.observed.len(), topics, "an entity was read twice");
        assert!(estate.observed.iter().all(|seen| seen.partitions == Some(3)));
        assert_eq!(estate.now, UnixNanos::from(UnixMillis(1_700_000_001_000)));
        let asked = store.asked.lock().expect("free");
        let distinct: BTreeSet<&String> = asked.iter().collect();
        assert_eq!(distinct.len(), asked.len(), "a query was asked twice");
        assert_eq!(asked.len() == EntityKind::ALL.len(), topics < FACETS, "{topics}");
        assert!(asked.iter().all(|query| query.contains("SINCE 3600 seconds ago LIMIT MAX")));
    }
}

#[test]
fn half_an_estate_is_none() {
    // In the midst of the parts; a refusal is not asked for again.
    let store = Store { fails: Some((20, 401)), ..Store::new(300) };
    let error = read(&store).expect_err("refused").to_string();
    assert!(error.contains("does not accept the user key"), "{error}");
    assert!(error.contains("help: set NEW_RELIC_API_KEY"), "{error}");
    assert_eq!(store.asked.lock().expect("free").len(), 21);
}

#[test]
fn guids_that_cannot_be_told_apart_are_an_error() {
    let mut store = Store::new(0);
    let same = (0..FACETS).map(|n| ("MXxJTkZSQQ".to_owned(), format!("t{n}")));
    store.topics = Arc::new(same.collect());
    let error = read(&store).expect_err("too many").to_string();
    assert!(error.contains("more than a query gives"), "{error}");
}
