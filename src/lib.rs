//! Shakedown: message-queue monitoring, run whole in one deterministic simulation.

pub mod adapters;
pub mod aggregate;
pub mod cli;
pub mod collect;
pub mod config;
pub mod definitions;
pub mod domain;
pub mod fuzzing;
pub mod graph;
pub mod http;
pub mod kafka_wire;
pub mod newrelic;
pub mod nrql;
pub mod pipeline;
pub mod ports;
pub mod resilience;
pub mod rt;
pub mod sim;
pub mod sometimes;
pub mod stream;
pub mod synthesize;
pub mod transform;

#[cfg(test)]
mod tidy;
