//! Relationship and candidate files as they are written. An unknown key is an error.
