//! Service levels of entities: mutations, and what an entity has.

use serde_json::{Map, Value as Json, json};

use super::{Answer, Call, Failure, Resolver, actor, entity};
use crate::sim::newrelic::entities::NewEntity;
use crate::sim::newrelic::service_levels::{DOMAIN, ENTITY_TYPE, Indicator, Refusal};
use crate::sim::newrelic::state::State;

/// Fields of the root.
pub(super) fn find_root(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("RootMutationType", "serviceLevelCreate") => create,
        ("RootMutationType", "serviceLevelUpdate") => update,
        ("RootMutationType", "serviceLevelDelete") => delete,
        _ => return None,
    })
}

/// Fields of every entity type.
pub(super) fn find(field: &str) -> Option<Resolver> {
    (field == "serviceLevel").then_some(of_entity as Resolver)
}

fn failure(refusal: &Refusal) -> Failure {
    Failure::input(refusal.to_string())
}

fn input(call: &Call<'_>) -> Map<String, Json> {
    call.args.get("indicator").and_then(Json::as_object).cloned().unwrap_or_default()
}

/// As it is shown, with the name of the account whose events it counts.
fn shown(state: &State, indicator: &Indicator) -> Json {
    let mut shown = indicator.shown();
    let account = &mut shown["events"]["account"];
    let mut known = state.config.accounts.iter();
    let named = known.find(|known| account["id"] == json!(known.id.get()));
    account["name"] = named.map_or(Json::Null, |known| known.name.as_str().into());
    shown
}

fn of_entity(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(guid) = call.parent_text("guid") else { return Ok(Answer::NULL) };
    let state = call.session.newrelic.state();
    let levels = state.graph.service_levels.of(guid);
    let indicators: Vec<Json> = levels.map(|indicator| shown(&state, indicator)).collect();
    Ok(Answer::json(json!({"indicators": indicators})))
}

/// Keeps the entity of an indicator under its name.
fn register(state: &mut State, indicator: &Indicator) {
    let new = NewEntity {
        account: indicator.account,
        guid: &indicator.guid,
        domain: DOMAIN,
        entity_type: ENTITY_TYPE,
        name: indicator.name(),
        lifetime: None,
    };
    let now = state.now;
    state.entities.register(new, now, || std::time::Duration::ZERO);
}

fn create(call: &Call<'_>) -> Result<Answer, Failure> {
    let fields = input(call);
    let reads = fields.get("events").and_then(|events| events.get("accountId"));
    actor::allowed(call, reads.and_then(Json::as_i64).unwrap_or_default())?;
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let found = entity::seen(call, &state, call.text("entityGuid").unwrap_or_default());
    let entity = found.ok_or_else(|| failure(&Refusal::NotFound))?;
    let now = state.now;
    let levels = &mut state.graph.service_levels;
    let made = levels.create((entity.account, &entity.guid), &fields, now);
    let made = made.map_err(|refusal| failure(&refusal))?.clone();
    register(&mut state, &made);
    Ok(Answer::json(shown(&state, &made)))
}

/// The indicator that the arguments name, if the key opens its account.
fn named(call: &Call<'_>, state: &State) -> Result<u64, Failure> {
    let found = state.graph.service_levels.find(call.text("id"), call.text("guid"));
    let mine = found.ok().filter(|found| call.session.user.accounts.contains(&found.account));
    mine.map(|found| found.id).ok_or_else(|| failure(&Refusal::NotFound))
}

fn update(call: &Call<'_>) -> Result<Answer, Failure> {
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let id = named(call, &state)?;
    let now = state.now;
    let changed = state.graph.service_levels.update(id, &input(call), now);
    let changed = changed.map_err(|refusal| failure(&refusal))?.clone();
    register(&mut state, &changed);
    Ok(Answer::json(shown(&state, &changed)))
}

fn delete(call: &Call<'_>) -> Result<Answer, Failure> {
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let id = named(call, &state)?;
    let gone = state.graph.service_levels.delete(id).map_err(|refusal| failure(&refusal))?;
    let now = state.now;
    state.entities.delete(&gone.guid, now);
    Ok(Answer::json(shown(&state, &gone)))
}
