//! A disk whose operations fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::SHARE;
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares};
use super::super::{Action, FormFault, form};
use super::disk_fault;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// An operation of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiskOperation {
    /// Writing and cutting off; what fails changes nothing.
    Writes,
    /// Reading.
    Reads,
    /// Syncing; what was written before may be lost with the power.
    Syncs,
}

impl DiskOperation {
    /// One of these operations.
    const fn one(self) -> &'static str {
        match self {
            Self::Writes => "write",
            Self::Reads => "read",
            Self::Syncs => "sync",
        }
    }
}

/// A disk whose operations fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskErrors {
    /// Which operations fail.
    pub operation: DiskOperation,
    /// Share of them that fails, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
}

impl Body for DiskErrors {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        form::share(self.share)
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        format!("disk of pipeline: failing {}s", self.operation.one())
    }

    fn prose(&self) -> String {
        let share = share_of(self.share, self.operation.one());
        let verb = if share.starts_with("every") { "fails" } else { "fail" };
        format!("{share} of the pipeline's disk {verb}")
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let share = self.share.unwrap_or(1.0);
        disk_fault(match self.operation {
            DiskOperation::Writes => DiskFault::FailWrites { share },
            DiskOperation::Reads => DiskFault::FailReads { share },
            DiskOperation::Syncs => DiskFault::FailSyncs { share },
        })
    }
}

impl Kind for DiskErrors {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str =
        "Operations of the pipeline's disk fail: writes, reads or syncs, all of them or a share.";
    const PROSE: &'static str = "<operations> of the pipeline's disk fail[s]";
    const EXAMPLE: &'static str = r#"disk_errors = { operation = "writes", share = 0.3 }"#;
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let all = [DiskOperation::Writes, DiskOperation::Reads, DiskOperation::Syncs];
        let operation = *lot.pick(&all)?;
        stage.spool.then_some(Self { operation, share: lot.share() })
    }

    fn simpler(&self) -> Vec<Self> {
        let shares = simpler_shares(self.share).into_iter();
        shares.map(|share| Self { share, ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{refused, shows};

    #[test]
    fn the_spool_fails() {
        for operation in ["writes", "syncs"] {
            let form = format!("disk_errors = {{ operation = \"{operation}\" }}");
            shows(&[], &form, |pipeline| {
                pipeline.spool.as_ref().is_some_and(|spool| spool.errors > 0)
            });
        }
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "disk_errors = { operation = \"reads\" }",
            &[
                "disk_errors = { operation = \"seeks\" }",
                "disk_errors = { operation = \"reads\", share = -0.5 }",
            ],
        );
    }
}
