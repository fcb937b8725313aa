//! Colours of series, and what they stand for.

use std::fmt::Write as _;

use crate::domain::words::escape;

/// Colours; further series take them again with a pattern of dashes.
const COLOURS: usize = 8;
/// Series that are named.
const NAMED_MAX: usize = 12;

/// The class that colours the series `number`.
pub(super) fn class(number: usize) -> String {
    let again = if number >= COLOURS { " again" } else { "" };
    format!("s{}{again}", number % COLOURS)
}

/// A sample of the colour of the series `number`.
pub(super) fn sample(number: usize) -> String {
    // A small picture, because the page's policy refuses inline styles.
    format!(
        "<svg class=\"sample\" width=\"10\" height=\"10\"><rect class=\"{}\" width=\"10\" \
         height=\"10\" rx=\"2\"/></svg>",
        class(number)
    )
}

/// The names of series; what is beyond [`NAMED_MAX`] is counted.
pub(super) fn of(labels: &[&str]) -> String {
    let mut text = String::from("<div class=\"legend\">");
    for (number, label) in labels.iter().take(NAMED_MAX).enumerate() {
        let _ = write!(text, "<span>{} {}</span>", sample(number), escape(label));
    }
    if labels.len() > NAMED_MAX {
        let _ = write!(text, "<span>and {} more</span>", labels.len() - NAMED_MAX);
    }
    text.push_str("</div>");
    text
}
