//! What a crash does to tasks, streams, ports and peers, and what a restart brings back.

use super::*;

/// Serves 48 KB in pieces, a piece every 10 ms, so that a crash hits the middle.
async fn slow_server(ports: KernelPorts, notes: Notes) {
    let mut listener = ports.net().listen(PORT).await.expect("the port is free after a restart");
    notes.add(&ports, "listening");
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let ports = ports.clone();
        rt::spawn("answer", async move {
            for _ in 0..100 {
                if stream.write_all(&[1; 1_000]).await.is_err() {
                    return;
                }
                ports.clock().sleep(ms(10)).await;
            }
        });
    }
}

/// Reads until the stream ends, fails, or is silent for 5 s; then connects anew.
async fn reader(ports: KernelPorts, notes: Notes) {
    let clock = ports.clock().clone();
    loop {
        let mut stream = match clock.timeout(secs(2), connect(&ports, "server")).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                notes.add(&ports, format!("{:?}", error.kind()));
                clock.sleep(ms(400)).await;
                continue;
            }
            Err(_) => {
                notes.add(&ports, "connect late");
                continue;
            }
        };
        let mut bytes = 0;
        let mut buffer = vec![0; 8_192];
        let end = loop {
            match clock.timeout(secs(5), stream.read(&mut buffer)).await {
                Ok(Ok(0)) => break "end".to_owned(),
                Ok(Ok(count)) => bytes += count,
                Ok(Err(error)) => break format!("{:?}", error.kind()),
                Err(_) => break "silence".to_owned(),
            }
        };
        notes.add(&ports, format!("{bytes} {end}"));
        if end == "silence" {
            // A half-open connection: the first byte after the restart tells.
            let outcome = ping(&mut stream).await;
            notes.add(&ports, format!("{outcome:?}"));
        }
        clock.sleep(ms(400)).await;
    }
}

fn stage() -> Stage {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", slow_server);
    stage.host("client", reader);
    stage
}

#[test]
fn a_process_crash_resets_refuses_and_restarts() {
    let mut stage = stage();
    stage.run(ms(500));
    assert_eq!(stage.notes(), ["0 listening"]);
    assert!(stage.kernel.is_up(&"server".into()).unwrap());
    stage.crash("server", CrashMode::Process);
    assert!(!stage.kernel.is_up(&"server".into()).unwrap());
    stage.run(ms(1_500));
    // Accepted at 30 ms: pieces at 30, 40, … 500 ms (48 of them) are on the wire or read.
    let expected = ["510 48000 ConnectionReset", "930 ConnectionRefused", "1350 ConnectionRefused"];
    assert_eq!(stage.notes(), expected);
    stage.restart("server");
    stage.run(ms(3_500));
    assert_eq!(stage.notes(), ["1500 listening", "2790 100000 end"]);
}

#[test]
fn a_power_crash_is_silent_until_the_restart() {
    let mut stage = stage();
    stage.run(ms(500));
    stage.crash("server", CrashMode::Power);
    stage.run(secs(20));
    assert_eq!(stage.notes(), ["0 listening", "5510 48000 silence"]);
    stage.restart("server");
    stage.run(secs(40));
    // Written at 5.51 s, repeated after 0.22 · (2ᵏ − 1) s: at 19.37 s in vain, at 33.45 s for good.
    let notes = stage.notes();
    assert_eq!(notes[..2], ["20000 listening", "33470 Err(ConnectionReset)"]);
    assert!(notes[2].ends_with("100000 end"), "{notes:?}");
}

#[test]
fn connects_to_a_dark_machine_hang_and_succeed_after_the_restart() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", |ports, notes| async move {
        ports.clock().sleep(secs(1)).await;
        let mut stream = connect(&ports, "server").await.unwrap();
        notes.add(&ports, "connected");
        notes.add(&ports, format!("{:?}", ping(&mut stream).await));
    });
    stage.crash("server", CrashMode::Power);
    stage.run(secs(5));
    stage.restart("server");
    stage.run(secs(20));
    // SYNs at 1, 2, 4, 8 s.
    assert_eq!(stage.notes(), ["8020 connected", "8040 Ok(())"]);
}

#[test]
fn a_machine_that_dies_during_the_handshake_is_tried_again() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", |ports, notes| async move {
        let outcome = connect(&ports, "server").await.map(drop);
        notes.add(&ports, format!("{outcome:?}"));
    });
    // The SYN has arrived, the SYN-ACK cannot leave.
    stage.partition("server", "client", Direction::OneWay);
    stage.run(ms(15));
    stage.crash("server", CrashMode::Power);
    stage.repair("server", "client");
    stage.run(ms(500));
    stage.restart("server");
    stage.run(secs(10));
    assert_eq!(stage.notes(), ["1020 Ok(())"]);
}

#[test]
fn every_task_of_a_crashed_host_ends_inside_its_host() {
    struct Witness(Notes, KernelPorts);
    impl Drop for Witness {
        fn drop(&mut self) {
            let host = current_host().map(|host| host.to_string());
            self.0.add(&self.1, format!("dropped in {host:?}"));
        }
    }
    let mut stage = Stage::new(config(ms(1)));
    stage.host("other", |ports, _| echo_server(ports));
    stage.host("host", |ports, notes| async move {
        assert_eq!(current_host().as_deref(), Some("host"));
        for _ in 0..2 {
            let witness = Witness(notes.clone(), ports.clone());
            let ports = ports.clone();
            rt::spawn("outer", async move {
                rt::spawn("inner", async move {
                    let _witness = witness;
                    let net = ports.net().clone();
                    let _stream = net.connect(&Endpoint::new("other", PORT)).await;
                    let _listener = net.listen(0).await;
                    std::future::pending::<()>().await;
                });
            });
        }
    });
    stage.run(ms(10));
    stage.crash("host", CrashMode::Process);
    assert_eq!(stage.notes(), [r#"10 dropped in Some("host")"#, r#"10 dropped in Some("host")"#]);
    assert_eq!(current_host(), None);
    stage.run(ms(20));
    stage.restart("host");
    stage.run(ms(30));
    assert!(stage.notes().is_empty());
    drop(stage.kernel);
    assert_eq!(stage.notes.take().len(), 2, "a world that ends drops its hosts too");
}

#[test]
fn ports_of_a_crashed_host_reach_nothing() {
    let kept: Rc<RefCell<Option<KernelPorts>>> = Rc::default();
    let leak = Rc::clone(&kept);
    let mut stage = Stage::new(config(ms(1)));
    stage.host("victim", move |ports, _| {
        leak.borrow_mut().get_or_insert(ports);
        std::future::pending()
    });
    stage.run(ms(1));
    stage.crash("victim", CrashMode::Process);
    stage.restart("victim");
    let stale = kept.borrow_mut().take().unwrap();
    stage.host("user", move |ports, notes| {
        let stale = stale.clone();
        async move {
            let kinds = (
                stale.net().listen(PORT).await.err().map(|error| error.kind()),
                connect(&stale, "user").await.err().map(|error| error.kind()),
                crate::ports::Disk::open(stale.disk(), "file").err().map(|error| error.kind()),
            );
            notes.add(&ports, format!("{kinds:?}"));
        }
    });
    stage.run(ms(2));
    assert_eq!(stage.notes(), ["1 (Some(NotConnected), Some(NotConnected), Some(Other))"]);
}

#[test]
fn crashes_and_restarts_of_the_wrong_state_change_nothing() {
    let mut stage = stage();
    stage.run(ms(100));
    stage.restart("server");
    stage.run(ms(200));
    assert_eq!(stage.notes(), ["0 listening"], "a host that is up goes on");
    stage.crash("server", CrashMode::Power);
    stage.crash("server", CrashMode::Process);
    stage.run(secs(10));
    let silent = stage.notes();
    assert!(silent.iter().all(|note| !note.contains("Refused")), "{silent:?}");
    stage.restart("server");
    stage.crash("server", CrashMode::Process);
    stage.crash("server", CrashMode::Power);
    stage.run(secs(20));
    let silent = stage.notes();
    assert!(silent.iter().all(|note| !note.contains("Refused")), "{silent:?}");
}

#[test]
fn destructors_of_a_crash_may_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            rt::record_panic("bomb", &"tick");
        }
    }
    let mut stage = Stage::new(config(ms(1)));
    stage.host("host", |_, _| async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    stage.run(ms(1));
    stage.crash("host", CrashMode::Process);
    let error = stage.kernel.run_until(SimTime::from_millis(2)).unwrap_err();
    assert_eq!(error.to_string(), "panic in host/bomb: tick");
    stage.run(ms(3));
}

#[test]
fn a_world_that_ends_frees_everything_and_traces_nothing() {
    let mut stage = stage();
    stage.partition("server", "client", Direction::OneWay);
    stage.run(ms(15));
    let (core, signals) = (Arc::clone(&stage.kernel.core), Arc::clone(&stage.kernel.signals));
    let before = stage.trace.digest();
    drop(stage.kernel);
    assert_eq!(stage.trace.digest(), before);
    assert_eq!((Arc::strong_count(&core), Arc::strong_count(&signals)), (1, 1));
}

#[test]
fn a_power_loss_loses_unsynced_writes_and_a_process_crash_does_not() {
    let check = |mode: CrashMode, kept: std::ops::Range<u32>, traced: bool| {
        let mut stage = Stage::new(config(ms(1)));
        stage.host("host", |ports, notes| async move {
            use crate::ports::{Disk, DiskFile};
            let synced = ports.disk().open("synced").unwrap();
            let loose = ports.disk().open("loose").unwrap();
            let kept = ports.disk().read("loose").unwrap().into_iter().filter(|b| *b == b'x');
            notes.add(&ports, format!("{} {}", synced.len().unwrap(), kept.count()));
            synced.write_at(0, b"safe").unwrap();
            synced.sync().unwrap();
            for offset in 0..100 {
                loose.write_at(offset, b"x").unwrap();
            }
        });
        stage.run(ms(1));
        stage.crash("host", mode);
        stage.restart("host");
        stage.run(ms(2));
        let notes = stage.notes();
        let loose = notes[1].strip_prefix("1 4 ").and_then(|count| count.parse().ok());
        assert!(notes[0] == "0 0 0" && loose.is_some_and(|n| kept.contains(&n)), "{notes:?}");
        assert_eq!(stage.trace_text().contains("fault disk host=host lost_writes="), traced);
    };
    check(CrashMode::Process, 100..101, false);
    check(CrashMode::Power, 0..100, true);
}

#[test]
fn a_long_partition_collects_no_dead_handshakes() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", slow_server);
    stage.host("client", reader);
    stage.partition("client", "server", Direction::Both);
    stage.run(secs(6 * 3_600));
    let kept = stage.kernel.core.with(|net| net.links.iter().map(|link| link.stalled.len()).max());
    assert!(kept.is_some_and(|kept| kept <= 64), "{kept:?}");
}
