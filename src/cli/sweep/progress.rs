//! How far a sweep is.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::progress::{self, Style, now};
use crate::sim::sweep::Tally;

/// Kinds of failures that are named.
const KINDS_SHOWN: usize = 3;

/// How a sweep of `runs` runs shows it; without a number, one that goes on until somebody ends it.
pub fn style(runs: Option<u64>) -> Style {
    let template = match runs {
        Some(_) => "{elapsed_precise} [{bar:30}] {pos}/{len} runs, {msg}, {eta} left",
        None => "{elapsed_precise} {spinner} {pos} runs, {msg}",
    };
    Style { template, steps: runs, line_every: Duration::from_secs(30) }
}

/// The progress of one sweep.
pub struct Progress {
    runs: Option<u64>,
    shown: progress::Progress,
}

impl Progress {
    /// Of `runs` runs; without a number, until somebody ends it.
    pub fn new(runs: Option<u64>) -> Self {
        Self { runs, shown: progress::Progress::new(style(runs), now()) }
    }

    /// Shows `tally` when it is time to.
    pub fn show(&mut self, tally: &Tally) {
        let of = self.runs.map(|runs| format!(" of {runs}")).unwrap_or_default();
        let line = |told: &str| format!("{}{of} runs, {told}", tally.runs);
        self.shown.show(tally.runs, |since| status(tally, since), line);
    }

    /// Takes the bar away.
    pub fn end(&mut self) {
        self.shown.end();
    }
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

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    #[test]
    fn the_line_is_well_formed() {
        for Style { template, .. } in [style(None), style(Some(3))] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
