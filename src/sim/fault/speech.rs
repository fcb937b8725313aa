//! Faults as features say them, read back.
//!
//! There is one list of words, that of [`FaultSpec::prose`]. What a text may mean is found by
//! trying: the hosts, names, times and numbers in it are put under the keys of each kind, and what
//! then says the same text is what was meant. So a new fault can be read as soon as it can be said.
//!
//! Invariant: what is read says, in its own words, exactly the text that was given, but for
//! blanks, the unit of a time, and how a broker is called.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use super::key::{Form, Key};
use super::{CATALOGUE, FaultSpec};
use crate::config::quantity::DurationText;
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST};

/// Most ways to fill the keys of one kind that are tried.
const TRIES_MAX: usize = 4_096;

/// The fault that `text` says, without times; `None` when no kind says so.
pub fn read(text: &str) -> Option<FaultSpec> {
    let (text, given) = (usual(text), text);
    let atoms = Atoms::of(&text, given);
    CATALOGUE.iter().zip(KEYS.iter()).find_map(|(entry, keys)| {
        let said = |table: Map<String, Value>| {
            let spec: FaultSpec =
                serde_json::from_value(json!({ "at": "0ms", (entry.name): table })).ok()?;
            (usual(&spec.prose()) == text).then_some(spec)
        };
        atoms.tables(keys)?.into_iter().find_map(said)
    })
}

static KEYS: LazyLock<Vec<Vec<Key>>> =
    LazyLock::new(|| CATALOGUE.iter().map(|entry| Key::of_kind(entry.name)).collect());

/// A pattern that is known to be one.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static BROKER: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"broker "?(\d+)"? of "([^"]+)""#));
static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b(\d+(?:\.\d+)?) ?(ms|s|min|h|d)\b"));
static SIZE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b\d+ ?[kKMG]?i?B\b"));
static SHARE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b(\d+(?:\.\d+)?) ?%"));
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b\d+\b"));
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#""([^"]*)""#));

/// The text with one blank between words, times as they are printed, and brokers by their hosts.
fn usual(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let text =
        replaced(&BROKER, &text, |found| format!("broker \"{}-broker-{}\"", &found[2], &found[1]));
    let text = replaced(&TIME, &text, |found| {
        let written = format!("{}{}", &found[1], &found[2]);
        written.parse::<DurationText>().map_or(written, |time| time.to_string())
    });
    replaced(&SHARE, &text, |found| format!("{} %", &found[1]))
}

fn replaced(
    pattern: &LazyLock<Option<Regex>>,
    text: &str,
    by: impl Fn(&Captures<'_>) -> String,
) -> String {
    match &**pattern {
        Some(pattern) => pattern.replace_all(text, by).into_owned(),
        None => text.to_owned(),
    }
}

/// What a text has to fill keys with.
struct Atoms {
    times: Vec<Value>,
    sizes: Vec<Value>,
    shares: Vec<Value>,
    numbers: Vec<Value>,
    names: Vec<Value>,
    hosts: Vec<String>,
}

impl Atoms {
    /// Of the usual form of a text; plain numbers of the text as it was `given`, for a unit of its
    /// own may stand behind one.
    fn of(text: &str, given: &str) -> Self {
        let of = |text: &str, pattern: &LazyLock<Option<Regex>>, group: usize| -> Vec<String> {
            let found = pattern.iter().flat_map(|pattern| pattern.captures_iter(text));
            found.filter_map(|found| Some(found.get(group)?.as_str().to_owned())).collect()
        };
        let all = |pattern, group| of(text, pattern, group);
        let names = all(&NAME, 1);
        let known = [("the pipeline", PIPELINE_HOST), ("New Relic", NEWRELIC_HOST)];
        let known = known.into_iter().filter(|(words, _)| text.contains(words));
        let hosts = known.map(|(_, host)| host.to_owned()).chain(names.iter().cloned()).collect();
        let percents = all(&SHARE, 1).into_iter().filter_map(|text| text.parse::<f64>().ok());
        let numbers = of(given, &NUMBER, 0).into_iter().filter_map(|text| text.parse::<i64>().ok());
        let texts = |all: Vec<String>| all.into_iter().map(Value::from).collect::<Vec<_>>();
        let quantities =
            |all: Vec<String>| texts(all.iter().map(|one| one.replace(' ', "")).collect());
        Self {
            times: quantities(all(&TIME, 0)),
            sizes: quantities(all(&SIZE, 0)),
            shares: percents.map(|percent| Value::from(percent / 100.0)).collect(),
            numbers: numbers.flat_map(|number| [number, -number]).map(Value::from).collect(),
            names: texts(names),
            hosts,
        }
    }

    /// Every way to fill `keys`; `None` when one that is needed has nothing.
    fn tables(&self, keys: &[Key]) -> Option<Vec<Map<String, Value>>> {
        let mut tables = vec![Map::new()];
        for key in keys {
            let values = self.values(key);
            let absent = (!key.required).then_some(None);
            let choices: Vec<Option<Value>> =
                absent.into_iter().chain(values.into_iter().map(Some)).collect();
            if choices.is_empty() || tables.len() * choices.len() > TRIES_MAX {
                return None;
            }
            let with = |table: &Map<String, Value>, choice: &Option<Value>| {
                let mut table = table.clone();
                table.extend(choice.clone().map(|value| (key.name.clone(), value)));
                table
            };
            tables = tables
                .iter()
                .flat_map(|table| choices.iter().map(move |choice| with(table, choice)))
                .collect();
        }
        Some(tables)
    }

    fn values(&self, key: &Key) -> Vec<Value> {
        match key.form {
            Form::Duration => self.times.clone(),
            Form::Size => self.sizes.clone(),
            Form::Share => self.shares.clone(),
            Form::Integer => self.numbers.clone(),
            Form::Boolean => vec![true.into(), false.into()],
            Form::Word => key.range.split(", ").map(Value::from).collect(),
            Form::Host => self.hosts.iter().cloned().map(Value::from).collect(),
            Form::Link => self.links(),
            Form::Cluster | Form::Topic | Form::Group => self.names.clone(),
        }
    }

    /// Every ordered pair of hosts.
    fn links(&self) -> Vec<Value> {
        let from = self.hosts.iter();
        from.flat_map(|from| self.hosts.iter().map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .map(|(from, to)| json!([from, to]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_read_as_itself() {
        let mut read_back = 0;
        for entry in CATALOGUE {
            let text = format!("at = \"0ms\"\n{}", entry.sample);
            let spec: FaultSpec = toml::from_str(&text).expect("a fault");
            assert_eq!(read(&spec.prose()), Some(spec.clone()), "{}: {}", entry.name, spec.prose());
            read_back += 1;
            for simpler in spec.simpler() {
                assert_eq!(read(&simpler.prose()), Some(simpler.clone()), "{}", simpler.prose());
                read_back += 1;
            }
        }
        assert!(read_back > 80, "{read_back}");
    }

    #[test]
    fn people_may_say_it_in_their_way() {
        let check = |text: &str, expected: &str| {
            let expected = toml::from_str(&format!("at = \"0ms\"\n{expected}")).expect("a fault");
            assert_eq!(read(text), Some(expected), "{text}");
        };
        check("broker 2 of \"orders\" crashes", "crash = { host = \"orders-broker-2\" }");
        check(
            "broker \"2\" of \"orders\" loses power",
            "crash = { host = \"orders-broker-2\", mode = \"power\" }",
        );
        check(
            "New Relic answers 50% of the requests  with 429 and asks for 60 s",
            "too_many_requests = { share = 0.5, retry_after = \"1min\" }",
        );
        check(
            "nothing that the pipeline sends reaches New Relic",
            "partition = { between = [\"pipeline\", \"newrelic\"], one_way = true }",
        );
        for text in ["", "broker crashes", "New Relic is away", "the pipeline crashes twice"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
