//! Connections as the applications at both ends see them: connect, accept, read, write, close.
//!
//! Invariants:
//! - A writer never has more unread bytes at its peer and in the air than the window.
//! - Bytes that arrived before a reset are read before the reset is reported; the error is
//!   reported once, then reads end and writes fail with `BrokenPipe` (as Linux does).
//! - A connection is forgotten when neither application holds its end; what is still in the air
//!   then arrives nowhere.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use rand_chacha::ChaCha8Rng;
use tokio::io::ReadBuf;

use super::events::{Event, GiveUp, GiveUpKind};
use super::link::LinkId;
use super::net::{HostId, Net};
use super::packet::{Body, Packet};
use crate::rt::cause::Strand;
use crate::sim::seed::below;
use crate::sim::trace::EventId;

/// Largest piece of data on a link with a bandwidth: longer writes arrive piece by piece.
const CAPPED_PIECE_BYTES: usize = 16 * 1024;

/// A connection; indices are reused, generations are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnId {
    index: u32,
    generation: u32,
}

/// Where one end of a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server's end before the SYN arrives.
    Absent,
    /// The client's end before the SYN-ACK arrives.
    Connecting,
    /// The server's end before the handshake ends.
    HalfOpen,
    Open,
    /// Closed by its application; the system still answers for it.
    Orphan,
    /// Reset, timed out or crashed: whatever arrives is answered by a reset.
    Dead,
}

/// One end of a connection.
pub(super) struct Side {
    pub(super) host: HostId,
    pub(super) incarnation: u32,
    pub(super) address: SocketAddr,
    pub(super) phase: Phase,
    /// Whether an application, an accept queue or a handshake holds this end.
    pub(super) held: bool,
    pub(super) link: Option<LinkId>,
    /// `host:port>host:port`, for the trace.
    pub(super) label: Box<str>,
    /// What arrived and is not read yet, each with its arrival.
    pub(super) received: VecDeque<(Bytes, Option<EventId>)>,
    pub(super) received_bytes: usize,
    /// Bytes read since the last credit went back.
    consumed_bytes: u32,
    /// Bytes this side may still send.
    pub(super) credit_bytes: usize,
    pub(super) fin_sent: bool,
    pub(super) fin_received: bool,
    /// What its application will be told once, and what led to it.
    pub(super) error: Option<(io::ErrorKind, Option<EventId>)>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) sent_number: u64,
    pub(super) next_number: u64,
    /// Packets that overtook an earlier one.
    pub(super) early: BTreeMap<u64, Box<Packet>>,
    pub(super) last_due: u64,
    /// Since when the oldest lost packet of this sender waits.
    pub(super) stalled_since: Option<u64>,
    /// The wait its give-up timer was set for.
    pub(super) patience_since: Option<u64>,
    /// Since when its data arrives but the acknowledgements do not come back.
    pub(super) unacknowledged_since: Option<u64>,
    /// When its machine lost power: what had not left by then never leaves.
    pub(super) power_lost_at: Option<u64>,
    /// What became of its oldest packet that does not get through.
    pub(super) trouble: Option<EventId>,
    /// The arrival that opened the connection or ended the peer's stream.
    pub(super) heard: Option<EventId>,
    /// Its application sent something since data last arrived.
    pub(super) asked: bool,
    /// The crash that ended it.
    pub(super) dead_by: Option<EventId>,
    /// Who last read from it.
    pub(super) owner: Option<Strand>,
    chunks: Option<Box<ChaCha8Rng>>,
}

/// One connection; side 0 is the one that connected.
pub(super) struct Conn {
    pub(super) sides: [Side; 2],
    pub(super) started: u64,
    /// The listener that took the SYN.
    pub(super) listener: u64,
    pub(super) connect_timer: bool,
    /// What led to its making.
    pub(super) begun_by: Option<EventId>,
    /// The fault that lets all its packets vanish.
    pub(super) half_open_by: Option<EventId>,
}

impl Side {
    fn new(host: HostId, address: SocketAddr, window_bytes: u32) -> Self {
        Self {
            host,
            incarnation: 0,
            address,
            phase: Phase::Absent,
            held: false,
            link: None,
            label: Box::default(),
            received: VecDeque::new(),
            received_bytes: 0,
            consumed_bytes: 0,
            credit_bytes: window_bytes as usize,
            fin_sent: false,
            fin_received: false,
            error: None,
            reader: None,
            writer: None,
            sent_number: 0,
            next_number: 0,
            early: BTreeMap::new(),
            last_due: 0,
            stalled_since: None,
            patience_since: None,
            unacknowledged_since: None,
            power_lost_at: None,
            trouble: None,
            heard: None,
            asked: false,
            dead_by: None,
            owner: None,
            chunks: None,
        }
    }

    /// Something of what it sent has arrived.
    pub(super) fn gets_through(&mut self) {
        self.stalled_since = None;
        self.patience_since = None;
        self.trouble = None;
    }

    /// Makes the server's end ready for a SYN, a first or a repeated one.
    pub(super) fn begin_half_open(&mut self, incarnation: u32, window_bytes: u32) {
        let fresh = Self::new(self.host, self.address, window_bytes);
        let old = std::mem::replace(self, fresh);
        self.link = old.link;
        self.label = old.label;
        self.chunks = old.chunks;
        self.incarnation = incarnation;
        self.phase = Phase::HalfOpen;
        self.held = true;
        self.next_number = 1;
    }

    /// A seeded, adversarially small part of `most` bytes; `most` when chunking is off.
    fn chunk(&mut self, most: usize) -> usize {
        let Some(rng) = self.chunks.as_mut().filter(|_| most > 1) else { return most };
        let most_u64 = most as u64;
        let bound = match below(rng, 4) {
            0 => return 1,
            1 => most_u64.min(16),
            2 => most_u64,
            _ => return most,
        };
        usize::try_from(1 + below(rng, bound)).unwrap_or(most).min(most)
    }
}

/// The other side.
pub(super) fn other(side: usize) -> usize {
    1 - side
}

impl Net {
    pub(super) fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns[id.index as usize].as_ref().filter(|_| self.is_current(id))
    }

    pub(super) fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        if !self.is_current(id) {
            return None;
        }
        self.conns[id.index as usize].as_mut()
    }

    fn is_current(&self, id: ConnId) -> bool {
        self.generations[id.index as usize] == id.generation
    }

    /// Every live connection, in a stable order.
    pub(super) fn conn_ids(&self) -> Vec<ConnId> {
        (0u32..)
            .zip(&self.conns)
            .filter(|(_, conn)| conn.is_some())
            .map(|(index, _)| ConnId { index, generation: self.generations[index as usize] })
            .collect()
    }

    fn insert_conn(&mut self, conn: Conn) -> ConnId {
        let index = self.free_conns.pop().unwrap_or_else(|| {
            self.conns.push(None);
            self.generations.push(0);
            u32::try_from(self.conns.len() - 1).expect("fewer than 2³² connections fit in memory")
        });
        self.conns[index as usize] = Some(conn);
        ConnId { index, generation: self.generations[index as usize] }
    }

    /// Forgets `id` once neither end is held.
    pub(super) fn forget_if_unheld(&mut self, id: ConnId) {
        let unheld = |conn: &Conn| !conn.sides[0].held && !conn.sides[1].held;
        if !self.conn(id).is_some_and(unheld) {
            return;
        }
        let slot = id.index as usize;
        if let Some(conn) = self.conns[slot].take() {
            for side in conn.sides {
                self.discard(side.reader);
                self.discard(side.writer);
            }
        }
        self.generations[slot] = self.generations[slot].wrapping_add(1);
        self.free_conns.push(id.index);
    }

    /// Begins to connect `host` to `address`; poll with [`Net::poll_connect`].
    ///
    /// # Errors
    /// `NotConnected` when this incarnation of the host is down.
    pub(super) fn begin_connect(
        &mut self,
        host: HostId,
        incarnation: u32,
        address: IpAddr,
        port: u16,
    ) -> io::Result<ConnId> {
        if !self.is_running(host, incarnation) {
            return Err(host_is_down());
        }
        let window = self.config.window_bytes;
        let local = self.ephemeral_port(host);
        let remote = self.host_at(host, address);
        let mut client = Side::new(host, self.socket_addr(host, local), window);
        client.incarnation = incarnation;
        client.phase = Phase::Connecting;
        client.held = true;
        let peer_address = SocketAddr::new(address, port);
        let mut server = Side::new(remote.unwrap_or(host), peer_address, window);
        if let Some(remote) = remote {
            let names = (self.host(host).name.clone(), self.host(remote).name.clone());
            client.label = format!("{}:{local}>{}:{port}", names.0, names.1).into();
            server.label = format!("{}:{port}>{}:{local}", names.1, names.0).into();
            client.link = Some(self.link_id(host, remote));
            server.link = Some(self.link_id(remote, host));
            if self.config.adversarial_chunks {
                client.chunks = Some(Box::new(self.chunk_stream(&client.label)));
                server.chunks = Some(Box::new(self.chunk_stream(&server.label)));
            }
        }
        self.stats.connections += 1;
        let started = self.now;
        let conn = Conn {
            sides: [client, server],
            started,
            listener: 0,
            connect_timer: false,
            begun_by: self.trace.cause(),
            half_open_by: None,
        };
        let id = self.insert_conn(conn);
        if remote.is_some() {
            self.send(id, 0, Body::Syn);
        } else {
            // Nobody has that address: packets vanish, the handshake times out.
            self.arm_connect_timer(id);
        }
        Ok(id)
    }

    fn chunk_stream(&self, label: &str) -> ChaCha8Rng {
        // The ordinal tells two connections of the same ports apart.
        self.config.seed.stream(&format!("chunk/{label}/{}", self.stats.connections))
    }

    /// Sets the timer that ends a handshake without an answer.
    pub(super) fn arm_connect_timer(&mut self, id: ConnId) {
        let patience = self.patience_ns(true);
        let Some(conn) = self.conn_mut(id).filter(|conn| !conn.connect_timer) else { return };
        conn.connect_timer = true;
        let at = conn.started.saturating_add(patience);
        let timer = GiveUp { conn: id, side: 0, kind: GiveUpKind::Connect };
        self.queue.push(at, Event::GiveUp(timer));
    }

    /// Whether a connection has been made.
    pub(super) fn poll_connect(&mut self, id: ConnId, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(conn) = self.conn_mut(id) else { return Poll::Ready(Err(host_is_down())) };
        let side = &mut conn.sides[0];
        match (side.phase, side.error.take()) {
            (_, Some((kind, cause))) => {
                self.trace.set_cause(cause);
                Poll::Ready(Err(kind.into()))
            }
            (Phase::Connecting, None) => {
                let old = park(&mut side.writer, cx);
                self.discard(old);
                Poll::Pending
            }
            (Phase::Dead, None) => Poll::Ready(Err(host_is_down())),
            _ => {
                let cause = side.heard;
                self.trace.set_cause(cause);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Takes a connection from the accept queue of `port`.
    pub(super) fn poll_accept(
        &mut self,
        host: HostId,
        port: u16,
        number: u64,
        cx: &Context<'_>,
    ) -> Poll<io::Result<(ConnId, SocketAddr)>> {
        let listening = self.host_mut(host).listeners.get_mut(&port);
        let Some(listening) = listening.filter(|listening| listening.number == number) else {
            return Poll::Ready(Err(host_is_down()));
        };
        if let Some(id) = listening.ready.pop_front() {
            let peer = self.conn(id).map(|conn| conn.sides[0].address);
            self.trace.set_cause(self.conn(id).and_then(|conn| conn.sides[1].heard));
            return Poll::Ready(peer.map(|peer| (id, peer)).ok_or_else(host_is_down));
        }
        let old = park(&mut listening.waker, cx);
        self.discard(old);
        Poll::Pending
    }

    /// Unbinds a port and resets what nobody accepted.
    pub(super) fn unbind(&mut self, host: HostId, port: u16, number: u64) {
        let listeners = &mut self.host_mut(host).listeners;
        if listeners.get(&port).is_none_or(|listening| listening.number != number) {
            return;
        }
        let Some(listening) = listeners.remove(&port) else { return };
        self.discard(listening.waker);
        for id in listening.ready {
            self.abort(id, 1);
            self.unhold(id, 1);
        }
    }

    /// Reads what has arrived; nothing filled means the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        id: ConnId,
        side: usize,
        cx: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let window = self.config.window_bytes;
        let Some(conn) = self.conn_mut(id) else { return Poll::Ready(Ok(())) };
        let end = &mut conn.sides[side];
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if end.received_bytes == 0 {
            // Linux: once the peer's stream has ended, reads never report an error.
            if end.fin_received {
                let cause = end.heard;
                self.trace.set_cause(cause);
                return Poll::Ready(Ok(()));
            }
            if let Some((kind, cause)) = end.error.take() {
                self.trace.set_cause(cause);
                return Poll::Ready(Err(kind.into()));
            }
            if end.phase == Phase::Dead {
                return Poll::Ready(Ok(()));
            }
            let old = park(&mut end.reader, cx);
            self.discard(old);
            return Poll::Pending;
        }
        if side == 1 {
            end.owner = Strand::running();
        }
        let mut cause = None;
        let mut wanted = end.chunk(buffer.remaining().min(end.received_bytes));
        end.received_bytes -= wanted;
        end.consumed_bytes += u32::try_from(wanted).unwrap_or(u32::MAX);
        while wanted > 0 {
            let Some((front, arrival)) = end.received.front_mut() else { break };
            cause = *arrival;
            let part = wanted.min(front.len());
            buffer.put_slice(&front[..part]);
            front.advance(part);
            wanted -= part;
            if front.is_empty() {
                end.received.pop_front();
            }
        }
        let grants = end.consumed_bytes >= window.div_ceil(4) && !end.fin_received;
        let credit = if grants && end.phase == Phase::Open {
            std::mem::take(&mut end.consumed_bytes)
        } else {
            0
        };
        self.trace.set_cause(cause);
        if credit > 0 {
            self.send(id, side, Body::Credit(credit));
        }
        Poll::Ready(Ok(()))
    }

    /// Sends as much of `data` as the peer's window allows.
    pub(super) fn poll_write(
        &mut self,
        id: ConnId,
        side: usize,
        cx: &Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(conn) = self.conn_mut(id) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let end = &mut conn.sides[side];
        if let Some((kind, cause)) = end.error.take() {
            self.trace.set_cause(cause);
            return Poll::Ready(Err(kind.into()));
        }
        if end.fin_sent || end.phase != Phase::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if end.credit_bytes == 0 {
            let old = park(&mut end.writer, cx);
            self.discard(old);
            return Poll::Pending;
        }
        let accepted = end.chunk(data.len().min(end.credit_bytes));
        end.credit_bytes -= accepted;
        let link = end.link;
        let capped = link.is_some_and(|link| self.link_mut(link).bytes_per_second.is_some());
        let piece_bytes = if capped { CAPPED_PIECE_BYTES } else { accepted };
        for piece in data[..accepted].chunks(piece_bytes) {
            self.send(id, side, Body::Data(Bytes::copy_from_slice(piece)));
        }
        Poll::Ready(Ok(accepted))
    }

    /// Ends this side's stream; reading goes on.
    pub(super) fn shutdown(&mut self, id: ConnId, side: usize) -> io::Result<()> {
        let Some(conn) = self.conn_mut(id) else { return Ok(()) };
        let end = &mut conn.sides[side];
        if end.phase == Phase::Open && !end.fin_sent {
            end.fin_sent = true;
            self.send(id, side, Body::Fin);
        }
        Ok(())
    }

    /// The application lets go of its end: FIN, or RST when it left bytes unread.
    pub(super) fn close(&mut self, id: ConnId, side: usize) {
        self.blame_silence(id, side);
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        match end.phase {
            Phase::Open if end.received_bytes > 0 => self.abort(id, side),
            Phase::Open => {
                end.phase = Phase::Orphan;
                if !std::mem::replace(&mut end.fin_sent, true) {
                    self.send(id, side, Body::Fin);
                }
            }
            // A SYN-ACK that arrives from now on is answered by a reset.
            Phase::Connecting => end.phase = Phase::Dead,
            _ => {}
        }
        self.unhold(id, side);
    }

    /// Sends a reset and ends this side.
    pub(super) fn abort(&mut self, id: ConnId, side: usize) {
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        if matches!(end.phase, Phase::Open | Phase::HalfOpen | Phase::Orphan) {
            end.phase = Phase::Dead;
            self.send(id, side, Body::Rst);
        }
    }

    /// Nobody holds this end any more.
    pub(super) fn unhold(&mut self, id: ConnId, side: usize) {
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        end.held = false;
        let wakers = (end.reader.take(), end.writer.take());
        self.discard(wakers.0);
        self.discard(wakers.1);
        self.forget_if_unheld(id);
    }

    /// Ends one side with an error that its application will see once.
    pub(super) fn fail(&mut self, id: ConnId, side: usize, kind: io::ErrorKind) {
        let cause = self.trace.cause();
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        if end.phase == Phase::Dead {
            return;
        }
        end.phase = Phase::Dead;
        end.error = Some((kind, cause));
        let wakers = (end.reader.take(), end.writer.take());
        self.wake(wakers.0);
        self.wake(wakers.1);
    }
}

/// Keeps the caller's waker; the one it replaces is for the caller to drop.
fn park(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}

/// What an incarnation that is down gets for every attempt to use the network.
pub(super) fn host_is_down() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "this incarnation of the host is down")
}
