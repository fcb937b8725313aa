//! Simulated broker fleets: state machines and wire servers.
