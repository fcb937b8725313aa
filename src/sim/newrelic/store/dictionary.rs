//! Repeated texts, stored once and counted.
//!
//! Invariant: a text keeps its number while anything uses it; a number is given anew only after its
//! last use ended.

use std::sync::Arc;

use indexmap::IndexMap;

/// Estimated cost of an entry besides its text: two pointers, counts, a hash slot.
const ENTRY_BYTES: usize = 80;

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    uses: u32,
}

/// Texts by number; a text lives as long as something uses it.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    ids: IndexMap<Arc<str>, u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    bytes: usize,
}

impl Dictionary {
    /// The number of `text`, with one more use.
    pub(super) fn take(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            self.entries[id as usize].uses += 1;
            return id;
        }
        let text: Arc<str> = Arc::from(text);
        self.bytes += text.len() + ENTRY_BYTES;
        let entry = Entry { text: Arc::clone(&text), uses: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1)
                    .expect("the store's memory cap is far below 2³² texts")
            }
        };
        self.ids.insert(text, id);
        id
    }

    /// Gives one use back.
    pub(super) fn release(&mut self, id: u32) {
        let entry = &mut self.entries[id as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            self.bytes -= entry.text.len() + ENTRY_BYTES;
            self.ids.swap_remove(&entry.text);
            entry.text = Arc::from("");
            self.free.push(id);
        }
    }

    pub(super) fn text(&self, id: u32) -> &Arc<str> {
        &self.entries[id as usize].text
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_live_as_long_as_they_are_used() {
        let mut dictionary = Dictionary::default();
        let a = dictionary.take("a");
        assert_eq!(dictionary.take("a"), a);
        let b = dictionary.take("b");
        assert_ne!(a, b);
        let bytes = dictionary.bytes();
        dictionary.release(a);
        assert_eq!(&**dictionary.text(a), "a");
        dictionary.release(a);
        assert!(dictionary.bytes() < bytes);
        assert_eq!(dictionary.take("c"), a, "the number is used again");
        assert_eq!(&**dictionary.text(b), "b");
        dictionary.release(a);
        dictionary.release(b);
        assert_eq!(dictionary.bytes(), 0);
    }
}
