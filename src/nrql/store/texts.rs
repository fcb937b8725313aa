//! The texts of one attribute within a segment: each text once, a code per row.
//!
//! Invariant: a code says the same text as long as the segment lives; while rows are added the
//! texts of a dictionary are all different.

use std::sync::Arc;

use indexmap::IndexSet;

use super::part::Part;
use crate::nrql::eval::column::{Codes, Column};
use crate::nrql::hashing::FixedState;

/// What a dictionary's entry costs besides its text: the pointer, its counts, the allocator's own.
const ENTRY_BYTES: usize = size_of::<Arc<str>>() + 3 * size_of::<usize>();
/// What finding it costs while the segment grows: a hash, a slot.
const INDEX_BYTES: usize = size_of::<Arc<str>>() + 2 * size_of::<usize>();

/// Codes, as narrow as the dictionary allows once the segment is sealed.
#[derive(Debug, Clone)]
enum CodePart {
    Narrow(Part<u8>),
    Middle(Part<u16>),
    Wide(Part<u32>),
}

macro_rules! each_width {
    ($all:expr, $part:ident => $body:expr) => {
        match $all {
            CodePart::Narrow($part) => $body,
            CodePart::Middle($part) => $body,
            CodePart::Wide($part) => $body,
        }
    };
}

#[derive(Debug, Clone)]
pub(super) struct Texts {
    dictionary: Vec<Arc<str>>,
    /// Finds codes while the segment grows.
    index: IndexSet<Arc<str>, FixedState>,
    codes: CodePart,
    last: u32,
    text_bytes: usize,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self {
            dictionary: Vec::new(),
            index: IndexSet::default(),
            codes: CodePart::Wide(Part::new()),
            last: 0,
            text_bytes: 0,
        }
    }

    /// Appends the text of `row`; returns what that cost in bytes.
    pub(super) fn push(&mut self, row: usize, text: &str) -> usize {
        let (code, cost) = self.code(text);
        self.last = code;
        match &mut self.codes {
            CodePart::Wide(part) => cost + part.push(row, code),
            // Sealed segments take no more rows.
            CodePart::Narrow(_) | CodePart::Middle(_) => cost,
        }
    }

    fn code(&mut self, text: &str) -> (u32, usize) {
        // Senders repeat themselves.
        if self.dictionary.get(self.last as usize).is_some_and(|last| **last == *text) {
            return (self.last, 0);
        }
        if let Some(code) = self.index.get_index_of(text) {
            return (code as u32, 0);
        }
        let text: Arc<str> = Arc::from(text);
        self.text_bytes += text.len();
        let cost = text.len() + ENTRY_BYTES + INDEX_BYTES;
        self.dictionary.push(Arc::clone(&text));
        (self.index.insert_full(text).0 as u32, cost)
    }

    pub(super) fn get(&self, row: usize) -> Option<&Arc<str>> {
        let code = each_width!(&self.codes, part => part.get(row).map(|code| code as usize));
        code.and_then(|code| self.dictionary.get(code))
    }

    pub(super) fn seal(&mut self, rows: usize) {
        self.index = IndexSet::default();
        self.dictionary.shrink_to_fit();
        let all: Vec<u32> = (0..rows as u32).collect();
        if let CodePart::Wide(part) = &self.codes {
            if self.dictionary.len() <= 1 << 8 {
                self.codes = CodePart::Narrow(part.take(&all, |code| code as u8));
            } else if self.dictionary.len() <= 1 << 16 {
                self.codes = CodePart::Middle(part.take(&all, |code| code as u16));
            }
        }
        each_width!(&mut self.codes, part => part.seal(rows));
    }

    /// The given rows with a dictionary of only what they use.
    pub(super) fn take(&self, rows: &[u32]) -> Self {
        let mut dictionary = Vec::new();
        let mut codes = vec![u32::MAX; self.dictionary.len()];
        let mut text_bytes = 0;
        let mut code = |old: usize| {
            let code = &mut codes[old];
            if *code == u32::MAX {
                *code = dictionary.len() as u32;
                text_bytes += self.dictionary[old].len();
                dictionary.push(Arc::clone(&self.dictionary[old]));
            }
            *code
        };
        let codes = each_width!(&self.codes, part => part.take(rows, |old| code(old as usize)));
        let codes = CodePart::Wide(codes);
        Self { dictionary, index: IndexSet::default(), codes, last: 0, text_bytes }
    }

    pub(super) fn column(&self, rows: usize) -> Column<'_> {
        let (codes, valid) = match &self.codes {
            CodePart::Narrow(part) => {
                let (codes, valid) = part.column(rows);
                (Codes::Narrow(codes), valid)
            }
            CodePart::Middle(part) => {
                let (codes, valid) = part.column(rows);
                (Codes::Middle(codes), valid)
            }
            CodePart::Wide(part) => {
                let (codes, valid) = part.column(rows);
                (Codes::Wide(codes), valid)
            }
        };
        Column::Texts { codes, valid, dictionary: self.dictionary.as_slice().into() }
    }

    pub(super) fn bytes(&self) -> usize {
        let codes = each_width!(&self.codes, part => part.bytes());
        codes
            + self.text_bytes
            + self.dictionary.len() * ENTRY_BYTES
            + self.index.len() * INDEX_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        each_width!(&self.codes, part => part.is_empty())
    }
}
