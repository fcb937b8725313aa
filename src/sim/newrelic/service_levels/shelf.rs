//! What is kept, and how it changes.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::{DOMAIN, ENTITY_TYPE, Refusal, validate};
use crate::definitions::entity_guid;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::fields::merged;

/// Most indicators of all accounts. A guard of our own.
const INDICATORS_MAX: usize = 20_000;

/// An indicator.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::newrelic) struct Indicator {
    pub(in crate::sim::newrelic) id: u64,
    /// Account of its entity.
    pub(in crate::sim::newrelic) account: AccountId,
    /// Of its own entity.
    pub(in crate::sim::newrelic) guid: String,
    /// The entity that it belongs to.
    entity: String,
    /// As sent, defaults filled in.
    fields: Map<String, Json>,
    created_at: UnixMillis,
    updated_at: Option<UnixMillis>,
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::sim::newrelic) struct ServiceLevels {
    last: u64,
    indicators: IndexMap<u64, Indicator>,
}

/// Events are counted unless somebody says otherwise.
fn with_defaults(mut fields: Map<String, Json>) -> Map<String, Json> {
    let events = fields.get_mut("events").and_then(Json::as_object_mut).into_iter().flatten();
    for query in events.filter_map(|(_, query)| query.as_object_mut()) {
        if query.get("select").is_none_or(Json::is_null) {
            query.insert("select".to_owned(), json!({"function": "COUNT"}));
        }
    }
    fields
}

impl Indicator {
    pub(in crate::sim::newrelic) fn name(&self) -> &str {
        self.fields.get("name").and_then(Json::as_str).unwrap_or_default()
    }

    /// As NerdGraph shows it.
    pub(in crate::sim::newrelic) fn shown(&self) -> Json {
        let mut shown = Json::Object(self.fields.clone());
        shown["id"] = self.id.to_string().into();
        shown["guid"] = self.guid.as_str().into();
        shown["entityGuid"] = self.entity.as_str().into();
        shown["createdAt"] = self.created_at.0.into();
        shown["updatedAt"] = self.updated_at.map_or(Json::Null, |at| at.0.into());
        shown["events"]["account"] = json!({"id": shown["events"]["accountId"]});
        if shown["objectives"].is_null() {
            shown["objectives"] = json!([]);
        }
        shown
    }
}

impl ServiceLevels {
    /// Makes an indicator of the entity `entity`.
    pub(in crate::sim::newrelic) fn create(
        &mut self,
        (account, entity): (AccountId, &str),
        fields: &Map<String, Json>,
        now: UnixMillis,
    ) -> Result<&Indicator, Refusal> {
        validate::indicator(fields)?;
        if self.indicators.len() >= INDICATORS_MAX {
            return Err(Refusal::Invalid(format!("there are {INDICATORS_MAX} of them already")));
        }
        self.last += 1;
        let id = self.last;
        let guid = entity_guid(account, DOMAIN, ENTITY_TYPE, &id.to_string(), false);
        let indicator = Indicator {
            id,
            account,
            guid: guid.map_err(|_| Refusal::Invalid("its GUID is too long".to_owned()))?,
            entity: entity.to_owned(),
            fields: with_defaults(fields.clone()),
            created_at: now,
            updated_at: None,
        };
        Ok(self.indicators.entry(id).or_insert(indicator))
    }

    /// The indicator that `id` or `guid` names; both must fit when both are given.
    pub(in crate::sim::newrelic) fn find(
        &self,
        id: Option<&str>,
        guid: Option<&str>,
    ) -> Result<&Indicator, Refusal> {
        let fits = |indicator: &&Indicator| {
            id.is_none_or(|id| id == indicator.id.to_string())
                && guid.is_none_or(|guid| guid == indicator.guid)
        };
        let named = id.is_some() || guid.is_some();
        self.indicators.values().find(fits).filter(|_| named).ok_or(Refusal::NotFound)
    }

    /// Changes an indicator; what is left out stays, a list is replaced.
    pub(in crate::sim::newrelic) fn update(
        &mut self,
        id: u64,
        change: &Map<String, Json>,
        now: UnixMillis,
    ) -> Result<&Indicator, Refusal> {
        let indicator = self.indicators.get_mut(&id).ok_or(Refusal::NotFound)?;
        let fields = merged(&indicator.fields, change);
        validate::indicator(&fields)?;
        indicator.fields = with_defaults(fields);
        indicator.updated_at = Some(now);
        Ok(indicator)
    }

    /// Deletes an indicator.
    pub(in crate::sim::newrelic) fn delete(&mut self, id: u64) -> Result<Indicator, Refusal> {
        self.indicators.shift_remove(&id).ok_or(Refusal::NotFound)
    }

    /// The indicators of an entity, oldest first.
    pub(in crate::sim::newrelic) fn of<'a>(
        &'a self,
        entity: &'a str,
    ) -> impl Iterator<Item = &'a Indicator> {
        self.indicators.values().filter(move |indicator| indicator.entity == entity)
    }
}
