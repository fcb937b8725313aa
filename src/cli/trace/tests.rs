//! What the verbs do to files, and what they say of hosts.

use std::fs;
use std::path::Path;

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::sim::run::Network;
use crate::sim::run::passport::Passport;
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::{Sink, Trace};

/// Events of the trace; enough for several blocks.
const EVENTS: u64 = 10_000;
/// What stood in a file before.
const OLD: &str = "an older export\n";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    trace: TraceArgs,
}

/// Carries out `shakedown trace …`.
fn trace(words: &[&str]) -> Exit {
    let words = std::iter::once("trace").chain(words.iter().copied());
    Arguments::try_parse_from(words).expect("arguments").trace.run()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("text")
}

/// A folder with `whole.trace`, whose first event alone is about the host `early`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
    let passport = Passport::of("test", &scenario, Seed(1), Network::Kernel);
    let file = File::create(folder.path().join("whole.trace")).expect("a file");
    let trace = Trace::new(Sink::file(Box::new(file), &passport).expect("a trace"));
    for number in 1..=EVENTS {
        let host = if number == 1 { "early" } else { "late" };
        let print = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        trace.event(SimTime(number), host, format_args!("tick print={print:016x}"));
    }
    trace.finish().expect("written");
    folder
}

/// Path of `name`, as text.
fn at(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

#[test]
fn an_export_is_whole_or_leaves_what_was_there() {
    let folder = folder();
    let whole = fs::read(folder.path().join("whole.trace")).expect("bytes");
    // Name, bytes, outcome; whether something came of it.
    let cases = [
        ("whole", &whole[..], Exit::Ok, true),
        ("cut", &whole[..whole.len() - 100], Exit::InvalidFile, true),
        ("cut in its head", &whole[..40], Exit::InvalidFile, false),
        ("foreign", &b"time,host\n"[..], Exit::InvalidFile, false),
    ];
    for (name, bytes, exit, is_written) in cases {
        let (input, out) = (at(&folder, "in.trace"), at(&folder, "out.json"));
        fs::write(&input, bytes).expect("written");
        for format in ["jsonl", "perfetto"] {
            fs::write(&out, OLD).expect("written");
            let found = trace(&["export", &input, "--format", format, "--out", &out]);
            assert_eq!(found, exit, "{name}");
            let text = text(Path::new(&out));
            assert_eq!(text != OLD, is_written, "{name}, {format}");
            assert!(!text.is_empty() && !Path::new(&format!("{out}.next")).exists(), "{name}");
            if format == "perfetto" && is_written {
                serde_json::from_str::<serde_json::Value>(&text).expect(name);
            }
        }
    }
    let (input, out) = (at(&folder, "nothing.trace"), at(&folder, "new.json"));
    let found = trace(&["export", &input, "--format", "jsonl", "--out", &out]);
    assert_eq!((found, Path::new(&out).exists()), (Exit::InvalidFile, false));
}

#[test]
fn a_trace_is_never_exported_into_itself() {
    let folder = folder();
    let (file, link) = (at(&folder, "whole.trace"), at(&folder, "link.json"));
    let before = fs::read(&file).expect("bytes");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    for out in [&file, &link] {
        let found = trace(&["export", &file, "--format", "jsonl", "--out", out]);
        assert_eq!(found, Exit::Usage, "{out}");
        assert!(fs::read(&file).expect("bytes") == before, "{out}");
    }
}

#[test]
fn an_export_goes_where_a_link_leads_and_into_devices() {
    let folder = folder();
    let (file, link) = (at(&folder, "whole.trace"), at(&folder, "link.json"));
    let target = folder.path().join("target.json");
    fs::write(&target, OLD).expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    for out in [&link, "/dev/null"] {
        let found = trace(&["export", &file, "--format", "jsonl", "--limit", "3", "--out", out]);
        assert_eq!(found, Exit::Ok, "{out}");
    }
    assert_eq!(text(&target).lines().count(), 3);
    let is_link = |path: &str| fs::symlink_metadata(path).expect("there").is_symlink();
    assert!(is_link(&link) && !Path::new("/dev/null.next").exists());
}

#[test]
fn only_who_looked_at_everything_says_that_a_host_is_unknown() {
    let folder = folder();
    let (file, last) = (at(&folder, "whole.trace"), format!("#{EVENTS}"));
    let (early, last) = (["--host", "early"], last.as_str());
    for window in [["--from", last], ["--to", "#1"]] {
        let hosts = [&early[..], &["--host", "late"]].concat();
        let found = trace(&[&["show", &file], &hosts[..], &window].concat());
        assert_eq!(found, Exit::Ok, "{window:?}");
    }
    let cases: [(&[&str], Exit); 6] = [
        (&["--host", "early"], Exit::Ok),
        (&["--host", "nobody", "--limit", "0"], Exit::Ok),
        (&["--host", "nobody"], Exit::Failed),
        (&["--host", "early", "--from", last], Exit::Failed),
        (&["--host", "late", "--to", "#1"], Exit::Failed),
        (&["--host", "nobody", "--from", "#1"], Exit::Failed),
    ];
    for (arguments, exit) in cases {
        let found = trace(&[&["show", &file], arguments].concat());
        assert_eq!(found, exit, "{arguments:?}");
    }
}

#[test]
fn a_window_without_events_is_told() {
    let folder = folder();
    let (file, beyond) = (at(&folder, "whole.trace"), format!("#{}", EVENTS + 1));
    let cases: [(&[&str], Exit); 7] = [
        (&["--from", "99:00"], Exit::Failed),
        (&["--from", &beyond], Exit::Failed),
        (&["--from", "2s", "--to", "1s"], Exit::Usage),
        (&["--from", "#2", "--to", "#1"], Exit::Usage),
        (&["--from", "99:00", "--to", "#1"], Exit::Failed),
        (&["--from", "99:00", "--limit", "0"], Exit::Ok),
        (&["--from", "#2", "--to", "#2"], Exit::Ok),
    ];
    for (arguments, exit) in cases {
        assert_eq!(trace(&[&["show", &file], arguments].concat()), exit, "{arguments:?}");
    }
    let reversed = ["--from", "#2", "--to", "#1"];
    assert_eq!(trace(&[&["grep", &file, "."], &reversed[..]].concat()), Exit::Usage);
    let mut export = vec!["export", &file, "--format", "jsonl"];
    export.extend(reversed);
    assert_eq!(trace(&export), Exit::Usage);
}

#[test]
fn a_host_is_known_however_many_there_are() {
    let event = |line: String| TraceEvent::parse(&line, 1).expect("a line");
    let asked = FilterArgs { host: vec!["wanted".to_owned()], ..FilterArgs::default() };
    let mut filter = Filter::new(&asked);
    for number in 0..HOSTS_MAX {
        filter.take(&event(format!("1 1 - h{number} tick")));
    }
    assert!(filter.take(&event("1 1 - wanted tick".to_owned())));
    assert_eq!((filter.exit(), filter.hosts.len()), (Exit::Ok, HOSTS_MAX + 1));
}
