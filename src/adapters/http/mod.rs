//! HTTP over reqwest: TLS, connection reuse, nothing else.
//!
//! Invariants:
//! - No redirect is followed, no proxy of the environment is used, nothing is decoded or sent
//!   again: what the caller sees is one exchange.
//! - After a time-out no pooled connection is trusted any more.
//! - The body is capped while it streams in, before it is kept.
//! - [`HttpError::fate`](crate::ports::HttpError::fate) is `NotSent` only when no connection had
//!   taken the request.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;

use super::{SystemClock, TokioNet};
use crate::ports::{Clock, Elapsed, Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Net};
use crate::rt::http::{classify, target};

#[cfg(test)]
mod tests;

/// Idle connections close after this.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// Idle connections kept per authority.
const IDLE_PER_AUTHORITY: usize = 16;

/// One pool of HTTP/1.1 connections, with and without TLS.
#[derive(Debug, Clone)]
pub struct ReqwestHttp {
    /// Replaced after a time-out or a broken connection: what else its pool trusts may be dead
    /// without a word.
    client: Arc<Mutex<reqwest::Client>>,
    net: TokioNet,
    clock: SystemClock,
}

fn client(net: TokioNet) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_PER_AUTHORITY)
        .dns_resolver(Resolver(net))
        .build()
}

impl ReqwestHttp {
    /// A client that resolves names through `net` and trusts the system's root certificates.
    ///
    /// # Errors
    /// When the system has no usable root certificates.
    pub fn new(net: TokioNet, clock: SystemClock) -> Result<Self, reqwest::Error> {
        // Fails when the process has a provider already, which then is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Arc::new(Mutex::new(client(net)?));
        Ok(Self { client, net, clock })
    }

    fn present(&self) -> reqwest::Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins with an empty pool; requests under way keep theirs.
    fn renew(&self) {
        // It was made once of the same settings; if it cannot be made again, the old one stays.
        if let Ok(fresh) = client(self.net) {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }

    async fn exchange(
        &self,
        request: HttpRequest,
        authority: &str,
        limits: HttpLimits,
        sent: &Arc<AtomicBool>,
    ) -> Result<HttpResponse, HttpError> {
        let fail = |error: reqwest::Error| {
            if error.is_connect() {
                return HttpError::Connect {
                    authority: authority.to_owned(),
                    source: connect_error(&error),
                };
            }
            if error.is_builder() {
                return HttpError::Request(error.to_string());
            }
            classify(&error, authority.to_owned(), sent.load(Ordering::Relaxed))
        };
        let request = request.map(|body| {
            reqwest::Body::wrap(Outgoing { body: Some(body), taken: Arc::clone(sent) })
        });
        let request = reqwest::Request::try_from(request).map_err(fail)?;
        let mut answer = self.present().execute(request).await.map_err(fail)?;
        let limit = limits.body_bytes_max;
        let too_long = || HttpError::BodyTooLong { authority: authority.to_owned(), limit };
        if answer.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_long());
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(fail)? {
            if chunk.len() > limit - whole.len() {
                return Err(too_long());
            }
            whole.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(whole.freeze());
        *response.status_mut() = answer.status();
        *response.version_mut() = answer.version();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl Http for ReqwestHttp {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let authority = target(request.uri(), &["http", "https"])?.to_string();
        let sent = Arc::new(AtomicBool::new(false));
        let exchange = self.exchange(request, &authority, limits, &sent);
        match self.clock.timeout(limits.timeout, exchange).await {
            Ok(outcome) => {
                if matches!(outcome, Err(HttpError::Broken { .. })) {
                    self.renew();
                }
                outcome
            }
            Err(Elapsed(timeout)) => {
                let sent = sent.load(Ordering::Relaxed);
                self.renew();
                Err(HttpError::Timeout { authority, timeout, sent })
            }
        }
    }
}

/// The innermost I/O error, which has the kind; the texts around it only say "client error".
fn connect_error(error: &reqwest::Error) -> io::Error {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    let mut kind = io::ErrorKind::Other;
    while let Some(inner) = cause.source() {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            kind = io.kind();
        }
        cause = inner;
    }
    io::Error::new(kind, cause.to_string())
}

/// A request body that knows when a connection took the request: hyper's dispatcher asks a body
/// for its end as it begins to write the head, and nothing asks before.
struct Outgoing {
    body: Option<Bytes>,
    taken: Arc<AtomicBool>,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.taken.store(true, Ordering::Relaxed);
        Poll::Ready(self.body.take().filter(|b| !b.is_empty()).map(|b| Ok(Frame::data(b))))
    }

    fn is_end_stream(&self) -> bool {
        self.taken.store(true, Ordering::Relaxed);
        self.body.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// reqwest's names, through the same resolver as everything else.
struct Resolver(TokioNet);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let net = self.0;
        Box::pin(async move {
            let addresses = net.resolve(name.as_str()).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
