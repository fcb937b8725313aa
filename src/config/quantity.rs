//! Values that a file or the command line holds as text: durations, sizes, endpoints.
//!
//! Invariants: durations are read in one way everywhere; parsing is exact (no floats), and what
//! [`std::fmt::Display`] prints parses to the same value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::units::whole_millis;
use crate::ports::{Endpoint, InvalidEndpoint};
use crate::resilience::breaker::Window;

/// A text that is not a number with a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// Neither a number nor a unit that we know.
    #[error("`{text}` is not {what}: write {form}")]
    Form {
        /// What was written.
        text: String,
        /// `a duration` or `a size`.
        what: &'static str,
        /// What is one, with an example.
        form: &'static str,
    },
    /// The number has no unit.
    #[error("`{text}` has no unit: write {example}")]
    NoUnit {
        /// What was written.
        text: String,
        /// The same with a unit.
        example: String,
    },
    /// It does not fit.
    #[error("`{0}` is too large")]
    TooLarge(String),
    /// A duration below what is told apart.
    #[error("`{0}` is finer than 1ms: write whole milliseconds")]
    TooFine(String),
}

/// Number and unit of a size.
fn parse_size(text: &str) -> Result<u64, InvalidQuantity> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let form = || InvalidQuantity::Form {
        text: text.to_owned(),
        what: "a size",
        form: "a whole number and a unit, such as 1MiB",
    };
    if number.is_empty() {
        return Err(form());
    }
    if unit.trim_start().is_empty() {
        let example = format!("{number}MiB");
        return Err(InvalidQuantity::NoUnit { text: text.to_owned(), example });
    }
    let too_large = || InvalidQuantity::TooLarge(text.to_owned());
    let unit = unit.trim_start();
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(form)?;
    let number: u64 = number.parse().map_err(|_| too_large())?;
    number.checked_mul(*factor).ok_or_else(too_large)
}

const DURATION_FORM: &str = "numbers with units (ms, s, min, h, d), such as 15s, 1.5h or 1min30s";

/// Milliseconds of one or more numbers with units, each unit below the one before.
fn parse_duration(text: &str) -> Result<u64, InvalidQuantity> {
    let (what, form) = ("a duration", DURATION_FORM);
    let no_form = || InvalidQuantity::Form { text: text.to_owned(), what, form };
    let (mut rest, mut sum, mut below) = (text, 0_u64, u64::MAX);
    loop {
        let numeric = |c: char| c.is_ascii_digit() || c == '.';
        let (number, after) = rest.split_at(rest.find(|c| !numeric(c)).unwrap_or(rest.len()));
        let after = after.trim_start();
        if number.is_empty() {
            return Err(no_form());
        }
        if after.is_empty() {
            let example = format!("{text}s");
            let lone = rest == text && !number.contains('.');
            let no_unit = InvalidQuantity::NoUnit { text: text.to_owned(), example };
            return Err(if lone { no_unit } else { no_form() });
        }
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor = duration_unit(unit).filter(|factor| *factor < below).ok_or_else(no_form)?;
        let part = match parse_decimal(number, factor) {
            Decimal::Whole(part) => part,
            Decimal::NoNumber => return Err(no_form()),
            Decimal::TooFine => return Err(InvalidQuantity::TooFine(text.to_owned())),
            Decimal::TooLarge => return Err(InvalidQuantity::TooLarge(text.to_owned())),
        };
        let too_large = || InvalidQuantity::TooLarge(text.to_owned());
        sum = sum.checked_add(part).ok_or_else(too_large)?;
        (rest, below) = (after.trim_start(), factor);
        if rest.is_empty() {
            return Ok(sum);
        }
    }
}

/// Milliseconds of a unit; `m` is the minute of those who write `10m30s`.
fn duration_unit(unit: &str) -> Option<u64> {
    let unit = if unit == "m" { "min" } else { unit };
    DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// A decimal number times a whole one.
enum Decimal {
    Whole(u64),
    NoNumber,
    TooFine,
    TooLarge,
}

/// `number`, such as `1.5`, times `factor`.
fn parse_decimal(number: &str, factor: u64) -> Decimal {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Decimal::NoNumber;
    }
    let Some(whole) = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(factor)) else {
        return Decimal::TooLarge;
    };
    let part = part.trim_end_matches('0');
    // A day has 86,400,000 ms: no more places than nine can be whole.
    let Some(scale) = u32::try_from(part.len()).ok().filter(|places| *places <= 9) else {
        return Decimal::TooFine;
    };
    let scale = 10_u64.pow(scale);
    let scaled = part.parse::<u64>().unwrap_or(0) * factor;
    if !scaled.is_multiple_of(scale) {
        return Decimal::TooFine;
    }
    whole.checked_add(scaled / scale).map_or(Decimal::TooLarge, Decimal::Whole)
}

/// `B, kB, KiB`
fn names_of(units: &[(&str, u64)]) -> String {
    units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// `value` in its largest whole unit.
fn write_units(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let whole = units.iter().rev().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    let (name, factor) = whole.or_else(|| units.first()).copied().unwrap_or(("", 1));
    write!(f, "{}{name}", value / factor)
}

/// A duration with a resolution of 1 ms, written `"500ms"`, `"15s"`, `"5min"` (or `"5m"`), `"1h"`,
/// `"2d"`, `"1.5s"` or `"1min30s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DurationText(pub Duration);

const DURATION_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl DurationText {
    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// `seconds` seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Every unit that it may be written in.
    pub fn unit_names() -> String {
        names_of(DURATION_UNITS)
    }

    /// In milliseconds.
    pub fn as_millis(self) -> u64 {
        whole_millis(self.0)
    }
}

impl FromStr for DurationText {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_duration(text).map(Self::from_millis)
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_units(f, self.as_millis(), DURATION_UNITS)
    }
}

/// A number of bytes, written `"512B"`, `"64KiB"`, `"1MiB"`, `"2GiB"` or decimal `"1MB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SizeText(pub u64);

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

impl SizeText {
    /// Every unit that it may be written in.
    pub fn unit_names() -> String {
        names_of(SIZE_UNITS)
    }

    /// In bytes, for use as a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for SizeText {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_size(text).map(Self)
    }
}

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_units(f, self.0, SIZE_UNITS)
    }
}

/// An endpoint, written `"host:port"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointText(pub Endpoint);

impl FromStr for EndpointText {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for EndpointText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a breaker remembers, written `"none"` (all since it closed), `"100 calls"` or `"60s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowText(pub Window);

impl FromStr for WindowText {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, form) = ("a breaker's window", "`none`, 100 calls or 60s");
        let form = || InvalidQuantity::Form { text: text.to_owned(), what, form };
        if text == "none" {
            return Ok(Self(Window::None));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if ["calls", "call"].contains(&unit.trim_start()) && !number.is_empty() {
            let calls = number.parse().map_err(|_| InvalidQuantity::TooLarge(text.to_owned()))?;
            return Ok(Self(Window::Count(calls)));
        }
        match text.parse::<DurationText>() {
            Ok(duration) => Ok(Self(Window::Time(duration.0))),
            Err(InvalidQuantity::Form { .. }) => Err(form()),
            Err(other) => Err(other),
        }
    }
}

impl fmt::Display for WindowText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Window::None => f.write_str("none"),
            Window::Count(calls) => write!(f, "{calls} calls"),
            Window::Time(duration) => DurationText(duration).fmt(f),
        }
    }
}

/// Serde and schema of a type that is written as a text of one format.
macro_rules! text_format {
    ($type:ty, $name:literal, $format:literal, $examples:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format, "examples": $examples })
            }
        }
    };
}

text_format!(DurationText, "Duration", "duration", ["15s", "500ms", "5min", "1h"]);
text_format!(SizeText, "Size", "size", ["1MiB", "64KiB", "512B"]);
text_format!(WindowText, "Window", "window", ["60s", "100 calls", "none"]);
text_format!(EndpointText, "Endpoint", "endpoint", ["kafka-1.example.com:9092"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases: &[(&str, Result<u64, &str>)] = &[
            ("500ms", Ok(500)),
            ("15s", Ok(15_000)),
            ("15 s", Ok(15_000)),
            ("5min", Ok(300_000)),
            ("1h", Ok(3_600_000)),
            ("2d", Ok(172_800_000)),
            ("0ms", Ok(0)),
            ("15", Err("`15` has no unit: write 15s")),
            ("5m", Ok(300_000)),
            ("10m30s", Ok(630_000)),
            ("1h 2min 3s 4ms", Ok(3_723_004)),
            ("51.5s", Ok(51_500)),
            ("1.25h", Ok(4_500_000)),
            ("0.000000125d", Err("`0.000000125d` is finer than 1ms: write whole milliseconds")),
            ("0.5ms", Err("`0.5ms` is finer than 1ms: write whole milliseconds")),
            ("1.0000000000s", Ok(1_000)),
            ("s", Err("s")),
            ("", Err("")),
            ("-1s", Err("-1s")),
            ("1.5", Err("1.5")),
            ("1.s", Err("1.s")),
            (".5s", Err(".5s")),
            ("1.2.3s", Err("1.2.3s")),
            ("15sec", Err("15sec")),
            ("30s10m", Err("30s10m")),
            ("10m30", Err("10m30")),
            ("1s1s", Err("1s1s")),
            ("18446744073709551615ms1d", Err("18446744073709551615ms1d")),
            ("18446744073709551s999ms", Err("`18446744073709551s999ms` is too large")),
            ("99999999999999999999s", Err("`99999999999999999999s` is too large")),
            ("9999999999999999999d", Err("`9999999999999999999d` is too large")),
        ];
        for (text, expected) in cases {
            let actual = text.parse::<DurationText>().map(DurationText::as_millis);
            // Of a wrong form the case has the text alone.
            let expected = expected.map_err(|error| match error == *text {
                true => format!("`{text}` is not a duration: write {DURATION_FORM}"),
                false => error.to_owned(),
            });
            assert_eq!(actual.map_err(|e| e.to_string()), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [("512B", 512), ("64KiB", 65_536), ("1MiB", 1_048_576), ("1MB", 1_000_000)];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(SizeText(expected)), "{text}");
        }
        assert!("1mb".parse::<SizeText>().is_err());
    }

    #[test]
    fn windows() {
        let cases: &[(&str, Result<Window, &str>)] = &[
            ("none", Ok(Window::None)),
            ("100 calls", Ok(Window::Count(100))),
            ("1call", Ok(Window::Count(1))),
            ("0 calls", Ok(Window::Count(0))),
            ("60s", Ok(Window::Time(Duration::from_secs(60)))),
            ("60", Err("`60` has no unit: write 60s")),
            ("4294967296 calls", Err("`4294967296 calls` is too large")),
            ("calls", Err("`calls` is not a breaker's window: write `none`, 100 calls or 60s")),
        ];
        for (text, expected) in cases {
            let actual = text.parse::<WindowText>().map(|window| window.0);
            assert_eq!(
                actual.map_err(|e| e.to_string()),
                expected.map_err(str::to_owned),
                "{text}"
            );
            if let Ok(window) = expected {
                assert_eq!(WindowText(*window).to_string().parse(), Ok(WindowText(*window)));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(millis in 0_u64..=u64::MAX / 2) {
            let duration = DurationText::from_millis(millis);
            proptest::prop_assert_eq!(duration.to_string().parse(), Ok(duration));
            let size = SizeText(millis);
            proptest::prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
