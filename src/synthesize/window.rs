//! Windows as flat JSON objects of New Relic's Event API: `MessageQueueWindow`.
//!
//! Invariants: those of [`super::event`]; the event carries the identity of its entity, so that it
//! is found beside the entity's own events, and never enough to make an entity of it.

use super::event::{
    ATTRIBUTES_MAX, COMMON_ATTRIBUTES, Labels, display_name, escape, identity, write_integer,
    write_key, write_number, write_text,
};
use super::{Rejection, Synthesizer};
use crate::aggregate::window::ClosedWindow;
use crate::domain::guid::EntityGuid;

/// `eventType` of windows.
pub const WINDOW_EVENT_TYPE: &str = "MessageQueueWindow";

/// Attributes that tell of the window itself.
const WINDOW_ATTRIBUTES: usize = 5;

impl Synthesizer {
    /// Appends the event of `window`, one JSON object, to `out`. Its timestamp is the window's
    /// begin.
    ///
    /// # Errors
    /// An entity without identity, or more attributes than an event may have; nothing is written.
    pub fn write_window(&self, window: &ClosedWindow, out: &mut Vec<u8>) -> Result<(), Rejection> {
        window.key.validate()?;
        let guid = EntityGuid::new(self.account, &window.key);
        let own = identity(&window.key).iter().flatten().count() + WINDOW_ATTRIBUTES;
        let figures = window.figures.len() + window.roll_ups.len();
        let count = COMMON_ATTRIBUTES + own + figures + self.labels.count();
        if count > ATTRIBUTES_MAX {
            return Err(Rejection::TooManyAttributes { guid, count });
        }
        write(window, &guid, &self.labels, out);
        Ok(())
    }
}

fn write(window: &ClosedWindow, guid: &EntityGuid, labels: &Labels, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"eventType\":\"MessageQueueWindow\",\"timestamp\":");
    write_integer(window.span.start.0, out);
    out.extend_from_slice(b",\"entityType\":\"");
    out.extend_from_slice(guid.kind().type_name().as_bytes());
    out.extend_from_slice(b"\",\"entityGuid\":\"");
    guid.write_wire(out);
    out.extend_from_slice(b"\",\"entityIdentifier\":\"");
    guid.write_identifier(out);
    out.extend_from_slice(b"\",\"displayName\":\"");
    display_name(&window.key, &mut |part| escape(part, out));
    out.extend_from_slice(b"\",\"provider\":");
    write_text(window.key.provider().as_str(), out);
    out.extend_from_slice(b",\"clusterName\":");
    write_text(window.key.cluster(), out);
    for (name, value) in identity(&window.key).into_iter().flatten() {
        write_key(name, out);
        write_text(value, out);
    }
    write_key("window.sizeMs", out);
    write_integer(window.span.end.millis_since(window.span.start), out);
    write_key("window.readings", out);
    write_number(window.readings as f64, out);
    write_key("window.amendments", out);
    write_number(window.amendments as f64, out);
    write_key("window.closedBy", out);
    write_text(window.closing.as_str(), out);
    // The Event API promises nothing for booleans.
    write_key("window.complete", out);
    write_text(if window.is_complete { "true" } else { "false" }, out);
    for figure in &window.figures {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(figure.metric.name().as_bytes());
        out.extend_from_slice(figure.statistic.suffix().as_bytes());
        out.extend_from_slice(b"\":");
        write_number(figure.value, out);
    }
    for (roll_up, value) in &window.roll_ups {
        write_key(roll_up.name, out);
        write_number(*value, out);
    }
    labels.write(out);
    out.push(b'}');
}
