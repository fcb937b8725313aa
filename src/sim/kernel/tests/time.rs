//! Virtual time, the end of a run by panic or watchdog, and clocks.

use super::*;

#[test]
fn packets_and_timers_are_exact_to_the_nanosecond() {
    let mut stage = Stage::new(config(Duration::from_nanos(1_234_567)));
    stage.host("server", |ports, notes| async move {
        let mut listener = ports.net().listen(PORT).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        notes.add(&ports, "accepted");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        notes.add(&ports, "received");
        stream.write_all(&byte).await.unwrap();
        ports.clock().sleep(Duration::from_nanos(1_500_001)).await;
        notes.add(&ports, "slept");
    });
    stage.host("client", |ports, notes| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        notes.add(&ports, "connected");
        ports.clock().sleep(ms(10)).await;
        stream.write_all(b"x").await.unwrap();
        notes.add(&ports, "sent");
        stream.read_exact(&mut [0]).await.unwrap();
        notes.add(&ports, "answered");
    });
    stage.run(secs(1));
    assert_eq!(
        stage.notes(),
        [
            "2.469134 connected",
            "3.703701 accepted",
            "12.469134 sent",
            "13.703701 received",
            "14.938268 answered",
            "15.203702 slept",
        ]
    );
    assert_eq!(stage.kernel.now(), SimTime::from_secs(1));
}

#[test]
fn idle_time_is_free() {
    let mut stage = Stage::new(config(ms(1)));
    for number in 0..1_000 {
        stage.host(&format!("host-{number}"), |_, _| std::future::pending());
    }
    stage.run(secs(86_400));
    assert_eq!(stage.kernel.now(), SimTime::from_secs(86_400));
    assert_eq!(stage.kernel.stats().events, 0);
}

#[test]
fn a_world_runs_in_steps() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("ticker", |ports, notes| async move {
        loop {
            ports.clock().sleep(Duration::from_micros(1_500)).await;
            notes.add(&ports, "tick");
        }
    });
    stage.run(Duration::from_micros(2_250));
    assert_eq!(stage.notes(), ["1.5 tick"]);
    stage.run(Duration::from_micros(2_250));
    stage.run(ms(1));
    assert_eq!(stage.kernel.now(), SimTime(2_250_000));
    stage.run(ms(6));
    assert_eq!(stage.notes(), ["3 tick", "4.5 tick", "6 tick"]);
    stage.host("late", |ports, notes| async move {
        notes.add(&ports, "started");
        ports.clock().sleep(Duration::from_micros(700)).await;
        notes.add(&ports, "late tick");
    });
    stage.run(ms(7));
    assert_eq!(stage.notes(), ["6 started", "6.7 late tick"]);
}

/// Third-party code with tokio timers runs in the same time, rounded to milliseconds.
#[test]
#[expect(clippy::disallowed_methods, reason = "what third-party code does")]
fn tokio_timers_follow_in_milliseconds() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("ours", |ports, notes| async move {
        for _ in 0..3 {
            ports.clock().sleep(Duration::from_micros(2_300)).await;
            notes.add(&ports, "ours");
        }
    });
    stage.host("theirs", |ports, notes| async move {
        for _ in 0..2 {
            tokio::time::sleep(ms(3)).await;
            notes.add(&ports, "theirs");
        }
        let never = std::future::pending::<()>();
        assert!(tokio::time::timeout(secs(5), never).await.is_err());
        notes.add(&ports, "their timeout");
    });
    stage.run(secs(10));
    assert_eq!(
        stage.notes(),
        ["2.3 ours", "3 theirs", "4.6 ours", "6 theirs", "6.9 ours", "5006 their timeout"]
    );
}

#[test]
fn timeouts_prefer_a_result_at_the_deadline() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("host", |ports, notes| async move {
        let clock = ports.clock();
        let at_deadline = clock.timeout(ms(5), clock.sleep(ms(5))).await;
        notes.add(&ports, format!("{at_deadline:?}"));
        let late = clock.timeout(ms(5), clock.sleep(ms(6))).await;
        notes.add(&ports, format!("{}", late.unwrap_err()));
    });
    stage.run(secs(1));
    assert_eq!(stage.notes(), ["5 Ok(())", "10 no answer within 5 ms"]);
}

#[test]
fn clocks_are_skewed_per_host() {
    let mut stage = Stage::new(config(ms(1)));
    for name in ["fast", "true"] {
        stage.host(name, move |ports, notes| async move {
            loop {
                ports.clock().sleep(ms(10)).await;
                let ahead = ports.clock().wall().millis_since(EPOCH);
                notes.add(&ports, format!("{name} {ahead}"));
            }
        });
    }
    stage.run(ms(15));
    stage.apply(NetworkFault::Skew { host: "fast".into(), offset_ms: -250 });
    stage.run(ms(25));
    assert_eq!(stage.notes(), ["10 fast 10", "10 true 10", "20 fast -230", "20 true 20"]);
}

#[test]
fn a_panic_ends_the_run_and_names_host_and_task() {
    let check = |spawned: bool, expected: &str| {
        let mut stage = Stage::new(config(ms(1)));
        stage.host("host", move |ports, _| async move {
            ports.clock().sleep(ms(3)).await;
            if spawned {
                rt::spawn("worker", async { panic!("no oil") });
            } else {
                panic!("no {}", "water");
            }
        });
        let error = stage.kernel.run_until(SimTime::from_secs(1)).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(stage.kernel.now(), SimTime::from_millis(3));
    };
    check(true, "panic in host/worker: no oil");
    check(false, "panic in host/main: no water");
}

#[test]
fn work_without_progress_of_time_is_found() {
    async fn empty_sleeps(ports: KernelPorts, _: Notes) {
        loop {
            ports.clock().sleep(Duration::ZERO).await;
        }
    }
    async fn yields(_: KernelPorts, _: Notes) {
        loop {
            tokio::task::yield_now().await;
        }
    }
    fn check<F, Fut>(main: F)
    where
        F: Fn(KernelPorts, Notes) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let config = KernelConfig { events_per_instant_max: 1_000, ..config(ms(1)) };
        let mut stage = Stage::new(config);
        stage.host("busy", main);
        let error = stage.kernel.run_until(SimTime::from_secs(1)).unwrap_err();
        assert_eq!(error, WorldError::Stuck { at: SimTime::ZERO, events: 1_001 });
    }
    check(empty_sleeps);
    check(yields);
}

#[test]
fn many_timers_that_are_always_cancelled_cost_no_time() {
    let mut stage = Stage::new(config(ms(1)));
    stage.host("host", |ports, notes| async move {
        for _ in 0..20_000 {
            let clock = ports.clock();
            let _ = clock.timeout(secs(3_600), clock.sleep(ms(1))).await;
        }
        notes.add(&ports, "done");
    });
    stage.run(secs(21));
    assert_eq!(stage.notes(), ["20000 done"]);
    assert_eq!(stage.kernel.stats().events, 20_000);
}
