//! The rows of a lookup table in a file of their own: CSV, TOML or JSON.
//!
//! Invariants:
//! - A row's key occurs once; an attribute's value is never empty (an empty cell of a CSV file
//!   leaves the attribute out).
//! - All problems of a file are told at once, each with its line.
//!
//! Not modelled: rows that change while the program runs. A file is read when the program starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::toml_file::{FileProblems, Place, Syntax, TomlFile};
use crate::hooks::Values;

/// Longest file of rows that is read.
pub const ROWS_BYTES_MAX: usize = 16 << 20;

/// Most rows of one table.
const ROWS_MAX: usize = 100_000;

/// Reads a file that a configuration names: its name in messages and its text, or in words why it
/// cannot be read. A function, because the configuration itself reads nothing.
pub type Files<'a> = &'a dyn Fn(&str) -> Result<(String, String), String>;

/// What a file of rows holds.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Attributes and their values, by the value that is looked up.
    pub(super) rows: BTreeMap<String, Values>,
    /// Every attribute that is set, with the first line that names it.
    pub(super) names: BTreeMap<Arc<str>, usize>,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RowProblem {
    /// From 1.
    pub(super) line: usize,
    pub(super) message: String,
    pub(super) help: String,
}

impl RowProblem {
    fn new(line: usize, message: String, help: &str) -> Self {
        Self { line, message, help: help.to_owned() }
    }
}

/// Rows as TOML or JSON has them: `value = { attribute = "text" }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
struct RowsForm(BTreeMap<String, BTreeMap<String, String>>);

/// The rows in `text`: CSV if `name` ends with `.csv`, otherwise JSON or TOML.
pub(super) fn parse(name: &str, text: &str) -> Result<Rows, Vec<RowProblem>> {
    let rows = if name.to_lowercase().ends_with(".csv") { csv(text)? } else { tables(name, text)? };
    if rows.rows.is_empty() {
        let help = "a table without rows knows no value: add one, or remove the hook";
        return Err(vec![RowProblem::new(1, "there are no rows".to_owned(), help)]);
    }
    if rows.rows.len() > ROWS_MAX {
        let message = format!("there are {} rows", rows.rows.len());
        let help = format!("at most {ROWS_MAX} fit into a table");
        return Err(vec![RowProblem::new(1, message, &help)]);
    }
    Ok(rows)
}

fn tables(name: &str, text: &str) -> Result<Rows, Vec<RowProblem>> {
    let syntax = Syntax::of(name, text);
    let told = |problems: FileProblems| {
        let problem = |problem: &super::toml_file::FileProblem| {
            let (line, _) = problem.line_and_column();
            RowProblem::new(line, problem.to_string(), problem.help().unwrap_or("see the file"))
        };
        problems.problems().iter().map(problem).collect::<Vec<_>>()
    };
    let file = TomlFile::parse_as(syntax, ROWS_BYTES_MAX, "lookup", name, text).map_err(told)?;
    let RowsForm(form) = file.read().map_err(told)?;
    let line_of = |place: &Place| {
        let before = text.get(..file.span(place).start).unwrap_or_default();
        before.matches('\n').count() + 1
    };
    let (mut rows, mut problems) = (Rows::default(), Vec::new());
    for (value, attributes) in form {
        let place = Place::root().key(&value);
        let mut values = Values::with_capacity(attributes.len());
        for (attribute, text) in attributes {
            if text.is_empty() {
                let message = format!("`{attribute}` of `{value}` is empty");
                let help = "give a text, or leave the attribute out";
                problems.push(RowProblem::new(line_of(&place.key(&attribute)), message, help));
            }
            let name: Arc<str> = attribute.as_str().into();
            let line = || line_of(&place.key(&attribute));
            let name = match rows.names.get_key_value(&name) {
                Some((known, _)) => Arc::clone(known),
                None => {
                    rows.names.insert(Arc::clone(&name), line());
                    name
                }
            };
            values.push((name, text));
        }
        rows.rows.insert(value, values);
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

/// The first line names the columns: the value that is looked up, then attributes.
fn csv(text: &str) -> Result<Rows, Vec<RowProblem>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let (mut rows, mut problems) = (Rows::default(), Vec::new());
    let mut columns: Option<Vec<Arc<str>>> = None;
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                problems.push(RowProblem::new(line, error.to_string(), "save the file as UTF-8"));
                break;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        let Some(columns) = &columns else {
            let named = header(&record, line, &mut problems);
            rows.names = named.iter().map(|name| (Arc::clone(name), line)).collect();
            columns = Some(named);
            continue;
        };
        match row(&record, columns, line, &mut lines) {
            Ok((value, values)) => drop(rows.rows.insert(value, values)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

/// The attributes that the first line names.
fn header(
    record: &csv::StringRecord,
    line: usize,
    problems: &mut Vec<RowProblem>,
) -> Vec<Arc<str>> {
    let help = "the first line names the columns: the value that is looked up, then attributes, \
                for example `clusterName,tags.owner`";
    if record.len() < 2 {
        let message = "the first line names no attribute".to_owned();
        problems.push(RowProblem::new(line, message, help));
    }
    let mut names: Vec<Arc<str>> = Vec::new();
    for name in record.iter().skip(1) {
        if name.is_empty() {
            problems.push(RowProblem::new(line, "a column has no name".to_owned(), help));
        } else if names.iter().any(|known| known.as_ref() == name) {
            let message = format!("two columns are called `{name}`");
            problems.push(RowProblem::new(line, message, "rename or remove one"));
        }
        names.push(name.into());
    }
    names
}

/// The value that is looked up in a line, and what it stands for; empty cells stand for nothing.
fn row(
    record: &csv::StringRecord,
    columns: &[Arc<str>],
    line: usize,
    lines: &mut BTreeMap<String, usize>,
) -> Result<(String, Values), RowProblem> {
    if record.len() != columns.len() + 1 {
        let message = format!(
            "the row has {} values, and there are {} columns",
            record.len(),
            columns.len() + 1
        );
        let help = "give one for each column; put values that hold a comma in double quotes";
        return Err(RowProblem::new(line, message, help));
    }
    let value = record.get(0).unwrap_or_default().to_owned();
    if value.is_empty() {
        let message = "the row's first value is empty".to_owned();
        return Err(RowProblem::new(line, message, "name the value that it is for"));
    }
    if let Some(first) = lines.insert(value.clone(), line) {
        let message = format!("`{value}` has a row already, in line {first}");
        return Err(RowProblem::new(line, message, "keep one of them"));
    }
    let cells = columns.iter().zip(record.iter().skip(1));
    let cells = cells.filter(|(_, text)| !text.is_empty());
    Ok((value, cells.map(|(name, text)| (Arc::clone(name), text.to_owned())).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let rows = parse(name, text).map_err(|problems| format!("{problems:?}")).expect("rows");
        let plain = |values: Values| {
            values.into_iter().map(|(name, text)| (name.to_string(), text)).collect()
        };
        rows.rows.into_iter().map(|(value, values)| (value, plain(values))).collect()
    }

    #[test]
    fn all_three_forms_say_the_same() {
        let csv = "# who owns what\nclusterName, tags.owner ,tags.cost\norders,\"shop, web\",7\n\
                   stock,,8\n";
        let toml = "[orders]\n\"tags.cost\" = \"7\"\n\"tags.owner\" = \"shop, web\"\n\
                    [stock]\n\"tags.cost\" = \"8\"\n";
        let json = r#"{"orders": {"tags.cost": "7", "tags.owner": "shop, web"},
                       "stock": {"tags.cost": "8"}}"#;
        let mut of_csv = told("owners.CSV", csv);
        of_csv.iter_mut().for_each(|(_, values)| values.sort());
        assert_eq!(of_csv.len(), 2);
        assert_eq!(of_csv, told("owners.toml", toml));
        assert_eq!(of_csv, told("owners.json", json));
        let names = parse("owners.toml", toml).expect("rows").names;
        let lines: Vec<_> =
            names.into_iter().map(|(name, line)| (name.to_string(), line)).collect();
        assert_eq!(lines, [("tags.cost".to_owned(), 2), ("tags.owner".to_owned(), 3)]);
    }

    #[test]
    fn every_problem_names_its_line() {
        let check = |name: &str, text: &str, expected: &[(usize, &str)]| {
            let problems = parse(name, text).expect_err("a problem");
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, (line, words)) in problems.iter().zip(expected) {
                assert_eq!(problem.line, *line, "{problem:?}");
                assert!(problem.message.contains(words), "{problem:?}");
                assert!(!problem.help.is_empty(), "{problem:?}");
            }
        };
        check("a.csv", "", &[(1, "there are no rows")]);
        check("a.csv", "k,v\n", &[(1, "there are no rows")]);
        check("a.csv", "k\na\n", &[(1, "names no attribute")]);
        check("a.csv", "k,v,,v\na,1,2,3\n", &[(1, "no name"), (1, "two columns are called `v`")]);
        let rows = "k,v\na,1\nb\n,2\na,3\n";
        let first = [(3, "1 values, and there are 2"), (4, "first value is empty")];
        check("a.csv", rows, &[&first[..], &[(5, "`a` has a row already, in line 2")]].concat());
        check("a.toml", "[a]\nv = 1\n", &[(2, "")]);
        check("a.toml", "[a]\nv = \"\"\n", &[(2, "`v` of `a` is empty")]);
        check("a.toml", "a =\n", &[(1, "")]);
        check("a.json", "{\"a\": {\"v\": \"1\"},\n \"b\": 2}", &[(2, "")]);
        let many: String = (0..=ROWS_MAX).map(|n| format!("{n},x\n")).collect();
        check("a.csv", &format!("k,v\n{many}"), &[(1, "100001 rows")]);
    }
}
