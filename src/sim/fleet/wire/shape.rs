//! The shape of every request that a broker takes, to check a frame before it is decoded.
//!
//! The codec reserves memory for as many elements as an array claims to have, so a frame of
//! twenty bytes could ask for gigabytes. [`check`] walks a frame by its shape first; what it
//! accepts holds every element it claims.
//!
//! Invariant: every request that the codec encodes is accepted, to its last byte (tested for all
//! APIs and versions); no input panics.

use kafka_protocol::messages::ApiKey;

/// One part of a request.
enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string, `null` allowed.
    Text,
    /// Length-prefixed bytes, `null` allowed.
    Blob,
    /// An array of structures, `null` allowed.
    Array(&'static [Field]),
    /// An array of structures whose known tagged fields have exactly these sizes.
    Tagged(&'static [Field], &'static [(u32, usize)]),
    /// An array of elements of a fixed size.
    Fixeds(usize),
    /// An array of strings.
    Texts,
}

/// A part and the versions that have it.
struct Field(Kind, i16, i16);

const MAX: i16 = i16::MAX;

const fn all(kind: Kind) -> Field {
    Field(kind, 0, MAX)
}

const fn since(version: i16, kind: Kind) -> Field {
    Field(kind, version, MAX)
}

const fn until(version: i16, kind: Kind) -> Field {
    Field(kind, 0, version)
}

use Kind::{Array, Blob, Fixed, Fixeds, Tagged, Text, Texts};

static API_VERSIONS: [Field; 2] = [since(3, Text), since(3, Text)];
static METADATA: [Field; 4] = [
    all(Array(&[since(10, Fixed(16)), all(Text)])),
    since(4, Fixed(1)),
    Field(Fixed(1), 8, 10),
    since(8, Fixed(1)),
];
static DESCRIBE_CLUSTER: [Field; 3] = [all(Fixed(1)), since(1, Fixed(1)), since(2, Fixed(1))];
static LIST_OFFSETS: [Field; 4] = [
    all(Fixed(4)),
    since(2, Fixed(1)),
    all(Array(&[all(Text), all(Array(&[all(Fixed(4)), since(4, Fixed(4)), all(Fixed(8))]))])),
    since(10, Fixed(4)),
];
static FIND_COORDINATOR: [Field; 3] = [until(3, Text), since(1, Fixed(1)), since(4, Texts)];
static LIST_GROUPS: [Field; 2] = [since(4, Texts), since(5, Texts)];
static DESCRIBE_GROUPS: [Field; 2] = [all(Texts), since(3, Fixed(1))];
static OFFSET_FETCH: [Field; 4] = [
    until(7, Text),
    until(7, Array(&[all(Text), all(Fixeds(4))])),
    since(
        8,
        Array(&[
            all(Text),
            since(9, Text),
            since(9, Fixed(4)),
            all(Array(&[all(Text), all(Fixeds(4))])),
        ]),
    ),
    since(7, Fixed(1)),
];
static DESCRIBE_CONFIGS: [Field; 3] =
    [all(Array(&[all(Fixed(1)), all(Text), all(Texts)])), since(1, Fixed(1)), since(3, Fixed(1))];
static DESCRIBE_LOG_DIRS: [Field; 1] = [all(Array(&[all(Text), all(Fixeds(4))]))];
static CREATE_TOPICS: [Field; 3] = [
    all(Array(&[
        all(Text),
        all(Fixed(4)),
        all(Fixed(2)),
        all(Array(&[all(Fixed(4)), all(Fixeds(4))])),
        all(Array(&[all(Text), all(Text)])),
    ])),
    all(Fixed(4)),
    since(1, Fixed(1)),
];
static PRODUCE: [Field; 4] = [
    since(3, Text),
    all(Fixed(2)),
    all(Fixed(4)),
    all(Array(&[until(12, Text), since(13, Fixed(16)), all(Array(&[all(Fixed(4)), all(Blob)]))])),
];
static FETCH: [Field; 10] = [
    until(14, Fixed(4)),
    all(Fixed(4)),
    all(Fixed(4)),
    since(3, Fixed(4)),
    since(4, Fixed(1)),
    since(7, Fixed(4)),
    since(7, Fixed(4)),
    all(Array(&[
        until(12, Text),
        since(13, Fixed(16)),
        all(Tagged(
            &[
                all(Fixed(4)),
                since(9, Fixed(4)),
                all(Fixed(8)),
                since(12, Fixed(4)),
                since(5, Fixed(8)),
                all(Fixed(4)),
            ],
            &[(0, 16), (1, 8)],
        )),
    ])),
    since(7, Array(&[until(12, Text), since(13, Fixed(16)), all(Fixeds(4))])),
    since(11, Text),
];
static OFFSET_COMMIT: [Field; 6] = [
    all(Text),
    since(1, Fixed(4)),
    since(1, Text),
    since(7, Text),
    Field(Fixed(8), 2, 4),
    all(Array(&[
        all(Text),
        all(Array(&[all(Fixed(4)), all(Fixed(8)), since(6, Fixed(4)), all(Text)])),
    ])),
];
static JOIN_GROUP: [Field; 8] = [
    all(Text),
    all(Fixed(4)),
    since(1, Fixed(4)),
    all(Text),
    since(5, Text),
    all(Text),
    all(Array(&[all(Text), all(Blob)])),
    since(8, Text),
];
static SYNC_GROUP: [Field; 7] = [
    all(Text),
    all(Fixed(4)),
    all(Text),
    since(3, Text),
    since(5, Text),
    since(5, Text),
    all(Array(&[all(Text), all(Blob)])),
];
static HEARTBEAT: [Field; 4] = [all(Text), all(Fixed(4)), all(Text), since(3, Text)];
static LEAVE_GROUP: [Field; 3] =
    [all(Text), until(2, Text), since(3, Array(&[all(Text), all(Text), since(5, Text)]))];
static INIT_PRODUCER_ID: [Field; 4] =
    [all(Text), all(Fixed(4)), since(3, Fixed(8)), since(3, Fixed(2))];

/// Fields of a request, and the first version with compact encodings.
fn shape(api: ApiKey) -> Option<(&'static [Field], i16)> {
    Some(match api {
        ApiKey::ApiVersions => (&API_VERSIONS, 3),
        ApiKey::Metadata => (&METADATA, 9),
        ApiKey::DescribeCluster => (&DESCRIBE_CLUSTER, 0),
        ApiKey::ListOffsets => (&LIST_OFFSETS, 6),
        ApiKey::FindCoordinator => (&FIND_COORDINATOR, 3),
        ApiKey::ListGroups => (&LIST_GROUPS, 3),
        ApiKey::DescribeGroups => (&DESCRIBE_GROUPS, 5),
        ApiKey::OffsetFetch => (&OFFSET_FETCH, 6),
        ApiKey::DescribeConfigs => (&DESCRIBE_CONFIGS, 4),
        ApiKey::DescribeLogDirs => (&DESCRIBE_LOG_DIRS, 2),
        ApiKey::CreateTopics => (&CREATE_TOPICS, 5),
        ApiKey::Produce => (&PRODUCE, 9),
        ApiKey::Fetch => (&FETCH, 12),
        ApiKey::OffsetCommit => (&OFFSET_COMMIT, 8),
        ApiKey::JoinGroup => (&JOIN_GROUP, 6),
        ApiKey::SyncGroup => (&SYNC_GROUP, 4),
        ApiKey::Heartbeat => (&HEARTBEAT, 4),
        ApiKey::LeaveGroup => (&LEAVE_GROUP, 4),
        ApiKey::InitProducerId => (&INIT_PRODUCER_ID, 2),
        _ => return None,
    })
}

/// Whether `version` of `api` has compact encodings (and so a header with tagged fields).
pub fn is_flexible(api: ApiKey, version: i16) -> bool {
    shape(api).is_some_and(|(_, flexible)| version >= flexible)
}

/// A frame that does not have the shape of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misshapen;

/// Walks `body` by the shape of `api`; how many bytes were left over.
///
/// # Errors
/// [`Misshapen`] when it ends too soon or a length is impossible.
pub fn check(api: ApiKey, version: i16, body: &[u8]) -> Result<usize, Misshapen> {
    let (fields, flexible) = shape(api).ok_or(Misshapen)?;
    let mut walk = Walk { rest: body, version, flexible: version >= flexible };
    walk.structure(fields, &[])?;
    Ok(walk.rest.len())
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field], tags: &[(u32, usize)]) -> Result<(), Misshapen> {
        for Field(kind, from, to) in fields {
            if (*from..=*to).contains(&self.version) {
                self.field(kind)?;
            }
        }
        if self.flexible {
            self.tags(tags)?;
        }
        Ok(())
    }

    fn field(&mut self, kind: &Kind) -> Result<(), Misshapen> {
        match kind {
            Fixed(size) => self.skip(*size),
            Text => self.text(),
            Blob => match self.count()? {
                Some(length) => self.skip(length),
                None => Ok(()),
            },
            Array(fields) => self.array(|walk| walk.structure(fields, &[])),
            Tagged(fields, tags) => self.array(|walk| walk.structure(fields, tags)),
            Fixeds(size) => match self.count()? {
                Some(count) => self.skip(count.checked_mul(*size).ok_or(Misshapen)?),
                None => Ok(()),
            },
            Texts => self.array(Self::text),
        }
    }

    fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Misshapen>,
    ) -> Result<(), Misshapen> {
        for _ in 0..self.count()?.unwrap_or(0) {
            element(self)?;
        }
        Ok(())
    }

    fn text(&mut self) -> Result<(), Misshapen> {
        if self.flexible {
            let length = self.count()?;
            return self.skip(length.unwrap_or(0));
        }
        match i16::from_be_bytes(self.take()?) {
            -1 => Ok(()),
            length => self.skip(usize::try_from(length).map_err(|_| Misshapen)?),
        }
    }

    /// An array's or a blob's length; `None` for null.
    fn count(&mut self) -> Result<Option<usize>, Misshapen> {
        let count = if self.flexible {
            i64::from(self.varint()?) - 1
        } else {
            i64::from(i32::from_be_bytes(self.take()?))
        };
        match count {
            -1 => Ok(None),
            // Every element takes a byte at least.
            count => match usize::try_from(count) {
                Ok(count) if count <= self.rest.len() => Ok(Some(count)),
                _ => Err(Misshapen),
            },
        }
    }

    fn tags(&mut self, sizes: &[(u32, usize)]) -> Result<(), Misshapen> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let size = usize::try_from(self.varint()?).map_err(|_| Misshapen)?;
            // The codec reads a known tag by its type, whatever size is claimed.
            if sizes.iter().any(|(known, right)| *known == tag && *right != size) {
                return Err(Misshapen);
            }
            self.skip(size)?;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u32, Misshapen> {
        let mut value = 0u32;
        for shift in 0..5 {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << (shift * 7);
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Misshapen> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Misshapen)?;
        self.rest = rest;
        Ok(*head)
    }

    fn skip(&mut self, count: usize) -> Result<(), Misshapen> {
        self.rest = self.rest.get(count..).ok_or(Misshapen)?;
        Ok(())
    }
}
