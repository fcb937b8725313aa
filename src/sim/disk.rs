//! A simulated disk: what was synced survives a crash.
