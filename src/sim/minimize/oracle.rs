//! What tells how a scenario fails: a run of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sim::check::Failure;
use crate::sim::run::defect::Defect;
use crate::sim::run::{self, Network, Options};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// Says how a scenario fails; a pure function of it.
pub trait Oracle: Sync {
    /// Every way in which `scenario` fails; none when it passes.
    fn failures(&self, scenario: &Scenario) -> Vec<Failure>;
}

impl<F: Fn(&Scenario) -> Vec<Failure> + Sync> Oracle for F {
    fn failures(&self, scenario: &Scenario) -> Vec<Failure> {
        self(scenario)
    }
}

/// Simulated runs of one seed on one network.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    /// The seed.
    pub seed: Seed,
    /// The network.
    pub network: Network,
    /// What is broken in the pipeline on purpose.
    pub defect: Option<Defect>,
}

impl Oracle for Runs {
    fn failures(&self, scenario: &Scenario) -> Vec<Failure> {
        let options = Options { seed: self.seed, network: self.network, sink: Sink::None };
        let run = || match self.defect {
            None => run::run(scenario, options),
            Some(defect) => run::run_defective(scenario, options, defect),
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(report) => report.failures(),
            // The simulator itself broke: a failure like any other, so that it can be made small.
            Err(payload) => vec![Failure::of_panic(payload.as_ref())],
        }
    }
}
