//! Faults of the pipeline's own host: its clock, its disk, its memory, and pauses, which may befall
//! any host. Crashes are the same for every host.

use super::Action;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::world::NetworkFault;

pub mod clock_jump;
pub mod disk_errors;
pub mod disk_full;
pub mod disk_lies;
pub mod disk_slow;
pub mod disk_stall;
pub mod disk_torn_writes;
pub mod memory_cap;
pub mod pause;

/// What faults of the disk hit.
const DISK: &str = "disk of pipeline";

fn disk_fault(fault: DiskFault) -> (Vec<Action>, Vec<Action>) {
    let disk =
        |fault| vec![Action::Network(NetworkFault::Disk { host: PIPELINE_HOST.to_owned(), fault })];
    (disk(Some(fault)), disk(None))
}
