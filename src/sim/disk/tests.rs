//! Files, locks, and what crashes of both kinds leave of them.

use super::*;

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

/// What a power loss leaves is one of the states the file went through, or lies torn between
/// two of them; over many seeds every such state happens.
#[test]
fn a_power_loss_keeps_a_prefix_of_what_was_not_synced() {
    let mut seen = BTreeSet::new();
    for seed in 0..500 {
        let store = DiskStore::new(Seed(seed));
        let disk = store.mount();
        let file = put(&disk, "a", b"....");
        file.sync().unwrap();
        file.write_at(0, b"AB").unwrap();
        file.set_len(3).unwrap();
        file.write_at(2, b"CD").unwrap();
        store.crash(CrashMode::Power);
        let left = store.mount().read("a").unwrap();
        seen.insert(String::from_utf8(left).unwrap());
        store.crash(CrashMode::Power);
        let again = store.mount().read("a").unwrap();
        assert!(seen.contains(std::str::from_utf8(&again).unwrap()), "nothing more to lose");
    }
    let expected = ["....", "A...", "AB..", "AB.", "ABC", "ABCD"];
    assert_eq!(seen, expected.map(str::to_owned).into());
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
        assert!(b"maybe".starts_with(&disk.read("final").unwrap()));
        match disk.read("new") {
            Ok(left) => {
                assert!(b"maybe".starts_with(&left));
                unsynced_survived += 1;
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
        }
    }
    assert!((20..90).contains(&unsynced_survived), "{unsynced_survived}");
}
