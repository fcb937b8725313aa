//! A disk that tears writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::disk_fault;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// A disk that tears writes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskTornWrites {}

impl Body for DiskTornWrites {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        "disk of pipeline: torn writes".to_owned()
    }

    fn prose(&self) -> String {
        "the pipeline's disk tears writes when the power is lost".to_owned()
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        disk_fault(DiskFault::TornWrites)
    }
}

impl Kind for DiskTornWrites {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "A power loss tears unsynced writes of the pipeline's disk at any byte, not only between sectors.";
    const PROSE: &'static str = "the pipeline's disk tears writes when the power is lost";
    const EXAMPLE: &'static str = "disk_torn_writes = {}";
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(_lot: &mut Lot, stage: &Stage) -> Option<Self> {
        stage.spool.then_some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::super::testing::{host_under, refused};
    use super::*;
    use crate::ports::{Disk, DiskFile, Ports};
    use crate::sim::scenario::PIPELINE_HOST;
    use crate::sim::time::SimTime;
    use crate::sim::world::{CrashMode, NetworkFault, World};

    /// Bytes of an unsynced write that a power loss left.
    fn left(seed: u64, torn: bool) -> usize {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let fault = DiskTornWrites {};
        let fault = torn.then_some(&fault as &dyn Body);
        let main = move |ports: crate::sim::kernel::KernelPorts| {
            let bytes = ports.disk().read("file").unwrap_or_default();
            let kept = bytes.iter().filter(|byte| **byte == b'x').count();
            notes.lock().expect("whole").push(kept);
            let file = ports.disk().open("file").expect("a file");
            file.sync().expect("synced");
            file.write_at(0, &[b'x'; 4_096]).expect("room");
            Box::pin(std::future::ready(())) as _
        };
        let mut kernel = host_under(fault, seed, Box::new(main));
        kernel.run_until(SimTime::from_millis(1)).expect("no trouble");
        let (host, mode) = (PIPELINE_HOST.to_owned(), CrashMode::Power);
        kernel.apply(&NetworkFault::Crash { host: host.clone(), mode }).expect("the kernel can");
        kernel.apply(&NetworkFault::Restart { host }).expect("the kernel can");
        kernel.run_until(SimTime::from_millis(2)).expect("no trouble");
        let seen = seen.lock().expect("whole");
        assert_eq!(seen.len(), 2);
        seen[1]
    }

    #[test]
    fn a_power_loss_tears_within_a_sector() {
        let torn = |torn| (0..40).filter(|seed| !left(*seed, torn).is_multiple_of(512)).count();
        assert_eq!(torn(false), 0);
        assert!(torn(true) > 0);
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_torn_writes = {}", &[]);
    }
}
