//! How every verb reads a file that somebody wrote.
//!
//! Invariant: at most a limit ([`FILE_BYTES_MAX`] unless a verb has its own) and one byte are read,
//! whatever the file claims to be.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::config::toml_file::FILE_BYTES_MAX;

/// Why a file gives no text.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The operating system says no.
    #[error("{name} cannot be read: {source}")]
    Read {
        /// The file.
        name: String,
        /// What it says.
        source: io::Error,
    },
    /// Larger than anything of its kind.
    #[error("{name} is larger than {max} bytes\nhelp: give a file that shakedown wrote")]
    TooLong {
        /// The file.
        name: String,
        /// The limit.
        max: u64,
    },
    /// Bytes that are no text.
    #[error("{name}:{line}: byte {at} is not UTF-8\nhelp: save the file as UTF-8")]
    NotText {
        /// The file.
        name: String,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Its offset, from 0.
        at: usize,
    },
}

/// The text of the file at `path`, cut one byte above the limit that every reader refuses.
///
/// # Errors
/// [`InputError`]
pub fn text(path: &Path) -> Result<String, InputError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => text_of(name, file),
        Err(source) => Err(InputError::Read { name, source }),
    }
}

/// The text of a file that shakedown wrote: at most `max` bytes.
///
/// # Errors
/// [`InputError`]
pub fn own_text(path: &Path, max: u64) -> Result<String, InputError> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes));
    if let Err(source) = read {
        return Err(InputError::Read { name, source });
    }
    if bytes.len() as u64 > max {
        return Err(InputError::TooLong { name, max });
    }
    utf8(name, bytes)
}

/// The name and the text of the file at `path`, or of standard input when that is `-`.
///
/// # Errors
/// [`InputError`]
pub fn text_or_stdin(path: &Path) -> Result<(String, String), InputError> {
    if path == Path::new("-") {
        let name = "standard input".to_owned();
        return text_of(name.clone(), io::stdin().lock()).map(|text| (name, text));
    }
    text(path).map(|text| (path.display().to_string(), text))
}

fn text_of(name: String, from: impl Read) -> Result<String, InputError> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX as u64 + 1;
    if let Err(source) = from.take(limit).read_to_end(&mut bytes) {
        return Err(InputError::Read { name, source });
    }
    if bytes.len() > FILE_BYTES_MAX {
        // Too long whatever it holds; a character that the cut halved is not the reason.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    utf8(name, bytes)
}

fn utf8(name: String, bytes: Vec<u8>) -> Result<String, InputError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        InputError::NotText { name, line, at }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_named_by_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.toml");
        let read = |bytes: &[u8]| {
            std::fs::write(&file, bytes).expect("written");
            text(&file).map_err(|error| error.to_string())
        };
        assert_eq!(read("ü = 1\n".as_bytes()).as_deref(), Ok("ü = 1\n"));
        let error = read(b"a = 1\nb = \xff").expect_err("no text");
        assert!(error.contains("x.toml:2: byte 10 is not UTF-8"), "{error}");
        let long = "ü".repeat(FILE_BYTES_MAX);
        assert!(read(long.as_bytes()).expect("cut").len() > FILE_BYTES_MAX);
        let error = text(folder.path()).expect_err("a folder").to_string();
        assert!(error.contains("cannot be read: "), "{error}");
    }
}
