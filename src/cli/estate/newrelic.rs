//! An estate as New Relic has it: the latest attributes of every entity that sent `MessageQueue`
//! events, through NerdGraph.
//!
//! One query for each type of entity gives at most [`FACETS_MAX`] entities. Where there may be more
//! it is asked again for each last character that a GUID can have, and so on: an entity is counted
//! once, and a query never gives more than its limit.
//!
//! Invariants:
//! - The instant that the estate is about is the end of New Relic's own time window, so skew
//!   between this machine and New Relic does not matter.
//! - Any query that fails ends the look: half an estate is none.
//!
//! Not modelled: more than [`FACETS_MAX`] entities of a type with GUIDs that are no base64url.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Estate, NewRelicArgs, SourceError, Wanted};
use crate::domain::account::AccountId;
use crate::domain::entity::EntityKind;
use crate::domain::units::{UnixMillis, UnixNanos};
use crate::domain::words::counted_as;
use crate::hybrid::event::{
    ATTRIBUTES, EVENT_TYPE, READS, RELATIONSHIP_EVENT_TYPE, Subscription, observed, topics_by_group,
};
use crate::newrelic::nerdgraph::NrqlAnswer;
use crate::newrelic::{NerdGraph, NerdGraphError};
use crate::ports::Ports;

/// Facets that NRQL gives at most (`LIMIT MAX`). Source: NRQL reference, "LIMIT".
const FACETS_MAX: usize = 5_000;
/// Characters of a GUID's wire form; `LIKE` takes small and capital letters for the same.
const GUID_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789-_";
/// Last characters of GUIDs that a query is narrowed to at most: they hold 24 bits of the hash.
const SUFFIX_MAX: usize = 6;

pub(super) struct Client<P: Ports> {
    nerdgraph: NerdGraph<P>,
    account: AccountId,
    window_seconds: u64,
    facets_max: usize,
}

impl<P: Ports> Client<P> {
    pub(super) fn new(ports: P, args: &NewRelicArgs) -> Result<Self, SourceError> {
        let usage = |message: String| SourceError::Usage(message);
        let connected = args.account.connect_over(ports).map_err(usage)?;
        let account = connected.read_id().map_err(usage)?;
        let window_seconds = args.window.0.as_secs();
        if window_seconds == 0 {
            return Err(usage("--window is shorter than 1s\nhelp: give 1s at least".to_owned()));
        }
        let nerdgraph = connected.client;
        Ok(Self { nerdgraph, account, window_seconds, facets_max: FACETS_MAX })
    }

    pub(super) async fn read(&self, wanted: Wanted) -> Result<Estate, SourceError> {
        let mut estate =
            Estate { source: format!("New Relic (account {})", self.account), ..Estate::default() };
        let mut left_out = 0;
        for kind in EntityKind::ALL {
            let rows = self.all(Question::Entities(kind), &mut estate.now).await?;
            left_out += rows.iter().map(|row| u64::from(!take(row, &mut estate))).sum::<u64>();
        }
        if left_out > 0 {
            let rows = counted_as(left_out, "entity", "entities");
            estate.notes.push(format!("{rows} left out: without the attributes of a key"));
        }
        if wanted == Wanted::Subscriptions {
            let rows = self.all(Question::Subscriptions, &mut estate.now).await?;
            let subscriptions = rows.iter().filter_map(subscription).collect();
            estate.subscriptions = topics_by_group(&estate.observed, &subscriptions);
        }
        Ok(estate)
    }

    /// All rows of a question, asked in as many parts as it takes; `now` becomes the latest end of
    /// their time windows, so that nothing was seen after it.
    async fn all(
        &self,
        question: Question,
        now: &mut UnixNanos,
    ) -> Result<Vec<Map<String, Value>>, SourceError> {
        let mut rows = Vec::new();
        let mut suffixes = vec![String::new()];
        while let Some(suffix) = suffixes.pop() {
            let answer = self.ask(question, &suffix).await?;
            *now = (*now).max(answer.metadata.time_window.end.into());
            if answer.results.len() < self.facets_max {
                rows.extend(answer.results);
            } else if suffix.len() < SUFFIX_MAX {
                suffixes.extend(GUID_CHARACTERS.chars().map(|last| format!("{last}{suffix}")));
            } else {
                return Err(self.too_many(&suffix));
            }
        }
        Ok(rows)
    }

    async fn ask(&self, question: Question, suffix: &str) -> Result<NrqlAnswer, SourceError> {
        let query = question.query(suffix, self.window_seconds);
        self.nerdgraph.nrql(self.account, &query).await.map_err(|error| {
            let help = match &error {
                NerdGraphError::Key(_) => "set NEW_RELIC_API_KEY to a user key of this account",
                NerdGraphError::Nrql(_) | NerdGraphError::NrqlTimeout(_) => {
                    "try a shorter --window"
                }
                _ => "check --region and --nerdgraph-url",
            };
            SourceError::Unreachable(format!("New Relic cannot be asked: {error}\nhelp: {help}"))
        })
    }

    fn too_many(&self, suffix: &str) -> SourceError {
        SourceError::Unreachable(format!(
            "New Relic has {} or more GUIDs that end with `{suffix}`, more than a query gives\n\
             help: try a shorter --window",
            self.facets_max
        ))
    }
}

/// What New Relic is asked.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// The latest attributes of all entities of a kind.
    Entities(EntityKind),
    /// Which group reads which topic.
    Subscriptions,
}

impl Question {
    /// The query, narrowed to entities (of subscriptions: groups) whose GUIDs end with `suffix`.
    fn query(self, suffix: &str, window_seconds: u64) -> String {
        let (mut select, mut condition) = ("latest(timestamp) AS 'seen'".to_owned(), String::new());
        let (from, facet, guid) = match self {
            Self::Entities(kind) => {
                for name in ATTRIBUTES {
                    let _ = write!(select, ", latest(`{name}`) AS '{name}'");
                }
                let _ = write!(condition, "entityType = '{}'", kind.type_name());
                (EVENT_TYPE, "entityGuid", "entityGuid")
            }
            Self::Subscriptions => {
                let _ = write!(condition, "relationshipType = '{}'", READS.as_str());
                let facet = "sourceEntityGuid, targetEntityGuid";
                (RELATIONSHIP_EVENT_TYPE, facet, "sourceEntityGuid")
            }
        };
        // A stand-in says what the pipeline made up where it found a gap; whoever looks for gaps
        // must not take it for the entity.
        condition.push_str(" AND (dataSource = 'infrastructure' OR dataSource IS NULL)");
        if !suffix.is_empty() {
            let _ = write!(condition, " AND {guid} LIKE '%{suffix}'");
        }
        format!(
            "SELECT {select} FROM {from} WHERE {condition} FACET {facet} \
             SINCE {window_seconds} seconds ago LIMIT MAX"
        )
    }
}

/// The subscription of a row that is faceted by its two ends.
fn subscription(row: &Map<String, Value>) -> Option<Subscription> {
    let [group, topic] = row.get("facet")?.as_array()?.as_slice() else { return None };
    Subscription::between(group.as_str()?, topic.as_str()?)
}

/// Takes one row in; whether it names an entity.
fn take(row: &Map<String, Value>, estate: &mut Estate) -> bool {
    let seen = row.get("seen").and_then(Value::as_f64);
    let Some(seen) = seen else { return false };
    // Milliseconds since 1970 are exact in a float for 285,000 years.
    let last_seen = UnixNanos::from(UnixMillis(seen as i64));
    match observed(row, last_seen) {
        Ok(observed) => {
            estate.observed.push(observed);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
