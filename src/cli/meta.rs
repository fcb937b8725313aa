//! `shakedown meta`: runs each seed in two fresh processes and compares every trace byte.
//!
//! The two processes get different environments and working folders, so that whatever leaks from
//! there into a run shows as a difference.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use clap::Args;
use serde_json::json;

use super::run::NetworkArg;
use super::{Exit, ReportFormat, complain, input, print, print_json, scenario};
use crate::domain::words::counted;

/// Arguments of `shakedown meta`.
#[derive(Debug, Args)]
pub struct MetaArgs {
    /// Scenario file; without one the built-in scenario.
    scenario: Option<PathBuf>,
    /// How many seeds, counted from `--first`.
    #[arg(long, default_value_t = 10, value_parser = input::count)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_parser = input::number::<u64>)]
    first: u64,
    /// The simulated network.
    #[arg(long, value_enum, default_value_t = NetworkArg::Kernel)]
    network: NetworkArg,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
enum MetaError {
    #[error("cannot run the two processes: {0}")]
    Io(#[from] std::io::Error),
    #[error("the {which} process failed ({status}), so its trace proves nothing")]
    Child { which: &'static str, status: ExitStatus },
    #[error("the traces are equal, the verdicts are not: {first} and {second}")]
    Verdicts { first: ExitStatus, second: ExitStatus },
    #[error("both traces are empty, which proves nothing")]
    Empty,
}

impl MetaError {
    fn exit(&self) -> Exit {
        match self {
            Self::Io(_) | Self::Child { .. } => Exit::Failed,
            Self::Verdicts { .. } | Self::Empty => Exit::Determinism,
        }
    }
}

/// What comparing two traces gave.
enum Comparison {
    Equal { bytes: u64, events: u64 },
    Different { event: u64, left: String, right: String },
}

impl MetaArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        if self.scenario.as_deref().is_some_and(input::is_stdin) {
            let what = "two processes cannot both read standard input";
            complain(&format!("{what}\nhelp: save the scenario and give the file"));
            return Exit::Usage;
        }
        if let Err(exit) = scenario::load(self.scenario.as_deref()) {
            return exit;
        }
        let Some(end) = self.first.checked_add(self.seeds) else {
            complain(&format!(
                "there are no {} seeds from {} on: the last one is {}",
                self.seeds,
                self.first,
                u64::MAX - 1
            ));
            return Exit::Usage;
        };
        let (mut bytes_total, mut events_total) = (0, 0);
        for seed in self.first..end {
            match self.compare(seed) {
                Ok(Comparison::Equal { bytes, events }) => {
                    bytes_total += bytes;
                    events_total += events;
                }
                Ok(Comparison::Different { event, left, right }) => {
                    return self.report_difference(seed, event, &left, &right);
                }
                Err(error) => {
                    complain(&format!("seed {seed}: {error}"));
                    return error.exit();
                }
            }
        }
        match self.format {
            ReportFormat::Text => print(&format!(
                "{}, two processes each: 0 bytes differ ({}, \
                 {bytes_total} bytes per process)\n",
                counted(self.seeds, "seed"),
                counted(events_total, "event")
            )),
            ReportFormat::Json => print_json(&json!({
                "equal": true,
                "network": self.network.name(),
                "first": self.first,
                "seeds": self.seeds,
                "events": events_total,
                "bytes": bytes_total,
            })),
        }
    }

    fn report_difference(&self, seed: u64, event: u64, left: &str, right: &str) -> Exit {
        // The difference is the outcome, whether or not it can be printed.
        let _ = match self.format {
            ReportFormat::Text => print(&format!(
                "seed {seed}: the two processes differ from event {event} on\n  \
                 first:  {left}\n  second: {right}\n"
            )),
            ReportFormat::Json => print_json(&json!({
                "equal": false,
                "network": self.network.name(),
                "seed": seed,
                "event": event,
                "first": left,
                "second": right,
            })),
        };
        Exit::Determinism
    }

    fn compare(&self, seed: u64) -> Result<Comparison, MetaError> {
        let here = std::env::current_dir()?;
        let mut first = self.start(seed, &here, &[])?;
        let elsewhere = std::env::temp_dir();
        let noise = [("RUST_LOG", "trace"), ("TZ", "Asia/Tokyo"), ("SHAKEDOWN_NOISE", "x")];
        let mut second = self.start(seed, &elsewhere, &noise)?;
        let traces = output(&mut first).and_then(|one| Ok((one, output(&mut second)?)));
        let comparison = traces.and_then(|(one, two)| compare(one, two));
        if !matches!(comparison, Ok(Comparison::Equal { .. })) {
            // Children that still write after the first difference are of no more use.
            first.kill()?;
            second.kill()?;
        }
        let (first, second) = (first.wait()?, second.wait()?);
        let comparison = comparison?;
        if let Comparison::Equal { events, .. } = comparison {
            accept(first, second)?;
            if events == 0 {
                return Err(MetaError::Empty);
            }
        }
        Ok(comparison)
    }

    fn start(&self, seed: u64, cwd: &Path, env: &[(&str, &str)]) -> std::io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run");
        if let Some(path) = &self.scenario {
            command.arg(std::fs::canonicalize(path)?);
        }
        command.args([
            "--trace",
            "-",
            "--network",
            self.network.name(),
            "--seed",
            &seed.to_string(),
        ]);
        command.current_dir(cwd).envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }
}

/// A run ends with its verdict; any other end is a failure of the process.
fn accept(first: ExitStatus, second: ExitStatus) -> Result<(), MetaError> {
    let verdicts = [Exit::Ok, Exit::Safety, Exit::Liveness, Exit::Oracle].map(Exit::code);
    for (which, status) in [("first", first), ("second", second)] {
        if !status.code().is_some_and(|code| verdicts.iter().any(|v| i32::from(*v) == code)) {
            return Err(MetaError::Child { which, status });
        }
    }
    if first == second { Ok(()) } else { Err(MetaError::Verdicts { first, second }) }
}

fn output(child: &mut Child) -> std::io::Result<BufReader<ChildStdout>> {
    let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("no standard output"))?;
    Ok(BufReader::with_capacity(1 << 16, stdout))
}

fn compare(mut left: impl BufRead, mut right: impl BufRead) -> std::io::Result<Comparison> {
    let (mut bytes, mut events) = (0, 0);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    loop {
        one.clear();
        two.clear();
        left.read_until(b'\n', &mut one)?;
        right.read_until(b'\n', &mut two)?;
        if one != two {
            let show = |line: &[u8]| match line {
                [] => "(the trace ends here)".to_owned(),
                line => String::from_utf8_lossy(line).trim_end().to_owned(),
            };
            let (left, right) = (show(&one), show(&two));
            return Ok(Comparison::Different { event: events + 1, left, right });
        }
        if one.is_empty() {
            return Ok(Comparison::Equal { bytes, events });
        }
        bytes += one.len() as u64;
        events += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_failed_proves_nothing() {
        use std::os::unix::process::ExitStatusExt as _;
        // Wait statuses: an exit code in the high byte, a signal in the low one.
        let cases = [
            (0, 0, ""),
            (10 << 8, 10 << 8, ""),
            (0, 10 << 8, "the verdicts are not"),
            (101 << 8, 101 << 8, "the first process failed (exit status: 101)"),
            (0, 3 << 8, "the second process failed (exit status: 3)"),
            (0, 9, "the second process failed (signal: 9 (SIGKILL))"),
        ];
        for (first, second, error) in cases {
            let statuses = (ExitStatus::from_raw(first), ExitStatus::from_raw(second));
            let said = accept(statuses.0, statuses.1).err().map(|e| e.to_string());
            assert_eq!(said.is_none(), error.is_empty(), "{first} {second}");
            assert!(said.unwrap_or_default().contains(error), "{first} {second}");
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        let same = compare(&b"a\nb\n"[..], &b"a\nb\n"[..]).expect("memory");
        assert!(matches!(same, Comparison::Equal { bytes: 4, events: 2 }));
        let cases =
            [("a\nb\n", "a\nc\n", 2, "b", "c"), ("a\n", "", 1, "a", "(the trace ends here)")];
        for (one, two, at, left_line, right_line) in cases {
            match compare(one.as_bytes(), two.as_bytes()).expect("memory") {
                Comparison::Different { event, left, right } => {
                    assert_eq!((event, left.as_str(), right.as_str()), (at, left_line, right_line));
                }
                Comparison::Equal { .. } => panic!("{one:?} and {two:?} differ"),
            }
        }
    }
}
