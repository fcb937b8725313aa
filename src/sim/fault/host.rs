//! Faults of one host: crashes, crash points, its clock, its disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FormFault;
use crate::config::quantity::{DurationText, SizeText};
use crate::sim::disk::DiskFault;
use crate::sim::world::CrashMode;

/// A crash of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashSpec {
    /// Which host.
    pub host: String,
    /// `process`: peers see it at once; `power`: silence.
    #[serde(default)]
    pub mode: CrashModeSpec,
}

/// How a host goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrashModeSpec {
    /// The process dies, the operating system answers for it.
    #[default]
    Process,
    /// The machine is gone without a word.
    Power,
}

impl CrashModeSpec {
    /// As the world has it.
    pub const fn mode(self) -> CrashMode {
        match self {
            Self::Process => CrashMode::Process,
            Self::Power => CrashMode::Power,
        }
    }
}

/// A crash at a point of the host's own doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashPointSpec {
    /// Which host.
    pub host: String,
    /// After which of its disk and network events, counted from 1 at the fault's begin: a packet
    /// that it sends, a packet that reaches it, an operation of its disk. Nothing that it does
    /// afterwards takes effect.
    #[schemars(range(min = 1))]
    pub event: u64,
    /// `process`: peers see it at once; `power`: silence.
    #[serde(default)]
    pub mode: CrashModeSpec,
    /// How long it stays down, at most until the fault's end.
    #[serde(default = "down_default")]
    pub down: DurationText,
}

fn down_default() -> DurationText {
    DurationText::from_secs(5)
}

impl CrashPointSpec {
    pub(super) fn faults_of_form(&self) -> Vec<FormFault> {
        if self.event > 0 {
            return Vec::new();
        }
        let message = "events are counted from 1";
        let help = "use `crash` for a crash at once";
        vec![FormFault::new("crash_point", &["crash_point", "event"], message, help)]
    }
}

/// A wrong clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkewSpec {
    /// Which host.
    pub host: String,
    /// Milliseconds ahead of true time; negative is behind.
    #[schemars(range(min = -3_600_000, max = 3_600_000))]
    pub offset_ms: i64,
}

/// A misbehaving disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskFaultSpec {
    /// Whose disk.
    pub host: String,
    /// What it does.
    pub kind: DiskFaultKind,
    /// Bytes by which files may still grow on a disk that is `full`; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<SizeText>,
    /// Share of the operations that fail; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: Option<f64>,
    /// What each operation of a `slow` disk takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<DurationText>,
}

/// What a disk does while it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiskFaultKind {
    /// No room for more.
    Full,
    /// Writes fail.
    FailWrites,
    /// Reads fail.
    FailReads,
    /// Syncs fail; what was written before may be lost with the power.
    FailSyncs,
    /// Every operation takes long.
    Slow,
    /// No operation ends.
    Stalled,
    /// Syncs do nothing and say that they did; seen only when the power is lost.
    LyingSync,
    /// A power loss tears unsynced writes.
    TornWrites,
}

impl DiskFaultKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::FailWrites => "fail_writes",
            Self::FailReads => "fail_reads",
            Self::FailSyncs => "fail_syncs",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::LyingSync => "lying_sync",
            Self::TornWrites => "torn_writes",
        }
    }

    const fn fails(self) -> bool {
        matches!(self, Self::FailWrites | Self::FailReads | Self::FailSyncs)
    }
}

impl DiskFaultSpec {
    /// As the disk has it; `None` when its form is wrong.
    pub(super) fn fault(&self) -> Option<DiskFault> {
        let share = self.share.unwrap_or(1.0);
        Some(match self.kind {
            DiskFaultKind::Full => {
                DiskFault::Full { free_bytes: self.free.map_or(0, |size| size.0) }
            }
            DiskFaultKind::FailWrites => DiskFault::FailWrites { share },
            DiskFaultKind::FailReads => DiskFault::FailReads { share },
            DiskFaultKind::FailSyncs => DiskFault::FailSyncs { share },
            DiskFaultKind::Slow => DiskFault::Slow { per_operation: self.latency?.0 },
            DiskFaultKind::Stalled => DiskFault::Stalled,
            DiskFaultKind::LyingSync => DiskFault::LyingSync,
            DiskFaultKind::TornWrites => DiskFault::TornWrites,
        })
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        format!("disk of {}: {}", self.host, self.kind.name())
    }

    pub(super) fn faults_of_form(&self) -> Vec<FormFault> {
        let kind = self.kind;
        let mut faults = Vec::new();
        let mut fault = |rule, key, message: String, help: &str| {
            faults.push(FormFault::new(rule, &["disk", key], message, help));
        };
        let keys = [
            ("free", self.free.is_some(), kind == DiskFaultKind::Full, "full"),
            ("share", self.share.is_some(), kind.fails(), "fail_writes, fail_reads and fail_syncs"),
            ("latency", self.latency.is_some(), kind == DiskFaultKind::Slow, "slow"),
        ];
        for (key, present, fits, owners) in keys {
            if present && !fits {
                let message = format!("`{key}` means nothing to `{}`", kind.name());
                fault("disk_key", key, message, &format!("remove it; it belongs to {owners}"));
            }
        }
        if kind == DiskFaultKind::Slow && self.latency.is_none() {
            let message = "`slow` needs `latency`".to_owned();
            fault("disk_key", "kind", message, "add latency = \"50ms\"");
        }
        if self.share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            let message = "a share lies above 0 and at most at 1".to_owned();
            fault("share", "share", message, "for example share = 0.5; without it, all fail");
        }
        faults
    }
}
