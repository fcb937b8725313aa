//! Ingest through the router.
