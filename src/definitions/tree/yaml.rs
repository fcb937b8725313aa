//! YAML to a tree with places.
//!
//! js-yaml, which the repository's own checks use, takes a tab wherever a space may stand except in
//! indentation; 16 public files hold some at line ends. A document that does not parse as it is
//! gets a second chance with such tabs as spaces.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, Spanned};

use super::{At, DEPTH_MAX, Entry, Node, Value};
use crate::definitions::error::{DefinitionError, Place};
use crate::definitions::source::Source;

/// Nodes of a document, those behind aliases counted each time.
const NODES_MAX: usize = 50_000;

/// Reads the one document of `source`.
pub(super) fn parse(source: Source<'_>, problems: &mut Vec<DefinitionError>) -> Option<Node> {
    let tabless = spaces_for_tabs(source.text);
    let either = |keys| {
        read(source.text, keys).or_else(|error| match &tabless {
            Some(text) => read(text, keys),
            None => Err(error),
        })
    };
    let mut keep = |error: &Error| {
        let problem = problem(source, error.without_snippet());
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    either(DuplicateKeyPolicy::Error)
        .or_else(|error| {
            let is_twice = matches!(error.without_snippet(), Error::DuplicateMappingKey { .. });
            keep(&error);
            if is_twice { either(DuplicateKeyPolicy::FirstWins) } else { Err(error) }
        })
        .map_err(|error| keep(&error))
        .ok()
}

pub(super) fn read<T: DeserializeOwned>(text: &str, keys: DuplicateKeyPolicy) -> Result<T, Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_aliases: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX },
        duplicate_keys: keys,
        // As YAML 1.2 and js-yaml have it: `y` and `on` are text.
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// The text with tabs as spaces, except in the indentation of a line that holds something; `None`
/// when that changes nothing.
pub(super) fn spaces_for_tabs(text: &str) -> Option<String> {
    if !text.contains('\t') {
        return None;
    }
    let mut changed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        let indentation = &line[..line.len() - content.len()];
        if content.trim_end().is_empty() {
            changed.push_str(content);
        } else {
            changed.push_str(indentation);
            changed.push_str(&content.replace('\t', " "));
        }
    }
    (changed != text).then_some(changed)
}

fn at(location: Location) -> At {
    At { line: location.line(), column: location.column() }
}

pub(super) fn problem(source: Source<'_>, error: &Error) -> DefinitionError {
    let At { line, column } = at(error.location().unwrap_or(Location::UNKNOWN));
    let place = Place { file: source.path.to_owned(), line, column };
    let (problem, fix) = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            let told = (format!("key `{key}` is given twice"), "keep one of them");
            // Nothing is lost with a second key that has no value, as a tag without options.
            return match has_value(source.text, line) {
                true => DefinitionError::error(place, "key-twice", told.0, told.1),
                false => DefinitionError::warning(place, "key-twice", told.0, told.1),
            };
        }
        Error::MultipleDocuments { .. } => {
            ("a second document begins".to_owned(), "write one document in a file")
        }
        other => {
            let told = other.to_string();
            let told = told.lines().next().unwrap_or_default();
            // The place stands before the problem already.
            let told = told.split(" at line ").next().unwrap_or_default();
            (told.trim_end_matches([':', ',', ' ']).to_owned(), "correct the YAML at this place")
        }
    };
    DefinitionError::error(place, "yaml", problem, fix)
}

/// Whether the key on this line has a value, on the line or below it.
fn has_value(text: &str, line: u64) -> bool {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip(line.saturating_sub(1) as usize);
    let Some(first) = lines.next() else { return true };
    let plain = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let deeper = |next: &str| indentation(next) > indentation(first);
    !first.trim_end().ends_with(':') || lines.find(plain).is_some_and(deeper)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { at: at(spanned.referenced), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let at = at(key.referenced);
            entries.push(Entry { key: key.value, at, value: access.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}
