//! Numbers as people read them.

use crate::dashboards::model::DisplayUnit;

/// `value` in `unit`, short: 1.2 k, 3.4 MiB, 12 ms.
pub(super) fn short(value: f64, unit: Option<&DisplayUnit>) -> String {
    match unit {
        Some(DisplayUnit::Percentage) => format!("{} %", rounded(value)),
        Some(DisplayUnit::Bytes) => scaled(value, 1_024.0, &["B", "KiB", "MiB", "GiB", "TiB"]),
        Some(DisplayUnit::BytesPerSecond) => {
            scaled(value, 1_024.0, &["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"])
        }
        Some(DisplayUnit::Milliseconds) => format!("{} ms", rounded(value)),
        Some(DisplayUnit::Seconds) => format!("{} s", rounded(value)),
        _ => scaled(value, 1_000.0, &["", "k", "M", "G", "T"]),
    }
}

fn scaled(value: f64, step: f64, words: &[&str]) -> String {
    let (mut left, mut place) = (value, 0);
    while left.abs() >= step && place + 1 < words.len() {
        left /= step;
        place += 1;
    }
    let number = rounded(left);
    let word = words.get(place).copied().unwrap_or_default();
    if word.is_empty() { number } else { format!("{number} {word}") }
}

/// Three digits that count.
fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.01 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (1_234.0, None, "1.23 k"),
            (0.0, None, "0"),
            (0.5, Some(DisplayUnit::Percentage), "0.5 %"),
            (3_670_016.0, Some(DisplayUnit::Bytes), "3.5 MiB"),
            (12.0, Some(DisplayUnit::Milliseconds), "12 ms"),
            (100.0, Some(DisplayUnit::Percentage), "100 %"),
            (-2_000_000.0, Some(DisplayUnit::Count), "-2 M"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(short(value, unit.as_ref()), expected);
        }
    }
}
