//! The client and the server over in-memory pipes, on paused time.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::{HttpOverNet, serve};
use crate::domain::units::UnixMillis;
use crate::ports::{
    Clock, Endpoint, Fate, Http, HttpError, HttpLimits, HttpRequest, Listener, Net,
};
use crate::rt::{self, ShutdownHandle};

#[derive(Clone)]
struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        tokio::time::sleep(duration).await;
    }
}

/// Pipes by port; `hang` never answers a connect, other names do not exist.
#[derive(Clone, Default)]
struct PipeNet {
    ports: Arc<Mutex<BTreeMap<u16, mpsc::UnboundedSender<DuplexStream>>>>,
    connects: Arc<AtomicUsize>,
}

struct PipeListener(mpsc::UnboundedReceiver<DuplexStream>, u16);

impl Listener for PipeListener {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        let stream = self.0.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((stream, SocketAddr::from(([127, 0, 0, 1], 1))))
    }

    fn port(&self) -> u16 {
        self.1
    }
}

impl Net for PipeNet {
    type Stream = DuplexStream;
    type Listener = PipeListener;

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "server" | "hang" | "::1" => Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    async fn connect(&self, to: &Endpoint) -> io::Result<DuplexStream> {
        self.resolve(&to.host).await?;
        if to.host == "hang" {
            std::future::pending::<()>().await;
        }
        self.connects.fetch_add(1, Ordering::Relaxed);
        let (near, far) = duplex(64 * 1024);
        let ports = self.ports.lock().unwrap();
        let port = ports.get(&to.port).ok_or(io::ErrorKind::ConnectionRefused)?;
        port.send(far).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }

    async fn listen(&self, port: u16) -> io::Result<PipeListener> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.ports.lock().unwrap().insert(port, sender);
        Ok(PipeListener(receiver, port))
    }
}

const LIMITS: HttpLimits = HttpLimits { timeout: Duration::from_secs(5), body_bytes_max: 100 };

type Client = HttpOverNet<PipeNet, PausedClock>;

fn run<F: Future<Output = ()>>(test: impl FnOnce(PipeNet, Client) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let net = PipeNet::default();
        #[expect(clippy::disallowed_methods, reason = "paused time")]
        let clock = PausedClock(tokio::time::Instant::now());
        test(net.clone(), HttpOverNet::new(net, clock)).await;
    });
    assert_eq!(rt::take_panics(), []);
}

fn request(method: &str, uri: &str, body: &'static str) -> HttpRequest {
    http::Request::builder().method(method).uri(uri).body(Bytes::from(body)).unwrap()
}

/// A server that gives each connection the next script; a script lists what to answer to each
/// request. After its last answer it closes, unless the answer is empty: then it stays silent.
async fn scripted(net: &PipeNet, scripts: &'static [&'static [&'static str]]) {
    let mut listener = net.listen(80).await.unwrap();
    rt::spawn("scripted", async move {
        for script in scripts {
            let (mut stream, _) = listener.accept().await.unwrap();
            rt::spawn("script", async move {
                for answer in *script {
                    let mut buffer = [0; 4096];
                    if stream.read(&mut buffer).await.unwrap() == 0 {
                        return;
                    }
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                }
            });
        }
        std::future::pending::<()>().await;
    });
}

const TWO_CHUNKS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    3c\r\n012345678901234567890123456789012345678901234567890123456789\r\n\
    3c\r\n012345678901234567890123456789012345678901234567890123456789\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// `name` of the outcome of each request of a script, with the fate when there is no answer.
fn outcomes(
    scripts: &'static [&'static [&'static str]],
    requests: &'static [(&'static str, &'static str)],
) -> (Vec<String>, usize) {
    let outcomes = Arc::new(Mutex::new((Vec::new(), 0)));
    let seen = Arc::clone(&outcomes);
    run(|net, client| async move {
        scripted(&net, scripts).await;
        for (method, uri) in requests {
            let outcome = match client.send(request(method, uri, ""), LIMITS).await {
                Ok(answer) => format!("{} {} bytes", answer.status().as_u16(), answer.body().len()),
                Err(error) => format!("{} {:?}", kind(&error), error.fate()),
            };
            seen.lock().unwrap().0.push(outcome);
        }
        seen.lock().unwrap().1 = net.connects.load(Ordering::Relaxed);
    });
    Arc::into_inner(outcomes).unwrap().into_inner().unwrap()
}

fn kind(error: &HttpError) -> &'static str {
    match error {
        HttpError::Request(_) => "Request",
        HttpError::Connect { .. } => "Connect",
        HttpError::Timeout { .. } => "Timeout",
        HttpError::Broken { .. } => "Broken",
        HttpError::Garbage { .. } => "Garbage",
        HttpError::BodyTooLong { .. } => "BodyTooLong",
    }
}

#[track_caller]
fn check(
    scripts: &'static [&'static [&'static str]],
    requests: &'static [(&'static str, &'static str)],
    expected: &[&str],
    connects: usize,
) {
    assert!(!expected.is_empty());
    let (seen, connected) = outcomes(scripts, requests);
    assert_eq!((seen, connected), (expected.iter().map(|s| (*s).to_owned()).collect(), connects));
}

#[test]
fn answers_and_their_failures() {
    let get = &[("GET", "http://server/x")];
    check(&[&[OK]], get, &["200 2 bytes"], 1);
    check(&[&["HTTP/1.1 503 No\r\n\r\nwhy"]], get, &["503 3 bytes"], 1);
    check(&[&["SMTP what\r\n\r\n"]], get, &["Garbage Unknown"], 1);
    check(
        &[&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]],
        get,
        &["Garbage Unknown"],
        1,
    );
    check(&[&["HTTP/1.1 200 OK\r\ncontent-len"]], get, &["Broken Unknown"], 1);
    check(&[&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"]], get, &["Broken Unknown"], 1);
    check(
        &[&["HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n", ""]],
        get,
        &["BodyTooLong Unknown"],
        1,
    );
    // Two chunks of 60 bytes: neither is too long by itself.
    check(&[&[TWO_CHUNKS, ""]], get, &["BodyTooLong Unknown"], 1);
    check(&[&[""]], get, &["Timeout Unknown"], 1);
    check(&[&[OK]], &[("HEAD", "http://server/")], &["200 0 bytes"], 1);
}

#[test]
fn nothing_was_sent() {
    check(
        &[],
        &[
            ("GET", "/relative"),
            ("GET", "https://server/"),
            ("GET", "http://hang/"),
            ("GET", "http://nowhere/"),
            ("GET", "http://server:81/"),
        ],
        &[
            "Request NotSent",
            "Request NotSent",
            "Timeout NotSent",
            "Connect NotSent",
            "Connect NotSent",
        ],
        1,
    );
}

#[test]
fn connections_are_reused() {
    let twice = &[("POST", "http://server/"), ("POST", "http://server/")];
    check(&[&[OK, OK, ""]], twice, &["200 2 bytes", "200 2 bytes"], 1);
    // Closed while idle: seen before use, so even a POST goes to a fresh connection.
    check(&[&[OK], &[OK]], twice, &["200 2 bytes", "200 2 bytes"], 2);
    const CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    check(&[&[CLOSE, ""], &[OK]], twice, &["200 2 bytes", "200 2 bytes"], 2);
    let two_ports = &[("GET", "http://server/"), ("GET", "http://[::1]/")];
    check(&[&[OK, ""], &[OK, ""]], two_ports, &["200 2 bytes", "200 2 bytes"], 2);
}

/// The second request of a pooled connection is read, and then the connection closes.
#[test]
fn only_safe_methods_are_sent_again() {
    let answers_once_then_closes = |requests: &'static [(&'static str, &'static str)]| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        run(|net, client| async move {
            let mut listener = net.listen(80).await.unwrap();
            rt::spawn("server", async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    stream.write_all(OK.as_bytes()).await.unwrap();
                    let _ = stream.read(&mut buffer).await;
                }
            });
            for (method, uri) in requests {
                let outcome = client.send(request(method, uri, "body"), LIMITS).await;
                log.lock().unwrap().push(outcome.map_or_else(|e| kind(&e), |_| "ok"));
            }
        });
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    };
    assert_eq!(answers_once_then_closes(&[("GET", "http://server/"); 2]), ["ok", "ok"]);
    assert_eq!(answers_once_then_closes(&[("POST", "http://server/"); 2]), ["ok", "Broken"]);
}

/// Two connections are kept and both go dead without a word: only the first costs a time-out.
#[test]
fn a_time_out_ends_the_trust_in_what_was_idle() {
    run(|net, client| async move {
        scripted(&net, &[&[OK, ""], &[OK, ""], &[OK]]).await;
        let send = || client.send(request("POST", "http://server/", "body"), LIMITS);
        let (one, other) = futures_util::join!(send(), send());
        assert!(one.is_ok() && other.is_ok());
        let silent = send().await;
        assert!(matches!(silent, Err(HttpError::Timeout { sent: true, .. })), "{silent:?}");
        assert_eq!(send().await.map(|answer| answer.status().as_u16()).ok(), Some(200));
        assert_eq!(net.connects.load(Ordering::Relaxed), 3);
    });
}

/// Three connections are kept; the server forgets them all and says so only when it is asked on
/// one: only that request is lost.
#[test]
fn a_broken_connection_ends_the_trust_in_what_was_idle() {
    run(|net, client| async move {
        let mut listener = net.listen(80).await.unwrap();
        rt::spawn("server", async move {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().await.unwrap();
                rt::spawn("connection", async move {
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    stream.write_all(OK.as_bytes()).await.unwrap();
                    let _ = stream.read(&mut buffer).await;
                });
            }
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
        });
        let send = || client.send(request("POST", "http://server/", "body"), LIMITS);
        let (a, b, c) = futures_util::join!(send(), send(), send());
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        let broken = send().await;
        assert!(matches!(broken, Err(HttpError::Broken { .. })), "{broken:?}");
        assert_eq!(send().await.map(|answer| answer.status().as_u16()).ok(), Some(200));
    });
}

#[test]
fn server_stops_gracefully() {
    run(|net, client| async move {
        let router = Router::new().route("/fast", get(|| async { "fast" })).route(
            "/slow",
            post(|body: Bytes| async move {
                tokio::task::yield_now().await;
                body
            }),
        );
        let stop = ShutdownHandle::new();
        let listener = net.listen(80).await.unwrap();
        let server = rt::spawn("server", serve("web", listener, router, stop.signal()));
        let answer = client.send(request("GET", "http://server/fast", ""), LIMITS).await.unwrap();
        assert_eq!(answer.body(), "fast");
        assert!(!answer.headers().contains_key("date"));
        let answer = client.send(request("GET", "http://server/none", ""), LIMITS).await.unwrap();
        assert_eq!(answer.status(), 404);

        let busy = rt::spawn("busy", {
            let client = client.clone();
            async move { client.send(request("POST", "http://server/slow", "echo"), LIMITS).await }
        });
        tokio::task::yield_now().await;
        stop.request();
        assert_eq!(busy.await.unwrap().unwrap().body(), "echo");
        server.await.unwrap();
        let refused = client.send(request("GET", "http://server/fast", ""), LIMITS).await;
        assert!(matches!(refused, Err(ref e) if e.fate() == Fate::NotSent), "{refused:?}");
    });
}
