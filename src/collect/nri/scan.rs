//! A JSON scanner for flat sample objects: strings borrowed from the text, numbers exact.
//!
//! Invariants:
//! - It takes RFC 8259 and nothing else; a fault names the byte at which it was found.
//! - A number's value is the one `str::parse::<f64>` gives; short ones take a faster way to it.
//! - Nothing nests deeper than [`DEPTH_MAX`]; skipping a value takes no stack.

use std::borrow::Cow;

/// Deepest nesting of arrays and objects in a skipped value.
pub(super) const DEPTH_MAX: usize = 64;

/// A value of a flat object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Bool(bool),
    Null,
    /// An array or object; skipped.
    Nested,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Syntax {
    /// The text ends within a value.
    #[error("the input ends where {expected} should be")]
    Truncated {
        /// What should follow.
        expected: &'static str,
    },
    /// Something else should stand here.
    #[error("`{}` where {expected} should be", .found.escape_default())]
    Unexpected {
        /// What stands there.
        found: char,
        /// What should.
        expected: &'static str,
    },
    /// A number that JSON does not have.
    #[error("not a number of JSON")]
    BadNumber,
    /// An escape that JSON does not have.
    #[error("not an escape of JSON")]
    BadEscape,
    /// A control character in a string.
    #[error("control character in a string; write it as an escape")]
    ControlCharacter,
    /// Too many levels.
    #[error("more than {DEPTH_MAX} levels of nesting")]
    TooDeep,
}

/// A fault and the byte it was found at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) syntax: Syntax,
    pub(super) offset: usize,
}

/// A place in a JSON text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

type Scanned<T> = Result<T, Fault>;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Byte offset of what comes next.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn seek(&mut self, offset: usize) {
        self.at = offset;
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[cold]
    fn fault<T>(&self, syntax: Syntax) -> Scanned<T> {
        Err(Fault { syntax, offset: self.at })
    }

    #[cold]
    fn unexpected<T>(&self, expected: &'static str) -> Scanned<T> {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => self.fault(Syntax::Unexpected { found, expected }),
            None => self.fault(Syntax::Truncated { expected }),
        }
    }

    /// The next byte that is not white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Takes `byte`, which must come next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8, expected: &'static str) -> Scanned<()> {
        if self.peek() != Some(byte) {
            return self.unexpected(expected);
        }
        self.at += 1;
        Ok(())
    }

    /// After an element: whether another one follows in a list that ends with `end`.
    #[inline]
    pub(super) fn more(&mut self, end: u8) -> Scanned<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ if end == b']' => self.unexpected("`,` or `]`"),
            _ => self.unexpected("`,` or `}`"),
        }
    }

    /// Reads an object; `member` reads the value of each key.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Scanned<()>,
    ) -> Scanned<()> {
        self.take(b'{', "`{`")?;
        if self.empty(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// After an opening bracket: whether the list that ends with `end` is empty.
    #[inline]
    pub(super) fn empty(&mut self, end: u8) -> bool {
        let empty = self.peek() == Some(end);
        self.at += usize::from(empty);
        empty
    }

    /// A name and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Scanned<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return self.unexpected("a name in quotes");
        }
        let key = self.string()?;
        self.take(b':', "`:`")?;
        Ok(key)
    }

    /// Takes a name and its colon if the name is `expected`, which is plain text without escapes.
    #[inline]
    pub(super) fn expected_key(&mut self, expected: &str) -> bool {
        let end = self.at + expected.len();
        let bytes = self.bytes();
        let found = bytes.get(self.at) == Some(&b'"')
            && bytes.get(end + 1..end + 3) == Some(b"\":")
            && bytes[self.at + 1..=end] == *expected.as_bytes();
        if found {
            self.at = end + 3;
        }
        found
    }

    /// A string; the opening quote comes next.
    #[inline]
    pub(super) fn string(&mut self) -> Scanned<Cow<'a, str>> {
        let from = self.at + 1;
        let end = self.plain_until(from);
        match self.bytes().get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Cow::Borrowed(&self.text[from..end]))
            }
            _ => self.string_with_escapes(from, end),
        }
    }

    /// The first byte from `from` that a string cannot hold as it is: `"`, `\` or a control.
    #[inline]
    fn plain_until(&self, from: usize) -> usize {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let bytes = self.bytes();
        let mut at = from;
        while let Some(chunk) = bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
            let quote = word ^ (ONES * b'"' as u64);
            let slash = word ^ (ONES * b'\\' as u64);
            let special = (quote.wrapping_sub(ONES) & !quote)
                | (slash.wrapping_sub(ONES) & !slash)
                | (word.wrapping_sub(ONES * 0x20) & !word);
            // Only the lowest set bit is sure; a borrow may set ones above it.
            if special & HIGH != 0 {
                return at + ((special & HIGH).trailing_zeros() / 8) as usize;
            }
            at += 8;
        }
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        at + bytes[at..].iter().position(special).unwrap_or(bytes.len() - at)
    }

    #[cold]
    fn string_with_escapes(&mut self, from: usize, end: usize) -> Scanned<Cow<'a, str>> {
        let mut text = self.text[from..end].to_owned();
        self.at = end;
        loop {
            match self.bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.fault(Syntax::ControlCharacter),
                None => return self.fault(Syntax::Truncated { expected: "the end of a string" }),
            }
            let plain = self.plain_until(self.at);
            text.push_str(&self.text[self.at..plain]);
            self.at = plain;
        }
    }

    /// One escape; its backslash comes next.
    fn escape(&mut self) -> Scanned<char> {
        let Some(&byte) = self.bytes().get(self.at + 1) else {
            return self.fault(Syntax::Truncated { expected: "the end of a string" });
        };
        let plain = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.fault(Syntax::BadEscape),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\uXXXX`, or two of them for a character beyond the basic plane.
    fn unicode(&mut self) -> Scanned<char> {
        let start = self.at;
        let high = self.hex()?;
        let code = match high {
            0xd800..=0xdbff => {
                if self.bytes().get(self.at..self.at + 2) != Some(b"\\u") {
                    self.at = start;
                    return self.fault(Syntax::BadEscape);
                }
                let low = self.hex()?;
                if !(0xdc00..=0xdfff).contains(&low) {
                    self.at = start;
                    return self.fault(Syntax::BadEscape);
                }
                0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
            }
            _ => high,
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => {
                self.at = start;
                self.fault(Syntax::BadEscape)
            }
        }
    }

    /// The four digits of `\uXXXX`.
    fn hex(&mut self) -> Scanned<u32> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                self.at += 6;
                Ok(code)
            }
            None => self.fault(Syntax::BadEscape),
        }
    }

    /// Any value; arrays and objects are skipped.
    #[inline]
    pub(super) fn value(&mut self) -> Scanned<Scalar<'a>> {
        match self.peek() {
            Some(b'"') => Ok(Scalar::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Scalar::Number(self.number()?)),
            Some(b'{' | b'[') => {
                self.skip()?;
                Ok(Scalar::Nested)
            }
            Some(b't') => self.word("true", Scalar::Bool(true)),
            Some(b'f') => self.word("false", Scalar::Bool(false)),
            Some(b'n') => self.word("null", Scalar::Null),
            _ => self.unexpected("a value"),
        }
    }

    fn word(&mut self, word: &'static str, value: Scalar<'a>) -> Scanned<Scalar<'a>> {
        let rest = &self.bytes()[self.at..];
        let known = rest.iter().zip(word.as_bytes()).take_while(|(a, b)| a == b).count();
        if known < word.len() {
            self.at += known;
            return self.unexpected(word);
        }
        self.at += word.len();
        Ok(value)
    }

    /// A number; its sign or first digit comes next.
    #[inline]
    pub(super) fn number(&mut self) -> Scanned<f64> {
        /// Powers of ten that a double holds exactly.
        const POWERS: [f64; 23] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
        ];
        let bytes = self.bytes();
        let start = self.at;
        let negative = bytes[start] == b'-';
        let mut at = start + usize::from(negative);
        let first = at;
        let mut mantissa = 0_u64;
        at = digits(bytes, at, &mut mantissa);
        let whole = at - first;
        if whole == 0 || (whole > 1 && bytes[first] == b'0') {
            self.at = if whole == 0 { at } else { first };
            return self.bad_number();
        }
        let mut scale = 0_i64;
        if bytes.get(at) == Some(&b'.') {
            let point = at;
            at = digits(bytes, at + 1, &mut mantissa);
            scale = -((at - point - 1) as i64);
            if scale == 0 {
                self.at = at;
                return self.bad_number();
            }
        }
        let significant = whole as i64 - scale;
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            let minus = bytes.get(at) == Some(&b'-');
            at += usize::from(matches!(bytes.get(at), Some(b'-' | b'+')));
            let from = at;
            let mut exponent = 0;
            at = digits(bytes, at, &mut exponent);
            if at == from {
                self.at = at;
                return self.bad_number();
            }
            // More digits than this overflow; `parse` below knows what to do with them.
            let exponent = if at - from > 4 { 9_999 } else { exponent as i64 };
            scale += if minus { -exponent } else { exponent };
        }
        self.at = at;
        // Nineteen digits fit in 64 bits; a mantissa below 2^53 and a power of ten up to 22 are
        // exact, and one operation on exact values rounds once, as `parse` does.
        let magnitude = if significant <= 19 && mantissa <= 1 << 53 && scale.abs() <= 22 {
            let power = POWERS[scale.unsigned_abs() as usize];
            if scale < 0 { mantissa as f64 / power } else { mantissa as f64 * power }
        } else {
            return match self.text[start..at].parse() {
                Ok(number) => Ok(number),
                Err(_) => self.bad_number(),
            };
        };
        Ok(if negative { -magnitude } else { magnitude })
    }

    #[cold]
    fn bad_number(&self) -> Scanned<f64> {
        match self.bytes().get(self.at) {
            None => self.fault(Syntax::Truncated { expected: "a digit" }),
            Some(_) => self.fault(Syntax::BadNumber),
        }
    }

    /// Skips a value, checking it.
    pub(super) fn skip(&mut self) -> Scanned<()> {
        // One bit a level: whether it is an object.
        let mut objects = 0_u64;
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return self.fault(Syntax::TooDeep);
                    }
                    let object = open == b'{';
                    self.at += 1;
                    if !self.empty(if object { b'}' } else { b']' }) {
                        depth += 1;
                        objects = objects << 1 | u64::from(object);
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.value()?;
                }
            }
            // A value ended; so may the lists that hold it.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                if self.more(if object { b'}' } else { b']' })? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }
}

/// Reads digits from `at` on into `number` (which may wrap); returns where they end.
#[inline]
fn digits(bytes: &[u8], mut at: usize, number: &mut u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let digits = word.wrapping_sub(ONES * 0x30);
        // A byte below `0` borrows into its high bit, one above `9` carries into it.
        if (word.wrapping_add(ONES * 0x46) | digits) & (ONES * 0x80) != 0 {
            break;
        }
        // Pairs, then fours, then all eight, each by one multiplication.
        let pairs = digits.wrapping_mul(10) + (digits >> 8);
        let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
        let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
        let eight = low.wrapping_add(high) >> 32;
        *number = number.wrapping_mul(100_000_000).wrapping_add(eight);
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn number(text: &str) -> Result<f64, Fault> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        match (value, scanner.peek()) {
            (Scalar::Number(number), None) => Ok(number),
            _ => scanner.unexpected("the end"),
        }
    }

    #[test]
    fn numbers() {
        let good = [
            "0",
            "-0",
            "5",
            "1.5",
            "-1.25e3",
            "1e22",
            "1e23",
            "9007199254740993",
            "0.1",
            "1E+2",
            "123456789012345678901234567890",
            "5e-324",
            "1e400",
            "1e-400",
            "2.2250738585072011e-308",
            "0.000000000000000000000000000000001",
            "1e99999999999999999999",
            "0.30000000000000004",
            "7205759403792793200001e-5",
            "1.7976931348623157e308",
            "18446744073709551616",
        ];
        for text in good {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text).unwrap().to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["01", "-", "1.", ".5", "+1", "1e", "1e+", "--1", "0x1", "1.e5", "-a", "1 2"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn strings() {
        let good = [
            (r#""""#, ""),
            (r#""plain text of more than eight bytes""#, "plain text of more than eight bytes"),
            (r#""a\"b\\c\/d\b\f\n\r\t""#, "a\"b\\c/d\u{8}\u{c}\n\r\t"),
            (r#""\u00e9\ud83d\ude00é😀""#, "é😀é😀"),
        ];
        for (text, expected) in good {
            let value = Scanner::new(text).value();
            assert_eq!(value, Ok(Scalar::Text(expected.into())), "{text}");
        }
        let bad = [
            (r#""open"#, 5),
            (r#""a\"#, 2),
            (r#""a\x""#, 2),
            (r#""\ud83d""#, 1),
            (r#""\ud83d\u0041""#, 1),
            (r#""\ude00""#, 1),
            (r#""\u12g4""#, 1),
            ("\"a\nb\"", 2),
            ("\"12345678\u{1}\"", 9),
        ];
        for (text, offset) in bad {
            let fault = Scanner::new(text).value().unwrap_err();
            assert_eq!(fault.offset, offset, "{text}: {fault:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(Scanner::new(&nested(DEPTH_MAX)).skip(), Ok(()));
        let deep = nested(DEPTH_MAX + 2);
        assert_eq!(Scanner::new(&deep).skip().unwrap_err().syntax, Syntax::TooDeep);
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_std(
            sign in "-?",
            whole in "0|[1-9][0-9]{0,20}",
            fraction in "(\\.[0-9]{1,20})?",
            exponent in "([eE][+-]?[0-9]{1,3})?",
        ) {
            let text = format!("{sign}{whole}{fraction}{exponent}");
            let expected: f64 = text.parse().unwrap();
            prop_assert_eq!(number(&text).unwrap().to_bits(), expected.to_bits(), "{}", text);
        }

        #[test]
        fn printed_doubles_are_those_of_std(value in any::<f64>()) {
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}")] {
                prop_assert_eq!(number(&text).unwrap().to_bits(), value.to_bits(), "{}", text);
            }
        }

        /// It skips exactly what serde_json takes.
        #[test]
        fn skipping_agrees_with_serde_json(
            text in "[\\[\\]{}:,\"a1 .-]{0,24}|\\[(1,|\"a\",|\\{\"k\":\\[\\]\\},|null,|true,){0,4}0\\]",
        ) {
            let mut scanner = Scanner::new(&text);
            let ours = scanner.skip().is_ok() && scanner.peek().is_none();
            prop_assert_eq!(ours, serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }

        #[test]
        fn strings_agree_with_serde_json(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Scanner::new(&json).value(), Ok(Scalar::Text(text.into())));
        }
    }
}
