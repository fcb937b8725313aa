//! `shakedown definitions`: check, test and explain entity definitions.
//!
//! Invariants: symbolic links to folders are not followed, and nothing but files is opened (a named
//! pipe would wait for ever); at most [`FILES_MAX`] files are read, in the order of their paths.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, complain, input};
use crate::definitions::{Definitions, Source, View};
use crate::domain::words::counted;

mod check;
mod explain;
mod queries;
mod test;

/// Files that one folder may hold.
const FILES_MAX: usize = 50_000;
/// Folders within folders.
const DEPTH_MAX: usize = 8;
/// Problems that are told one by one where they are not what was asked for.
const PROBLEMS_TOLD: usize = 20;

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
    #[arg(value_name = "DIR")]
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
        if folder.is_file() {
            complain(&format!(
                "{} is a file\nhelp: give the folder that contains entity-types/, or that of a type",
                folder.display()
            ));
            return Err(Exit::InvalidFile);
        }
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

    /// Whether the folder has anything of definitions in it; says so when it has not.
    ///
    /// # Errors
    /// It has nothing, or nothing that could be read.
    pub fn hold_definitions(&self, folder: &Path) -> Result<(), Exit> {
        let of_use = |path: &str| {
            path.ends_with("definition.yml")
                || path.ends_with("definition.stg.yml")
                || path.contains("relationships/")
                || path.contains("entity-types/")
        };
        if self.unreadable > 0 || self.files.iter().any(|(path, _)| of_use(path)) {
            return Ok(());
        }
        complain(&format!(
            "{} holds no entity definitions: give the folder that contains entity-types/",
            folder.display()
        ));
        Err(Exit::InvalidFile)
    }

    /// As the loader takes them.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.files.iter().map(|(path, text)| Source { path, text })
    }
}

/// Tells problems that are not what was asked for: the first ones, and where to find the rest.
fn tell_problems<T: ToString>(problems: &[T]) {
    for problem in problems.iter().take(PROBLEMS_TOLD) {
        complain(&problem.to_string());
    }
    if problems.len() > PROBLEMS_TOLD {
        let rest = counted(problems.len() - PROBLEMS_TOLD, "problem");
        complain(&format!("and {rest} more; `shakedown definitions check` lists them"));
    }
}

/// What is said of a type that nobody defines, with the nearest one that somebody does.
fn no_such_type(definitions: &Definitions, name: &str) -> String {
    let upper = name.to_uppercase();
    let distance = |of: &str| strsim::damerau_levenshtein(&upper, of);
    let near = definitions
        .definitions()
        .iter()
        .map(|one| (distance(&one.entity_type).min(distance(&one.domain_type())), one))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 3);
    let help = near.map_or_else(String::new, |(_, one)| {
        format!("\nhelp: did you mean `{}`?", one.domain_type())
    });
    format!("{name}: no such type in this folder{help}")
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
            // A link that leads nowhere is told when it is read.
            let special = std::fs::metadata(entry.path())
                .is_ok_and(|target| !target.is_file() && !target.is_dir());
            if special {
                return Err(format!("{} is no file; remove it", entry.path().display()));
            }
            paths.push(entry.path());
            if paths.len() > FILES_MAX {
                return Err(format!("{}: more than {FILES_MAX} files", folder.display()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_none_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let check = |path: &Path, expected: Result<(), Exit>| {
            let found = Files::read(path).and_then(|files| files.hold_definitions(path));
            assert_eq!(found, expected, "{}", path.display());
        };
        check(path, Err(Exit::InvalidFile));
        check(&path.join("none"), Err(Exit::InvalidFile));
        std::fs::write(path.join("other.yml"), "a: 1\n").expect("written");
        check(path, Err(Exit::InvalidFile));
        check(&path.join("other.yml"), Err(Exit::InvalidFile));
        std::fs::write(path.join("definition.yml"), "a: 1\n").expect("written");
        check(path, Ok(()));
        // Opening a named pipe would wait for a writer; a socket is as little of a file.
        let socket = std::os::unix::net::UnixListener::bind(path.join("golden_metrics.yml"));
        socket.expect("a socket");
        check(path, Err(Exit::InvalidFile));
    }

    #[test]
    fn the_nearest_type_is_named() {
        let definitions = crate::definitions::builtin();
        let check = |name: &str, expected: &str| {
            let told = no_such_type(&definitions, name);
            assert!(told.contains(expected), "{told}");
        };
        check("INFRA-MESSAGE_QUEUE_BROKR", "did you mean `INFRA-MESSAGE_QUEUE_BROKER`?");
        check("message_queue_topics", "did you mean `INFRA-MESSAGE_QUEUE_TOPIC`?");
        assert_eq!(no_such_type(&definitions, "HOST"), "HOST: no such type in this folder");
    }
}
