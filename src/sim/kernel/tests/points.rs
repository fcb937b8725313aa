//! Crash points: the n-th event of a host is the last thing of it that takes effect.

use super::*;
use crate::ports::{Disk, DiskFile};

/// Sends a byte, writes it to the disk and syncs, six times within one instant; after a restart it
/// tells how much the disk kept.
async fn writer(ports: KernelPorts, notes: Notes) {
    let file = ports.disk().open("kept").unwrap();
    if file.len().unwrap() > 0 || ports.clock().monotonic() > secs(1) {
        notes.add(&ports, format!("kept {}", file.len().unwrap()));
        return;
    }
    let mut stream = connect(&ports, "peer").await.unwrap();
    for number in 0..6 {
        let byte = [u8::try_from(number).unwrap()];
        // A dying host gets errors from everything that it touches; it may not stop at the first.
        let _ = stream.write_all(&byte).await;
        let _ = file.write_at(number, &byte);
        let _ = file.sync();
    }
}

async fn peer(ports: KernelPorts, notes: Notes) {
    let mut listener = ports.net().listen(PORT).await.unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes).await.map_err(|error| error.kind());
        notes.add(&ports, format!("got {} {:?}", bytes.len(), end.is_ok()));
    }
}

/// What the peer got and what the disk kept when the writer goes down after its `event`-th event.
fn effects(event: u64, mode: CrashMode) -> (u64, u64) {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("peer", peer);
    stage.host("writer", writer);
    let point =
        |after_events| NetworkFault::CrashPoint { host: "writer".into(), after_events, mode };
    stage.apply(point(Some(event)));
    stage.run(ms(900));
    assert_eq!(stage.kernel.take_crashed(), ["writer"], "event {event}");
    assert!(stage.kernel.take_crashed().is_empty());
    assert!(stage.kernel.now() < SimTime::from_millis(900), "the run ends at the crash");
    assert!(!stage.kernel.is_up(&"writer".into()).unwrap());
    stage.run(secs(2));
    stage.restart("writer");
    stage.run(secs(3_000));
    let notes = stage.notes();
    let number = |word: &str| {
        let note = notes.iter().find(|note| note.contains(word));
        let number = note.and_then(|note| note.split(' ').nth(2)?.parse().ok());
        number.unwrap_or(0)
    };
    (number("got"), number("kept"))
}

#[test]
fn nothing_escapes_a_host_after_its_last_event() {
    let mut before = (0, 0);
    let mut grown = 0;
    for event in 1..=23 {
        let after = effects(event, CrashMode::Process);
        let more = (after.0 + after.1).checked_sub(before.0 + before.1);
        assert!(more.is_some_and(|more| more <= 1), "event {event}: {before:?} then {after:?}");
        grown += more.unwrap_or(0);
        before = after;
    }
    // A byte sent and a byte kept for each of six rounds, each at an event of its own.
    assert_eq!((before, grown), ((6, 6), 12));
}

#[test]
fn a_power_loss_at_a_point_keeps_what_was_synced() {
    for event in 1..=23 {
        let (_, process) = effects(event, CrashMode::Process);
        let (_, power) = effects(event, CrashMode::Power);
        // The last write may not have been synced yet.
        assert!(power == process || power + 1 == process, "event {event}: {power} of {process}");
    }
}

#[test]
fn a_crash_point_that_is_called_off_never_comes() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("peer", peer);
    stage.host("writer", writer);
    let mode = CrashMode::Process;
    let point =
        |after_events| NetworkFault::CrashPoint { host: "writer".into(), after_events, mode };
    stage.apply(point(Some(9)));
    stage.apply(point(None));
    stage.run(secs(1));
    assert!(stage.kernel.take_crashed().is_empty());
    assert!(stage.kernel.is_up(&"writer".into()).unwrap());
    // SYN, SYN-ACK, ACK, six times three, FIN, and what comes back.
    assert!(stage.kernel.events_of("writer").unwrap() >= 22);
    assert!(stage.kernel.events_of("nobody").is_err());
}
