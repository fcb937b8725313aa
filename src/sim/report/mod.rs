//! Verdicts as text, JSON, Markdown and JUnit, and the picture of a run.
//!
//! Invariant: a report is a pure function of the run; equal runs give equal bytes.

use std::fmt::Write as _;

use crate::sim::check::CheckResult;
use crate::sim::run::RunReport;

pub mod timeline;

/// For people: the picture, the checks with what they examined, and how to see it again.
pub fn text(scenario: &str, report: &RunReport, picture: Option<&str>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} — {}", report.title, report.network.name());
    let _ = writeln!(out, "run {}  seed {}  {scenario}", report.id, report.seed);
    for line in &report.drawn {
        let _ = writeln!(out, "  {line}");
    }
    let _ = writeln!(out, "\n{}", timeline::text(&report.timeline));
    for check in &report.checks {
        let _ = writeln!(out, "  {}", check_line(check));
    }
    for note in &report.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    let _ = writeln!(out, "\ntrace {}", report.trace);
    if let Some(picture) = picture {
        let _ = writeln!(out, "picture {picture}");
    }
    let _ = writeln!(out, "\n{}", conclusion(scenario, report));
    out
}

fn check_line(check: &CheckResult) -> String {
    let finding = &check.finding;
    let mark = if check.passed() { "✓" } else { "✗" };
    let margin = finding.margin.as_ref().map(|m| format!("; {m}")).unwrap_or_default();
    let excused = finding.excused.as_ref().map(|why| format!("; excused: {why}"));
    let mut line = format!(
        "{mark} {:<14} {} ({} examined{margin}{})",
        check.name,
        check.promise,
        finding.examined,
        excused.unwrap_or_default()
    );
    if let Some(first) = check.first_violation() {
        let _ = write!(line, "\n      {first}");
        if finding.violation_count > 1 {
            let _ = write!(line, "\n      … and {} more", finding.violation_count - 1);
        }
    }
    line
}

fn conclusion(scenario: &str, report: &RunReport) -> String {
    match report.checks.iter().find(|check| !check.passed()) {
        None => format!("PASSED: {} checks", report.checks.len()),
        Some(first) => format!(
            "FAILED: {} — {}\nagain: {}",
            first.promise,
            first.first_violation().unwrap_or_default(),
            replay(scenario, report)
        ),
    }
}

/// The command that runs it again.
fn replay(scenario: &str, report: &RunReport) -> String {
    let file = if scenario.ends_with("(built in)") { "" } else { scenario };
    let network = match report.network.name() {
        "kernel" => String::new(),
        other => format!(" --network {other}"),
    };
    format!("shakedown run {file} --seed {}{network}", report.seed).replace("  ", " ")
}

/// For programs.
pub fn json(report: &RunReport) -> String {
    let text = serde_json::to_string_pretty(report).unwrap_or_else(|error| error.to_string());
    format!("{text}\n")
}

/// For pull requests.
pub fn markdown(scenario: &str, report: &RunReport) -> String {
    let mut out = String::new();
    let verdict = if report.passed() { "passed" } else { "failed" };
    let _ = writeln!(out, "### {} — {verdict}\n", report.title);
    let _ = writeln!(
        out,
        "Run `{}`, seed {}, network {}, trace `{}`.\n",
        report.id,
        report.seed,
        report.network.name(),
        report.trace
    );
    let _ = writeln!(out, "| | check | promise | examined | margin | first violation |");
    let _ = writeln!(out, "|---|---|---|---|---|---|");
    for check in &report.checks {
        let margin = check.finding.margin.as_ref().map(ToString::to_string).unwrap_or_default();
        let first = check.first_violation().unwrap_or_default().replace('|', "\\|");
        let mark = if check.passed() { "✓" } else { "✗" };
        let _ = writeln!(
            out,
            "| {mark} | {} | {} | {} | {margin} | {first} |",
            check.name, check.promise, check.finding.examined
        );
    }
    let _ = writeln!(out, "\nAgain: `{}`", replay(scenario, report));
    out
}

/// For CI systems: one test case per check.
pub fn junit(scenario: &str, report: &RunReport) -> String {
    use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
    let mut suite = TestSuite::new(report.title.clone());
    for check in &report.checks {
        let status = match check.first_violation() {
            None => TestCaseStatus::success(),
            Some(first) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(first);
                status.set_description(replay(scenario, report));
                status
            }
        };
        let mut case = TestCase::new(check.name, status);
        case.set_classname(format!("{scenario} seed {}", report.seed));
        suite.add_test_case(case);
    }
    let mut junit = Report::new("shakedown run");
    junit.add_test_suite(suite);
    junit.to_string().unwrap_or_else(|error| error.to_string())
}
