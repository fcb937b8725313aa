//! `shakedown definitions test`.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::{Files, FolderArgs, no_such_type, tell_problems};
use crate::cli::{Exit, Format, complain, print, print_json};
use crate::definitions::{
    DefinitionError, Definitions, EntityDefinition, EntityRun, PointRun, Severity, TestOptions,
    TestRun, TypeRun,
};
use crate::domain::account::AccountId;
use crate::domain::words::counted;

/// Arguments of `shakedown definitions test`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 1 a point failed or none was examined,\n\
    2 usage, 3 a file is not valid.\n\
    Example: shakedown definitions test fixtures/definitions MESSAGE_QUEUE_BROKER --tags")]
pub struct TestArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Types to test, such as INFRA-KAFKABROKER or KAFKABROKER; all when none is named.
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// The account in GUIDs, a number of 1 to 10 digits.
    #[arg(long, value_name = "ID", default_value = "1")]
    account: AccountId,
    /// What else fails a point.
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// Prints the tags of entities too.
    #[arg(long)]
    tags: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What fails a point beside making no entity of its own type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Making entities of other types as well.
    Foreign,
}

impl TestArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let files = match Files::read(&self.folder.folder) {
            Ok(files) => files,
            Err(exit) => return exit,
        };
        if let Err(exit) = files.hold_definitions(&self.folder.folder) {
            return exit;
        }
        let (definitions, problems) = Definitions::check(files.sources(), self.folder.view());
        if let Some(unknown) = self.unknown(&definitions) {
            complain(&no_such_type(&definitions, unknown));
            return Exit::Usage;
        }
        let wanted = |definition: &EntityDefinition| self.wants(definition);
        let deny_foreign = self.deny == Some(Deny::Foreign);
        let options = TestOptions { account: self.account.get(), deny_foreign };
        let run = TestRun::new(&definitions, wanted, options);
        let told = match self.format {
            Format::Text => print(&text(&run, self.tags)),
            Format::Json => print_json(&run),
            Format::Markdown => print(&markdown(&run)),
            Format::Junit => print(&junit(&run)),
        };
        // A definition that is left out would make its own tests fail for a reason not its own.
        let folders: Vec<&str> = run.types.iter().filter_map(|one| folder(&one.file)).collect();
        let concerns = |problem: &&DefinitionError| {
            let concerned = |folder: &&str| problem.place.file.starts_with(&format!("{folder}/"));
            problem.severity == Severity::Error
                && (self.types.is_empty() || folders.iter().any(concerned))
        };
        let concerning: Vec<_> = problems.iter().filter(concerns).collect();
        tell_problems(&concerning);
        let broken = files.unreadable > 0 || !concerning.is_empty();
        outcome(&run).or(if broken { Exit::InvalidFile } else { Exit::Ok }).or(told)
    }

    fn unknown(&self, definitions: &Definitions) -> Option<&String> {
        let known = |name: &&String| definitions.definitions().iter().any(|one| is(one, name));
        self.types.iter().find(|name| !known(name))
    }

    fn wants(&self, definition: &EntityDefinition) -> bool {
        self.types.is_empty() || self.types.iter().any(|name| is(definition, name))
    }
}

fn folder(file: &str) -> Option<&str> {
    file.rsplit_once('/').map(|(folder, _)| folder)
}

/// Whether `name` means this type: with or without its domain, in any case.
fn is(definition: &EntityDefinition, name: &str) -> bool {
    let name = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name);
    name.eq_ignore_ascii_case(&definition.entity_type)
        || name.eq_ignore_ascii_case(&definition.domain_type())
}

fn outcome(run: &TestRun) -> Exit {
    if run.failed() > 0 || run.examined() == 0 { Exit::Failed } else { Exit::Ok }
}

/// Types whose lack of test data somebody should mend.
fn lacking(run: &TestRun) -> impl Iterator<Item = &TypeRun> {
    run.types.iter().filter(|one| one.points.is_empty() && one.rules > 0)
}

fn summary(run: &TestRun) -> String {
    let (examined, failed) = (run.examined(), run.failed());
    let tested = run.types.iter().filter(|one| !one.points.is_empty()).count();
    let mut line = if examined == 0 {
        "examined nothing: no point of test data in what was chosen".to_owned()
    } else {
        format!(
            "{} of {} examined: {} ok, {failed} failed",
            counted(examined, "point"),
            counted(tested, "type"),
            examined - failed
        )
    };
    let lacking = lacking(run).count();
    if lacking > 0 {
        let _ = write!(line, "; with rules and without test data: {}", counted(lacking, "type"));
    }
    line
}

fn text(run: &TestRun, tags: bool) -> String {
    let mut out = String::new();
    let several = run.types.len() > 1;
    for one in &run.types {
        // In a whole repository, hundreds of types have nothing to test and never will.
        if one.points.is_empty() && several && one.rules == 0 {
            continue;
        }
        let _ = writeln!(out, "{}", one.domain_type);
        if let Some(why) = one.untested {
            let _ = writeln!(out, "  - nothing to test: {why}");
        }
        for point in &one.points {
            point_text(point, tags, &mut out);
        }
        for rule in &one.unmatched_rules {
            let _ = writeln!(out, "  - no point matches rule {rule}");
        }
    }
    let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, summary(run));
    out
}

fn point_text(point: &PointRun, tags: bool, out: &mut String) {
    let mark = if point.failures.is_empty() { '✓' } else { '✗' };
    let _ = writeln!(out, "  {mark} {} #{}", point.file, point.number);
    for entity in &point.entities {
        let EntityRun { domain_type, rule, identifier, name, guid, .. } = entity;
        let _ = writeln!(out, "      {domain_type} by {rule}");
        let _ = writeln!(out, "        identifier {identifier}");
        let _ = writeln!(out, "        name       {name}");
        if let Some(guid) = guid {
            let verified = if entity.verified == Some(true) { "  (as the point says)" } else { "" };
            let _ = writeln!(out, "        guid       {guid}{verified}");
        }
        for tag in entity.tags.iter().filter(|_| tags) {
            let _ = writeln!(out, "        tag        {tag}");
        }
    }
    for failure in &point.failures {
        let _ = writeln!(out, "      {failure}\n      at {}", point.place);
    }
    for note in &point.notes {
        let _ = writeln!(out, "      note: {note}");
    }
}

fn markdown(run: &TestRun) -> String {
    // A bar ends a cell of the table, a back-quote ends code.
    let cell = |text: &str| text.replace('|', "\\|").replace('`', "'").replace('\n', " ");
    let mut out = String::from("### Entity definitions\n\n");
    let _ = writeln!(out, "{}\n", summary(run));
    if run.examined() > 0 {
        out.push_str("| | Point | Entity | Rule | Name | Identifier | GUID |\n");
        out.push_str("|---|---|---|---|---|---|---|\n");
    }
    for one in &run.types {
        for point in &one.points {
            let mark = if point.failures.is_empty() { "✅" } else { "❌" };
            let at = format!("{} {} #{}", one.domain_type, point.file, point.number);
            if point.entities.is_empty() {
                let _ = writeln!(out, "| {mark} | {} | none | | | | |", cell(&at));
            }
            for entity in &point.entities {
                let _ = writeln!(
                    out,
                    "| {mark} | {} | {} | `{}` | {} | `{}` | {} |",
                    cell(&at),
                    cell(&entity.domain_type),
                    cell(&entity.rule),
                    cell(&entity.name),
                    cell(&entity.identifier),
                    entity.guid.as_ref().map_or("none".to_owned(), |guid| format!("`{guid}`")),
                );
            }
        }
    }
    let failures = run.types.iter().flat_map(|one| &one.points).flat_map(|point| &point.failures);
    for (at, failure) in failures.enumerate() {
        let _ = writeln!(out, "{}- {}", if at == 0 { "\n" } else { "" }, cell(failure));
    }
    for one in lacking(run) {
        let why = one.untested.unwrap_or_default();
        let _ = writeln!(out, "\n{}: nothing to test, {why}.", one.domain_type);
    }
    out
}

/// One suite per type, one case per point; a type without test data is a skipped case.
fn junit(run: &TestRun) -> String {
    use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
    let mut junit = Report::new("shakedown definitions test");
    for one in run.types.iter().filter(|one| !one.points.is_empty() || one.rules > 0) {
        let mut suite = TestSuite::new(one.domain_type.clone());
        for point in &one.points {
            let status = if point.failures.is_empty() {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(point.failures.join("\n"));
                status.set_description(point.place.clone());
                status
            };
            let mut case = TestCase::new(format!("{} #{}", point.file, point.number), status);
            case.set_classname(one.domain_type.clone());
            suite.add_test_case(case);
        }
        if let Some(why) = one.untested {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why);
            suite.add_test_case(TestCase::new("test data", status));
        }
        junit.add_test_suite(suite);
    }
    junit.to_string().unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::definitions::View;

    fn load(folder: &str, view: View) -> Definitions {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
        let files = Files::read(&path).expect("a folder");
        Definitions::check(files.sources(), view).0
    }

    #[test]
    fn our_own_test_data_pass() {
        for folder in ["definitions", "definitions_language"] {
            for view in [View::Production, View::Staging] {
                let run = TestRun::new(&load(folder, view), |_| true, TestOptions::default());
                let told = text(&run, false);
                assert_eq!(outcome(&run), Exit::Ok, "{told}");
                assert_eq!(lacking(&run).count(), 0, "{told}");
                let points = run.types.iter().flat_map(|one| &one.points);
                for entity in points.flat_map(|point| &point.entities) {
                    // Every event of ours names its own GUID; the rule must make the same.
                    assert_eq!(entity.verified, (folder == "definitions").then_some(true));
                }
                for one in &run.types {
                    assert_eq!(one.unmatched_rules, Vec::<String>::new(), "{}", one.domain_type);
                }
            }
        }
    }

    #[test]
    fn failures_speak_as_contributors_know_it() {
        let definitions = load("definitions_bad", View::Production);
        let wanted = |definition: &EntityDefinition| definition.entity_type.starts_with("TESTED");
        let run = TestRun::new(&definitions, wanted, TestOptions::default());
        assert_eq!(outcome(&run), Exit::Failed);
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        settings.set_snapshot_path(root.join("snapshots/definitions"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/");
        let forms = [
            ("text", text(&run, true)),
            ("markdown", markdown(&run)),
            ("junit", junit(&run)),
            ("json", serde_json::to_string_pretty(&run).expect("JSON")),
        ];
        for (form, told) in forms {
            let told = told.replace(here, "");
            settings.bind(|| insta::assert_snapshot!(format!("test_{form}"), told));
        }
    }

    #[test]
    fn foreign_entities_may_be_denied() {
        let definitions = load("definitions_bad", View::Production);
        let wanted = |definition: &EntityDefinition| definition.entity_type == "TESTED_FOREIGN";
        let lenient = TestRun::new(&definitions, wanted, TestOptions::default());
        assert_eq!((lenient.examined(), lenient.failed()), (2, 1));
        let text = "Synthesis rules match 'INFRA-TESTED' domainType with the given test data";
        let [both, only] = lenient.types[0].points.as_slice() else { panic!("two points") };
        assert!(both.notes.iter().any(|note| note.contains(text)), "{both:?}");
        // Without an entity of its own type, the foreign one is the reason.
        assert!(only.failures.len() == 2 && only.failures[1].contains(text), "{only:?}");
        let options = TestOptions { deny_foreign: true, ..TestOptions::default() };
        let strict = TestRun::new(&definitions, wanted, options);
        assert_eq!((strict.examined(), strict.failed()), (2, 2));
        assert!(strict.types[0].points[0].failures[0].contains(text));
    }

    #[test]
    fn nothing_examined_is_a_failure() {
        let definitions = load("definitions", View::Production);
        let run = TestRun::new(&definitions, |_| false, TestOptions::default());
        assert_eq!(outcome(&run), Exit::Failed);
        assert!(text(&run, false).contains("examined nothing"));
    }

    #[test]
    fn types_go_by_several_names() {
        let definitions = load("definitions", View::Production);
        let broker = definitions.get("INFRA", "MESSAGE_QUEUE_BROKER").expect("ours");
        let check = |name: &str, expected: bool| assert_eq!(is(broker, name), expected, "{name}");
        check("INFRA-MESSAGE_QUEUE_BROKER", true);
        check("infra-message_queue_broker", true);
        check("message_queue_broker", true);
        check("entity-types/infra-message_queue_broker/", true);
        check("MESSAGE_QUEUE", false);
        check("EXT-MESSAGE_QUEUE_BROKER", false);
    }
}
