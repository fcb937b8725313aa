//! Runs the test data of definitions, as New Relic's own checker does with pull requests.
//!
//! Source: the texts that its bot writes into pull requests. Each point must make an entity of the
//! type in whose folder it stands. One that makes entities of other types as well fails only when
//! the caller wants it: 18 of the 315 public files have such points and were accepted.
//!
//! Invariant: a run is a function of the definitions and the options.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::explain::{ExplainOptions, explain};
use super::farmhash::identifier_hash;
use super::load::Definitions;
use super::matching::{Match, Point, Scalar};
use super::model::{EntityDefinition, Test};

/// How test data are judged.
#[derive(Debug, Clone, Copy)]
pub struct TestOptions {
    /// The account in GUIDs.
    pub account: u64,
    /// A point must not make entities of other types beside its own.
    pub deny_foreign: bool,
}

impl Default for TestOptions {
    fn default() -> Self {
        Self { account: 1, deny_foreign: false }
    }
}

/// What became of the test data of several types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestRun {
    /// In the order of the definitions.
    pub types: Vec<TypeRun>,
}

/// What became of the test data of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeRun {
    /// For example `INFRA-KAFKABROKER`.
    pub domain_type: String,
    /// The definition's file.
    pub file: String,
    /// Its synthesis rules.
    pub rules: usize,
    /// Why nothing was tested, when nothing was.
    pub untested: Option<&'static str>,
    /// Its points.
    pub points: Vec<PointRun>,
    /// Rules that no point of its own matched.
    pub unmatched_rules: Vec<String>,
}

/// What became of one point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PointRun {
    /// The file, without its folder.
    pub file: String,
    /// Its place in the file, from 1.
    pub number: usize,
    /// `path:line:column`.
    pub place: String,
    /// The event type it was taken for.
    pub event_type: String,
    /// The entities that it makes.
    pub entities: Vec<EntityRun>,
    /// In the words of New Relic's checker; empty when all is well.
    pub failures: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// An entity that a point makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityRun {
    /// Its type.
    pub domain_type: String,
    /// The rule.
    pub rule: String,
    /// Before any encoding.
    pub identifier: String,
    /// As users see it.
    pub name: String,
    /// `None` when the identifier does not fit one.
    pub guid: Option<String>,
    /// Whether the point's own fields name the same GUID; `None` when they name none.
    pub verified: Option<bool>,
    /// Tags as `key=value`.
    pub tags: Vec<String>,
}

impl TestRun {
    /// Runs the test data of those definitions that `wanted` chooses, against all rules.
    pub fn new(
        definitions: &Definitions,
        wanted: impl Fn(&EntityDefinition) -> bool,
        options: TestOptions,
    ) -> Self {
        let chosen = definitions.definitions().iter().filter(|definition| wanted(definition));
        Self { types: chosen.map(|one| TypeRun::new(definitions, one, options)).collect() }
    }

    /// Points that were examined.
    pub fn examined(&self) -> usize {
        self.types.iter().map(|one| one.points.len()).sum()
    }

    /// Points that failed.
    pub fn failed(&self) -> usize {
        self.types.iter().map(TypeRun::failed).sum()
    }
}

impl TypeRun {
    fn new(definitions: &Definitions, definition: &EntityDefinition, options: TestOptions) -> Self {
        let mut points = Vec::new();
        for test in &definition.tests {
            for at in 0..test.points.len() {
                points.push(PointRun::new(definitions, definition, test, at, options));
            }
        }
        let domain_type = definition.domain_type();
        let matched = |rule: &str| {
            let mut entities = points.iter().flat_map(|point| &point.entities);
            entities.any(|entity| entity.rule == rule && entity.domain_type == domain_type)
        };
        let names = definition.rules.iter().map(|rule| &rule.name);
        let unmatched = |name: &&String| !points.is_empty() && !matched(name);
        let unmatched_rules = names.filter(unmatched).cloned().collect();
        let untested = match (points.is_empty(), definition.rules.is_empty()) {
            (false, _) => None,
            (true, false) => Some("it has synthesis rules and no test data"),
            (true, true) if definition.synthesis_disabled => Some("its synthesis is disabled"),
            (true, true) => Some("it has no synthesis rules"),
        };
        let rules = definition.rules.len();
        let file = definition.place.file.clone();
        Self { domain_type, file, rules, untested, points, unmatched_rules }
    }

    /// Points that failed.
    pub fn failed(&self) -> usize {
        self.points.iter().filter(|point| !point.failures.is_empty()).count()
    }
}

impl PointRun {
    fn new(
        definitions: &Definitions,
        definition: &EntityDefinition,
        test: &Test,
        at: usize,
        options: TestOptions,
    ) -> Self {
        let domain_type = definition.domain_type();
        let file = test.file.rsplit('/').next().unwrap_or(&test.file);
        let place = test.places.get(at).map(ToString::to_string).unwrap_or_default();
        let mut run = Self {
            file: file.to_owned(),
            number: at + 1,
            place,
            event_type: test.event_type.clone(),
            entities: Vec::new(),
            failures: Vec::new(),
            notes: Vec::new(),
        };
        let Some(point) = test.points.get(at) else { return run };
        let attributes = json_attributes(point);
        let event = Point { event_type: &test.event_type, attributes: &attributes };
        for found in definitions.match_point(event) {
            run.entity(&found, point, options);
        }
        let head =
            format!("Error VALIDATING domainType: '{domain_type}' on synthesis - Exception:");
        let tail = format!(
            "the given test data: '{file} file - #{}' data point. Please review test data and \
             synthesis rules.",
            at + 1
        );
        let own = run.entities.iter().any(|entity| entity.domain_type == domain_type);
        if !own {
            let text =
                format!("{head} No entity matches '{domain_type}' synthesis rules for {tail}");
            run.failures.push(text);
            if event.get("entity.guid").is_some() {
                let note = "the point carries entity.guid: it counts as synthesized already";
                run.notes.push(note.to_owned());
            }
            run.notes.extend(nearest_rule(definitions, &domain_type, event, options));
        }
        let mut foreign: Vec<&str> = Vec::new();
        for entity in run.entities.iter().filter(|entity| entity.domain_type != domain_type) {
            if !foreign.contains(&entity.domain_type.as_str()) {
                foreign.push(&entity.domain_type);
            }
        }
        let told: Vec<String> = foreign
            .iter()
            .map(|other| format!("{head} Synthesis rules match '{other}' domainType with {tail}"))
            .collect();
        if own && !options.deny_foreign {
            run.notes.extend(told);
        } else {
            run.failures.extend(told);
        }
        run
    }

    /// Adds what a match makes.
    fn entity(&mut self, found: &Match<'_>, point: &Map<String, Value>, options: TestOptions) {
        let rule = &found.rule.name;
        let guid = match found.guid(options.account) {
            Ok(guid) => Some(guid),
            Err(error) => {
                self.failures.push(format!("rule `{rule}` matches and makes no entity: {error}"));
                None
            }
        };
        let carried = carried(point);
        let verified = carried.as_ref().and_then(|(account, guid)| {
            // A GUID of another type than the rule makes says nothing about the rule.
            let made = found.guid(account).ok()?;
            let same_kind = kind(&made)? == kind(guid)?;
            same_kind.then_some(made == *guid)
        });
        if let (Some(false), Some((_, guid))) = (verified, &carried) {
            let note =
                format!("the point names the GUID {guid}, which `{rule}` does not make of it");
            self.notes.push(note);
        }
        self.entities.push(EntityRun {
            domain_type: found.definition.domain_type(),
            rule: rule.clone(),
            identifier: found.identifier.to_string(),
            name: found.name.to_string(),
            guid,
            verified,
            tags: found.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect(),
        });
    }
}

/// What the point lacks for the rule of its type that nearly matches.
fn nearest_rule(
    definitions: &Definitions,
    domain_type: &str,
    point: Point<'_>,
    options: TestOptions,
) -> Option<String> {
    let types = vec![domain_type.to_owned()];
    let wanted = ExplainOptions { types, near_max: 1, account: options.account };
    let explanation = explain(definitions, point, &wanted);
    let near = explanation.near.first()?;
    let lacks = near.steps.iter().filter(|step| !step.holds).map(|step| {
        let actual = step.actual.as_ref().map(|actual| format!(" (it is `{actual}`)"));
        let hint = step.hint.as_ref().map(|hint| format!(", {hint}"));
        format!("{}{}{}", step.need, actual.unwrap_or_default(), hint.unwrap_or_default())
    });
    let lacks: Vec<String> = lacks.collect();
    let name = &near.rule.name;
    (!lacks.is_empty()).then(|| format!("rule `{name}` wants that {}", lacks.join("; ")))
}

/// A point's attributes as rules see them: objects are metric objects; lists and nothing are left
/// out.
pub fn json_attributes(point: &Map<String, Value>) -> Vec<(&str, Scalar<'_>)> {
    // Beyond 2⁵³ a number's text would differ from what was written.
    const EXACT: i64 = 1 << 53;
    let scalar = |value| match value {
        &Value::Bool(value) => Some(Scalar::Bool(value)),
        Value::String(text) => Some(Scalar::Text(text)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if !(-EXACT..=EXACT).contains(&whole) => Some(Scalar::Integer(whole)),
            _ => number.as_f64().map(Scalar::Number),
        },
        Value::Object(_) => Some(Scalar::Metric),
        Value::Null | Value::Array(_) => None,
    };
    point.iter().filter_map(|(name, value)| Some((name.as_str(), scalar(value)?))).collect()
}

/// Account and GUID that the point's own fields name: `entityGuid`, or for samples of on-host
/// integrations, where the hash of `entityKey` is `entityId`, the one that these make.
fn carried(point: &Map<String, Value>) -> Option<(String, String)> {
    let text = |name: &str| match point.get(name)? {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    };
    if let Some(guid) = text("entityGuid") {
        let readable = decoded(&guid)?;
        let account = readable.split('|').next()?;
        return Some((account.to_owned(), guid.trim_end_matches('=').to_owned()));
    }
    let (id, key) = (text("entityId")?, text("entityKey")?);
    (identifier_hash(&key).to_string() == *id).then(|| {
        let account = text("accountId").unwrap_or(Cow::Borrowed("1")).into_owned();
        let guid = URL_SAFE_NO_PAD.encode(format!("{account}|INFRA|NA|{id}"));
        (account, guid)
    })
}

fn decoded(guid: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(guid.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()
}

/// Domain and type of a GUID.
fn kind(guid: &str) -> Option<(String, String)> {
    let readable = decoded(guid)?;
    let mut parts = readable.split('|').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}
