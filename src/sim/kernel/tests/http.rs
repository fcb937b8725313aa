//! HTTP over the kernel: hyper and axum run unchanged, whole or in adversarial pieces.

use axum::Router;
use axum::routing::post;
use bytes::Bytes;

use super::*;
use crate::ports::{Http, HttpError, HttpLimits};
use crate::rt::http::serve;

const LIMITS: HttpLimits = HttpLimits { timeout: Duration::from_secs(5), body_bytes_max: 100_000 };

async fn server(ports: KernelPorts) {
    let router = Router::new().route("/echo", post(|body: Bytes| async move { body }));
    let listener = ports.net().listen(PORT).await.expect("a free port");
    serve("http", listener, router, rt::ShutdownHandle::new().signal()).await;
}

/// Posts 20,000 bytes every 10 s and notes what came back.
async fn client(ports: KernelPorts, notes: Notes) {
    let body = Bytes::from((0..20_000_u32).map(|i| i.to_le_bytes()[0]).collect::<Vec<u8>>());
    loop {
        let request = ::http::Request::post(format!("http://server:{PORT}/echo"))
            .body(body.clone())
            .expect("a valid request");
        let note = match ports.http().send(request, LIMITS).await {
            Ok(answer) => format!("{} {}", answer.status().as_u16(), *answer.body() == body),
            Err(error @ (HttpError::Connect { .. } | HttpError::Timeout { .. })) => {
                format!("{error}; {:?}", error.fate())
            }
            Err(error) => format!("{error:?}"),
        };
        notes.add(&ports, note);
        ports.clock().sleep(secs(10)).await;
    }
}

#[test]
fn requests_survive_chunking_and_meet_faults() {
    let check = |adversarial_chunks: bool| {
        let config = KernelConfig { adversarial_chunks, ..config(ms(10)) };
        let mut stage = Stage::new(config);
        stage.host("server", |ports, _| server(ports));
        stage.host("client", client);
        stage.run(secs(15));
        assert_eq!(stage.notes(), ["40 200 true", "10060 200 true"], "the second has no handshake");
        stage.partition("client", "server", Direction::Both);
        stage.run(secs(30));
        assert_eq!(stage.notes(), ["25060 no answer from server:9092 within 5000 ms; Unknown"]);
        stage.repair("client", "server");
        stage.crash("server", CrashMode::Process);
        stage.run(secs(40));
        assert_eq!(stage.notes(), ["35080 cannot connect to server:9092; NotSent"]);
        stage.restart("server");
        stage.run(secs(50));
        assert_eq!(stage.notes(), ["45120 200 true"]);
    };
    check(false);
    check(true);
}
