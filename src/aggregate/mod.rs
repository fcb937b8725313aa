//! Canonical samples of one cycle to per-entity and cluster-wide roll-ups. Pure.
