//! The link model: how long a packet takes from one host to another, and when it is lost.
//!
//! Invariants:
//! - A link has one direction; its draws come from its own stream `link/a→b`, so traffic on one
//!   link never shifts the draws of another.
//! - A lost packet is not gone: its sender sends it again at the next instant of its back-off.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::packet::{Body, Packet};
use crate::sim::seed::{below, unit_interval};
use crate::sim::trace::EventId;

/// Longest pause between two retransmissions (Linux: TCP_RTO_MAX).
const RETRANSMISSION_PAUSE_MAX_NS: u64 = 120_000_000_000;
/// First pause of a handshake (RFC 6298).
const HANDSHAKE_PAUSE_NS: u64 = 1_000_000_000;
/// Least first pause of data (Linux: TCP_RTO_MIN).
const DATA_PAUSE_NS: u64 = 200_000_000;

/// An index into the table of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(pub(super) u32);

/// Which fault's event is to blame for each thing that can be wrong with a link.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LinkFaults {
    pub(super) cut: Option<EventId>,
    pub(super) hold: Option<EventId>,
    pub(super) latency: Option<EventId>,
    pub(super) bandwidth: Option<EventId>,
    pub(super) loss: Option<EventId>,
}

/// One direction between two hosts.
pub(super) struct Link {
    pub(super) latency_ns: u64,
    pub(super) jitter_ns: u64,
    pub(super) bytes_per_second: Option<u64>,
    /// Share of packets lost.
    pub(super) loss: f64,
    /// A partition: everything is lost.
    pub(super) cut: bool,
    /// Everything is kept in the air.
    pub(super) hold: bool,
    /// What a hold keeps, in order of arrival.
    pub(super) held: Vec<Packet>,
    /// What is lost for as long as the obstacle stays, in order of loss.
    pub(super) stalled: Vec<Packet>,
    /// Who is to blame for all that.
    pub(super) faults: LinkFaults,
    /// Until when earlier packets occupy a capped link.
    busy_until: u64,
    rng: ChaCha8Rng,
}

/// When a packet leaves and arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transit {
    pub(super) departs: u64,
    pub(super) arrives: u64,
}

impl Link {
    /// A healthy link.
    pub(super) fn new(latency: Duration, jitter: Duration, rng: ChaCha8Rng) -> Self {
        Self {
            latency_ns: nanos(latency),
            jitter_ns: nanos(jitter),
            bytes_per_second: None,
            loss: 0.0,
            cut: false,
            hold: false,
            held: Vec::new(),
            stalled: Vec::new(),
            faults: LinkFaults::default(),
            busy_until: 0,
            rng,
        }
    }

    /// The way of a packet of `bytes` sent at `now`; `None` when it is lost so often that its
    /// sender gives up, which takes `patience_ns`.
    pub(super) fn transit(&mut self, now: u64, body: &Body, patience_ns: u64) -> Option<Transit> {
        // A lost acknowledgement delays nothing: the next one says the same.
        let lost_ns = match body {
            Body::Ack | Body::Credit(_) => 0,
            _ => self.draw_loss(self.first_pause_ns(body.is_handshake()), patience_ns)?,
        };
        let bytes = body.payload_bytes();
        let departs = now.max(self.busy_until);
        let sending_ns = match self.bytes_per_second {
            Some(rate) => {
                let ns = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
                let ns = u64::try_from(ns).unwrap_or(u64::MAX / 4);
                self.busy_until = departs.saturating_add(ns);
                ns
            }
            None => 0,
        };
        let jitter_ns =
            if self.jitter_ns == 0 { 0 } else { below(&mut self.rng, self.jitter_ns + 1) };
        let arrives = departs
            .saturating_add(sending_ns)
            .saturating_add(self.latency_ns)
            .saturating_add(jitter_ns)
            .saturating_add(lost_ns);
        Some(Transit { departs, arrives })
    }

    /// Whether a packet that nobody retransmits (a reset) is lost.
    pub(super) fn loses_one(&mut self) -> bool {
        self.cut || (self.loss > 0.0 && unit_interval(&mut self.rng) < self.loss)
    }

    /// Delay by retransmissions: RTO · (2ᵏ − 1) after k losses in a row.
    fn draw_loss(&mut self, first_pause_ns: u64, patience_ns: u64) -> Option<u64> {
        let mut delay = 0;
        let mut pause = first_pause_ns;
        while self.loss > 0.0 && unit_interval(&mut self.rng) < self.loss {
            delay += pause;
            pause = (pause * 2).min(RETRANSMISSION_PAUSE_MAX_NS);
            if delay >= patience_ns {
                return None;
            }
        }
        Some(delay)
    }

    /// First pause before a retransmission of data or of a handshake on this link.
    pub(super) fn first_pause_ns(&self, handshake: bool) -> u64 {
        if handshake {
            HANDSHAKE_PAUSE_NS
        } else {
            DATA_PAUSE_NS + 2 * (self.latency_ns + self.jitter_ns)
        }
    }
}

/// The first retransmission at or after `now` of what was first sent at `first_sent`.
pub(super) fn next_attempt(first_sent: u64, first_pause_ns: u64, now: u64) -> u64 {
    let mut pause = first_pause_ns;
    let mut at = first_sent.saturating_add(pause);
    while at < now {
        pause = (pause * 2).min(RETRANSMISSION_PAUSE_MAX_NS);
        at = at.saturating_add(pause);
    }
    at
}

/// Whole nanoseconds of `duration`.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}
