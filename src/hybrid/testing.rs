//! Topologies drawn from a seed, for tests: of all providers, with names that try to be taken for
//! each other.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::topology::{BrokerForm, ClusterForm, GroupForm, QueueForm, TopicForm, TopologyForm};

/// Choices of one seed.
pub struct Draw(ChaCha8Rng);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn some<T>(&mut self, value: T) -> Option<T> {
        self.chance(50).then_some(value)
    }
}

/// Parts of names that shift into each other, look alike, or need quoting.
const PARTS: &[&str] = &[
    "a", "b", ":", "%", "|", "%3A", "%25", "/", "\\", "\"", "'", " ", "é", "e\u{301}", "\u{200d}",
    "𝕏", "\n", "\t", "$(x)", "`", "-", "--", "=", "#", "[", "A", "ä", "\u{1b}", "0",
];
const KAFKA_PARTS: &[&str] = &["a", "B", "-", "--", "0", "orders", "x-y", "1", "Z"];

fn name(draw: &mut Draw, parts: &[&str]) -> String {
    let count = 1 + draw.below(4);
    (0..count).map(|_| draw.pick(parts)).collect()
}

/// A valid form: what it draws twice or a provider would refuse is left out.
pub fn topology_form(draw: &mut Draw) -> TopologyForm {
    let mut form = TopologyForm::default();
    let mut names = BTreeSet::new();
    for _ in 0..1 + draw.below(4) {
        let provider = draw.pick(&["kafka", "rabbitmq", "pulsar"]);
        // One name for several providers makes references ambiguous.
        let name = if draw.chance(30) { "a".to_owned() } else { name(draw, PARTS) };
        if names.insert((provider, name.clone())) {
            cluster(draw, provider, name, &mut form);
        }
    }
    for _ in 0..draw.below(4) {
        let region = draw.pick(&["eu-west-1", "us-east-1", "a"]).to_owned();
        let name = name(draw, KAFKA_PARTS) + draw.pick(&["", ".fifo"]);
        let queue = QueueForm {
            provider: None,
            cluster_name: None,
            region: Some(region),
            vhost: None,
            name,
        };
        if !form.queues.contains(&queue) {
            form.queues.push(queue);
        }
    }
    form
}

fn cluster(draw: &mut Draw, provider: &str, cluster_name: String, form: &mut TopologyForm) {
    let named = Some(provider.to_owned());
    let brokers = draw.below(6);
    for id in 0..brokers {
        let id = match provider {
            "kafka" => id.to_string(),
            _ => format!("{id}{}", name(draw, PARTS)),
        };
        let (provider, cluster_name) = (named.clone(), cluster_name.clone());
        form.brokers.push(BrokerForm { provider, cluster_name, id });
    }
    let required = (brokers + 1 + draw.below(3)) as u32;
    let required = draw.some(required);
    form.clusters.push(ClusterForm {
        provider: provider.to_owned(),
        name: cluster_name.clone(),
        required_brokers: required,
        bootstrap_servers: (0..draw.below(3)).map(|n| format!("{n}.example.com:9092")).collect(),
    });
    if provider == "rabbitmq" {
        return queues(draw, cluster_name, form);
    }
    let most = required.unwrap_or(brokers as u32);
    let mut topics = BTreeSet::new();
    for _ in 0..draw.below(12) {
        topics.insert(name(draw, if provider == "kafka" { KAFKA_PARTS } else { PARTS }));
    }
    for topic in &topics {
        let factor = (1 + draw.below(most.max(1) as usize)) as u16;
        form.topics.push(TopicForm {
            provider: named.clone(),
            cluster_name: cluster_name.clone(),
            name: topic.clone(),
            partitions: Some(1 + draw.below(30) as u32).filter(|_| draw.chance(70)),
            replication_factor: draw.some(factor).filter(|_| most > 0),
        });
    }
    let mut groups = BTreeSet::new();
    for _ in 0..draw.below(6) {
        let id = name(draw, PARTS);
        if groups.insert(id.clone()) {
            let topics = topics.iter().filter(|_| draw.chance(30)).cloned().collect();
            let (provider, cluster_name) = (named.clone(), cluster_name.clone());
            form.consumer_groups.push(GroupForm { provider, cluster_name, id, topics });
        }
    }
}

fn queues(draw: &mut Draw, cluster_name: String, form: &mut TopologyForm) {
    let mut taken = BTreeSet::new();
    for _ in 0..draw.below(10) {
        let vhost = draw.pick(&["", "/", "a", "a:b", "%"]).to_owned();
        let name = name(draw, PARTS);
        if taken.insert((vhost.clone(), name.clone())) {
            form.queues.push(QueueForm {
                provider: Some("rabbitmq".to_owned()),
                cluster_name: Some(cluster_name.clone()),
                region: None,
                vhost: Some(vhost),
                name,
            });
        }
    }
}
