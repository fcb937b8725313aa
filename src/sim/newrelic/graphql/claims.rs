//! How well founded NerdGraph and its search, dashboards and queries are.

use crate::sim::newrelic::claims::ClaimLevel::{Assumed, Conformant, Documented};
use crate::sim::newrelic::claims::{Claim, claim};

const SCHEMA: &str = "introspection as published clients carry it";
const INTRO: &str = "Introduction to NerdGraph";
const CLIENT: &str = "error handling of newrelic-client-go";
const ENTITIES: &str = "NerdGraph tutorial: entities";
const RELATED: &str = "NerdGraph tutorial: entity relationships";
const TAGS: &str = "NerdGraph tutorial: tags";
const NRQL: &str = "NerdGraph tutorial: query your data with NRQL";
const LIMITS: &str = "NerdGraph and NRQL rate limits";
const ALERTS: &str = "NerdGraph tutorial: NRQL condition alerts";
const CONDITIONS: &str = "Create NRQL alert conditions";
const SLO: &str = "Terraform provider, newrelic_service_level";
const LOST: &str = "Loss of signal";
const CLOSED: &str = "How alert condition incidents are closed";
const INCIDENT: &str = "Alert event attributes";
const DASHBOARDS: &str = "NerdGraph tutorial: dashboards";
const GUARD: &str = "a guard of our own";
const NONE: &str = "none";

/// Behaviours of NerdGraph.
pub(in crate::sim::newrelic) const CLAIMS: &[Claim] = &[
    claim("nerdgraph", "names, arguments and types of the schema", Conformant, SCHEMA),
    claim(
        "nerdgraph",
        "fields of entities that no data here feed are in the schema and null",
        Assumed,
        NONE,
    ),
    claim("nerdgraph", "POST /graphql with query, variables, operationName", Documented, INTRO),
    claim("nerdgraph", "other methods are answered 405", Assumed, NONE),
    claim("nerdgraph", "the header API-Key carries a user key", Documented, INTRO),
    claim("nerdgraph", "no key: 401 and error_code BAD_API_KEY", Assumed, "clients know both"),
    claim(
        "nerdgraph",
        "a key that opens nothing, or an ingest key: 200 and error_code BAD_API_KEY",
        Conformant,
        CLIENT,
    ),
    claim("nerdgraph", "429 beyond 25 requests of a user at the same time", Documented, LIMITS),
    claim("nerdgraph", "413 beyond 10^6 bytes of body", Assumed, GUARD),
    claim("nerdgraph", "400 for a body that is no request", Assumed, "as Absinthe does"),
    claim(
        "nerdgraph",
        "documents nest 30 deep and hold 10,000 fields, 200 of one name in a selection",
        Assumed,
        GUARD,
    ),
    claim(
        "nerdgraph",
        "a document that does not fit the schema: 200, errors with locations, no data",
        Conformant,
        CLIENT,
    ),
    claim("nerdgraph", "texts of errors about documents", Assumed, "after Absinthe's"),
    claim(
        "nerdgraph",
        "a field that fails is null beside an error with path and errorClass",
        Conformant,
        CLIENT,
    ),
    claim("nerdgraph", "an account that the key does not open: ACCESS_DENIED", Assumed, NONE),
    claim(
        "nerdgraph",
        "a deprecated field: data beside a message that begins `This field is deprecated!`",
        Conformant,
        CLIENT,
    ),
    claim("nerdgraph", "ids, names and addresses of users come from their keys", Assumed, NONE),
    claim("entity search", "fields, =, LIKE, IN, IS NULL, !=, AND", Documented, ENTITIES),
    claim("entity search", "alternatives stand in IN alone: OR is an error", Documented, ENTITIES),
    claim("entity search", "NOT LIKE, NOT IN, parentheses are understood", Assumed, NONE),
    claim("entity search", "LIKE without % finds the text anywhere", Documented, ENTITIES),
    claim("entity search", "LIKE ignores case; = on names and tags does not", Assumed, NONE),
    claim("entity search", "= on domain, type, severity ignores case", Assumed, NONE),
    claim("entity search", "!= holds where there is no value", Assumed, NONE),
    claim(
        "entity search",
        "caseSensitiveTagMatching false: keys and values of tags ignore case",
        Documented,
        SCHEMA,
    ),
    claim("entity search", "200 entities a page, nextCursor null at the end", Documented, ENTITIES),
    claim("entity search", "a cursor goes on behind the last entity of its page", Assumed, NONE),
    claim("entity search", "texts of errors and their positions", Assumed, NONE),
    claim("entity search", "either query or queryBuilder, not both", Documented, SCHEMA),
    claim("entity search", "how a queryBuilder is written as a query", Assumed, NONE),
    claim("entity search", "facetedCounts and the names of its inputs", Assumed, ENTITIES),
    claim("entities", "what a key may not see is null, without an error", Documented, ENTITIES),
    claim("entities", "25 guids at once in entities(guids:)", Assumed, "seen in one place"),
    claim("entities", "entities of GUIDs that are not found are left out of lists", Assumed, NONE),
    claim(
        "entities",
        "alertSeverity: the worst open incident, NOT_ALERTING without one, NOT_CONFIGURED while no \
         condition has a signal of the entity",
        Assumed,
        "its four values are documented",
    ),
    claim("entities", "permalinks", Documented, ENTITIES),
    claim(
        "entities",
        "golden metrics: the executed query, by instrumentation.provider and .name",
        Documented,
        "newrelic/entity-definitions, docs/entities/golden_metrics.md",
    ),
    claim("entities", "names of golden metrics", Assumed, "after one seen live"),
    claim("entities", "a golden metric without unit is a COUNT", Assumed, NONE),
    claim(
        "entities",
        "golden metrics and tags of users: 9, per entity or per account and type",
        Documented,
        "NerdGraph tutorial: golden metrics",
    ),
    claim("entities", "relatedEntities: filter, direction, edges by origin", Documented, RELATED),
    claim("entities", "500 relationships a page; the form of its cursor", Assumed, NONE),
    claim(
        "entities",
        "an edge is shown when both of its ends can be seen",
        Assumed,
        "entities behind it are null in the schema",
    ),
    claim("entities", "relationships of users: errors of both mutations", Documented, RELATED),
    claim(
        "entities",
        "entityDelete refuses what still reports, unless forceDelete",
        Assumed,
        "documented: entities that no longer report",
    ),
    claim("tags", "the four mutations and the types of their errors", Documented, TAGS),
    claim("tags", "messages of their errors", Assumed, NONE),
    claim("tags", "values of data are not mutable, those of users are", Documented, TAGS),
    claim("nrql service", "results, metadata, other and total results", Documented, NRQL),
    claim("nrql service", "a wrong query: nrql null and its message", Conformant, CLIENT),
    claim("nrql service", "its errorClass is SERVER_ERROR", Assumed, "seen in one place"),
    claim("nrql service", "time-outs of 5 to 120 s, 5 s without one", Documented, NRQL),
    claim(
        "nrql service",
        "a query beyond its time-out: nrql null and errorClass TIMEOUT",
        Conformant,
        CLIENT,
    ),
    claim("nrql service", "30 accounts in one query", Documented, NRQL),
    claim(
        "nrql service",
        "3,000 queries per account and minute, 120 equal ones; beyond it 429",
        Documented,
        LIMITS,
    ),
    claim("nrql service", "the limits count whole minutes of the clock", Assumed, NONE),
    claim("nrql service", "async: progress, then the answer by queryId", Documented, NRQL),
    claim(
        "nrql service",
        "an async query is answered after 1 to 10 s, kept for 10 minutes, as of its asking",
        Assumed,
        NONE,
    ),
    claim("nrql service", "the form of rawResponse", Assumed, NONE),
    claim("nrql service", "suggested facets: text attributes, by name", Assumed, NONE),
    claim("nrql service", "addresses of charts lead nowhere", Assumed, NONE),
    claim("dashboards", "mutations, payloads and types of their errors", Documented, DASHBOARDS),
    claim(
        "dashboards",
        "20 pages, 100 widgets a page, 20 queries a widget, lengths of names",
        Documented,
        "Dashboard limits",
    ),
    claim(
        "dashboards",
        "a query without account: `nrql queries must provide either a valid 'accountId'…`",
        Conformant,
        "published live answer",
    ),
    claim("dashboards", "texts of the other errors", Assumed, "after the published one"),
    claim(
        "dashboards",
        "NRQL of typed configurations is checked, that of raw ones is not",
        Documented,
        DASHBOARDS,
    ),
    claim("dashboards", "every page is an entity with dashboardParentGuid", Documented, DASHBOARDS),
    claim("dashboards", "a page's entity is named `dashboard / page`", Assumed, NONE),
    claim("dashboards", "dashboards are found at once", Assumed, "documented: eventually"),
    claim(
        "dashboards",
        "undeleting brings a dashboard back without the tags of users",
        Documented,
        DASHBOARDS,
    ),
    claim("dashboards", "updating an unknown dashboard is INVALID_INPUT", Assumed, NONE),
    claim(
        "dashboards",
        "others see no private dashboards and change no read-only ones",
        Documented,
        "Dashboard permissions",
    ),
    claim("dashboards", "widgets without layout go to the first free place", Assumed, NONE),
    claim("dashboards", "addresses of snapshots lead nowhere", Assumed, NONE),
    claim("alerts", "mutations and searches of policies and NRQL conditions", Documented, ALERTS),
    claim(
        "alerts",
        "limits of windows, delays, durations, deviations, expirations",
        Documented,
        "Terraform provider, newrelic_nrql_alert_condition",
    ),
    claim("alerts", "a wrong input fails its field with INVALID_INPUT", Assumed, NONE),
    claim("alerts", "texts of errors, `Not Found` excepted", Assumed, CLIENT),
    claim("alerts", "updates keep what they leave out", Documented, ALERTS),
    claim("alerts", "100 policies or conditions a page; the form of their cursors", Assumed, NONE),
    claim("alerts", "searches by name and query ignore case", Assumed, NONE),
    claim(
        "service levels",
        "mutations, and indicators of an entity",
        Conformant,
        "newrelic-client-go, servicelevel package",
    ),
    claim(
        "service levels",
        "valid events, and either good or bad ones; windows of 1, 7 or 28 days",
        Documented,
        SLO,
    ),
    claim("service levels", "one objective an indicator", Documented, SLO),
    claim("service levels", "the entity has to exist; texts of errors", Assumed, NONE),
    claim("service levels", "equal names are allowed", Assumed, NONE),
    claim("service levels", "an indicator is an entity EXT SERVICE_LEVEL, at once", Assumed, NONE),
    claim(
        "incidents",
        "a term opens when all windows of its duration are beyond it, or one with AT_LEAST_ONCE",
        Documented,
        CONDITIONS,
    ),
    claim(
        "incidents",
        "it closes after as long a time of good values, and its closing is dated back to their begin",
        Documented,
        CLOSED,
    ),
    claim("incidents", "a window without a value starts the count anew", Documented, CONDITIONS),
    claim("incidents", "gaps are filled until the signal is lost", Documented, CONDITIONS),
    claim("incidents", "a lost signal opens an incident, closes others, or both", Documented, LOST),
    claim("incidents", "data that come again close the incident of a loss", Documented, LOST),
    claim("incidents", "what is open at the time limit ends and may open anew", Documented, CLOSED),
    claim(
        "incidents",
        "edits of query, window, fill or threshold end what is open, edits of words do not",
        Documented,
        CONDITIONS,
    ),
    claim("incidents", "attributes of NrAiIncident, causes of closing", Documented, INCIDENT),
    claim("incidents", "event is open or close, in lower case", Assumed, "documented: Open, Close"),
    claim("incidents", "titles; incidentId is a UUID of the incident's number", Assumed, NONE),
    claim("incidents", "a warning and a critical incident are two", Assumed, NONE),
    claim(
        "incidents",
        "every method judges a window its delay, or timer, after its end",
        Assumed,
        "documented: EVENT_FLOW waits for newer data, EVENT_TIMER for the last event",
    ),
    claim(
        "incidents",
        "a condition's first window is the first that begins after it was made",
        Assumed,
        NONE,
    ),
    claim(
        "incidents",
        "the entity is the one of the facet, or filter, entity.guid or entityGuid",
        Assumed,
        "documented for entity.guid",
    ),
    claim("incidents", "5,000 signals a condition; one is forgotten once lost", Assumed, NONE),
    claim("incidents", "baselines open nothing but losses", Assumed, "their model is not public"),
    claim("incidents", "windows older than a day are passed over", Assumed, GUARD),
];
