//! What a simulated network shows of a host to people.

use serde::Serialize;

use super::time::SimTime;

/// One host on its network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostView {
    /// Whether it runs.
    pub up: bool,
    /// How far its wall clock is ahead of true time, ms; negative is behind.
    pub clock_ahead_ms: i64,
    /// Its ends of connections, oldest first.
    pub connections: Vec<ConnectionView>,
    /// Its links that are not as they were at the start, one per direction.
    pub links: Vec<LinkView>,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionView {
    /// `host:port>peer:port`, this end first.
    pub flow: String,
    /// Where it is in its life.
    pub state: &'static str,
    /// Bytes that have arrived and that nobody has read.
    pub unread_bytes: u64,
    /// Since when something that it sent waits to be sent again.
    pub stalled_since: Option<SimTime>,
}

/// One direction of a link.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkView {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// What is not as usual, in words.
    pub states: Vec<String>,
}
