//! API keys: their kinds, and how they are kept out of sight.
//!
//! Source: New Relic API keys. User keys are `NRAK-` and 27 characters; license (ingest) keys are
//! 40 characters that end in `NRAL` (EU keys begin `eu01xx`); old insert keys begin `NRII-`.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::limits::API_KEY_PREFIX_CHARS;

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// License or insert key: Event, Metric, Log API.
    Ingest,
    /// User key: NerdGraph. Ingest refuses it with 403.
    User,
}

/// A key; its text leaves only through [`ApiKey::expose`].
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// A text that cannot be a key. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Nothing there.
    #[error("the key is empty: set NEW_RELIC_LICENSE_KEY")]
    Empty,
    /// A header cannot carry it.
    #[error("the key holds a character that no key has (character {0}): copy it again")]
    Character(usize),
    /// A user key where an ingest key is needed.
    #[error("this is a user key (NRAK-…): ingest needs a license key (…NRAL)")]
    UserKey,
}

impl ApiKey {
    /// A key of visible ASCII characters.
    ///
    /// # Errors
    /// [`InvalidKey::Empty`], [`InvalidKey::Character`] (1-based).
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        if text.is_empty() {
            return Err(InvalidKey::Empty);
        }
        match text.chars().position(|c| !c.is_ascii_graphic()) {
            Some(index) => Err(InvalidKey::Character(index + 1)),
            None => Ok(Self(SecretString::from(text))),
        }
    }

    /// A key that ingest may accept.
    ///
    /// # Errors
    /// As [`ApiKey::new`], and [`InvalidKey::UserKey`].
    pub fn ingest(text: &str) -> Result<Self, InvalidKey> {
        let key = Self::new(text)?;
        match key.kind() {
            KeyKind::Ingest => Ok(key),
            KeyKind::User => Err(InvalidKey::UserKey),
        }
    }

    /// What it opens, judged by its prefix.
    pub fn kind(&self) -> KeyKind {
        if self.expose().starts_with("NRAK-") { KeyKind::User } else { KeyKind::Ingest }
    }

    /// The first six characters, as New Relic shows them.
    pub fn prefix(&self) -> &str {
        let text = self.expose();
        &text[..text.len().min(API_KEY_PREFIX_CHARS)]
    }

    /// The key itself, for a request's header.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_classified_and_never_printed() {
        let license = "0123456789abcdef0123456789abcdef0123NRAL";
        let check = |text: &str, expected: Result<KeyKind, InvalidKey>| {
            assert_eq!(ApiKey::new(text).map(|key| key.kind()), expected, "{text}");
        };
        check(license, Ok(KeyKind::Ingest));
        check("NRII-abcdefghijklmnopqrstuvwxyz012345", Ok(KeyKind::Ingest));
        check("NRAK-ABCDEFGHIJKLMNOPQRSTUVWXYZ0", Ok(KeyKind::User));
        check("", Err(InvalidKey::Empty));
        check("ab\ncd", Err(InvalidKey::Character(3)));
        check("schlüssel", Err(InvalidKey::Character(5)));
        assert_eq!(ApiKey::ingest("NRAK-A").err(), Some(InvalidKey::UserKey));

        let key = ApiKey::ingest(license).expect("valid");
        assert_eq!(key.prefix(), "012345");
        assert_eq!(format!("{key:?}"), "ApiKey(012345…)");
        assert_eq!(ApiKey::new("ab").expect("valid").prefix(), "ab");
    }
}
