//! Names, connects and listeners on turmoil's network.
//!
//! Invariants:
//! - A connect takes one round trip, or the caller's patience: it hangs while either way is cut,
//!   while the peer has no power, and towards an address nobody has; it is refused after one round
//!   trip when the peer's operating system lives and nobody listens.
//! - turmoil is asked to connect only where somebody listens and the link is open, because it
//!   keeps the port of a connect that fails for ever.
//! - A connection is established by the listener's backlog, not by the application's accept.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, poll_fn};
use tokio::sync::mpsc;

use super::connection::Side;
use super::fabric::{Fabric, HostId, Power, State};
use super::stream::TurmoilStream;
use crate::ports::{Endpoint, Listener, Net};
use crate::rt::{self, Race};
use crate::sim::world::CrashMode;

/// Connections that wait for accept (Linux, somaxconn was 128 for long).
const BACKLOG: usize = 128;
/// A connect gives up after this (Linux: six retransmissions of the SYN, 127 s).
const CONNECT_MAX: Duration = Duration::from_secs(127);

/// One host's network.
#[derive(Clone)]
pub struct TurmoilNet {
    pub(super) fabric: Fabric,
    pub(super) host: HostId,
}

/// Where a connect attempt stands.
enum Route {
    Open,
    Refused,
}

impl TurmoilNet {
    async fn connect_one(&self, ip: IpAddr, port: u16) -> io::Result<TurmoilStream> {
        let Some(peer) = self.fabric.lock().at(ip) else {
            // An address nobody has swallows every SYN.
            return std::future::pending().await;
        };
        loop {
            let route = self.fabric.wait(|state| self.route(state, peer, port)).await;
            let losses = self.fabric.lock().handshake_losses(self.host, peer);
            pause(losses).await;
            if let Route::Refused = route {
                self.refusal_returns(peer).await;
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let address = SocketAddr::new(ip, port);
            let connect = ::turmoil::net::TcpStream::connect(address);
            // A SYN that travels to a host as it goes down would be kept for its next life.
            let down = self.fabric.wait(|state| {
                (state.power(peer) != Power::Up || !state.open(self.host, peer)).then_some(())
            });
            match rt::race(connect, down).await {
                Race::First(Ok(stream)) => {
                    let (fabric, host) = (self.fabric.clone(), self.host);
                    let stream = TurmoilStream::new(stream, fabric, Side::Client, host, peer)?;
                    self.answer_returns(peer).await;
                    return Ok(stream);
                }
                Race::First(Err(_)) => {
                    self.refusal_returns(peer).await;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Race::Second(()) => {}
            }
        }
    }

    fn route(&self, state: &mut State, peer: HostId, port: u16) -> Option<Route> {
        if !state.open(self.host, peer) || !state.open(peer, self.host) {
            return None;
        }
        match state.power(peer) {
            Power::Down(CrashMode::Power) => None,
            Power::Down(CrashMode::Process) => Some(Route::Refused),
            Power::Up if state.listeners.contains(&(peer, port)) => Some(Route::Open),
            Power::Up => Some(Route::Refused),
        }
    }

    /// The way of the SYN out and of its refusal back.
    async fn refusal_returns(&self, peer: HostId) {
        let out = self.fabric.lock().latency(self.host, peer);
        pause(out).await;
        self.answer_returns(peer).await;
    }

    /// The way back of a handshake, which turmoil takes in no time.
    async fn answer_returns(&self, peer: HostId) {
        let back = self.fabric.lock().latency(peer, self.host);
        pause(back).await;
        self.fabric.wait(|state| state.open(peer, self.host).then_some(())).await;
    }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        #[expect(clippy::disallowed_methods, reason = "the network's own delay")]
        tokio::time::sleep(duration).await;
    }
}

impl Net for TurmoilNet {
    type Stream = TurmoilStream;
    type Listener = TurmoilListener;

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.fabric.lock().resolve(self.host, host).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn connect(&self, to: &Endpoint) -> io::Result<TurmoilStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for ip in self.resolve(&to.host).await? {
            match rt::race(self.connect_one(ip, to.port), pause(CONNECT_MAX)).await {
                Race::First(Ok(stream)) => return Ok(stream),
                Race::First(Err(error)) => last = error,
                Race::Second(()) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    async fn listen(&self, port: u16) -> io::Result<TurmoilListener> {
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        let inner = ::turmoil::net::TcpListener::bind(any).await?;
        let port = inner.local_addr()?.port();
        self.fabric.lock().listeners.insert((self.host, port));
        let (queue, accepted) = mpsc::channel(BACKLOG);
        let net = self.clone();
        let acceptor = Acceptor::default();
        *acceptor.lock() = Some(Box::pin(net.accept_all(inner, queue)));
        let running = acceptor.clone();
        rt::spawn(format!("listener {port}"), poll_fn(move |cx| running.poll(cx)));
        Ok(TurmoilListener { accepted, acceptor, net: self.clone(), port })
    }
}

impl TurmoilNet {
    /// The operating system's half of a listener: establishes connections up to the backlog.
    async fn accept_all(
        self,
        inner: ::turmoil::net::TcpListener,
        queue: mpsc::Sender<(TurmoilStream, SocketAddr)>,
    ) {
        while let Ok(place) = queue.reserve().await {
            let Ok((stream, peer_address)) = inner.accept().await else { return };
            let ip = peer_address.ip();
            let peer = self.fabric.lock().at(ip).unwrap_or(self.host);
            let fabric = self.fabric.clone();
            match TurmoilStream::new(stream, fabric, Side::Server, self.host, peer) {
                Ok(stream) => place.send((stream, peer_address)),
                Err(error) => tracing::error!(%error, "Accepted stream has no address."),
            }
        }
    }
}

/// The running half of a listener, where dropping the listener can end it at once: an aborted
/// task would keep the port until it is polled again.
#[derive(Clone, Default)]
struct Acceptor(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

impl Acceptor {
    fn lock(&self) -> MutexGuard<'_, Option<BoxFuture<'static, ()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.lock().as_mut().map_or(Poll::Ready(()), |accepting| accepting.as_mut().poll(cx))
    }

    fn stop(&self) {
        let accepting = self.lock().take();
        drop(accepting);
    }
}

/// A bound port of a simulated host.
pub struct TurmoilListener {
    accepted: mpsc::Receiver<(TurmoilStream, SocketAddr)>,
    acceptor: Acceptor,
    net: TurmoilNet,
    port: u16,
}

impl Listener for TurmoilListener {
    type Stream = TurmoilStream;

    async fn accept(&mut self) -> io::Result<(TurmoilStream, SocketAddr)> {
        self.accepted.recv().await.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TurmoilListener {
    fn drop(&mut self) {
        self.acceptor.stop();
        while let Ok((stream, _)) = self.accepted.try_recv() {
            stream.reset();
        }
        self.net.fabric.change(|state| state.listeners.remove(&(self.net.host, self.port)));
    }
}
