//! Alert policies and conditions: mutations and searches.

use serde_json::{Map, Value as Json};

use super::{Answer, Call, Failure, Resolver, actor};
use crate::domain::account::AccountId;
use crate::sim::newrelic::alerts::{Alerts, Kind, Refusal, Search};

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("Account", "alerts") => |call| {
            let Some(id) = call.parent("id") else { return Ok(Answer::NULL) };
            Ok(Answer::Value(async_graphql::value!({"accountId": id.clone()})))
        },
        ("AlertsAccountStitchedFields", "policy") => |call| {
            show(call, |alerts, account| alerts.show_policy(account, call.text("id").unwrap_or("")))
        },
        ("AlertsAccountStitchedFields", "nrqlCondition") => |call| {
            show(call, |alerts, account| {
                alerts.show_condition(account, call.text("id").unwrap_or(""))
            })
        },
        ("AlertsAccountStitchedFields", "policiesSearch") => search_policies,
        ("AlertsAccountStitchedFields", "nrqlConditionsSearch") => search_conditions,
        ("RootMutationType", field) => return mutation(field),
        _ => return None,
    })
}

fn mutation(field: &str) -> Option<Resolver> {
    Some(match field {
        "alertsPolicyCreate" => |call| {
            change(call, |alerts, account| alerts.create_policy(account, &object(call, "policy")))
        },
        "alertsPolicyUpdate" => |call| {
            change(call, |alerts, account| {
                alerts.update_policy(account, id(call), &object(call, "policy"))
            })
        },
        "alertsPolicyDelete" => {
            |call| change(call, |alerts, account| alerts.delete_policy(account, id(call)))
        }
        "alertsNrqlConditionStaticCreate" => |call| create(call, Kind::Static),
        "alertsNrqlConditionBaselineCreate" => |call| create(call, Kind::Baseline),
        "alertsNrqlConditionStaticUpdate" => |call| update(call, Kind::Static),
        "alertsNrqlConditionBaselineUpdate" => |call| update(call, Kind::Baseline),
        "alertsConditionDelete" => {
            |call| change(call, |alerts, account| alerts.delete_condition(account, id(call)))
        }
        _ => return None,
    })
}

fn id<'a>(call: &'a Call<'_>) -> &'a str {
    call.text("id").unwrap_or_default()
}

fn object(call: &Call<'_>, name: &str) -> Map<String, Json> {
    call.args.get(name).and_then(Json::as_object).cloned().unwrap_or_default()
}

fn failure(refusal: &Refusal) -> Failure {
    Failure::input(refusal.to_string())
}

/// Changes what the account of the arguments has.
fn change(
    call: &Call<'_>,
    edit: impl FnOnce(&mut Alerts, AccountId) -> Result<Json, Refusal>,
) -> Result<Answer, Failure> {
    let account = actor::allowed(call, call.number("accountId").unwrap_or_default())?;
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let done = edit(&mut state.graph.alerts, account);
    state.settle_alerts();
    done.map(Answer::json).map_err(|refusal| failure(&refusal))
}

/// Refuses a condition that would read the events of an account that the key does not open.
fn may_read(call: &Call<'_>, condition: &Map<String, Json>) -> Result<(), Failure> {
    let data = condition.get("nrql").and_then(|nrql| nrql.get("dataAccountId"));
    data.and_then(Json::as_i64).map_or(Ok(()), |id| actor::allowed(call, id).map(|_| ()))
}

fn create(call: &Call<'_>, kind: Kind) -> Result<Answer, Failure> {
    may_read(call, &object(call, "condition"))?;
    let policy = call.text("policyId").unwrap_or_default();
    change(call, |alerts, account| {
        alerts.create_condition(account, policy, kind, &object(call, "condition"))
    })
}

fn update(call: &Call<'_>, kind: Kind) -> Result<Answer, Failure> {
    may_read(call, &object(call, "condition"))?;
    change(call, |alerts, account| {
        alerts.update_condition(account, id(call), kind, &object(call, "condition"))
    })
}

/// The account whose alerts are looked at.
fn account(call: &Call<'_>) -> Result<AccountId, Failure> {
    let number = match call.parent("accountId") {
        Some(async_graphql::Value::Number(number)) => number.as_i64().unwrap_or_default(),
        _ => 0,
    };
    actor::allowed(call, number)
}

fn show(
    call: &Call<'_>,
    find: impl FnOnce(&Alerts, AccountId) -> Result<Json, Refusal>,
) -> Result<Answer, Failure> {
    let account = account(call)?;
    let state = call.session.newrelic.state();
    find(&state.graph.alerts, account).map(Answer::json).map_err(|refusal| failure(&refusal))
}

fn search_policies(call: &Call<'_>) -> Result<Answer, Failure> {
    let criteria = object(call, "searchCriteria");
    let ids = criteria.get("ids").and_then(Json::as_array).into_iter().flatten();
    let ids: Vec<String> = ids.filter_map(Json::as_str).map(str::to_owned).collect();
    show(call, |alerts, account| Ok(alerts.search_policies(account, &ids, call.text("cursor"))))
}

fn search_conditions(call: &Call<'_>) -> Result<Answer, Failure> {
    let criteria = object(call, "searchCriteria");
    let text = |name: &str| criteria.get(name).and_then(Json::as_str).map(str::to_owned);
    let search = Search {
        policy: text("policyId"),
        name: text("name"),
        name_like: text("nameLike"),
        query: text("query"),
        query_like: text("queryLike"),
    };
    show(call, |alerts, account| {
        Ok(alerts.search_conditions(account, &search, call.text("cursor")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_schema_is_known() {
        let text = include_str!("../schema/root.graphql");
        let names = text.lines().filter_map(|line| line.trim().split('(').next());
        let ours: Vec<&str> = names.filter(|name| name.starts_with("alerts")).collect();
        // `alerts` of Account, and the mutations.
        assert_eq!(ours.len(), 9, "{ours:?}");
        for name in ours.into_iter().filter(|name| !name.starts_with("alerts:")) {
            assert!(find("RootMutationType", name).is_some(), "{name}");
        }
    }
}
