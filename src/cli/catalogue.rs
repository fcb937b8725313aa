//! `shakedown checks` and `shakedown marks`: what there is, from the code that does it.
//!
//! Invariant: nothing is listed by hand, so a list cannot promise what the program does not do.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Exit, ReportFormat, print, print_json};
use crate::sim::check::{CATALOGUE, Class};
use crate::sometimes::{MARKS, Mark};

/// Arguments of the verbs that list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

#[derive(Debug, Serialize)]
struct CheckEntry {
    name: &'static str,
    class: Class,
    exit_code: u8,
    promise: &'static str,
}

/// Lists the checks.
pub fn checks(args: &ListArgs) -> Exit {
    let entries: Vec<CheckEntry> = check_entries();
    match args.format {
        ReportFormat::Json => print_json(&entries),
        ReportFormat::Text => {
            let mut text = String::new();
            for CheckEntry { name, class, exit_code, promise } in &entries {
                let class = class_name(*class);
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{name:<14} {class:<8} {exit_code}  {promise}");
            }
            print(&text)
        }
    }
}

/// Lists the situations that a scenario can ask a sweep to meet.
pub fn marks(args: &ListArgs) -> Exit {
    #[derive(Serialize)]
    struct MarkEntry {
        name: &'static str,
        meaning: &'static str,
    }
    match args.format {
        ReportFormat::Json => {
            let entry = |mark: &Mark| MarkEntry { name: mark.name, meaning: mark.meaning };
            print_json(&MARKS.iter().map(entry).collect::<Vec<_>>())
        }
        ReportFormat::Text => {
            let line = |mark: &Mark| format!("{:<25} {}\n", mark.name, mark.meaning);
            print(&MARKS.iter().map(line).collect::<String>())
        }
    }
}

fn check_entries() -> Vec<CheckEntry> {
    let entry = |check: &crate::sim::check::Check| CheckEntry {
        name: check.name,
        class: check.class,
        exit_code: Exit::of(check.class).code(),
        promise: check.promise,
    };
    CATALOGUE.iter().map(entry).collect()
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Safety => "safety",
        Class::Liveness => "liveness",
        Class::Oracle => "oracle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` with `rows` in place of the rows of the table that begins with `head`.
    fn with_rows(text: &str, head: &str, rows: &str) -> String {
        let from = text.find(head).expect("the README has the table") + head.len();
        let length = text[from..].find("\n\n").expect("a blank line ends it") + 1;
        format!("{}{rows}{}", &text[..from], &text[from + length..])
    }

    #[test]
    fn readme_lists_every_check_and_fault() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let text = std::fs::read_to_string(path).expect("a README");
        let (mut checks, mut faults) = (String::new(), String::new());
        for check in CATALOGUE {
            writeln!(checks, "| {} | {} |", check.name, check.promise).expect("a string");
        }
        for fault in crate::sim::fault::CATALOGUE {
            writeln!(faults, "| `{}` | {} |", fault.name, fault.summary).expect("a string");
        }
        let expected = with_rows(&text, "| Check | Promise |\n| --- | --- |\n", &checks);
        let expected = with_rows(&expected, "| Fault | Effect |\n| --- | --- |\n", &faults);
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            std::fs::write(path, &expected).expect("a README that can be written");
            return;
        }
        assert!(text == expected, "README.md is old: run the tests with SHAKEDOWN_BLESS=1");
    }
}
