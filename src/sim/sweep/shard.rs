//! One of several equal parts of a sweep.
//!
//! Invariant: the shards `1/n` to `n/n` together hold every seed of a range once, whether or not
//! the range has an end: shard `i` takes every n-th seed from the i-th on.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shard `index` of `count`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which one, from 1.
    #[schemars(range(min = 1))]
    pub index: u64,
    /// Of how many.
    #[schemars(range(min = 1))]
    pub count: u64,
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shard: write it as 2/5, the second of five")]
pub struct ShardError(String);

impl Shard {
    /// All of a sweep.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Whether it is all of a sweep.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// The `nth` seed of this shard, from 0, in the range from `first` on; none when there is no
    /// such number.
    pub fn seed(self, first: u64, nth: u64) -> Option<u64> {
        nth.checked_mul(self.count)?.checked_add(self.index - 1)?.checked_add(first)
    }

    /// How many of `seeds` seeds belong to this shard.
    pub fn share(self, seeds: u64) -> u64 {
        seeds / self.count + u64::from(seeds % self.count >= self.index)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parts = text.split_once('/').and_then(|(index, count)| {
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        parts
            .filter(|shard| (1..=shard.count).contains(&shard.index))
            .ok_or_else(|| ShardError(text.to_owned()))
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shards_hold_every_seed_once(
            first in 0u64..1_000, seeds in 0u64..300, count in 1u64..40,
        ) {
            let mut held: Vec<u64> = Vec::new();
            for index in 1..=count {
                let shard = Shard { index, count };
                let mine = (0..shard.share(seeds)).map(|nth| shard.seed(first, nth));
                held.extend(mine.map(|seed| seed.expect("small")));
            }
            held.sort_unstable();
            prop_assert_eq!(held, (first..first + seeds).collect::<Vec<_>>());
        }
    }

    #[test]
    fn only_a_shard_of_its_count_is_one() {
        for (text, shard) in [
            ("1/1", Some((1, 1))),
            ("2/5", Some((2, 5))),
            ("5/5", Some((5, 5))),
            ("0/5", None),
            ("6/5", None),
            ("1/0", None),
            ("3", None),
            ("", None),
            ("a/b", None),
            ("-1/5", None),
            ("1/18446744073709551616", None),
        ] {
            let expected = shard.map(|(index, count)| Shard { index, count });
            assert_eq!(text.parse::<Shard>().ok(), expected, "{text}");
        }
        let error = "6/5".parse::<Shard>().expect_err("there are five").to_string();
        assert!(error.contains("2/5"), "{error}");
    }

    #[test]
    fn seeds_end_with_the_numbers() {
        let shard = Shard { index: 2, count: 3 };
        assert_eq!(shard.seed(u64::MAX - 1, 0), Some(u64::MAX));
        assert_eq!(shard.seed(u64::MAX - 1, 1), None);
        assert_eq!(shard.seed(0, u64::MAX), None);
    }
}
