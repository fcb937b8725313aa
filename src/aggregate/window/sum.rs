//! Sums that do not depend on the order of what is added.
//!
//! Invariant: the parts' exact sum is the exact sum of everything added, so that its nearest double
//! is one number, whatever came first. (Shewchuk, "Adaptive Precision Floating-Point Arithmetic
//! and Fast Robust Geometric Predicates", 1997: parts that do not overlap.) Holds while no partial
//! sum overflows, which the catalogue's ranges rule out below 10²⁸⁹ readings.

use smallvec::SmallVec;

/// An exact sum of finite doubles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ExactSum {
    /// Parts that do not overlap, smallest first; mostly one or two.
    parts: SmallVec<[f64; 2]>,
}

/// The rounded sum of two doubles, and what rounding lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let (large, small) = if a.abs() >= b.abs() { (a, b) } else { (b, a) };
    let sum = large + small;
    (sum, small - (sum - large))
}

impl ExactSum {
    /// Adds `value`.
    pub(super) fn add(&mut self, value: f64) {
        let mut carry = value;
        let mut kept = 0;
        for place in 0..self.parts.len() {
            let (sum, lost) = two_sum(carry, self.parts[place]);
            if lost != 0.0 {
                self.parts[kept] = lost;
                kept += 1;
            }
            carry = sum;
        }
        self.parts.truncate(kept);
        self.parts.push(carry);
    }

    /// The double nearest to the sum.
    pub(super) fn total(&self) -> f64 {
        let mut parts = self.parts.iter().rev().copied();
        let Some(mut total) = parts.next() else { return 0.0 };
        let mut lost = 0.0;
        for part in parts.by_ref() {
            (total, lost) = two_sum(total, part);
            if lost != 0.0 {
                break;
            }
        }
        // Half way between two doubles the rest decides to which side.
        if let Some(rest) = parts.next()
            && (lost > 0.0 && rest > 0.0 || lost < 0.0 && rest < 0.0)
        {
            let twice = lost * 2.0;
            let moved = total + twice;
            if moved - total == twice {
                return moved;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.total()
    }

    #[test]
    fn what_plain_addition_loses_is_kept() {
        let check = |values: &[f64], expected: f64| assert_eq!(sum(values), expected, "{values:?}");
        check(&[], 0.0);
        check(&[0.1; 10], 1.0);
        check(&[1e100, 1.0, -1e100], 1.0);
        check(&[1.0, 1e-16, 1e-16], 1.000_000_000_000_000_2);
        check(&[9_007_199_254_740_992.0, 1.0, 1e-9], 9_007_199_254_740_994.0);
        check(&[9_007_199_254_740_992.0, 1.0, -1e-9], 9_007_199_254_740_992.0);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            (values, shuffled) in proptest::collection::vec(-1e18_f64..1e18, 0..60)
                .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
        ) {
            prop_assert_eq!(sum(&values).to_bits(), sum(&shuffled).to_bits());
        }
    }
}
