//! How a verb writes a file that another program may be waiting for.
//!
//! Invariant: under its name a file is whole or not there; what was there before stays until the
//! new one is whole, whatever ends the process meanwhile.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{Exit, complain};

/// Makes the folder that `--out` names, and tries whether files can be written there: before the
/// work, whose result would be lost.
///
/// # Errors
/// The exit code, after a complaint.
pub fn require_folder(folder: &Path) -> Result<(), Exit> {
    let name = folder.display();
    let problem = if folder.exists() && !folder.is_dir() {
        format!("`{name}` is a file, `--out` wants a folder\nhelp: name a folder")
    } else {
        match try_folder(folder) {
            Ok(()) => return Ok(()),
            Err(error) => {
                format!("no file can be written to `{name}`: {error}\nhelp: name another folder")
            }
        }
    };
    complain(&problem);
    Err(Exit::Failed)
}

fn try_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".shakedown-{}.next", std::process::id()));
    std::fs::write(&probe, "")?;
    std::fs::remove_file(&probe)
}

/// Writes `text` to `path`, in a folder that may have to be made.
///
/// # Errors
/// What the operating system says.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all)?;
    let next = next(path);
    let written = std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, path));
    if written.is_err() {
        // Half a file is of no use; that it cannot be removed either says nothing new.
        let _ = std::fs::remove_file(&next);
    }
    written
}

/// Where `path` is written until it is whole: in the same folder, so that it can be renamed.
fn next(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".next");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_tried_before_the_work() {
        let folder = tempfile::tempdir().expect("a folder");
        let (deep, file) = (folder.path().join("deep/er"), folder.path().join("afile"));
        std::fs::write(&file, "kept").expect("written");
        assert_eq!(require_folder(&deep), Ok(()));
        assert_eq!(std::fs::read_dir(&deep).expect("made").count(), 0);
        for refused in [&file, &file.join("below"), Path::new("/proc/x")] {
            assert_eq!(require_folder(refused), Err(Exit::Failed), "{refused:?}");
        }
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "kept");
    }

    #[test]
    fn a_file_is_whole_or_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/summary.json");
        for text in ["first", "second"] {
            write(&path, text).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
        }
        // Where the new one cannot be begun, the old one stays.
        std::fs::create_dir(next(&path)).expect("made");
        write(&path, "third").expect_err("in the way");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "second");
        std::fs::remove_dir(next(&path)).expect("empty");
        // Where it cannot take the name, nothing is left of it.
        let taken = folder.path().join("taken");
        std::fs::create_dir_all(taken.join("by")).expect("made");
        write(&taken, "text").expect_err("a folder");
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 2, "more than `deep` and `taken`");
    }
}
