//! What New Relic tells a listener as it happens.
//!
//! Invariant: a listener is called under the service's lock and must not call back; nothing that
//! the service does depends on it.

use std::sync::Arc;

use super::requests::RequestRecord;
use crate::domain::units::UnixMillis;
use crate::rt::cause::Cause;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// What a POST is answered has been decided.
    Answered {
        /// The request; nothing of it is parsed yet.
        request: &'a RequestRecord,
        /// What led to the fault that hit it, if one did and that is known.
        led_by: Option<Cause>,
    },
    /// A request that was taken has been parsed, and its events are stored.
    Parsed(&'a RequestRecord),
    /// An entity was made, or came back to life.
    Entity {
        /// Its GUID.
        guid: &'a str,
        /// Its type.
        entity_type: &'a str,
        /// When queries find it, in the service's time.
        visible_at: UnixMillis,
    },
}

/// Who is told.
pub type Listener = Arc<dyn Fn(&News<'_>) + Send + Sync>;
