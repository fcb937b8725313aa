//! What users change: tags, relationships of their own, entities that are gone.

use async_graphql::{Value, value};
use base64::Engine as _;
use serde_json::Value as Json;

use super::{Answer, Call, Failure, Resolver, dashboard, entity};
use crate::sim::newrelic::entities::{RelationshipOrigin, TagFault};
use crate::sim::newrelic::state::State;

/// Relationships that users may define around one entity.
const DEFINED_MAX: usize = 2_000;

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    if object != "RootMutationType" {
        return None;
    }
    Some(match field {
        "taggingAddTagsToEntity" => |call| tagging(call, add),
        "taggingReplaceTagsOnEntity" => |call| tagging(call, replace),
        "taggingDeleteTagFromEntity" => |call| tagging(call, delete_keys),
        "taggingDeleteTagValuesFromEntity" => |call| tagging(call, delete_values),
        "entityRelationshipUserDefinedCreateOrReplace" => relate,
        "entityRelationshipUserDefinedDelete" => unrelate,
        "entityDelete" => delete_entities,
        _ => return None,
    })
}

type Edit = fn(&Call<'_>, &mut State, &str) -> Result<(), TagFault>;

/// Whether a text has the form of a GUID.
fn is_guid(text: &str) -> bool {
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    engine.decode(text).is_ok_and(|bytes| bytes.iter().filter(|b| **b == b'|').count() >= 3)
}

fn tag_error(fault: TagFault) -> &'static str {
    match fault {
        TagFault::NotFound => "NOT_FOUND",
        TagFault::InvalidKey => "INVALID_KEY",
        TagFault::InvalidValue => "INVALID_VALUE",
        TagFault::TooManyKeys => "TOO_MANY_TAG_KEYS",
        TagFault::TooManyValues => "TOO_MANY_TAG_VALUES",
    }
}

fn tagging(call: &Call<'_>, edit: Edit) -> Result<Answer, Failure> {
    let guid = call.text("guid").unwrap_or_default();
    let refused = |kind: &str, message: String| {
        Ok(Answer::Value(value!({"errors": [{"type": kind, "message": message}]})))
    };
    if !is_guid(guid) {
        return refused("INVALID_ENTITY_GUID", format!("`{guid}` is not the guid of an entity"));
    }
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    // What the key may not see does not exist for it.
    let done = match entity::seen(call, &state, guid) {
        Some(_) => edit(call, &mut state, guid),
        None => Err(TagFault::NotFound),
    };
    match done {
        Ok(()) => Ok(Answer::Value(value!({"errors": []}))),
        Err(fault) => refused(tag_error(fault), fault.to_string()),
    }
}

/// Tags as the inputs hold them.
fn tags(call: &Call<'_>) -> Vec<(String, Vec<String>)> {
    let tag = |tag: &Json| {
        let key = tag.get("key").and_then(Json::as_str).unwrap_or_default().to_owned();
        let values = tag.get("values").and_then(Json::as_array).into_iter().flatten();
        (key, values.filter_map(Json::as_str).map(str::to_owned).collect())
    };
    call.list("tags").iter().map(tag).collect()
}

fn add(call: &Call<'_>, state: &mut State, guid: &str) -> Result<(), TagFault> {
    let now = state.now;
    state.entities.add_tags(guid, &tags(call), now)
}

fn replace(call: &Call<'_>, state: &mut State, guid: &str) -> Result<(), TagFault> {
    let now = state.now;
    state.entities.replace_tags(guid, &tags(call), now)
}

fn delete_keys(call: &Call<'_>, state: &mut State, guid: &str) -> Result<(), TagFault> {
    let now = state.now;
    let mut keys = call.list("tagKeys").iter().filter_map(Json::as_str);
    keys.try_for_each(|key| state.entities.delete_tag(guid, key, None, now))
}

fn delete_values(call: &Call<'_>, state: &mut State, guid: &str) -> Result<(), TagFault> {
    let now = state.now;
    call.list("tagValues").iter().try_for_each(|tag| {
        let text = |name: &str| tag.get(name).and_then(Json::as_str).unwrap_or_default();
        state.entities.delete_tag(guid, text("key"), Some(text("value")), now)
    })
}

fn relate(call: &Call<'_>) -> Result<Answer, Failure> {
    let text = |name: &str| call.text(name).unwrap_or_default();
    let (source, target, kind) = (text("sourceEntityGuid"), text("targetEntityGuid"), text("type"));
    let refused = |kind: &str, message: String| {
        Ok(Answer::Value(value!({"errors": [{"type": kind, "message": message}]})))
    };
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let now = state.now;
    let mut account = None;
    for guid in [target, source] {
        match entity::seen(call, &state, guid) {
            Some(entity) => account = Some(entity.account),
            None => return refused("NOT_AUTHORIZED", format!("No entity has the guid `{guid}`")),
        }
    }
    if source == target {
        let message = "An entity cannot be related to itself".to_owned();
        return refused("NOT_ALLOWED", message);
    }
    let known = state.entities.relationships_of(source, now);
    let mine = known.filter(|edge| edge.origin == RelationshipOrigin::UserDefined).count();
    if mine >= DEFINED_MAX {
        let message = format!("An entity has at most {DEFINED_MAX} user-defined relationships");
        return refused("LIMIT_EXCEEDED", message);
    }
    if let Some(account) = account {
        state.entities.define_relationship(account, (source, kind, target), now);
    }
    Ok(Answer::Value(value!({"errors": []})))
}

fn unrelate(call: &Call<'_>) -> Result<Answer, Failure> {
    let text = |name: &str| call.text(name).unwrap_or_default();
    let (source, target) = (text("sourceEntityGuid"), text("targetEntityGuid"));
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    for guid in [source, target] {
        if entity::seen(call, &state, guid).is_none() {
            let message = format!("No entity has the guid `{guid}`");
            let errors = value!({"errors": [{"type": "NOT_AUTHORIZED", "message": message}]});
            return Ok(Answer::Value(errors));
        }
    }
    state.entities.undefine_relationship(source, call.text("type"), target);
    Ok(Answer::Value(value!({"errors": []})))
}

fn delete_entities(call: &Call<'_>) -> Result<Answer, Failure> {
    let force = call.args.get("forceDelete") == Some(&Json::Bool(true));
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let now = state.now;
    for guid in call.list("guids").iter().filter_map(Json::as_str) {
        let mut refuse = |kind: &str, message: &str| {
            failures.push(value!({"guid": guid, "type": kind, "message": message}));
        };
        let Some(entity) = entity::seen(call, &state, guid) else {
            refuse("INVALID_INPUT", "No entity has this guid");
            continue;
        };
        if entity.kind() == "DASHBOARD_ENTITY" {
            match dashboard::delete_now(call, &mut state, guid) {
                Ok(()) => deleted.push(Value::from(guid)),
                Err(refusal) => refuse("FORBIDDEN", &refusal.description),
            }
        } else if entity.reporting && entity.is_alertable() && !force {
            refuse("FORBIDDEN", "The entity is reporting: data would make it anew");
        } else if state.entities.delete(guid, now) {
            deleted.push(Value::from(guid));
        } else {
            refuse("INTERNAL_ERROR", "The entity was not deleted");
        }
    }
    Ok(Answer::Value(value!({"deletedEntities": deleted, "failures": failures})))
}
