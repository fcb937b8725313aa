//! A hash table from 64 bits to consecutive numbers.
//!
//! Invariants: keys get the numbers 0, 1, 2 … in the order in which they first come; nothing
//! depends on the process. Made for group keys: open addressing, one multiplication a look-up.

/// The table.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Number of the key that stands here, plus one; 0: free.
    places: Vec<u32>,
    keys: Vec<u64>,
}

const PLACES_MIN: usize = 64;
/// 2⁶⁴ divided by the golden ratio: spreads neighbours.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

impl Table {
    /// The number of `key`, which it gets now if it is new.
    #[inline]
    pub(super) fn number(&mut self, key: u64) -> u32 {
        if (self.keys.len() + 1) * 2 > self.places.len() {
            self.grow();
        }
        let mask = self.places.len() - 1;
        let mut at = place(key, mask);
        loop {
            match self.places[at] {
                0 => {
                    let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX - 1);
                    self.keys.push(key);
                    self.places[at] = number + 1;
                    return number;
                }
                held if self.keys[held as usize - 1] == key => return held - 1,
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The keys in the order of their numbers.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// Forgets everything, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.places.fill(0);
        self.keys.clear();
    }

    /// Memory in use, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * 4 + self.keys.capacity() * 8
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(PLACES_MIN);
        self.places.clear();
        self.places.resize(size, 0);
        let mask = size - 1;
        for (number, key) in self.keys.iter().enumerate() {
            let mut at = place(*key, mask);
            while self.places[at] != 0 {
                at = (at + 1) & mask;
            }
            self.places[at] = u32::try_from(number + 1).unwrap_or(u32::MAX);
        }
    }
}

#[inline]
fn place(key: u64, mask: usize) -> usize {
    let mixed = (key ^ key >> 32).wrapping_mul(MIX);
    let at = (mixed >> 20) as usize;
    at & mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_those_of_an_ordered_set(keys in prop::collection::vec(0u64..500, 0..2_000)) {
            let mut table = Table::default();
            let mut plain = indexmap::IndexSet::<u64>::new();
            for key in keys {
                // Spread over both halves, as pairs of codes are.
                let key = key.wrapping_mul(0x1_0000_0003);
                let expected = plain.insert_full(key).0;
                prop_assert_eq!(table.number(key) as usize, expected);
            }
            prop_assert_eq!(table.keys().to_vec(), plain.into_iter().collect::<Vec<_>>());
        }
    }
}
