//! Streams, listeners and names without any fault.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Case, Control, GENEROUS, Outcome, SHORT, Stage, case};
use crate::ports::{Clock, Endpoint, Listener, Net, Ports};
use crate::rt;

pub(super) fn cases<P: Ports>() -> Vec<Case<P>> {
    vec![
        case!("net: echo", echo, client_echo),
        case!("net: refused", idle, client_refused),
        case!("net: half-close", after_half_close, client_half_close),
        case!("net: end of stream", closes_at_once, client_end_of_stream),
        case!("net: data before the end", sends_and_closes, client_reads_all),
        case!("net: both ways at once", echo, client_both_ways),
        case!("net: closed listener resets its queue", closes_listener, client_in_queue),
        case!("net: reset by unread data", drops_unread, client_reset),
        case!("net: write to a closed peer", closes_at_once, client_writes_to_closed),
        case!("net: back-pressure", reads_late, client_back_pressure),
        case!("net: 10 MB both ways", sends_back_sum, client_large),
        case!("net: 200 connections", echo, client_many),
        case!("net: connect before accept", accepts_late, client_early),
        case!("net: port in use", idle, client_port_in_use),
        case!("net: port free after close", idle, client_port_again),
        case!("net: read time-out", speaks_late, client_read_timeout),
        case!("net: connect time-out", idle, client_connect_timeout),
        case!("net: localhost", idle, client_localhost),
        case!("net: unknown name", idle, client_unknown_name),
        case!("net: several addresses", echo, client_several_addresses),
        case!("clock: both move on", idle, client_clock),
    ]
}

/// A server without software.
pub(super) async fn idle<P: Ports>(_: P, _: Stage) {}

/// Sends back what arrives, on every connection.
pub(super) async fn echo<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        stage.count("accepted");
        let stage = stage.clone();
        rt::spawn("echo", async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer).await {
                stage.add("echoed bytes", read as u64);
                if writer.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Connects, within a generous deadline.
pub(super) async fn connect<P: Ports>(ports: &P, to: &Endpoint) -> <P::Net as Net>::Stream {
    ports.clock().timeout(GENEROUS, ports.net().connect(to)).await.unwrap().unwrap()
}

/// One message there and back, within `deadline`.
pub(super) async fn round_trip<P: Ports, S>(
    ports: &P,
    stream: &mut S,
    deadline: Duration,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let exchange = async {
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"ping");
        Ok(())
    };
    match ports.clock().timeout(deadline, exchange).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn client_echo<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    for _ in 0..3 {
        round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    }
    Ok(())
}

/// Port 1 (tcpmux) has no listener on any machine of ours.
async fn client_refused<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let host = stage.book().server.clone();
    let connect = ports.net().connect(&Endpoint { host, port: 1 }).await;
    assert_eq!(connect.map(|_| ()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    Ok(())
}

async fn after_half_close<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"question");
    stream.write_all(b"answer").await.unwrap();
    stream.shutdown().await.unwrap();
    stage.until(&ports, "read", 1).await;
}

async fn client_half_close<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stream.write_all(b"question").await.unwrap();
    stream.shutdown().await.unwrap();
    let refused = stream.write_all(b"more").await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"answer");
    stage.note("read", 1);
    Ok(())
}

async fn closes_at_once<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    drop(listener.accept().await.unwrap());
    stage.note("closed", 1);
    std::future::pending::<()>().await;
}

async fn client_end_of_stream<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    for _ in 0..2 {
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "the end stays the end");
    }
    Ok(())
}

const SOME: usize = 100_000;

async fn sends_and_closes<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&pattern(SOME)).await.unwrap();
    drop(stream);
    std::future::pending::<()>().await;
}

async fn client_reads_all<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(heard == pattern(SOME), "{} bytes arrived", heard.len());
    Ok(())
}

async fn client_both_ways<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let stream = connect(&ports, &stage.server(&ports).await).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sends = rt::spawn("sends", async move {
        writer.write_all(&pattern(LARGE / 10)).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut heard = Vec::new();
    reader.read_to_end(&mut heard).await.unwrap();
    sends.await.unwrap();
    assert!(heard == pattern(LARGE / 10), "{} bytes came back", heard.len());
    Ok(())
}

async fn closes_listener<P: Ports>(ports: P, stage: Stage) {
    let listener = stage.listen(&ports).await;
    stage.until(&ports, "connected", 1).await;
    drop(listener);
    std::future::pending::<()>().await;
}

async fn client_in_queue<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stage.note("connected", 1);
    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "an error is reported once");
    let error = stream.write_all(b"more").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    Ok(())
}

async fn drops_unread<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
    stage.until(&ports, "sent", 1).await;
    // Long enough for the rest to arrive.
    ports.clock().sleep(SHORT).await;
    drop(stream);
    std::future::pending::<()>().await;
}

async fn client_reset<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stream.write_all(&[7; 100]).await.unwrap();
    stage.note("sent", 1);
    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    Ok(())
}

async fn client_writes_to_closed<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stage.until(&ports, "closed", 1).await;
    for _ in 0..1_000 {
        if let Err(error) = stream.write_all(b"into the void").await {
            let broken = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
            assert!(broken.contains(&error.kind()), "{error:?}");
            // The end was read first, so the reset that answered the writes stays hidden.
            assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
            return Ok(());
        }
        ports.clock().sleep(Duration::from_millis(20)).await;
    }
    panic!("a thousand writes to a closed peer succeeded");
}

async fn reads_late<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    stage.until(&ports, "blocked", 1).await;
    let mut heard = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => heard += read as u64,
        }
    }
    stage.note("heard", heard);
    stage.note("done", 1);
}

async fn client_back_pressure<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    let chunk = vec![1; 64 * 1024];
    let mut sent = 0;
    // Linux tunes both buffers up to about 10 MiB on loopback (tcp_wmem, tcp_rmem).
    while let Ok(written) = ports.clock().timeout(SHORT, stream.write(&chunk)).await {
        sent += written.unwrap() as u64;
        assert!(sent < 64 * 1024 * 1024, "nothing holds the writer back");
    }
    stage.note("blocked", 1);
    stream.write_all(&chunk).await.unwrap();
    sent += chunk.len() as u64;
    stream.shutdown().await.unwrap();
    stage.until(&ports, "done", 1).await;
    assert_eq!(stage.noted("heard"), sent);
    Ok(())
}

const LARGE: usize = 10_000_000;

/// Bytes whose order shows.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at.wrapping_mul(31) >> 3) as u8).collect()
}

async fn sends_back_sum<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(heard == pattern(LARGE), "{} bytes arrived", heard.len());
    heard.reverse();
    stream.write_all(&heard).await.unwrap();
    stream.shutdown().await.unwrap();
    stage.until(&ports, "read", 1).await;
}

async fn client_large<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    let mut expected = pattern(LARGE);
    stream.write_all(&expected).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    expected.reverse();
    assert!(heard == expected, "{} bytes came back", heard.len());
    stage.note("read", 1);
    Ok(())
}

async fn client_many<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let server = stage.server(&ports).await;
    let mut tasks = Vec::new();
    for number in 0..200_u32 {
        let (ports, server) = (ports.clone(), server.clone());
        tasks.push(rt::spawn(format!("client {number}"), async move {
            let mut stream = connect(&ports, &server).await;
            stream.write_all(&number.to_be_bytes()).await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_be_bytes(answer), number);
            stream
        }));
    }
    let mut open = Vec::new();
    for task in tasks {
        open.push(task.await.unwrap());
    }
    assert_eq!((open.len(), stage.noted("accepted")), (200, 200));
    Ok(())
}

async fn accepts_late<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    stage.until(&ports, "connected", 1).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await.unwrap();
    stream.write_all(&heard).await.unwrap();
    std::future::pending::<()>().await;
}

async fn client_early<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    stream.write_all(b"early").await.unwrap();
    stage.note("connected", 1);
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"early");
    Ok(())
}

async fn client_port_in_use<P: Ports>(ports: P, _: Stage) -> Outcome {
    let first = ports.net().listen(0).await.unwrap();
    let other = ports.net().listen(0).await.unwrap();
    assert!(first.port() != 0 && other.port() != 0 && first.port() != other.port());
    let again = ports.net().listen(first.port()).await.map(|_| ()).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    Ok(())
}

/// A server that restarts gets its port back, although a client still holds a connection.
async fn client_port_again<P: Ports>(ports: P, _: Stage) -> Outcome {
    let mut listener = ports.net().listen(0).await.unwrap();
    let port = listener.port();
    let near = connect(&ports, &Endpoint::new("localhost", port)).await;
    let (far, _) = listener.accept().await.unwrap();
    drop((listener, far));
    let listener = ports.net().listen(port).await.unwrap();
    assert_eq!(listener.port(), port);
    drop(near);
    Ok(())
}

async fn speaks_late<P: Ports>(ports: P, stage: Stage) {
    let mut listener = stage.listen(&ports).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    stage.until(&ports, "timed out", 1).await;
    stream.write_all(b"late").await.unwrap();
    std::future::pending::<()>().await;
}

async fn client_read_timeout<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let mut stream = connect(&ports, &stage.server(&ports).await).await;
    let started = ports.clock().monotonic();
    let mut heard = [0; 4];
    assert!(ports.clock().timeout(SHORT, stream.read(&mut heard)).await.is_err());
    assert!(ports.clock().monotonic() - started >= SHORT);
    stage.note("timed out", 1);
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"late");
    Ok(())
}

async fn client_connect_timeout<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let hole: Endpoint = stage.ask(&ports, Control::BlackHole).await?.parse().unwrap();
    let started = ports.clock().monotonic();
    assert!(ports.clock().timeout(SHORT, ports.net().connect(&hole)).await.is_err());
    assert!(ports.clock().monotonic() - started >= SHORT);
    Ok(())
}

async fn client_localhost<P: Ports>(ports: P, _: Stage) -> Outcome {
    let mut listener = ports.net().listen(0).await.unwrap();
    let mut near = connect(&ports, &Endpoint::new("localhost", listener.port())).await;
    let (mut far, _) = listener.accept().await.unwrap();
    near.write_all(b"self").await.unwrap();
    let mut heard = [0; 4];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"self");
    Ok(())
}

/// A label of 64 letters is longer than DNS allows: no name server need be asked.
async fn client_unknown_name<P: Ports>(ports: P, _: Stage) -> Outcome {
    let nobody = Endpoint::new(format!("{}.invalid", "a".repeat(64)), 80);
    let resolved = ports.net().resolve(&nobody.host).await;
    assert_eq!(resolved.unwrap_err().kind(), io::ErrorKind::NotFound);
    let connected = ports.net().connect(&nobody).await.map(|_| ());
    assert_eq!(connected.unwrap_err().kind(), io::ErrorKind::NotFound);
    Ok(())
}

async fn client_several_addresses<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let port = stage.server(&ports).await.port;
    let name = stage.ask(&ports, Control::Alias).await?;
    assert_eq!(ports.net().resolve(&name).await.unwrap().len(), 2);
    let mut stream = connect(&ports, &Endpoint::new(name, port)).await;
    round_trip(&ports, &mut stream, GENEROUS).await.unwrap();
    Ok(())
}

async fn client_clock<P: Ports>(ports: P, _: Stage) -> Outcome {
    let clock = ports.clock();
    let (wall, monotonic) = (clock.wall(), clock.monotonic());
    clock.sleep(SHORT).await;
    assert!(clock.monotonic() - monotonic >= SHORT);
    // Wall time is whole milliseconds, and a real clock may be set meanwhile.
    assert!(clock.wall().millis_since(wall) >= 290, "{} {wall}", clock.wall());
    let deadline = clock.timeout(Duration::ZERO, std::future::ready(7)).await;
    assert_eq!(deadline, Ok(7), "what is ready at the deadline wins");
    Ok(())
}
