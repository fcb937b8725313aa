//! Streams as an application on Linux would see them.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

/// A server that hands its first connection to `then`.
fn one_connection<F, Fut>(stage: &mut Stage, then: F)
where
    F: Fn(KernelPorts, Notes, KernelStream) -> Fut + Clone + 'static,
    Fut: Future<Output = ()> + 'static,
{
    stage.host("server", move |ports, notes| {
        let then = then.clone();
        async move {
            let mut listener = ports.net().listen(PORT).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            then(ports, notes, stream).await;
        }
    });
}

async fn read_all(stream: &mut KernelStream) -> (usize, Option<std::io::ErrorKind>) {
    let mut bytes = 0;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (bytes, None),
            Ok(count) => bytes += count,
            Err(error) => return (bytes, Some(error.kind())),
        }
    }
}

#[test]
fn connects_that_fail() {
    let check = |host: &'static str, port: u16, expected: &str| {
        let mut stage = Stage::new(config(ms(8)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("client", move |ports, notes| async move {
            let error = ports.net().connect(&Endpoint::new(host, port)).await.unwrap_err();
            notes.add(&ports, format!("{:?}", error.kind()));
        });
        stage.run(secs(300));
        assert_eq!(stage.notes(), [expected], "{host}:{port}");
    };
    check("server", PORT + 1, "16 ConnectionRefused");
    check("nowhere", PORT, "0 NotFound");
    check("10.9.9.9", PORT, "127000 TimedOut");
    check("localhost", PORT, "0.04 ConnectionRefused");
    check("127.0.0.1", PORT, "0.04 ConnectionRefused");
}

#[test]
fn loopback_and_own_name_reach_the_same_host() {
    let mut stage = Stage::new(config(ms(8)));
    stage.host("solo", |ports, notes| async move {
        rt::spawn("server", echo_server(ports.clone()));
        ports.clock().sleep(ms(1)).await;
        for host in ["localhost", "127.0.0.1", "solo"] {
            let mut stream = connect(&ports, host).await.unwrap();
            ping(&mut stream).await.unwrap();
            notes.add(&ports, host);
        }
    });
    stage.run(secs(1));
    assert_eq!(stage.notes(), ["1.08 localhost", "1.16 127.0.0.1", "1.24 solo"]);
}

#[test]
fn names_with_several_addresses_are_tried_in_order() {
    let mut stage = Stage::new(config(ms(1)));
    for name in ["idle", "server"] {
        stage.host(name, move |ports, _| async move {
            if name == "server" {
                echo_server(ports).await;
            }
        });
    }
    let silent = IpAddr::V4(Ipv4Addr::new(10, 200, 0, 1));
    let idle = stage.kernel.address(&"idle".into()).unwrap();
    let server = stage.kernel.address(&"server".into()).unwrap();
    stage.kernel.alias("good", vec![idle, server]).unwrap();
    stage.kernel.alias("slow", vec![silent, server]).unwrap();
    stage.kernel.alias("bad", vec![idle, idle]).unwrap();
    assert!(matches!(stage.kernel.alias("bad", vec![]), Err(WorldError::DuplicateHost(_))));
    assert!(matches!(stage.kernel.alias("idle", vec![]), Err(WorldError::DuplicateHost(_))));
    stage.host("client", move |ports, notes| async move {
        assert_eq!(ports.net().resolve("good").await.unwrap(), [idle, server]);
        for name in ["good", "bad", "slow"] {
            let outcome = connect(&ports, name).await.map(drop).map_err(|error| error.kind());
            notes.add(&ports, format!("{name} {outcome:?}"));
        }
    });
    stage.run(secs(300));
    let expected = ["4 good Ok(())", "8 bad Err(ConnectionRefused)", "127010 slow Ok(())"];
    assert_eq!(stage.notes(), expected);
}

#[test]
fn half_close_ends_one_direction() {
    let mut stage = Stage::new(config(ms(1)));
    one_connection(&mut stage, |ports, notes, mut stream| async move {
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("server read {bytes} {error:?}"));
        stream.write_all(b"summary").await.unwrap();
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        stream.write_all(&[7; 1_000]).await.unwrap();
        stream.shutdown().await.unwrap();
        let error = stream.write(b"more").await.unwrap_err();
        notes.add(&ports, format!("{:?}", error.kind()));
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("client read {bytes} {error:?}"));
    });
    stage.run(secs(1));
    let expected = ["2 BrokenPipe", "3 server read 1000 None", "4 client read 7 None"];
    assert_eq!(stage.notes(), expected);
}

#[test]
fn close_with_unread_bytes_resets_after_what_was_sent() {
    let mut stage = Stage::new(config(ms(1)));
    one_connection(&mut stage, |ports, _, mut stream| async move {
        stream.write_all(b"413").await.unwrap();
        ports.clock().sleep(ms(10)).await;
        // The request is still unread.
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        stream.write_all(&[7; 1_000]).await.unwrap();
        ports.clock().sleep(ms(20)).await;
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("{bytes} {error:?}"));
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("then {bytes} {error:?}"));
        let error = stream.write(b"more").await.unwrap_err();
        notes.add(&ports, format!("{:?}", error.kind()));
    });
    stage.run(secs(1));
    let expected = ["22 3 Some(ConnectionReset)", "22 then 0 None", "22 BrokenPipe"];
    assert_eq!(stage.notes(), expected);
}

#[test]
fn writing_to_a_closed_peer_is_answered_by_a_reset() {
    let mut stage = Stage::new(config(ms(1)));
    one_connection(&mut stage, |_, _, stream| async move { drop(stream) });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("{bytes} {error:?}"));
        stream.write_all(b"into the void").await.unwrap();
        ports.clock().sleep(ms(5)).await;
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("{bytes} {error:?}"));
        let error = stream.write(b"again").await.unwrap_err();
        notes.add(&ports, format!("{:?}", error.kind()));
    });
    stage.run(secs(1));
    // The reset meets a socket whose peer has ended its stream: EPIPE for writes, not ECONNRESET,
    // and no error at all for reads.
    assert_eq!(stage.notes(), ["4 0 None", "9 0 None", "9 BrokenPipe"]);
}

#[test]
fn a_reader_that_stops_stops_the_writer() {
    let window_bytes = 64 * 1024;
    let mut stage = Stage::new(KernelConfig { window_bytes, ..config(ms(1)) });
    one_connection(&mut stage, |ports, notes, mut stream| async move {
        ports.clock().sleep(secs(10)).await;
        let (bytes, error) = read_all(&mut stream).await;
        notes.add(&ports, format!("read {bytes} {error:?}"));
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        let first = stream.write(&[1; 200_000]).await.unwrap();
        notes.add(&ports, format!("wrote {first}"));
        stream.write_all(&vec![1; 200_000 - first]).await.unwrap();
        notes.add(&ports, "wrote all");
    });
    stage.run(secs(20));
    let notes = stage.notes();
    assert_eq!(notes[0], "2 wrote 65536");
    assert!(notes[1].starts_with("100"), "{notes:?}");
    assert!(notes[1].ends_with("wrote all"), "{notes:?}");
    assert!(notes[2].ends_with("read 200000 None"), "{notes:?}");
    assert_eq!(notes.len(), 3);
}

#[test]
fn late_small_reads_never_stall_a_transfer() {
    let mut stage = Stage::new(KernelConfig { window_bytes: 10_000, ..config(ms(1)) });
    one_connection(&mut stage, |ports, notes, mut stream| async move {
        let mut total = 0;
        let mut buffer = [0; 999];
        loop {
            ports.clock().sleep(ms(1)).await;
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                count => total += count,
            }
        }
        notes.add(&ports, format!("{total}"));
    });
    stage.host("client", |ports, _| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        stream.write_all(&vec![1; 123_456]).await.unwrap();
    });
    stage.run(secs(20));
    let notes = stage.notes();
    assert!(notes[0].ends_with(" 123456"), "{notes:?}");
}

#[test]
fn a_full_accept_queue_drops_syns_which_are_repeated() {
    let mut stage = Stage::new(KernelConfig { backlog: 2, ..config(ms(1)) });
    stage.host("server", |ports, _| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        ports.clock().sleep(ms(2_000)).await;
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
    stage.host("client", |ports, notes| async move {
        for number in 0..4 {
            let (ports, notes) = (ports.clone(), notes.clone());
            rt::spawn("connect", async move {
                let stream = connect(&ports, "server").await.unwrap();
                notes.add(&ports, format!("{number}"));
                std::future::pending::<()>().await;
                drop(stream);
            });
        }
    });
    stage.run(secs(20));
    // Repeated after 1 s (still full) and after 3 s.
    assert_eq!(stage.notes(), ["2 0", "2 1", "3002 2", "3002 3"]);
}

#[test]
fn a_full_accept_queue_that_stays_full_times_out() {
    let mut stage = Stage::new(KernelConfig { backlog: 0, ..config(ms(1)) });
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", |ports, notes| async move {
        let error = connect(&ports, "server").await.unwrap_err();
        notes.add(&ports, format!("{:?}", error.kind()));
    });
    stage.run(secs(200));
    assert_eq!(stage.notes(), ["127000 TimedOut"]);
}

#[test]
fn dropping_a_listener_resets_what_nobody_accepted() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("server", |ports, _| async move {
        let listener = ports.net().listen(PORT).await.unwrap();
        ports.clock().sleep(ms(10)).await;
        drop(listener);
        let again = ports.net().listen(PORT).await;
        assert!(again.is_ok(), "the port is free at once");
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        notes.add(&ports, format!("{:?}", ping(&mut stream).await));
    });
    stage.run(secs(1));
    assert_eq!(stage.notes(), ["11 Err(ConnectionReset)"]);
}

#[test]
fn ports_are_exclusive_and_zero_picks_one() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("server", |ports, notes| async move {
        let first = ports.net().listen(PORT).await.unwrap();
        let error = ports.net().listen(PORT).await.err().unwrap();
        notes.add(&ports, format!("{:?}", error.kind()));
        drop(first);
        let any = ports.net().listen(0).await.unwrap();
        let other = ports.net().listen(0).await.unwrap();
        assert!(any.port() != other.port() && any.port() >= 32_768);
        ports.net().listen(PORT).await.unwrap();
        notes.add(&ports, "bound again");
    });
    stage.run(secs(1));
    assert_eq!(stage.notes(), ["0 AddrInUse", "0 bound again"]);
}

#[test]
fn a_dropped_connect_leaves_nothing_behind() {
    let mut stage = Stage::new(KernelConfig { backlog: 1, ..config(ms(5)) });
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4];
        stream.read_exact(&mut buffer).await.unwrap();
        notes.add(&ports, "served");
    });
    stage.host("client", |ports, _| async move {
        let clock = ports.clock();
        // Given up while the SYN-ACK is on its way: the handshake is reset at the server.
        assert!(clock.timeout(ms(7), connect(&ports, "server")).await.is_err());
        clock.sleep(ms(20)).await;
        let mut stream = connect(&ports, "server").await.unwrap();
        stream.write_all(b"ping").await.unwrap();
    });
    stage.run(secs(1));
    assert_eq!(stage.notes(), ["42 served"]);
}

#[test]
fn ten_thousand_connections() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", |ports, notes| async move {
        let mut tasks = Vec::new();
        for number in 0..10_000_u64 {
            let ports = ports.clone();
            tasks.push(rt::spawn("client", async move {
                ports.clock().sleep(Duration::from_micros(number * 100)).await;
                let mut stream = connect(&ports, "server").await.unwrap();
                ports.clock().sleep(secs(2)).await;
                for _ in 0..3 {
                    ping(&mut stream).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        notes.add(&ports, "all");
    });
    stage.run(secs(60));
    assert_eq!(stage.notes(), ["3007.9 all"]);
    assert_eq!(stage.kernel.stats().connections, 10_000);
}

#[test]
fn adversarial_chunks_change_the_pieces_and_never_the_bytes() {
    let run = |seed: u64, adversarial_chunks: bool| {
        let seed = Seed(seed);
        let config = KernelConfig { seed, adversarial_chunks, ..config(ms(1)) };
        let mut stage = Stage::new(config);
        one_connection(&mut stage, |ports, notes, mut stream| async move {
            let mut sizes = Vec::new();
            let mut received = Vec::new();
            let mut buffer = [0; 4_096];
            loop {
                match stream.read(&mut buffer).await.unwrap() {
                    0 => break,
                    count => {
                        sizes.push(count);
                        received.extend_from_slice(&buffer[..count]);
                    }
                }
            }
            let expected: Vec<u8> = (0..50_000_u32).map(|i| i.to_le_bytes()[0]).collect();
            assert_eq!(received, expected);
            let smallest = sizes.iter().min().unwrap();
            notes.add(&ports, format!("{} reads, smallest {smallest}", sizes.len()));
        });
        stage.host("client", |ports, _| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            let data: Vec<u8> = (0..50_000_u32).map(|i| i.to_le_bytes()[0]).collect();
            stream.write_all(&data).await.unwrap();
        });
        stage.run(secs(5));
        (stage.notes(), stage.trace.digest())
    };
    assert_eq!(run(1, false).0, ["3 13 reads, smallest 848"]);
    let (first, digest) = run(1, true);
    assert!(first[0].ends_with("smallest 1"), "{first:?}");
    assert_eq!((first, digest), run(1, true));
    assert_ne!(digest, run(2, true).1);
}
