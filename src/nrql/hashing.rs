//! The hasher of tables inside queries and the store: the same in every process.

use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Builds [`FixedHasher`]s.
pub type FixedState = BuildHasherDefault<FixedHasher>;

/// xxh3 over texts, a multiplication over whole numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedHasher(u64);

/// Odd, with about as many ones as zeros in every part (2⁶⁴ divided by the golden ratio).
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// What ends a text; texts need no end where they are hashed whole.
    fn write_u8(&mut self, byte: u8) {
        if byte != 0xff {
            self.write_u64(byte.into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0.rotate_left(23) ^ number).wrapping_mul(MIX);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}
