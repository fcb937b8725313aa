//! Times: from what a query says to instants, and back to the texts that answers show.
//!
//! Source: "Set a query's time range"; its worked examples are the tests. Texts with a date or a
//! time are read by `text`.
//!
//! Invariants: everything is counted from the caller's `now`; whatever a text says, the answer is
//! an instant or an error. Not modelled: snapping to the roll-ups of metrics.

mod calendar;
#[cfg(test)]
mod tests;
mod text;

use jiff::tz::TimeZone;

use super::ast::{Amount, Query, TimeExpr, TimeKind, TimeUnit};
use super::error::{ErrorKind, NrqlError, Span};
use super::result::TimeWindow;
use crate::domain::units::UnixMillis;

/// What a query reads without SINCE, in milliseconds.
pub const DEFAULT_WINDOW_MS: i64 = 3_600_000;

const DAY_MS: i64 = 86_400_000;

/// The zone that days begin in, and that texts without a zone are in.
#[derive(Debug, Clone)]
pub struct Zone(pub TimeZone);

impl Zone {
    /// What holds without WITH TIMEZONE.
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of WITH TIMEZONE.
    ///
    /// # Errors
    /// A name that no zone has.
    pub fn named(name: &str) -> Result<Self, NrqlError> {
        TimeZone::get(name).map(Self).map_err(|_| NrqlError {
            kind: ErrorKind::Semantic,
            message: format!("Unknown time zone '{name}'"),
            span: None,
            help: Some("write a zone such as 'Europe/Berlin' or 'UTC'".to_owned()),
        })
    }

    /// The zone of `query`.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub fn of(query: &Query) -> Result<Self, NrqlError> {
        query.timezone.as_deref().map_or_else(|| Ok(Self::utc()), Self::named)
    }
}

/// Which end of a window an expression says: a time of day that lies ahead means yesterday's after
/// SINCE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// SINCE.
    Begin,
    /// UNTIL.
    End,
}

/// The length of `amount` in milliseconds: a month is 30 days, a quarter 91, a year 365.
pub fn amount_ms(amount: Amount) -> i64 {
    let unit: i64 = match amount.unit {
        TimeUnit::Millisecond => 1,
        TimeUnit::Second => 1_000,
        TimeUnit::Minute => 60_000,
        TimeUnit::Hour => 3_600_000,
        TimeUnit::Day => DAY_MS,
        TimeUnit::Week => 7 * DAY_MS,
        TimeUnit::Month => 30 * DAY_MS,
        TimeUnit::Quarter => 91 * DAY_MS,
        TimeUnit::Year => 365 * DAY_MS,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is meant")]
    #[expect(clippy::cast_precision_loss, reason = "units are far below 2⁵³")]
    let millis = (amount.count * unit as f64).round() as i64;
    millis
}

/// The instant that `expr` says at `now`.
///
/// # Errors
/// [`ErrorKind::Semantic`]: a text that is no time, an instant that no calendar holds, a template
/// that nobody filled.
pub fn resolve(
    expr: &TimeExpr,
    now: UnixMillis,
    zone: &Zone,
    edge: Edge,
) -> Result<UnixMillis, NrqlError> {
    instant(&expr.kind, now, zone, edge).map_err(|fault| {
        NrqlError::semantic(format!("Invalid time {expr}: {}", fault.0), expr.span).with_help(
            "write 1 hour ago, today, monday, this week, 1702899296789, '2023-12-18 12:34' or \
             '2023-12-18T12:34:56 [Europe/Berlin]'",
        )
    })
}

/// Why something is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault(&'static str);

const OUT_OF_RANGE: Fault = Fault("it is outside the calendar");

fn instant(kind: &TimeKind, now: UnixMillis, zone: &Zone, edge: Edge) -> Result<UnixMillis, Fault> {
    match kind {
        TimeKind::Now => Ok(now),
        TimeKind::Ago(amounts) => Ok(ago(amounts, now)),
        TimeKind::Epoch(number) => Ok(UnixMillis(epoch_ms(*number))),
        TimeKind::Named(name) => calendar::named(name, now, zone),
        TimeKind::At { day, time } => calendar::at(day, time, now, zone, edge),
        TimeKind::Text(text) => text::instant(text, now, zone, edge),
        TimeKind::Template(_) => Err(Fault("a template variable has no value here")),
    }
}

fn ago(amounts: &[Amount], now: UnixMillis) -> UnixMillis {
    let back = amounts.iter().fold(0, |sum: i64, amount| sum.saturating_add(amount_ms(*amount)));
    UnixMillis(now.0.saturating_sub(back))
}

/// Milliseconds since 1970 of a bare number, which by magnitude is seconds or milliseconds.
fn epoch_ms(number: i64) -> i64 {
    // Below 10¹¹ milliseconds would lie before 1973; seconds reach beyond 5000.
    if number < 100_000_000_000 { number.saturating_mul(1_000) } else { number }
}

/// The window of `query` at `now`: SINCE 1 hour ago UNTIL now unless it says otherwise. An UNTIL in
/// the past without SINCE has its hour before it.
///
/// # Errors
/// As [`resolve`]; an unknown time zone; a window that ends before it begins.
pub fn window(query: &Query, now: UnixMillis) -> Result<TimeWindow, NrqlError> {
    let zone = Zone::of(query)?;
    window_of(query.since.as_ref(), query.until.as_ref(), &zone, now).map(|window| TimeWindow {
        compare_with: query.compare_with.as_ref().map(|compare| ago_text(&[compare.amount])),
        ..window
    })
}

/// As [`window`], of its parts: for SHOW EVENT TYPES and for sub-queries.
///
/// # Errors
/// As [`window`].
pub fn window_of(
    since: Option<&TimeExpr>,
    until: Option<&TimeExpr>,
    zone: &Zone,
    now: UnixMillis,
) -> Result<TimeWindow, NrqlError> {
    let end = until.map_or(Ok(now), |until| resolve(until, now, zone, Edge::End))?;
    let begin = match since {
        Some(since) => resolve(since, now, zone, Edge::Begin)?,
        None => UnixMillis(end.min(now).0.saturating_sub(DEFAULT_WINDOW_MS)),
    };
    if end < begin {
        let span = until.or(since).map_or_else(Span::default, |expr| expr.span);
        let error = NrqlError::semantic("The time range ends before it begins", span);
        return Err(error.with_help("SINCE says the earlier instant, UNTIL the later one"));
    }
    Ok(TimeWindow {
        begin,
        end,
        since: since.map_or_else(|| "60 MINUTES AGO".to_owned(), canonical),
        until: until.map_or_else(|| "NOW".to_owned(), canonical),
        compare_with: None,
    })
}

/// How answers show `expr`: `60 MINUTES AGO`, `1 MONTHS AGO`, `NOW`; units always in the plural, as
/// published answers of New Relic have them.
pub fn canonical(expr: &TimeExpr) -> String {
    match &expr.kind {
        TimeKind::Ago(amounts) => ago_text(amounts),
        TimeKind::Text(text) => text.clone(),
        kind => kind.to_string().to_uppercase(),
    }
}

fn ago_text(amounts: &[Amount]) -> String {
    let mut text = String::new();
    for amount in amounts {
        text.push_str(&format!("{} {}S ", amount.count, amount.unit.word().to_uppercase()));
    }
    text + "AGO"
}
