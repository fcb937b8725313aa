//! The rules that single events must meet once their request was accepted.
//!
//! Source: New Relic's "Data requirements and limits for custom event data"; the messages are those
//! of the Event API's error table. Bad events are dropped one by one; the others stay.

use crate::definitions::Scalar;
use crate::domain::units::UnixMillis;
use crate::newrelic::limits::{
    ATTRIBUTE_NAME_CHARS_MAX, ATTRIBUTE_VALUE_CHARS_MAX, EVENT_ATTRIBUTES_MAX,
    EVENT_TIMESTAMP_WINDOW_MS, EVENT_TYPE_CHARS_MAX,
};
use crate::sim::newrelic::ingest::body::{Sent, SentAttributes, last_counts};

/// Why an event was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventFault {
    /// No `eventType`, or none that is text.
    EventTypeMissing,
    /// `eventType` holds a character that is not allowed.
    EventTypeCharacters,
    /// `eventType` is longer than 255 characters; its wording is assumed.
    EventTypeLength,
    /// `eventType` is reserved; its wording is assumed.
    EventTypeReserved,
    /// The account has 250 event types already; its wording is assumed.
    TooManyEventTypes,
    /// The event type has 48,000 attributes already; its wording is assumed.
    TooManyTypeAttributes,
    /// More than 255 attributes.
    TooManyAttributes,
    /// An attribute without a name.
    NameMissing,
    /// A name of more than 255 characters.
    NameLength,
    /// A text of more than 4,096 characters.
    ValueLength,
    /// An array or object; its wording is assumed.
    ValueNested,
    /// `appId` is no integer.
    AppId,
}

impl EventFault {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::EventTypeMissing,
        Self::EventTypeCharacters,
        Self::EventTypeLength,
        Self::EventTypeReserved,
        Self::TooManyEventTypes,
        Self::TooManyTypeAttributes,
        Self::TooManyAttributes,
        Self::NameMissing,
        Self::NameLength,
        Self::ValueLength,
        Self::ValueNested,
        Self::AppId,
    ];

    /// The row's message for `count` events.
    pub fn message(self, count: usize) -> String {
        let reason = match self {
            Self::EventTypeMissing => "event is missing required attributes `eventType`",
            Self::EventTypeCharacters => {
                "attribute `eventType` cannot contain the following characters: `[., \\]`"
            }
            Self::EventTypeLength => "attribute `eventType` exceeded maximum length",
            Self::EventTypeReserved => "attribute `eventType` is a reserved event type",
            Self::TooManyEventTypes => "account exceeded maximum number of event types",
            Self::TooManyTypeAttributes => "event type exceeded maximum number of attributes",
            Self::TooManyAttributes => "event exceeded maximum number of attributes",
            Self::NameMissing => "event is missing attribute name",
            Self::NameLength => "attribute name exceeded maximum length",
            Self::ValueLength => "attribute value exceeded maximum length",
            Self::ValueNested => "attribute value was not a string or a number",
            Self::AppId => "attribute `appId` was not an integer",
        };
        format!("{count} event(s) rejected because {reason}")
    }
}

/// An event fit to be stored.
#[derive(Debug, PartialEq)]
pub(in super::super) struct ValidEvent<'a> {
    pub(in super::super) event_type: &'a str,
    pub(in super::super) timestamp: UnixMillis,
    /// Everything but `eventType`, `timestamp` and what is never stored.
    pub(in super::super) cells: Vec<(&'a str, Scalar<'a>)>,
}

/// Checks one event that arrived at `now`.
///
/// # Errors
/// The first rule it breaks, and its event type if it has one.
pub(in super::super) fn validate<'a>(
    event: &'a SentAttributes<'_>,
    now: UnixMillis,
) -> Result<ValidEvent<'a>, (EventFault, Option<&'a str>)> {
    let mut event_type = None;
    let mut sent_time = None;
    let mut cells = Vec::with_capacity(event.len());
    let mut fault = (event.len() > EVENT_ATTRIBUTES_MAX).then_some(EventFault::TooManyAttributes);
    for (name, value) in event {
        let broken = match (&**name, value) {
            ("eventType", value) => {
                event_type = Some(value);
                None
            }
            ("timestamp", value) => {
                sent_time = Some(value);
                None
            }
            ("accountId", _) | (_, Sent::Null) => None,
            (name, value) => match attribute(name, value) {
                Ok(cell) => {
                    cells.push((name, cell));
                    None
                }
                Err(fault) => Some(fault),
            },
        };
        fault = fault.or(broken);
    }
    let event_type = match event_type {
        Some(Sent::Text(text)) if !text.is_empty() => &**text,
        _ => return Err((EventFault::EventTypeMissing, None)),
    };
    if let Some(fault) = type_fault(event_type).or(fault) {
        return Err((fault, Some(event_type)));
    }
    last_counts(&mut cells);
    Ok(ValidEvent { event_type, timestamp: timestamp(sent_time, now), cells })
}

fn attribute<'a>(name: &str, value: &'a Sent<'_>) -> Result<Scalar<'a>, EventFault> {
    if name.is_empty() {
        return Err(EventFault::NameMissing);
    }
    if longer_than(name, ATTRIBUTE_NAME_CHARS_MAX) {
        return Err(EventFault::NameLength);
    }
    let cell = match value {
        Sent::Text(text) if longer_than(text, ATTRIBUTE_VALUE_CHARS_MAX) => {
            return Err(EventFault::ValueLength);
        }
        Sent::Text(text) => Scalar::Text(text),
        Sent::Number(number) | Sent::Huge(number) => Scalar::Number(*number),
        Sent::Integer(number) => Scalar::Integer(*number),
        Sent::Bool(value) => Scalar::Bool(*value),
        Sent::Null | Sent::Nested => return Err(EventFault::ValueNested),
    };
    let integer = match cell {
        Scalar::Number(number) => number.fract() == 0.0,
        Scalar::Integer(_) => true,
        Scalar::Text(_) | Scalar::Bool(_) | Scalar::Metric => false,
    };
    if name == "appId" && !integer { Err(EventFault::AppId) } else { Ok(cell) }
}

fn longer_than(text: &str, chars: usize) -> bool {
    text.len() > chars && text.chars().count() > chars
}

fn type_fault(event_type: &str) -> Option<EventFault> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    if !event_type.chars().all(allowed) {
        return Some(EventFault::EventTypeCharacters);
    }
    if longer_than(event_type, EVENT_TYPE_CHARS_MAX) {
        return Some(EventFault::EventTypeLength);
    }
    let metric = event_type.strip_prefix("Metric");
    let numbered = metric.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let reserved = numbered || event_type == "MetricRaw" || event_type.starts_with("Public_");
    reserved.then_some(EventFault::EventTypeReserved)
}

/// Seconds below this, milliseconds from it on: as milliseconds it is 1973, as seconds year 5138.
const FIRST_MILLIS: f64 = 1e11;

/// The event's time: as sent, in seconds or milliseconds, decimals ignored; the present when it is
/// missing, no number, or more than a day away.
fn timestamp(sent: Option<&Sent<'_>>, now: UnixMillis) -> UnixMillis {
    let Some(Sent::Number(number)) = sent else { return now };
    let millis = if number.abs() < FIRST_MILLIS { number.trunc() * 1_000.0 } else { *number };
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is then out of range")]
    let time = UnixMillis(millis as i64);
    // Unsigned: the furthest past has no positive counterpart.
    let distance_ms = time.millis_since(now).unsigned_abs();
    if distance_ms <= EVENT_TIMESTAMP_WINDOW_MS.unsigned_abs() { time } else { now }
}
