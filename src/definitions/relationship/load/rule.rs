//! One relationship rule: name, version, origins, conditions, expiry and type.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{Loader, nearest, place};
use crate::definitions::relationship::model::{
    RelationshipCondition, RelationshipRule, RelationshipTest, Resolver,
};
use crate::definitions::relationship::pattern::Pattern;
use crate::definitions::relationship::schema::{RawCondition, RawEntitlements, RawRule};
use crate::definitions::{Place, Source, duration};

/// Telemetry that rules may read. The repository's list is longer by two names that no document
/// gives, so an unknown one is a warning.
const ORIGINS: [&str; 15] = [
    "AIOPS",
    "APM Metrics",
    "AWS Integration",
    "Azure Integration",
    "Browser Monitoring",
    "Distributed Tracing",
    "GCP Integration",
    "Infrastructure Agent",
    "Kubernetes Integration",
    "Metric API",
    "Mobile Monitoring",
    "OnHost Integration",
    "OpenTelemetry",
    "Pixie",
    "Prometheus",
];

/// Entitlements that rules may ask for; an unknown one is a warning, for the same reason.
const ENTITLEMENTS: [&str; 8] = [
    "advanced_ccu",
    "advanced_maps_ccu",
    "advanced_maps_discount_usage",
    "auto_discovery_entities_ccu",
    "auto_discovery_entities_ccu_discount_usage",
    "catalog_ccu",
    "catalogs_discount_usage",
    "ngep_nrql_access_layer_ccu",
];

/// Types of relationships.
const TYPES: [(&str, &str); 14] = [
    ("BUILT_FROM", "BUILT_FROM"),
    ("CALLS", "CALLS"),
    ("CONNECTS_TO", "CONNECTS_TO"),
    ("CONSUMES", "CONSUMES"),
    ("CONTAINS", "CONTAINS"),
    ("HOSTS", "HOSTS"),
    ("IS", "IS"),
    ("MANAGES", "MANAGES"),
    ("MEASURES", "MEASURES"),
    ("OPERATES_IN", "OPERATES_IN"),
    ("OWNS", "OWNS"),
    ("PRODUCES", "PRODUCES"),
    ("SERVES", "SERVES"),
    ("TEST", "TEST"),
];

const EXPIRES_MIN: Duration = Duration::from_secs(10 * 60);
const EXPIRES_MAX: Duration = Duration::from_secs(72 * 3_600);

impl Loader {
    pub(super) fn rule(&mut self, source: Source<'_>, raw: RawRule) -> Option<RelationshipRule> {
        let at = place(source, raw.name.referenced);
        let name = raw.name.value;
        self.name(&at, &name);
        let supported = self.version(source, &raw.version);
        let origins = self.origins(source, raw.origins);
        let entitlements =
            raw.entitlements.map_or_else(Vec::new, |raw| self.entitlements(source, raw));
        let conditions = self.conditions(source, &name, raw.conditions);
        let relationship = raw.relationship;
        let expires = self.expires(source, &relationship.expires);
        let relationship_type =
            self.word(source, "relationship type", &relationship.relationship_type, &TYPES);
        let target_at = place(source, relationship.target.referenced);
        let from = self.resolver(source, "source", relationship.source);
        let to = self.resolver(source, "target", relationship.target);
        if let (Some(Resolver::Lookup { .. }), Some(Resolver::Lookup { .. })) = (&from, &to) {
            let problem = format!("rule `{name}` looks both ends up");
            self.error(target_at, problem, "extract or build one of them");
            return None;
        }
        let (source, target) = (from?, to?);
        supported.then_some(RelationshipRule {
            name,
            place: at,
            origins,
            entitlements,
            conditions: conditions?,
            relationship_type: relationship_type?.to_owned(),
            expires: expires?,
            source,
            target,
        })
    }

    fn name(&mut self, at: &Place, name: &str) {
        if name.trim().is_empty() {
            self.error(at.clone(), "the rule has no name", "name it, in camelCase");
        } else if let Some(first) = self.names.get(name) {
            let problem = format!("relationship rule `{name}` is defined at {first} already");
            self.error(at.clone(), problem, "choose another name");
        } else {
            self.names.insert(name.to_owned(), at.clone());
        }
    }

    /// Whether the version is the one that engines know.
    fn version(&mut self, source: Source<'_>, version: &Spanned<String>) -> bool {
        let at = place(source, version.referenced);
        if version.value == "1" {
            return true;
        }
        let problem = format!("version `{}`", version.value);
        if version.value.parse::<u32>().is_ok() {
            self.warn(at, format!("{problem} is unknown, the rule is left out"), "write \"1\"");
        } else {
            self.error(at, format!("{problem} is no whole number"), "write \"1\"");
        }
        false
    }

    fn origins(
        &mut self,
        source: Source<'_>,
        origins: Spanned<Vec<Spanned<String>>>,
    ) -> Vec<String> {
        if origins.value.is_empty() {
            let at = place(source, origins.referenced);
            self.error(at, "the rule has no origin", format!("use some of {}", ORIGINS.join(", ")));
        }
        let mut names = Vec::with_capacity(origins.value.len());
        for origin in origins.value {
            if !ORIGINS.contains(&origin.value.as_str()) {
                let at = place(source, origin.referenced);
                let problem = format!("unknown origin `{}`", origin.value);
                self.warn(at, problem, nearest(&origin.value, &ORIGINS));
            }
            names.push(origin.value);
        }
        names
    }

    fn entitlements(&mut self, source: Source<'_>, raw: RawEntitlements) -> Vec<String> {
        self.word(source, "matching of entitlements", &raw.matching, &[("anyOf", ())]);
        let mut names = Vec::with_capacity(raw.values.len());
        for value in raw.values {
            if !ENTITLEMENTS.contains(&value.value.as_str()) {
                let at = place(source, value.referenced);
                let problem = format!("unknown entitlement `{}`", value.value);
                self.warn(at, problem, nearest(&value.value, &ENTITLEMENTS));
            }
            names.push(value.value);
        }
        names
    }

    /// `None` when one of them is wrong: a rule with a condition less would relate too much.
    fn conditions(
        &mut self,
        source: Source<'_>,
        rule: &str,
        raw: Spanned<Vec<Spanned<RawCondition>>>,
    ) -> Option<Vec<RelationshipCondition>> {
        if raw.value.is_empty() {
            let problem = format!("rule `{rule}` has no condition, so it reads every point");
            self.warn(place(source, raw.referenced), problem, "add one, for example on eventType");
        }
        let count = raw.value.len();
        let read: Vec<_> =
            raw.value.into_iter().filter_map(|raw| self.condition(source, raw)).collect();
        (read.len() == count).then_some(read)
    }

    fn condition(
        &mut self,
        source: Source<'_>,
        raw: Spanned<RawCondition>,
    ) -> Option<RelationshipCondition> {
        let at = place(source, raw.referenced);
        let RawCondition { attribute, any_of, present, starts_with, regex, case_sensitive } =
            raw.value;
        let case_sensitive = case_sensitive.unwrap_or(false);
        let test = match (any_of, present, starts_with, regex) {
            (Some(values), None, None, None) if values.is_empty() => {
                let problem = format!("condition on `{attribute}` allows no value");
                self.error(at, problem, "name at least one under `anyOf`");
                return None;
            }
            (Some(values), None, None, None) => RelationshipTest::AnyOf { values, case_sensitive },
            (None, Some(present), None, None) => RelationshipTest::Present(present),
            (None, None, None, None) => RelationshipTest::Present(true),
            (None, None, Some(prefix), None) => {
                RelationshipTest::StartsWith { prefix, case_sensitive }
            }
            (None, None, None, Some(regex)) => {
                RelationshipTest::Regex(self.pattern(source, &regex, case_sensitive)?)
            }
            _ => {
                let problem = format!("condition on `{attribute}` tests several things");
                self.error(at, problem, "give one of anyOf, present, startsWith, regex");
                return None;
            }
        };
        Some(RelationshipCondition { attribute, test })
    }

    pub(super) fn pattern(
        &mut self,
        source: Source<'_>,
        regex: &Spanned<String>,
        case_sensitive: bool,
    ) -> Option<Pattern> {
        match Pattern::new(&regex.value, case_sensitive) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let problem = format!("regular expression `{}`: {error}", regex.value);
                self.error(place(source, regex.referenced), problem, "correct the expression");
                None
            }
        }
    }

    fn expires(&mut self, source: Source<'_>, text: &Spanned<String>) -> Option<Duration> {
        // The documents and older files write `P75M` for 75 minutes; by ISO 8601 those are months,
        // which no relationship lives.
        let minutes = text.value.strip_prefix('P').filter(|rest| !rest.contains(['T', 'D']));
        let written = minutes.map_or_else(|| text.value.clone(), |rest| format!("PT{rest}"));
        let expires = duration::parse(&written);
        let allowed = expires.filter(|expires| (EXPIRES_MIN..=EXPIRES_MAX).contains(expires));
        if allowed.is_none() {
            let at = place(source, text.referenced);
            let problem = format!("the relationship expires after `{}`", text.value);
            self.error(at, problem, "write an ISO-8601 duration of PT10M to PT72H");
        }
        allowed
    }
}
