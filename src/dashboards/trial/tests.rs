//! Trials over handmade events.
