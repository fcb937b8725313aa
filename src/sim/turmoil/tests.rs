//! The world by itself; what all arms share is in conformance.
