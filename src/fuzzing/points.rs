//! Data points against a fixed set of rules.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::definitions::relationship::{EntityKind, EntityLookup, PointEntity, Property};
use crate::definitions::{
    BUILTIN, Definitions, ExplainOptions, Point, Source, View, explain, golden_queries,
    json_attributes,
};

/// Rules beside the built-in ones: look-ahead, captures, parts of metric names, a search.
const RULES: &str = r"relationships:
  - name: capturing
    version: '1'
    origins: [APM Metrics]
    conditions:
      - {attribute: metricName, regex: '^a/(?!b)(.+)+/c'}
      - {attribute: eventType, startsWith: m}
    relationship:
      expires: PT75M
      relationshipType: CALLS
      source: {extractGuid: {attribute: entity.guid}}
      target:
        lookupGuid:
          candidateCategory: THING
          fields:
            - {field: name, capture: {attribute: metricName__2, regex: '(x+)+y?'}}
            - {field: other, attribute: other}
  - name: building
    version: '1'
    origins: [APM Metrics]
    conditions: [{attribute: entityGuid, present: false}, {attribute: id, anyOf: ['1', ä]}]
    relationship:
      expires: PT10M
      relationshipType: IS
      source:
        buildGuid:
          account: {attribute: accountId}
          domain: {value: INFRA}
          type: {attribute: type, valueInGuid: NA}
          identifier: {fragments: [{attribute: id}, {value: ':'}, {attribute: other}]}
      target: {extractGuid: {attribute: guid}}
";

const CANDIDATES: &str = r"category: THING
lookups:
  - entityTypes: [THING]
    tags:
      matchingMode: ANY
      predicates: [{tagKeys: [k], field: name}, {tagKeys: [l], field: other}]
    onMatch: {onMultipleMatches: RELATE_ALL}
    onMiss: {action: CREATE_UNINSTRUMENTED, uninstrumented: {type: THING}}
";

/// Whoever is searched for is there when the value has an even number of bytes.
struct Sometimes;

impl EntityLookup for Sometimes {
    fn find(&self, _: u64, _: &[EntityKind], _: &[Property], value: &str) -> Vec<Arc<str>> {
        if value.len().is_multiple_of(2) { vec![Arc::from("MXxBfEJ8Mw")] } else { Vec::new() }
    }

    fn exists(&self, guid: &str) -> bool {
        guid.len().is_multiple_of(2)
    }
}

fn definitions() -> &'static Definitions {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        let own = [
            ("relationships/synthesis/A-to-B.yml", RULES),
            ("relationships/candidates/THING.yml", CANDIDATES),
        ];
        let sources = BUILTIN.iter().copied().chain(own);
        Definitions::load_lenient(
            sources.map(|(path, text)| Source { path, text }),
            View::Production,
        )
        .0
    })
}

/// A data point, or a list of them, as JSON: matched, explained and related.
///
/// # Panics
/// When the index finds something else than a scan over all rules.
pub fn points(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    match value {
        Value::Object(point) => one(&point),
        Value::Array(values) => {
            values.iter().take(64).filter_map(Value::as_object).for_each(one);
        }
        _ => {}
    }
}

fn one(point: &Map<String, Value>) {
    let definitions = definitions();
    let attributes = json_attributes(point);
    let point = Point { event_type: "Metric", attributes: &attributes };
    let matches = definitions.match_point(point);
    assert_eq!(matches, definitions.match_point_by_scan(point), "the index equals the scan");
    let guids: Vec<String> =
        matches.iter().map(|found| found.guid(1_u64).unwrap_or_default()).collect();
    for (found, guid) in matches.iter().zip(&guids) {
        drop(golden_queries(found, guid));
    }
    let entities: Vec<PointEntity<'_>> = matches
        .iter()
        .zip(&guids)
        .map(|(found, guid)| PointEntity {
            guid,
            name: &found.name,
            entity_type: &found.definition.entity_type,
            non_standard: found.rule.non_standard_attributes,
        })
        .collect();
    drop(definitions.relationships().apply_reported(point, &entities, 1, &Sometimes));
    drop(explain(definitions, point, &ExplainOptions::default()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_rules_are_sound() {
        assert!(definitions().relationships().rules().len() >= 2);
        assert!(definitions().relationships().category("THING").is_some());
    }
}
