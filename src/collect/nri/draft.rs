//! One sample object on its way to a raw sample: what identifies it is set aside, the rest becomes
//! fields; its event type and the identity it has tell what it is about.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::scan::{Fault, Scalar, Scanner};
use super::{NriDefaults, NriFault};
use crate::domain::sample::{Origin, RawField, RawSample, RawValue, Subject};
use crate::domain::units::UnixMillis;

/// Attributes that identify a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    EventType,
    Cluster,
    Topic,
    Group,
    Partition,
    Client,
    BrokerId,
    EntityKey,
    DisplayName,
    EntityName,
    Name,
}

const ROLES: usize = Role::Name as usize + 1;

/// The role of an attribute, and its rank among the spellings of that role; lower wins.
fn role(key: &str) -> Option<(Role, u8)> {
    Some(match key {
        "event_type" => (Role::EventType, 0),
        "eventType" => (Role::EventType, 1),
        "clusterName" => (Role::Cluster, 0),
        "cluster" => (Role::Cluster, 1),
        "kafka.cluster" => (Role::Cluster, 2),
        "topic" => (Role::Topic, 0),
        "topic.name" => (Role::Topic, 1),
        "topicName" => (Role::Topic, 2),
        "topic_name" => (Role::Topic, 3),
        "consumer.group" => (Role::Group, 0),
        "consumerGroup" => (Role::Group, 1),
        "consumer_group" => (Role::Group, 2),
        "groupId" => (Role::Group, 3),
        "partition" => (Role::Partition, 0),
        "clientID" => (Role::Client, 0),
        "clientId" => (Role::Client, 1),
        "broker.id" => (Role::BrokerId, 0),
        "brokerId" => (Role::BrokerId, 1),
        "brokerID" => (Role::BrokerId, 2),
        "broker_id" => (Role::BrokerId, 3),
        "id" => (Role::BrokerId, 4),
        "entityKey" => (Role::EntityKey, 0),
        "displayName" => (Role::DisplayName, 0),
        "entityName" => (Role::EntityName, 0),
        "name" => (Role::Name, 0),
        _ => return None,
    })
}

/// What became of a whole object; `None` for an event type that tells nothing of brokers, topics
/// and groups.
pub(super) type Outcome<'a> = Option<RawSample<'a>>;

/// One object, read so far.
pub(super) struct Draft<'a> {
    pub(super) is_envelope: bool,
    /// Where the object's `attributes` stand, if it has some.
    pub(super) attributes_at: Option<usize>,
    pub(super) at: UnixMillis,
    roles: [Option<(u8, Cow<'a, str>)>; ROLES],
    pub(super) fields: SmallVec<[RawField<'a>; 24]>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(at: UnixMillis) -> Self {
        Self {
            is_envelope: false,
            attributes_at: None,
            at,
            roles: [const { None }; ROLES],
            fields: SmallVec::new(),
        }
    }

    /// Reads the value of `key`; whether it had to be left out.
    #[inline]
    pub(super) fn take(
        &mut self,
        key: Cow<'a, str>,
        scanner: &mut Scanner<'a>,
    ) -> Result<bool, Fault> {
        scanner.peek();
        let start = scanner.offset();
        let value = scanner.value()?;
        if value == Scalar::Nested {
            let attributes = key == "attributes";
            self.attributes_at = attributes.then_some(start).or(self.attributes_at);
            return Ok(!attributes);
        }
        self.put(key, value);
        Ok(false)
    }

    #[inline]
    pub(super) fn put(&mut self, key: Cow<'a, str>, value: Scalar<'a>) {
        // Most attributes are metrics, and no identity is spelt with a capital inside and a dot.
        if let Some((role, rank)) = role(&key) {
            let slot = &mut self.roles[role as usize];
            if slot.as_ref().is_none_or(|(held, _)| rank < *held)
                && let Some(text) = identity_text(value)
            {
                *slot = Some((rank, text));
            }
            return;
        }
        let value = match value {
            Scalar::Number(number) if key == "timestamp" => {
                self.at = UnixMillis::from_seconds_or_millis(number as i64);
                return;
            }
            Scalar::Number(number) => RawValue::Number(number),
            Scalar::Text(text) => RawValue::Text(text),
            Scalar::Bool(flag) => RawValue::Number(f64::from(u8::from(flag))),
            Scalar::Null | Scalar::Nested => return,
        };
        self.fields.push(RawField { name: key, value });
    }

    fn role(&mut self, role: Role) -> Option<Cow<'a, str>> {
        self.roles[role as usize].take().map(|(_, text)| text).filter(|text| !text.is_empty())
    }

    /// Whether it is a point of protocol 4: it names its metric and has no event type.
    pub(super) fn is_point(&self) -> bool {
        let has = |role: Role| self.roles[role as usize].is_some();
        has(Role::Name) && !has(Role::EventType)
    }

    /// The name of a point's metric.
    pub(super) fn metric_name(&mut self) -> Option<Cow<'a, str>> {
        self.role(Role::Name)
    }

    /// Takes the field called `name`.
    pub(super) fn field(&mut self, name: &str) -> Option<RawValue<'a>> {
        let place = self.fields.iter().position(|field| field.name == name)?;
        Some(self.fields.remove(place).value)
    }

    pub(super) fn same_identity(&self, other: &Self) -> bool {
        self.at == other.at && self.roles == other.roles
    }

    /// The raw sample, with what its envelope and the defaults say where it is silent.
    pub(super) fn finish(
        mut self,
        envelope: &Envelope<'a>,
        defaults: NriDefaults<'a>,
    ) -> Result<Outcome<'a>, NriFault> {
        let event_type = self.role(Role::EventType).or_else(|| envelope.event_type());
        let event_type = event_type.ok_or(NriFault::MissingEventType)?;
        let about = match event_type.as_ref() {
            "KafkaBrokerSample" => Self::broker,
            "KafkaTopicSample" => Self::topic,
            "KafkaOffsetSample" | "KafkaConsumerSample" => Self::consumer,
            _ => return Ok(None),
        };
        let cluster = self
            .role(Role::Cluster)
            .or_else(|| envelope.id("clusterName"))
            .or(defaults.cluster.map(Cow::Borrowed));
        let Some(cluster) = cluster else {
            return Err(NriFault::MissingCluster { event_type: event_type.into_owned() });
        };
        let subject = about(&mut self, &event_type, envelope)?;
        let (origin, at, fields) = (Origin::NriKafka, self.at, self.fields);
        Ok(Some(RawSample { origin, cluster, subject, at, fields }))
    }

    fn broker(
        &mut self,
        event_type: &str,
        envelope: &Envelope<'a>,
    ) -> Result<Subject<'a>, NriFault> {
        let key = self.role(Role::EntityKey);
        let id = self
            .role(Role::BrokerId)
            .or_else(|| envelope.id("brokerID"))
            .or_else(|| key.as_deref().and_then(broker_id_of_key));
        let name = self
            .role(Role::DisplayName)
            .or_else(|| self.role(Role::EntityName).map(|name| strip(name, "broker:")))
            .or_else(|| envelope.name.clone());
        let topic = self.role(Role::Topic);
        if let Some((host, port)) = name.as_ref().and_then(host_and_port)
            && topic.is_none()
        {
            self.fields.push(RawField { name: "host".into(), value: RawValue::Text(host) });
            self.fields.push(RawField { name: "port".into(), value: RawValue::Number(port) });
        }
        let Some(id) = id else {
            let event_type = event_type.to_owned();
            let what = "broker id or name";
            let missing = NriFault::MissingIdentity { event_type, what };
            return name.map(|name| Subject::BrokerName { name }).ok_or(missing);
        };
        let broker_id = whole("broker id", &id)?;
        Ok(match topic {
            Some(topic) => Subject::TopicOnBroker { topic, broker_id },
            None => Subject::Broker { broker_id },
        })
    }

    fn topic(
        &mut self,
        event_type: &str,
        envelope: &Envelope<'a>,
    ) -> Result<Subject<'a>, NriFault> {
        let topic = self
            .role(Role::Topic)
            .or_else(|| self.role(Role::Name))
            .or_else(|| self.role(Role::EntityName).map(|name| strip(name, "topic:")))
            .or_else(|| self.role(Role::DisplayName))
            .or_else(|| envelope.name.clone());
        match topic {
            Some(topic) => Ok(Subject::Topic { topic }),
            None => Err(NriFault::MissingIdentity {
                event_type: event_type.to_owned(),
                what: "`topic`",
            }),
        }
    }

    /// The four shapes: partition, group on topic, group, client.
    fn consumer(
        &mut self,
        event_type: &str,
        envelope: &Envelope<'a>,
    ) -> Result<Subject<'a>, NriFault> {
        let group = self.role(Role::Group).or_else(|| envelope.id("consumerGroup"));
        let topic = self.role(Role::Topic).or_else(|| envelope.id("topic"));
        let partition = self.role(Role::Partition).or_else(|| envelope.id("partition"));
        let client = self.role(Role::Client);
        let missing = |what| {
            let event_type = event_type.to_owned();
            Err(NriFault::MissingIdentity { event_type, what })
        };
        match (group, topic, partition) {
            (Some(group), Some(topic), Some(partition)) => {
                if let Some(client) = client {
                    let value = RawValue::Text(client);
                    self.fields.push(RawField { name: "clientID".into(), value });
                }
                let partition = whole("partition", &partition)?;
                Ok(Subject::GroupPartition { group, topic, partition })
            }
            (Some(_), None, Some(_)) => missing("`topic` of its `partition`"),
            (None, _, Some(_)) => missing("`consumerGroup` of its `partition`"),
            (Some(group), Some(topic), None) => Ok(Subject::GroupTopic { group, topic }),
            (Some(group), None, None) => Ok(Subject::Group { group }),
            (None, _, None) => match client {
                Some(client_id) => Ok(Subject::Client { client_id }),
                None => missing("`consumerGroup` or `clientID`"),
            },
        }
    }
}

/// An identifying value as text: sources send ids as numbers or texts.
fn identity_text(value: Scalar<'_>) -> Option<Cow<'_, str>> {
    match value {
        Scalar::Text(text) => Some(text),
        Scalar::Number(number) => Some(Cow::Owned(number.to_string())),
        Scalar::Bool(_) | Scalar::Null | Scalar::Nested => None,
    }
}

fn whole(attribute: &'static str, value: &str) -> Result<i32, NriFault> {
    value.parse().map_err(|_| NriFault::BadIdentity { attribute, value: value.to_owned() })
}

/// `101` of `ka-broker:kafka1:9092:brokerid=101:clustername=c`.
fn broker_id_of_key<'a>(key: &str) -> Option<Cow<'a, str>> {
    let parts = key.split(':');
    let id = parts.filter_map(|part| part.strip_prefix("brokerid=")).next()?;
    Some(Cow::Owned(id.to_owned()))
}

fn strip<'a>(name: Cow<'a, str>, prefix: &str) -> Cow<'a, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_prefix(prefix).unwrap_or(name)),
        Cow::Owned(name) => Cow::Owned(name.strip_prefix(prefix).unwrap_or(&name).to_owned()),
    }
}

fn host_and_port<'a>(name: &Cow<'a, str>) -> Option<(Cow<'a, str>, f64)> {
    let (host, port) = name.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..host.len()]),
        Cow::Owned(_) => Cow::Owned(host.to_owned()),
    };
    (!host.is_empty()).then_some((host, f64::from(port)))
}

/// What an element of an envelope's `data` says of all its samples.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) entity_seen: bool,
    name: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    ids: SmallVec<[(Cow<'a, str>, Cow<'a, str>); 4]>,
    pub(super) common: Vec<(Cow<'a, str>, Scalar<'a>)>,
    /// Time and interval of points, in milliseconds.
    pub(super) at: Option<UnixMillis>,
    pub(super) interval_ms: Option<f64>,
}

impl<'a> Envelope<'a> {
    /// An identifying attribute, whatever its case.
    fn id(&self, name: &str) -> Option<Cow<'a, str>> {
        let found = self.ids.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(found.1.clone()).filter(|value| !value.is_empty())
    }

    /// The event type that the entity's type stands for: points have none.
    fn event_type(&self) -> Option<Cow<'a, str>> {
        let kind = self.kind.as_deref()?;
        Some(Cow::Borrowed(match kind {
            "ka-broker" => "KafkaBrokerSample",
            "ka-topic" => "KafkaTopicSample",
            "ka-producer" => "KafkaProducerSample",
            _ if kind.starts_with("ka-consumer") => "KafkaOffsetSample",
            "ka-partition-consumer" => "KafkaOffsetSample",
            _ => return None,
        }))
    }

    /// Reads an `entity`.
    pub(super) fn entity(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        self.entity_seen = true;
        if scanner.peek() != Some(b'{') {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            match (key.as_ref(), scanner.peek()) {
                ("id_attributes", Some(b'[')) => self.id_attributes(scanner)?,
                ("metadata", Some(b'{')) => {
                    let known = scalars(scanner)?.into_iter();
                    let texts = known.filter_map(|(key, value)| Some((key, identity_text(value)?)));
                    self.ids.extend(texts);
                }
                ("name", _) => self.name = identity_text(scanner.value()?),
                ("type", _) => self.kind = identity_text(scanner.value()?),
                _ => scanner.skip()?,
            }
            Ok(())
        })?;
        let of_key = self.name.as_deref().and_then(broker_id_of_key);
        self.ids.extend(of_key.map(|id| (Cow::Borrowed("brokerID"), id)));
        Ok(())
    }

    /// `[{"Key": "clusterName", "Value": "c"}, …]`.
    fn id_attributes(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        scanner.take(b'[', "`[`")?;
        if scanner.empty(b']') {
            return Ok(());
        }
        loop {
            let (mut key, mut value) = (None, None);
            for (name, scalar) in scalars(scanner)? {
                let text = identity_text(scalar);
                if name.eq_ignore_ascii_case("key") {
                    key = text;
                } else if name.eq_ignore_ascii_case("value") {
                    value = text;
                }
            }
            self.ids.extend(key.zip(value));
            if !scanner.more(b']')? {
                return Ok(());
            }
        }
    }

    /// Reads the `common` part of points.
    pub(super) fn common(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        if scanner.peek() != Some(b'{') {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            match (key.as_ref(), scanner.peek()) {
                ("attributes", Some(b'{')) => self.common = scalars(scanner)?,
                _ => match (key.as_ref(), scanner.value()?) {
                    ("timestamp", Scalar::Number(number)) => {
                        self.at = Some(UnixMillis::from_seconds_or_millis(number as i64));
                    }
                    ("interval.ms", Scalar::Number(number)) => self.interval_ms = Some(number),
                    _ => {}
                },
            }
            Ok(())
        })
    }
}

/// The members of an object that are no arrays or objects.
pub(super) fn scalars<'a>(
    scanner: &mut Scanner<'a>,
) -> Result<Vec<(Cow<'a, str>, Scalar<'a>)>, Fault> {
    let mut members = Vec::new();
    scanner.object(|scanner, key| {
        let value = scanner.value()?;
        if value != Scalar::Nested {
            members.push((key, value));
        }
        Ok(())
    })?;
    Ok(members)
}
