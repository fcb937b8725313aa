//! Which rules a point may satisfy, found without looking at the others.
//!
//! Every rule is filed under ONE of the things it needs, the one that fewest rules need: a value of
//! an attribute, a beginning of one, or its presence. One pass over a point's attributes finds the
//! files that it opens; only the rules in them are checked, by numbers instead of texts.
//!
//! Invariants:
//! - The rules found are exactly those whose needs hold, in the order of their numbers.
//! - A point that satisfies no rule costs no allocation (up to [`INLINE`] attributes that any rule
//!   knows).

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::matching::Scalar;
use super::text::{NumberText, fold};

mod build;
#[cfg(test)]
mod tests;

/// One thing that a rule needs; all must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// The attribute is one of these texts.
    AnyOf(String, Vec<String>),
    /// The attribute begins with this text.
    Prefix(String, String),
    /// The attribute is there.
    Present(String),
    /// The attribute is not there.
    Absent(String),
}

/// Attributes of a point, known to some rule, that need no allocation.
pub(super) const INLINE: usize = 48;
/// No value, no beginning, no entry.
const NONE: u32 = u32::MAX;
/// Chains of the table of a point's attributes.
const HEADS: usize = 128;

/// Rules by what they need.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Index {
    /// Texts are compared without regard to case.
    folded: bool,
    names: Table,
    attributes: Vec<Attribute>,
    values: Table,
    /// (attribute, text, rules filed under it).
    value_nodes: Vec<ValueNode>,
    /// Each attribute's lie together, sorted.
    prefix_nodes: Vec<PrefixNode>,
    /// Rules by file.
    filed: Vec<u32>,
    rules: Vec<Compiled>,
    checks: Vec<Check>,
    /// Values of checks that take several.
    sets: Vec<u32>,
    /// Rules that need nothing of an attribute's being there.
    always: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq)]
struct Attribute {
    name: Box<str>,
    /// Whether any rule looks at its text.
    has_values: bool,
    /// Whether a number's text could be one that a rule looks for.
    numbers_matter: bool,
    /// Its part of `prefix_nodes`.
    prefixes: (u32, u32),
    /// Rules filed under its presence.
    filed: (u32, u32),
}

#[derive(Debug, Clone, PartialEq)]
struct ValueNode {
    attribute: u32,
    text: Box<str>,
    filed: (u32, u32),
}

#[derive(Debug, Clone, PartialEq)]
struct PrefixNode {
    text: Box<str>,
    /// The longest other beginning that this one begins with.
    parent: u32,
    filed: (u32, u32),
}

#[derive(Debug, Clone, PartialEq)]
struct Compiled {
    /// A bit for every attribute that must be there.
    attribute_mask: u64,
    /// A bit for every value that must be there.
    value_mask: u64,
    checks: (u32, u32),
}

/// A need in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Check {
    Value { attribute: u32, value: u32 },
    AnyOf { attribute: u32, set: (u32, u32) },
    Prefix { attribute: u32, node: u32 },
    Present { attribute: u32 },
    Absent { attribute: u32 },
}

/// What one pass over a point's attributes learns.
pub(super) struct Pass {
    entries: SmallVec<[Entry; INLINE]>,
    /// Entry + 1, by attribute.
    heads: [u16; HEADS],
    attribute_mask: u64,
    value_mask: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    attribute: u32,
    value: u32,
    prefix: u32,
    /// Position in the point; positions past its end belong to the virtual attributes.
    at: u32,
    next: u16,
    /// `false`: the empty text, which counts as absent and hides later ones of the name.
    present: bool,
}

impl Pass {
    fn entry(&self, attribute: u32) -> Option<&Entry> {
        let mut at = self.heads[attribute as usize % HEADS];
        while at != 0 {
            let entry = &self.entries[usize::from(at) - 1];
            if entry.attribute == attribute {
                return entry.present.then_some(entry);
            }
            at = entry.next;
        }
        None
    }

    fn is_known(&self, attribute: u32) -> bool {
        let mut at = self.heads[attribute as usize % HEADS];
        while at != 0 {
            let entry = &self.entries[usize::from(at) - 1];
            if entry.attribute == attribute {
                return true;
            }
            at = entry.next;
        }
        false
    }

    /// Position in the point of an attribute by its number in the index.
    pub(super) fn position(&self, attribute: u32) -> Option<usize> {
        self.entry(attribute).map(|entry| entry.at as usize)
    }
}

impl Index {
    /// Files `rules`, numbered in their order; `named` are attributes of which the caller wants
    /// the positions.
    pub(super) fn new<'a>(
        rules: &[Vec<Need>],
        named: impl IntoIterator<Item = &'a str>,
        folded: bool,
    ) -> Self {
        build::index(rules, named, folded)
    }

    /// The number of an attribute that some rule, or the caller, named.
    pub(super) fn attribute(&self, name: &str) -> Option<u32> {
        self.names.find(name_hash(name), |id| *self.attributes[id as usize].name == *name)
    }

    /// Reads a point: its attributes, then those that it has when it has none of that name.
    pub(super) fn read(
        &self,
        attributes: &[(&str, Scalar<'_>)],
        virtuals: &[(&str, Scalar<'_>)],
        found: &mut SmallVec<[u32; 8]>,
    ) -> Pass {
        let mut pass =
            Pass { entries: SmallVec::new(), heads: [0; HEADS], attribute_mask: 0, value_mask: 0 };
        let mut candidates: SmallVec<[u32; 32]> = SmallVec::from_slice(&[]);
        candidates.extend_from_slice(&self.always);
        for (at, (name, value)) in attributes.iter().chain(virtuals).enumerate() {
            if let Some(attribute) = self.attribute(name) {
                self.enter(attribute, *value, at, &mut pass, &mut candidates);
            }
        }
        for &rule in &candidates {
            if self.holds(&self.rules[rule as usize], &pass) {
                found.push(rule);
            }
        }
        found.sort_unstable();
        found.dedup();
        pass
    }

    fn enter(
        &self,
        attribute: u32,
        value: Scalar<'_>,
        at: usize,
        pass: &mut Pass,
        candidates: &mut SmallVec<[u32; 32]>,
    ) {
        // More attributes than a `u16` counts come from no API; the first ones decide.
        if pass.is_known(attribute) || pass.entries.len() >= usize::from(u16::MAX) - 1 {
            return;
        }
        let present = value != Scalar::Text("");
        let (value, prefix) =
            if present { self.look(attribute, value, candidates) } else { (NONE, NONE) };
        if present {
            pass.attribute_mask |= bit(attribute);
            if value != NONE {
                pass.value_mask |= bit(value);
            }
            candidates
                .extend_from_slice(slice(&self.filed, self.attributes[attribute as usize].filed));
        }
        let head = &mut pass.heads[attribute as usize % HEADS];
        let entry = Entry { attribute, value, prefix, at: at as u32, next: *head, present };
        pass.entries.push(entry);
        *head = pass.entries.len() as u16;
    }

    /// The value's number and its longest known beginning.
    fn look(
        &self,
        attribute: u32,
        value: Scalar<'_>,
        candidates: &mut SmallVec<[u32; 32]>,
    ) -> (u32, u32) {
        let known = &self.attributes[attribute as usize];
        if !known.has_values && known.prefixes.0 == known.prefixes.1 {
            return (NONE, NONE);
        }
        match value {
            Scalar::Text(text) => self.look_text(attribute, known, text, candidates),
            Scalar::Bool(true) => self.look_text(attribute, known, "true", candidates),
            Scalar::Bool(false) => self.look_text(attribute, known, "false", candidates),
            Scalar::Metric => (NONE, NONE),
            Scalar::Number(_) | Scalar::Integer(_) if !known.numbers_matter => (NONE, NONE),
            Scalar::Number(_) | Scalar::Integer(_) => {
                let text = NumberText::new(value);
                self.look_text(attribute, known, text.as_str(), candidates)
            }
        }
    }

    fn look_text(
        &self,
        attribute: u32,
        known: &Attribute,
        text: &str,
        candidates: &mut SmallVec<[u32; 32]>,
    ) -> (u32, u32) {
        let folded;
        let text = if self.folded {
            folded = fold(text);
            &*folded
        } else {
            text
        };
        let mut value = NONE;
        if known.has_values
            && let Some(found) = self.value(attribute, text)
        {
            value = found;
            let filed = self.value_nodes[found as usize].filed;
            candidates.extend_from_slice(slice(&self.filed, filed));
        }
        let deepest = self.deepest_prefix(known, text);
        let mut node = deepest;
        while node != NONE {
            let prefix = &self.prefix_nodes[node as usize];
            candidates.extend_from_slice(slice(&self.filed, prefix.filed));
            node = prefix.parent;
        }
        (value, deepest)
    }

    fn value(&self, attribute: u32, text: &str) -> Option<u32> {
        self.values.find(value_hash(attribute, text), |id| {
            let node = &self.value_nodes[id as usize];
            node.attribute == attribute && *node.text == *text
        })
    }

    /// The longest of the attribute's known beginnings that `text` has; its ancestors are the
    /// others. Any beginning of `text` lies before it in order, so all of them are ancestors of
    /// the last known beginning that is not after `text`.
    fn deepest_prefix(&self, known: &Attribute, text: &str) -> u32 {
        let nodes = slice(&self.prefix_nodes, known.prefixes);
        let after = nodes.partition_point(|node| &*node.text <= text);
        let Some(last) = after.checked_sub(1) else { return NONE };
        let mut node = known.prefixes.0 + last as u32;
        while node != NONE {
            let prefix = &self.prefix_nodes[node as usize];
            if text.starts_with(&*prefix.text) {
                return node;
            }
            node = prefix.parent;
        }
        NONE
    }

    fn holds(&self, rule: &Compiled, pass: &Pass) -> bool {
        rule.attribute_mask & !pass.attribute_mask == 0
            && rule.value_mask & !pass.value_mask == 0
            && slice(&self.checks, rule.checks).iter().all(|check| self.check(*check, pass))
    }

    fn check(&self, check: Check, pass: &Pass) -> bool {
        match check {
            Check::Value { attribute, value } => {
                pass.entry(attribute).is_some_and(|entry| entry.value == value)
            }
            Check::AnyOf { attribute, set } => pass
                .entry(attribute)
                .is_some_and(|entry| slice(&self.sets, set).contains(&entry.value)),
            Check::Present { attribute } => pass.entry(attribute).is_some(),
            Check::Absent { attribute } => pass.entry(attribute).is_none(),
            Check::Prefix { attribute, node } => pass.entry(attribute).is_some_and(|entry| {
                let mut at = entry.prefix;
                while at != NONE && at != node {
                    at = self.prefix_nodes[at as usize].parent;
                }
                at == node
            }),
        }
    }
}

fn bit(number: u32) -> u64 {
    1 << (number % 64)
}

fn slice<T>(all: &[T], (from, to): (u32, u32)) -> &[T] {
    &all[from as usize..to as usize]
}

fn value_hash(attribute: u32, text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), u64::from(attribute))
}

/// A hash of an attribute's name from at most 24 of its bytes: most names of a point are known to
/// no rule, and this decides how fast they are passed over. Names that agree in length, beginning,
/// middle and end are told apart by comparison.
fn name_hash(name: &str) -> u64 {
    const K: [u64; 3] = [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9];
    let bytes = name.as_bytes();
    let word = |at: usize| {
        let part = bytes.get(at..at + 8).and_then(|part| part.try_into().ok());
        u64::from_le_bytes(part.unwrap_or_default())
    };
    let length = bytes.len();
    let (first, middle, last) = if length >= 8 {
        (word(0), word(length / 2 - 4), word(length - 8))
    } else {
        let packed = bytes.iter().fold(0, |packed, byte| packed << 8 | u64::from(*byte));
        (packed, 0, 0)
    };
    let mixed = (first ^ (length as u64).wrapping_mul(K[2])).wrapping_mul(K[0])
        ^ middle.rotate_left(23).wrapping_mul(K[1])
        ^ last.rotate_left(41).wrapping_mul(K[2]);
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(K[0]);
    mixed ^ mixed >> 29
}

/// Numbers by hash: open addressing, at most a quarter full, behind a filter that is small enough
/// to stay near.
#[derive(Debug, Clone, PartialEq, Default)]
struct Table {
    slots: Box<[(u32, u32)]>,
    /// One bit for each hash in a field of at least 16 bits for each: few others find theirs set.
    filter: Box<[u64]>,
}

impl Table {
    /// A table of `hashes`, each with its number.
    fn new(hashes: &[u64]) -> Self {
        let size = (hashes.len() * 4).next_power_of_two().max(8);
        let mut slots = vec![(0, NONE); size].into_boxed_slice();
        let mut filter = vec![0; (size / 16).max(1)].into_boxed_slice();
        for (id, hash) in hashes.iter().enumerate() {
            let mut at = *hash as usize % size;
            while slots[at].1 != NONE {
                at = (at + 1) % size;
            }
            slots[at] = ((hash >> 32) as u32, id as u32);
            let (word, bit) = filter_bit(*hash, filter.len());
            filter[word] |= bit;
        }
        Self { slots, filter }
    }

    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (word, bit) = filter_bit(hash, self.filter.len());
        if self.filter.get(word).is_none_or(|set| set & bit == 0) {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (tag, id) = self.slots[at];
            if id == NONE {
                return None;
            }
            if tag == (hash >> 32) as u32 && is_it(id) {
                return Some(id);
            }
            at = (at + 1) & mask;
        }
    }
}

/// The filter takes other bits of the hash than the slots: 38 and up for the word.
fn filter_bit(hash: u64, words: usize) -> (usize, u64) {
    let word = (hash >> 38) as usize & words.wrapping_sub(1);
    (word, 1 << (hash >> 32 & 63))
}
