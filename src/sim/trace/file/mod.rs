//! The file form of a trace: a passport, compressed lines, and an end that says what there was.
//!
//! ```text
//! magic 89 53 44 54 0d 0a 1a 0a · schema u32 · length u32 · CRC-32C u32 · passport as JSON
//! block*   'B' · sizes and times · CRC-32C · numbers, texts, prints (deflate each)
//! trailer  'E' · events u64 · bytes u64 · XXH3-128 of all lines · CRC-32C
//! ```
//!
//! All numbers are little-endian. A block holds up to [`BLOCK_EVENTS_MAX`] events and stands for
//! itself: times as differences, parents as distances, the rest of each line as text, and what
//! ends in 16 hexadecimal digits as eight bytes. Ids are not written: they count.
//!
//! Invariants:
//! - Writer and readers hold one block at a time; no size that a file claims is believed beyond
//!   the limits below, and nothing is unpacked beyond what its block may hold.
//! - The lines that come out are, byte for byte, the lines that went in.
//! - A file that is cut, changed, newer or foreign is told apart, with the byte where it shows.

use super::EventId;
use crate::sim::run::passport::PassportError;

mod block;
mod index;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use index::{BlockRange, Index};
pub use read::Reader;
pub use write::Writer;

/// First bytes of every trace file; as PNG's, they show what a transfer as text does to them.
pub const MAGIC: [u8; 8] = *b"\x89SDT\r\n\x1a\n";

/// Most events in one block that a reader takes.
pub const BLOCK_EVENTS_MAX: usize = 4_096;

/// Events after which a writer ends a block: what is cut off loses no more than these. A quarter of
/// them would make files a quarter larger.
const BLOCK_EVENTS: usize = 1_024;

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 16;

/// Bytes of text after which a block is full.
const BLOCK_TEXT_BYTES: usize = 1 << 17;

/// Largest passport, in bytes.
pub const PASSPORT_BYTES_MAX: usize = 4 << 20;

/// Why a file is not read, or not read on.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system says no.
    #[error("it cannot be read at byte {at}: {source}")]
    Read {
        /// Where, from 0.
        at: u64,
        /// What it says.
        source: std::io::Error,
    },
    /// It does not begin as a trace.
    #[error("it is no trace file of shakedown: {found}")]
    Foreign {
        /// What stands at its beginning.
        found: &'static str,
    },
    /// A newer program wrote it.
    #[error("its schema is {schema} (byte 8), this build reads {}", super::TRACE_SCHEMA)]
    Newer {
        /// Of its writer.
        schema: u32,
    },
    /// An older program wrote it.
    #[error("its schema is {schema} (byte 8), this build reads {} only", super::TRACE_SCHEMA)]
    Older {
        /// Of its writer.
        schema: u32,
    },
    /// Its passport is not one.
    #[error("its passport (byte {at}): {source}")]
    Passport {
        /// Where it begins.
        at: u64,
        /// What is wrong.
        source: PassportError,
    },
    /// It ends too early.
    #[error("it is cut off at byte {at}, {whole}")]
    Truncated {
        /// Its length.
        at: u64,
        /// How much of it is whole.
        whole: Whole,
    },
    /// It was changed, or badly written.
    #[error("it is damaged at byte {at}: {what}")]
    Damaged {
        /// Where the damaged part begins, from 0.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// The part of a cut file that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole(pub u64);

impl std::fmt::Display for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("before its first event"),
            last => write!(f, "after event #{}", EventId(last)),
        }
    }
}

impl FileError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path and its permissions",
            Self::Foreign { .. } => "write one with `shakedown run SCENARIO --trace FILE`",
            Self::Newer { .. } | Self::Passport { source: PassportError::Newer { .. }, .. } => {
                "read it with the build that wrote it, or a newer one"
            }
            Self::Older { .. } => "read it with the build that wrote it, or record the run again",
            Self::Truncated { .. } => {
                "the run or the copy did not end: record it again, or copy it again"
            }
            Self::Passport { .. } | Self::Damaged { .. } => {
                "copy it again (as binary), or record the run again"
            }
        }
    }
}
