//! Gaps and coverage as events, so that dashboards and alerts can show them.

use serde::Serialize;

use super::HybridReport;
use crate::domain::account::AccountId;
use crate::domain::entity::EntityKey;
use crate::domain::guid::EntityGuid;
use crate::domain::units::UnixMillis;
use crate::hybrid::gap::recommend::Advice;
use crate::hybrid::gap::{GapReport, KindCoverage};

/// `eventType` of one gap.
pub const GAP_EVENT_TYPE: &str = "MessageQueueGap";
/// `eventType` of the coverage of one kind, or of all.
pub const COVERAGE_EVENT_TYPE: &str = "MessageQueueCoverage";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CoverageEvent<'a> {
    event_type: &'static str,
    timestamp: i64,
    entity_type: &'a str,
    desired: u64,
    fresh: u64,
    stale: u64,
    missing: u64,
    pending: u64,
    filled: u64,
    #[serde(rename = "coverage.percentage")]
    percentage: f64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    others: Option<Others>,
}

/// Gaps that belong to no single type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Others {
    partial_clusters: u64,
    /// Entities with a setting that is not as desired.
    mismatched: u64,
    unexpected: u64,
    unfilled: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GapEvent<'a> {
    event_type: &'static str,
    timestamp: i64,
    gap: &'static str,
    entity_guid: String,
    entity_type: &'static str,
    entity_name: &'a str,
    provider: &'a str,
    cluster_name: &'a str,
    /// Text, because New Relic's events have no booleans.
    filled: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<u32>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    advice: Option<AdviceAttributes>,
}

/// What to do about a gap; what is merely unexpected needs nothing.
#[derive(Serialize)]
struct AdviceAttributes {
    /// A code of `docs/GAPS.md`.
    recommendation: &'static str,
    priority: &'static str,
    advice: String,
}

impl From<Advice> for AdviceAttributes {
    fn from(Advice { code, priority, message }: Advice) -> Self {
        Self { recommendation: code.as_str(), priority: priority.as_str(), advice: message }
    }
}

/// An event about gaps or coverage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEvent {
    /// Its `eventType`.
    pub event_type: &'static str,
    /// A flat JSON object.
    pub json: Vec<u8>,
}

/// What all events of one telling share.
pub(super) struct Telling<'a> {
    pub(super) account: AccountId,
    pub(super) at: UnixMillis,
    /// Whether an entity has a stand-in.
    pub(super) is_filled: &'a dyn Fn(&EntityKey) -> bool,
}

impl Telling<'_> {
    /// One event for each kind that the topology has, one for all, and one for each gap.
    pub(super) fn events(&self, found: &GapReport<'_>, report: &HybridReport) -> Vec<ToldEvent> {
        let mut events = self.coverage(report);
        events.extend(self.gaps(found).iter().map(|gap| write(GAP_EVENT_TYPE, gap)));
        events
    }

    fn coverage(&self, report: &HybridReport) -> Vec<ToldEvent> {
        let event = |entity_type, counts: &KindCoverage, filled, others| {
            let event = CoverageEvent {
                event_type: COVERAGE_EVENT_TYPE,
                timestamp: self.at.0,
                entity_type,
                desired: counts.desired(),
                fresh: counts.fresh,
                stale: counts.stale,
                missing: counts.missing,
                pending: counts.pending,
                filled,
                percentage: counts.percent(),
                others,
            };
            write(COVERAGE_EVENT_TYPE, &event)
        };
        let by_kind = report.coverage.by_kind.iter().filter(|(_, counts)| counts.desired() > 0);
        let mut events: Vec<ToldEvent> = by_kind
            .map(|(kind, counts)| event(kind.type_name(), counts, report.filled[kind], None))
            .collect();
        let filled = report.filled.values().sum();
        let others = Others {
            partial_clusters: report.partial_clusters,
            mismatched: report.mismatched,
            unexpected: report.unexpected,
            unfilled: report.unfilled,
        };
        events.push(event("ALL", &report.coverage.overall(), filled, Some(others)));
        events
    }

    fn gaps<'g>(&self, found: &GapReport<'g>) -> Vec<GapEvent<'g>> {
        let missing = found.all_missing().map(|key| GapEvent {
            advice: Some(Advice::of_missing(key).into()),
            ..self.gap("missing", key)
        });
        let stale = found.stale.iter().map(|stale| GapEvent {
            age_seconds: Some(stale.age.as_secs_f64()),
            advice: Some(Advice::of_stale(stale).into()),
            ..self.gap("stale", stale.key)
        });
        let partial = found.partial_clusters.iter().map(|cluster| GapEvent {
            field: Some("requiredBrokers"),
            expected: Some(cluster.expected),
            actual: Some(cluster.actual),
            advice: Some(Advice::of_partial(cluster).into()),
            ..self.gap("partial", cluster.key)
        });
        let mismatches = found.mismatches.iter().map(|mismatch| GapEvent {
            field: Some(mismatch.field.as_str()),
            expected: Some(mismatch.expected),
            actual: Some(mismatch.actual),
            advice: Some(Advice::of_mismatch(mismatch).into()),
            ..self.gap("mismatch", mismatch.key)
        });
        let unexpected = found.unexpected.iter().map(|seen| self.gap("unexpected", &seen.key));
        missing.chain(stale).chain(partial).chain(mismatches).chain(unexpected).collect()
    }

    fn gap<'k>(&self, gap: &'static str, key: &'k EntityKey) -> GapEvent<'k> {
        GapEvent {
            event_type: GAP_EVENT_TYPE,
            timestamp: self.at.0,
            gap,
            entity_guid: EntityGuid::new(self.account, key).wire(),
            entity_type: key.kind().type_name(),
            entity_name: key.name(),
            provider: key.provider().as_str(),
            cluster_name: key.cluster(),
            filled: if (self.is_filled)(key) { "true" } else { "false" },
            age_seconds: None,
            field: None,
            expected: None,
            actual: None,
            advice: None,
        }
    }
}

fn write(event_type: &'static str, event: &impl Serialize) -> ToldEvent {
    let json = serde_json::to_vec(event).expect("texts and finite numbers have a JSON form");
    ToldEvent { event_type, json }
}
