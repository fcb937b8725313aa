//! The kinds of events that a trace holds: who tells them, and what their fields mean.
//!
//! Invariant: every event of a run has its row here, with no field that the row does not name;
//! every row has been met by the runs of this module's test.

use std::fmt::Write as _;

use super::TraceEvent;

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Who tells it; `HOST` stands for any host's name.
    pub source: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// Fields that it may have; one that begins with `<` is a value without a key.
    pub fields: &'static [&'static str],
}

/// Fields and what they mean; units are in the names.
pub const FIELDS: &[(&str, &str)] = &[
    ("kind", "of a packet: syn, synack, ack, data, fin, rst, credit; of a fault: its name"),
    ("flow", "sender's `host:port`, `>`, receiver's `host:port`"),
    ("bytes", "payload; of a credit: how much the receiver has read"),
    ("print", "XXH3-64 of the payload, 16 hexadecimal digits; equal prints are equal payloads"),
    ("of", "the event that sent the packet"),
    ("peer", "the other host"),
    ("data", "as `print`"),
    ("name", "of a look-up: the name; of a breaker or component: which"),
    ("host", "the host that it happens to"),
    ("link", "both ends: `a<>b` both ways, `a>b` one way"),
    ("label", "the fault in words"),
    ("mode", "process (the operating system answers) or power (silence)"),
    ("after_event", "the host's own event after which it went down"),
    ("after_events", "the host goes down after so many of its own events"),
    ("fault", "what the disk does, or `none`; of a request: the fault that hit it, or `none`"),
    ("lost_writes", "writes that were not synced and are gone"),
    ("latency_ns", "one-way delay, ns"),
    ("jitter_ns", "largest extra delay, ns"),
    ("bytes_per_second", "the cap, or `unlimited`"),
    ("ratio", "share of segments lost, 0 to 1"),
    ("offset_ms", "how far the wall clock is ahead, ms"),
    ("fails_after_ns", "how long the look-up takes to fail, ns"),
    ("reason", "why the process ended"),
    ("held_bytes", "memory that events took, bytes"),
    ("cap_bytes", "memory that they may take, bytes"),
    ("id", "of a broker: its id, -1 for none; of a request: its `X-Request-Id`"),
    ("ids", "ids of the brokers with a replica"),
    ("cluster", "the cluster"),
    ("leader", "id of the leading broker, -1 for none"),
    ("epoch", "counts the leaders"),
    ("isr", "ids of the brokers in sync"),
    ("state", "Kafka's name for where the group stands"),
    ("generation", "counts the group's rebalances"),
    ("members", "members of the group"),
    ("partitions", "partitions of the topic"),
    ("number", "the cycle's number, from 1 in every life"),
    ("failed", "sources that gave nothing"),
    ("missing", "parts that other sources did not give"),
    ("request", "the POST's `X-Request-Id`; equal ids are repetitions"),
    ("answer", "accepted, a status, unreadable, none (nobody knows), unsent"),
    ("from", "the state before"),
    ("to", "the state after"),
    ("accepted", "whether the answer said so"),
    ("status", "HTTP status that was answered"),
    ("events", "events of the request that were stored"),
    ("guid", "the entity's GUID, as on the wire"),
    ("type", "the entity's type"),
    ("visible_ms", "from when on queries find it, ms since the start"),
];

const fn kind(
    source: &'static str,
    kind: &'static str,
    meaning: &'static str,
    fields: &'static [&'static str],
) -> Kind {
    Kind { source, kind, meaning, fields }
}

const PACKET: &[&str] = &["kind", "flow", "bytes", "print"];
const TROUBLE: &[&str] = &["kind", "flow", "of"];
const BROKER: &[&str] = &["id", "cluster"];

/// Every kind.
pub const KINDS: &[Kind] = &[
    kind("net", "send", "a packet leaves", PACKET),
    kind("net", "recv", "a packet arrives; its parent is its sending", PACKET),
    kind("net", "lost", "a packet does not get through and will be sent again", TROUBLE),
    kind("net", "hold", "a packet is kept in the air", TROUBLE),
    kind("net", "drop", "a SYN finds the backlog full; its sender will repeat it", TROUBLE),
    kind("net", "timeout", "an end of a connection gives up", &["flow"]),
    kind("net", "unresolved", "a name is not found because of a fault", &["host", "name"]),
    kind("HOST", "read", "turmoil: bytes reach an application", &["peer", "bytes", "data"]),
    kind("HOST", "write", "turmoil: an application sends bytes", &["peer", "bytes", "data"]),
    kind("world", "join", "a host that was not there yet starts", &["host"]),
    kind("fault", "begin", "a fault of the plan begins", &["kind", "label"]),
    kind("fault", "end", "it ends; its parent is its begin", &["kind", "label"]),
    kind("fault", "partition", "nothing passes any more", &["link"]),
    kind("fault", "repair", "everything passes again", &["link"]),
    kind("fault", "hold", "everything stays in the air", &["link"]),
    kind("fault", "release", "what was held arrives", &["link"]),
    kind("fault", "latency", "a link's delays change", &["link", "latency_ns", "jitter_ns"]),
    kind("fault", "bandwidth", "a link's bandwidth changes", &["link", "bytes_per_second"]),
    kind("fault", "loss", "a link's losses change", &["link", "ratio"]),
    kind("fault", "reset", "all connections of a link are reset", &["link"]),
    kind("fault", "half_open", "one end forgets its connections", &["link"]),
    kind("fault", "dns_failure", "a name is not found", &["host", "name", "fails_after_ns"]),
    kind("fault", "dns_repair", "a name is found again", &["host", "name"]),
    kind("fault", "pause", "a host stands still", &["host"]),
    kind("fault", "resume", "it goes on", &["host"]),
    kind("fault", "crash", "a host goes down", &["host", "mode"]),
    kind("fault", "restart", "a host starts again", &["host"]),
    kind("fault", "skew", "a host's wall clock is set", &["host", "offset_ms"]),
    kind(
        "fault",
        "disk",
        "a disk misbehaves, is well again, or lost writes",
        &["host", "fault", "lost_writes", "<parameters>"],
    ),
    kind(
        "fault",
        "crash_point",
        "a host is to go down, or not any more",
        &["host", "after_events", "mode", "<off>"],
    ),
    kind("fault", "down", "a host went down by itself", &["host", "after_event", "reason"]),
    kind(
        "fault",
        "oom-kill",
        "the pipeline took too much memory",
        &["host", "held_bytes", "cap_bytes"],
    ),
    kind("fleet", "broker-down", "a broker's process ended", BROKER),
    kind("fleet", "broker-up", "a broker's process started", BROKER),
    kind("fleet", "broker-fenced", "the controller holds a broker for dead", BROKER),
    kind("fleet", "broker-unfenced", "the controller counts on a broker again", BROKER),
    kind("fleet", "controller", "another controller, or none", BROKER),
    kind(
        "fleet",
        "partition",
        "a partition's leader or replicas in sync changed",
        &["<topic-partition>", "leader", "epoch", "isr", "cluster"],
    ),
    kind("fleet", "replicas", "a partition moved", &["<topic-partition>", "ids", "cluster"]),
    kind(
        "fleet",
        "group",
        "a consumer group changed",
        &["<group>", "state", "generation", "members", "cluster"],
    ),
    kind("fleet", "topic-created", "a topic was made", &["<topic>", "partitions", "cluster"]),
    kind("pipeline", "born", "a life of the pipeline began", &[]),
    kind("pipeline", "cycle-begin", "a cycle began", &["number"]),
    kind("pipeline", "cycle-end", "it ended", &["number", "failed", "missing"]),
    kind("pipeline", "post-begin", "a POST to New Relic began", &["request"]),
    kind("pipeline", "post-end", "it ended", &["request", "answer"]),
    kind("pipeline", "breaker", "a breaker changed its state", &["name", "from", "to"]),
    kind("pipeline", "component", "a component changed its state", &["name", "from", "to"]),
    kind("newrelic", "request", "a request was answered", &["id", "accepted", "status", "fault"]),
    kind("newrelic", "stored", "an accepted body was parsed", &["id", "events"]),
    kind("newrelic", "entity", "an entity was made", &["guid", "type", "visible_ms"]),
];

/// Sources that are no hosts, and hosts that tell more than their connections.
const NAMED: [&str; 6] = ["net", "world", "fault", "fleet", "pipeline", "newrelic"];

/// The row of an event, and what of the event the row does not have; none without a row.
pub fn row_of(event: &TraceEvent) -> Option<(&'static Kind, Vec<&str>)> {
    let named = NAMED.contains(&event.source.as_str());
    let is_host = !["net", "world", "fault", "fleet"].contains(&event.source.as_str());
    let row = KINDS.iter().find(|row| {
        let source = (named && row.source == event.source) || (is_host && row.source == "HOST");
        source && row.kind == event.kind
    })?;
    let words = row.fields.iter().any(|field| field.starts_with('<'));
    let known = |key: &str| if key.is_empty() { words } else { row.fields.contains(&key) };
    let keys = event.fields.iter().map(|(key, _)| key.as_str());
    Some((row, keys.filter(|key| !known(key)).collect()))
}

/// The tables of docs/TRACE.md.
pub fn to_markdown() -> String {
    let mut out = String::from("| source | kind | what happened | fields |\n|---|---|---|---|\n");
    for Kind { source, kind, meaning, fields } in KINDS {
        let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| `{source}` | `{kind}` | {meaning} | {} |", fields.join(" "));
    }
    out.push_str("\n| field | meaning |\n|---|---|\n");
    for (field, meaning) in FIELDS {
        let _ = writeln!(out, "| `{field}` | {meaning} |");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::sim::run::{self, Network, Options};
    use crate::sim::scenario;
    use crate::sim::seed::Seed;
    use crate::sim::trace::Sink;

    /// Every fault that either network has, in few runs.
    const RUNS: &[(&str, Network)] = &[
        ("scenarios/broker-and-newrelic-outage.toml", Network::Kernel),
        ("scenarios/broker-and-newrelic-outage.toml", Network::Turmoil),
        ("scenarios/crash-points.toml", Network::Kernel),
        ("scenarios/disk-fails.toml", Network::Kernel),
        ("fixtures/scenarios/every_event.toml", Network::Kernel),
        ("fixtures/scenarios/every_fleet_event.toml", Network::Kernel),
    ];

    /// What no scenario brings about: nobody opens the 1,024 connections that fill a backlog.
    const NEVER: &[(&str, &str)] = &[("net", "drop")];

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<BTreeSet<String>>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            let text = std::str::from_utf8(line).expect("text");
            let event = TraceEvent::parse(text, 1).expect(text);
            assert_eq!(format!("{event}\n"), text);
            // One example of each form is enough.
            let keys: Vec<&str> = event.fields.iter().map(|(key, _)| key.as_str()).collect();
            let form = format!("{} {} {}", event.source, event.kind, keys.join(" "));
            let mut forms = self.0.lock().expect("not poisoned");
            if forms.insert(form.clone()) {
                let found = row_of(&event);
                let whole = found.as_ref().is_some_and(|(_, unknown)| unknown.is_empty());
                assert!(whole, "{form}: not in the table, as in {event}: {found:?}");
            }
            Ok(line.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_table_is_what_runs_tell() {
        let lines = Lines::default();
        for (file, network) in RUNS {
            let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).expect(&path);
            let scenario = scenario::load(file, &text);
            let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
            let sink = Sink::Writer(Box::new(lines.clone()), None);
            let report = run::run(&scenario, Options { seed: Seed(1), network: *network, sink });
            assert!(report.trace_error.is_none());
        }
        let forms = lines.0.lock().expect("not poisoned").clone();
        let told = |row: &&Kind| {
            forms.iter().any(|form| {
                let mut words = form.split(' ');
                let source = words.next().unwrap_or_default();
                let is_source = source == row.source || row.source == "HOST";
                is_source && words.next() == Some(row.kind)
            })
        };
        let never = |row: &&Kind| NEVER.contains(&(row.source, row.kind));
        let untold: Vec<String> = KINDS
            .iter()
            .filter(|row| told(row) == never(row))
            .map(|row| format!("{} {}", row.source, row.kind))
            .collect();
        assert!(untold.is_empty(), "no run tells, or one does after all: {untold:?}");
    }

    #[test]
    fn every_field_has_its_meaning() {
        let used: BTreeSet<&str> = KINDS
            .iter()
            .flat_map(|row| row.fields)
            .copied()
            .filter(|f| !f.starts_with('<'))
            .collect();
        let meant: BTreeSet<&str> = FIELDS.iter().map(|(field, _)| *field).collect();
        assert_eq!(used, meant);
        assert_eq!(FIELDS.len(), meant.len());
    }

    #[test]
    fn the_document_holds_the_tables() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/TRACE.md");
        let text = std::fs::read_to_string(path).expect("readable");
        let mark = "<!-- tables: written by SHAKEDOWN_BLESS=1 cargo test --lib trace::kinds -->\n";
        let (head, _) = text.split_once(mark).expect("the mark");
        let whole = format!("{head}{mark}\n{}", to_markdown());
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            std::fs::write(path, &whole).expect("writable");
        }
        let text = std::fs::read_to_string(path).expect("readable");
        assert!(text == whole, "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib trace::kinds");
    }
}
