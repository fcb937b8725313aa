//! Events to judge: those of a simulated run, in the order and at the times in which New Relic
//! stored them.

use std::path::Path;

use crate::cli::{Exit, complain, scenario};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::ast::Statement;
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
    /// In order of storing.
    events: Vec<StoredEvent>,
    account: AccountId,
    /// Where they come from.
    pub name: String,
    /// Begin and end.
    pub span: (UnixMillis, UnixMillis),
}

/// A store that fills as New Relic's did.
pub struct Replay<'a> {
    history: &'a History,
    store: EventStore,
    next: usize,
}

fn push(store: &mut EventStore, account: AccountId, at: UnixMillis, event: &StoredEvent) {
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
        stored_at: at,
        request: 0,
        cells: &cells,
    });
}

impl Replay<'_> {
    /// Answers a query as it would have been answered at `now`, which never goes back: by what was
    /// stored then.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn ask(&mut self, now: UnixMillis, text: &str) -> Result<QueryResult, NrqlError> {
        self.run(now, text, &parse(text)?)
    }

    /// The same for a statement that was made of `text`.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn run(
        &mut self,
        now: UnixMillis,
        text: &str,
        statement: &Statement,
    ) -> Result<QueryResult, NrqlError> {
        while let Some(event) = self.history.events.get(self.next) {
            let at = self.history.span.0.plus(event.stored_at.since_start());
            if at > now {
                break;
            }
            push(&mut self.store, self.history.account, at, event);
            self.next += 1;
        }
        let context = QueryContext {
            store: &self.store,
            accounts: &[self.history.account],
            now,
            limits: QueryLimits::default(),
        };
        run(text, statement, &context)
    }
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
        let end = begin.plus(scenario.end().since_start());
        Ok(Self { events, account, name, span: (begin, end) })
    }

    /// Whose events they are.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// How many events there are.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// The events from the begin on, as time passes.
    pub fn replay(&self) -> Replay<'_> {
        let store = EventStore::new(StoreConfig { bytes_max: BYTES_MAX });
        Replay { history: self, store, next: 0 }
    }

    /// Names of the clusters that events tell of, sorted.
    pub fn clusters(&self) -> Vec<String> {
        let named = self.events.iter().filter_map(|event| event.known_text("clusterName"));
        let mut names: Vec<String> = named.map(str::to_owned).collect();
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
