//! The table of the desired topology, resolved and checked; the topology's file is read by whoever
//! has a disk.

use std::time::Duration;

use super::{HOUR, Loader, SECOND};
use crate::config::schema::HybridTable;
use crate::config::toml_file::Place;
use crate::hybrid::manager::HybridConfig;
use crate::hybrid::mode::Mode;
use crate::hybrid::model::ModelConfig;
use crate::hybrid::topology::Topology;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What should be there, and what to do about what is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Hybrid {
    /// The mode to begin in.
    pub mode: Mode,
    /// The topology's file, relative to the folder of the configuration.
    pub topology: String,
    table: HybridTable,
}

impl Hybrid {
    /// How gaps of `topology`, which was read from [`Hybrid::topology`], are found and filled.
    pub fn config(&self, topology: Topology) -> HybridConfig {
        self.table.config(topology)
    }
}

impl HybridTable {
    /// How gaps of `topology` are found and filled.
    pub fn config(&self, topology: Topology) -> HybridConfig {
        HybridConfig {
            topology,
            tolerance: self.tolerance.0,
            filled_share_max: self.filled_share_max,
            filled_entities_max: self.filled_entities_max as usize,
            model: ModelConfig {
                seed: self.seed,
                pattern: self.pattern,
                utc_offset_minutes: self.utc_offset_minutes,
            },
            report_every: self.report_every.0,
        }
    }
}

impl Loader<'_> {
    /// `None` without a topology.
    pub(super) fn hybrid(&mut self, table: &HybridTable) -> Option<Hybrid> {
        let place = Place::root().key("hybrid");
        self.within(&place.key("tolerance"), table.tolerance, SECOND, DAY);
        self.within(&place.key("report_every"), table.report_every, SECOND, HOUR);
        match &table.topology {
            Some(topology) => {
                Some(Hybrid { mode: table.mode, topology: topology.clone(), table: table.clone() })
            }
            None => {
                if table.mode != Mode::Infrastructure {
                    let message = format!("mode `{}` needs a topology", table.mode);
                    let help = "name its file, for example topology = \"topology.toml\"; \
                                `shakedown topology import` makes one of what is there";
                    self.report("missing_key", &place.key("mode"), message, help);
                }
                None
            }
        }
    }
}
