//! Topologies as files: TOML or JSON, read with every problem's place, and written.
//!
//! Invariants:
//! - Both syntaxes have one schema, `docs/schema/topology.schema.json`.
//! - What is written reads back as an equal topology, and equal topologies are written alike.

use super::toml_file::{FileProblems, Place, Syntax, TomlFile};
use crate::hybrid::topology::{Fault, Topology, TopologyForm};

/// Longest topology file that is read: more than 100,000 entities fit.
pub const TOPOLOGY_BYTES_MAX: usize = 16 << 20;

impl Topology {
    /// Reads a topology; `name` stands in messages, and one that ends with `.json` is read as JSON,
    /// as is a text that begins with a brace.
    ///
    /// # Errors
    /// Every problem of the text, each with its place and a fix.
    pub fn load(name: &str, text: &str) -> Result<Self, FileProblems> {
        let syntax = Syntax::of(name, text);
        let file = TomlFile::parse_as(syntax, TOPOLOGY_BYTES_MAX, "topology", name, text)?;
        let form: TopologyForm = file.read()?;
        Self::new(form).map_err(|faults| {
            let problem = |fault: &Fault| {
                file.problem(fault.rule, &place(fault), fault.message.clone(), fault.help.clone())
            };
            file.problems(faults.iter().map(problem).collect())
        })
    }

    /// The topology as a TOML file.
    pub fn to_toml(&self) -> String {
        // Texts, numbers and lists of them, scalars before lists: TOML has a form for all of it.
        toml::to_string(&self.form()).expect("a topology has a TOML form")
    }

    /// The topology as a JSON file.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(&self.form());
        text.expect("a topology has a JSON form") + "\n"
    }
}

/// Where the file has what a fault is about.
fn place(fault: &Fault) -> Place {
    let place = Place::root().key(fault.list.key()).at(fault.index).key(fault.field);
    match fault.item {
        Some(item) => place.at(item),
        None => place,
    }
}

/// The JSON Schema of topology files, as docs/schema/topology.schema.json holds it.
pub fn schema_text() -> String {
    let schema = schemars::schema_for!(TopologyForm);
    let text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    format!("{text}\n")
}

#[cfg(test)]
mod tests;
