//! Scenario files for people: only what differs from the defaults.
//!
//! Invariant: what is written reads back as the same scenario, if that is possible at all by the
//! rules of scenario files.

use serde_json::{Map, Value};

use super::{KafkaSpec, Scenario};
use crate::sim::fault::FaultSpec;

/// Keys of a file's head, in their order; tables follow, then faults, then expectations.
const HEAD: [&str; 6] = ["title", "promise", "duration", "seed", "start", "minimized_from"];
const TAIL: [&str; 2] = ["fault", "expect"];

/// The text of a scenario file, with `comments` above everything, one line each.
pub fn write(scenario: &Scenario, comments: &[String]) -> String {
    let whole = table(serde_json::to_value(scenario).unwrap_or_default());
    let plain = table(serde_json::to_value(scenario.plain()).unwrap_or_default());
    let changed = |key: &str| {
        let value = whole.get(key).cloned().unwrap_or_default();
        differing(value, plain.get(key).unwrap_or(&Value::Null))
    };
    let mut text = String::new();
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
    for key in HEAD {
        text.extend(changed(key).map(|value| entry(key, &value)));
    }
    let others = || {
        let keys = whole.keys().map(String::as_str);
        keys.filter(|key| !HEAD.contains(key) && !TAIL.contains(key) && *key != "kafka")
    };
    for key in others() {
        let plain_value = changed(key).filter(|value| !value.is_object());
        text.extend(plain_value.map(|value| entry(key, &value)));
    }
    for name in scenario.kafka.keys() {
        let spec = whole.get("kafka").and_then(|all| all.get(name)).cloned().unwrap_or_default();
        let usual = serde_json::to_value(KafkaSpec::default()).unwrap_or_default();
        let spec = differing(spec, &usual).map(table).unwrap_or_default();
        text.push_str(&section(&format!("kafka.{}", quoted_key(name)), &spec));
    }
    for name in others().chain(["expect"]) {
        // Faults come last but one.
        if name == "expect" {
            scenario.fault.iter().for_each(|spec| text.push_str(&fault(spec)));
        }
        if let Some(Value::Object(entries)) = changed(name) {
            text.push_str(&section(name, &entries));
        }
    }
    text
}

impl Scenario {
    /// What a file would mean that names the same clusters and says nothing else.
    pub fn plain(&self) -> Self {
        let clusters = self.kafka.keys().map(|name| (name.clone(), KafkaSpec::default()));
        Self {
            title: String::new(),
            promise: String::new(),
            duration: crate::config::quantity::DurationText::default(),
            seed: super::default_seed(),
            start: super::default_start(),
            minimized_from: None,
            network: super::NetworkSpec::default(),
            kafka: clusters.collect(),
            newrelic: super::NewRelicSpec::default(),
            pipeline: super::PipelineSpec::default(),
            fault: Vec::new(),
            swarm: None,
            sometimes: Vec::new(),
            expect: super::ExpectSpec::default(),
        }
    }
}

fn table(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(entries) => entries,
        _ => Map::new(),
    }
}

/// The parts of `value` that `plain` has not; `None` when there are none.
fn differing(value: Value, plain: &Value) -> Option<Value> {
    if value == *plain || value.is_null() {
        return None;
    }
    let (Value::Object(entries), Value::Object(known)) = (&value, plain) else {
        return Some(value);
    };
    let parts = entries.iter().filter_map(|(key, value)| {
        let known = known.get(key).unwrap_or(&Value::Null);
        Some((key.clone(), differing(value.clone(), known)?))
    });
    Some(Value::Object(parts.collect()))
}

/// A fault's section: its times, then its keys without those that say what goes without saying.
fn fault(spec: &FaultSpec) -> String {
    let mut entries = table(serde_json::to_value(spec).unwrap_or_default());
    let is_same = |entries: &Map<String, Value>| {
        let again = serde_json::from_value::<FaultSpec>(Value::Object(entries.clone()));
        again.is_ok_and(|again| again == *spec)
    };
    let kinds: Vec<String> =
        entries.keys().filter(|key| entries[*key].is_object()).cloned().collect();
    for kind in &kinds {
        let keys: Vec<String> = table(entries[kind].clone()).keys().cloned().collect();
        for key in keys {
            let mut fewer = entries.clone();
            if let Some(Value::Object(body)) = fewer.get_mut(kind) {
                body.remove(&key);
            }
            if is_same(&fewer) {
                entries = fewer;
            }
        }
    }
    let mut text = String::from("\n[[fault]]\n");
    for key in ["at", "lasts"] {
        text.extend(entries.remove(key).map(|value| entry(key, &value)));
    }
    text.extend(entries.iter().map(|(key, value)| entry(key, value)));
    text
}

fn section(name: &str, entries: &Map<String, Value>) -> String {
    let lines: String = entries.iter().map(|(key, value)| entry(key, value)).collect();
    format!("\n[{name}]\n{lines}")
}

fn entry(key: &str, value: &Value) -> String {
    format!("{} = {}\n", quoted_key(key), inline(value))
}

fn quoted_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_bare = !key.is_empty() && key.chars().all(bare);
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A text on one line: JSON's escapes are TOML's too, which wants one more.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{} = {}", quoted_key(key), inline(value)))
                .collect();
            if entries.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario;

    #[test]
    fn every_scenario_reads_back() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.display().to_string();
            let text = std::fs::read_to_string(&path).expect("readable");
            let scenario = scenario::load(&name, &text).expect("loads");
            let written = write(&scenario, &["one".to_owned(), "two\nthree".to_owned()]);
            assert!(written.starts_with("# one\n# two\n# three\ntitle = "), "{written}");
            let again = scenario::load("written", &written)
                .unwrap_or_else(|problems| panic!("{written}\n{}", problems.render(false)));
            assert_eq!(again, scenario, "{written}");
            assert_eq!(write(&again, &[]), write(&scenario, &[]));
            seen += 1;
        }
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn only_what_differs_is_written() {
        let text = "title = \"a \\\"b\\\"\\nc\"\nduration = \"10min\"\n[kafka.a]\nbrokers = 3\n\
                    topics = 2\n[pipeline]\nspool = true\nevent_api = { failure_threshold = 7 }\n\
                    [[fault]]\nat = \"1min\"\nlasts = \"1min\"\n\
                    crash = { host = \"a-broker-1\", mode = \"process\" }\n\
                    [expect]\nloss = 3\n";
        let scenario = scenario::load("test", text).expect("loads");
        let expected = "title = \"a \\\"b\\\"\\nc\"\nduration = \"10min\"\n\n[kafka.a]\ntopics = 2\n\n\
                        [pipeline]\nevent_api = { failure_threshold = 7 }\n\n\
                        [[fault]]\nat = \"1min\"\nlasts = \"1min\"\n\
                        crash = { host = \"a-broker-1\" }\n\n[expect]\nloss = 3\n";
        let written = write(&scenario, &[]);
        assert_eq!(scenario::load("again", &written).expect("loads"), scenario);
        assert_eq!(written, expected);
    }
}
