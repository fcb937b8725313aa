//! The breaker's laws.
