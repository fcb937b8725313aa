//! The `synthesis` section: rules, conditions, identifiers, names, tags.

use std::time::Duration;

use super::super::duration;
use super::super::model::{Condition, Identifier, NameFragment, NamePattern, Rule, TagRule};
use super::super::tree::{At, Fields, Node, Value, Walk, place};

/// Keys of a rule; all but the first may stand right below `synthesis` in the old form.
const RULE_KEYS: [&str; 11] = [
    "ruleName",
    "identifier",
    "compositeIdentifier",
    "name",
    "compositeName",
    "encodeIdentifierInGUID",
    "conditions",
    "tags",
    "prefixedTags",
    "legacyFeatures",
    "debug",
];

/// The least life of a tag.
const TTL_MIN: Duration = Duration::from_secs(4 * 3_600);

/// What the section says.
#[derive(Debug, Default)]
pub(super) struct Synthesis {
    pub rules: Vec<Rule>,
    pub disabled: bool,
}

/// Reads the section, if there is one.
pub(super) fn synthesis(
    walk: &mut Walk<'_, '_>,
    fields: Fields<'_>,
    path: &str,
) -> Option<Synthesis> {
    let node = fields.get("synthesis")?;
    let keys: Vec<&str> = ["rules", "disabled"].iter().chain(&RULE_KEYS).copied().collect();
    let fields = walk.fields(node, "`synthesis`", &keys)?;
    let disabled = walk.optional_bool(fields, "disabled").unwrap_or(false);
    let has_rules = fields.get("rules").is_some();
    let old_form = ["conditions", "identifier", "compositeIdentifier", "name", "compositeName"];
    let old_key = old_form.into_iter().find(|key| fields.get(key).is_some());
    if disabled {
        if has_rules || old_key.is_some() {
            let problem = "synthesis is disabled and has rules";
            walk.error(fields.at, "disabled-rules", problem, "remove `disabled` or the rules");
        }
        return Some(Synthesis { rules: Vec::new(), disabled });
    }
    let mut rules = Vec::new();
    let folder = path.rsplit('/').next().unwrap_or(path);
    match (fields.get("rules"), old_key) {
        (Some(_), Some(key)) => {
            let at = fields.get(key).map_or(fields.at, |node| node.at);
            let problem = format!("`{key}` stands beside `rules`");
            walk.error(at, "rule-form", problem, "move it into a rule");
        }
        (None, None) => {
            let problem = "`synthesis` has no rules";
            walk.error(fields.at, "rules-missing", problem, "add `rules:`, or remove the section");
        }
        (None, Some(_)) => {
            rules.extend(rule(walk, fields, folder.to_owned(), &[]));
        }
        (Some(node), None) => {
            let common = tags(walk, fields, "tags");
            let items = walk.list(node, "`rules`").unwrap_or_default();
            if items.is_empty() {
                walk.error(node.at, "rules-missing", "`rules` is empty", "add a rule");
            }
            for (at, item) in items.iter().enumerate() {
                let Some(fields) = walk.fields(item, "a rule", &RULE_KEYS) else { continue };
                // A nameless rule is invalid, and works all the same: older checkouts have some.
                let name = walk.required_text(fields, "ruleName").map(str::to_owned);
                let name = name.unwrap_or_else(|| format!("{folder} #{}", at + 1));
                rules.extend(rule(walk, fields, name, &common));
            }
        }
    }
    Some(Synthesis { rules, disabled })
}

fn rule(
    walk: &mut Walk<'_, '_>,
    fields: Fields<'_>,
    name: String,
    common: &[TagRule],
) -> Option<Rule> {
    if name.is_empty() {
        walk.error(fields.at, "rule-name", "the rule has no name", "name it in `ruleName`");
    }
    let (conditions, places) = conditions(walk, fields, &name);
    let identifier = identifier(walk, fields);
    let display = display(walk, fields);
    let encode_identifier = walk.optional_bool(fields, "encodeIdentifierInGUID").unwrap_or(false);
    let debug = walk.optional_bool(fields, "debug");
    let known = ["overrideGuidType", "useNonStandardAttributes", "debug"];
    let legacy =
        fields.get("legacyFeatures").and_then(|node| walk.fields(node, "`legacyFeatures`", &known));
    let mut feature = |key| legacy.and_then(|legacy| walk.optional_bool(legacy, key));
    let [override_guid_type, non_standard_attributes, legacy_debug] = known.map(&mut feature);
    let mut own = tags(walk, fields, "tags");
    own.extend(tags(walk, fields, "prefixedTags"));
    for tag in common {
        if !own.iter().any(|own| own.attribute == tag.attribute) {
            own.push(tag.clone());
        }
    }
    let conditions = conditions?;
    let at = fields.get("ruleName").map_or(fields.at, |node| node.at);
    Some(Rule {
        name,
        place: place(walk.source, at),
        condition_places: places.into_iter().map(|at| place(walk.source, at)).collect(),
        identifier: identifier?,
        display: display?,
        encode_identifier,
        override_guid_type: override_guid_type.unwrap_or(false),
        debug: debug.or(legacy_debug).unwrap_or(false),
        non_standard_attributes: non_standard_attributes.unwrap_or(false),
        conditions,
        tags: own,
    })
}

/// The conditions, and where each begins; none when one of them is bad, as a rule with a condition
/// less would match what it must not.
fn conditions(
    walk: &mut Walk<'_, '_>,
    fields: Fields<'_>,
    rule: &str,
) -> (Option<Vec<Condition>>, Vec<At>) {
    let node = walk.required(fields, "conditions");
    let Some(items) = node.and_then(|node| walk.list(node, "`conditions`")) else {
        return (None, Vec::new());
    };
    if !(1..=10).contains(&items.len()) {
        let at = fields.get("ruleName").map_or(fields.at, |node| node.at);
        let problem = format!("rule `{rule}` has {} conditions", items.len());
        walk.error(at, "condition-count", problem, "give 1 to 10");
    }
    let mut conditions = Some(Vec::new());
    for item in items {
        let condition = condition(walk, item);
        if let (Some(conditions), Some(condition)) = (&mut conditions, &condition) {
            if conditions.contains(condition) {
                let attribute = condition.attribute();
                let problem = format!("the condition on `{attribute}` is given twice");
                walk.warning(item.at, "condition-twice", problem, "give it once");
            }
            conditions.push(condition.clone());
        } else {
            conditions = None;
        }
    }
    let conditions = conditions.filter(|conditions| !conditions.is_empty());
    (conditions, items.iter().map(|item| item.at).collect())
}

fn condition(walk: &mut Walk<'_, '_>, node: &Node) -> Option<Condition> {
    let kinds = ["value", "prefix", "present"];
    let fields = walk.fields(node, "a condition", &["attribute", "value", "prefix", "present"])?;
    let attribute = walk.required_text(fields, "attribute")?.to_owned();
    let given: Vec<&str> = kinds.into_iter().filter(|key| fields.get(key).is_some()).collect();
    match given.as_slice() {
        [] => Some(Condition::Present(attribute, true)),
        ["present"] => walk
            .optional_bool(fields, "present")
            .map(|wanted| Condition::Present(attribute, wanted)),
        [key] => {
            let text = tested(walk, fields, key)?;
            if text.is_empty() {
                let problem = format!("the {key} of `{attribute}` is empty");
                let fix = "write `present:` instead; an empty value counts as none";
                walk.error(fields.at, "condition-empty", problem, fix);
            }
            let of = if *key == "value" { Condition::Value } else { Condition::Prefix };
            Some(of(attribute, text))
        }
        _ => {
            let problem = format!("condition on `{attribute}` tests several things");
            let fix = format!("give one of {}", kinds.join(", "));
            walk.error(node.at, "condition-kinds", problem, fix);
            None
        }
    }
}

/// The text that a condition compares with. What is no text is an error, but its meaning is plain.
fn tested(walk: &mut Walk<'_, '_>, fields: Fields<'_>, key: &str) -> Option<String> {
    let node = fields.get(key)?;
    let text = walk.text(node, &format!("`{key}`")).map(str::to_owned);
    text.or_else(|| match &node.value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(text) => Some(text.clone()),
        _ => None,
    })
}

/// Which of two keys is given; both or none is an error.
fn one_of<'n>(
    walk: &mut Walk<'_, '_>,
    fields: Fields<'n>,
    single: &str,
    composite: &str,
) -> Option<Result<&'n Node, &'n Node>> {
    match (fields.get(single), fields.get(composite)) {
        (Some(node), None) => Some(Ok(node)),
        (None, Some(node)) => Some(Err(node)),
        _ => {
            let at = fields.get("ruleName").map_or(fields.at, |node| node.at);
            let problem = format!("a rule takes exactly one of {single} and {composite}");
            walk.error(at, "rule-choice", problem, "give one of them");
            None
        }
    }
}

fn identifier(walk: &mut Walk<'_, '_>, fields: Fields<'_>) -> Option<Identifier> {
    let node = match one_of(walk, fields, "identifier", "compositeIdentifier")? {
        Ok(node) => {
            return walk.text(node, "`identifier`").map(|a| Identifier::Attribute(a.to_owned()));
        }
        Err(node) => node,
    };
    let fields = walk.fields(node, "`compositeIdentifier`", &["separator", "attributes"])?;
    let separator = walk.required_text(fields, "separator");
    let attributes = walk.required(fields, "attributes")?;
    let names = walk.texts(attributes, "`attributes`");
    if names.len() < 2 {
        let problem = format!("a composite identifier of {} attributes", names.len());
        walk.error(
            attributes.at,
            "identifier-parts",
            problem,
            "give at least two, or `identifier`",
        );
    }
    let separator = separator?.to_owned();
    (!names.is_empty()).then_some(Identifier::Composite { separator, attributes: names })
}

fn display(walk: &mut Walk<'_, '_>, fields: Fields<'_>) -> Option<NamePattern> {
    let node = match one_of(walk, fields, "name", "compositeName")? {
        Ok(node) => return walk.text(node, "`name`").map(|a| NamePattern::Attribute(a.to_owned())),
        Err(node) => node,
    };
    let fields = walk.fields(node, "`compositeName`", &["fragments"])?;
    let fragments = walk.required(fields, "fragments")?;
    let mut parts = Vec::new();
    for item in walk.list(fragments, "`fragments`")? {
        let fields = walk.fields(item, "a fragment", &["value", "attribute"])?;
        parts.push(match (fields.get("value"), fields.get("attribute")) {
            (Some(node), None) => {
                let text = walk.text(node, "`value`").map(str::to_owned);
                NameFragment::Value(text.or_else(|| tested(walk, fields, "value"))?)
            }
            (None, Some(node)) => {
                NameFragment::Attribute(walk.text(node, "`attribute`")?.to_owned())
            }
            _ => {
                let problem = "a fragment takes exactly one of value and attribute";
                walk.error(item.at, "fragment", problem, "give one of them");
                return None;
            }
        });
    }
    if !parts.iter().any(|part| matches!(part, NameFragment::Attribute(_))) {
        let problem = "the name has no attribute: all entities would be called the same";
        walk.error(fragments.at, "fragment", problem, "add a fragment with `attribute`");
    }
    Some(NamePattern::Composite(parts))
}

/// The tags below `key`: `tags` or `prefixedTags`.
fn tags(walk: &mut Walk<'_, '_>, fields: Fields<'_>, key: &str) -> Vec<TagRule> {
    let is_prefix = key == "prefixedTags";
    let known: &[&str] = match is_prefix {
        true => &["ttl"],
        false => &["entityTagName", "entityTagNames", "multiValue", "ttl"],
    };
    let node = fields.get(key).filter(|node| node.value != Value::Null);
    let Some(fields) = node.and_then(|node| walk.entries(node, &format!("`{key}`"))) else {
        return Vec::new();
    };
    let mut tags = Vec::new();
    for entry in fields.entries() {
        let mut tag = TagRule {
            attribute: entry.key.clone(),
            is_prefix,
            names: Vec::new(),
            multi_value: true,
            ttl: None,
        };
        if entry.value.value != Value::Null {
            let what = format!("tag `{}`", entry.key);
            let Some(fields) = walk.fields(&entry.value, &what, known) else { continue };
            tag.names.extend(walk.optional_text(fields, "entityTagName").map(str::to_owned));
            if let Some(names) = fields.get("entityTagNames") {
                tag.names.extend(walk.texts(names, "`entityTagNames`"));
            }
            tag.multi_value = walk.optional_bool(fields, "multiValue").unwrap_or(true);
            tag.ttl = ttl(walk, fields, &entry.key);
        }
        tags.push(tag);
    }
    tags
}

fn ttl(walk: &mut Walk<'_, '_>, fields: Fields<'_>, tag: &str) -> Option<Duration> {
    let text = walk.optional_text(fields, "ttl")?;
    let ttl = duration::parse(text).filter(|ttl| *ttl >= TTL_MIN);
    if ttl.is_none() {
        let at = fields.get("ttl").map_or(fields.at, |node| node.at);
        let problem = format!("ttl `{text}` of tag `{tag}`");
        walk.error(at, "tag-ttl", problem, "write an ISO-8601 duration of at least PT4H");
    }
    ttl
}
