//! New Relic's entity-definition language: load and match. Pure.
