//! The server: hyper's HTTP/1.1 connection in front of an axum router.
//!
//! Invariants:
//! - Each connection is a task of its own, spawned with [`crate::rt::spawn`].
//! - After the stop no connection is accepted, idle ones close, busy ones finish their answer.

use std::pin::{Pin, pin};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::ports::Listener;
use crate::rt::{self, Race, Shutdown, Task};

/// Serves `router` on `listener` until `shutdown` or until the listener fails.
///
/// Time limits for headers and bodies are the handlers' business. `name` names the tasks.
pub async fn serve<L>(name: &str, mut listener: L, router: Router, shutdown: Shutdown)
where
    L: Listener,
    L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connections: Vec<Task<()>> = Vec::new();
    loop {
        match rt::race(shutdown.requested(), listener.accept()).await {
            Race::First(()) => break,
            Race::Second(Ok((stream, peer))) => {
                connections.retain(|connection| !connection.is_finished());
                let task = connection(stream, router.clone(), shutdown.clone());
                connections.push(rt::spawn(format!("{name} {peer}"), task));
            }
            Race::Second(Err(error)) => {
                tracing::error!(server = name, port = listener.port(), %error, "Accept failed.");
                break;
            }
        }
    }
    drop(listener);
    for connection in connections {
        // A panic is recorded by the task itself.
        let _ = connection.await;
    }
}

async fn connection<S>(stream: S, router: Router, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Without this, hyper puts the real clock on the wire.
    let mut builder = http1::Builder::new();
    builder.auto_date_header(false);
    let service = TowerToHyperService::new(router);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let outcome = match rt::race(served.as_mut(), shutdown.requested()).await {
        Race::First(outcome) => outcome,
        Race::Second(()) => {
            Pin::as_mut(&mut served).graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        // A client that goes away or speaks no HTTP is its own problem.
        tracing::debug!(%error, "Connection ended.");
    }
}
