//! NRQL: for one account, for several, for one entity; at once, or to be asked for later.

use async_graphql::{Value, value};
use serde_json::Value as Json;

use super::actor::allowed;
use super::{Answer, Call, Failure, Resolver};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::store::Kind;
use crate::nrql::{ErrorKind, NrqlError, QueryResult};
use crate::sim::newrelic::graphql::progress::Asked;
use crate::sim::newrelic::query::NrqlOptions;

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("Account", "nrql") => of_account,
        ("Actor", "nrql") => of_accounts,
        ("Account", "nrqlQueryProgress") | ("Actor", "nrqlQueryProgress") => progress,
        ("NrdbResultContainer" | "CrossAccountNrdbResultContainer", field) => shown(field)?,
        _ => return None,
    })
}

/// The answer to a query, or the promise of one.
struct Container {
    accounts: Vec<AccountId>,
    text: String,
    result: Option<QueryResult>,
    /// The parts of the result by their names.
    parts: Json,
    progress: Value,
}

impl Container {
    fn new(asked: (&[AccountId], &str), result: Option<QueryResult>, progress: Value) -> Answer {
        let parts = result.as_ref().map(QueryResult::to_json).unwrap_or_default();
        let (accounts, text) = (asked.0.to_vec(), asked.1.to_owned());
        Answer::Own(Box::new(Self { accounts, text, result, parts, progress }))
    }
}

fn failure(error: &NrqlError) -> Failure {
    match error.kind {
        ErrorKind::Syntax | ErrorKind::Semantic => Failure::server(&error.message),
        ErrorKind::Limit => Failure::too_many(&error.message),
        ErrorKind::Timeout => Failure::timeout(&error.message),
    }
}

fn of_account(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(Value::Number(id)) = call.parent("id") else { return Ok(Answer::NULL) };
    let account = allowed(call, id.as_i64().unwrap_or_default())?;
    run(call, vec![account], call.text("query").unwrap_or_default())
}

fn of_accounts(call: &Call<'_>) -> Result<Answer, Failure> {
    let numbers = call.list("accounts").iter().map(|n| n.as_i64().unwrap_or_default());
    let accounts = numbers.map(|number| allowed(call, number)).collect::<Result<_, _>>()?;
    run(call, accounts, call.text("query").unwrap_or_default())
}

/// Runs a query for a field that has the arguments `timeout` and `async`.
pub(super) fn run(
    call: &Call<'_>,
    mut accounts: Vec<AccountId>,
    text: &str,
) -> Result<Answer, Failure> {
    accounts.sort_unstable();
    accounts.dedup();
    let timeout_seconds = call.number("timeout");
    let options = NrqlOptions { timeout_seconds, counted: true };
    let (newrelic, now) = (&call.session.newrelic, call.session.now);
    if call.args.get("async") == Some(&serde_json::Value::Bool(true)) {
        let asked = newrelic.nrql_async(now, call.session.user.id, accounts, text, options);
        let asked = asked.map_err(|error| failure(&error))?;
        return Ok(promised(&asked, now));
    }
    let result = newrelic.nrql(now, &accounts, text, options).map_err(|error| failure(&error))?;
    Ok(Container::new((&accounts, text), Some(result), Value::Null))
}

fn promised(asked: &Asked, now: UnixMillis) -> Answer {
    Container::new((&asked.accounts, &asked.text), None, asked.progress(now))
}

fn progress(call: &Call<'_>) -> Result<Answer, Failure> {
    let (newrelic, now) = (&call.session.newrelic, call.session.now);
    let id = call.text("queryId").unwrap_or_default();
    let Some(asked) = newrelic.nrql_asked(now, call.session.user.id, id) else {
        return Err(Failure::input(format!("Unknown or expired queryId `{id}`")));
    };
    if !asked.is_complete(now) {
        return Ok(promised(&asked, now));
    }
    let options = NrqlOptions { timeout_seconds: None, counted: false };
    let result = newrelic.nrql(asked.at, &asked.accounts, &asked.text, options);
    let result = Some(result.map_err(|error| failure(&error))?);
    Ok(Container::new((&asked.accounts, &asked.text), result, asked.progress(now)))
}

fn shown(field: &str) -> Option<Resolver> {
    Some(match field {
        "nrql" => |call| of(call, |c| Value::from(c.text.as_str())),
        "queryProgress" => |call| of(call, |c| c.progress.clone()),
        "results" => |call| part(call, "results"),
        "currentResults" => |call| part(call, "currentResults"),
        "previousResults" => |call| part(call, "previousResults"),
        "otherResult" => |call| part(call, "otherResult"),
        "totalResult" => |call| part(call, "totalResult"),
        "metadata" => |call| part(call, "metadata"),
        "rawResponse" => raw_response,
        "suggestedFacets" => suggested_facets,
        "embeddedChartUrl" => |call| chart_url(call, "chart-embed.service.newrelic.com/charts"),
        "staticChartUrl" => |call| chart_url(call, "gorgon.nr-assets.net/image"),
        _ => return None,
    })
}

fn of(call: &Call<'_>, show: fn(&Container) -> Value) -> Result<Answer, Failure> {
    Ok(Answer::Value(call.parent.downcast_ref().map_or(Value::Null, show)))
}

fn part(call: &Call<'_>, name: &str) -> Result<Answer, Failure> {
    let container: Option<&Container> = call.parent.downcast_ref();
    let part = container.and_then(|container| container.parts.get(name));
    Ok(part.map_or(Answer::NULL, |part| Answer::json(part.clone())))
}

fn raw_response(call: &Call<'_>) -> Result<Answer, Failure> {
    let container: Option<&Container> = call.parent.downcast_ref();
    let result = container.and_then(|container| container.result.as_ref());
    Ok(result.map_or(Answer::NULL, |result| Answer::json(raw(result))))
}

/// Close to what the query engine itself answers: results, and what was read for them.
fn raw(result: &QueryResult) -> Json {
    let json = result.to_json();
    let window = &result.metadata.time_window;
    serde_json::json!({
        "results": json["results"],
        "metadata": {
            "eventTypes": result.metadata.event_types,
            "eventType": result.metadata.event_types.first(),
            "facet": result.metadata.facets,
            "messages": result.metadata.messages,
            "beginTimeMillis": window.begin.0,
            "endTimeMillis": window.end.0,
            "rawSince": window.since,
            "rawUntil": window.until,
            "rawCompareWith": window.compare_with,
        },
        "performanceStats": {"inspectedCount": result.inspected_count},
    })
}

/// An address as the live service makes them; nothing answers there.
fn chart_url(call: &Call<'_>, place: &str) -> Result<Answer, Failure> {
    let Some(container) = call.parent.downcast_ref::<Container>() else { return Ok(Answer::NULL) };
    let text = |name: &str| call.text(name).map(str::to_lowercase);
    let hash = format!("{:?}\n{}", container.accounts, container.text);
    let hash = xxhash_rust::xxh3::xxh3_128(hash.as_bytes());
    let kind = text("chartType").unwrap_or_else(|| "line".to_owned());
    let mut url = format!("https://{place}/{hash:032x}?type={kind}");
    if let Some(format) = text("format") {
        url.push_str(&format!("&format={format}"));
    }
    for name in ["width", "height"] {
        if let Some(size) = call.number(name) {
            url.push_str(&format!("&{name}={size}"));
        }
    }
    Ok(Answer::Value(url.into()))
}

/// Text attributes of the event types read, as facets of the same query.
fn suggested_facets(call: &Call<'_>) -> Result<Answer, Failure> {
    const SUGGESTED_MAX: usize = 5;
    let Some(container) = call.parent.downcast_ref::<Container>() else { return Ok(Answer::NULL) };
    let Some(result) = &container.result else { return Ok(Answer::NULL) };
    if result.metadata.facets.is_some() {
        return Ok(Answer::Value(Value::List(Vec::new())));
    }
    let state = call.session.newrelic.state();
    let mut names = std::collections::BTreeSet::new();
    for account in &container.accounts {
        for event_type in &result.metadata.event_types {
            let attributes = state.store.attributes(*account, event_type);
            let texts = attributes.into_iter().filter(|(_, kinds)| kinds.contains(&Kind::Text));
            names.extend(texts.map(|(name, _)| name));
        }
    }
    let suggestion = |name: std::sync::Arc<str>| {
        let nrql = format!("{} FACET `{name}`", container.text.trim_end());
        value!({"attributes": [&*name], "nrql": nrql})
    };
    let suggested = names.into_iter().take(SUGGESTED_MAX).map(suggestion);
    Ok(Answer::Value(Value::List(suggested.collect())))
}
