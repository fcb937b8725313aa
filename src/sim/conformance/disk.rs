//! Files: what is written, what is durable, what is locked.

use std::io;

use super::net::idle;
use super::{Case, Outcome, SHORT, Stage, case};
use crate::ports::{Clock, Disk, DiskFile, Ports};
use crate::sim::world::CrashMode;

pub(super) fn cases<P: Ports>() -> Vec<Case<P>> {
    vec![
        case!("disk: write, read, sync", idle, write_read),
        case!("disk: cut and extend", idle, set_len),
        case!("disk: rename", idle, rename),
        case!("disk: remove and list", idle, remove_list),
        case!("disk: folders", idle, folders),
        case!("disk: absent files", idle, absent),
        case!("disk: lock", idle, lock),
        case!("disk: jobs", idle, jobs),
        case!("disk: survives a process crash", keeps_file, survives_process_crash),
        case!("disk: synced data survives a power loss", keeps_file, survives_power_loss),
    ]
}

fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    match result {
        Ok(_) => panic!("an error was due"),
        Err(error) => error.kind(),
    }
}

async fn write_read<P: Ports>(ports: P, _: Stage) -> Outcome {
    let file = ports.disk().open("file").unwrap();
    assert!(file.is_empty().unwrap());
    file.write_at(3, b"defgh").unwrap();
    file.write_at(0, b"abc").unwrap();
    file.write_at(4, b"E").unwrap();
    file.sync().unwrap();
    assert_eq!(file.len().unwrap(), 8);
    let mut middle = [0; 4];
    file.read_at(2, &mut middle).unwrap();
    assert_eq!(&middle, b"cdEf");
    assert_eq!(kind(file.read_at(6, &mut middle)), io::ErrorKind::UnexpectedEof);
    assert_eq!(ports.disk().read("file").unwrap(), b"abcdEfgh");
    let again = ports.disk().open("file").unwrap();
    assert_eq!(again.len().unwrap(), 8, "opening does not cut");
    again.write_at(10, b"!").unwrap();
    assert_eq!(ports.disk().read("file").unwrap(), b"abcdEfgh\0\0!", "a gap reads as zeros");
    Ok(())
}

async fn set_len<P: Ports>(ports: P, _: Stage) -> Outcome {
    let file = ports.disk().open("file").unwrap();
    file.write_at(0, b"abcdef").unwrap();
    file.set_len(3).unwrap();
    file.set_len(5).unwrap();
    assert_eq!(ports.disk().read("file").unwrap(), b"abc\0\0");
    Ok(())
}

async fn rename<P: Ports>(ports: P, _: Stage) -> Outcome {
    let disk = ports.disk();
    for (name, text) in [("new", b"new"), ("old", b"old")] {
        let file = disk.open(name).unwrap();
        file.write_at(0, text).unwrap();
        file.sync().unwrap();
    }
    disk.rename("new", "old").unwrap();
    assert_eq!(disk.read("old").unwrap(), b"new");
    assert_eq!(disk.list("").unwrap(), ["old"]);
    assert_eq!(kind(disk.rename("new", "old")), io::ErrorKind::NotFound);
    Ok(())
}

async fn remove_list<P: Ports>(ports: P, _: Stage) -> Outcome {
    let disk = ports.disk();
    for name in ["b", "c", "a"] {
        disk.open(name).unwrap();
    }
    assert_eq!(disk.list("").unwrap(), ["a", "b", "c"]);
    disk.remove("b").unwrap();
    assert_eq!(disk.list("").unwrap(), ["a", "c"]);
    assert_eq!(kind(disk.remove("b")), io::ErrorKind::NotFound);
    Ok(())
}

async fn folders<P: Ports>(ports: P, _: Stage) -> Outcome {
    let disk = ports.disk();
    disk.open("spool/one").unwrap().write_at(0, b"1").unwrap();
    disk.open("spool/deep/two").unwrap();
    disk.open("top").unwrap();
    assert_eq!(disk.list("").unwrap(), ["top"], "files only");
    assert_eq!(disk.list("spool").unwrap(), ["one"]);
    disk.rename("spool/one", "spool/deep/one").unwrap();
    assert_eq!(disk.list("spool/deep").unwrap(), ["one", "two"]);
    assert_eq!(disk.read("spool/deep/one").unwrap(), b"1");
    Ok(())
}

async fn absent<P: Ports>(ports: P, _: Stage) -> Outcome {
    let disk = ports.disk();
    assert!(disk.list("").unwrap().is_empty());
    assert_eq!(kind(disk.read("nothing")), io::ErrorKind::NotFound);
    assert_eq!(kind(disk.list("nowhere")), io::ErrorKind::NotFound);
    Ok(())
}

async fn lock<P: Ports>(ports: P, _: Stage) -> Outcome {
    let held = ports.disk().lock("lock").unwrap();
    assert_eq!(kind(ports.disk().lock("lock")), io::ErrorKind::WouldBlock);
    let _other = ports.disk().lock("other").unwrap();
    drop(held);
    let _again = ports.disk().lock("lock").unwrap();
    Ok(())
}

/// A job works on the disk and gives its result, several at once do not disturb each other, and
/// one that nobody waits for is done as a whole or not at all.
async fn jobs<P: Ports>(ports: P, _: Stage) -> Outcome {
    let disk = ports.disk();
    let writing = |path: &'static str, text: &'static [u8]| {
        let of_job = disk.clone();
        move || {
            let file = of_job.open(path)?;
            file.write_at(0, text)?;
            file.sync()?;
            io::Result::Ok(text.len())
        }
    };
    assert_eq!(disk.run(writing("one", b"first")).await.unwrap(), 5);
    let (two, three) = (writing("two", b"2"), writing("three", b"33"));
    let both = futures_util::future::join(disk.run(two), disk.run(three)).await;
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (1, 2));
    assert_eq!(disk.list("").unwrap(), ["one", "three", "two"]);
    let mut nobody = Box::pin(disk.run(writing("four", b"whole")));
    assert!(matches!(poll_once(&mut nobody), None | Some(Ok(5))));
    drop(nobody);
    // What comes later is not held up by it.
    ports.clock().sleep(SHORT).await;
    match disk.read("four") {
        Ok(text) => assert_eq!(text, b"whole"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
    }
    Ok(())
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    futures_util::FutureExt::now_or_never(future)
}

/// Files that no life syncs.
const LOOSE: u64 = 30;
const LOOSE_TEXT: &[u8] = b"not synced";

/// First life: writes, syncs, holds a lock. Second life: looks at what is left.
async fn keeps_file<P: Ports>(ports: P, stage: Stage) {
    let disk = ports.disk();
    let _lock = disk.lock("lock").expect("the lock of an earlier life is gone");
    if stage.noted("lives") == 0 {
        let file = disk.open("kept/file").unwrap();
        file.write_at(0, b"synced").unwrap();
        file.sync().unwrap();
        disk.open("moving").unwrap().sync().unwrap();
        disk.rename("moving", "moved").unwrap();
        for number in 0..LOOSE {
            disk.open(&format!("loose/{number}")).unwrap().write_at(0, LOOSE_TEXT).unwrap();
        }
    } else {
        assert_eq!(disk.read("kept/file").unwrap(), b"synced");
        let names = disk.list("").unwrap();
        assert!(names.iter().filter(|name| *name != "lock").eq(["moved"]), "{names:?}");
        assert!(disk.read("moved").unwrap().is_empty());
        for number in 0..LOOSE {
            match disk.read(&format!("loose/{number}")) {
                Ok(left) if left == LOOSE_TEXT => stage.count("loose"),
                Ok(left) => assert!(LOOSE_TEXT.starts_with(&left), "{left:?}"),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
            }
        }
    }
    stage.count("lives");
    std::future::pending::<()>().await;
}

async fn survives<P: Ports>(ports: &P, stage: &Stage, mode: CrashMode) -> Outcome {
    stage.until(ports, "lives", 1).await;
    stage.crash(ports, mode).await?;
    stage.restart(ports).await?;
    stage.until(ports, "lives", 2).await;
    Ok(())
}

async fn survives_process_crash<P: Ports>(ports: P, stage: Stage) -> Outcome {
    survives(&ports, &stage, CrashMode::Process).await?;
    assert_eq!(stage.noted("loose"), LOOSE, "the operating system keeps what was written");
    Ok(())
}

async fn survives_power_loss<P: Ports>(ports: P, stage: Stage) -> Outcome {
    survives(&ports, &stage, CrashMode::Power).await?;
    assert!(stage.noted("loose") < LOOSE, "something that was not synced is lost");
    Ok(())
}
