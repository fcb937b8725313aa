//! Figures of the last cycle's entities, as the metrics page shows them. Pure.
//!
//! Invariant: each family holds at most as many series as it may, the first ones by key, so that
//! the same entities keep their series from cycle to cycle; what was left out is counted.

use crate::aggregate::EntityState;
use crate::domain::metric::MetricId;

/// Series of one family that are kept unless somebody says otherwise.
pub const SERIES_MAX: usize = 1_000;

/// One entity's figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Whose product, e.g. `kafka`.
    pub provider: String,
    /// Its cluster.
    pub cluster: String,
    /// Its name within the cluster; a broker's id; a cluster's own name.
    pub name: String,
    /// The value.
    pub value: f64,
}

/// One metric of the entities of one kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Family {
    /// Of the first entities by key whose value is known.
    pub series: Vec<Figure>,
    /// Entities beyond the cap.
    pub left_out: u64,
}

/// The figures of one cycle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// `cluster.health.score`, 0 to 100.
    pub cluster_health_score: Family,
    /// `broker.cpu.usage`, in percent.
    pub broker_cpu_usage: Family,
    /// `topic.throughput.in.messagesPerSecond`.
    pub topic_messages_per_second: Family,
    /// `consumerGroup.lag.total`, in messages.
    pub consumer_group_lag: Family,
}

impl Figures {
    /// The figures of `states`, sorted by key, with at most `series_max` of each metric.
    pub fn of(states: &[EntityState], series_max: usize) -> Self {
        let mut figures = Self::default();
        for state in states {
            for (family, metric) in figures.families() {
                let known = state.key.kind() == metric.entity();
                let Some(value) = known.then(|| state.metrics.get(metric)).flatten() else {
                    continue;
                };
                if family.series.len() >= series_max {
                    family.left_out += 1;
                    continue;
                }
                family.series.push(Figure {
                    provider: state.key.provider().as_str().to_owned(),
                    cluster: state.key.cluster().to_owned(),
                    name: state.key.name().to_owned(),
                    value,
                });
            }
        }
        figures
    }

    fn families(&mut self) -> [(&mut Family, MetricId); 4] {
        [
            (&mut self.cluster_health_score, MetricId::CLUSTER_HEALTH_SCORE),
            (&mut self.broker_cpu_usage, MetricId::BROKER_CPU_USAGE),
            (&mut self.topic_messages_per_second, MetricId::TOPIC_MESSAGES_IN),
            (&mut self.consumer_group_lag, MetricId::GROUP_LAG_TOTAL),
        ]
    }

    /// Entities beyond the cap, all metrics together.
    pub fn left_out(&self) -> u64 {
        let Self {
            cluster_health_score,
            broker_cpu_usage,
            topic_messages_per_second,
            consumer_group_lag,
        } = self;
        let families =
            [cluster_health_score, broker_cpu_usage, topic_messages_per_second, consumer_group_lag];
        families.into_iter().map(|family| family.left_out).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Aggregator, AggregatorConfig};
    use crate::domain::sample::{Origin, RawSample, Subject};
    use crate::domain::units::UnixMillis;
    use crate::transform::transform;

    /// States of `groups` consumer groups whose lag is 10 × their number.
    fn states(groups: i32) -> Vec<EntityState> {
        let at = UnixMillis(1_700_000_000_000);
        let samples: Vec<RawSample<'static>> = (1..=groups)
            .map(|number| {
                let subject = Subject::GroupPartition {
                    group: format!("group-{number:02}").into(),
                    topic: "orders".into(),
                    partition: 0,
                };
                let mut sample = RawSample::new(Origin::Kafka, "c1".to_owned(), subject, at);
                sample.number("consumer.lag", f64::from(number) * 10.0);
                sample
            })
            .collect();
        let canonical = samples.iter().map(|sample| transform(sample).expect("valid")).collect();
        Aggregator::new(AggregatorConfig::default()).fold(canonical, at)
    }

    #[test]
    fn series_are_the_first_by_key_and_the_rest_is_counted() {
        let states = states(5);
        // Cap, series kept, left out.
        for (cap, kept, left_out) in [(0, 0, 5), (4, 4, 1), (5, 5, 0), (6, 5, 0)] {
            let family = Figures::of(&states, cap).consumer_group_lag;
            assert_eq!((family.series.len(), family.left_out), (kept, left_out), "{cap}");
            for (index, figure) in family.series.iter().enumerate() {
                let number = index + 1;
                let expected = Figure {
                    provider: "kafka".to_owned(),
                    cluster: "c1".to_owned(),
                    name: format!("group-{number:02}"),
                    value: number as f64 * 10.0,
                };
                assert_eq!(*figure, expected);
            }
        }
    }

    #[test]
    fn unknown_values_have_no_series() {
        let figures = Figures::of(&states(1), SERIES_MAX);
        assert_eq!(figures.broker_cpu_usage, Family::default());
        assert_eq!(figures.topic_messages_per_second, Family::default());
        assert_eq!(figures.consumer_group_lag.series.len(), 1);
    }
}
