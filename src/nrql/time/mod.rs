//! Times: from what a query says to instants, and back to the texts that answers show.
//!
//! Source: "Set a query's time range".

use jiff::tz::TimeZone;

use super::ast::{Amount, Query, TimeExpr, TimeKind, TimeUnit};
use super::error::{ErrorKind, NrqlError, Span};
use super::result::TimeWindow;
use crate::domain::units::UnixMillis;

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
        TimeUnit::Day => 86_400_000,
        TimeUnit::Week => 7 * 86_400_000,
        TimeUnit::Month => 30 * 86_400_000,
        TimeUnit::Quarter => 91 * 86_400_000,
        TimeUnit::Year => 365 * 86_400_000,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is meant")]
    #[expect(clippy::cast_precision_loss, reason = "units are far below 2⁵³")]
    let millis = (amount.count * unit as f64).round() as i64;
    millis
}

/// The instant that `expr` says at `now`.
///
/// # Errors
/// A text that is no time.
pub fn resolve(
    expr: &TimeExpr,
    now: UnixMillis,
    zone: &Zone,
    edge: Edge,
) -> Result<UnixMillis, NrqlError> {
    let _ = (zone, edge);
    match &expr.kind {
        TimeKind::Now => Ok(now),
        TimeKind::Ago(amounts) => {
            let back = amounts.iter().fold(0, |sum: i64, a| sum.saturating_add(amount_ms(*a)));
            Ok(UnixMillis(now.0.saturating_sub(back)))
        }
        TimeKind::Epoch(number) => Ok(UnixMillis::from_seconds_or_millis(*number)),
        _ => Err(NrqlError::semantic("this way to say a time is not read yet", expr.span)),
    }
}

/// The window of `query` at `now`: SINCE 1 hour ago UNTIL now unless it says otherwise.
///
/// # Errors
/// As [`resolve`]; an unknown time zone; a window that ends before it begins.
pub fn window(query: &Query, now: UnixMillis) -> Result<TimeWindow, NrqlError> {
    let zone = match &query.timezone {
        Some(name) => Zone::named(name)?,
        None => Zone::utc(),
    };
    let begin = match &query.since {
        Some(since) => resolve(since, now, &zone, Edge::Begin)?,
        None => UnixMillis(now.0.saturating_sub(3_600_000)),
    };
    let end = match &query.until {
        Some(until) => resolve(until, now, &zone, Edge::End)?,
        None => now,
    };
    if end < begin {
        return Err(NrqlError::semantic("the window ends before it begins", Span::default()));
    }
    Ok(TimeWindow {
        begin,
        end,
        since: query.since.as_ref().map_or("60 MINUTES AGO".to_owned(), canonical),
        until: query.until.as_ref().map_or("NOW".to_owned(), canonical),
        compare_with: query.compare_with.as_ref().map(|c| ago(&[c.amount])),
    })
}

/// How answers show `expr`: `60 MINUTES AGO`, `NOW`.
pub fn canonical(expr: &TimeExpr) -> String {
    match &expr.kind {
        TimeKind::Ago(amounts) => ago(amounts),
        _ => expr.to_string().to_uppercase(),
    }
}

fn ago(amounts: &[Amount]) -> String {
    let mut text = String::new();
    for amount in amounts {
        text.push_str(&amount.to_string().to_uppercase());
        text.push(' ');
    }
    text + "AGO"
}
