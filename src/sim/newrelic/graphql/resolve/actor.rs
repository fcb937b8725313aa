//! The roots: who asks, and which accounts there are.

use async_graphql::{Value, value};

use super::{Answer, Call, Failure, Resolver};
use crate::domain::account::AccountId;

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("RootQueryType", "actor") => |_| Ok(Answer::Value(value!({}))),
        ("RootQueryType", "requestContext") => {
            |call| Ok(Answer::Value(value!({"userId": call.session.user.id.to_string()})))
        }
        ("Actor", "user") => |call| Ok(Answer::Value(call.session.user.value())),
        ("Actor", "accounts") => accounts,
        ("Actor", "account") => account,
        ("AccountOutline", "reportingEventTypes") => event_types,
        _ => return None,
    })
}

/// An account as it is shown, if the key opens it.
pub(super) fn outline(call: &Call<'_>, account: AccountId) -> Value {
    let state = call.session.newrelic.state();
    let known = state.config.accounts.iter().find(|known| known.id == account);
    known.map_or(Value::Null, |known| value!({"id": account.get(), "name": known.name.as_str()}))
}

fn accounts(call: &Call<'_>) -> Result<Answer, Failure> {
    let accounts = &call.session.user.accounts;
    Ok(Answer::Value(Value::List(accounts.iter().map(|id| outline(call, *id)).collect())))
}

/// The account that an argument names.
///
/// # Errors
/// When the key does not open it, or it does not exist: the two look the same.
pub(super) fn allowed(call: &Call<'_>, number: i64) -> Result<AccountId, Failure> {
    u64::try_from(number)
        .ok()
        .and_then(|number| AccountId::try_from(number).ok())
        .filter(|account| call.session.user.accounts.contains(account))
        .ok_or_else(|| Failure::denied(format!("Account {number} is not accessible to this user")))
}

fn account(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = allowed(call, call.number("id").unwrap_or_default())?;
    Ok(Answer::Value(outline(call, id)))
}

fn event_types(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(Value::Number(id)) = call.parent("id") else { return Ok(Answer::NULL) };
    let account = allowed(call, id.as_i64().unwrap_or_default())?;
    let wanted = call.list("filter");
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let counts = state.store.counts();
    let types = counts
        .into_keys()
        .filter(|(owner, _)| *owner == account)
        .map(|(_, event_type)| event_type)
        .filter(|name| wanted.is_empty() || wanted.iter().any(|w| w.as_str() == Some(name)))
        .map(Value::from);
    Ok(Answer::Value(Value::List(types.collect())))
}
