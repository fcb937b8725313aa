//! FarmHash Fingerprint64 (the `farmhashna` variant that Guava calls `farmHashFingerprint64`).
//!
//! New Relic hashes identifiers with it over UTF-16LE (Java's `hashUnencodedChars`) and writes the
//! result as a signed decimal. Nothing documents this; 13 published GUIDs agree, see the tests.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// Fingerprint of `text` as New Relic writes it into a GUID.
pub fn identifier_hash(text: &str) -> i64 {
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fingerprint64(&bytes).cast_signed()
}

/// Fingerprint of `bytes`.
pub fn fingerprint64(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=16 => hash_up_to_16(bytes),
        17..=32 => hash_17_to_32(bytes),
        33..=64 => hash_33_to_64(bytes),
        _ => hash_long(bytes),
    }
}

fn fetch64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn fetch32(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(word))
}

fn shift_mix(value: u64) -> u64 {
    value ^ (value >> 47)
}

fn hash_16(u: u64, v: u64, mul: u64) -> u64 {
    let a = shift_mix((u ^ v).wrapping_mul(mul));
    shift_mix((v ^ a).wrapping_mul(mul)).wrapping_mul(mul)
}

fn length_mul(len: usize) -> u64 {
    K2.wrapping_add(2 * len as u64)
}

fn hash_up_to_16(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let mul = length_mul(len);
    if len >= 8 {
        let a = fetch64(bytes, 0).wrapping_add(K2);
        let b = fetch64(bytes, len - 8);
        let c = b.rotate_right(37).wrapping_mul(mul).wrapping_add(a);
        let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(mul);
        return hash_16(c, d, mul);
    }
    if len >= 4 {
        let a = fetch32(bytes, 0);
        return hash_16((len as u64).wrapping_add(a << 3), fetch32(bytes, len - 4), mul);
    }
    if len == 0 {
        return K2;
    }
    let (a, b, c) = (bytes[0], bytes[len / 2], bytes[len - 1]);
    let y = u64::from(a) + (u64::from(b) << 8);
    let z = len as u64 + (u64::from(c) << 2);
    shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
}

fn hash_17_to_32(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let mul = length_mul(len);
    let a = fetch64(bytes, 0).wrapping_mul(K1);
    let b = fetch64(bytes, 8);
    let c = fetch64(bytes, len - 8).wrapping_mul(mul);
    let d = fetch64(bytes, len - 16).wrapping_mul(K2);
    let u = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let v = a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c);
    hash_16(u, v, mul)
}

fn hash_33_to_64(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let mul = length_mul(len);
    let a = fetch64(bytes, 0).wrapping_mul(K2);
    let b = fetch64(bytes, 8);
    let c = fetch64(bytes, len - 8).wrapping_mul(mul);
    let d = fetch64(bytes, len - 16).wrapping_mul(K2);
    let y = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let z = hash_16(y, a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c), mul);
    let e = fetch64(bytes, 16).wrapping_mul(mul);
    let f = fetch64(bytes, 24);
    let g = y.wrapping_add(fetch64(bytes, len - 32)).wrapping_mul(mul);
    let h = z.wrapping_add(fetch64(bytes, len - 24)).wrapping_mul(mul);
    let u = e.wrapping_add(f).rotate_right(43).wrapping_add(g.rotate_right(30)).wrapping_add(h);
    let v = e.wrapping_add(f.wrapping_add(a).rotate_right(18)).wrapping_add(g);
    hash_16(u, v, mul)
}

fn weak_hash_32(bytes: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let word = |index: usize| fetch64(bytes, at + 8 * index);
    let a = a.wrapping_add(word(0));
    let b = b.wrapping_add(a).wrapping_add(word(3)).rotate_right(21);
    let c = a;
    let a = a.wrapping_add(word(1)).wrapping_add(word(2));
    let b = b.wrapping_add(a.rotate_right(44));
    (a.wrapping_add(word(3)), b.wrapping_add(c))
}

/// The 56 bytes of state that run over blocks of 64 bytes.
struct Long {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl Long {
    /// One block at `at`; `scale` is 1 in the loop and 9 at the end.
    fn block(&mut self, bytes: &[u8], at: usize, mul: u64, scale: u64) {
        let word = |offset: usize| fetch64(bytes, at + offset);
        let Self { x, y, z, v, w } = self;
        let sum = x.wrapping_add(*y).wrapping_add(v.0).wrapping_add(word(8));
        *x = sum.rotate_right(37).wrapping_mul(mul);
        let sum = y.wrapping_add(v.1).wrapping_add(word(48));
        *y = sum.rotate_right(42).wrapping_mul(mul);
        *x ^= w.1.wrapping_mul(scale);
        *y = y.wrapping_add(v.0.wrapping_mul(scale)).wrapping_add(word(40));
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(mul);
        *v = weak_hash_32(bytes, at, v.1.wrapping_mul(mul), x.wrapping_add(w.0));
        let (a, b) = (z.wrapping_add(w.1), y.wrapping_add(word(16)));
        *w = weak_hash_32(bytes, at + 32, a, b);
        std::mem::swap(z, x);
    }
}

fn hash_long(bytes: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let len = bytes.len();
    let y = SEED.wrapping_mul(K1).wrapping_add(113);
    let z = shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
    let x = SEED.wrapping_mul(K2).wrapping_add(fetch64(bytes, 0));
    let mut state = Long { x, y, z, v: (0, 0), w: (0, 0) };
    for block in 0..(len - 1) / 64 {
        state.block(bytes, 64 * block, K1, 1);
    }
    let mul = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add((len as u64 - 1) & 63);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.block(bytes, len - 64, mul, 9);
    let Long { x, y, z, v, w } = state;
    let u = hash_16(v.0, w.0, mul);
    let u = u.wrapping_add(shift_mix(y).wrapping_mul(K0)).wrapping_add(z);
    hash_16(u, hash_16(v.1, w.1, mul).wrapping_add(x), mul)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identifiers and the hashes that New Relic's public GUIDs, bot comments and test data show.
    const PUBLISHED: [(&str, i64); 13] = [
        ("frontend", -9154792751011238510),
        ("checkout", -6059521108385583429),
        ("productcatalogservice", 279368927550750403),
        ("recommendationservice", -1098131343164443719),
        ("test-pihole", 8684436900268909661),
        ("test-piHole", -4583632474632553431),
        ("test-hostname", -4988731027825828648),
        ("784558F2053D", 3997086220620660013),
        ("argocd-metrics", 3875686797965887024),
        (
            "ka-broker:kafka-broker-1.kafka-broker-headless.can-kafka.svc.cluster.local:9092:\
             brokerid=101:clustername=coreint-canary-aws-arm",
            -2193231843140704166,
        ),
        ("ka-topic:topicB:clustername=coreint-canary-aws-arm", -7531641730395459137),
        ("ka-cluster:kafka:cluster", 5406665865585790582),
        (
            "ra-queue:k8s:coreint-canary-aws-arm:can-rabbitmq:pod:rabbitmq-0:rabbitmq:15672:\
             /clientTestQueue:clustername=rabbitmq",
            -7721395366730144138,
        ),
    ];

    /// Further values of the same function: every length class, accents, surrogate pairs.
    const DERIVED: [(&str, i64); 6] = [
        ("", -7286425919675154353),
        ("a", -7482476525498038436),
        ("é", -3546165515589194589),
        ("😀", 4256376046719762795),
        ("orders:prod", -8600275142680829050),
        ("101:coreint", -3498763314690041791),
    ];

    #[test]
    fn published_identifiers_hash_to_the_published_values() {
        for (text, expected) in PUBLISHED.into_iter().chain(DERIVED) {
            assert_eq!(identifier_hash(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_of_utf8_give_other_values() {
        for (text, published) in PUBLISHED {
            assert_ne!(fingerprint64(text.as_bytes()).cast_signed(), published, "{text}");
        }
    }

    /// `Hash64` of the same library for 33 to 64 bytes, where it is another function; up to 32 and
    /// between 97 and 256 bytes it is the same.
    fn hash64(bytes: &[u8]) -> u64 {
        let len = bytes.len();
        let mul = K2.wrapping_sub(30);
        let half = |at: usize| {
            let a = fetch64(bytes, at).wrapping_mul(K1);
            let b = fetch64(bytes, at + 8);
            let c = fetch64(bytes, at + 24).wrapping_mul(mul);
            let d = fetch64(bytes, at + 16).wrapping_mul(K2);
            let u = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30));
            let u = u.wrapping_add(d);
            let v = a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c);
            let a = shift_mix((u ^ v).wrapping_mul(mul));
            shift_mix((v ^ a).wrapping_mul(mul))
        };
        half(len - 32).wrapping_mul(mul).wrapping_add(half(0)).wrapping_mul(mul)
    }

    #[test]
    fn the_other_hash_of_the_library_gives_other_values() {
        let mut told_apart = Vec::new();
        for (text, published) in PUBLISHED {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            if (33..=64).contains(&bytes.len()) {
                assert_ne!(hash64(&bytes).cast_signed(), published, "{text}");
                told_apart.push(text);
            }
        }
        // The three identifiers that decided which of the two functions it is.
        assert_eq!(
            told_apart,
            ["productcatalogservice", "recommendationservice", "ka-cluster:kafka:cluster"]
        );
    }
}
