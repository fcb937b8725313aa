//! What the network shows of a host to people: connections, and links that are not as usual.
//!
//! Invariant: looking changes nothing.

use super::link::{Link, nanos};
use super::net::{HostId, Net, Power};
use super::socket::Phase;
use crate::domain::words::counted;
use crate::sim::time::SimTime;
use crate::sim::view::{ConnectionView, HostView, LinkView};

impl Net {
    /// The host called `name`, if there is one.
    pub(super) fn view(&self, name: &str) -> Option<HostView> {
        let id = *self.names.get(name)?;
        let ends = self.conns.iter().flatten().flat_map(|conn| &conn.sides);
        let own = ends.filter(|side| side.host == id);
        let connections = own.filter_map(|side| {
            let state = match side.phase {
                Phase::Absent | Phase::Dead => return None,
                Phase::Connecting => "connecting",
                Phase::HalfOpen => "half-open",
                Phase::Open => "open",
                Phase::Orphan => "closed here, not yet gone",
            };
            Some(ConnectionView {
                flow: side.label.to_string(),
                state,
                unread_bytes: side.received_bytes as u64,
                stalled_since: side.stalled_since.map(SimTime),
            })
        });
        let links = self.link_index.iter().filter(|((from, to), _)| *from == id || *to == id);
        Some(HostView {
            up: self.host(id).power == Power::Up,
            clock_ahead_ms: self.host(id).skew_ms.load(std::sync::atomic::Ordering::Relaxed),
            connections: connections.collect(),
            links: links
                .filter_map(|((from, to), link)| {
                    let states = self.links.get(link.0 as usize)?.states(self);
                    let name = |id: &HostId| self.host(*id).name.to_string();
                    let view = LinkView { from: name(from), to: name(to), states };
                    (!view.states.is_empty()).then_some(view)
                })
                .collect(),
        })
    }
}

impl Link {
    /// What is not as it was at the start.
    fn states(&self, net: &Net) -> Vec<String> {
        let mut states = Vec::new();
        if self.cut {
            states.push("cut".to_owned());
        }
        if self.hold {
            states.push(format!("held, {} in the air", counted(self.held.len(), "packet")));
        }
        if !self.stalled.is_empty() {
            states.push(format!("{} to be sent again", counted(self.stalled.len(), "packet")));
        }
        if self.loss > 0.0 {
            states.push(format!("loses {} %", self.loss * 100.0));
        }
        if let Some(rate) = self.bytes_per_second {
            states.push(format!("{rate} bytes/s"));
        }
        let usual = (nanos(net.config.latency), nanos(net.config.jitter));
        let loopback = nanos(net.config.loopback_latency);
        if (self.latency_ns, self.jitter_ns) != usual && self.latency_ns != loopback {
            let millis = |ns: u64| ns as f64 / 1e6;
            let (latency, jitter) = (millis(self.latency_ns), millis(self.jitter_ns));
            states.push(format!("latency {latency} ms, jitter {jitter} ms"));
        }
        states
    }
}
