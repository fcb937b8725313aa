//! The simulated world, a product in its own right: networks, fleets, New Relic, faults, checks.
//!
//! Invariant: nothing here reads real time, entropy, sockets or files, and nothing here imports
//! `adapters`. Same seed, same bytes.

pub mod atlas;
pub mod check;
#[cfg(test)]
mod conformance;
pub mod disk;
pub mod fault;
pub mod fleet;
pub mod fuse;
pub mod kernel;
pub mod letters;
pub mod minimize;
pub mod newrelic;
pub mod oracle;
pub mod prose;
pub mod report;
pub mod run;
pub mod scenario;
pub mod seed;
pub mod swarm;
pub mod sweep;
pub mod time;
pub mod trace;
pub mod turmoil;
pub mod view;
pub mod workload;
pub mod world;
