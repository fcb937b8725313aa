//! Events to batches to New Relic, with an account of every event.
