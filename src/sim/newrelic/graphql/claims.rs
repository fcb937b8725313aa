//! How well founded NerdGraph and its search, dashboards and queries are.

use crate::sim::newrelic::claims::Claim;

/// Behaviours of NerdGraph.
pub(in crate::sim::newrelic) const CLAIMS: &[Claim] = &[];
