//! Functions of time: what a timestamp says in a zone, and texts of times.
//!
//! Source: "Facet results by time" and the syntax page; patterns as Java's `DateTimeFormatter`, as
//! far as years, months, days, times, halves of the day, weekdays, quarters and offsets go.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::{Apply, Known, Make};
use crate::nrql::eval::expr::Scope;
use crate::nrql::value::Value;

pub(super) const FUNCTIONS: &[(&str, Make)] = &[
    ("dateof", Make::Special(|known, scope| part(known, scope, date_of, None))),
    ("dayofmonthof", Make::Special(|known, scope| part(known, scope, plain_day, Some(day)))),
    ("daysinmonthof", Make::Special(|known, scope| part(known, scope, plain_days, Some(days)))),
    ("fromdatetime", Make::Special(to_timestamp)),
    ("fromtimestamp", Make::Special(to_datetime)),
    ("hourof", Make::Special(|known, scope| part(known, scope, hour_of, Some(hour)))),
    ("minuteof", Make::Special(|known, scope| part(known, scope, plain_minute, Some(minute)))),
    ("monthof", Make::Special(|known, scope| part(known, scope, month_of, Some(month)))),
    ("quarterof", Make::Special(|known, scope| part(known, scope, quarter_of, Some(quarter)))),
    ("todatetime", Make::Special(to_datetime)),
    ("totimestamp", Make::Special(to_timestamp)),
    ("weekdayof", Make::Special(|known, scope| part(known, scope, weekday_of, Some(weekday)))),
    ("weekof", Make::Special(|known, scope| part(known, scope, week_of, None))),
    ("yearof", Make::Special(|known, scope| part(known, scope, plain_year, Some(year)))),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn month_name(at: &Zoned) -> &'static str {
    MONTHS.get(month(at) as usize - 1).copied().unwrap_or_default()
}

fn year(at: &Zoned) -> i32 {
    at.year().into()
}
fn quarter(at: &Zoned) -> i32 {
    (month(at) + 2) / 3
}
fn month(at: &Zoned) -> i32 {
    at.month().into()
}
fn weekday(at: &Zoned) -> i32 {
    at.weekday().to_sunday_zero_offset().into()
}
fn day(at: &Zoned) -> i32 {
    at.day().into()
}
fn days(at: &Zoned) -> i32 {
    at.days_in_month().into()
}
fn hour(at: &Zoned) -> i32 {
    at.hour().into()
}
fn minute(at: &Zoned) -> i32 {
    at.minute().into()
}

fn plain_year(at: &Zoned) -> String {
    year(at).to_string()
}
fn plain_day(at: &Zoned) -> String {
    day(at).to_string()
}
fn plain_days(at: &Zoned) -> String {
    days(at).to_string()
}
fn plain_minute(at: &Zoned) -> String {
    minute(at).to_string()
}
fn quarter_of(at: &Zoned) -> String {
    format!("Q{} {}", quarter(at), year(at))
}
fn month_of(at: &Zoned) -> String {
    format!("{} {}", month_name(at), year(at))
}
fn date_of(at: &Zoned) -> String {
    format!("{} {}, {}", month_name(at), day(at), year(at))
}
fn hour_of(at: &Zoned) -> String {
    format!("{}:00", hour(at))
}
fn weekday_of(at: &Zoned) -> String {
    WEEKDAYS.get(weekday(at) as usize).copied().unwrap_or_default().to_owned()
}
fn week_of(at: &Zoned) -> String {
    let since_monday = i64::from(at.weekday().since(Weekday::Monday));
    // Days are counted on the calendar: a day of 23 hours must not lead into another one.
    let monday = at.date().checked_sub(jiff::Span::new().days(since_monday)).ok();
    monday.map_or_else(String::new, |monday| {
        let name = MONTHS.get(monday.month() as usize - 1).copied().unwrap_or_default();
        format!("Week of {name} {}", monday.day())
    })
}

/// The time of a value: milliseconds since 1970.
fn zoned(value: &Value, zone: &TimeZone) -> Option<Zoned> {
    let millis = match value {
        Value::Integer(number) => *number,
        other => other.as_f64()? as i64,
    };
    Timestamp::from_millisecond(millis).ok().map(|at| at.to_zoned(zone.clone()))
}

fn part(
    known: &[Known],
    scope: &Scope,
    text: fn(&Zoned) -> String,
    number: Option<fn(&Zoned) -> i32>,
) -> Result<Arc<Apply>, String> {
    let numeric = match known {
        [_] => None,
        [_, format] => match (format.text(), number) {
            (Some("string"), _) => None,
            (Some("numeric"), Some(number)) => Some(number),
            _ => return Err("takes string or numeric as its format".to_owned()),
        },
        _ => return Err("takes a timestamp and, if need be, a format".to_owned()),
    };
    let zone = scope.zone.clone();
    Ok(Arc::new(move |values| match (zoned(&values[0], &zone), numeric) {
        (Some(at), Some(numeric)) => Value::Number(numeric(&at).into()),
        (Some(at), None) => Value::text(&text(&at)),
        (None, _) => Value::Null,
    }))
}

/// The pattern and the zone of `toDatetime` and `toTimestamp`.
fn pattern(known: &[Known], scope: &Scope, default: &str) -> Result<(Vec<Item>, TimeZone), String> {
    let (mut text, mut zone) = (default.to_owned(), scope.zone.clone());
    for (at, argument) in known.iter().enumerate().skip(1) {
        let value = argument.text().ok_or("takes texts as pattern and zone")?;
        match (argument.name.as_deref(), at) {
            (Some("timezone"), _) | (None, 2) => {
                zone = TimeZone::get(value).map_err(|_| format!("has no time zone '{value}'"))?;
            }
            (Some("pattern"), _) | (None, 1) => value.clone_into(&mut text),
            _ => return Err("takes a value, a pattern and a time zone".to_owned()),
        }
    }
    let mut rest = text.as_str();
    let parsed = items(&mut rest, false).filter(|_| rest.is_empty());
    parsed.map(|items| (items, zone)).ok_or_else(|| format!("has an unsupported pattern '{text}'"))
}

fn to_datetime(known: &[Known], scope: &Scope) -> Result<Arc<Apply>, String> {
    let (items, zone) = pattern(known, scope, "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")?;
    Ok(Arc::new(move |values| match zoned(&values[0], &zone) {
        Some(at) => {
            let mut text = String::new();
            print(&items, &at, &mut text);
            Value::text(&text)
        }
        None => Value::Null,
    }))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of years that have four digits")]
fn to_timestamp(known: &[Known], scope: &Scope) -> Result<Arc<Apply>, String> {
    let (items, zone) = pattern(known, scope, "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]")?;
    let of = move |text: &str| {
        let mut fields = Fields::default();
        let rest = read(&items, text, &mut fields)?;
        if rest.is_empty() { fields.millis(&zone) } else { None }
    };
    Ok(Arc::new(move |values| {
        let millis = values[0].as_str().and_then(&of);
        millis.map_or(Value::Null, |millis| Value::Number(millis as f64))
    }))
}

/// One item of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Literal(String),
    /// A letter and how often it stands.
    Field(char, usize),
    /// `[…]`.
    Optional(Vec<Item>),
}

/// Items up to the end or, inside brackets, up to the closing one; `None` for unknown letters.
fn items(rest: &mut &str, inside: bool) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while let Some(first) = rest.chars().next() {
        match first {
            ']' if inside => return Some(items),
            '[' if !inside => {
                *rest = &rest[1..];
                items.push(Item::Optional(self::items(rest, true)?));
                *rest = rest.strip_prefix(']')?;
            }
            '[' | ']' => return None,
            '\'' => {
                let end = rest[1..].find('\'')?;
                let text = &rest[1..=end];
                items.push(Item::Literal(if text.is_empty() { "'" } else { text }.to_owned()));
                *rest = &rest[end + 2..];
            }
            letter if letter.is_ascii_alphabetic() => {
                if !"yuMLdDQqEHhmsSaXxZO".contains(letter) {
                    return None;
                }
                let count = rest.chars().take_while(|c| *c == letter).count();
                items.push(Item::Field(letter, count));
                *rest = &rest[count..];
            }
            other => {
                items.push(Item::Literal(other.to_string()));
                *rest = &rest[other.len_utf8()..];
            }
        }
    }
    (!inside).then_some(items)
}

fn print(items: &[Item], at: &Zoned, text: &mut String) {
    for item in items {
        match item {
            Item::Literal(literal) => text.push_str(literal),
            Item::Optional(inner) => print(inner, at, text),
            Item::Field('y' | 'u', 2) => push_digits(text, year(at).rem_euclid(100), 2),
            Item::Field('y' | 'u', count) => push_digits(text, year(at), *count),
            Item::Field('M' | 'L', count @ 1..=2) => push_digits(text, month(at), *count),
            Item::Field('M' | 'L', 3) => text.push_str(&month_name(at)[..3]),
            Item::Field('M' | 'L', _) => text.push_str(month_name(at)),
            Item::Field('d', count) => push_digits(text, day(at), *count),
            Item::Field('D', count) => push_digits(text, at.day_of_year().into(), *count),
            Item::Field('Q' | 'q', count @ 1..=2) => push_digits(text, quarter(at), *count),
            Item::Field('Q' | 'q', _) => text.push_str(&format!("Q{}", quarter(at))),
            Item::Field('E', 1..=3) => text.push_str(&weekday_of(at)[..3]),
            Item::Field('E', _) => text.push_str(&weekday_of(at)),
            Item::Field('H', count) => push_digits(text, hour(at), *count),
            Item::Field('h', count) => push_digits(text, (hour(at) + 11) % 12 + 1, *count),
            Item::Field('m', count) => push_digits(text, minute(at), *count),
            Item::Field('s', count) => push_digits(text, at.second().into(), *count),
            Item::Field('S', count) => {
                let nanos = format!("{:09}", at.subsec_nanosecond());
                text.push_str(&format!("{nanos:0<width$}", width = *count)[..*count]);
            }
            Item::Field('a', _) => text.push_str(if hour(at) < 12 { "AM" } else { "PM" }),
            Item::Field(letter, count) => text.push_str(&offset_text(at.offset(), *letter, *count)),
        }
    }
}

fn push_digits(text: &mut String, number: i32, width: usize) {
    text.push_str(&format!("{number:0width$}"));
}

fn offset_text(offset: Offset, letter: char, count: usize) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
    match (letter, count) {
        ('X', _) if seconds == 0 => "Z".to_owned(),
        ('O', _) if seconds == 0 => "GMT".to_owned(),
        ('O', 1) if minutes == 0 => format!("GMT{sign}{hours}"),
        ('O', _) => format!("GMT{sign}{hours:02}:{minutes:02}"),
        ('X' | 'x', 1) if minutes == 0 => format!("{sign}{hours:02}"),
        ('X' | 'x', 3) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}"),
    }
}

/// What a text said.
#[derive(Debug, Clone, Default)]
struct Fields {
    year: Option<i64>,
    quarter: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    offset: Option<i32>,
}

impl Fields {
    /// Milliseconds since 1970; `None` for dates that there are not.
    fn millis(&self, zone: &TimeZone) -> Option<i64> {
        let small = |number: Option<i64>, absent: i64| i8::try_from(number.unwrap_or(absent)).ok();
        let year = i16::try_from(self.year.unwrap_or(1970)).ok()?;
        let month = self.month.or_else(|| self.quarter.map(|quarter| quarter * 3 - 2));
        let date = Date::new(year, small(month, 1)?, small(self.day, 1)?).ok()?;
        let date = match self.day_of_year {
            Some(day) => date.with().day_of_year(i16::try_from(day).ok()?).build().ok()?,
            None => date,
        };
        let half = |hour: i64, afternoon: bool| hour % 12 + if afternoon { 12 } else { 0 };
        let hour = match (self.hour, self.half_hour, self.afternoon) {
            (Some(hour), _, _) => hour,
            (None, Some(hour), Some(afternoon)) => half(hour, afternoon),
            (None, Some(_), None) => return None,
            (None, None, _) => 0,
        };
        let (minute, second) = (small(self.minute, 0)?, small(self.second, 0)?);
        let nanos = i32::try_from(self.nanos.unwrap_or(0)).ok()?;
        let time = Time::new(i8::try_from(hour).ok()?, minute, second, nanos).ok()?;
        let zone = match self.offset {
            Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).ok()?),
            None => zone.clone(),
        };
        let at = DateTime::from_parts(date, time).to_zoned(zone).ok()?;
        Some(at.timestamp().as_millisecond())
    }
}

/// Reads `text` by the pattern; what is left of it.
fn read<'a>(items: &[Item], text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let mut rest = text;
    for item in items {
        rest = match item {
            Item::Literal(literal) => rest.strip_prefix(literal.as_str())?,
            Item::Optional(inner) => {
                let mut tried = fields.clone();
                match read(inner, rest, &mut tried) {
                    Some(after) => {
                        *fields = tried;
                        after
                    }
                    None => rest,
                }
            }
            Item::Field(letter, count) => read_field(*letter, *count, rest, fields)?,
        };
    }
    Some(rest)
}

fn read_field<'a>(
    letter: char,
    count: usize,
    text: &'a str,
    fields: &mut Fields,
) -> Option<&'a str> {
    let name = |names: &[&str]| {
        let len = |name: &str| if count == 3 { 3 } else { name.len() };
        let found = names.iter().position(|name| text.starts_with(&name[..len(name)]))?;
        Some((found as i64, &text[len(names[found])..]))
    };
    match letter {
        'M' | 'L' if count > 2 => {
            let (month, rest) = name(&MONTHS)?;
            fields.month = Some(month + 1);
            Some(rest)
        }
        'E' if count > 3 => name(&WEEKDAYS).map(|(_, rest)| rest),
        'E' => WEEKDAYS.iter().find_map(|day| text.strip_prefix(&day[..3])),
        'Q' | 'q' if count > 2 => {
            let (quarter, rest) = number(text.strip_prefix('Q')?, 1)?;
            fields.quarter = Some(quarter);
            Some(rest)
        }
        'a' => {
            fields.afternoon = Some(text.starts_with("PM"));
            text.strip_prefix("AM").or_else(|| text.strip_prefix("PM"))
        }
        'X' | 'x' | 'Z' | 'O' => {
            let (offset, rest) = read_offset(text)?;
            fields.offset = Some(offset);
            Some(rest)
        }
        'S' => {
            let (fraction, rest) = number(text, count).filter(|_| digits(text) >= count)?;
            fields.nanos = Some(fraction * 10i64.pow(9u32.checked_sub(count as u32)?));
            Some(rest)
        }
        _ => {
            // One letter takes as many digits as there are, several just so many.
            let most = match (letter, count) {
                ('y' | 'u', 1) => 4,
                ('D', 1) => 3,
                (_, 1) => 2,
                (_, count) => count,
            };
            let (value, rest) = number(text, most).filter(|_| digits(text) >= count)?;
            let place = match letter {
                'y' | 'u' => &mut fields.year,
                'M' | 'L' => &mut fields.month,
                'd' => &mut fields.day,
                'D' => &mut fields.day_of_year,
                'Q' | 'q' => &mut fields.quarter,
                'H' => &mut fields.hour,
                'h' => &mut fields.half_hour,
                'm' => &mut fields.minute,
                _ => &mut fields.second,
            };
            *place = Some(if "yu".contains(letter) && count == 2 { 2_000 + value } else { value });
            Some(rest)
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn number(text: &str, most: usize) -> Option<(i64, &str)> {
    let count = digits(text).min(most);
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn read_offset(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let named = text.strip_prefix("GMT");
    let text = named.unwrap_or(text);
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return named.map(|rest| (0, rest)),
    };
    let (hours, rest) = number(rest, 2)?;
    let colon = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = number(colon, 2).unwrap_or((0, rest));
    Some((sign * i32::try_from(hours * 3_600 + minutes * 60).ok()?, rest))
}
