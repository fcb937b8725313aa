//! Service level indicators of entities.
//!
//! Source: the operations of newrelic-client-go's servicelevel package.
//!
//! Invariant: an indicator is found again by the name that it has among its entity's after a lost
//! answer, so names have to be told apart by whoever makes them.

use serde_json::{Value, json};

use super::alerts::holds;
use super::answer::NerdGraphError;
use super::change::{ChangeError, Done};
use super::client::{NerdGraph, Operation};
use crate::ports::Ports;

/// An indicator.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredIndicator {
    /// Its number, as a text.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its fields, by the names that inputs have.
    pub fields: Value,
}

const INDICATORS: &str = "query($guid: EntityGuid!) { actor { entity(guid: $guid) { guid \
    serviceLevel { indicators { id name description \
    events { validEvents { from where select { attribute function } } \
    goodEvents { from where select { attribute function } } \
    badEvents { from where select { attribute function } } } \
    objectives { target timeWindow { rolling { count unit } } } } } } } }";

fn indicator(fields: &Value) -> Option<StoredIndicator> {
    Some(StoredIndicator {
        id: fields["id"].as_str()?.to_owned(),
        name: fields["name"].as_str()?.to_owned(),
        fields: fields.clone(),
    })
}

impl<P: Ports> NerdGraph<P> {
    /// The indicators of an entity; `None` when there is no such entity, or none that the key may
    /// see.
    ///
    /// # Errors
    /// The class; [`NerdGraphError::Unreadable`] for an indicator without id or name.
    pub async fn indicators(
        &self,
        entity: &str,
    ) -> Result<Option<Vec<StoredIndicator>>, NerdGraphError> {
        let data = self.ask(&Operation::query(INDICATORS, json!({"guid": entity}))).await?;
        let found = &data["actor"]["entity"];
        if found.is_null() {
            return Ok(None);
        }
        // An entity without any may have nothing in place of the list.
        let rows = found["serviceLevel"]["indicators"].as_array();
        let read: Option<Vec<StoredIndicator>> =
            rows.into_iter().flatten().map(indicator).collect();
        let unreadable = || "an indicator without id or name".to_owned();
        read.map(Some).ok_or_else(|| NerdGraphError::Unreadable(unreadable()))
    }

    /// Makes an indicator of `entity`; its name must not be there yet.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn create_indicator(&self, entity: &str, input: &Value) -> Result<Done, ChangeError> {
        let arguments = vec![
            ("entityGuid", "EntityGuid!", entity.into()),
            ("indicator", "ServiceLevelIndicatorCreateInput!", input.clone()),
        ];
        let look = async || {
            let mut all = self.indicators(entity).await?.unwrap_or_default().into_iter();
            Ok(all.find(|stored| input["name"] == stored.name.as_str()).map(|stored| stored.id))
        };
        self.mutate("serviceLevelCreate", arguments, look).await
    }

    /// Changes the indicator `id` of `entity`.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn update_indicator(
        &self,
        (entity, id): (&str, &str),
        input: &Value,
    ) -> Result<Done, ChangeError> {
        let arguments = vec![
            ("id", "ID", id.into()),
            ("indicator", "ServiceLevelIndicatorUpdateInput!", input.clone()),
        ];
        let look = async || {
            let mut all = self.indicators(entity).await?.unwrap_or_default().into_iter();
            let done = |stored: &StoredIndicator| stored.id == id && holds(&stored.fields, input);
            Ok(all.find(done).map(|stored| stored.id))
        };
        self.mutate("serviceLevelUpdate", arguments, look).await
    }

    /// Deletes the indicator `id` of `entity`.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn delete_indicator(&self, (entity, id): (&str, &str)) -> Result<Done, ChangeError> {
        let look = async || {
            let all = self.indicators(entity).await?.unwrap_or_default();
            Ok(all.iter().all(|stored| stored.id != id).then(|| id.to_owned()))
        };
        self.mutate("serviceLevelDelete", vec![("id", "ID", id.into())], look).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::newrelic::nerdgraph::tests::{Rig, Step};

    fn entity(names: &[&str]) -> Step {
        let row = |name: &&str| json!({"id": format!("id of {name}"), "name": name});
        let rows: Vec<Value> = names.iter().map(row).collect();
        let entity = json!({"guid": "g", "serviceLevel": {"indicators": rows}});
        Step::Answer(200, json!({"data": {"actor": {"entity": entity}}}))
    }

    #[test]
    fn an_entity_without_indicators_is_told_from_none() {
        let none = Step::Answer(200, json!({"data": {"actor": {"entity": null}}}));
        let bare = json!({"data": {"actor": {"entity": {"guid": "g", "serviceLevel": null}}}});
        let rig = Rig::new([none, Step::Answer(200, bare), entity(&["a"])]);
        let ask = || rig.clock.run(rig.client.indicators("g")).expect("an answer");
        assert_eq!(ask(), None);
        assert_eq!(ask(), Some(Vec::new()));
        assert_eq!(ask().expect("an entity")[0].id, "id of a");
    }

    #[test]
    fn lost_answers_are_looked_up_by_name() {
        let input = json!({"name": "a"});
        let rig = Rig::new([Step::Silence, entity(&["b"]), entity(&["b", "a"])]);
        let done = rig.clock.run(rig.client.create_indicator("g", &input)).expect("made");
        assert_eq!(done, Done { id: "id of a".to_owned(), found_out: true });
        let rig = Rig::new([Step::Silence, entity(&["a"]), entity(&["b"])]);
        let gone = rig.client.delete_indicator(("g", "id of a"));
        let done = rig.clock.run(gone).expect("deleted");
        assert!(done.found_out);
    }
}
