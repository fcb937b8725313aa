//! The world by itself; what all arms share is in [`crate::sim::conformance`].

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::ports::{Clock, Endpoint, Entropy, Listener, Net, Ports};
use crate::sim::trace::{Sink, TraceDigest};
use crate::sim::world::HostName;

const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

fn world(seed: u64) -> (TurmoilWorld, Trace) {
    let trace = Trace::new(Sink::None);
    (TurmoilWorld::new(TurmoilConfig::new(Seed(seed), EPOCH), trace.clone()), trace)
}

fn factory<F: Future<Output = ()> + 'static>(
    main: impl Fn(TurmoilPorts) -> F + 'static,
) -> HostFactory<TurmoilPorts> {
    Box::new(move |ports| Box::pin(main(ports)))
}

fn idle() -> HostFactory<TurmoilPorts> {
    factory(|_| async {})
}

async fn echo(ports: TurmoilPorts) {
    let mut listener = ports.net().listen(80).await.unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        rt::spawn("echo", async move {
            let mut buffer = [0; 64];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let _ = stream.write_all(&buffer[..read]).await;
            }
        });
    }
}

/// Talks to `server` all the time, whatever happens to it.
async fn talk(ports: TurmoilPorts) {
    let mut draws = ports.entropy().stream("talk");
    let clock = ports.clock();
    loop {
        let pause = Duration::from_millis(below(&mut draws, 400));
        clock.sleep(pause).await;
        let exchange = async {
            let mut stream = ports.net().connect(&Endpoint::new("server", 80)).await.ok()?;
            for _ in 0..3 {
                stream.write_all(&pause.as_millis().to_be_bytes()).await.ok()?;
                stream.read_exact(&mut [0; 16]).await.ok()?;
            }
            Some(())
        };
        let _ = clock.timeout(Duration::from_secs(2), exchange).await;
    }
}

fn link() -> (HostName, HostName) {
    ("client-1".to_owned(), "server".to_owned())
}

/// A minute of talk under every fault this world knows.
fn stormy_minute(seed: u64) -> TraceDigest {
    let (mut world, trace) = world(seed);
    world.host("server", factory(echo)).unwrap();
    for client in ["client-1", "client-2"] {
        world.host(client, factory(talk)).unwrap();
    }
    let (from, to) = link();
    let (host, mode) = (to.clone(), CrashMode::Power);
    let (latency, jitter) = (Duration::from_millis(20), Duration::from_millis(30));
    let storm = [
        NetworkFault::Latency { from: from.clone(), to: to.clone(), latency, jitter },
        NetworkFault::Loss { from: from.clone(), to: to.clone(), ratio: 0.1 },
        NetworkFault::Partition {
            from: from.clone(),
            to: to.clone(),
            direction: Direction::OneWay,
        },
        NetworkFault::Repair { from: from.clone(), to: to.clone() },
        NetworkFault::Hold { from: from.clone(), to: to.clone(), direction: Direction::Both },
        NetworkFault::Release { from: from.clone(), to: to.clone() },
        NetworkFault::Bandwidth { from: from.clone(), to: to.clone(), bytes_per_second: Some(500) },
        NetworkFault::Reset { from, to },
        NetworkFault::Crash { host: host.clone(), mode },
        NetworkFault::Restart { host: host.clone() },
        NetworkFault::Crash { host: host.clone(), mode: CrashMode::Process },
        NetworkFault::Restart { host },
    ];
    for (number, fault) in storm.iter().enumerate() {
        world.run_until(SimTime::from_secs(5 * (number as u64 + 1))).unwrap();
        world.apply(fault).unwrap();
    }
    world.run_until(SimTime::from_secs(60)).unwrap();
    trace.digest()
}

#[test]
fn a_seed_is_a_run() {
    let first = stormy_minute(1);
    assert!(first.events > 1_000, "{first}");
    assert_eq!(first, stormy_minute(1));
    let elsewhere =
        std::thread::scope(|threads| threads.spawn(|| stormy_minute(1)).join().unwrap());
    assert_eq!(first, elsewhere);
    assert_ne!(first.hash, stormy_minute(2).hash);
}

#[test]
fn panics_end_the_run() {
    type Make = fn() -> HostFactory<TurmoilPorts>;
    let cases: &[(&str, Make)] = &[
        ("host", || factory(|_| async { panic!("boom") })),
        ("host", || Box::new(|_| panic!("boom"))),
        ("task", || {
            factory(|_| async {
                rt::spawn("task", async { panic!("boom") });
            })
        }),
        ("later", || {
            factory(|ports| async move {
                ports.clock().sleep(Duration::from_secs(3)).await;
                rt::spawn("later", async { panic!("boom") });
            })
        }),
    ];
    for (task, make) in cases {
        let (mut world, _) = world(1);
        world.host("host", make()).unwrap();
        let panic = TaskPanic { task: (*task).to_owned(), message: "boom".to_owned() };
        let ended = world.run_until(SimTime::from_secs(10));
        assert_eq!(ended, Err(WorldError::Panic(vec![panic])));
    }
}

#[test]
fn endless_work_without_time_is_found_out() {
    let (mut world, _) = world(1);
    world
        .host(
            "busy",
            factory(|ports| async move {
                loop {
                    ports.clock().sleep(Duration::ZERO).await;
                    let _ = ports.net().resolve("nobody").await;
                }
            }),
        )
        .unwrap();
    let ended = world.run_until(SimTime::from_secs(1));
    assert!(matches!(ended, Err(WorldError::Stuck { at: SimTime::ZERO, .. })), "{ended:?}");
}

#[test]
fn hosts_have_names_and_numbers() {
    let (mut world, _) = world(1);
    world.host("a", idle()).unwrap();
    assert_eq!(world.host("a", idle()), Err(WorldError::DuplicateHost("a".to_owned())));
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let unknown = world.apply(&NetworkFault::Repair { from, to });
    assert_eq!(unknown, Err(WorldError::UnknownHost("b".to_owned())));
    assert_eq!(world.alias("both", &["a", "b"]), Err(WorldError::UnknownHost("b".to_owned())));
}

#[test]
fn hosts_join_late_and_keep_time() {
    let (mut world, _) = world(1);
    world.host("server", factory(echo)).unwrap();
    world.run_until(SimTime::from_secs(7)).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&seen);
    world
        .host(
            "client",
            factory(move |ports| {
                let times = Arc::clone(&times);
                async move {
                    let mut stream =
                        ports.net().connect(&Endpoint::new("server", 80)).await.unwrap();
                    stream.write_all(b"x").await.unwrap();
                    stream.read_exact(&mut [0; 1]).await.unwrap();
                    let (wall, monotonic) = (ports.clock().wall(), ports.clock().monotonic());
                    times.lock().unwrap().push((wall.millis_since(EPOCH), monotonic));
                }
            }),
        )
        .unwrap();
    let host = "client".to_owned();
    world.apply(&NetworkFault::Skew { host: host.clone(), offset_ms: -2_000 }).unwrap();
    world.run_until(SimTime::from_secs(8)).unwrap();
    world.apply(&NetworkFault::Crash { host: host.clone(), mode: CrashMode::Process }).unwrap();
    world.run_until(SimTime::from_secs(20)).unwrap();
    world.apply(&NetworkFault::Restart { host }).unwrap();
    world.run_until(SimTime::from_secs(21)).unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for ((wall, monotonic), start) in seen.iter().zip([7_000, 20_000]) {
        let millis = i64::try_from(monotonic.as_millis()).unwrap();
        assert!((start..start + 100).contains(&millis), "{seen:?}");
        assert_eq!(*wall, millis - 2_000, "skew survives a restart");
    }
}

/// turmoil keeps the port of every connect that fails; the world must not let it come to that.
#[test]
fn failed_connects_leak_nothing() {
    let (mut world, _) = world(1);
    let ports_seen = Arc::new(Mutex::new(Vec::new()));
    let peers = Arc::clone(&ports_seen);
    world
        .host(
            "server",
            factory(move |ports| {
                let peers = Arc::clone(&peers);
                async move {
                    let mut listener = ports.net().listen(80).await.unwrap();
                    let (_stream, peer) = listener.accept().await.unwrap();
                    peers.lock().unwrap().push(peer.port());
                }
            }),
        )
        .unwrap();
    world
        .host(
            "client",
            factory(|ports| async move {
                let connect = async |port| {
                    let _ = ports.net().connect(&Endpoint::new("server", port)).await;
                };
                for _ in 0..500 {
                    connect(81).await;
                    let short = Duration::from_millis(1);
                    let _ = ports.clock().timeout(short, connect(82)).await;
                }
                connect(80).await;
            }),
        )
        .unwrap();
    world.run_until(SimTime::from_secs(60)).unwrap();
    let ports_seen = ports_seen.lock().unwrap();
    assert!(matches!(ports_seen[..], [10_000..10_010]), "{ports_seen:?}");
    let state = world.fabric.lock();
    assert_eq!((state.connections.len(), state.waiting()), (0, 0));
}

/// Linux gives up 924.6 s after the first transmission.
#[test]
fn dead_link_ends_a_sender() {
    let (mut world, _) = world(1);
    world.host("server", factory(echo)).unwrap();
    let seen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&seen);
    world
        .host(
            "client",
            factory(move |ports| {
                let told = Arc::clone(&told);
                async move {
                    let server = Endpoint::new("server", 80);
                    let mut stream = ports.net().connect(&server).await.unwrap();
                    ports.clock().sleep(Duration::from_secs(1)).await;
                    let started = ports.clock().monotonic();
                    let error = stream.write_all(b"x").await.unwrap_err();
                    let took = ports.clock().monotonic() - started;
                    *told.lock().unwrap() = Some((error.kind(), took.as_millis()));
                }
            }),
        )
        .unwrap();
    world.run_until(SimTime::from_millis(500)).unwrap();
    let (from, to) = ("client".to_owned(), "server".to_owned());
    world.apply(&NetworkFault::Loss { from, to, ratio: 1.0 }).unwrap();
    world.run_until(SimTime::from_secs(1_000)).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some((std::io::ErrorKind::TimedOut, 924_600)));
}

#[test]
fn latencies_come_from_the_seed() {
    let latency = |seed: u64, a, b| world(seed).0.drawn_latency(a, b);
    assert_eq!(latency(1, "a", "b"), latency(1, "b", "a"));
    let drawn: Vec<u128> = (0..50).map(|seed| latency(seed, "a", "b").as_millis()).collect();
    for expected in 1..=5 {
        assert!(drawn.contains(&expected), "{expected} ms never in {drawn:?}");
    }
    assert!(drawn.iter().all(|millis| (1..=5).contains(millis)), "{drawn:?}");
}
