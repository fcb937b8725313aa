//! Health scores: 0 (worst) to 100.
//!
//! A score begins at 100 and loses points by term. A term whose input is unknown deducts nothing;
//! the cluster's confidence says how many of its terms were known.
//!
//! Invariants:
//! - A score is rounded half up and lies within 0 to 100.
//! - Adding knowledge that something is wrong never raises a score.

/// What a cluster's score is made of; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HealthInputs {
    /// Partitions without a leader.
    pub offline_partitions: Option<f64>,
    /// Partitions with fewer in-sync replicas than replicas.
    pub under_replicated_partitions: Option<f64>,
    /// Mean over reporting brokers, percent.
    pub cpu_mean_percent: Option<f64>,
    /// Mean over reporting brokers, percent.
    pub memory_mean_percent: Option<f64>,
    /// Fullest disk of any broker, percent.
    pub disk_max_percent: Option<f64>,
    /// Failed requests of all requests, percent.
    pub error_rate_percent: Option<f64>,
    /// Mean idle share of the request handlers, percent.
    pub handler_idle_mean_percent: Option<f64>,
    /// Expected brokers that are not there.
    pub brokers_offline: Option<f64>,
    /// Expected brokers.
    pub brokers_total: Option<f64>,
}

/// A cluster's score and how much of it rests on known inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthScore {
    /// 0 to 100.
    pub score: u8,
    /// Share of the eight terms whose input was known, 0 to 1.
    pub confidence: f64,
}

/// A cluster's score; a cluster without any broker scores 0 with confidence 0.
pub fn health_score(inputs: &HealthInputs) -> HealthScore {
    if inputs.brokers_total.is_some_and(|total| total <= 0.0) {
        return HealthScore { score: 0, confidence: 0.0 };
    }
    let brokers = inputs.brokers_offline.zip(inputs.brokers_total);
    let terms = [
        inputs.offline_partitions.map(|count| if count > 0.0 { 30.0 } else { 0.0 }),
        inputs.under_replicated_partitions.map(|count| (2.0 * count.max(0.0)).min(20.0)),
        inputs.cpu_mean_percent.map(|cpu| (0.75 * (cpu - 80.0)).clamp(0.0, 15.0)),
        inputs.memory_mean_percent.map(|memory| (0.75 * (memory - 85.0)).clamp(0.0, 15.0)),
        inputs.disk_max_percent.map(|disk| (2.0 * (disk - 90.0)).clamp(0.0, 20.0)),
        inputs.error_rate_percent.map(|rate| if rate > 5.0 { (2.0 * rate).min(20.0) } else { 0.0 }),
        inputs.handler_idle_mean_percent.map(|idle| if idle < 20.0 { 10.0 } else { 0.0 }),
        brokers.map(|(offline, total)| (100.0 * offline.max(0.0) / total).min(30.0)),
    ];
    let known = terms.iter().flatten().count();
    HealthScore {
        score: score(terms.iter().flatten().sum()),
        confidence: known as f64 / terms.len() as f64,
    }
}

/// What a broker's score is made of; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BrokerHealthInputs {
    /// Partitions it leads with fewer in-sync replicas than replicas.
    pub under_replicated_partitions: Option<f64>,
    /// Percent.
    pub cpu_percent: Option<f64>,
    /// Bytes.
    pub memory_used_bytes: Option<f64>,
    /// Percent.
    pub handler_idle_percent: Option<f64>,
}

/// Memory use above which a broker's score falls by 10: 30 GiB.
const BROKER_MEMORY_LIMIT_BYTES: f64 = 30.0 * 1_073_741_824.0;

/// A broker's score, or none when no input is known.
pub fn broker_health(inputs: &BrokerHealthInputs) -> Option<u8> {
    score_of_known([
        inputs.under_replicated_partitions.map(|count| (10.0 * count.max(0.0)).min(30.0)),
        inputs.cpu_percent.map(|cpu| (cpu - 80.0).clamp(0.0, 20.0)),
        inputs
            .memory_used_bytes
            .map(|used| if used > BROKER_MEMORY_LIMIT_BYTES { 10.0 } else { 0.0 }),
        inputs.handler_idle_percent.map(|idle| if idle < 20.0 { 15.0 } else { 0.0 }),
    ])
}

/// What a consumer group's score is made of; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GroupHealthInputs {
    /// Sum over partitions.
    pub lag_messages: Option<f64>,
    /// Messages per second.
    pub consumption_rate: Option<f64>,
    /// Rebalances per hour.
    pub rebalance_rate: Option<f64>,
    /// Members with work.
    pub members_active: Option<f64>,
    /// All members.
    pub members_total: Option<f64>,
    /// Whether Kafka calls the group `Stable`.
    pub stable: Option<bool>,
}

/// A consumer group's score, or none when no input is known.
pub fn group_health(inputs: &GroupHealthInputs) -> Option<u8> {
    let lag = |lag: f64| match lag {
        _ if lag > 10_000.0 => 40.0,
        _ if lag > 1_000.0 => 20.0,
        _ if lag > 100.0 => 10.0,
        _ => 0.0,
    };
    let members = inputs.members_active.zip(inputs.members_total).filter(|(_, all)| *all > 0.0);
    score_of_known([
        inputs.lag_messages.map(lag),
        inputs.consumption_rate.map(|rate| if rate <= 0.0 { 30.0 } else { 0.0 }),
        inputs.rebalance_rate.map(|rate| if rate > 0.1 { 15.0 } else { 0.0 }),
        members.map(|(active, all)| (100.0 * (all - active) / all).clamp(0.0, 20.0)),
        inputs.stable.map(|stable| if stable { 0.0 } else { 15.0 }),
    ])
}

fn score_of_known<const N: usize>(deductions: [Option<f64>; N]) -> Option<u8> {
    let known = deductions.iter().flatten().count();
    (known > 0).then(|| score(deductions.iter().flatten().sum()))
}

fn score(deductions: f64) -> u8 {
    (100.0 - deductions + 0.5).floor().clamp(0.0, 100.0) as u8
}

#[cfg(test)]
mod tests;
