//! `shakedown nrql repl`: queries by hand over events from a file.
//!
//! A query ends with `;` or an empty line, so it may go over several lines; when nobody sits at a
//! terminal, a line that is a whole query and is followed by another query's beginning ends too.
//! Commands begin with a backslash; `help`, `quit` and `exit` alone are understood as well.
//!
//! Invariants: what a line does is decided in [`Session::line`], without a terminal; the history is
//! kept in the user's state folder or not at all.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::super::{Exit, complain, print};
use super::eval::{AnswerFormat, ask, explained, notes, with_help};
use super::events::{EventsArgs, Loaded};
use super::table;
use crate::domain::words::counted;
use crate::nrql::parse;
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
#[command(
    after_help = "A query ends with ; or an empty line; \\h lists the commands. Queries may \
    also be piped in, then a query that failed is exit code 1.\n\
    Exit codes: 0 ok, 1 a piped query failed, 2 usage, 3 the file is not valid."
)]
pub struct ReplArgs {
    #[command(flatten)]
    events: EventsArgs,
}

impl ReplArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        if self.events.are_standard_input() {
            complain("--events - leaves no standard input for the queries\nhelp: give a file");
            return Exit::Usage;
        }
        let Some(loaded) = self.events.load() else { return Exit::InvalidFile };
        if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            return piped(Session::new(loaded), std::io::stdin().lock());
        }
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

/// Answers queries that a program or a file sends: no prompt, no history; mistakes go to standard
/// error and count.
fn piped(mut session: Session, from: impl BufRead) -> Exit {
    let mut exit = Exit::Ok;
    // An empty line ends the last query.
    for line in from.lines().chain(std::iter::once(Ok(String::new()))) {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                complain(&format!("standard input cannot be read: {error}"));
                return Exit::InvalidFile;
            }
        };
        let before = session.before(&line);
        for step in before.into_iter().chain(std::iter::once_with(|| session.line(&line))) {
            if step.told.starts_with("error: ") {
                complain(&step.told);
                exit = Exit::Failed;
            } else if print(&step.told) != Exit::Ok {
                return Exit::Failed;
            }
            if step.leaves {
                return exit;
            }
        }
    }
    exit
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
        format!("{}; \\h for help\n", counted(self.loaded.events, "event"))
    }

    const fn prompt(&self) -> &'static str {
        if self.query.is_empty() { "nrql> " } else { "  ... " }
    }

    fn abandon(&mut self) -> Step {
        let leaves = self.query.is_empty();
        self.query.clear();
        Step { leaves, ..Step::default() }
    }

    /// Ends the query so far when it is whole and `line` begins another one, or a command.
    fn before(&mut self, line: &str) -> Option<Step> {
        let first = line.split_whitespace().next().unwrap_or_default();
        let begins =
            ["SELECT", "FROM", "SHOW", "WITH"].iter().any(|w| w.eq_ignore_ascii_case(first));
        let whole = !self.query.is_empty()
            && (begins || first.starts_with('\\'))
            && parse(&self.query).is_ok()
            && parse(&format!("{}\n{line}", self.query)).is_err();
        whole.then(|| self.line(""))
    }

    fn line(&mut self, line: &str) -> Step {
        let trimmed = line.trim();
        if self.query.is_empty() {
            if trimmed.is_empty() {
                return Step::default();
            }
            match trimmed.trim_end_matches(';').to_ascii_lowercase().as_str() {
                "help" => return self.command("h"),
                "quit" | "exit" => return self.command("q"),
                _ => {}
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
            Err(error) => explained(&text, &with_help(&text, error)),
            Ok(result) => match self.format {
                AnswerFormat::Table => {
                    let notes: String =
                        notes(&text, &self.loaded).iter().map(|note| format!("{note}\n")).collect();
                    table::render(&result) + &notes
                }
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
    fn queries_that_are_piped_need_no_end() {
        let check = |text: &str, expected: Exit| {
            assert_eq!(piped(session(), text.as_bytes()), expected, "{text}");
        };
        check("SELECT max(ms) FROM Request\nSELECT min(ms)\nFROM Request\n\\d\n", Exit::Ok);
        check("SELECT max(ms) FROM Request\nSELECT max(ms) FORM Request", Exit::Failed);
        check("nonsense\n\nexit\n", Exit::Failed);
        check("\\x\n", Exit::Failed);
        check("quit\nnonsense\n", Exit::Ok);
        let mut session = session();
        session.line("SELECT max(ms) FROM Request");
        let ended = session.before("SELECT 1").expect("a whole query");
        assert!(ended.told.contains("max.ms"), "{}", ended.told);
        session.line("SELECT max(ms)");
        assert_eq!(session.before("FROM Request"), None);
    }

    #[test]
    fn names_that_no_event_has_are_told() {
        let mut session = session();
        let told = session.line("SELECT count(*) FROM Requests;").told;
        assert!(told.contains("note: ") && told.contains("did you mean Request?"), "{told}");
        let told = session.line("SELECT max(mss) FROM Request;").told;
        assert!(told.contains("note: "), "{told}");
        assert!(!session.line("SELECT max(ms) FROM Request;").told.contains("note: "));
        let told = session.line("SELECT averge(ms) FROM Request;").told;
        assert!(told.contains("help: did you mean average?"), "{told}");
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
