//! How far a sweep is: a bar on a terminal, a line now and then elsewhere.
//!
//! Invariant: nothing is shown in the first [`PATIENCE`], and nothing ever on standard output.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::complain;
use super::cost::now;
use crate::sim::sweep::Tally;

/// What takes no longer needs no bar.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Time between two drawings of the bar.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Kinds of failures that are named.
const KINDS_SHOWN: usize = 3;

/// The progress of one sweep.
pub struct Progress {
    began: Instant,
    runs: Option<u64>,
    bar: Option<ProgressBar>,
    is_terminal: bool,
    shown: Option<Instant>,
}

impl Progress {
    /// Of `runs` runs; without a number, until somebody ends it.
    pub fn new(runs: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { began: now(), runs, bar: None, is_terminal, shown: None }
    }

    /// Shows `tally` when it is time to.
    pub fn show(&mut self, tally: &Tally) {
        let now = now();
        let every = if self.is_terminal { DRAW_EVERY } else { LINE_EVERY };
        let due = match self.shown {
            Some(shown) => now.duration_since(shown) >= every,
            None => now.duration_since(self.began) >= PATIENCE,
        };
        if !due {
            return;
        }
        self.shown = Some(now);
        let text = status(tally, now.duration_since(self.began));
        if !self.is_terminal {
            let of = self.runs.map(|runs| format!(" of {runs}")).unwrap_or_default();
            complain(&format!("{}{of} runs, {text}", tally.runs));
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(self.runs, self.began));
        bar.set_position(tally.runs);
        bar.set_message(text);
    }

    /// Takes the bar away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(runs: Option<u64>, began: Instant) -> ProgressBar {
    let template = match runs {
        Some(_) => "{elapsed_precise} [{bar:30}] {pos}/{len} runs, {msg}, {eta} left",
        None => "{elapsed_precise} {spinner} {pos} runs, {msg}",
    };
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::with_draw_target(runs, ProgressDrawTarget::stderr());
    // The template is one of the two above, which are well formed.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> ")).with_elapsed(now().duration_since(began))
}

/// Seeds per second, and how often which failure was met.
fn status(tally: &Tally, since: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_second = tally.runs as f64 / since.as_secs_f64().max(1e-3);
    let mut text = format!("{per_second:.1} a second");
    let kinds = tally.kinds();
    if kinds.is_empty() {
        text.push_str(", none failed");
    }
    for (fingerprint, count) in kinds.iter().take(KINDS_SHOWN) {
        // Writing to a string cannot fail.
        let _ = write!(text, ", ✗ {fingerprint} × {count}");
    }
    if kinds.len() > KINDS_SHOWN {
        let _ = write!(text, ", … {} more kinds", kinds.len() - KINDS_SHOWN);
    }
    text
}
