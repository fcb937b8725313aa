//! What an estate should consist of, and how what is there differs from it. Pure: no I/O and no
//! clock; text becomes a topology in `config`.

pub mod event;
pub mod gap;
#[cfg(test)]
pub(crate) mod testing;
pub mod topology;
