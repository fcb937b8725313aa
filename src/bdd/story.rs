//! What the steps of one scenario have said so far, and what came of its run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::quantity::DurationText;
use crate::config::toml_file::FileProblems;
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
    #[error("this cannot be simulated: {0}")]
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

    /// Sets a key of the scenario, by its dotted path.
    ///
    /// # Errors
    /// There is no such key, or it takes no such value.
    pub fn set(&mut self, path: &str, value: impl Into<serde_json::Value>) -> StepResult {
        let path: Vec<&str> = path.split('.').collect();
        self.set_at(&path, value.into())
    }

    /// The same, of a cluster.
    ///
    /// # Errors
    /// No step has described the cluster, or as before.
    pub fn set_of_cluster(
        &mut self,
        cluster: String,
        path: &str,
        value: impl Into<serde_json::Value>,
    ) -> StepResult {
        self.cluster(&cluster)?;
        let path: Vec<&str> = ["kafka", &cluster].into_iter().chain(path.split('.')).collect();
        self.set_at(&path, value.into())
    }

    fn set_at(&mut self, path: &[&str], value: serde_json::Value) -> StepResult {
        let impossible = |error: serde_json::Error| StepError::Impossible(error.to_string());
        let mut whole = serde_json::to_value(&self.scenario).map_err(impossible)?;
        let mut place = &mut whole;
        for key in path {
            if place.is_null() {
                *place = serde_json::json!({});
            }
            let table = place.as_object_mut().ok_or_else(|| {
                StepError::Impossible(format!("{} is no setting", path.join(".")))
            })?;
            place = table.entry(*key).or_insert(serde_json::Value::Null);
        }
        *place = value;
        self.scenario = serde_json::from_value(whole)
            .map_err(|error| StepError::Impossible(format!("{}: {error}", path.join("."))))?;
        Ok(())
    }

    /// Before the run, a limit that it is judged by; after it, whether the check that judges by it
    /// passes.
    ///
    /// # Errors
    /// It does not, or the limit cannot be.
    pub fn limit(
        &mut self,
        path: &str,
        value: impl Into<serde_json::Value>,
        check: &str,
    ) -> StepResult {
        if self.ran.is_none() {
            return self.set(path, value);
        }
        self.keeps(check)
    }

    /// Whether the check called `name` passes.
    ///
    /// # Errors
    /// Its first violation; there is no such check; it examined nothing.
    pub fn keeps(&self, name: &str) -> StepResult {
        let checks = &self.ran()?.report.checks;
        let found = checks.iter().find(|check| check.name == name);
        let check = found.ok_or_else(|| {
            StepError::Impossible(format!("no check is called {name}; see `shakedown checks`"))
        })?;
        match (check.first_violation(), &check.finding.excused) {
            (Some(first), _) => Err(StepError::Broken(format!("{name}: {first}"))),
            (None, Some(why)) if check.finding.examined == 0 => {
                Err(StepError::Broken(format!("{name} examined nothing: {why}")))
            }
            (None, _) if check.passed() => Ok(()),
            (None, _) => Err(StepError::Broken(format!("{name} examined nothing"))),
        }
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
            .map_err(|problems| StepError::Impossible(in_short(&problems)))?;
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
    ///
    /// # Errors
    /// The scenario's account is none.
    pub fn guid(&self, key: &EntityKey) -> Result<String, StepError> {
        Ok(self.entity_guid(key)?.wire())
    }

    /// The same, as people read it.
    ///
    /// # Errors
    /// The scenario's account is none.
    pub fn readable_guid(&self, key: &EntityKey) -> Result<String, StepError> {
        Ok(self.entity_guid(key)?.to_string())
    }

    fn entity_guid(&self, key: &EntityKey) -> Result<EntityGuid, StepError> {
        let account = AccountId::try_from(self.scenario.pipeline.account_id);
        let account = account.map_err(|error| StepError::Broken(error.to_string()))?;
        Ok(EntityGuid::new(account, key))
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

/// Problems of a scenario that nobody wrote as a file: without its lines.
fn in_short(problems: &FileProblems) -> String {
    let told = problems.problems().iter().map(|problem| match problem.help() {
        Some(help) => format!("{problem}: {help}"),
        None => problem.to_string(),
    });
    told.collect::<Vec<_>>().join("\n")
}

/// A value as a person reads it.
pub fn words(value: &Value) -> String {
    match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => number.to_string(),
        (None, None) => "nothing".to_owned(),
    }
}
