//! HTTP exchanges, whole and broken, and what became of the request.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::net::idle;
use super::{CLIENT, Case, Control, GENEROUS, LONG, Outcome, SERVER, SHORT, Stage, case};
use crate::ports::{
    Clock, Endpoint, Fate, Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Listener, Ports,
};
use crate::rt::{self, ShutdownHandle};
use crate::sim::world::{CrashMode, Direction, NetworkFault};

pub(super) fn cases<P: Ports>() -> Vec<Case<P>> {
    vec![
        case!("http: routes and bodies", routed, routes_and_bodies),
        case!("http: 5 MB both ways", routed, big_bodies),
        case!("http: keep-alive reuse", counts_connections, keep_alive),
        case!("http: connection closed while idle", closes_after_answer, closed_while_idle),
        case!("http: body too long", answers_long, body_too_long),
        case!("http: slow answer", answers_never, slow_answer),
        case!("http: garbage answer", answers_garbage, garbage_answer),
        case!("http: close before the answer", closes_before_answer, early_close),
        case!("http: close within the body", closes_within_body, truncated),
        case!("http: reset before the answer", resets_before_answer, early_close),
        case!("http: refused", idle, refused),
        case!("http: unknown name", idle, unknown_name),
        case!("http: connect time-out", idle, connect_timeout),
        case!("http: server crashes before the answer", answers_never, crash_before_answer),
        case!("http: connection reset by the network", answers_never, reset_before_answer),
        case!("http: partition before the answer", answers_never, partition_before_answer),
    ]
}

const LIMITS: HttpLimits = HttpLimits { timeout: GENEROUS, body_bytes_max: 6_000_000 };

fn request(method: &str, to: &Endpoint, path: &str, body: Bytes) -> HttpRequest {
    http::Request::builder().method(method).uri(format!("http://{to}{path}")).body(body).unwrap()
}

async fn send<P: Ports>(
    ports: &P,
    stage: &Stage,
    method: &str,
    path: &str,
    body: Bytes,
) -> Result<HttpResponse, HttpError> {
    let to = stage.server(ports).await;
    ports.http().send(request(method, &to, path, body), LIMITS).await
}

async fn post_text<P: Ports>(ports: &P, stage: &Stage) -> Result<HttpResponse, HttpError> {
    send(ports, stage, "POST", "/", Bytes::from_static(b"text")).await
}

async fn routed<P: Ports>(ports: P, stage: Stage) {
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .layer(axum::extract::DefaultBodyLimit::disable());
    let listener = stage.listen(&ports).await;
    let forever = ShutdownHandle::new();
    rt::http::serve("routed", listener, router, forever.signal()).await;
}

async fn routes_and_bodies<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let answer = send(&ports, &stage, "GET", "/hello?x=1", Bytes::new()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, b"hello".as_slice()));
    assert!(!answer.headers().contains_key("date"), "a clock nobody gave");
    let answer = send(&ports, &stage, "POST", "/echo", Bytes::from_static(b"body")).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, b"body".as_slice()));
    let answer = send(&ports, &stage, "HEAD", "/hello", Bytes::new()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0));
    let answer = send(&ports, &stage, "GET", "/nowhere", Bytes::new()).await.unwrap();
    assert_eq!(answer.status(), 404);
    Ok(())
}

async fn big_bodies<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let body: Bytes = (0..5_000_000_u32).map(|at| (at >> 5) as u8).collect();
    let answer = send(&ports, &stage, "POST", "/echo", body.clone()).await.unwrap();
    assert!(answer.body() == &body, "{} bytes came back", answer.body().len());
    Ok(())
}

/// What a raw server does after it read a request and wrote its answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Next,
    Hold,
    Close,
    Reset,
}

/// Reads requests that end in `text`, or have no body, and writes `answer` to each.
async fn raw<P: Ports>(ports: P, stage: Stage, answer: &'static str, then: Then) {
    let mut listener = stage.listen(&ports).await;
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        stage.count("accepted");
        let stage = stage.clone();
        rt::spawn("raw", async move {
            loop {
                let mut head = Vec::new();
                while !head.ends_with(b"text") {
                    // A reset leaves the last bytes unread.
                    let room = if then == Then::Reset { 3 } else { 4_096 };
                    let mut buffer = vec![0; room];
                    match stream.read(&mut buffer).await {
                        Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                    if then == Then::Reset && head.len() > 30 {
                        return;
                    }
                }
                stage.count("asked");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                match then {
                    Then::Next => {}
                    Then::Hold => std::future::pending::<()>().await,
                    Then::Close | Then::Reset => return,
                }
            }
        });
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn counts_connections<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, OK, Then::Next).await;
}

async fn keep_alive<P: Ports>(ports: P, stage: Stage) -> Outcome {
    for _ in 0..5 {
        assert_eq!(post_text(&ports, &stage).await.unwrap().body(), "ok");
    }
    assert_eq!((stage.noted("asked"), stage.noted("accepted")), (5, 1));
    Ok(())
}

async fn closes_after_answer<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, OK, Then::Close).await;
}

async fn closed_while_idle<P: Ports>(ports: P, stage: Stage) -> Outcome {
    for _ in 0..3 {
        assert_eq!(post_text(&ports, &stage).await.unwrap().body(), "ok");
        // Long enough for the end of the stream to arrive.
        ports.clock().sleep(SHORT).await;
    }
    assert_eq!((stage.noted("asked"), stage.noted("accepted")), (3, 3));
    Ok(())
}

async fn answers_long<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, "HTTP/1.1 200 OK\r\ncontent-length: 6000001\r\n\r\n", Then::Hold).await;
}

async fn body_too_long<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let error = post_text(&ports, &stage).await.unwrap_err();
    assert!(matches!(error, HttpError::BodyTooLong { limit: 6_000_000, .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::Unknown);
    Ok(())
}

async fn answers_never<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, "", Then::Hold).await;
}

/// Sends a request whose answer never comes, in a task of its own, until the server has it.
async fn asked<P: Ports>(
    ports: &P,
    stage: &Stage,
    timeout: Duration,
) -> rt::Task<Result<HttpResponse, HttpError>> {
    let (client, limits) = (ports.clone(), HttpLimits { timeout, ..LIMITS });
    let to = stage.server(ports).await;
    let request = request("POST", &to, "/", Bytes::from_static(b"text"));
    let task = rt::spawn("asks", async move { client.http().send(request, limits).await });
    stage.until(ports, "asked", 1).await;
    task
}

async fn slow_answer<P: Ports>(ports: P, stage: Stage) -> Outcome {
    // A loaded machine needs time to send the request at all.
    let timeout = Duration::from_secs(2);
    let started = ports.clock().monotonic();
    let error = asked(&ports, &stage, timeout).await.await.unwrap().unwrap_err();
    assert!(matches!(error, HttpError::Timeout { sent: true, .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::Unknown);
    assert!(ports.clock().monotonic() - started >= timeout);
    Ok(())
}

async fn answers_garbage<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, "220 smtp.example.com ESMTP\r\n\r\n", Then::Hold).await;
}

async fn garbage_answer<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let error = post_text(&ports, &stage).await.unwrap_err();
    assert!(matches!(error, HttpError::Garbage { .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::Unknown);
    Ok(())
}

async fn closes_before_answer<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, "", Then::Close).await;
}

async fn resets_before_answer<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, "", Then::Reset).await;
}

fn assert_broken(outcome: Result<HttpResponse, HttpError>) {
    let error = outcome.unwrap_err();
    assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::Unknown);
}

async fn early_close<P: Ports>(ports: P, stage: Stage) -> Outcome {
    assert_broken(post_text(&ports, &stage).await);
    assert_eq!(stage.noted("accepted"), 1, "a POST is not sent twice");
    Ok(())
}

async fn closes_within_body<P: Ports>(ports: P, stage: Stage) {
    raw(ports, stage, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", Then::Close).await;
}

async fn truncated<P: Ports>(ports: P, stage: Stage) -> Outcome {
    assert_broken(post_text(&ports, &stage).await);
    Ok(())
}

fn assert_not_connected(outcome: Result<HttpResponse, HttpError>, kind: io::ErrorKind) {
    let error = outcome.unwrap_err();
    assert_eq!(error.fate(), Fate::NotSent);
    let HttpError::Connect { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), kind);
}

async fn refused<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let to = Endpoint::new(stage.book().server.clone(), 1);
    let sent = ports.http().send(request("POST", &to, "/", Bytes::new()), LIMITS).await;
    assert_not_connected(sent, io::ErrorKind::ConnectionRefused);
    Ok(())
}

async fn unknown_name<P: Ports>(ports: P, _: Stage) -> Outcome {
    let to = Endpoint::new(format!("{}.invalid", "a".repeat(64)), 80);
    let sent = ports.http().send(request("POST", &to, "/", Bytes::new()), LIMITS).await;
    assert_not_connected(sent, io::ErrorKind::NotFound);
    Ok(())
}

async fn connect_timeout<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let hole: Endpoint = stage.ask(&ports, Control::BlackHole).await?.parse().unwrap();
    let limits = HttpLimits { timeout: SHORT, ..LIMITS };
    let request = request("POST", &hole, "/", Bytes::from_static(b"text"));
    let error = ports.http().send(request, limits).await.unwrap_err();
    assert!(matches!(error, HttpError::Timeout { sent: false, .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::NotSent);
    Ok(())
}

async fn crash_before_answer<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let pending = asked(&ports, &stage, GENEROUS).await;
    stage.crash(&ports, CrashMode::Process).await?;
    assert_broken(pending.await.unwrap());
    let again = post_text(&ports, &stage).await;
    assert_not_connected(again, io::ErrorKind::ConnectionRefused);
    Ok(())
}

async fn reset_before_answer<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let pending = asked(&ports, &stage, GENEROUS).await;
    let (from, to) = (CLIENT.to_owned(), SERVER.to_owned());
    stage.fault(&ports, NetworkFault::Reset { from, to }).await?;
    assert_broken(pending.await.unwrap());
    Ok(())
}

async fn partition_before_answer<P: Ports>(ports: P, stage: Stage) -> Outcome {
    let pending = asked(&ports, &stage, LONG).await;
    stage.partition(&ports, CLIENT, SERVER, Direction::Both).await?;
    let error = pending.await.unwrap().unwrap_err();
    assert!(matches!(error, HttpError::Timeout { sent: true, .. }), "{error:?}");
    let limits = HttpLimits { timeout: LONG, ..LIMITS };
    let to = stage.server(&ports).await;
    let request = request("POST", &to, "/", Bytes::from_static(b"text"));
    let error = ports.http().send(request, limits).await.unwrap_err();
    assert_eq!(error.fate(), Fate::NotSent, "{error:?}");
    Ok(())
}
