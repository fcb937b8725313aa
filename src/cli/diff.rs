//! `shakedown diff`: where two runs part, and what followed.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::reference::{Kind, WhichArgs, open, refuse_trace, warn_of_build};
use super::replay::{Broken, broken};
use super::run::NetworkArg;
use super::trace::json_row;
use super::{Exit, ReportFormat, complain, input, print, print_json};
use crate::domain::words::{counted, counted_as};
use crate::sim::check::{Class, Failure, SIMULATOR};
use crate::sim::run::passport::Passport;
use crate::sim::run::reference::Letters;
use crate::sim::run::{self, Options, RunReport};
use crate::sim::trace::diverge::{Comparison, Divergence, Followed, Sides, Window, compare};
use crate::sim::trace::export::EventJson;
use crate::sim::trace::file::{FileError, Reader};
use crate::sim::trace::{Sink, TraceEvent};

/// Differences of plans that are shown.
const PLAN_MAX: usize = 50;
/// Hosts whose events differ that are shown as text.
const HOSTS_SHOWN: usize = 12;
/// Lines on their way from a run to the comparison.
const LINES_AHEAD: usize = 1 << 12;

/// Arguments of `shakedown diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each run is a trace file, a failure card, a sweep's summary or a scenario \
    file. Trace files are read; everything else is run. An option that is given twice is for the \
    first and for the second run; given once, for both.\n\n\
    Exit codes: 0 the runs are equal, 1 they differ, 10 the simulator broke in one of them."
)]
pub struct DiffArgs {
    /// One run.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other one.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Seed, for scenario files; without one the scenario's own.
    #[arg(long)]
    seed: Vec<u64>,
    /// The simulated network, for scenario files [default: kernel].
    #[arg(long, value_enum)]
    network: Vec<NetworkArg>,
    /// The failure with this fingerprint (its first letters do), for sweeps' summaries.
    #[arg(long, value_name = "LETTERS")]
    fingerprint: Vec<Letters>,
    /// The failure at this place, from 1, for sweeps' summaries.
    #[arg(long, value_name = "NUMBER", value_parser = input::number::<usize>)]
    failure: Vec<usize>,
    /// Events before the first difference that are shown.
    #[arg(long, value_name = "EVENTS", default_value_t = 5, value_parser = input::number::<usize>)]
    before: usize,
    /// Events after it, of each run, that are compared host by host.
    #[arg(long, value_name = "EVENTS", default_value_t = 2_000,
        value_parser = input::count_to::<1_000_000>)]
    after: u64,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What a comparison of two runs found.
#[derive(Debug, Serialize)]
struct DiffReport {
    equal: bool,
    a: Side,
    b: Side,
    /// What their plans differ in, by path.
    plan: Vec<PlanDifference>,
    /// Events of both, when all of them are equal.
    events: Option<u64>,
    divergence: Option<Box<Divergence>>,
}

/// One of the two runs.
#[derive(Debug, Serialize)]
struct Side {
    name: String,
    id: String,
    seed: u64,
    /// Nothing when its trace was read and it was not run.
    verdict: Option<Verdict>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Verdict {
    passed: bool,
    broken: Vec<Broken>,
}

impl Verdict {
    /// Of a run that came to its end, or that the simulator broke in.
    fn of(run: std::thread::Result<RunReport>) -> Self {
        match run {
            Ok(report) => Self { passed: report.passed(), broken: broken(&report) },
            Err(panic) => {
                let Failure { check, example, .. } = Failure::of_panic(panic.as_ref());
                Self { passed: false, broken: vec![Broken { check, words: example }] }
            }
        }
    }
}

impl Side {
    /// Whether the simulator broke.
    fn broke(&self) -> bool {
        let broken = self.verdict.iter().flat_map(|verdict| &verdict.broken);
        broken.into_iter().any(|broken| broken.check == SIMULATOR)
    }
}

/// One place where two plans differ.
#[derive(Debug, PartialEq, Serialize)]
struct PlanDifference {
    /// Keys from the passport's root.
    path: String,
    a: Value,
    b: Value,
}

impl DiffArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let sources = self.require_fit().and_then(|()| self.open(&self.a, 0));
        let sources = sources.and_then(|a| Ok((a, self.open(&self.b, 1)?)));
        let (mut a, mut b) = match sources {
            Ok(sources) => sources,
            Err(exit) => return exit,
        };
        let after = usize::try_from(self.after).unwrap_or(usize::MAX);
        let window = Window { before: self.before, after, ..Window::default() };
        let comparison = match compare(|| a.next_event(), || b.next_event(), window) {
            Ok(comparison) => comparison,
            Err(trouble) => return trouble.exit(),
        };
        let plan = plan_differences(&a.passport, &b.passport);
        let (a, b) = (a.end(), b.end());
        let verdicts_differ = a.verdict.is_some() && b.verdict.is_some() && a.verdict != b.verdict;
        let (events, divergence) = match comparison {
            Comparison::Equal { events } => (Some(events), None),
            Comparison::Different(divergence) => (None, Some(divergence)),
        };
        let equal = divergence.is_none() && !verdicts_differ;
        let outcome = match [&a, &b].into_iter().any(Side::broke) {
            true => Exit::of(Class::Safety),
            false if equal => Exit::Ok,
            false => Exit::Failed,
        };
        let report = DiffReport { equal, a, b, plan, events, divergence };
        let printed = match self.format {
            ReportFormat::Json => print_json(&report),
            ReportFormat::Text => print(&text(&report)),
        };
        outcome.or(printed)
    }

    fn which(&self, position: usize) -> WhichArgs {
        fn at<T: Clone>(given: &[T], position: usize) -> Option<T> {
            given.get(position).or(given.first().filter(|_| given.len() == 1)).cloned()
        }
        WhichArgs {
            seed: at(&self.seed, position),
            network: at(&self.network, position),
            fingerprint: at(&self.fingerprint, position),
            failure: at(&self.failure, position),
        }
    }

    /// Refuses options that are given too often, or that say nothing about either file.
    fn require_fit(&self) -> Result<(), Exit> {
        let counts =
            [self.seed.len(), self.network.len(), self.fingerprint.len(), self.failure.len()];
        if counts.iter().any(|count| *count > 2) {
            complain("two runs take an option at most twice\nhelp: give it once or twice");
            return Err(Exit::Usage);
        }
        let files = [(self.a.as_path(), Kind::of(&self.a)?), (&self.b, Kind::of(&self.b)?)];
        self.which(0).require_fit(&files)
    }

    fn open(&self, path: &Path, position: usize) -> Result<Source, Exit> {
        let name = path.display().to_string();
        let kind = Kind::of(path)?;
        if kind == Kind::Trace {
            let opened = Reader::open(BufReader::new(open(path)?));
            let reader = opened.map_err(|error| refuse_trace(&name, &error))?;
            let passport = reader.passport().clone();
            warn_of_build(&name, &passport);
            return Ok(Source { name, passport, events: Events::File(Box::new(reader)) });
        }
        // What fits one of two different files need not fit the other.
        let which = self.which(position).fitting(kind);
        let passport = which.load(path)?.passport;
        let events = Events::of_run(&passport)?;
        Ok(Source { name, passport, events })
    }
}

/// Where the events of one side come from.
struct Source {
    name: String,
    passport: Passport,
    events: Events,
}

enum Events {
    File(Box<Reader<BufReader<File>>>),
    Run { lines: Receiver<String>, run: JoinHandle<RunReport> },
}

/// Why a source gives no event.
enum Trouble {
    File(String, FileError),
    Line(String),
}

impl Trouble {
    fn exit(&self) -> Exit {
        match self {
            Self::File(name, error) => refuse_trace(name, error),
            Self::Line(what) => {
                complain(&format!("a run wrote what is no event: {what}"));
                Exit::Failed
            }
        }
    }
}

/// Sends the lines of a run, one per write; the run goes on when nobody listens any more.
struct Lines(SyncSender<String>);

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let sent = self.0.send(String::from_utf8_lossy(line).into_owned());
        sent.map(|()| line.len()).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Events {
    fn of_run(passport: &Passport) -> Result<Self, Exit> {
        let (sender, lines) = sync_channel(LINES_AHEAD);
        let passport = passport.clone();
        let run = std::thread::Builder::new().name("diff".to_owned()).spawn(move || {
            let sink = Sink::Writer(Box::new(Lines(sender)), None);
            let options = Options { seed: passport.seed, network: passport.network, sink };
            run::run(&passport.scenario, options)
        });
        let run = run.map_err(|error| {
            complain(&format!("the operating system gives no thread: {error}"));
            Exit::Failed
        })?;
        Ok(Self::Run { lines, run })
    }
}

impl Source {
    fn next_event(&mut self) -> Result<Option<TraceEvent>, Trouble> {
        match &mut self.events {
            Events::File(reader) => {
                reader.next_event().map_err(|error| Trouble::File(self.name.clone(), error))
            }
            Events::Run { lines, .. } => {
                let Ok(line) = lines.recv() else { return Ok(None) };
                let event = TraceEvent::parse(&line, 0);
                event.map(Some).map_err(|error| Trouble::Line(error.to_string()))
            }
        }
    }

    /// Lets a run come to its end; its verdict, if it was one.
    fn end(self) -> Side {
        let Self { name, passport, events } = self;
        let verdict = match events {
            Events::File(_) => None,
            Events::Run { lines, run } => {
                drop(lines);
                Some(Verdict::of(run.join()))
            }
        };
        Side { name, id: passport.id.to_string(), seed: passport.seed.0, verdict }
    }
}

/// What two plans differ in, by path.
fn plan_differences(a: &Passport, b: &Passport) -> Vec<PlanDifference> {
    let value = |passport: &Passport| {
        let mut value = serde_json::to_value(passport).unwrap_or_default();
        // The name follows from the rest, and where a file lay says nothing of the run.
        for key in ["id", "origin"] {
            value.as_object_mut().and_then(|object| object.remove(key));
        }
        value
    };
    let mut differences = Vec::new();
    walk("", &value(a), &value(b), &mut differences);
    differences
}

fn walk(path: &str, a: &Value, b: &Value, differences: &mut Vec<PlanDifference>) {
    if a == b || differences.len() >= PLAN_MAX {
        return;
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (a, b) {
        (Value::Object(one), Value::Object(two)) => {
            let mut keys: Vec<&String> = one.keys().chain(two.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(key).cloned().unwrap_or(Value::Null)
                };
                walk(&below(key), &of(one), &of(two), differences);
            }
        }
        (Value::Array(one), Value::Array(two)) => {
            for index in 0..one.len().max(two.len()) {
                let of = |list: &[Value]| list.get(index).cloned().unwrap_or(Value::Null);
                walk(&format!("{path}[{index}]"), &of(one), &of(two), differences);
            }
        }
        _ => {
            let (a, b) = (a.clone(), b.clone());
            differences.push(PlanDifference { path: path.to_owned(), a, b });
        }
    }
}

fn text(report: &DiffReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for (sign, side) in [("A", &report.a), ("B", &report.b)] {
        let verdict = match &side.verdict {
            None => "read, not run: no verdict",
            Some(Verdict { passed: true, .. }) => "PASSED",
            Some(_) => "FAILED",
        };
        let _ = writeln!(out, "{sign}  {}  run {}  {verdict}", side.name, side.id);
        for broken in side.verdict.iter().flat_map(|verdict| &verdict.broken) {
            let _ = writeln!(out, "     ✗ {}: {}", broken.check, broken.words);
        }
    }
    if !report.plan.is_empty() {
        out.push_str("\nthe plans differ\n");
    }
    for difference in &report.plan {
        let PlanDifference { path, a, b } = difference;
        let _ = writeln!(out, "  {path}: {a} → {b}");
    }
    match (&report.divergence, report.events) {
        (Some(divergence), _) => out.push_str(&divergence_text(divergence)),
        (None, events) => {
            let _ = match events.unwrap_or_default() {
                1 => writeln!(out, "\nthe only event is equal"),
                events => writeln!(out, "\nall {events} events are equal"),
            };
        }
    }
    out
}

fn differing(hosts: usize) -> String {
    counted_as(hosts, "host differs", "hosts differ")
}

/// One event of each side.
fn both(out: &mut String, sides: &Sides<Option<EventJson>>) {
    for (sign, event) in [("A", &sides.a), ("B", &sides.b)] {
        let row = event.as_ref().map(json_row);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {sign}  {}", row.as_deref().unwrap_or("(the trace ends here)"));
    }
}

fn divergence_text(found: &Divergence) -> String {
    let mut out = String::from("\nthe first difference\n");
    for event in &found.before {
        let _ = writeln!(out, "     {}", json_row(event));
    }
    both(&mut out, &found.first);
    if let Some(act) = &found.first_act {
        out.push_str("\nthe first difference that is no packet\n");
        both(&mut out, act);
    }
    let differs: Vec<(&String, &Followed)> =
        found.followed.iter().filter(|(_, followed)| followed.differs).collect();
    let _ = writeln!(out, "\nwhat followed ({}{})", extent(found), differing(differs.len()));
    for (host, followed) in differs.iter().take(HOSTS_SHOWN) {
        let _ = writeln!(out, "{host}: {} alike, then", counted(followed.alike, "event"));
        for (sign, events) in [("A", &followed.events.a), ("B", &followed.events.b)] {
            if events.is_empty() {
                let _ = writeln!(out, "  {sign}  (nothing more)");
            }
            for event in events {
                let _ = writeln!(out, "  {sign}  {}", json_row(event));
            }
        }
    }
    if differs.len() > HOSTS_SHOWN {
        let rest: Vec<&str> =
            differs.iter().skip(HOSTS_SHOWN).map(|(host, _)| host.as_str()).collect();
        let _ = writeln!(out, "… and {}", rest.join(", "));
    }
    out
}

fn extent(found: &Divergence) -> &'static str {
    match found.more {
        Sides { a: false, b: false } => "to the end of both; ",
        _ => "as far as was looked, --after looks farther; ",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_simulator_that_breaks_is_a_verdict() {
        let run = std::thread::Builder::new().spawn(|| -> RunReport { panic!("planted") });
        let run = run.expect("a thread");
        let (_, lines) = sync_channel(1);
        let scenario = crate::sim::scenario::BUILT_IN;
        let scenario = crate::sim::scenario::load("test", scenario).expect("loads");
        let seed = crate::sim::seed::Seed(1);
        let passport = Passport::of("test", &scenario, seed, run::Network::Kernel);
        let events = Events::Run { lines, run };
        let mut source = Source { name: "a".to_owned(), passport, events };
        assert!(matches!(source.next_event(), Ok(None)));
        let side = source.end();
        let broken = vec![Broken { check: SIMULATOR, words: "planted".to_owned() }];
        assert!(side.broke());
        assert_eq!(side.verdict, Some(Verdict { passed: false, broken }));
    }

    #[test]
    fn plans_are_compared_by_path() {
        let mut found = Vec::new();
        let a = json!({"seed": 1, "s": {"x": [1, 2], "y": true}});
        let b = json!({"seed": 2, "s": {"x": [1, 3, 4], "y": true, "z": "new"}});
        walk("", &a, &b, &mut found);
        let lines: Vec<String> =
            found.iter().map(|d| format!("{}: {} {}", d.path, d.a, d.b)).collect();
        let expected = ["s.x[1]: 2 3", "s.x[2]: null 4", "s.z: null \"new\"", "seed: 1 2"];
        assert_eq!(lines, expected);
    }
}
