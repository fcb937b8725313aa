//! Shapes of errors.

use super::*;

#[test]
fn smoke() {
    let service = Service::new();
    if let Err(e) = crate::sim::newrelic::graphql::sdl::schema() {
        panic!("{e}");
    }
    service.register(1, "INFRA", "KAFKABROKER", "b1");
    for q in [
        "{ actor { user { id email } accounts { id name } account(id: 1) { id name } } }",
        "{ actor { account(id: 3) { id } } }",
        "{ actor { nope } }",
        "{ actor { account(id: \"x\") { id } } }",
        "{ actor { account { id } } }",
        "{ actor { account(id: 1) } }",
        "{ actor { account(id: 1) { id { x } } } }",
        "query($x: Int!) { actor { account(id: $x) { id } } }",
        "query($x: Strin!) { actor { account(id: $x) { id } } }",
        "{ actor { account(id: 1, foo: 2) { id } } }",
        "{ actor { accounts { ...F } } }",
        "{ actor { entitySearch(query: \"name = 'b1'\", sortBy: [FOO]) { count } } }",
        "{ actor ",
        "{ actor { account(id: 1) { nrql(query: \"SELECT 1\") { results } } } }",
        "{ actor { entitySearch(query: \"name = 'b1'\") { count query types { count domain type entityType } results { nextCursor entities { __typename guid name tags { key values } ... on AlertableEntityOutline { alertSeverity } } } facetedCounts(facets: {facetCriterion: {facet: ACCOUNT_ID}}) { counts { count facet } } } } }",
        "{ actor { entitySearch(query: \"name ~ 'b1'\") { count } } }",
        "{ actor { entity(guid: \"x\") { guid } } }",
        "mutation { dashboardCreate(accountId: \"1\", dashboard: {name: \"x\"}) { errors { type } } }",
    ] {
        let a = service.ask(q);
        println!("{q}\n   {} {}", a.status, a.body);
    }
    assert_eq!(NewRelic::graphql_schema().len(), 1);
}
