//! Error budgets: how much may still go wrong.

use serde::Serialize;

use crate::nrql::{QueryResult, Value};

/// What was counted in a span of time: events, or milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Tally {
    /// All that counts.
    pub valid: f64,
    /// What was good of it.
    pub good: f64,
}

/// A budget, and what has been spent of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// What was counted.
    pub tally: Tally,
    /// Share of good events that was promised, in percent.
    pub target_percent: f64,
    /// Share of good events, in percent; nothing is known without events.
    pub attained_percent: Option<f64>,
    /// Bad ones that may be, in the unit of the tally.
    pub allowed: f64,
    /// Bad ones that were.
    pub spent: f64,
    /// Part of the budget that is left, in percent; below 0 when more was spent than there was.
    pub left_percent: Option<f64>,
    /// How many times as fast as allowed it is spent: at 1 it lasts exactly its window.
    pub burn_rate: Option<f64>,
}

impl Tally {
    /// Of the only row of an indicator's answer from NerdGraph.
    pub fn of_row(row: &serde_json::Map<String, serde_json::Value>) -> Self {
        let number = |name| row.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        Self { valid: number("valid"), good: number("good") }
    }

    /// Of the only row of an indicator's answer; an empty window counts nothing.
    pub fn of(answer: &QueryResult) -> Self {
        let number = |name: &str| match answer.results.first().and_then(|row| row.get(name)) {
            Some(Value::Number(number)) => *number,
            #[expect(clippy::cast_precision_loss, reason = "far below what a float holds exactly")]
            Some(Value::Integer(number)) => *number as f64,
            _ => 0.0,
        };
        Self { valid: number("valid"), good: number("good") }
    }
}

impl Budget {
    /// The budget of `tally` when `target_percent` of it should be good; the target is above 0 and
    /// below 100.
    pub fn of(tally: Tally, target_percent: f64) -> Self {
        let bad_share_allowed = 1.0 - target_percent / 100.0;
        let allowed = tally.valid * bad_share_allowed;
        let spent = (tally.valid - tally.good).max(0.0);
        let known = tally.valid > 0.0;
        let burn_rate = known.then(|| spent / allowed);
        Self {
            tally,
            target_percent,
            attained_percent: known.then(|| tally.good / tally.valid * 100.0),
            allowed,
            spent,
            left_percent: burn_rate.map(|rate| (1.0 - rate) * 100.0),
            burn_rate,
        }
    }

    /// Whether the promise is kept so far.
    pub fn is_kept(&self) -> bool {
        self.left_percent.is_none_or(|left| left >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn budgets_by_hand() {
        let check = |valid: f64, good: f64, left: Option<f64>, kept: bool| {
            let budget = Budget::of(Tally { valid, good }, 99.0);
            match (budget.left_percent, left) {
                (Some(found), Some(left)) => assert!((found - left).abs() < 1e-6, "{budget:?}"),
                (found, left) => assert_eq!(found, left),
            }
            assert_eq!(budget.is_kept(), kept);
        };
        check(0.0, 0.0, None, true);
        check(1_000.0, 1_000.0, Some(100.0), true);
        check(1_000.0, 995.0, Some(50.0), true);
        check(1_000.0, 980.0, Some(-100.0), false);
    }

    proptest! {
        #[test]
        fn spent_and_left_are_the_whole(
            valid in 1.0..1e9_f64, share in 0.0..=1.0_f64, target in 1.0..99.99_f64,
        ) {
            let budget = Budget::of(Tally { valid, good: valid * share }, target);
            let left = budget.left_percent.expect("events");
            let spent = budget.spent / budget.allowed * 100.0;
            prop_assert!((left + spent - 100.0).abs() < 1e-6 * spent.max(1.0));
            let attained = budget.attained_percent.expect("events");
            // Away from the edge, where rounding decides.
            if (attained - target).abs() > 1e-9 {
                prop_assert_eq!(budget.is_kept(), attained > target);
            }
        }
    }
}
