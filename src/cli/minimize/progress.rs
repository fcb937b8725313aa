//! How far a search is: a line that changes on a terminal, lines elsewhere.
//!
//! Invariant: nothing is shown in the first [`PATIENCE`], and nothing ever on standard output.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::complain;
use crate::sim::minimize::{News, Size};

/// What takes no longer needs no line.
const PATIENCE: Duration = Duration::from_secs(2);
/// Least time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of one search.
pub struct Progress {
    began: Instant,
    bar: Option<ProgressBar>,
    is_terminal: bool,
    shown: Option<Instant>,
}

#[expect(clippy::disallowed_methods, reason = "how long people wait for a search is real time")]
pub fn now() -> Instant {
    Instant::now()
}

impl Progress {
    /// Of a search that began then.
    pub fn new(began: Instant) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { began, bar: None, is_terminal, shown: None }
    }

    /// Shows `news` when it is time to.
    pub fn show(&mut self, news: &News<'_>) {
        let now = now();
        if now.duration_since(self.began) < PATIENCE {
            return;
        }
        let text = || format!("{} runs, {}: {}", news.tried, news.pass, Size::of(news.best));
        if self.is_terminal {
            let began = self.began;
            let bar = self.bar.get_or_insert_with(|| bar(began));
            bar.set_message(text());
            bar.tick();
        } else if self.shown.is_none_or(|shown| now.duration_since(shown) >= LINE_EVERY) {
            self.shown = Some(now);
            complain(&text());
        }
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(began: Instant) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template above is well formed.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.with_style(style).with_elapsed(now().duration_since(began))
}
