//! Entities, identities, metrics and samples: the vocabulary every other room shares. Pure.

pub mod account;
pub mod sample;
pub mod units;
