//! The service behind a real HTTP server, byte for byte.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::*;
use crate::definitions::builtin;
use crate::newrelic::ApiKey;
use crate::ports::testing::{EPOCH, TestClock};
use crate::ports::{Clock, Listener};
use crate::rt::{self, ShutdownHandle};

const KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";
const EVENT: &str = r#"{"eventType":"E"}"#;

struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        let stream = self.0.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((stream, SocketAddr::from(([127, 0, 0, 1], 1))))
    }

    fn port(&self) -> u16 {
        3000
    }
}

/// Sends `request` on a connection of its own; everything that comes back.
async fn exchange(connect: &mpsc::UnboundedSender<DuplexStream>, request: String) -> String {
    let (mut near, far) = duplex(64 * 1024);
    connect.send(far).expect("the server listens");
    near.write_all(request.as_bytes()).await.expect("the pipe is open");
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.expect("text");
    answer
}

/// The answer to one POST while `fault` lasts, and the events that were stored.
async fn post(fault: Option<IngestFault>, head: &str, body: &str) -> (String, usize) {
    let clock = TestClock::default();
    let account = Account {
        id: AccountId::try_from(1).expect("valid"),
        name: "Shop".to_owned(),
        keys: vec![ApiKey::ingest(KEY).expect("valid")],
    };
    let config = NewRelicConfig::new(vec![account]);
    let newrelic = NewRelic::new(config, Seed(1), Arc::new(builtin()));
    if let Some(fault) = fault {
        newrelic.inject(FaultWindow::always(fault, EPOCH));
    }
    let (connect, pipes) = mpsc::unbounded_channel();
    let stop = ShutdownHandle::new();
    let router = router(clock.clone(), newrelic.clone());
    let server = rt::http::serve("newrelic", Pipes(pipes), router, stop.signal());
    let server = rt::spawn("newrelic", server);
    let request = format!(
        "POST /v1/accounts/1/events HTTP/1.1\r\nhost: newrelic\r\napi-key: {KEY}\r\n{head}\
         connection: close\r\n\r\n{body}"
    );
    let answer = exchange(&connect, request).await;
    stop.request();
    server.await.expect("the server ends");
    newrelic.advance(clock.wall().plus_millis(60_000));
    (answer, newrelic.events("E").len())
}

#[tokio::test(flavor = "current_thread")]
async fn answers_on_the_wire() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let length = format!("content-length: {}\r\n", EVENT.len());
            let chunked = "transfer-encoding: chunked\r\n";
            let chunks = format!("{:x}\r\n{EVENT}\r\n0\r\n\r\n", EVENT.len());
            let gone = IngestFault::LostAnswer;
            let half = IngestFault::TruncatedBody;
            let down = IngestFault::Status { code: 503, retry_after_seconds: Some(9) };
            // Fault, head, body; beginning and end of the answer, events stored.
            let check = async |fault, head: &str, body: &str, expected: (&str, &str, usize)| {
                let (answer, stored) = post(fault, head, body).await;
                let text = answer.to_lowercase();
                assert!(text.starts_with(expected.0), "{answer}");
                assert!(text.ends_with(expected.1), "{answer}");
                assert!(!text.contains("\r\ndate:"), "{answer}");
                assert_eq!(stored, expected.2, "{answer}");
                text
            };
            check(None, &length, EVENT, ("http/1.1 200 ok\r\n", "\"}", 1)).await;
            check(Some(half), &length, EVENT, ("http/1.1 200 ok\r\n", "\"success\":true,\"uui", 1))
                .await;
            let answer = check(Some(down), &length, EVENT, ("http/1.1 503 ", "\"}", 0)).await;
            assert!(answer.contains("\r\nretry-after: 9\r\n"), "{answer}");
            check(None, chunked, &chunks, ("http/1.1 400 ", "\"}", 0)).await;
            let sent = EVENT.len() as u64;
            let limit = |body_bytes_max| Some(IngestFault::BodyTooLarge { body_bytes_max });
            check(limit(sent - 1), &length, EVENT, ("http/1.1 413 ", "\"}", 0)).await;
            check(limit(sent), &length, EVENT, ("http/1.1 200 ", "\"}", 1)).await;
            let answer = check(Some(gone), &length, EVENT, ("", "", 1)).await;
            assert_eq!(answer, "", "the connection closes without a byte");
        })
        .await;
    assert_eq!(rt::take_panics(), []);
}
