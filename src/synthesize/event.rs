//! Entities and relationships as flat JSON objects of New Relic's Event API.
//!
//! Invariants:
//! - One object, scalars only: text, whole numbers without a fraction, other numbers in the
//!   shortest form that reads back to the same value. Absent values have no attribute.
//! - `accountId`, `appId` and `entity.*` are never written: New Relic drops or misuses them
//!   ("Data requirements and limits for custom event data").
//! - An entity that passes [`check`] keeps the limits: 255 attributes, names of 255 characters
//!   (every name in the tables does), values of 4,096 characters.

use super::{Entity, ObservedRelationship, Rejection};
use crate::domain::attribute::AttributeValue;
use crate::domain::data_source::DataSource;
use crate::domain::entity::EntityKey;
use crate::domain::extra::ExtraValue;
use crate::domain::tag::{TagValue, Tags};

/// `eventType` of relationships.
pub const RELATIONSHIP_EVENT_TYPE: &str = "MessageQueueRelationship";
/// Attributes of one event.
pub const ATTRIBUTES_MAX: usize = 255;
/// Characters of one attribute's value.
pub const VALUE_CHARS_MAX: usize = 4_096;

/// Attributes of every entity's event: eventType, timestamp, entityType, entityGuid,
/// entityIdentifier, displayName, provider, clusterName, dataSource.
pub(super) const COMMON_ATTRIBUTES: usize = 9;

/// Attributes that all events share, written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels {
    json: Vec<u8>,
    count: usize,
}

impl Labels {
    pub(super) fn new(environment: Option<&TagValue>, tags: &Tags) -> Self {
        let mut labels = Self { json: Vec::new(), count: 0 };
        if let Some(environment) = environment {
            labels.push("environment", environment.as_str());
            if tags.get("environment").is_none() {
                labels.push("tags.environment", environment.as_str());
            }
        }
        for (key, value) in tags.iter() {
            labels.push(&format!("tags.{key}"), value);
        }
        labels
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Appends them, each with a comma in front.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.json);
    }

    fn push(&mut self, name: &str, value: &str) {
        self.json.push(b',');
        write_text(name, &mut self.json);
        self.json.push(b':');
        write_text(value, &mut self.json);
        self.count += 1;
    }
}

/// Checks `entity` against the limits of an event.
///
/// # Errors
/// Too many attributes, or a value that is too long.
pub fn check(entity: &Entity<'_>) -> Result<(), Rejection> {
    let identity = identity(&entity.key);
    let window = entity.window.map_or(0, |window| if window.exact_ms().is_some() { 1 } else { 2 });
    let own = identity.iter().flatten().count() + entity.attributes.len() + entity.metrics.len();
    let markers = entity.data_source.marker_tags().len();
    let own = own + entity.extras.len();
    let count = COMMON_ATTRIBUTES + window + own + markers + entity.labels.count;
    let guid = entity.guid;
    if count > ATTRIBUTES_MAX {
        return Err(Rejection::TooManyAttributes { guid, count });
    }
    let fits = |attribute: &str, value: &str| {
        // Characters are at most as many as bytes; counting them costs more.
        let chars = if value.len() <= VALUE_CHARS_MAX { 0 } else { value.chars().count() };
        if chars > VALUE_CHARS_MAX {
            let attribute = attribute.to_owned().into();
            return Err(Rejection::ValueTooLong { guid, attribute, chars });
        }
        Ok(())
    };
    fits("provider", entity.key.provider().as_str())?;
    fits("clusterName", entity.key.cluster())?;
    for (name, value) in identity.into_iter().flatten() {
        fits(name, value)?;
    }
    for (id, value) in entity.attributes.iter() {
        if let AttributeValue::Text(text) = value {
            fits(id.def().name, text)?;
        }
    }
    for (name, value) in entity.extras.iter() {
        if let ExtraValue::Text(text) = value {
            fits(name, text)?;
        }
    }
    let parts = entity.key.cluster().len() + entity.key.name().len();
    if parts + entity.key.provider().as_str().len() + 16 > VALUE_CHARS_MAX {
        fits("displayName", &entity.display_name())?;
    }
    Ok(())
}

/// Attributes that identify an entity within its cluster.
pub(super) fn identity(key: &EntityKey) -> [Option<(&'static str, &str)>; 2] {
    match key {
        EntityKey::Cluster { .. } => [None, None],
        EntityKey::Broker { broker_id, .. } => [Some(("brokerId", broker_id)), None],
        EntityKey::Topic { topic, .. } => [Some(("topicName", topic)), None],
        EntityKey::Queue { vhost, queue, .. } => {
            let vhost = (!vhost.is_empty()).then_some(("vhost", vhost.as_str()));
            [Some(("queueName", queue)), vhost]
        }
        EntityKey::Group { group, .. } => [Some(("consumerGroup", group)), None],
    }
}

/// Gives `push` the parts of the name that people see.
pub(super) fn display_name(key: &EntityKey, push: &mut dyn FnMut(&str)) {
    match key {
        EntityKey::Cluster { provider, cluster } => {
            push(provider.as_str());
            push("-cluster-");
            push(cluster);
        }
        EntityKey::Broker { cluster, broker_id, .. } => {
            push(cluster);
            push("-broker-");
            push(broker_id);
        }
        EntityKey::Topic { .. } | EntityKey::Queue { .. } | EntityKey::Group { .. } => {
            push(key.name());
        }
    }
}

fn write_data_source(source: DataSource, out: &mut Vec<u8>) {
    write_key("dataSource", out);
    write_text(source.as_str(), out);
    for (tag, value) in source.marker_tags() {
        out.extend_from_slice(b",\"tags.");
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b"\":");
        write_text(value, out);
    }
}

/// Appends the event of `entity`, one JSON object, to `out`.
pub fn write_entity(entity: &Entity<'_>, out: &mut Vec<u8>) {
    out.reserve(1_536);
    out.extend_from_slice(b"{\"eventType\":\"MessageQueue\",\"timestamp\":");
    write_integer(entity.observed_at.0, out);
    out.extend_from_slice(b",\"entityType\":\"");
    out.extend_from_slice(entity.kind().type_name().as_bytes());
    out.extend_from_slice(b"\",\"entityGuid\":\"");
    entity.guid.write_wire(out);
    out.extend_from_slice(b"\",\"entityIdentifier\":\"");
    entity.guid.write_identifier(out);
    out.extend_from_slice(b"\",\"displayName\":\"");
    display_name(&entity.key, &mut |part| escape(part, out));
    out.extend_from_slice(b"\",\"provider\":");
    write_text(entity.key.provider().as_str(), out);
    out.extend_from_slice(b",\"clusterName\":");
    write_text(entity.key.cluster(), out);
    write_data_source(entity.data_source, out);
    for (name, value) in identity(&entity.key).into_iter().flatten() {
        write_key(name, out);
        write_text(value, out);
    }
    for (id, value) in entity.attributes.iter() {
        write_key(id.def().name, out);
        match value {
            AttributeValue::Text(text) => write_text(text, out),
            AttributeValue::Integer(number) => write_integer(*number, out),
        }
    }
    if let Some(window) = entity.window {
        let named =
            [("collectionWindowMinMs", window.min_ms), ("collectionWindowMaxMs", window.max_ms)];
        let exact = window.exact_ms().map(|ms| [("collectionWindowMs", ms)]);
        for (name, ms) in exact.as_ref().map_or(&named[..], |exact| &exact[..]) {
            write_key(name, out);
            write_integer(*ms, out);
        }
    }
    for (def, value) in entity.metrics.defs() {
        def.json_key.write(out);
        write_number(value, out);
    }
    for (name, value) in entity.extras.iter() {
        out.push(b',');
        write_text(name, out);
        out.push(b':');
        match value {
            ExtraValue::Text(text) => write_text(text, out),
            ExtraValue::Number(number) => write_number(*number, out),
        }
    }
    entity.labels.write(out);
    out.push(b'}');
}

/// Appends the event of a relationship, one JSON object, to `out`.
pub fn write_relationship(seen: &ObservedRelationship, out: &mut Vec<u8>) {
    let relationship = &seen.relationship;
    out.reserve(512);
    out.extend_from_slice(b"{\"eventType\":\"MessageQueueRelationship\",\"timestamp\":");
    write_integer(seen.observed_at.0, out);
    out.extend_from_slice(b",\"sourceEntityGuid\":\"");
    relationship.source.write_wire(out);
    out.extend_from_slice(b"\",\"sourceEntityType\":\"");
    out.extend_from_slice(relationship.source.kind().type_name().as_bytes());
    out.extend_from_slice(b"\",\"relationshipType\":\"");
    out.extend_from_slice(relationship.kind.as_str().as_bytes());
    out.extend_from_slice(b"\",\"targetEntityGuid\":\"");
    relationship.target.write_wire(out);
    out.extend_from_slice(b"\",\"targetEntityType\":\"");
    out.extend_from_slice(relationship.target.kind().type_name().as_bytes());
    out.extend_from_slice(b"\",\"clusterName\":");
    write_text(&seen.cluster, out);
    write_data_source(seen.data_source, out);
    out.push(b'}');
}

pub(super) fn write_key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain_from..place]);
        plain_from = place + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain_from..]);
}

/// Appends a finite number: whole ones without a fraction, others in their shortest exact form.
pub(super) fn write_number(value: f64, out: &mut Vec<u8>) {
    // Below 2^53 every whole number has one form; `-0.0` becomes `0`.
    let whole = value as i64;
    if value.abs() < 9_007_199_254_740_992.0 && whole as f64 == value {
        write_integer(whole, out);
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

pub(super) fn write_integer(value: i64, out: &mut Vec<u8>) {
    const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
        2021222324252627282930313233343536373839\
        4041424344454647484950515253545556575859\
        6061626364656667686970717273747576777879\
        8081828384858687888990919293949596979899";
    let mut buffer = [0; 20];
    let mut start = buffer.len();
    let mut left = value.unsigned_abs();
    while left >= 10 {
        let pair = (left % 100) as usize * 2;
        left /= 100;
        start -= 2;
        buffer[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if left > 0 || start == buffer.len() {
        start -= 1;
        buffer[start] = b'0' + left as u8;
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[start..]);
}

#[cfg(test)]
mod tests;
