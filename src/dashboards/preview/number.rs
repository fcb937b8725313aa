//! Numbers as people read them.

use crate::dashboards::model::DisplayUnit;

const BYTES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
const BYTES_PER_SECOND: [&str; 5] = ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"];
const PLAIN: [&str; 5] = ["", "k", "M", "G", "T"];
const PER_SECOND: [&str; 5] = ["/s", "k/s", "M/s", "G/s", "T/s"];
/// Names of durations and how many seconds each is, greatest first.
const DURATIONS: [(&str, f64); 5] =
    [("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001)];

/// `value` in `unit`, short: 1.2 k, 3.4 MiB, 12 ms, 2.5 h.
pub(super) fn short(value: f64, unit: Option<&DisplayUnit>) -> String {
    match unit {
        Some(DisplayUnit::Percentage) => format!("{} %", rounded(value)),
        Some(DisplayUnit::Bytes) => scaled(value, 1_024.0, &BYTES),
        Some(DisplayUnit::BytesPerSecond) => scaled(value, 1_024.0, &BYTES_PER_SECOND),
        Some(DisplayUnit::MessagesPerSecond | DisplayUnit::OperationsPerSecond) => {
            scaled(value, 1_000.0, &PER_SECOND)
        }
        Some(DisplayUnit::Milliseconds) => duration(value / 1_000.0, "ms"),
        Some(DisplayUnit::Seconds) => duration(value, "s"),
        _ => scaled(value, 1_000.0, &PLAIN),
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
    let gap = if word.is_empty() || word.starts_with('/') { "" } else { " " };
    format!("{number}{gap}{word}")
}

/// Nothing has its own unit's name; what is longer than two of the next unit gets that one.
fn duration(seconds: f64, own: &str) -> String {
    if seconds == 0.0 {
        return format!("0 {own}");
    }
    let fits = |(_, size): &&(&str, f64)| {
        let least = if *size > 1.0 { 2.0 * size } else { *size };
        seconds.abs() >= least
    };
    let (word, size) = DURATIONS.iter().find(fits).copied().unwrap_or(("ms", 0.001));
    format!("{} {word}", rounded(seconds / size))
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

/// The marks of an axis from 0 to `greatest` at least: round numbers of `unit`, from the least on.
pub(super) fn marks(greatest: f64, unit: Option<&DisplayUnit>) -> Vec<f64> {
    const PARTS: f64 = 4.0;
    let greatest = if greatest > 0.0 { greatest } else { 1.0 };
    // Round in the unit that is shown: 512 MiB, not 500,000,000 B.
    let shown = match unit {
        Some(DisplayUnit::Bytes | DisplayUnit::BytesPerSecond) => {
            1_024_f64.powf(greatest.max(1.0).log(1_024.0).floor())
        }
        Some(DisplayUnit::Seconds) if greatest >= 7_200.0 => 3_600.0,
        Some(DisplayUnit::Seconds) if greatest >= 120.0 => 60.0,
        _ => 1.0,
    };
    let raw = greatest / shown / PARTS;
    let power = 10_f64.powf(raw.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * power);
    let step = round.into_iter().find(|step| *step >= raw * 0.999).unwrap_or(raw) * shown;
    // Parts of things are no things.
    let whole = matches!(unit, Some(DisplayUnit::Count));
    let step = if whole { step.max(1.0).ceil() } else { step };
    let parts = (greatest / step - 1e-9).ceil().max(1.0) as u32;
    (0..=parts).map(|part| f64::from(part) * step).collect()
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
            (12.0, Some(DisplayUnit::OperationsPerSecond), "12/s"),
            (518_400.0, Some(DisplayUnit::MessagesPerSecond), "518 k/s"),
            (12.0, Some(DisplayUnit::Milliseconds), "12 ms"),
            (1_500.0, Some(DisplayUnit::Milliseconds), "1.5 s"),
            (0.0, Some(DisplayUnit::Seconds), "0 s"),
            (90.0, Some(DisplayUnit::Seconds), "90 s"),
            (714.0, Some(DisplayUnit::Seconds), "11.9 min"),
            (9_000.0, Some(DisplayUnit::Seconds), "2.5 h"),
            (100.0, Some(DisplayUnit::Percentage), "100 %"),
            (-2_000_000.0, Some(DisplayUnit::Count), "-2 M"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(short(value, unit.as_ref()), expected);
        }
    }

    #[test]
    fn axes_have_round_marks_that_reach_the_greatest_value() {
        let check = |greatest: f64, unit: Option<DisplayUnit>, expected: &[&str]| {
            let marks = marks(greatest, unit.as_ref());
            let shown: Vec<String> = marks.iter().map(|m| short(*m, unit.as_ref())).collect();
            assert_eq!(shown, expected, "{greatest}");
        };
        check(6.0, Some(DisplayUnit::Count), &["0", "2", "4", "6"]);
        check(1.0, Some(DisplayUnit::Count), &["0", "1"]);
        check(100.0, Some(DisplayUnit::Percentage), &["0 %", "25 %", "50 %", "75 %", "100 %"]);
        check(0.0, None, &["0", "0.25", "0.5", "0.75", "1"]);
        check(137e6, Some(DisplayUnit::Count), &["0", "50 M", "100 M", "150 M"]);
        let mebi = 1_048_576.0;
        let network = &["0 B/s", "10 MiB/s", "20 MiB/s", "30 MiB/s", "40 MiB/s"];
        check(32.0 * mebi, Some(DisplayUnit::BytesPerSecond), network);
        check(714.0, Some(DisplayUnit::Seconds), &["0 s", "5 min", "10 min", "15 min"]);
        for power in -6..15 {
            for digits in [1.0, 1.7, 2.4, 3.3, 6.1, 9.9] {
                let greatest = digits * 10_f64.powi(power);
                let marks = marks(greatest, None);
                let top = marks.last().copied().unwrap_or_default();
                assert!(top >= greatest * 0.999 && top <= greatest * 2.0, "{greatest}: {marks:?}");
                assert!((2..=6).contains(&marks.len()), "{greatest}: {marks:?}");
            }
        }
    }
}
