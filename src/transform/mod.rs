//! Raw samples to canonical metrics, by mapping tables, one per origin. Pure.
