//! Several samples about one thing become one.
//!
//! Invariants:
//! - Samples arrive in the order of their timestamps; equally new ones may come in any order and
//!   give the same result.

use smallvec::SmallVec;

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
    /// Rates (by index) and the window they were measured over.
    windows: SmallVec<[(u64, Window); 1]>,
    /// Newest attributes.
    pub(super) attributes: Attributes<'a>,
    /// The client that reads a partition.
    pub(super) client_id: Option<&'a str>,
    /// Whether there is a lag that the newest sample does not know.
    pub(super) lag_unknown: bool,
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
            windows: sample
                .window
                .map(|window| (rates(&sample.metrics), window))
                .into_iter()
                .collect(),
            attributes: sample.attributes.clone(),
            client_id: sample.client_id,
            lag_unknown: sample.lag_unknown,
            fresh: sample.metrics.iter().fold(0, |mask, (id, _)| mask | bit(id)),
            fresh_attributes: sample.attributes.iter().fold(0, |mask, (id, _)| mask | flag(id)),
        }
    }

    /// Adds a sample that is not older than the ones so far.
    pub(super) fn take(&mut self, sample: &CanonicalSample<'a>) {
        if sample.at > self.at {
            (self.fresh, self.fresh_attributes) = (0, 0);
        }
        let tie = sample.at == self.at;
        self.lag_unknown = sample.lag_unknown || (tie && self.lag_unknown);
        self.at = sample.at;
        self.samples += 1;
        // Equally new rates both stand, as far as windows go: neither is the measured one.
        let rates = rates(&sample.metrics);
        self.windows.iter_mut().for_each(|(measured, _)| *measured &= !(rates & !self.fresh));
        self.windows.retain(|(measured, _)| *measured != 0);
        self.windows.extend(sample.window.map(|window| (rates, window)));
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

    /// Window of the rates that stand.
    pub(super) fn window(&self) -> Option<Window> {
        self.windows.iter().map(|(_, window)| *window).reduce(Window::and)
    }
}

fn rates(metrics: &MetricSet) -> u64 {
    metrics.iter().filter(|(id, _)| is_rate(*id)).fold(0, |mask, (id, _)| mask | bit(id))
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
