//! From points to relationships.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use smallvec::SmallVec;

use super::candidates::{Candidates, Property};
use super::conditions::{Facts, is_indexed, is_segment, need};
use super::model::{FragmentSource, RelationshipRule, Resolver, TypeHint};
use super::resolve::{End, Ends, Unresolved, UnresolvedReason, World};
use crate::definitions::Point;
use crate::definitions::index::{Index, Need};
use crate::definitions::matching::Scalar;
use crate::definitions::text::NumberText;

/// A kind of entity; without a domain, of any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntityKind {
    /// For example `INFRA`.
    pub domain: Option<String>,
    /// For example `KAFKATOPIC`.
    pub entity_type: String,
}

/// An entity that a point made: what rules read as `entity.guid`, `entity.name`, `entity.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointEntity<'a> {
    /// Wire form.
    pub guid: &'a str,
    /// Its name.
    pub name: &'a str,
    /// For example `KAFKABROKER`.
    pub entity_type: &'a str,
    /// Its rule has `useNonStandardAttributes`: the attributes are `entityGuid` and `entityName`.
    pub non_standard: bool,
}

/// One thing that a searched entity must have: this value under one of these properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause<'a> {
    /// Tags or fields.
    pub properties: &'a [Property],
    /// The value of one of them.
    pub value: &'a str,
}

/// The entities that lookups search. Answers come in an order of their own that does not change.
pub trait EntityLookup {
    /// GUIDs (wire form) of the entities of one of `kinds` that have `value` under one of
    /// `properties`, in `account` and those that share its trust.
    fn find(
        &self,
        account: u64,
        kinds: &[EntityKind],
        properties: &[Property],
        value: &str,
    ) -> Vec<Arc<str>>;

    /// GUIDs of the entities that satisfy all `clauses`, in the order of the first one's.
    fn find_all(
        &self,
        account: u64,
        kinds: &[EntityKind],
        clauses: &[Clause<'_>],
    ) -> Vec<Arc<str>> {
        let mut clauses = clauses.iter();
        let find = |clause: &Clause<'_>| self.find(account, kinds, clause.properties, clause.value);
        let mut found = clauses.next().map(find).unwrap_or_default();
        for clause in clauses {
            if found.is_empty() {
                break;
            }
            let other: BTreeSet<Arc<str>> = find(clause).into_iter().collect();
            found.retain(|guid| other.contains(guid));
        }
        found
    }

    /// `account` and the accounts that trust it.
    fn trusted(&self, account: u64) -> Vec<u64> {
        vec![account]
    }

    /// Whether an entity with this GUID exists.
    fn exists(&self, guid: &str) -> bool;
}

/// No entities at all: every lookup misses.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEntities;

impl EntityLookup for NoEntities {
    fn find(&self, _: u64, _: &[EntityKind], _: &[Property], _: &str) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn exists(&self, _: &str) -> bool {
        false
    }
}

/// One relationship that a point proves.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationshipMatch<'a> {
    /// Wire form.
    pub source: Arc<str>,
    /// Wire form.
    pub target: Arc<str>,
    /// For example `PRODUCES`.
    pub relationship_type: &'a str,
    /// How long it lives unseen.
    pub expires: Duration,
    /// The rule.
    pub rule: &'a RelationshipRule,
    /// The source's type where its GUID says `NA` and the rule knows it.
    pub source_type: Option<String>,
    /// The target's type where its GUID says `NA` and the rule knows it.
    pub target_type: Option<String>,
    /// An end that no entity answered for and that is to be made.
    pub uninstrumented: Option<Uninstrumented>,
}

/// An entity to be made because a lookup missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uninstrumented {
    /// Which end of the relationship it is.
    pub end: End,
    /// Wire form.
    pub guid: Arc<str>,
    /// Its account.
    pub account: u64,
    /// For example `KAFKATOPIC`; the domain is `UNINSTRUMENTED`.
    pub entity_type: String,
    /// The values of the rule's fields, joined by `:`.
    pub name: String,
    /// The rule's fields and their values.
    pub tags: Vec<(String, String)>,
}

/// What came of one point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied<'a> {
    /// Relationships in the order of the rules, without repetition.
    pub matches: Vec<RelationshipMatch<'a>>,
    /// Rules whose conditions held (or could not be decided) but which gave no relationship.
    pub unresolved: Vec<Unresolved<'a>>,
}

/// All relationship rules and candidates of a set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RelationshipRules {
    rules: Vec<RelationshipRule>,
    candidates: IndexMap<String, Candidates>,
    index: Index,
    /// The attributes `metricName__N` that rules use.
    segments: Vec<String>,
}

impl RelationshipRules {
    /// Files `rules` by what they need.
    pub(super) fn new(
        rules: Vec<RelationshipRule>,
        candidates: IndexMap<String, Candidates>,
    ) -> Self {
        let needs: Vec<Vec<Need>> =
            rules.iter().map(|rule| rule.conditions.iter().map(need).collect()).collect();
        let index = Index::new(&needs, [], true);
        let names: BTreeSet<&str> = rules.iter().flat_map(attributes).collect();
        let segments = names.into_iter().filter(|name| is_segment(name));
        let segments = segments.map(str::to_owned).collect();
        Self { rules, candidates, index, segments }
    }

    /// The rules, in order of loading.
    pub fn rules(&self) -> &[RelationshipRule] {
        &self.rules
    }

    /// The candidates' categories, in order of loading.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidates> {
        self.candidates.values()
    }

    /// The candidates of one category.
    pub fn category(&self, name: &str) -> Option<&Candidates> {
        self.candidates.get(name)
    }

    /// The relationships that `point` proves; `entities` are those that it made (none for a point
    /// that carries `entity.guid` of its own).
    pub fn apply<'a>(
        &'a self,
        point: Point<'_>,
        entities: &[PointEntity<'_>],
        account: u64,
        lookup: &dyn EntityLookup,
    ) -> Vec<RelationshipMatch<'a>> {
        self.apply_reported(point, entities, account, lookup).matches
    }

    /// As [`Self::apply`], with the rules that held and gave nothing.
    ///
    /// A point of several entities is read once for each of them; the same relationship counts
    /// once. An entity is not related to itself.
    pub fn apply_reported<'a>(
        &'a self,
        point: Point<'_>,
        entities: &[PointEntity<'_>],
        account: u64,
        lookup: &dyn EntityLookup,
    ) -> Applied<'a> {
        let mut applied = Applied::default();
        if self.rules.is_empty() {
            return applied;
        }
        let number = NumberText::new(Scalar::Integer(account.cast_signed()));
        let mut seen = BTreeSet::new();
        let each = entities.iter().map(|entity| Some(*entity));
        for entity in each.chain(entities.is_empty().then_some(None)) {
            let facts = Facts::new(point, entity, number.as_str(), &self.segments);
            let mut found = SmallVec::new();
            self.index.read(point.attributes, &facts.virtuals, &mut found);
            let world = World { rules: self, facts: &facts, account, lookup };
            for rule in found.iter().map(|number| &self.rules[*number as usize]) {
                self.try_rule(rule, &world, &mut seen, &mut applied);
            }
        }
        applied
    }

    /// One rule whose indexed needs hold.
    fn try_rule<'a>(
        &'a self,
        rule: &'a RelationshipRule,
        world: &World<'_, '_>,
        seen: &mut BTreeSet<(Arc<str>, Arc<str>, &'a str)>,
        applied: &mut Applied<'a>,
    ) {
        for condition in rule.conditions.iter().filter(|condition| !is_indexed(condition)) {
            match world.facts.holds(condition) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let reason = UnresolvedReason::Pattern(error);
                    applied.unresolved.push(Unresolved { rule, end: None, reason });
                    return;
                }
            }
        }
        let mut resolve = |resolver: &Resolver, end: End| match world.resolve(resolver, end) {
            Ok(ends) => Some(ends),
            Err(reason) => {
                applied.unresolved.push(Unresolved { rule, end: Some(end), reason });
                None
            }
        };
        // The end that is not looked up goes first: it is cheap, and may be missing.
        let (sources, targets) = if matches!(rule.source, Resolver::Lookup { .. }) {
            let targets = resolve(&rule.target, End::Target);
            let Some(targets) = targets else { return };
            (resolve(&rule.source, End::Source), Some(targets))
        } else {
            let sources = resolve(&rule.source, End::Source);
            let Some(sources) = sources else { return };
            (Some(sources), resolve(&rule.target, End::Target))
        };
        if let (Some(sources), Some(targets)) = (sources, targets) {
            relate(rule, &sources, &targets, seen, applied);
        }
    }
}

fn relate<'a>(
    rule: &'a RelationshipRule,
    sources: &Ends,
    targets: &Ends,
    seen: &mut BTreeSet<(Arc<str>, Arc<str>, &'a str)>,
    applied: &mut Applied<'a>,
) {
    let relationship_type = rule.relationship_type.as_str();
    for source in &sources.guids {
        for target in &targets.guids {
            let ends = (Arc::clone(source), Arc::clone(target), relationship_type);
            if source == target || !seen.insert(ends) {
                continue;
            }
            let made = sources.uninstrumented.as_ref().or(targets.uninstrumented.as_ref());
            applied.matches.push(RelationshipMatch {
                source: Arc::clone(source),
                target: Arc::clone(target),
                relationship_type,
                expires: rule.expires,
                rule,
                source_type: sources.entity_type.clone(),
                target_type: targets.entity_type.clone(),
                uninstrumented: made.cloned(),
            });
        }
    }
}

/// Every attribute that a rule reads.
fn attributes(rule: &RelationshipRule) -> Vec<&str> {
    let mut names: Vec<&str> = rule.conditions.iter().map(|c| c.attribute.as_str()).collect();
    fn of(source: &FragmentSource) -> Option<&str> {
        match source {
            FragmentSource::Value(_) => None,
            FragmentSource::Attribute(attribute) => Some(attribute),
            FragmentSource::Capture(capture) => Some(&capture.attribute),
        }
    }
    for end in [&rule.source, &rule.target] {
        match end {
            Resolver::Extract { attribute, entity_type } => {
                names.push(attribute);
                if let Some(TypeHint::Attribute(attribute)) = entity_type {
                    names.push(attribute);
                }
            }
            Resolver::Build(build) => {
                names.extend(build.fragments.iter().filter_map(|part| of(&part.source)));
            }
            Resolver::Lookup { fields, .. } => {
                names.extend(fields.iter().filter_map(|field| of(&field.source)));
            }
        }
    }
    names
}
