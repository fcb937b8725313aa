//! The cluster as it was: what a broker with stale metadata tells of it.
//!
//! Invariant: looking back changes nothing; leaders, in-sync sets and brokers are back in their
//! present state when the look is over.
//!
//! Not modelled: topics made since are told as they are.

use super::state::{BrokerIds, State};

/// What metadata tells of a partition.
#[derive(Debug, Clone, PartialEq)]
struct PartitionThen {
    replicas: BrokerIds,
    isr: BrokerIds,
    leader: i32,
    leader_epoch: i32,
}

/// Who was there and who led what, at an instant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Past {
    version: u64,
    controller: Option<i32>,
    /// Registered and fenced, per broker.
    brokers: Vec<(bool, bool)>,
    parts: Vec<PartitionThen>,
}

impl Past {
    /// The present, to be looked at later.
    pub(super) fn of(state: &State) -> Self {
        let parts = state.parts.iter().map(|part| PartitionThen {
            replicas: part.replicas.clone(),
            isr: part.isr.clone(),
            leader: part.leader,
            leader_epoch: part.leader_epoch,
        });
        Self {
            version: state.topology_version,
            controller: state.controller,
            brokers: state.brokers.iter().map(|b| (b.registered, b.fenced)).collect(),
            parts: parts.collect(),
        }
    }

    fn swap(&mut self, state: &mut State) {
        std::mem::swap(&mut self.version, &mut state.topology_version);
        std::mem::swap(&mut self.controller, &mut state.controller);
        for (then, now) in self.brokers.iter_mut().zip(&mut state.brokers) {
            std::mem::swap(&mut then.0, &mut now.registered);
            std::mem::swap(&mut then.1, &mut now.fenced);
        }
        for (then, now) in self.parts.iter_mut().zip(&mut state.parts) {
            std::mem::swap(&mut then.replicas, &mut now.replicas);
            std::mem::swap(&mut then.isr, &mut now.isr);
            std::mem::swap(&mut then.leader, &mut now.leader);
            std::mem::swap(&mut then.leader_epoch, &mut now.leader_epoch);
        }
        // What was made of the topology is of another one now.
        (state.metadata, state.metadata_body) = (None, None);
    }
}

impl State {
    /// What `look` sees of the cluster as broker `id` takes it to be.
    pub(super) fn as_seen_by<T>(&mut self, id: i32, look: impl FnOnce(&mut Self) -> T) -> T {
        let Some(mut past) = self.in_force.take_past(id) else { return look(self) };
        past.swap(self);
        let seen = look(self);
        past.swap(self);
        self.in_force.put_past(id, past);
        seen
    }
}
