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

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Event(id) => write!(f, "#{id}"),
        }
    }
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
            None => text.parse::<DurationText>().map_err(|_| invalid())?.0,
        };
        Ok(Self::Time(SimTime::from(time)))
    }
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
            ("1min30.5s", time(90_500_000_000)),
            ("0.0000001s", None),
            ("1.25min", time(75_000_000_000)),
            ("2.500 s", time(2_500_000_000)),
            ("51.s", None),
            (".5s", None),
            ("51.5", None),
            ("51.5.5s", None),
            ("-1.5s", None),
            ("1.-5s", None),
            ("0.0000000001s", None),
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
