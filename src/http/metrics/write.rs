//! Families of samples, one at a time.

use std::collections::BTreeMap;
use std::fmt::Error;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::pipeline::{Counts, DurationHistogram};

/// A metric's name and meaning.
pub(super) type Head = (&'static str, &'static str);
/// Names and values of one sample's labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

pub(super) fn counter(to: &mut DescriptorEncoder<'_>, head: Head, value: u64) -> Result<(), Error> {
    let metric = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

pub(super) fn gauge(to: &mut DescriptorEncoder<'_>, head: Head, value: f64) -> Result<(), Error> {
    let metric = to.encode_descriptor(head.0, head.1, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

pub(super) fn by_label(
    to: &mut DescriptorEncoder<'_>,
    head: Head,
    label: &str,
    counts: &Counts,
) -> Result<(), Error> {
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    for (value, count) in counts {
        let labels = [(label, value.as_str())];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

pub(super) fn by_source(
    to: &mut DescriptorEncoder<'_>,
    head: Head,
    counts: &BTreeMap<String, Counts>,
) -> Result<(), Error> {
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    for (source, reasons) in counts {
        for (reason, count) in reasons {
            let labels = [("source", source.as_str()), ("reason", reason.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// One gauge with labels.
pub(super) fn gauges<V>(
    to: &mut DescriptorEncoder<'_>,
    head: Head,
    samples: &[(Labels<'_>, V)],
) -> Result<(), Error>
where
    V: EncodeGaugeValue + Copy,
    ConstGauge<V>: EncodeMetric,
{
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

/// One counter with labels.
pub(super) fn counters<V>(
    to: &mut DescriptorEncoder<'_>,
    head: Head,
    samples: &[(Labels<'_>, V)],
) -> Result<(), Error>
where
    V: EncodeCounterValue + Copy,
    ConstCounter<V>: EncodeMetric,
{
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    for (labels, value) in samples {
        ConstCounter::new(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

/// One histogram with labels.
pub(super) fn histogram(
    to: &mut DescriptorEncoder<'_>,
    head: Head,
    samples: &[(Labels<'_>, &DurationHistogram)],
) -> Result<(), Error> {
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Histogram)?;
    for (labels, durations) in samples {
        let bounds = durations.bounds_seconds.iter().copied();
        let buckets: Vec<(f64, u64)> = bounds.zip(durations.buckets.iter().copied()).collect();
        let (sum, count) = (durations.sum_seconds, durations.count());
        // An empty list of labels would be written as `{}`.
        if labels.is_empty() {
            family.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        } else {
            let mut member = family.encode_family(labels)?;
            member.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        }
    }
    Ok(())
}

/// Samples with owned lists of labels, as the families want them.
pub(super) fn samples<'a, const N: usize, V: Copy>(
    owned: &'a [([(&'a str, &'a str); N], V)],
) -> Vec<(Labels<'a>, V)> {
    owned.iter().map(|(labels, value)| (labels.as_slice(), *value)).collect()
}
