//! Shapes: which attributes of which kinds an event has, in the order in which they were sent.
//!
//! Events of one sender repeat few shapes, so names are stored once per shape and an event is a
//! row of plain 64-bit cells.

use std::sync::Arc;

use indexmap::IndexMap;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// How a cell's 64 bits are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `f64`.
    Number,
    /// `i64` beyond ±2⁵³.
    Integer,
    /// Number of a text in the dictionary.
    Text,
}

#[derive(Debug)]
pub(super) struct Shape {
    pub(super) columns: Vec<(Arc<str>, Kind)>,
    /// Whether a name occurs twice; such a shape is never stored.
    pub(super) repeats: bool,
}

impl Shape {
    /// The column called `name`.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| &**column == name)
    }
}

#[derive(Debug, Default)]
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    by_hash: IndexMap<u64, SmallVec<[u32; 1]>>,
    names: IndexMap<Arc<str>, ()>,
    bytes: usize,
}

impl Shapes {
    pub(super) fn get(&self, id: u32) -> &Shape {
        &self.shapes[id as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the shape with these columns, new or known; `None` when it would be new and
    /// shapes take more than `bytes_max` already.
    pub(super) fn find<'a>(
        &mut self,
        columns: impl Iterator<Item = (&'a str, Kind)> + Clone,
        bytes_max: usize,
    ) -> Option<u32> {
        let mix = |hash: u64, (name, kind): (&str, Kind)| {
            let column = xxh3_64(name.as_bytes()) ^ kind as u64;
            (hash.rotate_left(23) ^ column).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let hash = columns.clone().fold(0, mix);
        if let Some(known) = self.by_hash.get(&hash) {
            let same = |id: &&u32| {
                let own = &self.shapes[**id as usize].columns;
                let mut wanted = columns.clone();
                let equal = |(name, kind): &(Arc<str>, Kind)| {
                    wanted.next().is_some_and(|(n, k)| n == &**name && k == *kind)
                };
                own.iter().all(equal) && wanted.next().is_none()
            };
            if let Some(id) = known.iter().find(same) {
                return Some(*id);
            }
        }
        (self.bytes <= bytes_max).then(|| self.add(hash, columns))
    }

    fn add<'a>(&mut self, hash: u64, columns: impl Iterator<Item = (&'a str, Kind)>) -> u32 {
        let mut shape = Shape { columns: Vec::new(), repeats: false };
        for (name, kind) in columns {
            shape.repeats |= shape.column(name).is_some();
            let name = match self.names.get_full(name) {
                Some((_, known, ())) => Arc::clone(known),
                None => {
                    let name: Arc<str> = Arc::from(name);
                    self.bytes += name.len() + 64;
                    self.names.insert(Arc::clone(&name), ());
                    name
                }
            };
            shape.columns.push((name, kind));
        }
        self.bytes += 64 + shape.columns.len() * size_of::<(Arc<str>, Kind)>();
        let id = u32::try_from(self.shapes.len())
            .expect("the store's memory cap is far below 2³² shapes");
        self.shapes.push(shape);
        self.by_hash.entry(hash).or_default().push(id);
        id
    }
}
