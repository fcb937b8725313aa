//! A trace for timeline viewers: Chrome's trace event format, which Perfetto and chrome://tracing
//! load.
//!
//! Hosts are processes with a track each for the network, for their state and for what runs on
//! them. Every event is a short slice; an arrow goes from an event on one host to what it led to
//! on another; faults in force, time that a host is down, cycles and POSTs are slices of their own
//! (asynchronous ones, since they overlap).
//!
//! Invariants:
//! - Slices of one track do not overlap unless they begin at the same instant.
//! - Every arrow begins and ends in a slice; every asynchronous begin has an end.
//! - Memory is bounded by `RECENT_MAX` and `OPEN_MAX`, whatever the trace's length.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Result, Write};

use serde_json::{Map, Value, json};

use super::TraceEvent;
use crate::sim::run::passport::Passport;

/// Events that arrows can begin at: that many back.
const RECENT_MAX: usize = 1 << 16;
/// Asynchronous slices that may be open at once; more are left out.
const OPEN_MAX: usize = 1 << 12;
/// Length of an event's slice, unless the next event comes sooner, ns.
const SLICE_NS: u64 = 1_000;
/// The process of faults.
const FAULTS: &str = "faults";

/// Track numbers within a process.
const NETWORK: u64 = 1;
const STATE: u64 = 2;
const APPLICATION: u64 = 3;

/// Two kinds of event that begin and end a slice.
struct Span {
    source: &'static str,
    begin: &'static str,
    end: &'static str,
    /// Field whose value both have in common; `""` for label or words.
    key: &'static str,
    /// Category and word before the value in the slice's name.
    name: &'static str,
}

const SPANS: &[Span] = &[
    Span { source: "fault", begin: "begin", end: "end", key: "", name: "fault" },
    Span { source: "fault", begin: "crash", end: "restart", key: "host", name: "down" },
    Span {
        source: "pipeline",
        begin: "cycle-begin",
        end: "cycle-end",
        key: "number",
        name: "cycle",
    },
    Span { source: "pipeline", begin: "post-begin", end: "post-end", key: "request", name: "POST" },
];

/// Where an event stands in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Track {
    pid: u64,
    tid: u64,
}

/// Writes one trace to `W`.
pub struct Perfetto<W: Write> {
    out: W,
    written: bool,
    processes: BTreeMap<String, u64>,
    tracks: BTreeMap<Track, Pending>,
    /// Tracks and times of the newest events, and the id of the first of them.
    recent: VecDeque<(Track, u64)>,
    recent_first: u64,
    /// Asynchronous slices that have begun: by span and value.
    open: BTreeMap<(&'static str, String), (u64, Track)>,
    latest: u64,
}

/// Slices of one track whose length the next event decides; all begin at the same instant.
#[derive(Default)]
struct Pending {
    at: u64,
    slices: Vec<Value>,
}

fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

impl<W: Write> Perfetto<W> {
    /// Begins the document of the run in `passport`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, passport: &Passport) -> Result<Self> {
        let about = json!({
            "run": passport.id,
            "scenario": passport.scenario.title,
            "origin": passport.origin,
            "seed": passport.seed,
            "network": passport.network,
            "build": passport.build.to_string(),
        });
        write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{about},\"traceEvents\":[")?;
        Ok(Self {
            out,
            written: false,
            processes: BTreeMap::new(),
            tracks: BTreeMap::new(),
            recent: VecDeque::new(),
            recent_first: 1,
            open: BTreeMap::new(),
            latest: 0,
        })
    }

    fn write(&mut self, value: &Value) -> Result<()> {
        self.out.write_all(if self.written { b",\n" } else { b"\n" })?;
        self.written = true;
        serde_json::to_writer(&mut self.out, value).map_err(Into::into)
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// Those of the output.
    pub fn event(&mut self, event: &TraceEvent) -> Result<()> {
        let (host, tid) = place(event);
        let track = self.track(&host, tid)?;
        self.slice(track, event)?;
        if let Some((from, at)) = self.parent(event).filter(|(from, _)| from.pid != track.pid) {
            self.arrow(event, (from, at), track)?;
        }
        self.spans(event)?;
        self.remember(event.id.0, track, event.at.0);
        self.latest = self.latest.max(event.at.0);
        Ok(())
    }

    /// The track `tid` of `host`, introduced when it is new.
    fn track(&mut self, host: &str, tid: u64) -> Result<Track> {
        let pid = match self.processes.get(host) {
            Some(pid) => *pid,
            None => {
                let pid = self.processes.len() as u64 + 1;
                self.processes.insert(host.to_owned(), pid);
                let named = |name: &str, args: Value| {
                    let value = json!({ "ph": "M", "name": name, "pid": pid, "tid": 0 });
                    with(value, "args", args)
                };
                self.write(&named("process_name", json!({ "name": host })))?;
                let order = if host == FAULTS { 0 } else { pid };
                self.write(&named("process_sort_index", json!({ "sort_index": order })))?;
                pid
            }
        };
        let track = Track { pid, tid };
        if let Entry::Vacant(vacant) = self.tracks.entry(track) {
            vacant.insert(Pending::default());
            let name = match (host, tid) {
                (FAULTS, _) => "what happens",
                (_, NETWORK) => "network",
                (_, STATE) => "state",
                _ => "application",
            };
            let args = json!({ "name": name });
            let value =
                json!({ "ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": args });
            self.write(&value)?;
        }
        Ok(track)
    }

    fn slice(&mut self, track: Track, event: &TraceEvent) -> Result<()> {
        let mut args = Map::new();
        args.insert("event".to_owned(), event.id.0.into());
        if let Some(parent) = event.parent {
            args.insert("parent".to_owned(), parent.0.into());
        }
        for (key, value) in event.fields.iter().filter(|(key, _)| !key.is_empty()) {
            args.insert(key.clone(), value.as_str().into());
        }
        let words = event.words();
        if !words.is_empty() {
            args.insert("words".to_owned(), words.into());
        }
        let slice = json!({
            "ph": "X",
            "name": name(event),
            "cat": event.source,
            "pid": track.pid,
            "tid": track.tid,
            "ts": micros(event.at.0),
            "args": args,
        });
        if self.tracks.get(&track).is_some_and(|pending| pending.at != event.at.0) {
            self.flush(track, Some(event.at.0))?;
        }
        let pending = self.tracks.entry(track).or_default();
        pending.at = event.at.0;
        pending.slices.push(slice);
        Ok(())
    }

    /// Writes the slices that wait on `track`, which end before `next`.
    fn flush(&mut self, track: Track, next: Option<u64>) -> Result<()> {
        let Some(pending) = self.tracks.get_mut(&track) else { return Ok(()) };
        let gap = next.and_then(|next| next.checked_sub(pending.at));
        let length = gap.map_or(SLICE_NS, |gap| gap.min(SLICE_NS));
        for slice in std::mem::take(&mut pending.slices) {
            self.write(&with(slice, "dur", micros(length)))?;
        }
        Ok(())
    }

    fn remember(&mut self, id: u64, track: Track, at: u64) {
        if id != self.recent_first + self.recent.len() as u64 {
            self.recent.clear();
            self.recent_first = id;
        }
        self.recent.push_back((track, at));
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
            self.recent_first += 1;
        }
    }

    fn parent(&self, event: &TraceEvent) -> Option<(Track, u64)> {
        let back = event.parent?.0.checked_sub(self.recent_first)?;
        self.recent.get(usize::try_from(back).ok()?).copied()
    }

    fn arrow(&mut self, event: &TraceEvent, from: (Track, u64), to: Track) -> Result<()> {
        let end = |phase: &str, track: Track, at: u64| {
            json!({
                "ph": phase,
                "name": "led to",
                "cat": "cause",
                "id": event.id.0,
                "pid": track.pid,
                "tid": track.tid,
                "ts": micros(at),
            })
        };
        self.write(&end("s", from.0, from.1))?;
        // Bound to the slice around it, not to the next one.
        let arrival = with(end("f", to, event.at.0), "bp", "e");
        self.write(&arrival)
    }

    fn spans(&mut self, event: &TraceEvent) -> Result<()> {
        for span in SPANS.iter().filter(|span| span.source == event.source) {
            let value = match span.key {
                "" => event.field("label").map_or_else(|| event.words(), str::to_owned),
                key => event.field(key).unwrap_or_default().to_owned(),
            };
            if event.kind == span.end || event.kind == span.begin {
                self.end((span.name, value.clone()), event.at.0)?;
            }
            if event.kind == span.begin && self.open.len() < OPEN_MAX {
                let host = event.field("host").filter(|_| span.name == "down");
                let host =
                    host.unwrap_or(if span.source == "fault" { FAULTS } else { span.source });
                let track = self.track(host, APPLICATION)?;
                self.asynchronous("b", (span.name, &value), (event.id.0, track), event.at.0)?;
                self.open.insert((span.name, value), (event.id.0, track));
            }
        }
        Ok(())
    }

    /// Ends what is open under `key`, if anything is.
    fn end(&mut self, key: (&'static str, String), at: u64) -> Result<()> {
        match self.open.remove(&key) {
            Some(begun) => self.asynchronous("e", (key.0, &key.1), begun, at),
            None => Ok(()),
        }
    }

    fn asynchronous(
        &mut self,
        phase: &str,
        (name, value): (&str, &str),
        (id, track): (u64, Track),
        at: u64,
    ) -> Result<()> {
        self.write(&json!({
            "ph": phase,
            "name": format!("{name} {value}"),
            "cat": name,
            "id": id,
            "pid": track.pid,
            "tid": track.tid,
            "ts": micros(at),
        }))
    }

    /// Ends the document.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> Result<()> {
        let tracks: Vec<Track> = self.tracks.keys().copied().collect();
        for track in tracks {
            self.flush(track, None)?;
        }
        let open: Vec<_> = self.open.keys().cloned().collect();
        for key in open {
            self.end(key, self.latest)?;
        }
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()
    }
}

/// `value`, an object, with one key more.
fn with(mut value: Value, key: &str, what: impl Into<Value>) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), what.into());
    }
    value
}

/// The process and track of an event: what arrives is shown where it arrives.
fn place(event: &TraceEvent) -> (String, u64) {
    let flow = event.field("flow").and_then(|flow| flow.split_once('>'));
    let host = |end: &str| end.split(':').next().unwrap_or(end).to_owned();
    match (event.source.as_str(), flow) {
        ("net", Some((_, to))) if event.kind == "recv" => (host(to), NETWORK),
        ("net", Some((from, _))) => (host(from), NETWORK),
        ("fault", _) => (FAULTS.to_owned(), STATE),
        ("fleet", _) => (event.hosts().swap_remove(0), STATE),
        (source, _) => (source.to_owned(), APPLICATION),
    }
}

fn name(event: &TraceEvent) -> String {
    let words = event.words();
    match (event.field("kind"), words.is_empty()) {
        (Some(kind), _) => format!("{} {kind}", event.kind),
        (None, false) => format!("{} {words}", event.kind),
        (None, true) => event.kind.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sim::run::{self, Network, Options};
    use crate::sim::scenario;
    use crate::sim::seed::Seed;
    use crate::sim::trace::Sink;

    fn passport() -> Passport {
        let scenario = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
        Passport::of(scenario::BUILT_IN_NAME, &scenario, Seed(7), Network::Kernel)
    }

    fn document(lines: &str) -> Value {
        let mut bytes = Vec::new();
        let mut perfetto = Perfetto::new(&mut bytes, &passport()).expect("memory");
        for line in lines.lines() {
            perfetto.event(&TraceEvent::parse(line, 1).expect(line)).expect("memory");
        }
        perfetto.finish().expect("memory");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn real() -> String {
        #[derive(Clone, Default)]
        struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Lines {
            fn write(&mut self, line: &[u8]) -> Result<usize> {
                self.0.lock().expect("not poisoned").extend_from_slice(line);
                Ok(line.len())
            }
            fn flush(&mut self) -> Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let passport = passport();
        let sink = Sink::Writer(Box::new(lines.clone()), None);
        let options = Options { seed: passport.seed, network: passport.network, sink };
        run::run(&passport.scenario, options);
        let bytes = lines.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    /// Holds a document to the trace event format and to what viewers do with it.
    fn examine(document: &Value) -> BTreeMap<String, usize> {
        let mut phases: BTreeMap<String, usize> = BTreeMap::new();
        let (mut named, mut open) = (BTreeSet::new(), BTreeSet::new());
        let mut slices: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for event in document["traceEvents"].as_array().expect("a list") {
            let phase = event["ph"].as_str().expect("a phase");
            let track = (event["pid"].as_u64().expect("pid"), event["tid"].as_u64().expect("tid"));
            assert!(event["name"].is_string(), "{event}");
            *phases.entry(phase.to_owned()).or_default() += 1;
            if phase == "M" {
                named.insert((event["name"].as_str().expect("text").to_owned(), track));
                continue;
            }
            let at = event["ts"].as_f64().expect("a time");
            assert!(named.contains(&("process_name".to_owned(), (track.0, 0))), "{event}");
            assert!(named.contains(&("thread_name".to_owned(), track)), "{event}");
            let id = || (event["cat"].to_string(), event["id"].as_u64().expect("an id"));
            match phase {
                "X" => {
                    let length = event["dur"].as_f64().expect("a length");
                    assert!(length > 0.0, "{event}");
                    slices.entry(track).or_default().push((at, at + length));
                }
                "s" => starts.push((id(), track, at)),
                "f" => {
                    assert_eq!(event["bp"], "e", "{event}");
                    ends.push((id(), track, at));
                }
                "b" => assert!(open.insert(id()), "{event}"),
                "e" => assert!(open.remove(&id()), "{event}"),
                other => panic!("no viewer was promised `{other}`"),
            }
        }
        assert!(open.is_empty(), "never ended: {open:?}");
        type End = ((String, u64), (u64, u64), f64);
        let arrows =
            |ends: &[End]| -> Vec<_> { ends.iter().map(|(id, _, _)| id.clone()).collect() };
        assert_eq!(arrows(&starts), arrows(&ends));
        for (id, track, at) in starts.iter().chain(&ends) {
            let within = slices[track].iter().any(|(from, to)| from <= at && at < to);
            assert!(within, "arrow {id:?} at {at} hangs in the air");
        }
        for slices in slices.values_mut() {
            slices.sort_by(|one, two| one.partial_cmp(two).expect("no NaN"));
            for pair in slices.windows(2) {
                let apart = pair[0].1 <= pair[1].0 || pair[0].0 == pair[1].0;
                assert!(apart, "slices overlap: {pair:?}");
            }
        }
        phases
    }

    #[test]
    fn a_real_run_loads_in_viewers() {
        let text = real();
        let document = document(&text);
        assert_eq!(document["displayTimeUnit"], "ms");
        let phases = examine(&document);
        assert_eq!(phases["X"], text.lines().count());
        assert!(phases["b"] >= 3 && phases["b"] == phases["e"], "{phases:?}");
    }

    #[test]
    fn arrows_and_spans_are_drawn() {
        let document = document(
            "1000 1 - fault begin kind=crash label=\"crash of a\"\n\
             1000 2 1 fault crash host=a mode=power\n\
             2000 3 - pipeline cycle-begin number=1\n\
             2000 4 3 net send kind=data flow=pipeline:9>a:1\n\
             2400 5 4 net recv kind=data flow=pipeline:9>a:1\n\
             2600 6 5 net send kind=data flow=a:1>pipeline:9\n\
             9000 7 - pipeline cycle-end number=1\n\
             9500 8 - fault restart host=a\n\
             9600 9 - pipeline cycle-begin number=2\n",
        );
        let phases = examine(&document);
        let expected = [("M", 0), ("X", 9), ("b", 4), ("e", 4), ("f", 1), ("s", 1)];
        for (phase, count) in expected.into_iter().skip(1) {
            assert_eq!(phases[phase], count, "{phase}: {phases:?}");
        }
    }
}
