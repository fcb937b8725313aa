//! Patterns of steps: plain words with typed holes, `topic {string} has {count} partitions`.
//!
//! Invariants:
//! - A hole takes a text of its type and nothing else; a step sees what it took as a value.
//! - Patterns match whole steps.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use regex::Regex;

use crate::config::quantity::{DurationText, SizeText};
use crate::domain::entity::EntityKey;
use crate::domain::provider::Provider;
use crate::hybrid::mode::Mode;
use crate::sim::check::CATALOGUE;
use crate::sim::fault::{FaultSpec, speech};

/// A type of holes.
#[derive(Debug)]
pub struct Hole {
    /// What stands between the braces.
    pub name: &'static str,
    /// Regular expression of what it takes.
    looks: &'static str,
    /// What it takes, in words.
    pub meaning: &'static str,
    /// One that it takes.
    pub example: &'static str,
}

const fn hole(
    name: &'static str,
    looks: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> Hole {
    Hole { name, looks, meaning, example }
}

/// A text in quotes, a number with or without a unit, a date, `true`, `false`, `not set`, or JSON.
const VALUE: &str =
    r#"("[^"]*"|-?\d\S*(?: (?:ms|s|min|h|d|[kKMG]?i?B))?|true|false|not set|\[.*\]|\{.*\})"#;

/// Types of holes.
pub const HOLES: [Hole; 12] = [
    hole("string", r#""([^"]*)""#, "a text in quotes", "\"orders\""),
    hole("word", r"([A-Z][A-Z_]*)", "a word in capitals", "CONTAINS"),
    hole("count", r"(\d+|no)", "a whole number, or `no`", "12"),
    hole("percent", r"(\d+(?:\.\d+)?) ?%", "a share of a hundred", "91.7 %"),
    hole(
        "duration",
        r"(\d+(?:\.\d+)? ?(?:ms|s|m|min|h|d))",
        "a time, with its unit: ms, s, min, h, d",
        "90s",
    ),
    hole(
        "size",
        r"(\d+ ?[kKMG]?i?B)",
        "a number of bytes, with its unit: B, kB, KiB, MiB",
        "64MiB",
    ),
    hole(
        "fault",
        r"(.+)",
        "a fault in words, as `shakedown faults NAME` shows them",
        "broker 2 of \"orders\" crashes",
    ),
    hole(
        "promise",
        r"(.+)",
        "the promise of a check, as `shakedown checks` shows them",
        "every GUID has the documented form, names one object, and never changes",
    ),
    hole("setting", r"([a-z][a-z0-9_.-]*)", "a key of a scenario file", "network.latency"),
    hole("value", VALUE, "a value as a scenario file has it", "\"power\""),
    hole(
        "mode",
        r"(infrastructure|simulation|hybrid)",
        "where figures come from: infrastructure, simulation, hybrid",
        "hybrid",
    ),
    hole(
        "entity",
        r#"(cluster "[^"]+"|(?:broker|topic|group) "[^"]+" of "[^"]+")"#,
        "a cluster, or a broker, topic or group of one",
        "topic \"orders.created\" of \"orders\"",
    ),
];

/// What a hole took.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `{string}`, without its quotes, or `{word}` in capitals.
    Text(String),
    /// `{count}`.
    Count(u64),
    /// `{percent}`, 0 to 100 and beyond.
    Percent(f64),
    /// `{duration}`.
    Duration(Duration),
    /// `{mode}`.
    Mode(Mode),
    /// `{entity}`.
    Entity(EntityKey),
    /// `{fault}`, without times.
    Fault(Box<FaultSpec>),
    /// `{promise}`: the check's name.
    Promise(&'static str),
    /// `{value}`.
    Json(serde_json::Value),
}

/// What a step's holes took, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Args(Vec<Value>);

/// A hole that took something else than a step expects, or a value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// The step's code and its pattern disagree.
    #[error("hole {0} of the step is not a {1}")]
    Type(usize, &'static str),
    /// Too large, or no such duration.
    #[error("`{0}` is no {1}")]
    Value(String, &'static str),
}

macro_rules! getter {
    ($name:ident, $variant:ident, $type:ty, $word:literal) => {
        #[doc = concat!("What hole number `hole` took, a ", $word, ".")]
        ///
        /// # Errors
        /// When the pattern has something else there.
        pub fn $name(&self, hole: usize) -> Result<$type, ArgError> {
            match self.0.get(hole) {
                Some(Value::$variant(value)) => Ok(value.clone()),
                _ => Err(ArgError::Type(hole, $word)),
            }
        }
    };
}

impl Args {
    getter!(text, Text, String, "string");
    getter!(count, Count, u64, "count");
    getter!(percent, Percent, f64, "percent");
    getter!(duration, Duration, Duration, "duration");
    getter!(mode, Mode, Mode, "mode");
    getter!(entity, Entity, EntityKey, "entity");
    getter!(promise, Promise, &'static str, "promise");
    getter!(json, Json, serde_json::Value, "value");

    /// What hole number `hole` took, a time as a scenario file has it.
    ///
    /// # Errors
    /// When the pattern has something else there.
    pub fn time(&self, hole: usize) -> Result<String, ArgError> {
        Ok(DurationText(self.duration(hole)?).to_string())
    }

    /// What hole number `hole` took, a fault without times.
    ///
    /// # Errors
    /// When the pattern has something else there.
    pub fn fault(&self, hole: usize) -> Result<FaultSpec, ArgError> {
        match self.0.get(hole) {
            Some(Value::Fault(fault)) => Ok((**fault).clone()),
            _ => Err(ArgError::Type(hole, "fault")),
        }
    }
}

/// A pattern, compiled.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    /// The same with holes that take anything.
    loose: Regex,
    holes: Vec<&'static Hole>,
    /// Letters outside of holes.
    letters: usize,
}

/// A value that is not of its hole's type.
#[derive(Debug)]
pub struct Misfit {
    /// The hole.
    pub hole: &'static Hole,
    /// The value's bytes in the step.
    pub span: Range<usize>,
}

/// A pattern that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` has no type of hole called `{hole}`")]
pub struct UnknownHole {
    /// Of which pattern.
    pub pattern: String,
    /// Which.
    pub hole: String,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A hole of an unknown type.
    pub fn new(text: &str) -> Result<Self, UnknownHole> {
        let (mut regex, mut holes) = (String::from("^"), Vec::new());
        let (mut loose, mut letters) = (String::from("^"), 0);
        let mut rest = text;
        while let Some((words, after)) = rest.split_once('{') {
            regex.push_str(&literal(words));
            loose.push_str(&literal(words));
            loose.push_str("(.+?)");
            letters += words.len();
            let unknown = |hole: &str| UnknownHole { pattern: text.into(), hole: hole.into() };
            let (name, after) = after.split_once('}').ok_or_else(|| unknown(after))?;
            let known = HOLES.iter().find(|known| known.name == name);
            let known = known.ok_or_else(|| unknown(name))?;
            regex.push_str(known.looks);
            holes.push(known);
            rest = after;
        }
        letters += rest.len();
        let compiled = |mut regex: String| {
            regex.push_str(&literal(rest));
            regex.push('$');
            Regex::new(&regex).expect("escaped words and the holes above")
        };
        Ok(Self { regex: compiled(regex), loose: compiled(loose), holes, letters })
    }

    /// How many letters of it stand outside of holes.
    pub fn letters(&self) -> usize {
        self.letters
    }

    /// The first value of `step` that is not of its hole's type, when that is all that is wrong.
    pub fn misfit(&self, step: &str) -> Option<Misfit> {
        let captures = self.loose.captures(step)?;
        let texts = captures.iter().skip(1).flatten();
        self.holes.iter().zip(texts).find_map(|(hole, found)| {
            let whole = Regex::new(&format!("^{}$", hole.looks)).ok()?;
            let is_right = whole.is_match(found.as_str())
                && value(hole.name, found.as_str()).is_some_and(|value| value.is_ok());
            (!is_right).then(|| Misfit { hole, span: found.range() })
        })
    }

    /// What the holes took of `step`; `None` when it is another step.
    ///
    /// # Errors
    /// A value that looks right and cannot be.
    pub fn take(&self, step: &str) -> Option<Result<Args, ArgError>> {
        let captures = self.regex.captures(step)?;
        let texts = captures.iter().skip(1).flatten().map(|found| found.as_str());
        let values: Option<Vec<_>> =
            self.holes.iter().zip(texts).map(|(hole, text)| value(hole.name, text)).collect();
        Some(values?.into_iter().collect::<Result<_, _>>().map(Args))
    }
}

/// Words of a pattern as a regular expression: `topic(s)` takes both, `copy/copies` either.
fn literal(words: &str) -> String {
    let word = |word: &str| {
        if let Some((one, other)) = word.split_once('/') {
            return format!("(?:{}|{})", regex::escape(one), regex::escape(other));
        }
        let escaped = regex::escape(word);
        escaped.replace(r"\(", "(?:").replace(r"\)", ")?")
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What a hole makes of a text that looks right; `None` when the text is of another step.
fn value(hole: &str, text: &str) -> Option<Result<Value, ArgError>> {
    let wrong = |word| ArgError::Value(text.to_owned(), word);
    Some(match hole {
        "count" if text == "no" => Ok(Value::Count(0)),
        "count" => text.parse().map(Value::Count).map_err(|_| wrong("count")),
        "percent" => text.parse().map(Value::Percent).map_err(|_| wrong("percent")),
        "duration" => {
            let duration = text.replace(' ', "").parse::<DurationText>();
            duration.map(|duration| Value::Duration(duration.0)).map_err(|_| wrong("duration"))
        }
        "size" => {
            let size = text.replace(' ', "");
            let read = size.parse::<SizeText>().map_err(|_| wrong("size"));
            read.map(|_| Value::Text(size))
        }
        "mode" => text.parse().map(Value::Mode).map_err(|_| wrong("mode")),
        "entity" => entity(text).map(Value::Entity).ok_or_else(|| wrong("entity")),
        "fault" => Ok(Value::Fault(Box::new(speech::read(text)?))),
        "promise" => {
            let known = CATALOGUE.iter().find(|check| check.promise == text)?;
            Ok(Value::Promise(known.name))
        }
        "value" => Ok(Value::Json(json(text))),
        _ => Ok(Value::Text(text.to_owned())),
    })
}

/// A value as a scenario file has it: a time or size without quotes, or JSON.
fn json(text: &str) -> serde_json::Value {
    let plain = text.replace(' ', "");
    if text == "not set" {
        return serde_json::Value::Null;
    }
    if plain.parse::<DurationText>().is_ok() {
        return plain.into();
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// `broker "1" of "orders"`.
fn entity(text: &str) -> Option<EntityKey> {
    let mut parts = text.split('"');
    let (kind, name) = (parts.next()?.trim(), parts.next()?.to_owned());
    let provider = Provider::Kafka;
    if kind == "cluster" {
        return Some(EntityKey::Cluster { provider, cluster: name });
    }
    let cluster = parts.nth(1)?.to_owned();
    Some(match kind {
        "broker" => EntityKey::Broker { provider, cluster, broker_id: name },
        "topic" => EntityKey::Topic { provider, cluster, topic: name },
        _ => EntityKey::Group { provider, cluster, group: name },
    })
}

/// An entity as steps write it.
pub struct Named<'a>(pub &'a EntityKey);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            EntityKey::Cluster { cluster, .. } => return write!(f, "cluster \"{cluster}\""),
            EntityKey::Broker { .. } => "broker",
            EntityKey::Topic { .. } => "topic",
            EntityKey::Queue { .. } => "queue",
            EntityKey::Group { .. } => "group",
        };
        write!(f, "{kind} \"{}\" of \"{}\"", self.0.name(), self.0.cluster())
    }
}
