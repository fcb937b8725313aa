//! A disk without room.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::disk_fault;
use crate::config::quantity::SizeText;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// A disk without room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskFull {
    /// Bytes by which files may still grow; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-absent" = "0B"))]
    pub free: Option<SizeText>,
}

impl Body for DiskFull {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        "disk of pipeline: full".to_owned()
    }

    fn prose(&self) -> String {
        match self.free {
            Some(size) => format!("the pipeline's disk is full but for {size}"),
            None => "the pipeline's disk is full".to_owned(),
        }
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        disk_fault(DiskFault::Full { free_bytes: self.free.map_or(0, |size| size.0) })
    }
}

impl Kind for DiskFull {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str =
        "The pipeline's disk is full: files can grow no further, or by little.";
    const PROSE: &'static str = "the pipeline's disk is full[ but for <size>]";
    const EXAMPLE: &'static str = r#"disk_full = { free = "64KiB" }"#;
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let free = lot.chance(0.5).then(|| SizeText(lot.between(1, 64) << 10));
        stage.spool.then_some(Self { free })
    }

    fn simpler(&self) -> Vec<Self> {
        if self.free.is_some() { vec![Self { free: None }] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::super::testing::{host_under, refused};
    use super::*;
    use crate::ports::{Disk, DiskFile, Ports};
    use crate::sim::time::SimTime;
    use crate::sim::world::World;

    #[test]
    fn files_grow_by_what_is_free() {
        let written = |fault: Option<DiskFull>| {
            let written = Arc::new(Mutex::new(0_u64));
            let count = Arc::clone(&written);
            let main = move |ports: crate::sim::kernel::KernelPorts| {
                let file = ports.disk().open("file").expect("a file");
                let grows = |nth: &u64| file.write_at(nth * 1_024, &[b'x'; 1_024]).is_ok();
                *count.lock().expect("whole") = (0..8).take_while(grows).count() as u64;
                Box::pin(std::future::ready(())) as _
            };
            let fault = fault.as_ref().map(|fault| fault as &dyn Body);
            let mut kernel = host_under(fault, 1, Box::new(main));
            kernel.run_until(SimTime::from_millis(1)).expect("no trouble");

            *written.lock().expect("whole")
        };
        assert_eq!(written(None), 8);
        assert_eq!(written(Some(DiskFull { free: Some(SizeText(3 << 10)) })), 3);
        assert_eq!(written(Some(DiskFull { free: None })), 0);
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_full = {}", &["disk_full = { free = 3 }"]);
    }
}
