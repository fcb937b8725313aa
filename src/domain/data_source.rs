//! Where an entity's figures come from.

/// Where an entity's figures come from, best first: of two states of one entity the better source's
/// stands, whichever is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum DataSource {
    /// Collected from a fleet.
    #[default]
    Infrastructure,
    /// A stand-in for an entity of the desired topology that a fleet does not show.
    GapFilled,
    /// Made up as a whole, fleet and all.
    Simulated,
}

impl DataSource {
    /// All, best first.
    pub const ALL: [Self; 3] = [Self::Infrastructure, Self::GapFilled, Self::Simulated];

    /// The value of the attribute `dataSource`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::GapFilled => "gapFilled",
            Self::Simulated => "simulated",
        }
    }

    /// Tags that mark it, and nothing else: no configuration may set them.
    pub const fn marker_tags(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Infrastructure => &[],
            Self::GapFilled => &[("simulated", "true"), ("hybridMode", "gapFilled")],
            Self::Simulated => &[("simulated", "true")],
        }
    }

    /// Whether no fleet said it.
    pub const fn is_simulated(self) -> bool {
        !matches!(self, Self::Infrastructure)
    }
}
