//! Produce, Fetch, InitProducerId.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    FetchRequest, InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProducerId,
};

use std::time::Duration;

use super::super::log::check_batch;
use super::super::state::State;
use super::offsets::check_leader;
use super::{Context, FRAME_BYTES_MAX, Handled, Outcome, Pending, PendingRequest, Waiting, reply};
use crate::sim::time::SimTime;

/// Longest wait of a fetch.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);

pub fn produce(state: &mut State, context: &Context<'_>, request: ProduceRequest) -> Handled {
    let by_id = context.head.version >= 13;
    let acks = request.acks;
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let index = if by_id {
            state.topic_ids.get(&topic.topic_id).copied().ok_or(ResponseError::UnknownTopicId)
        } else {
            state.topic(&topic.name).ok_or(ResponseError::UnknownTopicOrPartition)
        };
        let partitions = topic
            .partition_data
            .into_iter()
            .map(|data| produce_partition(state, context, index, acks, data))
            .collect();
        let response = TopicProduceResponse::default().with_partition_responses(partitions);
        responses.push(if by_id {
            response.with_topic_id(topic.topic_id)
        } else {
            response.with_name(topic.name)
        });
    }
    if acks == 0 {
        return Ok(Outcome::Silent);
    }
    reply(context.head, &ProduceResponse::default().with_responses(responses))
}

fn produce_partition(
    state: &mut State,
    context: &Context<'_>,
    topic: Result<usize, ResponseError>,
    acks: i16,
    data: PartitionProduceData,
) -> PartitionProduceResponse {
    let version = context.head.version;
    let broker = context.broker;
    let response = PartitionProduceResponse::default().with_index(data.index);
    let batch = data.records.unwrap_or_default();
    let appended = topic.and_then(|topic| append(state, broker, topic, acks, data.index, &batch));
    if let (Ok(topic), Some(broker)) = (topic, state.broker_mut(broker)) {
        let failed = u64::from(appended.is_err());
        broker.count(topic, |counters| {
            counters.produce_requests += 1;
            counters.failed_produce_requests += failed;
        });
        if appended == Err(ResponseError::MessageTooLarge) {
            broker.counters.bytes_rejected += batch.len() as u64;
        }
    }
    match appended {
        Err(error) => response.with_error_code(error.code()).with_base_offset(-1),
        Ok((base, log_start)) => {
            let response = response.with_base_offset(base);
            if version >= 5 { response.with_log_start_offset(log_start) } else { response }
        }
    }
}

/// Appends one batch; its first offset and the log's start.
fn append(
    state: &mut State,
    broker: i32,
    topic: usize,
    acks: i16,
    index: i32,
    batch: &[u8],
) -> Result<(i64, i64), ResponseError> {
    if !(-1..=1).contains(&acks) {
        return Err(ResponseError::InvalidRequiredAcks);
    }
    if state.topics[topic].internal {
        return Err(ResponseError::InvalidTopicException);
    }
    let part = state.part(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_leader(state, broker, part, -1)?;
    if acks == -1 && !state.parts[part].writable {
        return Err(ResponseError::NotEnoughReplicas);
    }
    let header = check_batch(batch)?;
    let base = state.append(part, batch, header);
    Ok((base, state.parts[part].log_start))
}

pub fn fetch(state: &mut State, context: &Context<'_>, request: FetchRequest) -> Handled {
    // No fetch sessions here: a client that asks for one gets none and sends whole requests.
    if context.head.version >= 7 && request.session_id != 0 {
        let error = ResponseError::FetchSessionIdNotFound.code();
        return reply(context.head, &FetchResponse::default().with_error_code(error));
    }
    let wait = Duration::from_millis(request.max_wait_ms.max(0).unsigned_abs().into());
    let until = state.now + wait.min(FETCH_WAIT_MAX);
    fetch_until(state, context, Box::new(request), until)
}

/// Answers a fetch that has enough, has an error or has waited long enough; else waits on.
pub fn fetch_until(
    state: &mut State,
    context: &Context<'_>,
    request: Box<FetchRequest>,
    until: SimTime,
) -> Handled {
    let by_id = context.head.version >= 13;
    let limit = usize::try_from(request.max_bytes).unwrap_or(0).min(FRAME_BYTES_MAX);
    let (mut size, mut failed) = (0usize, false);
    let mut read = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let index = if by_id {
            state.topic_ids.get(&topic.topic_id).copied().ok_or(ResponseError::UnknownTopicId)
        } else {
            state.topic(&topic.topic).ok_or(ResponseError::UnknownTopicOrPartition)
        };
        for asked in &topic.partitions {
            let room = limit.saturating_sub(size);
            let data = index.and_then(|index| {
                read_partition(state, context.broker, index, asked, room, size == 0)
            });
            match &data {
                Ok(data) => size += data.records.as_ref().map_or(0, bytes::Bytes::len),
                Err(_) => failed = true,
            }
            read.push((index.ok(), data));
        }
    }
    let enough = size >= usize::try_from(request.min_bytes).unwrap_or(0);
    if !enough && !failed && state.now < until {
        let wake_at = until.min(state.next_tick());
        let kind = Waiting::Fetch { request, until };
        let request = PendingRequest { head: context.head.clone(), kind };
        return Ok(Outcome::Wait(Box::new(Pending { request, wake_at })));
    }
    fetch_reply(state, context, *request, read)
}

type Read = (Option<usize>, Result<PartitionData, ResponseError>);

fn fetch_reply(
    state: &mut State,
    context: &Context<'_>,
    request: FetchRequest,
    read: Vec<Read>,
) -> Handled {
    let by_id = context.head.version >= 13;
    let mut read = read.into_iter();
    let mut responses = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (asked, (index, data)) in topic.partitions.iter().zip(read.by_ref()) {
            let failed = u64::from(data.is_err());
            let data = data.unwrap_or_else(|error| {
                PartitionData::default()
                    .with_error_code(error.code())
                    .with_high_watermark(-1)
                    .with_records(Some(bytes::Bytes::new()))
            });
            let size = data.records.as_ref().map_or(0, bytes::Bytes::len) as u64;
            if let (Some(index), Some(broker)) = (index, state.broker_mut(context.broker)) {
                broker.count(index, |counters| {
                    counters.fetch_requests += 1;
                    counters.failed_fetch_requests += failed;
                    counters.bytes_out += size;
                });
            }
            partitions.push(data.with_partition_index(asked.partition));
        }
        let response = FetchableTopicResponse::default().with_partitions(partitions);
        responses.push(if by_id {
            response.with_topic_id(topic.topic_id)
        } else {
            response.with_topic(topic.topic)
        });
    }
    reply(context.head, &FetchResponse::default().with_responses(responses))
}

/// Data of one partition; the first that has any gives a whole batch whatever the limits.
fn read_partition(
    state: &State,
    broker: i32,
    topic: usize,
    asked: &FetchPartition,
    room: usize,
    first: bool,
) -> Result<PartitionData, ResponseError> {
    let part = state.part(topic, asked.partition).ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_leader(state, broker, part, asked.current_leader_epoch)?;
    let log = &state.parts[part];
    if !(log.log_start..=log.log_end).contains(&asked.fetch_offset) {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let wanted = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room);
    let records = if state.topics[topic].internal || (wanted == 0 && !first) {
        // What the offsets topic holds is the groups' state, not records.
        bytes::Bytes::new()
    } else {
        state.read(part, asked.fetch_offset, wanted)
    };
    let records = if records.len() > wanted && !first { bytes::Bytes::new() } else { records };
    Ok(PartitionData::default()
        .with_high_watermark(log.log_end)
        .with_last_stable_offset(log.log_end)
        .with_log_start_offset(log.log_start)
        .with_records(Some(records)))
}

pub fn init_producer_id(
    state: &mut State,
    context: &Context<'_>,
    request: InitProducerIdRequest,
) -> Handled {
    if request.transactional_id.is_some() {
        let error = ResponseError::CoordinatorNotAvailable.code();
        let response = InitProducerIdResponse::default()
            .with_error_code(error)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        return reply(context.head, &response);
    }
    state.producer_ids += 1;
    let response = InitProducerIdResponse::default()
        .with_producer_id(ProducerId(state.producer_ids))
        .with_producer_epoch(0);
    reply(context.head, &response)
}
