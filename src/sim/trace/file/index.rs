//! Reading parts of a trace file without unpacking the rest.
//!
//! Invariant: the whole frame of the file is looked at first, so a file that is cut or not closed
//! is refused before anything of it is used; contents are checked as far as they are unpacked.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use super::FileError;
use super::block::{HEAD_BYTES, Head};
use super::read::{Input, Part, block, part, start};
use crate::sim::run::passport::Passport;
use crate::sim::time::SimTime;
use crate::sim::trace::{TraceDigest, TraceEvent};

/// What one block covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRange {
    /// Ids of its events.
    pub ids: Range<u64>,
    /// Its earliest event.
    pub earliest: SimTime,
    /// Its latest event.
    pub latest: SimTime,
}

/// A trace file whose blocks can be read in any order.
pub struct Index<R> {
    input: Input<R>,
    passport: Passport,
    digest: TraceDigest,
    blocks: Vec<(u64, Head)>,
}

impl<R: Read + Seek> Index<R> {
    /// Looks at the frame of a whole file.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn open(from: R) -> Result<Self, FileError> {
        let mut input = Input { from, at: 0, whole: 0 };
        let passport = start(&mut input)?;
        let length = end(&mut input)?;
        let mut blocks = Vec::new();
        loop {
            let at = input.at;
            match part(&mut input)? {
                Part::Block(head) => {
                    let next = input.at + head.payload() as u64;
                    if next > length {
                        input.at = length;
                        return Err(input.cut());
                    }
                    seek(&mut input, next)?;
                    input.whole += u64::from(head.events);
                    blocks.push((at, head));
                }
                Part::Trailer(digest) if digest.events == input.whole => {
                    return Ok(Self { input, passport, digest, blocks });
                }
                Part::Trailer(_) => {
                    let what = "the end tells of other events than the file holds";
                    return Err(FileError::Damaged { at, what });
                }
            }
        }
    }

    /// The run that it is of.
    pub fn passport(&self) -> &Passport {
        &self.passport
    }

    /// What the trailer says.
    pub fn digest(&self) -> TraceDigest {
        self.digest
    }

    /// The blocks in the order of the file.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = BlockRange> + ExactSizeIterator + '_ {
        self.blocks.iter().map(|(_, head)| BlockRange {
            ids: head.first..head.first + u64::from(head.events),
            earliest: SimTime(head.earliest),
            latest: SimTime(head.latest),
        })
    }

    /// The events of block `number`; none beyond the last.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn events(&mut self, number: usize) -> Result<Vec<TraceEvent>, FileError> {
        let Some((at, head)) = self.blocks.get(number).copied() else { return Ok(Vec::new()) };
        let mut lines = String::new();
        self.input.whole = head.first - 1;
        seek(&mut self.input, at + HEAD_BYTES as u64)?;
        block(&mut self.input, &head, &mut lines)?;
        let what = "a line of a block is no event";
        let events = lines.lines().map(|line| TraceEvent::parse(line, 0));
        events.collect::<Result<_, _>>().map_err(|_| FileError::Damaged { at, what })
    }
}

fn end<R: Seek>(input: &mut Input<R>) -> Result<u64, FileError> {
    let at = input.at;
    let length = input.from.seek(SeekFrom::End(0));
    let length = length.map_err(|source| FileError::Read { at, source })?;
    seek(input, at)?;
    Ok(length)
}

fn seek<R: Seek>(input: &mut Input<R>, to: u64) -> Result<(), FileError> {
    let moved = input.from.seek(SeekFrom::Start(to));
    moved.map_err(|source| FileError::Read { at: input.at, source })?;
    input.at = to;
    Ok(())
}
