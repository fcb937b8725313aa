//! The model's laws: continuous, in range, the same whoever asks.

use proptest::prelude::*;

use super::*;
use crate::domain::attribute::{AttributeId, AttributeValue};
use crate::domain::metric::{MetricId, Unit};
use crate::hybrid::topology::{
    BrokerForm, ClusterForm, GroupForm, QueueForm, TopicForm, TopologyForm,
};

fn cluster(provider: &str, name: &str) -> ClusterForm {
    ClusterForm {
        provider: provider.into(),
        name: name.into(),
        required_brokers: None,
        bootstrap_servers: Vec::new(),
    }
}

fn topology(brokers: usize, topics: usize, groups: usize) -> Topology {
    let cluster_name = || "orders".to_owned();
    let topic = |number: usize| format!("topic-{number}");
    let form = TopologyForm {
        clusters: vec![cluster("kafka", "orders"), cluster("rabbitmq", "rabbit")],
        brokers: (0..brokers)
            .map(|id| BrokerForm {
                provider: None,
                cluster_name: cluster_name(),
                id: id.to_string(),
            })
            .collect(),
        topics: (0..topics)
            .map(|number| TopicForm {
                provider: None,
                cluster_name: cluster_name(),
                name: topic(number),
                partitions: Some(4),
                replication_factor: None,
            })
            .collect(),
        queues: vec![QueueForm {
            provider: None,
            cluster_name: Some("rabbit".into()),
            region: None,
            vhost: None,
            name: "jobs".into(),
        }],
        consumer_groups: (0..groups)
            .map(|number| GroupForm {
                provider: None,
                cluster_name: cluster_name(),
                id: format!("group-{number}"),
                topics: (0..topics).filter(|topic| topic % groups == number).map(topic).collect(),
            })
            .collect(),
    };
    Topology::new(form).unwrap()
}

fn model(seed: u64, topology: &Topology) -> FleetModel {
    let config = ModelConfig { seed, pattern: Pattern::BusinessWeek, utc_offset_minutes: 0 };
    FleetModel::new(config, topology)
}

fn moment(at: i64) -> Moment {
    Moment { at: UnixMillis(at), window_ms: 15_000 }
}

fn find<'s>(states: &'s [EntityState], kind: EntityKind, name: &str) -> &'s EntityState {
    let is_it = |state: &&EntityState| state.key.kind() == kind && state.key.name() == name;
    states.iter().find(is_it).expect("the topology has it")
}

#[test]
fn parts_add_up_to_wholes() {
    let topology = topology(3, 10, 2);
    let states = model(7, &topology).states(&topology, moment(1_767_600_000_000));
    assert_eq!(states.len(), topology.len());
    assert!(states.iter().all(|state| state.data_source == DataSource::Simulated));
    let sum = |kind, id| {
        let of_kind = states.iter().filter(|state| state.key.kind() == kind);
        of_kind.filter_map(|state| state.metrics.get(id)).sum::<f64>()
    };
    let whole = &find(&states, EntityKind::Cluster, "orders").metrics;
    assert_eq!(whole.get(MetricId::CLUSTER_BROKERS_ONLINE), Some(3.0));
    assert_eq!(whole.get(MetricId::CLUSTER_BROKERS_OFFLINE), Some(0.0));
    assert_eq!(whole.get(MetricId::CLUSTER_HEALTH_SCORE), Some(100.0));
    assert_eq!(whole.get(MetricId::CLUSTER_TOPIC_COUNT), Some(10.0));
    assert_eq!(whole.get(MetricId::CLUSTER_PARTITIONS_TOTAL), Some(40.0));
    assert_eq!(sum(EntityKind::Broker, MetricId::BROKER_LEADER_PARTITIONS), 40.0);
    assert_eq!(sum(EntityKind::Broker, MetricId::BROKER_PARTITIONS), 120.0);
    let brokers = sum(EntityKind::Broker, MetricId::BROKER_MESSAGES_IN);
    let topics = sum(EntityKind::Topic, MetricId::TOPIC_MESSAGES_IN);
    assert!((brokers / topics - 1.0).abs() < 0.2, "{brokers} of {topics} messages");
    let lags = sum(EntityKind::Topic, MetricId::TOPIC_CONSUMER_LAG);
    assert_eq!(sum(EntityKind::ConsumerGroup, MetricId::GROUP_LAG_TOTAL), lags);
    assert!(lags > 0.0);
    let queue = find(&states, EntityKind::Queue, "jobs");
    assert!(queue.metrics.get(MetricId::QUEUE_DEPTH) > Some(0.0));
}

#[test]
fn topics_have_servers_and_groups_a_coordinator() {
    let check = |brokers: usize, topics: usize, groups: usize| {
        let topology = topology(brokers, topics, groups);
        let states = model(7, &topology).states(&topology, moment(0));
        let of = |kind| states.iter().filter(move |state| state.key.kind() == kind);
        let is_listed = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < brokers);
        let mut served = vec![0; brokers];
        for topic in of(EntityKind::Topic) {
            let ids = &topic.serving_brokers;
            // Four partitions, dealt in turn.
            assert_eq!(ids.len(), brokers.min(4), "{:?}", topic.key);
            assert!(ids.is_sorted_by(|one, next| one < next) && ids.iter().all(is_listed));
            ids.iter().for_each(|id| served[*id as usize] += 1);
        }
        for broker in of(EntityKind::Broker) {
            let leaders = broker.metrics.get(MetricId::BROKER_LEADER_PARTITIONS).unwrap();
            let topics = served[broker.key.name().parse::<usize>().unwrap()];
            // One partition of each topic that it serves, at least.
            assert!(f64::from(topics) <= leaders, "{:?}: {topics}, {leaders}", broker.key);
            assert_eq!(topics > 0, leaders > 0.0, "{:?}", broker.key);
        }
        for group in of(EntityKind::ConsumerGroup) {
            let id = match group.attributes.get(AttributeId::CoordinatorId) {
                Some(AttributeValue::Integer(id)) => i32::try_from(*id).ok(),
                _ => None,
            };
            assert_eq!(id.is_some_and(|id| is_listed(&id)), brokers > 0, "{id:?}");
        }
    };
    check(3, 5, 2);
    check(7, 1, 3);
    check(1, 2, 1);
    check(0, 2, 1);
}

#[test]
fn figures_follow_the_pattern() {
    let topology = topology(1, 4, 1);
    let model = model(1, &topology);
    // Monday 2026-01-05, one o'clock in the afternoon and three in the morning.
    let (busy, quiet) = (1_767_571_200_000 + 13 * 3_600_000, 1_767_571_200_000 + 3 * 3_600_000);
    let rate = |at| {
        let states = model.states(&topology, moment(at));
        find(&states, EntityKind::Topic, "topic-0").metrics.get(MetricId::TOPIC_MESSAGES_IN)
    };
    let (busy, quiet) = (rate(busy).unwrap(), rate(quiet).unwrap());
    assert!(busy > 10.0 * quiet, "{busy} against {quiet}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn continuous_in_range_and_independent(
        seed in any::<u64>(),
        at in 0..4_000_000_000_000_i64,
        (brokers, topics, groups) in (0..5_usize, 0..6_usize, 1..4_usize),
    ) {
        let topology = topology(brokers, topics, groups);
        let model = model(seed, &topology);
        let states = model.states(&topology, moment(at));
        let later = model.states(&topology, moment(at + 1_000));
        prop_assert!(states.is_sorted_by(|one, next| one.key < next.key));
        let mut examined = 0;
        for (now, next) in states.iter().zip(&later) {
            for (id, value) in now.metrics.iter() {
                examined += 1;
                prop_assert!(id.def().range.contains(value), "{:?} {id} = {value}", now.key);
                let next = next.metrics.get(id).expect("what is known stays known");
                // Two roundings, and what the swing of a lag of all topics may do in a second.
                let whole = matches!(id.def().unit, Unit::Messages | Unit::Seconds | Unit::Score);
                let steps = if whole { 30.0 * topics.max(1) as f64 } else { 1e-9 };
                let leeway = 0.02 * value.abs() + steps;
                prop_assert!((next - value).abs() <= leeway, "{:?} {id}: {value}, {next}", now.key);
            }
            if now.key.kind() == EntityKind::ConsumerGroup {
                let total = now.metrics.get(MetricId::GROUP_LAG_TOTAL);
                let largest = now.metrics.get(MetricId::GROUP_LAG_MAX);
                prop_assert!(largest <= total, "{largest:?} of {total:?}");
            }
            if let Some(plan) = topology.plan(&now.key)
                && now.key.kind() != EntityKind::Cluster
            {
                prop_assert_eq!(&model.member(&now.key, plan, moment(at)), now);
            }
        }
        prop_assert!(examined > 0);
    }
}
