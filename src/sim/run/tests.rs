//! What whole runs write into their traces: what the application did, and which fault led to it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::sim::scenario;
use crate::sim::trace::{EventId, TraceEvent};

/// Shared bytes that outlive the trace which writes them.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Told {
    report: RunReport,
    events: Vec<TraceEvent>,
}

/// Runs one cluster of three brokers for four minutes with `rest` in its scenario file.
fn told(network: Network, rest: &str) -> Told {
    let text = format!(
        r#"
        title = "causes"
        promise = "none"
        duration = "6min"
        [kafka.orders]
        topics = 3
        groups = 1
        {rest}
        "#
    );
    let scenario = scenario::load("causes.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let out = Shared::default();
    let sink = Sink::Writer(Box::new(out.clone()), None);
    let report = run(&scenario, Options { seed: Seed(3), network, sink });
    let text = String::from_utf8(out.0.lock().expect("not poisoned").clone()).expect("text");
    let lines = text.lines().zip(1..);
    let events: Vec<_> = lines.map(|(line, n)| TraceEvent::parse(line, n).expect(line)).collect();
    Told { report, events }
}

impl Told {
    fn get(&self, id: EventId) -> &TraceEvent {
        &self.events[usize::try_from(id.0).expect("small") - 1]
    }

    fn of(&self, source: &str, kind: &str) -> Vec<&TraceEvent> {
        let is = |event: &&TraceEvent| event.source == source && event.kind == kind;
        self.events.iter().filter(is).collect()
    }

    /// What led to `event`, nearest first, itself included, as `source kind`.
    fn chain(&self, event: &TraceEvent) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next = Some(event.id);
        while let Some(id) = next {
            let event = self.get(id);
            let is_fault = event.source == "fault" && ["begin", "end"].contains(&&*event.kind);
            let what = if is_fault { event.field("kind").unwrap_or_default() } else { "" };
            chain.push(format!("{} {} {what}", event.source, event.kind).trim_end().to_owned());
            next = event.parent;
        }
        chain
    }

    /// The words of `expected` occur in the chain of `event`, in this order.
    fn assert_chain(&self, event: &TraceEvent, expected: &[&str]) {
        let chain = self.chain(event);
        let mut rest = chain.iter();
        for word in expected {
            assert!(rest.any(|link| link == word), "no {word} in {chain:#?}");
        }
    }

    /// The first of all that `wanted` accepts.
    fn first(&self, source: &str, kind: &str, wanted: impl Fn(&TraceEvent) -> bool) -> &TraceEvent {
        let found = self.of(source, kind).into_iter().find(|event| wanted(event));
        found.unwrap_or_else(|| panic!("{source} {kind} never happened"))
    }
}

fn fault(lasts: &str, kind: &str) -> String {
    format!("[[fault]]\nat = \"1min\"\nlasts = \"{lasts}\"\n{kind}")
}

fn opens(event: &TraceEvent) -> bool {
    event.field("to") == Some("OPEN")
}

#[test]
fn the_application_tells_its_life() {
    let told = told(Network::Kernel, &fault("20s", r#"crash = { host = "pipeline" }"#));
    assert_eq!(told.of("pipeline", "born").len(), 2);
    let cycles = told.of("pipeline", "cycle-begin");
    let ends = told.of("pipeline", "cycle-end");
    assert!(cycles.len() >= 8 && ends.len() >= cycles.len() - 2, "{} {}", cycles.len(), ends.len());
    for cycle in cycles {
        let parent = told.get(cycle.parent.expect("a begin has one"));
        assert_eq!((&*parent.source, &*parent.kind), ("pipeline", "born"), "{cycle}");
    }
    for end in ends {
        told.assert_chain(end, &["pipeline cycle-end", "pipeline cycle-begin", "pipeline born"]);
    }
    let posts = told.of("pipeline", "post-begin");
    let answers = told.of("pipeline", "post-end");
    let requests = told.of("newrelic", "request");
    assert!(posts.len() >= 6 && !answers.is_empty() && requests.len() >= answers.len());
    for request in requests {
        told.assert_chain(request, &["net recv", "net send", "pipeline post-begin"]);
    }
    for answer in answers {
        assert_eq!(answer.field("answer"), Some("accepted"));
        told.assert_chain(answer, &["net recv", "net send", "newrelic request"]);
    }
    let stored: u64 = told.of("newrelic", "stored").iter().map(|stored| number(stored)).sum();
    assert!(stored > 50, "{stored}");
    let entities = told.of("newrelic", "entity");
    assert_eq!(entities.len(), told.report.entities.len());
    told.assert_chain(entities[0], &["newrelic request", "net recv", "net send"]);
    let born = told.of("pipeline", "born")[1];
    // It looks for New Relic before it begins.
    told.assert_chain(born, &["net recv", "fault restart", "fault end crash", "fault begin crash"]);
}

fn number(event: &TraceEvent) -> u64 {
    event.field("events").and_then(|events| events.parse().ok()).expect("a number")
}

#[test]
fn every_event_has_an_earlier_parent_and_every_end_its_begin() {
    let rest = [
        fault("30s", r#"partition = { between = ["pipeline", "newrelic"] }"#),
        fault("40s", r#"crash = { host = "orders-broker-2" }"#),
    ];
    let told = told(Network::Kernel, &rest.join("\n"));
    let mut sources = BTreeSet::new();
    for (event, id) in told.events.iter().zip(1..) {
        assert_eq!(event.id, EventId(id));
        assert!(event.parent.is_none_or(|parent| parent < event.id), "{event}");
        sources.insert(&*event.source);
    }
    assert_eq!(sources, BTreeSet::from(["fault", "fleet", "net", "newrelic", "pipeline"]));
    let ends = told.of("fault", "end");
    assert_eq!(ends.len(), 2);
    for end in ends {
        let begin = told.get(end.parent.expect("a begin"));
        assert_eq!(begin.kind, "begin");
        assert_eq!(begin.fields, end.fields);
    }
    // Everything but the pipeline's first life and what clusters do by themselves has a cause.
    let rootless = |event: &&TraceEvent| event.parent.is_none();
    for event in told.events.iter().filter(rootless) {
        let what = format!("{} {}", event.source, event.kind);
        let by_itself = ["pipeline", "fleet", "net send", "fault begin"];
        assert!(by_itself.iter().any(|root| what.starts_with(root)), "{event}");
    }
}

#[test]
fn a_partition_from_new_relic_leads_to_the_open_breaker_and_beyond() {
    let cut = fault("2min", r#"partition = { between = ["pipeline", "newrelic"] }"#);
    let told = told(Network::Kernel, &cut);
    let failed =
        told.first("pipeline", "post-end", |post| post.field("answer") != Some("accepted"));
    let cut = ["net lost", "fault partition", "fault begin partition"];
    told.assert_chain(failed, &cut);
    let opened = told.first("pipeline", "breaker", opens);
    told.assert_chain(opened, &[&["pipeline breaker", "pipeline post-end"], &cut[..]].concat());
    let falls_ill = |component: &TraceEvent| component.field("from") == Some("HEALTHY");
    let component = told.first("pipeline", "component", falls_ill);
    told.assert_chain(component, &cut);
}

#[test]
fn a_partition_from_a_broker_leads_to_missing_parts() {
    let cut = fault("2min", r#"partition = { between = ["pipeline", "orders-broker-2"] }"#);
    let told = told(Network::Kernel, &cut);
    let misses = |cycle: &TraceEvent| cycle.field("missing") != Some("0");
    let cycle = told.first("pipeline", "cycle-end", misses);
    told.assert_chain(cycle, &["net lost", "fault partition", "fault begin partition"]);
}

#[test]
fn every_fault_leads_to_what_it_did() {
    let check = |text: &str, source: &str, kind: &str, expected: &[&str]| {
        let told = told(Network::Kernel, &fault("90s", text));
        let broken = |event: &TraceEvent| match kind {
            "post-end" => event.field("answer") != Some("accepted"),
            "cycle-end" => {
                event.field("missing") != Some("0") || event.field("failed") != Some("0")
            }
            "breaker" => opens(event),
            _ => true,
        };
        told.assert_chain(told.first(source, kind, broken), expected);
    };
    let refused = ["newrelic request", "fault begin unavailable"];
    check("unavailable = {}", "pipeline", "breaker", &refused);
    check(
        r#"slow_answers = { after = "50s" }"#,
        "pipeline",
        "post-end",
        &["newrelic request", "fault begin slow_answers"],
    );
    check(
        r#"accepted_then_lost = {}"#,
        "pipeline",
        "post-end",
        &["newrelic request", "fault begin accepted_then_lost"],
    );
    // Open connections need no names.
    let reset = "[[fault]]\nat = \"70s\"\nreset = { between = [\"pipeline\", \"newrelic\"] }";
    check(
        &format!("dns_failure = {{ host = \"newrelic\" }}\n{reset}"),
        "net",
        "unresolved",
        &["fault dns_failure", "fault begin dns_failure"],
    );
    let crash = r#"crash = { host = "orders-broker-2" }"#;
    check(crash, "fleet", "broker-fenced", &["fault begin crash"]);
    // Silence is what such a cycle hears last; a refusal would come before the others' answers.
    let silence = r#"crash = { host = "orders-broker-2", mode = "power" }"#;
    check(silence, "pipeline", "cycle-end", &["fault crash", "fault begin crash"]);
    let slow = r#"slow = { host = "orders-broker-2", delay = "40s" }"#;
    check(slow, "pipeline", "cycle-end", &["fault begin slow"]);
    let power = r#"crash = { host = "newrelic", mode = "power" }"#;
    check(power, "pipeline", "post-end", &["net lost", "fault crash", "fault begin crash"]);
}

#[test]
fn a_pipeline_beyond_its_memory_cap_is_killed_and_returns() {
    let text = fault("2min", r#"memory_cap = { bytes = "1KiB", down = "20s" }"#);
    let kernel = told(Network::Kernel, &text);
    for told in [&kernel, &told(Network::Turmoil, &text)] {
        let kills = told.of("fault", "oom-kill");
        let lives = told.of("pipeline", "born");
        assert!((2..=6).contains(&kills.len()), "{kills:?}");
        assert_eq!(lives.len(), kills.len() + 1);
        let failed: Vec<_> = told.report.checks.iter().filter(|check| !check.passed()).collect();
        assert!(failed.is_empty(), "{failed:?}");
    }
    let kill = kernel.of("fault", "oom-kill")[0];
    kernel.assert_chain(kill, &["fault oom-kill", "fault begin memory_cap"]);
    let crash = kernel.first("fault", "crash", |_| true);
    kernel.assert_chain(crash, &["fault crash", "fault oom-kill", "fault begin memory_cap"]);
    // A cap that is never reached kills nobody.
    let roomy = told(Network::Kernel, &fault("2min", r#"memory_cap = { bytes = "1GiB" }"#));
    assert!(roomy.of("fault", "oom-kill").is_empty());
}

#[test]
fn turmoil_knows_faults_and_no_causes_of_the_application() {
    let told = told(Network::Turmoil, &fault("30s", "unavailable = {}"));
    let causes = |source: &str| {
        let of = |event: &&TraceEvent| event.source == source;
        told.events.iter().filter(of).filter_map(|event| event.parent).count()
    };
    assert!(!told.of("pipeline", "cycle-begin").is_empty());
    assert_eq!(causes("net"), 0);
    assert!(told.of("fault", "end").iter().all(|end| end.parent.is_some()));
}
