//! NRQL through NerdGraph.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::NerdGraphError;
use super::client::{NerdGraph, Operation};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::ports::Ports;

/// The rows of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NrqlAnswer {
    /// One object per row.
    pub results: Vec<Map<String, Value>>,
    /// About the answer.
    pub metadata: NrqlMetadata,
}

/// About an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NrqlMetadata {
    /// Remarks.
    #[serde(default)]
    pub messages: Option<Vec<String>>,
    /// The window.
    pub time_window: NrqlWindow,
}

/// The window that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct NrqlWindow {
    /// Inclusive.
    pub begin: UnixMillis,
    /// Exclusive.
    pub end: UnixMillis,
}

const NRQL: &str = "query($account: Int!, $nrql: Nrql!, $timeout: Seconds) { \
    actor { account(id: $account) { nrql(query: $nrql, timeout: $timeout) { \
    results metadata { messages timeWindow { begin end } } } } } }";

/// Seconds that a query is given: New Relic's longest.
const TIMEOUT_SECONDS: u32 = 120;

impl<P: Ports> NerdGraph<P> {
    /// Runs `nrql` over the data of one account.
    ///
    /// # Errors
    /// [`NerdGraphError::Nrql`] with New Relic's words when the query is wrong, else the class.
    pub async fn nrql(&self, account: AccountId, nrql: &str) -> Result<NrqlAnswer, NerdGraphError> {
        let variables = json!({"account": account.get(), "nrql": nrql, "timeout": TIMEOUT_SECONDS});
        let data = self.ask(&Operation::query(NRQL, variables)).await?;
        let answer = &data["actor"]["account"]["nrql"];
        NrqlAnswer::deserialize(answer)
            .map_err(|error| NerdGraphError::Unreadable(error.to_string()))
    }
}
