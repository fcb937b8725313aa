//! Holds a document against a JSON schema (the subset that schemars emits) and names every
//! difference.
//!
//! What it cannot judge (an `anyOf` of several types, `pattern`) it leaves to serde, which reads
//! the document afterwards. Its own word beside them is `x-write`: what to write for a missing key.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::Problem;
use super::suggest::{fix, nearest, one_of};
use super::tree::{Entry, Node, Value};
use crate::config::load::{check_base_url, check_header_name, check_webhook};
use crate::config::quantity::{DurationText, SizeText, WindowText};
use crate::domain::words::counted;
use crate::newrelic::Region;
use crate::ports::Endpoint;

/// Checks a text; the error says what is wrong and how to write it.
type FormatCheck = fn(&str) -> Result<(), String>;

/// Values of `format` in a schema that are checked, by name.
pub const FORMATS: &[(&str, FormatCheck)] = &[
    ("duration", |text| parsed::<DurationText>(text)),
    ("size", |text| parsed::<SizeText>(text)),
    ("window", |text| parsed::<WindowText>(text)),
    ("endpoint", |text| parsed::<Endpoint>(text)),
    ("ip", ip_address),
    ("region", |text| parsed::<Region>(text)),
    ("base_url", |text| check_base_url(text)),
    ("webhook", |text| check_webhook(text)),
    ("header_name", |text| check_header_name(text)),
];

fn parsed<T: std::str::FromStr>(text: &str) -> Result<(), String>
where
    T::Err: std::fmt::Display,
{
    text.parse::<T>().map(|_| ()).map_err(|error| error.to_string())
}

fn ip_address(text: &str) -> Result<(), String> {
    let parsed: Result<std::net::IpAddr, _> = text.parse();
    parsed.map(|_| ()).map_err(|_| format!("`{text}` is not an IP address: for example 127.0.0.1"))
}

/// Every difference between the document `root` and `schema`.
pub(super) fn check(schema: &Json, root: &Node) -> Vec<Problem> {
    let defs = schema.get("$defs").and_then(Json::as_object);
    let mut walk = Walk { defs, problems: Vec::new() };
    walk.value("", schema, root);
    walk.problems
}

struct Walk<'s> {
    defs: Option<&'s Map<String, Json>>,
    problems: Vec<Problem>,
}

impl<'s> Walk<'s> {
    fn report(&mut self, rule: &'static str, node: &Node, message: String, help: Option<String>) {
        self.problems.push(Problem { rule, message, span: node.span.clone(), help });
    }

    /// `schema` with references followed and `null` (which TOML lacks) taken out.
    fn resolve(&self, schema: &'s Json) -> &'s Json {
        // A branch of a tagged enumeration may have its tag beside a reference: its tag counts
        // here, and serde judges the rest.
        let reference = schema.get("$ref").filter(|_| schema.get("properties").is_none());
        if let Some(name) = reference.and_then(Json::as_str) {
            let name = name.trim_start_matches("#/$defs/");
            return self.defs.and_then(|d| d.get(name)).map_or(schema, |s| self.resolve(s));
        }
        let is_null = |s: &Json| s.get("type").and_then(Json::as_str) == Some("null");
        let any_of = schema.get("anyOf").and_then(Json::as_array);
        let mut present = any_of.into_iter().flatten().filter(|s| !is_null(s));
        match (present.next(), present.next()) {
            (Some(only), None) => self.resolve(only),
            _ => schema,
        }
    }

    /// Checks `node`, the value of `key` (empty at the root).
    fn value(&mut self, key: &str, schema: &'s Json, node: &Node) {
        let schema = self.resolve(schema);
        if let Some(branches) = schema.get("oneOf").and_then(Json::as_array) {
            return self.one_of(key, branches, node);
        }
        if !self.has_type(key, schema, node) {
            return;
        }
        match &node.value {
            Value::String(text) => self.text(schema, node, text),
            Value::Integer(integer) => self.range(key, schema, node, *integer as f64),
            Value::Float(float) => self.range(key, schema, node, *float),
            Value::Null | Value::Boolean | Value::Datetime => {}
            Value::Array(items) => self.array(key, schema, node, items),
            Value::Table(entries) => self.table(key, schema, node, entries),
        }
    }

    fn has_type(&mut self, key: &str, schema: &Json, node: &Node) -> bool {
        let names = types_of(schema);
        if names.is_empty() {
            return true;
        }
        let fits = |name: &str| match node.value {
            Value::Null => name == "null",
            Value::String(_) => name == "string",
            Value::Integer(_) => name == "integer" || name == "number",
            Value::Float(_) => name == "number",
            Value::Boolean => name == "boolean",
            Value::Datetime => false,
            Value::Array(_) => name == "array",
            Value::Table(_) => name == "object",
        };
        if names.iter().copied().any(fits) {
            return true;
        }
        let wanted = names.iter().filter(|name| **name != "null").map(|name| match *name {
            "integer" => "an integer",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "an array",
            "object" => "a table",
            _ => "a string",
        });
        let wanted: Vec<&str> = wanted.collect();
        let found = node.value.type_name();
        let message = format!("{} is {found}, not {}", name_of(key), wanted.join(" or "));
        self.report("wrong_type", node, message, Some(wanted_form(schema, &names)));
        false
    }

    fn text(&mut self, schema: &Json, node: &Node, text: &str) {
        let words = schema.get("enum").and_then(Json::as_array);
        let words: Vec<&str> = words.into_iter().flatten().filter_map(Json::as_str).collect();
        if !words.is_empty() && !words.contains(&text) {
            let help = fix(text, &words);
            self.report("unknown_value", node, format!("unknown value `{text}`"), Some(help));
        }
        let length_min = schema.get("minLength").and_then(Json::as_u64).unwrap_or(0);
        if (text.chars().count() as u64) < length_min {
            self.report("empty", node, "the text is empty".to_owned(), example(schema));
        }
        let length_max = schema.get("maxLength").and_then(Json::as_u64).unwrap_or(u64::MAX);
        if text.chars().count() as u64 > length_max {
            let help = Some(format!("at most {length_max} characters"));
            self.report("out_of_range", node, "the text is too long".to_owned(), help);
        }
        let format = schema.get("format").and_then(Json::as_str);
        let check = FORMATS.iter().find(|(name, _)| Some(*name) == format);
        if let Some(Err(reason)) = check.map(|(_, check)| check(text)) {
            let (message, help) = match reason.split_once(": ").or_else(|| reason.split_once("; "))
            {
                Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
                None => (reason, example(schema)),
            };
            self.report("invalid_value", node, message, help);
        }
    }

    fn range(&mut self, key: &str, schema: &Json, node: &Node, value: f64) {
        let bound = |name: &str| schema.get(name).filter(|bound| bound.is_number());
        let (min, max) = (bound("minimum"), bound("maximum"));
        let below = min.and_then(Json::as_f64).is_some_and(|min| value < min);
        let above = max.and_then(Json::as_f64).is_some_and(|max| value > max);
        if !below && !above && !value.is_nan() {
            return;
        }
        let help = match (min, max) {
            (Some(min), Some(max)) => Some(format!("allowed: {min} to {max}")),
            (Some(min), None) => Some(format!("allowed: {min} or more")),
            (None, Some(max)) => Some(format!("allowed: up to {max}")),
            (None, None) => None,
        };
        self.report("out_of_range", node, format!("{} is out of range", name_of(key)), help);
    }

    fn array(&mut self, key: &str, schema: &'s Json, node: &Node, items: &[Node]) {
        let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Json::as_u64).unwrap_or(u64::MAX);
        let length = items.len() as u64;
        if !(least..=most).contains(&length) {
            let message = match length {
                0 => format!("{} is empty", name_of(key)),
                length => format!("{} has {}", name_of(key), counted(length, "element")),
            };
            let give = match (least, most) {
                (least, most) if least == most => format!("give exactly {least}"),
                (least, _) if length < least => format!("give at least {least}"),
                (_, most) => format!("give at most {most}"),
            };
            let help = example(schema).map_or(give.clone(), |example| format!("{give}, {example}"));
            let rule = if length < least { "too_few" } else { "too_many" };
            self.report(rule, node, message, Some(help));
        }
        if let Some(schema) = schema.get("items") {
            for item in items {
                self.value(key, schema, item);
            }
        }
    }

    fn table(
        &mut self,
        key: &str,
        schema: &'s Json,
        node: &Node,
        entries: &BTreeMap<String, Entry>,
    ) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Json::as_object);
        let additional = schema.get("additionalProperties");
        // A required key that an unknown one was probably meant to be is not reported twice.
        let mut misspelt: Vec<&str> = Vec::new();
        for (name, entry) in entries {
            if let Some(schema) = properties.and_then(|p| p.get(name)) {
                self.value(name, schema, &entry.node);
            } else if additional == Some(&Json::Bool(false)) {
                let known: Vec<&str> =
                    properties.unwrap_or(&none).keys().map(String::as_str).collect();
                let message = match key {
                    "" => format!("unknown key `{name}`"),
                    _ => format!("unknown key `{name}` in `{key}`"),
                };
                let span = entry.key_span.clone();
                let help = Some(fix(name, &known));
                misspelt.extend(nearest(name, known));
                self.problems.push(Problem { rule: "unknown_key", message, span, help });
            } else if let Some(schema) = additional {
                self.value(name, schema, &entry.node);
            }
        }
        let required = schema.get("required").and_then(Json::as_array);
        for name in required.into_iter().flatten().filter_map(Json::as_str) {
            if !entries.contains_key(name) && !misspelt.contains(&name) {
                let message = match key {
                    "" => format!("missing key `{name}`"),
                    _ => format!("missing key `{name}` in `{key}`"),
                };
                let property = properties.and_then(|p| p.get(name));
                let help = property.map(|p| missing_form(name, self.resolve(p)));
                self.report("missing_key", node, message, help);
            }
        }
    }

    /// An enumeration: bare words, tables with a tag, or tables with one key.
    fn one_of(&mut self, key: &str, branches: &'s [Json], node: &Node) {
        let branches: Vec<&'s Json> = branches.iter().map(|branch| self.resolve(branch)).collect();
        match &node.value {
            Value::String(text) => {
                let words: Vec<&str> = branches.iter().flat_map(|b| words_of(b)).collect();
                if words.is_empty() {
                    self.report("wrong_type", node, format!("{} is a string", name_of(key)), None);
                } else if !words.contains(&text.as_str()) {
                    let help = fix(text, &words);
                    let message = format!("unknown value `{text}`");
                    self.report("unknown_value", node, message, Some(help));
                }
            }
            Value::Table(entries) => match tag_of(&branches) {
                Some(tag) => self.tagged(key, tag, &branches, node, entries),
                None => self.one_key(key, &branches, node, entries),
            },
            other => {
                let message = format!("{} is {}", name_of(key), other.type_name());
                let words: Vec<&str> = branches.iter().flat_map(|b| words_of(b)).collect();
                let help = (!words.is_empty()).then(|| format!("expected {}", one_of(words)));
                self.report("wrong_type", node, message, help);
            }
        }
    }

    fn tagged(
        &mut self,
        key: &str,
        tag: &str,
        branches: &[&'s Json],
        node: &Node,
        entries: &BTreeMap<String, Entry>,
    ) {
        let constant = |branch: &'s Json| constant_of(branch, tag);
        let known: Vec<&str> = branches.iter().filter_map(|b| constant(b)).collect();
        let Some(entry) = entries.get(tag) else {
            let message = format!("missing key `{tag}` in {}", name_of(key));
            return self.report("missing_key", node, message, Some(one_of(known)));
        };
        let Value::String(text) = &entry.node.value else {
            let found = entry.node.value.type_name();
            let message = format!("`{tag}` is {found}, not a string");
            return self.report("wrong_type", &entry.node, message, Some(one_of(known)));
        };
        match branches.iter().find(|b| constant(b) == Some(text.as_str())) {
            Some(branch) => self.table(text, branch, node, entries),
            None => {
                let message = format!("unknown {tag} `{text}`");
                self.report("unknown_value", &entry.node, message, Some(fix(text, &known)));
            }
        }
    }

    fn one_key(
        &mut self,
        key: &str,
        branches: &[&'s Json],
        node: &Node,
        entries: &BTreeMap<String, Entry>,
    ) {
        let name_of_branch = |branch: &'s Json| {
            let required = branch.get("required").and_then(Json::as_array)?;
            required.first().and_then(Json::as_str)
        };
        let known: Vec<&str> = branches.iter().filter_map(|b| name_of_branch(b)).collect();
        let chosen = branches
            .iter()
            .find(|b| name_of_branch(b).is_some_and(|name| entries.contains_key(name)));
        match (chosen, entries.iter().next()) {
            (Some(branch), _) => self.table(key, branch, node, entries),
            (None, Some((name, entry))) => {
                let message = format!("unknown key `{name}`");
                let span = entry.key_span.clone();
                let help = Some(fix(name, &known));
                self.problems.push(Problem { rule: "unknown_key", message, span, help });
            }
            (None, None) => {
                let message = format!("{} is empty", name_of(key));
                self.report("missing_key", node, message, Some(one_of(known)));
            }
        }
    }
}

/// `` `key` ``, or the file at the root.
fn name_of(key: &str) -> String {
    if key.is_empty() { "the file".to_owned() } else { format!("`{key}`") }
}

/// "for example …", when the schema has one.
fn example(schema: &Json) -> Option<String> {
    let examples = schema.get("examples").and_then(Json::as_array)?;
    examples.first().map(|example| format!("for example {example}"))
}

/// What to write for a missing `key` of this schema.
fn missing_form(key: &str, schema: &Json) -> String {
    let branches = schema.get("oneOf").and_then(Json::as_array).into_iter().flatten();
    let words: Vec<&str> = branches.chain([schema]).flat_map(words_of).collect();
    let said = schema.get("x-write").and_then(Json::as_str).map(str::to_owned);
    match said.or_else(|| example(schema)) {
        Some(example) => example,
        None if !words.is_empty() => format!("add `{key}`, one of {}", one_of(words)),
        None => match types_of(schema).first() {
            Some(&"object") => format!("add a table called `{key}`"),
            Some(&kind) => format!("add `{key} = …`, {}", type_words(kind)),
            None => format!("add `{key}`"),
        },
    }
}

/// What to write where a value has none of the types `names`.
fn wanted_form(schema: &Json, names: &[&str]) -> String {
    let bare = |name: &&&str| ["integer", "number", "boolean"].contains(*name);
    match (example(schema), names.iter().find(bare)) {
        (Some(example), _) => example,
        (None, Some(name)) => format!("write {} without quotation marks", type_words(name)),
        (None, None) => {
            let first = names.iter().find(|name| **name != "null");
            format!("write {}", first.map_or("another value", |name| type_words(name)))
        }
    }
}

fn types_of(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A type of a schema, as TOML has it.
fn type_words(name: &str) -> &'static str {
    match name {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "values in [ ]",
        "object" => "a table",
        _ => "a text in quotation marks",
    }
}

/// The bare words that one branch of an enumeration allows.
fn words_of(branch: &Json) -> Vec<&str> {
    let listed = branch.get("enum").and_then(Json::as_array).into_iter().flatten();
    listed.chain(branch.get("const")).filter_map(Json::as_str).collect()
}

/// The constant that `branch` demands of its property `tag`.
fn constant_of<'s>(branch: &'s Json, tag: &str) -> Option<&'s str> {
    branch.get("properties")?.get(tag)?.get("const")?.as_str()
}

/// The property that tells the table branches apart.
fn tag_of<'s>(branches: &[&'s Json]) -> Option<&'s str> {
    let mut tables = branches.iter().filter(|branch| branch.get("properties").is_some());
    let first = tables.next()?;
    let properties = first.get("properties")?.as_object()?;
    let rest: Vec<_> = tables.collect();
    let is_tag = |tag: &str| {
        constant_of(first, tag).is_some() && rest.iter().all(|b| constant_of(b, tag).is_some())
    };
    properties.keys().map(String::as_str).find(|tag| is_tag(tag))
}
