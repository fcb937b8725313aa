//! A summary for people and for CI systems.
//!
//! Invariant: a report is a pure function of the summary, and of where the summary can be read.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{CheckTotal, End, FailureKind, RunRef, SIMULATOR, Situation, Summary, WorstMargin};
use crate::sim::check::{CATALOGUE, Margin};
use crate::sim::report::{shell_word, wrapped};
use crate::sim::run::Network;
use crate::sim::scenario::BUILT_IN_SWARM_NAME;

/// Kinds of failures that the text shows in full.
const SHOWN_MAX: usize = 10;

/// For people. `file` is where the summary was written, which the commands for a failure read.
pub fn text(summary: &Summary, file: Option<&str>) -> String {
    let mut out = head(summary);
    for kind in summary.failures.iter().take(SHOWN_MAX) {
        out.push_str(&failure(summary, kind, file));
    }
    if summary.failures.len() > SHOWN_MAX {
        let more = summary.failures.len() - SHOWN_MAX;
        let _ = writeln!(out, "… and {more} more kinds of failure\n");
    }
    out.push_str(&checks(summary));
    out.push_str(&faults(summary));
    out.push_str(&situations(summary));
    if let Some(file) = file {
        let _ = writeln!(out, "summary {file}");
    }
    let _ = writeln!(out, "\n{}", conclusion(summary));
    out
}

fn head(summary: &Summary) -> String {
    let Summary { scenarios, seeds, shard, build, network, .. } = summary;
    let mut out = String::new();
    for scenario in scenarios {
        let _ = writeln!(out, "{}  {}", scenario.origin, scenario.title);
    }
    let count = seeds.count.map_or_else(|| "all".to_owned(), |count| count.to_string());
    let _ = write!(out, "{count} seeds from {}", seeds.first);
    if !shard.is_whole() {
        let _ = write!(out, ", shard {shard}");
    }
    let _ = writeln!(out, ", network {}\n{build}", network.name());
    let _ = writeln!(
        out,
        "{} runs, {} passed, {} failed; digest {}{}\n",
        summary.runs,
        summary.passed,
        summary.runs - summary.passed,
        summary.digest,
        match summary.ended {
            End::Complete => "",
            End::Time => "; its time was up",
            End::Failure => "; ended by its first failing run",
            End::Interrupted => "; INTERRUPTED",
        }
    );
    out
}

fn failure(summary: &Summary, kind: &FailureKind, file: Option<&str>) -> String {
    let FailureKind { fingerprint, check, count, words, .. } = kind;
    let head = format!("✗ {fingerprint}  ");
    let mut out = wrapped(&head, &format!("{check}: {words}"));
    let run = |run: &RunRef| of_scenario(summary, run.seed, run.scenario);
    let seeds: Vec<String> = kind.runs.iter().map(run).collect();
    let more = if (kind.runs.len() as u64) < *count { ", …" } else { "" };
    out.push_str(&wrapped("    ", &format!("{count} × seed {}{more}", seeds.join(", "))));
    for (what, command) in commands(summary, kind, file) {
        let _ = writeln!(out, "    {what:<9} {command}");
    }
    out.push('\n');
    out
}

/// `what`, and of which scenario, where there are several.
fn of_scenario(summary: &Summary, what: impl Display, scenario: u64) -> String {
    let at = usize::try_from(scenario).ok();
    match at.and_then(|at| summary.scenarios.get(at)) {
        Some(scenario) if summary.scenarios.len() > 1 => format!("{what} of {}", scenario.origin),
        _ => what.to_string(),
    }
}

/// What can be done about a failure: a word and a command for each.
fn commands(
    summary: &Summary,
    kind: &FailureKind,
    file: Option<&str>,
) -> Vec<(&'static str, String)> {
    let Some(file) = file else { return vec![("again:", again(summary, kind))] };
    let of = format!("{} --fingerprint {}", shell_word(file), kind.fingerprint);
    vec![
        ("again:", format!("shakedown replay {of}")),
        ("picture:", format!("shakedown card {of}")),
        ("smaller:", format!("shakedown minimize {of}")),
        ("keep:", format!("shakedown promote {of} --name NAME")),
    ]
}

/// The command that runs the first of these failures again, without the summary.
fn again(summary: &Summary, kind: &FailureKind) -> String {
    let Some(run) = kind.runs.first() else { return String::new() };
    let scenario = usize::try_from(run.scenario).ok().and_then(|at| summary.scenarios.get(at));
    let mut command = match scenario {
        Some(scenario) if scenario.origin != BUILT_IN_SWARM_NAME => {
            format!("shakedown run {} --seed {}", shell_word(&scenario.origin), run.seed)
        }
        _ => format!("shakedown sweep --first {} --seeds 1", run.seed),
    };
    if summary.network != Network::Kernel {
        let _ = write!(command, " --network {}", summary.network.name());
    }
    command
}

fn checks(summary: &Summary) -> String {
    let mut out =
        format!("  {:<16} {:>11} {:>7} {:>7}\n", "check", "examined", "excused", "broken");
    for check in &summary.checks {
        let CheckTotal { name, examined, excused, broken, .. } = check;
        let mark = if *broken == 0 { '✓' } else { '✗' };
        let _ = write!(out, "{mark} {name:<16} {examined:>11} {excused:>7} {broken:>7}");
        if let Some(WorstMargin { worst, limit, unit, run }) = &check.worst {
            let margin = Margin { worst: *worst, limit: *limit, unit: "" };
            let seed = of_scenario(summary, run.seed, run.scenario);
            let _ = write!(out, "  {margin}{unit} (seed {seed})");
        }
        out.push('\n');
    }
    out
}

fn faults(summary: &Summary) -> String {
    if summary.faults.is_empty() {
        return String::new();
    }
    let each: Vec<String> =
        summary.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    wrapped("  faults  ", &each.join(", "))
}

fn situations(summary: &Summary) -> String {
    let mut out = String::new();
    let mut met: BTreeMap<&str, u64> = BTreeMap::new();
    for mark in &summary.marks {
        *met.entry(&mark.name).or_default() += mark.runs;
    }
    if !met.is_empty() {
        let each: Vec<String> = met.iter().map(|(name, runs)| format!("{name} {runs}")).collect();
        out.push_str(&wrapped("  met  ", &each.join(", ")));
    }
    if !summary.unreached.is_empty() {
        out.push_str(&wrapped("  never met  ", &unreached(summary)));
    }
    out
}

/// What is listed and was not met, in words.
fn unreached(summary: &Summary) -> String {
    let each = summary.unreached.iter();
    each.map(|at| of_scenario(summary, &at.name, at.scenario)).collect::<Vec<_>>().join(", ")
}

fn conclusion(summary: &Summary) -> String {
    let failed = summary.runs - summary.passed;
    if summary.runs == 0 {
        return "FAILED: nothing ran, so nothing is proven".to_owned();
    }
    if failed > 0 {
        let kinds = summary.failures.len();
        let ways = if kinds == 1 { "one way".to_owned() } else { format!("{kinds} ways") };
        return format!("FAILED: {failed} of {} runs, in {ways}", summary.runs);
    }
    if summary.ended == End::Interrupted {
        return format!("INTERRUPTED: all {} runs until then passed", summary.runs);
    }
    if summary.passed() {
        return format!("PASSED: {} runs", summary.runs);
    }
    let lacking = format!("listed and never met: {}", unreached(summary));
    wrapped("FAILED: ", &lacking).trim_end().to_owned()
}

/// For CI systems: one case per check, one per listed situation, one for the simulator, and one for
/// the sweep itself, which fails when it was interrupted or ran nothing.
pub fn junit(summary: &Summary) -> String {
    let mut suite = TestSuite::new("sweep");
    let mut names: Vec<&str> = CATALOGUE.iter().map(|check| check.name).collect();
    names.push(SIMULATOR);
    for name in names {
        let broken: Vec<&FailureKind> =
            summary.failures.iter().filter(|kind| kind.check == name).collect();
        suite.add_test_case(case(name, "check", check_status(summary, &broken)));
    }
    for situation in summary.listed() {
        let status = if summary.unreached.contains(&situation) {
            never_met(summary)
        } else {
            TestCaseStatus::success()
        };
        let Situation { name, scenario } = situation;
        suite.add_test_case(case(&of_scenario(summary, name, scenario), "sometimes", status));
    }
    suite.add_test_case(case("sweep", "sweep", sweep_status(summary)));
    let mut junit = Report::new("shakedown sweep");
    junit.add_test_suite(suite);
    junit.to_string().unwrap_or_else(|error| error.to_string())
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

/// Green cases say something only of a sweep that took its course.
fn sweep_status(summary: &Summary) -> TestCaseStatus {
    let why = match (summary.ended, summary.runs) {
        (End::Interrupted, runs) => format!("interrupted after {runs} runs"),
        (_, 0) => "nothing ran, so nothing is proven".to_owned(),
        _ => return TestCaseStatus::success(),
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(why);
    status
}

fn check_status(summary: &Summary, broken: &[&FailureKind]) -> TestCaseStatus {
    if summary.runs == 0 {
        let mut status = TestCaseStatus::skipped();
        status.set_message("nothing ran");
        return status;
    }
    if broken.is_empty() {
        return TestCaseStatus::success();
    }
    let (mut lines, mut runs) = (String::new(), 0);
    for kind in broken {
        runs += kind.count;
        let FailureKind { fingerprint, count, words, .. } = kind;
        let _ = writeln!(lines, "{fingerprint}: {count} runs: {words}");
        let _ = writeln!(lines, "  {}", again(summary, kind));
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(format!("broken {runs} times in {} runs", summary.runs));
    status.set_description(lines);
    status
}

/// Another shard may meet what this one has not.
fn never_met(summary: &Summary) -> TestCaseStatus {
    if !summary.shard.is_whole() {
        let mut status = TestCaseStatus::skipped();
        status.set_message("not met by this shard; the merged summary decides");
        return status;
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(format!("never met in {} runs", summary.runs));
    status
}
