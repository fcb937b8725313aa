//! The ports of a simulated host: its clock, entropy, network, HTTP client and disk.
//!
//! Invariant: ports belong to one incarnation of one host; after a crash the old ones reach
//! nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::events::TimerId;
use super::net::{Core, HostId};
use super::socket::ConnId;
use crate::domain::units::UnixMillis;
use crate::ports::{Clock, Endpoint, Entropy, Listener, Net, Ports};
use crate::rt::http::HttpOverNet;
use crate::sim::disk::{DiskStore, SimDisk};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::EventId;

/// The ports of one incarnation of a host.
#[derive(Clone)]
pub struct KernelPorts(Arc<Parts>);

struct Parts {
    clock: KernelClock,
    entropy: KernelEntropy,
    net: KernelNet,
    http: HttpOverNet<KernelNet, KernelClock>,
    disk: SimDisk,
}

impl KernelPorts {
    pub(super) fn new(core: &Arc<Core>, host: HostId, seed: Seed, disk: &DiskStore) -> Self {
        let (incarnation, skew_ms) = core.with(|net| {
            let host = net.host(host);
            (host.incarnation, Arc::clone(&host.skew_ms))
        });
        let clock = KernelClock { core: Arc::clone(core), skew_ms };
        let net = KernelNet { core: Arc::clone(core), host, incarnation };
        let disk = disk.mount_on(&clock);
        Self(Arc::new(Parts {
            http: HttpOverNet::new(net.clone(), clock.clone()),
            clock,
            entropy: KernelEntropy(seed),
            net,
            disk,
        }))
    }
}

impl Ports for KernelPorts {
    type Clock = KernelClock;
    type Entropy = KernelEntropy;
    type Net = KernelNet;
    type Http = HttpOverNet<KernelNet, KernelClock>;
    type Disk = SimDisk;

    fn clock(&self) -> &Self::Clock {
        &self.0.clock
    }

    fn entropy(&self) -> &Self::Entropy {
        &self.0.entropy
    }

    fn net(&self) -> &Self::Net {
        &self.0.net
    }

    fn http(&self) -> &Self::Http {
        &self.0.http
    }

    fn disk(&self) -> &Self::Disk {
        &self.0.disk
    }
}

/// Virtual time; timers fire at their exact nanosecond.
#[derive(Clone)]
pub struct KernelClock {
    core: Arc<Core>,
    skew_ms: Arc<AtomicI64>,
}

impl Clock for KernelClock {
    fn wall(&self) -> UnixMillis {
        let true_time = self.core.epoch().plus(self.core.now().since_start());
        true_time.plus_millis(self.skew_ms.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.core.now().since_start()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let due = self.core.now() + duration;
        Sleep { core: Arc::clone(&self.core), due, timer: None }
    }
}

/// A timer. It always waits for the queue, even when it is due at once, so that a loop of empty
/// sleeps is seen by the watchdog.
struct Sleep {
    core: Arc<Core>,
    due: SimTime,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due;
        if let Some(timer) = self.timer {
            let fired = self.core.with(|net| {
                let (fired, old) = net.queue.poll_timer(timer, cx.waker());
                net.discard(old);
                fired
            });
            return if fired { Poll::Ready(()) } else { Poll::Pending };
        }
        let timer = self.core.with(|net| net.set_timer(due, cx.waker().clone()));
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.core.with(|net| {
                let waker = net.queue.clear_timer(timer);
                net.discard(waker);
            });
        }
    }
}

/// The streams of the host's own seed.
#[derive(Debug, Clone, Copy)]
pub struct KernelEntropy(Seed);

impl Entropy for KernelEntropy {
    fn stream(&self, purpose: &str) -> ChaCha8Rng {
        self.0.stream(purpose)
    }
}

/// The network as one incarnation of a host sees it.
#[derive(Clone)]
pub struct KernelNet {
    core: Arc<Core>,
    host: HostId,
    incarnation: u32,
}

impl KernelNet {
    async fn connect_to(&self, address: IpAddr, port: u16) -> io::Result<KernelStream> {
        let (host, incarnation) = (self.host, self.incarnation);
        let conn = self.core.with(|net| net.begin_connect(host, incarnation, address, port))?;
        // From here on the stream closes what was begun, also when this future is dropped.
        let stream = KernelStream { core: Arc::clone(&self.core), conn, side: 0 };
        std::future::poll_fn(|cx| stream.core.with(|net| net.poll_connect(conn, cx))).await?;
        Ok(stream)
    }
}

/// A look-up that fails; whoever gives it up has the fault as cause of what it does next.
struct Unresolved<'a> {
    net: &'a KernelNet,
    name: &'a str,
    by: Option<EventId>,
}

impl Drop for Unresolved<'_> {
    fn drop(&mut self) {
        let Self { net: KernelNet { core, host, incarnation }, name, by } = self;
        core.with(|net| {
            if net.is_running(*host, *incarnation) {
                let failed = net.trace_unresolved(*host, name, *by);
                net.trace.set_cause(Some(failed));
            }
        });
    }
}

impl Net for KernelNet {
    type Stream = KernelStream;
    type Listener = KernelListener;

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let failing = self.core.with(|net| net.failing_name(self.host, host));
        let Some(failing) = failing else {
            return self.core.with(|net| net.resolve(self.host, host));
        };
        crate::sometimes!(NAME_UNRESOLVED);
        // Also when the asker does not wait for it.
        let _blamed = Unresolved { net: self, name: host, by: failing.by };
        if !failing.after.is_zero() {
            let due = self.core.now() + failing.after;
            Sleep { core: Arc::clone(&self.core), due, timer: None }.await;
        }
        Err(io::Error::other(format!("temporary failure in name resolution of `{host}`")))
    }

    async fn connect(&self, to: &Endpoint) -> io::Result<KernelStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.resolve(&to.host).await? {
            match self.connect_to(address, to.port).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn listen(&self, port: u16) -> io::Result<KernelListener> {
        let (port, number) = self.core.with(|net| {
            if !net.is_running(self.host, self.incarnation) {
                return Err(super::socket::host_is_down());
            }
            net.bind(self.host, port)
        })?;
        Ok(KernelListener { core: Arc::clone(&self.core), host: self.host, port, number })
    }
}

/// A bound port of a simulated host.
pub struct KernelListener {
    core: Arc<Core>,
    host: HostId,
    port: u16,
    number: u64,
}

impl Listener for KernelListener {
    type Stream = KernelStream;

    async fn accept(&mut self) -> io::Result<(KernelStream, SocketAddr)> {
        let (host, port, number) = (self.host, self.port, self.number);
        let (conn, peer) = std::future::poll_fn(|cx| {
            self.core.with(|net| net.poll_accept(host, port, number, cx))
        })
        .await?;
        Ok((KernelStream { core: Arc::clone(&self.core), conn, side: 1 }, peer))
    }

    fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for KernelListener {
    fn drop(&mut self) {
        self.core.with(|net| net.unbind(self.host, self.port, self.number));
    }
}

/// One end of a connection; dropping it closes this end.
pub struct KernelStream {
    core: Arc<Core>,
    conn: ConnId,
    side: usize,
}

impl std::fmt::Debug for KernelStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KernelStream")
    }
}

impl AsyncRead for KernelStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.core.with(|net| net.poll_read(self.conn, self.side, cx, buffer))
    }
}

impl AsyncWrite for KernelStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.core.with(|net| net.poll_write(self.conn, self.side, cx, data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.core.with(|net| net.shutdown(self.conn, self.side)))
    }
}

impl Drop for KernelStream {
    fn drop(&mut self) {
        self.core.with(|net| net.close(self.conn, self.side));
    }
}
