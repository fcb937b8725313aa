//! `shakedown faults`: every fault and what it takes, or one with all that is known of it.
//!
//! Invariant: nothing is listed by hand; all of it comes from the catalogue of faults and the
//! schema of scenario files.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Exit, ReportFormat, complain, print, print_json};
use crate::config::toml_file::nearest;
use crate::sim::fault::{CATALOGUE, Entry, Group, Key, find};

#[cfg(test)]
mod document;

/// Arguments of `faults`.
#[derive(Debug, clap::Args)]
pub struct FaultsArgs {
    /// One fault, to be explained; without it, all are listed.
    name: Option<String>,
    /// How they are printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// An entry, as reports have it.
#[derive(Debug, Serialize)]
struct FaultReport {
    name: &'static str,
    group: Group,
    summary: &'static str,
    keys: Vec<Key>,
    times: Vec<Key>,
    example: String,
    lasts: bool,
    prose: &'static str,
    affects: &'static [&'static str],
    kernel_only: bool,
}

impl FaultReport {
    fn of(entry: &Entry) -> Self {
        Self {
            name: entry.name,
            group: entry.group,
            summary: entry.summary,
            keys: entry.keys(),
            times: entry.times(),
            example: entry.example(),
            lasts: !entry.instant,
            prose: entry.prose_pattern,
            affects: entry.affects,
            kernel_only: entry.kernel_only,
        }
    }
}

/// Lists the faults, or explains one.
pub fn faults(args: &FaultsArgs) -> Exit {
    let Some(name) = &args.name else { return list(args.format) };
    let Some(entry) = find(name) else {
        let near = nearest(name, CATALOGUE.iter().map(|entry| entry.name));
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let help = format!("help: {near}`shakedown faults` lists all");
        complain(&format!("no fault is called `{name}`\n{help}"));
        return Exit::Usage;
    };
    match args.format {
        ReportFormat::Json => print_json(&FaultReport::of(entry)),
        ReportFormat::Text => print(&explained(entry)),
    }
}

fn list(format: ReportFormat) -> Exit {
    match format {
        ReportFormat::Json => {
            print_json(&CATALOGUE.iter().map(FaultReport::of).collect::<Vec<_>>())
        }
        ReportFormat::Text => {
            let mut text = String::new();
            for group in Group::ALL {
                let _ = writeln!(text, "{}", group.name());
                for entry in CATALOGUE.iter().filter(|entry| entry.group == group) {
                    let _ = writeln!(text, "  {:<21} {}", entry.name, entry.summary);
                }
            }
            text.push_str("`shakedown faults NAME` explains one.\n");
            print(&text)
        }
    }
}

fn explained(entry: &Entry) -> String {
    // Writing to a string cannot fail.
    let mut text = format!("{} ({})\n{}\n\nKeys:\n", entry.name, entry.group.name(), entry.summary);
    for key in entry.times().iter().chain(&entry.keys()) {
        let _ = writeln!(text, "  {:<13} {}", key.name, values(key));
        let _ = writeln!(text, "  {:<13} {}", "", key.meaning);
    }
    text.push_str("\nExample, with every key:\n");
    for line in entry.example().lines() {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("\nIn features:\n");
    for way in entry.prose_pattern.split(" | ") {
        let _ = writeln!(text, "  {way}");
    }
    let _ = writeln!(text, "\nChecks that it may affect: {}", entry.affects.join(", "));
    if entry.kernel_only {
        text.push_str("Not with --network turmoil.\n");
    }
    text
}

/// What a key takes: `duration in ms, s; 1ms or more; default 5s`.
fn values(key: &Key) -> String {
    let unit = key.unit.as_ref().map_or_else(String::new, |unit| format!(" in {unit}"));
    let default = key.default.as_ref().map(|default| format!("default {default}"));
    let default = default.unwrap_or_else(|| "needed".to_owned());
    format!("{}{unit}; {}; {default}", key.form.words(), key.range)
}
