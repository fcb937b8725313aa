//! Documents of the shape that New Relic's own client library, and what builds on it, send: every
//! field of their lists has to be in the schema.

use super::*;

/// Fields that the library asks of every search result.
const OUTLINE: &str = "__typename account { id name reportingEventTypes } accountId domain \
    entityType firstIndexedAt guid indexedAt lastReportingChangeAt name permalink reporting \
    tags { key values } type \
    ... on ApmApplicationEntityOutline { __typename alertSeverity apmBrowserSummary { \
    ajaxRequestThroughput ajaxResponseTimeAverage jsErrorRate pageLoadThroughput \
    pageLoadTimeAverage } apmSummary { apdexScore errorRate hostCount instanceCount \
    nonWebResponseTimeAverage nonWebThroughput responseTimeAverage throughput \
    webResponseTimeAverage webThroughput } applicationId language runningAgentVersions { \
    maxVersion minVersion } } \
    ... on ApmDatabaseInstanceEntityOutline { __typename alertSeverity host portOrPath vendor } \
    ... on ApmExternalServiceEntityOutline { __typename alertSeverity host } \
    ... on BrowserApplicationEntityOutline { __typename agentInstallType alertSeverity \
    applicationId browserSummary { ajaxRequestThroughput jsErrorRate pageLoadThroughput } \
    runningAgentVersions { maxVersion minVersion } servingApmApplicationId } \
    ... on DashboardEntityOutline { __typename alertSeverity createdAt dashboardParentGuid owner \
    { email userId } permissions updatedAt } \
    ... on ExternalEntityOutline { __typename alertSeverity } \
    ... on GenericEntityOutline { __typename alertSeverity } \
    ... on GenericInfrastructureEntityOutline { __typename alertSeverity integrationTypeCode } \
    ... on InfrastructureAwsLambdaFunctionEntityOutline { __typename alertSeverity \
    integrationTypeCode runtime } \
    ... on InfrastructureHostEntityOutline { __typename alertSeverity hostSummary { \
    cpuUtilizationPercent diskUsedPercent memoryUsedPercent networkReceiveRate \
    networkTransmitRate servicesCount } } \
    ... on KeyTransactionEntityOutline { __typename alertSeverity } \
    ... on MobileApplicationEntityOutline { __typename alertSeverity applicationId mobileSummary \
    { appLaunchCount crashCount crashRate httpErrorRate mobileSessionCount networkFailureRate \
    usersAffectedCount } } \
    ... on SecureCredentialEntityOutline { __typename alertSeverity description secureCredentialId \
    secureCredentialSummary { failingMonitorCount secureCredentialMonitorCount } updatedAt } \
    ... on SyntheticMonitorEntityOutline { __typename alertSeverity monitorId monitorSummary { \
    locationsFailing locationsRunning status successRate } monitorType monitoredUrl period } \
    ... on TeamEntityOutline { __typename alertSeverity } \
    ... on ThirdPartyServiceEntityOutline { __typename alertSeverity } \
    ... on UnavailableEntityOutline { __typename alertSeverity } \
    ... on WorkloadEntityOutline { __typename alertSeverity createdAt createdByUser { email \
    gravatar id name } updatedAt workloadStatus { description statusSource statusValue summary } }";

#[test]
fn a_search_of_entities() {
    let service = Service::new();
    let name = "Broker";
    let guid = service.register(1, "INFRA", "KAFKABROKER", name);
    let query = format!(
        "query($queryBuilder: EntitySearchQueryBuilder, $options: EntitySearchOptions, \
         $sortBy: [EntitySearchSortCriteria],) {{ actor {{ entitySearch(queryBuilder: \
         $queryBuilder, options: $options, sortBy: $sortBy) {{ count query \
         results {{ entities {{ {OUTLINE} }} nextCursor }} \
         types {{ count domain entityType type }} }} }} }}"
    );
    let variables = json!({
        "queryBuilder": {"domain": "INFRA", "name": name, "tags": []},
        "options": {},
        "sortBy": [],
    });
    let data = service.data_with(&query, variables);
    let found = &data["actor"]["entitySearch"];
    assert_eq!(found["count"], 1);
    let entity = &found["results"]["entities"][0];
    assert_eq!((&entity["guid"], &entity["account"]["id"]), (&json!(guid), &json!(1)));
    assert_eq!(entity["integrationTypeCode"], "KAFKABROKER");
}

#[test]
fn entities_by_guid() {
    let service = Service::new();
    let guid = service.register(1, "EXT", "SERVICE", "s");
    let data = service.data_with(
        "query($guid: EntityGuid!,) { actor { entity(guid: $guid) { __typename account { id name } \
         accountId domain entityType firstIndexedAt goldenMetrics { context { account guid } \
         metrics { metricName name query title unit } } goldenTags { context { account guid } \
         tags { key } } guid indexedAt lastReportingChangeAt name permalink \
         relatedEntities(filter: {direction: BOTH}) { nextCursor results { __typename createdAt \
         source { accountId guid entity { __typename guid name } } target { accountId guid } type \
         ... on EntityRelationshipUserDefinedEdge { createdByUser { id } } } } \
         reporting tags { key values } tagsWithMetadata { key values { mutable value } } type \
         ... on ThirdPartyServiceEntity { alertSeverity } \
         ... on WorkloadEntity { alertSeverity createdAt } } } }",
        json!({"guid": guid}),
    );
    assert_eq!(data["actor"]["entity"]["__typename"], "ThirdPartyServiceEntity");
}

#[test]
fn nrql_with_its_whole_container() {
    let service = Service::new();
    let data = service.data_with(
        "query($query: Nrql!, $accountId: Int!) { actor { account(id: $accountId) { \
         nrql(query: $query) { currentResults otherResult previousResults results totalResult \
         embeddedChartUrl metadata { eventTypes facets messages timeWindow { begin compareWith \
         end since until } } nrql queryProgress { completed queryId resultExpiration retryAfter \
         retryDeadline } rawResponse staticChartUrl suggestedFacets { attributes nrql } \
         eventDefinitions { attributes { definition documentationUrl label name } definition \
         label name } } } } }",
        json!({"query": "SELECT count(*) FROM Transaction", "accountId": 1}),
    );
    let nrql = &data["actor"]["account"]["nrql"];
    assert_eq!(nrql["results"], json!([{"count": 0}]));
    assert_eq!(nrql["queryProgress"], Json::Null);
}

#[test]
fn a_dashboard_as_code() {
    let service = Service::new();
    let variables = json!({"accountId": 1, "dashboard": {
        "name": "d", "description": "", "permissions": "PRIVATE",
        "pages": [{"name": "p", "description": "", "widgets": [{
            "title": "w", "id": "", "layout": {"column": 1, "row": 1, "height": 3, "width": 4},
            "visualization": {"id": "viz.bar"}, "linkedEntityGuids": null,
            "configuration": {"bar": {"nrqlQueries": [
                {"accountId": 1, "query": "SELECT count(*) FROM A WHERE c IN ({{c}}) FACET b"}]}},
        }]}],
        "variables": [{"name": "c", "title": "c", "type": "NRQL", "isMultiSelection": true,
            "replacementStrategy": "STRING", "defaultValues": [],
            "nrqlQuery": {"accountIds": [1], "query": "SELECT uniques(c) FROM A"},
            "options": {"ignoreTimeRange": true}}],
    }});
    let data = service.data_with(
        "mutation($accountId: Int!, $dashboard: DashboardInput!,) { dashboardCreate(accountId: \
         $accountId, dashboard: $dashboard,) { entityResult { accountId createdAt description \
         guid name owner { email userId } pages { createdAt description guid name owner { email \
         userId } updatedAt widgets { configuration { area { nrqlQueries { accountId query } } \
         bar { nrqlQueries { accountId query } } billboard { nrqlQueries { accountId query } \
         thresholds { alertSeverity value } } line { nrqlQueries { accountId query } } markdown \
         { text } pie { nrqlQueries { accountId query } } table { nrqlQueries { accountId query \
         } } } id layout { column height row width } linkedEntities { guid name } \
         rawConfiguration title visualization { id } } } permissions updatedAt variables { \
         defaultValues { value { string } } isMultiSelection items { title value } name \
         nrqlQuery { accountIds query } options { excluded ignoreTimeRange } \
         replacementStrategy title type } } errors { description type } } }",
        variables,
    );
    let result = &data["dashboardCreate"]["entityResult"];
    assert_eq!(result["variables"][0]["nrqlQuery"]["accountIds"], json!([1]));
    let widget = &result["pages"][0]["widgets"][0];
    assert_eq!(widget["visualization"]["id"], "viz.bar");
    assert_eq!(widget["configuration"]["bar"]["nrqlQueries"][0]["accountId"], 1);
}

#[test]
fn tags_of_an_entity() {
    let service = Service::new();
    let guid = service.register(1, "INFRA", "KAFKATOPIC", "t");
    let data = service.data_with(
        "mutation($guid: EntityGuid!, $tags: [TaggingTagInput!]!,) { taggingReplaceTagsOnEntity(\
         guid: $guid, tags: $tags,) { errors { message type } } }",
        json!({"guid": guid, "tags": [{"key": "k", "values": ["v"]}]}),
    );
    assert_eq!(data["taggingReplaceTagsOnEntity"]["errors"], json!([]));
}
