//! Bodies of the Metric API to blocks and data points, before any rule about them.
//!
//! Source: New Relic's "Report metrics via the Metric API". A body is an array of objects, each with a
//! list `metrics` and perhaps an object `common`; keys may come in any order, of repeated ones the
//! last counts, and unknown ones are passed over. Only a body that is no such array is lost whole;
//! what is odd within a block is for the rules to judge.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::sim::newrelic::ingest::body::{AnyValue, Name, Sent, Unreadable};

/// The value of a data point as sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SentValue<'a> {
    /// One value.
    Plain(Sent<'a>),
    /// Fields by name.
    Fields(Vec<(Cow<'a, str>, Sent<'a>)>),
}

/// A data point, or the `common` part of a block, as sent.
#[derive(Debug, Default)]
pub(super) struct SentPoint<'a> {
    pub(super) name: Option<Sent<'a>>,
    pub(super) kind: Option<Sent<'a>>,
    pub(super) value: Option<SentValue<'a>>,
    pub(super) timestamp: Option<Sent<'a>>,
    pub(super) interval_ms: Option<Sent<'a>>,
    /// Where its attributes stand in [`SentMetrics::attributes`].
    pub(super) attributes: Range<usize>,
    /// It, or its attributes, are no object.
    pub(super) malformed: bool,
}

/// One object of the array.
#[derive(Debug, Default)]
pub(super) struct SentBlock<'a> {
    pub(super) common: Option<SentPoint<'a>>,
    /// Where its points stand in [`SentMetrics::points`]; `None` when it has no list of metrics.
    pub(super) points: Option<Range<usize>>,
}

/// A whole body.
#[derive(Debug, Default)]
pub(super) struct SentMetrics<'a> {
    pub(super) blocks: Vec<SentBlock<'a>>,
    pub(super) points: Vec<SentPoint<'a>>,
    pub(super) attributes: Vec<(Cow<'a, str>, Sent<'a>)>,
}

impl<'a> SentMetrics<'a> {
    /// Parses a whole body.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Unreadable> {
        let mut metrics = SentMetrics::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        deserializer
            .deserialize_seq(Blocks(&mut metrics))
            .and_then(|()| deserializer.end())
            .map_err(|error| Unreadable::Json(error.to_string()))?;
        Ok(metrics)
    }
}

/// The array.
struct Blocks<'m, 'a>(&'m mut SentMetrics<'a>);

impl<'de> Visitor<'de> for Blocks<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects with metrics")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(block) = seq.next_element_seed(Block(self.0))? {
            self.0.blocks.push(block);
        }
        Ok(())
    }
}

/// One object of the array.
struct Block<'m, 'a>(&'m mut SentMetrics<'a>);

impl<'de> DeserializeSeed<'de> for Block<'_, 'de> {
    type Value = SentBlock<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Block<'_, 'de> {
    type Value = SentBlock<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with metrics")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut block = SentBlock::default();
        while let Some(key) = map.next_key_seed(Name)? {
            match &*key {
                "common" => block.common = Some(map.next_value_seed(Point(self.0))?),
                "metrics" => block.points = map.next_value_seed(Points(self.0))?,
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        Ok(block)
    }
}

/// The list of data points; `None` when it is no list.
struct Points<'m, 'a>(&'m mut SentMetrics<'a>);

impl<'de> DeserializeSeed<'de> for Points<'_, 'de> {
    type Value = Option<Range<usize>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(OrElse(self))
    }
}

impl<'de> Part<'de> for Points<'_, 'de> {
    type Value = Option<Range<usize>>;

    fn other(self, _: Sent<'de>) -> Self::Value {
        None
    }

    fn seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let begin = self.0.points.len();
        while let Some(point) = seq.next_element_seed(Point(self.0))? {
            self.0.points.push(point);
        }
        Ok(Some(begin..self.0.points.len()))
    }

    fn map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip(map).map(|()| None)
    }
}

/// A data point, or the common part.
struct Point<'m, 'a>(&'m mut SentMetrics<'a>);

impl<'de> DeserializeSeed<'de> for Point<'_, 'de> {
    type Value = SentPoint<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(OrElse(self))
    }
}

impl<'de> Part<'de> for Point<'_, 'de> {
    type Value = SentPoint<'de>;

    fn other(self, _: Sent<'de>) -> Self::Value {
        SentPoint { malformed: true, ..SentPoint::default() }
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut point = SentPoint::default();
        while let Some(key) = map.next_key_seed(Name)? {
            match &*key {
                "name" => point.name = Some(map.next_value_seed(AnyValue)?),
                "type" => point.kind = Some(map.next_value_seed(AnyValue)?),
                "timestamp" => point.timestamp = Some(map.next_value_seed(AnyValue)?),
                "interval.ms" => point.interval_ms = Some(map.next_value_seed(AnyValue)?),
                "value" => point.value = Some(map.next_value_seed(Value(PhantomData))?),
                "attributes" => match map.next_value_seed(AttributesOf(self.0))? {
                    Some(range) => point.attributes = range,
                    None => point.malformed = true,
                },
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        Ok(point)
    }
}

/// Attributes; `None` when they are no object.
struct AttributesOf<'m, 'a>(&'m mut SentMetrics<'a>);

impl<'de> DeserializeSeed<'de> for AttributesOf<'_, 'de> {
    type Value = Option<Range<usize>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(OrElse(self))
    }
}

impl<'de> Part<'de> for AttributesOf<'_, 'de> {
    type Value = Option<Range<usize>>;

    fn other(self, sent: Sent<'de>) -> Self::Value {
        (sent == Sent::Null).then_some(0..0)
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let begin = self.0.attributes.len();
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value_seed(AnyValue)?;
            self.0.attributes.push((name, value));
        }
        Ok(Some(begin..self.0.attributes.len()))
    }
}

/// A data point's value.
struct Value<'a>(PhantomData<&'a ()>);

impl<'de> DeserializeSeed<'de> for Value<'de> {
    type Value = SentValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(OrElse(self))
    }
}

impl<'de> Part<'de> for Value<'de> {
    type Value = SentValue<'de>;

    fn other(self, sent: Sent<'de>) -> Self::Value {
        SentValue::Plain(sent)
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(4);
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value_seed(AnyValue)?;
            fields.push((name, value));
        }
        Ok(SentValue::Fields(fields))
    }
}

/// Something that has a form, and that may come in another one.
trait Part<'de>: Sized {
    type Value;

    /// It is no object and no list of a form that means something.
    fn other(self, sent: Sent<'de>) -> Self::Value;

    fn seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(self.other(Sent::Nested))
    }

    fn map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error>;
}

fn skip<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Reads a [`Part`].
struct OrElse<P>(P);

impl<'de, P: Part<'de>> Visitor<'de> for OrElse<P> {
    type Value = P::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        AnyValue.visit_borrowed_str(text).map(|sent| self.0.other(sent))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        AnyValue.visit_str(text).map(|sent| self.0.other(sent))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        AnyValue.visit_f64(number).map(|sent| self.0.other(sent))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        AnyValue.visit_i64(number).map(|sent| self.0.other(sent))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        AnyValue.visit_u64(number).map(|sent| self.0.other(sent))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        AnyValue.visit_bool(value).map(|sent| self.0.other(sent))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(self.0.other(Sent::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        self.0.seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.map(map)
    }
}

/// What begins a text that was an odd number; no sender has reason to begin a text with it.
pub(super) const ODD_NUMBER: char = '\u{1}';

/// The text with `NaN`, `Infinity` and numbers beyond a double put into quotes, so that they cost
/// their data points and not the request; `None` when there is none of them.
pub(super) fn with_odd_numbers_quoted(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len() + 64);
    let (mut at, mut changed, mut in_text) = (0, false, false);
    while let Some(&byte) = json.get(at) {
        if in_text {
            let length = if byte == b'\\' { 2 } else { 1 };
            out.extend_from_slice(&json[at..(at + length).min(json.len())]);
            in_text = byte != b'"';
            at += length;
            continue;
        }
        let token = json[at..].iter().take_while(|b| is_of_number(**b)).count();
        if token == 0 {
            in_text = byte == b'"';
            out.push(byte);
            at += 1;
            continue;
        }
        let text = &json[at..at + token];
        let odd = is_odd(text);
        changed |= odd;
        if odd {
            out.extend_from_slice(br#""\u0001"#);
        }
        out.extend_from_slice(text);
        if odd {
            out.push(b'"');
        }
        at += token;
    }
    changed.then_some(out)
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn is_odd(token: &[u8]) -> bool {
    if matches!(token, b"NaN" | b"Infinity" | b"-Infinity" | b"+Infinity") {
        return true;
    }
    let number = token.first().is_some_and(|b| b.is_ascii_digit() || *b == b'-')
        && token.len() > 3
        && token.iter().skip(1).all(|b| b.is_ascii_digit() || b"+-.eE".contains(b));
    let parsed = number.then(|| std::str::from_utf8(token).ok()?.parse::<f64>().ok()).flatten();
    parsed.is_some_and(f64::is_infinite)
}
