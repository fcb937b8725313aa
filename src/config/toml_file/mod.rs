//! A TOML or JSON file with a schema: read it, name every problem with its place and its fix.
//!
//! ```text
//! let file = TomlFile::parse("config", "pipeline.toml", text)?;   // syntax
//! let value: T = file.read()?;                                    // schema, all problems at once
//! file.require(problems)?;                                        // the caller's own rules
//! ```
//!
//! A type that is read this way derives `Deserialize` and `JsonSchema` with `deny_unknown_fields`,
//! without `untagged` and `flatten`; an enumeration of tables has a `tag` and struct variants.
//!
//! The schema is the one schemars derives from `T`: unknown keys (with the nearest known one),
//! wrong types, missing keys, ranges, lengths, enumerations, tagged tables and the text formats
//! of [`FORMATS`] are checked by walking it, so one run reports every problem. Rules that a schema
//! cannot say are the caller's: it names a [`Place`] and gets the span from [`TomlFile::problem`].
//!
//! Invariants:
//! - A file above [`FILE_BYTES_MAX`] is refused before it is parsed.
//! - Values of keys that sound secret, and texts shaped like New Relic keys, are masked in every
//!   snippet, and no message quotes them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use tree::{Node, Value};

use crate::domain::words::counted_as;

mod json;
mod mask;
mod suggest;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

pub use suggest::nearest;
pub use walk::FORMATS;

/// Longest file accepted.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Syntax errors told of one file: what follows the first is mostly due to it.
const SYNTAX_SHOWN_MAX: usize = 3;

/// Problems shown of one file; whoever has more has a cause in common behind them.
const PROBLEMS_SHOWN_MAX: usize = 200;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// TOML 1.0.
    Toml,
    /// JSON as RFC 8259 has it.
    Json,
}

impl Syntax {
    /// JSON if the name ends with `.json` or the text begins with a brace, which TOML cannot.
    pub fn of(name: &str, text: &str) -> Self {
        let is_json = name.ends_with(".json") || text.trim_start().starts_with('{');
        if is_json { Self::Json } else { Self::Toml }
    }
}

/// Where in a document a value stands: keys and indices from the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Place {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The value of `key` in the table at this place.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut place = self.clone();
        place.0.push(Step::Key(key.into()));
        place
    }

    /// Element `index` of the array at this place.
    #[must_use]
    pub fn at(&self, index: usize) -> Self {
        let mut place = self.clone();
        place.0.push(Step::Index(index));
        place
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Last part of its code, e.g. `unknown_key`.
    pub rule: &'static str,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Bytes of the file it is about.
    pub span: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A parsed document and its text.
pub struct TomlFile {
    area: &'static str,
    syntax: Syntax,
    name: String,
    text: String,
    root: Node,
}

impl fmt::Debug for TomlFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold secrets.
        f.debug_struct("TomlFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TomlFile {
    /// Parses `text`, which came from the file `name`; `area` stands in the codes of its problems
    /// (`shakedown::<area>::unknown_key`).
    ///
    /// # Errors
    /// Too long, or the first syntax errors with their places.
    pub fn parse(
        area: &'static str,
        name: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Self, FileProblems> {
        Self::parse_as(Syntax::Toml, FILE_BYTES_MAX, area, name, text)
    }

    /// The same for a document in `syntax` of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// Too long, or the first syntax errors with their places.
    pub fn parse_as(
        syntax: Syntax,
        bytes_max: usize,
        area: &'static str,
        name: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Self, FileProblems> {
        let (name, text) = (name.into(), text.into());
        if text.len() > bytes_max {
            let problem = Problem {
                rule: "too_long",
                message: format!("the file has {} bytes", text.len()),
                span: 0..0,
                help: Some(format!("the limit is {bytes_max} bytes")),
            };
            return Err(FileProblems::new(area, &name, "", vec![problem]));
        }
        let root = match syntax {
            Syntax::Toml => parse_toml(&text),
            Syntax::Json => json::parse(&text),
        };
        match root {
            Ok(root) => Ok(Self { area, syntax, name, text, root }),
            Err(problems) => Err(FileProblems::new(area, &name, &text, problems)),
        }
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value as a `T`.
    ///
    /// # Errors
    /// Every place where it differs from `T`'s schema.
    pub fn read<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, FileProblems> {
        let schema = schemars::schema_for!(T);
        self.require(walk::check(schema.as_value(), &self.root))?;
        // The walk has said all it can; what it cannot say (a hand-written `Deserialize`) serde
        // says here, one problem at a time.
        let (message, span) = match self.syntax {
            Syntax::Toml => match toml::from_str(&self.text) {
                Ok(value) => return Ok(value),
                Err(error) => (error.message().to_owned(), error.span()),
            },
            Syntax::Json => match serde_json::from_str(&self.text) {
                Ok(value) => return Ok(value),
                Err(error) => (json::message_of(&error), Some(json::place_of(&error, &self.text))),
            },
        };
        let span = span.unwrap_or(0..self.text.len().min(1));
        let (message, help) = mask::split_message(&message);
        let problem = Problem { rule: "invalid_value", message, span, help };
        Err(self.problems(vec![problem]))
    }

    /// The bytes of the value at `place`, or of the nearest table around it that exists.
    pub fn span(&self, place: &Place) -> Range<usize> {
        let mut node = &self.root;
        for step in &place.0 {
            let next = match (step, &node.value) {
                (Step::Key(key), Value::Table(table)) => table.get(key).map(|entry| &entry.node),
                (Step::Index(index), Value::Array(array)) => array.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        let span = node.span.clone();
        if span.is_empty() { 0..self.text.len().min(1) } else { span }
    }

    /// The bytes of the text at `place` without its quotes; `None` if it is no text, or one with
    /// escapes, whose places in the file are not those in the value.
    pub fn plain_text(&self, place: &Place) -> Option<Range<usize>> {
        let span = self.span(place);
        let written = self.text.get(span.clone())?;
        let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| written.starts_with(q))?;
        let inner = written.strip_prefix(quotes)?.strip_suffix(quotes)?;
        let start = span.start + quotes.len();
        let plain = !inner.contains('\\') && !inner.starts_with(['\n', '\r']);
        plain.then_some(start..start + inner.len())
    }

    /// A problem of the caller's own at `place`.
    pub fn problem(
        &self,
        rule: &'static str,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        let help = Some(help.into());
        Problem { rule, message: message.into(), span: self.span(place), help }
    }

    /// `Ok` when there are no problems.
    ///
    /// # Errors
    /// All of them, in the order of the file.
    pub fn require(&self, problems: Vec<Problem>) -> Result<(), FileProblems> {
        if problems.is_empty() { Ok(()) } else { Err(self.problems(problems)) }
    }

    /// `problems` (at least one) as one error.
    pub fn problems(&self, problems: Vec<Problem>) -> FileProblems {
        FileProblems::new(self.area, &self.name, &self.text, problems)
    }
}

fn parse_toml(text: &str) -> Result<Node, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node::of_table(root.get_ref(), root.span()));
    }
    let mut problems: Vec<_> =
        errors.iter().map(|error| syntax_problem(error, text.len())).collect();
    problems.sort_by_key(|problem| problem.span.start);
    problems.truncate(SYNTAX_SHOWN_MAX);
    let hidden = errors.len() - problems.len();
    if let Some(last) = problems.last_mut().filter(|_| hidden > 0) {
        let more = format!(
            "and {}",
            counted_as(hidden, "more syntax error follows", "more syntax errors follow")
        );
        last.help = Some(match last.help.take() {
            Some(help) => format!("{help}; {more}"),
            None => format!("mend this first: {more}"),
        });
    }
    Err(problems)
}

fn syntax_problem(error: &toml::de::Error, text_bytes: usize) -> Problem {
    let at = error.span().unwrap_or(0..0);
    let span = at.start.min(text_bytes)..at.end.min(text_bytes);
    let (message, help) = mask::split_message(error.message());
    Problem { rule: "syntax", message, span, help }
}

/// Everything that is wrong with one file, shown as `file:line:column: message`; a miette
/// diagnostic with one related diagnostic each.
#[derive(Debug, Clone)]
pub struct FileProblems {
    name: String,
    problems: Vec<FileProblem>,
}

/// One [`Problem`] with the (masked) file it is about.
#[derive(Debug, Clone)]
pub struct FileProblem {
    code: String,
    source: NamedSource<Arc<str>>,
    line: usize,
    column: usize,
    problem: Problem,
}

impl FileProblems {
    /// `problems` (at least one) of `text`, which came from `name`.
    pub(crate) fn new(area: &str, name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        let hidden = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        problems.truncate(PROBLEMS_SHOWN_MAX);
        if let Some(last) = problems.last_mut().filter(|_| hidden > 0) {
            let more = counted_as(hidden, "more problem follows", "more problems follow");
            let help = last.help.take().map(|help| format!("{help}; ")).unwrap_or_default();
            last.help = Some(format!("{help}{more}"));
        }
        let masked: Arc<str> = mask::mask(text).into();
        let problems = problems.into_iter().map(|problem| {
            let (line, column) = line_and_column(text, problem.span.start);
            FileProblem {
                code: format!("shakedown::{area}::{}", problem.rule),
                source: NamedSource::new(name, Arc::clone(&masked)),
                line,
                column,
                problem: Problem { message: mask::mask_keys(&problem.message), ..problem },
            }
        });
        Self { name: name.to_owned(), problems: problems.collect() }
    }

    /// The problems of several files (or of a file and the environment) as one error.
    pub(in crate::config) fn join(all: Vec<Self>) -> Self {
        let mut all = all.into_iter();
        let mut joined = all.next().unwrap_or(Self { name: String::new(), problems: Vec::new() });
        joined.problems.extend(all.flat_map(|more| more.problems));
        joined
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[FileProblem] {
        &self.problems
    }

    /// For a terminal (`colour`) or a file: snippets with carets, one per problem.
    pub fn render(&self, colour: bool) -> String {
        let theme =
            if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let mut text = String::new();
        for problem in &self.problems {
            if handler.render_report(&mut text, problem).is_err() {
                text.push_str(&problem.to_string());
            }
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for FileProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [first, rest @ ..] => {
                let name = first.source.name();
                write!(f, "{name}:{}:{}: {first}", first.line, first.column)?;
                if rest.is_empty() { Ok(()) } else { write!(f, " (and {} more)", rest.len()) }
            }
            [] => write!(f, "{} is not valid", self.name),
        }
    }
}

impl std::error::Error for FileProblems {}

impl Diagnostic for FileProblems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

impl FileProblem {
    /// `shakedown::<area>::<rule>`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.problem.help.as_deref()
    }

    /// Line and column of its start, from 1; columns count characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for FileProblem {}

impl Diagnostic for FileProblem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, span))))
    }
}

/// Line and column of a byte of `text`, from 1; columns count characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
