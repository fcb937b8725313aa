//! Consumer groups of one broker: who they are, what they committed.
//!
//! Invariants:
//! - A group is asked for at the broker that said it coordinates it; a broker that says it no
//!   longer does ([`ErrorCode::NOT_COORDINATOR`]) leaves the group open for another try.
//! - Only groups that commit offsets count: protocol type `consumer`, or none (offsets committed
//!   without membership).
//!
//! Not read: members of KIP-848 groups, which DescribeGroups does not tell; their state and
//! offsets are.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DescribeGroupsRequest, GroupId, ListGroupsResponse, OffsetFetchRequest, OffsetFetchResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::broker::Shared;
use super::error::{ClientError, ErrorCode};
use super::peer::{Peer, Stream};
use super::topology::Topology;
use super::{Reason, Stamp, is_internal};
use crate::ports::{Endpoint, Ports};

/// First version of OffsetFetch that takes several groups at once.
const SEVERAL_GROUPS: i16 = 8;
/// First version of OffsetFetch that takes "all topics".
const ALL_TOPICS: i16 = 2;

/// A group to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupWant {
    pub(super) group: StrBytes,
    /// Whether the configuration names it: its partitions are then asked for by name, because
    /// brokers that cannot list groups may not know "all topics" either.
    pub(super) named: bool,
}

/// How far one request about a group got.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Answer<T> {
    #[default]
    Pending,
    Done(Stamp, T),
    Failed(Reason),
}

/// What DescribeGroups tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) state: StrBytes,
    pub(super) protocol: StrBytes,
    pub(super) members: usize,
}

/// A committed offset; −1 is "none".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) topic: StrBytes,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What is known of one group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupFound {
    pub(super) group: StrBytes,
    pub(super) named: bool,
    /// When its coordinator was learnt.
    pub(super) at: Stamp,
    /// Its state as ListGroups tells it (v4).
    pub(super) listed_state: Option<StrBytes>,
    pub(super) description: Answer<Description>,
    pub(super) committed: Answer<Vec<Committed>>,
    /// Partitions whose offset the broker refused to tell, and the first reason.
    pub(super) refused: Option<(u64, ErrorCode)>,
    /// Whether its broker said that another one coordinates it.
    pub(super) moved: bool,
}

impl GroupFound {
    pub(super) fn new(want: &GroupWant, at: Stamp) -> Self {
        Self {
            group: want.group.clone(),
            named: want.named,
            at,
            listed_state: None,
            description: Answer::Pending,
            committed: Answer::Pending,
            refused: None,
            moved: false,
        }
    }

    /// Fails what a deadline left open.
    pub(super) fn expire(&mut self, timeout_ms: u64) {
        let reason = || Reason::Client(ClientError::Timeout { timeout_ms });
        if self.description == Answer::Pending {
            self.description = Answer::Failed(reason());
        }
        if self.committed == Answer::Pending {
            self.committed = Answer::Failed(reason());
        }
    }

    fn code(&mut self, api: &'static str, code: i16) -> Result<(), ClientError> {
        let code = ErrorCode(code);
        self.moved |= code == ErrorCode::NOT_COORDINATOR;
        code.check(api)
    }
}

/// Adds the groups of a ListGroups answer to `groups`.
pub(super) fn listed(
    answer: &ListGroupsResponse,
    at: Stamp,
    groups: &mut Vec<GroupFound>,
) -> Result<(), ClientError> {
    ErrorCode(answer.error_code).check("ListGroups")?;
    for group in &answer.groups {
        if !matches!(group.protocol_type.as_str(), "consumer" | "") || group.group_id.is_empty() {
            continue;
        }
        let want = GroupWant { group: group.group_id.0.clone(), named: false };
        let mut found = GroupFound::new(&want, at);
        found.listed_state = Some(group.group_state.clone()).filter(|state| !state.is_empty());
        groups.push(found);
    }
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    groups.dedup_by(|later, first| later.group == first.group);
    Ok(())
}

/// Describes `groups` and fetches what they committed.
pub(super) async fn complete<P: Ports>(
    shared: Shared<'_, P>,
    peer: &mut Peer<Stream<P>>,
    endpoint: &Endpoint,
    groups: &mut [GroupFound],
) {
    if groups.is_empty() {
        return;
    }
    describe(shared, peer, endpoint, groups).await;
    fetch_offsets(shared, peer, endpoint, groups).await;
}

async fn describe<P: Ports>(
    shared: Shared<'_, P>,
    peer: &mut Peer<Stream<P>>,
    endpoint: &Endpoint,
    groups: &mut [GroupFound],
) {
    let ids: Vec<_> = groups.iter().map(|found| GroupId(found.group.clone())).collect();
    let request = |_| DescribeGroupsRequest::default().with_groups(ids.clone());
    let answer = peer.call(shared.dialer, endpoint, request).await;
    let at = Stamp::now(shared.dialer.ports.clock());
    match answer {
        Ok(answer) => {
            for described in answer.groups {
                let name = &described.group_id.0;
                if let Some(found) = find(groups, name) {
                    found.description = match description(found, described) {
                        Ok(description) => Answer::Done(at, description),
                        Err(error) => Answer::Failed(Reason::Client(error)),
                    };
                }
            }
            fail_pending(groups, |found| &mut found.description, &left_out("DescribeGroups"));
        }
        Err(error) => fail_pending(groups, |found| &mut found.description, &Reason::Client(error)),
    }
}

fn description(found: &mut GroupFound, group: DescribedGroup) -> Result<Description, ClientError> {
    found.code("DescribeGroups", group.error_code)?;
    // Kafka before v6 answers for a group that does not exist with the state Dead.
    if group.group_state.as_str() == "Dead" {
        ErrorCode::GROUP_ID_NOT_FOUND.check("DescribeGroups")?;
    }
    Ok(Description {
        state: group.group_state,
        protocol: group.protocol_data,
        members: group.members.len(),
    })
}

/// The broker answered, but not about this group.
fn left_out(api: &'static str) -> Reason {
    Reason::Client(ClientError::Malformed {
        api,
        version: -1,
        reason: "the answer leaves the group out".to_owned(),
    })
}

fn fail_pending<T>(
    groups: &mut [GroupFound],
    slot: impl Fn(&mut GroupFound) -> &mut Answer<T>,
    reason: &Reason,
) {
    for found in groups {
        let slot = slot(found);
        if matches!(slot, Answer::Pending) {
            *slot = Answer::Failed(reason.clone());
        }
    }
}

async fn fetch_offsets<P: Ports>(
    shared: Shared<'_, P>,
    peer: &mut Peer<Stream<P>>,
    endpoint: &Endpoint,
    groups: &mut [GroupFound],
) {
    // The version decides how many groups one request can carry.
    if let Err(error) = peer.connect(shared.dialer, endpoint).await {
        return fail_pending(groups, |found| &mut found.committed, &Reason::Client(error));
    }
    let version = peer.version::<OffsetFetchRequest>();
    let several = version.is_some_and(|v| v >= SEVERAL_GROUPS);
    let all_by_name = version.is_some_and(|v| v < ALL_TOPICS);
    let step = if several { groups.len() } else { 1 };
    for batch in groups.chunks_mut(step) {
        let request = |version| offset_fetch(version, batch, shared.topology);
        let answer = peer.call(shared.dialer, endpoint, request).await;
        let at = Stamp::now(shared.dialer.ports.clock());
        match answer {
            Ok(answer) => {
                take_offsets(answer, at, batch);
                for found in batch.iter_mut().filter(|found| found.named || all_by_name) {
                    drop_untouched_topics(found);
                }
                fail_pending(batch, |found| &mut found.committed, &left_out("OffsetFetch"));
            }
            Err(error) => {
                fail_pending(batch, |found| &mut found.committed, &Reason::Client(error));
            }
        }
    }
}

/// All partitions of all topics, by name.
fn every_partition(topology: &Topology) -> impl Iterator<Item = (TopicName, Vec<i32>)> {
    topology.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.index);
        (TopicName(topic.name.clone()), partitions.collect())
    })
}

fn offset_fetch(version: i16, groups: &[GroupFound], topology: &Topology) -> OffsetFetchRequest {
    if version >= SEVERAL_GROUPS {
        let groups = groups.iter().map(|found| {
            let topics = every_partition(topology).map(|(name, partitions)| {
                let topic = OffsetFetchRequestTopics::default().with_name(name);
                topic.with_partition_indexes(partitions)
            });
            OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(found.group.clone()))
                .with_topics(found.named.then(|| topics.collect()))
        });
        return OffsetFetchRequest::default().with_groups(groups.collect());
    }
    let Some(found) = groups.first() else { return OffsetFetchRequest::default() };
    let topics = every_partition(topology).map(|(name, partitions)| {
        OffsetFetchRequestTopic::default().with_name(name).with_partition_indexes(partitions)
    });
    let by_name = found.named || version < ALL_TOPICS;
    OffsetFetchRequest::default()
        .with_group_id(GroupId(found.group.clone()))
        .with_topics(by_name.then(|| topics.collect()))
}

fn take_offsets(answer: OffsetFetchResponse, at: Stamp, groups: &mut [GroupFound]) {
    if answer.groups.is_empty() {
        let Some(found) = groups.first_mut() else { return };
        let rows = answer.topics.iter().flat_map(|topic| {
            let rows = topic.partitions.iter();
            rows.map(|p| (&topic.name.0, p.partition_index, p.committed_offset, p.error_code))
        });
        return settle(found, answer.error_code, at, rows);
    }
    for group in &answer.groups {
        let Some(found) = find(groups, &group.group_id.0) else { continue };
        let rows = group.topics.iter().flat_map(|topic| {
            let rows = topic.partitions.iter();
            rows.map(|p| (&topic.name.0, p.partition_index, p.committed_offset, p.error_code))
        });
        settle(found, group.error_code, at, rows);
    }
}

fn settle<'a>(
    found: &mut GroupFound,
    code: i16,
    at: Stamp,
    rows: impl Iterator<Item = (&'a StrBytes, i32, i64, i16)>,
) {
    if let Err(error) = found.code("OffsetFetch", code) {
        found.committed = Answer::Failed(Reason::Client(error));
        return;
    }
    let mut committed = Vec::new();
    for (topic, partition, offset, code) in rows {
        if is_internal(topic) {
            continue;
        }
        match ErrorCode(code) {
            ErrorCode::NONE => {
                committed.push(Committed { topic: topic.clone(), partition, offset })
            }
            code => {
                let (count, _) = found.refused.get_or_insert((0, code));
                *count += 1;
            }
        }
    }
    committed.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    committed.dedup_by(|b, a| a.topic == b.topic && a.partition == b.partition);
    found.committed = Answer::Done(at, committed);
}

/// A group that was asked about every topic reads only those where it committed something.
fn drop_untouched_topics(found: &mut GroupFound) {
    let Answer::Done(_, committed) = &mut found.committed else { return };
    let with_offset = committed.iter().filter(|row| row.offset >= 0);
    let touched: BTreeSet<_> = with_offset.map(|row| row.topic.clone()).collect();
    committed.retain(|row| touched.contains(&row.topic));
}

/// The group called `name` among `groups`, which are sorted.
fn find<'a>(groups: &'a mut [GroupFound], name: &StrBytes) -> Option<&'a mut GroupFound> {
    let at = groups.binary_search_by(|found| found.group.cmp(name)).ok()?;
    groups.get_mut(at)
}
