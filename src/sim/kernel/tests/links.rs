//! Faults of links, with their times worked out by hand.

use super::*;

/// Pings every `every`, with a limit of 5 s, on one connection for as long as it works.
async fn poller(ports: KernelPorts, notes: Notes, every: Duration) {
    let clock = ports.clock().clone();
    let mut stream = None;
    loop {
        let exchange = async {
            let mut open = match stream.take() {
                Some(open) => open,
                None => connect(&ports, "server").await.map_err(|error| error.kind())?,
            };
            ping(&mut open).await.map(|()| open)
        };
        match clock.timeout(secs(5), exchange).await {
            Ok(Ok(open)) => {
                stream = Some(open);
                notes.add(&ports, "ok");
            }
            Ok(Err(kind)) => notes.add(&ports, format!("{kind:?}")),
            Err(_) => notes.add(&ports, "late"),
        }
        clock.sleep(every).await;
    }
}

fn polled(latency: Duration, every: Duration) -> Stage {
    let mut stage = Stage::new(config(latency));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", move |ports, notes| poller(ports, notes, every));
    stage
}

#[test]
fn a_partition_delays_until_the_back_off_after_the_repair() {
    let check = |from: &str, to: &str, direction: Direction, expected: &[&str]| {
        let mut stage = polled(ms(10), secs(60));
        stage.run(secs(30));
        stage.partition(from, to, direction);
        stage.run(secs(63));
        stage.repair(from, to);
        stage.run(secs(100));
        assert_eq!(stage.notes(), expected, "{from} {to} {direction:?}");
    };
    // Sent at 60.04 s. A first pause of 220 ms doubles: attempts after 0.22, 0.66, 1.54, 3.3 s.
    check("client", "server", Direction::Both, &["40 ok", "63360 ok"]);
    check("client", "server", Direction::OneWay, &["40 ok", "63360 ok"]);
    // The answer is what is lost: sent 10 ms later, it has its own attempts.
    check("server", "client", Direction::OneWay, &["40 ok", "63360 ok"]);
}

#[test]
fn a_long_partition_times_out_and_recovers() {
    let mut stage = polled(ms(10), secs(10));
    stage.run(secs(5));
    stage.partition("server", "client", Direction::Both);
    stage.run(secs(40));
    stage.repair("server", "client");
    stage.run(secs(60));
    // The third connect began at 40.04 s: it is not touched by the partition.
    let expected = ["40 ok", "15040 late", "30040 late", "40080 ok", "50100 ok"];
    assert_eq!(stage.notes(), expected);
}

#[test]
fn senders_give_up() {
    let check = |from: &str, to: &str, expected: &[&str]| {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("client", |ports, notes| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            ports.clock().sleep(secs(10)).await;
            notes.add(&ports, format!("{:?}", ping(&mut stream).await));
            notes.add(&ports, format!("{:?}", ping(&mut stream).await));
            let again = connect(&ports, "server").await.map(drop).map_err(|error| error.kind());
            notes.add(&ports, format!("{again:?}"));
        });
        stage.run(secs(5));
        stage.partition(from, to, Direction::OneWay);
        stage.run(secs(3_600));
        assert_eq!(stage.notes(), expected, "{from} {to}");
    };
    // Written at 10.02 s; 900 s without an acknowledgement; then a connect of 127 s.
    check(
        "client",
        "server",
        &["910020 Err(TimedOut)", "910020 Err(BrokenPipe)", "1037020 Err(TimedOut)"],
    );
    // The data arrives, at 10.03 s; its acknowledgement never does.
    check(
        "server",
        "client",
        &["910030 Err(TimedOut)", "910030 Err(BrokenPipe)", "1037030 Err(TimedOut)"],
    );
}

#[test]
fn a_hold_keeps_everything_and_a_release_delivers_it() {
    let check = |direction: Direction, expected: &[&str]| {
        let mut stage = polled(ms(10), secs(2));
        stage.run(secs(1));
        let (from, to) = ("server".to_owned(), "client".to_owned());
        stage.apply(NetworkFault::Hold { from: from.clone(), to: to.clone(), direction });
        stage.run(ms(4_500));
        stage.apply(NetworkFault::Release { from, to });
        stage.run(secs(6));
        assert_eq!(stage.notes(), expected, "{direction:?}");
    };
    check(Direction::OneWay, &["40 ok", "4500 ok"]);
    check(Direction::Both, &["40 ok", "4510 ok"]);
}

#[test]
fn latency_applies_to_what_is_sent_afterwards() {
    let mut stage = polled(ms(10), secs(1));
    stage.run(ms(500));
    stage.apply(NetworkFault::Latency {
        from: "client".into(),
        to: "server".into(),
        latency: ms(200),
        jitter: Duration::ZERO,
    });
    stage.run(ms(2_000));
    assert_eq!(stage.notes(), ["40 ok", "1440 ok"]);
}

#[test]
fn jitter_never_reorders_a_stream() {
    let mut stage = Stage::new(KernelConfig { jitter: ms(20), ..config(ms(1)) });
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        let sent: Vec<u8> = (0..200).collect();
        notes.add(&ports, format!("{}", received == sent));
    });
    stage.host("client", |ports, _| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        for byte in 0..200 {
            stream.write_all(&[byte]).await.unwrap();
            ports.clock().sleep(ms(1)).await;
        }
    });
    stage.run(secs(1));
    let notes = stage.notes();
    assert!(notes.len() == 1 && notes[0].ends_with("true"), "{notes:?}");
}

#[test]
fn bandwidth_spreads_a_transfer() {
    let check = |bytes_per_second: Option<u64>, expected: &str| {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, notes| async move {
            let mut listener = ports.net().listen(PORT).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut body = vec![0; 50_000];
            stream.read_exact(&mut body).await.unwrap();
            notes.add(&ports, "all");
        });
        stage.host("client", |ports, _| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            stream.write_all(&[1; 50_000]).await.unwrap();
            ports.clock().sleep(secs(60)).await;
        });
        stage.apply(NetworkFault::Bandwidth {
            from: "client".into(),
            to: "server".into(),
            bytes_per_second,
        });
        stage.run(secs(30));
        assert_eq!(stage.notes(), [expected], "{bytes_per_second:?}");
    };
    // A handshake of 20 ms, 10 ms of latency, and 50,000 bytes at the rate.
    check(None, "30 all");
    check(Some(1_250_000), "70 all");
    check(Some(125_000), "430 all");
    check(Some(12_500), "4030 all");
}

#[test]
fn bandwidth_is_shared_and_arrives_piece_by_piece() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (ports, notes) = (ports.clone(), notes.clone());
            rt::spawn("reader", async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    notes.add(&ports, format!("{count}"));
                }
            });
        }
    });
    stage.host("client", |ports, _| async move {
        let mut first = connect(&ports, "server").await.unwrap();
        let mut second = connect(&ports, "server").await.unwrap();
        first.write_all(&[1; 20_000]).await.unwrap();
        second.write_all(&[1; 10_000]).await.unwrap();
        ports.clock().sleep(secs(60)).await;
    });
    let (from, to) = ("client".into(), "server".into());
    stage.apply(NetworkFault::Bandwidth { from, to, bytes_per_second: Some(100_000) });
    stage.run(secs(30));
    assert_eq!(stage.notes(), ["213.84 16384", "250 3616", "350 10000"]);
}

#[test]
fn loss_delays_and_total_loss_times_out() {
    let run = |ratio: f64| {
        let mut stage = polled(ms(10), ms(100));
        stage.run(secs(1));
        let (from, to) = ("client".into(), "server".into());
        stage.apply(NetworkFault::Loss { from, to, ratio });
        stage.run(secs(200));
        let notes = stage.notes();
        let count = |what: &str| notes.iter().filter(|note| note.ends_with(what)).count();
        (count("ok"), count("late"), notes.len())
    };
    let (ok, late, all) = run(0.1);
    assert_eq!(ok + late, all);
    assert!(ok > 900 && late < 20, "{ok} {late}");
    let (ok, late, all) = run(1.0);
    assert_eq!((ok + late, ok), (all, 9));
    assert!(late > 30, "{late}");
}

#[test]
fn a_lossy_link_that_dies_times_out_and_an_end_of_loss_revives_it() {
    let check = |lossless_at: Duration, expected: &str| {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("client", |ports, notes| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            ports.clock().sleep(secs(10)).await;
            notes.add(&ports, format!("{:?}", ping(&mut stream).await));
        });
        stage.run(secs(5));
        let loss = |ratio| NetworkFault::Loss { from: "client".into(), to: "server".into(), ratio };
        stage.apply(loss(1.0));
        stage.run(lossless_at);
        stage.apply(loss(0.0));
        stage.run(secs(2_000));
        assert_eq!(stage.notes(), [expected]);
    };
    check(secs(1_000), "910020 Err(TimedOut)");
    // Written at 10.02 s, repeated after 0.22 · (2ᵏ − 1) s: next at 23.88 s.
    check(secs(20), "23900 Ok(())");
}

#[test]
fn a_reset_ends_both_ends_at_once() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let error = stream.read(&mut [0; 8]).await.unwrap_err();
        notes.add(&ports, format!("server {:?}", error.kind()));
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        let error = stream.read(&mut [0; 8]).await.unwrap_err();
        notes.add(&ports, format!("client {:?}", error.kind()));
    });
    stage.run(ms(100));
    stage.apply(NetworkFault::Reset { from: "client".into(), to: "server".into() });
    stage.run(ms(200));
    assert_eq!(stage.notes(), ["100 client ConnectionReset", "100 server ConnectionReset"]);
}

#[test]
fn faults_that_make_no_sense_are_refused() {
    let mut stage = polled(ms(1), secs(1));
    let (from, to) = ("client".to_owned(), "server".to_owned());
    let nobody = "nobody".to_owned();
    let mut check = |fault: NetworkFault, expected: &str| {
        let before = stage.trace.digest();
        let error = stage.kernel.apply(&fault).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(stage.trace.digest(), before, "a refused fault leaves no trace");
    };
    let repair = NetworkFault::Repair { from: nobody.clone(), to: to.clone() };
    check(repair, "no host is called `nobody`");
    let crash = NetworkFault::Crash { host: nobody.clone(), mode: CrashMode::Power };
    check(crash, "no host is called `nobody`");
    check(NetworkFault::Restart { host: nobody }, "no host is called `nobody`");
    let loss = NetworkFault::Loss { from: from.clone(), to: to.clone(), ratio: 1.5 };
    check(loss, "kernel cannot do a loss ratio of 1.5; it is from 0 to 1");
    let still = NetworkFault::Bandwidth { from, to, bytes_per_second: Some(0) };
    check(still, "kernel cannot do a bandwidth of 0; use a partition");
}
