//! What bodies of all APIs have in common: decompression and values of JSON.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::envelope::Encoding;

/// A body that gives nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Not what its `Content-Encoding` says.
    #[error("not valid {0:?}")]
    Compression(Encoding),
    /// Longer than the guard allows once unpacked.
    #[error("longer than {0} bytes once unpacked")]
    Bomb(usize),
    /// Not JSON, or not of the form that the API asks for.
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
    // Events shrink to about an eighth; a bomb gets no more room than its own size justifies.
    let mut text = Vec::with_capacity(body.len().saturating_mul(8).min(bytes_max));
    let read = match encoding {
        Encoding::Identity => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => {
            flate2::bufread::MultiGzDecoder::new(&body[..]).take(limit).read_to_end(&mut text)
        }
        Encoding::Deflate => {
            flate2::bufread::ZlibDecoder::new(&body[..]).take(limit).read_to_end(&mut text)
        }
    };
    match read {
        Err(_) => Err(Unreadable::Compression(encoding)),
        Ok(_) if text.len() > bytes_max => Err(Unreadable::Bomb(bytes_max)),
        Ok(_) => Ok(Cow::Owned(text)),
    }
}

/// The first byte of the text that is no white space, looking no further than 4 KiB.
pub(super) fn first_byte(body: &Bytes, encoding: Encoding) -> Option<u8> {
    let start = body.slice(..body.len().min(8_192));
    let mut text = [0; 4_096];
    let mut decoder: Box<dyn Read + '_> = match encoding {
        Encoding::Identity => Box::new(&start[..]),
        Encoding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(&start[..])),
        Encoding::Deflate => Box::new(flate2::bufread::ZlibDecoder::new(&start[..])),
    };
    let mut filled = 0;
    while filled < text.len() {
        match decoder.read(&mut text[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => filled += more,
        }
    }
    text[..filled].iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// A value as sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sent<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    /// Beyond ±2⁵³.
    Integer(i64),
    /// An integer beyond 64 signed bits.
    Huge(f64),
    Bool(bool),
    Null,
    /// An array or an object.
    Nested,
}

/// Attributes as sent.
pub(super) type SentAttributes<'a> = [(Cow<'a, str>, Sent<'a>)];

/// Reads a name.
pub(super) struct Name;

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

/// Reads a value of any kind.
pub(super) struct AnyValue;

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
            Err(_) => Ok(Sent::Huge(number as f64)),
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

/// Takes out all but the last of attributes with one name: the last counts.
pub(super) fn last_counts<T: Copy>(cells: &mut Vec<(&str, T)>) {
    // Most events repeat no name: one pass over a coarse fingerprint tells.
    let mut seen = [0_u64; 8];
    let mut suspicious = false;
    for (name, _) in cells.iter() {
        let bytes = name.as_bytes();
        let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
        let sum = bytes.len() * 31
            + byte(bytes.len().wrapping_sub(1)) * 7
            + byte(bytes.len() / 2) * 3
            + byte(bytes.len().wrapping_sub(3));
        let (word, bit) = (sum / 64 % 8, 1 << (sum % 64));
        suspicious |= seen[word] & bit != 0;
        seen[word] |= bit;
    }
    if !suspicious {
        return;
    }
    let mut kept: indexmap::IndexMap<&str, T> = indexmap::IndexMap::with_capacity(cells.len());
    for (name, cell) in cells.iter() {
        kept.insert(name, *cell);
    }
    if kept.len() < cells.len() {
        *cells = kept.into_iter().collect();
    }
}
