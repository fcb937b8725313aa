//! Evaluation of queries: expressions over columns, aggregates, groups, windows.
//!
//! Invariants:
//! - Values are evaluated column by column; boxed [`Value`](super::Value)s stay off the hot path.
//! - Whatever the data, an expression has a value for each row: what cannot be computed is null.

pub mod batch;
pub mod bitmap;
pub mod column;
pub mod expr;
pub mod scalar;
pub mod sketch;
