//! `shakedown checks`, `shakedown faults` and `shakedown marks`: what there is, from the code that does it.
//!
//! Invariant: nothing is listed by hand. Checks come from their catalogue, faults from the schema
//! of the scenario file, so a list cannot promise what the program does not do.

use std::fmt::Write as _;

use schemars::schema_for;
use serde::Serialize;
use serde_json::Value;

use super::{Exit, ReportFormat, print, print_json};
use crate::sim::check::{CATALOGUE, Class};
use crate::sim::fault::FaultSpec;
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

/// One key of a fault's table in a scenario file.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct FaultKey {
    name: String,
    required: bool,
    meaning: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct FaultEntry {
    name: String,
    does: String,
    keys: Vec<FaultKey>,
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

/// Lists the faults.
pub fn faults(args: &ListArgs) -> Exit {
    let entries = fault_entries();
    match args.format {
        ReportFormat::Json => print_json(&entries),
        ReportFormat::Text => {
            let mut text = String::new();
            for FaultEntry { name, does, keys } in &entries {
                let _ = writeln!(text, "{name:<11} {does}");
                for FaultKey { name, required, meaning } in keys {
                    let name = if *required { name.clone() } else { format!("{name}?") };
                    let _ = writeln!(text, "    {name:<12} {meaning}");
                }
            }
            text.push_str(
                "Every fault has `at` and, but for reset, `lasts`; a key with `?` may be absent.\n",
            );
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

/// Every kind of fault: the tables among the keys of [`FaultSpec`].
fn fault_entries() -> Vec<FaultEntry> {
    let schema = schema_for!(FaultSpec);
    let root = schema.as_value();
    let kinds = properties(root).filter_map(|(name, value)| {
        let table = resolve(root, value)?;
        table.get("properties")?;
        let keys = properties(table).map(|(key, value)| FaultKey {
            name: key.clone(),
            required: required(table, key),
            meaning: meaning(root, value),
        });
        Some(FaultEntry { name: name.clone(), does: text_of(value), keys: keys.collect() })
    });
    kinds.collect()
}

fn properties(table: &Value) -> impl Iterator<Item = (&String, &Value)> {
    table.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn required(table: &Value, key: &str) -> bool {
    let listed = table.get("required").and_then(Value::as_array);
    listed.is_some_and(|keys| keys.iter().any(|listed| listed == key))
}

/// The definition that `value`, a reference or an optional one, stands for.
fn resolve<'a>(root: &'a Value, value: &'a Value) -> Option<&'a Value> {
    let reference = value.get("$ref").or_else(|| {
        let choices = value.get("anyOf")?.as_array()?;
        choices.iter().find_map(|choice| choice.get("$ref"))
    })?;
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

/// What a key means, and the words that it takes if they are known.
fn meaning(root: &Value, value: &Value) -> String {
    let mut text = text_of(value);
    let choices = resolve(root, value).and_then(|definition| definition.get("oneOf"));
    let words: Vec<&str> = choices
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|choice| choice.get("const")?.as_str())
        .collect();
    if !words.is_empty() {
        let _ = write!(text, " One of {}.", words.join(", "));
    }
    text
}

fn text_of(value: &Value) -> String {
    let text = value.get("description").and_then(Value::as_str).unwrap_or_default();
    text.replace('\n', " ")
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
        for fault in fault_entries() {
            writeln!(faults, "| `{}` | {} |", fault.name, fault.does).expect("a string");
        }
        let expected = with_rows(&text, "| Check | Promise |\n| --- | --- |\n", &checks);
        let expected = with_rows(&expected, "| Fault | Effect |\n| --- | --- |\n", &faults);
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            std::fs::write(path, &expected).expect("a README that can be written");
            return;
        }
        assert!(text == expected, "README.md is old: run the tests with SHAKEDOWN_BLESS=1");
    }

    #[test]
    fn every_fault_says_what_it_does_and_takes() {
        let faults = fault_entries();
        let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
        for name in ["crash", "partition", "hold", "loss", "reset", "skew", "newrelic"] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
        for fault in &faults {
            assert!(!fault.does.is_empty() && !fault.keys.is_empty(), "{fault:?}");
            assert!(fault.keys.iter().all(|key| !key.meaning.is_empty()), "{fault:?}");
            assert!(fault.keys.iter().any(|key| key.required), "{fault:?}");
        }
        let newrelic = faults.iter().find(|fault| fault.name == "newrelic").expect("listed");
        let answer = newrelic.keys.iter().find(|key| key.name == "answer").expect("a key");
        assert!(answer.meaning.contains("too_many_requests, unavailable"), "{answer:?}");
    }
}
