//! How well founded the served behaviours are that belong to no API.

use crate::sim::newrelic::claims::{Claim, ClaimLevel, claim};

use ClaimLevel::{Assumed, Documented};

/// One row each.
pub(in crate::sim::newrelic) const CLAIMS: &[Claim] = &[
    claim(
        "serve",
        "one address answers all APIs, on port 3000",
        Documented,
        "newrelic-client-go, region Local",
    ),
    claim(
        "serve",
        "a user key reads the accounts that list it, and no other",
        Assumed,
        "documented: keys act with their user's rights",
    ),
    claim(
        "serve",
        "limits per minute count minutes of virtual time",
        Assumed,
        "documented: per minute",
    ),
];
