//! Entries of the catalogue: what is known of a kind of fault without one at hand.

use schemars::schema_for;
use serde::Serialize;
use serde_json::Value;

use super::body::Kind;
use super::stage::{Lot, Stage};
use super::{CATALOGUE, FaultSpec};

/// Whom a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Links between hosts.
    Network,
    /// Brokers and what runs on them.
    Broker,
    /// New Relic.
    NewRelic,
    /// The pipeline's own host.
    Pipeline,
}

impl Group {
    /// All, in the order of lists.
    pub const ALL: [Self; 4] = [Self::Network, Self::Broker, Self::NewRelic, Self::Pipeline];

    /// Its name: also the folder of its faults.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Broker => "broker",
            Self::NewRelic => "newrelic",
            Self::Pipeline => "pipeline",
        }
    }
}

/// One kind of fault.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name everywhere.
    pub name: &'static str,
    /// Whom it befalls.
    pub group: Group,
    /// What it does.
    pub summary: &'static str,
    /// How features say it.
    pub prose_pattern: &'static str,
    /// Names of the checks that it puts to the test, or that excuse something on its account.
    pub affects: &'static [&'static str],
    /// Whether it happens at one instant.
    pub instant: bool,
    /// Whether only the kernel can do it.
    pub kernel_only: bool,
    /// Draws one that is possible on the stage, without times.
    pub draw: fn(&mut Lot, &Stage) -> Option<FaultSpec>,
    /// The same fault at the same times with simpler or milder values, boldest first; following
    /// any of them again and again comes to an end.
    pub simpler: fn(&FaultSpec) -> Vec<FaultSpec>,
}

/// One key of a fault's table in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// As the file has it.
    pub name: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, with its unit.
    pub meaning: String,
}

impl Entry {
    /// What `K` says of itself.
    pub(super) const fn of<K: Kind>() -> Self {
        Self {
            name: K::NAME,
            group: K::GROUP,
            summary: K::SUMMARY,
            prose_pattern: K::PROSE,
            affects: K::AFFECTS,
            instant: K::INSTANT,
            kernel_only: K::KERNEL_ONLY,
            draw: draw::<K>,
            simpler: simpler::<K>,
        }
    }

    /// Its keys, from the schema of scenario files.
    pub fn keys(&self) -> Vec<Key> {
        let schema = schema_for!(FaultSpec);
        let root = schema.as_value();
        let field = root.pointer(&format!("/properties/{}", self.name));
        let Some(table) = field.and_then(|field| resolve(root, field)) else { return Vec::new() };
        let properties = table.get("properties").and_then(Value::as_object).into_iter().flatten();
        let keys = properties.map(|(key, value)| Key {
            name: key.clone(),
            required: required(table, key),
            meaning: meaning(root, value),
        });
        keys.collect()
    }
}

/// The kind called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

fn draw<K: Kind>(lot: &mut Lot, stage: &Stage) -> Option<FaultSpec> {
    K::draw(lot, stage).map(K::into_spec)
}

fn simpler<K: Kind>(spec: &FaultSpec) -> Vec<FaultSpec> {
    let (at, lasts) = (spec.at, spec.lasts);
    let bodies = K::of(spec).map(K::simpler).unwrap_or_default();
    bodies.into_iter().map(|body| FaultSpec { at, lasts, ..body.into_spec() }).collect()
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

/// What a key means, and the words that it takes if they are known.
fn meaning(root: &Value, value: &Value) -> String {
    let text = value.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut text = text.replace('\n', " ");
    let choices = resolve(root, value).and_then(|definition| definition.get("oneOf"));
    let words: Vec<&str> = choices
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|choice| choice.get("const")?.as_str())
        .collect();
    if !words.is_empty() {
        text = format!("{text} One of {}.", words.join(", "));
    }
    text
}
