//! Functions that take texts apart: regular expressions, anchors, JSON.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use regex::{Regex, RegexBuilder};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Apply, Known, Make};
use crate::nrql::eval::expr::Scope;
use crate::nrql::value::Value;

pub(super) const FUNCTIONS: &[(&str, Make)] = &[
    ("aparse", Make::Special(aparse)),
    ("capture", Make::Special(capture)),
    ("jparse", Make::Special(jparse)),
    ("mapkeys", Make::Plain(1, 1, map_keys)),
    ("mapvalues", Make::Plain(1, 1, map_values)),
];

/// Compiled patterns larger than this are refused.
const REGEX_BYTES_MAX: usize = 1 << 20;
const GROUPS_MAX: usize = 16;

/// A pattern that must match whole texts.
///
/// # Errors
/// Why it is no pattern, in a sentence's part.
pub(crate) fn whole(pattern: &str, any_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .case_insensitive(any_case)
        .dot_matches_new_line(true)
        .build()
        .map_err(|fault| {
            let why = fault.to_string();
            let why = why.lines().last().unwrap_or_default().trim().to_owned();
            format!("has an invalid regular expression '{pattern}': {why}")
        })
}

/// One group gives a text, several a list.
fn groups(regex: Regex) -> Result<Arc<Apply>, String> {
    let count = regex.captures_len() - 1;
    if count == 0 || count > GROUPS_MAX {
        return Err(format!("takes a pattern of 1 to {GROUPS_MAX} captures"));
    }
    Ok(Arc::new(move |values| {
        let Some(found) = values[0].as_str().and_then(|text| regex.captures(text)) else {
            return Value::Null;
        };
        let group =
            |at: usize| found.get(at).map_or(Value::Null, |group| Value::text(group.as_str()));
        if count == 1 { group(1) } else { Value::List((1..=count).map(group).collect()) }
    }))
}

fn capture(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    match known {
        [_, pattern] => match &pattern.constant {
            Some(Value::Text(pattern)) => groups(whole(pattern, false)?),
            _ => Err("takes a pattern r'…'".to_owned()),
        },
        _ => Err("takes an attribute and a pattern r'…'".to_owned()),
    }
}

fn aparse(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    let pattern = match known {
        [_, Known { constant: Some(Value::Text(pattern)), .. }] => pattern,
        _ => return Err("takes an attribute and a pattern in quotes".to_owned()),
    };
    let mut translated = String::new();
    for part in pattern.split_inclusive(['%', '*']) {
        let anchor = part.trim_end_matches(['%', '*']);
        translated.push_str(&regex::escape(anchor));
        match &part[anchor.len()..] {
            "%" => translated.push_str(".*?"),
            "*" => translated.push_str("(.*?)"),
            _ => {}
        }
    }
    groups(whole(&translated, true)?)
}

fn map_keys(values: &[Value]) -> Value {
    match &values[0] {
        Value::Map(map) => {
            Value::List(map.keys().map(|key| Value::Text(Arc::clone(key))).collect())
        }
        _ => Value::Null,
    }
}

fn map_values(values: &[Value]) -> Value {
    match &values[0] {
        Value::Map(map) => Value::List(map.values().cloned().collect()),
        _ => Value::Null,
    }
}

/// A value read from JSON; keys keep their order, of two equal ones the later counts.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json(Value::Null))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
                Ok(Json(Value::Bool(truth)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                let float = crate::nrql::eval::column::as_f64(number);
                let exact = number.unsigned_abs() <= 1 << 53;
                Ok(Json(if exact { Value::Number(float) } else { Value::Integer(number) }))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "beyond 64 signed bits only a float is left"
            )]
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Json, E> {
                match i64::try_from(number) {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => Ok(Json(Value::Number(number as f64))),
                }
            }

            fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
                Ok(Json(super::number(number)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json(Value::text(text)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Json, A::Error> {
                let mut values = Vec::new();
                while let Some(Json(value)) = source.next_element()? {
                    values.push(value);
                }
                Ok(Json(Value::List(values)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Json, A::Error> {
                let mut map = IndexMap::new();
                while let Some((key, Json(value))) = source.next_entry::<String, Json>()? {
                    map.insert(Arc::from(key), value);
                }
                Ok(Json(Value::Map(map)))
            }
        }
        source.deserialize_any(Reader)
    }
}

fn jparse(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    let path = match known {
        [_] => Vec::new(),
        [_, Known { constant: Some(Value::Text(path)), .. }] => {
            steps(path).ok_or_else(|| format!("has an invalid path '{path}'"))?
        }
        _ => return Err("takes an attribute and, if need be, a path in quotes".to_owned()),
    };
    Ok(Arc::new(move |values| {
        let text = values[0].as_str();
        match text.and_then(|text| serde_json::from_str::<Json>(text).ok()) {
            Some(Json(value)) => walk(&value, &path),
            None => Value::Null,
        }
    }))
}

/// One step of a path into JSON.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// One member.
    One(Pick),
    /// Several, as a list.
    Some(Vec<Pick>),
    /// `from:to`; negative ones count from the end.
    Range(Option<i64>, Option<i64>),
    /// `*`.
    All,
}

#[derive(Debug, Clone, PartialEq)]
enum Pick {
    Key(String),
    At(usize),
}

/// `a.b[0]["c d"][*][1:]` as steps; `None` when it is none.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = closing(inside)?;
            steps.push(bracket(&inside[..end])?);
            rest = &inside[end + 1..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        steps.push(Step::One(Pick::Key(rest[..end].to_owned())));
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
    }
    Some(steps)
}

/// Where the bracket closes, outside quotes.
fn closing(inside: &str) -> Option<usize> {
    let mut quoted = false;
    inside.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == ']' && !quoted).then_some(at)
    })
}

fn bracket(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::All);
    }
    if let Some((from, to)) = inside.split_once(':').filter(|_| !inside.contains('"')) {
        let bound = |text: &str| match text.trim() {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        };
        return Some(Step::Range(bound(from)?, bound(to)?));
    }
    let mut picks = inside.split(',').map(|item| pick(item.trim())).collect::<Option<Vec<_>>>()?;
    if picks.len() == 1 { picks.pop().map(Step::One) } else { Some(Step::Some(picks)) }
}

fn pick(item: &str) -> Option<Pick> {
    if let Some(quoted) = item.strip_prefix('"') {
        return quoted.strip_suffix('"').map(|key| Pick::Key(key.to_owned()));
    }
    match item.parse() {
        Ok(at) => Some(Pick::At(at)),
        Err(_) => (!item.is_empty()).then(|| Pick::Key(item.to_owned())),
    }
}

fn walk(value: &Value, steps: &[Step]) -> Value {
    let Some((step, rest)) = steps.split_first() else { return value.clone() };
    let each =
        |values: &[Value]| Value::List(values.iter().map(|value| walk(value, rest)).collect());
    match (step, value) {
        (Step::One(pick), _) => picked(value, pick).map_or(Value::Null, |found| walk(found, rest)),
        (Step::Some(picks), _) => {
            let found = picks.iter().map(|pick| picked(value, pick).cloned());
            walk(&Value::List(found.map(Option::unwrap_or_default).collect()), rest)
        }
        (Step::All, Value::List(values)) => each(values),
        (Step::All, Value::Map(map)) => each(&map.values().cloned().collect::<Vec<_>>()),
        (Step::Range(from, to), Value::List(values)) => {
            let place = |bound: i64| {
                let back = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
                let len = values.len();
                if bound < 0 { len.saturating_sub(back) } else { back.min(len) }
            };
            let (from, to) = (from.map_or(0, place), to.map_or(values.len(), place));
            each(values.get(from..to).unwrap_or_default())
        }
        (Step::All | Step::Range(..), _) => Value::Null,
    }
}

fn picked<'a>(value: &'a Value, pick: &Pick) -> Option<&'a Value> {
    match (value, pick) {
        (Value::Map(map), Pick::Key(key)) => map.get(key.as_str()),
        (Value::List(values), Pick::At(at)) => values.get(*at),
        _ => None,
    }
}
