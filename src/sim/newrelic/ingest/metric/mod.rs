//! The Metric API: data points in blocks.
//!
//! A data point is stored as one row of the type `Metric`: its attributes, `metricName`,
//! `timestamp`, `endTimestamp`, `interval.ms`, `newrelic.source`, and its value under its own name.
//!
//! Not modelled: roll-ups. Past the limits of cardinality New Relic stops making them; here raw
//! points answer every query, and the limits are counted and reported.

mod parse;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;

pub use validate::MetricFault;

use super::Pending;
use super::body::unpack;
use super::census::SeriesRoom;
use super::minutes::Counted;
use super::report::RateLimit;
use super::synthesis::NewPoint;
use crate::definitions::Scalar;
use crate::domain::units::UnixMillis;
use crate::newrelic::limits::METRIC_SERIES_PER_NAME_AND_DAY;
use crate::sim::newrelic::state::State;
use parse::{SentBlock, SentMetrics, with_odd_numbers_quoted};
use validate::{Common, ValidPoint};
use xxhash_rust::xxh3::xxh3_64;

/// Event type of data points.
const METRIC_EVENT: &str = "Metric";

/// What was dropped of one request.
type Faults = BTreeMap<MetricFault, u32>;

/// Parses a body that has waited until `at`.
pub(super) fn parse(state: &mut State, pending: &Pending, at: UnixMillis) {
    let json = unpack(&pending.body, pending.encoding, state.config.decoded_bytes_max);
    let outcome = match json.as_deref() {
        Err(unreadable) => Err(unreadable.clone()),
        Ok(json) => match SentMetrics::parse(json) {
            Ok(metrics) => {
                store(state, pending, at, &metrics);
                Ok(())
            }
            // Whatever was wrong with the text, it may have been its numbers only.
            Err(error) => match with_odd_numbers_quoted(json) {
                None => Err(error),
                Some(quoted) => SentMetrics::parse(&quoted)
                    .map(|metrics| store(state, pending, at, &metrics))
                    .map_err(|_| error),
            },
        },
    };
    if let Err(unreadable) = outcome {
        state.lose(pending, at, &unreadable);
    }
}

fn store(state: &mut State, pending: &Pending, at: UnixMillis, metrics: &SentMetrics<'_>) {
    let mut faults = Faults::new();
    let mut stored = 0;
    for block in &metrics.blocks {
        stored += store_block(state, pending, at, metrics, block, &mut faults);
    }
    let points = u64::from(stored);
    state.ingest.minutes.add(pending.account, Counted::Points, points, at);
    state.counters.points_stored += points;
    let rejected = faults.values().sum();
    if let Some(record) = state.requests.get_mut(pending.request) {
        (record.events_stored, record.events_rejected) = (stored, rejected);
    }
    for (fault, count) in faults {
        *state.counters.points_rejected.entry(fault).or_default() += u64::from(count);
        state.report(pending, at, &fault.message(count), None);
    }
}

fn store_block(
    state: &mut State,
    pending: &Pending,
    at: UnixMillis,
    metrics: &SentMetrics<'_>,
    block: &SentBlock<'_>,
    faults: &mut Faults,
) -> u32 {
    let mut fault = |fault, count: usize| {
        *faults.entry(fault).or_default() += u32::try_from(count).unwrap_or(u32::MAX);
    };
    let Some(points) = &block.points else {
        fault(MetricFault::MetricsMissing, 1);
        return 0;
    };
    let points = &metrics.points[points.clone()];
    let now = pending.received_at;
    let common = match block.common.as_ref().map(|sent| validate::common(metrics, sent, now)) {
        None => Common::default(),
        Some(Ok(common)) => common,
        Some(Err(_)) => {
            fault(MetricFault::Common, points.len());
            return 0;
        }
    };
    let mut stored = 0;
    for sent in points {
        match validate::point(metrics, sent, &common, now) {
            Ok(point) => {
                store_point(state, pending, at, point);
                stored += 1;
            }
            Err(why) => fault(why, 1),
        }
    }
    stored
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2⁵³")]
fn store_point(state: &mut State, pending: &Pending, at: UnixMillis, point: ValidPoint<'_>) {
    note_series(state, pending, at, &point);
    let ValidPoint { name, value, timestamp, interval_ms, mut cells } = point;
    let end = timestamp.plus_millis(interval_ms.unwrap_or(0));
    cells.push((name, Scalar::Metric));
    cells.push(("metricName", Scalar::Text(name)));
    cells.push(("endTimestamp", Scalar::Number(end.0 as f64)));
    cells.push(("newrelic.source", Scalar::Text("metricAPI")));
    cells.extend(interval_ms.map(|millis| ("interval.ms", Scalar::Number(millis as f64))));
    state.store_point(NewPoint {
        account: pending.account,
        event_type: METRIC_EVENT,
        timestamp,
        at,
        request: pending.request,
        cells,
        metric: Some(value),
    });
}

/// Counts the point's time series: one name and one set of attributes.
fn note_series(state: &mut State, pending: &Pending, at: UnixMillis, point: &ValidPoint<'_>) {
    let name = xxh3_64(point.name.as_bytes());
    // A sum, so that the order of attributes does not matter.
    let attributes = point.cells.iter().map(|(key, value)| {
        let value = match value {
            Scalar::Text(text) => xxh3_64(text.as_bytes()),
            Scalar::Number(number) => number.to_bits(),
            other => xxh3_64(other.text().as_bytes()),
        };
        (xxh3_64(key.as_bytes()) ^ value.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    let series = attributes.fold(name, u64::wrapping_add);
    let limits = (state.config.metric_series_per_day, METRIC_SERIES_PER_NAME_AND_DAY);
    let account = pending.account;
    let first = match state.ingest.census.series(account, (name, series), limits, at) {
        SeriesRoom::Yes => return,
        SeriesRoom::Account { first } => {
            state.counters.series_over_account += 1;
            first
        }
        SeriesRoom::Name { first } => {
            state.counters.series_over_name += 1;
            first
        }
    };
    if first {
        state.report_rate_limit(account, at, RateLimit::UniqueTimeseriesPerDay);
    }
}
