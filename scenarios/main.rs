//! The simulation's own tests, one trial per scenario file and network.
//!
//! Determinism comes first: if a seed does not give the same bytes in two processes, no other
//! verdict means anything, and none is given.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use shakedown::sim::run::{Network, Options, RunReport, run};
use shakedown::sim::scenario;
use shakedown::sim::seed::Seed;
use shakedown::sim::trace::Sink;

mod cli;
mod defects;
mod library;
mod minimize;
mod patches;
mod seeds;
mod sweeps;

/// Seeds of the determinism proof.
const PROOF_SEEDS: &str = "100";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = scenario_files();
    for name in library::NAMES {
        let is = |file: &PathBuf| file.file_stem().is_some_and(|stem| stem == name);
        assert!(files.iter().any(is), "the library lacks {name}");
    }
    let gate =
        vec![Trial::test("determinism/100_seeds_two_processes", || proof("kernel", PROOF_SEEDS))];
    let first = libtest_mimic::run(&arguments, gate);
    if first.has_failed() {
        return first.exit_code();
    }
    let mut trials =
        vec![Trial::test("determinism/turmoil_two_processes", || proof("turmoil", "2"))];
    for file in &files {
        trials.extend(scenario_trials(file));
    }
    trials.extend(cli::trials());
    trials.extend(defects::trials());
    trials.extend(minimize::trials());
    trials.extend(patches::trials());
    trials.extend(sweeps::trials());
    trials.extend(seeds::trials());
    let rest: Conclusion = libtest_mimic::run(&arguments, trials);
    rest.exit_code()
}

/// The library's scenarios, then those that `shakedown promote` wrote.
fn scenario_files() -> Vec<PathBuf> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let regressions = library.join("regressions");
    let mut files = toml_files(&library);
    // There is no such folder before the first failure was found.
    if regressions.exists() {
        files.extend(toml_files(&regressions));
    }
    files
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

fn scenario_trials(file: &Path) -> Vec<Trial> {
    let stem = file.file_stem().expect("named").to_string_lossy().into_owned();
    let is_regression = file.parent().is_some_and(|folder| folder.ends_with("regressions"));
    let stem = if is_regression { format!("regressions/{stem}") } else { stem };
    let (kernel, name) = (file.to_owned(), stem.clone());
    let mut trials = vec![Trial::test(format!("kernel/{stem}"), move || {
        let report = simulate(&kernel, Network::Kernel)?;
        expect_pass(&report)?;
        library::compare(&name, &report)
    })];
    let text = fs::read_to_string(file).expect("readable scenario");
    // Scenarios say for themselves why the second network cannot carry them.
    if !text.contains("# not on turmoil:") {
        let both = file.to_owned();
        trials.push(Trial::test(format!("networks_agree/{stem}"), move || networks_agree(&both)));
    }
    trials
}

fn simulate(file: &Path, network: Network) -> Result<RunReport, Failed> {
    let text = fs::read_to_string(file)?;
    let scenario = scenario::load(&file.display().to_string(), &text)
        .map_err(|problems| Failed::from(problems.render(false)))?;
    let seed = Seed(scenario.seed);
    Ok(run(&scenario, Options { seed, network, sink: Sink::None }))
}

fn expect_pass(report: &RunReport) -> Result<(), Failed> {
    let broken: Vec<String> = report
        .checks
        .iter()
        .filter_map(|check| Some(format!("{}: {}", check.name, check.first_violation()?)))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}

/// Two simulators that nobody wrote together reach the same verdict, check by check, and the same
/// entities.
fn networks_agree(file: &Path) -> Result<(), Failed> {
    let kernel = simulate(file, Network::Kernel)?;
    let turmoil = simulate(file, Network::Turmoil)?;
    let verdict = |report: &RunReport| -> Vec<(&'static str, bool)> {
        report.checks.iter().map(|check| (check.name, check.passed())).collect()
    };
    if verdict(&kernel) != verdict(&turmoil) {
        let text = |report: &RunReport| shakedown::sim::report::text("", report, None);
        return Err(format!("kernel:\n{}\nturmoil:\n{}", text(&kernel), text(&turmoil)).into());
    }
    if kernel.entities != turmoil.entities || kernel.entities.is_empty() {
        return Err("the two networks gave different entities".into());
    }
    Ok(())
}

/// The binary under test.
fn shakedown(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shakedown")).args(arguments).output().expect("the binary runs")
}

fn proof(network: &str, seeds: &str) -> Result<(), Failed> {
    let output = shakedown(&["meta", "--network", network, "--seeds", seeds]);
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned().into())
}
