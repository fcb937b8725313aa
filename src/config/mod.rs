//! Configuration files: schema, load, diagnose, redact.
//!
//! Invariants:
//! - The schema that is published is the schema that is enforced: [`toml_file`] walks it.
//! - A secret is never part of a message, a snippet of source or a rendering.

pub mod docs;
mod extensions;
mod load;
mod lookup_file;
pub mod quantity;
pub mod schema;
pub mod toml_file;
pub mod topology;

pub use extensions::{ExtensionTables, Extensions, entity_of, resolve as resolve_extensions};
pub use load::{
    Alerts, Breakers, Config, Cycle, Destination, Environment, Flags, HttpListen, Hybrid,
    KafkaSource, Limits, Recovery, Resilience, SpoolSettings, Webhook,
};
pub use lookup_file::{Files, ROWS_BYTES_MAX};

#[cfg(test)]
mod tests;
