//! Files, locks, and what crashes of both kinds leave of them.

use super::*;
use crate::ports::testing::TestClock;

fn disk() -> (DiskStore, SimDisk) {
    let store = DiskStore::new(Seed(1));
    let disk = store.mount();
    (store, disk)
}

fn put(disk: &SimDisk, path: &str, data: &[u8]) -> SimFile {
    let file = disk.open(path).unwrap();
    file.write_at(0, data).unwrap();
    file
}

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn files_behave_as_files() {
    let (_store, disk) = disk();
    let file = put(&disk, "spool/a", b"hello");
    file.write_at(8, b"!").unwrap();
    assert_eq!(disk.read("spool/a").unwrap(), b"hello\0\0\0!");
    file.set_len(4).unwrap();
    assert_eq!((file.len().unwrap(), file.is_empty().unwrap()), (4, false));
    let mut part = [0; 3];
    file.read_at(1, &mut part).unwrap();
    assert_eq!(&part, b"ell");
    put(&disk, "spool/b", b"");
    put(&disk, "spool/deep/c", b"");
    put(&disk, "root", b"");
    assert_eq!(disk.list("spool").unwrap(), ["a", "b"]);
    assert_eq!(disk.list("").unwrap(), ["root"]);
    disk.rename("spool/a", "spool/b").unwrap();
    assert_eq!(disk.list("spool").unwrap(), ["b"]);
    assert_eq!(disk.read("spool/b").unwrap(), b"hell");
    disk.remove("spool/b").unwrap();
    assert_eq!(disk.list("spool").unwrap(), [""; 0]);
    assert_eq!(file.len().unwrap(), 4, "an open file outlives its name");
}

#[test]
fn errors_are_those_of_the_real_thing() {
    use io::ErrorKind::*;
    let (_store, disk) = disk();
    let file = put(&disk, "folder/file", b"12345");
    let check = |found: Option<io::ErrorKind>, expected| assert_eq!(found, Some(expected));
    check(kind(disk.read("none")), NotFound);
    check(kind(disk.remove("none")), NotFound);
    check(kind(disk.list("none")), NotFound);
    check(kind(disk.rename("none", "some")), NotFound);
    check(kind(disk.rename("folder/file", "none/file")), NotFound);
    check(kind(disk.rename("folder/file", "folder")), IsADirectory);
    check(kind(disk.open("folder")), IsADirectory);
    check(kind(disk.read("folder")), IsADirectory);
    check(kind(disk.open("folder/file/below")), NotADirectory);
    for path in ["", "/root", "a//b", "../up", "a/.", "a/"] {
        check(kind(disk.open(path)), InvalidInput);
    }
    check(kind(file.read_at(3, &mut [0; 3])), UnexpectedEof);
    check(kind(file.read_at(u64::MAX, &mut [0; 3])), FileTooLarge);
    check(kind(file.write_at(FILE_BYTES_MAX, b"x")), FileTooLarge);
    check(kind(file.set_len(u64::MAX)), FileTooLarge);
}

#[test]
fn locks_exclude_and_die_with_their_holder() {
    let (store, disk) = disk();
    let held = disk.lock("spool.lock").unwrap();
    assert_eq!(kind(disk.clone().lock("spool.lock")), Some(io::ErrorKind::WouldBlock));
    drop(held);
    let forgotten = disk.lock("spool.lock").unwrap();
    store.crash(CrashMode::Process);
    let _ours = store.mount().lock("spool.lock").unwrap();
    drop(forgotten);
    assert_eq!(kind(store.mount().lock("spool.lock")), Some(io::ErrorKind::WouldBlock));
}

#[test]
fn a_process_crash_keeps_every_write_and_kills_handles() {
    let (store, disk) = disk();
    let file = put(&disk, "a", b"unsynced");
    store.crash(CrashMode::Process);
    assert_eq!(store.mount().read("a").unwrap(), b"unsynced");
    for result in [file.write_at(0, b"x"), file.sync(), file.len().map(drop)] {
        assert_eq!(kind(result), Some(io::ErrorKind::Other));
    }
    assert_eq!(kind(disk.read("a")), Some(io::ErrorKind::Other));
}

/// What a power loss leaves is what some of the changes make; over many seeds every choice of
/// them happens, and only a disk that tears its writes leaves a part of one.
#[test]
fn a_power_loss_keeps_any_of_what_was_not_synced() {
    let seen = |fault: Option<DiskFault>| {
        let mut seen = BTreeSet::new();
        for seed in 0..1_000 {
            let store = DiskStore::new(Seed(seed));
            store.set_fault(fault);
            let file = put(&store.mount(), "a", b"....");
            file.sync().unwrap();
            file.write_at(0, b"AB").unwrap();
            file.set_len(3).unwrap();
            file.write_at(2, b"CD").unwrap();
            store.crash(CrashMode::Power);
            let left = store.mount().read("a").unwrap();
            store.crash(CrashMode::Power);
            assert_eq!(store.mount().read("a").unwrap(), left, "nothing more to lose");
            seen.insert(String::from_utf8(left).unwrap());
        }
        seen
    };
    let whole = ["....", "AB..", "...", "AB.", "..CD", "ABCD"].map(str::to_owned);
    assert_eq!(seen(None), whole.clone().into());
    let torn = seen(Some(DiskFault::TornWrites));
    assert!(whole.iter().all(|state| torn.contains(state)));
    assert!(torn.contains("A...") && torn.contains("..C"), "{torn:?}");
}

/// A write of several sectors is torn between two of them.
#[test]
fn a_power_loss_tears_long_writes_between_sectors() {
    let mut lengths = BTreeSet::new();
    for seed in 0..300 {
        let store = DiskStore::new(Seed(seed));
        let file = put(&store.mount(), "a", b"");
        file.sync().unwrap();
        file.write_at(0, &[b'x'; 1_500]).unwrap();
        store.crash(CrashMode::Power);
        lengths.insert(store.mount().read("a").unwrap().len());
    }
    assert_eq!(lengths, [0, 512, 1_500].into());
}

/// The order of changes between two syncs makes no difference to what a power loss leaves.
#[test]
fn fates_do_not_depend_on_the_order_of_writes() {
    for seed in 0..100 {
        let left = [[0_usize, 1, 2, 3], [3, 1, 0, 2]].map(|order| {
            let store = DiskStore::new(Seed(seed));
            let file = put(&store.mount(), "a", &[b'.'; 4]);
            file.sync().unwrap();
            for at in order {
                file.write_at(at as u64, &[b'A' + at as u8]).unwrap();
            }
            store.crash(CrashMode::Power);
            store.mount().read("a").unwrap()
        });
        assert_eq!(left[0], left[1], "seed {seed}");
    }
}

#[test]
fn what_was_synced_or_renamed_survives_and_what_was_not_may_vanish() {
    let mut unsynced_survived = 0;
    for seed in 0..100 {
        let store = DiskStore::new(Seed(seed));
        let disk = store.mount();
        put(&disk, "synced", b"kept").sync().unwrap();
        put(&disk, "new", b"maybe");
        put(&disk, "draft", b"maybe");
        disk.rename("draft", "final").unwrap();
        store.crash(CrashMode::Power);
        let disk = store.mount();
        assert_eq!(disk.read("synced").unwrap(), b"kept");
        // The name is there; the contents are as good as they were synced.
        assert!([&b"maybe"[..], b""].contains(&&disk.read("final").unwrap()[..]));
        match disk.read("new") {
            Ok(left) => {
                assert!([&b"maybe"[..], b""].contains(&&left[..]));
                unsynced_survived += u64::from(!left.is_empty());
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
        }
    }
    assert!((10..60).contains(&unsynced_survived), "{unsynced_survived}");
}

#[test]
fn a_full_disk_refuses_what_grows_and_takes_back_what_is_cut() {
    let (store, disk) = disk();
    let file = put(&disk, "a", b"1234");
    store.set_fault(Some(DiskFault::Full { free_bytes: 3 }));
    let full = Some(io::ErrorKind::StorageFull);
    assert_eq!(kind(file.write_at(4, b"5678")), full);
    assert_eq!(disk.read("a").unwrap(), b"1234", "a refused write changes nothing");
    file.write_at(0, b"abcd").unwrap();
    file.write_at(4, b"567").unwrap();
    assert_eq!(kind(file.set_len(8)), full);
    file.set_len(2).unwrap();
    file.write_at(2, b"34567").unwrap();
    assert_eq!(kind(file.write_at(7, b"8")), full);
    let other = put(&disk, "b", b"");
    disk.remove("a").unwrap();
    other.write_at(0, b"1234567").unwrap();
    assert_eq!(kind(other.write_at(7, b"8")), full);
    store.clear_fault(DiskFault::Full { free_bytes: 0 });
    other.write_at(7, b"8").unwrap();
}

#[test]
fn failures_come_in_their_share_and_change_nothing() {
    let (store, disk) = disk();
    let file = put(&disk, "a", b"....");
    file.sync().unwrap();
    let failed = |what: &dyn Fn() -> io::Result<()>| (0..1_000).filter(|_| what().is_err()).count();
    let mut buffer = [0; 4];
    file.read_at(0, &mut buffer).unwrap();
    let all: [(DiskFault, &dyn Fn() -> io::Result<()>); 3] = [
        (DiskFault::FailWrites { share: 1.0 }, &|| file.write_at(0, b"x")),
        (DiskFault::FailReads { share: 1.0 }, &|| file.read_at(0, &mut [0; 4])),
        (DiskFault::FailSyncs { share: 1.0 }, &|| file.sync()),
    ];
    for (fault, what) in all {
        store.set_fault(Some(fault));
        assert_eq!(failed(what), 1_000, "{fault:?}");
        store.clear_fault(fault);
        assert_eq!(failed(what), 0, "{fault:?}");
    }
    store.set_fault(Some(DiskFault::FailSyncs { share: 0.2 }));
    let count = failed(&|| file.sync());
    assert!((130..270).contains(&count), "{count}");
    store.set_fault(None);
    assert_eq!(failed(&|| file.sync()), 0);
}

/// What a failed sync left is read until the power goes, however often a later sync succeeds.
#[test]
fn a_failed_sync_loses_writes_for_ever() {
    let mut lost = 0;
    for seed in 0..100 {
        let store = DiskStore::new(Seed(seed));
        let disk = store.mount();
        let file = put(&disk, "a", b".");
        file.sync().unwrap();
        file.write_at(0, b"A").unwrap();
        store.set_fault(Some(DiskFault::FailSyncs { share: 1.0 }));
        file.sync().unwrap_err();
        store.set_fault(None);
        file.write_at(1, b"B").unwrap();
        file.sync().unwrap();
        assert_eq!(disk.read("a").unwrap(), b"AB");
        store.crash(CrashMode::Power);
        let left = store.mount().read("a").unwrap();
        assert!(left == b"AB" || left == b".B", "{left:?}");
        lost += u64::from(left == b".B");
    }
    assert!((20..80).contains(&lost), "{lost}");
}

#[test]
fn a_lying_sync_keeps_nothing_for_sure() {
    let mut lost = 0;
    for seed in 0..100 {
        let store = DiskStore::new(Seed(seed));
        let file = put(&store.mount(), "a", b".");
        file.sync().unwrap();
        store.set_fault(Some(DiskFault::LyingSync));
        file.write_at(0, b"A").unwrap();
        file.sync().unwrap();
        store.crash(CrashMode::Power);
        lost += u64::from(store.mount().read("a").unwrap() == b".");
        let file = put(&store.mount(), "a", b"B");
        file.sync().unwrap();
        store.set_fault(None);
        file.sync().unwrap();
        store.crash(CrashMode::Power);
        assert_eq!(store.mount().read("a").unwrap(), b"B", "an honest sync covers all before it");
    }
    assert!((20..80).contains(&lost), "{lost}");
}

#[test]
fn a_mount_dies_at_the_chosen_operation() {
    let mut left = BTreeSet::new();
    for seed in 0..200 {
        for last in 1..=5 {
            let store = DiskStore::new(Seed(seed));
            let disk = store.mount();
            let deaths = Arc::new(Mutex::new(0));
            let counter = Arc::clone(&deaths);
            store.on_death(move || *lock(&counter) += 1);
            store.die_after(last);
            let work = || -> io::Result<()> {
                let file = disk.open("a")?;
                file.write_at(0, b"12")?;
                file.sync()?;
                disk.rename("a", "b")?;
                disk.remove("b")
            };
            assert_eq!(kind(work()), Some(io::ErrorKind::Other));
            assert_eq!((store.operations(), store.died()), (last, true));
            assert_eq!(kind(disk.list("")), Some(io::ErrorKind::Other));
            assert_eq!(*lock(&deaths), 1);
            store.crash(CrashMode::Process);
            assert!(!store.died());
            let names = store.mount().list("").unwrap();
            left.insert((last, names.join(" ")));
        }
        let store = DiskStore::new(Seed(seed));
        store.die_after(0);
        assert_eq!(kind(store.mount().open("a")), Some(io::ErrorKind::Other));
    }
    let expected = [(1, ""), (1, "a"), (2, "a"), (3, "a"), (4, "a"), (4, "b"), (5, "b"), (5, "")];
    assert_eq!(left, expected.map(|(last, names)| (last, names.to_owned())).into());
}

#[test]
fn jobs_wait_for_a_stalled_disk_and_take_the_time_of_a_slow_one() {
    let clock = TestClock::default();
    let store = DiskStore::new(Seed(1));
    let disk = store.mount_on(&clock);
    let ms = Duration::from_millis;
    clock.run(async {
        store.set_fault(Some(DiskFault::Slow { per_operation: ms(10) }));
        let of_job = disk.clone();
        let job = move || drop(put(&of_job, "a", b"x"));
        disk.run(job.clone()).await;
        assert_eq!(clock.monotonic(), ms(20), "making and writing");
        store.set_fault(Some(DiskFault::Stalled));
        let (of_repair, of_clock) = (store.clone(), clock.clone());
        let repair = async move {
            of_clock.sleep(ms(100)).await;
            assert_eq!(of_repair.operations(), 2, "nothing happens while it is stalled");
            of_repair.clear_fault(DiskFault::Stalled);
        };
        // One after the other, although both wait at once: a disk does one job at a time.
        let jobs = futures_util::future::join(disk.run(job.clone()), disk.run(job.clone()));
        futures_util::future::join(jobs, repair).await;
        assert_eq!((store.operations(), clock.monotonic()), (4, ms(140)));
        store.set_fault(Some(DiskFault::Stalled));
        drop(disk.run(job));
        store.set_fault(None);
        assert_eq!(store.operations(), 4, "a job that nobody waits for never began");
    });
}
