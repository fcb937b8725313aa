//! Faults of links and names, and the network's part of a crash, a restart and a pause.
//!
//! Invariants:
//! - A fault acts at the present instant and draws nothing; what it does to packets in the air is
//!   decided when they arrive.
//! - The present cause is the fault's own event while it is applied.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::events::{Event, GiveUp, GiveUpKind};
use super::link::{LinkId, nanos};
use super::net::{FailingName, HostId, Net, Power};
use super::packet::{Body, Packet};
use super::socket::{ConnId, Phase};
use crate::sim::world::{CrashMode, Direction, HostName, NetworkFault, WorldError};

impl Net {
    /// Whether a fault can be applied at all.
    ///
    /// # Errors
    /// [`WorldError::UnknownHost`], [`WorldError::Unsupported`].
    pub(super) fn admit(&self, fault: &NetworkFault) -> Result<(), WorldError> {
        match fault {
            NetworkFault::Bandwidth { bytes_per_second: Some(0), .. } => {
                return Err(unsupported("a bandwidth of 0; use a partition".to_owned()));
            }
            NetworkFault::Loss { ratio, .. } if !(0.0..=1.0).contains(ratio) => {
                return Err(unsupported(format!("a loss ratio of {ratio}; it is from 0 to 1")));
            }
            NetworkFault::DnsFailure { name, .. }
                if !self.names.contains_key(name) && !self.aliases.contains_key(name) =>
            {
                return Err(WorldError::UnknownHost(name.clone()));
            }
            _ => {}
        }
        fault.hosts().into_iter().try_for_each(|host| self.host_id(host).map(|_| ()))
    }

    /// Applies a fault of links, names or clocks; those that concern tasks too are the kernel's.
    pub(super) fn apply(&mut self, fault: &NetworkFault) -> Result<(), WorldError> {
        let by = self.trace.cause();
        match fault {
            NetworkFault::Partition { from, to, direction } => {
                self.for_links(from, to, *direction, |net, id| {
                    let link = net.link_mut(id);
                    (link.cut, link.faults.cut) = (true, by);
                })
            }
            NetworkFault::Repair { from, to } => self.repair(from, to),
            NetworkFault::Hold { from, to, direction } => {
                self.for_links(from, to, *direction, |net, id| {
                    let link = net.link_mut(id);
                    (link.hold, link.faults.hold) = (true, by);
                })
            }
            NetworkFault::Release { from, to } => {
                self.for_links(from, to, Direction::Both, Self::release)
            }
            NetworkFault::Latency { from, to, latency, jitter } => {
                self.set_latency(from, to, *latency, *jitter)
            }
            NetworkFault::Bandwidth { from, to, bytes_per_second } => {
                self.for_links(from, to, Direction::Both, |net, id| {
                    let link = net.link_mut(id);
                    link.bytes_per_second = *bytes_per_second;
                    link.faults.bandwidth = bytes_per_second.and(by);
                })
            }
            NetworkFault::Loss { from, to, ratio } => self.set_loss(from, to, *ratio),
            NetworkFault::Reset { from, to } => self.reset(from, to),
            NetworkFault::Skew { host, offset_ms } => {
                let id = self.host_id(host)?;
                self.host(id).skew_ms.store(*offset_ms, Ordering::Relaxed);
                Ok(())
            }
            NetworkFault::HalfOpen { from, to } => self.half_open(from, to),
            NetworkFault::DnsFailure { host, name, fails_after } => {
                let asker = host.as_ref().map(|host| self.host_id(host)).transpose()?;
                let key = (asker, name.clone());
                match fails_after {
                    Some(after) => {
                        self.failing_names.insert(key, FailingName { after: *after, by });
                    }
                    None => drop(self.failing_names.remove(&key)),
                }
                Ok(())
            }
            NetworkFault::Crash { .. }
            | NetworkFault::Pause { .. }
            | NetworkFault::Resume { .. }
            | NetworkFault::Restart { .. }
            | NetworkFault::Disk { .. }
            | NetworkFault::CrashPoint { .. } => {
                Err(unsupported("a host's fault without the host".to_owned()))
            }
        }
    }

    fn for_links(
        &mut self,
        from: &HostName,
        to: &HostName,
        direction: Direction,
        mut act: impl FnMut(&mut Self, LinkId),
    ) -> Result<(), WorldError> {
        let (from, to) = (self.host_id(from)?, self.host_id(to)?);
        let there = self.link_id(from, to);
        act(self, there);
        if direction == Direction::Both && from != to {
            let back = self.link_id(to, from);
            act(self, back);
        }
        Ok(())
    }

    fn set_latency(
        &mut self,
        from: &HostName,
        to: &HostName,
        latency: Duration,
        jitter: Duration,
    ) -> Result<(), WorldError> {
        let normal = (self.config.latency, self.config.jitter) == (latency, jitter);
        let by = self.trace.cause().filter(|_| !normal);
        self.for_links(from, to, Direction::Both, |net, id| {
            let link = net.link_mut(id);
            link.latency_ns = nanos(latency);
            link.jitter_ns = nanos(jitter);
            link.faults.latency = by;
        })
    }

    fn set_loss(&mut self, from: &HostName, to: &HostName, ratio: f64) -> Result<(), WorldError> {
        let by = self.trace.cause().filter(|_| ratio > 0.0);
        self.for_links(from, to, Direction::Both, |net, id| {
            let link = net.link_mut(id);
            (link.loss, link.faults.loss) = (ratio, by);
            net.resume(id);
        })
    }

    fn repair(&mut self, from: &HostName, to: &HostName) -> Result<(), WorldError> {
        self.for_links(from, to, Direction::Both, |net, id| {
            let link = net.link_mut(id);
            (link.cut, link.faults.cut) = (false, None);
            net.resume(id);
        })?;
        // The acknowledgement of a repeated segment comes back now.
        for id in self.conns_between(from, to)? {
            if let Some(conn) = self.conn_mut(id) {
                conn.sides.iter_mut().for_each(|side| side.unacknowledged_since = None);
            }
        }
        Ok(())
    }

    fn reset(&mut self, from: &HostName, to: &HostName) -> Result<(), WorldError> {
        for id in self.conns_between(from, to)? {
            let Some(conn) = self.conn(id) else { continue };
            let phases = [conn.sides[0].phase, conn.sides[1].phase];
            if phases[0] == Phase::Connecting {
                self.fail(id, 0, io::ErrorKind::ConnectionRefused);
            }
            if phases[1] == Phase::HalfOpen {
                self.end_half_open(id);
            }
            for (side, phase) in phases.into_iter().enumerate() {
                if matches!(phase, Phase::Open | Phase::Orphan) {
                    self.fail(id, side, io::ErrorKind::ConnectionReset);
                }
            }
        }
        Ok(())
    }

    /// Nothing of the open connections between two hosts passes any more, whichever way; those
    /// that are still being made are new ones.
    fn half_open(&mut self, from: &HostName, to: &HostName) -> Result<(), WorldError> {
        let by = self.trace.cause();
        for id in self.conns_between(from, to)? {
            let (now, patience) = (self.now, self.patience_ns(true));
            let Some(conn) = self.conn_mut(id) else { continue };
            if conn.sides[0].phase == Phase::Connecting || conn.half_open_by.is_some() {
                continue;
            }
            conn.half_open_by = by;
            if conn.sides[1].phase == Phase::HalfOpen {
                // The end of the handshake is among what vanishes.
                let timer = GiveUp { conn: id, side: 1, kind: GiveUpKind::HalfOpen };
                self.queue.push(now.saturating_add(patience), Event::GiveUp(timer));
            }
        }
        Ok(())
    }

    fn conns_between(&self, a: &HostName, b: &HostName) -> Result<Vec<ConnId>, WorldError> {
        let (a, b) = (self.host_id(a)?, self.host_id(b)?);
        let mut ids = self.conn_ids();
        ids.retain(|id| {
            self.conn(*id).is_some_and(|conn| {
                let ends = (conn.sides[0].host, conn.sides[1].host);
                ends == (a, b) || ends == (b, a)
            })
        });
        Ok(ids)
    }

    /// Takes a host off the network; false when it was down already.
    ///
    /// Runs before the host's tasks are dropped, so that closing their sockets sends nothing.
    pub(super) fn crash(&mut self, host: HostId, mode: CrashMode) -> bool {
        let by = self.trace.cause();
        let state = self.host_mut(host);
        let was_up = state.power == Power::Up;
        if !was_up {
            // A machine whose process is gone may still lose power; the reverse changes nothing.
            if mode == CrashMode::Power {
                state.power = Power::Down(mode);
            }
            return false;
        }
        state.power = Power::Down(mode);
        (state.down_by, state.paused_by) = (by, None);
        state.incarnation += 1;
        let listeners = std::mem::take(&mut state.listeners);
        for listening in listeners.into_values() {
            self.discard(listening.waker);
        }
        for id in self.conn_ids() {
            for side in 0..2 {
                self.crash_side(id, side, host, mode);
            }
        }
        true
    }

    fn crash_side(&mut self, id: ConnId, side: usize, host: HostId, mode: CrashMode) {
        let (now, by) = (self.now, self.trace.cause());
        let Some(conn) = self.conn_mut(id) else { return };
        let client_phase = conn.sides[0].phase;
        let end = &mut conn.sides[side];
        if end.host != host || end.phase == Phase::Absent {
            return;
        }
        let phase = std::mem::replace(&mut end.phase, Phase::Dead);
        end.dead_by = by;
        match mode {
            CrashMode::Process => {
                if matches!(phase, Phase::Open | Phase::HalfOpen | Phase::Orphan) {
                    self.send(id, side, Body::Rst);
                }
            }
            CrashMode::Power => {
                end.power_lost_at.get_or_insert(now);
                // Nobody answers the client's SYN now: it will send it again.
                if side == 1 && phase == Phase::HalfOpen && client_phase == Phase::Connecting {
                    self.repeat_syn(id);
                }
            }
        }
        self.unhold(id, side);
    }

    fn repeat_syn(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        let client = &conn.sides[0];
        let Some(link) = client.link else { return };
        let packet = Packet {
            conn: id,
            from: 0,
            incarnation: client.incarnation,
            number: 0,
            first_sent: conn.started,
            departs: conn.started,
            cause: conn.begun_by,
            body: Body::Syn,
        };
        self.stall(link, Box::new(packet));
    }

    /// Ends the network: every socket is dead, nothing is sent or traced any more.
    pub(super) fn shut_down(&mut self) {
        for host in &mut self.hosts {
            host.power = Power::Down(CrashMode::Power);
            host.incarnation += 1;
        }
        for id in self.conn_ids() {
            for side in 0..2 {
                if let Some(conn) = self.conn_mut(id) {
                    conn.sides[side].phase = Phase::Dead;
                }
                self.unhold(id, side);
            }
        }
    }

    /// Puts a host back on the network; false when it was up.
    pub(super) fn restart(&mut self, host: HostId) -> bool {
        let state = self.host_mut(host);
        if state.power == Power::Up {
            return false;
        }
        state.power = Power::Up;
        state.down_by = None;
        for link in self.links_of(host) {
            if !self.link_mut(link).cut {
                self.resume(link);
            }
        }
        true
    }
}

fn unsupported(what: String) -> WorldError {
    WorldError::Unsupported { world: "kernel", what }
}
