//! For people.

use std::fmt::Write as _;

use super::{Verdict, replay, tally};
use crate::bdd::suite::{Outcome, StepStatus, Trial};

/// Everything that was run: features, rules, scenarios, and each failure in full.
pub fn summary(verdicts: &[Verdict<'_>]) -> String {
    let (mut out, mut feature, mut rule) = (String::new(), None, None);
    for verdict in verdicts {
        let trial = verdict.trial;
        if feature != Some(&trial.feature) {
            let blank = if feature.is_some() { "\n" } else { "" };
            let _ = writeln!(out, "{blank}{}  ({})", trial.feature, trial.file);
            (feature, rule) = (Some(&trial.feature), None);
        }
        if rule != trial.rule.as_ref() {
            rule = trial.rule.as_ref();
            let _ = writeln!(out, "  {}", trial.rule.as_deref().unwrap_or_default());
        }
        let mark = if verdict.passed() { '✓' } else { '✗' };
        let indent = if trial.rule.is_some() { "    " } else { "  " };
        let _ = writeln!(out, "{indent}{mark} {}{}", trial.scenario, seeds(verdict));
    }
    for verdict in verdicts {
        if let Some(outcome) = verdict.failed() {
            let _ = write!(out, "\n{}", failure(verdict.trial, outcome, verdict.card.as_deref()));
        }
    }
    let _ = writeln!(out, "\n{}", tally(verdicts));
    out
}

/// How many of several seeds failed.
fn seeds(verdict: &Verdict<'_>) -> String {
    let all = verdict.outcomes.len();
    let failed = verdict.outcomes.iter().filter(|outcome| !outcome.passed()).count();
    match (all, failed) {
        (0 | 1, _) => String::new(),
        (_, 0) => format!("  ({all} seeds)"),
        _ => format!("  (fails with {failed} of {all} seeds)"),
    }
}

/// One failure: the steps with their marks, why, and how to see it again.
pub fn failure(trial: &Trial, outcome: &Outcome, card: Option<&str>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "✗ {}", trial.name());
    for step in &outcome.steps {
        let mark = match step.status {
            StepStatus::Passed => '✓',
            StepStatus::Failed => '✗',
            StepStatus::Skipped => '·',
        };
        let _ = writeln!(out, "  {mark} {}", step.text);
        if step.status == StepStatus::Failed {
            for line in outcome.failure.as_deref().unwrap_or_default().lines() {
                let _ = writeln!(out, "      {line}");
            }
            let _ = writeln!(out, "      at {}:{}:{}", trial.file, step.line, step.column);
        }
    }
    let _ = writeln!(out, "seed:    {}", outcome.seed);
    let _ = writeln!(out, "again:   {}", replay(trial, outcome));
    if let Some(card) = card {
        let _ = writeln!(out, "card:    {card}");
    }
    out
}
