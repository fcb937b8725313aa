//! Sums over parts: topics for their cluster, groups for the topic that they read.
//!
//! Invariant: a sum is told only if it is whole. So a part whose window lacks the figure, or whose
//! window was evicted, leaves the sum unknown, and so does a group that reads several topics: its
//! figures cannot be told apart by topic.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClosedWindow, Statistic, WindowSpan};
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::metric::MetricId;
use crate::domain::provider::Provider;

/// How parts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollUpOperation {
    /// Added up.
    Sum,
    /// The largest.
    Max,
}

/// One figure of a whole, made of those of its parts.
#[derive(Debug, PartialEq, Eq)]
pub struct RollUp {
    /// Its attribute in the event of the whole.
    pub name: &'static str,
    /// Kind of the whole.
    pub whole: EntityKind,
    /// The parts' metric.
    pub metric: MetricId,
    /// Which of its figures.
    pub statistic: Statistic,
    /// What becomes of them.
    pub operation: RollUpOperation,
}

/// All roll-ups: topics to their cluster, groups to their topic.
pub static ROLL_UPS: &[RollUp] = &[
    sum("topics.messagesIn.mean", EntityKind::Cluster, MetricId::TOPIC_MESSAGES_IN),
    sum("topics.bytesIn.mean", EntityKind::Cluster, MetricId::TOPIC_BYTES_IN),
    sum("topics.bytesOut.mean", EntityKind::Cluster, MetricId::TOPIC_BYTES_OUT),
    sum("topics.consumerLag.mean", EntityKind::Cluster, MetricId::TOPIC_CONSUMER_LAG),
    max("topics.lag.max", EntityKind::Cluster, MetricId::TOPIC_LAG),
    sum("groups.lag.mean", EntityKind::Topic, MetricId::GROUP_LAG_TOTAL),
    max("groups.lag.max", EntityKind::Topic, MetricId::GROUP_LAG_TOTAL),
    sum("groups.throughput.mean", EntityKind::Topic, MetricId::GROUP_CONSUMPTION),
];

const fn sum(name: &'static str, whole: EntityKind, metric: MetricId) -> RollUp {
    let (statistic, operation) = (Statistic::Mean, RollUpOperation::Sum);
    RollUp { name, whole, metric, statistic, operation }
}

const fn max(name: &'static str, whole: EntityKind, metric: MetricId) -> RollUp {
    let (statistic, operation) = (Statistic::Max, RollUpOperation::Max);
    RollUp { name, whole, metric, statistic, operation }
}

/// One span of the entities of one kind in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    provider: Provider,
    cluster: String,
    kind: EntityKind,
    span: WindowSpan,
}

impl Span {
    pub(super) fn of(window: &ClosedWindow) -> Self {
        Self::with(window, window.key.kind())
    }

    /// The same span of another kind's entities.
    fn with(window: &ClosedWindow, kind: EntityKind) -> Self {
        let (provider, cluster) = (window.key.provider().clone(), window.key.cluster().to_owned());
        Self { provider, cluster, kind, span: window.span }
    }

    pub(super) fn span(&self) -> WindowSpan {
        self.span
    }
}

/// Windows that are parts of others, by their place in the list.
#[derive(Default)]
struct Parts<'c> {
    of_span: BTreeMap<Span, Vec<usize>>,
    /// Windows of groups, by a topic that they read: a topic must not ask every group of its
    /// cluster, of which there are as many as of topics.
    readers: BTreeMap<Span, BTreeMap<&'c str, Vec<usize>>>,
}

impl<'c> Parts<'c> {
    fn of(closed: &'c [ClosedWindow]) -> Self {
        let mut parts = Self::default();
        for (place, window) in closed.iter().enumerate() {
            match window.key.kind() {
                EntityKind::Topic => {
                    parts.of_span.entry(Span::of(window)).or_default().push(place);
                }
                EntityKind::ConsumerGroup => {
                    let readers = parts.readers.entry(Span::of(window)).or_default();
                    for topic in &window.topics {
                        readers.entry(topic).or_default().push(place);
                    }
                }
                EntityKind::Cluster | EntityKind::Broker | EntityKind::Queue => {}
            }
        }
        parts
    }
}

/// Gives the windows in `closed` the sums over those of their parts, which close at the same time;
/// spans in `gaps` are not whole.
pub(super) fn roll_up(closed: &mut [ClosedWindow], gaps: &BTreeSet<Span>) {
    let parts = Parts::of(closed);
    let wholes = (0..closed.len()).filter(|place| {
        matches!(closed[*place].key.kind(), EntityKind::Cluster | EntityKind::Topic)
    });
    let sums: Vec<_> = wholes.map(|place| (place, of_whole(closed, place, &parts, gaps))).collect();
    for (place, sums) in sums {
        closed[place].roll_ups = sums;
    }
}

/// The sums of the window at `place`.
fn of_whole(
    closed: &[ClosedWindow],
    place: usize,
    parts: &Parts<'_>,
    gaps: &BTreeSet<Span>,
) -> Vec<(&'static RollUp, f64)> {
    let whole = &closed[place];
    let kind = match whole.key.kind() {
        EntityKind::Cluster => EntityKind::Topic,
        _ => EntityKind::ConsumerGroup,
    };
    let span = Span::with(whole, kind);
    if gaps.contains(&span) {
        return Vec::new();
    }
    let places = match &whole.key {
        EntityKey::Topic { topic, .. } => {
            parts.readers.get(&span).and_then(|readers| readers.get(topic.as_str()))
        }
        _ => parts.of_span.get(&span),
    };
    let members: Vec<_> = places.into_iter().flatten().map(|place| &closed[*place]).collect();
    let is_shared = |member: &&ClosedWindow| member.topics.len() > 1;
    if kind == EntityKind::ConsumerGroup && members.iter().any(is_shared) {
        return Vec::new();
    }
    let of_kind = ROLL_UPS.iter().filter(|roll_up| roll_up.whole == whole.key.kind());
    of_kind.filter_map(|roll_up| Some((roll_up, combine(roll_up, &members)?))).collect()
}

fn combine(roll_up: &RollUp, members: &[&ClosedWindow]) -> Option<f64> {
    let figures = members.iter().map(|member| {
        let wanted = (roll_up.metric, roll_up.statistic);
        let found = member.figures.iter().find(|f| (f.metric, f.statistic) == wanted);
        found.map(|figure| figure.value)
    });
    let figures: Option<Vec<f64>> = figures.collect();
    let figures = figures.filter(|figures| !figures.is_empty())?;
    // The parts are sorted by entity, so that the order is always the same.
    match roll_up.operation {
        RollUpOperation::Sum => Some(figures.iter().sum()),
        RollUpOperation::Max => figures.into_iter().reduce(f64::max),
    }
}
