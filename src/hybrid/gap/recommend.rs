//! What to do about the gaps of a report.
//!
//! Invariants:
//! - A code never changes its meaning, and each has one rule (`Code`'s variants say which).
//! - The impact of an entity decides: cluster high, broker medium, everything else low.
//! - Recommendations about an estate that is only being watched since a moment ago speak of what
//!   is known to be wrong, not of what was not seen yet.

use super::command;
use super::report::{Field, GapReport, Mismatch, PartialCluster, Stale};
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::words::counted_as;

/// More missing entities than this suggest hybrid mode.
pub const MISSING_MANY: u64 = 5;
/// Overall coverage below this is a recommendation of its own, in percent.
pub const COVERAGE_LOW_PERCENT: f64 = 80.0;

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A cluster, or the estate as a whole.
    High,
    /// A broker.
    Medium,
    /// A topic, a queue or a consumer group.
    Low,
}

impl Priority {
    /// Its word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    const fn of(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Cluster => Self::High,
            EntityKind::Broker => Self::Medium,
            EntityKind::Topic | EntityKind::Queue | EntityKind::ConsumerGroup => Self::Low,
        }
    }
}

/// What a recommendation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A cluster is missing.
    MissingCluster,
    /// A broker is missing.
    MissingBroker,
    /// A topic is missing.
    MissingTopic,
    /// A queue is missing.
    MissingQueue,
    /// A consumer group is missing.
    MissingConsumerGroup,
    /// A cluster has fewer brokers than it requires.
    PartialCluster,
    /// An entity has stopped reporting.
    Stale,
    /// An entity is not configured as desired.
    Mismatch,
    /// More than [`MISSING_MANY`] entities are missing.
    ManyMissing,
    /// Overall coverage is below [`COVERAGE_LOW_PERCENT`].
    LowCoverage,
    /// Brokers are desired, and none is there.
    NoBrokers,
    /// Topics are desired, and none is there.
    NoTopics,
}

impl Code {
    /// All codes, in their order.
    pub const ALL: [Self; 12] = [
        Self::MissingCluster,
        Self::MissingBroker,
        Self::MissingTopic,
        Self::MissingQueue,
        Self::MissingConsumerGroup,
        Self::PartialCluster,
        Self::Stale,
        Self::Mismatch,
        Self::ManyMissing,
        Self::LowCoverage,
        Self::NoBrokers,
        Self::NoTopics,
    ];

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingCluster => "GAP001",
            Self::MissingBroker => "GAP002",
            Self::MissingTopic => "GAP003",
            Self::MissingQueue => "GAP004",
            Self::MissingConsumerGroup => "GAP005",
            Self::PartialCluster => "GAP006",
            Self::Stale => "GAP007",
            Self::Mismatch => "GAP008",
            Self::ManyMissing => "GAP009",
            Self::LowCoverage => "GAP010",
            Self::NoBrokers => "GAP011",
            Self::NoTopics => "GAP012",
        }
    }

    const fn missing(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Cluster => Self::MissingCluster,
            EntityKind::Broker => Self::MissingBroker,
            EntityKind::Topic => Self::MissingTopic,
            EntityKind::Queue => Self::MissingQueue,
            EntityKind::ConsumerGroup => Self::MissingConsumerGroup,
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recommendation<'a> {
    /// What it is about.
    pub code: Code,
    /// How urgent it is.
    pub priority: Priority,
    /// The entity, unless it is about the estate as a whole.
    pub key: Option<&'a EntityKey>,
    /// What is wrong and what to do, without a full stop.
    pub message: String,
    /// A shell command that mends it, or that shows more.
    pub command: Option<String>,
}

/// What to do about one gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What it is about.
    pub code: Code,
    /// How urgent it is.
    pub priority: Priority,
    /// What is wrong and what to do, without a full stop.
    pub message: String,
}

impl Advice {
    fn of(code: Code, key: &EntityKey, message: String) -> Self {
        Self { code, priority: Priority::of(key.kind()), message }
    }

    /// About the missing entity `key`.
    pub fn of_missing(key: &EntityKey) -> Self {
        let kind = key.kind();
        let what = match kind {
            EntityKind::Cluster => "none of its brokers reports: check addresses and listeners",
            EntityKind::Broker => "start it, or remove it from the topology",
            EntityKind::Topic | EntityKind::Queue => "create it, or remove it from the topology",
            EntityKind::ConsumerGroup => "start its consumers, or remove it from the topology",
        };
        Self::of(Code::missing(kind), key, format!("missing: {what}"))
    }

    /// About a cluster with too few brokers.
    pub fn of_partial(gap: &PartialCluster<'_>) -> Self {
        let required = counted_as(gap.expected, "required broker", "required brokers");
        let message = format!("{} of {required} report: start the others", gap.actual);
        Self::of(Code::PartialCluster, gap.key, message)
    }

    /// About an entity that has stopped reporting.
    pub fn of_stale(gap: &Stale<'_>) -> Self {
        let message = format!(
            "silent for {} s: look whether it is still there, and then at its collector",
            gap.age.as_secs()
        );
        Self::of(Code::Stale, gap.key, message)
    }

    /// About a setting that is not as desired.
    pub fn of_mismatch(gap: &Mismatch<'_>) -> Self {
        let (expected, actual) = (gap.expected, gap.actual);
        let advice = match gap.field {
            Field::Partitions if expected > actual => {
                "add partitions, if no consumer relies on which key is in which"
            }
            Field::Partitions => {
                "partitions cannot be removed: change the topology, or make the topic anew"
            }
            Field::ReplicationFactor => {
                "reassign its partitions with kafka-reassign-partitions.sh, or change the topology"
            }
        };
        let message = format!("{} is {actual}, not {expected}: {advice}", gap.field.as_str());
        Self::of(Code::Mismatch, gap.key, message)
    }

    fn about(self, key: &EntityKey, command: Option<String>) -> Recommendation<'_> {
        let Self { code, priority, message } = self;
        Recommendation { code, priority, key: Some(key), message, command }
    }
}

impl<'a> GapReport<'a> {
    /// What to do: the estate as a whole first, then entities by urgency, code and key.
    pub fn recommendations(&self) -> Vec<Recommendation<'a>> {
        let mut all = self.about_estate();
        all.extend(self.all_missing().map(|key| self.about_missing(key)));
        all.extend(self.about_partial());
        all.extend(self.about_stale());
        all.extend(self.about_mismatches());
        all.sort_by_key(|one| (one.key.is_some(), one.priority, one.code, one.key));
        all
    }

    fn about_estate(&self) -> Vec<Recommendation<'a>> {
        let overall = self.coverage.overall();
        let estate = |code, priority, message: String| Recommendation {
            code,
            priority,
            key: None,
            message,
            command: None,
        };
        let mut all = Vec::new();
        for (kind, code, what) in [
            (EntityKind::Broker, Code::NoBrokers, "brokers"),
            (EntityKind::Topic, Code::NoTopics, "topics"),
        ] {
            let counts = self.coverage.by_kind[kind];
            if counts.desired() > 0 && counts.fresh + counts.pending == 0 {
                let message = format!(
                    "none of the {} desired {what} reports: check whether monitoring reaches the \
                     estate at all",
                    counts.desired()
                );
                all.push(estate(code, Priority::High, message));
            }
        }
        if overall.percent_with_pending() < COVERAGE_LOW_PERCENT {
            let message = format!(
                "{} of {} desired entities report, less than {COVERAGE_LOW_PERCENT} %: compare \
                 the topology with the estate before single gaps",
                overall.fresh,
                overall.desired()
            );
            all.push(estate(Code::LowCoverage, Priority::High, message));
        }
        if overall.missing > MISSING_MANY {
            let message = format!(
                "{} entities are missing: hybrid mode would fill them with labelled stand-ins, so \
                 that dashboards and alerts can be tried meanwhile",
                overall.missing
            );
            all.push(estate(Code::ManyMissing, Priority::Medium, message));
        }
        all
    }

    fn about_missing(&self, key: &'a EntityKey) -> Recommendation<'a> {
        Advice::of_missing(key).about(key, command::for_missing(self.topology, key))
    }

    fn about_partial(&self) -> impl Iterator<Item = Recommendation<'a>> {
        let about = |gap: &PartialCluster<'a>| {
            Advice::of_partial(gap).about(gap.key, command::for_look(self.topology, gap.key))
        };
        self.partial_clusters.iter().map(about)
    }

    fn about_stale(&self) -> impl Iterator<Item = Recommendation<'a>> {
        let about = |gap: &Stale<'a>| {
            Advice::of_stale(gap).about(gap.key, command::for_look(self.topology, gap.key))
        };
        self.stale.iter().map(about)
    }

    fn about_mismatches(&self) -> impl Iterator<Item = Recommendation<'a>> {
        self.mismatches.iter().map(|gap| {
            let command = match gap.field {
                Field::Partitions if gap.expected > gap.actual => {
                    command::for_partitions(self.topology, gap.key, gap.expected)
                }
                Field::Partitions | Field::ReplicationFactor => {
                    command::for_look(self.topology, gap.key)
                }
            };
            Advice::of_mismatch(gap).about(gap.key, command)
        })
    }
}
