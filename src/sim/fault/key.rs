//! Keys of a fault's table: what each takes, in which unit, within which limits.
//!
//! Invariant: all of it comes from the schema of scenario files, which is the one that is enforced.
//! What a schema has no word for stands in it as `x-range`, `x-unit` and `x-absent`.

use schemars::schema_for;
use serde::Serialize;
use serde_json::Value;

use super::FaultSpec;
use crate::config::quantity::{DurationText, SizeText};

/// Range of a host that must be a broker's.
pub(super) const BROKER: &str = "CLUSTER-broker-N";
/// Range of a share: one that hits nothing is no fault.
pub(super) const SHARE: &str = "above 0, at most 1";
/// Range of a duration without which the fault does nothing.
pub(super) const SOME_TIME: &str = "1ms or more";
/// Range of what a `Retry-After` says.
pub(super) const RETRY_AFTER: &str = "0s to 1d, in whole seconds";

/// One key of a fault's table in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// As the file has it.
    pub name: String,
    /// Whether it must be there.
    pub required: bool,
    /// What is written after it.
    #[serde(rename = "type")]
    pub form: Form,
    /// What its numbers count; nothing if it takes none.
    pub unit: Option<String>,
    /// Which values it takes.
    pub range: String,
    /// What holds when it is absent; nothing if it must be there.
    pub default: Option<String>,
    /// What it means.
    pub meaning: String,
}

/// What is written after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A text with a unit of time.
    Duration,
    /// A text with a unit of bytes.
    Size,
    /// A number from 0 to 1.
    Share,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// One of a few words.
    Word,
    /// Name of a host.
    Host,
    /// Names of two hosts.
    Link,
    /// Name of a cluster.
    Cluster,
    /// Name of a topic.
    Topic,
    /// Name of a consumer group.
    Group,
}

impl Form {
    /// For tables.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Share => "share",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Word => "word",
            Self::Host => "host",
            Self::Link => "two hosts",
            Self::Cluster => "cluster",
            Self::Topic => "topic",
            Self::Group => "consumer group",
        }
    }

    /// Of the key `name`; names of objects are told apart by their key.
    fn of(name: &str, field: &Value, words: &[&str]) -> Self {
        match field.get("format").and_then(Value::as_str) {
            Some("duration") => return Self::Duration,
            Some("size") => return Self::Size,
            _ if !words.is_empty() => return Self::Word,
            _ => {}
        }
        let is = |wanted: &str| match field.get("type") {
            Some(Value::Array(types)) => types.iter().any(|one| one == wanted),
            Some(one) => one == wanted,
            None => false,
        };
        match name {
            _ if is("number") => Self::Share,
            _ if is("integer") => Self::Integer,
            _ if is("boolean") => Self::Boolean,
            _ if is("array") => Self::Link,
            "cluster" => Self::Cluster,
            "topic" => Self::Topic,
            "group" => Self::Group,
            _ => Self::Host,
        }
    }

    fn unit(self) -> Option<String> {
        match self {
            Self::Duration => Some(DurationText::unit_names()),
            Self::Size => Some(SizeText::unit_names()),
            Self::Share => Some("parts of 1".to_owned()),
            _ => None,
        }
    }

    fn range(self, field: &Value, words: &[&str]) -> String {
        let text = match self {
            Self::Duration => "0ms or more",
            Self::Size => "0B or more",
            Self::Share | Self::Integer => return between(field),
            Self::Boolean => "true, false",
            Self::Word => return words.join(", "),
            Self::Host => "`pipeline`, `newrelic` or CLUSTER-broker-N",
            Self::Link => "two different hosts",
            Self::Cluster => "a cluster of the scenario",
            Self::Topic => "a topic of the cluster",
            Self::Group => "a consumer group of the cluster",
        };
        text.to_owned()
    }
}

impl Key {
    /// The keys of the table under `kind`.
    pub(super) fn of_kind(kind: &str) -> Vec<Self> {
        let schema = schema_for!(FaultSpec);
        let root = schema.as_value();
        let field = root.pointer(&format!("/properties/{kind}"));
        let Some(table) = field.and_then(|field| resolve(root, field)) else { return Vec::new() };
        let fields = table.get("properties").and_then(Value::as_object).into_iter().flatten();
        fields.map(|(name, field)| Self::of(root, name, field, required(table, name))).collect()
    }

    /// The keys beside it: when it begins, and how long it is in force unless it is `instant`.
    pub(super) fn of_times(instant: bool) -> Vec<Self> {
        let schema = schema_for!(FaultSpec);
        let root = schema.as_value();
        let names: &[&str] = if instant { &["at"] } else { &["at", "lasts"] };
        let field = |name: &&str| {
            let field = root.pointer(&format!("/properties/{name}"))?;
            Some(Self { default: None, ..Self::of(root, name, field, true) })
        };
        names.iter().filter_map(field).collect()
    }

    fn of(root: &Value, name: &str, field: &Value, required: bool) -> Self {
        let words = words(root, field);
        let form = Form::of(name, field, &words);
        let said = |key: &str| field.get(key).and_then(Value::as_str).map(str::to_owned);
        let default = said("x-absent").or_else(|| field.get("default").map(plain));
        Self {
            name: name.to_owned(),
            required,
            form,
            unit: said("x-unit").or_else(|| form.unit()),
            range: said("x-range").unwrap_or_else(|| form.range(field, &words)),
            default: default.filter(|_| !required),
            meaning: said("description").unwrap_or_default().replace('\n', " "),
        }
    }
}

fn required(table: &Value, key: &str) -> bool {
    let listed = table.get("required").and_then(Value::as_array);
    listed.is_some_and(|keys| keys.iter().any(|listed| listed == key))
}

/// The definition that `value`, a reference or an optional one, stands for.
fn resolve<'a>(root: &'a Value, value: &'a Value) -> Option<&'a Value> {
    let reference = value.get("$ref").or_else(|| {
        let choices = value.get("anyOf")?.as_array()?;
        choices.iter().find_map(|choice| choice.get("$ref"))
    })?;
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

/// The words that a key takes, if they are known.
fn words<'a>(root: &'a Value, field: &'a Value) -> Vec<&'a str> {
    let choices = resolve(root, field).and_then(|definition| definition.get("oneOf"));
    let choices = choices.and_then(Value::as_array).into_iter().flatten();
    choices.filter_map(|choice| choice.get("const")?.as_str()).collect()
}

/// The numbers from a schema's least to its most.
fn between(field: &Value) -> String {
    let bound = |name: &str| field.get(name).filter(|bound| bound.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("{least} or more"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any".to_owned(),
    }
}

/// A value as a table has it: texts without quotation marks.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
