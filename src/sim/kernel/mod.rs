//! The event-driven network: virtual time, hosts, links, streams.
