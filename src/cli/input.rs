//! How every verb reads a file that somebody wrote, and the numbers of its options.
//!
//! Invariants:
//! - At most a limit ([`FILE_BYTES_MAX`] unless a verb has its own) and one byte are read, whatever
//!   the file claims to be.
//! - A file of another kind than the one asked for is named as what it is.

use std::fs::File;
use std::io::{self, Read};
use std::num::{IntErrorKind, NonZeroU64, ParseIntError};
use std::path::Path;
use std::str::FromStr;

use crate::config::toml_file::{FILE_BYTES_MAX, nearest};
use crate::sim::report::STANDARD_INPUT;
use crate::sim::report::card::GENERATOR;
use crate::sim::trace::file::MAGIC;

/// Why a file gives no text.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The operating system says no.
    #[error("{name} cannot be read: {source}\nhelp: {help}")]
    Read {
        /// The file.
        name: String,
        /// What it says.
        source: io::Error,
        /// What to do about it.
        help: String,
    },
    /// A file of another kind.
    #[error("{name} is {what}, not {wanted}\nhelp: {help}")]
    Other {
        /// The file.
        name: String,
        /// What it is.
        what: &'static str,
        /// What belongs there.
        wanted: &'static str,
        /// What to do with it.
        help: String,
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

/// What a file that is no scenario may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Trace,
    Card,
    Page,
    Summary,
    Json,
}

impl Written {
    /// By its first bytes; nothing that may be TOML is any of these.
    fn of(bytes: &[u8]) -> Option<Self> {
        let has = |mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace())? {
            _ if bytes.starts_with(&MAGIC) => Some(Self::Trace),
            b'<' if has(GENERATOR.as_bytes()) || has(b"id=\"passport\"") => Some(Self::Card),
            b'<' => Some(Self::Page),
            b'{' if has(b"\"seal\"") => Some(Self::Summary),
            b'{' => Some(Self::Json),
            _ => None,
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Trace => "a trace file",
            Self::Card => "a failure card",
            Self::Page => "an HTML page",
            Self::Summary => "a sweep's summary",
            Self::Json => "JSON",
        }
    }

    /// Where the run that is in it can be had.
    fn instead(self, name: &str) -> String {
        match self {
            Self::Trace | Self::Card => format!("run it again by `shakedown replay {name}`"),
            Self::Summary => format!("run one again by `shakedown replay {name} --failure 1`"),
            Self::Page | Self::Json => "`shakedown scenario explain` prints a scenario".to_owned(),
        }
    }
}

/// The text of the file at `path`, cut one byte above the limit that every reader refuses.
///
/// # Errors
/// [`InputError`]
pub fn text(path: &Path) -> Result<String, InputError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => text_of(name, file),
        Err(source) => Err(unreadable(path, source)),
    }
}

/// The name and the text of the scenario at `path`, or of standard input when that is `-`.
///
/// # Errors
/// [`InputError`], also when it is something else that shakedown wrote.
pub fn scenario_text(path: &Path) -> Result<(String, String), InputError> {
    let (name, bytes) = bytes_or_stdin(path)?;
    if let Some(other) = Written::of(&bytes) {
        let (what, help) = (other.what(), other.instead(&name));
        return Err(InputError::Other { name, what, wanted: "a scenario", help });
    }
    text_in(name.clone(), bytes).map(|text| (name, text))
}

/// The text of a sweep's summary: at most `max` bytes.
///
/// # Errors
/// [`InputError`], also when it is something else.
pub fn summary_text(path: &Path, max: u64) -> Result<String, InputError> {
    let bytes = own_bytes(path, max)?;
    let name = path.display().to_string();
    let what = match Written::of(&bytes) {
        Some(Written::Summary | Written::Json) => return utf8(name, bytes),
        Some(other) => other.what(),
        None if bytes.is_empty() => return utf8(name, bytes),
        None => "no JSON",
    };
    let help = "give the summary.json files that `shakedown sweep` wrote".to_owned();
    Err(InputError::Other { name, what, wanted: "a sweep's summary", help })
}

/// What the file at `path`, which is no trace file, is instead, if that is known.
pub fn instead_of_trace(path: &Path) -> Option<InputError> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX as u64).read_to_end(&mut bytes).ok()?;
    let written = Written::of(&bytes).filter(|written| *written != Written::Trace)?;
    let name = path.display().to_string();
    let help = match written {
        Written::Card | Written::Summary => written.instead(&name),
        _ => "write one with `shakedown run SCENARIO --trace FILE`".to_owned(),
    };
    Some(InputError::Other { name, what: written.what(), wanted: "a trace file", help })
}

/// The text of a file that shakedown wrote: at most `max` bytes.
///
/// # Errors
/// [`InputError`]
pub fn own_text(path: &Path, max: u64) -> Result<String, InputError> {
    utf8(path.display().to_string(), own_bytes(path, max)?)
}

fn own_bytes(path: &Path, max: u64) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes));
    read.map_err(|source| unreadable(path, source))?;
    if bytes.len() as u64 > max {
        return Err(InputError::TooLong { name: path.display().to_string(), max });
    }
    Ok(bytes)
}

/// The name and the text of the file at `path`, or of standard input when that is `-`.
///
/// # Errors
/// [`InputError`]
pub fn text_or_stdin(path: &Path) -> Result<(String, String), InputError> {
    let (name, bytes) = bytes_or_stdin(path)?;
    text_in(name.clone(), bytes).map(|text| (name, text))
}

/// The name and the text of the file at `path`, or of standard input when that is `-`: at most
/// `max` bytes.
///
/// # Errors
/// [`InputError`]
pub fn long_text(path: &Path, max: u64) -> Result<(String, String), InputError> {
    if !is_stdin(path) {
        return own_text(path, max).map(|text| (path.display().to_string(), text));
    }
    let (name, mut bytes) = (STANDARD_INPUT.to_owned(), Vec::new());
    let read = io::stdin().lock().take(max + 1).read_to_end(&mut bytes);
    read.map_err(|source| unreadable(Path::new(&name), source))?;
    if bytes.len() as u64 > max {
        return Err(InputError::TooLong { name, max });
    }
    utf8(name.clone(), bytes).map(|text| (name, text))
}

/// Whether `path` stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn bytes_or_stdin(path: &Path) -> Result<(String, Vec<u8>), InputError> {
    if is_stdin(path) {
        let name = STANDARD_INPUT.to_owned();
        return bytes_of(name.clone(), io::stdin().lock()).map(|bytes| (name, bytes));
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    bytes_of(name.clone(), file).map(|bytes| (name, bytes))
}

fn text_of(name: String, from: impl Read) -> Result<String, InputError> {
    let bytes = bytes_of(name.clone(), from)?;
    text_in(name, bytes)
}

fn bytes_of(name: String, from: impl Read) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX as u64 + 1;
    match from.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(unreadable(Path::new(&name), source)),
    }
}

fn text_in(name: String, bytes: Vec<u8>) -> Result<String, InputError> {
    if bytes.len() > FILE_BYTES_MAX {
        // Too long whatever it holds; a character that the cut halved is not the reason.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    utf8(name, bytes)
}

/// Why `path` is not read, with the name that was probably meant.
pub fn unreadable(path: &Path, source: io::Error) -> InputError {
    let help = match source.kind() {
        io::ErrorKind::NotFound => match near(path) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "give the path of a file that is there".to_owned(),
        },
        io::ErrorKind::IsADirectory => "give a file in it".to_owned(),
        _ => "give a file that can be read".to_owned(),
    };
    InputError::Read { name: path.display().to_string(), source, help }
}

/// The file of the same folder that is called nearly as `path` is.
fn near(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let near = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// A whole number of an option.
///
/// # Errors
/// What to write instead.
pub fn number<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: ParseIntError| {
        let words = match error.kind() {
            IntErrorKind::Zero => "write 1 or more",
            IntErrorKind::PosOverflow => "it is too large",
            _ => "write a whole number in digits alone, such as 8",
        };
        words.to_owned()
    })
}

/// How many of something, at least one.
///
/// # Errors
/// What to write instead.
pub fn count(text: &str) -> Result<u64, String> {
    number::<NonZeroU64>(text).map(NonZeroU64::get)
}

/// How many of something, from 1 to `MAX`.
///
/// # Errors
/// What to write instead.
pub fn count_to<const MAX: u64>(text: &str) -> Result<u64, String> {
    match count(text) {
        Ok(count) if count <= MAX => Ok(count),
        Ok(_) => Err(format!("write {MAX} or less")),
        Err(error) => Err(error),
    }
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

    #[test]
    fn other_files_are_told_by_what_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.toml");
        let trace = [MAGIC.as_slice(), b"\xff\xff"].concat();
        let cases: [(&[u8], Option<&str>, Option<&str>); 7] = [
            (b"title = 'x'", None, Some("is no JSON, not a sweep's summary")),
            (b"\n{\"schema\": 3, \"seal\": \"\"}", Some("a sweep's summary"), None),
            (b"{}", Some("JSON"), None),
            (b"<html><script id=\"passport\">", Some("a failure card"), Some("a failure card")),
            (b"<html>", Some("an HTML page"), Some("an HTML page")),
            (&trace, Some("a trace file"), Some("a trace file")),
            (b"", None, None),
        ];
        for (bytes, no_scenario, no_summary) in cases {
            std::fs::write(&file, bytes).expect("written");
            let said = |found: Result<String, InputError>| found.err().map(|e| e.to_string());
            let found = said(scenario_text(&file).map(|(_, text)| text));
            let expected = no_scenario.map(|what| format!("is {what}, not a scenario\nhelp: "));
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(&expected.unwrap_or_default()));
            let no_trace = no_scenario.filter(|what| *what != "a trace file");
            let found = instead_of_trace(&file).map(|error| error.to_string());
            let expected = no_trace.map(|what| format!("is {what}, not a trace file\nhelp: "));
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(&expected.unwrap_or_default()));
            let found = said(summary_text(&file, 100));
            assert_eq!(found.is_some(), no_summary.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(no_summary.unwrap_or_default()));
        }
    }

    #[test]
    fn absent_files_have_a_fix() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("outage.toml"), "").expect("written");
        let said = |name: &str| text(&folder.path().join(name)).expect_err("absent").to_string();
        assert!(said("outgae.toml").contains("outage.toml`?"), "{}", said("outgae.toml"));
        assert!(said("storm.toml").contains("help: give the path"), "{}", said("storm.toml"));
    }

    #[test]
    fn numbers_are_refused_with_words() {
        assert_eq!((number::<u64>("0"), count("7"), count_to::<9>("9")), (Ok(0), Ok(7), Ok(9)));
        let cases = [
            (number::<u64>("x").map(|_| ()), "write a whole number"),
            (number::<u64>("-1").map(|_| ()), "write a whole number"),
            (number::<u16>("65536").map(|_| ()), "it is too large"),
            (number::<std::num::NonZeroUsize>("0").map(|_| ()), "write 1 or more"),
            (count("0").map(|_| ()), "write 1 or more"),
            (count_to::<9>("10").map(|_| ()), "write 9 or less"),
        ];
        for (found, words) in cases {
            assert!(found.clone().is_err_and(|error| error.contains(words)), "{words}: {found:?}");
        }
    }
}
