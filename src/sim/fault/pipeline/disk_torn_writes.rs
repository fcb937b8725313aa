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
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(_lot: &mut Lot, stage: &Stage) -> Option<Self> {
        stage.spool.then_some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::super::testing::refused;
    use super::*;
    use crate::domain::units::UnixMillis;
    use crate::ports::{Disk, DiskFile, Ports};
    use crate::sim::kernel::{Kernel, KernelConfig, KernelPorts};
    use crate::sim::scenario::PIPELINE_HOST;
    use crate::sim::seed::Seed;
    use crate::sim::time::SimTime;
    use crate::sim::trace::{Sink, Trace};
    use crate::sim::world::{CrashMode, HostFactory, NetworkFault, World};

    /// Bytes of an unsynced write that a power loss left.
    fn left(seed: u64, torn: bool) -> usize {
        let config = KernelConfig::new(Seed(seed), UnixMillis(1_767_614_400_000));
        let mut kernel = Kernel::new(config, Trace::new(Sink::None));
        let left = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&left);
        let factory: HostFactory<KernelPorts> = Box::new(move |ports| {
            let seen = Arc::clone(&seen);
            Box::pin(async move {
                let bytes = ports.disk().read("file").expect("readable");
                *seen.lock().expect("whole") = bytes.iter().filter(|byte| **byte == b'x').count();
                let file = ports.disk().open("file").expect("a file");
                file.write_at(0, &[b'x'; 4_096]).expect("room");
            })
        });
        kernel.host(PIPELINE_HOST, factory).expect("a new name");
        if torn {
            for action in (DiskTornWrites {}).actions(&NetworkSpec::default()).0 {
                let Action::Network(fault) = action else { panic!("{action:?}") };
                kernel.apply(&fault).expect("the kernel can");
            }
        }
        kernel.run_until(SimTime::from_millis(1)).expect("no trouble");
        let (host, mode) = (PIPELINE_HOST.to_owned(), CrashMode::Power);
        kernel.apply(&NetworkFault::Crash { host: host.clone(), mode }).expect("the kernel can");
        kernel.apply(&NetworkFault::Restart { host }).expect("the kernel can");
        kernel.run_until(SimTime::from_millis(2)).expect("no trouble");
        let left = *left.lock().expect("whole");
        left
    }

    #[test]
    fn a_power_loss_tears_within_a_sector() {
        let torn = |torn| (0..40).filter(|seed| left(*seed, torn) % 512 != 0).count();
        assert_eq!(torn(false), 0);
        assert!(torn(true) > 0);
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_torn_writes = {}", &[]);
    }
}
