//! Events in files of JSON lines: each line holds an event as the Event API takes it, or a list of
//! them.
//!
//! Invariants: a file is read line by line; a line longer than [`LINE_BYTES_MAX`] is refused before
//! it is held; every problem has file and line.

use std::io::{BufRead, Read as _};

use serde_json::{Map, Value};

use crate::domain::units::UnixMillis;

/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Bad lines that are told before reading stops.
const PROBLEMS_MAX: usize = 10;

/// Gives every event of `from` to `take`; the problems, each with `name` and its line.
///
/// What `take` says of a problem may begin with the column that it is about, and a colon.
pub fn read(
    name: &str,
    mut from: impl BufRead,
    mut take: impl FnMut(&Map<String, Value>) -> Result<(), String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match from.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                problems.push(format!("{name} cannot be read: {error}"));
                break;
            }
        }
        if line.len() as u64 > LINE_BYTES_MAX {
            let what = format!("the line is longer than {LINE_BYTES_MAX} bytes");
            problems.push(problem(name, number, &what));
            break;
        }
        if !line.trim_ascii().is_empty()
            && let Err(what) = events(&line, &mut take)
        {
            problems.push(problem(name, number, &what));
        }
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
    }
    problems
}

fn problem(name: &str, line: usize, what: &str) -> String {
    let gap = if what.starts_with(|first: char| first.is_ascii_digit()) { "" } else { " " };
    format!("{name}:{line}:{gap}{what}")
}

fn events(
    line: &[u8],
    mut take: impl FnMut(&Map<String, Value>) -> Result<(), String>,
) -> Result<(), String> {
    match serde_json::from_slice(line.trim_ascii_end()) {
        Ok(Value::Object(event)) => take(&event),
        Ok(Value::Array(events)) => events.iter().try_for_each(|event| match event {
            Value::Object(event) => take(event),
            _ => Err("an event is a JSON object".to_owned()),
        }),
        Ok(_) => Err("an event is a JSON object".to_owned()),
        Err(error) => {
            let told = error.to_string();
            let told = told.split(" at line ").next().unwrap_or_default();
            Err(format!("{}: not JSON: {told}", error.column().max(1)))
        }
    }
}

/// Seconds or milliseconds since 1970; decimals of milliseconds are ignored.
pub fn instant(value: &Value) -> Option<UnixMillis> {
    if let Some(whole) = value.as_i64() {
        return Some(UnixMillis::from_seconds_or_millis(whole));
    }
    let number = value.as_f64().filter(|number| number.abs() < 1e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "below 10^15")]
    let whole = number as i64;
    Some(UnixMillis::from_seconds_or_millis(whole))
}
