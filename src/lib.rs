//! Shakedown: message-queue monitoring, run whole in one deterministic simulation.

pub mod adapters;
pub mod aggregate;
pub mod alerts;
pub mod bdd;
pub mod cli;
pub mod collect;
pub mod config;
pub mod custom_metrics;
pub mod dashboards;
pub mod definitions;
pub mod domain;
pub mod fuzzing;
pub mod graph;
pub mod hooks;
pub mod http;
pub mod hybrid;
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
pub mod workload;

#[cfg(test)]
mod tidy;
