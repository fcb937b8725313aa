//! What a source said, before interpretation: names and units as the source spells them.
//!
//! Invariants:
//! - A raw sample is about exactly one subject; identity is typed, never a fallback such as
//!   "unknown": a collector that lacks a part rejects the sample instead.
//! - A counter never appears as a number: a collector turns it into [`RawValue::Rate`] with the
//!   window it was measured over, or leaves the field out (first sight, reset).

use std::borrow::Cow;

use super::provider::Provider;
use super::units::UnixMillis;

/// Which program's spelling the field names follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Prometheus JMX exporter of a broker, joined with what the Kafka protocol told of it.
    Kafka,
    /// Samples of New Relic's nri-kafka integration.
    NriKafka,
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 2] = [Self::Kafka, Self::NriKafka];

    /// Whose product it tells of.
    pub const fn provider(self) -> Provider {
        match self {
            Self::Kafka | Self::NriKafka => Provider::Kafka,
        }
    }

    /// A short name for documents and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::NriKafka => "nri-kafka",
        }
    }
}

/// What one raw sample is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The cluster as a whole, as its controller or metadata describes it.
    Cluster,
    /// One broker.
    Broker {
        /// `node.id` for Kafka.
        broker_id: i32,
    },
    /// One broker known by name only (nri-kafka sends no broker id on its samples).
    BrokerName {
        /// `host:port`.
        name: Cow<'a, str>,
    },
    /// One topic.
    Topic {
        /// Its name.
        topic: Cow<'a, str>,
    },
    /// One topic as seen on one broker; the aggregator adds these up.
    TopicOnBroker {
        /// Its name.
        topic: Cow<'a, str>,
        /// The broker that reported.
        broker_id: i32,
    },
    /// One consumer group as a whole.
    Group {
        /// Group id.
        group: Cow<'a, str>,
    },
    /// One consumer group on one topic (a total over partitions).
    GroupTopic {
        /// Group id.
        group: Cow<'a, str>,
        /// Topic.
        topic: Cow<'a, str>,
    },
    /// One consumer group on one partition.
    GroupPartition {
        /// Group id.
        group: Cow<'a, str>,
        /// Topic.
        topic: Cow<'a, str>,
        /// Partition index.
        partition: i32,
    },
    /// One consumer client id, over all it reads.
    Client {
        /// Client id.
        client_id: Cow<'a, str>,
    },
}

/// What kind of thing a raw sample is about, without its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    /// [`Subject::Cluster`].
    Cluster,
    /// [`Subject::Broker`] and [`Subject::BrokerName`].
    Broker,
    /// [`Subject::Topic`].
    Topic,
    /// [`Subject::TopicOnBroker`].
    TopicOnBroker,
    /// [`Subject::Group`].
    Group,
    /// [`Subject::GroupTopic`].
    GroupTopic,
    /// [`Subject::GroupPartition`].
    GroupPartition,
    /// [`Subject::Client`].
    Client,
}

impl SubjectKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Cluster,
        Self::Broker,
        Self::Topic,
        Self::TopicOnBroker,
        Self::Group,
        Self::GroupTopic,
        Self::GroupPartition,
        Self::Client,
    ];

    /// The name as a counter's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TopicOnBroker => "topic_on_broker",
            Self::GroupTopic => "group_topic",
            Self::GroupPartition => "group_partition",
            Self::Cluster | Self::Broker | Self::Topic | Self::Group | Self::Client => {
                self.as_str()
            }
        }
    }

    /// A short name for documents and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Broker => "broker",
            Self::Topic => "topic",
            Self::TopicOnBroker => "topic on broker",
            Self::Group => "group",
            Self::GroupTopic => "group on topic",
            Self::GroupPartition => "group on partition",
            Self::Client => "client",
        }
    }
}

impl Subject<'_> {
    /// Its kind.
    pub fn kind(&self) -> SubjectKind {
        match self {
            Self::Cluster => SubjectKind::Cluster,
            Self::Broker { .. } | Self::BrokerName { .. } => SubjectKind::Broker,
            Self::Topic { .. } => SubjectKind::Topic,
            Self::TopicOnBroker { .. } => SubjectKind::TopicOnBroker,
            Self::Group { .. } => SubjectKind::Group,
            Self::GroupTopic { .. } => SubjectKind::GroupTopic,
            Self::GroupPartition { .. } => SubjectKind::GroupPartition,
            Self::Client { .. } => SubjectKind::Client,
        }
    }

    /// The subject with names of its own.
    pub fn into_owned(self) -> Subject<'static> {
        let own = |text: Cow<'_, str>| Cow::<'static, str>::Owned(text.into_owned());
        match self {
            Self::Cluster => Subject::Cluster,
            Self::Broker { broker_id } => Subject::Broker { broker_id },
            Self::BrokerName { name } => Subject::BrokerName { name: own(name) },
            Self::Topic { topic } => Subject::Topic { topic: own(topic) },
            Self::TopicOnBroker { topic, broker_id } => {
                Subject::TopicOnBroker { topic: own(topic), broker_id }
            }
            Self::Group { group } => Subject::Group { group: own(group) },
            Self::GroupTopic { group, topic } => {
                Subject::GroupTopic { group: own(group), topic: own(topic) }
            }
            Self::GroupPartition { group, topic, partition } => {
                Subject::GroupPartition { group: own(group), topic: own(topic), partition }
            }
            Self::Client { client_id } => Subject::Client { client_id: own(client_id) },
        }
    }
}

/// A value as the source gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue<'a> {
    /// A gauge, in the source's unit.
    Number(f64),
    /// A counter's growth per second.
    Rate {
        /// Growth per second, in the source's unit.
        per_second: f64,
        /// The window it was measured over.
        window_ms: i64,
    },
    /// Descriptive text (host name, state, …).
    Text(Cow<'a, str>),
}

/// A field of a raw sample.
#[derive(Debug, Clone, PartialEq)]
pub struct RawField<'a> {
    /// The source's name, e.g. `kafka_server_brokertopicmetrics_messagesin_total` or
    /// `broker.messagesInPerSecond`.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: RawValue<'a>,
}

/// One sample, borrowed from its source's text where possible.
#[derive(Debug, Clone, PartialEq)]
pub struct RawSample<'a> {
    /// Whose names these are.
    pub origin: Origin,
    /// Kafka's cluster name; never empty.
    pub cluster: Cow<'a, str>,
    /// What it is about.
    pub subject: Subject<'a>,
    /// When the collector saw it, by its own clock.
    pub at: UnixMillis,
    /// Everything else.
    pub fields: Vec<RawField<'a>>,
}

impl<'a> RawSample<'a> {
    /// An empty sample.
    pub fn new(
        origin: Origin,
        cluster: impl Into<Cow<'a, str>>,
        subject: Subject<'a>,
        at: UnixMillis,
    ) -> Self {
        Self { origin, cluster: cluster.into(), subject, at, fields: Vec::new() }
    }

    /// The sample with texts of its own, free of what it was read from.
    pub fn into_owned(self) -> RawSample<'static> {
        let own = |text: Cow<'_, str>| Cow::<'static, str>::Owned(text.into_owned());
        let value = |value: RawValue<'_>| match value {
            RawValue::Number(number) => RawValue::Number(number),
            RawValue::Rate { per_second, window_ms } => RawValue::Rate { per_second, window_ms },
            RawValue::Text(text) => RawValue::Text(own(text)),
        };
        let fields = self.fields.into_iter();
        RawSample {
            origin: self.origin,
            cluster: own(self.cluster),
            subject: self.subject.into_owned(),
            at: self.at,
            fields: fields
                .map(|field| RawField { name: own(field.name), value: value(field.value) })
                .collect(),
        }
    }

    /// Adds a gauge.
    pub fn number(&mut self, name: impl Into<Cow<'a, str>>, value: f64) -> &mut Self {
        self.fields.push(RawField { name: name.into(), value: RawValue::Number(value) });
        self
    }

    /// Adds a rate.
    pub fn rate(
        &mut self,
        name: impl Into<Cow<'a, str>>,
        per_second: f64,
        window_ms: i64,
    ) -> &mut Self {
        let value = RawValue::Rate { per_second, window_ms };
        self.fields.push(RawField { name: name.into(), value });
        self
    }

    /// Adds descriptive text.
    pub fn text(
        &mut self,
        name: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
    ) -> &mut Self {
        self.fields.push(RawField { name: name.into(), value: RawValue::Text(value.into()) });
        self
    }
}
