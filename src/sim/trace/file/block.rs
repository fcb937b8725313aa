//! One block of a trace file: packing events and unpacking them.
//!
//! Invariant: [`unpack`] of what [`Packer`] gave is the lines that it got; of anything else it is
//! lines or an error, in memory bounded by `Head::check`.

use std::io::{Read as _, Write as _};
use std::ops::RangeInclusive;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::{BLOCK_EVENTS, BLOCK_EVENTS_MAX, BLOCK_TEXT_BYTES, LINE_BYTES_MAX};

/// First byte of a block.
pub const TAG: u8 = b'B';
/// Bytes of a block before its payload, the tag included.
pub const HEAD_BYTES: usize = 57;
/// Hexadecimal digits that become eight bytes when a line ends with them.
const PRINT_DIGITS: usize = 16;
/// Stands in a text for such digits; no line contains it.
const PRINT_MARK: u8 = 1;
/// A time's difference and a parent's distance, each at most ten bytes.
const NUMBERS_BYTES_MAX: usize = 20 * BLOCK_EVENTS_MAX;
const TEXTS_BYTES_MAX: usize = BLOCK_TEXT_BYTES + LINE_BYTES_MAX;
const PRINTS_BYTES_MAX: usize = 8 * BLOCK_EVENTS_MAX;

/// What a block says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of events.
    pub events: u32,
    /// Id of the first.
    pub first: u64,
    /// Least time, in nanoseconds.
    pub earliest: u64,
    /// Greatest time, in nanoseconds.
    pub latest: u64,
    numbers: u32,
    numbers_packed: u32,
    texts: u32,
    texts_packed: u32,
    prints: u32,
    prints_packed: u32,
    checksum: u32,
}

impl Head {
    /// The bytes before the payload.
    fn bytes(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [TAG; HEAD_BYTES];
        let wide = [self.first, self.earliest, self.latest].into_iter().flat_map(u64::to_le_bytes);
        let numbers = [self.numbers, self.numbers_packed];
        let texts = [self.texts, self.texts_packed, self.prints, self.prints_packed];
        let sizes = numbers.into_iter().chain(texts).chain([self.checksum]);
        let sizes = sizes.flat_map(u32::to_le_bytes);
        let all = self.events.to_le_bytes().into_iter().chain(wide).chain(sizes);
        bytes.iter_mut().skip(1).zip(all).for_each(|(slot, byte)| *slot = byte);
        bytes
    }

    /// The head in `bytes`, whose tag the caller has looked at.
    pub fn parse(bytes: &[u8; HEAD_BYTES]) -> Self {
        let wide = |at: usize| {
            u64::from_le_bytes(std::array::from_fn(|i| bytes.get(at + i).copied().unwrap_or(0)))
        };
        let size = |at: usize| {
            u32::from_le_bytes(std::array::from_fn(|i| bytes.get(at + i).copied().unwrap_or(0)))
        };
        Self {
            events: size(1),
            first: wide(5),
            earliest: wide(13),
            latest: wide(21),
            numbers: size(29),
            numbers_packed: size(33),
            texts: size(37),
            texts_packed: size(41),
            prints: size(45),
            prints_packed: size(49),
            checksum: size(53),
        }
    }

    /// Whether the sizes are possible; `next` is the id that must come.
    ///
    /// # Errors
    /// What is not.
    pub fn check(&self, next: u64) -> Result<(), &'static str> {
        let events = 1..=BLOCK_EVENTS_MAX;
        let within = |size: u32, limit: RangeInclusive<usize>| limit.contains(&(size as usize));
        if !within(self.events, events) || self.latest < self.earliest {
            return Err("the head of a block is impossible");
        }
        if self.first != next || self.first.checked_add(self.events.into()).is_none() {
            return Err("its events do not follow on");
        }
        // Deflate adds at most five bytes per stored block and a few around all.
        let packed = |plain: u32| 0..=plain as usize + plain as usize / 1_000 + 64;
        let fit = within(self.numbers, 0..=NUMBERS_BYTES_MAX)
            && within(self.numbers_packed, packed(self.numbers))
            && within(self.texts, 0..=TEXTS_BYTES_MAX)
            && within(self.texts_packed, packed(self.texts))
            && within(self.prints, 0..=PRINTS_BYTES_MAX)
            && within(self.prints_packed, packed(self.prints));
        if fit { Ok(()) } else { Err("a block claims to be larger than blocks are") }
    }

    /// Bytes after the head.
    pub fn payload(&self) -> usize {
        self.numbers_packed as usize + self.texts_packed as usize + self.prints_packed as usize
    }
}

/// A block that is being filled.
#[derive(Default)]
pub struct Packer {
    events: u32,
    earliest: u64,
    latest: u64,
    /// Of each event the time and the distance to its parent, 0 without one.
    lines: Vec<(u64, u64)>,
    texts: Vec<u8>,
    prints: Vec<u8>,
}

impl Packer {
    /// Takes one event: its time, the distance to its parent, and its line after the parent.
    pub fn push(&mut self, at: u64, distance: u64, text: &[u8]) {
        let (first, last) = (self.lines.is_empty(), self.latest.max(at));
        self.earliest = if first { at } else { self.earliest.min(at) };
        self.latest = if first { at } else { last };
        self.lines.push((at, distance));
        match print(text) {
            Some((text, print)) => {
                self.texts.extend_from_slice(text);
                self.texts.push(PRINT_MARK);
                self.prints.extend_from_slice(&print.to_le_bytes());
            }
            None => self.texts.extend_from_slice(text),
        }
        self.texts.push(b'\n');
        self.events += 1;
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Whether it should be written.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= BLOCK_EVENTS || self.texts.len() >= BLOCK_TEXT_BYTES
    }

    /// The block whose first event has the id `first`; empty again afterwards.
    ///
    /// # Errors
    /// Never, as long as memory can be written.
    pub fn take(&mut self, first: u64) -> std::io::Result<Vec<u8>> {
        let mut numbers = Vec::with_capacity(self.lines.len() * 5);
        let mut last = self.earliest;
        for (at, distance) in &self.lines {
            put(&mut numbers, zigzag(at.wrapping_sub(last)));
            put(&mut numbers, *distance);
            last = *at;
        }
        let (numbers_packed, texts_packed) = (deflate(&numbers)?, deflate(&self.texts)?);
        // What is sent is received: the same prints come twice.
        let prints_packed = deflate(&self.prints)?;
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let head = Head {
            events: self.events,
            first,
            earliest: self.earliest,
            latest: self.latest,
            numbers: size(&numbers),
            numbers_packed: size(&numbers_packed),
            texts: size(&self.texts),
            texts_packed: size(&texts_packed),
            prints: size(&self.prints),
            prints_packed: size(&prints_packed),
            checksum: 0,
        };
        let payload = [numbers_packed, texts_packed, prints_packed].concat();
        let head = Head { checksum: checksum(&head, &payload), ..head };
        *self = Self::default();
        Ok([head.bytes().as_slice(), &payload].concat())
    }
}

fn checksum(head: &Head, payload: &[u8]) -> u32 {
    let head = Head { checksum: 0, ..*head };
    crc32c::crc32c_append(crc32c::crc32c(&head.bytes()), payload)
}

/// What comes before the digits at the end of `text`, and their value.
fn print(text: &[u8]) -> Option<(&[u8], u64)> {
    let (before, digits) = text.split_at(text.len().checked_sub(PRINT_DIGITS)?);
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !digits.iter().all(is_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    Some((before, u64::from_str_radix(digits, 16).ok()?))
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Exactly `size` bytes from exactly `packed`.
fn inflate(packed: &[u8], size: u32) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(size as usize);
    let mut decoder = DeflateDecoder::new(packed);
    decoder.by_ref().take(u64::from(size) + 1).read_to_end(&mut plain).ok()?;
    let whole = plain.len() == size as usize && decoder.total_in() == packed.len() as u64;
    whole.then_some(plain)
}

/// Small for small differences in either direction.
fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ if difference >> 63 == 1 { u64::MAX } else { 0 }
}

fn unzigzag(code: u64) -> u64 {
    (code >> 1) ^ if code & 1 == 1 { u64::MAX } else { 0 }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn get(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Appends the lines of a block, each with its line feed, to `lines`.
///
/// # Errors
/// What is wrong with the block.
pub fn unpack(head: &Head, payload: &[u8], lines: &mut String) -> Result<(), &'static str> {
    const SIZES: &str = "the parts of a block are not as long as it says";
    const NUMBERS: &str = "the times or parents of a block are impossible";
    const TEXTS: &str = "the texts of a block are no lines";
    if checksum(head, payload) != head.checksum {
        return Err("the checksum of a block does not match its bytes");
    }
    let (numbers, rest) = payload.split_at_checked(head.numbers_packed as usize).ok_or(SIZES)?;
    let (texts, prints) = rest.split_at_checked(head.texts_packed as usize).ok_or(SIZES)?;
    let numbers = inflate(numbers, head.numbers).ok_or(SIZES)?;
    let texts = String::from_utf8(inflate(texts, head.texts).ok_or(SIZES)?).map_err(|_| TEXTS)?;
    let prints = inflate(prints, head.prints).ok_or(SIZES)?;
    let (mut numbers, mut prints) = (numbers.into_iter(), prints.chunks_exact(8));
    let mut texts = texts.split_inclusive('\n');
    let mut at = head.earliest;
    for id in (head.first..).take(head.events as usize) {
        let step = get(&mut numbers).ok_or(NUMBERS)?;
        let distance = get(&mut numbers).ok_or(NUMBERS)?;
        at = at.wrapping_add(unzigzag(step));
        if !(head.earliest..=head.latest).contains(&at) || distance >= id {
            return Err(NUMBERS);
        }
        let text = texts.next().and_then(|text| text.strip_suffix('\n')).ok_or(TEXTS)?;
        push_line(lines, at, id, distance, text, &mut prints).ok_or(TEXTS)?;
    }
    let left = numbers.next().is_some() || texts.next().is_some();
    let left = left || prints.next().is_some() || !prints.remainder().is_empty();
    if left { Err(SIZES) } else { Ok(()) }
}

fn push_line<'a>(
    lines: &mut String,
    at: u64,
    id: u64,
    distance: u64,
    text: &str,
    prints: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<()> {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = match distance {
        0 => write!(lines, "{at:013} {id} - "),
        distance => write!(lines, "{at:013} {id} {} ", id - distance),
    };
    match text.strip_suffix(char::from(PRINT_MARK)) {
        Some(text) => {
            let print = u64::from_le_bytes(prints.next()?.try_into().ok()?);
            let _ = writeln!(lines, "{text}{print:016x}");
        }
        None => {
            lines.push_str(text);
            lines.push('\n');
        }
    }
    Some(())
}
