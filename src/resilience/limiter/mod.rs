//! A token bucket on the clock port.
