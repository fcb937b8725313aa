//! Sources of raw samples.
