//! The table that says what should be there, and what to do about what is not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::DurationText;
use crate::hybrid::mode::Mode;
use crate::workload::Pattern;

/// What should be there, and what to do about what is not.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HybridTable {
    /// `infrastructure`: entities come from the sources alone. `simulation`: from a model of the
    /// topology alone, no source is asked. `hybrid`: from the sources, and where these leave a gap
    /// a stand-in from the model, marked `dataSource = gapFilled`.
    pub mode: Mode,
    /// File with the desired topology (`shakedown topology schema`), relative to the folder of this
    /// file. With it every mode that collects tells coverage and gaps as events
    /// `MessageQueueCoverage` and `MessageQueueGap`.
    #[schemars(length(min = 1), extend("examples" = ["topology.toml"]))]
    pub topology: Option<String>,
    /// How long an entity may be silent before it counts as a gap; a restart within it is none.
    /// 1s to 24h.
    pub tolerance: DurationText,
    /// Largest share of the desired entities that may be stand-ins.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub filled_share_max: f64,
    /// Most stand-ins. Gaps beyond this or `filled_share_max` stay, and are counted.
    pub filled_entities_max: u32,
    /// Decides the figures of stand-ins: same seed, same figures.
    pub seed: u64,
    /// How the load of stand-ins that were never seen changes over day and week.
    pub pattern: Pattern,
    /// Minutes by which the pattern's local time is ahead of UTC.
    #[schemars(range(min = -840, max = 840))]
    pub utc_offset_minutes: i32,
    /// Time between two tellings of coverage and gaps: they go with the first cycle at or after
    /// each multiple of it. 1s to 1h.
    pub report_every: DurationText,
}

impl Default for HybridTable {
    fn default() -> Self {
        Self {
            mode: Mode::Infrastructure,
            topology: None,
            tolerance: DurationText::from_secs(300),
            filled_share_max: 0.2,
            filled_entities_max: 10,
            seed: 1,
            pattern: Pattern::BusinessWeek,
            utc_offset_minutes: 0,
            report_every: DurationText::from_secs(60),
        }
    }
}
