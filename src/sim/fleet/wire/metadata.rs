//! Who is where: Metadata, DescribeCluster, FindCoordinator.

use bytes::BytesMut;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::{
    DescribeClusterBroker, DescribeClusterResponse,
};
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::journal::Observed;
use super::super::state::{BrokerIds, Partition, State};
use super::{Context, Handled, admin, encode, reply, reply_body, text};

pub fn metadata(state: &mut State, context: &Context<'_>, request: MetadataRequest) -> Handled {
    let version = context.head.version;
    let asked = match request.topics {
        // Version 0 has no null: an empty list asks for all topics.
        Some(topics) if version > 0 || !topics.is_empty() => topics,
        _ => return all_topics(state, context),
    };
    let create = request.allow_auto_topic_creation;
    let topics =
        asked.into_iter().map(|topic| asked_topic(state, topic, create, version)).collect();
    observe(state, context);
    reply(context.head, &response(state, topics))
}

/// The answer about all topics; encoded once per version of the topology.
fn all_topics(state: &mut State, context: &Context<'_>) -> Handled {
    let version = context.head.version;
    observe(state, context);
    let cached = state.metadata_body.as_ref().filter(|(topology, api_version, _)| {
        *topology == state.topology_version && *api_version == version
    });
    if let Some((_, _, body)) = cached {
        return reply_body(context.head, body);
    }
    let topics = state.topic_index.values().map(|&index| topic(state, index, version)).collect();
    let mut body = BytesMut::new();
    encode(context.head, &response(state, topics), &mut body)?;
    let body = body.freeze();
    state.metadata_body = Some((state.topology_version, version, body.clone()));
    reply_body(context.head, &body)
}

fn observe(state: &mut State, context: &Context<'_>) {
    state.observe(context.broker, &context.head.client_id, |state| {
        Observed::Metadata(state.metadata_truth())
    });
}

fn response(state: &State, topics: Vec<MetadataResponseTopic>) -> MetadataResponse {
    let brokers = state
        .brokers
        .iter()
        .filter(|broker| !broker.fenced)
        .map(|broker| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(broker.id))
                .with_host(broker.host_bytes.clone())
                .with_port(i32::from(broker.port))
                .with_rack(broker.rack.clone())
        })
        .collect();
    MetadataResponse::default()
        .with_brokers(brokers)
        .with_cluster_id(Some(text(&state.cluster)))
        .with_controller_id(BrokerId(state.controller.unwrap_or(-1)))
        .with_topics(topics)
}

/// The answer for one topic asked for by name or id.
fn asked_topic(
    state: &mut State,
    asked: MetadataRequestTopic,
    create: bool,
    version: i16,
) -> MetadataResponseTopic {
    let refuse = |error: ResponseError, name: Option<TopicName>| {
        let name = if version < 12 { Some(name.unwrap_or_default()) } else { name };
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(name)
            .with_topic_id(asked.topic_id)
    };
    let Some(name) = asked.name else {
        return match state.topic_ids.get(&asked.topic_id) {
            Some(&index) => topic(state, index, version),
            None => refuse(ResponseError::UnknownTopicId, None),
        };
    };
    if let Some(index) = state.topic(&name) {
        return topic(state, index, version);
    }
    if !admin::is_valid_topic(&name) {
        return refuse(ResponseError::InvalidTopicException, Some(name));
    }
    // Versions before 4 always allow creation.
    if state.spec.auto_create_topics && (create || version < 4) {
        let replication = state.spec.replication.cast_signed();
        let partitions = i32::try_from(state.spec.partitions).unwrap_or(1);
        state.add_topic(&name, partitions, replication, std::collections::BTreeMap::new());
        return refuse(ResponseError::LeaderNotAvailable, Some(name));
    }
    refuse(ResponseError::UnknownTopicOrPartition, Some(name))
}

fn topic(state: &State, index: usize, version: i16) -> MetadataResponseTopic {
    let topic = &state.topics[index];
    let partitions =
        state.parts[topic.parts()].iter().map(|part| partition(state, part, version)).collect();
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(topic.name_bytes.clone())))
        .with_topic_id(topic.id)
        .with_is_internal(topic.internal)
        .with_partitions(partitions)
}

fn partition(state: &State, part: &Partition, version: i16) -> MetadataResponsePartition {
    let ids = |ids: &BrokerIds| ids.iter().map(|&id| BrokerId(id)).collect();
    let fenced = |id: &i32| state.broker(*id).is_some_and(|broker| broker.fenced);
    let offline = part.replicas.iter().copied().filter(fenced).map(BrokerId).collect();
    let error = match part.leader {
        -1 => ResponseError::LeaderNotAvailable.code(),
        _ => 0,
    };
    let partition = MetadataResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(part.index)
        .with_leader_id(BrokerId(part.leader))
        .with_replica_nodes(ids(&part.replicas))
        .with_isr_nodes(ids(&part.isr))
        .with_offline_replicas(offline);
    if version >= 7 { partition.with_leader_epoch(part.leader_epoch) } else { partition }
}

pub fn describe_cluster(
    state: &mut State,
    context: &Context<'_>,
    request: DescribeClusterRequest,
) -> Handled {
    let version = context.head.version;
    // Only brokers are asked here; endpoint type 2 means controllers.
    if version >= 1 && request.endpoint_type != 1 {
        let error = match request.endpoint_type {
            2 => ResponseError::MismatchedEndpointType,
            _ => ResponseError::UnsupportedEndpointType,
        };
        let response = DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(text("this is a broker")));
        return reply(context.head, &response);
    }
    observe(state, context);
    let brokers = state
        .brokers
        .iter()
        .filter(|broker| broker.registered)
        .filter(|broker| !broker.fenced || (version >= 2 && request.include_fenced_brokers))
        .map(|broker| {
            let described = DescribeClusterBroker::default()
                .with_broker_id(BrokerId(broker.id))
                .with_host(broker.host_bytes.clone())
                .with_port(i32::from(broker.port))
                .with_rack(broker.rack.clone());
            if version >= 2 { described.with_is_fenced(broker.fenced) } else { described }
        })
        .collect();
    let response = DescribeClusterResponse::default()
        .with_cluster_id(text(&state.cluster))
        .with_controller_id(BrokerId(state.controller.unwrap_or(-1)))
        .with_brokers(brokers);
    reply(context.head, &response)
}

pub fn find_coordinator(
    state: &mut State,
    context: &Context<'_>,
    request: FindCoordinatorRequest,
) -> Handled {
    let version = context.head.version;
    if version >= 4 {
        let coordinators = request
            .coordinator_keys
            .into_iter()
            .map(|key| coordinator(state, key, request.key_type))
            .collect();
        let response = FindCoordinatorResponse::default().with_coordinators(coordinators);
        return reply(context.head, &response);
    }
    let found = coordinator(state, request.key, request.key_type);
    let response = FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(found.error_message)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port);
    reply(context.head, &response)
}

fn coordinator(state: &State, key: StrBytes, key_type: i8) -> Coordinator {
    let refuse = |error: ResponseError| {
        Coordinator::default()
            .with_key(key.clone())
            .with_error_code(error.code())
            .with_error_message(Some(text(&error.to_string())))
            .with_node_id(BrokerId(-1))
            .with_port(-1)
    };
    if key_type != 0 {
        // There are no transactions and no share groups here.
        return refuse(ResponseError::CoordinatorNotAvailable);
    }
    let leader = state.coordinator_part(&key).map_or(-1, |part| state.parts[part].leader);
    match state.broker(leader).filter(|broker| broker.up) {
        None => refuse(ResponseError::CoordinatorNotAvailable),
        Some(broker) => Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(broker.id))
            .with_host(broker.host_bytes.clone())
            .with_port(i32::from(broker.port)),
    }
}
