//! Points of protocol 4 to samples: points of one entity, time and identity that follow each other
//! are the fields of one sample.

use std::borrow::Cow;

use super::NriDefaults;
use super::draft::{Draft, Envelope};
use super::scan::Scalar;
use crate::domain::sample::{RawField, RawValue};

/// Points gathered so far, each sample with the place of its first point.
#[derive(Default)]
pub(super) struct Points<'a> {
    current: Option<(Draft<'a>, usize)>,
    finished: Option<(Draft<'a>, usize)>,
}

impl<'a> Points<'a> {
    /// Adds the point `point` with its `attributes`; returns whether its value had to be left out.
    pub(super) fn take(
        &mut self,
        point: &mut Draft<'a>,
        attributes: Vec<(Cow<'a, str>, Scalar<'a>)>,
        envelope: &Envelope<'a>,
        defaults: NriDefaults<'a>,
        start: usize,
    ) -> bool {
        let Some(name) = point.metric_name() else { return true };
        let interval_ms = match point.field("interval.ms") {
            Some(RawValue::Number(number)) => Some(number),
            _ => envelope.interval_ms,
        };
        let form = match point.field("type") {
            Some(RawValue::Text(form)) => form,
            _ => Cow::Borrowed("gauge"),
        };
        let (value, skipped) = match (point.field("value"), form.as_ref()) {
            (Some(RawValue::Number(number)), "gauge" | "rate") => {
                (Some(RawValue::Number(number)), false)
            }
            (Some(RawValue::Number(count)), "count") => {
                let rate = per_second(count, interval_ms);
                (rate.clone(), rate.is_none())
            }
            // A summary holds several values; it was counted when its object was skipped.
            (None, _) => (None, false),
            // Cumulative ones are counters.
            (Some(_), _) => (None, true),
        };
        let mut draft = Draft::new();
        draft.reset(point.at().or(envelope.at).unwrap_or(defaults.at));
        for (key, value) in envelope.common.iter().cloned().chain(attributes) {
            draft.put(key, value);
        }
        match &mut self.current {
            Some((current, _)) if current.same_identity(&draft) => {}
            current => self.finished = current.replace((draft, start)),
        }
        if let (Some((current, _)), Some(value)) = (&mut self.current, value) {
            current.sample.fields.push(RawField { name, value });
        }
        skipped
    }

    /// The sample that the last point ended, if it ended one.
    pub(super) fn finished(&mut self) -> Option<(Draft<'a>, usize)> {
        self.finished.take()
    }

    /// No point follows.
    pub(super) fn end(&mut self) {
        self.finished = self.current.take();
    }
}

/// A count over an interval as a rate.
fn per_second(count: f64, interval_ms: Option<f64>) -> Option<RawValue<'static>> {
    let window_ms = interval_ms.filter(|ms| *ms >= 1.0)?.round() as i64;
    Some(RawValue::Rate { per_second: count / (window_ms as f64 / 1_000.0), window_ms })
}
