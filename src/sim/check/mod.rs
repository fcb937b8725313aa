//! One property of a run per file.
