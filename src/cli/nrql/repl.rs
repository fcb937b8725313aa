//! `shakedown nrql repl`: queries by hand over events from a file.
//!
//! A query ends with `;` or an empty line, so it may go over several lines. Commands begin with a
//! backslash.
//!
//! Invariants: what a line does is decided in [`Session::line`], without a terminal; the history is
//! kept in the user's state folder or not at all.

use std::path::PathBuf;

use clap::Args;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::super::{Exit, complain, print};
use super::eval::{AnswerFormat, ask, explained};
use super::events::{EventsArgs, Loaded};
use super::table;
use crate::nrql::store::Kind;

/// Letters of one query.
const QUERY_BYTES_MAX: usize = 1 << 16;
const HELP: &str = "A query ends with ; or an empty line.\n\
    \\d         event types and how many events each has\n\
    \\d TYPE    attributes of a type and the kinds of their values\n\
    \\f FORMAT  table, json or csv\n\
    \\h         this text\n\
    \\q         leaves\n";

/// Arguments of `shakedown nrql repl`.
#[derive(Debug, Args)]
pub struct ReplArgs {
    #[command(flatten)]
    events: EventsArgs,
}

impl ReplArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let Some(loaded) = self.events.load() else { return Exit::InvalidFile };
        let mut editor = match DefaultEditor::new() {
            Ok(editor) => editor,
            Err(error) => {
                complain(&format!("the terminal cannot be used: {error}"));
                return Exit::Failed;
            }
        };
        let history = history_file();
        if let Some(file) = &history {
            // A first session has no history yet.
            let _ = editor.load_history(file);
        }
        let mut session = Session::new(loaded);
        let mut exit = print(&session.greeting());
        while exit == Exit::Ok {
            let step = match editor.readline(session.prompt()) {
                Ok(line) => session.line(&line),
                Err(ReadlineError::Interrupted) => session.abandon(),
                Err(ReadlineError::Eof) => {
                    let last = session.line("");
                    let _ = print(&last.told);
                    break;
                }
                Err(error) => {
                    complain(&format!("the terminal cannot be read: {error}"));
                    return Exit::Failed;
                }
            };
            if let Some(entry) = &step.entry {
                let _ = editor.add_history_entry(entry);
            }
            exit = print(&step.told);
            if step.leaves {
                break;
            }
        }
        if let Some(file) = &history {
            keep(&mut editor, file);
        }
        exit
    }
}

fn keep(editor: &mut DefaultEditor, file: &PathBuf) {
    let made = file.parent().is_none_or(|folder| std::fs::create_dir_all(folder).is_ok());
    if !made || editor.save_history(file).is_err() {
        complain(&format!("warning: the history could not be kept in {}", file.display()));
    }
}

/// Where the history is: below XDG_STATE_HOME, or the home folder's place for it.
fn history_file() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local").join("state")))?;
    Some(state.join("shakedown").join("nrql_history"))
}

/// What a line has done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    /// What is printed.
    told: String,
    /// What the history keeps.
    entry: Option<String>,
    /// Whether the session ends.
    leaves: bool,
}

impl Step {
    fn telling(told: impl Into<String>) -> Self {
        Self { told: told.into(), ..Self::default() }
    }
}

/// A conversation.
struct Session {
    loaded: Loaded,
    format: AnswerFormat,
    query: String,
}

impl Session {
    fn new(loaded: Loaded) -> Self {
        Self { loaded, format: AnswerFormat::default(), query: String::new() }
    }

    fn greeting(&self) -> String {
        format!("{} events; \\h for help\n", self.loaded.events)
    }

    const fn prompt(&self) -> &'static str {
        if self.query.is_empty() { "nrql> " } else { "  ... " }
    }

    fn abandon(&mut self) -> Step {
        let leaves = self.query.is_empty();
        self.query.clear();
        Step { leaves, ..Step::default() }
    }

    fn line(&mut self, line: &str) -> Step {
        let trimmed = line.trim();
        if self.query.is_empty() {
            if trimmed.is_empty() {
                return Step::default();
            }
            if let Some(command) = trimmed.strip_prefix('\\') {
                let mut step = self.command(command);
                step.entry = Some(trimmed.to_owned());
                return step;
            }
        }
        let ends = trimmed.is_empty() || trimmed.ends_with(';');
        if !trimmed.is_empty() {
            if !self.query.is_empty() {
                self.query.push('\n');
            }
            self.query.push_str(line.trim_end().trim_end_matches(';'));
        }
        if self.query.len() > QUERY_BYTES_MAX {
            self.query.clear();
            return Step::telling("error: the query is too long\n");
        }
        if !ends {
            return Step::default();
        }
        let text = std::mem::take(&mut self.query);
        let told = match ask(&text, &self.loaded) {
            Err(error) => explained(&text, &error),
            Ok(result) => match self.format {
                AnswerFormat::Table => table::render(&result),
                AnswerFormat::Csv => table::csv(&result),
                AnswerFormat::Json => format!("{:#}\n", result.to_json()),
            },
        };
        Step { told, entry: Some(format!("{};", text.replace('\n', " "))), leaves: false }
    }

    fn command(&mut self, command: &str) -> Step {
        let mut words = command.split_whitespace();
        match (words.next(), words.next()) {
            (Some("q"), None) => Step { leaves: true, ..Step::default() },
            (Some("h" | "?"), None) => Step::telling(HELP),
            (Some("d"), None) => Step::telling(self.types()),
            (Some("d"), Some(name)) => Step::telling(self.attributes(name)),
            (Some("f"), Some(name)) => {
                match <AnswerFormat as clap::ValueEnum>::from_str(name, true) {
                    Ok(format) => {
                        self.format = format;
                        Step::default()
                    }
                    Err(_) => Step::telling("error: a format is table, json or csv\n"),
                }
            }
            _ => Step::telling(format!("error: unknown command \\{command}\n{HELP}")),
        }
    }

    fn types(&self) -> String {
        let counts = self.loaded.store.counts();
        let width = counts.keys().map(|(_, name)| name.chars().count()).max().unwrap_or(0);
        counts.iter().map(|((_, name), count)| format!("{name:<width$}  {count}\n")).collect()
    }

    fn attributes(&self, event_type: &str) -> String {
        let attributes = self.loaded.store.attributes(self.loaded.account, event_type);
        if attributes.is_empty() {
            return format!("error: there are no events of type {event_type}\n");
        }
        let width = attributes.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        let line = |(name, kinds): (_, &std::collections::BTreeSet<Kind>)| {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind_name(*kind)).collect();
            format!("{name:<width$}  {}\n", kinds.join(", "))
        };
        attributes.iter().map(line).collect()
    }
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "number",
        Kind::Integer => "integer",
        Kind::Text => "text",
        Kind::Bool => "boolean",
        Kind::Metric => "metric",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::units::UnixMillis;
    use crate::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};

    fn session() -> Session {
        let account = "1".parse().expect("an account");
        let mut store = EventStore::new(StoreConfig { bytes_max: 1 << 20 });
        for (host, ms) in [("a", 1.0), ("b", 2.0), ("a", 3.0)] {
            store.push(NewEvent {
                account,
                event_type: "Request",
                timestamp: UnixMillis(1_700_000_000_000),
                stored_at: UnixMillis(1_700_000_000_000),
                request: 0,
                cells: &[("host", Cell::Text(host)), ("ms", Cell::Number(ms))],
            });
        }
        let now = UnixMillis(1_700_000_000_001);
        Session::new(Loaded { store, account, now, events: 3 })
    }

    #[test]
    fn queries_go_over_lines() {
        let mut session = session();
        assert_eq!(session.line("SELECT sum(ms)"), Step::default());
        assert_eq!(session.prompt(), "  ... ");
        assert_eq!(session.line("FROM Request"), Step::default());
        let step = session.line("  FACET host;");
        assert_eq!(step.entry.as_deref(), Some("SELECT sum(ms) FROM Request   FACET host;"));
        assert!(step.told.contains("a          4"), "{}", step.told);
        assert_eq!(session.prompt(), "nrql> ");
        session.line("SELECT count(*) FROM Request");
        assert!(session.line("").told.contains("count"));
        session.line("SELECT count(*)");
        assert!(!session.abandon().leaves && session.query.is_empty());
        assert!(session.abandon().leaves);
    }

    #[test]
    fn commands() {
        let mut session = session();
        assert_eq!(session.line("\\d").told, "Request  3\n");
        assert_eq!(session.line("\\d Request").told, "host  text\nms    number\n");
        assert!(session.line("\\d Nothing").told.contains("no events of type Nothing"));
        assert!(session.line("\\x").told.starts_with("error: unknown command \\x"));
        assert!(session.line("\\q").leaves);
        session.line("\\f csv");
        assert_eq!(session.line("SELECT max(ms) FROM Request;").told, "max.ms\n3\n");
        assert!(session.line("\\f yaml").told.contains("a format is"));
        let told = session.line("SELECT max(ms FROM Request;").told;
        assert!(told.starts_with("error: ") && told.contains('^'), "{told}");
    }
}
