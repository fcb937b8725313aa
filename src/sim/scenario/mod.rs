//! Scenario files: schema, load, diagnose.
