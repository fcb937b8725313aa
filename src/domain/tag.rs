//! Tags: labels that users put on every entity.
//!
//! Invariants:
//! - A tag's key can be an event attribute `tags.<key>`: letters, digits, `:`, `.` and `_` only,
//!   whatever New Relic's own tagging API would take.
//! - Keys are unique; [`Tags`] iterates in key order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::str::FromStr;

use super::data_source::DataSource;

/// Characters of a tag's key.
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value.
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Tags of one entity.
pub const TAGS_MAX: usize = 100;

/// A tag's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagKey(String);

/// A tag's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagValue(String);

/// Why a tag is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// No key.
    #[error("a tag's key is not empty")]
    EmptyKey,
    /// A key that no event attribute may have.
    #[error("tag `{key}` has `{character}`; a key takes letters, digits, `:`, `.` and `_`")]
    KeyCharacter {
        /// The key.
        key: String,
        /// Its first bad character.
        character: char,
    },
    /// A key that is too long.
    #[error("tag `{0}` has a key longer than {TAG_KEY_CHARS_MAX} characters")]
    KeyTooLong(String),
    /// A key that marks where figures come from.
    #[error("tag `{0}` is set by the pipeline itself, on what no fleet said")]
    Reserved(String),
    /// No value.
    #[error("a tag's value is not empty; leave the tag out instead")]
    EmptyValue,
    /// A value that is too long.
    #[error("tag value `{0}…` is longer than {TAG_VALUE_CHARS_MAX} characters")]
    ValueTooLong(String),
    /// The key is there already.
    #[error("tag `{0}` is given twice")]
    Twice(String),
    /// More tags than an entity may have.
    #[error("tag `{0}` is one more than the {TAGS_MAX} that an entity may have")]
    TooMany(String),
}

impl TagKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TagKey {
    type Err = TagError;

    fn from_str(key: &str) -> Result<Self, TagError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_');
        if key.is_empty() {
            return Err(TagError::EmptyKey);
        }
        if let Some(character) = key.chars().find(|c| !allowed(*c)) {
            return Err(TagError::KeyCharacter { key: key.to_owned(), character });
        }
        if key.len() > TAG_KEY_CHARS_MAX {
            return Err(TagError::KeyTooLong(key.to_owned()));
        }
        Ok(Self(key.to_owned()))
    }
}

impl TagValue {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TagValue {
    type Err = TagError;

    fn from_str(value: &str) -> Result<Self, TagError> {
        if value.is_empty() {
            return Err(TagError::EmptyValue);
        }
        if value.chars().count() > TAG_VALUE_CHARS_MAX {
            return Err(TagError::ValueTooLong(value.chars().take(24).collect()));
        }
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Display for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tags with unique keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(BTreeMap<TagKey, TagValue>);

impl Tags {
    /// Adds a tag.
    ///
    /// # Errors
    /// Bad, reserved or repeated key, bad value, or too many tags.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), TagError> {
        let count = self.0.len();
        let (key, value) = (key.parse::<TagKey>()?, value.parse()?);
        let markers = DataSource::ALL.into_iter().flat_map(DataSource::marker_tags);
        if markers.into_iter().any(|(marker, _)| *marker == key.as_str()) {
            return Err(TagError::Reserved(key.0));
        }
        match self.0.entry(key) {
            Entry::Occupied(entry) => Err(TagError::Twice(entry.key().to_string())),
            Entry::Vacant(entry) if count >= TAGS_MAX => {
                Err(TagError::TooMany(entry.key().to_string()))
            }
            Entry::Vacant(entry) => {
                entry.insert(value);
                Ok(())
            }
        }
    }

    /// A tag's value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Number of tags.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_tags() {
        let long_key = "k".repeat(TAG_KEY_CHARS_MAX + 1);
        let long_value = "é".repeat(TAG_VALUE_CHARS_MAX + 1);
        let fits = "é".repeat(TAG_VALUE_CHARS_MAX);
        let cases = [
            ("team", "payments", None),
            ("a.b:c_1", "x y|z", None),
            ("team", fits.as_str(), None),
            ("", "x", Some("key is not empty")),
            ("cost-center", "x", Some("has `-`")),
            ("é", "x", Some("has `é`")),
            (long_key.as_str(), "x", Some("longer than 128")),
            ("team", "", Some("value is not empty")),
            ("team", long_value.as_str(), Some("longer than 256")),
            ("simulated", "false", Some("set by the pipeline itself")),
            ("hybridMode", "x", Some("set by the pipeline itself")),
        ];
        for (key, value, expected) in cases {
            let result = Tags::default().insert(key, value);
            match expected {
                None => assert_eq!(result, Ok(()), "{key}={value}"),
                Some(text) => {
                    let message = result.unwrap_err().to_string();
                    assert!(message.contains(text), "{key}={value}: {message}");
                }
            }
        }
    }

    #[test]
    fn sets_of_tags() {
        let mut tags = Tags::default();
        for number in 0..TAGS_MAX {
            tags.insert(&format!("k{number}"), "v").unwrap();
        }
        assert_eq!(tags.insert("k7", "w"), Err(TagError::Twice("k7".into())));
        assert_eq!(tags.insert("more", "w"), Err(TagError::TooMany("more".into())));
        assert_eq!((tags.len(), tags.get("k7"), tags.get("more")), (100, Some("v"), None));
        assert!(tags.iter().is_sorted());
    }
}
