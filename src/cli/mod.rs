//! The command line, one file per verb.

pub mod fleet;
pub mod pipeline;
