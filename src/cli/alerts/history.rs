//! Events to judge: those of a simulated run, in the order and at the times in which New Relic
//! stored them.

use std::path::Path;

use crate::cli::{Exit, complain, scenario};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
use crate::nrql::{NrqlError, QueryContext, QueryLimits, QueryResult, parse, run};
use crate::sim::check::record::StoredEvent;
use crate::sim::run::{Network, Options, run_with_events};
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// Memory of a run's events.
const BYTES_MAX: usize = 1 << 30;

/// Events of a span of time.
pub struct History {
    store: EventStore,
    account: AccountId,
    /// Where they come from.
    pub name: String,
    /// Begin and end.
    pub span: (UnixMillis, UnixMillis),
    /// How many.
    pub events: usize,
}

/// Keeps an event; it can be asked for from the instant at which New Relic took it.
fn push(store: &mut EventStore, account: AccountId, epoch: UnixMillis, event: &StoredEvent) {
    let texts = event.names.texts.iter().zip(&event.texts);
    let texts = texts.map(|(name, text)| (&**name, Cell::Text(text)));
    // What is no number any more is as good as absent; the store takes finite ones only.
    let numbers = event.numbers().filter(|(_, number)| number.is_finite());
    let numbers = numbers.map(|(name, number)| (name, Cell::Number(number)));
    let cells: Vec<(&str, Cell<'_>)> = texts.chain(numbers).collect();
    store.push(NewEvent {
        account,
        event_type: crate::alerts::EVENT_TYPE,
        timestamp: event.timestamp,
        stored_at: epoch.plus(event.stored_at.since_start()),
        request: 0,
        cells: &cells,
    });
}

impl History {
    /// Runs a scenario, the built-in one without a path, with its own seed or another.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub fn simulate(path: Option<&Path>, seed: Option<u64>) -> Result<Self, Exit> {
        let (name, scenario) = scenario::load(path)?;
        let seed = Seed(seed.unwrap_or(scenario.seed));
        let options = Options { seed, network: Network::Kernel, sink: Sink::None };
        let (_, events) = run_with_events(&scenario, options);
        if events.is_empty() {
            complain(&format!("{name}: the run stored no events, so there is nothing to judge"));
            return Err(Exit::Failed);
        }
        let account = AccountId::try_from(scenario.pipeline.account_id).map_err(|error| {
            complain(&error.to_string());
            Exit::Failed
        })?;
        let begin = scenario.epoch();
        let mut store = EventStore::new(StoreConfig { bytes_max: BYTES_MAX });
        events.iter().for_each(|event| push(&mut store, account, begin, event));
        let end = begin.plus(scenario.end().since_start());
        Ok(Self { store, account, name, span: (begin, end), events: events.len() })
    }

    /// Whose events they are.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Answers a query as it would have been answered at `now`.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn ask(&self, now: UnixMillis, text: &str) -> Result<QueryResult, NrqlError> {
        let context = QueryContext {
            store: &self.store,
            accounts: &[self.account],
            now,
            limits: QueryLimits::default(),
        };
        run(text, &parse(text)?, &context)
    }

    /// Names of the clusters that events tell of, sorted.
    pub fn clusters(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .store
            .rows(Some(self.account), crate::alerts::EVENT_TYPE)
            .iter()
            .filter_map(|row| row.get("clusterName")?.as_str().map(str::to_owned))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Time since the begin, as `00:12:30`.
    pub fn clock(&self, at: UnixMillis) -> String {
        let seconds = at.millis_since(self.span.0).max(0) / 1_000;
        format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}
