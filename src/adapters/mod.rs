//! The real world behind the ports: tokio sockets, reqwest, system clock, OS entropy, files.
