//! Half-open connections, failing names and pauses, and whom the trace blames for silence.

use super::*;
use crate::sim::trace::{EventId, TraceEvent};

fn half_open(stage: &mut Stage) {
    stage.apply(NetworkFault::HalfOpen { from: "client".into(), to: "server".into() });
}

fn fails_names(stage: &mut Stage, host: Option<&str>, fails_after: Option<Duration>) {
    let host = host.map(str::to_owned);
    stage.apply(NetworkFault::DnsFailure { host, name: "server".into(), fails_after });
}

/// Events of a trace.
fn events(stage: &Stage) -> Vec<TraceEvent> {
    let text = stage.trace_text();
    let lines = text.lines().zip(1..);
    lines.map(|(line, number)| TraceEvent::parse(line, number).expect("a line")).collect()
}

/// Kinds of the events that led to `event`, nearest first, itself included.
fn chain(events: &[TraceEvent], event: &TraceEvent) -> Vec<String> {
    let mut chain = Vec::new();
    let mut next = Some(event.id);
    while let Some(EventId(id)) = next {
        let event = &events[usize::try_from(id).expect("small") - 1];
        chain.push(format!("{} {}", event.source, event.kind));
        assert!(event.parent.is_none_or(|parent| parent < event.id), "{event}");
        next = event.parent;
    }
    chain
}

/// Pings on one connection, then on a new one if that does not answer within 5 s.
async fn pings_twice(ports: KernelPorts, notes: Notes, at: Duration) {
    let clock = ports.clock().clone();
    let mut stream = connect(&ports, "server").await.unwrap();
    clock.sleep(at).await;
    let outcome = clock.timeout(secs(5), ping(&mut stream)).await;
    notes.add(&ports, format!("{outcome:?}"));
    drop(stream);
    let mut stream = connect(&ports, "server").await.unwrap();
    notes.add(&ports, format!("{:?}", ping(&mut stream).await));
}

#[test]
fn a_half_open_connection_is_silent_and_a_new_one_works() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", |ports, notes| pings_twice(ports, notes, secs(1)));
    stage.run(ms(500));
    half_open(&mut stage);
    stage.run(secs(60));
    assert_eq!(stage.notes(), ["6020 Err(Elapsed(5s))", "6060 Ok(())"]);
    let events = events(&stage);
    let second = events.iter().filter(|event| event.kind == "send");
    let second = second.filter(|event| event.field("kind") == Some("syn")).nth(1);
    let chain = chain(&events, second.expect("a second connection"));
    assert_eq!(chain, ["net send", "net lost", "fault half_open"]);
}

#[test]
fn a_half_open_connection_times_out_for_who_sends_and_never_for_who_listens() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let end = stream.read(&mut [0; 8]).await;
        notes.add(&ports, format!("server {end:?}"));
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        ports.clock().sleep(secs(10)).await;
        stream.write_all(b"hello").await.unwrap();
        let error = stream.read(&mut [0; 8]).await.unwrap_err();
        notes.add(&ports, format!("client {:?}", error.kind()));
    });
    stage.run(secs(5));
    half_open(&mut stage);
    stage.run(secs(10_000));
    assert_eq!(stage.notes(), ["910020 client TimedOut"]);
    let events = events(&stage);
    let timeout = events.iter().find(|event| event.kind == "timeout").expect("one");
    assert_eq!(chain(&events, timeout), ["net timeout", "net lost", "fault half_open"]);
}

#[test]
fn what_is_in_the_air_or_half_made_when_connections_go_dead() {
    // Connections begin at 0 ms and take 20 ms; the server's accept queue gets them at 30 ms.
    let check = |at: Duration, expected: &str| {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("client", |ports, notes| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            let outcome = ports.clock().timeout(secs(5), ping(&mut stream)).await;
            notes.add(&ports, format!("{outcome:?}"));
        });
        stage.run(at);
        half_open(&mut stage);
        stage.run(secs(1_000));
        assert_eq!(stage.notes(), [expected], "{at:?}");
    };
    check(ms(15), "40 Ok(Ok(()))");
    check(ms(25), "5020 Err(Elapsed(5s))");
    check(ms(35), "5020 Err(Elapsed(5s))");
    check(ms(45), "40 Ok(Ok(()))");
}

#[test]
fn a_name_fails_for_whom_and_for_as_long_as_it_was_asked() {
    let check = |host: Option<&str>, after: Duration, expected: &[&str]| {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("client", |ports, notes| async move {
            let mut open = connect(&ports, "server").await.unwrap();
            for _ in 0..3 {
                ports.clock().sleep(secs(10)).await;
                let kind = connect(&ports, "server").await.map(|_| ()).map_err(|e| e.kind());
                notes.add(&ports, format!("{kind:?} {:?}", ping(&mut open).await));
            }
        });
        stage.run(secs(1));
        fails_names(&mut stage, host, Some(after));
        stage.run(secs(15));
        fails_names(&mut stage, host, None);
        stage.run(secs(60));
        assert_eq!(stage.notes(), expected, "{host:?} {after:?}");
    };
    check(None, ms(0), &["10040 Err(Other) Ok(())", "20080 Ok(()) Ok(())", "30120 Ok(()) Ok(())"]);
    let slow = ["12040 Err(Other) Ok(())", "22080 Ok(()) Ok(())", "32120 Ok(()) Ok(())"];
    check(Some("client"), secs(2), &slow);
    let other = ["10060 Ok(()) Ok(())", "20100 Ok(()) Ok(())", "30140 Ok(()) Ok(())"];
    check(Some("server"), ms(0), &other);
}

#[test]
fn who_stops_waiting_for_a_name_knows_why() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("other", |ports, _| echo_server(ports));
    stage.host("client", |ports, notes| async move {
        let clock = ports.clock().clone();
        clock.sleep(secs(1)).await;
        let outcome = clock.timeout(secs(1), connect(&ports, "server")).await;
        notes.add(&ports, format!("{}", outcome.is_err()));
        connect(&ports, "other").await.unwrap();
    });
    fails_names(&mut stage, None, Some(secs(5)));
    stage.run(secs(10));
    assert_eq!(stage.notes(), ["2000 true"]);
    let events = events(&stage);
    let sent = events.iter().find(|event| event.kind == "send").expect("a connect");
    assert_eq!(chain(&events, sent), ["net send", "net unresolved", "fault dns_failure"]);
}

#[test]
fn a_paused_host_stands_still_and_catches_up() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, notes| async move {
        loop {
            ports.clock().sleep(secs(1)).await;
            notes.add(&ports, "tick");
        }
    });
    let pause = |host: &str| NetworkFault::Pause { host: host.to_owned() };
    let resume = |host: &str| NetworkFault::Resume { host: host.to_owned() };
    stage.run(ms(1_500));
    stage.apply(pause("server"));
    stage.run(ms(4_200));
    stage.apply(resume("server"));
    stage.run(ms(5_500));
    // One timer fires late; the next is set when it has.
    assert_eq!(stage.notes(), ["1000 tick", "4200 tick", "5200 tick"]);
    // A crash ends a pause, and a resume of nothing changes nothing.
    stage.apply(pause("server"));
    stage.crash("server", CrashMode::Process);
    stage.apply(resume("server"));
    stage.restart("server");
    stage.apply(resume("server"));
    stage.run(ms(7_000));
    assert_eq!(stage.notes(), ["6500 tick"]);
    // One that is down cannot be paused.
    stage.crash("server", CrashMode::Process);
    stage.apply(pause("server"));
    stage.restart("server");
    stage.run(ms(8_500));
    assert_eq!(stage.notes(), ["8000 tick"]);
}

#[test]
fn the_system_of_a_paused_host_takes_what_its_buffers_hold() {
    let mut stage = Stage::new(KernelConfig { window_bytes: 1_000, backlog: 2, ..config(ms(10)) });
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut whole = vec![0; 1_500];
        stream.read_exact(&mut whole).await.unwrap();
        notes.add(&ports, "all");
        std::future::pending::<()>().await;
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        ports.clock().sleep(secs(2)).await;
        for _ in 0..3 {
            stream.write_all(&[1; 500]).await.unwrap();
            notes.add(&ports, "written");
        }
        for _ in 0..2 {
            let _ = Box::leak(Box::new(connect(&ports, "server").await.unwrap()));
        }
        notes.add(&ports, "queued");
        std::future::pending::<()>().await;
    });
    stage.run(secs(1));
    stage.apply(NetworkFault::Pause { host: "server".into() });
    stage.run(secs(10));
    assert_eq!(stage.notes(), ["2020 written", "2020 written"]);
    stage.apply(NetworkFault::Resume { host: "server".into() });
    stage.run(secs(20));
    assert_eq!(stage.notes(), ["10010 written", "10020 all", "10050 queued"]);
}

#[test]
fn silence_is_blamed_on_what_keeps_the_answer_away() {
    /// What one exchange that is given up after a second blames, with a fault at 500 ms.
    fn blamed(fault: impl Fn(&mut Stage)) -> Vec<String> {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("other", |ports, _| echo_server(ports));
        stage.host("client", |ports, _| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            ports.clock().sleep(secs(1)).await;
            assert!(ports.clock().timeout(secs(1), ping(&mut stream)).await.is_err());
            drop(stream);
            let _kept = connect(&ports, "other").await;
            std::future::pending::<()>().await;
        });
        stage.run(ms(500));
        fault(&mut stage);
        stage.run(secs(3));
        let events = events(&stage);
        let to_other = |event: &&TraceEvent| {
            event.kind == "send" && event.field("flow").is_some_and(|flow| flow.contains(">other"))
        };
        chain(&events, events.iter().find(to_other).expect("a connect afterwards"))
    }
    let link = || ("client".to_owned(), "server".to_owned());
    let (from, to) = link();
    let cut = NetworkFault::Partition { from, to, direction: Direction::Both };
    assert_eq!(
        blamed(|stage| stage.apply(cut.clone())),
        ["net send", "net lost", "fault partition"]
    );
    let (to, from) = link();
    let back = NetworkFault::Partition { from, to, direction: Direction::OneWay };
    assert_eq!(
        blamed(|stage| stage.apply(back.clone())),
        ["net send", "net lost", "fault partition"]
    );
    let (from, to) = link();
    let hold = NetworkFault::Hold { from, to, direction: Direction::Both };
    assert_eq!(blamed(|stage| stage.apply(hold.clone())), ["net send", "net hold", "fault hold"]);
    let (from, to) = link();
    let slow = NetworkFault::Latency { from, to, latency: secs(3), jitter: secs(0) };
    assert_eq!(blamed(|stage| stage.apply(slow.clone())), ["net send", "fault latency"]);
    let pause = NetworkFault::Pause { host: "server".into() };
    assert_eq!(blamed(|stage| stage.apply(pause.clone())), ["net send", "fault pause"]);
    let power = |stage: &mut Stage| stage.crash("server", CrashMode::Power);
    assert_eq!(blamed(power), ["net send", "net lost", "fault crash"]);
}

#[test]
fn errors_are_blamed_on_the_fault_behind_them() {
    let check = |fault: &dyn Fn(&mut Stage), expected: &[&str]| {
        let mut stage = Stage::new(config(ms(10)));
        stage.host("server", |ports, _| echo_server(ports));
        stage.host("other", |ports, _| echo_server(ports));
        stage.host("client", |ports, _| async move {
            let mut stream = connect(&ports, "server").await.unwrap();
            ping(&mut stream).await.unwrap();
            ports.clock().sleep(secs(1)).await;
            drop(stream);
            let mut stream = connect(&ports, "server").await;
            if let Ok(stream) = &mut stream {
                stream.read(&mut [0; 8]).await.unwrap_err();
            }
            let _kept = connect(&ports, "other").await;
            std::future::pending::<()>().await;
        });
        fault(&mut stage);
        stage.run(secs(300));
        let events = events(&stage);
        let to_other = |event: &&TraceEvent| {
            event.kind == "send" && event.field("flow").is_some_and(|flow| flow.contains(">other"))
        };
        let found = events.iter().find(to_other).expect("a connect afterwards");
        assert_eq!(chain(&events, found), expected);
    };
    let crash = |at: Duration, mode: CrashMode| {
        move |stage: &mut Stage| {
            stage.run(at);
            stage.crash("server", mode);
        }
    };
    // Refused, timed out, and reset.
    let rst = ["net send", "net recv", "net send", "fault crash"];
    check(&crash(ms(500), CrashMode::Process), &rst);
    let lost = ["net send", "net timeout", "net lost", "fault crash"];
    check(&crash(ms(500), CrashMode::Power), &lost);
    check(&crash(secs(2), CrashMode::Process), &rst);
    let reset = |stage: &mut Stage| {
        stage.run(secs(2));
        stage.apply(NetworkFault::Reset { from: "client".into(), to: "server".into() });
    };
    check(&reset, &["net send", "fault reset"]);
}

#[test]
fn what_is_slow_at_the_other_end_is_blamed_for_its_slowness() {
    let mut stage = Stage::new(config(ms(10)));
    let trace = stage.trace.clone();
    let reason = trace.event(SimTime::ZERO, "test", format_args!("reason"));
    stage.host("server", move |ports, _| {
        let trace = trace.clone();
        async move {
            let mut listener = ports.net().listen(PORT).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
            trace.go_on_from(reason);
            ports.clock().sleep(secs(60)).await;
        }
    });
    stage.host("other", |ports, _| echo_server(ports));
    stage.host("client", |ports, _| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        assert!(ports.clock().timeout(secs(5), ping(&mut stream)).await.is_err());
        drop(stream);
        let _kept = connect(&ports, "other").await;
        std::future::pending::<()>().await;
    });
    stage.run(secs(10));
    let events = events(&stage);
    let last = events.iter().rfind(|event| event.kind == "send").expect("a connect");
    assert_eq!(last.parent, Some(reason), "{last}");
}
