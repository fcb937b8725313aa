//! The spool on simulated disks: what it promises, and what it does when the disk does not.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::*;
use crate::ports::testing::TestClock;
use crate::ports::{Disk, DiskFile};
use crate::sim::disk::{DiskFault, DiskStore, SimDisk};
use crate::sim::seed::Seed;
use crate::sim::world::CrashMode;

mod laws;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A chunk whose events tell which chunk they belong to.
fn chunk(id: u64, events: usize) -> Chunk {
    let event = |n: usize| EncodedEvent {
        json: format!(r#"{{"id":"{id}/{n}","text":"{}"}}"#, "x".repeat(n % 7)).into_bytes(),
        kind: Cow::Borrowed(if n.is_multiple_of(2) { "MESSAGE_QUEUE_BROKER" } else { "Odd" }),
    };
    let events = (0..events).map(event).collect();
    Chunk { id: ChunkId(id), enqueued_at: NOW, attempts: 0, events }
}

fn run<F: Future>(future: F) -> F::Output {
    TestClock::default().run(future)
}

async fn open(store: &DiskStore) -> Result<Opened<SimDisk>, SpoolError> {
    Spool::open(store.mount(), SpoolConfig::default(), NOW).await
}
