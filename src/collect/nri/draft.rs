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
#[inline]
fn role(key: &str) -> Option<(Role, u8)> {
    /// Length of the longest spelling: most metrics' names are longer.
    const LENGTH_MAX: usize = 14;
    if key.len() > LENGTH_MAX {
        return None;
    }
    role_of_short(key)
}

fn role_of_short(key: &str) -> Option<(Role, u8)> {
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

/// A name in an object.
pub(super) struct Key<'a> {
    pub(super) name: Cow<'a, str>,
    role: Option<(Role, u8)>,
}

/// One object, read so far; used again for the next one.
pub(super) struct Draft<'a> {
    /// The sample to be; its subject and cluster are set at the end.
    pub(super) sample: RawSample<'a>,
    /// Where the object's `attributes` stand, if it has some.
    pub(super) attributes_at: Option<usize>,
    /// Whether the object has a time of its own.
    timed: bool,
    /// Fields of this object; those after them are left from objects before, for use again.
    fields: usize,
    /// Names of the last object in their order, and their roles: samples of one source have the
    /// same ones, and comparing a name is quicker than finding its end.
    shape: Vec<(&'a str, Option<(Role, u8)>)>,
    /// Names of this object so far.
    names: usize,
    /// Which roles are filled; the others' texts are left from objects before.
    filled: u16,
    roles: [(u8, Cow<'a, str>); ROLES],
}

impl<'a> Draft<'a> {
    pub(super) fn new() -> Self {
        let at = UnixMillis::default();
        Self {
            sample: RawSample::new(Origin::NriKafka, "", Subject::Cluster, at),
            attributes_at: None,
            timed: false,
            fields: 0,
            shape: Vec::new(),
            names: 0,
            filled: 0,
            roles: [const { (0, Cow::Borrowed("")) }; ROLES],
        }
    }

    /// Forgets the object before; `at` is the time of an object without one.
    pub(super) fn reset(&mut self, at: UnixMillis) {
        self.sample.at = at;
        (self.attributes_at, self.timed) = (None, false);
        (self.fields, self.names, self.filled) = (0, 0, 0);
    }

    /// The next name and its role.
    #[inline]
    pub(super) fn key(&mut self, scanner: &mut Scanner<'a>) -> Result<Key<'a>, Fault> {
        scanner.peek();
        let place = self.names;
        self.names += 1;
        if let Some((name, role)) = self.shape.get(place)
            && scanner.expected_key(name)
        {
            return Ok(Key { name: Cow::Borrowed(name), role: *role });
        }
        let name = scanner.key()?;
        let role = role(&name);
        if let Cow::Borrowed(name) = name {
            self.shape.truncate(place);
            self.shape.push((name, role));
        }
        Ok(Key { name, role })
    }

    /// Adds a field, in the place of one of the object before where there is one: writing its two
    /// halves in place is quicker than moving a whole new field.
    #[inline]
    fn add(&mut self, name: Cow<'a, str>, value: RawValue<'a>) {
        match self.sample.fields.get_mut(self.fields) {
            Some(field) => {
                field.name = name;
                field.value = value;
            }
            None => self.sample.fields.push(RawField { name, value }),
        }
        self.fields += 1;
    }

    /// Drops what is left from objects before.
    pub(super) fn end(&mut self) {
        self.sample.fields.truncate(self.fields);
    }

    /// Reads the value of `key`; returns whether it had to be left out.
    #[inline]
    pub(super) fn take(&mut self, key: Key<'a>, scanner: &mut Scanner<'a>) -> Result<bool, Fault> {
        let first = scanner.peek();
        let start = scanner.offset();
        let Key { name: key, role } = key;
        if let (Some(b'-' | b'0'..=b'9'), None) = (first, role)
            && key != "timestamp"
        {
            self.add(key, RawValue::Number(scanner.number()?));
            return Ok(false);
        }
        let value = scanner.value()?;
        if value == Scalar::Nested {
            let attributes = key == "attributes";
            self.attributes_at = attributes.then_some(start).or(self.attributes_at);
            return Ok(!attributes);
        }
        self.put_as(role, key, value);
        Ok(false)
    }

    pub(super) fn put(&mut self, key: Cow<'a, str>, value: Scalar<'a>) {
        self.put_as(role(&key), key, value);
    }

    fn put_as(&mut self, role: Option<(Role, u8)>, key: Cow<'a, str>, value: Scalar<'a>) {
        if let Some((role, rank)) = role {
            let held = self.has(role) && self.roles[role as usize].0 <= rank;
            if let (false, Some(text)) = (held, identity_text(value)) {
                self.roles[role as usize] = (rank, text);
                self.filled |= 1 << role as u16;
            }
            return;
        }
        let value = match value {
            Scalar::Number(number) if key == "timestamp" => {
                self.sample.at = UnixMillis::from_seconds_or_millis(number as i64);
                self.timed = true;
                return;
            }
            Scalar::Number(number) => RawValue::Number(number),
            Scalar::Text(text) => RawValue::Text(text),
            Scalar::Bool(flag) => RawValue::Number(f64::from(u8::from(flag))),
            Scalar::Null | Scalar::Nested => return,
        };
        self.add(key, value);
    }

    fn has(&self, role: Role) -> bool {
        self.filled >> role as u16 & 1 == 1
    }

    fn role(&mut self, role: Role) -> Option<Cow<'a, str>> {
        let text = self.has(role).then(|| std::mem::take(&mut self.roles[role as usize].1));
        text.filter(|text| !text.is_empty())
    }

    /// The object's own time.
    pub(super) fn at(&self) -> Option<UnixMillis> {
        self.timed.then_some(self.sample.at)
    }

    /// Whether it is a point of protocol 4: it names its metric and has no event type.
    pub(super) fn is_point(&self) -> bool {
        self.has(Role::Name) && !self.has(Role::EventType)
    }

    /// The name of a point's metric.
    pub(super) fn metric_name(&mut self) -> Option<Cow<'a, str>> {
        self.role(Role::Name)
    }

    /// Takes the field called `name`.
    pub(super) fn field(&mut self, name: &str) -> Option<RawValue<'a>> {
        let place = self.sample.fields.iter().position(|field| field.name == name)?;
        Some(self.sample.fields.remove(place).value)
    }

    pub(super) fn same_identity(&self, other: &Self) -> bool {
        let roles = self.roles.iter().zip(&other.roles).enumerate();
        let mut filled = roles.filter(|(place, _)| self.filled >> place & 1 == 1);
        self.sample.at == other.sample.at
            && self.filled == other.filled
            && filled.all(|(_, (own, other))| own.1 == other.1)
    }

    /// Completes the sample, with what its envelope and the defaults say where it is silent;
    /// returns false for an event type that tells nothing of brokers, topics and groups.
    pub(super) fn finish(
        &mut self,
        envelope: &Envelope<'a>,
        defaults: NriDefaults<'a>,
    ) -> Result<bool, NriFault> {
        let event_type = self.role(Role::EventType).or_else(|| envelope.event_type());
        let event_type = event_type.ok_or(NriFault::MissingEventType)?;
        let about = match event_type.as_ref() {
            "KafkaBrokerSample" => Self::broker,
            "KafkaTopicSample" => Self::topic,
            "KafkaOffsetSample" | "KafkaConsumerSample" => Self::consumer,
            _ => return Ok(false),
        };
        let cluster = self
            .role(Role::Cluster)
            .or_else(|| envelope.id("clusterName"))
            .or(defaults.cluster.map(Cow::Borrowed));
        let Some(cluster) = cluster else {
            return Err(NriFault::MissingCluster { event_type: event_type.into_owned() });
        };
        self.sample.subject = about(self, &event_type, envelope)?;
        self.sample.cluster = cluster;
        Ok(true)
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
            self.sample.fields.push(RawField { name: "host".into(), value: RawValue::Text(host) });
            self.sample
                .fields
                .push(RawField { name: "port".into(), value: RawValue::Number(port) });
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
                    self.sample.fields.push(RawField { name: "clientID".into(), value });
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
