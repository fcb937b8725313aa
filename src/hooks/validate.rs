//! Middleware: items must have what they need, within what can be.

use std::ops::RangeInclusive;

use super::item::Item;
use super::{Context, Uniform, Verdict};

/// Drops items that lack something (`missing`) or lie outside a range (`out_of_range`).
#[derive(Debug, Clone, Default)]
pub struct Validation {
    /// Names that must have a text or a number.
    pub required: Vec<String>,
    /// Ranges of numbers; a name without a number is in every range.
    pub ranges: Vec<(String, RangeInclusive<f64>)>,
}

impl Uniform for Validation {
    fn look(&mut self, item: &mut dyn Item, _: &Context) -> Verdict {
        let lacks = |name: &String| item.text_of(name).is_none_or(|text| text.is_empty());
        if self.required.iter().any(lacks) {
            return Verdict::Drop("missing".into());
        }
        let outside = |(name, range): &(String, RangeInclusive<f64>)| {
            item.number_of(name).is_some_and(|number| !range.contains(&number))
        };
        if self.ranges.iter().any(outside) {
            return Verdict::Drop("out_of_range".into());
        }
        Verdict::Pass
    }
}
