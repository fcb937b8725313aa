//! Packets on their way: sending, losing, arriving, and the answers of the systems at the ends.
//!
//! Invariants:
//! - Packets of one flow take effect in the order in which they were sent, whatever their delays.
//! - A packet from an incarnation that is gone never takes effect, except what had left before.
//! - A reset is sent once; it may be lost. Everything else is repeated until it arrives or its
//!   sender gives up.

use std::io;

use super::events::{Event, GiveUp, GiveUpKind};
use super::link::{LinkId, next_attempt};
use super::net::{HostId, Net, Power};
use super::packet::{Body, Packet};
use super::socket::{ConnId, Phase, other};
use crate::sim::time::SimTime;
use crate::sim::world::CrashMode;

impl Net {
    /// Sends a new packet of `side`.
    pub(super) fn send(&mut self, id: ConnId, side: usize, body: Body) {
        let now = self.now;
        let Some(host) = self.conn(id).map(|conn| conn.sides[side].host) else { return };
        if !self.host(host).fuse.pass() {
            return;
        }
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        let number = end.sent_number;
        end.sent_number += 1;
        end.asked |= matches!(body, Body::Data(_));
        let incarnation = end.incarnation;
        let mut packet = Packet {
            conn: id,
            from: side,
            incarnation,
            number,
            first_sent: now,
            departs: now,
            cause: self.trace.cause(),
            body,
        };
        if packet.body.is_sent_by_application() {
            packet.cause = Some(self.trace_packet("send", &packet, packet.cause));
        }
        self.transmit(Box::new(packet));
    }

    /// Puts a packet on its link, for the first time or again.
    pub(super) fn transmit(&mut self, mut packet: Box<Packet>) {
        let Some(link_id) = self.link_of(&packet) else { return };
        let now = self.now;
        let patience = self.patience_ns(packet.body.is_handshake());
        let link = self.link_mut(link_id);
        let is_reset = matches!(packet.body, Body::Rst);
        if is_reset && link.loses_one() {
            self.lose_reset(&packet);
            return;
        }
        if self.conn(packet.conn).is_some_and(|conn| conn.half_open_by.is_some()) {
            self.swallow(&packet);
            return;
        }
        let link = self.link_mut(link_id);
        if link.cut {
            self.stall(link_id, packet);
            return;
        }
        let Some(transit) = link.transit(now, &packet.body, patience) else {
            self.stall(link_id, packet);
            return;
        };
        packet.departs = transit.departs;
        if link.loss > 0.0 && packet.body.is_handshake() {
            self.arm_connect_timer(packet.conn);
        }
        let Some(conn) = self.conn_mut(packet.conn) else { return };
        let end = &mut conn.sides[packet.from];
        end.last_due = end.last_due.max(transit.arrives);
        let due = end.last_due;
        self.queue.push(due, Event::Arrive(packet));
    }

    /// The link a packet crosses, if its connection is still known and its sender still stands.
    fn link_of(&self, packet: &Packet) -> Option<LinkId> {
        let end = &self.conn(packet.conn)?.sides[packet.from];
        let alive = end.incarnation == packet.incarnation && end.phase != Phase::Dead;
        end.link.filter(|_| alive || matches!(packet.body, Body::Rst))
    }

    /// A packet comes to the far end of its link.
    pub(super) fn arrive(&mut self, packet: Box<Packet>) {
        let Some(conn) = self.conn(packet.conn) else { return };
        let (sender, receiver) = (&conn.sides[packet.from], &conn.sides[other(packet.from)]);
        let is_reset = matches!(packet.body, Body::Rst);
        if !is_reset && sender.power_lost_at.is_some_and(|at| packet.departs > at) {
            return;
        }
        let Some(link_id) = sender.link else { return };
        let host = receiver.host;
        if conn.half_open_by.is_some() {
            self.swallow(&packet);
            return;
        }
        let link = self.link_mut(link_id);
        let (cut, hold) = (link.cut, link.hold);
        if hold && !cut {
            self.mark_waiting(&packet);
            let by = self.link_mut(link_id).faults.hold;
            self.trace_trouble("hold", &packet, by);
            self.link_mut(link_id).held.push(*packet);
            return;
        }
        if cut || self.host(host).power == Power::Down(CrashMode::Power) {
            if is_reset {
                self.lose_reset(&packet);
            } else {
                self.stall(link_id, packet);
            }
            return;
        }
        self.stats.packets += 1;
        // What reaches a host's system after its last event reaches nobody.
        self.host(host).fuse.pass();
        let received = self.trace_packet("recv", &packet, packet.cause);
        let before = self.trace.set_cause(Some(received));
        self.receive(packet);
        self.trace.set_cause(before);
    }

    /// Hands a packet to the destination's system, in the order of its flow.
    fn receive(&mut self, mut packet: Box<Packet>) {
        let (id, from) = (packet.conn, packet.from);
        match packet.body {
            Body::Syn => return self.take_syn(packet),
            Body::Rst => return self.take_reset(id, other(from)),
            _ => {}
        }
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[other(from)];
        if end.phase == Phase::Dead || end.phase == Phase::Absent {
            // A socket nobody knows: the system answers with a reset.
            let by = end.dead_by;
            self.send_because(by, id, other(from), Body::Rst);
            return;
        }
        if packet.number != end.next_number {
            packet.cause = self.trace.cause();
            let Some(conn) = self.conn_mut(id) else { return };
            conn.sides[other(from)].early.insert(packet.number, packet);
            return;
        }
        self.take(*packet);
        loop {
            let Some(conn) = self.conn_mut(id) else { return };
            let end = &mut conn.sides[other(from)];
            let next = end.next_number;
            let Some(packet) = end.early.remove(&next) else { return };
            self.trace.set_cause(packet.cause);
            self.take(*packet);
        }
    }

    /// Acts on the next packet of a flow.
    fn take(&mut self, packet: Packet) {
        let (id, from) = (packet.conn, packet.from);
        let to = other(from);
        let cause = self.trace.cause();
        let Some(conn) = self.conn_mut(id) else { return };
        conn.sides[from].gets_through();
        let end = &mut conn.sides[to];
        end.next_number = packet.number + 1;
        match packet.body {
            Body::SynAck => {
                end.phase = Phase::Open;
                end.heard = cause;
                let waker = end.writer.take();
                self.wake(waker);
                self.send(id, to, Body::Ack);
            }
            Body::Ack => self.take_handshake_end(id),
            Body::Data(payload) => {
                if end.phase == Phase::Orphan {
                    self.abort(id, to);
                    return;
                }
                end.asked = false;
                end.received_bytes += payload.len();
                end.received.push_back((payload, cause));
                let waker = end.reader.take();
                self.wake(waker);
                self.note_unacknowledged(id, from);
            }
            Body::Fin => {
                end.fin_received = true;
                end.heard = cause;
                let waker = end.reader.take();
                self.wake(waker);
                self.note_unacknowledged(id, from);
            }
            Body::Credit(bytes) => {
                end.credit_bytes += bytes as usize;
                let waker = end.writer.take();
                self.wake(waker);
            }
            // Both are taken before the order is looked at.
            Body::Syn | Body::Rst => {}
        }
    }

    /// A SYN reaches a host that has power.
    fn take_syn(&mut self, mut packet: Box<Packet>) {
        let id = packet.conn;
        let (backlog, window) = (self.config.backlog, self.config.window_bytes);
        let Some(conn) = self.conn_mut(id) else { return };
        conn.sides[0].gets_through();
        if conn.sides[0].phase != Phase::Connecting {
            return;
        }
        let (host, port) = (conn.sides[1].host, conn.sides[1].address.port());
        let state = self.host_mut(host);
        let (incarnation, down_by) = (state.incarnation, state.down_by);
        let up = state.power == Power::Up;
        let listening = state.listeners.get_mut(&port).filter(|_| up);
        let Some(listening) = listening else {
            self.send_because(down_by, id, 1, Body::Rst);
            return;
        };
        if listening.ready.len() + listening.half_open >= backlog {
            // Linux drops the SYN; the client tries again.
            let (now, first_sent) = (self.now, packet.first_sent);
            self.arm_connect_timer(id);
            let paused_by = self.host(host).paused_by;
            self.trace_trouble("drop", &packet, paused_by);
            let Some(link_id) = self.link_of(&packet) else { return };
            let pause = self.link_mut(link_id).first_pause_ns(true);
            packet.departs = now;
            self.queue.push(next_attempt(first_sent, pause, now + 1), Event::Resend(packet));
            return;
        }
        listening.half_open += 1;
        let number = listening.number;
        if let Some(conn) = self.conn_mut(id) {
            conn.listener = number;
            conn.sides[1].begin_half_open(incarnation, window);
            self.send(id, 1, Body::SynAck);
        }
    }

    /// The handshake ends at the server: the connection may be accepted.
    fn take_handshake_end(&mut self, id: ConnId) {
        let cause = self.trace.cause();
        let Some(conn) = self.conn_mut(id) else { return };
        if conn.sides[1].phase != Phase::HalfOpen {
            return;
        }
        let (host, port) = (conn.sides[1].host, conn.sides[1].address.port());
        let number = conn.listener;
        conn.sides[1].phase = Phase::Open;
        conn.sides[1].heard = cause;
        let listening = self.host_mut(host).listeners.get_mut(&port);
        let Some(listening) = listening.filter(|listening| listening.number == number) else {
            self.abort(id, 1);
            self.unhold(id, 1);
            return;
        };
        listening.half_open -= 1;
        listening.ready.push_back(id);
        let waker = listening.waker.take();
        self.wake(waker);
    }

    /// A reset reaches `side`.
    fn take_reset(&mut self, id: ConnId, side: usize) {
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        match end.phase {
            Phase::Connecting => self.fail(id, side, io::ErrorKind::ConnectionRefused),
            Phase::HalfOpen => self.end_half_open(id),
            // Linux: in CLOSE_WAIT a reset means EPIPE.
            Phase::Open if end.fin_received => self.fail(id, side, io::ErrorKind::BrokenPipe),
            Phase::Open => self.fail(id, side, io::ErrorKind::ConnectionReset),
            Phase::Orphan => end.phase = Phase::Dead,
            Phase::Dead | Phase::Absent => {}
        }
    }

    /// The server forgets a handshake that did not end.
    pub(super) fn end_half_open(&mut self, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        if conn.sides[1].phase != Phase::HalfOpen {
            return;
        }
        conn.sides[1].phase = Phase::Dead;
        let (host, port) = (conn.sides[1].host, conn.sides[1].address.port());
        let number = conn.listener;
        let listening = self.host_mut(host).listeners.get_mut(&port);
        if let Some(listening) = listening.filter(|listening| listening.number == number) {
            listening.half_open -= 1;
        }
        self.unhold(id, 1);
    }

    /// Data arrived while the way back is cut: its sender hears nothing and will give up.
    fn note_unacknowledged(&mut self, id: ConnId, sender: usize) {
        let (now, patience) = (self.now, self.patience_ns(false));
        let Some(conn) = self.conn(id) else { return };
        let Some(back) = conn.sides[other(sender)].link else { return };
        if !self.link_mut(back).cut {
            return;
        }
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[sender];
        if end.unacknowledged_since.is_none() {
            end.unacknowledged_since = Some(now);
            let kind = GiveUpKind::Acknowledgement(now);
            let timer = GiveUp { conn: id, side: sender, kind };
            self.queue.push(now.saturating_add(patience), Event::GiveUp(timer));
        }
    }

    /// A packet is lost for as long as an obstacle stays; its sender waits.
    pub(super) fn stall(&mut self, link: LinkId, packet: Box<Packet>) {
        self.stats.lost += 1;
        let by = self.obstacle(link, &packet);
        self.trace_trouble("lost", &packet, by);
        self.mark_waiting(&packet);
        let mut stalled = std::mem::take(&mut self.link_mut(link).stalled);
        // A link that is cut for days must not collect what its senders have given up.
        if stalled.len() >= 64 && stalled.len().is_power_of_two() {
            stalled.retain(|packet| self.link_of(packet).is_some());
        }
        stalled.push(*packet);
        self.link_mut(link).stalled = stalled;
    }

    /// A packet of a connection that went dead is lost for good; its sender will give up.
    fn swallow(&mut self, packet: &Packet) {
        self.stats.lost += 1;
        let by = self.conn(packet.conn).and_then(|conn| conn.half_open_by);
        self.trace_trouble("lost", packet, by);
        self.mark_waiting(packet);
    }

    /// Starts the give-up timer of a packet that does not get through.
    fn mark_waiting(&mut self, packet: &Packet) {
        let (id, side, since) = (packet.conn, packet.from, packet.first_sent);
        let patience = self.patience_ns(packet.body.is_handshake());
        let Some(conn) = self.conn_mut(id) else { return };
        let end = &mut conn.sides[side];
        end.stalled_since.get_or_insert(since);
        let kind = match packet.body {
            Body::Syn => return self.arm_connect_timer(id),
            Body::SynAck => {
                self.arm_connect_timer(id);
                GiveUpKind::HalfOpen
            }
            Body::Data(_) | Body::Fin if end.patience_since.is_none() => {
                end.patience_since = Some(since);
                GiveUpKind::Data(since)
            }
            _ => return,
        };
        let at = since.saturating_add(patience).max(self.now);
        self.queue.push(at, Event::GiveUp(GiveUp { conn: id, side, kind }));
    }

    /// A reset is lost; a handshake that it would have ended ends by a timer.
    fn lose_reset(&mut self, packet: &Packet) {
        self.stats.lost += 1;
        let link = self.conn(packet.conn).and_then(|conn| conn.sides[packet.from].link);
        let by = link.and_then(|link| self.obstacle(link, packet));
        self.trace_trouble("lost", packet, by);
        let (id, side) = (packet.conn, other(packet.from));
        let patience = self.patience_ns(true);
        let Some(conn) = self.conn(id) else { return };
        match conn.sides[side].phase {
            Phase::HalfOpen => {
                let timer = GiveUp { conn: id, side, kind: GiveUpKind::HalfOpen };
                self.queue.push(self.now.saturating_add(patience), Event::GiveUp(timer));
            }
            Phase::Connecting => self.arm_connect_timer(id),
            _ => {}
        }
    }

    /// A give-up timer fires.
    pub(super) fn give_up(&mut self, timer: GiveUp) {
        let GiveUp { conn: id, side, kind } = timer;
        let Some(conn) = self.conn(id) else { return };
        let end = &conn.sides[side];
        let applies = match kind {
            GiveUpKind::Connect => end.phase == Phase::Connecting,
            GiveUpKind::HalfOpen => end.phase == Phase::HalfOpen,
            GiveUpKind::Data(since) => end.patience_since == Some(since),
            GiveUpKind::Acknowledgement(since) => end.unacknowledged_since == Some(since),
        };
        if !applies {
            return;
        }
        crate::sometimes!(CONNECTION_GAVE_UP);
        let at = SimTime(self.now);
        let by = self.trouble_of(id, side).or(conn.begun_by);
        let what = format_args!("timeout flow={}", conn.sides[side].label);
        let timeout = self.trace.event_from(by, at, "net", what);
        let before = self.trace.set_cause(Some(timeout));
        if kind == GiveUpKind::HalfOpen {
            self.end_half_open(id);
        } else {
            self.fail(id, side, io::ErrorKind::TimedOut);
            self.forget_if_unheld(id);
        }
        self.trace.set_cause(before);
    }

    /// The obstacle on a link has gone: senders repeat what was lost at their next attempt.
    pub(super) fn resume(&mut self, link_id: LinkId) {
        let now = self.now;
        let link = self.link_mut(link_id);
        let pauses = [link.first_pause_ns(false), link.first_pause_ns(true)];
        for packet in std::mem::take(&mut link.stalled) {
            if self.link_of(&packet).is_none() {
                continue;
            }
            let Some(conn) = self.conn(packet.conn) else { continue };
            // One timer per sender: what it lost later goes out right behind what it lost first.
            let since = conn.sides[packet.from].stalled_since.unwrap_or(packet.first_sent);
            let pause = pauses[usize::from(packet.body.is_handshake())];
            self.queue.push(next_attempt(since, pause, now), Event::Resend(Box::new(packet)));
        }
    }

    /// Ends a hold: everything arrives now, in order.
    pub(super) fn release(&mut self, link_id: LinkId) {
        let now = self.now;
        let link = self.link_mut(link_id);
        (link.hold, link.faults.hold) = (false, None);
        for packet in std::mem::take(&mut link.held) {
            self.queue.push(now, Event::Arrive(Box::new(packet)));
        }
    }

    /// All links from or to `host`.
    pub(super) fn links_of(&self, host: HostId) -> Vec<LinkId> {
        let touches = |ends: &(HostId, HostId)| ends.0 == host || ends.1 == host;
        self.link_index.iter().filter(|(ends, _)| touches(ends)).map(|(_, id)| *id).collect()
    }
}
