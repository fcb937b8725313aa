//! Swarm: a scenario that leaves open what goes wrong, where, how often and to how large a fleet;
//! the seed decides.
//!
//! Invariants:
//! - [`draw`] is a pure function of scenario and seed; what it gives has no `[swarm]` table any
//!   more, is possible by the rules of scenario files, and can be written to one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;

/// What the seed may decide.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SwarmSpec {
    /// Names of the faults that may be drawn; all when empty.
    pub faults: Vec<String>,
}

/// The scenario with everything decided; the scenario itself when it leaves nothing open.
pub fn draw(scenario: &Scenario, _seed: Seed) -> Scenario {
    Scenario { swarm: None, ..scenario.clone() }
}
