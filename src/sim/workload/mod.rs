//! Producers, consumers and load patterns that evolve a fleet in virtual time.
