//! Forms: which attributes of which kinds an event has, in the order in which they were sent.
//!
//! Events of one sender repeat few forms, so names are found once per form and not once per event.
//!
//! Invariant: a form's number means the same form as long as any stored event has it.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::Cell;
use crate::nrql::hashing::FixedState;

/// Kinds of stored values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A 64-bit float.
    Number,
    /// An integer beyond ±2⁵³.
    Integer,
    /// A text.
    Text,
    /// A truth value.
    Bool,
    /// A metric value.
    Metric,
}

impl Kind {
    pub(super) fn of(cell: &Cell<'_>) -> Self {
        match cell {
            Cell::Text(_) => Self::Text,
            Cell::Number(_) => Self::Number,
            Cell::Integer(number) if super::is_exact(*number) => Self::Number,
            Cell::Integer(_) => Self::Integer,
            Cell::Bool(_) => Self::Bool,
            Cell::Metric(_) => Self::Metric,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) columns: Vec<(Arc<str>, Kind)>,
    /// Whether a name occurs twice; such a form is never stored.
    pub(super) repeats: bool,
    hash: u64,
    gone: bool,
}

impl Form {
    fn bytes(&self) -> usize {
        96 + self.columns.len() * size_of::<(Arc<str>, Kind)>()
    }
}

#[derive(Debug, Default)]
pub(super) struct Forms {
    forms: Vec<Form>,
    free: Vec<u32>,
    by_hash: IndexMap<u64, SmallVec<[u32; 1]>, FixedState>,
    names: IndexSet<Arc<str>, FixedState>,
    bytes: usize,
}

const NAME_BYTES: usize = 80;

impl Forms {
    pub(super) fn get(&self, id: u32) -> &Form {
        &self.forms[id as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the form with these columns, new or known; `None` when it would be new and
    /// forms take more than `bytes_max` already.
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
                let own = &self.forms[**id as usize].columns;
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
        let mut form = Form { hash, ..Form::default() };
        for (name, kind) in columns {
            form.repeats |= form.columns.iter().any(|(known, _)| &**known == name);
            let name = match self.names.get(name) {
                Some(known) => Arc::clone(known),
                None => {
                    let name: Arc<str> = Arc::from(name);
                    self.bytes += name.len() + NAME_BYTES;
                    self.names.insert(Arc::clone(&name));
                    name
                }
            };
            form.columns.push((name, kind));
        }
        self.bytes += form.bytes();
        let id = match self.free.pop() {
            Some(id) => {
                self.forms[id as usize] = form;
                id
            }
            None => {
                self.forms.push(form);
                self.forms.len() as u32 - 1
            }
        };
        self.by_hash.entry(hash).or_default().push(id);
        id
    }

    /// Forgets the forms for whose number `used` is false, and names that no form has.
    pub(super) fn sweep(&mut self, used: impl Fn(u32) -> bool) {
        for (id, form) in self.forms.iter_mut().enumerate() {
            let id = id as u32;
            if used(id) || form.gone {
                continue;
            }
            self.bytes -= form.bytes();
            if let Some(known) = self.by_hash.get_mut(&form.hash) {
                known.retain(|other| *other != id);
                if known.is_empty() {
                    self.by_hash.swap_remove(&form.hash);
                }
            }
            *form = Form { gone: true, ..Form::default() };
            self.free.push(id);
        }
        self.names.retain(|name| {
            let used = Arc::strong_count(name) > 1;
            if !used {
                self.bytes -= name.len() + NAME_BYTES;
            }
            used
        });
    }
}
