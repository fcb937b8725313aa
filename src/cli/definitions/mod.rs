//! `shakedown definitions`: check, test and explain entity definitions.
//!
//! Invariants: symbolic links to folders are not followed; at most [`FILES_MAX`] files are read, in
//! the order of their paths.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, complain, input};
use crate::definitions::{Source, View};

mod check;
mod explain;
mod queries;
mod test;

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
    /// Runs the test data of definitions and names the entities that each point makes.
    Test(test::TestArgs),
    /// Says why a data point makes the entities it makes, and why rules nearly match.
    Explain(explain::ExplainArgs),
}

impl DefinitionsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            DefinitionsVerb::Check(args) => args.run(),
            DefinitionsVerb::Test(args) => args.run(),
            DefinitionsVerb::Explain(args) => args.run(),
        }
    }
}

/// Whose view of a folder a verb takes.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// A checkout of the repository, its entity-types/, or the folder of one type.
    pub folder: PathBuf,
    /// Takes the view of New Relic's staging: `.stg` files replace their siblings.
    #[arg(long)]
    pub staging: bool,
}

impl FolderArgs {
    /// The view.
    pub const fn view(&self) -> View {
        if self.staging { View::Staging } else { View::Production }
    }
}

/// The files of a folder.
pub struct Files {
    /// Path and text, in the order of paths.
    files: Vec<(String, String)>,
    /// How many could not be read, which has been told.
    pub unreadable: usize,
}

impl Files {
    /// Reads what may be part of the definitions in `folder`, and says what cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Exit> {
        let mut paths = Vec::new();
        // The folder's own name may be that of a type: `.` has none.
        let named = if folder.file_name().is_some() {
            folder.to_owned()
        } else {
            folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
        };
        collect(&named, DEPTH_MAX, &mut paths).map_err(|error| {
            complain(&error);
            Exit::InvalidFile
        })?;
        paths.sort();
        let (mut files, mut unreadable) = (Vec::new(), 0);
        for path in paths {
            match input::text(&path) {
                Ok(text) => files.push((path.to_string_lossy().replace('\\', "/"), text)),
                Err(error) => {
                    complain(&error.to_string());
                    unreadable += 1;
                }
            }
        }
        Ok(Self { files, unreadable })
    }

    /// As the loader takes them.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.files.iter().map(|(path, text)| Source { path, text })
    }
}

/// A count with its noun.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
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
        } else if [".yml", ".yaml", ".json"].iter().any(|ending| name.ends_with(ending)) {
            paths.push(entry.path());
            if paths.len() > FILES_MAX {
                return Err(format!("{}: more than {FILES_MAX} files", folder.display()));
            }
        }
    }
    Ok(())
}
