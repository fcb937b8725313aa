//! The reqwest arm against wiremock and against raw sockets that misbehave.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use wiremock::matchers::{body_string, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// Long enough for a loaded machine; a test that meets it fails.
const GENEROUS: Duration = Duration::from_secs(60);
const BODY_MAX: usize = 100;

fn client() -> ReqwestHttp {
    let clock = SystemClock::new();
    ReqwestHttp::new(TokioNet::new(clock), clock).unwrap()
}

fn post(uri: impl AsRef<str>, body: &'static str) -> HttpRequest {
    http::Request::post(uri.as_ref()).body(Bytes::from_static(body.as_bytes())).unwrap()
}

/// Status and body, or the kind of error and the request's fate.
async fn outcome(http: &ReqwestHttp, request: HttpRequest, timeout: Duration) -> String {
    match http.send(request, HttpLimits { timeout, body_bytes_max: BODY_MAX }).await {
        Ok(answer) => {
            format!("{} {}", answer.status().as_u16(), String::from_utf8_lossy(answer.body()))
        }
        Err(error) => {
            let debug = format!("{error:?}");
            let kind = debug.split([' ', '(']).next().unwrap_or_default();
            format!("{kind} {:?}", error.fate())
        }
    }
}

#[tokio::test]
async fn every_status_is_an_answer() {
    let server = MockServer::start().await;
    let client = client();
    for status in [200, 202, 204, 301, 403, 408, 413, 429, 500, 503] {
        let text = if status == 204 { "" } else { "text" };
        let answer = ResponseTemplate::new(status)
            .set_body_string(text)
            .insert_header("location", "/elsewhere");
        Mock::given(method("POST"))
            .and(path(format!("/{status}")))
            .and(body_string("body"))
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
        let uri = format!("{}/{status}", server.uri());
        assert_eq!(outcome(&client, post(uri, "body"), GENEROUS).await, format!("{status} {text}"));
    }
}

#[tokio::test]
async fn headers_pass_both_ways_and_gzip_stays_gzip() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(429)
        .insert_header("retry-after", "7")
        .insert_header("content-encoding", "gzip")
        .set_body_bytes([0x1f, 0x8b]);
    Mock::given(wiremock::matchers::header("x-key", "secret"))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    let mut request = post(server.uri(), "");
    request.headers_mut().insert("x-key", "secret".parse().unwrap());
    let limits = HttpLimits { timeout: GENEROUS, body_bytes_max: BODY_MAX };
    let answer = client().send(request, limits).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(answer.body().as_ref(), [0x1f, 0x8b]);
}

#[tokio::test]
async fn body_is_capped_exactly() {
    let server = MockServer::start().await;
    let client = client();
    for (bytes, expected) in [
        (BODY_MAX, format!("200 {}", "x".repeat(BODY_MAX))),
        (BODY_MAX + 1, "BodyTooLong Unknown".into()),
    ] {
        let answer = ResponseTemplate::new(200).set_body_string("x".repeat(bytes));
        Mock::given(path(format!("/{bytes}"))).respond_with(answer).expect(1).mount(&server).await;
        let uri = format!("{}/{bytes}", server.uri());
        assert_eq!(outcome(&client, post(uri, ""), GENEROUS).await, expected);
    }
}

#[tokio::test]
async fn slow_answer_times_out_after_the_request_left() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_delay(GENEROUS);
    Mock::given(method("POST")).respond_with(answer).expect(1..).mount(&server).await;
    // Long enough for the request to arrive on a loaded machine.
    let timeout = Duration::from_secs(2);
    let seen = outcome(&client(), post(server.uri(), "body"), timeout).await;
    assert_eq!(seen, "Timeout Unknown");
}

/// A listener whose queue is full: the kernel drops further SYNs, so connects hang.
async fn black_hole() -> (u16, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let clock = SystemClock::new();
    while let Ok(connected) = clock
        .timeout(Duration::from_millis(500), TcpSocket::new_v4().unwrap().connect(address))
        .await
    {
        queued.push(connected.unwrap());
    }
    assert!(!queued.is_empty());
    (address.port(), queued, listener)
}

#[tokio::test]
async fn connect_that_hangs_sends_nothing() {
    let (port, _queued, _listener) = black_hole().await;
    let uri = format!("http://127.0.0.1:{port}/");
    let client = client();
    for request in [post(&uri, "body"), http::Request::get(&uri).body(Bytes::new()).unwrap()] {
        let seen = outcome(&client, request, Duration::from_millis(200)).await;
        assert_eq!(seen, "Timeout NotSent");
    }
}

#[tokio::test]
async fn requests_that_cannot_leave() {
    let client = client();
    // Bound, so that nobody else gets the port, but not listening, so that it refuses.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let free = bound.local_addr().unwrap().port();
    for (uri, expected) in [
        (format!("http://127.0.0.1:{free}/"), "Connect NotSent"),
        ("http://no such host/".replace(' ', "%20"), "Request NotSent"),
        ("/relative".into(), "Request NotSent"),
        ("ftp://127.0.0.1/".into(), "Request NotSent"),
    ] {
        let Ok(request) = http::Request::post(&uri).body(Bytes::new()) else {
            assert_eq!(expected, "Request NotSent", "{uri}");
            continue;
        };
        assert_eq!(outcome(&client, request, GENEROUS).await, expected, "{uri}");
    }
    let unknown = client
        .send(
            post("http://no-such-host.invalid/", ""),
            HttpLimits { timeout: GENEROUS, body_bytes_max: BODY_MAX },
        )
        .await;
    let Err(HttpError::Connect { source, .. }) = unknown else { panic!("{unknown:?}") };
    // Without any name server the resolver cannot tell.
    let told = source.kind() == io::ErrorKind::NotFound || source.to_string().contains("emporary");
    assert!(told, "{source:?}");
}

/// Two chunks of 60 bytes: neither is too long by itself.
const TWO_CHUNKS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    3c\r\n012345678901234567890123456789012345678901234567890123456789\r\n\
    3c\r\n012345678901234567890123456789012345678901234567890123456789\r\n";

#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
    Hold,
}

/// What a POST sees when the server reads it, writes `answer` and then does `end`.
async fn against(answer: &'static str, end: End) -> String {
    #[expect(clippy::disallowed_methods, reason = "a misbehaving real server")]
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"body") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        match end {
            End::Close => {}
            End::Reset => stream.set_zero_linger().unwrap(),
            End::Hold => std::future::pending::<()>().await,
        }
        drop(stream);
        std::future::pending::<()>().await
    };
    let client = client();
    let request = post(format!("http://127.0.0.1:{port}/"), "body");
    match crate::rt::race(outcome(&client, request, GENEROUS), server).await {
        crate::rt::Race::First(seen) => seen,
        crate::rt::Race::Second(()) => unreachable!("the server never ends"),
    }
}

#[tokio::test]
async fn broken_answers_have_unknown_fate() {
    for (answer, end, expected) in [
        ("", End::Close, "Broken Unknown"),
        ("", End::Reset, "Broken Unknown"),
        ("HTTP/1.1 200 OK\r\ncontent-le", End::Close, "Broken Unknown"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", End::Close, "Broken Unknown"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", End::Reset, "Broken Unknown"),
        ("220 smtp.example.com ESMTP\r\n\r\n", End::Hold, "Garbage Unknown"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            End::Hold,
            "Garbage Unknown",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n", End::Hold, "BodyTooLong Unknown"),
        (TWO_CHUNKS, End::Hold, "BodyTooLong Unknown"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", End::Hold, "200 ok"),
    ] {
        assert_eq!(against(answer, end).await, expected, "{answer:?}");
    }
}
