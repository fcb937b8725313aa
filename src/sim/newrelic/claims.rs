//! How well founded each simulated behaviour is.
//!
//! *Conformant*: checked against public files or published live answers. *Documented*: New Relic's
//! documentation says so. *Assumed*: nobody says; chosen here.

use std::fmt::Write as _;

use serde::Serialize;

/// How well founded a behaviour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimLevel {
    /// Checked against public files or published live answers.
    Conformant,
    /// The documentation says so.
    Documented,
    /// Chosen here.
    Assumed,
}

impl ClaimLevel {
    /// The word for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Documented => "documented",
            Self::Assumed => "assumed",
        }
    }
}

/// One behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Part of the service.
    pub area: &'static str,
    /// What it does.
    pub behaviour: &'static str,
    /// How well founded that is.
    pub level: ClaimLevel,
    /// On what.
    pub source: &'static str,
}

const fn claim(
    area: &'static str,
    behaviour: &'static str,
    level: ClaimLevel,
    source: &'static str,
) -> Claim {
    Claim { area, behaviour, level, source }
}

use ClaimLevel::{Assumed, Conformant, Documented};

const EVENT_API: &str = "Introduction to the Event API";
const LIMITS: &str = "Data requirements and limits for custom event data";
const ERRORS: &str = "NrIntegrationError reference";
const SYNTHESIS: &str = "newrelic/entity-definitions, docs/entities";
const NONE: &str = "none";

/// Every behaviour of the simulated New Relic.
pub const CLAIMS: &[Claim] = &[
    claim(
        "envelope",
        "POST /v1/accounts/{id}/events, 200 {success, uuid} before parsing",
        Documented,
        EVENT_API,
    ),
    claim("envelope", "403 for a missing, wrong or user key", Documented, EVENT_API),
    claim(
        "envelope",
        "Api-Key, X-Insert-Key and X-License-Key carry the key",
        Documented,
        EVENT_API,
    ),
    claim("envelope", "403 for an account that does not exist or is not the key's", Assumed, NONE),
    claim(
        "envelope",
        "400 for an empty body or a missing or invalid content length",
        Documented,
        EVENT_API,
    ),
    claim("envelope", "413 above 10^6 bytes as sent", Documented, LIMITS),
    claim(
        "envelope",
        "415 for multipart and for encodings other than gzip and deflate",
        Documented,
        EVENT_API,
    ),
    claim("envelope", "408 when reading takes more than 10 s", Documented, EVENT_API),
    claim(
        "envelope",
        "429 above 100,000 POSTs per account and minute, until the minute ends",
        Documented,
        EVENT_API,
    ),
    claim(
        "envelope",
        "429 carries Retry-After with the rest of the minute",
        Assumed,
        "documented for the Metric API only",
    ),
    claim("envelope", "order of the checks: key, rate, length, type, encoding", Assumed, NONE),
    claim("envelope", "texts of error bodies", Assumed, NONE),
    claim("envelope", "503 when 256 MB wait to be parsed", Assumed, NONE),
    claim("envelope", "no idempotency: a repeated request is stored twice", Documented, EVENT_API),
    claim(
        "parsing",
        "events appear 0.2 to 1.5 s after the answer",
        Assumed,
        "documented: within a few seconds",
    ),
    claim(
        "parsing",
        "unreadable JSON loses the request: `Error parsing JSON payload`",
        Documented,
        ERRORS,
    ),
    claim(
        "parsing",
        "a body that is not what its encoding says is treated as unreadable JSON",
        Assumed,
        NONE,
    ),
    claim(
        "parsing",
        "bodies of more than 32 MiB once unpacked are treated as unreadable JSON",
        Assumed,
        "a guard of our own",
    ),
    claim("parsing", "of repeated names in an event the last counts", Assumed, NONE),
    claim(
        "events",
        "bad events are dropped one by one, with one row per reason and request",
        Documented,
        ERRORS,
    ),
    claim(
        "events",
        "messages about eventType, name, value, number of attributes, appId",
        Documented,
        ERRORS,
    ),
    claim(
        "events",
        "an event with a non-integer appId is rejected",
        Documented,
        "error table; the limits page drops the attribute",
    ),
    claim(
        "events",
        "Metric, MetricRaw, Metric[0-9]* and Public_* are refused as event types",
        Documented,
        LIMITS,
    ),
    claim("events", "message for reserved and for too long event types", Assumed, NONE),
    claim(
        "events",
        "an event with an array or object is rejected; its message",
        Assumed,
        "documented: not allowed",
    ),
    claim(
        "events",
        "booleans are stored as the texts true and false",
        Assumed,
        "documented: only strings and numbers",
    ),
    claim("events", "accountId and nulls are not stored", Documented, LIMITS),
    claim("events", "numbers and numeric strings are kept apart", Documented, LIMITS),
    claim(
        "events",
        "integers beyond 64 signed bits become 64-bit floats",
        Assumed,
        "documented: truncated",
    ),
    claim(
        "events",
        "attribute names with other characters are stored as they are",
        Assumed,
        "documented: letters, digits, : . _",
    ),
    claim(
        "events",
        "255 attributes count eventType and timestamp",
        Assumed,
        "pages say 254 and 255",
    ),
    claim("events", "timestamps in seconds or milliseconds, decimals ignored", Documented, LIMITS),
    claim(
        "events",
        "a timestamp that is missing, no number or more than 24 h away becomes the present",
        Assumed,
        "documented for missing ones",
    ),
    claim(
        "synthesis",
        "conditions, identifiers, names, GUIDs of entity definitions",
        Conformant,
        SYNTHESIS,
    ),
    claim(
        "synthesis",
        "FarmHash fingerprint64 over UTF-16LE as encoded identifier",
        Conformant,
        "13 published GUIDs",
    ),
    claim(
        "synthesis",
        "points with an entity.guid of their own make no entity",
        Documented,
        "maintainer, pull request 2171",
    ),
    claim("synthesis", "tags: rename, multi-value, ttl, prefix, tags.*", Documented, SYNTHESIS),
    claim(
        "synthesis",
        "entities are visible 2 to 15 s after their first event",
        Assumed,
        "third parties report 2 to 5 minutes",
    ),
    claim("synthesis", "lifetimes by entityExpirationTime", Documented, SYNTHESIS),
    claim(
        "synthesis",
        "an entity is gone as soon as its guaranteed lifetime ends",
        Assumed,
        "documented: a minimum",
    ),
    claim(
        "synthesis",
        "MESSAGE_QUEUE_* types exist",
        Assumed,
        "our definitions, not in the public catalogue",
    ),
    claim(
        "relationships",
        "MessageQueueRelationship events make relationships",
        Assumed,
        "our own event, not in the public catalogue",
    ),
    claim(
        "relationships",
        "a relationship lives 75 minutes after its last event",
        Assumed,
        "279 of 286 public rules",
    ),
    claim("store", "retention of 8 days", Documented, "default of custom events"),
];

/// The table as Markdown.
pub fn to_markdown() -> String {
    let mut table =
        String::from("| area | behaviour | level | source |\n| --- | --- | --- | --- |\n");
    for Claim { area, behaviour, level, source } in CLAIMS {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {area} | {behaviour} | {} | {source} |", level.as_str());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_is_one_row_and_stands_once() {
        let table = to_markdown();
        assert_eq!(table.lines().count(), CLAIMS.len() + 2);
        assert!(table.lines().all(|line| line.matches(" | ").count() == 3), "{table}");
        for level in [Conformant, Documented, Assumed] {
            assert!(CLAIMS.iter().any(|claim| claim.level == level));
        }
        let mut behaviours: Vec<_> = CLAIMS.iter().map(|claim| claim.behaviour).collect();
        behaviours.sort_unstable();
        behaviours.dedup();
        assert_eq!(behaviours.len(), CLAIMS.len());
    }
}
