//! What the running pipeline serves: health and metrics.
