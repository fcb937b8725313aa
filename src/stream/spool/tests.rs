//! The spool on simulated disks: what it promises, and what it does when the disk does not.

use std::borrow::Cow;
use std::time::Duration;

use super::*;
use crate::ports::testing::TestClock;
use crate::ports::{Disk, DiskFile};
use crate::sim::disk::{DiskFault, DiskStore, SimDisk};
use crate::sim::seed::Seed;
use crate::sim::world::CrashMode;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A chunk whose events tell which chunk they belong to.
fn chunk(id: u64, events: usize) -> Chunk {
    let event = |n: usize| EncodedEvent {
        json: format!(r#"{{"id":"{id}/{n}","text":"{}"}}"#, "x".repeat(n % 7)).into_bytes(),
        kind: Cow::Borrowed(if n.is_multiple_of(2) { "MESSAGE_QUEUE_BROKER" } else { "Odd" }),
    };
    Chunk {
        id: ChunkId(id),
        enqueued_at: NOW,
        attempts: 0,
        events: (0..events).map(event).collect(),
    }
}

fn run<F: Future>(future: F) -> F::Output {
    TestClock::default().run(future)
}

async fn open(store: &DiskStore) -> Result<Opened<SimDisk>, SpoolError> {
    Spool::open(store.mount(), SpoolConfig::default(), NOW).await
}

#[test]
fn smoke() {
    let store = DiskStore::new(Seed(1));
    run(async {
        let opened = open(&store).await.unwrap();
        println!("open {:?}", store.usage());
        opened.spool.append(vec![chunk(0, 3), chunk(3, 2)]).await.unwrap();
        println!("append {:?}", store.usage());
        assert_eq!(opened.spool.load(ChunkId(3)).await.unwrap(), Some(chunk(3, 2)));
        let settlement = Settlement { removed: vec![ChunkId(0)], ..Settlement::default() };
        opened.spool.settle(settlement).await.unwrap();
        println!("settle {:?}", store.usage());
        println!("{:?}", opened.spool.stats());
        drop(opened);
        let opened = open(&store).await.unwrap();
        println!("reopen {:?}", store.usage());
        assert_eq!(opened.chunks, [chunk(3, 2).meta()]);
        assert_eq!(opened.next_id, ChunkId(5));
        assert_eq!(opened.report, OpenReport::default());
        drop(opened.spool);
        let t = std::time::Instant::now();
        for n in 0..100 {
            let store = DiskStore::new(Seed(n));
            let opened = open(&store).await.unwrap();
            opened.spool.append(vec![chunk(0, 3), chunk(3, 2)]).await.unwrap();
            opened
                .spool
                .settle(Settlement { removed: vec![ChunkId(0)], ..Settlement::default() })
                .await
                .unwrap();
        }
        println!("{:?}", t.elapsed() / 100);
    });
}
