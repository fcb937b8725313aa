//! Faults of brokers and of what runs on them; crashes befall any host.

pub mod clock_skew;
pub mod crash;
pub mod crash_point;
