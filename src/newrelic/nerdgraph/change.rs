//! Changes: mutations whose outcome may stay unknown.
//!
//! Invariant: NerdGraph has no idempotency keys. When the outcome of a change is not known, New
//! Relic is asked what became of it before the change is sent again; if that cannot be told either,
//! the error says so.

use std::time::Duration;

use serde_json::Value;

use super::answer::NerdGraphError;
use super::client::{NerdGraph, Operation};
use crate::ports::{Clock, Ports};

/// How often one change is sent at most when its outcome is not known.
const SENDS_MAX: u32 = 3;
/// Waits before each look at what became of a change: New Relic's search knows of a new dashboard
/// some seconds after its making.
pub(super) const LOOKS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// NerdGraph gave no answer to the question.
    #[error(transparent)]
    NerdGraph(#[from] NerdGraphError),
    /// New Relic refused the change, for a reason that the payload tells.
    #[error("New Relic refuses it ({kind}): {description}")]
    Refused {
        /// Its class.
        kind: Refusal,
        /// In New Relic's words.
        description: String,
    },
    /// It may have been done or not.
    #[error("whether it was done is not known ({reason}), and New Relic does not show it")]
    Unknown {
        /// How the last try ended.
        reason: String,
    },
    /// Somebody else's change would have been overwritten.
    #[error("somebody changed it meanwhile")]
    ChangedMeanwhile,
    /// A dashboard is as wanted but for the links to its new pages.
    #[error("{guid} is there, but links between its pages are not set: {reason}")]
    Unlinked {
        /// The dashboard.
        guid: String,
        /// Why.
        reason: String,
    },
}

/// Types of errors in the payload of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `INVALID_INPUT`.
    InvalidInput,
    /// `FORBIDDEN_OPERATION`.
    Forbidden,
    /// `DASHBOARD_NOT_FOUND`.
    NotFound,
    /// One that was not known when this was written.
    Other(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::Forbidden => "FORBIDDEN_OPERATION",
            Self::NotFound => "DASHBOARD_NOT_FOUND",
            Self::Other(text) => text,
        })
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        match text {
            "INVALID_INPUT" => Self::InvalidInput,
            "FORBIDDEN_OPERATION" => Self::Forbidden,
            "DASHBOARD_NOT_FOUND" => Self::NotFound,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A change that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// GUID or id of what was changed.
    pub id: String,
    /// Whether an answer was lost and New Relic's state told of the success.
    pub found_out: bool,
}

/// Whether an error leaves open if the change was carried out.
fn is_open(error: &NerdGraphError) -> bool {
    matches!(
        error,
        NerdGraphError::NoAnswer { sent: true, .. }
            | NerdGraphError::Server(_)
            | NerdGraphError::Unreadable(_)
    )
}

pub(super) fn unreadable(payload: &Value) -> ChangeError {
    NerdGraphError::Unreadable(payload.to_string().chars().take(200).collect()).into()
}

/// An argument of a mutation: its name, its type, its value.
pub(super) type Argument = (&'static str, &'static str, Value);

/// The mutation `field` with `arguments`, which answers with the id of what it changed.
fn mutation(field: &str, arguments: Vec<Argument>) -> Operation {
    let types: Vec<String> =
        arguments.iter().map(|(name, kind, _)| format!("${name}: {kind}")).collect();
    let given: Vec<String> =
        arguments.iter().map(|(name, _, _)| format!("{name}: ${name}")).collect();
    let text =
        format!("mutation({}) {{ {field}({}) {{ id }} }}", types.join(", "), given.join(", "));
    let variables = arguments.into_iter().map(|(name, _, value)| (name.to_owned(), value));
    Operation::mutation(text, Value::Object(variables.collect()))
}

impl<P: Ports> NerdGraph<P> {
    /// Sends a change, and again if `look` says that it was not carried out; `read` finds the id
    /// in the answer's data, `look` gives it when the change was made.
    pub(super) async fn change(
        &self,
        operation: &Operation,
        read: impl Fn(&Value) -> Result<String, ChangeError>,
        look: impl AsyncFn() -> Result<Option<String>, NerdGraphError>,
    ) -> Result<Done, ChangeError> {
        let mut sent = 0;
        loop {
            let answer = self.ask(operation).await;
            sent += 1;
            let error = match answer {
                Ok(data) => return Ok(Done { id: read(&data)?, found_out: false }),
                Err(error) if is_open(&error) => error,
                Err(error) => return Err(error.into()),
            };
            let unknown = || ChangeError::Unknown { reason: error.to_string() };
            match self.watch(&look).await {
                Ok(Some(id)) => return Ok(Done { id, found_out: true }),
                Ok(None) if sent < SENDS_MAX => {}
                Ok(None) | Err(_) => return Err(unknown()),
            }
        }
    }

    /// Sends the mutation `field`, as [`NerdGraph::change`] does.
    pub(super) async fn mutate(
        &self,
        field: &'static str,
        arguments: Vec<Argument>,
        look: impl AsyncFn() -> Result<Option<String>, NerdGraphError>,
    ) -> Result<Done, ChangeError> {
        let id = |data: &Value| {
            let id = data[field]["id"].as_str();
            id.map(str::to_owned).ok_or_else(|| unreadable(&data[field]))
        };
        self.change(&mutation(field, arguments), id, look).await
    }

    /// Looks several times, because New Relic shows late what it has done.
    async fn watch(
        &self,
        look: &impl AsyncFn() -> Result<Option<String>, NerdGraphError>,
    ) -> Result<Option<String>, NerdGraphError> {
        let mut last = Ok(None);
        for wait in LOOKS {
            self.clock().sleep(wait).await;
            last = look().await;
            if let Ok(Some(id)) = last {
                return Ok(Some(id));
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mutation_names_and_types_its_arguments() {
        let arguments = vec![("accountId", "Int!", json!(1)), ("id", "ID!", json!("7"))];
        let made = mutation("alertsConditionDelete", arguments);
        let expected = "mutation($accountId: Int!, $id: ID!) { \
                        alertsConditionDelete(accountId: $accountId, id: $id) { id } }";
        assert_eq!(made.text, expected);
        assert_eq!(made.variables, json!({"accountId": 1, "id": "7"}));
        assert!(!made.idempotent);
    }
}
