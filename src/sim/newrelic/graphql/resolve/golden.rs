//! Golden metrics and tags of entities, and their overrides.

use async_graphql::{Value, value};
use serde_json::Value as Json;

use super::super::golden::{self, METRICS_MAX, MetricInput, Scope, Window};
use super::{Answer, Call, Failure, Resolver, actor, entity};
use crate::nrql;

pub(super) fn find_root(object: &str, field: &str) -> Option<Resolver> {
    if object != "RootMutationType" {
        return None;
    }
    Some(match field {
        "entityGoldenMetricsOverride" => override_metrics,
        "entityGoldenMetricsReset" => reset_metrics,
        "entityGoldenTagsOverride" => override_tags,
        "entityGoldenTagsReset" => reset_tags,
        _ => return None,
    })
}

/// Fields of every entity type and outline.
pub(super) fn find(field: &str) -> Option<Resolver> {
    Some(match field {
        "goldenMetrics" => metrics,
        "goldenTags" => tags,
        _ => return None,
    })
}

fn window(call: &Call<'_>) -> Window {
    let text = |name: &str| {
        let window = call.args.get("timeWindow")?;
        window.get(name).and_then(Json::as_str).map(str::to_owned)
    };
    Window { since: text("since"), until: text("until") }
}

/// Whose metrics an entity shows: its own, else its account's.
fn scopes(call: &Call<'_>, guid: &str, account: u64) -> Vec<Scope> {
    let context = call.args.get("context");
    let number = context.and_then(|c| c.get("account")).and_then(Json::as_u64);
    match number {
        Some(number) => vec![Scope::Account(number)],
        None => vec![Scope::Entity(guid.to_owned()), Scope::Account(account)],
    }
}

fn shown_context(scopes: &[Scope], guid: &str, account: u64) -> Value {
    match scopes {
        [Scope::Account(number)] => value!({"account": *number}),
        _ => value!({"account": account, "guid": guid}),
    }
}

fn metrics(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(guid) = call.parent_text("guid") else { return Ok(Answer::NULL) };
    let state = call.session.newrelic.state();
    let Some(entity) = entity::seen(call, &state, guid) else { return Ok(Answer::NULL) };
    let account = entity.account.get();
    let (scopes, window) = (scopes(call, guid, account), window(call));
    let of = (entity.domain.as_str(), entity.entity_type.as_str());
    let metrics: Vec<Value> = match state.graph.overrides.metrics(&scopes, of) {
        Some(metrics) => metrics.iter().map(|m| m.value(of, guid, &window)).collect(),
        None => {
            let definitions = state.definitions();
            let definition = definitions.get(of.0, of.1);
            definition.map_or_else(Vec::new, |d| golden::of_definition(d, &entity, &window))
        }
    };
    let context = shown_context(&scopes, guid, account);
    Ok(Answer::Value(value!({"context": context, "metrics": metrics})))
}

fn tags(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(guid) = call.parent_text("guid") else { return Ok(Answer::NULL) };
    let state = call.session.newrelic.state();
    let Some(entity) = entity::seen(call, &state, guid) else { return Ok(Answer::NULL) };
    let account = entity.account.get();
    let scopes = scopes(call, guid, account);
    let of = (entity.domain.as_str(), entity.entity_type.as_str());
    let definitions = state.definitions();
    let keys = match state.graph.overrides.tags(&scopes, of) {
        Some(keys) => keys,
        None => definitions.get(of.0, of.1).map_or(&[][..], |d| &d.golden_tags),
    };
    let tags: Vec<Value> = keys.iter().map(|key| value!({"key": key.as_str()})).collect();
    let context = shown_context(&scopes, guid, account);
    Ok(Answer::Value(value!({"context": context, "tags": tags})))
}

/// Type and message of an error in a payload.
type Refused = (&'static str, String);

/// Whom a mutation is for, if the key opens it.
fn target(call: &Call<'_>) -> Result<(Scope, String, String), Refused> {
    let text = |object: &str, name: &str| {
        let object = call.args.get(object);
        object.and_then(|object| object.get(name)).and_then(Json::as_str).map(str::to_owned)
    };
    let number = call.args.get("context").and_then(|context| context.get("account"));
    let scope = match (text("context", "guid"), number.and_then(Json::as_i64)) {
        (Some(guid), None) => {
            let state = call.session.newrelic.state();
            let known = entity::seen(call, &state, &guid);
            let message = || ("INVALID_CONTEXT", format!("No entity has the guid `{guid}`"));
            known.ok_or_else(message)?;
            Scope::Entity(guid)
        }
        (None, Some(number)) => {
            let message = |_| ("NOT_AUTHORIZED", format!("Account {number} is not accessible"));
            Scope::Account(actor::allowed(call, number).map_err(message)?.get())
        }
        _ => {
            let message = "The context must have either an account or a guid";
            return Err(("INVALID_CONTEXT", message.to_owned()));
        }
    };
    let (domain, kind) = (text("domainType", "domain"), text("domainType", "type"));
    let (domain, kind) = (domain.unwrap_or_default(), kind.unwrap_or_default());
    let state = call.session.newrelic.state();
    if state.definitions().get(&domain, &kind).is_none() {
        return Err(("INVALID_DOMAIN_TYPE", format!("There is no entity type {domain}-{kind}")));
    }
    Ok((scope, domain, kind))
}

fn payload(member: &str, done: Result<Value, Refused>) -> Result<Answer, Failure> {
    let name = async_graphql::Name::new(member);
    let mut fields = async_graphql::indexmap::IndexMap::new();
    match done {
        Ok(value) => drop(fields.insert(name, value)),
        Err((kind, message)) => {
            let errors = value!([{"type": kind, "message": message}]);
            fields.insert(async_graphql::Name::new("errors"), errors);
        }
    }
    Ok(Answer::Value(Value::Object(fields)))
}

fn override_metrics(call: &Call<'_>) -> Result<Answer, Failure> {
    payload("metrics", set_metrics(call))
}

fn set_metrics(call: &Call<'_>) -> Result<Value, Refused> {
    let key = target(call)?;
    let inputs = Json::Array(call.list("metrics").to_vec());
    let metrics: Vec<MetricInput> = serde_json::from_value(inputs)
        .map_err(|error| ("INVALID_QUERY_PARAMS", error.to_string()))?;
    if metrics.len() > METRICS_MAX {
        let message = format!("No more than {METRICS_MAX} golden metrics are allowed");
        return Err(("LIMIT_EXCEEDED", message));
    }
    for metric in &metrics {
        nrql::parse(&metric.query().nrql("guid")).map_err(|error| {
            ("INVALID_QUERY_PARAMS", format!("{}: {}", metric.name, error.message))
        })?;
    }
    let (domain, kind) = (key.1.clone(), key.2.clone());
    let guid = match &key.0 {
        Scope::Entity(guid) => guid.clone(),
        Scope::Account(_) => String::new(),
    };
    let window = Window::default();
    let of = (domain.as_str(), kind.as_str());
    let shown: Vec<Value> = metrics.iter().map(|m| m.value(of, &guid, &window)).collect();
    let context = key.0.value();
    if !call.session.newrelic.state().graph.overrides.set_metrics(key, metrics) {
        return Err(("LIMIT_EXCEEDED", "There are too many overrides".to_owned()));
    }
    Ok(value!({
        "context": context,
        "domainType": {"domain": domain.as_str(), "type": kind.as_str()},
        "metrics": shown,
    }))
}

fn reset_metrics(call: &Call<'_>) -> Result<Answer, Failure> {
    payload("metrics", reset(call, |state, key| state.graph.overrides.reset_metrics(key)))
}

fn override_tags(call: &Call<'_>) -> Result<Answer, Failure> {
    payload("tags", set_tags(call))
}

fn set_tags(call: &Call<'_>) -> Result<Value, Refused> {
    let key = target(call)?;
    let keys = call.list("tags").iter().filter_map(|tag| tag.get("key").and_then(Json::as_str));
    let keys: Vec<String> = keys.map(str::to_owned).collect();
    if keys.len() > METRICS_MAX {
        return Err((
            "LIMIT_EXCEEDED",
            format!("No more than {METRICS_MAX} golden tags are allowed"),
        ));
    }
    let shown: Vec<Value> = keys.iter().map(|key| value!({"key": key.as_str()})).collect();
    let (scope, domain, kind) = key.clone();
    if !call.session.newrelic.state().graph.overrides.set_tags(key, keys) {
        return Err(("LIMIT_EXCEEDED", "There are too many overrides".to_owned()));
    }
    Ok(value!({
        "context": scope.value(),
        "domainType": {"domain": domain, "type": kind},
        "tags": shown,
    }))
}

fn reset_tags(call: &Call<'_>) -> Result<Answer, Failure> {
    payload("tags", reset(call, |state, key| state.graph.overrides.reset_tags(key)))
}

/// Puts the definitions back in force.
fn reset(
    call: &Call<'_>,
    forget: fn(&mut crate::sim::newrelic::state::State, &(Scope, String, String)),
) -> Result<Value, Refused> {
    let key = target(call)?;
    forget(&mut call.session.newrelic.state(), &key);
    let (scope, domain, kind) = key;
    Ok(value!({
        "context": scope.value(),
        "domainType": {"domain": domain, "type": kind},
        "metrics": [],
        "tags": [],
    }))
}
