//! What holds of every fault of the catalogue.

use std::collections::BTreeSet;

use super::*;
use crate::sim::check;
use crate::sim::scenario::NetworkSpec;
use crate::sim::seed::Seed;

fn spec(text: &str) -> FaultSpec {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn stage() -> Stage {
    let brokers = (1..=3).map(|id| format!("orders-broker-{id}")).collect();
    let name = "orders".to_owned();
    let orders = ClusterStage { name, brokers, topics: 4, groups: 3, replication: 3 };
    Stage { clusters: vec![orders], spool: true }
}

/// Some faults of every kind, with times.
fn drawn() -> Vec<(&'static Entry, FaultSpec)> {
    let mut all = Vec::new();
    for entry in CATALOGUE {
        let mut lot = Lot::new(Seed(7).stream(entry.name));
        for _ in 0..50 {
            let spec = (entry.draw)(&mut lot, &stage()).expect("the stage has everything");
            let lasts = (!entry.instant).then(|| "30s".parse().expect("a duration"));
            all.push((entry, FaultSpec { at: "10s".parse().expect("a duration"), lasts, ..spec }));
        }
    }
    all
}

#[test]
fn what_is_drawn_is_possible_and_survives_its_file() {
    let hosts: BTreeSet<String> = ["pipeline", "newrelic"]
        .into_iter()
        .map(str::to_owned)
        .chain(stage().clusters[0].brokers.clone())
        .collect();
    for (entry, fault) in drawn() {
        assert_eq!(fault.faults_of_form(), [], "{fault:?}");
        assert_eq!(fault.entry().map(|entry| entry.name), Some(entry.name));
        assert!(fault.hosts().iter().all(|(_, host)| hosts.contains(host)), "{fault:?}");
        let text = toml::to_string(&fault).expect("TOML");
        assert_eq!(spec(&text), fault, "{text}");
        let done = fault.fault(&NetworkSpec::default()).expect("a fault");
        assert_eq!(done.kind, entry.name);
        assert!(!done.begin.is_empty(), "{fault:?}");
        assert_eq!(done.end.is_empty(), entry.instant, "{fault:?}");
        assert!(!done.label.is_empty() && !fault.target().is_empty(), "{fault:?}");
    }
}

#[test]
fn simpler_faults_are_possible_and_come_to_an_end() {
    for (entry, fault) in drawn() {
        let (mut left, mut seen) = (vec![(fault.clone(), 0)], 0);
        while let Some((fault, depth)) = left.pop() {
            assert!(depth < 60, "{}: {fault:?} is still not the simplest", entry.name);
            for simpler in fault.simpler() {
                assert_ne!(simpler, fault);
                assert_eq!(simpler.faults_of_form(), [], "{simpler:?}");
                assert_eq!((simpler.at, simpler.lasts), (fault.at, fault.lasts));
                assert_eq!(simpler.entry().map(|e| e.name), Some(entry.name));
                // One path is enough of wide ones.
                if seen < 500 {
                    left.push((simpler, depth + 1));
                }
                seen += 1;
            }
        }
    }
}

/// Whether `pattern` with `<…>`, `[…]` and ` | ` fits `text`.
fn fits(pattern: &str, text: &str) -> bool {
    let way = |way: &str| {
        let mut expression = String::from("^");
        let mut rest = way;
        while let Some(at) = rest.find(['<', '[', ']']) {
            expression.push_str(&regex::escape(&rest[..at]));
            match rest.as_bytes()[at] {
                b'<' => {
                    expression.push_str(".+");
                    rest = &rest[at + rest[at..].find('>').expect("closed") + 1..];
                    continue;
                }
                b'[' => expression.push_str("(?:"),
                _ => expression.push_str(")?"),
            }
            rest = &rest[at + 1..];
        }
        expression.push_str(&regex::escape(rest));
        expression.push('$');
        regex::Regex::new(&expression).expect("a pattern").is_match(text)
    };
    pattern.split(" | ").any(way)
}

#[test]
fn prose_is_what_the_pattern_says() {
    assert!(fits("<a> is <b>[ or <c>]", "x is y or z") && !fits("<a> is <b>", "x was y"));
    for (entry, fault) in drawn() {
        let prose = fault.prose();
        assert!(fits(entry.prose_pattern, &prose), "{}: {prose}", entry.prose_pattern);
    }
}

#[test]
fn every_entry_says_what_it_does_and_takes() {
    let checks: BTreeSet<&str> = check::CATALOGUE.iter().map(|check| check.name).collect();
    let mut names = BTreeSet::new();
    for entry in CATALOGUE {
        assert!(names.insert(entry.name), "{} is there twice", entry.name);
        assert!(entry.summary.ends_with('.'), "{}", entry.name);
        assert!(!entry.affects.is_empty(), "{}", entry.name);
        let unknown = entry.affects.iter().find(|name| !checks.contains(**name));
        assert_eq!(unknown, None, "{}", entry.name);
        for key in entry.keys() {
            assert!(!key.meaning.is_empty(), "{}: {key:?}", entry.name);
        }
        assert_eq!(find(entry.name).map(|found| found.name), Some(entry.name));
    }
    assert!(find("no such").is_none());
    let groups: Vec<Group> = CATALOGUE.iter().map(|entry| entry.group).collect();
    assert!(groups.is_sorted(), "entries stand by group: {groups:?}");
}

#[test]
fn every_key_says_what_it_takes() {
    for entry in CATALOGUE {
        for key in entry.keys().into_iter().chain(entry.times()) {
            let of = format!("{}: {key:?}", entry.name);
            let counts = [Form::Duration, Form::Size, Form::Share, Form::Integer];
            assert_eq!(key.unit.is_some(), counts.contains(&key.form), "{of}");
            assert_eq!(key.default.is_none(), key.required, "{of}");
            assert!(!["", "any"].contains(&key.range.as_str()), "{of}");
            assert!(!key.meaning.is_empty(), "{of}");
            let called = ["host", "between", "cluster", "topic", "group"];
            let names = [Form::Host, Form::Link, Form::Cluster, Form::Topic, Form::Group];
            let named = called.iter().position(|name| *name == key.name);
            assert_eq!(named, names.iter().position(|form| *form == key.form), "{of}");
        }
    }
    assert_eq!(find("reset").expect("listed").times().len(), 1);
}

#[test]
fn ranges_and_defaults_are_those_of_the_key() {
    let cases = [
        ("crash", "mode", "process, power", Some("process")),
        ("crash_point", "down", "0ms or more", Some("5s")),
        ("latency", "jitter", "0ms or more", Some("0ms")),
        ("loss", "ratio", "0.0 to 0.9", None),
        ("partition", "one_way", "true, false", Some("false")),
        ("clock_jump", "offset_ms", "-3600000 to 3600000", None),
        ("forbidden", "share", "above 0, at most 1", Some("1")),
        ("slow", "host", "CLUSTER-broker-N", None),
    ];
    for (fault, name, range, default) in cases {
        let keys = find(fault).expect("listed").keys();
        let key = keys.iter().find(|key| key.name == name).expect("a key");
        assert_eq!((key.range.as_str(), key.default.as_deref()), (range, default), "{fault}");
    }
}

#[test]
fn every_example_is_a_fault_with_every_key() {
    for entry in CATALOGUE {
        let example = entry.example();
        let text = format!("title = \"x\"\nduration = \"30min\"\n[kafka.orders]\n{example}");
        let scenario = crate::sim::scenario::load("example.toml", &text)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let kinds: Vec<_> = scenario.fault.iter().filter_map(FaultSpec::entry).collect();
        assert_eq!(kinds.iter().map(|kind| kind.name).collect::<Vec<_>>(), [entry.name]);
        for key in entry.keys() {
            assert!(example.contains(&format!("{} = ", key.name)), "{example}: {key:?}");
        }
    }
}
