//! Living documentation: what the product promises, in the words of its features, and whether each
//! promise was kept when it was last run.
//!
//! Invariants:
//! - One file that works offline: it loads nothing, runs no script, and links to cards of failures
//!   alone, relative to itself.
//! - Every text of a feature is escaped.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Verdict, replay, tally};
use crate::bdd::suite::{Outcome, Source, StepOutcome, StepStatus};
use crate::domain::words::{counted, escape};

const STYLE: &str = include_str!("living.css");

/// The address of a card, given its path.
pub type Address<'a> = dyn Fn(&str) -> String + 'a;

/// The page, whose links to cards are their `address`es.
pub fn living(sources: &[Source], verdicts: &[Verdict<'_>], address: &Address<'_>) -> String {
    let features: Vec<Part<'_>> = sources
        .iter()
        .enumerate()
        .filter_map(|(number, source)| {
            let of = verdicts.iter().filter(|verdict| verdict.trial.file == source.file);
            let verdicts: Vec<&Verdict<'_>> = of.collect();
            (!verdicts.is_empty()).then_some(Part { number, source, verdicts })
        })
        .collect();
    let mut out = head(verdicts);
    out.push_str("<nav aria-label=\"Features\"><ul>\n");
    features.iter().for_each(|part| part.link(&mut out));
    out.push_str("</ul></nav>\n");
    features.iter().for_each(|part| part.section(&mut out, address));
    out.push_str("</body>\n</html>\n");
    out
}

fn head(verdicts: &[Verdict<'_>]) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let class = class(verdicts.iter().all(Verdict::passed));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Features: {tally}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>What is promised</h1>\n<p><b class=\"{class}\">{tally}</b>. Each scenario was run as a \
         simulation; the same seed gives the same run.</p>\n",
        tally = escape(&tally(verdicts))
    )
}

fn class(passed: bool) -> &'static str {
    if passed { "good" } else { "bad" }
}

fn mark(passed: bool) -> char {
    if passed { '✓' } else { '✗' }
}

/// One feature with what came of it.
struct Part<'a> {
    number: usize,
    source: &'a Source,
    verdicts: Vec<&'a Verdict<'a>>,
}

impl Part<'_> {
    fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.passed())
    }

    fn kept(&self) -> String {
        let kept = self.verdicts.iter().filter(|verdict| verdict.passed()).count();
        format!("{kept} of {}", self.verdicts.len())
    }

    fn link(&self, out: &mut String) {
        let name = escape(&self.source.feature.name.value);
        let _ = writeln!(
            out,
            "<li><a href=\"#f{}\">{name}</a><small class=\"{}\">{} {}</small></li>",
            self.number,
            class(self.passed()),
            mark(self.passed()),
            self.kept()
        );
    }

    fn section(&self, out: &mut String, address: &Address<'_>) {
        let feature = &self.source.feature;
        let _ = writeln!(
            out,
            "<section id=\"f{}\"><h2>{} <small>{}</small></h2>\n<p>{}</p>",
            self.number,
            escape(&feature.name.value),
            escape(&self.source.file),
            escape(&feature.description)
        );
        let mut rule = None;
        for verdict in &self.verdicts {
            let own = verdict.trial.rule.as_deref();
            if let Some(name) = own.filter(|_| rule != own) {
                let _ = writeln!(out, "<h3>{}</h3>", escape(name));
            }
            rule = own;
            scenario(out, verdict, address);
        }
        out.push_str("</section>\n");
    }
}

fn scenario(out: &mut String, verdict: &Verdict<'_>, address: &Address<'_>) {
    let (trial, passed) = (verdict.trial, verdict.passed());
    let state = if passed { "" } else { " class=\"broken\" open" };
    let tags: String = trial
        .tags
        .iter()
        .map(|tag| format!("<span class=\"tag\">{}</span>", escape(tag)))
        .collect();
    let _ = writeln!(
        out,
        "<details{state}><summary><span class=\"{}\">{}</span> {}{tags}</summary>",
        class(passed),
        mark(passed),
        escape(&trial.scenario)
    );
    if let Some(outcome) = verdict.failed().or(verdict.outcomes.first()) {
        out.push_str("<ol>\n");
        outcome.steps.iter().for_each(|told| step(out, told, outcome));
        out.push_str("</ol>\n");
        facts(out, verdict, outcome, address);
    }
    out.push_str("</details>\n");
}

fn step(out: &mut String, step: &StepOutcome, outcome: &Outcome) {
    let (keyword, words) = step.text.split_once(' ').unwrap_or((&step.text, ""));
    let (class, mark) = match step.status {
        StepStatus::Passed => ("good", '✓'),
        StepStatus::Failed => ("bad", '✗'),
        StepStatus::Skipped => ("skipped", '·'),
    };
    let _ = writeln!(
        out,
        "<li class=\"{}\"><span class=\"{class}\">{mark}</span> <b>{}</b> {}</li>",
        if step.status == StepStatus::Skipped { "skipped" } else { "done" },
        escape(keyword),
        escape(words)
    );
    if step.status == StepStatus::Failed {
        let why = outcome.failure.as_deref().unwrap_or_default();
        let _ = writeln!(out, "<li><pre>{}</pre></li>", escape(why));
    }
}

fn facts(out: &mut String, verdict: &Verdict<'_>, outcome: &Outcome, address: &Address<'_>) {
    let seeds = match verdict.outcomes.len() {
        1 => format!("seed {}", outcome.seed),
        many => counted(many as u64, "seed"),
    };
    let _ = write!(
        out,
        "<dl><dt>Run with</dt><dd>{seeds}</dd><dt>Again</dt><dd><code>{}</code></dd>",
        escape(&replay(verdict.trial, outcome))
    );
    if let Some(card) = &verdict.card {
        let place = address(card);
        let _ = write!(
            out,
            "<dt>Card</dt><dd><a href=\"{}\">what happened, step by step</a></dd>",
            escape(&place)
        );
    }
    out.push_str("</dl>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bdd::suite::{Catalogue, SEED, Suite, Tags};

    #[test]
    fn a_page_tells_of_every_scenario_and_of_nothing_else() {
        let text = "Feature: A <b>\n  About & more.\n  Rule: R\n    @slow\n    Scenario: S\n      \
                    Given a dashboard whose widget asks \"SELECT sum(x) FROM Y\"\n      \
                    Then it is refused, because \"no such words\"\n    Scenario: T\n      \
                    Given a dashboard whose widget asks \"SELECT sum(x) FROM Y\"\n      \
                    Then it is refused, because \"sum\"\n";
        let mut suite = Suite::default();
        suite.add(&Catalogue::new().unwrap(), &Tags::default(), "f.feature", text);
        let verdicts: Vec<Verdict<'_>> = suite
            .trials
            .iter()
            .map(|trial| Verdict {
                trial,
                outcomes: vec![trial.run(SEED)],
                card: Some("target/x/card.html".to_owned()),
            })
            .collect();
        let page = living(&suite.sources, &verdicts, &|card| format!("../{card}"));
        for part in [
            "A &lt;b&gt;",
            "About &amp; more.",
            "<h3>R</h3>",
            "<span class=\"tag\">@slow</span>",
            "class=\"broken\" open",
            "none says `no such words`",
            "href=\"../target/x/card.html\"",
            "shakedown features f.feature:5 --seed 1",
        ] {
            assert!(page.contains(part), "{page} lacks {part}");
        }
        assert!(!page.contains("<script") && !page.contains("http:") && !page.contains("A <b>"));
    }
}
