//! Which items a step looks at: patterns over their attributes.

use std::fmt;

use regex::Regex;

use super::item::Item;

/// A regular expression that must match a whole text.
#[derive(Clone)]
pub struct Pattern(Regex);

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no regular expression: {reason}")]
pub struct BadPattern {
    /// The text.
    pub text: String,
    /// What is wrong, in one line.
    pub reason: String,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl Pattern {
    /// The pattern that `text` says.
    ///
    /// # Errors
    /// [`BadPattern`] says why it is none.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        // Anchored, as Prometheus' relabelling does: a part that matches is no match.
        let whole = format!("^(?s:{text})$");
        Regex::new(text).and_then(|_| Regex::new(&whole)).map(Self).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim();
            let reason = reason.trim_start_matches("error: ").to_owned();
            BadPattern { text: text.to_owned(), reason }
        })
    }

    /// Whether it matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// `template` with `$1`, `${name}` and so on filled from `text`; `None` if it does not match.
    pub fn fill(&self, text: &str, template: &str) -> Option<String> {
        let captures = self.0.captures(text)?;
        let mut filled = String::new();
        captures.expand(template, &mut filled);
        Some(filled)
    }
}

/// Patterns that must all match.
#[derive(Debug, Clone, Default)]
pub struct Condition(Vec<(String, Pattern)>);

impl Condition {
    /// The condition that every name's text matches its pattern; `kind` and `source` are the
    /// item's own. A name without a text counts as empty.
    pub fn new(patterns: Vec<(String, Pattern)>) -> Self {
        Self(patterns)
    }

    /// Whether all patterns match `item`.
    pub fn holds(&self, item: &dyn Item) -> bool {
        self.0.iter().all(|(name, pattern)| match name.as_str() {
            "kind" => pattern.matches(item.kind()),
            "source" => pattern.matches(item.source()),
            name => pattern.matches(&item.text_of(name).unwrap_or_default()),
        })
    }
}
