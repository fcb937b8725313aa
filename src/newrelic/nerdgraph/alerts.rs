//! Alert policies and NRQL conditions of an account.
//!
//! Source: the operations of newrelic-client-go's alerts package.
//!
//! Invariant: a policy and a condition are found again by their names after a lost answer, so
//! names have to be told apart by whoever makes them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::NerdGraphError;
use super::change::{Argument, ChangeError, Done};
use super::client::{NerdGraph, Operation};
use crate::domain::account::AccountId;
use crate::ports::Ports;

/// Most pages read of one search.
const PAGES_MAX: usize = 500;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredPolicy {
    /// Its number, as a text.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `PER_POLICY`, `PER_CONDITION` or `PER_CONDITION_AND_TARGET`.
    pub incident_preference: String,
}

/// Kinds of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConditionKind {
    /// Fixed thresholds.
    Static,
    /// New Relic's expectation.
    Baseline,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCondition {
    /// Its number, as a text.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its kind; `None` for one that was not known when this was written.
    pub kind: Option<ConditionKind>,
    /// Its fields, by the names that inputs have.
    pub fields: Value,
}

const POLICIES: &str = "query($account: Int!, $cursor: String) { actor { account(id: $account) { \
    alerts { policiesSearch(cursor: $cursor) { nextCursor \
    policies { id name incidentPreference } } } } } }";
const CONDITIONS: &str = "query($account: Int!, $policy: ID!, $cursor: String) { actor { \
    account(id: $account) { alerts { nrqlConditionsSearch(cursor: $cursor, \
    searchCriteria: {policyId: $policy}) { nextCursor nrqlConditions { \
    id name type description enabled runbookUrl violationTimeLimitSeconds nrql { query } \
    signal { aggregationWindow aggregationMethod aggregationDelay fillOption } \
    expiration { expirationDuration openViolationOnExpiration closeViolationsOnExpiration } \
    terms { operator priority threshold thresholdDuration thresholdOccurrences } \
    ... on AlertsNrqlBaselineCondition { baselineDirection } } } } } } }";
impl ConditionKind {
    /// The mutation that makes one, and the type of its input.
    const fn create(self) -> (&'static str, &'static str) {
        match self {
            Self::Static => ("alertsNrqlConditionStaticCreate", "AlertsNrqlConditionStaticInput!"),
            Self::Baseline => {
                ("alertsNrqlConditionBaselineCreate", "AlertsNrqlConditionBaselineInput!")
            }
        }
    }

    /// The mutation that changes one, and the type of its input.
    const fn update(self) -> (&'static str, &'static str) {
        match self {
            Self::Static => {
                ("alertsNrqlConditionStaticUpdate", "AlertsNrqlConditionUpdateStaticInput!")
            }
            Self::Baseline => {
                ("alertsNrqlConditionBaselineUpdate", "AlertsNrqlConditionUpdateBaselineInput!")
            }
        }
    }
}

/// The account, as an argument.
fn of(account: AccountId) -> Argument {
    ("accountId", "Int!", account.get().into())
}

/// The number of what is changed, as an argument.
fn numbered(id: &str) -> Argument {
    ("id", "ID!", id.into())
}

/// Whether `stored` has all that `wanted` says: New Relic adds fields of its own.
pub fn holds(stored: &Value, wanted: &Value) -> bool {
    match (stored, wanted) {
        (Value::Object(stored), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| holds(stored.get(name).unwrap_or(&Value::Null), wanted)),
        (Value::Array(stored), Value::Array(wanted)) => {
            // New Relic may give terms back in another order.
            let has = |wanted: &Value| stored.iter().any(|stored| holds(stored, wanted));
            stored.len() == wanted.len() && wanted.iter().all(has)
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (stored, wanted) => stored == wanted,
    }
}

fn condition(fields: &Value) -> Option<StoredCondition> {
    Some(StoredCondition {
        id: fields["id"].as_str()?.to_owned(),
        name: fields["name"].as_str()?.to_owned(),
        kind: ConditionKind::deserialize(&fields["type"]).ok(),
        fields: fields.clone(),
    })
}

impl<P: Ports> NerdGraph<P> {
    /// The policies of an account.
    ///
    /// # Errors
    /// The class; [`NerdGraphError::Unreadable`] when the pages have no end.
    pub async fn policies(&self, account: AccountId) -> Result<Vec<StoredPolicy>, NerdGraphError> {
        let variables = json!({"account": account.get()});
        let rows = self.alert_pages(POLICIES, variables, "policiesSearch", "policies").await?;
        let read = rows.iter().map(StoredPolicy::deserialize).collect::<Result<_, _>>();
        read.map_err(|error: serde_json::Error| NerdGraphError::Unreadable(error.to_string()))
    }

    /// The NRQL conditions of a policy.
    ///
    /// # Errors
    /// As [`NerdGraph::policies`].
    pub async fn conditions(
        &self,
        account: AccountId,
        policy: &str,
    ) -> Result<Vec<StoredCondition>, NerdGraphError> {
        let variables = json!({"account": account.get(), "policy": policy});
        let rows =
            self.alert_pages(CONDITIONS, variables, "nrqlConditionsSearch", "nrqlConditions");
        let read: Option<Vec<StoredCondition>> = rows.await?.iter().map(condition).collect();
        read.ok_or_else(|| NerdGraphError::Unreadable("a condition without id or name".to_owned()))
    }

    async fn alert_pages(
        &self,
        query: &str,
        mut variables: Value,
        search: &str,
        rows: &str,
    ) -> Result<Vec<Value>, NerdGraphError> {
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let data = self.ask(&Operation::query(query, variables.clone())).await?;
            let page = &data["actor"]["account"]["alerts"][search];
            let found = page[rows].as_array();
            let found = found.ok_or_else(|| NerdGraphError::Unreadable(page.to_string()))?;
            all.extend(found.iter().cloned());
            match page["nextCursor"].as_str() {
                None | Some("") => return Ok(all),
                Some(cursor) => variables["cursor"] = cursor.into(),
            }
        }
        Err(NerdGraphError::Unreadable(format!("{search} has no end")))
    }

    /// Makes a policy; its name must not be there yet.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn create_policy(
        &self,
        account: AccountId,
        policy: &Value,
    ) -> Result<Done, ChangeError> {
        let input = ("policy", "AlertsPolicyInput!", policy.clone());
        let look = async || {
            let mut all = self.policies(account).await?.into_iter();
            Ok(all.find(|stored| policy["name"] == stored.name.as_str()).map(|stored| stored.id))
        };
        self.mutate("alertsPolicyCreate", vec![of(account), input], look).await
    }

    /// Changes a policy.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn update_policy(
        &self,
        account: AccountId,
        id: &str,
        policy: &Value,
    ) -> Result<Done, ChangeError> {
        let input = ("policy", "AlertsPolicyUpdateInput!", policy.clone());
        let look = async || {
            let all = self.policies(account).await?;
            let done = |stored: &&StoredPolicy| {
                stored.id == id
                    && policy["name"] == stored.name.as_str()
                    && policy["incidentPreference"] == stored.incident_preference.as_str()
            };
            Ok(all.iter().find(done).map(|_| id.to_owned()))
        };
        self.mutate("alertsPolicyUpdate", vec![of(account), numbered(id), input], look).await
    }

    /// Makes a condition; its name must not be in the policy yet.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn create_condition(
        &self,
        account: AccountId,
        policy: &str,
        kind: ConditionKind,
        input: &Value,
    ) -> Result<Done, ChangeError> {
        let (field, kind) = kind.create();
        let arguments = vec![
            of(account),
            ("policyId", "ID!", policy.into()),
            ("condition", kind, input.clone()),
        ];
        let look = async || {
            let mut all = self.conditions(account, policy).await?.into_iter();
            Ok(all.find(|stored| input["name"] == stored.name.as_str()).map(|stored| stored.id))
        };
        self.mutate(field, arguments, look).await
    }

    /// Changes a condition of `policy`.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn update_condition(
        &self,
        account: AccountId,
        (policy, id): (&str, &str),
        kind: ConditionKind,
        input: &Value,
    ) -> Result<Done, ChangeError> {
        let (field, kind) = kind.update();
        let arguments = vec![of(account), numbered(id), ("condition", kind, input.clone())];
        let look = async || {
            let mut all = self.conditions(account, policy).await?.into_iter();
            let done = |stored: &StoredCondition| stored.id == id && holds(&stored.fields, input);
            Ok(all.find(done).map(|stored| stored.id))
        };
        self.mutate(field, arguments, look).await
    }

    /// Deletes a condition of `policy`.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn delete_condition(
        &self,
        account: AccountId,
        (policy, id): (&str, &str),
    ) -> Result<Done, ChangeError> {
        let look = async || {
            let all = self.conditions(account, policy).await?;
            Ok(all.iter().all(|stored| stored.id != id).then(|| id.to_owned()))
        };
        self.mutate("alertsConditionDelete", vec![of(account), numbered(id)], look).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::newrelic::nerdgraph::tests::{Rig, Step, account};

    fn answer(field: &str, payload: Value) -> Step {
        Step::Answer(200, json!({"data": {field: payload}}))
    }

    fn page(search: &str, page: Value) -> Step {
        let data = json!({"actor": {"account": {"alerts": {search: page}}}});
        Step::Answer(200, json!({"data": data}))
    }

    fn policies(names: &[&str], next: Option<&str>) -> Step {
        let policy = |name: &&str| json!({"id": format!("id of {name}"), "name": name, "incidentPreference": "PER_POLICY"});
        let rows: Vec<Value> = names.iter().map(policy).collect();
        page("policiesSearch", json!({"policies": rows, "nextCursor": next}))
    }

    #[test]
    fn searches_are_read_to_their_end() {
        let rig = Rig::new([policies(&["a"], Some("c")), policies(&["b"], None)]);
        let found = rig.clock.run(rig.client.policies(account())).expect("policies");
        assert_eq!(found.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(rig.asked()[1]["variables"]["cursor"], "c");
        let rows = json!([{"id": "1", "name": "n", "type": "STATIC"},
            {"id": "2", "name": "o", "type": "OUTLIER"}]);
        let rig = Rig::new([page("nrqlConditionsSearch", json!({"nrqlConditions": rows}))]);
        let found = rig.clock.run(rig.client.conditions(account(), "7")).expect("conditions");
        let kinds: Vec<_> = found.iter().map(|condition| condition.kind).collect();
        assert_eq!(kinds, [Some(ConditionKind::Static), None]);
    }

    #[test]
    fn lost_answers_are_looked_up_by_name() {
        let policy = json!({"name": "a", "incidentPreference": "PER_POLICY"});
        let rig = Rig::new([Step::Silence, policies(&["b"], None), policies(&["a", "b"], None)]);
        let done = rig.clock.run(rig.client.create_policy(account(), &policy)).expect("made");
        assert_eq!(done, Done { id: "id of a".to_owned(), found_out: true });
        let none = || policies(&["b"], None);
        let again = answer("alertsPolicyCreate", json!({"id": "9"}));
        let rig = Rig::new([Step::Silence, none(), none(), none(), none(), again]);
        let done = rig.clock.run(rig.client.create_policy(account(), &policy)).expect("made");
        assert_eq!(done, Done { id: "9".to_owned(), found_out: false });
    }

    #[test]
    fn stored_fields_hold_what_is_wanted() {
        let check = |stored: Value, wanted: Value, expected: bool| {
            assert_eq!(holds(&stored, &wanted), expected, "{stored} {wanted}");
        };
        check(json!({"a": 1, "b": 2}), json!({"a": 1.0}), true);
        check(json!({"a": 1}), json!({"a": 1, "b": 2}), false);
        check(json!({"a": [{"x": 1}, {"x": 2}]}), json!({"a": [{"x": 2}, {"x": 1}]}), true);
        check(json!({"a": [1, 2]}), json!({"a": [1]}), false);
        check(json!({}), json!({"a": null}), true);
    }
}
