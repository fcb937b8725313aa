//! The second network: turmoil behind the same world.
