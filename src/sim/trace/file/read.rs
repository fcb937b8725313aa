//! Reading a trace file from its beginning to its end.
//!
//! Invariant: the end of the file is reported as an end only when number, bytes and digest of the
//! lines are those of the trailer, and nothing follows it.

use std::io::{ErrorKind, Read};

use xxhash_rust::xxh3::Xxh3;

use super::block::{self, HEAD_BYTES, Head, unpack};
use super::write::{TRAILER_BYTES, TRAILER_TAG, trailer};
use super::{FileError, MAGIC, PASSPORT_BYTES_MAX, Whole};
use crate::sim::run::passport::Passport;
use crate::sim::trace::{TRACE_SCHEMA, TraceDigest, TraceEvent};

/// Bytes before the passport: magic, schema, length, checksum.
const START_BYTES: usize = MAGIC.len() + 12;

/// Counts what it reads, and tells an early end from other errors.
pub(super) struct Input<R> {
    pub(super) from: R,
    /// Bytes read so far.
    pub(super) at: u64,
    /// Last event of the blocks read so far.
    pub(super) whole: u64,
}

impl<R: Read> Input<R> {
    /// Fills as much of `buffer` as there is.
    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.from.read(rest) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    self.at += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(FileError::Read { at: self.at, source }),
            }
        }
        Ok(filled)
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<(), FileError> {
        if self.read_some(buffer)? == buffer.len() { Ok(()) } else { Err(self.cut()) }
    }

    pub(super) fn cut(&self) -> FileError {
        FileError::Truncated { at: self.at, whole: Whole(self.whole) }
    }
}

/// Reads a trace file, block by block.
pub struct Reader<R> {
    input: Input<R>,
    passport: Passport,
    /// Lines of the present block.
    lines: String,
    /// Bytes of them that were handed out.
    handed: usize,
    hash: Xxh3,
    digest: TraceDigest,
    ended: bool,
}

/// What comes next in a file.
pub(super) enum Part {
    /// A block; its payload follows.
    Block(Head),
    /// The end.
    Trailer(TraceDigest),
}

/// Reads everything before the first block.
pub(super) fn start<R: Read>(input: &mut Input<R>) -> Result<Passport, FileError> {
    let mut bytes = [0; START_BYTES];
    let filled = input.read_some(&mut bytes)?;
    let (magic, numbers) = bytes.split_at(MAGIC.len());
    let begun = magic.get(..filled.min(MAGIC.len())).unwrap_or_default();
    if begun.is_empty() || !MAGIC.starts_with(begun) {
        return Err(FileError::Foreign { found: foreign(begun) });
    }
    let number = |at: usize| {
        u32::from_le_bytes(std::array::from_fn(|i| numbers.get(at + i).copied().unwrap_or(0)))
    };
    let (schema, length, checksum) = (number(0), number(4) as usize, number(8));
    if filled >= MAGIC.len() + 4 {
        // What follows the schema may be laid out otherwise.
        match schema.cmp(&TRACE_SCHEMA) {
            std::cmp::Ordering::Greater => return Err(FileError::Newer { schema }),
            std::cmp::Ordering::Less => return Err(FileError::Older { schema }),
            std::cmp::Ordering::Equal => {}
        }
    }
    if filled < START_BYTES {
        return Err(input.cut());
    }
    if length > PASSPORT_BYTES_MAX {
        let what = "the passport claims to be larger than passports are";
        return Err(FileError::Damaged { at: 12, what });
    }
    let mut passport = vec![0; length];
    let at = input.at;
    input.read(&mut passport)?;
    if crc32c::crc32c(&passport) != checksum {
        let what = "the checksum of the passport does not match its bytes";
        return Err(FileError::Damaged { at, what });
    }
    Passport::parse(&passport).map_err(|source| FileError::Passport { at, source })
}

/// What a file is that does not begin with the magic.
fn foreign(begun: &[u8]) -> &'static str {
    match begun {
        [] => "it is empty",
        [0x89, b'S', b'D', b'T', ..] => "its first line ends were changed by a transfer as text",
        [0xef, 0xbf, 0xbd, b'S', b'D', ..] => "it was changed by a transfer as text",
        text if text.iter().all(u8::is_ascii_digit) => {
            "it looks like the text lines that `--trace -` prints"
        }
        _ => "it does not begin as one",
    }
}

/// Reads what says what follows.
pub(super) fn part<R: Read>(input: &mut Input<R>) -> Result<Part, FileError> {
    let at = input.at;
    let mut tag = [0];
    input.read(&mut tag)?;
    match tag {
        [block::TAG] => {
            let mut bytes = [block::TAG; HEAD_BYTES];
            input.read(bytes.get_mut(1..).unwrap_or_default())?;
            let head = Head::parse(&bytes);
            let next = input.whole + 1;
            head.check(next).map_err(|what| FileError::Damaged { at, what })?;
            Ok(Part::Block(head))
        }
        [TRAILER_TAG] => {
            let mut bytes = [TRAILER_TAG; TRAILER_BYTES];
            input.read(bytes.get_mut(1..).unwrap_or_default())?;
            let digest = digest(&bytes);
            if trailer(digest) != bytes {
                let what = "the checksum of the end does not match its bytes";
                return Err(FileError::Damaged { at, what });
            }
            if input.read_some(&mut tag)? != 0 {
                let what = "something follows the end";
                return Err(FileError::Damaged { at: input.at - 1, what });
            }
            Ok(Part::Trailer(digest))
        }
        _ => Err(FileError::Damaged { at, what: "neither a block nor the end begins here" }),
    }
}

fn digest(bytes: &[u8; TRAILER_BYTES]) -> TraceDigest {
    let at = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let number = |start: usize| u64::from_le_bytes(std::array::from_fn(|i| at(start + i)));
    let hash = u128::from_le_bytes(std::array::from_fn(|i| at(17 + i)));
    TraceDigest { hash, events: number(1), bytes: number(9) }
}

/// Reads the payload of the block of `head` and appends its lines to `lines`.
pub(super) fn block<R: Read>(
    input: &mut Input<R>,
    head: &Head,
    lines: &mut String,
) -> Result<(), FileError> {
    let at = input.at - HEAD_BYTES as u64;
    let mut payload = vec![0; head.payload()];
    input.read(&mut payload)?;
    unpack(head, &payload, lines).map_err(|what| FileError::Damaged { at, what })?;
    input.whole += u64::from(head.events);
    Ok(())
}

impl<R: Read> Reader<R> {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// [`FileError`]: whatever is wrong before the first event.
    pub fn open(from: R) -> Result<Self, FileError> {
        let mut input = Input { from, at: 0, whole: 0 };
        let passport = start(&mut input)?;
        Ok(Self {
            input,
            passport,
            lines: String::new(),
            handed: 0,
            hash: Xxh3::new(),
            digest: TraceDigest { hash: 0, events: 0, bytes: 0 },
            ended: false,
        })
    }

    /// The run that it is of.
    pub fn passport(&self) -> &Passport {
        &self.passport
    }

    /// The digest of the lines, known when the end has been read.
    pub fn digest(&self) -> Option<TraceDigest> {
        self.ended.then_some(self.digest)
    }

    /// The next line without its line feed; none at the end.
    ///
    /// # Errors
    /// [`FileError`]; nothing more can be read then.
    pub fn next_line(&mut self) -> Result<Option<&str>, FileError> {
        while self.handed >= self.lines.len() {
            if self.ended || !self.next_block()? {
                return Ok(None);
            }
        }
        let rest = self.lines.get(self.handed..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        self.handed += line.len() + 1;
        Ok(Some(line))
    }

    /// The next event; none at the end.
    ///
    /// # Errors
    /// [`FileError`]; nothing more can be read then.
    pub fn next_event(&mut self) -> Result<Option<TraceEvent>, FileError> {
        let at = self.input.at;
        let Some(line) = self.next_line()? else { return Ok(None) };
        let parsed = TraceEvent::parse(line, 0);
        let what = "a line in the block before is no event";
        parsed.map(Some).map_err(|_| FileError::Damaged { at, what })
    }

    /// Reads the next block; whether there was one.
    fn next_block(&mut self) -> Result<bool, FileError> {
        self.lines.clear();
        self.handed = 0;
        let at = self.input.at;
        match part(&mut self.input)? {
            Part::Block(head) => {
                block(&mut self.input, &head, &mut self.lines)?;
                self.hash.update(self.lines.as_bytes());
                self.digest.events += u64::from(head.events);
                self.digest.bytes += self.lines.len() as u64;
                Ok(true)
            }
            Part::Trailer(said) => {
                self.digest.hash = self.hash.digest128();
                if said != self.digest {
                    let what = "the end tells of other events than the file holds";
                    return Err(FileError::Damaged { at, what });
                }
                self.ended = true;
                Ok(false)
            }
        }
    }
}
