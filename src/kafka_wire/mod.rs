//! The layout of Kafka's messages, to check a frame before the codec sees it.
//!
//! The codec reserves memory for as many elements as an array *claims*, so four hostile bytes
//! would make it ask the allocator for hundreds of gigabytes, which ends the process. The walk
//! below follows lengths and counts through the frame and refuses the first one that points
//! outside it. The collector checks answers this way, a simulated broker requests.
//!
//! Invariants:
//! - Pure. The walk allocates nothing and takes time linear in the frame; no input panics.
//! - A body that passes [`Shape::check`] holds exactly the bytes its layout prescribes: nothing
//!   missing, nothing left over but up to [`PADDING_BYTES_MAX`] zeros, because brokers exist that
//!   write an empty tag section too often (librdkafka's mock in Metadata v13) and every other
//!   client takes them.
//!
//! Layouts are those of Kafka's message schemas (clients/src/main/resources/common/message).

pub mod answers;
mod requests;

use bytes::{Buf, Bytes};

pub use answers::answer;
pub use requests::request;

/// Most structures one frame may hold; the codec spends up to 50 bytes of memory on one byte of
/// the smallest ones.
const ELEMENTS_MAX: u64 = 2_000_000;

/// Zeros tolerated behind a message.
pub const PADDING_BYTES_MAX: usize = 4;

/// One field of a message.
struct Field {
    /// Versions in which it is present.
    versions: (i16, i16),
    layout: Layout,
}

/// How a field is laid out.
enum Layout {
    /// That many bytes.
    Fixed(usize),
    /// Length (16 bits, or compact), then text; null allowed.
    Text,
    /// Length (32 bits, or compact), then bytes; null allowed.
    Blob,
    /// Count (32 bits, or compact), then elements of that many bytes; null allowed.
    Plain(usize),
    /// Count, then texts; null allowed.
    Texts,
    /// Count, then structures; null allowed.
    Many(&'static [Field]),
    /// The same, of structures with known tags.
    Tagged(&'static [Field], &'static [(u32, Layout)]),
}

use Layout::{Blob, Fixed, Many, Plain, Tagged, Text, Texts};

/// A message: the first version with compact lengths and tags, and the fields in order.
pub struct Shape {
    flexible_from: i16,
    fields: &'static [Field],
    /// Known tags of the top level. The codec reads these by their type, whatever length the frame
    /// gives them.
    tags: &'static [(u32, Layout)],
}

const fn all(layout: Layout) -> Field {
    within(0, i16::MAX, layout)
}

const fn since(first: i16, layout: Layout) -> Field {
    within(first, i16::MAX, layout)
}

const fn until(last: i16, layout: Layout) -> Field {
    within(0, last, layout)
}

const fn within(first: i16, last: i16, layout: Layout) -> Field {
    Field { versions: (first, last), layout }
}

impl Shape {
    const fn new(flexible_from: i16, fields: &'static [Field]) -> Self {
        Self { flexible_from, fields, tags: &[] }
    }

    /// Whether `version` has compact lengths, and so tagged fields here and in the header.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    /// Walks `body` as this message in `version`: how many bytes are left over behind it.
    ///
    /// # Errors
    /// What does not fit, and at which byte of the body.
    pub fn left_over(&self, body: &[u8], version: i16) -> Result<usize, Misfit> {
        Ok(self.rest(body, version)?.len())
    }

    /// Walks `body` as this message in `version`, up to [`PADDING_BYTES_MAX`] zeros behind it.
    ///
    /// # Errors
    /// What does not fit, and at which byte of the body.
    pub fn check(&self, body: &[u8], version: i16) -> Result<(), Misfit> {
        let rest = self.rest(body, version)?;
        if rest.len() > PADDING_BYTES_MAX || rest.iter().any(|byte| *byte != 0) {
            let what = What::LeftOver(rest.len());
            return Err(Misfit { at: body.len() - rest.len(), what });
        }
        Ok(())
    }

    fn rest<'a>(&self, body: &'a [u8], version: i16) -> Result<&'a [u8], Misfit> {
        let flexible = self.is_flexible(version);
        let mut walk = Walk { body, at: 0, version, flexible, elements: 0 };
        walk.structure(self.fields, self.tags)?;
        Ok(&body[walk.at..])
    }
}

/// Removes a header's tag section from `frame`; `None` if it does not fit.
pub fn skip_tags(frame: &mut Bytes) -> Option<()> {
    let mut walk = Walk { body: frame, at: 0, version: 0, flexible: true, elements: 0 };
    walk.tags(&[]).ok()?;
    let bytes = walk.at;
    frame.advance(bytes);
    Some(())
}

/// Where a frame stops fitting its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Misfit {
    at: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum What {
    #[error("{0} bytes missing")]
    Short(usize),
    #[error("{0} bytes too many")]
    LeftOver(usize),
    #[error("negative length {0}")]
    Negative(i64),
    #[error("count of {0} elements is more than the frame can hold")]
    Count(u64),
    #[error("more than {ELEMENTS_MAX} elements")]
    Elements,
    #[error("number of more than 32 bits")]
    Varint,
    #[error("tag of another length than it says")]
    Tag,
}

struct Walk<'a> {
    body: &'a [u8],
    at: usize,
    version: i16,
    flexible: bool,
    elements: u64,
}

impl Walk<'_> {
    fn misfit(&self, what: What) -> Misfit {
        Misfit { at: self.at, what }
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Misfit> {
        let left = self.body.len() - self.at;
        if bytes > left {
            return Err(self.misfit(What::Short(bytes - left)));
        }
        self.at += bytes;
        Ok(())
    }

    fn big_endian<const N: usize>(&mut self) -> Result<[u8; N], Misfit> {
        let start = self.at;
        self.skip(N)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.body[start..start + N]);
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, Misfit> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.big_endian::<1>()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if value > u64::from(u32::MAX) {
                    Err(self.misfit(What::Varint))
                } else {
                    Ok(value)
                };
            }
        }
        Err(self.misfit(What::Varint))
    }

    /// A length or count; null counts as 0, which is what follows it in the frame.
    fn length(
        &mut self,
        plain: impl FnOnce(&mut Self) -> Result<i64, Misfit>,
    ) -> Result<u64, Misfit> {
        if self.flexible {
            return Ok(self.varint()?.saturating_sub(1));
        }
        match plain(self)? {
            -1 => Ok(0),
            n => u64::try_from(n).map_err(|_| self.misfit(What::Negative(n))),
        }
    }

    fn int16(&mut self) -> Result<i64, Misfit> {
        Ok(i64::from(i16::from_be_bytes(self.big_endian()?)))
    }

    fn int32(&mut self) -> Result<i64, Misfit> {
        Ok(i64::from(i32::from_be_bytes(self.big_endian()?)))
    }

    fn layout(&mut self, layout: &Layout) -> Result<(), Misfit> {
        match layout {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let length = self.length(Self::int16)?;
                self.skip(length as usize)
            }
            Blob => {
                let length = self.length(Self::int32)?;
                self.skip(length as usize)
            }
            Plain(bytes) => {
                let count = self.count()? as usize;
                self.skip(count.saturating_mul(*bytes))
            }
            Texts => self.many(|walk| walk.layout(&Text)),
            Many(fields) => self.many(|walk| walk.structure(fields, &[])),
            Tagged(fields, tags) => self.many(|walk| walk.structure(fields, tags)),
        }
    }

    /// An array's count.
    fn count(&mut self) -> Result<u64, Misfit> {
        let count = self.length(Self::int32)?;
        self.plausible(count)
    }

    /// Every element takes at least a byte, so this bounds what the codec will reserve before the
    /// walk has even seen the elements.
    fn plausible(&self, count: u64) -> Result<u64, Misfit> {
        if count > (self.body.len() - self.at) as u64 {
            return Err(self.misfit(What::Count(count)));
        }
        Ok(count)
    }

    fn many(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        let count = self.count()?;
        self.elements += count;
        if self.elements > ELEMENTS_MAX {
            return Err(self.misfit(What::Elements));
        }
        for _ in 0..count {
            element(self)?;
        }
        Ok(())
    }

    fn structure(&mut self, fields: &[Field], tags: &[(u32, Layout)]) -> Result<(), Misfit> {
        for field in fields {
            if (field.versions.0..=field.versions.1).contains(&self.version) {
                self.layout(&field.layout)?;
            }
        }
        if self.flexible {
            self.tags(tags)?;
        }
        Ok(())
    }

    fn tags(&mut self, known: &[(u32, Layout)]) -> Result<(), Misfit> {
        let count = self.varint()?;
        for _ in 0..self.plausible(count)? {
            let tag = self.varint()?;
            let bytes = self.varint()? as usize;
            let start = self.at;
            match known.iter().find(|(number, _)| u64::from(*number) == tag) {
                Some((_, layout)) => self.layout(layout)?,
                None => self.skip(bytes)?,
            }
            if self.at - start != bytes {
                return Err(self.misfit(What::Tag));
            }
        }
        Ok(())
    }
}
