//! Times in quotes: `[date][T or space][time][zone][AM or PM]`.
//!
//! Source: the table of fields in "Set a query's time range". Days and months have two digits, the
//! hour one or two, fractions up to three; dashes may be left out, colons only after a `T`; a zone
//! in brackets does not go with AM and PM.

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

use super::calendar::{days_before, instant_of, local};
use super::{Edge, Fault, Zone};
use crate::domain::units::UnixMillis;

/// Zones by the abbreviation that the documentation's examples use, and its usual siblings.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("CET", 1),
    ("CEST", 2),
];

struct Reader<'a> {
    rest: &'a str,
}

/// Half a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

/// The instant that `text` says. Without a date it is today's, or after SINCE yesterday's when it
/// would lie ahead; without a time the beginning of the day.
pub(super) fn instant(
    text: &str,
    now: UnixMillis,
    zone: &Zone,
    edge: Edge,
) -> Result<UnixMillis, Fault> {
    let mut reader = Reader { rest: text.trim() };
    let date = reader.date()?;
    let separated = date.is_some() && reader.rest.starts_with(['T', ' ']);
    let compact = separated && reader.rest.starts_with('T');
    let mut clock = None;
    if date.is_none() || separated && reader.second_is_digit() {
        if separated {
            reader.skip(1);
        }
        clock = Some(reader.clock(compact)?);
    }
    let (own_zone, bracketed) = reader.zone()?;
    let half = reader.half();
    if !reader.rest.is_empty() {
        return Err(Fault("there is more than a date, a time and a zone"));
    }
    if half.is_some() && bracketed {
        return Err(Fault("AM and PM do not go with a zone in brackets"));
    }
    let time = match clock {
        None if half.is_some() => return Err(Fault("AM and PM need a time")),
        None => Time::midnight(),
        Some(clock) => clock.time(half)?,
    };
    let zone = own_zone.unwrap_or_else(|| zone.clone());
    if let Some(date) = date {
        return instant_of(date.to_datetime(time), &zone);
    }
    let today = local(now, &zone)?.date();
    let found = instant_of(today.to_datetime(time), &zone)?;
    if edge == Edge::End || found <= now {
        return Ok(found);
    }
    instant_of(days_before(today, 1)?.to_datetime(time), &zone)
}

/// The time after AT: hours, minutes and perhaps seconds, nothing else.
pub(super) fn time_of_day(text: &str) -> Result<Time, Fault> {
    let mut reader = Reader { rest: text.trim() };
    let clock = reader.clock(false)?;
    let half = reader.half();
    if clock.fraction || !reader.rest.is_empty() {
        return Err(Fault("AT takes hours, minutes and perhaps seconds"));
    }
    clock.time(half)
}

/// A time of day whose hour may still need its half.
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    fraction: bool,
}

impl Clock {
    fn time(&self, half: Option<Half>) -> Result<Time, Fault> {
        let hour = match half {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => {
                return Err(Fault("before AM and PM the hour is 01 to 12"));
            }
            Some(Half::Am) => self.hour % 12,
            Some(Half::Pm) => self.hour % 12 + 12,
        };
        Time::new(hour, self.minute, self.second, self.nanosecond)
            .map_err(|_| Fault("there is no such time of day"))
    }
}

impl Reader<'_> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest.starts_with(c);
        if found {
            self.skip(c.len_utf8());
        }
        found
    }

    fn second_is_digit(&self) -> bool {
        self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
    }

    fn digits_here(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// Exactly `count` digits.
    fn number(&mut self, count: usize) -> Option<i32> {
        if self.digits_here() < count {
            return None;
        }
        let number = self.rest.get(..count)?.parse().ok()?;
        self.skip(count);
        Some(number)
    }

    fn small(&mut self, count: usize) -> Option<i8> {
        self.number(count).and_then(|number| i8::try_from(number).ok())
    }

    /// A date, if four digits and no colon begin the text.
    fn date(&mut self) -> Result<Option<Date>, Fault> {
        const BAD: Fault = Fault("a date is year-month-day, as in 2023-12-18");
        if self.digits_here() < 4 {
            return Ok(None);
        }
        let year = self.number(4).and_then(|year| i16::try_from(year).ok()).ok_or(BAD)?;
        let dashed = self.eat('-');
        let month = self.small(2).ok_or(BAD)?;
        // `2023-12-06:00` is a month and a zone; `2023-12-18-06:00` a day and a zone.
        let day_follows = if dashed {
            let bytes = self.rest.as_bytes();
            bytes.first() == Some(&b'-')
                && bytes.get(1).is_some_and(u8::is_ascii_digit)
                && bytes.get(2).is_some_and(u8::is_ascii_digit)
                && bytes.get(3) != Some(&b':')
                && !bytes.get(3).is_some_and(u8::is_ascii_digit)
        } else {
            self.digits_here() >= 2
        };
        let day = if day_follows {
            if dashed {
                self.skip(1);
            }
            self.small(2).ok_or(BAD)?
        } else {
            1
        };
        Date::new(year, month, day).map(Some).map_err(|_| Fault("there is no such day"))
    }

    fn clock(&mut self, compact_allowed: bool) -> Result<Clock, Fault> {
        const BAD: Fault = Fault("a time is hours:minutes, as in 12:34 or 12:34:56.789");
        let digits = self.digits_here();
        let compact = compact_allowed && digits >= 4;
        let hour = self.small(if compact { 2 } else { digits.clamp(1, 2) }).ok_or(BAD)?;
        if !compact && !self.eat(':') {
            return Err(BAD);
        }
        let minute = self.small(2).ok_or(BAD)?;
        let seconds_follow =
            if compact { self.digits_here() >= 2 } else { self.rest.starts_with(':') };
        let mut clock = Clock { hour, minute, second: 0, nanosecond: 0, fraction: false };
        if !seconds_follow {
            return Ok(clock);
        }
        if !compact {
            self.skip(1);
        }
        clock.second = self.small(2).ok_or(BAD)?;
        if self.eat('.') {
            let width = self.digits_here();
            if !(1..=3).contains(&width) {
                return Err(Fault("a second has one to three decimals"));
            }
            let fraction = self.number(width).ok_or(BAD)?;
            let scale = [100_000_000, 10_000_000, 1_000_000].get(width - 1).copied();
            clock.nanosecond = fraction * scale.unwrap_or_default();
            clock.fraction = true;
        }
        Ok(clock)
    }

    /// A zone, if one follows, and whether it stands in brackets.
    fn zone(&mut self) -> Result<(Option<Zone>, bool), Fault> {
        let trimmed = self.rest.trim_start();
        let before = self.rest;
        self.rest = trimmed;
        if self.eat('[') {
            let end = self.rest.find(']').ok_or(Fault("nothing closes the [ of the zone"))?;
            let name = self.rest.get(..end).unwrap_or_default();
            let zone = TimeZone::get(name).map_err(|_| Fault("no such time zone"))?;
            self.skip(end + 1);
            return Ok((Some(Zone(zone)), true));
        }
        if self.eat('Z') {
            return Ok((Some(Zone::utc()), false));
        }
        if self.rest.starts_with(['+', '-']) {
            return self.offset().map(|zone| (Some(zone), false));
        }
        let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = self.rest.get(..letters).unwrap_or_default();
        if let Some((_, hours)) = ABBREVIATIONS.iter().find(|(name, _)| *name == word) {
            self.skip(letters);
            return Ok((Some(fixed(hours * 3_600)?), false));
        }
        self.rest = before;
        Ok((None, false))
    }

    fn offset(&mut self) -> Result<Zone, Fault> {
        const BAD: Fault = Fault("an offset is hours and minutes, as in +0530 or -06:00");
        let sign = if self.eat('-') { -1 } else { 1 };
        if sign == 1 {
            self.skip(1);
        }
        let hours = self.number(2).ok_or(BAD)?;
        self.eat(':');
        let minutes = self.number(2).ok_or(BAD)?;
        if minutes > 59 {
            return Err(BAD);
        }
        fixed(sign * (hours * 3_600 + minutes * 60))
    }

    fn half(&mut self) -> Option<Half> {
        let rest = self.rest.trim_start();
        let half = match rest.to_ascii_uppercase().as_str() {
            "AM" => Half::Am,
            "PM" => Half::Pm,
            _ => return None,
        };
        self.rest = "";
        Some(half)
    }
}

fn fixed(seconds: i32) -> Result<Zone, Fault> {
    let offset = Offset::from_seconds(seconds).map_err(|_| Fault("no zone is so far from UTC"))?;
    Ok(Zone(TimeZone::fixed(offset)))
}
