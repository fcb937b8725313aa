//! Somebody who asks New Relic, over the network, what it holds: the last host of every run.
//!
//! It uses what any user has: a user key, NerdGraph, NRQL. What it was told is part of the record,
//! and a check compares it with what the run really stored.
//!
//! Invariants:
//! - It asks shortly before the end, when all faults are over, and changes nothing.
//! - Its windows of time end before it asks, and are whole minutes, so that every answer can be
//!   foretold from what was stored when.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::account::AccountId;
use crate::domain::entity::EntityKind;
use crate::domain::metric::{MetricId, needs_back_quotes};
use crate::domain::units::UnixMillis;
use crate::newrelic::{ApiKey, NerdGraph, NerdGraphConfig, NerdGraphError};
use crate::ports::{Clock, Ports};
use crate::sim::check::user::{Question, Told, UserAnswer, UserRecord, Window};
use crate::sim::scenario::{NEWRELIC_HOST, NEWRELIC_PORT, Scenario};
use crate::sim::time::SimTime;

/// How long before the end it begins to ask.
const BEFORE_END: Duration = Duration::from_secs(20);
/// Windows end so long before it asks: New Relic needs a moment to store what it took.
const SETTLED: Duration = Duration::from_secs(5);
/// Metrics in one query; longer queries are harder to read in a report.
const METRICS_PER_QUERY: usize = 24;
/// Minutes of a time series, at most as many as New Relic has buckets.
const SERIES_MINUTES_MAX: i64 = 60;
const MINUTE_MS: i64 = 60_000;
/// Raw rows are asked of the last seconds only: 5,000 rows are the most that an answer holds.
const ROWS_WINDOW_MS: i64 = 20_000;

/// What it has been told so far; shared with its host.
#[derive(Clone, Default)]
pub struct User(Arc<Mutex<UserRecord>>);

impl User {
    fn lock(&self) -> MutexGuard<'_, UserRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of everything it was told.
    pub fn record(&self) -> UserRecord {
        self.lock().clone()
    }
}

/// When it begins to ask in `scenario`.
pub fn asks_at(scenario: &Scenario) -> SimTime {
    let end = scenario.end().since_start();
    SimTime::from(end.saturating_sub(BEFORE_END))
}

/// Waits for its time and asks everything.
pub async fn run<P: Ports>(
    ports: P,
    scenario: Scenario,
    (account, key): (AccountId, ApiKey),
    user: User,
) {
    let clock = ports.clock().clone();
    // Hosts begin with the world: their monotonic clocks count from its start.
    let wait = asks_at(&scenario).since_start().saturating_sub(clock.monotonic());
    clock.sleep(wait).await;
    let uri = format!("http://{NEWRELIC_HOST}:{NEWRELIC_PORT}/graphql");
    let uri = uri.parse().unwrap_or_else(|error| panic!("the address of New Relic: {error}"));
    let client = NerdGraph::new(ports, NerdGraphConfig::new(uri, key));
    let client = client.unwrap_or_else(|error| panic!("the usual settings: {error}"));
    let mut asking = Asking { client, account, clock: clock.clone(), user };
    asking.everything(scenario.epoch(), clock.wall()).await;
}

struct Asking<P: Ports> {
    client: NerdGraph<P>,
    account: AccountId,
    clock: P::Clock,
    user: User,
}

impl<P: Ports> Asking<P> {
    async fn everything(&mut self, epoch: UnixMillis, now: UnixMillis) {
        let settled = i64::try_from(SETTLED.as_millis()).unwrap_or(0);
        let end = now.plus_millis(-settled);
        let all = Window { begin: epoch.plus_millis(-MINUTE_MS), end };
        self.nrql(Question::Counts { window: all }).await;
        for kind in EntityKind::ALL {
            let metrics: Vec<&'static str> = MetricId::of_kind(kind).map(MetricId::name).collect();
            for metrics in metrics.chunks(METRICS_PER_QUERY) {
                let metrics = metrics.to_vec();
                self.nrql(Question::Latest { kind, metrics, window: all }).await;
            }
            let minutes = (end.millis_since(epoch) / MINUTE_MS).clamp(1, SERIES_MINUTES_MAX);
            let window = Window { begin: end.plus_millis(-minutes * MINUTE_MS), end };
            if let Some(metric) = metrics.first() {
                self.nrql(Question::Series { kind, metric, window }).await;
            }
        }
        let last = Window { begin: end.plus_millis(-ROWS_WINDOW_MS), end };
        self.nrql(Question::Rows { window: last }).await;
        self.entities(end).await;
    }

    /// The list of all entities, and of one of each kind all that belongs to it.
    async fn entities(&mut self, end: UnixMillis) {
        let types: Vec<String> =
            EntityKind::ALL.iter().map(|kind| format!("'{}'", kind.type_name())).collect();
        let search = format!("domain = 'INFRA' AND type IN ({})", types.join(", "));
        let asked = self.now();
        let found = self.client.entities(&search).await;
        let examples: Vec<String> = EntityKind::ALL
            .iter()
            .filter_map(|kind| {
                let of_kind = |outline: &&crate::newrelic::nerdgraph::EntityOutline| {
                    outline.entity_type == kind.type_name()
                };
                found.iter().flatten().find(of_kind).map(|outline| outline.guid.clone())
            })
            .collect();
        self.keep(Question::Search, asked, found.map(Told::Entities));
        for guid in examples {
            let asked = self.now();
            let detail = self.client.entity(&guid).await;
            let golden = detail.iter().flatten().flat_map(|detail| detail.golden_metrics.clone());
            let golden: Vec<_> = golden.collect();
            self.keep(Question::Entity { guid: guid.clone() }, asked, detail.map(Told::Entity));
            for metric in golden {
                let (name, query) = (metric.name, metric.query);
                let question = Question::Golden { guid: guid.clone(), name, query, before: end };
                self.nrql(question).await;
            }
        }
    }

    fn now(&self) -> SimTime {
        SimTime::from(self.clock.monotonic())
    }

    async fn nrql(&mut self, question: Question) {
        let asked = self.now();
        let answer = self.client.nrql(self.account, &query(&question)).await;
        self.keep(question, asked, answer.map(|answer| Told::Rows(answer.results)));
    }

    fn keep(&self, question: Question, asked: SimTime, answer: Result<Told, NerdGraphError>) {
        let answer = answer.map_err(|error| error.to_string());
        let answer = UserAnswer { asked, answered: self.now(), question, answer };
        self.user.lock().answers.push(answer);
    }
}

/// A name as a query writes it.
fn quoted(name: &str) -> String {
    if needs_back_quotes(name) { format!("`{name}`") } else { name.to_owned() }
}

/// What fleets said, and no stand-in.
const REAL: &str = "dataSource = 'infrastructure'";

/// The NRQL of a question.
pub fn query(question: &Question) -> String {
    let within = |window: &Window| format!("SINCE {} UNTIL {}", window.begin.0, window.end.0);
    match question {
        Question::Counts { window } => format!(
            "SELECT count(*) FROM MessageQueue WHERE {REAL} FACET entityType {} LIMIT MAX",
            within(window)
        ),
        Question::Latest { kind, metrics, window } => {
            let mut select = "count(*) AS 'events'".to_owned();
            for metric in metrics {
                // Writing to a String cannot fail.
                let _ = write!(select, ", latest({}) AS '{metric}'", quoted(metric));
            }
            format!(
                "SELECT {select} FROM MessageQueue WHERE entityType = '{}' AND {REAL} \
                 FACET entityGuid {} LIMIT MAX",
                kind.type_name(),
                within(window)
            )
        }
        Question::Series { kind, metric, window } => {
            let metric = quoted(metric);
            format!(
                "SELECT count(*) AS 'events', average({metric}) AS 'average', \
                 min({metric}) AS 'min', max({metric}) AS 'max', \
                 uniqueCount(entityGuid) AS 'entities' FROM MessageQueue \
                 WHERE entityType = '{}' AND {REAL} {} TIMESERIES 1 minute",
                kind.type_name(),
                within(window)
            )
        }
        Question::Rows { window } => {
            format!("SELECT * FROM MessageQueue WHERE {REAL} {} LIMIT MAX", within(window))
        }
        Question::Golden { query, .. } => query.clone(),
        Question::Search | Question::Entity { .. } => String::new(),
    }
}
