//! Randomness from the operating system.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::ports::Entropy;

/// Every stream is seeded anew by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// When the operating system has no entropy to give: nothing that follows would be sound.
    fn stream(&self, _purpose: &str) -> ChaCha8Rng {
        let mut seed = [0; 32];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut seed)
            .expect("the operating system gives entropy");
        ChaCha8Rng::from_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn streams_differ_at_each_call() {
        let draw = || OsEntropy.stream("same").next_u64();
        assert_ne!(draw(), draw());
    }
}
