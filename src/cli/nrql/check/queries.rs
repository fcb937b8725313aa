//! Finds queries in files and folders.
//!
//! Invariants: folders are walked in the order of names, symbolic links are not followed, and no
//! more than [`FILES_MAX`] files are read.

use std::path::{Path, PathBuf};

use super::super::super::input;
use super::{json, yaml};
use crate::config::toml_file::FILE_BYTES_MAX;

/// Most files in a folder.
const FILES_MAX: usize = 50_000;
/// How deep folders may be.
const DEPTH_MAX: usize = 16;

/// A file with queries.
pub(super) struct Document {
    /// As reports name it.
    pub name: String,
    pub text: String,
    pub queries: Vec<FoundQuery>,
    /// Why it is not valid, if it is not.
    pub problems: Vec<String>,
}

/// A query and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundQuery {
    /// The query itself, escapes resolved.
    pub text: String,
    /// What it belongs to: a widget's title, a golden metric.
    pub owner: Option<String>,
    /// Pairs of a byte in `text` and the byte of the file that it comes from, rising; what lies
    /// between follows on.
    pub places: Vec<(usize, usize)>,
}

impl FoundQuery {
    /// The byte of the file that byte `at` of the query comes from.
    pub(super) fn place(&self, at: usize) -> usize {
        let before = self.places.partition_point(|(from, _)| *from <= at);
        let Some((from, place)) = before.checked_sub(1).and_then(|i| self.places.get(i)) else {
            return 0;
        };
        place + (at - from)
    }
}

/// The documents that `path` names.
pub(super) fn read(path: &Path) -> Result<Vec<Document>, Vec<String>> {
    if path == Path::new("-") {
        let (name, text) = input::text_or_stdin(path).map_err(|error| vec![error.to_string()])?;
        return Ok(vec![document(name, text, None)]);
    }
    if path.is_dir() {
        return folder(path);
    }
    let text = input::text(path).map_err(|error| vec![error.to_string()])?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    Ok(vec![document(path.display().to_string(), text, extension)])
}

/// Reads a text by its extension, or by its first character. A byte order mark is no part of it.
pub(super) fn document(name: String, mut text: String, extension: Option<&str>) -> Document {
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    let first = text.trim_start().chars().next();
    let found = if text.len() > FILE_BYTES_MAX {
        Err(vec![format!("{name}: longer than {FILE_BYTES_MAX} bytes, which is the limit")])
    } else {
        match extension {
            Some("json") => json::queries(&name, &text),
            Some("yml" | "yaml") => yaml::queries(&name, &text),
            _ if matches!(first, Some('{' | '[')) && !text.trim_start().starts_with("{{") => {
                json::queries(&name, &text)
            }
            _ => match lines(&text) {
                none if none.is_empty() => Err(vec![format!(
                    "{name}: no queries here: expected one query a line, or JSON with queries"
                )]),
                found => Ok(found),
            },
        }
    };
    match found {
        Ok(queries) => Document { name, text, queries, problems: Vec::new() },
        Err(problems) => Document { name, text, queries: Vec::new(), problems },
    }
}

/// One query a line; blank lines and comments are no queries.
fn lines(text: &str) -> Vec<FoundQuery> {
    let mut queries = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let query = line.trim();
        let comment = query.starts_with("--") || query.starts_with("//");
        if !query.is_empty() && !comment {
            let place = start + (line.len() - line.trim_start().len());
            queries.push(FoundQuery {
                text: query.to_owned(),
                owner: None,
                places: vec![(0, place)],
            });
        }
        start += line.len();
    }
    queries
}

/// Queries of a folder: golden metrics and dashboards of entity definitions, `.nrql` files and
/// dashboards that lie there.
fn folder(root: &Path) -> Result<Vec<Document>, Vec<String>> {
    let mut files = Vec::new();
    walk(root, 0, &mut files).map_err(|reason| vec![reason])?;
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = file.extension().and_then(|extension| extension.to_str());
        let metrics = ["golden_metrics", "summary_metrics"].iter().any(|m| name.starts_with(m));
        let wanted = match extension {
            Some("nrql") => true,
            Some("yml" | "yaml") => metrics,
            Some("json") => true,
            _ => false,
        };
        if !wanted {
            continue;
        }
        match input::text(&file) {
            // Test data and schemas hold no queries; dashboards say so.
            Ok(text) if extension == Some("json") && !text.contains("nrqlQueries") => {}
            Ok(text) => documents.push(document(file.display().to_string(), text, extension)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if documents.is_empty() && problems.is_empty() {
        problems.push(format!(
            "{}: no queries here: expected golden_metrics.yml, dashboards (*.json) or *.nrql",
            root.display()
        ));
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        entries.push((entry.path(), entry.file_type().map_err(told)?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if kind.is_dir() && depth < DEPTH_MAX && !name.starts_with('.') && name != "node_modules" {
            walk(&path, depth + 1, found)?;
        } else if kind.is_file() {
            if found.len() >= FILES_MAX {
                return Err(format!("{}: more than {FILES_MAX} files", folder.display()));
            }
            found.push(path);
        }
    }
    Ok(())
}
