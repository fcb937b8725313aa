//! What led to what: the trace's lines of packets, and the faults behind silence.
//!
//! Invariants:
//! - An arrival's parent is its send, however often it was repeated. What an operating system
//!   sends by itself (answers of handshakes, credit) has no line for its sending: its arrival's
//!   parent is the arrival that made the system send it.
//! - What a fault did has that fault's event as parent: losses, stays in the air, time-outs,
//!   refusals, resets.
//!
//! Not modelled: two faults behind one silence; the nearer one to the wire is named.

use super::link::LinkId;
use super::net::{HostId, Net, Power};
use super::packet::{Body, Packet};
use super::socket::{ConnId, Phase, other};
use crate::rt::cause::Strand;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, fingerprint};
use crate::sim::world::NetworkFault;

impl Net {
    /// Sends what `cause`, or else the present one, leads to.
    pub(super) fn send_because(
        &mut self,
        cause: Option<EventId>,
        id: ConnId,
        side: usize,
        body: Body,
    ) {
        let before = self.trace.cause();
        self.trace.set_cause(cause.or(before));
        self.send(id, side, body);
        self.trace.set_cause(before);
    }

    /// One line about a packet.
    pub(super) fn trace_packet(
        &self,
        what: &str,
        packet: &Packet,
        parent: Option<EventId>,
    ) -> EventId {
        let label = self.conn(packet.conn).map_or("", |conn| &conn.sides[packet.from].label);
        let (at, kind) = (SimTime(self.now), packet.body.kind());
        let record = |what: std::fmt::Arguments<'_>| self.trace.event_from(parent, at, "net", what);
        match &packet.body {
            Body::Data(payload) => record(format_args!(
                "{what} kind={kind} flow={label} bytes={} print={:016x}",
                payload.len(),
                fingerprint(payload)
            )),
            Body::Credit(bytes) => {
                record(format_args!("{what} kind={kind} flow={label} bytes={bytes}"))
            }
            _ => record(format_args!("{what} kind={kind} flow={label}")),
        }
    }

    /// One line about a packet that does not get through, which `fault` is to blame for.
    pub(super) fn trace_trouble(&mut self, what: &str, packet: &Packet, fault: Option<EventId>) {
        let parent = fault.or(packet.cause);
        let label = self.conn(packet.conn).map_or("", |conn| &conn.sides[packet.from].label);
        let (at, kind) = (SimTime(self.now), packet.body.kind());
        let trouble = match packet.cause {
            Some(sent) => self.trace.event_from(
                parent,
                at,
                "net",
                format_args!("{what} kind={kind} flow={label} of={sent}"),
            ),
            None => {
                let what = format_args!("{what} kind={kind} flow={label}");
                self.trace.event_from(parent, at, "net", what)
            }
        };
        if let Some(conn) = self.conn_mut(packet.conn) {
            conn.sides[packet.from].trouble = Some(trouble);
        }
    }

    /// The fault that keeps a packet from crossing `link`.
    pub(super) fn obstacle(&mut self, link: LinkId, packet: &Packet) -> Option<EventId> {
        let link = self.link_mut(link);
        let (cut, loss) = (link.faults.cut, link.faults.loss);
        if link.cut {
            return cut;
        }
        let receiver = self.conn(packet.conn)?.sides[other(packet.from)].host;
        let host = self.host(receiver);
        if host.power == Power::Up { loss } else { host.down_by }
    }

    /// What keeps one end of a connection waiting, as far as it is known: what was lost or held
    /// on the way there or back, a slow link, a pause, or whatever the other end is busy with.
    pub(super) fn trouble_of(&self, id: ConnId, side: usize) -> Option<EventId> {
        let conn = self.conn(id)?;
        let (near, far) = (&conn.sides[side], &conn.sides[other(side)]);
        if let Some(trouble) = near.trouble.or(far.trouble) {
            return Some(trouble);
        }
        let in_air = near.sent_number > far.next_number || far.sent_number > near.next_number;
        if in_air || near.phase == Phase::Connecting {
            let slow = [near.link, far.link].into_iter().flatten().find_map(|link| {
                let faults = self.links[link.0 as usize].faults;
                faults.latency.or(faults.bandwidth).or(faults.loss)
            });
            return slow.or(self.host(far.host).paused_by);
        }
        let busy = || far.owner.as_ref().and_then(Strand::cause).map(|id| EventId(id.get()));
        self.host(far.host).paused_by.or_else(busy)
    }

    /// An application stops waiting for an answer: what it does next was led to by whatever kept
    /// the answer away.
    pub(super) fn blame_silence(&self, id: ConnId, side: usize) {
        let Some(end) = self.conn(id).map(|conn| &conn.sides[side]) else { return };
        let waits = match end.phase {
            Phase::Connecting => true,
            Phase::Open => side == 0 && end.asked && end.reader.is_some(),
            _ => false,
        };
        if waits && let Some(trouble) = self.trouble_of(id, side) {
            self.trace.set_cause(Some(trouble));
        }
    }

    /// One line about a look-up that fails because of `fault`.
    pub(super) fn trace_unresolved(
        &self,
        asker: HostId,
        name: &str,
        fault: Option<EventId>,
    ) -> EventId {
        let host = &self.host(asker).name;
        let what = format_args!("unresolved host={host} name={name}");
        self.trace.event_from(fault.or(self.trace.cause()), SimTime(self.now), "net", what)
    }

    /// Writes into the trace that a power loss took unsynced writes.
    pub(super) fn trace_lost_writes(&self, host: HostId, lost: usize) {
        crate::sometimes!(POWER_LOST_WRITES, lost > 0);
        let (at, name) = (SimTime(self.now), &self.host(host).name);
        self.trace.event(at, "fault", format_args!("disk host={name} lost_writes={lost}"));
    }

    /// Writes a fault into the trace.
    pub(super) fn trace_fault(&self, fault: &NetworkFault) -> EventId {
        let at = SimTime(self.now);
        self.trace.event(at, "fault", format_args!("{fault}"))
    }
}
