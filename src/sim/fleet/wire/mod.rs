//! Kafka's wire protocol as a pure function: a frame and an instant in, an [`Outcome`] out.
//!
//! Invariants:
//! - Whatever the frame, the result is a reply, a wait that ends, or a close with a counted,
//!   typed reason: never a panic, never an allocation that the frame's size does not justify.
//! - A request is carried out at most once: a wait resumes without repeating its effects.
//!
//! Rules: versions as a Kafka 4 broker negotiates them, older ones too where the codec has them;
//! an ApiVersions request of an unknown version is answered in version 0 with UNSUPPORTED_VERSION
//! (KIP-511); any other unknown API or version closes the connection, as brokers do.

mod admin;
mod data;
mod groups;
mod metadata;
mod offsets;
mod spoil;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use self::spoil::spoil;
use super::Fleet;
use super::state::State;
use crate::kafka_wire;
use crate::sim::time::SimTime;

/// Longest frame a broker takes (real brokers: `socket.request.max.bytes`, 100 MiB).
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// Longest frame of a request that carries no records or assignments.
const SMALL_FRAME_BYTES_MAX: usize = 1 << 20;

/// APIs and versions that brokers offer: key, lowest, highest.
pub const APIS: [(ApiKey, i16, i16); 19] = [
    (ApiKey::Produce, 3, 13),
    (ApiKey::Fetch, 4, 17),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::DescribeLogDirs, 1, 4),
    (ApiKey::DescribeCluster, 0, 2),
];

/// Why a broker closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum CloseReason {
    /// The length before a frame is negative.
    #[error("frame length is negative")]
    InvalidLength,
    /// The frame is longer than allowed.
    #[error("frame is too large")]
    FrameTooLarge,
    /// The peer ended the stream within a frame.
    #[error("stream ended within a frame")]
    Truncated,
    /// The API key is unknown, or no broker API.
    #[error("unknown API key")]
    UnknownApi,
    /// The API has no such version.
    #[error("unsupported version")]
    UnsupportedVersion,
    /// The request does not follow its schema.
    #[error("malformed request")]
    Malformed,
    /// The broker's process does not run.
    #[error("broker is down")]
    BrokerDown,
    /// The answer does not fit the version asked for.
    #[error("answer cannot be encoded")]
    Encoding,
    /// A fault let the answer end in its middle.
    #[error("answer broke off")]
    BrokenOff,
}

impl CloseReason {
    /// The reason as a counter's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidLength => "invalid_length",
            Self::FrameTooLarge => "frame_too_large",
            Self::Truncated => "truncated",
            Self::UnknownApi => "unknown_api",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Malformed => "malformed",
            Self::BrokerDown => "broker_down",
            Self::Encoding => "encoding",
            Self::BrokenOff => "broken_off",
        }
    }
}

/// One connection to one broker.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The broker.
    pub broker: i32,
    /// The peer as brokers show it: `/10.0.0.1`.
    pub client_host: Arc<str>,
}

impl Connection {
    /// A connection of `client_host` to `broker`.
    pub fn new(broker: i32, client_host: impl Into<Arc<str>>) -> Self {
        Self { broker, client_host: client_host.into() }
    }
}

/// What becomes of a frame.
#[derive(Debug)]
pub enum Outcome {
    /// Send this, length included.
    Reply(Bytes),
    /// Send this, the beginning of an answer, and close the connection.
    BreakOff(Bytes),
    /// Send nothing (Produce with `acks=0`).
    Silent,
    /// Look again with [`Fleet::resume`] when something changed, or at the latest at `wake_at`.
    Wait(Box<Pending>),
    /// Close the connection.
    Close(CloseReason),
}

/// A request that waits.
#[derive(Debug)]
pub struct Pending {
    /// What waits.
    pub request: PendingRequest,
    /// When to look again at the latest.
    pub wake_at: SimTime,
}

/// A waiting request; its effects have happened already.
#[derive(Debug)]
pub struct PendingRequest {
    head: Head,
    kind: Waiting,
}

#[derive(Debug)]
enum Waiting {
    Join { group: Arc<str>, member: Arc<str> },
    Sync { group: Arc<str>, member: Arc<str>, generation: i32 },
    Fetch { request: Box<kafka_protocol::messages::FetchRequest>, until: SimTime },
}

/// A request's header.
#[derive(Debug, Clone)]
struct Head {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: StrBytes,
}

/// What a handler needs besides the state.
struct Context<'a> {
    head: &'a Head,
    broker: i32,
    client_host: &'a Arc<str>,
}

type Handled = Result<Outcome, CloseReason>;

impl Fleet {
    /// Carries out one frame (without its length) of `connection` at `now`.
    pub fn handle(&self, connection: &Connection, frame: Bytes, now: SimTime) -> Outcome {
        let (outcome, changes) = {
            let mut state = self.lock();
            state.advance(now);
            let handled = begin(&state, connection, frame);
            match handled {
                Ok((head, body)) => {
                    let (api, told) = (head.api, state.journal.entries.len());
                    let outcome = dispatch(&mut state, connection, &head, body);
                    let outcome = outcome.unwrap_or_else(Outcome::Close);
                    let outcome = spoil(&mut state, connection.broker, &head, outcome, told);
                    (outcome, changes_others(api))
                }
                Err(Refusal::Close(reason)) => (Outcome::Close(reason), false),
                Err(Refusal::Versions(head)) => {
                    let outcome = api_versions(&head, ResponseError::UnsupportedVersion.code());
                    (outcome.unwrap_or_else(Outcome::Close), false)
                }
            }
        };
        if changes {
            self.0.changed.notify_waiters();
        }
        outcome
    }

    /// Looks again at a request that waits.
    pub fn resume(
        &self,
        connection: &Connection,
        pending: PendingRequest,
        now: SimTime,
    ) -> Outcome {
        let mut state = self.lock();
        state.advance(now);
        if !state.is_up(connection.broker) {
            return Outcome::Close(CloseReason::BrokerDown);
        }
        let PendingRequest { head, kind } = pending;
        let told = state.journal.entries.len();
        let context = context(connection, &head);
        let handled = match kind {
            Waiting::Join { group, member } => groups::await_join(&state, &context, group, member),
            Waiting::Sync { group, member, generation } => {
                groups::await_sync(&state, &context, group, member, generation)
            }
            Waiting::Fetch { request, until } => {
                data::fetch_until(&mut state, &context, request, until)
            }
        };
        let outcome = handled.unwrap_or_else(Outcome::Close);
        spoil(&mut state, connection.broker, &head, outcome, told)
    }

    /// Counts a connection that broker `id` closed.
    pub(super) fn connection_closed(&self, id: i32, reason: CloseReason) {
        if let Some(broker) = self.lock().broker_mut(id) {
            broker.counters.connections_closed += 1;
            *broker.closed.entry(reason.as_str()).or_default() += 1;
        }
    }
}

/// Whether a request of `api` may end others' waits.
fn changes_others(api: ApiKey) -> bool {
    matches!(api, ApiKey::Produce | ApiKey::JoinGroup | ApiKey::SyncGroup | ApiKey::LeaveGroup)
}

fn context<'a>(connection: &'a Connection, head: &'a Head) -> Context<'a> {
    Context { head, broker: connection.broker, client_host: &connection.client_host }
}

enum Refusal {
    Close(CloseReason),
    Versions(Head),
}

/// Reads the header and checks the body's shape.
fn begin(state: &State, connection: &Connection, frame: Bytes) -> Result<(Head, Bytes), Refusal> {
    let close = |reason| Refusal::Close(reason);
    if !state.is_up(connection.broker) {
        return Err(close(CloseReason::BrokerDown));
    }
    let (head, body) = read_head(frame)?;
    let records = matches!(head.api, ApiKey::Produce | ApiKey::JoinGroup | ApiKey::SyncGroup);
    if !records && body.len() > SMALL_FRAME_BYTES_MAX {
        return Err(close(CloseReason::FrameTooLarge));
    }
    let layout = kafka_wire::request(head.api).ok_or(close(CloseReason::UnknownApi))?;
    layout.left_over(&body, head.version).map_err(|_| close(CloseReason::Malformed))?;
    Ok((head, body))
}

fn read_head(mut frame: Bytes) -> Result<(Head, Bytes), Refusal> {
    let malformed = || Refusal::Close(CloseReason::Malformed);
    let key = frame.try_get_i16().map_err(|_| malformed())?;
    let version = frame.try_get_i16().map_err(|_| malformed())?;
    let correlation_id = frame.try_get_i32().map_err(|_| malformed())?;
    let api = ApiKey::try_from(key).map_err(|()| Refusal::Close(CloseReason::UnknownApi))?;
    let &(_, lowest, highest) = APIS
        .iter()
        .find(|(offered, _, _)| *offered == api)
        .ok_or(Refusal::Close(CloseReason::UnknownApi))?;
    let mut head = Head { api, version, correlation_id, client_id: StrBytes::new() };
    if !(lowest..=highest).contains(&version) {
        if api == ApiKey::ApiVersions {
            head.version = 0;
            return Err(Refusal::Versions(head));
        }
        return Err(Refusal::Close(CloseReason::UnsupportedVersion));
    }
    let length = frame.try_get_i16().map_err(|_| malformed())?;
    if length != -1 {
        let length = usize::try_from(length).map_err(|_| malformed())?;
        if frame.len() < length {
            return Err(malformed());
        }
        head.client_id = StrBytes::from_utf8(frame.split_to(length)).map_err(|_| malformed())?;
    }
    if kafka_wire::request(api).is_some_and(|layout| layout.is_flexible(version)) {
        kafka_wire::skip_tags(&mut frame).ok_or_else(malformed)?;
    }
    Ok((head, frame))
}

fn dispatch(state: &mut State, connection: &Connection, head: &Head, body: Bytes) -> Handled {
    let context = &context(connection, head);
    if let Some(broker) = state.broker_mut(connection.broker) {
        let counters = &mut broker.counters;
        let counter = match head.api {
            ApiKey::Produce => &mut counters.requests_produce,
            ApiKey::Fetch => &mut counters.requests_fetch_consumer,
            ApiKey::Metadata => &mut counters.requests_metadata,
            _ => &mut counters.requests_other,
        };
        *counter += 1;
    }
    match head.api {
        ApiKey::ApiVersions => {
            decode::<ApiVersionsRequest>(head, body)?;
            api_versions(head, 0)
        }
        ApiKey::Metadata => {
            let request = decode(head, body)?;
            state.as_seen_by(context.broker, |state| metadata::metadata(state, context, request))
        }
        ApiKey::DescribeCluster => {
            let request = decode(head, body)?;
            state.as_seen_by(context.broker, |state| {
                metadata::describe_cluster(state, context, request)
            })
        }
        ApiKey::FindCoordinator => metadata::find_coordinator(state, context, decode(head, body)?),
        ApiKey::ListOffsets => offsets::list_offsets(state, context, decode(head, body)?),
        ApiKey::OffsetFetch => offsets::offset_fetch(state, context, decode(head, body)?),
        ApiKey::OffsetCommit => offsets::offset_commit(state, context, decode(head, body)?),
        ApiKey::ListGroups => groups::list_groups(state, context, decode(head, body)?),
        ApiKey::DescribeGroups => groups::describe_groups(state, context, decode(head, body)?),
        ApiKey::JoinGroup => groups::join_group(state, context, decode(head, body)?),
        ApiKey::SyncGroup => groups::sync_group(state, context, decode(head, body)?),
        ApiKey::Heartbeat => groups::heartbeat(state, context, decode(head, body)?),
        ApiKey::LeaveGroup => groups::leave_group(state, context, decode(head, body)?),
        ApiKey::DescribeConfigs => admin::describe_configs(state, context, decode(head, body)?),
        ApiKey::DescribeLogDirs => admin::describe_log_dirs(state, context, decode(head, body)?),
        ApiKey::CreateTopics => admin::create_topics(state, context, decode(head, body)?),
        ApiKey::Produce => data::produce(state, context, decode(head, body)?),
        ApiKey::Fetch => data::fetch(state, context, decode(head, body)?),
        ApiKey::InitProducerId => data::init_producer_id(state, context, decode(head, body)?),
        _ => Err(CloseReason::UnknownApi),
    }
}

fn decode<R: Decodable>(head: &Head, mut body: Bytes) -> Result<R, CloseReason> {
    R::decode(&mut body, head.version).map_err(|_| CloseReason::Malformed)
}

fn api_versions(head: &Head, error_code: i16) -> Handled {
    let api_keys = APIS
        .iter()
        .map(|(api, lowest, highest)| {
            // As Kafka 4 does (KAFKA-18659): older librdkafka compresses only for brokers that
            // claim Produce version 0, though it never sends that version.
            let lowest = if *api == ApiKey::Produce { 0 } else { *lowest };
            ApiVersion::default()
                .with_api_key(*api as i16)
                .with_min_version(lowest)
                .with_max_version(*highest)
        })
        .collect();
    let response =
        ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(api_keys);
    reply(head, &response)
}

/// Encodes an answer with length and header.
fn reply<R: Encodable>(head: &Head, response: &R) -> Handled {
    let mut out = begin_reply(head, 512)?;
    encode(head, response, &mut out)?;
    end_reply(out)
}

/// An answer whose body is encoded already.
fn reply_body(head: &Head, body: &Bytes) -> Handled {
    let mut out = begin_reply(head, body.len() + 16)?;
    out.put_slice(body);
    end_reply(out)
}

fn encode<R: Encodable>(head: &Head, response: &R, out: &mut BytesMut) -> Result<(), CloseReason> {
    response.encode(out, head.version).map_err(|error| {
        tracing::warn!(api = ?head.api, version = head.version, %error, "Cannot encode an answer.");
        CloseReason::Encoding
    })
}

/// Room for the length, and the header.
fn begin_reply(head: &Head, capacity: usize) -> Result<BytesMut, CloseReason> {
    let mut out = BytesMut::with_capacity(capacity);
    out.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(head.correlation_id);
    let header_version = head.api.response_header_version(head.version);
    header.encode(&mut out, header_version).map_err(|_| CloseReason::Encoding)?;
    Ok(out)
}

fn end_reply(mut out: BytesMut) -> Handled {
    let length = i32::try_from(out.len() - 4).map_err(|_| CloseReason::Encoding)?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(Outcome::Reply(out.freeze()))
}

/// Whether `broker` coordinates `group`.
///
/// # Errors
/// COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.
fn check_coordinator(state: &State, broker: i32, group: &str) -> Result<(), ResponseError> {
    let part = state.coordinator_part(group).ok_or(ResponseError::CoordinatorNotAvailable)?;
    match state.parts[part].leader {
        leader if leader == broker && state.in_force.loads(part, state.now) => {
            Err(ResponseError::CoordinatorLoadInProgress)
        }
        leader if leader == broker => Ok(()),
        leader if !state.is_up(leader) => Err(ResponseError::CoordinatorNotAvailable),
        _ => Err(ResponseError::NotCoordinator),
    }
}

/// An error's code; 0 for success.
fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}
