//! HTTP/1.1 over any [`Net`](crate::ports::Net): the client and the server of every simulated host.
//!
//! Invariants:
//! - Nothing here reads a clock of its own, spawns outside [`crate::rt::spawn`] or draws entropy;
//!   the bytes on the wire are a function of the requests (no `Date` header, pools in key order).
//! - A request of which a byte may have left is never sent a second time, unless its method is
//!   safe (GET, HEAD).

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{HttpOverNet, classify, target};
pub use server::serve;
