//! Configuration files: schema, load, diagnose, redact.
