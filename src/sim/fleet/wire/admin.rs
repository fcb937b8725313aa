//! DescribeConfigs, DescribeLogDirs, CreateTopics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{
    CreateTopicsRequest, DescribeConfigsRequest, DescribeLogDirsRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::journal::{Observed, ReplicaTruth};
use super::super::state::{State, Topic};
use super::{Context, Handled, reply, text};

const LOG_DIR: &str = "/var/lib/kafka/data";
/// Most partitions one topic may ask for, and a cluster may have.
const PARTITIONS_MAX: i32 = 10_000;
const CLUSTER_PARTITIONS_MAX: usize = 200_000;

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
const TYPE_BOOLEAN: i8 = 1;
const TYPE_STRING: i8 = 2;
const TYPE_INT: i8 = 3;
const TYPE_LONG: i8 = 5;
const TYPE_LIST: i8 = 7;

/// Topic settings with their defaults and types.
const TOPIC_CONFIGS: [(&str, &str, i8); 12] = [
    ("cleanup.policy", "delete", TYPE_LIST),
    ("compression.type", "producer", TYPE_STRING),
    ("delete.retention.ms", "86400000", TYPE_LONG),
    ("max.message.bytes", "1048588", TYPE_INT),
    ("message.timestamp.type", "CreateTime", TYPE_STRING),
    ("min.insync.replicas", "1", TYPE_INT),
    ("retention.bytes", "-1", TYPE_LONG),
    ("retention.ms", "604800000", TYPE_LONG),
    ("segment.bytes", "1073741824", TYPE_INT),
    ("segment.index.bytes", "10485760", TYPE_INT),
    ("segment.ms", "604800000", TYPE_LONG),
    ("unclean.leader.election.enable", "false", TYPE_BOOLEAN),
];

/// Broker settings that do not depend on the fleet.
const BROKER_CONFIGS: [(&str, &str, i8); 10] = [
    ("auto.leader.rebalance.enable", "true", TYPE_BOOLEAN),
    ("compression.type", "producer", TYPE_STRING),
    ("log.dirs", LOG_DIR, TYPE_STRING),
    ("log.retention.hours", "168", TYPE_INT),
    ("log.segment.bytes", "1073741824", TYPE_INT),
    ("message.max.bytes", "1048588", TYPE_INT),
    ("num.io.threads", "8", TYPE_INT),
    ("num.network.threads", "3", TYPE_INT),
    ("offsets.topic.num.partitions", "50", TYPE_INT),
    ("process.roles", "broker,controller", TYPE_LIST),
];

/// Name, value, source and type of a setting in force.
type Setting = (&'static str, Arc<str>, i8, i8);

fn topic_settings(topic: &Topic) -> Vec<Setting> {
    TOPIC_CONFIGS
        .iter()
        .map(|&(name, default, kind)| match topic.configs.get(name) {
            Some(value) => (name, Arc::from(value.as_str()), SOURCE_TOPIC, kind),
            None => (name, Arc::from(default), SOURCE_DEFAULT, kind),
        })
        .collect()
}

fn broker_settings(state: &State, id: i32) -> Vec<Setting> {
    let timing = &state.spec.timing;
    let of_fleet: [(&'static str, String, i8); 9] = [
        ("auto.create.topics.enable", state.spec.auto_create_topics.to_string(), TYPE_BOOLEAN),
        ("broker.session.timeout.ms", timing.session_timeout_ms.to_string(), TYPE_INT),
        ("default.replication.factor", state.spec.replication.to_string(), TYPE_INT),
        (
            "group.initial.rebalance.delay.ms",
            timing.initial_rebalance_delay_ms.to_string(),
            TYPE_INT,
        ),
        (
            "leader.imbalance.check.interval.seconds",
            (timing.leader_rebalance_ms / 1_000).to_string(),
            TYPE_LONG,
        ),
        ("log.retention.check.interval.ms", timing.retention_check_ms.to_string(), TYPE_LONG),
        ("node.id", id.to_string(), TYPE_INT),
        ("num.partitions", state.spec.partitions.to_string(), TYPE_INT),
        ("replica.lag.time.max.ms", timing.replica_lag_ms.to_string(), TYPE_LONG),
    ];
    let of_fleet = of_fleet
        .into_iter()
        .map(|(name, value, kind)| (name, Arc::from(value), SOURCE_STATIC_BROKER, kind));
    let defaults = BROKER_CONFIGS
        .iter()
        .map(|&(name, value, kind)| (name, Arc::from(value), SOURCE_DEFAULT, kind));
    let mut settings: Vec<Setting> = of_fleet.chain(defaults).collect();
    settings.sort_unstable_by_key(|(name, ..)| *name);
    settings
}

pub fn describe_configs(
    state: &mut State,
    context: &Context<'_>,
    request: DescribeConfigsRequest,
) -> Handled {
    let results = request
        .resources
        .into_iter()
        .map(|resource| describe_resource(state, context, resource))
        .collect();
    reply(context.head, &DescribeConfigsResponse::default().with_results(results))
}

fn describe_resource(
    state: &mut State,
    context: &Context<'_>,
    resource: DescribeConfigsResource,
) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_error_message(None)
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    let settings = match resource.resource_type {
        RESOURCE_TOPIC => state
            .topic(&resource.resource_name)
            .map(|topic| topic_settings(&state.topics[topic]))
            .ok_or((ResponseError::UnknownTopicOrPartition, "no such topic")),
        RESOURCE_BROKER => match resource.resource_name.parse() {
            Ok(id) if id == context.broker => Ok(broker_settings(state, id)),
            _ => Err((ResponseError::InvalidRequest, "a broker describes only itself")),
        },
        _ => Err((ResponseError::InvalidRequest, "only topics and brokers have settings here")),
    };
    let settings = match settings {
        Ok(settings) => settings,
        Err((error, message)) => {
            return result
                .with_error_code(error.code())
                .with_error_message(Some(StrBytes::from_static_str(message)));
        }
    };
    if let (RESOURCE_TOPIC, Some(topic)) =
        (resource.resource_type, state.topic(&resource.resource_name))
    {
        let topic = Arc::clone(&state.topics[topic].name);
        state.observe(context.broker, &context.head.client_id, |_| Observed::Configs {
            topic,
            values: settings.iter().map(|(name, value, ..)| (*name, Arc::clone(value))).collect(),
        });
    }
    let wanted = |name: &str| {
        resource
            .configuration_keys
            .as_ref()
            .is_none_or(|keys| keys.iter().any(|key| **key == *name))
    };
    let configs = settings
        .into_iter()
        .filter(|(name, ..)| wanted(name))
        .map(|(name, value, source, kind)| {
            DescribeConfigsResourceResult::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(text(&value)))
                .with_read_only(resource.resource_type == RESOURCE_BROKER)
                .with_config_source(source)
                .with_config_type(kind)
        })
        .collect();
    result.with_configs(configs)
}

pub fn describe_log_dirs(
    state: &mut State,
    context: &Context<'_>,
    request: DescribeLogDirsRequest,
) -> Handled {
    let wanted: Option<BTreeMap<StrBytes, BTreeSet<i32>>> = request.topics.map(|topics| {
        topics
            .into_iter()
            .map(|topic| (topic.topic.0, topic.partitions.into_iter().collect()))
            .collect()
    });
    let hosted = state.view(context.broker).hosted.clone();
    let mut topics: Vec<(usize, DescribeLogDirsTopic)> = Vec::new();
    let mut replicas = Vec::new();
    for index in hosted {
        let part = &state.parts[index];
        let topic = &state.topics[part.topic];
        let asked = wanted.as_ref().is_none_or(|wanted| {
            wanted.get(&topic.name_bytes).is_some_and(|indexes| indexes.contains(&part.index))
        });
        if !asked {
            continue;
        }
        if topics.last().is_none_or(|(last, _)| *last != part.topic) {
            let name = TopicName(topic.name_bytes.clone());
            topics.push((part.topic, DescribeLogDirsTopic::default().with_name(name)));
        }
        if let Some((_, answer)) = topics.last_mut() {
            answer.partitions.push(
                DescribeLogDirsPartition::default()
                    .with_partition_index(part.index)
                    .with_partition_size(part.size_bytes.cast_signed()),
            );
        }
        if state.journal.on {
            let (topic, partition) = (Arc::clone(&topic.name), part.index);
            replicas.push(ReplicaTruth { topic, partition, size_bytes: part.size_bytes });
        }
    }
    let total_bytes = state.spec.disk_bytes;
    let usable_bytes = state.disk_free(context.broker);
    state.observe(context.broker, &context.head.client_id, |_| Observed::LogDirs {
        total_bytes,
        usable_bytes,
        replicas,
    });
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_static_str(LOG_DIR))
        .with_topics(topics.into_iter().map(|(_, topic)| topic).collect());
    let result = if context.head.version >= 4 {
        result
            .with_total_bytes(total_bytes.cast_signed())
            .with_usable_bytes(usable_bytes.cast_signed())
    } else {
        result
    };
    reply(context.head, &DescribeLogDirsResponse::default().with_results(vec![result]))
}

pub fn create_topics(
    state: &mut State,
    context: &Context<'_>,
    request: CreateTopicsRequest,
) -> Handled {
    let mut named: BTreeMap<StrBytes, usize> = BTreeMap::new();
    for topic in &request.topics {
        *named.entry(topic.name.0.clone()).or_default() += 1;
    }
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let name = topic.name.clone();
            let twice = named.get(&name.0).is_some_and(|count| *count > 1);
            let created = if twice {
                Err((ResponseError::InvalidRequest, "the topic is named twice".to_owned()))
            } else {
                plan_topic(state, topic)
            };
            let result =
                CreatableTopicResult::default().with_name(name.clone()).with_error_message(None);
            match created {
                Err((error, message)) => result
                    .with_error_code(error.code())
                    .with_error_message(Some(StrBytes::from_string(message))),
                Ok((partitions, replication, configs)) => {
                    let version = context.head.version;
                    let index = (!request.validate_only)
                        .then(|| state.add_topic(&name, partitions, replication, configs.clone()));
                    created_topic(state, result, version, (index, partitions, replication, configs))
                }
            }
        })
        .collect();
    reply(context.head, &CreateTopicsResponse::default().with_topics(topics))
}

type Created = (Option<usize>, i32, i16, BTreeMap<String, String>);

fn created_topic(
    state: &State,
    result: CreatableTopicResult,
    version: i16,
    (index, partitions, replication, configs): Created,
) -> CreatableTopicResult {
    let result = match index {
        Some(index) if version >= 7 => result.with_topic_id(state.topics[index].id),
        _ => result,
    };
    if version < 5 {
        return result;
    }
    let configs = configs
        .into_iter()
        .map(|(name, value)| {
            CreatableTopicConfigs::default()
                .with_name(StrBytes::from_string(name))
                .with_value(Some(StrBytes::from_string(value)))
                .with_config_source(SOURCE_TOPIC)
        })
        .collect();
    result
        .with_num_partitions(partitions)
        .with_replication_factor(replication)
        .with_configs(Some(configs))
}

type Plan = (i32, i16, BTreeMap<String, String>);

/// Checks a topic to create; its partitions, replication and settings.
fn plan_topic(state: &State, topic: CreatableTopic) -> Result<Plan, (ResponseError, String)> {
    let name = topic.name.as_str();
    let refuse = |error, message: &str| Err((error, message.to_owned()));
    if !is_valid_topic(name) {
        return refuse(
            ResponseError::InvalidTopicException,
            "a topic name is 1 to 249 characters of a-z, A-Z, 0-9, `.`, `_` and `-`",
        );
    }
    if state.topic(name).is_some() {
        return refuse(ResponseError::TopicAlreadyExists, "the topic exists already");
    }
    if !topic.assignments.is_empty() {
        return refuse(
            ResponseError::InvalidReplicaAssignment,
            "replicas are placed by the cluster here: leave assignments empty",
        );
    }
    let default_partitions = i32::try_from(state.spec.partitions).unwrap_or(1);
    let partitions = match topic.num_partitions {
        -1 => default_partitions,
        partitions => partitions,
    };
    let replication = match topic.replication_factor {
        -1 => state.spec.replication.cast_signed(),
        replication => replication,
    };
    let room = CLUSTER_PARTITIONS_MAX.saturating_sub(state.parts.len());
    let fits = usize::try_from(partitions).is_ok_and(|partitions| partitions <= room);
    if !(1..=PARTITIONS_MAX).contains(&partitions) || !fits {
        return refuse(ResponseError::InvalidPartitions, "give 1 to 10000 partitions");
    }
    let alive = state.brokers.iter().filter(|broker| !broker.fenced).count();
    if replication < 1 || usize::try_from(replication).is_ok_and(|wanted| wanted > alive) {
        return Err((
            ResponseError::InvalidReplicationFactor,
            format!("replication factor {replication} needs 1 to {alive}, the live brokers"),
        ));
    }
    let mut configs = BTreeMap::new();
    for config in topic.configs {
        let value = config.value.as_deref().unwrap_or("");
        check_config(&config.name, value)
            .map_err(|message| (ResponseError::InvalidConfig, message))?;
        configs.insert(config.name.to_string(), value.to_owned());
    }
    Ok((partitions, replication, configs))
}

fn check_config(name: &str, value: &str) -> Result<(), String> {
    let Some((_, _, kind)) = TOPIC_CONFIGS.iter().find(|(known, ..)| *known == name) else {
        return Err(format!("unknown topic setting {name}"));
    };
    let valid = match *kind {
        TYPE_INT => value.parse::<i32>().is_ok(),
        TYPE_LONG => value.parse::<i64>().is_ok(),
        TYPE_BOOLEAN => matches!(value, "true" | "false"),
        _ => value.len() <= 1_000 && !value.is_empty(),
    };
    if valid { Ok(()) } else { Err(format!("invalid value {value} for {name}")) }
}

/// Kafka's rule for topic names.
pub(super) fn is_valid_topic(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
