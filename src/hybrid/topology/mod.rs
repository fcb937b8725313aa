//! The desired topology of an estate: which clusters, brokers, topics, queues and consumer groups
//! should be there, and how some of them should be configured.
//!
//! Invariants:
//! - Every entity has a key with all its parts, each key occurs once, and every cluster that an
//!   entity names is there (a cloud queue names a region instead).
//! - Entities are in the order of their keys, so by kind first; nothing depends on the order in
//!   which they were given.
//! - [`Topology::form`] gives a form that makes an equal topology.
//!
//! Not modelled: configuration besides partitions and replication (retention, durability), and
//! SQS queues' accounts.

mod form;
mod index;
mod name;
mod rules;

use crate::aggregate::Rosters;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::provider::Provider;

pub use form::{BrokerForm, ClusterForm, GroupForm, QueueForm, TopicForm, TopologyForm};
pub use rules::{Fault, List};

use index::KeyIndex;

/// The hasher of tables of keys: fast, and the same in every process.
pub(super) type FixedHasher = foldhash::fast::FixedState;

/// What is wanted of an entity besides its being there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Of a cluster.
    Cluster {
        /// Brokers that must be there at least; as many as are listed when absent.
        required_brokers: Option<u32>,
        /// `host:port` of its brokers, for commands.
        bootstrap_servers: Vec<String>,
    },
    /// Of a broker: nothing.
    Broker,
    /// Of a topic.
    Topic {
        /// Exact number of partitions.
        partitions: Option<u32>,
        /// Exact number of replicas of each partition.
        replication_factor: Option<u16>,
    },
    /// Of a queue: nothing.
    Queue,
    /// Of a consumer group.
    Group {
        /// Names of the topics of its cluster that it should read, sorted.
        topics: Vec<String>,
    },
}

/// One entity of a topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desired<'t> {
    /// What identifies it.
    pub key: &'t EntityKey,
    /// What is wanted of it; of the key's kind.
    pub plan: &'t Plan,
}

/// Which entities an estate should have.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// Sorted.
    keys: Vec<EntityKey>,
    /// By place of the key, and of its kind.
    plans: Vec<Plan>,
    index: KeyIndex,
}

impl PartialEq for Topology {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.plans == other.plans
    }
}

impl Eq for Topology {}

impl Topology {
    /// The topology that `form` describes.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the form.
    pub fn new(form: TopologyForm) -> Result<Self, Vec<Fault>> {
        let mut entries = rules::entries(form)?;
        entries.sort_unstable_keys();
        let (keys, plans): (Vec<_>, _) = entries.into_iter().unzip();
        let index = KeyIndex::new(&keys);
        Ok(Self { keys, plans, index })
    }

    /// How many entities it has.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All entities, in the order of their keys.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = Desired<'_>> {
        self.keys.iter().zip(&self.plans).map(|(key, plan)| Desired { key, plan })
    }

    /// What is wanted of the entity with this key, if it is desired.
    pub fn plan(&self, key: &EntityKey) -> Option<&Plan> {
        self.position(key).map(|place| &self.plans[place])
    }

    /// Place of the entity with this key in [`Topology::entities`].
    pub fn position(&self, key: &EntityKey) -> Option<usize> {
        self.index.find(key)
    }

    /// Tells for each of `items` the [`Topology::position`] of its key, in their order: cheaper
    /// than one by one, by far if there are many, and most if they are in the order of their keys.
    pub fn each_position<'i, T>(
        &self,
        items: &'i [T],
        key: impl Fn(&T) -> &EntityKey,
        tell: impl FnMut(&'i T, Option<usize>),
    ) {
        self.index.find_each(&self.keys, items, key, tell);
    }

    /// The entity at a place of [`Topology::entities`].
    pub fn at(&self, position: usize) -> Option<Desired<'_>> {
        let (key, plan) = (self.keys.get(position)?, self.plans.get(position)?);
        Some(Desired { key, plan })
    }

    /// Place of the cluster that the entity with `key` belongs to; `None` for a cloud region, or
    /// when the cluster is not desired.
    pub fn cluster_position(&self, key: &EntityKey) -> Option<usize> {
        if key.kind() == EntityKind::Cluster {
            return self.position(key);
        }
        let (provider, cluster) = (key.provider().clone(), key.cluster().to_owned());
        self.position(&EntityKey::Cluster { provider, cluster })
    }

    /// Which brokers each cluster should have.
    pub fn rosters(&self) -> Rosters {
        let mut rosters = Rosters::default();
        for Desired { key, plan } in self.entities() {
            let roster = rosters.entry(key.provider(), key.cluster());
            match (key, plan) {
                (_, Plan::Cluster { required_brokers: Some(required), .. }) => {
                    roster.required = *required;
                }
                (EntityKey::Broker { broker_id, .. }, _) => {
                    roster.ids.insert(broker_id.clone());
                }
                _ => {}
            }
        }
        rosters
    }

    /// The file form: clusters are named without provider wherever that is clear.
    pub fn form(&self) -> TopologyForm {
        let mut form = TopologyForm::default();
        for Desired { key, plan } in self.entities() {
            self.push_form(key, plan, &mut form);
        }
        form
    }

    fn push_form(&self, key: &EntityKey, plan: &Plan, form: &mut TopologyForm) {
        let cluster_name = key.cluster().to_owned();
        let name = key.name().to_owned();
        match plan {
            Plan::Cluster { required_brokers, bootstrap_servers } => {
                form.clusters.push(ClusterForm {
                    provider: key.provider().to_string(),
                    name,
                    required_brokers: *required_brokers,
                    bootstrap_servers: bootstrap_servers.clone(),
                });
            }
            Plan::Broker => {
                let provider = self.provider_needed(key);
                form.brokers.push(BrokerForm { provider, cluster_name, id: name });
            }
            Plan::Topic { partitions, replication_factor } => form.topics.push(TopicForm {
                provider: self.provider_needed(key),
                cluster_name,
                name,
                partitions: *partitions,
                replication_factor: *replication_factor,
            }),
            Plan::Queue => form.queues.push(self.queue_form(key)),
            Plan::Group { topics } => form.consumer_groups.push(GroupForm {
                provider: self.provider_needed(key),
                cluster_name,
                id: name,
                topics: topics.clone(),
            }),
        }
    }

    fn queue_form(&self, key: &EntityKey) -> QueueForm {
        let name = key.name().to_owned();
        let place = Some(key.cluster().to_owned());
        let vhost = vhost_of(key);
        // RabbitMQ's is written even if empty, because none at all would mean its default.
        let vhost =
            (!vhost.is_empty() || *key.provider() == Provider::RabbitMq).then(|| vhost.to_owned());
        match self.cluster_position(key) {
            Some(_) => {
                let provider = self.provider_needed(key);
                QueueForm { provider, cluster_name: place, region: None, vhost, name }
            }
            None => {
                let provider =
                    (*key.provider() != Provider::Sqs).then(|| key.provider().to_string());
                QueueForm { provider, cluster_name: None, region: place, vhost, name }
            }
        }
    }

    /// The provider of `key`, if another one has a cluster of the same name.
    fn provider_needed(&self, key: &EntityKey) -> Option<String> {
        let is_namesake = |other: &Desired<'_>| {
            other.key.cluster() == key.cluster() && other.key.provider() != key.provider()
        };
        let mut clusters =
            self.entities().take_while(|entity| entity.key.kind() == EntityKind::Cluster);
        clusters.any(|cluster| is_namesake(&cluster)).then(|| key.provider().to_string())
    }
}

/// The virtual host of a queue; empty for everything else.
pub(super) fn vhost_of(key: &EntityKey) -> &str {
    match key {
        EntityKey::Queue { vhost, .. } => vhost,
        _ => "",
    }
}
