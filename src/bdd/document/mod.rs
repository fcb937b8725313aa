//! A feature file as a tree whose every text knows its place, and what is wrong with it.
//!
//! The grammar is that of the Gherkin reference, in English. Where common readers swallow what
//! they do not know as a description, cut rows to the width of the first, or give up at the first
//! mistake, this one tells each with its place and goes on.
//!
//! Invariants:
//! - A line that is no blank and no comment is in the tree or in a problem.
//! - Every row of a table has as many cells as its first one.
//! - A pure function of the text.
//!
//! Not modelled: other languages than English.

use std::ops::Range;

use crate::bdd::steps::Phase;
use crate::config::toml_file::Problem;

mod lines;
mod misspelt;
mod reader;
mod table;
#[cfg(test)]
mod tests;

pub use lines::{BLOCK_KEYWORDS, Keyword, STEP_KEYWORDS};
pub use reader::read;

/// A text and its bytes in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Where it stands.
    pub span: Range<usize>,
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: Text,
    /// What it is about; lines joined by `\n`.
    pub description: String,
    /// Its tags, with their `@`.
    pub tags: Vec<Text>,
    /// Steps before each scenario.
    pub background: Vec<Step>,
    /// Scenarios outside of rules.
    pub scenarios: Vec<Scenario>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A rule: one promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The promise.
    pub name: Text,
    /// More about it.
    pub description: String,
    /// Its tags.
    pub tags: Vec<Text>,
    /// Steps before each of its scenarios.
    pub background: Vec<Step>,
    /// Its cases.
    pub scenarios: Vec<Scenario>,
}

/// A scenario, or an outline of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: Text,
    /// More about it.
    pub description: String,
    /// Its tags.
    pub tags: Vec<Text>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Whether it was written as an outline.
    pub is_outline: bool,
    /// Rows for its holes.
    pub examples: Vec<Examples>,
}

/// A step as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its keyword.
    pub keyword: Keyword,
    /// What `And`, `But` and `*` stand for is that of the step before.
    pub phase: Phase,
    /// Its words.
    pub text: Text,
    /// The whole line, keyword and all.
    pub span: Range<usize>,
    /// What follows it.
    pub argument: Option<Argument>,
}

/// What follows a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Rows.
    Table(Table),
    /// A text in quotes, without its indent.
    Quoted(Text),
}

impl Argument {
    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Table(table) => table.span(),
            Self::Quoted(text) => text.span.clone(),
        }
    }
}

/// Rows of an outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examples {
    /// Its name, often none.
    pub name: Text,
    /// More about it.
    pub description: String,
    /// Tags of the scenarios that it makes.
    pub tags: Vec<Text>,
    /// Names of holes, then their values.
    pub table: Table,
}

/// Rows of cells, all of one width.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Its rows.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its cells, unescaped.
    pub cells: Vec<Text>,
    /// The line.
    pub span: Range<usize>,
}

impl Table {
    /// From its first row to its last.
    pub fn span(&self) -> Range<usize> {
        match (self.rows.first(), self.rows.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => 0..0,
        }
    }
}

impl Feature {
    /// Every scenario with its rule, in the order of the file.
    pub fn scenarios(&self) -> impl Iterator<Item = (Option<&Rule>, &Scenario)> {
        let own = self.scenarios.iter().map(|scenario| (None, scenario));
        let ruled = self
            .rules
            .iter()
            .flat_map(|rule| rule.scenarios.iter().map(move |scenario| (Some(rule), scenario)));
        own.chain(ruled)
    }
}

/// A problem with its rule, place, words and help.
pub(in crate::bdd) fn problem(
    rule: &'static str,
    span: Range<usize>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Problem {
    Problem { rule, message: message.into(), span, help: Some(help.into()) }
}
