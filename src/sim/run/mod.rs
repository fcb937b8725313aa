//! One run of a scenario, and the determinism proof.
