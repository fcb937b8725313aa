//! `shakedown definitions`: check, test and explain entity definitions.
//!
//! Invariants: symbolic links to folders are not followed; at most [`FILES_MAX`] files are read, in
//! the order of their paths.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, complain, input};
use crate::definitions::Source;

mod check;

/// Files that one folder may hold.
const FILES_MAX: usize = 50_000;
/// Folders within folders.
const DEPTH_MAX: usize = 8;

/// Arguments of `shakedown definitions`.
#[derive(Debug, Args)]
pub struct DefinitionsArgs {
    #[command(subcommand)]
    verb: DefinitionsVerb,
}

#[derive(Debug, Subcommand)]
enum DefinitionsVerb {
    /// Names every problem of a definitions folder with its place and fix.
    Check(check::CheckArgs),
}

impl DefinitionsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            DefinitionsVerb::Check(args) => args.run(),
        }
    }
}

/// The files of a folder: path and text.
pub struct Files(Vec<(String, String)>);

impl Files {
    /// Reads what may be part of the definitions in `folder`, and says what cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Exit> {
        let refuse = |error: String| {
            complain(&error);
            Exit::InvalidFile
        };
        let mut paths = Vec::new();
        collect(folder, DEPTH_MAX, &mut paths).map_err(refuse)?;
        paths.sort();
        let read = |path: PathBuf| {
            let text = input::text(&path).map_err(|error| refuse(error.to_string()))?;
            Ok((path.to_string_lossy().replace('\\', "/"), text))
        };
        paths.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// As the loader takes them.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.0.iter().map(|(path, text)| Source { path, text })
    }
}

/// Adds the paths of all YAML and JSON files under `folder`.
fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let fails = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(fails)? {
        let entry = entry.map_err(fails)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || ["node_modules", "validator", "target"].contains(&&*name) {
            continue;
        }
        let kind = entry.file_type().map_err(fails)?;
        if kind.is_dir() {
            if depth == 0 {
                let folder = entry.path();
                return Err(format!("{}: more than {DEPTH_MAX} folders deep", folder.display()));
            }
            collect(&entry.path(), depth - 1, paths)?;
        } else if name.ends_with(".yml") || name.ends_with(".json") {
            paths.push(entry.path());
            if paths.len() > FILES_MAX {
                return Err(format!("{}: more than {FILES_MAX} files", folder.display()));
            }
        }
    }
    Ok(())
}
