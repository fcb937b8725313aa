//! Several samples about one thing become one.
//!
//! Invariants:
//! - Samples arrive in the order of their timestamps; equally new ones may come in any order and
//!   give the same result.

use crate::domain::attribute::{AttributeId, Attributes};
use crate::domain::metric::{MetricId, MetricKind, MetricSet};
use crate::domain::units::{UnixMillis, Window};
use crate::transform::CanonicalSample;

/// What the samples so far say about one thing.
#[derive(Debug, Clone)]
pub(super) struct Merged<'a> {
    /// Newest sample.
    pub(super) at: UnixMillis,
    /// Number of samples.
    pub(super) samples: usize,
    /// Newest values.
    pub(super) metrics: MetricSet,
    /// Window of the rates among them.
    pub(super) window: Option<Window>,
    /// Newest attributes.
    pub(super) attributes: Attributes<'a>,
    /// The client that reads a partition.
    pub(super) client_id: Option<&'a str>,
    /// Metrics (by index) and attributes (by number) set at `at`.
    fresh: u64,
    fresh_attributes: u32,
}

impl<'a> Merged<'a> {
    /// What one sample says.
    pub(super) fn of(sample: &CanonicalSample<'a>) -> Self {
        Self {
            at: sample.at,
            samples: 1,
            metrics: sample.metrics.clone(),
            window: sample.window,
            attributes: sample.attributes.clone(),
            client_id: sample.client_id,
            fresh: sample.metrics.iter().fold(0, |mask, (id, _)| mask | bit(id)),
            fresh_attributes: sample.attributes.iter().fold(0, |mask, (id, _)| mask | flag(id)),
        }
    }

    /// Adds a sample that is not older than the ones so far.
    pub(super) fn take(&mut self, sample: &CanonicalSample<'a>) {
        if sample.at > self.at {
            (self.fresh, self.fresh_attributes) = (0, 0);
            if !self.keeps_a_rate(&sample.metrics) {
                self.window = None;
            }
        }
        let tie = sample.at == self.at;
        self.at = sample.at;
        self.samples += 1;
        self.window = Window::union(self.window, sample.window);
        for (id, value) in sample.metrics.iter() {
            let rival = self.metrics.get(id).filter(|_| self.fresh & bit(id) != 0);
            if rival.is_none_or(|rival| value > rival) {
                self.metrics.set(id, value);
            }
            self.fresh |= bit(id);
        }
        for (id, value) in sample.attributes.iter() {
            let rival = self.attributes.get(id).filter(|_| self.fresh_attributes & flag(id) != 0);
            if rival.is_none_or(|rival| value > rival) {
                self.attributes.set(id, value.clone());
            }
            self.fresh_attributes |= flag(id);
        }
        self.client_id = match (self.client_id, sample.client_id) {
            (Some(one), Some(other)) if tie => Some(one.max(other)),
            (one, other) => other.or(one),
        };
    }

    /// Whether a rate known so far stays when `newer` is laid over it.
    fn keeps_a_rate(&self, newer: &MetricSet) -> bool {
        self.metrics.iter().any(|(id, _)| is_rate(id) && !newer.contains(id))
    }
}

/// Whether values of `id` are sampled rates, which have a window.
pub(super) fn is_rate(id: MetricId) -> bool {
    id.def().kind == MetricKind::Rate
}

fn bit(id: MetricId) -> u64 {
    1 << id.index()
}

fn flag(id: AttributeId) -> u32 {
    1 << id as u32
}
