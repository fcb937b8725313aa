//! Roll-ups to entities, relationships and events. Pure.
