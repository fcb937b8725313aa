//! Tells the crate what it was built of: `SHAKEDOWN_SOURCE`, the hash of its sources.
//!
//! Invariant: equal sources give equal hashes, wherever they lie and in whatever order folders
//! are read. Scenario files are no part of it: what was run is recorded with every run.

use std::fs;
use std::io;
use std::path::Path;

/// Everything that the program is made of, but for the lock file, which has a hash of its own.
const SOURCES: [&str; 4] = ["Cargo.toml", "build.rs", "fixtures/definitions", "src"];

fn main() -> io::Result<()> {
    let mut hash = Fnv::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        add(&mut hash, Path::new(source), source)?;
    }
    println!("cargo::rustc-env=SHAKEDOWN_SOURCE={:016x}", hash.0);
    Ok(())
}

/// Adds the file at `path`, or all files below it, by their names.
fn add(hash: &mut Fnv, path: &Path, name: &str) -> io::Result<()> {
    if !path.is_dir() {
        hash.add(name.as_bytes());
        hash.add(&fs::read(path)?);
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    for (entry, path) in entries {
        // What editors leave beside a file is no source.
        if !entry.starts_with('.') && !entry.ends_with('~') {
            add(hash, &path, &format!("{name}/{entry}"))?;
        }
    }
    Ok(())
}

/// FNV-1a of 64 bits: the same in every version of Rust, and of no crate.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds `part` with its length, so that no two lists of parts are one text.
    fn add(&mut self, part: &[u8]) {
        let length = (part.len() as u64).to_le_bytes();
        for byte in length.iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
