//! `shakedown minimize`: the smallest scenario that still fails in the same way.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::reference::{Kind, RunArg, WhichArgs};
use super::run::NetworkArg;
use super::{Exit, ReportFormat, complain, output, print, print_json};
use crate::sim::minimize::{Ended, Minimized};
use crate::sim::run::Network;
use crate::sim::run::passport::Passport;
use crate::sim::run::reference::Letters;
use crate::sim::scenario;
pub use search::{SearchArgs, search};

mod progress;
mod search;

/// Arguments of `shakedown minimize`.
#[derive(Debug, Args)]
#[command(
    after_help = "The seed stays, and so does the failure: what has another fingerprint is told \
    and not followed. Ctrl-C and the end of --for give the smallest scenario found so far; \
    --resume goes on from there.\n\n\
    Exit codes: 0 the scenario is written, 1 it cannot be, 2 the run does not fail like that."
)]
pub struct MinimizeArgs {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    which: RunChoice,
    #[command(flatten)]
    search: SearchArgs,
    /// Where the scenario is written; `-` is standard output, in place of the report [default:
    /// target/shakedown/minimal-RUN.toml].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Goes on where an earlier search of the same run ended; its state is kept beside the
    /// scenario.
    #[arg(long)]
    resume: bool,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Which run of a file, and which of its failures.
#[derive(Debug, Clone, Args)]
pub struct RunChoice {
    /// Seed, for a scenario file; without one the scenario's own.
    #[arg(long)]
    seed: Option<u64>,
    /// The simulated network, for a scenario file [default: kernel].
    #[arg(long, value_enum)]
    network: Option<NetworkArg>,
    /// The failure to keep, by the first letters of its fingerprint; without it the run's first.
    #[arg(long, value_name = "LETTERS", conflicts_with = "failure")]
    fingerprint: Option<Letters>,
    /// The failure at this place, from 1, for a sweep's summary.
    #[arg(long, value_name = "NUMBER")]
    failure: Option<usize>,
}

impl RunChoice {
    /// The run that `path` names, and the first letters of the failure to keep.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub fn load(&self, path: &Path) -> Result<(Passport, Option<Letters>), Exit> {
        // Letters choose among the failures of a summary, and later among those of the run.
        let is_summary = Kind::of(path)? == Kind::Summary;
        let which = WhichArgs {
            seed: self.seed,
            network: self.network,
            fingerprint: self.fingerprint.clone().filter(|_| is_summary),
            failure: self.failure,
        };
        let reference = which.load(path)?;
        let letters = reference.failure.as_ref().map(Letters::from);
        Ok((reference.passport, letters.or_else(|| self.fingerprint.clone())))
    }
}

/// What was found, and where it is.
#[derive(Serialize)]
struct MinimizeReport<'a> {
    #[serde(flatten)]
    found: &'a Minimized,
    /// The scenario file.
    file: Option<String>,
}

/// What a search that has nothing to do says.
#[derive(Serialize)]
struct AlreadyMinimal {
    already_minimal: bool,
    /// The scenario file.
    file: String,
}

impl MinimizeArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.carry_out() {
            Ok(exit) | Err(exit) => exit,
        }
    }

    /// What there is to do about a scenario without a state: nothing, if it is minimal.
    fn without_state(
        &self,
        passport: &Passport,
        letters: Option<&Letters>,
        out: &Path,
        state: &Path,
    ) -> Result<Exit, Exit> {
        let (file, state) = (out.display().to_string(), state.display());
        let text = std::fs::read_to_string(out).unwrap_or_default();
        if !is_minimal(&text, passport, letters) {
            complain(&format!(
                "{state}: there is no such state, and {file} is not the end of this search\n\
                 help: name another file, or remove it, and begin without --resume"
            ));
            return Err(Exit::InvalidFile);
        }
        Ok(match self.format {
            ReportFormat::Json => print_json(&AlreadyMinimal { already_minimal: true, file }),
            ReportFormat::Text => print(&format!("{file} is already minimal\n")),
        })
    }

    fn carry_out(&self) -> Result<Exit, Exit> {
        let (passport, letters) = self.which.load(&self.run.run)?;
        let to_output = self.out.as_deref() == Some(Path::new("-"));
        let out = self
            .out
            .clone()
            .filter(|_| !to_output)
            .unwrap_or_else(|| scratch(&passport).with_extension("toml"));
        if self.out.is_some() && !to_output && !self.resume && out.exists() {
            complain(&format!(
                "{} exists\nhelp: name another file, or remove it; --resume goes on with an \
                 earlier search",
                out.display()
            ));
            return Err(Exit::Usage);
        }
        let state = out.with_extension("state");
        let resume = self.resume && state.exists();
        if self.resume && !resume && !to_output && out.exists() {
            return self.without_state(&passport, letters.as_ref(), &out, &state);
        }
        let found = search(&passport, letters.as_ref(), &self.search, &state, resume)?;
        let path = if to_output { Path::new("FILE") } else { &out };
        let text = file_text(&passport, &found, path);
        if to_output {
            return Ok(print(&text));
        }
        write(&out, &text)?;
        let file = Some(out.display().to_string());
        Ok(match self.format {
            ReportFormat::Json => print_json(&MinimizeReport { found: &found, file }),
            ReportFormat::Text => print(&report(&passport, &found, &out)),
        })
    }
}

/// Where a scenario came from: the first comment above it.
fn origin(passport: &Passport) -> String {
    format!("Made smaller from {}, seed {}.", passport.origin, passport.seed)
}

/// What stands before a fingerprint above a scenario.
const FAILS: &str = "Fails as ";

/// The comment above a scenario that a finished search gave.
const MINIMAL: &str = "Nothing more can go.";

/// The scenario file with its story above it.
fn file_text(passport: &Passport, found: &Minimized, out: &Path) -> String {
    let mut comments =
        vec![origin(passport), format!("{FAILS}{} (check {}):", found.fingerprint, found.check)];
    comments.extend(found.example.lines().map(|line| format!("  {line}")));
    comments.push(match found.ended {
        Ended::Minimal => MINIMAL.to_owned(),
        Ended::Stopped => "The search was stopped: more may go.".to_owned(),
    });
    let network = network_option(passport.network);
    comments.push(format!("Again: shakedown run {}{network}", out.display()));
    scenario::write(&found.scenario, &comments)
}

/// Whether `text` is what a finished search for the same failure of the same run wrote.
fn is_minimal(text: &str, passport: &Passport, letters: Option<&Letters>) -> bool {
    let comments: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
    let fails = comments.iter().find_map(|comment| comment.strip_prefix(FAILS));
    let wanted = letters.map(ToString::to_string).unwrap_or_default();
    comments.first().is_some_and(|first| *first == origin(passport))
        && comments.contains(&MINIMAL)
        && fails.is_some_and(|fingerprint| fingerprint.starts_with(&wanted))
}

/// What `shakedown run` needs to take the same network.
pub fn network_option(network: Network) -> String {
    match network {
        Network::Kernel => String::new(),
        Network::Turmoil => format!(" --network {}", network.name()),
    }
}

/// Where what becomes of `passport` is kept when nobody says where, without its ending.
pub fn scratch(passport: &Passport) -> PathBuf {
    PathBuf::from(format!("target/shakedown/minimal-{}", passport.id))
}

/// Writes `text` to `path`.
fn write(path: &Path, text: &str) -> Result<(), Exit> {
    output::write(path, text).map_err(|error| {
        complain(&format!("cannot write {}: {error}", path.display()));
        Exit::Failed
    })
}

fn report(passport: &Passport, found: &Minimized, out: &Path) -> String {
    let Minimized { fingerprint, check, example, from, to, tried, steps, .. } = found;
    let mut text = format!("{fingerprint}  {check}: {example}\n");
    text.push_str(&format!("from  {from}\nto    {to}\n"));
    let end = match found.ended {
        Ended::Minimal => "nothing more can go",
        Ended::Stopped => "stopped: more may go, and --resume goes on",
    };
    text.push_str(&format!("{tried} runs, {steps} steps; {end}\n"));
    for (fingerprint, told) in &found.others {
        text.push_str(&format!("also met  {fingerprint}  {}: {}\n", told.check, told.example));
    }
    let network = network_option(passport.network);
    text.push_str(&format!("again: shakedown run {}{network}\n", out.display()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::{BUILT_IN, BUILT_IN_NAME, load};
    use crate::sim::seed::Seed;

    #[test]
    fn only_the_end_of_the_same_search_is_minimal() {
        let scenario = load(BUILT_IN_NAME, BUILT_IN).expect("loads");
        let passport = |seed| Passport::of("x.toml", &scenario, Seed(seed), Network::Kernel);
        let whole = format!(
            "# {}\n# {FAILS}abcdefghij (check loss):\n#   words\n# {MINIMAL}\ntitle = 'x'\n",
            origin(&passport(7))
        );
        let of = |text: &str, seed, letters: Option<&str>| {
            let letters = letters.map(|letters| letters.parse().expect("letters"));
            is_minimal(text, &passport(seed), letters.as_ref())
        };
        let cases = [
            (of(&whole, 7, None), true),
            (of(&whole, 7, Some("ABC")), true),
            (of(&whole, 7, Some("b")), false),
            (of(&whole, 8, None), false),
            (of(&whole.replace(MINIMAL, "more may go"), 7, None), false),
            (of("title = 'x'\n", 7, None), false),
            (of("", 7, None), false),
        ];
        for (place, (found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found, expected, "case {place}");
        }
    }
}
