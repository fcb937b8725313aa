//! How far a search is.

use std::time::{Duration, Instant};

use super::super::progress::{self, Style};
use crate::sim::minimize::{News, Size};

/// How a search shows it: nobody knows how many runs it takes.
pub const STYLE: Style = Style {
    template: "{elapsed_precise} {spinner} {msg}",
    steps: None,
    line_every: Duration::from_secs(10),
};

/// The progress of one search.
pub struct Progress(progress::Progress);

impl Progress {
    /// Of a search that began then.
    pub fn new(began: Instant) -> Self {
        Self(progress::Progress::new(STYLE, began))
    }

    /// Shows `news` when it is time to.
    pub fn show(&mut self, news: &News<'_>) {
        let told = |_| format!("{} runs, {}: {}", news.tried, news.pass, Size::of(news.best));
        self.0.show(news.tried, told, str::to_owned);
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    #[test]
    fn the_line_is_well_formed() {
        assert!(ProgressStyle::with_template(STYLE.template).is_ok(), "{}", STYLE.template);
    }
}
