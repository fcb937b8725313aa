//! Entities, identities, metrics and samples: the vocabulary every other room shares. Pure.

pub mod account;
pub mod attribute;
pub mod data_source;
pub mod entity;
pub mod extra;
pub mod guid;
pub mod health;
pub mod metric;
pub mod provider;
pub mod relationship;
pub mod sample;
pub mod tag;
pub mod units;
pub mod words;
