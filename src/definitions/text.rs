//! Texts of numbers and texts without case, made without allocation where that is possible.

use std::fmt::Write as _;
use std::ops::Deref;

use smallvec::SmallVec;

use super::matching::Scalar;

/// The text of a number: the longest double has 327 characters.
pub(super) struct NumberText {
    bytes: [u8; 400],
    length: usize,
}

impl NumberText {
    pub(super) fn new(value: Scalar<'_>) -> Self {
        let mut text = Self { bytes: [0; 400], length: 0 };
        let written = match value {
            // `f64` prints whole numbers without a fraction: 5, not 5.0.
            Scalar::Number(number) => write!(text, "{number}"),
            Scalar::Integer(number) => write!(text, "{number}"),
            Scalar::Text(_) | Scalar::Bool(_) | Scalar::Metric => Ok(()),
        };
        debug_assert!(written.is_ok(), "a double has at most 327 characters");
        text
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl std::fmt::Write for NumberText {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let end = self.length + part.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A text without case.
pub(super) enum Folded<'a> {
    /// It had none.
    Same(&'a str),
    /// ASCII.
    Ascii(SmallVec<[u8; 96]>),
    /// Other letters.
    Other(String),
}

impl Deref for Folded<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Same(text) => text,
            Self::Ascii(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Self::Other(text) => text,
        }
    }
}

/// Lower case, letter by letter; the long s is an s, as regular expressions without case have it.
pub(super) fn fold(text: &str) -> Folded<'_> {
    if !text.is_ascii() {
        let lower = text.chars().flat_map(char::to_lowercase);
        return Folded::Other(lower.map(|c| if c == 'ſ' { 's' } else { c }).collect());
    }
    if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Folded::Same(text);
    }
    let mut bytes = SmallVec::from_slice(text.as_bytes());
    bytes.make_ascii_lowercase();
    Folded::Ascii(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_double_has_room() {
        for number in [f64::MAX, f64::MIN, 5e-324, -5e-324, f64::NAN, f64::INFINITY, 5.0, -0.0] {
            assert_eq!(NumberText::new(Scalar::Number(number)).as_str(), number.to_string());
        }
        assert_eq!(NumberText::new(Scalar::Integer(i64::MIN)).as_str(), i64::MIN.to_string());
    }

    #[test]
    fn case_goes() {
        for (text, expected) in
            [("", ""), ("abc/1", "abc/1"), ("AbC", "abc"), ("ÄſK\u{212A}", "äskk"), ("ẞ", "ß")]
        {
            assert_eq!(&*fold(text), expected, "{text}");
        }
    }
}
