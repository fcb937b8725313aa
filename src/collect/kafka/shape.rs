//! The layout of every answer this client decodes, checked before the codec sees it.
//!
//! The codec reserves memory for as many elements as an array *claims*, so four hostile bytes
//! would make it ask the allocator for hundreds of gigabytes, which ends the process. The walk
//! below follows lengths and counts through the frame and refuses the first one that points
//! outside it.
//!
//! Invariants:
//! - A frame that passes holds exactly the bytes its layout prescribes: nothing missing, nothing
//!   left over but up to [`PADDING_BYTES_MAX`] zeros, because brokers exist that write an empty
//!   tag section too often (librdkafka's mock in Metadata v13) and every other client takes them.
//! - The walk allocates nothing and takes time linear in the frame.
//!
//! Layouts are those of Kafka's message schemas (clients/src/main/resources/common/message).

/// Most structures one frame may hold; the codec spends up to 50 bytes of memory on one byte of
/// the smallest ones.
const ELEMENTS_MAX: u64 = 2_000_000;

/// Zeros tolerated behind a message.
const PADDING_BYTES_MAX: usize = 4;

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
    /// Count (32 bits, or compact), then structures; null allowed.
    Many(&'static [Field]),
}

use Layout::{Blob, Fixed, Many, Text};

/// A message: the first version with compact lengths and tags, and the fields in order.
pub(super) struct Shape {
    flexible_from: i16,
    fields: &'static [Field],
    /// Known tags of the top level that hold arrays the codec would decode.
    tags: &'static [(u32, Layout)],
}

const fn all(layout: Layout) -> Field {
    Field { versions: (0, i16::MAX), layout }
}

const fn since(first: i16, layout: Layout) -> Field {
    Field { versions: (first, i16::MAX), layout }
}

const fn until(last: i16, layout: Layout) -> Field {
    Field { versions: (0, last), layout }
}

const fn within(first: i16, last: i16, layout: Layout) -> Field {
    Field { versions: (first, last), layout }
}

const INT32: &[Field] = &[];
/// An array of plain 32-bit numbers: elements without tags.
const NODES: Layout = Many(INT32);

pub(super) const API_VERSIONS: Shape = Shape {
    flexible_from: 3,
    fields: &[all(Fixed(2)), all(Many(&[all(Fixed(6))])), since(1, Fixed(4))],
    tags: &[
        (0, Many(&[all(Text), all(Fixed(4))])),
        (1, Fixed(8)),
        (2, Many(&[all(Text), all(Fixed(4))])),
        (3, Fixed(1)),
    ],
};

pub(super) const METADATA: Shape = Shape {
    flexible_from: 9,
    fields: &[
        since(3, Fixed(4)),
        all(Many(&[all(Fixed(4)), all(Text), all(Fixed(4)), since(1, Text)])),
        since(2, Text),
        since(1, Fixed(4)),
        all(Many(&[
            all(Fixed(2)),
            all(Text),
            since(10, Fixed(16)),
            since(1, Fixed(1)),
            all(Many(&[
                all(Fixed(10)),
                since(7, Fixed(4)),
                all(NODES),
                all(NODES),
                since(5, NODES),
            ])),
            since(8, Fixed(4)),
        ])),
        within(8, 10, Fixed(4)),
        since(13, Fixed(2)),
    ],
    tags: &[],
};

pub(super) const DESCRIBE_CLUSTER: Shape = Shape {
    flexible_from: 0,
    fields: &[
        all(Fixed(6)),
        all(Text),
        since(1, Fixed(1)),
        all(Text),
        all(Fixed(4)),
        all(Many(&[all(Fixed(4)), all(Text), all(Fixed(4)), all(Text), since(2, Fixed(1))])),
        all(Fixed(4)),
    ],
    tags: &[],
};

pub(super) const LIST_OFFSETS: Shape = Shape {
    flexible_from: 6,
    fields: &[
        since(2, Fixed(4)),
        all(Many(&[all(Text), all(Many(&[all(Fixed(22)), since(4, Fixed(4))]))])),
    ],
    tags: &[],
};

pub(super) const FIND_COORDINATOR: Shape = Shape {
    flexible_from: 3,
    fields: &[
        since(1, Fixed(4)),
        until(3, Fixed(2)),
        within(1, 3, Text),
        until(3, Fixed(4)),
        until(3, Text),
        until(3, Fixed(4)),
        since(4, Many(&[all(Text), all(Fixed(4)), all(Text), all(Fixed(6)), all(Text)])),
    ],
    tags: &[],
};

pub(super) const LIST_GROUPS: Shape = Shape {
    flexible_from: 3,
    fields: &[
        since(1, Fixed(4)),
        all(Fixed(2)),
        all(Many(&[all(Text), all(Text), since(4, Text), since(5, Text)])),
    ],
    tags: &[],
};

pub(super) const DESCRIBE_GROUPS: Shape = Shape {
    flexible_from: 5,
    fields: &[
        since(1, Fixed(4)),
        all(Many(&[
            all(Fixed(2)),
            since(6, Text),
            all(Text),
            all(Text),
            all(Text),
            all(Text),
            all(Many(&[all(Text), since(4, Text), all(Text), all(Text), all(Blob), all(Blob)])),
            since(3, Fixed(4)),
        ])),
    ],
    tags: &[],
};

const COMMITTED: &[Field] = &[all(Fixed(12)), since(5, Fixed(4)), all(Text), all(Fixed(2))];

pub(super) const OFFSET_FETCH: Shape = Shape {
    flexible_from: 6,
    fields: &[
        since(3, Fixed(4)),
        until(7, Many(&[all(Text), all(Many(COMMITTED))])),
        within(2, 7, Fixed(2)),
        since(
            8,
            Many(&[
                all(Text),
                all(Many(&[until(9, Text), since(10, Fixed(16)), all(Many(COMMITTED))])),
                all(Fixed(2)),
            ]),
        ),
    ],
    tags: &[],
};

pub(super) const DESCRIBE_CONFIGS: Shape = Shape {
    flexible_from: 4,
    fields: &[
        all(Fixed(4)),
        all(Many(&[
            all(Fixed(2)),
            all(Text),
            all(Fixed(1)),
            all(Text),
            all(Many(&[
                all(Text),
                all(Text),
                all(Fixed(3)),
                all(Many(&[all(Text), all(Text), all(Fixed(1))])),
                since(3, Fixed(1)),
                since(3, Text),
            ])),
        ])),
    ],
    tags: &[],
};

pub(super) const DESCRIBE_LOG_DIRS: Shape = Shape {
    flexible_from: 2,
    fields: &[
        all(Fixed(4)),
        since(3, Fixed(2)),
        all(Many(&[
            all(Fixed(2)),
            all(Text),
            all(Many(&[all(Text), all(Many(&[all(Fixed(21))]))])),
            since(4, Fixed(16)),
        ])),
    ],
    tags: &[],
};

impl Shape {
    /// Walks `body` as this message in `version`.
    ///
    /// # Errors
    /// What does not fit, and at which byte of the body.
    pub(super) fn check(&self, body: &[u8], version: i16) -> Result<(), Misfit> {
        let flexible = version >= self.flexible_from;
        let mut walk = Walk { body, at: 0, version, flexible, elements: 0 };
        walk.fields(self.fields)?;
        if flexible {
            walk.tags(self.tags)?;
        }
        let rest = &body[walk.at..];
        if rest.len() > PADDING_BYTES_MAX || rest.iter().any(|byte| *byte != 0) {
            return Err(walk.misfit(What::LeftOver(rest.len())));
        }
        Ok(())
    }
}

/// Where a frame stops fitting its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(super) struct Misfit {
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
            Many(fields) => {
                let count = self.length(Self::int32)?;
                self.many(fields, count)
            }
        }
    }

    fn many(&mut self, fields: &'static [Field], count: u64) -> Result<(), Misfit> {
        // Every element takes at least a byte, so this bounds what the codec will reserve before
        // the walk has even seen the elements.
        if count > (self.body.len() - self.at) as u64 {
            return Err(self.misfit(What::Count(count)));
        }
        if fields.is_empty() {
            return self.skip(4 * count as usize);
        }
        self.elements += count;
        if self.elements > ELEMENTS_MAX {
            return Err(self.misfit(What::Elements));
        }
        for _ in 0..count {
            self.fields(fields)?;
            if self.flexible {
                self.tags(&[])?;
            }
        }
        Ok(())
    }

    fn fields(&mut self, fields: &'static [Field]) -> Result<(), Misfit> {
        for field in fields {
            if (field.versions.0..=field.versions.1).contains(&self.version) {
                self.layout(&field.layout)?;
            }
        }
        Ok(())
    }

    fn tags(&mut self, known: &'static [(u32, Layout)]) -> Result<(), Misfit> {
        let count = self.varint()?;
        if count > (self.body.len() - self.at) as u64 {
            return Err(self.misfit(What::Count(count)));
        }
        for _ in 0..count {
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
