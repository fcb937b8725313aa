//! A simulated run whose stored events dashboards are tried on.

use std::path::PathBuf;

use clap::Args;

use super::super::{Exit, complain, input, run::guarded, scenario};
use crate::sim::run::{self, Filled, Network, Options};
use crate::sim::scenario::{Scenario, load as parse_scenario};
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// The run that fills what dashboards show: lag, errors, lost brokers, full disks, an outage.
const BUILT_IN: &str = include_str!("../../../scenarios/dashboards.toml");
const BUILT_IN_NAME: &str = "scenarios/dashboards.toml (built in)";

/// Which run.
#[derive(Debug, Clone, Args)]
pub(super) struct TrialArgs {
    /// The scenario; without one the built-in run, in which everything goes wrong once.
    #[arg(long, value_name = "FILE", requires = "simulate")]
    scenario: Option<PathBuf>,
    /// Seed of every random choice; without one the scenario's own.
    #[arg(long, value_parser = input::number::<u64>, requires = "simulate")]
    seed: Option<u64>,
}

/// A run that is over.
pub(super) struct Ran {
    /// The scenario's name.
    pub scenario: String,
    /// The run's id.
    pub id: String,
    /// What New Relic holds.
    pub filled: Filled,
}

impl Ran {
    /// From the first stored event to the last: `2026-03-02 13:00 to 13:24 UTC`.
    pub(super) fn span(&self) -> String {
        let asked = self.filled.nrql(
            "SELECT min(timestamp) AS 'first', max(timestamp) AS 'last' FROM MessageQueue \
             SINCE 30 days ago",
        );
        let row = asked.ok().and_then(|answer| answer.results.into_iter().next());
        let at = |name| {
            let millis = row.as_ref()?.get(name)?.as_f64()?;
            jiff::Timestamp::from_millisecond(millis as i64).ok()
        };
        let (Some(first), Some(last)) = (at("first"), at("last")) else { return String::new() };
        let form = |at: jiff::Timestamp, form| {
            jiff::tz::TimeZone::UTC.to_datetime(at).strftime(form).to_string()
        };
        let day = form(first, "%Y-%m-%d");
        let same_day = form(last, "%Y-%m-%d") == day;
        let last = form(last, if same_day { "%H:%M" } else { "%Y-%m-%d %H:%M" });
        format!("{day} {} to {last} UTC", form(first, "%H:%M"))
    }
}

impl TrialArgs {
    fn load(&self) -> Result<(String, Scenario), Exit> {
        match &self.scenario {
            Some(path) => scenario::load(Some(path)),
            None => match parse_scenario(BUILT_IN_NAME, BUILT_IN) {
                Ok(scenario) => Ok((BUILT_IN_NAME.to_owned(), scenario)),
                Err(problems) => {
                    complain(&problems.to_string());
                    Err(Exit::Failed)
                }
            },
        }
    }

    /// Runs the scenario to its end.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub(super) fn run(&self) -> Result<Ran, Exit> {
        let (name, scenario) = self.load()?;
        let seed = Seed(self.seed.unwrap_or(scenario.seed));
        let options = Options { seed, network: Network::Kernel, sink: Sink::None };
        let (report, filled) = guarded(|| run::run_and_keep(&scenario, options))?;
        let Some(filled) = filled else {
            complain(&format!("{name}: the run kept nothing to ask"));
            return Err(Exit::Failed);
        };
        Ok(Ran { scenario: name, id: report.id.to_string(), filled })
    }
}
