//! A New Relic to be served on real ports: accounts, time at a chosen pace, faults, administration,
//! and what a restart needs.
//!
//! Everything here is pure or generic over the ports; the command line binds the sockets.
//!
//! Invariant: what is served is [`NewRelic`](super::NewRelic) behind its own
//! [`router`](super::router); nothing here changes what its APIs answer.

mod accounts;
pub(super) mod admin;
mod claims;
mod clock;
mod drain;
mod faults;
mod guard;
mod recorder;
mod series;
mod service;
#[cfg(test)]
mod tests;

pub use accounts::{
    Accounts, AccountsFile, DEFAULT_ACCOUNT, DEFAULT_INGEST_KEY, DEFAULT_NAME, DEFAULT_USER_KEY,
};
pub use admin::{ROUTES, Reply};
pub(super) use claims::CLAIMS;
pub use clock::{PacedClock, SPEEDS};
pub use faults::{
    ActiveFault, COMMON_KEYS, FaultError, FaultOrder, FaultTarget, Switches, kinds as fault_kinds,
};
pub use guard::{Denied, Guard};
pub use recorder::{Recorder, SYNC_EVERY, keep};
pub use series::{Rate, Series};
pub use service::{Replayed, Service, ServiceOptions, Summary};
