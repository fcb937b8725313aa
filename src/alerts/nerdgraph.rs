//! Conditions and service levels as NerdGraph takes them.
//!
//! Source: the operations and input types that newrelic-client-go's alerts and servicelevel
//! packages send (`AlertsPolicyInput`, `AlertsNrqlConditionStaticInput`,
//! `AlertsNrqlConditionBaselineInput`, `ServiceLevelIndicatorCreateInput`).

use serde::Serialize;
use serde_json::{Value, json};

use super::EVENT_TYPE;
use super::condition::{Basis, Condition, Operator, Priority, Term};
use super::service_level::Indicator;
use super::settings::Plan;
use crate::domain::account::AccountId;

/// Stands for the policy's id until the first mutation was answered.
pub const POLICY_ID: &str = "${policyId}";

const POLICY: &str = "mutation($accountId: Int!, $policy: AlertsPolicyInput!) { \
    alertsPolicyCreate(accountId: $accountId, policy: $policy) { id name incidentPreference } }";
const STATIC: &str = "mutation($accountId: Int!, $policyId: ID!, \
    $condition: AlertsNrqlConditionStaticInput!) { alertsNrqlConditionStaticCreate(\
    accountId: $accountId, policyId: $policyId, condition: $condition) { id name } }";
const BASELINE: &str = "mutation($accountId: Int!, $policyId: ID!, \
    $condition: AlertsNrqlConditionBaselineInput!) { alertsNrqlConditionBaselineCreate(\
    accountId: $accountId, policyId: $policyId, condition: $condition) { id name } }";
const SERVICE_LEVEL: &str = "mutation($entityGuid: EntityGuid!, \
    $indicator: ServiceLevelIndicatorCreateInput!) { serviceLevelCreate(\
    entityGuid: $entityGuid, indicator: $indicator) { id guid name } }";

/// One request to NerdGraph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mutation {
    /// GraphQL.
    pub query: &'static str,
    /// Its variables.
    pub variables: Value,
}

/// What makes a plan in an account that has nothing of it: the policy, then its conditions, whose
/// `policyId` is [`POLICY_ID`].
pub fn mutations(plan: &Plan, account: AccountId) -> Vec<Mutation> {
    let policy = Mutation {
        query: POLICY,
        variables: json!({
            "accountId": account.get(),
            "policy": {
                "name": plan.policy.name,
                "incidentPreference": plan.policy.incident_preference.as_str(),
            },
        }),
    };
    let condition = |condition: &Condition| Mutation {
        query: if condition.basis == Basis::Baseline { BASELINE } else { STATIC },
        variables: json!({
            "accountId": account.get(),
            "policyId": POLICY_ID,
            "condition": condition_input(condition),
        }),
    };
    std::iter::once(policy).chain(plan.conditions.iter().map(condition)).collect()
}

/// A term that no value meets: New Relic wants one of a condition that only listens for silence.
pub(super) fn silent_term(condition: &Condition) -> Term {
    let window = condition.signal.aggregation_window_seconds;
    let duration_seconds = 60_u32.div_ceil(window) * window;
    Term { priority: Priority::Critical, threshold: 0.0, duration_seconds }
}

/// Operator and terms as New Relic has them.
pub(super) fn terms(condition: &Condition) -> (Operator, Vec<Term>) {
    match condition.basis {
        Basis::Static(operator) => (operator, condition.terms.clone()),
        Basis::Baseline => (Operator::Above, condition.terms.clone()),
        Basis::Silence => (Operator::Below, vec![silent_term(condition)]),
    }
}

/// `AlertsNrqlConditionStaticInput` or `AlertsNrqlConditionBaselineInput`.
pub fn condition_input(condition: &Condition) -> Value {
    let (operator, terms) = terms(condition);
    let term = |term: &Term| {
        json!({
            "operator": operator.as_str(),
            "priority": term.priority.as_str(),
            "threshold": term.threshold,
            "thresholdDuration": term.duration_seconds,
            "thresholdOccurrences": "ALL",
        })
    };
    let signal = condition.signal;
    let mut input = json!({
        "name": condition.name,
        "description": condition.description,
        "enabled": true,
        "nrql": {"query": condition.query.nrql()},
        "signal": {
            "aggregationWindow": signal.aggregation_window_seconds,
            "aggregationMethod": "EVENT_FLOW",
            "aggregationDelay": signal.aggregation_delay_seconds,
            "fillOption": "NONE",
        },
        "terms": terms.iter().map(term).collect::<Vec<_>>(),
        "violationTimeLimitSeconds": signal.closes_after_seconds,
    });
    if let Some(url) = &condition.runbook_url {
        input["runbookUrl"] = url.clone().into();
    }
    match condition.basis {
        Basis::Static(_) => {}
        Basis::Baseline => input["baselineDirection"] = "UPPER_ONLY".into(),
        Basis::Silence => {
            input["expiration"] = json!({
                "expirationDuration": signal.silent_after_seconds,
                "openViolationOnExpiration": true,
                "closeViolationsOnExpiration": false,
            });
        }
    }
    input
}

/// What makes service levels.
pub fn service_level_mutations(indicators: &[Indicator]) -> Vec<Mutation> {
    let mutation = |indicator: &Indicator| Mutation {
        query: SERVICE_LEVEL,
        variables: json!({
            "entityGuid": indicator.entity_guid,
            "indicator": indicator_create_input(indicator),
        }),
    };
    indicators.iter().map(mutation).collect()
}

/// `ServiceLevelIndicatorCreateInput`: that of an update, and the account of the events.
pub fn indicator_create_input(indicator: &Indicator) -> Value {
    let mut input = indicator_input(indicator);
    input["events"]["accountId"] = indicator.account.get().into();
    input
}

/// `ServiceLevelIndicatorUpdateInput`.
pub fn indicator_input(indicator: &Indicator) -> Value {
    json!({
        "name": indicator.name,
        "description": indicator.description,
        "events": {
            "validEvents": events(indicator, &indicator.valid),
            "goodEvents": events(indicator, &indicator.good),
        },
        "objectives": [{
            "target": indicator.target_percent,
            "timeWindow": {
                "rolling": {"count": indicator.window_days, "unit": "DAY"},
            },
        }],
    })
}

fn events(indicator: &Indicator, filter: &str) -> Value {
    // Said also where it is New Relic's default, so that an update changes it back.
    let select = match indicator.sum_of {
        Some(attribute) => json!({"attribute": attribute, "function": "SUM"}),
        None => json!({"function": "COUNT"}),
    };
    json!({"from": EVENT_TYPE, "where": filter, "select": select})
}
