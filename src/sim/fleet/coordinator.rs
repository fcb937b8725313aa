//! Group membership of real clients: join, sync, heartbeat, leave, commit (the classic protocol).
//!
//! Rules follow Kafka's GroupCoordinator: the first join of an empty group waits for the initial
//! rebalance delay, later rebalances end when every member has joined again or the longest
//! rebalance time-out has passed; silent members leave at their session time-out.
//!
//! Invariants:
//! - A generation's members all joined in its round; only its leader's sync sets assignments.
//! - Whoever waits is answered: each wait ends with a join, a sync, a deadline or an error.
//!
//! Not modelled: the consumer protocol of KIP-848, rejoin of a static member without a rebalance,
//! loading of groups after a coordinator's failure (after a move that a fault orders it is), expiry
//! of offsets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::group::{Group, GroupState, Member};
use super::state::{Event, State};
use crate::sim::time::SimTime;
use crate::workload::mix;

/// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<i32> = 6_000..=1_800_000;
/// `group.max.size`, to bound memory.
const MEMBERS_MAX: usize = 1_000;
/// Bytes of one committed offset in `__consumer_offsets`.
const COMMIT_BYTES: u64 = 120;

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub(super) struct JoinCall {
    pub group: Arc<str>,
    pub member: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: Arc<str>,
    pub protocols: Vec<(Arc<str>, Bytes)>,
    /// A new member must come back with the id it is given (version 4 and later).
    pub id_required: bool,
}

/// A completed join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    pub generation: i32,
    pub protocol_type: Arc<str>,
    pub protocol: Arc<str>,
    pub leader: Arc<str>,
    /// For the leader: everybody's id, instance id and subscription.
    pub members: Vec<(Arc<str>, Option<Arc<str>>, Bytes)>,
}

/// A completed sync: protocol type, protocol, the member's assignment.
pub(super) type Synced = (Arc<str>, Arc<str>, Bytes);

/// One offset to commit: topic, partition index, offset, leader epoch, metadata.
pub(super) type CommitItem = (usize, i64, i32, Option<Arc<str>>);

impl State {
    /// Takes a join; the member's id to wait for with [`State::joined`].
    ///
    /// # Errors
    /// Kafka's code, and the member id to send with it.
    pub fn join(&mut self, call: JoinCall) -> Result<Arc<str>, (ResponseError, Arc<str>)> {
        let refuse = |error| Err((error, Arc::clone(&call.member)));
        if call.group.is_empty() {
            return refuse(ResponseError::InvalidGroupId);
        }
        if !SESSION_TIMEOUT_MS.contains(&call.session_timeout_ms) {
            return refuse(ResponseError::InvalidSessionTimeout);
        }
        let Some(coordinator) = self.coordinator_part(&call.group) else {
            return refuse(ResponseError::CoordinatorNotAvailable);
        };
        let group = self
            .groups
            .entry(Arc::clone(&call.group))
            .or_insert_with(|| Group::new(Arc::clone(&call.group), coordinator));
        group.dismiss_synthetic();
        if !group.accepts(&call) {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        let known = group.members.contains_key(&call.member);
        if group.members.len() >= MEMBERS_MAX && !known {
            return refuse(ResponseError::GroupMaxSizeReached);
        }
        if call.member.is_empty() {
            return self.join_as_new(call);
        }
        if !known && !group.pending.remove(&call.member) {
            return refuse(ResponseError::UnknownMemberId);
        }
        let member = Arc::clone(&call.member);
        self.put_member(&call, &member);
        Ok(member)
    }

    fn join_as_new(&mut self, call: JoinCall) -> Result<Arc<str>, (ResponseError, Arc<str>)> {
        self.member_ids += 1;
        let hash = mix(self.noise, self.member_ids, 79);
        let random = (u128::from(hash) << 64 | u128::from(mix(hash, 1, 80))).to_be_bytes();
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid();
        let id: Arc<str> = Arc::from(format!("{}-{uuid}", call.client_id));
        let Some(group) = self.groups.get_mut(&call.group) else {
            return Err((ResponseError::CoordinatorNotAvailable, call.member));
        };
        if call.id_required && call.instance_id.is_none() {
            if group.pending.len() >= MEMBERS_MAX {
                group.pending.pop_first();
            }
            group.pending.insert(Arc::clone(&id));
            // A client that never comes back must not hold the group up.
            let session = Duration::from_millis(call.session_timeout_ms.unsigned_abs().into());
            let event = Event::MemberSession { group: call.group, member: Arc::clone(&id) };
            self.schedule(self.now + session, event);
            return Err((ResponseError::MemberIdRequired, id));
        }
        // A static member that starts again takes its old place.
        if let Some(instance) = &call.instance_id {
            group.members.retain(|_, member| member.instance_id.as_ref() != Some(instance));
        }
        self.put_member(&call, &id);
        Ok(id)
    }

    /// Adds or renews a member and starts a rebalance where one is due.
    fn put_member(&mut self, call: &JoinCall, id: &Arc<str>) {
        let now = self.now;
        let millis = |ms: i32| Duration::from_millis(ms.max(0).unsigned_abs().into());
        let session_timeout = millis(call.session_timeout_ms);
        let Some(group) = self.groups.get_mut(&call.group) else { return };
        let old = group.members.get(id);
        let same = old.is_some_and(|member| member.protocols == call.protocols);
        let fresh = old.is_none();
        let leads = group.leader.as_ref() == Some(id);
        let settled = match group.state {
            GroupState::Stable => same && !leads,
            GroupState::CompletingRebalance => same,
            _ => false,
        };
        let member = Member {
            client_id: Arc::clone(&call.client_id),
            client_host: Arc::clone(&call.client_host),
            instance_id: call.instance_id.clone(),
            session_timeout,
            rebalance_timeout: millis(call.rebalance_timeout_ms.max(call.session_timeout_ms)),
            protocols: call.protocols.clone(),
            assignment: old.map(|member| member.assignment.clone()).unwrap_or_default(),
            joining: !settled,
            generation: old.map_or(0, |member| member.generation),
            expires_at: now + session_timeout,
        };
        group.protocol_type = Arc::clone(&call.protocol_type);
        group.members.insert(Arc::clone(id), member);
        if fresh {
            let event =
                Event::MemberSession { group: Arc::clone(&call.group), member: Arc::clone(id) };
            self.schedule(now + session_timeout, event);
        }
        if !settled {
            self.prepare_rebalance(&call.group);
            self.maybe_complete_join(&call.group);
        }
    }

    /// Asks all members of `name` to join again, unless that is going on.
    pub(super) fn prepare_rebalance(&mut self, name: &Arc<str>) {
        let now = self.now;
        let delay = Duration::from_millis(self.spec.timing.initial_rebalance_delay_ms);
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.state == GroupState::PreparingRebalance {
            return;
        }
        group.delayed = group.state == GroupState::Empty && !delay.is_zero();
        let longest = group.members.values().map(|m| m.rebalance_timeout).max();
        let wait = if group.delayed { delay } else { longest.unwrap_or(delay) };
        group.state = GroupState::PreparingRebalance;
        group.round += 1;
        group.deadline = now + wait;
        let event = Event::RebalanceDeadline { group: Arc::clone(name), round: group.round };
        let at = group.deadline;
        self.record_group(name);
        self.schedule(at, event);
    }

    fn maybe_complete_join(&mut self, name: &Arc<str>) {
        let complete = self.groups.get(name).is_some_and(|group| {
            group.state == GroupState::PreparingRebalance
                && !group.delayed
                && group.pending.is_empty()
                && group.members.values().all(|member| member.joining)
        });
        if complete {
            self.complete_join(name);
        }
    }

    fn complete_join(&mut self, name: &Arc<str>) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(name) else { return };
        group.members.retain(|_, member| member.joining);
        group.delayed = false;
        group.round += 1;
        group.generation += 1;
        if group.members.is_empty() {
            group.state = GroupState::Empty;
            group.leader = None;
            group.protocol = Arc::from("");
            self.record_group(name);
            return;
        }
        if !group.leader.as_ref().is_some_and(|leader| group.members.contains_key(leader)) {
            group.leader = group.members.keys().next().cloned();
        }
        group.protocol = group.vote();
        group.state = GroupState::CompletingRebalance;
        for member in group.members.values_mut() {
            member.joining = false;
            member.generation = group.generation;
            member.assignment = Bytes::new();
            member.expires_at = now + member.session_timeout;
        }
        let longest = group.members.values().map(|m| m.rebalance_timeout).max();
        group.deadline = now + longest.unwrap_or_default();
        let event = Event::RebalanceDeadline { group: Arc::clone(name), round: group.round };
        let at = group.deadline;
        self.record_group(name);
        self.schedule(at, event);
    }

    /// A rebalance has lasted as long as it may.
    pub(super) fn rebalance_deadline(&mut self, name: &Arc<str>, round: u64) {
        let Some(group) = self.groups.get_mut(name).filter(|group| group.round == round) else {
            return;
        };
        match group.state {
            GroupState::PreparingRebalance => {
                group.pending.clear();
                self.complete_join(name);
            }
            GroupState::CompletingRebalance => {
                // The leader never sent an assignment.
                if let Some(leader) = group.leader.take() {
                    self.remove_member(name, &leader);
                }
            }
            _ => {}
        }
    }

    /// A member's session may have ended.
    pub(super) fn member_session(&mut self, name: &Arc<str>, id: &Arc<str>) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.pending.remove(id) {
            self.maybe_complete_join(name);
            return;
        }
        let Some(member) = group.members.get(id) else { return };
        let again = if member.joining { now + member.session_timeout } else { member.expires_at };
        if again > now {
            let event = Event::MemberSession { group: Arc::clone(name), member: Arc::clone(id) };
            self.schedule(again, event);
        } else {
            self.remove_member(name, id);
        }
    }

    fn remove_member(&mut self, name: &Arc<str>, id: &Arc<str>) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.members.remove(id);
        if group.members.is_empty() && group.pending.is_empty() {
            group.state = GroupState::Empty;
            group.generation += 1;
            group.round += 1;
            group.leader = None;
            self.record_group(name);
        } else {
            self.prepare_rebalance(name);
            self.maybe_complete_join(name);
        }
    }

    /// The answer to a join, once there is one.
    pub fn joined(&self, name: &str, id: &Arc<str>) -> Option<Result<Joined, ResponseError>> {
        let Some(group) = self.groups.get(name) else {
            return Some(Err(ResponseError::UnknownMemberId));
        };
        let Some(member) = group.members.get(id) else {
            return Some(Err(ResponseError::UnknownMemberId));
        };
        if member.joining {
            return None;
        }
        let leader = group.leader.clone().unwrap_or_else(|| Arc::clone(id));
        let members = if leader == *id { group.subscriptions() } else { Vec::new() };
        Some(Ok(Joined {
            generation: group.generation,
            protocol_type: Arc::clone(&group.protocol_type),
            protocol: Arc::clone(&group.protocol),
            leader,
            members,
        }))
    }

    /// Checks that `id` belongs to the present generation; renews its session.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION.
    fn touch(
        &mut self,
        name: &str,
        id: &str,
        generation: i32,
    ) -> Result<GroupState, ResponseError> {
        let now = self.now;
        let group = self.groups.get_mut(name).ok_or(ResponseError::UnknownMemberId)?;
        let member = group.members.get_mut(id).ok_or(ResponseError::UnknownMemberId)?;
        if generation != group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if !group.synthetic {
            member.expires_at = now + member.session_timeout;
        }
        Ok(group.state)
    }

    /// Takes a sync; the leader's carries everybody's assignment.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
    pub fn sync(
        &mut self,
        name: &Arc<str>,
        id: &str,
        generation: i32,
        mut assignments: BTreeMap<Arc<str>, Bytes>,
    ) -> Result<(), ResponseError> {
        let state = self.touch(name, id, generation)?;
        if state == GroupState::PreparingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        let Some(group) = self.groups.get_mut(name) else {
            return Err(ResponseError::UnknownMemberId);
        };
        let leads = group.leader.as_deref() == Some(id);
        if state == GroupState::CompletingRebalance && leads {
            for (member_id, member) in &mut group.members {
                member.assignment = assignments.remove(member_id).unwrap_or_default();
            }
            group.state = GroupState::Stable;
            self.record_group(name);
        }
        Ok(())
    }

    /// The answer to a sync, once there is one: the protocol and the member's assignment.
    pub fn synced(
        &self,
        name: &str,
        id: &str,
        generation: i32,
    ) -> Option<Result<Synced, ResponseError>> {
        let Some((group, member)) =
            self.groups.get(name).and_then(|group| Some((group, group.members.get(id)?)))
        else {
            return Some(Err(ResponseError::UnknownMemberId));
        };
        if group.generation != generation || group.state == GroupState::PreparingRebalance {
            return Some(Err(ResponseError::RebalanceInProgress));
        }
        (group.state == GroupState::Stable).then(|| {
            Ok((
                Arc::clone(&group.protocol_type),
                Arc::clone(&group.protocol),
                member.assignment.clone(),
            ))
        })
    }

    /// Takes a heartbeat.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
    pub fn heartbeat(
        &mut self,
        name: &str,
        id: &str,
        generation: i32,
    ) -> Result<(), ResponseError> {
        match self.touch(name, id, generation)? {
            GroupState::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// A member leaves, named by id or by instance id.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID.
    pub fn leave(
        &mut self,
        name: &Arc<str>,
        id: &str,
        instance: Option<&str>,
    ) -> Result<(), ResponseError> {
        let group = self.groups.get_mut(name).ok_or(ResponseError::UnknownMemberId)?;
        let pending = group.pending.take(id);
        let found = group
            .members
            .iter()
            .find(|(member_id, member)| match instance {
                Some(instance) => member.instance_id.as_deref() == Some(instance),
                None => &***member_id == id,
            })
            .map(|(member_id, _)| Arc::clone(member_id));
        match found {
            Some(found) => self.remove_member(name, &found),
            None if pending.is_some() => self.maybe_complete_join(name),
            None => return Err(ResponseError::UnknownMemberId),
        }
        Ok(())
    }

    /// Commits offsets for a member, or for a client without a group when nobody is in it.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, INVALID_GROUP_ID.
    pub fn commit(
        &mut self,
        name: &Arc<str>,
        id: &str,
        generation: i32,
        items: Vec<CommitItem>,
    ) -> Result<(), ResponseError> {
        if name.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let part = self.coordinator_part(name).ok_or(ResponseError::CoordinatorNotAvailable)?;
        let nobody = self.groups.get(name).is_none_or(|group| group.members.is_empty());
        if !(nobody && generation < 0) {
            if nobody && !self.groups.contains_key(name) {
                return Err(ResponseError::IllegalGeneration);
            }
            if self.touch(name, id, generation)? == GroupState::CompletingRebalance {
                return Err(ResponseError::RebalanceInProgress);
            }
        }
        let group = self
            .groups
            .entry(Arc::clone(name))
            .or_insert_with(|| Group::new(Arc::clone(name), part));
        let count = items.len() as u64;
        for (part, offset, epoch, metadata) in items {
            let place = group.offset_mut(part);
            place.committed = offset;
            place.committed_epoch = epoch;
            place.metadata = metadata;
        }
        let log = &mut self.parts[part];
        log.log_end += count.cast_signed();
        log.size_bytes += count * COMMIT_BYTES;
        let (topic, leader) = (log.topic, log.leader);
        if let Some(broker) = self.broker_mut(leader) {
            broker.count(topic, |counters| {
                counters.messages_in += count;
                counters.bytes_in += count * COMMIT_BYTES;
            });
        }
        Ok(())
    }

    /// When a waiting member of `name` should look again at the latest.
    pub fn group_deadline(&self, name: &str) -> SimTime {
        self.groups.get(name).map_or(self.now, |group| group.deadline)
    }
}
