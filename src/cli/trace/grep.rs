//! `shakedown trace grep` and `shakedown trace why`: events by what they say, and what led to them.
//!
//! Invariant: causes are looked for from the end of the file to its beginning, one block at a time,
//! since a cause is always earlier; no more than [`FOUND_MAX`] events are remembered.

use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::path::PathBuf;

use clap::Args;
use regex::Regex;

use super::super::instant::Instant;
use super::super::{Exit, ReportFormat, complain};
use super::rows::{Mark, Rows};
use super::{Filter, FilterArgs, Trouble, index, reader};
use crate::sim::trace::file::{FileError, Index};
use crate::sim::trace::{EventId, TraceEvent};

/// Events, causes included, that are remembered.
const FOUND_MAX: usize = 200_000;

/// Arguments of `shakedown trace grep`.
#[derive(Debug, Args)]
pub struct GrepArgs {
    /// The trace file, as `shakedown run --trace FILE` writes it.
    file: PathBuf,
    /// Regular expression, matched against the event's line as `--trace -` prints it.
    #[arg(allow_hyphen_values = true)]
    pattern: Regex,
    /// Only events with this value: a field, or `source`, `kind`, `id`, `parent`, `host`; may be
    /// given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_field)]
    field: Vec<(String, String)>,
    /// With the events that led to each.
    #[arg(long)]
    with_causes: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// How events are printed; `json` gives one object per line.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Arguments of `shakedown trace why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The trace file, as `shakedown run --trace FILE` writes it.
    file: PathBuf,
    /// The event: `317` or `#317`.
    #[arg(value_name = "EVENT", value_parser = parse_event)]
    event: EventId,
    /// How events are printed; `json` gives one object per line.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

fn parse_field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as kind=data".to_owned()),
    }
}

fn parse_event(text: &str) -> Result<EventId, String> {
    match format!("#{}", text.trim_start_matches('#')).parse() {
        Ok(Instant::Event(id)) => Ok(id),
        _ => Err("write the number of an event, such as 317".to_owned()),
    }
}

/// Whether `event` has `value` as its `key`.
fn has(event: &TraceEvent, key: &str, value: &str) -> bool {
    let own = match key {
        "source" => event.source == value,
        "kind" => event.kind == value,
        "id" => event.id.to_string() == value,
        "parent" => event.parent.map_or(value == "-", |parent| parent.to_string() == value),
        "host" => event.hosts().iter().any(|host| host == value),
        _ => false,
    };
    own || event.fields.iter().any(|(name, found)| name == key && found == value)
}

impl GrepArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        if let Err(exit) = self.filter.require_order() {
            return exit;
        }
        let mut filter = Filter::new(&self.filter);
        let mut rows = Rows::new(self.format);
        let printed = if self.with_causes {
            self.print_with_causes(&mut filter, &mut rows)
        } else {
            self.print(&mut filter, &mut rows)
        };
        let flushed = rows.flush().map_err(Trouble::from);
        match printed.and(flushed) {
            Ok(()) if filter.taken == 0 => filter.exit().or(Exit::Failed),
            Ok(()) => Exit::Ok,
            Err(trouble) => trouble.exit(&self.file),
        }
    }

    fn matches(&self, event: &TraceEvent) -> bool {
        self.field.iter().all(|(key, value)| has(event, key, value))
            && self.pattern.is_match(&event.to_string())
    }

    fn print(&self, filter: &mut Filter<'_>, rows: &mut Rows) -> Result<(), Trouble> {
        let mut reader = reader(&self.file)?;
        while !filter.is_over() {
            let Some(event) = reader.next_event()? else { break };
            if filter.take_if(&event, |event| self.matches(event)) {
                rows.event(&event, Mark::None)?;
            }
        }
        Ok(())
    }

    fn print_with_causes(&self, filter: &mut Filter<'_>, rows: &mut Rows) -> Result<(), Trouble> {
        let mut index = index(&self.file)?;
        let mut found = BTreeSet::new();
        let blocks = index.blocks().len();
        for number in 0..blocks {
            for event in index.events(number)? {
                let room = found.len() < FOUND_MAX;
                if room && filter.take_if(&event, |event| self.matches(event)) {
                    found.insert(event.id.0);
                }
            }
        }
        let all = with_causes(&mut index, found.clone())?;
        if all.len() >= FOUND_MAX {
            complain(&format!(
                "warning: only {FOUND_MAX} events are shown\nhelp: narrow it with --limit or --to"
            ));
        }
        print_events(&mut index, &all, &found, rows)
    }
}

impl WhyArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let mut rows = Rows::new(self.format);
        let printed = self.print(&mut rows);
        let flushed = rows.flush().map_err(Trouble::from);
        match printed.and_then(|exit| flushed.map(|()| exit)) {
            Ok(exit) => exit,
            Err(trouble) => trouble.exit(&self.file),
        }
    }

    fn print(&self, rows: &mut Rows) -> Result<Exit, Trouble> {
        let mut index = index(&self.file)?;
        let events = index.digest().events;
        if self.event.0 > events {
            let (file, event) = (self.file.display(), self.event);
            complain(&format!(
                "{file} has no event #{event}\nhelp: its events are #1 to #{events}"
            ));
            return Ok(Exit::Failed);
        }
        let found = BTreeSet::from([self.event.0]);
        let all = with_causes(&mut index, found.clone())?;
        print_events(&mut index, &all, &found, rows)?;
        Ok(Exit::Ok)
    }
}

/// `wanted` and everything that led to it, up to [`FOUND_MAX`] events.
fn with_causes<R: Read + Seek>(
    index: &mut Index<R>,
    mut wanted: BTreeSet<u64>,
) -> Result<BTreeSet<u64>, FileError> {
    let blocks: Vec<_> = index.blocks().collect();
    for (number, block) in blocks.iter().enumerate().rev() {
        if wanted.range(block.ids.clone()).next().is_none() {
            continue;
        }
        for event in index.events(number)?.iter().rev() {
            if let Some(parent) = event.parent.filter(|_| wanted.contains(&event.id.0))
                && wanted.len() < FOUND_MAX
            {
                wanted.insert(parent.0);
            }
        }
    }
    Ok(wanted)
}

fn print_events<R: Read + Seek>(
    index: &mut Index<R>,
    all: &BTreeSet<u64>,
    found: &BTreeSet<u64>,
    rows: &mut Rows,
) -> Result<(), Trouble> {
    let blocks: Vec<_> = index.blocks().collect();
    for (number, block) in blocks.iter().enumerate() {
        if all.range(block.ids.clone()).next().is_none() {
            continue;
        }
        for event in index.events(number)?.iter().filter(|event| all.contains(&event.id.0)) {
            let is_found = found.contains(&event.id.0);
            rows.event(event, if is_found { Mark::Found } else { Mark::Cause })?;
        }
    }
    Ok(())
}
