//! What a replay found, for people.

use std::fmt::Write as _;

use super::super::trace::time;
use super::ReplayReport;
use crate::sim::fleet::BrokerView;
use crate::sim::run::state::{HostState, NewRelicState, PipelineState, RoleState, RunState};
use crate::sim::trace::export::EventJson;
use crate::sim::view::HostView;

/// The whole report; with `detail`, connections and the last events of every host in it.
pub fn report(told: &ReplayReport<'_>, detail: bool) -> String {
    let mut out = format!("{}\n", told.title);
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "run {}  seed {}  network {}  {}",
        told.id,
        told.seed,
        told.network.name(),
        told.origin
    );
    let _ = match told.recorded {
        None => writeln!(out, "trace {}: nothing recorded to compare it with", told.replayed),
        Some(recorded) if recorded == told.replayed => {
            writeln!(out, "trace {}: as recorded", told.replayed)
        }
        Some(recorded) => {
            let (made, now) = (told.made_by, &told.replayed_by);
            let builds = if made == now {
                "by the same build".to_owned()
            } else {
                format!("by {made}; replayed by {now}")
            };
            writeln!(
                out,
                "trace {}\n  ✗ not as recorded: {recorded}, {builds}\n  \
                 `shakedown diff` shows where they part",
                told.replayed
            )
        }
    };
    if told.passed {
        out.push_str("PASSED\n");
    } else {
        out.push_str("FAILED\n");
    }
    for broken in &told.broken {
        let _ = writeln!(out, "  ✗ {}: {}", broken.check, broken.words);
    }
    if let Some(state) = &told.state {
        out.push_str(&state_text(state, told, detail));
    }
    out
}

fn state_text(state: &RunState, told: &ReplayReport<'_>, detail: bool) -> String {
    let mut out = format!("\nat {}\n", time(state.at));
    if state.faults.is_empty() {
        out.push_str("  no fault is in force\n");
    }
    for fault in &state.faults {
        let _ = writeln!(out, "  in force: {} ({} to {})", fault.label, fault.from, fault.to);
    }
    for host in &state.hosts {
        let _ = write!(out, "\n{}{}", host.name, place(host));
        out.push_str(&match &host.role {
            RoleState::Broker { cluster, broker } => broker_text(cluster, broker, detail),
            RoleState::Pipeline(pipeline) => pipeline_text(pipeline),
            RoleState::NewRelic(newrelic) => newrelic_text(newrelic),
            RoleState::User => "\n".to_owned(),
        });
        out.push_str(&network_text(host.network.as_ref(), detail));
        if let Some(events) = told.events.get(&host.name).filter(|_| detail) {
            out.push_str(&events_text(events));
        }
    }
    out
}

fn place(host: &HostState) -> String {
    match &host.network {
        None => String::new(),
        Some(view) => {
            let clock = match view.clock_ahead_ms {
                0 => String::new(),
                ahead => format!(", clock {ahead} ms ahead"),
            };
            format!("  {}{clock}", if view.up { "up" } else { "DOWN" })
        }
    }
}

fn broker_text(cluster: &str, broker: &BrokerView, detail: bool) -> String {
    let mut out = String::new();
    let controller = if broker.controller { ", the controller" } else { "" };
    let fenced = if broker.fenced { ", held for dead" } else { "" };
    let process = if broker.up { "" } else { ", its process is down" };
    let _ = writeln!(out, "  broker {} of {cluster}{controller}{fenced}{process}", broker.id);
    let _ = writeln!(
        out,
        "  leads {} of {} partitions, {} under-replicated; {} of the cluster without a leader",
        broker.leads, broker.replicas, broker.under_replicated, broker.cluster_offline
    );
    let groups = &broker.groups;
    if !detail && !groups.is_empty() {
        let _ = writeln!(out, "  coordinates {} groups", groups.len());
    }
    for group in groups.iter().filter(|_| detail) {
        let _ = writeln!(
            out,
            "  group {}: {}, generation {}, {} members, lag {} (as of {})",
            group.name, group.state, group.generation, group.members, group.lag, group.lag_as_of
        );
    }
    out
}

fn pipeline_text(pipeline: &PipelineState) -> String {
    let mut out = String::new();
    let phase = pipeline.phase.unwrap_or("not started");
    let _ = writeln!(out, "  life {}, {phase}, since {}", pipeline.life, pipeline.life_began);
    if let Some(ended) = pipeline.life_ended {
        let _ = writeln!(out, "  it went down at {ended}; this is how it was then");
    }
    let began = pipeline.cycle_began.map(|at| format!(", the last one at {at}"));
    let _ = writeln!(
        out,
        "  cycles: {} begun{}, {} ended, {} skipped",
        pipeline.cycles_begun,
        began.unwrap_or_default(),
        pipeline.cycles_ended,
        pipeline.cycles_skipped
    );
    let ledger = &pipeline.ledger;
    let _ = writeln!(
        out,
        "  samples: {} collected, {} transformed\n  events: {} enqueued + {} recovered = {} \
         acknowledged + {} lost + {} in flight ({} in the spool), {} of unknown fate",
        ledger.collected,
        ledger.transformed,
        ledger.enqueued,
        ledger.recovered,
        ledger.acknowledged,
        ledger.lost.values().sum::<u64>(),
        ledger.in_flight,
        ledger.spooled,
        ledger.unknown
    );
    for (reason, count) in &ledger.lost {
        let _ = writeln!(out, "    {count} lost: {reason}");
    }
    for breaker in &pipeline.breakers {
        let error = breaker.last_error.as_ref().map(|error| format!("; last: {error}"));
        let _ = writeln!(
            out,
            "  breaker {}: {}, {} failures in a row, opened {} times{}",
            breaker.name,
            breaker.state,
            breaker.failures,
            breaker.opens,
            error.unwrap_or_default()
        );
    }
    for component in &pipeline.components {
        let failing = match component.failures {
            0 => String::new(),
            failures => format!(", {failures} failures in a row"),
        };
        let _ = writeln!(out, "  component {}: {}{failing}", component.name, component.state);
    }
    if let Some(spool) = &pipeline.spool {
        let _ = writeln!(
            out,
            "  spool: {} chunks of {} bytes in all, {} dead letters, {} failed calls",
            spool.chunks, spool.chunk_bytes, spool.dead_letters, spool.errors
        );
    }
    let (used, max) = (pipeline.memory_bytes, pipeline.memory_max_bytes);
    let _ = writeln!(out, "  memory: {used} of {max} bytes of events");
    let _ = writeln!(out, "  last error: {}", pipeline.last_error.as_deref().unwrap_or("none"));
    out
}

fn newrelic_text(newrelic: &NewRelicState) -> String {
    let mut out = String::from("\n");
    let requests = newrelic.requests.iter().map(|(status, count)| format!("{count} × {status}"));
    let requests: Vec<String> = requests.collect();
    let _ = writeln!(out, "  requests by answer: {}", listed(&requests));
    let faults = newrelic.hit_by_faults.iter().map(|(name, count)| format!("{count} × {name}"));
    let faults: Vec<String> = faults.collect();
    let _ = writeln!(out, "  of which hit by a fault: {}", listed(&faults));
    let events = newrelic.events.iter().map(|(name, count)| format!("{count} {name}"));
    let events: Vec<String> = events.collect();
    let _ = writeln!(
        out,
        "  stored events: {}; {} bodies not parsed yet",
        listed(&events),
        newrelic.queued
    );
    let (made, visible) = (newrelic.entities, newrelic.entities_visible);
    let _ = writeln!(out, "  entities: {made} made, {visible} visible");
    out
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn network_text(network: Option<&HostView>, detail: bool) -> String {
    let Some(network) = network else {
        return "  (this network does not tell of connections and links)\n".to_owned();
    };
    let mut out = String::new();
    for link in &network.links {
        let _ = writeln!(out, "  link {} > {}: {}", link.from, link.to, link.states.join(", "));
    }
    if !detail {
        let _ = writeln!(out, "  {} connections", network.connections.len());
        return out;
    }
    for connection in &network.connections {
        let stalled = connection.stalled_since.map(|at| format!(", repeating since {at}"));
        let _ = writeln!(
            out,
            "  connection {}: {}, {} bytes unread{}",
            connection.flow,
            connection.state,
            connection.unread_bytes,
            stalled.unwrap_or_default()
        );
    }
    out
}

fn events_text(events: &[EventJson]) -> String {
    let mut out = String::from("  last events\n");
    for event in events {
        let _ = writeln!(out, "    {}", super::super::trace::json_row(event));
    }
    out
}
