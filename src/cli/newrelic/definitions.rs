//! The entity definitions of a served New Relic: folders laid over the built-in ones.
//!
//! Invariant: a type, or a file of relationships, comes whole from one place, the last that has it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::definitions::Files;
use crate::cli::{Exit, complain};
use crate::definitions::{BUILTIN, Definitions, Source, View};
use crate::domain::words::counted;

/// Problems that are told one by one.
const PROBLEMS_TOLD: usize = 20;

/// What of a path says which definition it belongs to.
fn group(path: &str) -> &str {
    for (folder, parts) in [("entity-types/", 1), ("relationships/", 3)] {
        if let Some(at) = path.rfind(folder) {
            let rest = &path[at + folder.len()..];
            let end = rest.match_indices('/').nth(parts - 1).map_or(rest.len(), |(end, _)| end);
            return &path[at..at + folder.len() + end];
        }
    }
    path
}

/// `layers` as one, the later ones over the earlier.
fn merged<'a>(layers: &[Vec<Source<'a>>]) -> Vec<Source<'a>> {
    let mut owner: BTreeMap<&str, usize> = BTreeMap::new();
    for (layer, sources) in layers.iter().enumerate() {
        for source in sources {
            owner.insert(group(source.path), layer);
        }
    }
    let mut all = Vec::new();
    for (layer, sources) in layers.iter().enumerate() {
        let own = |source: &&Source<'_>| owner.get(group(source.path)) == Some(&layer);
        all.extend(sources.iter().filter(own).copied());
    }
    all
}

/// Loads what can be loaded of `folders`, over the built-in definitions if those are wanted; what
/// is wrong is told and left out.
///
/// # Errors
/// A folder that cannot be read or in which nothing is of use, told already.
pub fn load(folders: &[PathBuf], with_builtin: bool) -> Result<Definitions, Exit> {
    let read: Result<Vec<Files>, Exit> = folders.iter().map(|folder| Files::read(folder)).collect();
    let read = read?;
    let mut layers = Vec::new();
    if with_builtin {
        layers.push(BUILTIN.iter().map(|(path, text)| Source { path, text }).collect());
    }
    for (files, folder) in read.iter().zip(folders) {
        let sources: Vec<Source<'_>> = files.sources().collect();
        if !sources.iter().any(|source| source.path.ends_with("definition.yml")) {
            complain(&format!(
                "{} holds no entity definitions: give the folder that contains entity-types/",
                folder.display()
            ));
            return Err(Exit::InvalidFile);
        }
        layers.push(sources);
    }
    let (definitions, problems) = Definitions::load_lenient(merged(&layers), View::Production);
    for problem in problems.iter().take(PROBLEMS_TOLD) {
        complain(&format!("left out: {problem}"));
    }
    if problems.len() > PROBLEMS_TOLD {
        let rest = counted(problems.len() - PROBLEMS_TOLD, "problem");
        complain(&format!("and {rest} more; `shakedown definitions check` lists them"));
    }
    Ok(definitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_replace_whole_types() {
        fn source(path: &'static str) -> Source<'static> {
            Source { path, text: "" }
        }
        let layers = [
            vec![
                source("entity-types/infra-a/definition.yml"),
                source("entity-types/infra-a/golden_metrics.yml"),
                source("entity-types/infra-b/definition.yml"),
                source("relationships/synthesis/A-to-B.yml"),
            ],
            vec![
                source("x/entity-types/infra-a/definition.yml"),
                source("x/relationships/synthesis/A-to-B.yml"),
                source("x/relationships/synthesis/A-to-C.yml"),
            ],
        ];
        let paths: Vec<&str> = merged(&layers).iter().map(|source| source.path).collect();
        assert_eq!(
            paths,
            [
                "entity-types/infra-b/definition.yml",
                "x/entity-types/infra-a/definition.yml",
                "x/relationships/synthesis/A-to-B.yml",
                "x/relationships/synthesis/A-to-C.yml",
            ]
        );
    }

    #[test]
    fn builtin_definitions_can_be_left_out() {
        assert_eq!(load(&[], true).expect("built in").definitions().len(), 5);
        assert_eq!(load(&[], false).expect("none").definitions().len(), 0);
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(load(&[empty.path().to_owned()], true).err(), Some(Exit::InvalidFile));
    }
}
