//! One connection as its two ends see it.
//!
//! Invariant: an end exists from its registration to its drop; the entry of a connection goes with
//! its last end.

use std::io;
use std::task::{Context, Waker};

use super::fabric::HostId;
use crate::sim::time::SimTime;

/// Bytes a sender may have on the way to an application that does not read.
pub(super) const WINDOW_BYTES: usize = 256 * 1024;
/// Bytes a sender's buffer takes while its peer is silent.
const SILENT_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What an end can see of its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visible {
    /// What the network carries.
    All,
    /// Nothing: the peer lost power. `wrote`: something was sent that is not acknowledged.
    Silent { wrote: bool },
    /// Nothing yet: the peer is back and knows nothing of this connection.
    Forgotten,
    /// The connection was reset; the next operation says so.
    Reset,
    /// The sender gave up retransmitting; the next operation says so.
    GaveUp,
    /// The error was reported: reads end, writes fail.
    Over,
}

/// One end.
#[derive(Debug)]
pub(super) struct End {
    pub visible: Visible,
    /// Bytes this end wrote that its peer has not read.
    unread: usize,
    /// Since when there are such bytes.
    pub unread_since: Option<SimTime>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl End {
    fn new() -> Self {
        Self { visible: Visible::All, unread: 0, unread_since: None, reader: None, writer: None }
    }

    /// The error that this operation must report; only the first one does.
    pub fn take_error(&mut self) -> Option<io::ErrorKind> {
        let kind = match self.visible {
            Visible::Reset => io::ErrorKind::ConnectionReset,
            Visible::GaveUp => io::ErrorKind::TimedOut,
            _ => return None,
        };
        self.visible = Visible::Over;
        Some(kind)
    }

    /// Notes that `bytes` were written at `now`.
    pub fn wrote(&mut self, bytes: usize, now: SimTime) {
        self.unread += bytes;
        self.unread_since.get_or_insert(now);
    }

    pub fn take_wakers(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }

    /// Wakes this task's next read when anything changes.
    pub fn watch_read(&mut self, cx: &Context<'_>) {
        watch(&mut self.reader, cx);
    }

    /// Wakes this task's next write when anything changes.
    pub fn watch_write(&mut self, cx: &Context<'_>) {
        watch(&mut self.writer, cx);
    }

    /// How many of `bytes` the send buffer takes while the peer is silent.
    pub fn swallow(&mut self, bytes: usize, now: SimTime) -> usize {
        let taken = bytes.min(SILENT_BYTES.saturating_sub(self.unread));
        self.wrote(taken, now);
        taken
    }
}

fn watch(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}

/// The two ends; one may not be registered yet, or be closed already.
#[derive(Debug)]
pub(super) struct Connection {
    client: Option<End>,
    server: Option<End>,
    hosts: [HostId; 2],
    half_closed: bool,
}

impl Connection {
    /// A connection between two hosts of which no end is registered.
    pub fn new(client: HostId, server: HostId) -> Self {
        Self { client: None, server: None, hosts: [client, server], half_closed: false }
    }

    /// Registers an end.
    pub fn open(&mut self, side: Side) {
        match side {
            Side::Client => self.client = Some(End::new()),
            Side::Server => self.server = Some(End::new()),
        }
    }

    /// Removes an end; gives the other's writer to wake, since nobody will read what it wrote.
    pub fn close(&mut self, side: Side) -> Option<Waker> {
        self.half_closed = true;
        match side {
            Side::Client => self.client = None,
            Side::Server => self.server = None,
        }
        self.end(side.other()).and_then(|end| end.writer.take())
    }

    /// Whether no end is left.
    pub fn is_closed(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }

    /// Bytes the end at `side` may still send; what a closed peer gets is the network's business.
    pub fn room(&mut self, side: Side) -> usize {
        if self.half_closed {
            return WINDOW_BYTES;
        }
        self.end(side).map_or(0, |end| WINDOW_BYTES.saturating_sub(end.unread))
    }

    pub fn end(&mut self, side: Side) -> Option<&mut End> {
        match side {
            Side::Client => self.client.as_mut(),
            Side::Server => self.server.as_mut(),
        }
    }

    pub fn set_visible(&mut self, side: Side, visible: Visible) {
        if let Some(end) = self.end(side) {
            end.visible = visible;
        }
    }

    /// Client and server.
    pub fn hosts(&self) -> [HostId; 2] {
        self.hosts
    }

    pub fn joins(&self, a: HostId, b: HostId) -> bool {
        self.hosts == [a, b] || self.hosts == [b, a]
    }

    /// The end whose peer is `host`.
    pub fn end_facing(&mut self, host: HostId) -> Option<&mut End> {
        match self.hosts {
            [client, server] if server == host && client != host => self.client.as_mut(),
            [client, server] if client == host && server != host => self.server.as_mut(),
            _ => None,
        }
    }

    /// Notes that the reader at `side` took `bytes`; gives the writer to wake.
    pub fn read(&mut self, side: Side, bytes: usize) -> Option<Waker> {
        let writer = self.end(side.other())?;
        writer.unread = writer.unread.saturating_sub(bytes);
        if writer.unread == 0 {
            writer.unread_since = None;
        }
        writer.writer.take()
    }

    pub fn take_wakers(&mut self, wakers: &mut Vec<Waker>) {
        for end in [&mut self.client, &mut self.server].into_iter().flatten() {
            end.take_wakers(wakers);
        }
    }
}
