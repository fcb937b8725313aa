//! Ordered start and stop of components that depend on each other.
