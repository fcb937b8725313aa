//! How well founded the reading of entity definitions and relationship rules is.

use crate::sim::newrelic::claims::ClaimLevel::{Assumed, Conformant, Documented};
use crate::sim::newrelic::claims::{Claim, claim};

const ENTITIES: &str = "newrelic/entity-definitions, docs/entities";
const RELATIONSHIPS: &str = "newrelic/entity-definitions, docs/relationships";
const VALIDATOR: &str = "newrelic/entity-definitions, validator";
const NONE: &str = "none";

/// Behaviours of the engine behind synthesis.
pub(super) const CLAIMS: &[Claim] = &[
    claim("definitions", "checks of the schema, and those beyond it", Documented, VALIDATOR),
    claim("definitions", "dashboards are views of types, by name of a file", Documented, ENTITIES),
    claim("definitions", "the ttl of a tag is PT4H at least", Documented, ENTITIES),
    claim(
        "definitions",
        "13 pairs of an identifier and its hash",
        Conformant,
        "published GUIDs and identifiers",
    ),
    claim(
        "definitions",
        "GUIDs of entities of on-host integrations",
        Conformant,
        "published samples of nri-kafka and nri-rabbitmq",
    ),
    claim("definitions", "of repeated keys in a file the first counts", Assumed, NONE),
    claim("definitions", "points that match types of other folders are accepted", Assumed, NONE),
    claim("definitions", "conditions of relationships ignore case", Documented, RELATIONSHIPS),
    claim("definitions", "a relationship expires after PT10M to PT72H", Documented, RELATIONSHIPS),
    claim(
        "definitions",
        "candidates: ALL, ANY and FIRST, one or all matches",
        Documented,
        RELATIONSHIPS,
    ),
    claim(
        "definitions",
        "of the lookups of candidates the first that finds decides",
        Assumed,
        NONE,
    ),
    claim(
        "definitions",
        "GUID and name of the uninstrumented are the fields, joined with a colon",
        Assumed,
        NONE,
    ),
    claim("definitions", "no entity relates to itself", Assumed, NONE),
    claim(
        "definitions",
        "captures: the whole match first, then groups",
        Assumed,
        "the documented examples have one group",
    ),
    claim("definitions", "a search for targets finds 1,000", Assumed, "a guard of our own"),
    claim("definitions", "the origins of a rule are read and not enforced", Assumed, NONE),
];
