//! What a fault may be drawn for: the hosts and objects of a scenario; and how it is drawn.
//!
//! Invariant: what is drawn depends on the lot's seed and the stage only.

use rand_chacha::ChaCha8Rng;

use crate::config::quantity::DurationText;
use crate::sim::fleet::{broker_host, group_name};
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST, Scenario};
use crate::sim::seed::{below, unit_interval};
use crate::sim::world::HostName;

/// Everything that a fault may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// All clusters, by name.
    pub clusters: Vec<ClusterStage>,
    /// Whether the pipeline keeps events on its disk.
    pub spool: bool,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStage {
    /// Its name.
    pub name: String,
    /// Its brokers' hosts.
    pub brokers: Vec<HostName>,
    /// Number of topics.
    pub topics: u32,
    /// Number of consumer groups.
    pub groups: u32,
    /// Replicas per partition.
    pub replication: u32,
}

impl Stage {
    /// What `scenario` has.
    pub fn of(scenario: &Scenario) -> Self {
        let clusters = scenario.kafka.iter().map(|(name, spec)| ClusterStage {
            name: name.clone(),
            brokers: (1..=spec.brokers).map(|id| broker_host(name, id)).collect(),
            topics: spec.topics,
            groups: spec.groups,
            replication: spec.replication,
        });
        Self { clusters: clusters.collect(), spool: scenario.pipeline.spool }
    }

    /// Every broker's host.
    pub fn brokers(&self) -> Vec<&HostName> {
        self.clusters.iter().flat_map(|cluster| &cluster.brokers).collect()
    }
}

/// Draws.
#[derive(Debug)]
pub struct Lot(ChaCha8Rng);

impl Lot {
    /// Draws from `rng` on.
    pub fn new(rng: ChaCha8Rng) -> Self {
        Self(rng)
    }

    /// One of `all`; `None` if there are none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = below(&mut self.0, all.len() as u64);
        all.get(usize::try_from(index).ok()?)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + below(&mut self.0, most.saturating_sub(least) + 1)
    }

    /// Yes in this share of draws.
    pub fn chance(&mut self, share: f64) -> bool {
        unit_interval(&mut self.0) < share
    }

    /// A time of whole milliseconds, both ends included, even over orders of magnitude.
    pub fn millis(&mut self, least: u64, most: u64) -> DurationText {
        let mut doublings = 0;
        while least.max(1) << (doublings + 1) <= most {
            doublings += 1;
        }
        let from = least.max(1) << self.between(0, doublings);
        DurationText::from_millis(self.between(from, most.min(from * 2)))
    }

    /// A time of whole seconds, both ends included, even over orders of magnitude.
    pub fn seconds(&mut self, least: u64, most: u64) -> DurationText {
        DurationText::from_secs(self.millis(least, most).as_millis())
    }

    /// All, or a share of 0.1 to 0.9 in steps of 0.1.
    pub fn share(&mut self) -> Option<f64> {
        let tenths = self.between(1, 18);
        (tenths <= 9).then(|| f64::from(u32::try_from(tenths).unwrap_or(1)) / 10.0)
    }

    /// Some broker.
    pub fn broker(&mut self, stage: &Stage) -> Option<HostName> {
        self.pick(&stage.brokers()).map(|host| (*host).clone())
    }

    /// A place in a list of `count` things, which is not 0.
    pub fn index(&mut self, count: u32) -> usize {
        usize::try_from(below(&mut self.0, u64::from(count.max(1)))).unwrap_or(0)
    }

    /// Some consumer group, with its cluster.
    pub fn group(&mut self, stage: &Stage) -> Option<(String, String)> {
        let with_groups = stage.clusters.iter().filter(|cluster| cluster.groups > 0);
        let with_groups: Vec<&ClusterStage> = with_groups.collect();
        let cluster = *self.pick(&with_groups)?;
        let group = group_name(self.index(cluster.groups), cluster.topics as usize);
        Some((cluster.name.clone(), group))
    }

    /// Two hosts that talk to each other: the pipeline and New Relic, or the pipeline and a broker.
    pub fn link(&mut self, stage: &Stage) -> Option<[HostName; 2]> {
        let other = if self.chance(0.5) { NEWRELIC_HOST.to_owned() } else { self.broker(stage)? };
        Some([PIPELINE_HOST.to_owned(), other])
    }

    /// Some host.
    pub fn host(&mut self, stage: &Stage) -> Option<HostName> {
        match self.between(1, 4) {
            1 => Some(NEWRELIC_HOST.to_owned()),
            2 => Some(PIPELINE_HOST.to_owned()),
            _ => self.broker(stage),
        }
    }
}
