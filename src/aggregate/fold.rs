//! One cluster's samples of one cycle: parts to wholes, then wholes to states.
//!
//! Invariant: a total over parts is known only if every part of it is; one unknown part leaves the
//! metric absent.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::EntityState;
use super::cluster::{Brokers, roll_up};
use super::merge::{Merged, is_rate};
use crate::domain::attribute::{AttributeId, Attributes};
use crate::domain::data_source::DataSource;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::extra::Extras;
use crate::domain::health::{GroupHealthInputs, group_health};
use crate::domain::metric::{MetricId, MetricSet};
use crate::domain::provider::Provider;
use crate::domain::units::{UnixMillis, Window};
use crate::sometimes;
use crate::transform::{About, CanonicalSample, derive};

/// Everything a cycle says of one cluster.
pub(super) struct ClusterFold<'a> {
    provider: Provider,
    name: &'a str,
    own: Option<Merged<'a>>,
    brokers: BTreeMap<i32, Merged<'a>>,
    /// Newest sample by broker, those about topics on it included.
    reporting: BTreeMap<i32, UnixMillis>,
    topics: BTreeMap<&'a str, TopicFold<'a>>,
    groups: BTreeMap<&'a str, GroupFold<'a>>,
}

#[derive(Default)]
struct TopicFold<'a> {
    own: Option<Merged<'a>>,
    on_brokers: BTreeMap<i32, Merged<'a>>,
    /// One for each group that reads the topic with a known lag or rate.
    readers: Vec<Reader>,
}

/// What a group's rows say of one topic.
#[derive(Clone, Copy, Default)]
struct Reader {
    at: UnixMillis,
    lag: Option<f64>,
    rate: Option<f64>,
}

#[derive(Default)]
struct GroupFold<'a> {
    own: Option<Merged<'a>>,
    topics: BTreeMap<&'a str, GroupTopicFold<'a>>,
}

#[derive(Default)]
struct GroupTopicFold<'a> {
    total: Option<Merged<'a>>,
    partitions: BTreeMap<i32, Merged<'a>>,
}

fn merge_into<'a>(place: &mut Option<Merged<'a>>, sample: &CanonicalSample<'a>) {
    match place {
        Some(merged) => merged.take(sample),
        None => *place = Some(Merged::of(sample)),
    }
}

fn merge_entry<'a, K: Ord>(
    map: &mut BTreeMap<K, Merged<'a>>,
    key: K,
    sample: &CanonicalSample<'a>,
) {
    match map.entry(key) {
        Entry::Occupied(mut entry) => entry.get_mut().take(sample),
        Entry::Vacant(entry) => {
            entry.insert(Merged::of(sample));
        }
    }
}

/// `total + value`, where nothing yet is nothing.
fn plus(total: Option<f64>, value: Option<f64>) -> Option<f64> {
    match (total, value) {
        (Some(total), Some(value)) => Some(total + value),
        (total, value) => total.or(value),
    }
}

fn larger(best: Option<f64>, value: Option<f64>) -> Option<f64> {
    match (best, value) {
        (Some(best), Some(value)) => Some(best.max(value)),
        (best, value) => best.or(value),
    }
}

impl<'a> ClusterFold<'a> {
    pub(super) fn new(provider: Provider, name: &'a str) -> Self {
        Self {
            provider,
            name,
            own: None,
            brokers: BTreeMap::new(),
            reporting: BTreeMap::new(),
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Adds a sample; samples come in the order of their timestamps.
    pub(super) fn take(&mut self, sample: &CanonicalSample<'a>) {
        match sample.about {
            About::Cluster => merge_into(&mut self.own, sample),
            About::Broker { broker_id } => {
                self.reporting.insert(broker_id, sample.at);
                merge_entry(&mut self.brokers, broker_id, sample);
            }
            About::Topic { topic } => {
                merge_into(&mut self.topics.entry(topic).or_default().own, sample);
            }
            About::TopicOnBroker { topic, broker_id } => {
                self.reporting.insert(broker_id, sample.at);
                let topic = self.topics.entry(topic).or_default();
                merge_entry(&mut topic.on_brokers, broker_id, sample);
            }
            About::Group { group } => {
                merge_into(&mut self.groups.entry(group).or_default().own, sample);
            }
            About::GroupTopic { group, topic } => {
                let group = self.groups.entry(group).or_default();
                merge_into(&mut group.topics.entry(topic).or_default().total, sample);
            }
            About::GroupPartition { group, topic, partition } => {
                let group = self.groups.entry(group).or_default();
                let topic = group.topics.entry(topic).or_default();
                merge_entry(&mut topic.partitions, partition, sample);
            }
        }
    }

    /// Brokers that reported anything, with their newest sample.
    pub(super) fn brokers_seen(&self) -> impl Iterator<Item = (i32, UnixMillis)> {
        self.reporting.iter().map(|(id, at)| (*id, *at))
    }

    /// Whose cluster it is.
    pub(super) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Appends the states of all entities; `expected` brokers should be there.
    pub(super) fn finish(mut self, expected: usize, states: &mut Vec<EntityState>) {
        let (provider, cluster) = (self.provider, self.name.to_owned());
        let first = states.len();
        for (group, fold) in self.groups {
            for (topic, rows) in &fold.topics {
                let reader = rows.reader();
                if reader.lag.is_some() || reader.rate.is_some() {
                    self.topics.entry(topic).or_default().readers.push(reader);
                }
            }
            let (provider, cluster) = (provider.clone(), cluster.clone());
            let key = EntityKey::Group { provider, cluster, group: group.to_owned() };
            states.push(fold.finish(key));
        }
        for (topic, fold) in self.topics {
            let (provider, cluster) = (provider.clone(), cluster.clone());
            let key = EntityKey::Topic { provider, cluster, topic: topic.to_owned() };
            states.push(fold.finish(key));
        }
        for (broker_id, mut merged) in self.brokers {
            if merged.samples > 1 {
                derive(&mut merged.metrics);
            }
            let (provider, cluster) = (provider.clone(), cluster.clone());
            let key = EntityKey::Broker { provider, cluster, broker_id: broker_id.to_string() };
            states.push(EntityState {
                key,
                data_source: DataSource::Infrastructure,
                observed_at: merged.at,
                window: merged.window(),
                metrics: merged.metrics,
                attributes: merged.attributes.into_owned(),
                topics: Vec::new(),
                extras: Extras::default(),
                serving_brokers: Vec::new(),
            });
        }
        let brokers = Brokers { reporting: self.reporting.len(), expected };
        let key = EntityKey::Cluster { provider, cluster };
        let whole = roll_up(key, self.own, &states[first..], brokers);
        states.push(whole);
    }
}

impl TopicFold<'_> {
    fn finish(self, key: EntityKey) -> EntityState {
        let mut sum = MetricSet::new(EntityKind::Topic);
        let mut window = None;
        let mut observed_at = self.own.as_ref().map_or(UnixMillis::default(), |own| own.at);
        for part in self.on_brokers.values() {
            sum.add(&part.metrics);
            window = Window::union(window, part.window());
            observed_at = observed_at.max(part.at);
        }
        let (mut metrics, attributes) = match self.own {
            Some(own) => {
                let keeps = own.metrics.iter().any(|(id, _)| is_rate(id) && !sum.contains(id));
                window = Window::union(window, own.window().filter(|_| keeps));
                (own.metrics, own.attributes.into_owned())
            }
            None => (MetricSet::new(EntityKind::Topic), Attributes::default()),
        };
        for (id, value) in sum.iter() {
            metrics.set(id, value);
        }
        if !self.on_brokers.is_empty() {
            let brokers = self.on_brokers.len() as f64;
            metrics.set(MetricId::TOPIC_BROKERS_REPORTING, brokers);
        }
        let (mut lag_max, mut lag_sum, mut rate) = (None, None, None);
        for reader in &self.readers {
            lag_max = larger(lag_max, reader.lag);
            lag_sum = plus(lag_sum, reader.lag);
            rate = plus(rate, reader.rate);
            observed_at = observed_at.max(reader.at);
        }
        metrics.set_known(MetricId::TOPIC_LAG, lag_max);
        metrics.set_known(MetricId::TOPIC_CONSUMER_LAG, lag_sum);
        metrics.set_known(MetricId::TOPIC_MESSAGES_OUT, rate);
        derive(&mut metrics);
        EntityState {
            key,
            data_source: DataSource::Infrastructure,
            observed_at,
            metrics,
            window,
            attributes,
            topics: Vec::new(),
            serving_brokers: self.on_brokers.into_keys().collect(),
            extras: Extras::default(),
        }
    }
}

impl GroupTopicFold<'_> {
    fn sum(&self, id: MetricId) -> Option<f64> {
        self.partitions.values().fold(None, |sum, row| plus(sum, row.metrics.get(id)))
    }

    /// Whether some partition has a lag that nobody told.
    fn lag_unknown(&self) -> bool {
        self.partitions.values().any(|row| row.lag_unknown)
    }

    /// The group's lag on the topic: its partitions', or else the total sent for the topic. Part of
    /// the partitions is no total.
    fn lag(&self) -> Option<f64> {
        if self.lag_unknown() {
            return None;
        }
        let total = || self.total.as_ref()?.metrics.get(MetricId::GROUP_LAG_TOTAL);
        self.sum(MetricId::GROUP_LAG_TOTAL).or_else(total)
    }

    fn lag_max(&self) -> Option<f64> {
        if self.lag_unknown() {
            return None;
        }
        let rows = self.partitions.values();
        let worst =
            rows.fold(None, |worst, row| larger(worst, row.metrics.get(MetricId::GROUP_LAG_TOTAL)));
        worst.or_else(|| self.total.as_ref()?.metrics.get(MetricId::GROUP_LAG_MAX))
    }

    fn at(&self) -> UnixMillis {
        let rows = self.partitions.values().chain(&self.total);
        rows.map(|row| row.at).max().unwrap_or_default()
    }

    fn reader(&self) -> Reader {
        Reader { at: self.at(), lag: self.lag(), rate: self.sum(MetricId::GROUP_CONSUMPTION) }
    }
}

impl<'a> GroupFold<'a> {
    fn rows(&self) -> impl Iterator<Item = &Merged<'a>> {
        self.topics.values().flat_map(|topic| topic.partitions.values())
    }

    fn finish(self, key: EntityKey) -> EntityState {
        let mut observed_at = self.own.as_ref().map_or(UnixMillis::default(), |own| own.at);
        for topic in self.topics.values() {
            observed_at = observed_at.max(topic.at());
        }
        let (mut metrics, mut window) = match &self.own {
            Some(own) => (own.metrics.clone(), own.window()),
            None => (MetricSet::new(EntityKind::ConsumerGroup), None),
        };
        self.lag(&mut metrics);
        self.members(&mut metrics);
        let rates = self.rows().filter(|row| row.metrics.contains(MetricId::GROUP_CONSUMPTION));
        let (mut rate, mut rate_window) = (None, None);
        for row in rates {
            rate = plus(rate, row.metrics.get(MetricId::GROUP_CONSUMPTION));
            rate_window = Window::union(rate_window, row.window());
        }
        if rate.is_some() {
            metrics.remove(MetricId::GROUP_CONSUMPTION);
            let keeps = metrics.iter().any(|(id, _)| is_rate(id));
            window = Window::union(rate_window, window.filter(|_| keeps));
            metrics.set_known(MetricId::GROUP_CONSUMPTION, rate);
        }
        let ages = self.rows().filter_map(|row| row.metrics.get(MetricId::GROUP_LAST_COMMIT_AGE));
        metrics.set_known(MetricId::GROUP_LAST_COMMIT_AGE, ages.reduce(f64::min));
        if !self.topics.is_empty() {
            metrics.set(MetricId::GROUP_TOPICS, self.topics.len() as f64);
        }
        derive(&mut metrics);
        let topics = self.topics.keys().map(|topic| (*topic).to_owned()).collect();
        let attributes = self.own.map(|own| own.attributes.into_owned()).unwrap_or_default();
        let lag_messages = metrics.get(MetricId::GROUP_LAG_TOTAL);
        sometimes!(LAG_LONG, lag_messages.is_some_and(|lag| lag > 10_000.0));
        metrics.set_known(MetricId::GROUP_HEALTH_SCORE, group_health_of(&metrics, &attributes));
        EntityState {
            key,
            data_source: DataSource::Infrastructure,
            observed_at,
            metrics,
            window,
            attributes,
            topics,
            serving_brokers: Vec::new(),
            extras: Extras::default(),
        }
    }

    /// Lag by partition wins over the group's own total, and that over the sum of totals by topic.
    fn lag(&self, metrics: &mut MetricSet) {
        if self.topics.values().any(GroupTopicFold::lag_unknown) {
            return;
        }
        let by_partition = self.rows().any(|row| row.metrics.contains(MetricId::GROUP_LAG_TOTAL));
        let (mut total, mut max) = (None, None);
        for topic in self.topics.values() {
            total = plus(total, topic.lag());
            max = larger(max, topic.lag_max());
        }
        for (id, value) in [(MetricId::GROUP_LAG_TOTAL, total), (MetricId::GROUP_LAG_MAX, max)] {
            if by_partition || !metrics.contains(id) {
                metrics.set_known(id, value);
            }
        }
    }

    /// Clients that read partitions, where the source says no better. Totals by topic count a
    /// client once for each topic, so only a single one can stand for the group.
    fn members(&self, metrics: &mut MetricSet) {
        if metrics.contains(MetricId::GROUP_MEMBERS_ACTIVE) {
            return;
        }
        let clients: BTreeSet<_> = self.rows().filter_map(|row| row.client_id).collect();
        let only = self.topics.values().next().filter(|_| self.topics.len() == 1);
        let by_topic = only.and_then(|topic| topic.total.as_ref());
        let active = if clients.is_empty() {
            by_topic.and_then(|total| total.metrics.get(MetricId::GROUP_MEMBERS_ACTIVE))
        } else {
            Some(clients.len() as f64)
        };
        metrics.set_known(MetricId::GROUP_MEMBERS_ACTIVE, active);
    }
}

/// Health score of a group with these figures and this state; `None` when nothing is known that
/// tells of it.
pub fn group_health_of(metrics: &MetricSet, attributes: &Attributes<'_>) -> Option<f64> {
    let health = group_health(&GroupHealthInputs {
        lag_messages: metrics.get(MetricId::GROUP_LAG_TOTAL),
        consumption_rate: metrics.get(MetricId::GROUP_CONSUMPTION),
        rebalance_rate: metrics.get(MetricId::GROUP_REBALANCE_RATE),
        members_active: metrics.get(MetricId::GROUP_MEMBERS_ACTIVE),
        members_total: metrics.get(MetricId::GROUP_MEMBERS_TOTAL),
        stable: attributes.text(AttributeId::State).map(|state| state == "Stable"),
    });
    health.map(f64::from)
}
