//! Files that are not what was written: what is served is genuine, what is lost is told, and what
//! was damaged is kept.

use super::*;

const DATA: &str = "spool/spool.redb";

/// A chunk too long to share a page with another.
fn long(id: u64) -> Chunk {
    let mut long = chunk(id, 3);
    long.events[1].json = format!("{{\"long\":\"{id}{}\"}}", "j".repeat(9_000)).into_bytes();
    long
}

/// A spool that was used and closed: chunks 0, 3, …, 27 came, 0 to 9 went, 12 is a dead letter.
fn used(store: &DiskStore) -> Vec<Chunk> {
    run(async {
        let spool = open(store).await.unwrap().spool;
        for id in 0..10 {
            spool.append(vec![long(3 * id)]).await.unwrap();
        }
        let letter =
            DeadLetter { chunk: long(12), reason: "invalid".to_owned(), attempts: 2, at: NOW };
        let removed = [0, 3, 6, 9].map(ChunkId).to_vec();
        let settlement = Settlement { removed, dead: vec![letter], ..Settlement::default() };
        spool.settle(settlement).await.unwrap();
        spool.close().await.unwrap();
    });
    [15, 18, 21, 24, 27].map(long).to_vec()
}

struct Reopened {
    chunks: Vec<Chunk>,
    dead: Vec<DeadLetterMeta>,
    report: OpenReport,
    next_id: u64,
}

async fn reopen(store: &DiskStore) -> Reopened {
    let opened = open(store).await.unwrap();
    let mut chunks = Vec::new();
    for meta in &opened.chunks {
        chunks.push(opened.spool.load(meta.id).await.unwrap().unwrap());
    }
    let dead = opened.spool.dead_letters().await.unwrap();
    // Whatever happened before, it works from here on.
    let id = opened.next_id.0;
    opened.spool.append(vec![chunk(id, 1)]).await.unwrap();
    let removed = vec![ChunkId(id)];
    opened.spool.settle(Settlement { removed, ..Settlement::default() }).await.unwrap();
    Reopened { chunks, dead, report: opened.report, next_id: id }
}

/// Offsets at which `needle` lies in the data file.
fn places(store: &DiskStore, needle: &str) -> Vec<usize> {
    let bytes = store.mount().read(DATA).unwrap();
    memchr::memmem::find_iter(&bytes, needle).collect()
}

fn overwrite(store: &DiskStore, path: &str, offset: u64, bytes: &[u8]) {
    let file = store.mount().open(path).unwrap();
    file.write_at(offset, bytes).unwrap();
    file.sync().unwrap();
}

/// One record is hit: all others are served, the one is counted, and nothing that had left comes
/// back, for the tree still tells what waits.
#[test]
fn a_damaged_record_costs_that_record() {
    for sought in [15, 21, 27] {
        let store = DiskStore::new(Seed(1));
        let chunks = used(&store);
        let hits = places(&store, &format!("{{\"long\":\"{sought}j"));
        assert_eq!(hits.len(), 1);
        overwrite(&store, DATA, hits[0] as u64 + 100, b"?");
        let found = run(reopen(&store));
        let expected: Vec<Chunk> = chunks.into_iter().filter(|c| c.id.0 != sought).collect();
        assert_eq!(found.chunks, expected);
        assert_eq!(found.dead.len(), 1);
        let report = found.report;
        assert_eq!((report.salvaged_chunks, report.lost_chunks), (4, 1));
        assert_eq!((report.salvaged_dead_letters, report.lost_bytes > 9_000), (1, true));
        assert_eq!(report.corrupt_file.as_deref(), Some("spool.redb.corrupt-1"));
        let aside = store.mount().read("spool/spool.redb.corrupt-1").unwrap();
        assert_eq!(aside[hits[0] + 100], b'?', "what was damaged is kept as it was");
        assert_eq!(found.next_id, 30, "numbers are not given out twice");
        assert_eq!(run(reopen(&store)).report, OpenReport::default(), "it is repaired");
    }
}

/// Any byte of the file is hit: nothing is served that was not handed over, everything else is
/// there, and a loss is told.
#[test]
fn a_damaged_byte_anywhere_is_found() {
    let store = DiskStore::new(Seed(1));
    let chunks = used(&store);
    let (whole, mut examined, mut repaired) = (store.mount().read(DATA).unwrap(), 0, 0);
    let written = whole.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at);
    // The first pages byte by byte, for they hold the file's own account of itself.
    let offsets = (0..400).chain(written.step_by(997)).chain([4_096, 8_191, whole.len() - 1]);
    for offset in offsets {
        let store = DiskStore::new(Seed(1));
        used(&store);
        overwrite(&store, DATA, offset as u64, &[whole[offset] ^ 0x41]);
        let found = run(reopen(&store));
        let lost: Vec<_> = chunks.iter().filter(|chunk| !found.chunks.contains(chunk)).collect();
        assert!(lost.len() <= 1, "byte {offset}: lost {lost:?}");
        assert_eq!(found.report.lost_chunks, lost.len() as u64, "byte {offset}");
        let came_back = found.chunks.iter().filter(|chunk| !chunks.contains(chunk));
        for chunk in came_back {
            assert_eq!(*chunk, long(chunk.id.0), "byte {offset}");
            assert!(found.report.corrupt_file.is_some(), "byte {offset}");
        }
        examined += 1;
        repaired += u64::from(found.report.corrupt_file.is_some());
    }
    assert!(examined > 400 && repaired > 30, "{examined} examined, {repaired} repaired");
}

/// Files that are no data files at all, or only the beginning of one.
#[test]
fn a_file_that_makes_no_sense_is_moved_aside() {
    let whole = {
        let store = DiskStore::new(Seed(1));
        used(&store);
        store.mount().read(DATA).unwrap()
    };
    let noise: Vec<u8> =
        (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut headless = whole.clone();
    headless[..4_096].fill(0);
    let cases: [(&str, Vec<u8>, usize); 7] = [
        ("empty", Vec::new(), 0),
        ("one byte", vec![b'r'], 0),
        ("noise", noise, 0),
        ("zeros", vec![0; 1 << 20], 0),
        ("a header only", whole[..4_096].to_vec(), 0),
        ("without its end", whole[..whole.len() - 8_192].to_vec(), 5),
        ("without its header", headless, 5),
    ];
    for (name, bytes, saved) in cases {
        let store = DiskStore::new(Seed(1));
        let chunks = used(&store);
        let file = store.mount().open(DATA).unwrap();
        file.set_len(0).unwrap();
        overwrite(&store, DATA, 0, &bytes);
        let found = run(reopen(&store));
        let there = chunks.iter().filter(|chunk| found.chunks.contains(chunk)).count();
        assert!(there >= saved, "{name}: {there} of {saved}");
        assert_eq!(found.report.corrupt_file.as_deref(), Some("spool.redb.corrupt-1"), "{name}");
        let order: Vec<ChunkId> = found.chunks.iter().map(|chunk| chunk.id).collect();
        assert!(order.is_sorted(), "{name}");
        // And once more: the first one that was moved aside stays where it is.
        overwrite(&store, DATA, 0, b"again");
        let found = run(reopen(&store));
        assert_eq!(found.report.corrupt_file.as_deref(), Some("spool.redb.corrupt-2"), "{name}");
        let names = store.mount().list("spool").unwrap();
        assert!(names.iter().any(|name| name == "spool.redb.corrupt-1"), "{names:?}");
    }
}

/// A host that dies at any operation of a repair has it done by the next one.
#[test]
fn a_repair_that_is_cut_short_is_repeated() {
    for (mode, seeds) in [(CrashMode::Process, 0..2), (CrashMode::Power, 0..6)] {
        for seed in seeds {
            let mut points = 0;
            loop {
                points += 1;
                let store = DiskStore::new(Seed(seed));
                let chunks = used(&store);
                let hit = places(&store, "{\"long\":\"21j")[0] as u64;
                overwrite(&store, DATA, hit, b"?");
                store.die_after(points);
                let result = run(open(&store));
                let died = store.died();
                assert_eq!(result.is_err(), died);
                store.crash(mode);
                drop(result);
                let found = run(reopen(&store));
                let expected: Vec<Chunk> =
                    chunks.into_iter().filter(|chunk| chunk.id.0 != 21).collect();
                assert_eq!(found.chunks, expected, "point {points}");
                let names = store.mount().list("spool").unwrap();
                let aside = names.iter().filter(|name| name.contains("corrupt")).count();
                assert_eq!(aside, 1, "point {points}: {names:?}");
                if !died {
                    break;
                }
            }
            assert!(points > 20, "{points} points");
        }
    }
}

/// The file is damaged while it is open: the chunk is not served, the others are.
#[test]
fn damage_is_found_when_a_chunk_is_read() {
    let store = DiskStore::new(Seed(1));
    let chunks = used(&store);
    let hit = places(&store, "{\"long\":\"18j")[0] as u64;
    run(async {
        let spool = open(&store).await.unwrap().spool;
        overwrite(&store, DATA, hit + 7, b"???");
        // What the opening read is in memory still, and right.
        spool.close().await.unwrap();
        assert_eq!(spool.load(ChunkId(18)).await.unwrap(), None);
        for chunk in chunks.iter().filter(|chunk| chunk.id.0 != 18) {
            assert_eq!(spool.load(chunk.id).await.unwrap().as_ref(), Some(chunk));
        }
        let stats = spool.stats();
        assert_eq!((stats.repaired.lost_chunks, stats.chunks), (1, 4));
    });
}

/// A disk that confirms what it did not do: after a loss of power everything that is served was
/// handed over, and a file that came out torn is repaired and reported. That changes as a whole
/// went missing, nobody can see.
#[test]
fn a_lying_disk_never_has_anything_served_that_was_not_handed_over() {
    let (mut missing, mut repaired, mut served) = (0, 0, 0);
    for seed in 0..150 {
        let store = DiskStore::new(Seed(seed));
        let mut ever = Vec::new();
        run(async {
            let spool = open(&store).await.unwrap().spool;
            for round in 0..4 {
                if round == seed % 3 {
                    store.set_fault(Some(DiskFault::LyingSync));
                    if seed % 2 == 0 {
                        store.set_fault(Some(DiskFault::TornWrites));
                    }
                }
                let chunks: Vec<Chunk> = (0..3).map(|n| long(round * 9 + 3 * n)).collect();
                ever.extend(chunks.clone());
                spool.append(chunks).await.unwrap();
                let removed = vec![ChunkId(round * 9)];
                spool.settle(Settlement { removed, ..Settlement::default() }).await.unwrap();
            }
            store.crash(CrashMode::Power);
            store.set_fault(None);
            drop(spool);
        });
        let found = run(reopen(&store));
        assert!(found.chunks.iter().all(|chunk| ever.contains(chunk)), "seed {seed}");
        served += found.chunks.len();
        missing += ever.iter().filter(|chunk| !found.chunks.contains(chunk)).count();
        repaired += u64::from(found.report.corrupt_file.is_some());
        store.crash(CrashMode::Power);
        let again = run(reopen(&store));
        assert_eq!((again.chunks, again.report), (found.chunks, OpenReport::default()));
    }
    assert!(repaired > 10 && missing > 100 && served > 100, "{repaired} {missing} {served}");
}
