//! Bodies of the Event API to events, before any rule about events.
//!
//! Source: New Relic's "Introduction to the Event API". A body that is no JSON object and no array of
//! objects is lost whole.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::sim::newrelic::ingest::body::{AnyValue, Name, Sent, SentAttributes, Unreadable};

/// Events of one body.
#[derive(Debug, Default)]
pub(in crate::sim::newrelic::ingest) struct SentEvents<'a> {
    attributes: Vec<(Cow<'a, str>, Sent<'a>)>,
    /// Where each event's attributes end.
    ends: Vec<usize>,
}

impl<'a> SentEvents<'a> {
    /// Parses a whole body.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Unreadable> {
        let mut events = SentEvents::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let parsed = Body(&mut events).deserialize(&mut deserializer);
        parsed
            .and_then(|()| deserializer.end())
            .map_err(|error| Unreadable::Json(error.to_string()))?;
        Ok(events)
    }

    /// How many there are.
    pub(in crate::sim::newrelic::ingest) fn len(&self) -> usize {
        self.ends.len()
    }

    /// One of them; none that is not there has attributes.
    pub(in crate::sim::newrelic::ingest) fn get(&self, at: usize) -> &SentAttributes<'a> {
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(at).copied().unwrap_or_default();
        self.attributes.get(begin.unwrap_or(0)..end).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SentAttributes<'a>> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let event = &self.attributes[begin..*end];
            begin = *end;
            event
        })
    }
}

/// An object or an array of objects.
struct Body<'e, 'a>(&'e mut SentEvents<'a>);

impl<'de> DeserializeSeed<'de> for Body<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event or an array of events")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        EventSeed(self.0).visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(EventSeed(self.0))?.is_some() {}
        Ok(())
    }
}

/// One object.
pub(in crate::sim::newrelic::ingest) struct EventSeed<'e, 'a>(
    pub(in crate::sim::newrelic::ingest) &'e mut SentEvents<'a>,
);

impl<'de> DeserializeSeed<'de> for EventSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: an object of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value_seed(AnyValue)?;
            self.0.attributes.push((name, value));
        }
        self.0.ends.push(self.0.attributes.len());
        Ok(())
    }
}
