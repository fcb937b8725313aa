//! Entity GUIDs: one function from an entity's key to its GUID, used by every room.
//!
//! The readable form is `account|INFRA|TYPE|identifier`; the wire form, which New Relic uses in
//! events and in NerdGraph, is the readable form in unpadded base64url. The identifier is the first
//! 32 lower-case hexadecimal digits of SHA-256 over the key's escaped parts joined by `:`.
//!
//! Invariants:
//! - `parse_readable(g.readable()) == g` and `parse_wire(g.wire()) == g`.
//! - Different keys of one kind hash different texts: `%`, `:` and `|` are escaped inside parts, so
//!   `a:b`+`c` and `a`+`b:c` differ, and an empty optional part keeps its place. Keys of different
//!   kinds may share an identifier (broker `1`, topic `1`); their GUIDs differ by type.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use super::account::AccountId;
use super::entity::{EntityKey, EntityKind};

/// Domain of all our entities.
pub const DOMAIN: &str = "INFRA";
/// Digits of an identifier that we make.
const IDENTIFIER_DIGITS: usize = 32;
/// Fewest and most digits of an identifier that we accept from elsewhere.
const FOREIGN_DIGITS: std::ops::RangeInclusive<usize> = 8..=64;
/// `9999999999|INFRA|MESSAGE_QUEUE_CONSUMER_GROUP|` and 64 digits.
const READABLE_BYTES_MAX: usize = 10 + 1 + 5 + 1 + 28 + 1 + 64;
const WIRE_BYTES_MAX: usize = READABLE_BYTES_MAX.div_ceil(3) * 4;

/// A GUID in parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityGuid {
    account: AccountId,
    kind: EntityKind,
    /// Two digits a byte, the unused ones zero.
    packed: [u8; 32],
    digits: u8,
}

/// Why a text is not one of our GUIDs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuidError {
    /// Not unpadded base64url of UTF-8 text.
    #[error("`{0}` is not base64url without padding")]
    NotBase64(String),
    /// Not four parts.
    #[error("`{0}` is not account|{DOMAIN}|TYPE|identifier")]
    Parts(String),
    /// First part.
    #[error("account `{0}` of a GUID is not one to ten digits")]
    Account(String),
    /// Second part.
    #[error("domain `{0}` of a GUID is not {DOMAIN}")]
    Domain(String),
    /// Third part.
    #[error("`{0}` is not one of the five MESSAGE_QUEUE_ types")]
    Type(String),
    /// Fourth part.
    #[error("identifier `{0}` is not 8 to 64 lower-case hexadecimal digits")]
    Identifier(String),
}

impl EntityGuid {
    /// The GUID of the entity with `key` in `account`.
    pub fn new(account: AccountId, key: &EntityKey) -> Self {
        let hash = Sha256::digest(material(key));
        let mut packed = [0; 32];
        let bytes = IDENTIFIER_DIGITS / 2;
        packed[..bytes].copy_from_slice(&hash[..bytes]);
        Self { account, kind: key.kind(), packed, digits: IDENTIFIER_DIGITS as u8 }
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The entity's kind.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// All of it as numbers, for tables that hash it: equal if and only if the GUIDs are.
    pub fn words(&self) -> [u64; 5] {
        // An account has ten decimal digits at most, so 34 bits.
        let head = self.account.get() << 16 | (self.kind as u64) << 8 | u64::from(self.digits);
        let mut words = [head, 0, 0, 0, 0];
        let (packed, _) = self.packed.as_chunks::<8>();
        for (word, bytes) in words[1..].iter_mut().zip(packed) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    /// The last part: 32 hexadecimal digits in every GUID made here.
    pub fn identifier(&self) -> String {
        let mut text = Vec::with_capacity(64);
        self.write_identifier(&mut text);
        ascii(text)
    }

    /// Appends [`EntityGuid::identifier`].
    pub fn write_identifier(&self, out: &mut Vec<u8>) {
        let mut buffer = [0; 64];
        out.extend_from_slice(self.hex(&mut buffer));
    }

    fn hex<'b>(&self, buffer: &'b mut [u8; 64]) -> &'b [u8] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        for (pair, byte) in buffer.chunks_exact_mut(2).zip(self.packed) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        &buffer[..usize::from(self.digits)]
    }

    /// `account|INFRA|TYPE|identifier`.
    pub fn readable(&self) -> String {
        ascii(self.readable_bytes().as_slice().to_vec())
    }

    fn readable_bytes(&self) -> Buffer<READABLE_BYTES_MAX> {
        let mut text = Buffer::new();
        text.push(decimal_digits(self.account.get(), &mut [0; 20]));
        text.push(b"|INFRA|");
        text.push(self.kind.type_name().as_bytes());
        text.push(b"|");
        text.push(self.hex(&mut [0; 64]));
        text
    }

    /// The form in events and in NerdGraph.
    pub fn wire(&self) -> String {
        let mut text = Vec::with_capacity(WIRE_BYTES_MAX);
        self.write_wire(&mut text);
        ascii(text)
    }

    /// Appends [`EntityGuid::wire`].
    pub fn write_wire(&self, out: &mut Vec<u8>) {
        let mut buffer = [0; WIRE_BYTES_MAX];
        let length = URL_SAFE_NO_PAD
            .encode_slice(self.readable_bytes().as_slice(), &mut buffer)
            .expect("the buffer holds the longest GUID");
        out.extend_from_slice(&buffer[..length]);
    }

    /// Reads [`EntityGuid::readable`].
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn parse_readable(text: &str) -> Result<Self, GuidError> {
        let mut parts = text.split('|');
        let (Some(account), Some(domain), Some(kind), Some(identifier), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(GuidError::Parts(text.to_owned()));
        };
        let account = account.parse().map_err(|_| GuidError::Account(account.to_owned()))?;
        if domain != DOMAIN {
            return Err(GuidError::Domain(domain.to_owned()));
        }
        let kind =
            EntityKind::from_type_name(kind).ok_or_else(|| GuidError::Type(kind.to_owned()))?;
        let invalid = || GuidError::Identifier(identifier.to_owned());
        if !FOREIGN_DIGITS.contains(&identifier.len()) {
            return Err(invalid());
        }
        let mut packed = [0; 32];
        for (place, digit) in identifier.bytes().enumerate() {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(invalid()),
            };
            packed[place / 2] |= if place % 2 == 0 { value << 4 } else { value };
        }
        Ok(Self { account, kind, packed, digits: identifier.len() as u8 })
    }

    /// Reads [`EntityGuid::wire`].
    ///
    /// # Errors
    /// Not base64url, or the first part that is wrong.
    pub fn parse_wire(text: &str) -> Result<Self, GuidError> {
        let not_base64 = || GuidError::NotBase64(text.to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| not_base64())?;
        let readable = String::from_utf8(bytes).map_err(|_| not_base64())?;
        Self::parse_readable(&readable)
    }
}

impl fmt::Display for EntityGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.readable())
    }
}

impl fmt::Debug for EntityGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntityGuid({self})")
    }
}

/// Bytes on the stack, at most `N`.
struct Buffer<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Buffer<N> {
    fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len();
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("digits, letters and | only")
}

fn decimal_digits(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}

/// The text that is hashed: escaped parts joined by `:`.
fn material(key: &EntityKey) -> SmallVec<[u8; 192]> {
    let mut text = SmallVec::new();
    escape(key.provider().as_str(), &mut text);
    let mut part = |value: &str| {
        text.push(b':');
        escape(value, &mut text);
    };
    part(key.cluster());
    match key {
        EntityKey::Cluster { .. } => {}
        EntityKey::Queue { vhost, queue, .. } => {
            part(vhost);
            part(queue);
        }
        EntityKey::Broker { .. } | EntityKey::Topic { .. } | EntityKey::Group { .. } => {
            part(key.name());
        }
    }
    text
}

fn escape(part: &str, out: &mut SmallVec<[u8; 192]>) {
    if !part.bytes().any(|byte| matches!(byte, b'%' | b':' | b'|')) {
        out.extend_from_slice(part.as_bytes());
        return;
    }
    for byte in part.bytes() {
        match byte {
            b'%' => out.extend_from_slice(b"%25"),
            b':' => out.extend_from_slice(b"%3A"),
            b'|' => out.extend_from_slice(b"%7C"),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod uniqueness;
