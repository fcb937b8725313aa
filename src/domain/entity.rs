//! What an entity is and what identifies it.
//!
//! Invariants:
//! - A key holds exactly the parts that identify; a broker's host and port are attributes, so a
//!   broker that moves stays the same entity.
//! - Two entities of different kinds never have equal keys, whatever their names.

use super::provider::Provider;

/// The five kinds of entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A set of brokers that share topics.
    Cluster,
    /// One server of a cluster.
    Broker,
    /// A named log.
    Topic,
    /// A named queue.
    Queue,
    /// Consumers that share a topic's partitions.
    ConsumerGroup,
}

impl EntityKind {
    /// All kinds, in the order of the enumeration.
    pub const ALL: [Self; 5] =
        [Self::Cluster, Self::Broker, Self::Topic, Self::Queue, Self::ConsumerGroup];

    /// New Relic's entity type.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Cluster => "MESSAGE_QUEUE_CLUSTER",
            Self::Broker => "MESSAGE_QUEUE_BROKER",
            Self::Topic => "MESSAGE_QUEUE_TOPIC",
            Self::Queue => "MESSAGE_QUEUE_QUEUE",
            Self::ConsumerGroup => "MESSAGE_QUEUE_CONSUMER_GROUP",
        }
    }

    /// First part of most of its metrics' names.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Broker => "broker",
            Self::Topic => "topic",
            Self::Queue => "queue",
            Self::ConsumerGroup => "consumerGroup",
        }
    }

    /// The kind with this [`EntityKind::type_name`].
    pub fn from_type_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }
}

/// What identifies an entity within an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKey {
    /// A cluster.
    Cluster {
        /// Whose product.
        provider: Provider,
        /// Its name.
        cluster: String,
    },
    /// A broker; never by host or port.
    Broker {
        /// Whose product.
        provider: Provider,
        /// Its cluster's name.
        cluster: String,
        /// Decimal `node.id` for Kafka.
        broker_id: String,
    },
    /// A topic.
    Topic {
        /// Whose product.
        provider: Provider,
        /// Its cluster's name.
        cluster: String,
        /// Its name.
        topic: String,
    },
    /// A queue.
    Queue {
        /// Whose product.
        provider: Provider,
        /// Its cluster's name, or the region of a cloud queue.
        cluster: String,
        /// RabbitMQ's virtual host; empty where there is none.
        vhost: String,
        /// Its name.
        queue: String,
    },
    /// A consumer group.
    Group {
        /// Whose product.
        provider: Provider,
        /// Its cluster's name.
        cluster: String,
        /// Group id.
        group: String,
    },
}

/// A key that lacks a part which every entity of its kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {} needs a non-empty {part}", .kind.prefix())]
pub struct EmptyPart {
    /// Of what.
    pub kind: EntityKind,
    /// Which part.
    pub part: &'static str,
}

impl EntityKey {
    /// Kind of the entity.
    pub fn kind(&self) -> EntityKind {
        match self {
            Self::Cluster { .. } => EntityKind::Cluster,
            Self::Broker { .. } => EntityKind::Broker,
            Self::Topic { .. } => EntityKind::Topic,
            Self::Queue { .. } => EntityKind::Queue,
            Self::Group { .. } => EntityKind::ConsumerGroup,
        }
    }

    /// Whose product it is.
    pub fn provider(&self) -> &Provider {
        match self {
            Self::Cluster { provider, .. }
            | Self::Broker { provider, .. }
            | Self::Topic { provider, .. }
            | Self::Queue { provider, .. }
            | Self::Group { provider, .. } => provider,
        }
    }

    /// Name of its cluster (of itself, for a cluster; the region, for a cloud queue).
    pub fn cluster(&self) -> &str {
        match self {
            Self::Cluster { cluster, .. }
            | Self::Broker { cluster, .. }
            | Self::Topic { cluster, .. }
            | Self::Queue { cluster, .. }
            | Self::Group { cluster, .. } => cluster,
        }
    }

    /// Its own name: cluster name, broker id, topic, queue or group id.
    pub fn name(&self) -> &str {
        match self {
            Self::Cluster { cluster: name, .. }
            | Self::Broker { broker_id: name, .. }
            | Self::Topic { topic: name, .. }
            | Self::Queue { queue: name, .. }
            | Self::Group { group: name, .. } => name,
        }
    }

    /// Checks that every part an entity of this kind must have is there.
    ///
    /// # Errors
    /// The first empty part.
    pub fn validate(&self) -> Result<(), EmptyPart> {
        let kind = self.kind();
        let own = match kind {
            EntityKind::Cluster => "cluster name",
            EntityKind::Broker => "broker id",
            EntityKind::Topic => "topic name",
            EntityKind::Queue => "queue name",
            EntityKind::ConsumerGroup => "group id",
        };
        let parts = [
            ("provider", self.provider().as_str()),
            ("cluster name", self.cluster()),
            (own, self.name()),
        ];
        match parts.into_iter().find(|(_, value)| value.is_empty()) {
            Some((part, _)) => Err(EmptyPart { kind, part }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(cluster: &str, id: &str) -> EntityKey {
        EntityKey::Broker {
            provider: Provider::Kafka,
            cluster: cluster.into(),
            broker_id: id.into(),
        }
    }

    #[test]
    fn required_parts() {
        let queue = |vhost: &str, queue: &str| EntityKey::Queue {
            provider: Provider::RabbitMq,
            cluster: "c".into(),
            vhost: vhost.into(),
            queue: queue.into(),
        };
        let nobody =
            EntityKey::Cluster { provider: Provider::Other(String::new()), cluster: "c".into() };
        let cases = [
            (broker("c", "0"), None),
            (broker("", "0"), Some("cluster name")),
            (broker("c", ""), Some("broker id")),
            (queue("", "q"), None),
            (queue("/", ""), Some("queue name")),
            (nobody, Some("provider")),
        ];
        for (key, expected) in cases {
            assert_eq!(key.validate().err().map(|error| error.part), expected, "{key:?}");
        }
    }

    #[test]
    fn type_names_round_trip() {
        for kind in EntityKind::ALL {
            assert_eq!(EntityKind::from_type_name(kind.type_name()), Some(kind));
        }
        assert_eq!(EntityKind::from_type_name("KAFKABROKER"), None);
    }
}
