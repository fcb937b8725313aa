//! `shakedown nrql eval`: answers a query over events from a file.
//!
//! Invariant: the answer depends on file, query and arguments alone; no clock is read.

use clap::{Args, ValueEnum};

use super::super::{Exit, complain, print, print_json};
use super::events::{EventsArgs, Loaded};
use super::table;
use crate::nrql::lint::{Catalogue, Finding, lint};
use crate::nrql::{NrqlError, QueryContext, QueryLimits, QueryResult, line_column, parse, run};

/// Arguments of `shakedown nrql eval`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 1 the query failed, 2 usage, 3 the file is not valid.\n\
    Example: shakedown nrql eval 'SELECT count(*) FROM E FACET host' --events e.ndjson")]
pub struct EvalArgs {
    /// The query.
    query: String,
    #[command(flatten)]
    events: EventsArgs,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t)]
    format: AnswerFormat,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AnswerFormat {
    /// For people.
    #[default]
    #[value(alias = "text")]
    Table,
    /// As NerdGraph gives it.
    Json,
    /// Comma-separated values.
    Csv,
}

impl EvalArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        // The query first: nobody wants to wait for a file to learn of a slip.
        if let Err(error) = parse(&self.query) {
            complain(&explained(&self.query, &error));
            return Exit::Failed;
        }
        let Some(loaded) = self.events.load() else { return Exit::InvalidFile };
        match ask(&self.query, &loaded) {
            Ok(result) => {
                notes(&self.query, &loaded).iter().for_each(|note| complain(note));
                shown(&result, self.format)
            }
            Err(error) => {
                complain(&explained(&self.query, &with_help(&self.query, error)));
                Exit::Failed
            }
        }
    }
}

/// What the linter says of `text` with `codes`; of unknown names, when it knows the names.
fn findings(text: &str, catalogue: Option<&Catalogue>, codes: &[&str]) -> Vec<Finding> {
    let Ok(statement) = parse(text) else { return Vec::new() };
    let mut found = lint(&statement, catalogue);
    found.retain(|finding| codes.contains(&finding.code));
    found
}

/// Names of the query that no event has: an answer that says 0 or nothing would not tell.
pub fn notes(text: &str, loaded: &Loaded) -> Vec<String> {
    let Ok(catalogue) = Catalogue::from_json(&loaded.catalogue().to_string()) else {
        return Vec::new();
    };
    findings(text, Some(&catalogue), &["unknown-event-type", "unknown-attribute"])
        .into_iter()
        .map(|finding| match finding.help.filter(|help| !help.is_empty()) {
            Some(help) => format!("note: {}; {help}", finding.message),
            None => format!("note: {}", finding.message),
        })
        .collect()
}

/// `error`, with the nearest name when it is about one that NRQL does not have.
pub fn with_help(text: &str, mut error: NrqlError) -> NrqlError {
    if error.help.is_none() && error.message.starts_with("Unknown function") {
        let found = findings(text, None, &["unknown-function"]);
        error.help = found
            .into_iter()
            .find(|finding| finding.message == error.message)
            .and_then(|finding| finding.help)
            .filter(|help| !help.is_empty());
    }
    error
}

/// Runs `text` over what is loaded.
pub fn ask(text: &str, loaded: &Loaded) -> Result<QueryResult, NrqlError> {
    let statement = parse(text)?;
    let context = QueryContext {
        store: &loaded.store,
        accounts: &[loaded.account],
        now: loaded.now,
        limits: QueryLimits::default(),
    };
    run(text, &statement, &context)
}

/// Prints an answer.
pub fn shown(result: &QueryResult, format: AnswerFormat) -> Exit {
    match format {
        AnswerFormat::Table => print(&table::render(result)),
        AnswerFormat::Csv => print(&table::csv(result)),
        AnswerFormat::Json => print_json(&result.to_json()),
    }
}

/// An error with the line that it is in and a mark under the place.
pub fn explained(text: &str, error: &NrqlError) -> String {
    let mut told = format!("error: {error}\n");
    if let Some(span) = &error.span {
        let (number, position) = line_column(text, span);
        let line = text.lines().nth(number - 1).unwrap_or_default();
        let shown: String =
            line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let marked = text.get(span.start..span.end).unwrap_or_default();
        let rest = shown.chars().count().saturating_sub(position - 1).max(1);
        let marks = marked.lines().next().map_or(1, |first| first.chars().count()).clamp(1, rest);
        told.push_str(&format!("  {shown}\n  {}{}\n", " ".repeat(position - 1), "^".repeat(marks)));
    }
    if let Some(help) = &error.help {
        told.push_str(&format!("help: {help}\n"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_point_at_their_place() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).expect_err(text);
            let told = explained(text, &error);
            assert!(told.contains(expected), "{told}");
        };
        check("SELECT * FORM E", "  SELECT * FORM E\n           ^^^^\n");
        check("SELECT *\nFROM E WHERE", "  FROM E WHERE\n              ^\n");
    }
}
