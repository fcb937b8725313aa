//! The library: situations that people know by name, each with its verdict and what was drawn for
//! it in `snapshots/scenarios/`, for review.
//!
//! A scenario of the library meets with its own seed every situation that it lists under
//! `sometimes`: a sweep over more seeds then surely can.

use std::fmt::Write as _;
use std::path::Path;

use libtest_mimic::Failed;
use shakedown::sim::run::RunReport;

/// Every scenario of the library; the other files are tests of single traits.
pub const NAMES: [&str; 17] = [
    "api-outage",
    "api-throttle",
    "black-friday",
    "broker-disk-full",
    "broker-loss",
    "business-day",
    "clock-skew",
    "disk-full",
    "incident",
    "lag-spike",
    "lost-answers",
    "partition-split",
    "rebalance-storm",
    "rolling-restart",
    "scale-3-to-100-brokers",
    "steady",
    "unsettled-cluster",
];

/// Compares `report` of the file `stem` with what was reviewed, if it is one of the library's.
pub fn compare(stem: &str, report: &RunReport) -> Result<(), Failed> {
    if !NAMES.contains(&stem) {
        return Ok(());
    }
    let listed = &report.scenario.sometimes;
    let missed: Vec<&String> =
        listed.iter().filter(|name| !report.sometimes.contains(name.as_str())).collect();
    if report.scenario.promise.is_empty() || (listed.is_empty() && stem != "steady") {
        return Err("a scenario of the library has a promise, and lists situations".into());
    }
    if !missed.is_empty() {
        return Err(format!("situations that it lists and did not meet: {missed:?}").into());
    }
    let mut settings = insta::Settings::clone_current();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    settings.set_snapshot_path(root.join("snapshots/scenarios"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(stem, text(report)));
    Ok(())
}

/// What people review: no counts, digests or names of runs, which change with every release.
fn text(report: &RunReport) -> String {
    let mut out = format!("{}\n{}\n\ndrawn\n", report.title, report.scenario.promise);
    for line in &report.drawn {
        let _ = writeln!(out, "  {line}");
    }
    out.push_str("\nverdict\n");
    for check in &report.checks {
        let mark = if check.passed() { '✓' } else { '✗' };
        let excused = check.finding.excused.as_ref().map(|why| format!(": {why}"));
        let _ = writeln!(out, "  {mark} {}{}", check.name, excused.unwrap_or_default());
    }
    out.push_str("\nsituations\n");
    for name in &report.sometimes {
        let listed = report.scenario.sometimes.iter().any(|listed| listed == name);
        let _ = writeln!(out, "  {} {name}", if listed { '*' } else { ' ' });
    }
    out
}
