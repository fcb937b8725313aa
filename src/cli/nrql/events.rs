//! Events from a file of JSON lines into a store.
//!
//! Each line holds an event as the Event API takes it, or a list of them: `eventType`, `timestamp`
//! (seconds or milliseconds), attributes. Points of metrics come in the form in which New Relic
//! stores them, `{"eventType": "Metric", "metricName": "m", "m": {"type": "gauge", …}}`.
//!
//! Invariant: the store stays below its cap and says what it dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::{complain, json_lines};
use crate::config::quantity::SizeText;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};
use crate::nrql::{MetricKind, MetricValue};

/// Letters of an event type and of an attribute's name. Source: Event API limits.
const NAME_LETTERS_MAX: usize = 255;

/// Which events a query runs against.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    /// Events, one JSON object a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Whose the events are.
    #[arg(long, value_name = "ID", default_value = "1")]
    account: AccountId,
    /// The instant that the query runs at, as 2024-05-01T12:00:00Z; `latest` is right behind the
    /// newest event.
    #[arg(long, value_name = "TIME", default_value = "latest", value_parser = parse_now)]
    now: Now,
    /// Memory that the events may take; beyond it the oldest are dropped.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_memory)]
    memory_max: SizeText,
}

/// When a query runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// Behind the newest event.
    Latest,
    /// Then.
    At(UnixMillis),
}

/// A size that a store can work with.
fn parse_memory(text: &str) -> Result<SizeText, String> {
    let size: SizeText = text.parse().map_err(|error| format!("{error}"))?;
    if size.0 < 1 << 20 { Err("give 1MiB at least".to_owned()) } else { Ok(size) }
}

fn parse_now(text: &str) -> Result<Now, String> {
    if text == "latest" {
        return Ok(Now::Latest);
    }
    let at: jiff::Timestamp =
        text.parse().map_err(|_| "write latest or a time such as 2024-05-01T12:00:00Z")?;
    Ok(Now::At(UnixMillis(at.as_millisecond())))
}

/// Events that are loaded.
pub struct Loaded {
    /// The events.
    pub store: EventStore,
    /// Whose they are.
    pub account: AccountId,
    /// When queries run.
    pub now: UnixMillis,
    /// How many were read.
    pub events: u64,
}

impl Loaded {
    /// The names that there are, as the linter takes them.
    pub fn catalogue(&self) -> Value {
        let types = self.store.counts().into_keys().map(|(account, event_type)| {
            let attributes = self.store.attributes(account, &event_type);
            let names: Vec<Value> =
                attributes.keys().map(|name| Value::String(name.to_string())).collect();
            (event_type, Value::Array(names))
        });
        Value::Object(types.collect())
    }
}

impl EventsArgs {
    /// Whether the events come from standard input.
    pub fn are_standard_input(&self) -> bool {
        self.events == Path::new("-")
    }

    /// Reads the file; tells what is wrong with it, and then gives nothing.
    pub fn load(&self) -> Option<Loaded> {
        let name = self.events.display().to_string();
        let opened: Box<dyn BufRead> = if self.are_standard_input() {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            match File::open(&self.events) {
                Ok(file) => Box::new(BufReader::with_capacity(1 << 16, file)),
                Err(error) => {
                    complain(&format!("{name} cannot be read: {error}"));
                    return None;
                }
            }
        };
        let bytes_max = self.memory_max.as_usize();
        let mut reader = Reader::new(&name, self.account, self.now, bytes_max);
        reader.read(opened);
        if !reader.problems.is_empty() {
            complain(&reader.problems.join("\n"));
            return None;
        }
        if reader.events == 0 {
            complain(&format!("{name} holds no events\nhelp: write one JSON object a line"));
            return None;
        }
        let dropped: u64 = reader.store.evicted().values().sum();
        if dropped > 0 {
            complain(&format!(
                "warning: {dropped} of the oldest events were dropped\n\
                 help: --memory-max is {}; events that are needed want more",
                self.memory_max
            ));
        }
        let now = match self.now {
            Now::At(now) => now,
            Now::Latest => reader.newest.plus_millis(1),
        };
        Some(Loaded { store: reader.store, account: self.account, now, events: reader.events })
    }
}

struct Reader<'a> {
    name: &'a str,
    account: AccountId,
    now: Now,
    store: EventStore,
    newest: UnixMillis,
    events: u64,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str, account: AccountId, now: Now, bytes_max: usize) -> Self {
        Self {
            name,
            account,
            now,
            store: EventStore::new(StoreConfig { bytes_max }),
            newest: UnixMillis(0),
            events: 0,
            problems: Vec::new(),
        }
    }

    fn read(&mut self, from: impl BufRead) {
        let name = self.name;
        self.problems = json_lines::read(name, from, |event| self.event(event));
    }

    fn event(&mut self, event: &Map<String, Value>) -> Result<(), String> {
        let event_type = match event.get("eventType") {
            Some(Value::String(name)) if (1..=NAME_LETTERS_MAX).contains(&name.len()) => name,
            Some(_) => return Err("eventType must be a text of 1 to 255 letters".to_owned()),
            None => return Err("the event has no eventType".to_owned()),
        };
        let timestamp = match (event.get("timestamp"), self.now) {
            (Some(time), _) => {
                json_lines::instant(time).ok_or("timestamp must be a number since 1970")?
            }
            (None, Now::At(now)) => now.plus_millis(-1),
            (None, Now::Latest) => {
                return Err("the event has no timestamp: add one, or give --now".to_owned());
            }
        };
        let mut cells = Vec::with_capacity(event.len());
        for (name, value) in event {
            if matches!(name.as_str(), "eventType" | "timestamp") {
                continue;
            }
            if name.is_empty() || name.len() > NAME_LETTERS_MAX {
                return Err("names of attributes have 1 to 255 letters".to_owned());
            }
            if let Some(cell) = cell(name, value)? {
                cells.push((name.as_str(), cell));
            }
        }
        self.newest = self.newest.max(timestamp);
        self.events += 1;
        self.store.push(NewEvent {
            account: self.account,
            event_type,
            timestamp,
            stored_at: timestamp,
            request: 0,
            cells: &cells,
        });
        Ok(())
    }
}

fn cell<'v>(name: &str, value: &'v Value) -> Result<Option<Cell<'v>>, String> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(truth) => Cell::Bool(*truth),
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Integer(whole),
            (None, Some(number)) if number.is_finite() => Cell::Number(number),
            _ => return Err(format!("`{name}` is no number that can be stored")),
        },
        Value::Object(members) => Cell::Metric(metric(name, members)?),
        Value::Array(_) => return Err(format!("`{name}` is a list, which no event can hold")),
    }))
}

/// A metric's value as New Relic stores it.
fn metric(name: &str, members: &Map<String, Value>) -> Result<MetricValue, String> {
    let part = |member: &str| members.get(member).and_then(Value::as_f64);
    let kind = match members.get("type").and_then(Value::as_str) {
        Some("gauge") => MetricKind::Gauge,
        Some("count") => MetricKind::Count,
        Some("summary") => MetricKind::Summary,
        Some("distribution") => MetricKind::Distribution,
        Some("uniqueCount") => MetricKind::UniqueCount,
        Some("cumulativeCount") => MetricKind::CumulativeCount,
        None if members.contains_key("cumulative") => MetricKind::CumulativeCount,
        _ => {
            return Err(format!(
                "`{name}` is no metric value: its type must be gauge, count, summary, \
                 distribution, uniqueCount or cumulativeCount"
            ));
        }
    };
    Ok(MetricValue {
        kind,
        count: part("count").unwrap_or(1.0),
        sum: part("sum").or_else(|| part("total")).unwrap_or_default(),
        min: part("min").unwrap_or_default(),
        max: part("max").unwrap_or_default(),
        latest: part("latest").or_else(|| part("cumulative")).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, now: Now) -> Result<(u64, i64), Vec<String>> {
        let account = "1".parse().expect("an account");
        let mut reader = Reader::new("x.ndjson", account, now, 1 << 24);
        reader.read(text.as_bytes());
        if reader.problems.is_empty() {
            Ok((reader.events, reader.newest.0))
        } else {
            Err(reader.problems)
        }
    }

    #[test]
    fn events_and_lists_of_events() {
        let text = "{\"eventType\":\"A\",\"timestamp\":1700000000,\"a\":1,\"b\":null}\n\n\
            [{\"eventType\":\"B\",\"timestamp\":1700000000500.7,\"t\":true}]\n\
            {\"eventType\":\"Metric\",\"timestamp\":1,\"m\":{\"type\":\"count\",\"count\":3}}";
        assert_eq!(read(text, Now::Latest), Ok((3, 1_700_000_000_500)));
        let now = Now::At(UnixMillis(9_000));
        assert_eq!(read("{\"eventType\":\"A\"}", now), Ok((1, 8_999)));
    }

    #[test]
    fn bad_lines_are_named() {
        for (line, expected) in [
            ("{\"eventType\":\"A\"", "x.ndjson:2:16: not JSON: EOF"),
            ("7", "x.ndjson:2: an event is a JSON object"),
            ("[7]", "x.ndjson:2: an event is a JSON object"),
            ("{\"timestamp\":1}", "x.ndjson:2: the event has no eventType"),
            ("{\"eventType\":1,\"timestamp\":1}", "eventType must be a text"),
            ("{\"eventType\":\"A\"}", "has no timestamp"),
            ("{\"eventType\":\"A\",\"timestamp\":\"x\"}", "timestamp must be a number"),
            ("{\"eventType\":\"A\",\"timestamp\":1,\"a\":[1]}", "`a` is a list"),
            ("{\"eventType\":\"A\",\"timestamp\":1,\"a\":{}}", "`a` is no metric value"),
            ("{\"eventType\":\"A\",\"timestamp\":1,\"\":1}", "1 to 255 letters"),
        ] {
            let problems = read(&format!("\n{line}\n"), Now::Latest).expect_err(line);
            assert!(problems[0].contains(expected), "{line}: {problems:?}");
        }
        let long = format!("{{\"eventType\":\"{}\"}}", "a".repeat(1 << 20));
        let problems = read(&long, Now::Latest).expect_err("too long");
        assert!(problems[0].contains("x.ndjson:1: the line is longer"), "{problems:?}");
        let many = "7\n".repeat(100);
        assert_eq!(read(&many, Now::Latest).expect_err("bad").len(), 10);
    }

    #[test]
    fn instants_of_queries() {
        assert_eq!(parse_now("latest"), Ok(Now::Latest));
        let at = Now::At(UnixMillis(1_714_564_800_000));
        assert_eq!(parse_now("2024-05-01T12:00:00Z"), Ok(at));
        assert!(parse_now("tomorrow").is_err());
        assert_eq!(parse_memory("64MiB").map(|size| size.0), Ok(64 << 20));
        assert!(parse_memory("0MiB").is_err() && parse_memory("5").is_err());
    }
}
