//! How what an estate has differs from what it should have.
//!
//! [`Detector::examine`] compares a [`Topology`](crate::hybrid::topology::Topology) with
//! observations and gives a [`GapReport`]; [`recommend`] says what to do about it, and
//! [`accuracy`] holds reports against a known truth.
//!
//! Invariants:
//! - Of a desired entity a report says one thing: it is missing, pending, stale, mismatched, or
//!   present, fresh and as configured.
//! - The limit is strict and exact to the nanosecond: an entity that was last seen exactly the
//!   tolerance ago is fresh.
//! - Nothing depends on the order of the observations; entities are in the order of their keys.
//! - Coverage is never above 100 %, whatever else the estate has.
//!
//! Not modelled: what is stored of an entity besides its last sighting, so single stale metrics of
//! an entity that still reports are not found.

pub mod accuracy;
mod command;
pub mod coverage;
mod detector;
pub mod recommend;
mod report;

#[cfg(test)]
mod tests;

pub use coverage::{ByKind, Coverage, KindCoverage};
pub use detector::{Detector, Observed, Tolerance, Watching};
pub use report::{Field, GapReport, Mismatch, PartialCluster, Stale};
