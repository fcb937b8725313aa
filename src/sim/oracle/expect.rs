//! What each stored figure must be, by arithmetic anyone can follow.
//!
//! A figure has several admissible values only where the fleet gave several answers within one
//! cycle (metadata asked twice, an answer lost and asked again).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cycle::{CycleEvents, CycleView};
use crate::sim::check::record::{FleetRecord, Record, StoredEvent};
use crate::sim::fleet::{BrokerTruth, CommittedTruth, Observed};
use crate::sim::time::SimTime;

/// Admissible values of one figure; empty: it must be absent.
pub type Values = Vec<f64>;
/// Figures by canonical name.
pub type Figures = BTreeMap<&'static str, Values>;

/// Expected figures of one cycle of one cluster.
#[derive(Debug, Default)]
pub struct Expected {
    /// By broker id.
    pub brokers: BTreeMap<i32, Figures>,
    /// By topic.
    pub topics: BTreeMap<String, Figures>,
    /// By group.
    pub groups: BTreeMap<String, Figures>,
    /// Of the cluster.
    pub cluster: Figures,
}

/// A broker's counters and gauges now, and its counters before, with the window between.
struct BrokerSight<'a> {
    now: &'a BrokerTruth,
    /// Each admissible earlier sight.
    before: Vec<&'a BrokerTruth>,
    window_s: Option<f64>,
}

/// Everything an expectation is computed from.
pub struct Situation<'a> {
    record: &'a Record,
    fleet: &'a FleetRecord,
    view: CycleView<'a>,
    events: &'a CycleEvents<'a>,
}

impl<'a> Situation<'a> {
    /// The situation of the cycle that made `events`.
    pub fn new(record: &'a Record, events: &'a CycleEvents<'a>) -> Option<Self> {
        let fleet = record.fleets.get(events.cluster)?;
        let view = CycleView::new(fleet, events.cycle.started, events.cycle.ended);
        Some(Self { record, fleet, view, events })
    }

    /// Every figure of the cycle.
    pub fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        let sights: BTreeMap<i32, BrokerSight<'_>> =
            self.fleet.brokers.iter().filter_map(|id| Some((*id, self.sight(*id)?))).collect();
        for broker in &self.fleet.brokers {
            expected.brokers.insert(*broker, self.broker(*broker, sights.get(broker)));
        }
        for group in &self.fleet.groups {
            expected.groups.insert(group.clone(), self.group(group));
        }
        for topic in &self.fleet.topics {
            expected.topics.insert(topic.clone(), self.topic(topic, &sights));
        }
        expected.cluster = self.cluster(&expected);
        expected
    }

    fn event(&self, type_name: &str, attribute: &str, own: &str) -> Option<&'a StoredEvent> {
        self.events.events.iter().copied().find(|event| {
            event.text("entityType") == type_name
                && (event.text(attribute) == own
                    || event.number(attribute).is_some_and(|number| number.to_string() == own))
        })
    }

    fn sight(&self, broker: i32) -> Option<BrokerSight<'a>> {
        let now = self.view.scrape(broker)?;
        let event = self.event("MESSAGE_QUEUE_BROKER", "brokerId", &broker.to_string());
        let window_ms = event.and_then(|event| event.number("collectionWindowMs"));
        let before = match (event, window_ms) {
            (Some(event), Some(window_ms)) => self.before(event, window_ms, |answer| {
                (answer.0 == broker).then_some(answer.1).and_then(|what| match what {
                    Observed::Scrape(truth) => Some(truth.as_ref()),
                    _ => None,
                })
            }),
            _ => Vec::new(),
        };
        Some(BrokerSight { now, before, window_s: window_ms.map(|ms| ms / 1_000.0) })
    }

    /// What `pick` finds among the answers that can have been the earlier end of a window.
    fn before<T>(
        &self,
        event: &StoredEvent,
        window_ms: f64,
        pick: impl Fn((i32, &'a Observed)) -> Option<T>,
    ) -> Vec<T> {
        let seen_at = self.record.pipeline_time(event.timestamp);
        let back = Duration::from_secs_f64(window_ms / 1_000.0);
        let then = SimTime::from(seen_at.since_start().saturating_sub(back));
        let patience = self.record.scenario.pipeline.request_timeout.0;
        let from = SimTime::from(then.since_start().saturating_sub(patience));
        let until = then + Duration::from_millis(1);
        let journal = &self.fleet.journal;
        let begin = journal.partition_point(|seen| seen.at < from);
        let end = journal.partition_point(|seen| seen.at <= until).max(begin);
        journal[begin..end].iter().filter_map(|seen| pick((seen.broker, &seen.what))).collect()
    }

    fn broker(&self, broker: i32, sight: Option<&BrokerSight<'a>>) -> Figures {
        let mut figures = Figures::new();
        if let Some(sight) = sight {
            broker_gauges(&mut figures, sight.now);
            broker_rates(&mut figures, sight);
        }
        if let Some((total, usable, _)) = self.view.log_dirs(broker)
            && total > 0
        {
            let used = (total - usable) as f64 / total as f64 * 100.0;
            figures.insert("broker.disk.usage", vec![used]);
        }
        figures
    }

    fn topic(&self, topic: &str, sights: &BTreeMap<i32, BrokerSight<'a>>) -> Figures {
        let mut figures = Figures::new();
        let (mut partitions, mut replication, mut under) = (vec![], vec![], vec![]);
        for truth in self.view.metadata() {
            let Some(known) = truth.topics.iter().find(|known| known.name.as_ref() == topic) else {
                continue;
            };
            partitions.push(known.partitions.len() as f64);
            let widest = known.partitions.iter().map(|p| p.replicas.len()).max();
            replication.push(widest.unwrap_or(0) as f64);
            let behind = known.partitions.iter().filter(|p| p.isr.len() < p.replicas.len());
            under.push(behind.count() as f64);
        }
        figures.insert("kafka.partition.count", partitions);
        figures.insert("kafka.replication.factor", replication);
        figures.insert("partitions.underReplicated", under);
        topic_rates(&mut figures, topic, sights);
        self.topic_lag(&mut figures, topic);
        figures
    }

    fn topic_lag(&self, figures: &mut Figures, topic: &str) {
        let ends = self.view.log_ends();
        let (mut worst, mut sum): (Option<i64>, i64) = (None, 0);
        for group in &self.fleet.groups {
            let Some(committed) = self.view.committed(group) else { continue };
            let lags = committed.iter().filter(|c| c.topic.as_ref() == topic).filter_map(|c| {
                ends.get(&(c.topic.as_ref(), c.partition)).map(|end| (end - c.committed).max(0))
            });
            let lags: Vec<i64> = lags.collect();
            if !lags.is_empty() {
                let lag: i64 = lags.iter().sum();
                worst = Some(worst.map_or(lag, |known| known.max(lag)));
                sum += lag;
            }
        }
        if let Some(worst) = worst {
            figures.insert("topic.lag", vec![worst as f64]);
            figures.insert("topic.consumer.lag.sum", vec![sum as f64]);
        }
    }

    fn group(&self, group: &str) -> Figures {
        let mut figures = Figures::new();
        if let Some(truth) = self.view.group(group) {
            figures.insert("consumerGroup.members.total", vec![truth.members as f64]);
        }
        let Some(committed) = self.view.committed(group) else { return figures };
        let ends = self.view.log_ends();
        let lag = |c: &CommittedTruth| {
            ends.get(&(c.topic.as_ref(), c.partition)).map(|end| (end - c.committed).max(0))
        };
        let lags: Vec<i64> = committed.iter().filter_map(lag).collect();
        if !lags.is_empty() {
            let total: i64 = lags.iter().sum();
            figures.insert("consumerGroup.lag.total", vec![total as f64]);
            let max = lags.iter().copied().max().unwrap_or(0);
            figures.insert("consumerGroup.lag.max", vec![max as f64]);
        }
        if let Some(rates) = self.consumption(group, committed) {
            figures.insert("consumerGroup.throughput.messagesPerSecond", rates);
        }
        figures
    }

    /// Growth of a group's committed offsets per second, over partitions known at both ends.
    fn consumption(&self, group: &str, now: &[CommittedTruth]) -> Option<Values> {
        let event = self.event("MESSAGE_QUEUE_CONSUMER_GROUP", "consumerGroup", group)?;
        let window_ms = event.number("collectionWindowMs")?;
        let earlier = self.before(event, window_ms, |(_, what)| match what {
            Observed::Committed { group: of, partitions } if of.as_ref() == group => {
                Some(partitions.as_slice())
            }
            _ => None,
        });
        let rate = |before: &[CommittedTruth]| {
            let then: BTreeMap<_, _> =
                before.iter().map(|c| ((c.topic.as_ref(), c.partition), c.committed)).collect();
            let grown = now.iter().filter_map(|c| {
                let before = then.get(&(c.topic.as_ref(), c.partition))?;
                let grown = c.committed - before;
                (grown >= 0).then_some(grown)
            });
            grown.sum::<i64>() as f64 / (window_ms / 1_000.0)
        };
        Some(earlier.into_iter().map(rate).collect())
    }

    fn cluster(&self, expected: &Expected) -> Figures {
        let mut figures = Figures::new();
        let sums = [
            ("cluster.throughput.total", "broker.messages.in.rate"),
            ("cluster.throughput.in.bytesPerSecond", "broker.network.in.bytesPerSecond"),
            ("cluster.throughput.out.bytesPerSecond", "broker.network.out.bytesPerSecond"),
        ];
        for (total, part) in sums {
            if let Some(sum) = sum_of(expected.brokers.values(), part) {
                figures.insert(total, sum);
            }
        }
        let topics: BTreeSet<_> = self.fleet.topics.iter().collect();
        let external = |name: &str| !name.starts_with("__");
        let (mut partitions, mut under, mut offline) = (vec![], vec![], vec![]);
        for truth in self.view.metadata() {
            let all = truth.topics.iter().filter(|topic| external(&topic.name));
            let all: Vec<_> = all.flat_map(|topic| &topic.partitions).collect();
            partitions.push(all.len() as f64);
            under.push(all.iter().filter(|p| p.isr.len() < p.replicas.len()).count() as f64);
            offline.push(all.iter().filter(|p| p.leader < 0).count() as f64);
        }
        figures.insert("cluster.partitions.total", partitions);
        figures.insert("cluster.partitions.underReplicated", under);
        figures.insert("cluster.partitions.offline", offline);
        figures.insert("topicCount", vec![topics.len() as f64]);
        figures
    }
}

fn broker_gauges(figures: &mut Figures, truth: &BrokerTruth) {
    let gauges = &truth.gauges;
    let cpu = gauges.cpu_load * 100.0;
    figures.insert("broker.cpu.usage", vec![cpu]);
    let total = gauges.memory_total_bytes as f64;
    let used = total - gauges.memory_free_bytes as f64;
    let memory = used / total * 100.0;
    figures.insert("broker.memory.usage", vec![memory]);
    let latency = gauges.produce_p99_ms.max(gauges.fetch_consumer_p99_ms);
    figures.insert("broker.request.latency", vec![latency]);
    figures.insert("partitionCount", vec![gauges.partition_count as f64]);
    figures.insert("leaderPartitions", vec![gauges.leader_count as f64]);
    figures.insert("loadScore", vec![0.6 * cpu + 0.4 * memory]);
}

fn broker_rates(figures: &mut Figures, sight: &BrokerSight<'_>) {
    let Some(seconds) = sight.window_s else { return };
    let mut rate = |name, counter: fn(&BrokerTruth) -> u64| {
        let values = sight.before.iter().filter_map(|before| {
            let grown = counter(sight.now).checked_sub(counter(before))?;
            (before.started_at == sight.now.started_at).then_some(grown as f64 / seconds)
        });
        figures.insert(name, values.collect());
    };
    rate("broker.messages.in.rate", |truth| truth.counters.all.messages_in);
    rate("broker.network.in.bytesPerSecond", |truth| truth.counters.all.bytes_in);
    rate("broker.network.out.bytesPerSecond", |truth| truth.counters.all.bytes_out);
}

fn topic_rates(figures: &mut Figures, topic: &str, sights: &BTreeMap<i32, BrokerSight<'_>>) {
    let _ = (figures, topic, sights);
}

/// Admissible sums of one figure over several brokers; `None` when nobody has it.
fn sum_of<'a>(parts: impl Iterator<Item = &'a Figures>, name: &str) -> Option<Values> {
    let parts: Vec<&Values> =
        parts.filter_map(|figures| figures.get(name)).filter(|values| !values.is_empty()).collect();
    if parts.is_empty() {
        return None;
    }
    let mut sums = vec![0.0];
    for values in parts {
        // More than a handful of answers per broker and cycle means a storm of retries: then the
        // first eight combinations stand for all.
        sums = sums.iter().flat_map(|sum| values.iter().map(move |v| sum + v)).take(8).collect();
    }
    Some(sums)
}
