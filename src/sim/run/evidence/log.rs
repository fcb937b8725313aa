//! The trace's text as something to look into: by id, by time, message by message.
//!
//! Invariant: a line that cannot be read counts for nothing; nothing here ends a run's report.

use super::Outcome;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, TraceEvent};

/// A trace in memory.
pub(super) struct Log<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Log<'a> {
    /// The trace with these lines.
    pub(super) fn new(trace: &'a [u8]) -> Self {
        let text = std::str::from_utf8(trace).unwrap_or_default();
        let after = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        let mut starts: Vec<usize> = std::iter::once(0).chain(after).collect();
        starts.retain(|start| *start < text.len());
        Self { text, starts }
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    fn line(&self, index: usize) -> Option<&'a str> {
        let from = *self.starts.get(index)?;
        let to = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        self.text.get(from..to)
    }

    /// The event of line `index`, counted from 0.
    pub(super) fn event(&self, index: usize) -> Option<TraceEvent> {
        TraceEvent::parse(self.line(index)?, index as u64 + 1).ok()
    }

    /// The event called `id`.
    pub(super) fn by_id(&self, id: EventId) -> Option<TraceEvent> {
        let index = usize::try_from(id.0).ok()?.checked_sub(1)?;
        self.event(index).filter(|event| event.id == id)
    }

    /// The first line at or after `at`.
    pub(super) fn place(&self, at: SimTime) -> usize {
        let time = |start: &usize| {
            let digits = self.text.get(*start..).and_then(|line| line.split(' ').next());
            digits.and_then(|digits| digits.parse().ok()).map_or(SimTime::ZERO, SimTime)
        };
        self.starts.partition_point(|start| time(start) < at)
    }

    /// The events from `from` to `to`, both included, in order.
    pub(super) fn between(
        &self,
        from: SimTime,
        to: SimTime,
    ) -> impl Iterator<Item = TraceEvent> + '_ {
        let events = (self.place(from)..self.len()).filter_map(|index| self.event(index));
        events.take_while(move |event| event.at <= to)
    }

    /// The events at or before `at`, the last one first.
    pub(super) fn before(&self, at: SimTime) -> impl Iterator<Item = TraceEvent> + '_ {
        let end = self.place(SimTime(at.0.saturating_add(1)));
        (0..end).rev().filter_map(|index| self.event(index))
    }

    /// How many steps lead up from `child` to `ancestor`, if they do, within `steps_max` steps.
    pub(super) fn distance(
        &self,
        ancestor: EventId,
        child: EventId,
        steps_max: u64,
    ) -> Option<u64> {
        let mut at = child;
        for steps in 0..=steps_max {
            if at == ancestor {
                return Some(steps);
            }
            at = self.by_id(at)?.parent.filter(|parent| *parent >= ancestor)?;
        }
        None
    }
}

/// One message of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) from: String,
    pub(super) to: String,
    /// Kind of packet, in words.
    pub(super) what: &'static str,
    pub(super) bytes: u64,
    pub(super) outcome: Outcome,
}

/// The host of `host:port`.
fn host(end: &str) -> &str {
    end.rsplit_once(':').map_or(end, |(host, _)| host)
}

/// The message that `event` tells of; `None` for bookkeeping packets and for everything else.
pub(super) fn message(event: &TraceEvent) -> Option<Message> {
    let bytes = event.field("bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    if let (Some(peer), "read") = (event.field("peer"), event.kind.as_str()) {
        let (from, to) = (host(peer).to_owned(), event.source.clone());
        return Some(Message { from, to, what: "data", bytes, outcome: Outcome::Arrived });
    }
    if event.source != "net" {
        return None;
    }
    let what = match event.field("kind")? {
        "syn" => "connect",
        "synack" => "accept",
        "data" => "data",
        "fin" => "close",
        "rst" => "reset",
        _ => return None,
    };
    let outcome = match event.kind.as_str() {
        "recv" if what == "reset" => Outcome::Refused,
        "recv" => Outcome::Arrived,
        "lost" | "drop" | "hold" => Outcome::Lost,
        _ => return None,
    };
    let (from, to) = event.field("flow")?.split_once('>')?;
    let (from, to) = (host(from).to_owned(), host(to).to_owned());
    Some(Message { from, to, what, bytes, outcome })
}

/// Whether `event` happened on or concerns `host`.
pub(super) fn concerns(event: &TraceEvent, name: &str) -> bool {
    let is = |word: &str| word.split(['>', '<', '–', '→']).any(|end| host(end) == name);
    event.source == name || event.fields.iter().any(|(_, value)| is(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = b"0000000000005 1 - fault begin kind=partition label=cut\n\
        0000000000007 2 1 net lost kind=data flow=a:1>b:2 bytes=3 print=0\n\
        0000000000007 3 2 net recv kind=rst flow=b:2>a:1\n\
        0000000000009 4 - a read peer=b:9 bytes=4 data=0\n";

    #[test]
    fn a_log_finds_by_id_and_time() {
        let log = Log::new(TRACE);
        assert_eq!(log.len(), 4);
        assert_eq!(log.by_id(EventId(3)).map(|event| event.at), Some(SimTime(7)));
        assert_eq!(log.by_id(EventId(0)), None);
        let ids = |from, to| -> Vec<u64> {
            log.between(SimTime(from), SimTime(to)).map(|event| event.id.0).collect()
        };
        assert_eq!((ids(6, 8), ids(0, 5), ids(10, 99)), (vec![2, 3], vec![1], vec![]));
        let before: Vec<u64> = log.before(SimTime(7)).map(|event| event.id.0).collect();
        assert_eq!(before, [3, 2, 1]);
        assert_eq!(log.distance(EventId(1), EventId(3), 9), Some(2));
        assert_eq!(log.distance(EventId(1), EventId(3), 1), None);
        assert_eq!(log.distance(EventId(1), EventId(4), 9), None);
        assert_eq!(Log::new(b"").len(), 0);
    }

    #[test]
    fn messages_are_read_of_both_networks() {
        let log = Log::new(TRACE);
        let told = |index| {
            let event = log.event(index).expect("a line");
            message(&event).map(|m| (m.from, m.to, m.what, m.bytes, m.outcome))
        };
        let of = |from: &str, to: &str, what, bytes, outcome| {
            Some((from.to_owned(), to.to_owned(), what, bytes, outcome))
        };
        assert_eq!(told(0), None);
        assert_eq!(told(1), of("a", "b", "data", 3, Outcome::Lost));
        assert_eq!(told(2), of("b", "a", "reset", 0, Outcome::Refused));
        assert_eq!(told(3), of("b", "a", "data", 4, Outcome::Arrived));
        let event = log.event(1).expect("a line");
        assert!(concerns(&event, "a") && concerns(&event, "b") && !concerns(&event, "c"));
    }
}
