//! Feature files on a disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Unreadable;

/// Most bytes of a feature file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file at `path`, or the feature files below that folder, sorted.
///
/// # Errors
/// What the operating system says.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "feature") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The text of a feature file.
///
/// # Errors
/// It cannot be read, is too long, or no UTF-8.
pub fn text(path: &Path) -> Result<String, Unreadable> {
    let unreadable = |error: String| Unreadable { path: path.to_owned(), error };
    let length = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(unreadable(format!("it has {length} bytes, the limit is {FILE_BYTES_MAX}")));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(format!("line {line} is not UTF-8; save the file as UTF-8"))
    })
}
