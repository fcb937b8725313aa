//! How far long work is: one line that changes on a terminal, lines now and then elsewhere.
//!
//! Invariant: nothing is shown in the first [`PATIENCE`], and nothing ever on standard output.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::complain;

/// What takes no longer needs no line.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two drawings on a terminal.
const DRAW_EVERY: Duration = Duration::from_millis(200);

#[expect(clippy::disallowed_methods, reason = "how long people wait for work is real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// How some kind of work shows how far it is.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// indicatif's template of the line on a terminal.
    pub template: &'static str,
    /// How many steps there are, where that is known.
    pub steps: Option<u64>,
    /// Time between two lines where there is no terminal.
    pub line_every: Duration,
}

/// The progress of one piece of work.
pub struct Progress {
    style: Style,
    began: Instant,
    is_terminal: bool,
    bar: Option<ProgressBar>,
    shown: Option<Instant>,
}

impl Progress {
    /// Of work that began then.
    pub fn new(style: Style, began: Instant) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { style, began, is_terminal, bar: None, shown: None }
    }

    /// Shows that `done` steps are done, when it is time to; `told` says the rest, given the time
    /// since the begin, and `line` makes a whole line of it.
    pub fn show(
        &mut self,
        done: u64,
        told: impl FnOnce(Duration) -> String,
        line: impl FnOnce(&str) -> String,
    ) {
        let now = now();
        if !self.is_due(now) {
            return;
        }
        self.shown = Some(now);
        let since = now.duration_since(self.began);
        let told = told(since);
        if !self.is_terminal {
            complain(&line(&told));
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(&self.style, since));
        bar.set_position(done);
        bar.set_message(told);
        bar.tick();
    }

    fn is_due(&self, now: Instant) -> bool {
        let every = if self.is_terminal { DRAW_EVERY } else { self.style.line_every };
        match self.shown {
            Some(shown) => now.duration_since(shown) >= every,
            None => now.duration_since(self.began) >= PATIENCE,
        }
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(style: &Style, since: Duration) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(style.steps, ProgressDrawTarget::stderr());
    // Templates do not depend on a run: tests hold them to be well formed.
    let form = ProgressStyle::with_template(style.template);
    let form = form.unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(form.progress_chars("=> ")).with_elapsed(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_at_once_and_lines_only_now_and_then() {
        let style = Style { template: "", steps: None, line_every: Duration::from_secs(10) };
        let began = now();
        let mut progress = Progress { is_terminal: false, ..Progress::new(style, began) };
        let after = |seconds| began + Duration::from_secs(seconds);
        assert!(!progress.is_due(after(1)) && progress.is_due(after(2)));
        progress.shown = Some(after(2));
        assert!(!progress.is_due(after(11)) && progress.is_due(after(12)));
        progress.is_terminal = true;
        assert!(progress.is_due(after(3)));
    }
}
