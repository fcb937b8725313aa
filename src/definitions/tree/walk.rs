//! Reads a tree by a schema and collects everything that does not fit.

use super::{At, Entry, Node, Value, place};
use crate::definitions::error::DefinitionError;
use crate::definitions::source::Source;

/// The problems of one file.
pub(in crate::definitions) struct Walk<'p, 's> {
    pub source: Source<'s>,
    pub problems: &'p mut Vec<DefinitionError>,
}

/// The entries of a map whose keys are known.
#[derive(Debug, Clone, Copy)]
pub(in crate::definitions) struct Fields<'n> {
    pub at: At,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// The value of `key`, `null` included.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

impl Walk<'_, '_> {
    pub fn error(
        &mut self,
        at: At,
        code: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.problems.push(DefinitionError::error(place(self.source, at), code, problem, fix));
    }

    pub fn warning(
        &mut self,
        at: At,
        code: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.problems.push(DefinitionError::warning(place(self.source, at), code, problem, fix));
    }

    fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        let problem = format!("{what} is {}, not {wanted}", node.kind());
        let fix = match (&node.value, wanted) {
            (Value::Bool(value), "text") => format!("write \"{value}\" in quotes"),
            (Value::Number(number), "text") => format!("write \"{number}\" in quotes"),
            _ => format!("write {wanted}"),
        };
        self.error(node.at, "type", problem, fix);
    }

    /// The fields of a map, unknown keys reported. `null` is an empty map where `or_null`.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let fields = self.entries(node, what)?;
        for entry in fields.entries {
            if !known.contains(&entry.key.as_str()) {
                let fix = match nearest(&entry.key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                self.error(entry.at, "unknown-key", format!("unknown key `{}`", entry.key), fix);
            }
        }
        Some(fields)
    }

    /// The entries of a map of any keys.
    pub fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        match &node.value {
            Value::Map(entries) => Some(Fields { at: node.at, entries }),
            _ => {
                self.wrong(node, what, "a map");
                None
            }
        }
    }

    /// The value of a key that must be there and not `null`.
    pub fn required<'n>(&mut self, fields: Fields<'n>, key: &str) -> Option<&'n Node> {
        match fields.get(key) {
            Some(Node { value: Value::Null, at }) => {
                let problem = format!("key `{key}` has no value");
                self.error(*at, "missing-value", problem, "give it one");
                None
            }
            Some(node) => Some(node),
            None => {
                let problem = format!("key `{key}` is missing");
                self.error(fields.at, "missing-key", problem, format!("add `{key}:`"));
                None
            }
        }
    }

    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.wrong(node, what, "text");
                None
            }
        }
    }

    pub fn required_text<'n>(&mut self, fields: Fields<'n>, key: &str) -> Option<&'n str> {
        let node = self.required(fields, key)?;
        self.text(node, &format!("`{key}`"))
    }

    pub fn optional_text<'n>(&mut self, fields: Fields<'n>, key: &str) -> Option<&'n str> {
        let node = fields.get(key)?;
        self.text(node, &format!("`{key}`"))
    }

    pub fn optional_bool(&mut self, fields: Fields<'_>, key: &str) -> Option<bool> {
        let node = fields.get(key)?;
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(node, &format!("`{key}`"), "a boolean");
                None
            }
        }
    }

    pub fn integer(&mut self, node: &Node, what: &str) -> Option<i64> {
        let number = match &node.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(node, what, "a whole number");
        }
        number
    }

    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                self.wrong(node, what, "a list");
                None
            }
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        let items = self.list(node, what).unwrap_or_default();
        let one = format!("an item of {what}");
        items.iter().filter_map(|item| self.text(item, &one).map(str::to_owned)).collect()
    }
}

/// The one of `known` that `word` was probably meant to be.
pub(in crate::definitions) fn nearest<'k>(
    word: &str,
    known: impl Iterator<Item = &'k str>,
) -> Option<&'k str> {
    let allowed = 3.min(word.chars().count() / 2);
    known
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min()
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, known)| known)
}
