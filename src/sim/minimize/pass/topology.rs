//! A smaller fleet: fewer clusters, brokers, topics, partitions, replicas, groups.
//!
//! Invariant: faults that name a broker beyond the new number of brokers name another one, and no
//! two brokers that faults name become one.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rename::{renamed, texts};
use super::super::search::{Search, Stopped};
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
        search.advance(&[smallest(search.best(), name)].into_iter().flatten().collect::<Vec<_>>())?;
        while search.advance(&fewer_brokers(search.best(), name))?.is_some() {}
        for field in [topics, partitions, replication, groups] {
            while search.advance(&lower(search.best(), name, field))?.is_some() {}
        }
    }
    Ok(())
}

/// The scenario without a cluster and without the faults that name one of its hosts.
fn without(best: &Scenario, name: &str) -> Scenario {
    let mut candidate = best.clone();
    let hosts: BTreeSet<String> = best.hosts().into_iter().collect();
    candidate.kafka.remove(name);
    let left: BTreeSet<String> = candidate.hosts().into_iter().collect();
    let gone: BTreeSet<&String> = hosts.difference(&left).collect();
    candidate.fault.retain(|fault| !texts(fault).iter().any(|text| gone.contains(text)));
    candidate
}

/// The number of a cluster's broker, if `host` is one of them.
fn broker_id(cluster: &str, host: &str) -> Option<u32> {
    let id = host.strip_prefix(cluster)?.strip_prefix("-broker-")?.parse().ok()?;
    (broker_host(cluster, id) == host).then_some(id)
}

/// Brokers of a cluster that faults name.
fn named(best: &Scenario, cluster: &str) -> BTreeSet<u32> {
    let texts = best.fault.iter().flat_map(texts);
    texts.filter_map(|text| broker_id(cluster, &text)).collect()
}

/// With `count` brokers; those that faults name beyond them become ones that no fault names, the
/// last first. `None` when there is no room for all.
fn with_brokers(best: &Scenario, cluster: &str, count: u32) -> Option<Scenario> {
    let named = named(best, cluster);
    let mut free = (1..=count).rev().filter(|id| !named.contains(id));
    let mut names = BTreeMap::new();
    for id in named.iter().filter(|id| **id > count) {
        names.insert(broker_host(cluster, id), broker_host(cluster, free.next()?));
    }
    let mut candidate = best.clone();
    candidate.fault =
        best.fault.iter().map(|fault| renamed(fault, &names)).collect::<Option<Vec<_>>>()?;
    let kafka = candidate.kafka.get_mut(cluster)?;
    kafka.brokers = count;
    kafka.replication = kafka.replication.min(count);
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

fn fewer_brokers(best: &Scenario, cluster: &str) -> Vec<Scenario> {
    let Some(kafka) = best.kafka.get(cluster) else { return Vec::new() };
    let least = u32::try_from(named(best, cluster).len()).unwrap_or(u32::MAX).max(1);
    let counts = ladder(least, kafka.brokers).into_iter();
    counts.filter_map(|count| with_brokers(best, cluster, count)).collect()
}

/// One of each, and only the brokers that faults name.
fn smallest(best: &Scenario, cluster: &str) -> Option<Scenario> {
    let least = u32::try_from(named(best, cluster).len()).ok()?.max(1);
    let mut candidate = with_brokers(best, cluster, least.min(best.kafka.get(cluster)?.brokers))?;
    let kafka = candidate.kafka.get_mut(cluster)?;
    for field in [topics, partitions, replication, groups] {
        let (value, least) = field(kafka);
        *value = (*value).min(least.max(1));
    }
    Some(candidate)
}

/// A part of a cluster's size, and the least that it may be.
type Field = fn(&mut KafkaSpec) -> (&mut u32, u32);

fn topics(kafka: &mut KafkaSpec) -> (&mut u32, u32) {
    // A group without a topic has nothing to read.
    let least = kafka.groups.min(1);
    (&mut kafka.topics, least)
}

fn partitions(kafka: &mut KafkaSpec) -> (&mut u32, u32) {
    (&mut kafka.partitions, 1)
}

fn replication(kafka: &mut KafkaSpec) -> (&mut u32, u32) {
    (&mut kafka.replication, 1)
}

fn groups(kafka: &mut KafkaSpec) -> (&mut u32, u32) {
    (&mut kafka.groups, 0)
}

fn lower(best: &Scenario, cluster: &str, field: Field) -> Vec<Scenario> {
    let with = |number: Option<u32>| {
        let mut candidate = best.clone();
        let (value, least) = field(candidate.kafka.get_mut(cluster)?);
        let range = (least, *value);
        if let Some(number) = number {
            *value = number;
        }
        Some((candidate, range))
    };
    let Some((_, (least, now))) = with(None) else { return Vec::new() };
    let numbers = ladder(least, now).into_iter();
    numbers.filter_map(|number| with(Some(number)).map(|(candidate, _)| candidate)).collect()
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
        scenario::load("test", &text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    fn crashed(scenario: &Scenario) -> Vec<String> {
        scenario.fault.iter().flat_map(texts).filter(|text| text.contains("broker")).collect()
    }

    #[test]
    fn brokers_that_faults_name_stay_apart() {
        let check = |brokers, faulty: &[u32], count, expected: Option<&[&str]>| {
            let found = with_brokers(&scenario(brokers, faulty), "a", count);
            let found = found.as_ref().map(crashed);
            let expected =
                expected.map(|names| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
            assert_eq!(found, expected, "{faulty:?} of {brokers} into {count}");
        };
        check(5, &[5, 2], 2, Some(&["a-broker-1", "a-broker-2"]));
        check(5, &[5, 3], 2, None.or(Some(&["a-broker-1", "a-broker-2"])));
        check(5, &[1, 2, 3], 2, None);
        check(5, &[4], 4, Some(&["a-broker-4"]));
        check(3, &[], 1, Some(&[]));
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
