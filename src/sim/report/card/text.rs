//! Words and numbers as a page needs them.

use std::fmt::Write as _;
use std::time::Duration;

pub use crate::domain::words::escape;
use crate::sim::report::timeline::clock;
use crate::sim::time::SimTime;

/// JSON that may stand in a script element: nothing in it can end the element.
pub fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A length of time in words: `90 s`, `2 min`, `1 h 5 min`, `250 ms`.
pub fn length(time: Duration) -> String {
    let millis = time.as_millis();
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    let rest = millis % 1_000;
    let mut parts: Vec<String> = Vec::new();
    let mut part = |count: u128, unit: &str| {
        if count > 0 {
            parts.push(format!("{count} {unit}"));
        }
    };
    part(hours, "h");
    part(minutes, "min");
    if hours == 0 {
        part(seconds, "s");
        if minutes == 0 && seconds < 10 {
            part(rest, "ms");
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// A begin and an end as one text.
pub fn span(from: SimTime, to: SimTime) -> String {
    let (begin, end) = (clock(from), clock(to));
    if begin == end { begin } else { format!("{begin}–{end}") }
}

/// A whole number with commas.
pub fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as short as its size needs.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let mut out = String::new();
    let _ = match size {
        _ if size != 0.0 && size < 0.01 => write!(out, "{value:.1e}"),
        _ if size >= 1e9 => write!(out, "{:.2} G", value / 1e9),
        _ if size >= 1e6 => write!(out, "{:.2} M", value / 1e6),
        _ if size >= 1e4 => write!(out, "{:.1} k", value / 1e3),
        _ if value.fract() == 0.0 => write!(out, "{value}"),
        _ if size >= 100.0 => write!(out, "{value:.1}"),
        _ => write!(out, "{value:.2}"),
    };
    out
}

/// Bytes in words.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `1 check`, `2 checks`.
pub fn counted(count: u64, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{} {noun}{end}", whole(count))
}

/// A place on an axis from 0 to 100, short.
pub fn percent(share: f64) -> String {
    let text = format!("{:.3}", share.clamp(0.0, 1.0) * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A coordinate, short.
pub fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The first letter as a capital.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        let hostile = "<script>alert('x')</script> & \"q\"\u{0}\u{ffff}";
        let safe = escape(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}', '\u{ffff}']), "{safe}");
        assert!(safe.starts_with("&lt;script&gt;alert(&#39;x&#39;)"), "{safe}");
        assert!(!json(&hostile).contains('<'), "{}", json(&hostile));
        let back: String = serde_json::from_str(&json(&hostile)).expect("JSON");
        assert_eq!(back, hostile);
    }

    #[test]
    fn numbers_and_lengths_are_short() {
        let lengths =
            [(0, "0 s"), (250, "250 ms"), (90_000, "1 min 30 s"), (3_900_000, "1 h 5 min")];
        for (millis, words) in lengths {
            assert_eq!(length(Duration::from_millis(millis)), words);
        }
        let numbers = [(0.0, "0"), (1e-9, "1.0e-9"), (14.194, "14.19"), (12_345.0, "12.3 k")];
        for (value, words) in numbers {
            assert_eq!(number(value), words);
        }
        assert_eq!((whole(999), whole(1_000), whole(1_234_567)), {
            ("999".to_owned(), "1,000".to_owned(), "1,234,567".to_owned())
        });
        assert_eq!((percent(0.5), percent(1.0 / 3.0)), ("50".to_owned(), "33.333".to_owned()));
    }
}
