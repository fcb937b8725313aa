//! Checks over planted faults.
