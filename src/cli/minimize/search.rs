//! A search with progress, a budget of time, and a state that outlives it.

use std::env::current_exe;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use xxhash_rust::xxh3::Xxh3;

use super::super::progress::now;
use super::super::{Exit, complain, input, interrupt, output, sweep};
use super::progress::Progress;
use crate::config::quantity::DurationText;
use crate::sim::check::Fingerprint;
use crate::sim::minimize::{Ended, Hunt, Memory, MinimizeError, Minimized, Owner, Runs, minimize};
use crate::sim::prose;
use crate::sim::run::passport::Passport;
use crate::sim::run::reference::Letters;

/// Largest state: each candidate takes some hundred bytes.
const STATE_BYTES_MAX: u64 = 64 << 20;
/// Time between two writes of the state, when nothing became smaller.
const STATE_EVERY: Duration = Duration::from_secs(5);

/// How a search goes about it.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Ends after this time with the smallest scenario found so far.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<DurationText>,
    /// How many runs side by side [default: one per processor].
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
}

impl SearchArgs {
    fn jobs(&self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.jobs.unwrap_or_else(all)
    }
}

/// Whose state is kept: that of the run by this very program.
fn owner(passport: &Passport) -> Result<Owner, Exit> {
    let program = program_digest().map_err(|error| {
        complain(&format!("cannot read this program: {error}"));
        Exit::Failed
    })?;
    Ok(Owner { run: passport.id.clone(), program })
}

/// XXH3-128 of the running program, whatever stands under its name by now.
fn program_digest() -> std::io::Result<u128> {
    let mut program = File::open("/proc/self/exe").or_else(|_| File::open(current_exe()?))?;
    let (mut hash, mut part) = (Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match program.read(&mut part)? {
            0 => return Ok(hash.digest128()),
            length => hash.update(part.get(..length).unwrap_or_default()),
        }
    }
}

/// The state of an earlier search of the same run, and which failure that was for.
fn remember(
    owner: &Owner,
    letters: Option<&Letters>,
    state: &Path,
) -> Result<(Memory, Letters), Exit> {
    let refuse = |problem: &str, help: &str| {
        complain(&format!("{}: {problem}\nhelp: {help}", state.display()));
        Exit::InvalidFile
    };
    let text = input::own_text(state, STATE_BYTES_MAX);
    let text = text.map_err(|error| refuse(&error.to_string(), "begin without --resume"))?;
    let memory = Memory::decode(&text, owner, letters);
    let (memory, fingerprint) =
        memory.map_err(|error| refuse(&error.to_string(), "begin anew, without --resume"))?;
    Ok((memory, Letters::from(&fingerprint)))
}

/// Writes the state.
fn keep(
    owner: &Owner,
    fingerprint: &Fingerprint,
    memory: &Memory,
    state: &Path,
) -> std::io::Result<()> {
    output::write(state, &memory.encode(owner, fingerprint))
}

/// Makes the run of `passport` as small as it gets; complains about what is wrong.
///
/// The state is kept in the file `state` until nothing more can go.
///
/// # Errors
/// The exit code.
pub fn search(
    passport: &Passport,
    letters: Option<&Letters>,
    args: &SearchArgs,
    state: &Path,
    resume: bool,
) -> Result<Minimized, Exit> {
    let owner = owner(passport)?;
    // What is resumed is the search for the failure that it was for, whoever names it or not.
    let (memory, wanted) = if resume {
        let (memory, wanted) = remember(&owner, letters, state)?;
        (memory, Some(wanted))
    } else {
        (Memory::default(), letters.cloned())
    };
    let began = now();
    let interrupted = interrupt::flag().map_err(|error| {
        complain(&format!("cannot listen for Ctrl-C: {error}"));
        Exit::Failed
    })?;
    sweep::keep_panics_quiet();
    let deadline = args.time.and_then(|DurationText(time)| began.checked_add(time));
    let is_over = || deadline.is_some_and(|deadline| now() >= deadline);
    let stop = || interrupted.load(Ordering::SeqCst) || is_over();
    let runs = Runs { seed: passport.seed, network: passport.network, defect: None };
    let hunt = Hunt {
        scenario: &passport.scenario,
        oracle: &runs,
        fingerprint: wanted,
        jobs: args.jobs(),
        stop: &stop,
        memory,
    };
    let mut progress = Progress::new(began);
    let mut kept: Option<Instant> = None;
    let mut trouble = None;
    let found = minimize(hunt, &mut |news| {
        progress.show(news);
        let is_due = kept.is_none_or(|kept| now().duration_since(kept) >= STATE_EVERY);
        if news.is_smaller || is_due {
            kept = Some(now());
            let written = keep(&owner, news.fingerprint, news.memory, state);
            trouble = written.err();
        }
    });
    progress.end();
    let mut found = found.map_err(|error| refuse(passport, &error))?;
    if found.ended == Ended::Minimal {
        // What is left is cheap to find again; a state that is gone is no trouble either.
        let _ = std::fs::remove_file(state);
    } else {
        let written = keep(&owner, &found.fingerprint, &found.memory, state);
        trouble = written.err().or(trouble);
    }
    if let Some(error) = trouble {
        complain(&format!("warning: cannot keep the state in {}: {error}", state.display()));
    }
    name(passport, &mut found);
    Ok(found)
}

/// Words for what is left, and the seed that it needs.
fn name(passport: &Passport, found: &mut Minimized) {
    let title = match found.scenario.faults().is_empty() {
        true => format!("fails without any fault: {}", found.check),
        false => prose::title(&found.scenario),
    };
    found.scenario.title = prose::sentence(&title);
    // What somebody promised says more than what every scenario promises.
    let promise = prose::promise(&found.check).filter(|_| found.scenario.promise.is_empty());
    if let Some(promise) = promise {
        found.scenario.promise = format!("{}.", prose::sentence(promise));
    }
    found.scenario.seed = passport.seed.0;
    found.scenario.sometimes = Vec::new();
}

fn refuse(passport: &Passport, error: &MinimizeError) -> Exit {
    let (help, exit) = match error {
        MinimizeError::Passes if !passport.is_of_this_build() => {
            ("it is of another build: run it with that one, or find a seed that fails", Exit::Usage)
        }
        MinimizeError::Passes => ("find a seed that fails with `shakedown sweep`", Exit::Usage),
        MinimizeError::OtherFailure { .. } => {
            ("name one of them with --fingerprint LETTERS", Exit::Usage)
        }
        MinimizeError::TooSoon => ("give it more time", Exit::Failed),
        MinimizeError::Stale => ("begin without --resume", Exit::InvalidFile),
    };
    complain(&format!("{}, seed {}: {error}\nhelp: {help}", passport.origin, passport.seed));
    exit
}
