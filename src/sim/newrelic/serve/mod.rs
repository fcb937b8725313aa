//! A New Relic to be served on real ports: accounts, time at a chosen pace, faults, administration.
//!
//! Everything here is pure or generic over the ports; the command line binds the sockets.

mod accounts;
mod clock;
mod faults;
mod guard;
mod series;

pub use accounts::{
    Accounts, AccountsFile, DEFAULT_ACCOUNT, DEFAULT_INGEST_KEY, DEFAULT_NAME, DEFAULT_USER_KEY,
};
pub use clock::{PacedClock, SPEEDS};
pub use faults::{ANSWERS, ActiveFault, FaultError, FaultOrder, FaultTarget, Switches};
pub use guard::{Denied, Guard};
pub use series::{Rate, Series};
