//! turmoil's stream behind the fault table.
//!
//! Not modelled: data that a reset overtakes is still readable before the reset shows; a write
//! that waits for bandwidth or a retransmission blocks its writer instead of filling a buffer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connection::{Connection, Side, Visible};
use super::fabric::{ConnectionKey, Fabric, HostId, Pace, Power};
use crate::sim::trace::fingerprint;
use crate::sim::world::CrashMode;

/// Largest piece one write passes on, so that bandwidth and back-pressure are seen in time.
const CHUNK_BYTES: usize = 16 * 1024;

/// One end of a connection between simulated hosts.
pub struct TurmoilStream {
    inner: ::turmoil::net::TcpStream,
    fabric: Fabric,
    key: ConnectionKey,
    side: Side,
    local: HostId,
    peer: HostId,
    local_name: Arc<str>,
    peer_name: Arc<str>,
    paced: Option<Paced>,
    shut: bool,
}

/// A chunk that waits for its turn on the link.
struct Paced {
    sleep: Pin<Box<Sleep>>,
    bytes: usize,
    gives_up: bool,
}

/// What a write may do now.
enum WriteGate {
    Pass(usize),
    Taken(usize),
    Wait,
    Fail(io::ErrorKind),
}

impl TurmoilStream {
    pub(super) fn new(
        inner: ::turmoil::net::TcpStream,
        fabric: Fabric,
        side: Side,
        local: HostId,
        peer: HostId,
    ) -> io::Result<Self> {
        let (near, far) = (inner.local_addr()?, inner.peer_addr()?);
        let (key, hosts) = match side {
            Side::Client => ((near, far), (local, peer)),
            Side::Server => ((far, near), (peer, local)),
        };
        let mut state = fabric.lock();
        let connection =
            state.connections.entry(key).or_insert_with(|| Connection::new(hosts.0, hosts.1));
        connection.open(side);
        let (local_name, peer_name) = (state.name(local), state.name(peer));
        drop(state);
        let paced = None;
        Ok(Self {
            inner,
            fabric,
            key,
            side,
            local,
            peer,
            local_name,
            peer_name,
            paced,
            shut: false,
        })
    }

    /// `Some` when a read must not look at the network: pending or failed.
    fn read_gate(&self, cx: &Context<'_>) -> Option<Poll<io::Result<()>>> {
        let mut state = self.fabric.lock();
        if state.operation() {
            return Some(Poll::Pending);
        }
        let open = state.open(self.peer, self.local);
        let end = state.end(&self.key, self.side)?;
        end.watch_read(cx);
        if let Some(kind) = end.take_error() {
            return Some(Poll::Ready(Err(kind.into())));
        }
        match end.visible {
            Visible::Reset | Visible::GaveUp | Visible::Over => Some(Poll::Ready(Ok(()))),
            Visible::Silent { .. } | Visible::Forgotten => Some(Poll::Pending),
            Visible::All => (!open).then_some(Poll::Pending),
        }
    }

    fn write_gate(&self, bytes: usize, cx: &Context<'_>) -> WriteGate {
        let now = self.fabric.now();
        let mut state = self.fabric.lock();
        if state.operation() {
            return WriteGate::Wait;
        }
        let dead = state.power(self.peer) == Power::Down(CrashMode::Process)
            && state.open(self.local, self.peer);
        let Some(connection) = state.connections.get_mut(&self.key) else {
            return WriteGate::Fail(io::ErrorKind::NotConnected);
        };
        let room = connection.room(self.side);
        let Some(end) = connection.end(self.side) else {
            return WriteGate::Fail(io::ErrorKind::NotConnected);
        };
        end.watch_write(cx);
        if let Some(kind) = end.take_error() {
            return WriteGate::Fail(kind);
        }
        match end.visible {
            Visible::Reset | Visible::GaveUp | Visible::Over => {
                WriteGate::Fail(io::ErrorKind::BrokenPipe)
            }
            Visible::Silent { .. } => {
                end.visible = Visible::Silent { wrote: true };
                match end.swallow(bytes, now) {
                    0 => WriteGate::Wait,
                    taken => WriteGate::Taken(taken),
                }
            }
            // The peer's operating system answers with RST: seen by the next operation.
            Visible::Forgotten => {
                end.visible = Visible::Reset;
                WriteGate::Taken(bytes)
            }
            Visible::All if dead => {
                end.visible = Visible::Reset;
                WriteGate::Taken(bytes)
            }
            Visible::All if room == 0 => WriteGate::Wait,
            Visible::All => WriteGate::Pass(bytes.min(room).min(CHUNK_BYTES)),
        }
    }

    /// Waits until a chunk may leave; gives its size.
    fn poll_pace(&mut self, bytes: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.paced.is_none() {
            let now = self.fabric.now();
            let (wait, gives_up) = match self.fabric.lock().pace(self.local, self.peer, bytes, now)
            {
                Pace::Now => return Poll::Ready(Ok(bytes)),
                Pace::After(wait) => (wait, false),
                Pace::Never(wait) => (wait, true),
            };
            #[expect(clippy::disallowed_methods, reason = "the network's own delay")]
            let sleep = Box::pin(tokio::time::sleep(wait));
            self.paced = Some(Paced { sleep, bytes, gives_up });
        }
        let Some(paced) = &mut self.paced else { return Poll::Ready(Ok(bytes)) };
        ready!(paced.sleep.as_mut().poll(cx));
        let (paced_bytes, gives_up) = (paced.bytes, paced.gives_up);
        self.paced = None;
        if gives_up {
            self.end();
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Ready(Ok(paced_bytes.min(bytes)))
    }

    /// The connection is over, for the reader too.
    fn end(&self) {
        self.fabric.change(|state| {
            if let Some(end) = state.end(&self.key, self.side) {
                end.visible = Visible::Over;
            }
        });
    }

    /// What its peer sees of a stream that nobody accepted.
    pub(super) fn reset(self) {
        let (key, other) = (self.key, self.side.other());
        self.fabric.change(|state| {
            if let Some(end) = state.end(&key, other) {
                end.visible = Visible::Reset;
            }
        });
    }

    fn record(&self, verb: &str, data: &[u8]) {
        let (bytes, hash) = (data.len(), fingerprint(data));
        let peer = &self.peer_name;
        self.fabric.trace.event(
            self.fabric.now(),
            &self.local_name,
            format_args!("{verb} peer={peer} bytes={bytes} data={hash:016x}"),
        );
    }
}

impl AsyncRead for TurmoilStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(decided) = self.read_gate(cx) {
            return decided;
        }
        let before = buffer.filled().len();
        if let Err(error) = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer)) {
            self.end();
            return Poll::Ready(Err(error));
        }
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.record("read", &buffer.filled()[before..]);
            let side = self.side;
            let writer = {
                let mut state = self.fabric.lock();
                state.connections.get_mut(&self.key).and_then(|c| c.read(side, read))
            };
            if let Some(writer) = writer {
                writer.wake();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TurmoilStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let bytes = match self.write_gate(data.len(), cx) {
            WriteGate::Pass(bytes) => bytes,
            WriteGate::Taken(bytes) => {
                self.record("write", &data[..bytes]);
                return Poll::Ready(Ok(bytes));
            }
            WriteGate::Wait => return Poll::Pending,
            WriteGate::Fail(kind) => return Poll::Ready(Err(kind.into())),
        };
        let bytes = ready!(self.poll_pace(bytes, cx))?;
        match ready!(Pin::new(&mut self.inner).poll_write(cx, &data[..bytes])) {
            Ok(written) => {
                let now = self.fabric.now();
                if let Some(end) = self.fabric.lock().end(&self.key, self.side) {
                    end.wrote(written, now);
                }
                self.record("write", &data[..written]);
                Poll::Ready(Ok(written))
            }
            // The peer's reset has not come through to this side of the cut yet.
            Err(_) if !self.fabric.lock().open(self.peer, self.local) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.shut {
            return Poll::Ready(Ok(()));
        }
        self.shut = true;
        let visible = self.fabric.lock().end(&self.key, self.side).map(|end| end.visible);
        if visible != Some(Visible::All) {
            return Poll::Ready(Ok(()));
        }
        let closed = ready!(Pin::new(&mut self.inner).poll_shutdown(cx));
        Poll::Ready(closed.map_err(|_| io::ErrorKind::NotConnected.into()))
    }
}

impl Drop for TurmoilStream {
    fn drop(&mut self) {
        let mut state = self.fabric.lock();
        let Some(connection) = state.connections.get_mut(&self.key) else { return };
        let writer = connection.close(self.side);
        if connection.is_closed() {
            state.connections.remove(&self.key);
        }
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}
