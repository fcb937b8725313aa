//! Points of protocol 4 to samples: points of one entity, time and identity that follow each other
//! are the fields of one sample.

use std::borrow::Cow;

use super::draft::{Draft, Envelope, Outcome};
use super::scan::Scalar;
use super::{NriDefaults, NriFault};
use crate::domain::sample::{RawField, RawValue};

/// A finished sample and where its first point stands.
type Finished<'a> = (Result<Outcome<'a>, NriFault>, usize);

/// Points gathered so far.
#[derive(Default)]
pub(super) struct Points<'a> {
    current: Option<(Draft<'a>, usize)>,
    skipped: u64,
}

impl<'a> Points<'a> {
    /// Adds the point `point` with its `attributes`; returns the sample before it when the point
    /// begins another one.
    pub(super) fn take(
        &mut self,
        mut point: Draft<'a>,
        attributes: Vec<(Cow<'a, str>, Scalar<'a>)>,
        envelope: &Envelope<'a>,
        defaults: NriDefaults<'a>,
        start: usize,
    ) -> Option<Finished<'a>> {
        let name = point.metric_name()?;
        let interval_ms = match point.field("interval.ms") {
            Some(RawValue::Number(number)) => Some(number),
            _ => envelope.interval_ms,
        };
        let form = match point.field("type") {
            Some(RawValue::Text(form)) => form,
            _ => Cow::Borrowed("gauge"),
        };
        let value = match (point.field("value"), form.as_ref()) {
            (Some(RawValue::Number(number)), "gauge" | "rate") => Some(RawValue::Number(number)),
            (Some(RawValue::Number(count)), "count") if interval_ms.is_some() => {
                per_second(count, interval_ms)
            }
            // A summary holds several values; it was counted when its object was skipped.
            (None, _) => None,
            // Cumulative ones are counters; so is a count over an unknown time.
            (Some(_), _) => {
                self.skipped += 1;
                None
            }
        };
        let mut draft = Draft::new(if point.at == defaults.at {
            envelope.at.unwrap_or(defaults.at)
        } else {
            point.at
        });
        for (key, value) in envelope.common.iter().cloned().chain(attributes) {
            draft.put(key, value);
        }
        let texts = std::mem::take(&mut draft.fields);
        let before = match &self.current {
            Some((current, _)) if !current.same_identity(&draft) => self.finish(envelope, defaults),
            _ => None,
        };
        let (current, _) = self.current.get_or_insert_with(|| {
            draft.fields = texts;
            (draft, start)
        });
        if let Some(value) = value {
            current.fields.push(RawField { name, value });
        }
        before
    }

    /// Values left out since the last call.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// The sample that the points so far make.
    pub(super) fn finish(
        &mut self,
        envelope: &Envelope<'a>,
        defaults: NriDefaults<'a>,
    ) -> Option<Finished<'a>> {
        let (draft, start) = self.current.take()?;
        Some((draft.finish(envelope, defaults), start))
    }
}

/// A count over an interval as a rate.
fn per_second(count: f64, interval_ms: Option<f64>) -> Option<RawValue<'static>> {
    let window_ms = interval_ms.filter(|ms| *ms >= 1.0)?.round() as i64;
    Some(RawValue::Rate { per_second: count / (window_ms as f64 / 1_000.0), window_ms })
}
