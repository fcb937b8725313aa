//! New Relic's side of the wire as a client sees it: addresses, limits, error classes, ingest.
