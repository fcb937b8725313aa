//! The client: one exchange at a time per connection, a keep-alive pool per authority.
//!
//! Invariants:
//! - A connection is polled only by the exchange that uses it, so dropping the exchange closes the
//!   connection, and an idle connection costs no task.
//! - A pooled connection is looked at before use; one that is closed, or that said something
//!   nobody asked for, is dropped.
//! - When an exchange ends without a byte of an answer, by its time-out or because its pooled
//!   connection broke, connections that were idle before it are not used again.
//! - [`HttpError::fate`] is `NotSent` only when the transport took no byte of the request.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use http::header::HOST;
use http::{HeaderValue, Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ports::{
    Clock, Elapsed, Endpoint, Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Net,
};

/// An idle connection older than this is not used again (servers close theirs after 60 to 120 s).
const IDLE_MAX: Duration = Duration::from_secs(50);
/// Idle connections kept per authority.
const IDLE_PER_AUTHORITY: usize = 16;

/// [`Http`] over any [`Net`]; plain `http` only.
pub struct HttpOverNet<N: Net, C: Clock>(Arc<Inner<N, C>>);

struct Inner<N: Net, C: Clock> {
    net: N,
    clock: C,
    idle: Mutex<BTreeMap<Endpoint, Vec<Idle<N::Stream>>>>,
}

/// A connection that waits for its next request, and since when (monotonic).
struct Idle<S: AsyncRead + AsyncWrite + Unpin> {
    link: Box<Link<S>>,
    since: Duration,
}

impl<N: Net, C: Clock> Clone for HttpOverNet<N, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N: Net, C: Clock> std::fmt::Debug for HttpOverNet<N, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpOverNet")
    }
}

impl<N: Net, C: Clock> HttpOverNet<N, C> {
    /// A client with an empty pool; clones share the pool.
    pub fn new(net: N, clock: C) -> Self {
        Self(Arc::new(Inner { net, clock, idle: Mutex::new(BTreeMap::new()) }))
    }
}

impl<N: Net, C: Clock> Http for HttpOverNet<N, C> {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let (to, request) = origin_form(request)?;
        let meter = Meter::default();
        let began = self.0.clock.monotonic();
        let exchange = self.0.exchange(&to, request, limits, &meter, began);
        match self.0.clock.timeout(limits.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(Elapsed(timeout)) => {
                let sent = meter.written() > 0;
                if meter.read() == 0 {
                    self.0.forget(&to, began);
                }
                Err(HttpError::Timeout { authority: to.to_string(), timeout, sent })
            }
        }
    }
}

impl<N: Net, C: Clock> Inner<N, C> {
    /// One exchange, on a pooled connection if there is one, with at most one second attempt.
    async fn exchange(
        &self,
        to: &Endpoint,
        request: HttpRequest,
        limits: HttpLimits,
        meter: &Meter,
        began: Duration,
    ) -> Result<HttpResponse, HttpError> {
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if let Some(mut link) = self.pooled(to).await {
            link.meter.count_into(meter);
            match link.exchange(request.clone(), to, limits).await {
                Ok(answer) => {
                    self.keep(to, link).await;
                    return Ok(answer);
                }
                // The server closed the connection while this request was on its way to it, or lost
                // it long ago.
                Err(error @ (HttpError::Broken { .. } | HttpError::Connect { .. }))
                    if meter.read() == 0 =>
                {
                    self.forget(to, began);
                    if !safe && meter.written() > 0 {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let mut link = self.connect(to).await?;
        link.meter.count_into(meter);
        let answer = link.exchange(request, to, limits).await?;
        self.keep(to, link).await;
        Ok(answer)
    }

    async fn connect(&self, to: &Endpoint) -> Result<Box<Link<N::Stream>>, HttpError> {
        let connect = |source| HttpError::Connect { authority: to.to_string(), source };
        let stream = self.net.connect(to).await.map_err(connect)?;
        let meter = LinkMeter::default();
        let io = TokioIo::new(Metered { stream, meter: meter.clone() });
        let (sender, connection) =
            http1::handshake(io).await.map_err(|e| connect(io::Error::other(e)))?;
        Ok(Box::new(Link { sender, connection, closed: false, meter }))
    }

    /// The youngest idle connection to `to` that is still open.
    async fn pooled(&self, to: &Endpoint) -> Option<Box<Link<N::Stream>>> {
        loop {
            let now = self.clock.monotonic();
            let Idle { mut link, since } = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let idle = idle.get_mut(to)?;
                idle.retain(|one| now.saturating_sub(one.since) < IDLE_MAX);
                idle.pop()?
            };
            debug_assert!(since <= now, "monotonic time went back");
            if link.settle().await {
                return Some(link);
            }
        }
    }

    /// Drops the connections to `to` that have been idle since before `began`. The path may have
    /// lost them without a word (a NAT that restarted does, and so does a server whose power
    /// failed): each would cost a time-out or a request more, and a half-open breaker its probe.
    fn forget(&self, to: &Endpoint, began: Duration) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.get_mut(to) {
            idle.retain(|one| one.since > began);
        }
    }

    /// Puts a connection back if it can take another request.
    async fn keep(&self, to: &Endpoint, mut link: Box<Link<N::Stream>>) {
        if !link.settle().await {
            return;
        }
        let since = self.clock.monotonic();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = idle.entry(to.clone()).or_default();
        if idle.len() == IDLE_PER_AUTHORITY {
            idle.remove(0);
        }
        idle.push(Idle { link, since });
    }
}

/// One connection and the handle that sends requests on it; large, so it is kept in a box.
struct Link<S: AsyncRead + AsyncWrite + Unpin> {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Metered<S>>, Full<Bytes>>,
    closed: bool,
    meter: LinkMeter,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Link<S> {
    /// Looks at the connection once: whether it is open and idle.
    async fn settle(&mut self) -> bool {
        poll_fn(|cx| {
            if !self.closed {
                self.closed = Pin::new(&mut self.connection).poll(cx).is_ready();
            }
            Poll::Ready(!self.closed && self.sender.is_ready())
        })
        .await
    }

    /// Sends `request` and reads the whole answer.
    async fn exchange(
        &mut self,
        request: HttpRequest,
        to: &Endpoint,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let Self { sender, connection, closed, meter } = self;
        let work = async {
            let answer = sender.send_request(request.map(Full::new)).await;
            let (head, body) = answer
                .map_err(|e| classify(&e, to.to_string(), meter.exchange_written() > 0))?
                .into_parts();
            let body = read_body(body, to, limits, meter).await?;
            Ok(HttpResponse::from_parts(head, body))
        };
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            // What ended the connection reaches `work` through its own channel.
            if !*closed && Pin::new(&mut *connection).poll(cx).is_ready() {
                *closed = true;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// Splits an absolute URI into the authority to connect to and the request to send there.
fn origin_form(mut request: HttpRequest) -> Result<(Endpoint, HttpRequest), HttpError> {
    let uri = request.uri();
    let to = target(uri, &["http"])?;
    let invalid = |why: &str| HttpError::Request(format!("`{uri}`: {why}"));
    let host = match uri.port_u16() {
        Some(_) => to.to_string(),
        None => uri.host().unwrap_or_default().to_owned(),
    };
    let host = HeaderValue::from_str(&host).map_err(|_| invalid("the host is no header value"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path: Uri = path.parse().map_err(|_| invalid("the path is not a URI"))?;
    *request.uri_mut() = path;
    request.headers_mut().entry(HOST).or_insert(host);
    Ok((to, request))
}

/// Where a request to `uri` goes.
///
/// # Errors
/// [`HttpError::Request`] unless the URI is absolute, names a host and has one of `schemes`.
pub fn target(uri: &Uri, schemes: &[&str]) -> Result<Endpoint, HttpError> {
    let invalid = |why: String| Err(HttpError::Request(format!("`{uri}`: {why}")));
    let Some(scheme) = uri.scheme_str() else {
        return invalid("the URI must be absolute, as in http://host:port/path".to_owned());
    };
    if !schemes.contains(&scheme) {
        return invalid(format!("only {} is spoken here", schemes.join(" and ")));
    }
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return invalid("the URI names no host".to_owned());
    }
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Ok(Endpoint::new(host, port))
}

/// Reads `body` to its end, but never more than the limit.
async fn read_body(
    mut body: Incoming,
    to: &Endpoint,
    limits: HttpLimits,
    meter: &LinkMeter,
) -> Result<Bytes, HttpError> {
    let limit = limits.body_bytes_max;
    let too_long = || HttpError::BodyTooLong { authority: to.to_string(), limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|e| classify(&e, to.to_string(), meter.exchange_written() > 0))?;
        if let Ok(data) = frame.into_data() {
            if data.len() > limit - whole.len() {
                return Err(too_long());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// What a failed exchange with `authority` means for the caller; `sent` tells whether a byte of
/// the request may have left.
pub fn classify(error: &(dyn Error + 'static), authority: String, sent: bool) -> HttpError {
    let chain = || std::iter::successors(Some(error), |error| Error::source(*error));
    let cause = chain().last().unwrap_or(error);
    let reason = cause.to_string();
    let io_kind = chain().find_map(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind);
    let hyper = chain().find_map(|e| e.downcast_ref::<hyper::Error>());
    if hyper.is_some_and(|e| e.is_user() && !e.is_body_write_aborted()) {
        return HttpError::Request(reason);
    }
    let malformed =
        matches!(io_kind, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData));
    if hyper.is_some_and(hyper::Error::is_parse) || (hyper.is_some() && malformed) {
        return HttpError::Garbage { authority, reason };
    }
    if !sent {
        // The connection was gone before a byte left: as good as no connection.
        let kind = io_kind.unwrap_or(io::ErrorKind::ConnectionAborted);
        return HttpError::Connect { authority, source: io::Error::new(kind, reason) };
    }
    HttpError::Broken { authority, reason }
}

/// Bytes of one exchange, over all its attempts.
#[derive(Debug, Clone, Default)]
struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    read: AtomicU64,
}

impl Meter {
    fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }
}

/// The meter of the exchange that uses a connection now.
#[derive(Debug, Clone, Default)]
struct LinkMeter(Arc<Mutex<Meter>>);

impl LinkMeter {
    fn current(&self) -> Meter {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count_into(&self, meter: &Meter) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = meter.clone();
    }

    fn exchange_written(&self) -> u64 {
        self.current().written()
    }
}

/// Counts the bytes that the transport took and gave.
struct Metered<S> {
    stream: S,
    meter: LinkMeter,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.meter.current().0.read.fetch_add(read as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, data);
        if let Poll::Ready(Ok(written)) = polled {
            self.meter.current().0.written.fetch_add(written as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
