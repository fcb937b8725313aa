//! The reference pipeline: pure, sequential, obvious.
