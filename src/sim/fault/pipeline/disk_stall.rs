//! A disk that stands still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::disk_fault;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// A disk that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskStall {}

impl Body for DiskStall {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        "disk of pipeline: stalled".to_owned()
    }

    fn prose(&self) -> String {
        "the pipeline's disk stalls".to_owned()
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        disk_fault(DiskFault::Stalled)
    }
}

impl Kind for DiskStall {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "No operation of the pipeline's disk ends before the fault does.";
    const PROSE: &'static str = "the pipeline's disk stalls";
    const EXAMPLE: &'static str = "disk_stall = {}";
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(_lot: &mut Lot, stage: &Stage) -> Option<Self> {
        stage.spool.then_some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::super::testing::{apply, host_under, refused};
    use super::*;
    use crate::ports::{Disk, Ports};
    use crate::sim::time::SimTime;
    use crate::sim::world::World;

    #[test]
    fn no_operation_ends_before_the_fault_does() {
        let done = |fault: Option<&dyn Body>| {
            let done = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&done);
            let main = move |ports: crate::sim::kernel::KernelPorts| {
                let count = Arc::clone(&count);
                Box::pin(async move {
                    ports.disk().run(|| ()).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }) as _
            };
            let mut kernel = host_under(fault, 1, Box::new(main));
            kernel.run_until(SimTime::from_secs(60)).expect("no trouble");
            let during = done.load(Ordering::Relaxed);
            if let Some(fault) = fault {
                apply(&mut kernel, &fault.actions(&NetworkSpec::default()).1);
            }
            kernel.run_until(SimTime::from_secs(61)).expect("no trouble");
            (during, done.load(Ordering::Relaxed))
        };
        assert_eq!(done(None), (1, 1));
        assert_eq!(done(Some(&DiskStall {})), (0, 1));
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_stall = {}", &[]);
    }
}
