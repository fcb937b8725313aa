//! Draws from a seeded stream, in whole numbers only, so that every machine draws the same.

use rand_chacha::ChaCha8Rng;

use crate::sim::seed::{Seed, below};

/// One in so many draws from a range is its least, and as many are its most: ends find more.
const END_ONE_IN: u64 = 10;

/// A stream to draw from.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream called `name` of `seed`.
    pub fn new(seed: Seed, name: &str) -> Self {
        Self(seed.stream(name))
    }

    /// Uniform from `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        below(&mut self.0, bound)
    }

    /// True in a share of `share` of the draws, to a thousandth.
    pub fn chance(&mut self, share: f64) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share lies between 0 and 1"
        )]
        let thousandths = (share.clamp(0.0, 1.0) * 1_000.0).round() as u64;
        self.below(1_000) < thousandths
    }

    /// Uniform from `least` to `most`, both included.
    pub fn even(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// From `least` to `most`, both included: all magnitudes are equally likely, and the ends more
    /// than anything else.
    pub fn wide(&mut self, least: u64, most: u64) -> u64 {
        match self.below(END_ONE_IN) {
            0 => return least,
            1 => return most.max(least),
            _ => {}
        }
        let floor = least.max(1);
        let doublings = (most / floor).checked_ilog2().unwrap_or(0);
        let band = u32::try_from(self.below(u64::from(doublings) + 1)).unwrap_or(0);
        let low = floor << band;
        let high = low.saturating_mul(2).saturating_sub(1).min(most).max(low);
        self.even(low, high).clamp(least, most.max(least))
    }

    /// One of `choices`; `None` when there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let place = self.below(choices.len() as u64);
        choices.get(usize::try_from(place).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_in_their_range_and_reach_its_ends() {
        let mut dice = Dice::new(Seed(1), "test");
        for (least, most) in [(0, 0), (0, 1), (1, 5), (7, 7), (3, 1_000_000), (0, u64::MAX)] {
            let draws: Vec<u64> = (0..500).map(|_| dice.wide(least, most)).collect();
            assert!(draws.iter().all(|draw| (least..=most).contains(draw)), "{least} to {most}");
            assert!(draws.contains(&least) && draws.contains(&most), "{least} to {most}");
            let even = dice.even(least, most);
            assert!((least..=most).contains(&even), "{least} to {most}");
        }
    }

    #[test]
    fn small_numbers_are_as_likely_as_large_ones() {
        let mut dice = Dice::new(Seed(1), "test");
        let small = (0..2_000).filter(|_| dice.wide(1, 1 << 20) < 1 << 10).count();
        assert!((800..1_200).contains(&small), "{small} of 2000");
    }

    #[test]
    fn chances_and_picks() {
        let mut dice = Dice::new(Seed(2), "test");
        assert!((0..100).all(|_| dice.chance(1.0) && !dice.chance(0.0)));
        let heads = (0..1_000).filter(|_| dice.chance(0.3)).count();
        assert!((250..350).contains(&heads), "{heads} of 1000");
        assert_eq!(dice.pick::<u8>(&[]), None);
        assert_eq!(dice.pick(&[4]), Some(&4));
    }
}
