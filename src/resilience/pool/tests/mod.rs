//! Laws of the pool, on virtual time.
