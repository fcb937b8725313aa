//! Entities by themselves.
