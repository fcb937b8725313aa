//! `shakedown sweep`: many seeds side by side, in search of one that fails.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::run::NetworkArg;
use super::{Exit, complain, input, output, print, scenario};
use crate::config::quantity::DurationText;
use crate::sim::scenario::Scenario;
use crate::sim::sweep::{self, End, Plan, SeedRange, Shard, Summary, Sweep};
use cost::Stopwatch;

mod cost;
mod jobs;
mod merge;
mod progress;
mod stop;

pub use stop::keep_panics_quiet;

/// Seeds of a sweep that nothing else ends.
const SEEDS_DEFAULT: u64 = 100;

/// Arguments of `shakedown sweep`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SweepArgs {
    #[command(subcommand)]
    verb: Option<SweepVerb>,
    #[command(flatten)]
    search: SearchArgs,
}

#[derive(Debug, Subcommand)]
enum SweepVerb {
    /// Makes one summary of those of all shards.
    Merge(merge::MergeArgs),
    /// Prints what runs the shards of a sweep elsewhere and merges their summaries.
    Jobs(jobs::JobsArgs),
    /// Prints the JSON Schema of summaries.
    Schema,
}

#[derive(Debug, Args)]
struct SearchArgs {
    #[command(flatten)]
    range: RangeArgs,
    /// How many runs side by side [default: one per processor].
    #[arg(long, value_parser = input::number::<NonZeroUsize>)]
    jobs: Option<NonZeroUsize>,
    /// Which part of the seeds to run: 2/5 is the second of five.
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Ends with the first failing run.
    #[arg(long)]
    until_fail: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What a sweep runs, all shards together.
#[derive(Debug, Args)]
struct RangeArgs {
    /// Scenario files; without one the built-in swarm is swept.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// How many seeds, counted from `--first`, unless something else ends the sweep earlier.
    #[arg(long, value_parser = input::count)]
    seeds: Option<u64>,
    /// Ends after this time, such as 10m; runs that have started are still counted.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<DurationText>,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_parser = input::number::<u64>)]
    first: u64,
    /// The simulated network.
    #[arg(long, value_enum, default_value_t = NetworkArg::Kernel)]
    network: NetworkArg,
}

/// Where a summary goes.
#[derive(Debug, Args)]
struct OutputArgs {
    /// Folder for summary.json and junit.xml; of a shard, summary-I-of-N.json and
    /// junit-I-of-N.xml, or interrupted-I-of-N.json and .xml [default: target/shakedown, if it can
    /// be written].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// How the summary is printed.
    #[arg(long, value_enum, default_value_t)]
    format: SummaryFormat,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum SummaryFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: the summary itself.
    Json,
    /// For CI systems.
    Junit,
}

impl SweepArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            None => self.search.run(),
            Some(SweepVerb::Merge(args)) => args.run(),
            Some(SweepVerb::Jobs(args)) => args.run(),
            Some(SweepVerb::Schema) => print(&sweep::schema_text()),
        }
    }
}

impl SearchArgs {
    fn run(self) -> Exit {
        let plan = match self.plan().and_then(|plan| self.output.require().map(|()| plan)) {
            Ok(plan) => plan,
            Err(exit) => return exit,
        };
        let jobs = self.jobs.or_else(|| std::thread::available_parallelism().ok());
        let jobs = jobs.unwrap_or(NonZeroUsize::MIN);
        let (runs, stopwatch) = (plan.runs(), Stopwatch::start());
        let sweep = Sweep::new(plan, jobs);
        if let Err(error) = stop::listen(sweep.control(), self.range.time) {
            complain(&format!("cannot listen for signals: {error}"));
            return Exit::Failed;
        }
        stop::keep_panics_quiet();
        let mut progress = progress::Progress::new(runs);
        let swept = sweep.run(|tally| progress.show(tally));
        progress.end();
        match swept {
            Ok(summary) => {
                let performance = stopwatch.stop(jobs);
                self.output.deliver(&Summary { performance, ..summary })
            }
            Err(error) => {
                complain(&format!("the operating system gives no thread: {error}"));
                Exit::Failed
            }
        }
    }

    fn plan(&self) -> Result<Plan, Exit> {
        let bounded = self.range.time.is_some() || self.until_fail;
        let count = self.range.seeds.or((!bounded).then_some(SEEDS_DEFAULT));
        self.require_seeds(count)?;
        let scenarios: Vec<(String, Scenario)> = if self.range.scenarios.is_empty() {
            vec![scenario::load_swarm()?]
        } else {
            let each = self.range.scenarios.iter().map(|path| scenario::load(Some(path)));
            each.collect::<Result<_, _>>()?
        };
        Ok(Plan {
            scenarios,
            seeds: SeedRange { first: self.range.first, count },
            shard: self.shard,
            network: self.range.network.into(),
            until_fail: self.until_fail,
        })
    }

    /// Refuses seeds beyond the last number, and shards without a seed.
    fn require_seeds(&self, count: Option<u64>) -> Result<(), Exit> {
        let Some(count) = count else { return Ok(()) };
        if self.range.first.checked_add(count - 1).is_none() {
            let first = self.range.first;
            complain(&format!(
                "there are no {count} seeds from {first} on: the last is {}",
                u64::MAX
            ));
            return Err(Exit::Usage);
        }
        if self.shard.share(count) == 0 {
            let shard = self.shard;
            complain(&format!(
                "shard {shard} of {count} seeds is empty: use at most {count} shards"
            ));
            return Err(Exit::Usage);
        }
        Ok(())
    }
}

impl OutputArgs {
    /// Refuses a folder that was named and cannot be written to.
    fn require(&self) -> Result<(), Exit> {
        self.out.as_deref().map_or(Ok(()), output::require_folder)
    }

    /// Writes and prints `summary`; the exit code that it deserves.
    fn deliver(&self, summary: &Summary) -> Exit {
        let (file, written) = match self.write(summary) {
            Ok(file) => (Some(file), Exit::Ok),
            Err(exit) => (None, exit),
        };
        let printed = print(&match self.format {
            SummaryFormat::Text => sweep::text(summary, file.as_deref()),
            SummaryFormat::Json => summary.json(),
            SummaryFormat::Junit => sweep::junit(summary),
        });
        exit(summary).or(printed).or(written)
    }

    /// Writes both files; where the summary is. Failure counts when somebody named the folder.
    fn write(&self, summary: &Summary) -> Result<String, Exit> {
        let folder = self.out.as_deref().unwrap_or(Path::new("target/shakedown"));
        let [file, junit] = names(summary).map(|name| folder.join(name));
        // The summary last: whoever waits for it finds both.
        let written = output::write(&junit, &sweep::junit(summary))
            .and_then(|()| output::write(&file, &summary.json()));
        written.map(|()| file.display().to_string()).map_err(|error| {
            complain(&format!("cannot write the summary {}: {error}", file.display()));
            if self.out.is_some() { Exit::Failed } else { Exit::Ok }
        })
    }
}

/// Names of the summary's file and of the report for CI systems.
fn names(summary: &Summary) -> [String; 2] {
    let Shard { index, count } = summary.shard;
    if summary.shard.is_whole() {
        return ["summary.json".to_owned(), "junit.xml".to_owned()];
    }
    let names = if is_cut_off(summary) { ["interrupted"; 2] } else { ["summary", "junit"] };
    let [file, junit] = names.map(|name| format!("{name}-{index}-of-{count}"));
    [format!("{file}.json"), format!("{junit}.xml")]
}

/// Whether it is of a shard whose rest nobody has run: no part of any whole.
fn is_cut_off(summary: &Summary) -> bool {
    summary.ended == End::Interrupted && !summary.shard.is_whole()
}

/// The worst class among what failed; what is not proven has failed too.
fn exit(summary: &Summary) -> Exit {
    match summary.worst() {
        // What has failed until then is no verdict: whoever runs shards must run it again.
        _ if is_cut_off(summary) => Exit::Interrupted,
        Some(class) => Exit::of(class),
        None if summary.ended == End::Interrupted => Exit::Interrupted,
        None if summary.passed() => Exit::Ok,
        None => Exit::Failed,
    }
}

#[cfg(test)]
mod tests;
