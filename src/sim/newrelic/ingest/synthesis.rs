//! From stored points to entities and relationships, and into the store.
//!
//! Source: docs/entities and docs/relationships of newrelic/entity-definitions.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::arrival::draw;
use crate::definitions::relationship::{PointEntity, Uninstrumented};
use crate::definitions::{Expiration, Match, Point, Scalar};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::MetricValue;
use crate::nrql::store::{Cell, NewEvent};
use crate::sim::newrelic::entities::{Living, NewEntity};
use crate::sim::newrelic::news::News;
use crate::sim::newrelic::state::State;

/// What a stored event says of the first entity that it made.
pub(super) struct Stamp {
    guid: String,
    name: String,
    kind: String,
    /// `entityGuid` and `entityName` instead of `entity.guid`, `entity.name` and `entity.type`.
    non_standard: bool,
}

impl Stamp {
    fn of(guid: String, found: &Match<'_>) -> Self {
        Self {
            guid,
            name: found.name.clone().into_owned(),
            kind: found.definition.entity_type.clone(),
            non_standard: found.rule.non_standard_attributes,
        }
    }

    fn entity(&self) -> PointEntity<'_> {
        PointEntity {
            guid: &self.guid,
            name: &self.name,
            entity_type: &self.kind,
            non_standard: self.non_standard,
        }
    }

    /// Adds the attributes, in place of any that the sender gave.
    fn put<'a>(&'a self, cells: &mut Vec<(&'a str, Scalar<'a>)>) {
        let standard = [("entity.guid", &self.guid), ("entity.name", &self.name)];
        let other = [("entityGuid", &self.guid), ("entityName", &self.name)];
        let kind = [("entity.type", &self.kind)];
        let (first, second) =
            if self.non_standard { (other, &[][..]) } else { (standard, &kind[..]) };
        for (name, text) in first.iter().chain(second) {
            match cells.iter_mut().find(|(known, _)| known == name) {
                Some((_, cell)) => *cell = Scalar::Text(text),
                None => cells.push((name, Scalar::Text(text))),
            }
        }
    }
}

/// A point on its way into the store.
pub(super) struct NewPoint<'a> {
    pub(super) account: AccountId,
    pub(super) event_type: &'a str,
    pub(super) timestamp: UnixMillis,
    /// The present.
    pub(super) at: UnixMillis,
    pub(super) request: u32,
    /// Attributes, no name twice.
    pub(super) cells: Vec<(&'a str, Scalar<'a>)>,
    /// The value of the cell that says [`Scalar::Metric`].
    pub(super) metric: Option<MetricValue>,
}

impl State {
    /// Makes the entities and relationships of a point, and stores it.
    pub(super) fn store_point(&mut self, new: NewPoint<'_>) {
        let NewPoint { account, event_type, timestamp, at, request, cells, metric } = new;
        let point = Point { event_type, attributes: &cells };
        let stamps = self.synthesize(account, at, point);
        self.relate_by_rules(account, at, point, &stamps);
        match stamps.first() {
            None => self.put(account, event_type, (timestamp, at), request, &cells, metric),
            Some(stamp) => {
                let mut cells = cells;
                stamp.put(&mut cells);
                self.put(account, event_type, (timestamp, at), request, &cells, metric);
            }
        }
    }

    /// Stores one row: its own time, then the present.
    pub(in crate::sim::newrelic) fn put(
        &mut self,
        account: AccountId,
        event_type: &str,
        (timestamp, stored_at): (UnixMillis, UnixMillis),
        request: u32,
        cells: &[(&str, Scalar<'_>)],
        metric: Option<MetricValue>,
    ) {
        let cells = cells.iter().map(|(name, scalar)| (*name, cell(*scalar, metric)));
        let cells: Vec<(&str, Cell<'_>)> = cells.collect();
        let cells = &cells;
        self.store.push(NewEvent { account, event_type, timestamp, stored_at, request, cells });
    }

    /// Makes or confirms the entities of a point; what its row is stamped with.
    fn synthesize(&mut self, account: AccountId, at: UnixMillis, point: Point<'_>) -> Vec<Stamp> {
        let definitions = Arc::clone(&self.definitions);
        let mut stamps = Vec::new();
        for found in definitions.match_point(point) {
            let Ok(guid) = found.guid(account) else {
                self.counters.guids_refused += 1;
                continue;
            };
            let (range, extra) = (self.config.synthesis_lag, self.extra_lag);
            let mut visible_at = None;
            let lag = || {
                let lag = draw(&mut self.ingest.lags, range) + extra;
                visible_at = Some(at.plus(lag));
                lag
            };
            let kept = self.entities.observe(account, &guid, &found, at, lag);
            self.counters.entities_refused += u64::from(!kept);
            if let (Some(listener), Some(visible_at)) = (&self.listener, visible_at) {
                let entity_type = &found.definition.entity_type;
                listener(&News::Entity { guid: &guid, entity_type, visible_at });
            }
            if kept {
                stamps.push(Stamp::of(guid, &found));
            }
        }
        stamps
    }

    /// Makes or confirms the relationships that the definitions' rules see in a point, and the
    /// uninstrumented entities at their ends.
    fn relate_by_rules(
        &mut self,
        account: AccountId,
        at: UnixMillis,
        point: Point<'_>,
        stamps: &[Stamp],
    ) {
        let definitions = Arc::clone(&self.definitions);
        let rules = definitions.relationships();
        if rules.rules().is_empty() {
            return;
        }
        let made: Vec<PointEntity<'_>> = stamps.iter().map(Stamp::entity).collect();
        let living = Living { entities: &self.entities, at };
        let matches = rules.apply(point, &made, account.get(), &living);
        for found in matches {
            if let Some(missing) = &found.uninstrumented {
                self.make_uninstrumented(account, at, missing);
            }
            let ends = (&*found.source, found.relationship_type, &*found.target);
            self.relate(account, ends, at, found.expires);
        }
    }

    fn make_uninstrumented(
        &mut self,
        account: AccountId,
        at: UnixMillis,
        missing: &Uninstrumented,
    ) {
        const DOMAIN: &str = "UNINSTRUMENTED";
        let definition = self.definitions.get(DOMAIN, &missing.entity_type);
        let expiration = definition.map_or(Expiration::Daily, |known| known.expiration);
        let new = NewEntity {
            account: AccountId::try_from(missing.account).unwrap_or(account),
            guid: &missing.guid,
            domain: DOMAIN,
            entity_type: &missing.entity_type,
            name: &missing.name,
            lifetime: expiration.lifetime(),
        };
        let (range, extra) = (self.config.synthesis_lag, self.extra_lag);
        let lag = || draw(&mut self.ingest.lags, range) + extra;
        let kept = self.entities.register(new, at, lag);
        self.counters.entities_refused += u64::from(!kept);
        let tags = missing.tags.iter().map(|(key, value)| (&**key, Cow::Borrowed(&**value)));
        self.entities.observe_tags(&missing.guid, tags, at);
    }

    fn relate(
        &mut self,
        account: AccountId,
        ends: (&str, &str, &str),
        at: UnixMillis,
        lifetime: Duration,
    ) {
        let (range, extra) = (self.config.synthesis_lag, self.extra_lag);
        let lag = || draw(&mut self.ingest.lags, range) + extra;
        let kept = self.entities.relate(account, ends, at, lifetime, lag);
        self.counters.entities_refused += u64::from(!kept);
    }
}

/// A cell of the store. Only data points know truth values; in events they are texts.
fn cell(scalar: Scalar<'_>, metric: Option<MetricValue>) -> Cell<'_> {
    match (scalar, metric) {
        (Scalar::Text(text), _) => Cell::Text(text),
        (Scalar::Number(number), _) => Cell::Number(number),
        (Scalar::Integer(number), _) => Cell::Integer(number),
        (Scalar::Bool(value), Some(_)) => Cell::Bool(value),
        (Scalar::Bool(true), None) => Cell::Text("true"),
        (Scalar::Bool(false), None) => Cell::Text("false"),
        (Scalar::Metric, Some(value)) => Cell::Metric(value),
        (Scalar::Metric, None) => Cell::Text(""),
    }
}
