//! Steps to the catalogue's.

use std::sync::LazyLock;

use regex::Regex;

use super::Catalogue;
use crate::bdd::document::{self, problem};
use crate::bdd::pattern::{Args, Misfit};
use crate::bdd::steps::{Phase, Step};
use crate::config::toml_file::Problem;
use crate::sim::fault::CATALOGUE;

/// From this likeness on words are taken for a step.
const RESEMBLES: f64 = 0.75;
/// A pattern with fewer letters outside of holes says too little about what was meant.
const LETTERS_MIN: usize = 9;
/// Known steps that an unknown one is answered with.
const NEAR: usize = 3;

/// Values of a step, so that words are compared with words.
static VALUES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r#""[^"]*""#, "{string}"),
        (r"\b\d+(\.\d+)? ?(ms|s|m|min|h|d)\b", "{duration}"),
        (r"\b\d+(\.\d+)? ?%", "{percent}"),
        (r"\b\d+\b", "{count}"),
    ]
    .into_iter()
    .filter_map(|(looks, hole)| Some((Regex::new(looks).ok()?, hole)))
    .collect()
});

/// Words with their values as holes.
fn masked(words: &str) -> String {
    VALUES.iter().fold(words.to_owned(), |words, (looks, hole)| {
        looks.replace_all(&words, *hole).into_owned()
    })
}

/// The faults whose words come nearest, one a line.
fn faults_near(words: &str) -> String {
    let ways = CATALOGUE.iter().flat_map(|entry| entry.prose_pattern.split(" | "));
    let mut ranked: Vec<(f64, &str)> =
        ways.map(|way| (strsim::sorensen_dice(way, words), way)).collect();
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    let near: String = ranked.iter().take(NEAR).map(|(_, way)| format!("\n  {way}")).collect();
    format!("the nearest are{near}\n`shakedown faults` lists all of them")
}

impl Catalogue {
    /// Whether `words` are near to those of any step.
    pub(super) fn resembles(&self, words: &str) -> bool {
        let words = masked(words);
        self.0.iter().any(|(step, _)| strsim::sorensen_dice(step.pattern, &words) >= RESEMBLES)
    }

    /// The step that `step` is, and what its holes took.
    ///
    /// # Errors
    /// No step is, or several are; a value cannot be; it takes no table or text.
    pub(super) fn find(&self, step: &document::Step) -> Result<(&'static Step, Args), Problem> {
        let (span, words) = (step.text.span.clone(), step.text.value.as_str());
        let of_phase = self.0.iter().filter(|(known, _)| known.phase == step.phase);
        let mut found =
            of_phase.filter_map(|(known, pattern)| Some((*known, pattern.take(words)?)));
        let Some((known, args)) = found.next() else {
            return Err(self.unknown(step));
        };
        if let Some((other, _)) = found.next() {
            let message = format!("this is `{}` and also `{}`", known.pattern, other.pattern);
            return Err(problem("ambiguous_step", span, message, "say it in other words"));
        }
        if let Some(argument) = &step.argument {
            let message = "this step takes no table and no text";
            let help = "remove what follows it, or say it in the step's own words";
            return Err(problem("stray_argument", argument.span(), message, help));
        }
        match args {
            Ok(args) => Ok((known, args)),
            Err(error) => {
                let help = format!("the step is `{}`; see `shakedown steps`", known.pattern);
                Err(problem("impossible_value", span, error.to_string(), help))
            }
        }
    }

    fn unknown(&self, step: &document::Step) -> Problem {
        let words = masked(&step.text.value);
        let elsewhere = self.0.iter().find(|(known, pattern)| {
            known.phase != step.phase && pattern.take(&step.text.value).is_some()
        });
        let (message, help) = match elsewhere {
            Some((known, _)) => (
                format!(
                    "this is a step of `{}`, not of `{}`",
                    known.phase.keyword(),
                    step.phase.keyword()
                ),
                format!("write `{} {}`", known.phase.keyword(), step.text.value),
            ),
            None => {
                if let Some(problem) = self.misfit(step) {
                    return problem;
                }
                (format!("no step is called `{}`", step.text.value), self.near(step.phase, &words))
            }
        };
        problem("unknown_step", step.text.span.clone(), message, help)
    }

    /// A step whose words are known and one of whose values is none of its type.
    fn misfit(&self, step: &document::Step) -> Option<Problem> {
        let words = &step.text.value;
        let of_phase = self.0.iter().filter(|(known, _)| known.phase == step.phase);
        let told = of_phase.filter(|(_, pattern)| pattern.letters() >= LETTERS_MIN);
        let found = told.filter_map(|(known, pattern)| {
            Some((pattern.letters(), known, pattern.misfit(words)?))
        });
        let (_, known, Misfit { hole, span }) = found.max_by_key(|(letters, ..)| *letters)?;
        let message = format!("`{}` is no {}", &words[span.clone()], hole.name);
        let help = if hole.name == "fault" {
            faults_near(&words[span.clone()])
        } else {
            let (meaning, example) = (hole.meaning, hole.example);
            format!("write {meaning}, for example {example}; the step is `{}`", known.pattern)
        };
        // Of an outline the value stands elsewhere than in the step.
        let place = &step.text.span;
        let is_as_written = place.len() == words.len();
        let span = if is_as_written {
            place.start + span.start..place.start + span.end
        } else {
            place.clone()
        };
        Some(problem("unknown_value", span, message, help))
    }

    /// The patterns whose words come nearest, one a line.
    fn near(&self, phase: Phase, words: &str) -> String {
        let mut ranked: Vec<(f64, &Step)> = self
            .0
            .iter()
            .map(|(step, _)| {
                let own = if step.phase == phase { 0.05 } else { 0.0 };
                (strsim::sorensen_dice(step.pattern, words) + own, *step)
            })
            .collect();
        ranked.sort_by(|left, right| {
            right.0.total_cmp(&left.0).then(left.1.pattern.cmp(right.1.pattern))
        });
        let near = ranked.iter().take(NEAR);
        let near: String = near
            .map(|(_, step)| format!("\n  {} {}", step.phase.keyword(), step.pattern))
            .collect();
        format!("the nearest are{near}\n`shakedown steps WORD…` searches all of them")
    }
}
