//! Verdicts as text, JSON, Markdown and JUnit, and the picture of a run.
//!
//! Invariant: a report is a pure function of the run; equal runs give equal bytes.

use std::fmt::Write as _;

use crate::domain::words::counted;
use crate::sim::check::{CheckResult, Failure, Fingerprint};
use crate::sim::run::RunReport;

pub mod card;
pub mod svg;
pub mod timeline;

/// Where a scenario came from that was read from standard input.
pub const STANDARD_INPUT: &str = "standard input";

/// Widest line of a report for people.
const LINE_COLUMNS: usize = 100;

/// For people: the picture, the checks with what they examined, and how to see it again.
pub fn text(scenario: &str, report: &RunReport, card: Option<&str>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", report.title);
    let _ = writeln!(
        out,
        "run {}  seed {}  network {}  {scenario}",
        report.id,
        report.seed,
        report.network.name()
    );
    for line in &report.drawn {
        let _ = writeln!(out, "  {line}");
    }
    let _ = writeln!(out, "\n{}", timeline::text(&report.timeline));
    let _ = writeln!(out, "  {:<14} {:>8}", "check", "examined");
    for check in &report.checks {
        out.push_str(&check_lines(check));
    }
    for note in &report.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    let _ = writeln!(out, "\ntrace {}", report.trace);
    if let Some(card) = card {
        let _ = writeln!(out, "card {card}");
    }
    let _ = writeln!(out, "\n{}", conclusion(scenario, report, card));
    out
}

fn check_lines(check: &CheckResult) -> String {
    let finding = &check.finding;
    let head = format!("{} {:<14} {:>6}  ", mark(check), check.name, finding.examined);
    let words = match (&finding.excused, &finding.margin) {
        (Some(why), _) if check.passed() => format!("excused: {why}"),
        (_, Some(margin)) => format!("{}; {margin}", check.promise),
        (_, None) => check.promise.to_owned(),
    };
    let mut lines = wrapped(&format!("  {head}"), &words);
    if let Some(first) = check.first_violation() {
        lines.push_str(&wrapped("      ", &first));
        if finding.violation_count > 1 {
            let _ = writeln!(lines, "      … and {} more", finding.violation_count - 1);
        }
    }
    lines
}

/// Kept, broken, or not to be kept in this run.
fn mark(check: &CheckResult) -> char {
    match (check.passed(), &check.finding.excused) {
        (false, _) => '✗',
        (true, Some(_)) => '○',
        (true, None) => '✓',
    }
}

/// How many checks passed, and how many of them were excused.
fn passed(report: &RunReport) -> String {
    let excused = report.checks.iter().filter(|check| check.finding.excused.is_some()).count();
    let kept = counted((report.checks.len() - excused) as u64, "check");
    match excused {
        0 => kept,
        _ => format!("{kept}, {excused} excused"),
    }
}

/// `head` and then `words`, broken between words to lines that begin below the first one's words.
pub(crate) fn wrapped(head: &str, words: &str) -> String {
    let indent = head.chars().count();
    let mut out = head.to_owned();
    let mut column = indent;
    for word in words.split(' ') {
        let width = word.chars().count();
        if column > indent && column + 1 + width > LINE_COLUMNS {
            let _ = write!(out, "\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

fn conclusion(scenario: &str, report: &RunReport, card: Option<&str>) -> String {
    match report.checks.iter().find(|check| !check.passed()) {
        None => format!("PASSED: {}", passed(report)),
        Some(first) => {
            let violation = first.first_violation().unwrap_or_default();
            let mut out = wrapped("FAILED: ", &format!("{} — {violation}", first.promise));
            for Failure { fingerprint, check, example, .. } in report.failures() {
                let head = format!("✗ {fingerprint}  ");
                out.push_str(&wrapped(&head, &format!("{check}: {example}")));
            }
            for (what, command) in next_steps(scenario, report, card) {
                let _ = writeln!(out, "{what:<9}{command}");
            }
            out.trim_end().to_owned()
        }
    }
}

/// What can be done about a failure: a word and a command for each.
fn next_steps(
    scenario: &str,
    report: &RunReport,
    card: Option<&str>,
) -> Vec<(&'static str, String)> {
    let mut steps = vec![("again:", replay(scenario, report))];
    // What is no file of its own can be had from the card.
    let run = match card.map(shell_word) {
        _ if is_file(scenario) => Some(format!("{}{}", shell_word(scenario), options(report))),
        card => card,
    };
    if let Some(run) = run {
        steps.push(("smaller:", format!("shakedown minimize {run}")));
        steps.push(("keep:", format!("shakedown promote {run} --name NAME")));
    }
    steps
}

/// Whether the scenario can be read again by its name.
fn is_file(scenario: &str) -> bool {
    !scenario.ends_with("(built in)") && scenario != STANDARD_INPUT && !is_of_feature(scenario)
}

/// Whether it is a scenario of a feature file, `FILE.feature:LINE`.
fn is_of_feature(scenario: &str) -> bool {
    let place = scenario.rsplit_once(':');
    place.is_some_and(|(file, line)| {
        file.ends_with(".feature") && line.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The command that runs it again.
pub(crate) fn replay(scenario: &str, report: &RunReport) -> String {
    if is_of_feature(scenario) {
        return format!("shakedown features {} --seed {}", shell_word(scenario), report.seed);
    }
    let mut command = "shakedown run".to_owned();
    if is_file(scenario) {
        let _ = write!(command, " {}", shell_word(scenario));
    } else if scenario == STANDARD_INPUT {
        command.push_str(" -");
    }
    command + &options(report)
}

/// The options that say which run of a scenario it was.
fn options(report: &RunReport) -> String {
    let seed = format!(" --seed {}", report.seed);
    match report.network.name() {
        "kernel" => seed,
        other => format!("{seed} --network {other}"),
    }
}

/// `text` as one word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// For programs.
pub fn json(report: &RunReport) -> String {
    /// The run and the names of its failures, the first one first.
    #[derive(serde::Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        report: &'a RunReport,
        fingerprints: Vec<Fingerprint>,
    }
    let fingerprints = report.failures().into_iter().map(|failure| failure.fingerprint).collect();
    let told = Told { report, fingerprints };
    let text = serde_json::to_string_pretty(&told).unwrap_or_else(|error| error.to_string());
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
        let margin = check.finding.margin.as_ref().map(ToString::to_string);
        let excused = check.finding.excused.as_ref().map(|why| format!("excused: {why}"));
        let margin = margin.or(excused).unwrap_or_default();
        let first = check.first_violation().unwrap_or_default().replace('|', "\\|");
        let mark = mark(check);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::run::defect::Defect;
    use crate::sim::run::{Network, Options, run_defective};
    use crate::sim::scenario;
    use crate::sim::seed::Seed;
    use crate::sim::trace::Sink;

    #[test]
    fn a_failing_run_says_what_to_do() {
        let file = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
        let options = Options { seed: Seed(1), network: Network::Kernel, sink: Sink::None };
        let report = run_defective(&file, options, Defect::DoubledRate);
        let first = report.failures().swap_remove(0).fingerprint;
        let json: serde_json::Value = serde_json::from_str(&json(&report)).expect("JSON");
        assert_eq!(json["fingerprints"][0], first.as_str());
        assert_eq!(json["id"], report.id.as_str());
        let smaller = |run: &str| format!("\nsmaller: shakedown minimize {run}\n");
        let cases = [
            (
                "my x.toml",
                None,
                "again:   shakedown run 'my x.toml' --seed 1",
                "'my x.toml' --seed 1",
            ),
            (scenario::BUILT_IN_NAME, Some("a.html"), "again:   shakedown run --seed 1", "a.html"),
            (STANDARD_INPUT, Some("a.html"), "again:   shakedown run - --seed 1", "a.html"),
        ];
        for (name, card, again, run) in cases {
            let text = text(name, &report, card);
            assert!(text.contains(&format!("✗ {first}  ")), "{text}");
            assert!(text.contains(again) && text.contains(&smaller(run)), "{text}");
            let keep = format!("keep:    shakedown promote {run} --name NAME");
            assert!(text.contains(&keep), "{text}");
        }
        let without = text(scenario::BUILT_IN_NAME, &report, None);
        assert!(!without.contains("smaller:"), "{without}");
    }

    #[test]
    fn words_break_below_the_first() {
        assert_eq!(wrapped("  a  ", "one two"), "  a  one two\n");
        let long = "word ".repeat(30);
        let text = wrapped("  ✓ x  ", long.trim_end());
        assert!(text.lines().all(|line| line.chars().count() <= LINE_COLUMNS), "{text}");
        assert_eq!(text.lines().nth(1).map(|line| line.find('w')), Some(Some(7)), "{text}");
        assert_eq!(wrapped("", &"x".repeat(150)).lines().count(), 1);
    }

    #[test]
    fn replay_survives_a_shell() {
        let cases = [("a/b.toml", "a/b.toml"), ("my file", "'my file'"), ("it's", r"'it'\''s'")];
        for (name, word) in cases {
            assert_eq!(shell_word(name), word);
        }
    }
}
