//! The schema as tools ask for it.

use super::*;

/// As GraphiQL and code generators send it.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { queryType { name } \
    mutationType { name } subscriptionType { name } types { ...FullType } directives { name \
    description locations args { ...InputValue } } } } \
    fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name \
    description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } \
    inputFields { ...InputValue } interfaces { ...TypeRef } \
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } \
    possibleTypes { ...TypeRef } } \
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { \
    kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } \
    } } } } }";

#[test]
fn the_whole_schema() {
    let data = Service::new().data(INTROSPECTION);
    let schema = &data["__schema"];
    assert_eq!(schema["queryType"]["name"], "RootQueryType");
    assert_eq!(schema["mutationType"]["name"], "RootMutationType");
    let types = schema["types"].as_array().expect("a list");
    let find = |name: &str| types.iter().find(|t| t["name"] == name).expect(name).clone();
    assert!(types.len() > 200, "{}", types.len());
    assert_eq!(find("Entity")["kind"], "INTERFACE");
    assert_eq!(find("EntityGuid")["kind"], "SCALAR");
    let possible = find("EntityOutline")["possibleTypes"].as_array().expect("a list").len();
    assert_eq!(possible, 18);
    let relationships = find("DashboardEntity")["fields"].as_array().expect("a list").clone();
    let deprecated = |field: &&Json| field["isDeprecated"] == true;
    let names: Vec<_> = relationships.iter().filter(deprecated).map(|f| &f["name"]).collect();
    assert_eq!(names, ["relationships"]);
}

#[test]
fn one_type() {
    let data = Service::new().data(
        "{ __type(name: \"EntitySearchOptions\") { kind inputFields { name type { kind name } } } \
         none: __type(name: \"Nothing\") { name } }",
    );
    let field = |name: &str, kind: &str, of: Json| json!({"name": name, "type": {"kind": kind, "name": of}});
    let expected = json!({
        "__type": {"kind": "INPUT_OBJECT", "inputFields": [
            field("caseSensitiveTagMatching", "SCALAR", json!("Boolean")),
            field("limit", "SCALAR", json!("Int")),
            field("tagFilter", "LIST", Json::Null),
        ]},
        "none": null,
    });
    assert_eq!(data, expected);
}

/// `docs/nerdgraph.graphql` is the schema; `SHAKEDOWN_BLESS=1` writes it anew.
#[test]
fn the_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/nerdgraph.graphql");
    let text = NewRelic::graphql_schema();
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(path).expect("SHAKEDOWN_BLESS=1 writes it");
    assert!(committed == text, "{path} is stale: run this test with SHAKEDOWN_BLESS=1");
}
