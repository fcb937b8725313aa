//! Configuration files: schema, load, diagnose, redact.
//!
//! Invariants:
//! - The schema that is published is the schema that is enforced: [`toml_file`] walks it.
//! - A secret is never part of a message, a snippet of source or a rendering.

pub mod docs;
mod extensions;
mod load;
pub mod quantity;
pub mod schema;
pub mod toml_file;
pub mod topology;

pub use extensions::{ExtensionTables, Extensions, resolve as resolve_extensions};
pub use load::{
    Alerts, Breakers, Config, Cycle, Destination, Environment, Flags, HttpListen, Hybrid,
    KafkaSource, Limits, Recovery, Resilience, SpoolSettings, Webhook,
};

#[cfg(test)]
mod tests;
