//! NRQL: for one account, for several, for one entity; at once, or to be asked for later.

use async_graphql::{Value, value};

use super::actor::allowed;
use super::{Answer, Call, Failure, Resolver};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::{ErrorKind, NrqlError, Outcome, QueryResult, Row};
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
    text: String,
    result: Option<QueryResult>,
    progress: Value,
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
        return Ok(promised(&asked, now, text));
    }
    let result = newrelic.nrql(now, &accounts, text, options).map_err(|error| failure(&error))?;
    let container =
        Container { text: text.to_owned(), result: Some(result), progress: Value::Null };
    Ok(Answer::Own(Box::new(container)))
}

fn promised(asked: &Asked, now: UnixMillis, text: &str) -> Answer {
    let progress = asked.progress(now);
    Answer::Own(Box::new(Container { text: text.to_owned(), result: None, progress }))
}

fn progress(call: &Call<'_>) -> Result<Answer, Failure> {
    let (newrelic, now) = (&call.session.newrelic, call.session.now);
    let id = call.text("queryId").unwrap_or_default();
    let Some(asked) = newrelic.nrql_asked(now, call.session.user.id, id) else {
        return Err(Failure::input(format!("Unknown or expired queryId `{id}`")));
    };
    if !asked.is_complete(now) {
        return Ok(promised(&asked, now, &asked.text));
    }
    let options = NrqlOptions { timeout_seconds: None, counted: false };
    let result = newrelic.nrql(asked.at, &asked.accounts, &asked.text, options);
    let result = Some(result.map_err(|error| failure(&error))?);
    let (text, progress) = (asked.text.clone(), asked.progress(now));
    Ok(Answer::Own(Box::new(Container { text, result, progress })))
}

fn shown(field: &str) -> Option<Resolver> {
    Some(match field {
        "nrql" => |call| with(call, |c| Value::from(c.text.as_str())),
        "queryProgress" => |call| with(call, |c| c.progress.clone()),
        "results" => |call| of(call, |r| rows(&r.results)),
        "currentResults" => {
            |call| of(call, |r| r.current_results.as_deref().map_or(Value::Null, rows))
        }
        "previousResults" => {
            |call| of(call, |r| r.previous_results.as_deref().map_or(Value::Null, rows))
        }
        "otherResult" => |call| of(call, |r| outcome(r.other_result.as_ref())),
        "totalResult" => |call| of(call, |r| outcome(r.total_result.as_ref())),
        "metadata" => |call| of(call, metadata),
        _ => return None,
    })
}

fn with(call: &Call<'_>, show: fn(&Container) -> Value) -> Result<Answer, Failure> {
    Ok(Answer::Value(call.parent.downcast_ref().map_or(Value::Null, show)))
}

fn of(call: &Call<'_>, show: fn(&QueryResult) -> Value) -> Result<Answer, Failure> {
    let container: Option<&Container> = call.parent.downcast_ref();
    Ok(Answer::Value(container.and_then(|c| c.result.as_ref()).map_or(Value::Null, show)))
}

fn row(_row: &Row) -> Value {
    Value::Null
}

fn rows(rows: &[Row]) -> Value {
    Value::List(rows.iter().map(row).collect())
}

fn outcome(outcome: Option<&Outcome>) -> Value {
    match outcome {
        None => Value::Null,
        Some(Outcome::One(one)) => row(one),
        Some(Outcome::Many(many)) => rows(many),
    }
}

fn metadata(result: &QueryResult) -> Value {
    let about = &result.metadata;
    let window = &about.time_window;
    let list =
        |texts: &[String]| Value::List(texts.iter().map(|t| Value::from(t.as_str())).collect());
    value!({
        "eventTypes": list(&about.event_types),
        "facets": about.facets.as_deref().map_or(Value::Null, list),
        "messages": list(&about.messages),
        "timeWindow": {
            "begin": window.begin.0,
            "end": window.end.0,
            "since": window.since.as_str(),
            "until": window.until.as_str(),
            "compareWith": window.compare_with.clone(),
        },
    })
}
