//! Hashes of the graph's tables: the same in every process, quick on the few words of a GUID.
//!
//! Not modelled: protection against identifiers chosen to collide. Ours are SHA-256; a file with
//! hostile ones makes reading slow, not wrong.

use super::EdgeKey;
use crate::domain::guid::EntityGuid;

/// 2⁶⁴ divided by the golden ratio.
const START: u64 = 0x9e37_79b9_7f4a_7c15;
/// Odd, with about as many ones as zeros, as are the others.
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
const EVEN_WORDS: u64 = 0xa076_1d64_78bd_642f;
const ODD_WORDS: u64 = 0xe703_7ed1_a0b4_28db;

/// Both halves of a product of 128 bits.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

/// The hash of an entity. Its products do not wait for each other.
pub(super) fn of_guid(guid: &EntityGuid) -> u64 {
    let [head, one, two, three, four] = guid.words();
    let first = fold(one ^ EVEN_WORDS, two ^ ODD_WORDS);
    let second = fold(three ^ ODD_WORDS, four ^ EVEN_WORDS);
    fold(first ^ second.rotate_left(32) ^ head ^ START, FACTOR)
}

/// The hash of a relationship among those of its source.
pub(super) fn of_edge(key: &EdgeKey) -> u64 {
    let target = u64::from(key.ends[1].0);
    fold((target << 8 | u64::from(key.kind as u8)) ^ START, FACTOR)
}
