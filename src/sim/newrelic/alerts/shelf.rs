//! What is kept, and how it changes.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::watch::{About, EndCause, Ended, Watches};
use super::{Refusal, validate};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::fields::merged;

/// Most policies, and most conditions, of all accounts. A guard of our own.
const THINGS_MAX: usize = 20_000;
/// Elements of a page of a search.
const PAGE: usize = 100;

/// What a condition is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::newrelic) enum Kind {
    Static,
    Baseline,
}

impl Kind {
    const fn type_name(self) -> &'static str {
        match self {
            Self::Static => "AlertsNrqlStaticCondition",
            Self::Baseline => "AlertsNrqlBaselineCondition",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::Baseline => "BASELINE",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Policy {
    account: AccountId,
    /// `name` and `incidentPreference`.
    fields: Map<String, Json>,
}

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    account: AccountId,
    policy: u64,
    kind: Kind,
    /// As sent, defaults filled in.
    fields: Map<String, Json>,
}

/// Which conditions are wanted.
#[derive(Debug, Clone, Default)]
pub(in crate::sim::newrelic) struct Search {
    pub(in crate::sim::newrelic) policy: Option<String>,
    pub(in crate::sim::newrelic) name: Option<String>,
    pub(in crate::sim::newrelic) name_like: Option<String>,
    pub(in crate::sim::newrelic) query: Option<String>,
    pub(in crate::sim::newrelic) query_like: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::sim::newrelic) struct Alerts {
    last: u64,
    policies: IndexMap<u64, Policy>,
    conditions: IndexMap<u64, Condition>,
    /// Conditions that were changed and are not settled yet, and why they end if they are gone.
    changed: BTreeMap<u64, EndCause>,
    pub(super) watches: Watches,
}

/// A page of `all` behind `cursor`, and the cursor of the next one.
fn page(all: Vec<Json>, cursor: Option<&str>) -> (Vec<Json>, Option<String>) {
    let from = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0_usize);
    let next = from.saturating_add(PAGE);
    let more = (next < all.len()).then(|| next.to_string());
    (all.into_iter().skip(from).take(PAGE).collect(), more)
}

fn shown_policy(id: u64, policy: &Policy) -> Json {
    let mut shown = Json::Object(policy.fields.clone());
    shown["id"] = id.to_string().into();
    shown["accountId"] = policy.account.get().into();
    shown
}

fn shown_condition(id: u64, condition: &Condition) -> Json {
    let mut shown = Json::Object(condition.fields.clone());
    shown["__typename"] = condition.kind.type_name().into();
    shown["type"] = condition.kind.as_str().into();
    shown["id"] = id.to_string().into();
    shown["policyId"] = condition.policy.to_string().into();
    shown
}

impl Search {
    fn finds(&self, condition: &Condition) -> bool {
        let text = |path: &[&str]| {
            let mut value = condition.fields.get(path[0]);
            for name in &path[1..] {
                value = value.and_then(|value| value.get(name));
            }
            value.and_then(Json::as_str).unwrap_or_default().to_lowercase()
        };
        let (name, query) = (text(&["name"]), text(&["nrql", "query"]));
        let is = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.to_lowercase() == text)
        };
        let like = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| text.contains(&wanted.to_lowercase()))
        };
        self.policy.as_ref().is_none_or(|policy| *policy == condition.policy.to_string())
            && is(&self.name, &name)
            && like(&self.name_like, &name)
            && is(&self.query, &query)
            && like(&self.query_like, &query)
    }
}

impl Alerts {
    fn id(&mut self) -> u64 {
        self.last = self.last.max(100_000).saturating_add(1);
        self.last
    }

    fn policy(&self, account: AccountId, id: &str) -> Result<(u64, &Policy), Refusal> {
        let id = id.parse().map_err(|_| Refusal::NotFound)?;
        let found = self.policies.get(&id).filter(|policy| policy.account == account);
        found.map(|policy| (id, policy)).ok_or(Refusal::NotFound)
    }

    fn condition(&self, account: AccountId, id: &str) -> Result<(u64, &Condition), Refusal> {
        let id = id.parse().map_err(|_| Refusal::NotFound)?;
        let found = self.conditions.get(&id).filter(|condition| condition.account == account);
        found.map(|condition| (id, condition)).ok_or(Refusal::NotFound)
    }

    /// When the next window of a condition is due.
    pub(in crate::sim::newrelic) fn next_due(&self) -> Option<UnixMillis> {
        self.watches.next_due()
    }

    /// Watches what was changed as it is now; what that made an end of.
    pub(super) fn settle(&mut self, now: UnixMillis) -> Vec<Ended> {
        let changed = std::mem::take(&mut self.changed);
        let mut ended = Vec::new();
        for (id, cause) in changed {
            let about = self.about(id, cause);
            ended.extend(self.watches.follow(id, about, now));
        }
        ended
    }

    /// What a condition is about; why it is not to be watched, `gone` when there is none.
    fn about(&self, id: u64, gone: EndCause) -> Result<About, EndCause> {
        let condition = self.conditions.get(&id).ok_or(gone)?;
        let policy = self.policies.get(&condition.policy).ok_or(gone)?;
        if condition.fields.get("enabled") != Some(&Json::Bool(true)) {
            return Err(EndCause::Disabled);
        }
        let name = policy.fields.get("name").and_then(Json::as_str).unwrap_or_default();
        Ok(About {
            account: condition.account,
            condition: id,
            policy: condition.policy,
            policy_name: name.to_owned(),
            kind: condition.kind,
            fields: condition.fields.clone(),
        })
    }

    fn mark_conditions_of(&mut self, policy: u64, cause: EndCause) {
        let own = self.conditions.iter().filter(|(_, condition)| condition.policy == policy);
        self.changed.extend(own.map(|(id, _)| (*id, cause)));
    }

    /// Makes a policy; as it is shown.
    pub(in crate::sim::newrelic) fn create_policy(
        &mut self,
        account: AccountId,
        fields: &Map<String, Json>,
    ) -> Result<Json, Refusal> {
        validate::policy(fields)?;
        if self.policies.len() >= THINGS_MAX {
            return Err(Refusal::Invalid(format!("there are {THINGS_MAX} policies already")));
        }
        let (id, policy) = (self.id(), Policy { account, fields: fields.clone() });
        let shown = shown_policy(id, &policy);
        self.policies.insert(id, policy);
        Ok(shown)
    }

    /// Changes a policy; what is left out stays.
    pub(in crate::sim::newrelic) fn update_policy(
        &mut self,
        account: AccountId,
        id: &str,
        change: &Map<String, Json>,
    ) -> Result<Json, Refusal> {
        let (id, policy) = self.policy(account, id)?;
        let fields = merged(&policy.fields, change);
        validate::policy(&fields)?;
        let policy = Policy { account, fields };
        let shown = shown_policy(id, &policy);
        self.policies.insert(id, policy);
        // Its name is told with every incident.
        self.mark_conditions_of(id, EndCause::PolicyDeleted);
        Ok(shown)
    }

    /// Deletes a policy and its conditions.
    pub(in crate::sim::newrelic) fn delete_policy(
        &mut self,
        account: AccountId,
        id: &str,
    ) -> Result<Json, Refusal> {
        let (id, _) = self.policy(account, id)?;
        self.policies.shift_remove(&id);
        self.mark_conditions_of(id, EndCause::PolicyDeleted);
        self.conditions.retain(|_, condition| condition.policy != id);
        Ok(json!({"id": id.to_string()}))
    }

    /// One policy.
    pub(in crate::sim::newrelic) fn show_policy(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Json, Refusal> {
        self.policy(account, id).map(|(id, policy)| shown_policy(id, policy))
    }

    /// Policies of an account, those of `ids` alone when there are some.
    pub(in crate::sim::newrelic) fn search_policies(
        &self,
        account: AccountId,
        ids: &[String],
        cursor: Option<&str>,
    ) -> Json {
        let wanted = |id: &u64| ids.is_empty() || ids.contains(&id.to_string());
        let found = self.policies.iter();
        let found = found.filter(|(id, policy)| policy.account == account && wanted(id));
        let all: Vec<Json> = found.map(|(id, policy)| shown_policy(*id, policy)).collect();
        let count = all.len();
        let (policies, next) = page(all, cursor);
        json!({"policies": policies, "nextCursor": next, "totalCount": count})
    }

    /// Makes a condition of a policy.
    pub(in crate::sim::newrelic) fn create_condition(
        &mut self,
        account: AccountId,
        policy: &str,
        kind: Kind,
        fields: &Map<String, Json>,
    ) -> Result<Json, Refusal> {
        let (policy, _) = self.policy(account, policy)?;
        let fields = merged(&validate::defaults(), fields);
        validate::condition(kind, &fields)?;
        if self.conditions.len() >= THINGS_MAX {
            return Err(Refusal::Invalid(format!("there are {THINGS_MAX} conditions already")));
        }
        let (id, condition) = (self.id(), Condition { account, policy, kind, fields });
        let shown = shown_condition(id, &condition);
        self.conditions.insert(id, condition);
        self.changed.insert(id, EndCause::Deleted);
        Ok(shown)
    }

    /// Changes a condition of the same kind; what is left out stays.
    pub(in crate::sim::newrelic) fn update_condition(
        &mut self,
        account: AccountId,
        id: &str,
        kind: Kind,
        change: &Map<String, Json>,
    ) -> Result<Json, Refusal> {
        let (id, condition) = self.condition(account, id)?;
        if condition.kind != kind {
            return Err(Refusal::NotFound);
        }
        let fields = merged(&condition.fields, change);
        validate::condition(kind, &fields)?;
        let condition = Condition { fields, ..condition.clone() };
        let shown = shown_condition(id, &condition);
        self.conditions.insert(id, condition);
        self.changed.insert(id, EndCause::Deleted);
        Ok(shown)
    }

    /// Deletes a condition.
    pub(in crate::sim::newrelic) fn delete_condition(
        &mut self,
        account: AccountId,
        id: &str,
    ) -> Result<Json, Refusal> {
        let (id, _) = self.condition(account, id)?;
        self.conditions.shift_remove(&id);
        self.changed.insert(id, EndCause::Deleted);
        Ok(json!({"id": id.to_string()}))
    }

    /// One condition.
    pub(in crate::sim::newrelic) fn show_condition(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Json, Refusal> {
        self.condition(account, id).map(|(id, condition)| shown_condition(id, condition))
    }

    /// Conditions of an account.
    pub(in crate::sim::newrelic) fn search_conditions(
        &self,
        account: AccountId,
        search: &Search,
        cursor: Option<&str>,
    ) -> Json {
        let found = self.conditions.iter();
        let found = found.filter(|(_, c)| c.account == account && search.finds(c));
        let all: Vec<Json> = found.map(|(id, c)| shown_condition(*id, c)).collect();
        let count = all.len();
        let (conditions, next) = page(all, cursor);
        json!({"nrqlConditions": conditions, "nextCursor": next, "totalCount": count})
    }
}
