//! Checks that look at more than one file, and what reviewers object to.
//!
//! Source: the scripts beside validator/schemas of newrelic/entity-definitions (names of rules, two
//! types with one identifier and the same conditions), and remarks of its maintainers on pull
//! requests (rules too broad, types without test data, identifiers too long for a GUID).

use std::collections::{BTreeMap, BTreeSet};

use super::error::{DefinitionError, Place};
use super::load::Definitions;
use super::model::{Condition, EntityDefinition, Identifier, NamePattern, Rule};
use super::relationship::OnMiss;

/// Event types that hold everybody's data.
const SHARED_EVENT_TYPES: [&str; 4] = ["Metric", "Log", "Span", "Event"];

/// Tags that New Relic adds by itself.
const ALWAYS: [&str; 8] = [
    "account",
    "accountId",
    "trustedAccountId",
    "instrumentation.provider",
    "instrumentation.name",
    "name",
    "guid",
    "reporting",
];

/// Adds the problems of the whole set. `folders` are those of types defined in whatever view.
pub(super) fn across(
    set: &Definitions,
    folders: &BTreeSet<&str>,
    problems: &mut Vec<DefinitionError>,
) {
    types(set, problems);
    rule_names(set, problems);
    conflicts(set, problems);
    uninstrumented(set, folders, problems);
    for definition in set.definitions() {
        review(definition, problems);
    }
}

fn types(set: &Definitions, problems: &mut Vec<DefinitionError>) {
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for definition in set.definitions() {
        let name = definition.domain_type();
        match seen.get(&name) {
            Some(first) => {
                let problem = format!("type {name} is defined at {first} already");
                let place = definition.place.clone();
                problems.push(DefinitionError::error(place, "type-twice", problem, "keep one"));
            }
            None => {
                seen.insert(name, &definition.place);
            }
        }
    }
}

fn rules(set: &Definitions) -> impl Iterator<Item = (&EntityDefinition, &Rule)> {
    set.definitions()
        .iter()
        .flat_map(|definition| definition.rules.iter().map(move |rule| (definition, rule)))
}

fn rule_names(set: &Definitions, problems: &mut Vec<DefinitionError>) {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    for (_, rule) in rules(set) {
        match seen.get(rule.name.as_str()) {
            Some(first) => {
                let problem = format!("rule name `{}` is used at {first} already", rule.name);
                let fix = "choose another name";
                let place = rule.place.clone();
                problems.push(DefinitionError::error(place, "rule-name-twice", problem, fix));
            }
            None => {
                seen.insert(&rule.name, &rule.place);
            }
        }
    }
}

/// Two types must not make an entity each of one identifier under the same conditions.
fn conflicts(set: &Definitions, problems: &mut Vec<DefinitionError>) {
    let mut by_identifier: BTreeMap<Vec<&str>, Vec<(&EntityDefinition, &Rule)>> = BTreeMap::new();
    for (definition, rule) in rules(set) {
        let others = by_identifier.entry(identifier_parts(&rule.identifier)).or_default();
        for (other, earlier) in &*others {
            if (&other.domain, &other.entity_type) == (&definition.domain, &definition.entity_type)
            {
                continue;
            }
            let holds = |conditions: &[Condition], all: &[Condition]| {
                conditions.iter().all(|condition| all.contains(condition))
            };
            let inner = holds(&earlier.conditions, &rule.conditions);
            let outer = holds(&rule.conditions, &earlier.conditions);
            let name = other.domain_type();
            let place = rule.place.clone();
            let earlier = &earlier.name;
            if inner && outer {
                let problem =
                    format!("rule `{earlier}` of {name} has the same identifier and conditions");
                let fix = "tell the two types apart by a condition";
                problems.push(DefinitionError::error(place, "rule-conflict", problem, fix));
            } else if inner || outer {
                let problem = format!(
                    "rule `{earlier}` of {name} has the same identifier, and the conditions of \
                     one include the other's"
                );
                let fix = "a point may make an entity of each: add `present: false` to one";
                problems.push(DefinitionError::warning(place, "rule-overlap", problem, fix));
            }
        }
        others.push((definition, rule));
    }
}

/// Separator first, so that a single attribute is no composite of one.
fn identifier_parts(identifier: &Identifier) -> Vec<&str> {
    match identifier {
        Identifier::Attribute(attribute) => vec![attribute],
        Identifier::Composite { separator, attributes } => {
            std::iter::once(separator).chain(attributes).map(String::as_str).collect()
        }
    }
}

/// What a candidate's miss creates must be defined.
fn uninstrumented(
    set: &Definitions,
    folders: &BTreeSet<&str>,
    problems: &mut Vec<DefinitionError>,
) {
    for candidates in set.relationships().candidates() {
        for lookup in &candidates.lookups {
            let OnMiss::CreateUninstrumented(kind) = &lookup.on_miss else { continue };
            let folder = format!("uninstrumented-{kind}").to_lowercase();
            if !folders.contains(folder.as_str()) {
                problems.push(DefinitionError::error(
                    candidates.place.clone(),
                    "uninstrumented-missing",
                    format!("type UNINSTRUMENTED-{kind} is not defined"),
                    format!("add entity-types/{folder}/definition.yml"),
                ));
            }
        }
    }
}

fn review(definition: &EntityDefinition, problems: &mut Vec<DefinitionError>) {
    // Rules of a damaged file are left out; what is missing then is not the author's doing.
    let broken = |problem: &DefinitionError| problem.place.file == definition.place.file;
    let is_whole = !problems.iter().any(broken);
    let mut warn = |place: &Place, code, problem: String, fix: &str| {
        problems.push(DefinitionError::warning(place.clone(), code, problem, fix));
    };
    for rule in &definition.rules {
        if let Some(why) = too_broad(rule) {
            let problem = format!("rule `{}` is too broad: {why}", rule.name);
            let fix = "add a condition that only data of this type meets";
            warn(&rule.place, "rule-broad", problem, fix);
        }
        if !rule.encode_identifier
            && let Some(why) = may_be_long(&rule.identifier)
        {
            let problem = format!("rule `{}`: {why}, and a GUID takes 50 characters", rule.name);
            warn(&rule.place, "identifier-long", problem, "set encodeIdentifierInGUID: true");
        }
        if let NamePattern::Attribute(name) = &rule.display
            && let Some(Condition::Present(..)) = rule
                .conditions
                .iter()
                .find(|condition| **condition == Condition::Present(name.clone(), false))
        {
            let problem = format!("rule `{}` wants its name `{name}` to be absent", rule.name);
            warn(&rule.place, "rule-never", problem, "no point can match: correct the condition");
        }
    }
    let name = definition.domain_type();
    if !definition.rules.is_empty() && definition.tests.is_empty() {
        let problem = format!("{name} has synthesis rules and no test data");
        warn(&definition.place, "tests-missing", problem, "add tests/<EventType>.json");
    }
    if definition.rules.is_empty() && !definition.tests.is_empty() && is_whole {
        let problem = format!("{name} has test data and no synthesis rules");
        warn(&definition.place, "tests-useless", problem, "add rules, or remove tests/");
    }
    golden_tags(definition, &mut warn);
}

/// Why a rule would make entities of other people's data.
fn too_broad(rule: &Rule) -> Option<&'static str> {
    let specific = |condition: &&Condition| match condition {
        Condition::Present(_, wanted) => *wanted,
        Condition::Value(attribute, value) => {
            attribute != "eventType" || !SHARED_EVENT_TYPES.contains(&value.as_str())
        }
        Condition::Prefix(..) => true,
    };
    match rule.conditions.iter().filter(specific).collect::<Vec<_>>().as_slice() {
        [] => Some("its conditions hold for data of every kind"),
        [Condition::Present(..)] if !rule.conditions.iter().any(asks_for_kind) => {
            Some("all it asks for is that an attribute is there")
        }
        _ => None,
    }
}

fn asks_for_kind(condition: &Condition) -> bool {
    matches!(condition, Condition::Value(attribute, _) if attribute == "eventType")
}

fn may_be_long(identifier: &Identifier) -> Option<String> {
    match identifier {
        Identifier::Attribute(attribute) => {
            let lower = attribute.to_ascii_lowercase();
            let long = ["arn", "url", "uri", "path", "resourceid"];
            let part =
                |word: &str| lower.rsplit(['.', '_']).next().is_some_and(|p| p.ends_with(word));
            long.into_iter().any(part).then(|| format!("`{attribute}` may be long"))
        }
        Identifier::Composite { attributes, .. } => {
            Some(format!("the identifier joins {} attributes", attributes.len()))
        }
    }
}

/// Golden tags that no rule of the type makes, though one makes a tag of nearly the same name.
/// Others may come from agents.
fn golden_tags(
    definition: &EntityDefinition,
    warn: &mut impl FnMut(&Place, &'static str, String, &str),
) {
    let mut made: BTreeSet<&str> = BTreeSet::new();
    for tag in definition.rules.iter().flat_map(|rule| &rule.tags).filter(|tag| !tag.is_prefix) {
        made.extend(tag.names.iter().map(String::as_str));
        if tag.names.is_empty() {
            made.insert(tag.attribute.strip_prefix("tags.").unwrap_or(&tag.attribute));
        }
    }
    for golden in definition.golden_tags.iter().map(String::as_str) {
        if made.contains(golden) || ALWAYS.contains(&golden) {
            continue;
        }
        let near = |tag: &&&str| strsim::damerau_levenshtein(golden, tag) <= 2;
        if let Some(near) = made.iter().find(near) {
            let problem = format!("no rule makes the golden tag `{golden}`");
            warn(&definition.place, "golden-tag", problem, &format!("did you mean `{near}`?"));
        }
    }
}
