//! Crash sweeps: after whichever event of its own the pipeline goes down, every promise is kept.

use libtest_mimic::{Failed, Trial};
use shakedown::sim::fault::broker::crash::CrashModeSpec;
use shakedown::sim::run::crash_sweep::{CrashSweep, SweepReport, crash_sweep};
use shakedown::sim::scenario;
use shakedown::sim::seed::Seed;

/// Scenario, seed, how the host goes down, first event and stride.
type Case = (&'static str, &'static str, u64, CrashModeSpec, u64, u64);

/// Every event of the short run, in parts that run side by side; some of the longer ones.
const CASES: &[Case] = &[
    ("every_event_1", "crash-anywhere", 1, CrashModeSpec::Process, 1, 2),
    ("every_event_2", "crash-anywhere", 1, CrashModeSpec::Process, 2, 2),
    ("every_event_power_1", "crash-anywhere", 1, CrashModeSpec::Power, 1, 2),
    ("every_event_power_2", "crash-anywhere", 1, CrashModeSpec::Power, 2, 2),
    ("lost_answers", "lost-answers", 1, CrashModeSpec::Process, 7, 199),
    ("disk_fails", "disk-fails", 1, CrashModeSpec::Process, 11, 199),
    ("disk_fails_power", "disk-fails", 2, CrashModeSpec::Power, 13, 199),
];

/// One trial per case.
pub fn trials() -> Vec<Trial> {
    let trial =
        |case: &'static Case| Trial::test(format!("crash_sweep/{}", case.0), move || sweep(case));
    CASES.iter().map(trial).collect()
}

fn sweep((_, name, seed, mode, first, every): &Case) -> Result<(), Failed> {
    let file = format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file)?;
    let scenario =
        scenario::load(&file, &text).map_err(|problems| Failed::from(problems.render(false)))?;
    let sweep = CrashSweep {
        first: *first,
        every: *every,
        mode: *mode,
        ..CrashSweep::every_event(scenario::PIPELINE_HOST)
    };
    let report = crash_sweep(&scenario, Seed(*seed), &sweep, |_, _| {})?;
    judge(&report)
}

fn judge(report: &SweepReport) -> Result<(), Failed> {
    if report.passed() && report.crashes >= 5 {
        return Ok(());
    }
    let broken = report
        .broken
        .iter()
        .map(|point| format!("event {}: {}: {}", point.event, point.check, point.violation));
    let broken: Vec<String> = broken.collect();
    Err(format!("{} crashes at {} events:\n{}", report.crashes, report.events, broken.join("\n"))
        .into())
}
