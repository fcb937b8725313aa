//! Crashes, partitions and links that misbehave.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::net::{connect, echo, idle, round_trip};
use super::{CLIENT, Case, GENEROUS, LONG, Outcome, SERVER, Stage, case};
use crate::ports::{Clock, Listener, Net, Ports};
use crate::rt;
use crate::sim::world::{CrashMode, Direction, NetworkFault};

pub(super) fn cases<P: Ports>() -> Vec<Case<P>> {
    vec![
        case!("fault: process crash and restart", echo, process_crash),
        case!("fault: power loss and restart", echo, power_loss),
        case!("fault: partition both ways, heal", echo, partition_both),
        case!("fault: partition client to server, heal", ticks, partition_to_server),
        case!("fault: partition server to client, heal", echo, partition_to_client),
        case!("fault: a sender gives up", echo, gives_up),
        case!("fault: hold and release", echo, hold),
        case!("fault: latency", echo, latency),
        case!("fault: bandwidth", sink, bandwidth),
        case!("fault: loss", echo, loss),
        case!("fault: reset", echo, reset),
        case!("fault: clock skew", idle, skew),
    ]
}

/// Waits until a connect succeeds and an echo comes back.
async fn reaches<P: Ports>(ports: &P, stage: &Stage) {
    let server = stage.server(ports).await;
    let started = ports.clock().monotonic();
    loop {
        let attempt = ports.clock().timeout(LONG, ports.net().connect(&server)).await;
        if let Ok(Ok(mut stream)) = attempt {
            round_trip(ports, &mut stream, GENEROUS).await.unwrap();
            return;
        }
        assert!(ports.clock().monotonic() - started < GENEROUS, "the server never came back");
        ports.clock().sleep(Duration::from_millis(50)).await;
    }
}

/// No connect succeeds now, and none fails either.
async fn connect_hangs<P: Ports>(ports: &P, stage: &Stage) {
    let server = stage.server(ports).await;
    let attempt = ports.clock().timeout(LONG, ports.net().connect(&server)).await;
    let attempt = attempt.map(|done| done.map(|_| ()).map_err(|error| error.kind()));
    assert!(attempt.is_err(), "{attempt:?}");
}

async fn process_crash<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let server = stage.server(&ports).await;
    let mut stream = connect(&ports, &server).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    stage.crash(&ports, CrashMode::Process).await?;
    let end = ports.clock().timeout(GENEROUS, stream.read(&mut [0; 16])).await.unwrap();
    match end {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    let refused = ports.clock().timeout(GENEROUS, ports.net().connect(&server)).await.unwrap();
    assert_eq!(refused.map(|_| ()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    stage.restart(&ports).await?;
    reaches(&ports, &stage).await;
    Ok(())
}

async fn power_loss<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    stage.crash(&ports, CrashMode::Power).await?;
    let silence = round_trip(&ports, &mut stream, LONG).await.unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
    connect_hangs(&ports, &stage).await;
    stage.restart(&ports).await?;
    reaches(&ports, &stage).await;
    // What was sent meanwhile, or is sent now, is answered by a host that knows nothing of it.
    let mut broken = None;
    for _ in 0..100 {
        match round_trip(&ports, &mut stream, LONG).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            other => {
                broken = Some(other.unwrap_err().kind());
                break;
            }
        }
    }
    let expected = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    assert!(broken.is_some_and(|kind| expected.contains(&kind)), "{broken:?}");
    Ok(())
}

/// What was on its way when a link failed is sent again, not lost.
async fn late_echo<P: Ports>(ports: &P, stream: &mut <P::Net as Net>::Stream) {
    let mut late = [0; 4];
    ports.clock().timeout(GENEROUS, stream.read_exact(&mut late)).await.unwrap().unwrap();
    assert_eq!(&late, b"ping");
}

async fn partition_both<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    stage.partition(&ports, CLIENT, SERVER, Direction::Both).await?;
    let silence = round_trip(&ports, &mut stream, LONG).await.unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
    assert_eq!(stage.noted("echoed bytes"), 4, "nothing crossed");
    connect_hangs(&ports, &stage).await;
    stage.repair(&ports).await?;
    late_echo(&ports, &mut stream).await;
    reaches(&ports, &stage).await;
    Ok(())
}

/// Sends a byte every 100 ms and counts what it hears.
async fn ticks<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (stream, _) = listener.accept().await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let heard = stage.clone();
    rt::spawn("hears", async move {
        while let Ok(1..) = reader.read(&mut [0; 16]).await {
            heard.count("heard");
        }
    });
    while writer.write_all(b".").await.is_ok() {
        ports.clock().sleep(Duration::from_millis(100)).await;
    }
}

async fn partition_to_server<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stream.read_exact(&mut [0; 3]).await.unwrap();
    stage.partition(&ports, CLIENT, SERVER, Direction::OneWay).await?;
    stream.write_all(b"!").await.unwrap();
    let ticks = ports.clock().timeout(LONG, stream.read_exact(&mut [0; 10])).await;
    assert!(ticks.is_ok(), "the other way is open");
    connect_hangs(&ports, &stage).await;
    assert_eq!(stage.noted("heard"), 0, "nothing crossed");
    stage.repair(&ports).await?;
    stage.until(&ports, "heard", 1).await;
    Ok(())
}

async fn partition_to_client<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    stage.partition(&ports, SERVER, CLIENT, Direction::OneWay).await?;
    let silence = round_trip(&ports, &mut stream, LONG).await.unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
    assert_eq!(stage.noted("echoed bytes"), 8, "the question arrived");
    connect_hangs(&ports, &stage).await;
    assert_eq!(stage.noted("accepted"), 1, "half a handshake is no connection");
    stage.repair(&ports).await?;
    late_echo(&ports, &mut stream).await;
    reaches(&ports, &stage).await;
    Ok(())
}

/// Linux repeats unacknowledged data for about 15 minutes (tcp_retries2).
async fn gives_up<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let server = stage.server(&ports).await;
    let (mut speaks, mut listens) =
        (connect(&ports, &server).await, connect(&ports, &server).await);
    round_trip(&ports, &mut listens, GENEROUS).await.unwrap();
    stage.partition(&ports, CLIENT, SERVER, Direction::Both).await?;
    let started = ports.clock().monotonic();
    speaks.write_all(b"lost").await.unwrap();
    let error = speaks.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let took = (ports.clock().monotonic() - started).as_secs();
    assert!((890..=960).contains(&took), "{took} s");
    assert_eq!(speaks.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    stage.repair(&ports).await?;
    // Who sent nothing noticed nothing.
    round_trip(&ports, &mut listens, GENEROUS).await.unwrap();
    Ok(())
}

fn link() -> (String, String) {
    (CLIENT.to_owned(), SERVER.to_owned())
}

async fn hold<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    let (from, to) = link();
    let direction = Direction::Both;
    stage.fault(&ports, NetworkFault::Hold { from, to, direction }).await?;
    stream.write_all(b"one ").await.unwrap();
    stream.write_all(b"two ").await.unwrap();
    let mut heard = [0; 8];
    assert!(ports.clock().timeout(LONG, stream.read(&mut heard)).await.is_err());
    let (from, to) = link();
    stage.fault(&ports, NetworkFault::Release { from, to }).await?;
    let second = Duration::from_secs(1);
    ports.clock().timeout(second, stream.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"one two ");
    Ok(())
}

/// Simulated time that one echo takes.
async fn timed<P: Ports>(ports: &P, stage: &Stage) -> Duration {
    let mut stream = connect(ports, &stage.server(ports).await).await;
    let started = ports.clock().monotonic();
    round_trip(ports, &mut stream, GENEROUS).await.unwrap();
    ports.clock().monotonic() - started
}

async fn latency<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let ((from, to), latency) = (link(), Duration::from_millis(200));
    let jitter = Duration::ZERO;
    stage.fault(&ports, NetworkFault::Latency { from, to, latency, jitter }).await?;
    let took = timed(&ports, &stage).await.as_millis();
    // turmoil delivers at ticks of 10 ms: up to one late, or (hosts run in turn) one early.
    assert!((380..=440).contains(&took), "{took} ms");
    Ok(())
}

/// Reads everything, then says so.
async fn sink<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        stream.write_all(&(heard.len() as u32).to_be_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

async fn upload<P: Ports>(ports: &P, stage: &Stage) -> Duration {
    let mut stream = connect(ports, &stage.server(ports).await).await;
    let started = ports.clock().monotonic();
    stream.write_all(&[1; 50_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(u32::from_be_bytes(heard), 50_000);
    ports.clock().monotonic() - started
}

async fn bandwidth<P: Ports>(ports: P, stage: Stage) -> Outcome {
    for (rate, least, most) in [(Some(10_000), 4_900, 5_600), (None, 0, 300)] {
        let (from, to) = link();
        stage.fault(&ports, NetworkFault::Bandwidth { from, to, bytes_per_second: rate }).await?;
        let took = upload(&ports, &stage).await.as_millis();
        assert!((least..=most).contains(&took), "{took} ms at {rate:?} bytes per second");
    }
    Ok(())
}

async fn loss<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let set = |ratio| {
        let (from, to) = link();
        NetworkFault::Loss { from, to, ratio }
    };
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stage.fault(&ports, set(0.2)).await?;
    let started = ports.clock().monotonic();
    for _ in 0..100 {
        round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    }
    // 200 messages lose about 40, each worth one retransmission time-out of 200 ms.
    let took = ports.clock().monotonic() - started;
    assert!(took > Duration::from_secs(4), "{took:?}");
    stage.fault(&ports, set(1.0)).await?;
    let silence = round_trip(&ports, &mut stream, LONG).await.unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
    stage.fault(&ports, set(0.0)).await?;
    assert!(timed(&ports, &stage).await < Duration::from_secs(1));
    Ok(())
}

async fn reset<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    let (from, to) = link();
    stage.fault(&ports, NetworkFault::Reset { from, to }).await?;
    let read = ports.clock().timeout(GENEROUS, stream.read(&mut [0; 16])).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    reaches(&ports, &stage).await;
    Ok(())
}

async fn skew<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let ahead = |ports: &P| {
        let monotonic = i64::try_from(ports.clock().monotonic().as_millis()).unwrap();
        ports.clock().wall().0 - monotonic
    };
    let before = ahead(&ports);
    for offset_ms in [7_000, -3_000, 0] {
        let host = CLIENT.to_owned();
        stage.fault(&ports, NetworkFault::Skew { host, offset_ms }).await?;
        let skewed = ahead(&ports) - before;
        assert!((skewed - offset_ms).abs() <= 1, "{skewed} ms for {offset_ms} ms");
    }
    Ok(())
}
