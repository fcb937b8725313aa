//! An estate as a file of events describes it.
//!
//! Each line holds an event as the Event API takes it, or a list of them. Events of other types
//! than `MessageQueue` and `MessageQueueRelationship` are left out, and counted.
//!
//! Invariants: the file is read line by line, and a line longer than [`LINE_BYTES_MAX`] is refused
//! before it is held; the instant that the estate is about is the newest event's, so the same file
//! gives the same report at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::{Estate, SourceError};
use crate::cli::input;
use crate::domain::data_source::DataSource;
use crate::domain::entity::EntityKey;
use crate::domain::units::{UnixMillis, UnixNanos};
use crate::domain::words::counted;
use crate::hybrid::event::{
    EVENT_TYPE, RELATIONSHIP_EVENT_TYPE, Subscription, observed, topics_by_group,
};
use crate::hybrid::gap::Observed;

/// The longest line, in bytes: an Event API request holds no more.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Problems told of one file.
const PROBLEMS_TOLD_MAX: usize = 10;

pub(super) fn read(path: &Path) -> Result<Estate, SourceError> {
    let name = path.display().to_string();
    if input::is_stdin(path) {
        return read_from("standard input", BufReader::new(std::io::stdin()));
    }
    let file = std::fs::File::open(path)
        .map_err(|source| SourceError::Invalid(input::unreadable(path, source).to_string()))?;
    read_from(&name, BufReader::new(file))
}

fn read_from(name: &str, mut from: impl BufRead) -> Result<Estate, SourceError> {
    let mut reader = Reader::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut from).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        let bytes =
            read.map_err(|error| SourceError::Invalid(format!("{name} cannot be read: {error}")))?;
        if bytes == 0 {
            break;
        }
        if bytes as u64 > LINE_BYTES_MAX {
            let problem = format!(
                "{name}:{number}: the line is longer than {LINE_BYTES_MAX} bytes\n\
                 help: write one event a line"
            );
            return Err(SourceError::Invalid(problem));
        }
        if let Err(problem) = reader.line(&line) {
            reader.problems.push(format!("{name}:{number}: {problem}"));
            if reader.problems.len() == PROBLEMS_TOLD_MAX {
                break;
            }
        }
    }
    reader.finish(name)
}

#[derive(Default)]
struct Reader {
    /// Memory is bounded by the entities: of each only the newest event is kept.
    entities: BTreeMap<EntityKey, Observed>,
    subscriptions: BTreeSet<Subscription>,
    others: u64,
    /// Events that tell what a stand-in says.
    stand_ins: u64,
    /// When the newest of them was sent: that late somebody was still looking.
    newest_stand_in: Option<UnixNanos>,
    problems: Vec<String>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let no_event = "is no event\nhelp: write an object with `eventType`, or a list of them";
        match serde_json::from_slice(line) {
            Ok(Value::Object(event)) => self.event(&event),
            Ok(Value::Array(events)) => events.iter().try_for_each(|event| match event {
                Value::Object(event) => self.event(event),
                _ => Err(format!("an element of the list {no_event}")),
            }),
            Ok(_) => Err(format!("the line {no_event}")),
            Err(error) => {
                Err(format!("the line is no JSON: {error}\nhelp: write one JSON object a line"))
            }
        }
    }

    fn event(&mut self, event: &Map<String, Value>) -> Result<(), String> {
        let source = event.get("dataSource").and_then(Value::as_str);
        if source.is_some_and(|source| source != DataSource::Infrastructure.as_str()) {
            self.stand_ins += 1;
            let at = event.get("timestamp").and_then(Value::as_i64);
            let at = at.map(|at| UnixMillis::from_seconds_or_millis(at).into());
            self.newest_stand_in = self.newest_stand_in.max(at);
            return Ok(());
        }
        match event.get("eventType").and_then(Value::as_str) {
            Some(EVENT_TYPE) => {}
            Some(RELATIONSHIP_EVENT_TYPE) => {
                self.subscriptions.extend(Subscription::of_event(event));
                return Ok(());
            }
            _ => {
                self.others += 1;
                return Ok(());
            }
        }
        let Some(at) = event.get("timestamp").and_then(Value::as_i64) else {
            return Err("`timestamp` is missing\nhelp: write seconds or milliseconds since \
                        1970-01-01 as a whole number"
                .to_owned());
        };
        let at = UnixMillis::from_seconds_or_millis(at).into();
        let seen = observed(event, at).map_err(|fault| {
            format!("{fault}\nhelp: docs/METRICS.md lists the attributes of each entity type")
        })?;
        match self.entities.get(&seen.key) {
            Some(known) if known.last_seen > seen.last_seen => {}
            _ => {
                self.entities.insert(seen.key.clone(), seen);
            }
        }
        Ok(())
    }

    fn finish(self, name: &str) -> Result<Estate, SourceError> {
        if !self.problems.is_empty() {
            return Err(SourceError::Invalid(self.problems.join("\n")));
        }
        let seen = self.entities.values().map(|seen| seen.last_seen);
        let Some(now) = seen.chain(self.newest_stand_in).max() else {
            let problem = format!(
                "{name} holds no {EVENT_TYPE} events\nhelp: write one JSON object a line, as the \
                 pipeline streams them"
            );
            return Err(SourceError::Invalid(problem));
        };
        let others = (self.others > 0).then(|| {
            let others = counted(self.others, "event");
            format!("{others} of {name} left out: of other types than {EVENT_TYPE}")
        });
        let stand_ins = (self.stand_ins > 0).then(|| {
            let stand_ins = counted(self.stand_ins, "event");
            format!("{stand_ins} of {name} left out: a stand-in is not the entity")
        });
        let observed: Vec<Observed> = self.entities.into_values().collect();
        Ok(Estate {
            source: name.to_owned(),
            subscriptions: topics_by_group(&observed, &self.subscriptions),
            observed,
            now: UnixNanos(now.0),
            notes: others.into_iter().chain(stand_ins).collect(),
            ..Estate::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Estate, String> {
        read_from("x.jsonl", text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn of_each_entity_the_newest_event_counts() {
        let event = |at: u64, topic: &str, partitions: u32| {
            format!(
                r#"{{"eventType":"MessageQueue","timestamp":{at},"provider":"kafka",
                "entityType":"MESSAGE_QUEUE_TOPIC","clusterName":"c","topicName":"{topic}",
                "kafka.partition.count":{partitions}}}"#
            )
            .replace('\n', " ")
        };
        let (old, new) = (event(1_700_000_000, "t", 1), event(1_700_000_009_000, "t", 2));
        let other = r#"{"eventType":"QueueSample","timestamp":1}"#;
        let list = format!("[{}, {}]", event(1_700_000_001, "u", 3), event(1_700_000_002, "t", 9));
        let text = format!("{new}\n\n{old}\n{other}\n{list}");
        let estate = read_text(&text).expect("valid");
        let found: Vec<_> =
            estate.observed.iter().map(|seen| (seen.key.name(), seen.partitions)).collect();
        assert_eq!(found, [("t", Some(2)), ("u", Some(3))]);
        assert_eq!(estate.now, UnixNanos(1_700_000_009_000_000_000));
        assert_eq!(estate.notes, ["1 event of x.jsonl left out: of other types than MessageQueue"]);
    }

    /// A stand-in says that somebody still looked, and nothing of its entity.
    #[test]
    fn stand_ins_are_no_sightings() {
        let event = |at: u64, source: &str| {
            format!(
                r#"{{"eventType":"MessageQueue","timestamp":{at},"provider":"kafka",
                "entityType":"MESSAGE_QUEUE_TOPIC","clusterName":"c","topicName":"t",
                "dataSource":"{source}"}}"#
            )
            .replace('\n', " ")
        };
        let real = event(1_700_000_000, "infrastructure");
        let text = format!("{real}\n{}\n", event(1_700_000_900, "gapFilled"));
        let estate = read_text(&text).expect("valid");
        let seen: Vec<_> = estate.observed.iter().map(|seen| seen.last_seen.0).collect();
        assert_eq!(seen, [1_700_000_000_000_000_000]);
        assert_eq!(estate.now, UnixNanos(1_700_000_900_000_000_000));
        assert_eq!(estate.notes, ["1 event of x.jsonl left out: a stand-in is not the entity"]);
        let made_up = read_text(&event(1_700_000_900, "simulated")).expect("an estate of nothing");
        assert!(made_up.observed.is_empty());
    }

    #[test]
    fn problems_have_places() {
        let check = |text: &str, words: &[&str]| {
            let error = read_text(text).expect_err(text);
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        };
        check("", &["holds no MessageQueue events"]);
        check("{\"eventType\":\"Other\"}", &["holds no MessageQueue events"]);
        let queue = "{\"eventType\":\"MessageQueue\",\"timestamp\":1}";
        check(
            &format!("x\n{queue}\n[5]\n5\n{{\"eventType\":\"MessageQueue\"}}"),
            &[
                "x.jsonl:1: the line is no JSON",
                "x.jsonl:2: `entityType` is missing",
                "x.jsonl:3: an element of the list is no event",
                "x.jsonl:4: the line is no event",
                "x.jsonl:5: `timestamp` is missing",
            ],
        );
        let long = " ".repeat(LINE_BYTES_MAX as usize + 1);
        check(&format!("\n{long}"), &["x.jsonl:2: the line is longer than 1048576 bytes"]);
    }
}
