//! Dashboards as JSON: NerdGraph's `DashboardInput`, and what New Relic's "Copy JSON" gives.
//!
//! Invariants:
//! - `read(write(dashboard))` is `dashboard`, and writes no member that says nothing.
//! - Reading names everything that has another shape, each with its place as a JSON pointer
//!   (RFC 6901), and goes on behind it.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{ReadFault, Reading, read};
pub use write::{Links, write};

/// Beginning of a linked entity that is a page of the same dashboard, by name: pages have GUIDs
/// only once New Relic made them. [`Links`] says what becomes of it.
pub const PAGE_LINK: &str = "page:";
