//! Answers of every API of the service, whole and spoilt.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

/// An answer in JSON.
pub(super) fn json(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that says it is JSON and is not.
pub(super) fn garbage(status: StatusCode) -> Response {
    json(status, "<html>upstream said something</html>".to_owned())
}

/// The answer's body fails before its first byte: the server closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("answer lost on purpose")]
struct LostOnPurpose;

/// No answer at all.
pub(super) fn none() -> Response {
    let broken = stream::iter([Err::<Bytes, LostOnPurpose>(LostOnPurpose)]);
    Response::new(Body::from_stream(broken))
}
