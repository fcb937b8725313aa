//! The spool on simulated disks: what it promises, and what it does when the disk does not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::ports::testing::TestClock;
use crate::ports::{Clock, Disk, DiskFile};
use crate::sim::disk::{DiskFault, DiskStore, SimDisk};
use crate::sim::seed::Seed;
use crate::sim::world::CrashMode;

mod damage;
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

fn removal(ids: &[u64]) -> Settlement {
    let removed = ids.iter().copied().map(ChunkId).collect();
    Settlement { removed, ..Settlement::default() }
}

fn letter(chunk: Chunk, reason: &str) -> DeadLetter {
    DeadLetter { chunk, reason: reason.to_owned(), attempts: 3, at: NOW }
}

fn burial(letters: Vec<DeadLetter>) -> Settlement {
    Settlement { dead: letters, ..Settlement::default() }
}

#[test]
fn what_is_appended_is_there_until_it_is_settled_in_every_life() {
    let store = DiskStore::new(Seed(1));
    run(async {
        let opened = open(&store).await.unwrap();
        assert_eq!((opened.chunks.len(), opened.next_id), (0, ChunkId(0)));
        let spool = opened.spool;
        let chunks = vec![chunk(0, 3), chunk(3, 1), chunk(4, 100)];
        spool.append(chunks.clone()).await.unwrap();
        spool.append(Vec::new()).await.unwrap();
        spool.settle(Settlement::default()).await.unwrap();
        for chunk in &chunks {
            assert_eq!(spool.load(chunk.id).await.unwrap().as_ref(), Some(chunk));
        }
        assert_eq!(spool.load(ChunkId(1)).await.unwrap(), None);
        // A chunk again, and one that is gone already: neither does harm.
        spool.append(vec![chunks[1].clone()]).await.unwrap();
        spool.settle(removal(&[0, 1, 77])).await.unwrap();
        spool.settle(removal(&[0])).await.unwrap();
        let mut halves = chunks[2].clone();
        let later = halves.events.split_off(40);
        let later = Chunk { id: ChunkId(44), events: later, attempts: 1, ..halves.clone() };
        let replaced = vec![(ChunkId(4), vec![halves.clone(), later.clone()])];
        spool.settle(Settlement { replaced, ..Settlement::default() }).await.unwrap();
        let stats = spool.stats();
        assert_eq!((stats.chunks, stats.appended, stats.removed, stats.errors), (3, 4, 2, 0));
        assert_eq!(stats.commits, 5);
        assert!(stats.file_bytes > 100_000 && stats.sync_count > 4 && stats.written_bytes > 4_096);
        drop(spool);
        let opened = open(&store).await.unwrap();
        let metas: Vec<ChunkMeta> = [&chunks[1], &halves, &later].map(Chunk::meta).to_vec();
        assert_eq!((&opened.chunks, opened.next_id), (&metas, ChunkId(104)));
        assert_eq!(opened.report, OpenReport::default());
        let bytes = metas.iter().map(|meta| meta.bytes).sum::<u64>();
        assert_eq!(opened.spool.stats().chunk_bytes, bytes);
        assert_eq!(opened.spool.load(ChunkId(44)).await.unwrap(), Some(later));
    });
}

#[test]
fn a_second_instance_is_refused_and_told_who_is_there() {
    let store = DiskStore::new(Seed(1));
    run(async {
        let config =
            SpoolConfig { owner: "process 4711\non a".to_owned(), ..SpoolConfig::default() };
        let first = Spool::open(store.mount(), config, NOW).await.unwrap();
        let error = open(&store).await.map(drop).unwrap_err();
        let expected = "the spool `spool` is in use by process 4711 on a; stop that one first, \
                        or give this one a folder of its own";
        assert_eq!((error.to_string().as_str(), error.is_transient()), (expected, false));
        let other = SpoolConfig { folder: "other".to_owned(), ..SpoolConfig::default() };
        Spool::open(store.mount(), other, NOW).await.unwrap();
        first.spool.append(vec![chunk(0, 1)]).await.unwrap();
        // The lock stays through a failure and what follows it.
        store.set_fault(Some(DiskFault::FailWrites { share: 1.0 }));
        first.spool.append(vec![chunk(1, 1)]).await.unwrap_err();
        assert_eq!(open(&store).await.map(drop).unwrap_err().class(), "locked");
        store.set_fault(None);
        first.spool.append(vec![chunk(1, 1)]).await.unwrap();
        first.spool.close().await.unwrap();
        assert_eq!(open(&store).await.map(drop).unwrap_err().class(), "locked");
        drop(first);
        assert_eq!(open(&store).await.unwrap().chunks.len(), 2);
    });
}

/// Every byte of a newer program's spool stays as it is.
#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let store = DiskStore::new(Seed(1));
    run(async {
        open(&store).await.unwrap().spool.append(vec![chunk(0, 1)]).await.unwrap();
        let disk = store.mount();
        let file = disk.open("spool/format").unwrap();
        file.write_at(0, b"shakedown spool, format 12\n").unwrap();
        let bytes = || {
            let names = disk.list("spool").unwrap();
            let names = names.into_iter().filter(|name| name != "lock");
            names
                .map(|name| (disk.read(&format!("spool/{name}")).unwrap(), name))
                .collect::<Vec<_>>()
        };
        let before = bytes();
        let error = open(&store).await.map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the spool `spool` has format 12, this program reads up to 1; run the newer program, \
             or give this one a folder of its own"
        );
        assert!(!error.is_transient());
        assert_eq!(bytes(), before);
        assert_eq!(before.len(), 2, "{before:?}");
        // A version that nobody can read: the data file has it too.
        for text in ["", "shakedown spool, format 0\n", "\u{0}\u{0}", "shakedown spool, format x"] {
            file.set_len(0).unwrap();
            file.write_at(0, text.as_bytes()).unwrap();
            assert_eq!(open(&store).await.unwrap().chunks.len(), 1);
            assert_eq!(disk.read("spool/format").unwrap(), b"shakedown spool, format 1\n");
        }
    });
}

#[test]
fn dead_letters_are_bounded_listed_replayed_and_purged() {
    let store = DiskStore::new(Seed(1));
    let config = SpoolConfig { dead_letters_max: 3, ..SpoolConfig::default() };
    let numbers = |letters: &[DeadLetterMeta]| letters.iter().map(|l| l.number).collect::<Vec<_>>();
    run(async {
        let spool = Spool::open(store.mount(), config, NOW).await.unwrap().spool;
        spool.append((0..6).map(|id| chunk(id, 1)).collect()).await.unwrap();
        let two = vec![letter(chunk(0, 1), "invalid"), letter(chunk(1, 1), "forbidden")];
        spool.settle(burial(two)).await.unwrap();
        assert_eq!(spool.load(ChunkId(0)).await.unwrap(), None, "it left the queue");
        let three = vec![
            letter(chunk(2, 1), "invalid"),
            letter(chunk(3, 1), "forbidden"),
            letter(chunk(4, 1), "invalid"),
        ];
        spool.settle(burial(three)).await.unwrap();
        let letters = spool.dead_letters().await.unwrap();
        assert_eq!(numbers(&letters), [2, 3, 4], "the oldest went");
        assert_eq!(spool.stats().dead_letters_dropped, 2);
        assert_eq!(letters[1].reason, "forbidden");
        assert_eq!((letters[1].attempts, letters[1].at), (3, NOW));
        assert_eq!(letters[1].chunk, chunk(3, 1).meta());
        let later = UnixMillis(NOW.0 + 1);
        let reason = DeadSelection::Reason("invalid".to_owned());
        let back = spool.replay_dead_letters(reason, later).await.unwrap();
        assert_eq!(back.iter().map(|meta| meta.id.0).collect::<Vec<_>>(), [6, 7]);
        let loaded = spool.load(ChunkId(7)).await.unwrap().unwrap();
        assert_eq!((loaded.enqueued_at, loaded.attempts), (later, 0));
        assert_eq!(loaded.events, chunk(4, 1).events);
        assert_eq!(spool.next_id().await.unwrap(), ChunkId(8));
        assert_eq!(numbers(&spool.dead_letters().await.unwrap()), [3]);
        let none = DeadSelection::Numbers(vec![2, 9]);
        assert_eq!(spool.purge_dead_letters(none).await.unwrap(), 0);
        let one = DeadSelection::Numbers(vec![3]);
        assert_eq!(spool.purge_dead_letters(one).await.unwrap(), 1);
        assert!(spool.replay_dead_letters(DeadSelection::All, NOW).await.unwrap().is_empty());
        drop(spool);
        // Bytes are a bound too, and none at all may be kept.
        for (bytes_max, count_max, kept) in
            [(chunk(9, 1).meta().bytes, 9, 1), (1, 9, 0), (99, 0, 0)]
        {
            let config = SpoolConfig {
                dead_letter_bytes_max: bytes_max,
                dead_letters_max: count_max,
                ..SpoolConfig::default()
            };
            let spool = Spool::open(store.mount(), config, NOW).await.unwrap().spool;
            let two = vec![letter(chunk(8, 1), "invalid"), letter(chunk(9, 1), "invalid")];
            spool.settle(burial(two)).await.unwrap();
            let letters = spool.dead_letters().await.unwrap();
            assert_eq!(letters.len(), kept);
            assert!(letters.iter().all(|letter| letter.chunk.id == ChunkId(9)), "the newest stay");
        }
    });
}

/// Whatever the disk does, the spool works as soon as the disk does, and has lost nothing.
#[test]
fn it_works_again_when_the_disk_does() {
    let faults = [
        (DiskFault::Full { free_bytes: 0 }, "full"),
        (DiskFault::FailWrites { share: 1.0 }, "io"),
        (DiskFault::FailSyncs { share: 1.0 }, "io"),
    ];
    for (fault, class) in faults {
        let store = DiskStore::new(Seed(1));
        run(async {
            let spool = open(&store).await.unwrap().spool;
            spool.append(vec![chunk(0, 3)]).await.unwrap();
            store.set_fault(Some(fault));
            // More than the file has room for without growing.
            let mut big = chunk(3, 2);
            big.events[0].json = vec![b'b'; 3 << 20];
            for _ in 0..3 {
                let error = spool.append(vec![big.clone()]).await.unwrap_err();
                assert_eq!((error.class(), error.is_transient()), (class, true), "{fault:?}");
            }
            let stats = spool.stats();
            assert!(stats.last_error.is_some() && stats.errors == 3, "{stats:?}");
            store.set_fault(None);
            assert_eq!(spool.load(ChunkId(3)).await.unwrap(), None, "it was refused");
            spool.append(vec![big.clone()]).await.unwrap();
            assert_eq!(spool.stats().last_error, None);
            store.crash(CrashMode::Power);
            drop(spool);
            let opened = open(&store).await.unwrap();
            assert_eq!(opened.chunks, [chunk(0, 3).meta(), big.meta()], "{fault:?}");
            assert_eq!(opened.report, OpenReport::default());
            assert_eq!(opened.spool.load(ChunkId(0)).await.unwrap(), Some(chunk(0, 3)));
        });
    }
    let store = DiskStore::new(Seed(1));
    run(async {
        let spool = open(&store).await.unwrap().spool;
        spool.append(vec![chunk(0, 3)]).await.unwrap();
        spool.close().await.unwrap();
        store.set_fault(Some(DiskFault::FailReads { share: 1.0 }));
        assert_eq!(spool.load(ChunkId(0)).await.unwrap_err().class(), "io");
        assert_eq!(open(&store).await.map(drop).unwrap_err().class(), "locked");
        store.set_fault(None);
        assert_eq!(spool.load(ChunkId(0)).await.unwrap(), Some(chunk(0, 3)));
    });
}

/// A disk that is full to the last byte when the pipeline starts again: what is there can be read
/// and taken out, for that needs no room that the file does not have.
#[test]
fn a_full_disk_keeps_nobody_from_starting() {
    for mode in [CrashMode::Process, CrashMode::Power] {
        let store = DiskStore::new(Seed(1));
        run(async {
            let spool = open(&store).await.unwrap().spool;
            spool.append(vec![chunk(0, 3), chunk(3, 1)]).await.unwrap();
            store.crash(mode);
            drop(spool);
            store.set_fault(Some(DiskFault::Full { free_bytes: 0 }));
            let spool = open(&store).await.unwrap().spool;
            assert_eq!(spool.load(ChunkId(0)).await.unwrap(), Some(chunk(0, 3)));
            spool.settle(removal(&[0])).await.unwrap();
            drop(spool);
            store.set_fault(None);
            assert_eq!(open(&store).await.unwrap().chunks, [chunk(3, 1).meta()]);
        });
    }
}

#[test]
fn the_limit_of_bytes_holds() {
    let store = DiskStore::new(Seed(1));
    let bytes_max = chunk(0, 3).meta().bytes + chunk(3, 1).meta().bytes;
    let config = SpoolConfig { bytes_max, ..SpoolConfig::default() };
    run(async {
        let spool = Spool::open(store.mount(), config, NOW).await.unwrap().spool;
        spool.append(vec![chunk(0, 3), chunk(3, 1)]).await.unwrap();
        let error = spool.append(vec![chunk(4, 1)]).await.unwrap_err();
        assert!(error.is_full() && error.to_string().contains("limit"), "{error}");
        spool.settle(removal(&[3])).await.unwrap();
        spool.append(vec![chunk(4, 1)]).await.unwrap();
    });
}

/// The file is as long as what waits makes it, not as long as it ever was.
#[test]
fn the_file_does_not_stay_long() {
    let store = DiskStore::new(Seed(1));
    run(async {
        let opened = open(&store).await.unwrap();
        let spool = opened.spool;
        let big = |id: u64| {
            let mut big = chunk(id, 1);
            big.events[0].json = vec![b'b'; 900_000];
            big
        };
        let mut longest = 0;
        for round in 0..3 {
            for id in 0..20 {
                spool.append(vec![big(round * 100 + id)]).await.unwrap();
            }
            longest = longest.max(spool.stats().file_bytes);
            let ids: Vec<u64> = (0..19).map(|id| round * 100 + id).collect();
            spool.settle(removal(&ids)).await.unwrap();
            let kept = spool.stats().file_bytes;
            assert!(kept < 8 << 20, "round {round}: {kept} of {longest}");
        }
        assert!((18 << 20..60 << 20).contains(&longest), "{longest}");
        for round in 0..3 {
            let kept = spool.load(ChunkId(round * 100 + 19)).await.unwrap();
            assert_eq!(kept, Some(big(round * 100 + 19)));
        }
        // Coming and going for a long time.
        for id in 1_000..1_200 {
            spool.append(vec![big(id)]).await.unwrap();
            spool.settle(removal(&[id])).await.unwrap();
        }
        let stats = spool.stats();
        assert!(stats.file_bytes < 16 << 20, "{stats:?}");
        store.crash(CrashMode::Power);
        drop(spool);
        assert_eq!(open(&store).await.unwrap().chunks.len(), 3);
    });
}

/// A call whose future is dropped happened or did not, and the calls after it come after it.
#[test]
fn a_dropped_call_is_whole_or_nothing() {
    let clock = TestClock::default();
    let store = DiskStore::new(Seed(1));
    clock.run(async {
        let ms = Duration::from_millis;
        let opened = Spool::open(store.mount_on(&clock), SpoolConfig::default(), NOW).await;
        let spool = opened.unwrap().spool;
        spool.append(vec![chunk(0, 2)]).await.unwrap();
        // While the disk is stalled nothing begins.
        store.set_fault(Some(DiskFault::Stalled));
        let late = crate::rt::race(spool.append(vec![chunk(2, 1)]), clock.sleep(ms(50))).await;
        assert!(matches!(late, crate::rt::Race::Second(())));
        store.set_fault(None);
        assert_eq!(spool.load(ChunkId(2)).await.unwrap(), None);
        // On a slow one it has happened before anybody hears of it.
        store.set_fault(Some(DiskFault::Slow { per_operation: ms(10) }));
        let late = crate::rt::race(spool.append(vec![chunk(3, 1)]), clock.sleep(ms(15))).await;
        assert!(matches!(late, crate::rt::Race::Second(())));
        assert_eq!(spool.load(ChunkId(3)).await.unwrap(), Some(chunk(3, 1)));
        // Calls made at once are carried out in the order of the calls.
        let settle = spool.settle(removal(&[4]));
        let both = futures_util::future::join(spool.append(vec![chunk(4, 1)]), settle).await;
        assert!(both.0.is_ok() && both.1.is_ok());
        assert_eq!(spool.load(ChunkId(4)).await.unwrap(), None);
    });
}

/// Without syncs none is made before the end; a crash of the process loses nothing all the same.
#[test]
fn without_syncs_only_power_takes_something() {
    let config = SpoolConfig { sync: false, ..SpoolConfig::default() };
    let mut lost = 0;
    for seed in 0..40 {
        let store = DiskStore::new(Seed(seed));
        run(async {
            let spool = Spool::open(store.mount(), config.clone(), NOW).await.unwrap().spool;
            let before = store.usage().syncs;
            for id in 0..10 {
                spool.append(vec![chunk(10 * id, 10)]).await.unwrap();
            }
            assert_eq!(store.usage().syncs, before);
            store.crash(CrashMode::Process);
            drop(spool);
            let opened = Spool::open(store.mount(), config.clone(), NOW).await.unwrap();
            assert_eq!((opened.chunks.len(), opened.report), (10, OpenReport::default()));
            opened.spool.append(vec![chunk(100, 1)]).await.unwrap();
            opened.spool.close().await.unwrap();
            store.crash(CrashMode::Power);
            drop(opened.spool);
            let opened = Spool::open(store.mount(), config.clone(), NOW).await.unwrap();
            assert_eq!((opened.chunks.len(), opened.report), (11, OpenReport::default()));
            opened.spool.append(vec![chunk(101, 1)]).await.unwrap();
            store.crash(CrashMode::Power);
            drop(opened.spool);
            let opened = Spool::open(store.mount(), config.clone(), NOW).await.unwrap();
            for meta in &opened.chunks {
                let events = if meta.id.0 < 100 { 10 } else { 1 };
                let loaded = opened.spool.load(meta.id).await.unwrap();
                assert_eq!(loaded, Some(chunk(meta.id.0, events)));
            }
            lost += 11_usize.saturating_sub(opened.chunks.len());
            lost += usize::from(!opened.chunks.iter().any(|meta| meta.id.0 == 101));
        });
    }
    assert!(lost > 5, "{lost}: nothing would have been lost with syncs either");
}
