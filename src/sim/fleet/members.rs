//! Rules about one group's members: who may join, which strategy they agree on.
//!
//! Invariant: a strategy in force is one that every member offered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::coordinator::JoinCall;
use super::group::{Group, GroupState, Member};

impl Group {
    /// Synthetic members step aside for real clients.
    pub(super) fn dismiss_synthetic(&mut self) {
        if std::mem::take(&mut self.synthetic) {
            self.members.clear();
            self.topics.clear();
            self.leader = None;
            self.state = GroupState::Empty;
            self.offsets.iter_mut().for_each(|place| place.capacity_micro = 0);
        }
    }

    /// Whether the call's protocols go with those of the other members.
    pub(super) fn accepts(&self, call: &JoinCall) -> bool {
        let others: Vec<_> = self
            .members
            .iter()
            .filter(|(id, member)| {
                **id != call.member
                    && (member.instance_id.is_none() || member.instance_id != call.instance_id)
            })
            .map(|(_, member)| member)
            .collect();
        let offered = |member: &Member, name: &Arc<str>| {
            member.protocols.iter().any(|(protocol, _)| protocol == name)
        };
        !call.protocols.is_empty()
            && !call.protocol_type.is_empty()
            && (others.is_empty()
                || (self.protocol_type == call.protocol_type
                    && call
                        .protocols
                        .iter()
                        .any(|(name, _)| others.iter().all(|member| offered(member, name)))))
    }

    /// The strategy most members prefer among those that all can do.
    pub(super) fn vote(&self) -> Arc<str> {
        let common = |name: &Arc<str>| {
            self.members.values().all(|member| member.protocols.iter().any(|(p, _)| p == name))
        };
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let winner = votes.into_iter().max_by_key(|(_, count)| *count);
        winner.map_or_else(|| Arc::from(""), |(name, _)| Arc::clone(name))
    }

    pub(super) fn subscriptions(&self) -> Vec<(Arc<str>, Option<Arc<str>>, Bytes)> {
        self.members
            .iter()
            .map(|(id, member)| {
                let chosen = member.protocols.iter().find(|(name, _)| *name == self.protocol);
                let metadata = chosen.map(|(_, metadata)| metadata.clone()).unwrap_or_default();
                (Arc::clone(id), member.instance_id.clone(), metadata)
            })
            .collect()
    }
}
