//! Bodies of the Event API to events: decompression and JSON, before any rule about events.
//!
//! Source: New Relic's "Introduction to the Event API". A body that is no JSON object and no array of objects is lost whole.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

/// A body that gives no events at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Not what its `Content-Encoding` says.
    #[error("not valid {0:?}")]
    Compression(Encoding),
    /// Longer than the guard allows once unpacked.
    #[error("longer than {0} bytes once unpacked")]
    Bomb(usize),
    /// Not JSON, or not an object or array of objects.
    #[error("{0}")]
    Json(String),
}

/// Unpacks `body`, at most `bytes_max` bytes of it.
pub(super) fn unpack(
    body: &Bytes,
    encoding: Encoding,
    bytes_max: usize,
) -> Result<Cow<'_, [u8]>, Unreadable> {
    let limit = bytes_max as u64 + 1;
    let mut text = Vec::new();
    let read = match encoding {
        Encoding::Identity => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => {
            flate2::read::MultiGzDecoder::new(&body[..]).take(limit).read_to_end(&mut text)
        }
        Encoding::Deflate => {
            flate2::read::ZlibDecoder::new(&body[..]).take(limit).read_to_end(&mut text)
        }
    };
    match read {
        Err(_) => Err(Unreadable::Compression(encoding)),
        Ok(_) if text.len() > bytes_max => Err(Unreadable::Bomb(bytes_max)),
        Ok(_) => Ok(Cow::Owned(text)),
    }
}

/// A value as sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sent<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    /// Beyond ±2⁵³.
    Integer(i64),
    Bool(bool),
    Null,
    /// An array or an object.
    Nested,
}

/// Attributes of one event as sent.
pub(super) type SentAttributes<'a> = [(Cow<'a, str>, Sent<'a>)];

/// Events of one body.
#[derive(Debug, Default)]
pub(super) struct SentEvents<'a> {
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
        Event(self.0).visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Event(self.0))?.is_some() {}
        Ok(())
    }
}

/// One object.
struct Event<'e, 'a>(&'e mut SentEvents<'a>);

impl<'de> DeserializeSeed<'de> for Event<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Event<'_, 'de> {
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

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct AnyValue;

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Sent<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Largest integer up to which every integer is an `f64`.
const EXACT: u64 = 1 << 53;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Sent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Sent::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Sent::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Sent::Number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "the guard keeps it exact")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        let exact = number.unsigned_abs() <= EXACT;
        Ok(if exact { Sent::Number(number as f64) } else { Sent::Integer(number) })
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond 64 signed bits digits are lost")]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        match i64::try_from(number) {
            Ok(signed) => self.visit_i64(signed),
            Err(_) => Ok(Sent::Number(number as f64)),
        }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Sent::Bool(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Sent::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Sent::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Sent::Nested)
    }
}
