//! The only traits that touch the world: time, chance, network, HTTP, disk.
//!
//! Everything that collects, streams or runs the pipeline is generic over [`Ports`], so the same
//! code runs on real sockets, on the event-driven kernel and on turmoil.
//!
//! Invariants:
//! - No other module reads a clock, draws entropy, opens a socket or a file.
//! - Every future of a port may be dropped at any await point without losing acknowledged data.
//! - An HTTP answer that was lost after the request left is *unknown*, never "failed"
//!   ([`HttpError::fate`]).

#[cfg(test)]
pub(crate) mod testing;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::domain::units::UnixMillis;

/// One host's view of the world; cheap to clone, one value per host.
pub trait Ports: Clone + Send + Sync + 'static {
    /// Time of this host.
    type Clock: Clock;
    /// Seeded or operating-system randomness.
    type Entropy: Entropy;
    /// Byte streams to other hosts.
    type Net: Net;
    /// HTTP requests to other hosts.
    type Http: Http;
    /// Files of this host.
    type Disk: Disk;

    /// The host's clock.
    fn clock(&self) -> &Self::Clock;
    /// The host's source of randomness.
    fn entropy(&self) -> &Self::Entropy;
    /// The host's network.
    fn net(&self) -> &Self::Net;
    /// The host's HTTP client.
    fn http(&self) -> &Self::Http;
    /// The host's disk.
    fn disk(&self) -> &Self::Disk;
}

/// Time as one host sees it.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Unix time with this host's skew; may go back when the host's clock is corrected.
    fn wall(&self) -> UnixMillis;
    /// Time since an origin of the arm's choice; never goes back and has no skew.
    fn monotonic(&self) -> Duration;
    /// Completes when `duration` of monotonic time has passed.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
    /// Runs `future` for at most `duration`; a future that is ready at the deadline wins.
    fn timeout<F: Future + Send>(
        &self,
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + Send {
        crate::rt::race(future, self.sleep(duration)).map(move |winner| match winner {
            crate::rt::Race::First(output) => Ok(output),
            crate::rt::Race::Second(()) => Err(Elapsed(duration)),
        })
    }
}

/// A deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {} ms", .0.as_millis())]
pub struct Elapsed(pub Duration);

/// Randomness, split by purpose so that a draw added in one place shifts no other.
pub trait Entropy: Clone + Send + Sync + 'static {
    /// An independent stream for `purpose`; the same purpose gives a new stream at each call on
    /// the real arm and the *same* stream at each call on a simulated one.
    fn stream(&self, purpose: &str) -> ChaCha8Rng;
}

/// Where a service listens: a name or an address literal, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Host name or IP address literal (IPv6 without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint of `host` and `port`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A text that is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not host:port (for example kafka-1.example.com:9092)")]
pub struct InvalidEndpoint(pub String);

impl std::str::FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidEndpoint(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port: u16 = port.parse().map_err(|_| invalid())?;
        if host.is_empty() || host.contains(char::is_whitespace) || port == 0 {
            return Err(invalid());
        }
        Ok(Self::new(host, port))
    }
}

/// Connection-oriented byte streams, shaped like TCP on Linux.
pub trait Net: Clone + Send + Sync + 'static {
    /// A duplex byte stream; `shutdown` half-closes it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A bound port.
    type Listener: Listener<Stream = Self::Stream>;

    /// Addresses of `host` in the order to try them.
    ///
    /// # Errors
    /// `NotFound` when the name does not exist.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
    /// Connects to the first address of `to` that accepts; without a deadline of its own.
    ///
    /// # Errors
    /// `NotFound` (name), `ConnectionRefused`, `TimedOut` (the arm gave up).
    fn connect(&self, to: &Endpoint) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// Binds `port` on all addresses of this host; 0 picks a free one.
    ///
    /// # Errors
    /// `AddrInUse`.
    fn listen(&self, port: u16) -> impl Future<Output = io::Result<Self::Listener>> + Send;
}

/// A bound port that accepts streams.
pub trait Listener: Send + 'static {
    /// What it accepts.
    type Stream;
    /// The next connection and its peer.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
    /// The port it is bound to.
    fn port(&self) -> u16;
}

/// One HTTP request; the URI is absolute (`http://host:port/path`).
pub type HttpRequest = http::Request<Bytes>;
/// One whole HTTP answer.
pub type HttpResponse = http::Response<Bytes>;

/// What one exchange may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// From the call to the last byte of the answer.
    pub timeout: Duration,
    /// Longest body accepted, after any decoding.
    pub body_bytes_max: usize,
}

/// HTTP/1.1 requests.
pub trait Http: Clone + Send + Sync + 'static {
    /// Sends `request` and reads the whole answer; every status is an `Ok`.
    ///
    /// # Errors
    /// See [`HttpError`]; [`HttpError::fate`] tells whether the request may have arrived.
    fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send;
}

/// Why an HTTP exchange gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The request is not sendable (relative URI, unsupported scheme, …).
    #[error("request cannot be sent: {0}")]
    Request(String),
    /// No connection: nothing was sent.
    #[error("cannot connect to {authority}")]
    Connect {
        /// `host:port`.
        authority: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No answer in time.
    #[error("no answer from {authority} within {} ms", .timeout.as_millis())]
    Timeout {
        /// `host:port`.
        authority: String,
        /// The limit.
        timeout: Duration,
        /// Whether any byte of the request may have left.
        sent: bool,
    },
    /// The connection broke after the request began to leave.
    #[error("connection to {authority} broke: {reason}")]
    Broken {
        /// `host:port`.
        authority: String,
        /// What the transport said.
        reason: String,
    },
    /// The answer is not HTTP.
    #[error("answer of {authority} is not valid HTTP: {reason}")]
    Garbage {
        /// `host:port`.
        authority: String,
        /// What the parser said.
        reason: String,
    },
    /// The answer's body is longer than [`HttpLimits::body_bytes_max`].
    #[error("answer of {authority} is longer than {limit} bytes")]
    BodyTooLong {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: usize,
    },
}

/// What became of a request whose answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never left: sending again is safe.
    NotSent,
    /// It may have been carried out: sending again may do it twice.
    Unknown,
}

impl HttpError {
    /// Whether the request may have arrived.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Request(_) | Self::Connect { .. } | Self::Timeout { sent: false, .. } => {
                Fate::NotSent
            }
            _ => Fate::Unknown,
        }
    }
}

/// Files of one host, below one root folder; paths are relative, with `/`.
///
/// Synchronous on purpose: redb's storage back end is, and simulated disks take no real time. What
/// may take long goes through [`Disk::run`], so that a slow disk holds up nothing else.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// Opens `path` for reading and writing, creating it (and its folders) when absent.
    ///
    /// # Errors
    /// The operating system's, or the simulated fault's.
    fn open(&self, path: &str) -> io::Result<Self::File>;
    /// Whole contents of `path`.
    ///
    /// # Errors
    /// `NotFound`, …
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Moves `from` onto `to`, atomically, durable once this returns.
    ///
    /// # Errors
    /// `NotFound`, …
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Deletes `path`.
    ///
    /// # Errors
    /// `NotFound`, …
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Names of the files directly below folder `path` (`""` is the root), sorted.
    ///
    /// # Errors
    /// `NotFound`, …
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
    /// Takes the host-wide lock on `path`; a second holder is refused until the first drops it.
    ///
    /// # Errors
    /// `WouldBlock` when another holder has it.
    fn lock(&self, path: &str) -> io::Result<DiskLock>;
    /// Runs `job`, which works on this disk, without holding up the host's thread.
    ///
    /// The real arm runs it on a thread for blocking work. A simulated one waits while the disk is
    /// stalled, runs it at once, and gives the result when the operations it made would be done.
    /// Jobs of one disk may run side by side: a caller that needs an order keeps it itself.
    ///
    /// Dropping the future leaves open whether the job runs; it never runs in part. A panic of the
    /// job is the future's.
    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;
}

/// Releases the lock when dropped.
pub struct DiskLock(Box<dyn std::any::Any + Send + Sync>);

impl DiskLock {
    /// Wraps the arm's own guard.
    pub fn new(guard: impl std::any::Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl std::fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = &self.0;
        f.write_str("DiskLock")
    }
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes `data` at `offset`, growing the file; durable only after [`DiskFile::sync`].
    ///
    /// # Errors
    /// `StorageFull`, …
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts or zero-extends the file.
    ///
    /// # Errors
    /// `StorageFull`, …
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes all writes so far durable.
    ///
    /// # Errors
    /// The operating system's; after an error nothing unsynced may be relied on.
    fn sync(&self) -> io::Result<()>;
}
