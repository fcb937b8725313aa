//! One cycle's samples folded into one state per entity. Pure.
//!
//! Invariants:
//! - The result does not depend on the order of the samples: the newest value of a metric wins, the
//!   larger one among equally new ones.
//! - Parts (a topic on one broker, a group on one partition) are added up once; totals that a
//!   source sends beside the parts stand in only where there are no parts.
//! - An unknown input leaves its metric absent; zero is never invented.
//! - Which brokers a cluster should have is said by its roster. For clusters without one the
//!   aggregator remembers which brokers were seen when, its only memory between cycles, so that a
//!   broker that vanished counts as offline for a while instead of making the cluster look smaller.

mod cluster;
mod extras;
mod fold;
mod merge;
mod roster;
pub mod window;

use std::collections::BTreeMap;

use crate::domain::attribute::Attributes;
use crate::domain::data_source::DataSource;
use crate::domain::entity::EntityKey;
use crate::domain::extra::Extras;
use crate::domain::metric::MetricSet;
use crate::domain::units::{UnixMillis, Window};
use crate::transform::{About, CanonicalSample};

pub use cluster::roll_up_members;
pub use fold::group_health_of;
pub use roster::{Roster, Rosters};

use extras::SampleExtras;
use fold::ClusterFold;

/// What the aggregator needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregatorConfig {
    /// Which brokers clusters should have.
    pub rosters: Rosters,
    /// How long a broker of a cluster without a roster stays expected after it was last seen, in
    /// milliseconds.
    pub expected_broker_window_ms: i64,
}

impl Default for AggregatorConfig {
    /// No rosters; ten minutes.
    fn default() -> Self {
        Self { rosters: Rosters::default(), expected_broker_window_ms: 600_000 }
    }
}

/// All that one cycle tells of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityState {
    /// Which entity.
    pub key: EntityKey,
    /// Where all that comes from.
    pub data_source: DataSource,
    /// When the newest sample that went into it was taken.
    pub observed_at: UnixMillis,
    /// Known metrics.
    pub metrics: MetricSet,
    /// Window of the rates sampled about the entity itself (a cluster's: about its brokers).
    pub window: Option<Window>,
    /// Descriptive attributes.
    pub attributes: Attributes<'static>,
    /// Topics that a consumer group reads, sorted; empty for other kinds.
    pub topics: Vec<String>,
    /// Attributes that no table knows.
    pub extras: Extras,
    /// Brokers that reported figures of a topic, sorted; empty for other kinds.
    pub serving_brokers: Vec<i32>,
}

impl EntityState {
    /// The state of the entity that `sample` alone describes; none for a part of an entity. For
    /// streams whose samples are one entity each, where a fold would find nothing to merge.
    pub fn of(sample: &CanonicalSample<'_>) -> Option<Self> {
        let (provider, cluster) = (sample.provider.clone(), sample.cluster.to_owned());
        let key = match sample.about {
            About::Cluster => EntityKey::Cluster { provider, cluster },
            About::Broker { broker_id } => {
                EntityKey::Broker { provider, cluster, broker_id: broker_id.to_string() }
            }
            About::Topic { topic } => EntityKey::Topic { provider, cluster, topic: topic.into() },
            About::Group { group } => EntityKey::Group { provider, cluster, group: group.into() },
            About::TopicOnBroker { .. }
            | About::GroupTopic { .. }
            | About::GroupPartition { .. } => return None,
        };
        Some(Self {
            key,
            data_source: DataSource::Infrastructure,
            observed_at: sample.at,
            metrics: sample.metrics.clone(),
            window: sample.window,
            attributes: sample.attributes.clone().into_owned(),
            topics: Vec::new(),
            extras: Extras::default(),
            serving_brokers: Vec::new(),
        })
    }
}

/// Folds cycles of samples.
#[derive(Debug)]
pub struct Aggregator {
    config: AggregatorConfig,
    /// Cluster name, then broker id: newest sample.
    seen: BTreeMap<String, BTreeMap<i32, UnixMillis>>,
}

impl Aggregator {
    /// An aggregator that has seen nothing.
    pub fn new(config: AggregatorConfig) -> Self {
        Self { config, seen: BTreeMap::new() }
    }

    /// Folds one cycle's samples into entity states, sorted by key; every cluster that a sample
    /// names is among them. `now` is the collector's clock at the end of the cycle.
    pub fn fold(&mut self, cycle: Vec<CanonicalSample<'_>>, now: UnixMillis) -> Vec<EntityState> {
        let mut order: Vec<_> = cycle.iter().collect();
        order.sort_by_key(|sample| sample.at);
        let mut clusters: BTreeMap<&str, ClusterFold<'_>> = BTreeMap::new();
        for sample in order {
            let fold = clusters
                .entry(sample.cluster)
                .or_insert_with(|| ClusterFold::new(sample.provider.clone(), sample.cluster));
            fold.take(sample);
        }
        let mut states = Vec::new();
        for (name, fold) in clusters {
            let roster = self.config.rosters.get(fold.provider(), name);
            let expected = match roster {
                Some(roster) => roster.expected(fold.brokers_seen().map(|(id, _)| id)),
                None => self.seen_lately(name, &fold, now),
            };
            fold.finish(expected, &mut states);
        }
        states.sort_by(|left, right| left.key.cmp(&right.key));
        SampleExtras::of(&cycle).attach(&mut states);
        states
    }

    /// Notes the brokers of this cycle; returns how many were seen lately.
    fn seen_lately(&mut self, cluster: &str, fold: &ClusterFold<'_>, now: UnixMillis) -> usize {
        let window_ms = self.config.expected_broker_window_ms;
        if !self.seen.contains_key(cluster) {
            self.seen.insert(cluster.to_owned(), BTreeMap::new());
        }
        let Some(seen) = self.seen.get_mut(cluster) else { return 0 };
        for (broker, at) in fold.brokers_seen() {
            let newest = seen.entry(broker).or_insert(at);
            *newest = at.max(*newest);
        }
        seen.retain(|_, at| now.millis_since(*at) <= window_ms);
        seen.len()
    }
}

#[cfg(test)]
mod tests;
