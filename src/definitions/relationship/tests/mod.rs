//! Relationship rules: loading and its complaints, and what points prove.
//!
//! No public test data exists for relationships, so the rules here are our own, shaped as the
//! public ones for message queues are.

use std::sync::Arc;

use super::*;
use crate::definitions::{DefinitionError, Source, View};

mod apply;
mod complaints;
mod laws;
mod lookups;
mod patterns;

const FILE: &str = "relationships/synthesis/A-to-B.yml";

/// A rule with these conditions and ends, indented as the caller writes them.
fn rule(name: &str, conditions: &str, source: &str, target: &str) -> String {
    format!(
        "  - name: {name}\n    version: \"1\"\n    origins: [OpenTelemetry]\n    \
         conditions: {conditions}\n    relationship:\n      expires: PT75M\n      \
         relationshipType: CONTAINS\n      source: {source}\n      target: {target}\n"
    )
}

/// Ends that need nothing but two attributes.
const SOURCE: &str = "{extractGuid: {attribute: from}}";
const TARGET: &str = "{extractGuid: {attribute: to}}";

fn load_files(files: &[(&str, &str)], view: View) -> (RelationshipRules, Vec<DefinitionError>) {
    load(files.iter().map(|(path, text)| Source { path, text }), view)
}

fn load_rules(rules: &str) -> (RelationshipRules, Vec<String>) {
    let text = format!("relationships:\n{rules}");
    let (rules, errors) = load_files(&[(FILE, &text)], View::Production);
    (rules, errors.iter().map(ToString::to_string).collect())
}

/// Loads what must load without complaint.
fn sound(rules: &str) -> RelationshipRules {
    let (rules, errors) = load_rules(rules);
    assert_eq!(errors, [""; 0]);
    rules
}

/// Wire form of `1|INFRA|<type>|<identifier>`.
fn guid(entity_type: &str, identifier: &str) -> String {
    crate::definitions::entity_guid(1u64, "INFRA", entity_type, identifier, false)
        .expect("a good identifier")
}

/// Keys and values; `#name` is a field of the entity.
type Tags = Vec<(&'static str, &'static str)>;

/// Entities with tags, in the order given.
#[derive(Default)]
struct World {
    entities: Vec<(String, EntityKind, Tags)>,
    trusted: Vec<u64>,
}

impl World {
    fn with(mut self, kind: &str, id: &str, tags: &[(&'static str, &'static str)]) -> Self {
        let entity_type = kind.to_owned();
        let kind_of = EntityKind { domain: Some("INFRA".into()), entity_type };
        self.entities.push((guid(kind, id), kind_of, tags.to_vec()));
        self
    }
}

impl EntityLookup for World {
    fn find(
        &self,
        _account: u64,
        kinds: &[EntityKind],
        properties: &[Property],
        value: &str,
    ) -> Vec<Arc<str>> {
        let is_kind = |own: &EntityKind| {
            kinds.iter().any(|kind| {
                kind.entity_type == own.entity_type
                    && (kind.domain.is_none() || kind.domain == own.domain)
            })
        };
        let has = |tags: &[(&str, &str)]| {
            properties.iter().any(|property| match property {
                Property::Tag(key) => tags.contains(&(key.as_str(), value)),
                Property::Attribute(name) => tags.contains(&(format!("#{name}").as_str(), value)),
            })
        };
        let fits = self.entities.iter().filter(|(_, kind, tags)| is_kind(kind) && has(tags));
        fits.map(|(guid, _, _)| Arc::from(guid.as_str())).collect()
    }

    fn trusted(&self, account: u64) -> Vec<u64> {
        [account].into_iter().chain(self.trusted.iter().copied()).collect()
    }

    fn exists(&self, guid: &str) -> bool {
        self.entities.iter().any(|(other, _, _)| other == guid)
    }
}
