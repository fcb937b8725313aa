//! Where a pipeline's entities come from.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a pipeline's entities come from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// From its sources alone.
    #[default]
    Infrastructure,
    /// From the model of the desired topology alone; sources are left in peace.
    Simulation,
    /// From its sources, and from the model where they show a gap.
    Hybrid,
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mode; there are infrastructure, simulation and hybrid")]
pub struct UnknownMode(pub String);

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Infrastructure, Self::Simulation, Self::Hybrid];

    /// The name in configurations and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Simulation => "simulation",
            Self::Hybrid => "hybrid",
        }
    }

    /// Whether sources are asked.
    pub const fn collects(self) -> bool {
        !matches!(self, Self::Simulation)
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(text));
        named.ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for mode in Mode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            assert_eq!(mode.as_str().to_uppercase().parse(), Ok(mode));
        }
        assert_eq!("both".parse::<Mode>(), Err(UnknownMode("both".into())));
    }
}
