//! Faults and events of the trace in words.

use super::{FaultTold, Outcome, log};
use crate::sim::check::record::Record;
use crate::sim::fault::{Fault, FaultSpec};
use crate::sim::trace::TraceEvent;

/// Letters of an id that are shown.
const ID_LETTERS: usize = 8;

/// The faults, in order of their begins.
pub(super) fn faults(record: &Record) -> Vec<FaultTold> {
    // Features quote names; prose does not.
    let prose = |fault: &Fault| spec_of(record, fault).map(|spec| spec.prose().replace('"', ""));
    let told = |fault: &Fault| FaultTold {
        from: fault.from,
        to: fault.to.min(record.end),
        kind: fault.kind.to_owned(),
        words: prose(fault).unwrap_or_else(|| fault.label.clone()),
    };
    record.faults.iter().map(told).collect()
}

/// The part of the scenario that `fault` was made of.
pub(super) fn spec_of<'a>(record: &'a Record, fault: &Fault) -> Option<&'a FaultSpec> {
    let is = |spec: &&FaultSpec| {
        let made = spec.fault(&record.scenario.network);
        made.is_some_and(|made| made.from == fault.from && made.label == fault.label)
    };
    record.scenario.fault.iter().find(is)
}

/// The first letters of an id.
fn short(id: &str) -> String {
    let mut letters: String = id.chars().take(ID_LETTERS).collect();
    if id.chars().count() > ID_LETTERS {
        letters.push('…');
    }
    letters
}

/// What an event of a host says, and how to read it; `None` when it is none of the application's.
pub(super) fn application(event: &TraceEvent) -> Option<(String, Outcome)> {
    let field = |key: &str| event.field(key).unwrap_or("?");
    let well = |words: String| Some((words, Outcome::Arrived));
    match event.kind.as_str() {
        "born" => well("starts".to_owned()),
        "cycle-begin" => well(format!("cycle {} begins", field("number"))),
        "cycle-end" => {
            let lack = |key: &str| event.field(key).filter(|v| !["", "0", "-"].contains(v));
            let words = format!("cycle {} ends", field("number"));
            match (lack("failed"), lack("missing")) {
                (Some(failed), _) => Some((format!("{words}, failed: {failed}"), Outcome::Lost)),
                (None, Some(missing)) => {
                    Some((format!("{words}, missing: {missing}"), Outcome::Refused))
                }
                (None, None) => well(words),
            }
        }
        "post-begin" => well(format!("begins POST {}", short(field("request")))),
        "post-end" => {
            let answer = field("answer");
            let outcome = match answer {
                "accepted" => Outcome::Arrived,
                text if text.starts_with('2') => Outcome::Arrived,
                text if text.contains(|c: char| c.is_ascii_digit()) => Outcome::Refused,
                _ => Outcome::Lost,
            };
            let answer = match answer {
                "none" => "no answer",
                "unsent" => "it never left",
                answer => answer,
            };
            Some((format!("POST {} ends: {answer}", short(field("request"))), outcome))
        }
        "breaker" | "component" => {
            let (from, to) = (field("from"), field("to"));
            let words = format!("{} {}: {from} → {to}", event.kind, field("name"));
            let bad = ["open", "circuit_open", "unhealthy"];
            let is_bad = bad.iter().any(|bad| to.eq_ignore_ascii_case(bad));
            Some((words, if is_bad { Outcome::Refused } else { Outcome::Arrived }))
        }
        "request" => {
            let (id, status) = (short(field("id")), field("status"));
            match field("accepted") {
                "true" => well(format!("takes {id}, answers {status}")),
                _ => Some((format!("refuses {id} with {status}"), Outcome::Refused)),
            }
        }
        "stored" => well(format!("stores {} events of {}", field("events"), short(field("id")))),
        _ => None,
    }
}

/// The fault that an answer of New Relic names.
pub(super) fn fault_named(event: &TraceEvent) -> Option<&str> {
    let named = event.field("fault").filter(|_| event.kind == "request");
    named.filter(|fault| *fault != "none")
}

/// Any event in words.
pub(super) fn event(event: &TraceEvent) -> String {
    if let Some(message) = log::message(event) {
        let fate = match (event.kind.as_str(), message.outcome) {
            ("hold", _) => "held back: ",
            ("drop", _) => "dropped: ",
            (_, Outcome::Lost) => "lost: ",
            _ => "",
        };
        let bytes = match message.bytes {
            0 => String::new(),
            bytes => format!(", {bytes} bytes"),
        };
        return format!("{fate}{} → {}: {}{bytes}", message.from, message.to, message.what);
    }
    if let Some((words, _)) = application(event) {
        return words;
    }
    if event.source == "net"
        && event.kind == "send"
        && let (Some(kind), Some(flow)) = (event.field("kind"), event.field("flow"))
    {
        let bytes = event.field("bytes").map(|bytes| format!(", {bytes} bytes"));
        return format!("sent: {} {kind}{}", flow.replace('>', " → "), bytes.unwrap_or_default());
    }
    let label = event.field("label").map(str::to_owned);
    match (event.source.as_str(), event.kind.as_str()) {
        ("fault", "begin") => format!("begins: {}", label.unwrap_or_else(|| event.words())),
        ("fault", "end") => format!("ends: {}", label.unwrap_or_else(|| event.words())),
        ("net", "timeout") => format!("gives up: {}", event.field("flow").unwrap_or("?")),
        _ => format!("{} {}", event.kind, event.field_text()).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_words() {
        let check = |line: &str, words: &str| {
            let parsed = TraceEvent::parse(&format!("0000000000005 7 - {line}"), 1).expect(line);
            assert_eq!(event(&parsed), words, "{line}");
        };
        check("net lost kind=data flow=a:1>b:2 bytes=9 print=0", "lost: a → b: data, 9 bytes");
        check("net drop kind=syn flow=a:1>b:2", "dropped: a → b: connect");
        check("net send kind=fin flow=a:1>b:2", "sent: a:1 → b:2 fin");
        check("net timeout flow=a:1>b:2", "gives up: a:1>b:2");
        check("fault begin kind=crash label=\"crash of b\"", "begins: crash of b");
        check("fault end partition of a–b", "ends: partition of a–b");
        check("pipeline cycle-end number=4 failed=- missing=0", "cycle 4 ends");
        check("pipeline cycle-end number=4 failed=- missing=3", "cycle 4 ends, missing: 3");
        check("pipeline post-end request=0123456789 answer=503", "POST 01234567… ends: 503");
        check("pipeline breaker name=x from=CLOSED to=OPEN", "breaker x: CLOSED → OPEN");
        check("fleet orders group g state=Stable", "orders group g state=Stable");
    }
}
