//! ListOffsets, OffsetFetch, OffsetCommit.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};

use super::super::coordinator::CommitItem;
use super::super::journal::{Observed, OffsetTruth};
use super::super::state::State;
use super::{Context, Handled, check_coordinator, code, reply, text};

/// Longest metadata of a commit, `offset.metadata.max.bytes`.
const METADATA_BYTES_MAX: usize = 4_096;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub fn list_offsets(
    state: &mut State,
    context: &Context<'_>,
    request: ListOffsetsRequest,
) -> Handled {
    let mut truths = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let index = state.topic(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let found = list_offset(state, context.broker, index, asked);
            if state.journal.on {
                truths.push(OffsetTruth {
                    topic: index.map_or_else(
                        || Arc::from(topic.name.as_str()),
                        |index| Arc::clone(&state.topics[index].name),
                    ),
                    partition: asked.partition_index,
                    timestamp: asked.timestamp,
                    offset: found.as_ref().ok().map(|(offset, _, _)| *offset),
                });
            }
            let answer = ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code(&found));
            partitions.push(match found {
                Err(_) => answer,
                Ok((offset, timestamp, epoch)) => {
                    let answer = answer.with_offset(offset).with_timestamp(timestamp);
                    if context.head.version >= 4 { answer.with_leader_epoch(epoch) } else { answer }
                }
            });
        }
        let answer = ListOffsetsTopicResponse::default();
        topics.push(answer.with_name(topic.name).with_partitions(partitions));
    }
    state.observe(context.broker, &context.head.client_id, |_| Observed::Offsets(truths));
    reply(context.head, &ListOffsetsResponse::default().with_topics(topics))
}

/// Offset, timestamp and leader epoch for one partition.
fn list_offset(
    state: &State,
    broker: i32,
    topic: Option<usize>,
    asked: &ListOffsetsPartition,
) -> Result<(i64, i64, i32), ResponseError> {
    let part = topic
        .and_then(|topic| state.part(topic, asked.partition_index))
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_leader(state, broker, part, asked.current_leader_epoch)?;
    let log = &state.parts[part];
    let epoch = log.leader_epoch;
    match asked.timestamp {
        LATEST => Ok((log.log_end, -1, epoch)),
        EARLIEST | EARLIEST_LOCAL => Ok((log.log_start, -1, epoch)),
        LATEST_TIERED => Ok((-1, -1, -1)),
        MAX_TIMESTAMP if log.log_end == log.log_start => Ok((-1, -1, -1)),
        MAX_TIMESTAMP => {
            let newest =
                log.batches.last_key_value().filter(|(_, b)| b.last_offset + 1 == log.log_end);
            let at = newest.map_or(state.wall(state.now).0, |(_, batch)| batch.max_timestamp);
            Ok((log.log_end - 1, at, epoch))
        }
        timestamp if timestamp < 0 => Err(ResponseError::UnsupportedForMessageFormat),
        timestamp => match state.offset_for(part, timestamp) {
            Some((offset, at)) => Ok((offset, at, epoch)),
            None => Ok((-1, -1, -1)),
        },
    }
}

/// Whether `broker` leads `part`, and the client's idea of the epoch is right.
///
/// # Errors
/// NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
pub(super) fn check_leader(
    state: &State,
    broker: i32,
    part: usize,
    epoch: i32,
) -> Result<(), ResponseError> {
    let part = &state.parts[part];
    if part.leader != broker {
        return Err(ResponseError::NotLeaderOrFollower);
    }
    match epoch {
        ..0 => Ok(()),
        epoch if epoch < part.leader_epoch => Err(ResponseError::FencedLeaderEpoch),
        epoch if epoch > part.leader_epoch => Err(ResponseError::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

/// One partition's committed offset: index, offset, epoch, metadata, error.
type Place = (i32, i64, i32, Option<Arc<str>>, i16);

pub fn offset_fetch(
    state: &mut State,
    context: &Context<'_>,
    request: OffsetFetchRequest,
) -> Handled {
    let version = context.head.version;
    let named = |topics: Vec<(TopicName, Vec<i32>)>| topics;
    if version >= 8 {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            let wanted = group.topics.map(|topics| {
                named(topics.into_iter().map(|t| (t.name, t.partition_indexes)).collect())
            });
            let (error, topics) = fetch_group(state, context, &group.group_id, wanted);
            let topics = topics
                .into_iter()
                .map(|(name, places)| {
                    let partitions = places.into_iter().map(place_8).collect();
                    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
                })
                .collect();
            groups.push(
                OffsetFetchResponseGroup::default()
                    .with_group_id(group.group_id)
                    .with_error_code(error)
                    .with_topics(topics),
            );
        }
        return reply(context.head, &OffsetFetchResponse::default().with_groups(groups));
    }
    let wanted = request
        .topics
        .map(|topics| named(topics.into_iter().map(|t| (t.name, t.partition_indexes)).collect()));
    let (error, topics) = fetch_group(state, context, &request.group_id, wanted);
    let topics = topics
        .into_iter()
        .map(|(name, places)| {
            let partitions = places.into_iter().map(|place| place_1(place, version)).collect();
            OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
        })
        .collect();
    let response = OffsetFetchResponse::default().with_error_code(error).with_topics(topics);
    reply(context.head, &response)
}

fn place_8((index, offset, epoch, metadata, error): Place) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_metadata(Some(text(metadata.as_deref().unwrap_or(""))))
        .with_error_code(error)
}

fn place_1(place: Place, version: i16) -> OffsetFetchResponsePartition {
    let (index, offset, epoch, metadata, error) = place;
    let answer = OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_metadata(Some(text(metadata.as_deref().unwrap_or(""))))
        .with_error_code(error);
    if version >= 5 { answer.with_committed_leader_epoch(epoch) } else { answer }
}

/// Committed offsets of one group; on an error the topics asked for, each with the code.
fn fetch_group(
    state: &mut State,
    context: &Context<'_>,
    group: &str,
    wanted: Option<Vec<(TopicName, Vec<i32>)>>,
) -> (i16, Vec<(TopicName, Vec<Place>)>) {
    if let Err(error) = check_coordinator(state, context.broker, group) {
        let code = error.code();
        let places = |indexes: Vec<i32>| {
            indexes.into_iter().map(|index| (index, -1, -1, None, code)).collect()
        };
        let wanted = wanted.unwrap_or_default();
        return (code, wanted.into_iter().map(|(name, list)| (name, places(list))).collect());
    }
    let mut seen = Vec::new();
    let topics = match &wanted {
        Some(wanted) => wanted
            .iter()
            .map(|(name, indexes)| {
                let topic = state.topic(name);
                let places = indexes
                    .iter()
                    .map(|&index| {
                        let part = topic.and_then(|topic| state.part(topic, index));
                        seen.extend(part);
                        place(state, group, part, index)
                    })
                    .collect();
                (name.clone(), places)
            })
            .collect(),
        None => all_places(state, group),
    };
    state.observe(context.broker, &context.head.client_id, |state| {
        let only = wanted.is_some().then_some(seen.as_slice());
        let name = state.groups.get(group).map(|group| Arc::clone(&group.name));
        Observed::Committed {
            group: name.unwrap_or_else(|| Arc::from(group)),
            partitions: state.committed_truth(group, only),
        }
    });
    (0, topics)
}

fn place(state: &State, group: &str, part: Option<usize>, index: i32) -> Place {
    let group = state.groups.get(group);
    match part.and_then(|part| group?.offset(part)) {
        Some(place) => (index, place.committed, place.committed_epoch, place.metadata.clone(), 0),
        None => (index, -1, -1, None, 0),
    }
}

fn all_places(state: &State, group: &str) -> Vec<(TopicName, Vec<Place>)> {
    let mut topics: Vec<(TopicName, Vec<Place>)> = Vec::new();
    let mut last = None;
    let offsets = state.groups.get(group).map_or(&[][..], |group| &group.offsets);
    for committed in offsets.iter().filter(|place| place.committed >= 0) {
        let part = &state.parts[committed.part];
        if last != Some(part.topic) {
            last = Some(part.topic);
            topics.push((TopicName(state.topics[part.topic].name_bytes.clone()), Vec::new()));
        }
        if let Some((_, places)) = topics.last_mut() {
            places.push((
                part.index,
                committed.committed,
                committed.committed_epoch,
                committed.metadata.clone(),
                0,
            ));
        }
    }
    topics
}

pub fn offset_commit(
    state: &mut State,
    context: &Context<'_>,
    request: OffsetCommitRequest,
) -> Handled {
    let group: Arc<str> = Arc::from(request.group_id.as_str());
    let checked = check_coordinator(state, context.broker, &group);
    let mut items = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let index = state.topic(&topic.name);
        let answers: Vec<(i32, i16)> = topic
            .partitions
            .into_iter()
            .map(|partition| {
                let number = partition.partition_index;
                let item = commit_item(state, index, partition);
                let error = code(&item);
                items.extend(item.ok());
                (number, error)
            })
            .collect();
        topics.push((topic.name, answers));
    }
    let committed = checked.and_then(|()| {
        let generation = request.generation_id_or_member_epoch;
        state.commit(&group, &request.member_id, generation, items)
    });
    let overall = code(&committed);
    let topics = topics
        .into_iter()
        .map(|(name, answers)| {
            let partitions = answers
                .into_iter()
                .map(|(index, error)| {
                    let error = if overall == 0 { error } else { overall };
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(index)
                        .with_error_code(error)
                })
                .collect();
            OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
        })
        .collect();
    reply(context.head, &OffsetCommitResponse::default().with_topics(topics))
}

fn commit_item(
    state: &State,
    topic: Option<usize>,
    partition: OffsetCommitRequestPartition,
) -> Result<CommitItem, ResponseError> {
    let part = topic
        .and_then(|topic| state.part(topic, partition.partition_index))
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let metadata = partition.committed_metadata.as_deref().filter(|text| !text.is_empty());
    if metadata.is_some_and(|text| text.len() > METADATA_BYTES_MAX) {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    if partition.committed_offset < 0 {
        return Err(ResponseError::InvalidCommitOffsetSize);
    }
    let epoch = partition.committed_leader_epoch;
    Ok((part, partition.committed_offset, epoch, metadata.map(Arc::from)))
}
