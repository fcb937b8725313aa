//! What the entities of a desired topology would say of themselves: the model behind stand-ins and
//! behind the simulation mode.
//!
//! Every figure is a pure function of seed, topology, entity and instant: a base that the entity's
//! key draws, times the load pattern over day and week, times noise that swings smoothly. Brokers
//! share what the topics of their cluster carry and lead their partitions in turn, groups read what
//! their topics take in and are coordinated by one broker each, and gauges follow the load by
//! [`crate::workload::gauge`], the formulas of the simulated fleets.
//!
//! Invariants:
//! - Continuous in time: between two instants a second apart no figure moves by more than its noise
//!   and the pattern move in a second.
//! - Every value lies in its metric's range; a group's largest lag is never above its total lag.
//! - An entity's values depend on the seed, its own key and its cluster's part of the topology,
//!   never on which other entities are asked for, nor in which order.
//!
//! Not modelled: faults (stand-ins are well), rebalances, growth of logs, queues' dead letters,
//! brokers whose ids the topology does not list.

mod estate;
mod figures;
mod wave;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::aggregate::{EntityState, roll_up_members};
use crate::domain::attribute::Attributes;
use crate::domain::data_source::DataSource;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::extra::Extras;
use crate::domain::provider::Provider;
use crate::domain::units::{UnixMillis, Window};
use crate::hybrid::topology::{Desired, Plan, Topology};
use crate::workload::Pattern;

use estate::Estate;
use wave::Wave;

/// What decides the model's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelConfig {
    /// Same seed, same figures.
    pub seed: u64,
    /// How the load changes over day and week.
    pub pattern: Pattern,
    /// Local time is UTC plus this many minutes.
    pub utc_offset_minutes: i32,
}

/// When a state is made, and over which window its rates are said to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The state's timestamp.
    pub at: UnixMillis,
    /// Milliseconds that its rates cover.
    pub window_ms: i64,
}

/// A model of all entities of one topology.
#[derive(Debug, Clone)]
pub struct FleetModel {
    config: ModelConfig,
    estate: Estate,
}

impl FleetModel {
    /// The model of `topology`.
    pub fn new(config: ModelConfig, topology: &Topology) -> Self {
        Self { config, estate: Estate::of(config.seed, topology) }
    }

    /// States of all entities of `topology`, in the order of their keys.
    pub fn states(&self, topology: &Topology, moment: Moment) -> Vec<EntityState> {
        let mut parts: BTreeMap<(&Provider, &str), Vec<EntityState>> = BTreeMap::new();
        let mut states = Vec::with_capacity(topology.len());
        for Desired { key, plan } in topology.entities() {
            if key.kind() != EntityKind::Cluster {
                let part = parts.entry((key.provider(), key.cluster())).or_default();
                part.push(self.member(key, plan, moment));
            }
        }
        for Desired { key, .. } in topology.entities() {
            if key.kind() == EntityKind::Cluster {
                let members = parts.get(&(key.provider(), key.cluster()));
                let members = members.map_or(&[][..], Vec::as_slice);
                states.push(self.cluster(key, members, moment));
            }
        }
        states.extend(parts.into_values().flatten());
        states.sort_by(|left, right| left.key.cmp(&right.key));
        states
    }

    /// State of a broker, topic, queue or group whose plan is `plan`.
    pub fn member(&self, key: &EntityKey, plan: &Plan, moment: Moment) -> EntityState {
        let load = self.load(moment.at);
        let wave = Wave::of(self.config.seed, key, moment.at);
        let mut serving_brokers = Vec::new();
        let (metrics, attributes, topics) = match (key, plan) {
            (EntityKey::Topic { topic, .. }, _) => {
                serving_brokers = self.estate.servers(key, topic);
                let metrics = figures::topic(&self.estate, key, load, &wave, moment.at);
                (metrics, Attributes::default(), vec![])
            }
            (EntityKey::Group { .. }, Plan::Group { topics }) => {
                let (metrics, attributes) =
                    figures::group(&self.estate, key, topics, load, &wave, moment.at);
                (metrics, attributes, topics.clone())
            }
            (EntityKey::Queue { .. }, _) => {
                (figures::queue(load, &wave), Attributes::default(), vec![])
            }
            _ => {
                let (metrics, attributes) = figures::broker(&self.estate, key, load, &wave);
                (metrics, attributes, vec![])
            }
        };
        EntityState {
            key: key.clone(),
            data_source: DataSource::Simulated,
            observed_at: moment.at,
            metrics,
            window: Some(Window::of(moment.window_ms)),
            attributes,
            topics,
            serving_brokers,
            extras: Extras::default(),
        }
    }

    /// State of a cluster with these `members`, which are rolled up as those of a real one.
    pub fn cluster(&self, key: &EntityKey, members: &[EntityState], moment: Moment) -> EntityState {
        let mut state = roll_up_members(key.clone(), members, self.estate.brokers_of(key));
        state.data_source = DataSource::Simulated;
        state.observed_at = moment.at;
        state.window = Some(Window::of(moment.window_ms));
        state
    }

    /// Load relative to the base; between the hours of the pattern it moves in a straight line.
    fn load(&self, at: UnixMillis) -> f64 {
        const HOUR_MS: i64 = 3_600_000;
        let share = |at: UnixMillis| {
            let ppm = self.config.pattern.at_ppm(at, self.config.utc_offset_minutes);
            ppm as f64 / crate::workload::ONE_PPM as f64
        };
        let into_hour = at.0.rem_euclid(HOUR_MS) as f64 / HOUR_MS as f64;
        let (this, next) = (share(at), share(at.plus_millis(HOUR_MS)));
        this + (next - this) * into_hour
    }
}
