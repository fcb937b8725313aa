//! Definition files to validated definitions.
//!
//! Production view: files with `.stg` before their ending are left aside.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Spanned};

use super::dashboard::DashboardTemplate;
use super::duration;
use super::error::{DefinitionError, Place};
use super::matching::RuleIndex;
use super::metrics::{
    GoldenMetric, GoldenMetrics, RawSummaryMetric, SummaryKind, SummaryMetric, SummaryMetrics,
    UNITS,
};
use super::model::{
    Condition, EntityDefinition, Expiration, Identifier, NameFragment, NamePattern, Rule, TagRule,
    Test,
};
use super::schema::{RawCondition, RawDefinition, RawFragment, RawRule, RawTag, RawTags};
use super::source::{Source, View};

/// A set of definitions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definitions {
    definitions: Vec<EntityDefinition>,
    /// Their rules, filed by what they need.
    pub(super) rule_index: RuleIndex,
}

/// Files of one folder.
#[derive(Default)]
struct Folder<'a> {
    definition: Option<Source<'a>>,
    golden: Option<Source<'a>>,
    summary: Option<Source<'a>>,
    tests: Vec<Source<'a>>,
}

impl Definitions {
    /// Loads and checks `sources`; files that are no part of the language are ignored.
    ///
    /// # Errors
    /// Every problem found.
    pub fn load<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
    ) -> Result<Self, Vec<DefinitionError>> {
        match Self::load_lenient(sources, View::Production) {
            (definitions, errors) if errors.is_empty() => Ok(definitions),
            (_, errors) => Err(errors),
        }
    }

    /// Loads what can be loaded of `sources` as `view` shows them: what is bad is left out and
    /// reported, the rest serves.
    pub fn load_lenient<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        _view: View,
    ) -> (Self, Vec<DefinitionError>) {
        let mut checker = Checker::default();
        let mut definitions = Vec::new();
        for (name, folder) in folders(sources) {
            let Some(source) = folder.definition else { continue };
            if let Some(definition) = checker.definition(name, source, &folder) {
                definitions.push(definition);
            }
        }
        (Self::of(definitions), checker.errors)
    }

    /// A set of definitions that were made elsewhere, taken as they are.
    pub fn of(definitions: Vec<EntityDefinition>) -> Self {
        Self { rule_index: RuleIndex::new(&definitions), definitions }
    }

    /// The definitions, by folder name.
    pub fn definitions(&self) -> &[EntityDefinition] {
        &self.definitions
    }

    /// The definition of a type.
    pub fn get(&self, domain: &str, entity_type: &str) -> Option<&EntityDefinition> {
        self.definitions.iter().find(|d| d.domain == domain && d.entity_type == entity_type)
    }
}

fn folders<'a>(sources: impl IntoIterator<Item = Source<'a>>) -> BTreeMap<&'a str, Folder<'a>> {
    let mut folders: BTreeMap<&str, Folder<'_>> = BTreeMap::new();
    for source in sources {
        let Some((parent, file)) = source.path.rsplit_once('/') else { continue };
        let in_tests = parent.strip_suffix("/tests");
        let folder = in_tests.unwrap_or(parent);
        let name = folder.rsplit_once('/').map_or(folder, |(_, name)| name);
        let entry = folders.entry(name).or_default();
        match (in_tests, file) {
            (Some(_), _) if file.ends_with(".stg.json") => {}
            (Some(_), _) if file.ends_with(".json") => entry.tests.push(source),
            (None, "definition.yml") => entry.definition = Some(source),
            (None, "golden_metrics.yml") => entry.golden = Some(source),
            (None, "summary_metrics.yml") => entry.summary = Some(source),
            _ => {}
        }
    }
    folders
}

fn place(source: Source<'_>, at: Location) -> Place {
    Place { file: source.path.to_owned(), line: at.line(), column: at.column() }
}

/// Parses YAML, tabs tolerated as js-yaml does (16 public files hold some at line ends).
pub(super) fn yaml<T: DeserializeOwned>(source: Source<'_>) -> Result<T, DefinitionError> {
    let text = source.text.replace('\t', " ");
    serde_saphyr::from_str(&text).map_err(|error| yaml_error(source, error.without_snippet()))
}

fn yaml_error(source: Source<'_>, error: &serde_saphyr::Error) -> DefinitionError {
    let place = place(source, error.location().unwrap_or(Location::UNKNOWN));
    let (problem, fix) = match error {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let near = expected
                .iter()
                .map(|known| (strsim::damerau_levenshtein(field, known), *known))
                .min()
                .filter(|(distance, _)| *distance <= 3);
            let fix = match near {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", expected.join(", ")),
            };
            (format!("unknown key `{field}`"), fix)
        }
        serde_saphyr::Error::SerdeMissingField { field, .. } => {
            (format!("key `{field}` is missing"), format!("add `{field}:`"))
        }
        other => (other.to_string(), "correct the YAML at this place".to_owned()),
    };
    DefinitionError::error(place, "schema", problem, fix)
}

#[derive(Default)]
struct Checker {
    errors: Vec<DefinitionError>,
    /// Where each rule's name was first used.
    rule_names: BTreeMap<String, Place>,
}

impl Checker {
    fn error(&mut self, place: Place, problem: impl Into<String>, fix: impl Into<String>) {
        self.errors.push(DefinitionError::error(place, "schema", problem, fix));
    }

    fn parsed<T: DeserializeOwned>(&mut self, source: Source<'_>) -> Option<T> {
        yaml(source).map_err(|error| self.errors.push(error)).ok()
    }

    fn definition(
        &mut self,
        folder: &str,
        source: Source<'_>,
        files: &Folder<'_>,
    ) -> Option<EntityDefinition> {
        let raw: RawDefinition = self.parsed(source)?;
        self.names(folder, source, &raw);
        let expiration = self.expiration(source, &raw);
        let synthesis = raw.synthesis;
        if raw.domain.value == "UNINSTRUMENTED" && synthesis.is_some() {
            let at = place(source, raw.domain.referenced);
            self.error(at, "UNINSTRUMENTED types are never synthesized", "remove `synthesis`");
        }
        let mut rules = Vec::new();
        if let Some(synthesis) = synthesis {
            let common = self.tags(source, synthesis.tags, false);
            for rule in synthesis.rules {
                rules.extend(self.rule(source, rule, &common));
            }
        }
        let golden_metrics = self.golden(files.golden);
        let summary_metrics = self.summary(files.summary, &golden_metrics);
        let tests = files.tests.iter().filter_map(|test| self.test(*test)).collect();
        Some(EntityDefinition {
            place: place(source, raw.entity_type.referenced),
            synthesis_disabled: false,
            domain: raw.domain.value,
            entity_type: raw.entity_type.value,
            golden_tags: raw.golden_tags,
            expiration,
            alertable: raw.configuration.alertable.unwrap_or(true),
            owner: raw.ownership.primary_owner.team_name.value,
            rules,
            dashboards: raw
                .dashboard_templates
                .into_iter()
                .map(|(provider, raw)| {
                    let file = raw.template;
                    (provider, DashboardTemplate { file, filter_by_entity: false, dashboard: None })
                })
                .collect(),
            golden_metrics,
            summary_metrics,
            tests,
        })
    }

    fn names(&mut self, folder: &str, source: Source<'_>, raw: &RawDefinition) {
        let named = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&text.len())
                && text.starts_with(|c: char| c.is_ascii_uppercase())
                && text.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '_'))
        };
        let (domain, kind) = (&raw.domain.value, &raw.entity_type.value);
        if !named(domain, 3..=15) {
            let fix = "use 3 to 15 of A-Z, 0-9 and _, beginning with a letter";
            self.error(place(source, raw.domain.referenced), format!("domain `{domain}`"), fix);
        }
        if kind != "NA" && !named(kind, 3..=50) {
            let fix = "use 3 to 50 of A-Z, 0-9 and _, beginning with a letter";
            self.error(place(source, raw.entity_type.referenced), format!("type `{kind}`"), fix);
        }
        let expected = format!("{domain}-{kind}").to_lowercase();
        if folder != expected {
            let problem = format!("folder `{folder}` does not belong to {domain}-{kind}");
            let at = place(source, raw.entity_type.referenced);
            self.error(at, problem, format!("name the folder `{expected}`"));
        }
        let owner = &raw.ownership.primary_owner.team_name;
        if owner.value.trim().is_empty() {
            self.error(place(source, owner.referenced), "the owner has no name", "name the team");
        }
    }

    fn expiration(&mut self, source: Source<'_>, raw: &RawDefinition) -> Expiration {
        let Some(text) = &raw.configuration.entity_expiration_time else {
            return Expiration::default();
        };
        match Expiration::NAMES.iter().find(|(name, _)| *name == text.value) {
            Some((_, expiration)) => *expiration,
            None => {
                let known = Expiration::NAMES.map(|(name, _)| name).join(", ");
                let problem = format!("unknown expiration time `{}`", text.value);
                self.error(place(source, text.referenced), problem, format!("use one of {known}"));
                Expiration::default()
            }
        }
    }

    fn rule(&mut self, source: Source<'_>, raw: RawRule, common: &[TagRule]) -> Option<Rule> {
        let at = place(source, raw.rule_name.referenced);
        let name = raw.rule_name.value;
        match self.rule_names.get(&name) {
            Some(first) => {
                let problem = format!("rule name `{name}` is used at {first} already");
                self.error(at.clone(), problem, "choose another name");
            }
            None => {
                self.rule_names.insert(name.clone(), at.clone());
            }
        }
        if !(1..=10).contains(&raw.conditions.len()) {
            let problem = format!("rule `{name}` has {} conditions", raw.conditions.len());
            self.error(at.clone(), problem, "give 1 to 10");
        }
        let identifier = self.identifier(source, &at, raw.identifier, raw.composite_identifier);
        let fragments = raw.composite_name.map(|composite| composite.fragments);
        let display = self.name(source, &at, raw.name, fragments);
        let condition_places =
            raw.conditions.iter().map(|raw| place(source, raw.referenced)).collect();
        let conditions =
            raw.conditions.into_iter().filter_map(|c| self.condition(source, c)).collect();
        let mut tags = self.tags(source, raw.tags, false);
        tags.extend(self.tags(source, raw.prefixed_tags, true));
        for tag in common {
            if !tags.iter().any(|own| own.attribute == tag.attribute) {
                tags.push(tag.clone());
            }
        }
        Some(Rule {
            name,
            place: at,
            condition_places,
            debug: false,
            identifier: identifier?,
            display: display?,
            encode_identifier: raw.encode_identifier,
            override_guid_type: raw.legacy_features.override_guid_type,
            non_standard_attributes: raw.legacy_features.use_non_standard_attributes,
            conditions,
            tags,
        })
    }

    fn identifier(
        &mut self,
        source: Source<'_>,
        at: &Place,
        single: Option<Spanned<String>>,
        composite: Option<super::schema::RawCompositeIdentifier>,
    ) -> Option<Identifier> {
        match (single, composite) {
            (Some(attribute), None) => Some(Identifier::Attribute(attribute.value)),
            (None, Some(composite)) => {
                let attributes = composite.attributes;
                if attributes.value.is_empty() {
                    let at = place(source, attributes.referenced);
                    self.error(at, "no attributes", "name at least one");
                }
                let separator = composite.separator;
                Some(Identifier::Composite { separator, attributes: attributes.value })
            }
            _ => {
                let problem = "a rule takes exactly one of identifier and compositeIdentifier";
                self.error(at.clone(), problem, "give one of them");
                None
            }
        }
    }

    fn name(
        &mut self,
        source: Source<'_>,
        at: &Place,
        single: Option<Spanned<String>>,
        composite: Option<Spanned<Vec<RawFragment>>>,
    ) -> Option<NamePattern> {
        match (single, composite) {
            (Some(attribute), None) => Some(NamePattern::Attribute(attribute.value)),
            (None, Some(fragments)) => {
                let at = place(source, fragments.referenced);
                let mut parts = Vec::new();
                for fragment in fragments.value {
                    match (fragment.value, fragment.attribute) {
                        (Some(value), None) => parts.push(NameFragment::Value(value)),
                        (None, Some(name)) => parts.push(NameFragment::Attribute(name)),
                        _ => {
                            let problem = "a fragment takes exactly one of value and attribute";
                            self.error(at.clone(), problem, "give one of them");
                        }
                    }
                }
                Some(NamePattern::Composite(parts))
            }
            _ => {
                let problem = "a rule takes exactly one of name and compositeName";
                self.error(at.clone(), problem, "give one of them");
                None
            }
        }
    }

    fn condition(&mut self, source: Source<'_>, raw: Spanned<RawCondition>) -> Option<Condition> {
        let RawCondition { attribute, value, prefix, present } = raw.value;
        match (value, prefix, present) {
            (Some(value), None, None) => Some(Condition::Value(attribute, value)),
            (None, Some(prefix), None) => Some(Condition::Prefix(attribute, prefix)),
            (None, None, present) => Some(Condition::Present(attribute, present.unwrap_or(true))),
            _ => {
                let problem = format!("condition on `{attribute}` tests several things");
                let fix = "give one of value, prefix, present";
                self.error(place(source, raw.referenced), problem, fix);
                None
            }
        }
    }

    fn tags(&mut self, source: Source<'_>, raw: RawTags, is_prefix: bool) -> Vec<TagRule> {
        let mut tags = Vec::with_capacity(raw.len());
        for (attribute, options) in raw {
            let mut tag =
                TagRule { attribute, is_prefix, names: Vec::new(), multi_value: true, ttl: None };
            if let Some(options) = options {
                let at = place(source, options.referenced);
                self.tag_options(source, at, options.value, &mut tag);
            }
            tags.push(tag);
        }
        tags
    }

    fn tag_options(&mut self, source: Source<'_>, at: Place, raw: RawTag, tag: &mut TagRule) {
        const TTL_MIN: std::time::Duration = std::time::Duration::from_secs(4 * 3_600);
        tag.multi_value = raw.multi_value.unwrap_or(true);
        tag.names = raw.entity_tag_names;
        tag.names.extend(raw.entity_tag_name);
        if tag.is_prefix && !tag.names.is_empty() {
            let problem = format!("prefixed tag `{}` cannot be renamed", tag.attribute);
            self.error(at, problem, "remove entityTagName(s)");
        }
        let Some(ttl) = raw.ttl else { return };
        tag.ttl = duration::parse(&ttl.value).filter(|ttl| *ttl >= TTL_MIN);
        if tag.ttl.is_none() {
            let problem = format!("ttl `{}` of tag `{}`", ttl.value, tag.attribute);
            let fix = "write an ISO-8601 duration of at least PT4H";
            self.error(place(source, ttl.referenced), problem, fix);
        }
    }

    fn golden(&mut self, source: Option<Source<'_>>) -> GoldenMetrics {
        let Some(source) = source else { return GoldenMetrics::default() };
        let raw: IndexMap<String, Spanned<GoldenMetric>> = self.parsed(source).unwrap_or_default();
        if raw.len() > 10 {
            let whole = Place { file: source.path.to_owned(), line: 0, column: 0 };
            self.error(whole, format!("{} golden metrics", raw.len()), "keep at most 10");
        }
        let mut metrics = GoldenMetrics::new();
        for (name, metric) in raw {
            let at = place(source, metric.referenced);
            let metric = metric.value;
            self.unit(at.clone(), &name, metric.unit.as_deref());
            if metric.queries.is_empty() {
                let problem = format!("golden metric `{name}` has no query");
                self.error(at, problem, "give one under `queries`");
            }
            metrics.insert(name, metric);
        }
        metrics
    }

    fn unit(&mut self, at: Place, metric: &str, unit: Option<&str>) {
        if let Some(unit) = unit
            && !UNITS.contains(&unit)
        {
            let problem = format!("metric `{metric}` has the unknown unit `{unit}`");
            self.error(at, problem, format!("use one of {}", UNITS.join(", ")));
        }
    }

    fn summary(&mut self, source: Option<Source<'_>>, golden: &GoldenMetrics) -> SummaryMetrics {
        let mut metrics = SummaryMetrics::new();
        let Some(source) = source else { return metrics };
        let raw: IndexMap<String, Spanned<RawSummaryMetric>> =
            self.parsed(source).unwrap_or_default();
        for (name, raw) in raw {
            let at = place(source, raw.referenced);
            let raw = raw.value;
            self.unit(at.clone(), &name, Some(&raw.unit));
            let kind = match (raw.golden_metric, raw.tag) {
                (Some(metric), None) if golden.contains_key(&metric) => {
                    SummaryKind::GoldenMetric(metric)
                }
                (Some(metric), None) => {
                    let problem = format!("`{name}` names the unknown golden metric `{metric}`");
                    let known: Vec<_> = golden.keys().map(String::as_str).collect();
                    self.error(at, problem, format!("use one of {}", known.join(", ")));
                    continue;
                }
                (None, Some(tag)) => SummaryKind::Tag(tag.key),
                _ => {
                    let problem = format!("`{name}` takes exactly one of goldenMetric and tag");
                    self.error(at, problem, "give one of them");
                    continue;
                }
            };
            let (title, unit, hidden) = (raw.title, raw.unit, raw.hidden);
            metrics.insert(name, SummaryMetric { title, unit, hidden, kind });
        }
        metrics
    }

    fn test(&mut self, source: Source<'_>) -> Option<Test> {
        let file = source.path.rsplit_once('/').map_or(source.path, |(_, file)| file);
        let event_type = file.strip_suffix(".json").unwrap_or(file).to_owned();
        match serde_json::from_str(source.text) {
            Ok(points) => Some(Test { file: source.path.to_owned(), event_type, points }),
            Err(error) => {
                let (line, column) = (error.line() as u64, error.column() as u64);
                let at = Place { file: source.path.to_owned(), line, column };
                self.error(at, error.to_string(), "write a JSON array of flat objects");
                None
            }
        }
    }
}
