//! Simulated New Relic: ingest, event store, synthesis with lag.
