//! Instants of a run as the command line has them: a time or an event.

use std::str::FromStr;
use std::time::Duration;

use crate::config::quantity::DurationText;
use crate::sim::time::SimTime;
use crate::sim::trace::EventId;

/// An instant of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    /// `90s`, `51.5s`, `2min`, or `01:30.250` as reports print it.
    Time(SimTime),
    /// `#317`.
    Event(EventId),
}

/// A text that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no instant: write a time (90s, 51.5s, 2min, 01:30.250) or an event (#317)")]
pub struct InvalidInstant(String);

impl FromStr for Instant {
    type Err = InvalidInstant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidInstant(text.to_owned());
        if let Some(id) = text.strip_prefix('#') {
            let id = id.parse().ok().filter(|id| *id > 0 && !id_has_sign(text));
            return id.map(|id| Self::Event(EventId(id))).ok_or_else(invalid);
        }
        let time = match text.split_once(':') {
            Some((minutes, seconds)) => clock(minutes, seconds).ok_or_else(invalid)?,
            None => length(text).ok_or_else(invalid)?,
        };
        Ok(Self::Time(SimTime::from(time)))
    }
}

/// `90s` or, where a file has whole numbers only, `51.5s`: a number and a unit.
fn length(text: &str) -> Option<Duration> {
    let Some((whole, rest)) = text.split_once('.') else {
        return text.parse::<DurationText>().ok().map(|length| length.0);
    };
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let places = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (part, unit) = rest.split_at(places);
    if whole.is_empty() || !whole.as_bytes().iter().all(is_digit) || part.is_empty() {
        return None;
    }
    let one = format!("1{unit}").parse::<DurationText>().ok()?.0;
    let number: u128 = format!("{whole}{part}").parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(places).ok()?)?;
    let nanos = number.checked_mul(one.as_nanos())?;
    // The clock has no finer instants.
    let whole_nanos = (nanos % scale == 0).then_some(nanos / scale)?;
    u64::try_from(whole_nanos).ok().map(Duration::from_nanos)
}

fn id_has_sign(text: &str) -> bool {
    text.contains('+')
}

/// `01` and `30.250`: minutes, seconds and up to nine places after the point.
fn clock(minutes: &str, seconds: &str) -> Option<Duration> {
    let digits = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
    };
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    digits(minutes)?;
    digits(whole)?;
    digits(part)?;
    let nanos: u32 = format!("{part:0<9}").parse().ok().filter(|_| part.len() <= 9)?;
    let whole: u64 = whole.parse().ok().filter(|seconds| *seconds < 60)?;
    let seconds = minutes.parse::<u64>().ok()?.checked_mul(60)?.checked_add(whole)?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read() {
        let time = |nanos| Some(Instant::Time(SimTime(nanos)));
        let cases = [
            ("90s", time(90_000_000_000)),
            ("2min", time(120_000_000_000)),
            ("51.5s", time(51_500_000_000)),
            ("0.000000001s", time(1)),
            ("1.25min", time(75_000_000_000)),
            ("2.500 ms", time(2_500_000)),
            ("51.s", None),
            (".5s", None),
            ("51.5", None),
            ("51.5.5s", None),
            ("-1.5s", None),
            ("1.-5s", None),
            ("0.0000000001s", None),
            ("18446744073.8s", None),
            ("99999999999999999999999999999999999999999.5d", None),
            ("1.99999999999999999999999999999999999999999s", None),
            ("01:30.250", time(90_250_000_000)),
            ("1:30.000000001", time(90_000_000_001)),
            ("120:00", time(7_200_000_000_000)),
            ("#317", Some(Instant::Event(EventId(317)))),
            ("#0", None),
            ("#+1", None),
            ("#", None),
            ("90", None),
            ("1:60", None),
            ("1:+3", None),
            (":30", None),
            ("1:30.0000000001", None),
            ("99999999999999999999:00", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Instant>().ok(), expected, "{text}");
        }
    }
}
