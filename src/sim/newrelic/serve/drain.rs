//! Reads what a refused request still sends before it is answered.
//!
//! A server that answers and closes while its client is still sending makes the client's system
//! throw the answer away: the client sees a broken connection where it should see 413.
//!
//! Invariant: it reads a bounded number of bytes for a bounded time, and nothing of a client that
//! waits for `100 Continue`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::response::Response;
use futures_util::{Stream as _, StreamExt as _, stream};
use http::StatusCode;
use http::header::EXPECT;
use tower::ServiceExt as _;

use crate::ports::Clock;

/// Most bytes that are read for nothing.
const BYTES_MAX: usize = 32 << 20;
/// Longest time for that, in real time.
const PATIENCE: Duration = Duration::from_secs(2);

/// A body of which what nobody read stays behind.
type Lent = Arc<Mutex<BodyDataStream>>;

/// The chunks of `lent`, for whoever reads them first.
fn chunks(lent: Lent) -> impl futures_util::Stream<Item = Result<bytes::Bytes, axum::Error>> {
    stream::poll_fn(move |context| {
        let mut body = lent.lock().unwrap_or_else(PoisonError::into_inner);
        std::pin::Pin::new(&mut *body).poll_next(context)
    })
}

/// Puts the drain in front of `routes`; `clock` is the real one.
pub(super) fn drained<C: Clock>(routes: Router, clock: C) -> Router {
    Router::new().fallback(move |request: Request| carry(routes.clone(), clock.clone(), request))
}

async fn carry<C: Clock>(routes: Router, clock: C, request: Request) -> Response {
    let waits = request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let lent: Lent = Arc::new(Mutex::new(body.into_data_stream()));
    let body = Body::from_stream(chunks(Arc::clone(&lent)));
    let response = match routes.oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    // Whoever was too slow already gets no more time.
    if refused && !waits && status != StatusCode::REQUEST_TIMEOUT {
        let rest = async {
            let (mut rest, mut read) = (std::pin::pin!(chunks(lent)), 0);
            while let Some(Ok(chunk)) = rest.next().await {
                read += chunk.len();
                if read > BYTES_MAX {
                    break;
                }
            }
        };
        // What is not read by then is the client's loss.
        let _ = clock.timeout(PATIENCE, rest).await;
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::post;
    use bytes::Bytes;

    use super::*;
    use crate::ports::testing::TestClock;

    /// Chunks that were read of ten before the answer, and the status.
    fn read(path: &str, expect: bool) -> (usize, u16) {
        let clock = TestClock::default();
        let routes = Router::new()
            .route("/taken", post(|_: Request| async { "never looked at" }))
            .route("/refused", post(|_: Request| async { StatusCode::PAYLOAD_TOO_LARGE }));
        let routes = drained(routes, clock.clone());
        let count = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&count);
        let body = stream::iter((0..10).map(move |_| {
            counting.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(b"chunk"))
        }));
        let mut request = Request::post(path);
        if expect {
            request = request.header("expect", "100-continue");
        }
        let request = request.body(Body::from_stream(body)).expect("a request");
        let response = clock.run(routes.oneshot(request)).expect("infallible");
        (count.load(Ordering::Relaxed), response.status().as_u16())
    }

    #[test]
    fn what_is_refused_is_read_to_its_end() {
        assert_eq!(read("/refused", false), (10, 413));
        assert_eq!(read("/nowhere", false), (10, 404));
        assert_eq!(read("/refused", true), (0, 413), "it would only be sent for nothing");
        assert_eq!(read("/taken", false), (0, 200));
    }

    #[test]
    fn a_client_that_never_ends_is_answered_all_the_same() {
        let clock = TestClock::default();
        let routes = drained(Router::new(), clock.clone());
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::post("/").body(body).expect("a request");
        let response = clock.run(routes.oneshot(request)).expect("infallible");
        assert_eq!((response.status().as_u16(), clock.monotonic()), (404, PATIENCE));
    }
}
