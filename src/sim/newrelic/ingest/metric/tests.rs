//! The Metric API through the router.
