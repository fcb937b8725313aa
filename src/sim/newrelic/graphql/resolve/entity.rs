//! One entity: what its search result does not carry yet.

use async_graphql::{Value, value};
use serde_json::Value as Json;

use super::super::view::{self, Form};
use super::{Answer, Call, Failure, Resolver, dashboard};
use crate::sim::newrelic::entities::{RelationshipOrigin, StoredEntity, StoredRelationship};
use crate::sim::newrelic::state::State;

/// Entities of one `entities(guids:)`.
const GUIDS_MAX: usize = 25;
/// Relationships of a page.
const RELATED_MAX: usize = 500;

/// Fields of every entity type and outline.
pub(super) fn find(field: &str) -> Option<Resolver> {
    Some(match field {
        "tagsWithMetadata" => |call| of(call, view::tags_with_metadata),
        "relatedEntities" => related,
        "relationships" => relationships,
        "nrdbQuery" => nrdb_query,
        _ => return None,
    })
}

/// Fields of the roots.
pub(super) fn find_root(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("Actor", "entity") => entity,
        ("Actor", "entities") => entities,
        _ => return None,
    })
}

/// The entity under `guid`, if it is visible and the key opens its account.
pub(super) fn seen(call: &Call<'_>, state: &State, guid: &str) -> Option<StoredEntity> {
    let found = state.entities.glance(guid, state.now);
    let user = &call.session.user;
    let mine = found.filter(|entity| user.accounts.contains(&entity.account()))?;
    (!dashboard::is_hidden(state, mine, user)).then(|| mine.copied())
}

fn entity(call: &Call<'_>) -> Result<Answer, Failure> {
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let found = seen(call, &state, call.text("guid").unwrap_or_default());
    Ok(Answer::Value(found.map_or(Value::Null, |e| view::entity(&e, Form::Whole, None))))
}

fn entities(call: &Call<'_>) -> Result<Answer, Failure> {
    let guids = call.list("guids");
    if guids.len() > GUIDS_MAX {
        return Err(Failure::input(format!("No more than {GUIDS_MAX} guids at once")));
    }
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let found = guids.iter().filter_map(Json::as_str).filter_map(|g| seen(call, &state, g));
    Ok(Answer::Value(found.map(|e| view::entity(&e, Form::Whole, None)).collect::<Vec<_>>().into()))
}

/// Shows the parent as it is stored now.
fn of(call: &Call<'_>, show: fn(&StoredEntity) -> Value) -> Result<Answer, Failure> {
    let state = call.session.newrelic.state();
    let found = call.parent_text("guid").and_then(|guid| seen(call, &state, guid));
    Ok(Answer::Value(found.as_ref().map_or(Value::Null, show)))
}

fn nrdb_query(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(Value::Number(id)) = call.parent("accountId") else { return Ok(Answer::NULL) };
    let account = super::actor::allowed(call, id.as_i64().unwrap_or_default())?;
    super::nrql::run(call, vec![account], call.text("nrql").unwrap_or_default())
}

/// What `relatedEntities(filter:)` lets pass.
struct Filter<'a> {
    wishes: Option<&'a Json>,
}

impl Filter<'_> {
    fn list(&self, filter: &str, list: &str) -> Option<&Vec<Json>> {
        self.wishes?.get(filter)?.get(list)?.as_array()
    }

    fn direction_passes(&self, guid: &str, edge: &StoredRelationship) -> bool {
        let direction = self.wishes.and_then(|w| w.get("direction")).and_then(Json::as_str);
        match direction {
            Some("INBOUND") => edge.target == guid,
            Some("OUTBOUND") => edge.source == guid,
            _ => true,
        }
    }

    fn type_passes(&self, kind: &str) -> bool {
        let names = |list: &Vec<Json>| list.iter().any(|name| name.as_str() == Some(kind));
        self.list("relationshipTypes", "include").is_none_or(names)
            && !self.list("relationshipTypes", "exclude").is_some_and(names)
    }

    /// By the other end.
    fn domain_type_passes(&self, other: &StoredEntity) -> bool {
        let is = |list: &Vec<Json>| {
            list.iter().any(|wish| {
                let same = |name: &str, own: &str| {
                    wish.get(name).and_then(Json::as_str).is_none_or(|wished| wished == own)
                };
                same("domain", &other.domain) && same("type", &other.entity_type)
            })
        };
        self.list("entityDomainTypes", "include").is_none_or(is)
            && !self.list("entityDomainTypes", "exclude").is_some_and(is)
    }
}

/// The relationships of `guid` that are wanted, with the entities at both ends, as far as they can
/// be seen.
fn edges(
    call: &Call<'_>,
    state: &State,
    guid: &str,
    wanted: impl Fn(&StoredRelationship) -> bool,
) -> Vec<(StoredRelationship, [StoredEntity; 2])> {
    let known = state.entities.relationships_of(guid, state.now).filter(|edge| wanted(edge));
    let with_ends = known.filter_map(|edge| {
        let ends = [seen(call, state, &edge.source)?, seen(call, state, &edge.target)?];
        Some((edge.clone(), ends))
    });
    with_ends.collect()
}

fn vertex(entity: &StoredEntity) -> Value {
    value!({
        "accountId": entity.account.get(),
        "guid": &*entity.guid,
        "entityType": entity.kind(),
        "entity": view::entity(entity, Form::Outline, None),
    })
}

fn related(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(guid) = call.parent_text("guid") else { return Ok(Answer::NULL) };
    let filter = Filter { wishes: call.args.get("filter").filter(|wishes| !wishes.is_null()) };
    let state = call.session.newrelic.state();
    let wanted = |edge: &StoredRelationship| {
        filter.direction_passes(guid, edge) && filter.type_passes(&edge.kind)
    };
    let passes = |(_, [source, target]): &(StoredRelationship, [StoredEntity; 2])| {
        filter.domain_type_passes(if &*source.guid == guid { target } else { source })
    };
    let all: Vec<_> = edges(call, &state, guid, wanted).into_iter().filter(passes).collect();
    let limit = call.number("limit").unwrap_or(RELATED_MAX as i64);
    let limit = usize::try_from(limit).unwrap_or(0).clamp(1, RELATED_MAX);
    let start = match call.text("cursor") {
        None | Some("") => 0,
        Some(cursor) => cursor
            .strip_prefix("r1-")
            .and_then(|number| number.parse::<usize>().ok())
            .ok_or_else(|| Failure::input("Invalid cursor"))?,
    };
    let page = all.iter().skip(start).take(limit).map(|(edge, [source, target])| {
        let name = match edge.origin {
            RelationshipOrigin::Detected => "EntityRelationshipDetectedEdge",
            RelationshipOrigin::UserDefined => "EntityRelationshipUserDefinedEdge",
        };
        value!({
            "__typename": name,
            "createdAt": edge.first_seen.0,
            "type": edge.kind.as_str(),
            "source": vertex(source),
            "target": vertex(target),
        })
    });
    let page: Vec<Value> = page.collect();
    let next = start.saturating_add(page.len());
    let next_cursor = (next < all.len()).then(|| format!("r1-{next}"));
    let count = all.len();
    Ok(Answer::Value(value!({"count": count, "nextCursor": next_cursor, "results": page})))
}

/// The deprecated predecessor of `relatedEntities`; it knows fewer types.
fn relationships(call: &Call<'_>) -> Result<Answer, Failure> {
    const KNOWN: [&str; 6] = ["CALLS", "CONNECTS_TO", "CONTAINS", "HOSTS", "IS", "SERVES"];
    let Some(guid) = call.parent_text("guid") else { return Ok(Answer::NULL) };
    let state = call.session.newrelic.state();
    let known = |edge: &StoredRelationship| KNOWN.contains(&edge.kind.as_str());
    let shown = edges(call, &state, guid, known).into_iter().map(|(edge, [source, target])| {
        value!({
            "type": edge.kind.as_str(),
            "source": vertex(&source),
            "target": vertex(&target),
        })
    });
    Ok(Answer::Value(Value::List(shown.collect())))
}
