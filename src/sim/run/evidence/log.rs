//! The trace's text as something to look into: by id, by time, message by message.
//!
//! Invariants:
//! - A line that cannot be read counts for nothing; nothing here ends a run's report.
//! - Ids ascend with the lines, times do not: what is about to happen may be told before what
//!   happens now. Whoever asks by time gets events in order of time, and of one instant in order
//!   of their lines.

use super::Outcome;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, TraceEvent};

/// A trace in memory.
pub(super) struct Log<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Time and place of every line, in order of time.
    by_time: Vec<(SimTime, usize)>,
}

/// The time at the begin of `line`.
fn time(line: &str) -> SimTime {
    let digits = line.split(' ').next().and_then(|digits| digits.parse().ok());
    digits.map_or(SimTime::ZERO, SimTime)
}

impl<'a> Log<'a> {
    /// The trace with these lines.
    pub(super) fn new(trace: &'a [u8]) -> Self {
        let text = std::str::from_utf8(trace).unwrap_or_default();
        let after = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        let mut starts: Vec<usize> = std::iter::once(0).chain(after).collect();
        starts.retain(|start| *start < text.len());
        let times = starts.iter().enumerate().filter_map(|(index, start)| {
            let line = text.get(*start..)?;
            Some((time(line), index))
        });
        let mut by_time: Vec<(SimTime, usize)> = times.collect();
        by_time.sort();
        Self { text, starts, by_time }
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

    /// The lines from `from` to `to`, both included.
    fn span(&self, from: SimTime, to: SimTime) -> &[(SimTime, usize)] {
        let begin = self.by_time.partition_point(|(at, _)| *at < from);
        let end = self.by_time.partition_point(|(at, _)| *at <= to);
        self.by_time.get(begin..end).unwrap_or_default()
    }

    /// The events from `from` to `to`, both included, in order of time.
    pub(super) fn between(
        &self,
        from: SimTime,
        to: SimTime,
    ) -> impl Iterator<Item = TraceEvent> + '_ {
        self.span(from, to).iter().filter_map(|(_, index)| self.event(*index))
    }

    /// The events at or before `at`, the last one first.
    pub(super) fn before(&self, at: SimTime) -> impl Iterator<Item = TraceEvent> + '_ {
        let lines = self.span(SimTime::ZERO, at).iter().rev();
        lines.filter_map(|(_, index)| self.event(*index))
    }

    /// The events of up to `count` lines after `event`, in order of their ids: parents before
    /// their children.
    pub(super) fn after(
        &self,
        event: EventId,
        count: usize,
    ) -> impl Iterator<Item = TraceEvent> + '_ {
        // Ids count lines from 1, so this is the place of the next one.
        let first = usize::try_from(event.0).unwrap_or(usize::MAX).min(self.len());
        let lines = first..first.saturating_add(count).min(self.len());
        lines.filter_map(|index| self.event(index))
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
    fn a_log_is_in_order_of_time_though_its_lines_are_not() {
        // Event 2 tells early of what will be; event 4 belongs to an instant long told.
        let times = [5, 30, 10, 5, 20, 30, 40];
        let lines = times.iter().zip(1..).map(|(at, id)| format!("{at:013} {id} - a b\n"));
        let text: String = lines.collect();
        let log = Log::new(text.as_bytes());
        let ids = |events: Vec<TraceEvent>| events.iter().map(|e| e.id.0).collect::<Vec<_>>();
        let cases: [((u64, u64), &[u64]); 6] = [
            ((5, 5), &[1, 4]),
            ((6, 29), &[3, 5]),
            ((0, 99), &[1, 4, 3, 5, 2, 6, 7]),
            ((30, 30), &[2, 6]),
            ((31, 39), &[]),
            ((40, 30), &[]),
        ];
        for ((from, to), expected) in cases {
            let found = ids(log.between(SimTime(from), SimTime(to)).collect());
            assert_eq!(found, expected, "{from} to {to}");
        }
        assert_eq!(ids(log.before(SimTime(20)).collect()), [5, 3, 4, 1]);
        assert_eq!(ids(log.after(EventId(2), 3).collect()), [3, 4, 5]);
        assert_eq!(ids(log.after(EventId(6), 9).collect()), [7]);
        assert_eq!(ids(log.after(EventId(99), 9).collect()), [0; 0]);
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
