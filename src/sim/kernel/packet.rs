//! What crosses a link: the few kinds of packets the transport knows.
//!
//! Not modelled: headers (a packet weighs its payload), acknowledgements of data, segments.

use bytes::Bytes;

use super::socket::ConnId;
use crate::sim::trace::EventId;

/// One packet of a connection.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) conn: ConnId,
    /// The sending side: 0 is the one that connected.
    pub(super) from: usize,
    /// Incarnation of the sending side, so that nothing of a dead one comes back to life.
    pub(super) incarnation: u32,
    /// Position in its flow; the receiver takes packets in this order.
    pub(super) number: u64,
    /// When it was first sent, in nanoseconds: the base of the back-off.
    pub(super) first_sent: u64,
    /// When its first bit leaves the sender, in nanoseconds.
    pub(super) departs: u64,
    /// What led to it: its first send, or for what systems send by themselves the arrival that
    /// made them.
    pub(super) cause: Option<EventId>,
    pub(super) body: Body,
}

/// The kinds of packets.
#[derive(Debug)]
pub(super) enum Body {
    Syn,
    SynAck,
    /// Ends the handshake.
    Ack,
    Data(Bytes),
    /// No more data from this side.
    Fin,
    Rst,
    /// The receiver has made room for this many more bytes.
    Credit(u32),
}

impl Body {
    /// The name in the trace.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::SynAck => "synack",
            Self::Ack => "ack",
            Self::Data(_) => "data",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Credit(_) => "credit",
        }
    }

    /// Whether the sender retransmits it with the timers of a handshake.
    pub(super) fn is_handshake(&self) -> bool {
        matches!(self, Self::Syn | Self::SynAck)
    }

    /// Whether an application, or a fault in its place, makes its host send it; the rest are
    /// answers of operating systems.
    pub(super) fn is_sent_by_application(&self) -> bool {
        matches!(self, Self::Syn | Self::Data(_) | Self::Fin | Self::Rst)
    }

    /// Bytes that count against a bandwidth.
    pub(super) fn payload_bytes(&self) -> u64 {
        match self {
            Self::Data(payload) => payload.len() as u64,
            _ => 0,
        }
    }
}
