//! Random faults over many seeds: every run repeats byte by byte, and no byte is ever corrupted.

use std::collections::BTreeSet;

use rand_core::Rng;

use super::*;
use crate::sim::seed::below;
use crate::sim::trace::{TraceDigest, fingerprint};

const BROKERS: u64 = 5;
const MINUTES: u64 = 5;
const SEEDS: u64 = 60;

/// A broker answers `request` by its bytes and a checksum, several times per connection.
async fn broker(ports: KernelPorts) {
    let mut listener = ports.net().listen(PORT).await.expect("a restarted host binds again");
    while let Ok((mut stream, _)) = listener.accept().await {
        rt::spawn("serve", async move {
            let mut request = [0; 8];
            while stream.read_exact(&mut request).await.is_ok() {
                let body: Vec<u8> = request.iter().copied().cycle().take(3_000).collect();
                let print = fingerprint(&body).to_le_bytes();
                if stream.write_all(&body).await.is_err() || stream.write_all(&print).await.is_err()
                {
                    return;
                }
            }
        });
    }
}

async fn fetch(stream: &mut KernelStream, request: u64) -> std::io::Result<()> {
    stream.write_all(&request.to_le_bytes()).await?;
    let mut body = vec![0; 3_000];
    stream.read_exact(&mut body).await?;
    let mut print = [0; 8];
    stream.read_exact(&mut print).await?;
    let whole = body.starts_with(&request.to_le_bytes());
    assert!(whole && print == fingerprint(&body).to_le_bytes(), "an answer came out damaged");
    Ok(())
}

/// Polls every broker every 10 s with a limit of 5 s, keeping connections that work.
async fn collector(ports: KernelPorts, notes: Notes) {
    for number in 0..BROKERS {
        let (ports, notes) = (ports.clone(), notes.clone());
        rt::spawn("poll", async move {
            let clock = ports.clock().clone();
            let mut rng = crate::ports::Entropy::stream(ports.entropy(), &format!("poll-{number}"));
            let mut open: Option<KernelStream> = None;
            loop {
                let request = rng.next_u64();
                let exchange = async {
                    let mut stream = match open.take() {
                        Some(stream) => stream,
                        None => connect(&ports, &format!("broker-{number}")).await?,
                    };
                    fetch(&mut stream, request).await?;
                    Ok::<_, std::io::Error>(stream)
                };
                match clock.timeout(secs(5), exchange).await {
                    Ok(Ok(stream)) => {
                        open = Some(stream);
                        notes.add(&ports, "ok");
                    }
                    Ok(Err(error)) => notes.add(&ports, format!("{:?}", error.kind())),
                    Err(_) => notes.add(&ports, "late"),
                }
                clock.sleep(ms(9_000 + below(&mut rng, 2_000))).await;
            }
        });
    }
}

fn fault(rng: &mut impl Rng) -> NetworkFault {
    let host = format!("broker-{}", below(rng, BROKERS));
    let (from, to) = if below(rng, 2) == 0 {
        (host.clone(), "collector".to_owned())
    } else {
        ("collector".to_owned(), host.clone())
    };
    let direction = if below(rng, 2) == 0 { Direction::Both } else { Direction::OneWay };
    match below(rng, 12) {
        0 => NetworkFault::Partition { from, to, direction },
        1 | 2 => NetworkFault::Repair { from, to },
        3 => NetworkFault::Hold { from, to, direction },
        4 => NetworkFault::Release { from, to },
        5 => NetworkFault::Loss { from, to, ratio: [0.0, 0.02, 0.3][below(rng, 3) as usize] },
        6 => NetworkFault::Crash { host, mode: CrashMode::Process },
        7 => NetworkFault::Crash { host, mode: CrashMode::Power },
        8 | 9 => NetworkFault::Restart { host },
        10 => NetworkFault::Reset { from, to },
        _ => {
            let rate = [None, Some(5_000), Some(50_000)][below(rng, 3) as usize];
            NetworkFault::Bandwidth { from, to, bytes_per_second: rate }
        }
    }
}

struct Outcome {
    digest: TraceDigest,
    notes: Vec<String>,
    recovered: bool,
}

fn run(seed: u64) -> Outcome {
    let seed = Seed(seed);
    let adversarial_chunks = seed.0.is_multiple_of(2);
    let config = KernelConfig { adversarial_chunks, ..KernelConfig::new(seed, EPOCH) };
    let trace = Trace::new(Sink::None);
    let mut stage =
        Stage { kernel: Kernel::new(config, trace.clone()), trace, notes: Notes::default() };
    for number in 0..BROKERS {
        stage.host(&format!("broker-{number}"), |ports, _| broker(ports));
    }
    stage.host("collector", collector);
    let mut rng = seed.stream("fault");
    let mut at = 0;
    while at < MINUTES * 60_000 {
        at += below(&mut rng, 6_000);
        stage.run(ms(at));
        let fault = fault(&mut rng);
        stage.apply(fault);
    }
    for number in 0..BROKERS {
        let (from, to) = (format!("broker-{number}"), "collector".to_owned());
        stage.repair(&from, &to);
        stage.apply(NetworkFault::Release { from: from.clone(), to: to.clone() });
        let (a, b) = (from.clone(), to.clone());
        stage.apply(NetworkFault::Loss { from: a, to: b, ratio: 0.0 });
        let (a, b) = (from.clone(), to.clone());
        stage.apply(NetworkFault::Bandwidth { from: a, to: b, bytes_per_second: None });
        stage.restart(&from);
    }
    stage.run(ms(at) + secs(60));
    let mut notes = stage.notes();
    stage.run(ms(at) + secs(120));
    let healthy = stage.notes();
    let recovered = healthy.len() > 20 && healthy.iter().all(|note| note.ends_with(" ok"));
    notes.extend(healthy);
    Outcome { digest: stage.trace.digest(), notes, recovered }
}

#[test]
fn chaos_repeats_and_heals() {
    let mut digests = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for seed in 0..SEEDS {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!(first.notes, second.notes, "seed {seed}");
        assert!(first.recovered, "seed {seed}: {:?}", first.notes);
        digests.insert(first.digest.hash);
        let kind = |note: &String| note.split_once(' ').map(|(_, kind)| kind.to_owned());
        kinds.extend(first.notes.iter().filter_map(kind));
    }
    assert_eq!(digests.len() as u64, SEEDS, "every seed is a run of its own");
    for expected in ["ok", "late", "ConnectionRefused", "ConnectionReset"] {
        assert!(kinds.contains(expected), "{expected} never happened: {kinds:?}");
    }
}

#[test]
fn a_run_repeats_on_any_thread() {
    let here = run(7).digest;
    // A new tokio, compiler or platform must not change a run; a new rule of the kernel may.
    assert_eq!(here.to_string(), "2559035cb49abc896ea555abfb832d57 (992 events, 93225 bytes)");
    #[expect(clippy::disallowed_methods, reason = "a run must not depend on its thread")]
    let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(|| run(7).digest)).collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), here);
    }
}

#[test]
fn the_trace_tells_every_send_delivery_and_fault() {
    let mut stage = Stage::new(config(ms(10)));
    stage.host("server", |ports, _| echo_server(ports));
    stage.host("client", |ports, _| async move {
        let mut stream = connect(&ports, "server").await.unwrap();
        ping(&mut stream).await.unwrap();
        ports.clock().sleep(ms(60)).await;
        stream.write_all(b"lost").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
    });
    stage.run(ms(50));
    stage.partition("client", "server", Direction::OneWay);
    stage.run(ms(200));
    stage.repair("client", "server");
    stage.run(secs(1));
    let (c, s) = ("flow=client:32768>server:9092", "flow=server:9092>client:32768");
    let payload = |bytes: &[u8]| format!("bytes=4 print={:016x}", fingerprint(bytes));
    let (ping, lost) = (payload(b"ping"), payload(b"lost"));
    let expected = [
        format!("0000000000000 1 - net send kind=syn {c}"),
        format!("0000010000000 2 1 net recv kind=syn {c}"),
        format!("0000020000000 3 2 net recv kind=synack {s}"),
        format!("0000020000000 4 3 net send kind=data {c} {ping}"),
        format!("0000030000000 5 3 net recv kind=ack {c}"),
        format!("0000030000000 6 4 net recv kind=data {c} {ping}"),
        format!("0000030000000 7 6 net send kind=data {s} {ping}"),
        format!("0000040000000 8 7 net recv kind=data {s} {ping}"),
        "0000050000000 9 - fault partition link=client>server".to_owned(),
        format!("0000100000000 10 8 net send kind=data {c} {lost}"),
        format!("0000100000000 11 9 net lost kind=data {c} of=10"),
        "0000200000000 12 - fault repair link=client<>server".to_owned(),
        format!("0000330000000 13 10 net recv kind=data {c} {lost}"),
        format!("0000330000000 14 13 net send kind=data {s} {lost}"),
        format!("0000340000000 15 14 net recv kind=data {s} {lost}"),
        format!("0000340000000 16 15 net send kind=fin {c}"),
        // The server's own FIN finds nobody: both ends have let go of the connection.
        format!("0000350000000 17 16 net recv kind=fin {c}"),
        format!("0000350000000 18 17 net send kind=fin {s}"),
    ];
    let text = stage.trace_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, expected);
}
