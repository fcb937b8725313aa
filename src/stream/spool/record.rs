//! The form of a record: chunk, dead letter or state, framed so that it can be found and checked
//! without the file around it.
//!
//! ```text
//!  0  8  magic
//!  8  1  version of this form (1)
//!  9  1  kind: 1 chunk, 2 dead letter, 3 state
//! 10  2  zero
//! 12  4  bytes of the payload
//! 16  8  number of the transaction that wrote it
//! 24  8  xxh3 of bytes 8..24 and the payload
//! 32  …  payload
//! ```
//!
//! All numbers are little-endian. A record lies in one piece in the data file: redb keeps a value
//! in one run of pages.
//!
//! Invariants:
//! - Decoding never panics, and takes memory in proportion to the bytes it is given.
//! - What was changed in any bit is not decoded.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

use xxhash_rust::xxh3::Xxh3;

use super::{Chunk, ChunkId, ChunkMeta, DeadLetter, DeadLetterMeta};
use crate::domain::entity::EntityKind;
use crate::domain::units::UnixMillis;
use crate::ports::DiskFile;
use crate::stream::EncodedEvent;

/// Not valid UTF-8, so that no JSON contains it.
const MAGIC: [u8; 8] = [0xF5, b'S', b'H', b'K', b'D', 0xFE, 0x0D, 0x0A];
const VERSION: u8 = 1;
const HEADER: usize = 32;
/// Longest payload that is believed in; a body of New Relic's is a hundredth of it.
const PAYLOAD_MAX: usize = 256 << 20;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Chunk = 1,
    Dead = 2,
    State = 3,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Chunk, Self::Dead, Self::State].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A record's payload and what its header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    /// Number of the transaction that wrote it.
    pub(super) sequence: u64,
    pub(super) payload: &'a [u8],
}

impl Record<'_> {
    /// Bytes of all of it.
    pub(super) fn len(&self) -> usize {
        HEADER + self.payload.len()
    }
}

/// What holds for the whole spool after a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct State {
    /// Number of the transaction that wrote it.
    pub(super) sequence: u64,
    pub(super) next_id: u64,
    pub(super) next_dead: u64,
    pub(super) chunks: u64,
    pub(super) dead_letters: u64,
    /// No chunk below waits; [`State::next_id`] when none does.
    pub(super) oldest_chunk: u64,
    /// No dead letter below is kept.
    pub(super) oldest_dead: u64,
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

/// Bytes being put together; the header is filled in at the end.
struct Writer(Vec<u8>);

impl Writer {
    fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + capacity);
        bytes.resize(HEADER, 0);
        Self(bytes)
    }

    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// At most 65,535 bytes of `text`, cut between two characters.
    fn text(&mut self, text: &str) {
        let mut end = text.len().min(usize::from(u16::MAX));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.u16(end as u16);
        self.0.extend_from_slice(&text.as_bytes()[..end]);
    }

    fn chunk(&mut self, chunk: &Chunk) {
        let mut kinds: Vec<&str> = Vec::new();
        for event in &chunk.events {
            if !kinds.contains(&event.kind.as_ref()) {
                kinds.push(&event.kind);
            }
        }
        self.u64(chunk.id.0);
        self.i64(chunk.enqueued_at.0);
        self.u32(chunk.attempts);
        self.u32(chunk.events.len() as u32);
        self.u64(chunk.meta().bytes);
        self.u32(kinds.len() as u32);
        for kind in &kinds {
            self.text(kind);
        }
        for event in &chunk.events {
            let kind = kinds.iter().position(|kind| *kind == event.kind).unwrap_or(0);
            self.u32(kind as u32);
            self.u32(event.json.len() as u32);
            self.0.extend_from_slice(&event.json);
        }
    }

    fn finish(self, kind: Kind, sequence: u64) -> io::Result<Vec<u8>> {
        let mut bytes = self.0;
        let len = bytes.len() - HEADER;
        if len > PAYLOAD_MAX {
            let text = format!("a record of {len} bytes is longer than {PAYLOAD_MAX}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[9] = kind as u8;
        bytes[12..16].copy_from_slice(&(len as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&sequence.to_le_bytes());
        let sum = checksum(&bytes[8..24], &bytes[HEADER..]);
        bytes[24..32].copy_from_slice(&sum.to_le_bytes());
        Ok(bytes)
    }
}

/// A chunk's record.
///
/// # Errors
/// `InvalidInput` when it is absurdly long.
pub(super) fn encode_chunk(chunk: &Chunk, sequence: u64) -> io::Result<Vec<u8>> {
    let bytes: usize = chunk.events.iter().map(|event| event.json.len() + 8).sum();
    let mut writer = Writer::new(bytes + 256);
    writer.chunk(chunk);
    writer.finish(Kind::Chunk, sequence)
}

/// A dead letter's record.
///
/// # Errors
/// As [`encode_chunk`].
pub(super) fn encode_dead(letter: &DeadLetter, number: u64, sequence: u64) -> io::Result<Vec<u8>> {
    let bytes: usize = letter.chunk.events.iter().map(|event| event.json.len() + 8).sum();
    let mut writer = Writer::new(bytes + 512);
    writer.u64(number);
    writer.i64(letter.at.0);
    writer.u32(letter.attempts);
    writer.text(&letter.reason);
    writer.chunk(&letter.chunk);
    writer.finish(Kind::Dead, sequence)
}

/// The state's record.
///
/// # Errors
/// None.
pub(super) fn encode_state(state: &State) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(48);
    for value in [
        state.next_id,
        state.next_dead,
        state.chunks,
        state.dead_letters,
        state.oldest_chunk,
        state.oldest_dead,
    ] {
        writer.u64(value);
    }
    writer.finish(Kind::State, state.sequence)
}

/// The record at the beginning of `bytes`, if there is a whole and valid one, and its length.
pub(super) fn parse(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (kind, len) = header(bytes)?;
    let payload = bytes.get(HEADER..HEADER + len)?;
    let number = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    if checksum(&bytes[8..24], payload) != number(24)? {
        return None;
    }
    Some((Record { kind, sequence: number(16)?, payload }, HEADER + len))
}

/// Kind and length that a header claims.
fn header(bytes: &[u8]) -> Option<(Kind, usize)> {
    let head = bytes.get(..HEADER)?;
    if head[..8] != MAGIC || head[8] != VERSION || head[10..12] != [0, 0] {
        return None;
    }
    let len = usize::try_from(u32::from_le_bytes(head[12..16].try_into().ok()?)).ok()?;
    Some((Kind::of(head[9])?, len)).filter(|_| len <= PAYLOAD_MAX)
}

/// The record that is all of `bytes`.
pub(super) fn parse_all(bytes: &[u8], kind: Kind) -> Option<Record<'_>> {
    parse(bytes)
        .filter(|(record, len)| *len == bytes.len() && record.kind == kind)
        .map(|(record, _)| record)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn millis(&mut self) -> Option<UnixMillis> {
        Some(UnixMillis(i64::from_le_bytes(self.take(8)?.try_into().ok()?)))
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::from(self.u16()?);
        std::str::from_utf8(self.take(len)?).ok()
    }

    /// The part of a chunk before its events, and its attempts.
    fn meta(&mut self) -> Option<(ChunkMeta, u32)> {
        let (id, enqueued_at) = (ChunkId(self.u64()?), self.millis()?);
        let (attempts, events, bytes) = (self.u32()?, self.u32()?, self.u64()?);
        Some((ChunkMeta { id, enqueued_at, events, bytes }, attempts))
    }

    fn chunk(&mut self) -> Option<Chunk> {
        let (meta, attempts) = self.meta()?;
        let kinds = self.u32()?;
        let kinds: Vec<Cow<'static, str>> =
            (0..kinds).map(|_| self.text().map(kind_name)).collect::<Option<_>>()?;
        let mut events = VecDeque::new();
        for _ in 0..meta.events {
            let kind = kinds.get(usize::try_from(self.u32()?).ok()?)?.clone();
            let len = usize::try_from(self.u32()?).ok()?;
            events.push_back(EncodedEvent { json: self.take(len)?.to_vec(), kind });
        }
        let chunk = Chunk { id: meta.id, enqueued_at: meta.enqueued_at, attempts, events };
        Some(chunk).filter(|chunk| chunk.meta().bytes == meta.bytes && self.0.is_empty())
    }
}

/// A kind's name, without memory of its own when it is one of ours.
fn kind_name(name: &str) -> Cow<'static, str> {
    let ours = EntityKind::ALL.into_iter().map(EntityKind::type_name).find(|known| *known == name);
    ours.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed)
}

/// The chunk of a payload.
pub(super) fn decode_chunk(payload: &[u8]) -> Option<Chunk> {
    Reader(payload).chunk()
}

/// Number, time and size of the chunk of a payload.
pub(super) fn decode_chunk_meta(payload: &[u8]) -> Option<ChunkMeta> {
    Reader(payload).meta().map(|(meta, _)| meta)
}

/// What a payload says of its dead letter.
pub(super) fn decode_dead_meta(payload: &[u8]) -> Option<DeadLetterMeta> {
    dead_head(&mut Reader(payload), |rest| rest.meta().map(|(meta, _)| meta))
        .map(|(letter, chunk)| DeadLetterMeta { chunk, ..letter })
}

/// The chunk of a dead letter.
pub(super) fn decode_dead_chunk(payload: &[u8]) -> Option<Chunk> {
    dead_head(&mut Reader(payload), Reader::chunk).map(|(_, chunk)| chunk)
}

fn dead_head<'a, T>(
    reader: &mut Reader<'a>,
    chunk: impl FnOnce(&mut Reader<'a>) -> Option<T>,
) -> Option<(DeadLetterMeta, T)> {
    let (number, at, attempts) = (reader.u64()?, reader.millis()?, reader.u32()?);
    let reason = reader.text()?.to_owned();
    let nothing = ChunkMeta { id: ChunkId(0), enqueued_at: at, events: 0, bytes: 0 };
    let letter = DeadLetterMeta { number, chunk: nothing, reason, attempts, at };
    Some((letter, chunk(reader)?))
}

/// The state of a record.
pub(super) fn decode_state(record: Record<'_>) -> Option<State> {
    let mut reader = Reader(record.payload);
    Some(State {
        sequence: record.sequence,
        next_id: reader.u64()?,
        next_dead: reader.u64()?,
        chunks: reader.u64()?,
        dead_letters: reader.u64()?,
        oldest_chunk: reader.u64()?,
        oldest_dead: reader.u64()?,
    })
}

/// Goes through a file byte by byte and gives every valid record to `found`, with its offset; how
/// many bytes belong to records whose header is whole and whose payload is not.
///
/// # Errors
/// Those of the file.
pub(super) fn scan(
    file: &impl DiskFile,
    mut found: impl FnMut(u64, Record<'_>),
) -> io::Result<u64> {
    let mut window = Window { file, len: file.len()?, base: 0, bytes: Vec::new() };
    let (mut at, mut damaged) = (0, 0);
    loop {
        let bytes = window.from(at, HEADER)?;
        if bytes.len() < HEADER {
            return Ok(damaged);
        }
        let Some(start) = memchr::memmem::find(bytes, &MAGIC) else {
            // The magic may begin in the last bytes of this window.
            at += (bytes.len() - (MAGIC.len() - 1)) as u64;
            continue;
        };
        at += start as u64;
        let Some((_, payload)) = header(window.from(at, HEADER)?) else {
            at += 1;
            continue;
        };
        let bytes = window.from(at, HEADER + payload)?;
        match parse(bytes) {
            Some((record, len)) => {
                found(at, record);
                at += len as u64;
            }
            None => {
                damaged += bytes.len().min(HEADER + payload) as u64;
                at += 1;
            }
        }
    }
}

/// A part of a file that moves on.
struct Window<'a, F> {
    file: &'a F,
    len: u64,
    base: u64,
    bytes: Vec<u8>,
}

impl<F: DiskFile> Window<'_, F> {
    /// Bytes from `at` on, as many as are at hand: `wanted` at least, or all that the file has.
    fn from(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        const WINDOW: usize = 1 << 20;
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let skip = usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX);
        if self.bytes.len().saturating_sub(skip) < wanted.min(left) {
            self.bytes.resize(wanted.max(WINDOW).min(left), 0);
            self.file.read_at(at, &mut self.bytes)?;
            self.base = at;
            return Ok(&self.bytes);
        }
        Ok(self.bytes.get(skip..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
