//! `shakedown topology import`: the topology that an estate has at this moment.
//!
//! Invariants:
//! - What is written loads again; an entity that no topology can ask for is left out and named.
//! - Every cluster requires the brokers that it has; more if a topic has more replicas, because
//!   then brokers were down at this moment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::ValueEnum;

use super::contents;
use crate::cli::estate::{Estate, NewRelicArgs, SourceArgs, Wanted};
use crate::cli::{Exit, complain, output, print};
use crate::domain::entity::EntityKey;
use crate::domain::provider::Provider;
use crate::hybrid::gap::Observed;
use crate::hybrid::topology::{
    BrokerForm, ClusterForm, Fault, GroupForm, List, QueueForm, TopicForm, Topology, TopologyForm,
};

/// How the topology is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    /// TOML.
    Toml,
    /// JSON.
    Json,
}

/// Writes the topology that an estate has at this moment, as a file to begin with.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 written, 1 the file cannot be written, 2 usage, 3 a file is not \
    valid,\n4 the source cannot be asked, or has nothing.\n\
    Example: shakedown topology import --kafka orders=localhost:9092 --out estate.toml"
)]
pub struct ImportArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    newrelic: NewRelicArgs,
    /// Where it is written [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How it is written [default: as the file's name says, else TOML].
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
}

impl ImportArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let estate = match self.source.read(&self.newrelic, Wanted::Subscriptions) {
            Ok(estate) => estate,
            Err(error) => return error.tell(),
        };
        for note in &estate.notes {
            complain(&format!("note: {note}"));
        }
        if estate.observed.is_empty() {
            let source = &estate.source;
            complain(&format!("{source} has no entities\nhelp: try a longer --window"));
            return Exit::Unreachable;
        }
        let topology = topology_of(&estate);
        let is_json = self.out.as_ref().is_some_and(|path| {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
        });
        let text = match (self.format, is_json) {
            (Some(FileFormat::Json), _) | (None, true) => topology.to_json(),
            (Some(FileFormat::Toml), _) | (None, false) => topology.to_toml(),
        };
        let Some(path) = self.out else { return print(&text) };
        match output::write(&path, &text) {
            Ok(()) => print(&format!("{}: {}\n", path.display(), contents(&topology))),
            Err(error) => {
                complain(&format!("{} cannot be written: {error}", path.display()));
                Exit::Failed
            }
        }
    }
}

/// The topology that asks for what `estate` has; what no topology can ask for is told.
fn topology_of(estate: &Estate) -> Topology {
    let mut form = form_of(estate);
    loop {
        match Topology::new(form.clone()) {
            Ok(topology) => return topology,
            Err(faults) => {
                for fault in &faults {
                    complain(&format!("left out: {}", fault.message));
                }
                remove(&mut form, &faults);
            }
        }
    }
}

/// Takes out every element that has a fault; there is one fault at least, so the form shrinks.
fn remove(form: &mut TopologyForm, faults: &[Fault]) {
    fn keep<T>(list: &mut Vec<T>, of: List, faulty: &BTreeSet<(List, usize)>) {
        let mut index = 0;
        list.retain(|_| {
            index += 1;
            !faulty.contains(&(of, index - 1))
        });
    }
    let faulty = faults.iter().map(|fault| (fault.list, fault.index)).collect();
    keep(&mut form.clusters, List::Clusters, &faulty);
    keep(&mut form.brokers, List::Brokers, &faulty);
    keep(&mut form.topics, List::Topics, &faulty);
    keep(&mut form.queues, List::Queues, &faulty);
    keep(&mut form.consumer_groups, List::ConsumerGroups, &faulty);
}

/// A cluster as others refer to it.
type Place = (Provider, String);

fn form_of(estate: &Estate) -> TopologyForm {
    let newest: BTreeMap<&EntityKey, &Observed> = {
        let mut newest: BTreeMap<&EntityKey, &Observed> = BTreeMap::new();
        for seen in &estate.observed {
            let known = newest.entry(&seen.key).or_insert(seen);
            if known.last_seen < seen.last_seen {
                *known = seen;
            }
        }
        newest
    };
    // Brokers that are there, and the most replicas that a topic has.
    let mut clusters: BTreeMap<Place, (u32, u32)> = BTreeMap::new();
    for (key, seen) in newest.iter().filter(|(key, _)| *key.provider() != Provider::Sqs) {
        let place = (key.provider().clone(), key.cluster().to_owned());
        let (brokers, replicas) = clusters.entry(place).or_default();
        *brokers += u32::from(matches!(key, EntityKey::Broker { .. }));
        *replicas = (*replicas).max(seen.replication_factor.unwrap_or(0).into());
    }
    let mut form = TopologyForm::default();
    for ((provider, name), (brokers, replicas)) in clusters {
        let key = EntityKey::Cluster { provider: provider.clone(), cluster: name.clone() };
        form.clusters.push(ClusterForm {
            provider: provider.to_string(),
            name,
            required_brokers: (brokers > 0).then_some(brokers.max(replicas)),
            bootstrap_servers: estate.bootstrap.get(&key).cloned().unwrap_or_default(),
        });
    }
    for (key, seen) in &newest {
        push(&mut form, estate, key, seen, |topic| {
            let EntityKey::Group { provider, cluster, .. } = key else { return false };
            let (provider, cluster) = (provider.clone(), cluster.clone());
            let topic = topic.to_owned();
            newest.contains_key(&EntityKey::Topic { provider, cluster, topic })
        });
    }
    form
}

/// Adds the form of one entity; `is_known` says which topics a group may name.
fn push(
    form: &mut TopologyForm,
    estate: &Estate,
    key: &EntityKey,
    seen: &Observed,
    is_known: impl Fn(&str) -> bool,
) {
    let provider = Some(key.provider().to_string());
    let (cluster_name, name) = (key.cluster().to_owned(), key.name().to_owned());
    match key {
        EntityKey::Cluster { .. } => {}
        EntityKey::Broker { .. } => {
            form.brokers.push(BrokerForm { provider, cluster_name, id: name });
        }
        EntityKey::Topic { .. } => form.topics.push(TopicForm {
            provider,
            cluster_name,
            name,
            partitions: seen.partitions.filter(|count| *count > 0),
            replication_factor: seen.replication_factor.filter(|factor| *factor > 0),
        }),
        EntityKey::Queue { vhost, .. } => {
            let (cluster_name, region) = match key.provider() {
                Provider::Sqs => (None, Some(cluster_name)),
                _ => (Some(cluster_name), None),
            };
            let vhost = (*key.provider() != Provider::Sqs).then(|| vhost.clone());
            form.queues.push(QueueForm { provider, cluster_name, region, vhost, name });
        }
        EntityKey::Group { .. } => {
            let topics = estate.subscriptions.get(key).into_iter().flatten();
            let topics = topics.filter(|topic| is_known(topic)).cloned().collect();
            form.consumer_groups.push(GroupForm { provider, cluster_name, id: name, topics });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::units::UnixNanos;
    use crate::hybrid::gap::{Detector, Tolerance};
    use crate::hybrid::testing::{Draw, topology_form};
    use crate::hybrid::topology::Plan;

    /// An estate that has exactly what a topology asks for.
    fn estate_of(topology: &Topology) -> Estate {
        let mut estate = Estate::default();
        for entity in topology.entities() {
            let mut seen = Observed::new(entity.key.clone(), UnixNanos(1));
            match entity.plan {
                Plan::Topic { partitions, replication_factor } => {
                    seen.partitions = *partitions;
                    seen.replication_factor = *replication_factor;
                }
                Plan::Group { topics } => {
                    estate.subscriptions.insert(entity.key.clone(), topics.clone());
                }
                _ => {}
            }
            estate.observed.push(seen);
        }
        estate
    }

    #[test]
    fn an_imported_topology_finds_no_gap_in_its_estate() {
        let (mut entities, mut partial) = (0, 0);
        for seed in 0..100 {
            let desired = Topology::new(topology_form(&mut Draw::new(seed))).expect("valid");
            let estate = estate_of(&desired);
            let imported = topology_of(&estate);
            let again = Topology::load("t.toml", &imported.to_toml()).expect("loads");
            let detector = Detector::new(again, Tolerance::default());
            let report = detector.examine(&estate.observed, UnixNanos(1));
            let missing = report.all_missing().count() + report.unexpected.len();
            assert_eq!((missing, report.mismatches.len()), (0, 0), "seed {seed}: {report:?}");
            assert_eq!(imported.len(), desired.len(), "seed {seed}");
            // Only where a topic has more replicas than there are brokers is anything wrong.
            partial += report.partial_clusters.len();
            entities += imported.len();
        }
        assert!(entities > 1_000, "only {entities} entities were imported");
        assert!((1..50).contains(&partial), "{partial} clusters with more replicas than brokers");
    }

    #[test]
    fn what_no_topology_can_ask_for_is_left_out() {
        let topic = |topic: &str| EntityKey::Topic {
            provider: Provider::Kafka,
            cluster: "k".into(),
            topic: topic.into(),
        };
        let observed = [topic("a b"), topic("ok")].map(|key| Observed::new(key, UnixNanos(1)));
        let estate = Estate { observed: observed.to_vec(), ..Estate::default() };
        let topology = topology_of(&estate);
        assert_eq!(topology.len(), 2, "the cluster and the other topic");
        assert!(topology.plan(&topic("ok")).is_some());
    }
}
