//! What an estate should consist of, how what is there differs from it, and what stands in for what
//! is not there. Pure: no I/O and no clock; text becomes a topology in `config`.

pub mod event;
pub mod gap;
pub mod manager;
pub mod mode;
pub mod model;
#[cfg(test)]
pub(crate) mod testing;
pub mod topology;
