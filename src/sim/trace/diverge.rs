//! Two traces side by side: where they part, and what followed on either side.
//!
//! Ids count events, so they say the same on both sides until the traces part and nothing after;
//! what followed is compared host by host, by what happened and not by number, parent or time.
//!
//! Invariant: memory is bounded by [`Window`], whatever the traces' lengths.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::{TraceEvent, export::EventJson};

/// How much of two traces is looked at and shown.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Events before the first difference.
    pub before: usize,
    /// Events of each side after it that are looked at.
    pub after: usize,
    /// Of these, per host and side, shown from where the host's events differ.
    pub shown: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { before: 5, after: 2_000, shown: 4 }
    }
}

/// Where two traces part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Divergence {
    /// The last events that both have, oldest first.
    pub before: Vec<EventJson>,
    /// The first event of either side that the other one does not have; none at a trace's end.
    pub first: Sides<Option<EventJson>>,
    /// The first events that differ and are no packets, times apart, when what differs first is a
    /// packet: what somebody did says more than when a message came.
    pub first_act: Option<Sides<Option<EventJson>>>,
    /// What followed, by host.
    pub followed: BTreeMap<String, Followed>,
    /// Whether there were more events than were looked at.
    pub more: Sides<bool>,
}

/// Something of either trace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Sides<T> {
    /// Of the first trace.
    pub a: T,
    /// Of the second.
    pub b: T,
}

/// What followed for one host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Followed {
    /// Events that are the same on both sides, from the difference on, times apart.
    pub alike: usize,
    /// Whether there is a difference within what was looked at.
    pub differs: bool,
    /// The first ones that differ.
    pub events: Sides<Vec<EventJson>>,
    /// All events of the host that were looked at.
    pub count: Sides<usize>,
}

/// Compares two traces, each given as a source of events that is asked until it gives none.
///
/// # Errors
/// The first error of a source.
pub fn compare<E>(
    mut a: impl FnMut() -> Result<Option<TraceEvent>, E>,
    mut b: impl FnMut() -> Result<Option<TraceEvent>, E>,
    window: Window,
) -> Result<Comparison, E> {
    let mut before: VecDeque<TraceEvent> = VecDeque::new();
    let mut events = 0;
    loop {
        match (a()?, b()?) {
            (None, None) => return Ok(Comparison::Equal { events }),
            (one, two) if one != two => {
                let first = Sides { a: one.clone(), b: two.clone() };
                let (one, more_a) = rest(one, &mut a, window.after)?;
                let (two, more_b) = rest(two, &mut b, window.after)?;
                return Ok(Comparison::Different(Box::new(Divergence {
                    before: before.iter().map(EventJson::from).collect(),
                    first: Sides {
                        a: first.a.as_ref().map(EventJson::from),
                        b: first.b.as_ref().map(EventJson::from),
                    },
                    first_act: first_act(&one, &two, more_a || more_b),
                    followed: followed(&one, &two, more_a || more_b, window.shown),
                    more: Sides { a: more_a, b: more_b },
                })));
            }
            (one, _) => {
                events += 1;
                before.extend(one);
                if before.len() > window.before {
                    before.pop_front();
                }
            }
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// All of these events are equal.
    Equal {
        /// Their number.
        events: u64,
    },
    /// The traces part.
    Different(Box<Divergence>),
}

/// `first` and up to `limit` events in all, and whether there are more.
fn rest<E>(
    first: Option<TraceEvent>,
    next: &mut impl FnMut() -> Result<Option<TraceEvent>, E>,
    limit: usize,
) -> Result<(Vec<TraceEvent>, bool), E> {
    let mut events: Vec<TraceEvent> = first.into_iter().collect();
    while !events.is_empty() {
        match next()? {
            Some(_) if events.len() >= limit => return Ok((events, true)),
            Some(event) => events.push(event),
            None => break,
        }
    }
    Ok((events, false))
}

fn by_host(events: &[TraceEvent]) -> BTreeMap<String, Vec<&TraceEvent>> {
    let mut hosts: BTreeMap<String, Vec<&TraceEvent>> = BTreeMap::new();
    for event in events {
        for host in event.hosts() {
            hosts.entry(host).or_default().push(event);
        }
    }
    hosts
}

fn followed(
    a: &[TraceEvent],
    b: &[TraceEvent],
    cut: bool,
    shown: usize,
) -> BTreeMap<String, Followed> {
    let (a, b) = (by_host(a), by_host(b));
    let names = a.keys().chain(b.keys()).cloned();
    let mut hosts: BTreeMap<String, Followed> = BTreeMap::new();
    for name in names {
        let none = Vec::new();
        let (one, two) = (a.get(&name).unwrap_or(&none), b.get(&name).unwrap_or(&none));
        let same = |(one, two): &(&&TraceEvent, &&TraceEvent)| what(one) == what(two);
        let alike = one.iter().zip(two.iter()).take_while(same).count();
        // Where the window ends on one side only, a missing tail tells nothing.
        let tail = one.len().min(two.len()) == alike;
        let differs = if tail { one.len() != two.len() && !cut } else { true };
        let part = |events: &[&TraceEvent]| -> Vec<EventJson> {
            let events = events.iter().skip(alike).take(if differs { shown } else { 0 });
            events.map(|event| EventJson::from(*event)).collect()
        };
        let events = Sides { a: part(one), b: part(two) };
        let count = Sides { a: one.len(), b: two.len() };
        hosts.insert(name, Followed { alike, differs, events, count });
    }
    hosts
}

/// Whether an event is the network's, or tells of nothing but bytes that came.
fn is_packet(event: &TraceEvent) -> bool {
    event.source == "net" || (event.kind == "read" && event.field("peer").is_some())
}

/// The first events of either side that differ and are no packets; nothing when the sides begin
/// with them, and when there are none in what was looked at.
fn first_act(a: &[TraceEvent], b: &[TraceEvent], cut: bool) -> Option<Sides<Option<EventJson>>> {
    if [a, b].iter().any(|side| side.first().is_some_and(|first| !is_packet(first))) {
        return None;
    }
    let mut one = a.iter().filter(|event| !is_packet(event));
    let mut two = b.iter().filter(|event| !is_packet(event));
    loop {
        let sides = (one.next(), two.next());
        match sides {
            (Some(one), Some(two)) if what(one) == what(two) => {}
            (None, None) => return None,
            // Where the window ends on one side only, a missing tail tells nothing.
            (None, _) | (_, None) if cut => return None,
            (one, two) => {
                let (a, b) = (one.map(EventJson::from), two.map(EventJson::from));
                return Some(Sides { a, b });
            }
        }
    }
}

/// What happened, without time and without the numbers of this event and of others.
fn what(event: &TraceEvent) -> (&str, &str, Vec<&(String, String)>) {
    let fields = event.fields.iter().filter(|(key, _)| key != "of");
    (&event.source, &event.kind, fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> impl FnMut() -> Result<Option<TraceEvent>, super::super::LineError> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut lines = lines.into_iter();
        move || lines.next().map(|line| TraceEvent::parse(&line, 1)).transpose()
    }

    fn compared(a: &str, b: &str, window: Window) -> Comparison {
        compare(source(a), source(b), window).expect("lines")
    }

    const A: &str = "1 1 - net recv flow=p:1>q:2\n\
        2 2 1 net recv flow=q:2>p:1\n\
        3 3 2 net recv flow=p:1>q:2 n=3\n\
        4 4 - r tick n=1\n\
        5 5 3 net lost flow=q:2>p:1 of=3\n";

    #[test]
    fn equal_traces_are_equal() {
        assert_eq!(compared(A, A, Window::default()), Comparison::Equal { events: 5 });
        assert_eq!(compared("", "", Window::default()), Comparison::Equal { events: 0 });
    }

    #[test]
    fn shifted_ids_are_no_difference() {
        // One event more at the third place: every later id and parent is another one.
        let b = A
            .replace("3 3 2", "3 4 2")
            .replace("4 4 -", "4 5 -")
            .replace("5 5 3", "6 6 4")
            .replace("of=3", "of=4");
        let b = b.replacen("3 4 2", "3 3 - s extra\n3 4 2", 1);
        let Comparison::Different(found) = compared(A, &b, Window::default()) else {
            panic!("they differ")
        };
        assert_eq!(found.before.iter().map(|e| e.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found.first.a.as_ref().map(|e| e.source.as_str()), Some("net"));
        assert_eq!(found.first.b.as_ref().map(|e| e.source.as_str()), Some("s"));
        let differs: Vec<&str> =
            found.followed.iter().filter(|(_, f)| f.differs).map(|(h, _)| h.as_str()).collect();
        assert_eq!(differs, ["s"]);
        assert_eq!(found.followed["p"].alike, 2);
        assert_eq!(found.more, Sides { a: false, b: false });
    }

    #[test]
    fn what_somebody_did_otherwise_is_found_behind_the_packets() {
        let act = |b: &str| {
            let Comparison::Different(found) = compared(A, b, Window::default()) else {
                panic!("they differ")
            };
            let id = |event: Option<EventJson>| event.map(|event| event.id);
            found.first_act.map(|act| (id(act.a), id(act.b)))
        };
        let packet = A.replace("n=3", "n=4");
        let cases = [
            (packet.clone(), None),
            (packet.replace("tick n=1", "tick n=2"), Some((Some(4), Some(4)))),
            (packet.replace("4 4 - r tick n=1", "4 4 - net lost"), Some((Some(4), None))),
            (A.replace("tick n=1", "tick n=2"), None),
        ];
        for (b, expected) in cases {
            assert_eq!(act(&b), expected, "{b}");
        }
    }

    #[test]
    fn a_trace_that_ends_early_differs_there() {
        let b = A.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
        let Comparison::Different(found) = compared(A, &b, Window::default()) else {
            panic!("they differ")
        };
        assert_eq!(found.first.a.as_ref().map(|event| event.id), Some(4));
        assert_eq!(found.first.b, None);
        assert!(found.followed["r"].differs && found.followed["q"].differs);
    }

    #[test]
    fn what_follows_is_bounded() {
        let long = |word: &str| -> String {
            (1..5_000).map(|n| format!("{n} {n} - p {word} n={n}\n")).collect()
        };
        let window = Window { before: 2, after: 10, shown: 3 };
        let Comparison::Different(found) = compared(&long("x"), &long("y"), window) else {
            panic!("they differ")
        };
        assert_eq!(found.followed["p"].count, Sides { a: 10, b: 10 });
        assert_eq!(found.followed["p"].events.a.len(), 3);
        assert_eq!(found.more, Sides { a: true, b: true });
    }
}
