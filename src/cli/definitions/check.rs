//! `shakedown definitions check`.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Files, FolderArgs, queries};
use crate::cli::{Exit, ReportFormat, print, print_json};
use crate::definitions::{DefinitionError, Definitions, Severity, View};
use crate::domain::words::counted;

/// Arguments of `shakedown definitions check`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 1 what --deny names was found, 2 usage,\n\
    3 a file is not valid.\n\
    Example: shakedown definitions check fixtures/definitions --deny warnings")]
pub struct CheckArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// What else fails the check.
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What fails a check beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// What reviewers object to.
    Warnings,
}

impl CheckArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let files = match Files::read(&self.folder.folder) {
            Ok(files) => files,
            Err(exit) => return exit,
        };
        if let Err(exit) = files.hold_definitions(&self.folder.folder) {
            return exit;
        }
        let report = Report::of(&files, self.folder.view());
        let told = match self.format {
            ReportFormat::Text => print(&report.text()),
            ReportFormat::Json => print_json(&report.json()),
        };
        report.exit(self.deny).or(told)
    }
}

/// What a check found.
struct Report {
    view: View,
    definitions: usize,
    rules: usize,
    relationships: usize,
    unreadable: usize,
    problems: Vec<DefinitionError>,
}

impl Report {
    fn of(files: &Files, view: View) -> Self {
        let (set, mut problems) = Definitions::check(files.sources(), view);
        problems.extend(queries::check(&set, None));
        problems.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
        Self {
            view,
            definitions: set.definitions().len(),
            rules: set.definitions().iter().map(|definition| definition.rules.len()).sum(),
            relationships: set.relationships().rules().len(),
            unreadable: files.unreadable,
            problems,
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    fn exit(&self, deny: Option<Deny>) -> Exit {
        if self.unreadable > 0 || self.count(Severity::Error) > 0 {
            Exit::InvalidFile
        } else if self.definitions + self.relationships == 0
            || (deny == Some(Deny::Warnings) && self.count(Severity::Warning) > 0)
        {
            Exit::Failed
        } else {
            Exit::Ok
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for problem in &self.problems {
            let DefinitionError { place, severity, code, problem, fix } = problem;
            let _ = writeln!(out, "{place}: {}: {problem}; {fix} [{code}]", severity.as_str());
        }
        if self.definitions + self.relationships == 0 {
            let _ = writeln!(out, "examined nothing: no definition in this folder");
        }
        let _ = writeln!(
            out,
            "{}, {}, {}: {}, {}",
            counted(self.definitions, "definition"),
            counted(self.rules, "rule"),
            counted(self.relationships, "relationship rule"),
            counted(self.count(Severity::Error) + self.unreadable, "error"),
            counted(self.count(Severity::Warning), "warning"),
        );
        out
    }

    fn json(&self) -> serde_json::Value {
        let problem = |problem: &DefinitionError| {
            json!({
                "file": problem.place.file,
                "line": problem.place.line,
                "column": problem.place.column,
                "severity": problem.severity.as_str(),
                "code": problem.code,
                "message": problem.problem,
                "help": problem.fix,
            })
        };
        json!({
            "view": match self.view {
                View::Production => "production",
                View::Staging => "staging",
            },
            "definitions": self.definitions,
            "rules": self.rules,
            "relationshipRules": self.relationships,
            "unreadableFiles": self.unreadable,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::nrql::lint::Catalogue;

    fn fixture(folder: &str) -> Files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
        Files::read(&path).expect("a folder")
    }

    /// The report without the place of the checkout.
    fn text(report: &Report) -> String {
        report.text().replace(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/"), "")
    }

    #[test]
    fn our_own_definitions_are_beyond_reproach() {
        for folder in ["definitions", "definitions_language"] {
            for view in [View::Production, View::Staging] {
                let report = Report::of(&fixture(folder), view);
                assert_eq!(report.exit(Some(Deny::Warnings)), Exit::Ok, "{}", text(&report));
                assert!(report.definitions >= 5 && report.rules >= 5, "{}", text(&report));
            }
        }
    }

    #[test]
    fn our_queries_ask_for_what_there_is() {
        let files = fixture("definitions");
        let (set, _) = Definitions::check(files.sources(), View::Production);
        let found = queries::check(&set, Some(&Catalogue::message_queue()));
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, Vec::<String>::new());
        let asked = set.definitions().iter().map(|one| queries::of(one).count()).sum::<usize>();
        assert!(asked > 60, "{asked} queries");
    }

    #[test]
    fn every_kind_of_problem_is_reported() {
        let report = Report::of(&fixture("definitions_bad"), View::Production);
        assert_eq!(report.exit(None), Exit::InvalidFile);
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        settings.set_snapshot_path(root.join("snapshots/definitions"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("check", text(&report)));
        let json = report.json();
        assert_eq!(json["problems"].as_array().map(Vec::len), Some(report.problems.len()));
        assert_eq!(json["errors"], report.count(Severity::Error));
        assert_eq!(json["problems"][0]["severity"], report.problems[0].severity.as_str());
    }

    #[test]
    fn outcomes_have_their_codes() {
        let check = |problems: Vec<DefinitionError>, definitions, deny, expected| {
            let (view, rules, relationships, unreadable) = (View::Production, 1, 0, 0);
            let report = Report { view, definitions, rules, relationships, unreadable, problems };
            assert_eq!(report.exit(deny), expected);
        };
        let place = crate::definitions::Place::default;
        let warning = || vec![DefinitionError::warning(place(), "c", "p", "f")];
        let error = || vec![DefinitionError::error(place(), "c", "p", "f")];
        check(Vec::new(), 1, None, Exit::Ok);
        check(warning(), 1, None, Exit::Ok);
        check(warning(), 1, Some(Deny::Warnings), Exit::Failed);
        check(error(), 1, None, Exit::InvalidFile);
        check(Vec::new(), 0, None, Exit::Failed);
    }
}
