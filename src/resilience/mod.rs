//! What stands between the pipeline and the world's failures: breakers, retries, limits, recovery,
//! a worker pool, an ordered start and stop.
//!
//! Invariants:
//! - Time comes from the clock port and chance from the entropy port: the same rules run on real
//!   and on virtual time, and equal seeds give equal runs.
//! - Instants are monotonic ([`crate::ports::Clock::monotonic`]); wall-clock times are made from
//!   them only when people read them.
//! - Every configuration is validated as a whole; zero means zero, never "default".
//! - Memory is bounded: queues, windows, caches and histories have a size in their configuration.

pub mod breaker;
pub mod limiter;
pub mod pool;
pub mod recovery;
pub mod retry;
pub mod supervisor;

/// A setting out of range; every `validate` of this room gives all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} = {value}: must be {allowed}")]
pub struct InvalidSetting {
    /// Which, as the configuration file calls it, e.g. `failure_threshold`.
    pub setting: &'static str,
    /// What was given.
    pub value: String,
    /// What may be given, e.g. `at least 1`.
    pub allowed: &'static str,
}
