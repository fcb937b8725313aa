//! What can go wrong inside a cluster while its hosts and links are well.
//!
//! State-level faults change what is true of the cluster, and every broker tells the truth about
//! it. Wire-level faults leave the cluster as it is and spoil what one broker sends; the server
//! asks [`Fleet::wire_faults`] for them.

use std::time::Duration;

use super::Fleet;
use super::state::State;
use crate::sim::time::SimTime;

/// A fault of a cluster; what it begins, [`Fleet::end_fault`] ends.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetFault {
    /// Partitions get the next in-sync replica as their leader; at the end preferred leaders take
    /// over again.
    LeaderMove {
        /// Of this topic only; of all topics without one.
        topic: Option<String>,
        /// Share of the partitions, 0 to 1; at least one moves.
        share: f64,
    },
    /// A broker's replicas fall behind: every ISR that it does not lead loses it, until it has
    /// caught up after the end.
    IsrShrink {
        /// The broker that falls behind.
        broker: i32,
    },
    /// A group's coordinator moves to another broker, which loads the group first.
    CoordinatorMove {
        /// Group id.
        group: String,
        /// How long the new coordinator answers COORDINATOR_LOAD_IN_PROGRESS.
        loading: Duration,
    },
    /// A group rebalances again and again.
    RebalanceStorm {
        /// Group id.
        group: String,
        /// From the begin of one rebalance to the begin of the next.
        every: Duration,
    },
    /// The controller resigns and none is elected before the end.
    ControllerLoss,
    /// A broker's log volume is full but for so many bytes; with none left its process ends.
    LogDiskFull {
        /// The broker.
        broker: i32,
        /// Bytes left to it.
        free_bytes: u64,
    },
    /// A group's members stay, and neither read nor commit.
    ConsumerStall {
        /// Group id.
        group: String,
    },
    /// A broker shuts down in order: its leaderships and coordinators move away before its process
    /// ends. Whoever injects this takes the host down next, and starts it at the end.
    Restart {
        /// The broker.
        broker: i32,
    },
    /// A broker's wall clock is wrong.
    ClockSkew {
        /// The broker.
        broker: i32,
        /// Milliseconds ahead of true time; negative is behind.
        offset_ms: i64,
    },
    /// Wire: a broker answers late.
    Slow {
        /// The broker.
        broker: i32,
        /// Extra time per answer.
        delay: Duration,
    },
    /// Wire: a broker's answers end in their middle, and the connection with them.
    TruncatedFrames {
        /// The broker.
        broker: i32,
        /// Share of the answers, 0 to 1.
        share: f64,
    },
    /// Wire: bytes of a broker's answers are wrong.
    CorruptFrames {
        /// The broker.
        broker: i32,
        /// Share of the answers, 0 to 1.
        share: f64,
    },
    /// Wire: a broker's answers carry a correlation id that nobody asked for.
    WrongCorrelationId {
        /// The broker.
        broker: i32,
        /// Share of the answers, 0 to 1.
        share: f64,
    },
    /// Wire: a broker describes the cluster as it was when the fault began.
    StaleMetadata {
        /// The broker.
        broker: i32,
    },
}

impl FleetFault {
    /// The broker that it spoils the answers of, for wire-level faults.
    fn wire_broker(&self) -> Option<i32> {
        match self {
            Self::Slow { broker, .. }
            | Self::TruncatedFrames { broker, .. }
            | Self::CorruptFrames { broker, .. }
            | Self::WrongCorrelationId { broker, .. }
            | Self::StaleMetadata { broker } => Some(*broker),
            _ => None,
        }
    }
}

/// Faults in force.
#[derive(Debug, Default)]
pub(super) struct InForce {
    /// Every fault with its begin, oldest first.
    pub(super) faults: Vec<(SimTime, FleetFault)>,
}

impl Fleet {
    /// `fault` begins at `at`. Brokers, topics and groups that do not exist are left alone.
    pub fn begin_fault(&self, at: SimTime, fault: &FleetFault) {
        let mut state = self.lock();
        state.advance(at);
        state.begin_fault(fault);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// `fault` ends at `at`; nothing when it is not in force.
    pub fn end_fault(&self, at: SimTime, fault: &FleetFault) {
        let mut state = self.lock();
        state.advance(at);
        state.end_fault(fault);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Wire-level faults in force on `broker`, each with its begin, oldest first.
    pub fn wire_faults(&self, broker: i32) -> Vec<(SimTime, FleetFault)> {
        let state = self.lock();
        let of_broker = |entry: &&(SimTime, FleetFault)| entry.1.wire_broker() == Some(broker);
        state.in_force.faults.iter().filter(of_broker).cloned().collect()
    }
}

impl State {
    fn begin_fault(&mut self, fault: &FleetFault) {
        self.in_force.faults.push((self.now, fault.clone()));
    }

    fn end_fault(&mut self, fault: &FleetFault) {
        self.in_force.faults.retain(|(_, known)| known != fault);
    }
}
