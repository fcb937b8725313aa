//! Writing a trace file, event by event.
//!
//! Invariants: at most one block is in memory; a file without [`Writer::finish`] is one that
//! readers call cut off.

use std::io::{Error, Result, Write};

use super::block::Packer;
use super::{LINE_BYTES_MAX, MAGIC};
use crate::sim::run::passport::Passport;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, TRACE_SCHEMA, TraceDigest};

/// First byte of the trailer.
pub(super) const TRAILER_TAG: u8 = b'E';
/// Bytes of the trailer, the tag included.
pub(super) const TRAILER_BYTES: usize = 37;

/// Writes one trace file to `W`.
pub struct Writer<W: Write> {
    out: W,
    block: Packer,
    /// Id of the block's first event.
    first: u64,
    /// Id of the next event.
    next: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the head of a file of the run in `passport`.
    ///
    /// # Errors
    /// Those of `out`; a passport that JSON cannot hold.
    pub fn new(mut out: W, passport: &Passport) -> Result<Self> {
        let passport = serde_json::to_vec(passport)?;
        let length = u32::try_from(passport.len()).map_err(Error::other)?;
        out.write_all(&MAGIC)?;
        for number in [TRACE_SCHEMA, length, crc32c::crc32c(&passport)] {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&passport)?;
        Ok(Self { out, block: Packer::default(), first: 1, next: 1 })
    }

    /// Takes the next event: its time, its parent, and its line after the parent without the line
    /// feed.
    ///
    /// # Errors
    /// Those of the output; a text that is no line of a trace.
    pub fn event(&mut self, at: SimTime, parent: Option<EventId>, text: &[u8]) -> Result<()> {
        let distance = match parent {
            Some(EventId(parent)) if parent == 0 || parent >= self.next => {
                return Err(Error::other(format!("event {} has a later parent", self.next)));
            }
            Some(EventId(parent)) => self.next - parent,
            None => 0,
        };
        if text.len() > LINE_BYTES_MAX || text.iter().any(|byte| *byte < b' ') {
            return Err(Error::other(format!("event {} is no line of a trace", self.next)));
        }
        self.block.push(at.0, distance, text);
        self.next += 1;
        if self.block.is_full() { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> Result<()> {
        let block = self.block.take(self.first)?;
        self.first = self.next;
        self.out.write_all(&block)
    }

    /// What was written to.
    #[cfg(test)]
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Ends the file; `digest` is that of all lines.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(&mut self, digest: TraceDigest) -> Result<()> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        self.out.write_all(&trailer(digest))?;
        self.out.flush()
    }
}

/// The bytes of the trailer.
pub(super) fn trailer(digest: TraceDigest) -> [u8; TRAILER_BYTES] {
    let mut bytes = [TRAILER_TAG; TRAILER_BYTES];
    let numbers = [digest.events, digest.bytes].into_iter().flat_map(u64::to_le_bytes);
    let all = numbers.chain(digest.hash.to_le_bytes());
    bytes.iter_mut().skip(1).zip(all).for_each(|(slot, byte)| *slot = byte);
    let (covered, checksum) = bytes.split_at_mut(TRAILER_BYTES - 4);
    checksum.copy_from_slice(&crc32c::crc32c(covered).to_le_bytes());
    bytes
}
