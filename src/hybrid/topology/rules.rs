//! From the form of a topology to its entities, and everything that can be wrong on the way.
//!
//! Invariant: all faults are found, not the first; a fault that follows from another one is not
//! told besides it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::form::{BrokerForm, ClusterForm, GroupForm, QueueForm, TopicForm, TopologyForm};
use super::name;
use super::{FixedHasher, Plan};
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::provider::Provider;
use crate::domain::words::{counted, nearest};

/// A list of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// `clusters`.
    Clusters,
    /// `brokers`.
    Brokers,
    /// `topics`.
    Topics,
    /// `queues`.
    Queues,
    /// `consumerGroups`.
    ConsumerGroups,
}

impl List {
    /// Its key in the file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Brokers => "brokers",
            Self::Topics => "topics",
            Self::Queues => "queues",
            Self::ConsumerGroups => "consumerGroups",
        }
    }
}

/// One thing that is wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}[{index}].{field}: {message}", .list.key())]
pub struct Fault {
    /// Where.
    pub list: List,
    /// Element of the list, from 0.
    pub index: usize,
    /// Key of the element, in the file's spelling.
    pub field: &'static str,
    /// Element of a list within that key.
    pub item: Option<usize>,
    /// Last part of its code, e.g. `unknown_cluster`.
    pub rule: &'static str,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// The entities of `form`, in its order.
pub(super) fn entries(
    form: TopologyForm,
) -> Result<IndexMap<EntityKey, Plan, FixedHasher>, Vec<Fault>> {
    let mut reader = Reader::new(&form);
    for (index, cluster) in form.clusters.into_iter().enumerate() {
        reader.cluster(index, cluster);
    }
    for (index, broker) in form.brokers.into_iter().enumerate() {
        reader.broker(index, broker);
    }
    for (index, topic) in form.topics.into_iter().enumerate() {
        reader.topic(index, topic);
    }
    for (index, queue) in form.queues.into_iter().enumerate() {
        reader.queue(index, queue);
    }
    for (index, group) in form.consumer_groups.into_iter().enumerate() {
        reader.group(index, group);
    }
    reader.finish()
}

/// Where an element of the form stands.
type At = (List, usize);

struct Reader {
    /// Providers that have a cluster of a name, in the order of the form.
    clusters: BTreeMap<String, Vec<Provider>>,
    entries: IndexMap<EntityKey, (Plan, At), FixedHasher>,
    faults: Vec<Fault>,
}

impl Reader {
    fn new(form: &TopologyForm) -> Self {
        let mut clusters: BTreeMap<String, Vec<Provider>> = BTreeMap::new();
        for cluster in &form.clusters {
            if let Ok(provider) = cluster.provider.parse() {
                let providers = clusters.entry(cluster.name.clone()).or_default();
                if !providers.contains(&provider) {
                    providers.push(provider);
                }
            }
        }
        Self { clusters, entries: IndexMap::default(), faults: Vec::new() }
    }

    fn fault(
        &mut self,
        (list, index): At,
        field: &'static str,
        rule: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), help.into());
        self.faults.push(Fault { list, index, field, item: None, rule, message, help });
    }

    fn cluster(&mut self, index: usize, form: ClusterForm) {
        let at = (List::Clusters, index);
        let Some(provider) = self.provider(at, &form.provider) else { return };
        if provider == Provider::Sqs {
            let help = "leave the cluster out and write the `region` in each of its queues";
            return self.fault(at, "provider", "no_clusters", "SQS has no clusters", help);
        }
        let plan = Plan::Cluster {
            required_brokers: form.required_brokers,
            bootstrap_servers: form.bootstrap_servers,
        };
        self.add(at, EntityKey::Cluster { provider, cluster: form.name }, plan);
    }

    fn broker(&mut self, index: usize, form: BrokerForm) {
        let at = (List::Brokers, index);
        let named = form.provider.as_deref();
        let Some(provider) = self.cluster_provider(at, named, &form.cluster_name) else { return };
        let key = EntityKey::Broker { provider, cluster: form.cluster_name, broker_id: form.id };
        self.add(at, key, Plan::Broker);
    }

    fn topic(&mut self, index: usize, form: TopicForm) {
        let at = (List::Topics, index);
        let named = form.provider.as_deref();
        let Some(provider) = self.cluster_provider(at, named, &form.cluster_name) else { return };
        if provider == Provider::RabbitMq {
            let help = "list its queues, streams included, in `queues`";
            return self.fault(at, "clusterName", "no_topics", "RabbitMQ has no topics", help);
        }
        let plan = Plan::Topic {
            partitions: form.partitions,
            replication_factor: form.replication_factor,
        };
        let key = EntityKey::Topic { provider, cluster: form.cluster_name, topic: form.name };
        self.add(at, key, plan);
    }

    fn queue(&mut self, index: usize, form: QueueForm) {
        let at = (List::Queues, index);
        let named = form.provider.as_deref();
        let place = match (form.cluster_name, form.region) {
            (Some(cluster), None) => {
                self.cluster_provider(at, named, &cluster).map(|provider| (provider, cluster))
            }
            (None, Some(region)) => {
                self.region_provider(at, named).map(|provider| (provider, region))
            }
            (Some(_), Some(_)) => {
                let message = "the queue has both a cluster and a region";
                let help = "keep `clusterName` for a queue of brokers, `region` for one of a cloud";
                return self.fault(at, "region", "two_places", message, help);
            }
            (None, None) => {
                let message = "the queue has neither a cluster nor a region";
                let help = "add `clusterName`, or the `region` for a queue of SQS";
                return self.fault(at, "name", "no_place", message, help);
            }
        };
        let Some((provider, cluster)) = place else { return };
        let vhost = match (form.vhost, &provider) {
            (Some(vhost), _) => vhost,
            (None, Provider::RabbitMq) => "/".to_owned(),
            (None, _) => String::new(),
        };
        match provider {
            Provider::Kafka => {
                let help = "list its topics in `topics`";
                self.fault(at, "clusterName", "no_queues", "Kafka has no queues", help);
            }
            Provider::Sqs if !vhost.is_empty() => {
                let message = "SQS has no virtual hosts";
                self.fault(at, "vhost", "no_vhosts", message, "remove `vhost`");
            }
            _ => {
                let key = EntityKey::Queue { provider, cluster, vhost, queue: form.name };
                self.add(at, key, Plan::Queue);
            }
        }
    }

    fn group(&mut self, index: usize, form: GroupForm) {
        let at = (List::ConsumerGroups, index);
        let named = form.provider.as_deref();
        let Some(provider) = self.cluster_provider(at, named, &form.cluster_name) else { return };
        if provider == Provider::RabbitMq {
            let help = "remove it: consumers of RabbitMQ's queues form no groups";
            let message = "RabbitMQ has no consumer groups";
            return self.fault(at, "clusterName", "no_groups", message, help);
        }
        // In the order of the file, for the places of faults; sorted at the end.
        let plan = Plan::Group { topics: form.topics };
        let key = EntityKey::Group { provider, cluster: form.cluster_name, group: form.id };
        self.add(at, key, plan);
    }

    fn provider(&mut self, at: At, text: &str) -> Option<Provider> {
        match text.parse() {
            Ok(provider) => Some(provider),
            Err(error) => {
                let help = "write kafka, rabbitmq, sqs or another product's name";
                let error: crate::domain::provider::EmptyProvider = error;
                self.fault(at, "provider", "empty", error.to_string(), help);
                None
            }
        }
    }

    /// The provider of a queue in a cloud region.
    fn region_provider(&mut self, at: At, named: Option<&str>) -> Option<Provider> {
        let provider = self.provider(at, named.unwrap_or("sqs"))?;
        if matches!(provider, Provider::Kafka | Provider::RabbitMq) {
            let message = format!("queues of {provider} belong to a cluster, not to a region");
            self.fault(at, "region", "no_regions", message, "write `clusterName` instead");
            return None;
        }
        Some(provider)
    }

    /// The provider of the cluster that an element names.
    fn cluster_provider(&mut self, at: At, named: Option<&str>, cluster: &str) -> Option<Provider> {
        let named = match named {
            Some(text) => Some(self.provider(at, text)?),
            None => None,
        };
        let Some(providers) = self.clusters.get(cluster) else {
            let known = self.clusters.keys().map(String::as_str);
            let help = match nearest(cluster, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "list it in `clusters`".to_owned(),
            };
            let message = format!("there is no cluster `{cluster}`");
            self.fault(at, "clusterName", "unknown_cluster", message, help);
            return None;
        };
        match (named, providers.as_slice()) {
            (Some(named), providers) if providers.contains(&named) => Some(named),
            (None, [only]) => Some(only.clone()),
            (Some(named), _) => {
                let message = format!("{named} has no cluster `{cluster}`");
                let help = format!("it is a cluster of {}", list_of(providers));
                self.fault(at, "provider", "unknown_cluster", message, help);
                None
            }
            (None, _) => {
                let message = format!("several providers have a cluster `{cluster}`");
                let help = format!("add `provider`: {}", list_of(providers));
                self.fault(at, "clusterName", "ambiguous_cluster", message, help);
                None
            }
        }
    }

    /// Takes in an entity whose references are right.
    fn add(&mut self, at: At, key: EntityKey, plan: Plan) {
        let field = name_field(key.kind());
        if let Err(empty) = key.validate() {
            let field = if empty.part == "cluster name" && key.kind() != EntityKind::Cluster {
                "clusterName"
            } else {
                field
            };
            return self.fault(at, field, "empty", empty.to_string(), "give it one");
        }
        if let Some(refusal) = name::refused(&key) {
            self.fault(at, field, "refused_name", refusal.message, refusal.help);
        }
        match self.entries.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((plan, at));
            }
            Entry::Occupied(entry) => {
                let (list, first) = entry.get().1;
                let message = format!("{} is listed twice", described(entry.key()));
                let help = format!("it is {}[{first}] already: remove one of them", list.key());
                self.fault(at, field, "listed_twice", message, help);
            }
        }
    }

    fn finish(mut self) -> Result<IndexMap<EntityKey, Plan, FixedHasher>, Vec<Fault>> {
        let entries = std::mem::take(&mut self.entries);
        self.check_brokers(&entries);
        self.check_collisions(&entries);
        self.check_subscriptions(&entries);
        if !self.faults.is_empty() {
            self.faults.sort_by_key(|fault| (fault.list, fault.index));
            return Err(self.faults);
        }
        Ok(entries.into_iter().map(|(key, (plan, _))| (key, sorted(plan))).collect())
    }

    /// Counts of brokers: what a cluster requires against what is listed, and replicas against
    /// both.
    fn check_brokers(&mut self, entries: &IndexMap<EntityKey, (Plan, At), FixedHasher>) {
        let mut listed: BTreeMap<(&Provider, &str), u32> = BTreeMap::new();
        for key in entries.keys().filter(|key| key.kind() == EntityKind::Broker) {
            *listed.entry((key.provider(), key.cluster())).or_default() += 1;
        }
        let mut most = listed.clone();
        for (key, (plan, at)) in entries {
            let Plan::Cluster { required_brokers: Some(required), .. } = plan else { continue };
            let place = (key.provider(), key.cluster());
            let listed = listed.get(&place).copied().unwrap_or(0);
            if *required < listed {
                let message = format!(
                    "cluster `{}` requires {}, and {listed} are listed",
                    key.cluster(),
                    counted(*required, "broker")
                );
                let help = format!("write {listed} or more, or remove brokers");
                self.fault(*at, "requiredBrokers", "too_few_brokers", message, help);
            }
            most.insert(place, listed.max(*required));
        }
        for (key, (plan, at)) in entries {
            let Plan::Topic { replication_factor: Some(factor), .. } = plan else { continue };
            let Some(brokers) = most.get(&(key.provider(), key.cluster())) else { continue };
            if u32::from(*factor) > *brokers {
                let message = format!(
                    "{factor} replicas of topic `{}` do not fit on {}",
                    key.name(),
                    counted(*brokers, "broker")
                );
                let help = format!("write {brokers} or less, or raise the cluster's brokers");
                self.fault(*at, "replicationFactor", "too_many_replicas", message, help);
            }
        }
    }

    /// Kafka refuses a topic whose name differs from another one's in `.` and `_` alone.
    fn check_collisions(&mut self, entries: &IndexMap<EntityKey, (Plan, At), FixedHasher>) {
        let mut taken: BTreeMap<(&str, String), &str> = BTreeMap::new();
        for (key, (_, at)) in entries {
            if key.kind() != EntityKind::Topic || *key.provider() != Provider::Kafka {
                continue;
            }
            let metric_name = name::kafka_metric_name(key.name());
            if let Some(other) = taken.get(&(key.cluster(), metric_name.clone())) {
                let message = format!("Kafka refuses topic `{}` beside `{other}`", key.name());
                let help = "names that differ in `.` and `_` alone are one name in its metrics";
                self.fault(*at, "name", "refused_name", message, help);
            } else {
                taken.insert((key.cluster(), metric_name), key.name());
            }
        }
    }

    fn check_subscriptions(&mut self, entries: &IndexMap<EntityKey, (Plan, At), FixedHasher>) {
        let topics = || entries.keys().filter(|key| key.kind() == EntityKind::Topic);
        for (key, (plan, at)) in entries {
            let Plan::Group { topics: wanted } = plan else { continue };
            for (item, name) in wanted.iter().enumerate() {
                let provider = key.provider().clone();
                let (cluster, topic) = (key.cluster().to_owned(), name.clone());
                let known = entries.contains_key(&EntityKey::Topic { provider, cluster, topic });
                let twice = wanted.iter().take(item).any(|other| other == name);
                if twice || !known {
                    let fault = subscription_fault(*at, item, key, name, twice, topics());
                    self.faults.push(fault);
                }
            }
        }
    }
}

fn subscription_fault<'e>(
    (list, index): At,
    item: usize,
    group: &EntityKey,
    name: &str,
    twice: bool,
    topics: impl Iterator<Item = &'e EntityKey> + Clone,
) -> Fault {
    let own = topics
        .clone()
        .filter(|topic| topic.cluster() == group.cluster() && topic.provider() == group.provider());
    let elsewhere = topics.clone().find(|topic| topic.name() == name);
    let (rule, message, help) = if twice {
        ("listed_twice", format!("topic `{name}` is listed twice"), "remove one".to_owned())
    } else {
        let message = format!("cluster `{}` has no topic `{name}`", group.cluster());
        let help = match (nearest(name, own.map(EntityKey::name)), elsewhere) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(other)) => format!(
                "cluster `{}` has one, but a group reads topics of its own cluster alone",
                other.cluster()
            ),
            (None, None) => "list it in `topics`".to_owned(),
        };
        ("unknown_topic", message, help)
    };
    Fault { list, index, field: "topics", item: Some(item), rule, message, help }
}

/// The key of the form that holds the own name of an entity.
fn name_field(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Cluster | EntityKind::Topic | EntityKind::Queue => "name",
        EntityKind::Broker | EntityKind::ConsumerGroup => "id",
    }
}

fn described(key: &EntityKey) -> String {
    let (name, cluster) = (key.name(), key.cluster());
    match key {
        EntityKey::Cluster { provider, .. } => format!("cluster `{name}` of {provider}"),
        EntityKey::Broker { .. } => format!("broker `{name}` of cluster `{cluster}`"),
        EntityKey::Topic { .. } => format!("topic `{name}` of cluster `{cluster}`"),
        EntityKey::Queue { vhost, .. } if vhost.is_empty() => {
            format!("queue `{name}` of `{cluster}`")
        }
        EntityKey::Queue { vhost, .. } => format!("queue `{name}` of `{cluster}`, vhost `{vhost}`"),
        EntityKey::Group { .. } => format!("consumer group `{name}` of cluster `{cluster}`"),
    }
}

fn list_of(providers: &[Provider]) -> String {
    providers.iter().map(Provider::as_str).collect::<Vec<_>>().join(" or ")
}

fn sorted(plan: Plan) -> Plan {
    match plan {
        Plan::Group { mut topics } => {
            topics.sort_unstable();
            Plan::Group { topics }
        }
        other => other,
    }
}
