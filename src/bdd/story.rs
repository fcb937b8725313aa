//! What the steps of one scenario have said so far, and what came of its run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::quantity::DurationText;
use crate::dashboards::Dashboard;
use crate::domain::account::AccountId;
use crate::domain::entity::EntityKey;
use crate::domain::guid::EntityGuid;
use crate::nrql::{NrqlError, QueryResult, Value};
use crate::sim::run::{self, Filled, Network, Options, RunReport};
use crate::sim::scenario::{HybridSpec, KafkaSpec, Scenario, write};
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// A step that cannot be done, or a promise that is not kept.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The words of the step do not fit its code.
    #[error(transparent)]
    Arg(#[from] super::pattern::ArgError),
    /// What it promises does not hold.
    #[error("{0}")]
    Broken(String),
    /// It needs something that no earlier step said.
    #[error("{0}")]
    Premature(&'static str),
    /// What the steps describe cannot be simulated.
    #[error("the steps describe an impossible scenario:\n{0}")]
    Impossible(String),
}

/// What a step gives.
pub type StepResult = Result<(), StepError>;

/// A run that is over.
pub struct Ran {
    /// Its verdict.
    pub report: RunReport,
    filled: Filled,
}

/// What the steps of one scenario have said so far.
pub struct Story {
    /// The situation.
    pub scenario: Scenario,
    /// A dashboard that a step has described.
    pub dashboard: Option<Dashboard>,
    /// The run, once there was one.
    pub ran: Option<Ran>,
    /// Whether the run is left out, because only what is described shall be looked over.
    is_rehearsal: bool,
}

impl Story {
    /// Nothing said yet, but for the seed of whatever is drawn.
    pub fn new(title: &str, seed: u64) -> Self {
        let scenario = Scenario {
            title: title.to_owned(),
            promise: String::new(),
            duration: DurationText::from_secs(0),
            seed,
            start: "2026-03-02T09:00:00Z".to_owned(),
            minimized_from: None,
            network: Default::default(),
            kafka: BTreeMap::new(),
            newrelic: Default::default(),
            pipeline: Default::default(),
            fault: Vec::new(),
            swarm: None,
            sometimes: Vec::new(),
            expect: Default::default(),
        };
        Self { scenario, dashboard: None, ran: None, is_rehearsal: false }
    }

    /// The same without its run.
    pub fn rehearsal(title: &str) -> Self {
        Self { is_rehearsal: true, ..Self::new(title, 0) }
    }

    /// The cluster called `name`, which a step has described.
    ///
    /// # Errors
    /// None has.
    pub fn cluster(&mut self, name: &str) -> Result<&mut KafkaSpec, StepError> {
        let missing = StepError::Premature("describe the cluster first");
        self.scenario.kafka.get_mut(name).ok_or(missing)
    }

    /// What is desired of the fleet; a step that speaks of it makes it known.
    pub fn hybrid(&mut self) -> &mut HybridSpec {
        let plain = || HybridSpec { fleet: false, ..HybridSpec::default() };
        self.scenario.pipeline.hybrid.get_or_insert_with(plain)
    }

    /// Runs what was described for `duration`.
    ///
    /// # Errors
    /// What is impossible about it.
    pub fn run(&mut self, duration: Duration) -> StepResult {
        self.scenario.duration = DurationText(duration);
        let text = write(&self.scenario, &[]);
        let scenario = crate::sim::scenario::load("the steps", &text)
            .map_err(|problems| StepError::Impossible(problems.render(false)))?;
        if self.is_rehearsal {
            return Ok(());
        }
        let seed = Seed(scenario.seed);
        let options = Options { seed, network: Network::Kernel, sink: Sink::None };
        let (report, filled) = run::run_and_keep(&scenario, options);
        let filled = filled.ok_or(StepError::Premature("the run kept nothing to ask"))?;
        self.ran = Some(Ran { report, filled });
        Ok(())
    }

    /// The run.
    ///
    /// # Errors
    /// There was none yet.
    pub fn ran(&self) -> Result<&Ran, StepError> {
        self.ran.as_ref().ok_or(StepError::Premature("let the simulation run first"))
    }

    /// The wire form of the GUID that `key` must have.
    pub fn guid(&self, key: &EntityKey) -> Result<String, StepError> {
        let account = AccountId::try_from(self.scenario.pipeline.account_id);
        let account = account.map_err(|error| StepError::Broken(error.to_string()))?;
        Ok(EntityGuid::new(account, key).wire())
    }
}

impl Ran {
    /// What New Relic answers to `query` at the end of the run, as dashboards ask.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn nrql(&self, query: &str) -> Result<QueryResult, NrqlError> {
        self.filled.nrql(query)
    }

    /// The same as a step needs it.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn ask(&self, query: &str) -> Result<QueryResult, StepError> {
        self.filled.nrql(query).map_err(|error| StepError::Broken(format!("{query}: {error}")))
    }

    /// The only value of `query`'s only row.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn value(&self, query: &str) -> Result<Option<Value>, StepError> {
        let result = self.ask(query)?;
        Ok(result.results.first().and_then(|row| row.values().next().cloned()))
    }

    /// The same as a count; nothing counts as zero.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn count(&self, query: &str) -> Result<f64, StepError> {
        Ok(self.value(query)?.and_then(|value| value.as_f64()).unwrap_or(0.0))
    }
}

/// A value as a person reads it.
pub fn words(value: &Value) -> String {
    match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => number.to_string(),
        (None, None) => "nothing".to_owned(),
    }
}
