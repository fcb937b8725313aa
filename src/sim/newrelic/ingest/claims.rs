//! How well founded ingest is.
