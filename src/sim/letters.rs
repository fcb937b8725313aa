//! Names made of hashes: ten letters that people can say.
//!
//! Invariant: equal hashes give equal names; names carry 50 bits of the hash.

/// Crockford's base32 alphabet, lower case: no `i`, `l`, `o`, `u`.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The first 50 bits of `hash` (its first 8 bytes, big-endian, lowest bits first) as ten letters.
pub fn ten(hash: &[u8]) -> String {
    let bits = hash.iter().take(8).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letter = |index: u32| ALPHABET[(bits >> (5 * index) & 31) as usize] as char;
    (0..10).map(letter).collect()
}
