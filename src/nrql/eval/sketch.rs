//! Approximate figures that can be merged: distinct counts and percentiles.
