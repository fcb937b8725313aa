//! `shakedown meta`: runs each seed in two fresh processes and compares every trace byte.
//!
//! The two processes get different environments and working folders, so that whatever leaks from
//! there into a run shows as a difference.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::Args;

use super::run::NetworkArg;
use super::{Exit, complain, print, scenario};

/// Arguments of `shakedown meta`.
#[derive(Debug, Args)]
pub struct MetaArgs {
    /// Scenario file; without one the built-in scenario.
    scenario: Option<PathBuf>,
    /// How many seeds, counted from `--first`.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// The simulated network.
    #[arg(long, value_enum, default_value_t = NetworkArg::Kernel)]
    network: NetworkArg,
}

/// What comparing two traces gave.
enum Comparison {
    Equal { bytes: u64, events: u64 },
    Different { event: u64, left: String, right: String },
}

impl MetaArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        if let Err(exit) = scenario::load(self.scenario.as_deref()) {
            return exit;
        }
        if self.seeds == 0 {
            complain("no seeds, no proof: --seeds must be at least 1");
            return Exit::Failed;
        }
        let (mut bytes_total, mut events_total) = (0, 0);
        for seed in self.first..self.first.saturating_add(self.seeds) {
            match self.compare(seed) {
                Ok(Comparison::Equal { bytes, events }) if events > 0 => {
                    bytes_total += bytes;
                    events_total += events;
                }
                Ok(Comparison::Equal { .. }) => {
                    complain(&format!("seed {seed}: both traces are empty, which proves nothing"));
                    return Exit::Determinism;
                }
                Ok(Comparison::Different { event, left, right }) => {
                    print(&format!(
                        "seed {seed}: the two processes differ from event {event} on\n  \
                         first:  {left}\n  second: {right}\n"
                    ));
                    return Exit::Determinism;
                }
                Err(error) => {
                    complain(&format!("cannot run the two processes: {error}"));
                    return Exit::Failed;
                }
            }
        }
        print(&format!(
            "{} seeds, two processes each: 0 bytes differ ({events_total} events, {bytes_total} \
             bytes per process)\n",
            self.seeds
        ));
        Exit::Ok
    }

    fn compare(&self, seed: u64) -> std::io::Result<Comparison> {
        let here = std::env::current_dir()?;
        let mut first = self.start(seed, &here, &[])?;
        let elsewhere = std::env::temp_dir();
        let noise = [("RUST_LOG", "trace"), ("TZ", "Asia/Tokyo"), ("SHAKEDOWN_NOISE", "x")];
        let mut second = self.start(seed, &elsewhere, &noise)?;
        let comparison = compare(output(&mut first)?, output(&mut second)?);
        for child in [&mut first, &mut second] {
            // A child that still writes after the first difference is of no more use.
            if matches!(comparison, Ok(Comparison::Different { .. })) {
                child.kill()?;
            }
            child.wait()?;
        }
        comparison
    }

    fn start(&self, seed: u64, cwd: &Path, env: &[(&str, &str)]) -> std::io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run");
        if let Some(path) = &self.scenario {
            command.arg(std::fs::canonicalize(path)?);
        }
        let network = match self.network {
            NetworkArg::Kernel => "kernel",
            NetworkArg::Turmoil => "turmoil",
        };
        command.args(["--trace", "-", "--network", network, "--seed", &seed.to_string()]);
        command.current_dir(cwd).envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    }
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
