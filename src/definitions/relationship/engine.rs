//! From points to relationships.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::candidates::{Candidates, Property};
use super::model::RelationshipRule;
use super::resolve::{End, Unresolved};
use crate::definitions::Point;

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
    pub(super) rules: Vec<RelationshipRule>,
    pub(super) candidates: IndexMap<String, Candidates>,
}

impl RelationshipRules {
    /// The rules, in order of loading.
    pub fn rules(&self) -> &[RelationshipRule] {
        &self.rules
    }

    /// The candidates' categories, in order of loading.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidates> {
        self.candidates.values()
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
    pub fn apply_reported<'a>(
        &'a self,
        _point: Point<'_>,
        _entities: &[PointEntity<'_>],
        _account: u64,
        _lookup: &dyn EntityLookup,
    ) -> Applied<'a> {
        Applied::default()
    }
}
