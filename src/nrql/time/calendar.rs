//! Days, weeks, months: where they begin in a zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan as _};

use super::{Edge, Fault, OUT_OF_RANGE, Zone, instant, text};
use crate::domain::units::UnixMillis;
use crate::nrql::ast::TimeKind;

/// The date and the time of day at `at` in `zone`.
pub(super) fn local(at: UnixMillis, zone: &Zone) -> Result<DateTime, Fault> {
    let at = Timestamp::from_millisecond(at.0).map_err(|_| OUT_OF_RANGE)?;
    Ok(at.to_zoned(zone.0.clone()).datetime())
}

/// The instant of a local time; in the hour that a clock change skips or repeats, as ISO 8601's
/// users expect: later across a gap, the first of two.
pub(super) fn instant_of(local: DateTime, zone: &Zone) -> Result<UnixMillis, Fault> {
    let zoned = local.to_zoned(zone.0.clone()).map_err(|_| OUT_OF_RANGE)?;
    Ok(UnixMillis(zoned.timestamp().as_millisecond()))
}

pub(super) fn days_before(date: Date, days: i32) -> Result<Date, Fault> {
    date.checked_sub(days.days()).map_err(|_| OUT_OF_RANGE)
}

/// The beginning of `today`, `monday`, `last week` and so on.
pub(super) fn named(name: &str, now: UnixMillis, zone: &Zone) -> Result<UnixMillis, Fault> {
    let at = local(now, zone)?;
    let start = match name.split_once(' ') {
        None => day(name, at.date())?.to_datetime(Time::midnight()),
        Some(("this", unit)) => beginning(unit, at, 0)?,
        Some(("last", unit)) => beginning(unit, at, 1)?,
        Some(_) => return Err(Fault("no such day")),
    };
    instant_of(start, zone)
}

/// The date of `today`, `yesterday` or the newest such weekday, which may be today.
fn day(name: &str, today: Date) -> Result<Date, Fault> {
    const WEEKDAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let back = match name {
        "today" => 0,
        "yesterday" => 1,
        weekday => {
            let Some(wanted) = WEEKDAYS.iter().position(|known| *known == weekday) else {
                return Err(Fault("no such day"));
            };
            let wanted = i32::try_from(wanted).unwrap_or_default();
            let is = i32::from(today.weekday().to_monday_zero_offset());
            (is - wanted).rem_euclid(7)
        }
    };
    days_before(today, back)
}

/// The beginning of the unit that holds `at`, or of the `back`th before it. Weeks begin on Monday.
fn beginning(unit: &str, at: DateTime, back: i32) -> Result<DateTime, Fault> {
    let date = at.date();
    let months = |first: Date, each: i32| {
        let first = first.checked_sub((each * back).months()).map_err(|_| OUT_OF_RANGE)?;
        Ok(first.to_datetime(Time::midnight()))
    };
    match unit {
        "minute" | "hour" => {
            let minute = if unit == "minute" { at.minute() } else { 0 };
            let start = date.at(at.hour(), minute, 0, 0);
            let span = if unit == "minute" { back.minutes() } else { back.hours() };
            start.checked_sub(span).map_err(|_| OUT_OF_RANGE)
        }
        "day" => Ok(days_before(date, back)?.to_datetime(Time::midnight())),
        "week" => {
            let monday = i32::from(date.weekday().to_monday_zero_offset());
            Ok(days_before(date, monday + 7 * back)?.to_datetime(Time::midnight()))
        }
        "month" => months(date.first_of_month(), 1),
        "quarter" => {
            let into = i32::from((date.month() - 1) % 3);
            let first = date.first_of_month().checked_sub(into.months());
            months(first.map_err(|_| OUT_OF_RANGE)?, 3)
        }
        "year" => months(date.first_of_year(), 12),
        _ => Err(Fault("no such unit of time")),
    }
}

/// `day AT 'time'`: after SINCE never ahead of `now`; a day before for days, a week for weekdays.
pub(super) fn at(
    day: &TimeKind,
    time: &str,
    now: UnixMillis,
    zone: &Zone,
    edge: Edge,
) -> Result<UnixMillis, Fault> {
    let start = instant(day, now, zone, edge)?;
    let date = local(start, zone)?.date();
    let time = text::time_of_day(time)?;
    let found = instant_of(date.to_datetime(time), zone)?;
    if edge == Edge::End || found <= now {
        return Ok(found);
    }
    let weekday = matches!(day, TimeKind::Named(name) if name.ends_with("day")
        && name != "today" && name != "yesterday" && !name.contains(' '));
    let earlier = days_before(date, if weekday { 7 } else { 1 })?;
    instant_of(earlier.to_datetime(time), zone)
}
