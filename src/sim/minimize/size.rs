//! How large a scenario is, for people and for the search.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::pass::settings;
use crate::sim::fault::FaultSpec;
use crate::sim::scenario::Scenario;

/// The size of a scenario, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Faults.
    pub faults: u64,
    /// Clusters.
    pub clusters: u64,
    /// Brokers of all clusters.
    pub brokers: u64,
    /// Topics of all clusters.
    pub topics: u64,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Consumer groups of all clusters.
    pub groups: u64,
    /// Settings that are not the defaults.
    pub settings: u64,
    /// Simulated seconds.
    pub seconds: u64,
}

impl Size {
    /// Of `scenario`.
    pub fn of(scenario: &Scenario) -> Self {
        let sum = |of: fn(&crate::sim::scenario::KafkaSpec) -> u64| -> u64 {
            scenario.kafka.values().map(of).sum()
        };
        Self {
            faults: scenario.fault.len() as u64,
            clusters: scenario.kafka.len() as u64,
            brokers: sum(|kafka| kafka.brokers.into()),
            topics: sum(|kafka| kafka.topics.into()),
            partitions: sum(|kafka| u64::from(kafka.topics) * u64::from(kafka.partitions)),
            groups: sum(|kafka| kafka.groups.into()),
            settings: settings::differing(scenario).len() as u64,
            seconds: scenario.duration.0.as_secs(),
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.faults, "fault"),
            (self.clusters, "cluster"),
            (self.brokers, "broker"),
            (self.topics, "topic"),
            (self.partitions, "partition"),
            (self.groups, "group"),
            (self.settings, "setting"),
        ];
        for (count, what) in parts {
            let s = if count == 1 { "" } else { "s" };
            write!(f, "{count} {what}{s}, ")?;
        }
        write!(f, "{} s", self.seconds)
    }
}

/// What a search makes smaller; the first part that differs decides.
///
/// Parts are whole numbers that do not fall for ever, so a search that lets it fall strictly with
/// every step ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Weight {
    /// Faults.
    faults: u64,
    /// Clusters.
    clusters: u64,
    /// Brokers, topics, partitions of a topic, replicas, groups: the sum over all clusters.
    objects: u64,
    /// Settings that are not the defaults.
    settings: u64,
    /// Longest ways from each fault to one that cannot be simpler, summed.
    fault_steps: u64,
    /// Times for which faults are in force, milliseconds, summed.
    fault_ms: u64,
    /// Times before faults begin, milliseconds, summed.
    wait_ms: u64,
    /// Simulated time, milliseconds.
    duration_ms: u64,
    /// Digits of the settings that are not the defaults, without zeros at the end.
    digits: u64,
}

impl Weight {
    /// Of `scenario`.
    pub fn of(scenario: &Scenario) -> Self {
        let objects = scenario.kafka.values().map(|kafka| {
            let parts =
                [kafka.brokers, kafka.topics, kafka.partitions, kafka.replication, kafka.groups];
            parts.into_iter().map(u64::from).sum::<u64>()
        });
        let settings = settings::differing(scenario);
        let mut ways = Ways::default();
        Self {
            faults: scenario.fault.len() as u64,
            clusters: scenario.kafka.len() as u64,
            objects: objects.sum(),
            settings: settings.len() as u64,
            fault_steps: scenario.fault.iter().map(|fault| ways.longest(fault, 0)).sum(),
            fault_ms: scenario.fault.iter().filter_map(|f| Some(f.lasts?.as_millis())).sum(),
            wait_ms: scenario.fault.iter().map(|fault| fault.at.as_millis()).sum(),
            duration_ms: scenario.duration.as_millis(),
            digits: settings.iter().map(|(_, value)| digits(value)).sum(),
        }
    }
}

/// Digits in a setting's value, without zeros at the end of each number.
fn digits(value: &Value) -> u64 {
    let text = value.to_string();
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    numbers.map(|number| number.trim_end_matches('0').len() as u64).sum()
}

/// Longest ways of faults to one that cannot be simpler.
#[derive(Default)]
struct Ways(BTreeMap<String, u64>);

impl Ways {
    /// Beyond this a way is taken to have no end, and a fault on it is never made simpler.
    const LONGEST: u64 = 200;

    fn longest(&mut self, fault: &FaultSpec, depth: u64) -> u64 {
        if depth > Self::LONGEST {
            return Self::LONGEST;
        }
        let key = serde_json::to_string(fault).unwrap_or_default();
        if let Some(known) = self.0.get(&key) {
            return *known;
        }
        let next = super::pass::parameters::simpler(fault);
        let longest = next.iter().map(|fault| 1 + self.longest(fault, depth + 1)).max();
        let longest = longest.unwrap_or(0);
        self.0.insert(key, longest);
        longest
    }
}
