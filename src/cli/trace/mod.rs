//! `shakedown trace`: show, grep, why, export; all read trace files block by block.
//!
//! Invariant: of a file that is cut or damaged, `show`, `grep` and `export` print what is whole
//! before the complaint. What picks blocks by the frame of the file (`show` with --from or --to,
//! `grep --with-causes`, `why`) refuses such a file at once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::input::{self, InputError};
use super::instant::Instant;
use super::reference::{refuse_trace, warn_of_build};
use super::{Exit, ReportFormat, complain};
use crate::config::toml_file::nearest;
use crate::sim::time::SimTime;
use crate::sim::trace::TraceEvent;
use crate::sim::trace::file::{FileError, Index, Reader};

mod export;
mod grep;
mod rows;
#[cfg(test)]
mod tests;

use rows::{Mark, Rows};
pub use rows::{json_row, time};

/// Hosts that are remembered for a hint at a misspelt one.
const HOSTS_MAX: usize = 2_000;

/// Arguments of `shakedown trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    #[command(subcommand)]
    verb: TraceVerb,
}

#[derive(Debug, Subcommand)]
enum TraceVerb {
    /// Prints events in columns: time, event, the event that led to it, source, kind, fields.
    Show(ShowArgs),
    /// Prints the events whose line matches a pattern; exit code 1 when none does.
    Grep(grep::GrepArgs),
    /// Prints the chain of events that led to one event, the first cause first.
    Why(grep::WhyArgs),
    /// Writes the events for other programs: JSON lines, or a timeline for Perfetto and
    /// chrome://tracing.
    Export(export::ExportArgs),
}

/// Arguments of `shakedown trace show`.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The trace file, as `shakedown run --trace FILE` writes it.
    file: PathBuf,
    #[command(flatten)]
    filter: FilterArgs,
    /// How events are printed; `json` gives one object per line.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Which events.
#[derive(Debug, Clone, Default, Args)]
struct FilterArgs {
    /// From this instant on: a time (90s, 51.5s, 01:30.250) or an event (#317).
    #[arg(long, value_name = "INSTANT")]
    from: Option<Instant>,
    /// Up to this instant, itself included.
    #[arg(long, value_name = "INSTANT")]
    to: Option<Instant>,
    /// Only events about this host; may be given several times.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// At most so many events.
    #[arg(long, value_name = "EVENTS")]
    limit: Option<u64>,
}

impl FilterArgs {
    /// Refuses a window that ends before it begins.
    fn require_order(&self) -> Result<(), Exit> {
        let is_reversed = match (self.from, self.to) {
            (Some(Instant::Time(from)), Some(Instant::Time(to))) => from > to,
            (Some(Instant::Event(from)), Some(Instant::Event(to))) => from > to,
            _ => false,
        };
        let (true, Some(from), Some(to)) = (is_reversed, self.from, self.to) else {
            return Ok(());
        };
        complain(&format!("--from {from} is later than --to {to}\nhelp: swap them"));
        Err(Exit::Usage)
    }

    /// The window in words.
    fn window(&self) -> String {
        let from = self.from.map_or_else(|| "the start".to_owned(), |from| from.to_string());
        let to = self.to.map_or_else(|| "the end".to_owned(), |to| to.to_string());
        format!("between {from} and {to}")
    }
}

/// What exporting writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One JSON object per event and line; docs/schema/trace-event.schema.json is its schema.
    Jsonl,
    /// Chrome's trace event format: load it at ui.perfetto.dev or chrome://tracing.
    Perfetto,
}

impl TraceArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            TraceVerb::Show(args) => args.run(),
            TraceVerb::Grep(args) => args.run(),
            TraceVerb::Why(args) => args.run(),
            TraceVerb::Export(args) => args.run(),
        }
    }
}

/// Why a verb ended early.
enum Trouble {
    File(FileError),
    Out(std::io::Error),
}

impl From<FileError> for Trouble {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Out(error)
    }
}

impl Trouble {
    /// Says what is wrong; a reader that closed its pipe has what it wanted.
    fn exit(self, path: &Path) -> Exit {
        match self {
            // Nothing of it was read: the path is wrong, not the file.
            Self::File(FileError::Read { at: 0, source }) => {
                refuse(&input::unreadable(path, source))
            }
            Self::File(error) => match input::instead_of_trace(path) {
                Some(other) if matches!(error, FileError::Foreign { .. }) => refuse(&other),
                _ => refuse_trace(&path.display().to_string(), &error),
            },
            Self::Out(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
            Self::Out(error) => {
                complain(&format!("cannot write: {error}"));
                Exit::Failed
            }
        }
    }
}

fn refuse(error: &InputError) -> Exit {
    complain(&error.to_string());
    Exit::InvalidFile
}

fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(|source| FileError::Read { at: 0, source })
}

fn reader(path: &Path) -> Result<Reader<BufReader<File>>, FileError> {
    let reader = Reader::open(BufReader::new(open(path)?))?;
    warn_of_build(&path.display().to_string(), reader.passport());
    Ok(reader)
}

fn index(path: &Path) -> Result<Index<BufReader<File>>, FileError> {
    Index::open(BufReader::new(open(path)?))
}

/// Which events to take, and what was seen of hosts.
struct Filter<'a> {
    args: &'a FilterArgs,
    taken: u64,
    hosts: BTreeSet<String>,
    /// Whether there are events that nobody looked at.
    skipped: bool,
    /// When the trace ends, and its last event.
    last: Option<(SimTime, u64)>,
}

impl<'a> Filter<'a> {
    fn new(args: &'a FilterArgs) -> Self {
        Self { args, taken: 0, hosts: BTreeSet::new(), skipped: false, last: None }
    }

    /// Whether no further event will be taken.
    fn is_over(&self) -> bool {
        self.args.limit.is_some_and(|limit| self.taken >= limit)
    }

    fn is_within(&self, event: &TraceEvent) -> bool {
        let after = self.args.from.is_none_or(|from| match from {
            Instant::Time(time) => event.at >= time,
            Instant::Event(id) => event.id >= id,
        });
        let before = self.args.to.is_none_or(|to| match to {
            Instant::Time(time) => event.at <= time,
            Instant::Event(id) => event.id <= id,
        });
        after && before
    }

    /// Whether an event is about a host that was asked for.
    fn fits(&mut self, event: &TraceEvent) -> bool {
        if self.args.host.is_empty() {
            return true;
        }
        let hosts = event.hosts();
        let is_asked = |host: &String| self.args.host.contains(host);
        let fits = hosts.iter().any(is_asked);
        for host in hosts {
            if self.hosts.len() < HOSTS_MAX || is_asked(&host) {
                self.hosts.insert(host);
            }
        }
        fits
    }

    /// Whether to take an event; counts it if so.
    fn take(&mut self, event: &TraceEvent) -> bool {
        self.take_if(event, |_| true)
    }

    /// Whether to take an event that also has to match; counts it if so.
    fn take_if(&mut self, event: &TraceEvent, matches: impl Fn(&TraceEvent) -> bool) -> bool {
        // Every event tells of its hosts, whether or not it matches.
        let take = self.fits(event) && self.is_within(event) && !self.is_over() && matches(event);
        self.taken += u64::from(take);
        take
    }

    /// The outcome; complains about hosts that nobody knows.
    fn exit(&self) -> Exit {
        let unknown = self.args.host.iter().filter(|host| !self.hosts.contains(*host));
        let mut exit = Exit::Ok;
        // Events that were not looked at, as those beyond the limit, may know the host.
        for host in unknown.filter(|_| !self.is_over() && !self.skipped) {
            let names: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
            let hint = nearest(host, names.iter().copied())
                .map(|name| format!("did you mean `{name}`?"))
                .unwrap_or_else(|| format!("hosts are {}", names.join(", ")));
            complain(&format!("no event is about `{host}`\nhelp: {hint}"));
            exit = Exit::Failed;
        }
        exit
    }

    /// Complains when nothing happened in the window that was asked for.
    fn require_some(&self) -> Exit {
        let has_window = self.args.from.is_some() || self.args.to.is_some();
        if self.taken > 0 || self.is_over() || !has_window {
            return Exit::Ok;
        }
        let about = match self.args.host.as_slice() {
            [] => String::new(),
            hosts => format!(" about {}", hosts.join(", ")),
        };
        let end = match self.last {
            Some((at, events)) => format!("the trace ends at {at} with event #{events}"),
            None => "give another --from or --to".to_owned(),
        };
        complain(&format!("no event {}{about}\nhelp: {end}", self.args.window()));
        Exit::Failed
    }
}

impl ShowArgs {
    fn run(&self) -> Exit {
        if let Err(exit) = self.filter.require_order() {
            return exit;
        }
        let mut filter = Filter::new(&self.filter);
        let mut rows = Rows::new(self.format);
        let shown = match (self.filter.from, self.filter.to) {
            (None, None) => self.show_all(&mut filter, &mut rows),
            _ => self.show_part(&mut filter, &mut rows),
        };
        let flushed = rows.flush().map_err(Trouble::from);
        match shown.and(flushed) {
            Ok(()) => filter.exit().or(filter.require_some()),
            Err(trouble) => trouble.exit(&self.file),
        }
    }

    fn show_all(&self, filter: &mut Filter<'_>, rows: &mut Rows) -> Result<(), Trouble> {
        let mut reader = reader(&self.file)?;
        while !filter.is_over() {
            let Some(event) = reader.next_event()? else { break };
            if filter.take(&event) {
                rows.event(&event, Mark::None)?;
            }
        }
        Ok(())
    }

    /// Shows a part without unpacking the blocks around it.
    fn show_part(&self, filter: &mut Filter<'_>, rows: &mut Rows) -> Result<(), Trouble> {
        let mut index = index(&self.file)?;
        warn_of_build(&self.file.display().to_string(), index.passport());
        let blocks: Vec<_> = index.blocks().collect();
        let end = blocks.iter().map(|block| block.latest).max();
        filter.last = end.map(|end| (end, index.digest().events));
        for (number, block) in blocks.iter().enumerate() {
            let before = self.filter.from.is_some_and(|from| match from {
                Instant::Time(time) => block.latest < time,
                Instant::Event(id) => block.ids.end <= id.0,
            });
            let after = self.filter.to.is_some_and(|to| match to {
                Instant::Time(time) => block.earliest > time,
                Instant::Event(id) => block.ids.start > id.0,
            });
            if before || after || filter.is_over() {
                filter.skipped = true;
                continue;
            }
            for event in index.events(number)? {
                if filter.take(&event) {
                    rows.event(&event, Mark::None)?;
                }
            }
        }
        Ok(())
    }
}
