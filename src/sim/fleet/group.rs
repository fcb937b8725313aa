//! Consumer groups: members, offsets, and the rebalances of synthetic members.
//!
//! A group's members are either all synthetic (they consume in [`super::evolve`]) or all real
//! clients ([`super::coordinator`]); when a real client joins, the synthetic ones leave for good.
//!
//! Invariants:
//! - `offsets` is sorted by partition; a synthetic consumer's `committed ≤ position ≤ log_end`.
//! - A group without members is Empty; a Stable group's members cover its subscription.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::history::Change;
use super::state::{Event, State};
use crate::sim::time::SimTime;
use crate::workload::mix;

/// Where a group stands (Kafka's names).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// No members; offsets may remain.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// The leader works out the assignment.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
    /// Does not exist.
    Dead,
}

impl GroupState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// A member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    /// Assignment strategies it can do, best first, each with its subscription.
    pub protocols: Vec<(Arc<str>, Bytes)>,
    pub assignment: Bytes,
    /// Waits for the present rebalance to complete.
    pub joining: bool,
    /// Generation of its last completed join.
    pub generation: i32,
    pub expires_at: SimTime,
}

/// A group's place in one partition.
#[derive(Debug, Clone)]
pub(super) struct GroupPartition {
    /// Index into `State::parts`.
    pub part: usize,
    /// −1: nothing committed.
    pub committed: i64,
    pub committed_epoch: i32,
    pub metadata: Option<Arc<str>>,
    /// Next offset a synthetic consumer reads.
    pub position: i64,
    /// Messages per tick that it can read, in millionths; 0: not subscribed.
    pub capacity_micro: u64,
    pub carry_micro: u64,
}

/// A group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub name: Arc<str>,
    pub state: GroupState,
    pub generation: i32,
    pub protocol_type: Arc<str>,
    pub protocol: Arc<str>,
    pub leader: Option<Arc<str>>,
    pub members: BTreeMap<Arc<str>, Member>,
    /// Member ids given out that have not joined yet.
    pub pending: BTreeSet<Arc<str>>,
    pub synthetic: bool,
    /// Topics its synthetic members read.
    pub topics: Vec<usize>,
    pub offsets: Vec<GroupPartition>,
    /// Partition of `__consumer_offsets` it belongs to, as an index into `State::parts`.
    pub coordinator: usize,
    /// Tick (modulo the interval) at which it commits.
    pub phase: u64,
    /// Counts rebalances of real members; `deadline` ends the present one.
    pub round: u64,
    pub deadline: SimTime,
    /// Joins during the initial delay do not complete the rebalance.
    pub delayed: bool,
}

impl Group {
    /// A group without members or offsets.
    pub fn new(name: Arc<str>, coordinator: usize) -> Self {
        Self {
            name,
            state: GroupState::Empty,
            generation: 0,
            protocol_type: Arc::from(""),
            protocol: Arc::from(""),
            leader: None,
            members: BTreeMap::new(),
            pending: BTreeSet::new(),
            synthetic: false,
            topics: Vec::new(),
            offsets: Vec::new(),
            coordinator,
            phase: 0,
            round: 0,
            deadline: SimTime::ZERO,
            delayed: false,
        }
    }

    /// The assignment strategy; empty unless the group is Stable, as DescribeGroups gives it.
    pub fn protocol_in_force(&self) -> Arc<str> {
        match self.state {
            GroupState::Stable => Arc::clone(&self.protocol),
            _ => Arc::from(""),
        }
    }

    /// The place in `part`, if there is one.
    pub fn offset(&self, part: usize) -> Option<&GroupPartition> {
        let found = self.offsets.binary_search_by_key(&part, |place| place.part).ok()?;
        self.offsets.get(found)
    }

    /// The place in `part`, made when absent.
    pub fn offset_mut(&mut self, part: usize) -> &mut GroupPartition {
        let at = match self.offsets.binary_search_by_key(&part, |place| place.part) {
            Ok(found) => found,
            Err(gap) => {
                let fresh = GroupPartition {
                    part,
                    committed: -1,
                    committed_epoch: -1,
                    metadata: None,
                    position: 0,
                    capacity_micro: 0,
                    carry_micro: 0,
                };
                self.offsets.insert(gap, fresh);
                gap
            }
        };
        &mut self.offsets[at]
    }
}

/// `String.hashCode` of Java, which places a group on a partition of `__consumer_offsets`.
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Partition of `__consumer_offsets` for `group` (`Utils.abs(hashCode) % partitions`).
pub fn coordinator_partition(group: &str, partitions: i32) -> i32 {
    (java_string_hash(group) & i32::MAX) % partitions.max(1)
}

/// `ConsumerProtocolSubscription` version 0 with its version prefix.
pub(super) fn subscription(topics: &[Arc<str>]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    out.put_i32(i32::try_from(topics.len()).unwrap_or(i32::MAX));
    for topic in topics {
        put_string(&mut out, topic);
    }
    out.put_i32(-1);
    out.freeze()
}

/// `ConsumerProtocolAssignment` version 0 with its version prefix.
pub(super) fn assignment(topics: &[(Arc<str>, Vec<i32>)]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    out.put_i32(i32::try_from(topics.len()).unwrap_or(i32::MAX));
    for (topic, partitions) in topics {
        put_string(&mut out, topic);
        out.put_i32(i32::try_from(partitions.len()).unwrap_or(i32::MAX));
        partitions.iter().for_each(|&partition| out.put_i32(partition));
    }
    out.put_i32(-1);
    out.freeze()
}

fn put_string(out: &mut BytesMut, text: &str) {
    out.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    out.put_slice(&text.as_bytes()[..text.len().min(i16::MAX as usize)]);
}

impl State {
    /// Index into `parts` of the `__consumer_offsets` partition of `group`.
    pub fn coordinator_part(&self, group: &str) -> Option<usize> {
        let topic = self.topic(super::OFFSETS_TOPIC)?;
        let partitions = i32::try_from(self.topics[topic].partitions).ok()?;
        self.part(topic, coordinator_partition(group, partitions))
    }

    /// Records a group's new state.
    pub fn record_group(&mut self, name: &Arc<str>) {
        let Some(group) = self.groups.get(name) else { return };
        let change = Change::GroupState {
            group: Arc::clone(name),
            state: group.state.as_str(),
            generation: group.generation,
            members: group.members.len(),
        };
        self.record(change);
    }

    /// Adds a synthetic member called after its group.
    pub fn add_synthetic_member(&mut self, name: &Arc<str>) {
        self.member_ids += 1;
        let serial = self.member_ids;
        let hash = mix(self.noise, serial, 77);
        let Some(group) = self.groups.get_mut(name) else { return };
        let client_id: Arc<str> = Arc::from(format!("consumer-{name}-{serial}"));
        let id: Arc<str> = Arc::from(format!(
            "{client_id}-{}",
            uuid::Builder::from_random_bytes(
                (u128::from(hash) << 64 | u128::from(mix(hash, serial, 78))).to_be_bytes()
            )
            .into_uuid()
        ));
        let topics: Vec<_> =
            group.topics.iter().map(|&topic| Arc::clone(&self.topics[topic].name)).collect();
        let member = Member {
            client_id,
            client_host: Arc::from(format!("/10.1.{}.{}", serial / 250 % 250, serial % 250 + 1)),
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            protocols: vec![(Arc::from("range"), subscription(&topics))],
            assignment: Bytes::new(),
            joining: false,
            generation: 0,
            expires_at: SimTime(u64::MAX),
        };
        group.members.insert(id, member);
    }

    /// Completes a synthetic rebalance: new generation, range assignment, Stable.
    pub fn settle_synthetic(&mut self, name: &Arc<str>) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.generation += 1;
        group.leader = group.members.keys().next().cloned();
        group.state = if group.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        let count = group.members.len();
        for (position, member) in group.members.values_mut().enumerate() {
            let mut shares = Vec::new();
            for &topic in &group.topics {
                let topic = &self.topics[topic];
                let share = range_share(topic.partitions, position, count);
                if !share.is_empty() {
                    shares.push((Arc::clone(&topic.name), share));
                }
            }
            member.assignment = assignment(&shares);
            member.generation = group.generation;
        }
        self.record_group(name);
    }

    /// A synthetic member comes or goes, and the next such change is planned.
    pub fn change_members(&mut self, name: &Arc<str>) {
        let hash = mix(self.noise, self.now.0, u64::from(java_string_hash(name).cast_unsigned()));
        let Some(group) = self.groups.get_mut(name) else { return };
        if !group.synthetic {
            return;
        }
        let started = u64::from(self.spec.members);
        let count = group.members.len() as u64;
        let joins = count <= 1 || (count < 2 * started && hash & 1 == 0);
        if group.state == GroupState::Stable {
            group.state = GroupState::PreparingRebalance;
            if !joins {
                let leaves = (hash >> 8) % count;
                let id = group.members.keys().nth(usize::try_from(leaves).unwrap_or(0)).cloned();
                id.and_then(|id| group.members.remove(&id));
            }
            if joins {
                self.add_synthetic_member(name);
            }
            self.record_group(name);
            let pause = Duration::from_millis(1_000 + hash % 2_000);
            let event = Event::SyntheticRebalance { group: Arc::clone(name) };
            self.schedule(self.now + pause, event);
        }
        self.plan_member_change(name);
    }

    /// Plans the next coming or going: 5 to 30 minutes from now.
    pub fn plan_member_change(&mut self, name: &Arc<str>) {
        if self.spec.member_churn {
            let hash = mix(self.noise ^ 0x4d43, self.now.0, self.event_count);
            let pause = Duration::from_millis(300_000 + hash % 1_500_000);
            self.schedule(self.now + pause, Event::MemberChange { group: Arc::clone(name) });
        }
    }

    /// The next step of a synthetic rebalance.
    pub fn step_synthetic(&mut self, name: &Arc<str>) {
        let Some(group) = self.groups.get_mut(name).filter(|group| group.synthetic) else { return };
        match group.state {
            GroupState::PreparingRebalance => {
                group.state = GroupState::CompletingRebalance;
                self.record_group(name);
                let event = Event::SyntheticRebalance { group: Arc::clone(name) };
                self.schedule(self.now + Duration::from_millis(400), event);
            }
            GroupState::CompletingRebalance => self.settle_synthetic(name),
            _ => {}
        }
    }
}

/// Partitions of a topic that the range strategy gives to member `position` of `members`.
pub(super) fn range_share(partitions: usize, position: usize, members: usize) -> Vec<i32> {
    let (each, extra) = (partitions / members.max(1), partitions % members.max(1));
    let first = position * each + position.min(extra);
    let count = each + usize::from(position < extra);
    (first..first + count).filter_map(|index| i32::try_from(index).ok()).collect()
}
