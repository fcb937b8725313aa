//! The hasher of the graph's tables: the same in every process, quick on the few words of a GUID.
//!
//! Not modelled: protection against identifiers chosen to collide. Ours are SHA-256; a file with
//! hostile ones makes reading slow, not wrong.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds [`WordHasher`]s.
pub(super) type WordState = BuildHasherDefault<WordHasher>;

/// Folds each word into the state by a multiplication of 128 bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WordHasher(u64);

/// 2⁶⁴ divided by the golden ratio.
const START: u64 = 0x9e37_79b9_7f4a_7c15;
/// Odd, with about as many ones as zeros.
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ START) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}
