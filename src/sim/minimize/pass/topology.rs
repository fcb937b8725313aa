//! A smaller fleet: fewer clusters, brokers, topics, partitions, replicas, groups.
//!
//! Invariant: faults that name an object that is gone name another one in its place, and no two
//! objects that faults name become one.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rename::renamed;
use super::super::search::{Search, Stopped};
use crate::sim::fault::{FaultSpec, Object};
use crate::sim::fleet::broker_host;
use crate::sim::scenario::{KafkaSpec, Scenario};

/// Makes the fleet smaller, cluster by cluster.
pub fn shrink(search: &mut Search<'_>) -> Result<(), Stopped> {
    let names: Vec<String> = search.best().kafka.keys().cloned().collect();
    for name in &names {
        search.advance(&[without(search.best(), name)])?;
    }
    let names: Vec<String> = search.best().kafka.keys().cloned().collect();
    for name in &names {
        let smallest: Vec<Scenario> = smallest(search.best(), name).into_iter().collect();
        search.advance(&smallest)?;
        for field in FIELDS {
            while search.advance(&lower(search.best(), name, *field))?.is_some() {}
        }
    }
    Ok(())
}

/// Everything of a cluster that a fault may name: brokers' hosts, topics, groups.
type Names = [Vec<String>; 3];

fn names(cluster: &str, kafka: &KafkaSpec) -> Names {
    let brokers = kafka.fleet(cluster).brokers_in_all();
    let hosts = (1..=brokers).map(|id| broker_host(cluster, id)).collect();
    [hosts, kafka.topic_names(), kafka.group_names()]
}

/// Whether a fault befalls something of the cluster.
fn concerns(fault: &FaultSpec, cluster: &str, hosts: &[String]) -> bool {
    let own = |object: &Object| match object {
        Object::Cluster(name)
        | Object::Topic { cluster: name, .. }
        | Object::Group { cluster: name, .. } => name == cluster,
    };
    fault.objects().iter().any(|(_, object)| own(object))
        || fault.hosts().iter().any(|(_, host)| hosts.contains(host))
}

/// The scenario without a cluster and without the faults that befall something of it.
fn without(best: &Scenario, cluster: &str) -> Scenario {
    let mut candidate = best.clone();
    if let Some(kafka) = candidate.kafka.remove(cluster) {
        let [hosts, ..] = names(cluster, &kafka);
        candidate.fault.retain(|fault| !concerns(fault, cluster, &hosts));
    }
    candidate
}

/// What of `all` a fault names.
fn named(faults: &[&FaultSpec], all: &[String]) -> BTreeSet<usize> {
    let mut texts = BTreeSet::new();
    for fault in faults {
        texts.extend(fault.hosts().into_iter().map(|(_, host)| host));
        texts.extend(fault.objects().into_iter().filter_map(|(_, object)| match object {
            Object::Cluster(_) => None,
            Object::Topic { topic: name, .. } | Object::Group { group: name, .. } => Some(name),
        }));
    }
    (0..all.len()).filter(|index| texts.contains(&all[*index])).collect()
}

/// The scenario with a changed cluster. What faults name beyond the new number of brokers, topics
/// or groups becomes what no fault names, the last first; `None` when there is no room for all.
fn resized(
    best: &Scenario,
    cluster: &str,
    change: impl FnOnce(&mut KafkaSpec),
) -> Option<Scenario> {
    let mut candidate = best.clone();
    let kafka = candidate.kafka.get_mut(cluster)?;
    let before = names(cluster, kafka);
    change(kafka);
    kafka.replication = kafka.replication.min(kafka.brokers);
    let after = names(cluster, kafka);
    let own: Vec<&FaultSpec> =
        best.fault.iter().filter(|fault| concerns(fault, cluster, &before[0])).collect();
    let mut other = BTreeMap::new();
    for (before, after) in before.iter().zip(&after) {
        let named = named(&own, before);
        let mut free = (0..after.len()).rev().filter(|index| !named.contains(index));
        for index in named.iter().copied() {
            let next = if index < after.len() { index } else { free.next()? };
            other.insert(before[index].clone(), after[next].clone());
        }
    }
    for fault in &mut candidate.fault {
        if concerns(fault, cluster, &before[0]) {
            *fault = renamed(fault, &other)?;
        }
    }
    Some(candidate)
}

/// Numbers from `least` to below `now`, the least first.
fn ladder(least: u32, now: u32) -> Vec<u32> {
    let span = now.saturating_sub(least);
    let mut numbers = vec![least, least + span / 4, least + span / 2, least + span / 4 * 3];
    numbers.push(now.saturating_sub(1));
    numbers.retain(|number| (least..now).contains(number));
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// A part of a cluster's size, and the least that it may be.
type Field = fn(&mut KafkaSpec) -> (&mut u32, u32);

/// The parts, in the order in which they save the most.
const FIELDS: &[Field] = &[
    |kafka| (&mut kafka.brokers, 1),
    |kafka| {
        // A group without a topic has nothing to read.
        let least = kafka.groups.min(1);
        (&mut kafka.topics, least)
    },
    |kafka| (&mut kafka.partitions, 1),
    |kafka| (&mut kafka.replication, 1),
    |kafka| (&mut kafka.groups, 0),
];

/// One of each, but for what faults name.
fn smallest(best: &Scenario, cluster: &str) -> Option<Scenario> {
    let kafka = best.kafka.get(cluster)?;
    let before = names(cluster, kafka);
    let own: Vec<&FaultSpec> =
        best.fault.iter().filter(|fault| concerns(fault, cluster, &before[0])).collect();
    let [brokers, topics, groups] =
        before.map(|all| u32::try_from(named(&own, &all).len().max(1)).unwrap_or(u32::MAX));
    resized(best, cluster, |kafka| {
        let least = [brokers, topics, 1, 1, groups];
        for (field, least) in FIELDS.iter().zip(least) {
            let (value, _) = field(kafka);
            *value = (*value).min(least);
        }
    })
}

/// A part of the cluster's size lower, the lowest first.
fn lower(best: &Scenario, cluster: &str, field: Field) -> Vec<Scenario> {
    let Some(mut kafka) = best.kafka.get(cluster).cloned() else { return Vec::new() };
    let (now, least) = field(&mut kafka);
    let numbers = ladder(least, *now).into_iter();
    let with = |number| resized(best, cluster, |kafka| *field(kafka).0 = number);
    numbers.filter_map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario;

    fn scenario(brokers: u32, faulty: &[u32]) -> Scenario {
        let faults: Vec<String> = faulty
            .iter()
            .enumerate()
            .map(|(nth, id)| {
                let at = nth * 20;
                format!(
                    "[[fault]]\nat = \"{at}s\"\nlasts = \"10s\"\n\
                     crash = {{ host = \"a-broker-{id}\" }}\n"
                )
            })
            .collect();
        let text = format!(
            "title = \"t\"\nduration = \"10min\"\n[kafka.a]\nbrokers = {brokers}\n\
             replication = 1\n[kafka.a-broker]\n{}",
            faults.concat()
        );
        scenario::load("test", &text)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    #[test]
    fn what_faults_name_stays_apart() {
        let check = |brokers, faulty: &[u32], count, expected: Option<&[&str]>| {
            let found = resized(&scenario(brokers, faulty), "a", |kafka| kafka.brokers = count);
            let hosts = |scenario: Scenario| -> Vec<String> {
                let hosts = scenario.fault.iter().flat_map(|fault| fault.hosts());
                hosts.map(|(_, host)| host).collect()
            };
            let expected =
                expected.map(|names| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
            assert_eq!(found.map(hosts), expected, "{faulty:?} of {brokers} into {count}");
        };
        check(5, &[5, 2], 2, Some(&["a-broker-1", "a-broker-2"]));
        check(5, &[5, 3], 2, Some(&["a-broker-1", "a-broker-2"]));
        check(5, &[1, 2, 3], 2, None);
        check(5, &[4], 4, Some(&["a-broker-4"]));
        check(3, &[], 1, Some(&[]));
    }

    #[test]
    fn groups_keep_their_place_though_names_change() {
        let text = "title = \"t\"\nduration = \"10min\"\n[kafka.a]\n[[fault]]\nat = \"1min\"\n\
                    lasts = \"1min\"\nconsumer_stall = { cluster = \"a\", group = \"G\" }\n";
        let names = |topics| KafkaSpec { topics, ..KafkaSpec::default() }.group_names();
        let text = text.replace('G', &names(10)[3]);
        let best = scenario::load("test", &text)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        assert_ne!(names(10)[3], names(1)[3]);
        let group = |change: fn(&mut KafkaSpec)| {
            let changed = resized(&best, "a", change).expect("room for one");
            changed.fault[0].consumer_stall.as_ref().expect("a stall").group.clone()
        };
        assert_eq!(group(|kafka| kafka.topics = 1), names(1)[3]);
        assert_eq!(group(|kafka| kafka.groups = 2), names(10)[1]);
    }

    #[test]
    fn a_cluster_goes_with_its_faults_and_no_other() {
        let both = scenario(3, &[1, 2]);
        assert_eq!(without(&both, "a").fault.len(), 0);
        assert_eq!(without(&both, "a-broker").fault.len(), 2);
    }

    #[test]
    fn ladders_climb_from_the_least() {
        let check = |least, now, expected: &[u32]| assert_eq!(ladder(least, now), expected);
        check(1, 1, &[]);
        check(0, 1, &[0]);
        check(1, 10, &[1, 3, 5, 7, 9]);
        check(5, 3, &[]);
    }
}
