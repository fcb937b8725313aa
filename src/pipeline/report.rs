//! What one cycle did, and what all of them did together.
//!
//! Invariants (of [`PipelineLedger`], after every cycle):
//! - samples collected = samples transformed + samples rejected, by reason;
//! - events built = events encoded + events rejected, by reason;
//! - events encoded = events the stream has taken in.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::units::UnixMillis;
use crate::hybrid::gap::KindCoverage;
use crate::hybrid::manager::HybridReport;
use crate::hybrid::mode::Mode;

/// Counts by name; missing is zero.
pub type Counts = BTreeMap<String, u64>;

/// Adds `count` to `name`.
pub(super) fn add(counts: &mut Counts, name: &str, count: u64) {
    match counts.get_mut(name) {
        Some(total) => *total += count,
        None => drop(counts.insert(name.to_owned(), count)),
    }
}

/// Adds all of `more`.
pub(super) fn add_all(counts: &mut Counts, more: &Counts) {
    for (name, count) in more {
        add(counts, name, *count);
    }
}

/// Most examples of one reason that are kept.
const EXAMPLES_MAX: usize = 5;

/// Some of what was counted, in words, by the reason that it was counted under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Examples(BTreeMap<String, Vec<String>>);

impl Examples {
    /// Keeps `words` unless there are enough of `reason`.
    pub(super) fn add(&mut self, reason: &str, words: impl FnOnce() -> String) {
        match self.0.get_mut(reason) {
            Some(kept) if kept.len() >= EXAMPLES_MAX => {}
            Some(kept) => kept.push(words()),
            None => drop(self.0.insert(reason.to_owned(), vec![words()])),
        }
    }

    /// The first of `reason`, or nothing.
    pub fn of(&self, reason: &str) -> &str {
        self.0.get(reason).and_then(|kept| kept.first()).map_or("", String::as_str)
    }

    /// All of them, by reason.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }
}

/// Sum of all counts.
pub fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// How long each stage of a cycle took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StageMillis {
    /// Asking the sources.
    pub collect_ms: u64,
    /// Raw to canonical samples.
    pub transform_ms: u64,
    /// Samples to the state of entities.
    pub aggregate_ms: u64,
    /// States to entities, relationships and events.
    pub synthesize_ms: u64,
    /// Events to New Relic.
    pub stream_ms: u64,
}

/// How one source fared in one cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceReport {
    /// The source, e.g. `kafka/orders`.
    pub source: String,
    /// How long it was asked, up to its answer or the deadline, in milliseconds.
    pub collect_ms: u64,
    /// Samples it gave.
    pub samples: u64,
    /// Parts it could not give, by reason.
    pub missing: Counts,
    /// Examples of the missing parts.
    pub missing_examples: Examples,
    /// Why it gave nothing at all.
    pub failure: Option<SourceFailure>,
}

/// Why a source gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct SourceFailure {
    /// Name in counters.
    pub reason: String,
    /// In words.
    pub message: String,
}

/// What the stream did in one cycle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StreamReport {
    /// Events New Relic acknowledged.
    pub acknowledged: u64,
    /// Events New Relic refused for good, by reason.
    pub rejected: Counts,
    /// Events the stream gave up, by reason.
    pub dropped: Counts,
    /// Events that wait after the cycle, in memory or in the spool.
    pub in_flight: u64,
    /// POSTs whose fate nobody knows; New Relic may hold their events twice in the end.
    pub unknown_posts: u64,
    /// Why sending stopped before the queue was empty, when it did.
    pub stopped: Option<String>,
}

/// What one cycle did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CycleReport {
    /// Number of the cycle, from 1.
    pub cycle: u64,
    /// Start on the wall clock.
    pub started_at: UnixMillis,
    /// End of the collection on the wall clock; the aggregation's "now".
    pub collected_at: UnixMillis,
    /// From start to end.
    pub duration_ms: u64,
    /// Of which by stage.
    pub stages: StageMillis,
    /// The sources, in the order of the configuration.
    pub sources: Vec<SourceReport>,
    /// Raw samples collected, by kind.
    pub samples: Counts,
    /// Samples, entities and relationships that were invalid, by reason.
    pub rejected: Counts,
    /// Of which entities and relationships.
    pub unsynthesized: Counts,
    /// Single fields left out of samples that were valid otherwise, by reason.
    pub fields_left_out: Counts,
    /// Some of what was rejected or left out.
    pub rejection_examples: Examples,
    /// Entities synthesized, by type.
    pub entities: Counts,
    /// Relationships sent along; 0 when it was not their turn.
    pub relationships: u64,
    /// Where its entities come from.
    pub mode: Mode,
    /// What it showed of the desired topology; absent where there is none to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<GapFigures>,
    /// Windows of time that were told.
    pub windows: u64,
    /// Custom metrics without a value, by `metric/reason`.
    pub metrics_absent: Counts,
    /// Events handed to the stream.
    pub events_enqueued: u64,
    /// What became of events.
    pub stream: StreamReport,
    /// Starts that passed while this cycle ran.
    pub skipped: u64,
}

impl CycleReport {
    /// Whether at least one source gave something.
    pub fn collected(&self) -> bool {
        self.sources.iter().any(|source| source.failure.is_none())
    }
}

/// How much of the desired entities a cycle showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CoverageFigures {
    /// Desired ones.
    pub desired: u64,
    /// Of which seen within the tolerance.
    pub fresh: u64,
    /// Of which silent for longer.
    pub stale: u64,
    /// Of which never seen.
    pub missing: u64,
    /// Of which not seen yet, by a watch that is too young to miss them.
    pub pending: u64,
    /// Stand-ins for those that are stale or missing.
    pub filled: u64,
}

/// What a cycle showed of the desired topology.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GapFigures {
    /// By entity type, of the types that are desired.
    pub coverage: BTreeMap<&'static str, CoverageFigures>,
    /// Clusters with some fresh brokers, and fewer than they require.
    pub partial_clusters: u64,
    /// Settings that are not as desired.
    pub mismatches: u64,
    /// Fresh entities that nobody desired.
    pub unexpected: u64,
    /// Gaps that the limits leave without a stand-in.
    pub unfilled: u64,
}

impl GapFigures {
    pub(super) fn of(report: &HybridReport) -> Self {
        let figures = |counts: &KindCoverage, filled: u64| CoverageFigures {
            desired: counts.desired(),
            fresh: counts.fresh,
            stale: counts.stale,
            missing: counts.missing,
            pending: counts.pending,
            filled,
        };
        let desired = report.coverage.by_kind.iter().filter(|(_, counts)| counts.desired() > 0);
        Self {
            coverage: desired
                .map(|(kind, counts)| (kind.type_name(), figures(counts, report.filled[kind])))
                .collect(),
            partial_clusters: report.partial_clusters,
            mismatches: report.mismatches,
            unexpected: report.unexpected,
            unfilled: report.unfilled,
        }
    }

    /// Over all types.
    pub fn overall(&self) -> CoverageFigures {
        self.coverage.values().fold(CoverageFigures::default(), |sum, of| CoverageFigures {
            desired: sum.desired + of.desired,
            fresh: sum.fresh + of.fresh,
            stale: sum.stale + of.stale,
            missing: sum.missing + of.missing,
            pending: sum.pending + of.pending,
            filled: sum.filled + of.filled,
        })
    }
}

/// Totals since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PipelineLedger {
    /// Raw samples collected, by kind.
    pub collected: Counts,
    /// Of which became canonical samples.
    pub transformed: u64,
    /// Of which were invalid, by reason.
    pub rejected: Counts,
    /// Single fields left out of samples that were valid otherwise, by reason.
    pub fields_left_out: Counts,
    /// Entities and relationships that could not be made, by reason.
    pub unsynthesized: Counts,
    /// Entities synthesized, by type.
    pub entities: Counts,
    /// Relationships sent.
    pub relationships: u64,
    /// Windows of time sent.
    pub windows: u64,
    /// Custom metrics without a value, by `metric/reason`.
    pub metrics_absent: Counts,
    /// Events about the pipeline itself, e.g. of its breakers.
    pub monitoring: u64,
    /// Events about gaps and coverage.
    pub gaps: u64,
    /// Events handed to the stream.
    pub enqueued: u64,
    /// Parts that sources could not give, by `source` and reason.
    pub missing: BTreeMap<String, Counts>,
    /// Whole failures of sources, by `source` and reason.
    pub failures: BTreeMap<String, Counts>,
}

impl PipelineLedger {
    /// Whether every sample collected is accounted for.
    pub fn balances(&self) -> bool {
        total(&self.collected) == self.transformed + total(&self.rejected)
            && total(&self.entities)
                + self.relationships
                + self.windows
                + self.gaps
                + self.monitoring
                == self.enqueued
    }

    /// Adds what the sources of one cycle said.
    pub(super) fn add_sources(&mut self, sources: &[SourceReport]) {
        for report in sources {
            if !report.missing.is_empty() {
                let missing = self.missing.entry(report.source.clone()).or_default();
                add_all(missing, &report.missing);
            }
            if let Some(failure) = &report.failure {
                let failures = self.failures.entry(report.source.clone()).or_default();
                add(failures, &failure.reason, 1);
            }
        }
    }
}

/// What a whole run did, at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Cycles that ended.
    pub cycles: u64,
    /// Starts that were skipped.
    pub skipped: u64,
    /// Whether the last cycle was cut off by the shutdown deadline.
    pub interrupted: bool,
    /// Events that New Relic acknowledged.
    pub delivered: u64,
    /// Events that New Relic had not taken at the end, and that no spool holds; they are lost.
    pub undelivered: u64,
    /// Events that New Relic had not taken at the end; the spool keeps them for the next start.
    pub spooled: u64,
    /// How long the last sends took, in milliseconds.
    pub drain_ms: u64,
    /// Totals.
    pub ledger: PipelineLedger,
}
