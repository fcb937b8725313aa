//! The life of a dashboard.

use super::*;

const CREATE: &str = "mutation($account: Int!, $dashboard: DashboardInput!) { \
    dashboardCreate(accountId: $account, dashboard: $dashboard) { errors { description type } \
    entityResult { guid accountId createdAt updatedAt name description permissions \
    owner { email userId } pages { guid name widgets { id title visualization { id } \
    rawConfiguration layout { column row width height } } } } } }";

fn input() -> Json {
    json!({
        "name": "Queues",
        "description": "All of them",
        "permissions": "PUBLIC_READ_WRITE",
        "pages": [
            {"name": "One", "widgets": [
                {"title": "Lag", "visualization": {"id": "viz.line"},
                 "layout": {"column": 1, "row": 1, "width": 6, "height": 3},
                 "rawConfiguration": {"nrqlQueries": [
                    {"accountId": 1, "query": "FROM A SELECT nonsense("}]}},
                {"title": "Count", "configuration": {"billboard": {
                    "nrqlQueries": [{"accountId": 1, "query": "SELECT count(*) FROM A"}],
                    "thresholds": [{"alertSeverity": "WARNING", "value": 2}]}}},
            ]},
            {"name": "Two", "widgets": []},
        ],
        "variables": [{"name": "cluster", "type": "STRING", "title": "Cluster",
            "defaultValues": [{"value": {"string": "c"}}]}],
    })
}

fn create(service: &Service, dashboard: Json) -> Json {
    let data = service.data_with(CREATE, json!({"account": 1, "dashboard": dashboard}));
    data["dashboardCreate"].clone()
}

fn text(json: &Json) -> String {
    json.as_str().expect("a text").to_owned()
}

#[test]
fn made_and_read_back() {
    let service = Service::new();
    let made = create(&service, input());
    assert_eq!(made["errors"], Json::Null);
    let result = &made["entityResult"];
    assert_eq!(result["accountId"], 1);
    assert_eq!(result["permissions"], "PUBLIC_READ_WRITE");
    assert_eq!(result["createdAt"], result["updatedAt"]);
    let [first, second] = &result["pages"][0]["widgets"].as_array().expect("a list")[..] else {
        panic!("two widgets");
    };
    assert_eq!(first["rawConfiguration"]["nrqlQueries"][0]["query"], "FROM A SELECT nonsense(");
    let expected = json!({
        "id": second["id"],
        "title": "Count",
        "visualization": {"id": "viz.billboard"},
        "rawConfiguration": {
            "nrqlQueries": [{"accountId": 1, "query": "SELECT count(*) FROM A"}],
            "thresholds": [{"alertSeverity": "WARNING", "value": 2}]},
        // The first free place beside the other widget.
        "layout": {"column": 9, "row": 1, "width": 4, "height": 3},
    });
    assert_eq!(*second, expected);
    let guid = text(&result["guid"]);
    let read = "query($g: EntityGuid!) { actor { entity(guid: $g) { __typename name domain type \
        ... on DashboardEntity { accountId createdAt updatedAt name description permissions \
        dashboardParentGuid owner { userId } variables { name type title defaultValues { \
        value { string } } } pages { guid name widgets { title configuration { billboard { \
        nrqlQueries { accountId query } thresholds { alertSeverity value } } line { \
        nrqlQueries { query } } } linkedEntities { guid } } } } } } }";
    let data = service.data_with(read, json!({"g": guid}));
    let entity = &data["actor"]["entity"];
    assert_eq!(entity["__typename"], "DashboardEntity");
    assert_eq!((&entity["domain"], &entity["type"]), (&json!("VIZ"), &json!("DASHBOARD")));
    assert_eq!(entity["dashboardParentGuid"], Json::Null);
    assert_eq!(entity["description"], "All of them");
    assert_eq!(
        entity["variables"],
        json!([{"name": "cluster", "type": "STRING",
        "title": "Cluster", "defaultValues": [{"value": {"string": "c"}}]}])
    );
    assert_eq!(
        entity["pages"][0]["widgets"],
        json!([
            {"title": "Lag", "linkedEntities": [], "configuration": {"billboard": null,
                "line": {"nrqlQueries": [{"query": "FROM A SELECT nonsense("}]}}},
            {"title": "Count", "linkedEntities": [], "configuration": {"line": null, "billboard": {
                "nrqlQueries": [{"accountId": 1, "query": "SELECT count(*) FROM A"}],
                "thresholds": [{"alertSeverity": "WARNING", "value": 2}]}}},
        ])
    );
    let page = text(&entity["pages"][1]["guid"]);
    let data = service.data_with(read, json!({"g": page}));
    let entity = &data["actor"]["entity"];
    assert_eq!(entity["name"], "Queues / Two");
    assert_eq!(entity["dashboardParentGuid"], json!(guid));
    assert_eq!(entity["pages"].as_array().map(Vec::len), Some(1));
}

/// Names of the dashboards and pages that a search finds, with the guid of their parents.
fn found(service: &Service) -> Vec<(String, bool)> {
    let data = service.data(
        "{ actor { entitySearch(query: \"type = 'DASHBOARD'\") { results { entities { name \
         ... on DashboardEntityOutline { dashboardParentGuid owner { email } permissions } } } } } }",
    );
    let entities = data["actor"]["entitySearch"]["results"]["entities"].clone();
    let entities = entities.as_array().expect("a list").clone();
    entities.iter().map(|e| (text(&e["name"]), !e["dashboardParentGuid"].is_null())).collect()
}

fn names(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    names.iter().map(|(name, page)| ((*name).to_owned(), *page)).collect()
}

#[test]
fn changed_deleted_and_brought_back() {
    let mut service = Service::new();
    let made = create(&service, input());
    let result = &made["entityResult"];
    let guid = text(&result["guid"]);
    let all = names(&[("Queues", false), ("Queues / One", true), ("Queues / Two", true)]);
    assert_eq!(found(&service), all);
    let tag = "mutation($g: EntityGuid!) { taggingAddTagsToEntity(guid: $g, \
               tags: [{key: \"k\", values: [\"v\"]}]) { errors { type } } }";
    service.data_with(tag, json!({"g": guid}));

    // Page two is gone, page three is new, the first widget goes, the second stays itself.
    service.wait(Duration::from_secs(60));
    let (page, widget) = (&result["pages"][0], &result["pages"][0]["widgets"][1]);
    let mut changed = input();
    changed["name"] = json!("Topics");
    changed["pages"] = json!([
        {"guid": page["guid"], "name": "One", "widgets": [
            {"id": widget["id"], "title": "Number", "visualization": {"id": "viz.json"},
             "rawConfiguration": {"nrqlQueries": [{"accountIds": [1, 2], "query": "x"}]}}]},
        {"name": "Three", "widgets": []},
    ]);
    let update = "mutation($g: EntityGuid!, $d: DashboardInput!) { \
        dashboardUpdate(guid: $g, dashboard: $d) { errors { type description } \
        entityResult { guid createdAt updatedAt pages { guid name widgets { id title } } } } }";
    let data = service.data_with(update, json!({"g": guid, "d": changed}));
    let updated = &data["dashboardUpdate"]["entityResult"];
    assert_eq!(updated["guid"], json!(guid));
    assert_ne!(updated["createdAt"], updated["updatedAt"]);
    assert_eq!(updated["pages"][0]["guid"], page["guid"]);
    assert_eq!(updated["pages"][0]["widgets"], json!([{"id": widget["id"], "title": "Number"}]));
    let all = names(&[("Topics", false), ("Topics / One", true), ("Topics / Three", true)]);
    assert_eq!(found(&service), all);

    let delete = "mutation($g: EntityGuid!) { dashboardDelete(guid: $g) { status \
                  errors { type description } } }";
    let gone = service.data_with(delete, json!({"g": guid}));
    assert_eq!(gone["dashboardDelete"], json!({"status": "SUCCESS", "errors": null}));
    assert_eq!(found(&service), []);
    let read = "query($g: EntityGuid!) { actor { entity(guid: $g) { guid tags { key } } } }";
    assert_eq!(service.data_with(read, json!({"g": guid}))["actor"]["entity"], Json::Null);
    let again = service.data_with(delete, json!({"g": guid}));
    assert_eq!(again["dashboardDelete"]["status"], "FAILURE");
    assert_eq!(again["dashboardDelete"]["errors"][0]["type"], "DASHBOARD_NOT_FOUND");
    let answer = service.data_with(update, json!({"g": guid, "d": changed}));
    assert_eq!(answer["dashboardUpdate"]["errors"][0]["type"], "INVALID_INPUT");

    service.wait(Duration::from_secs(60));
    let undelete = "mutation($g: EntityGuid!) { dashboardUndelete(guid: $g) { errors { type } } }";
    let back = service.data_with(undelete, json!({"g": guid}));
    assert_eq!(back["dashboardUndelete"]["errors"], Json::Null);
    assert_eq!(found(&service), all);
    // Tags of users stay gone.
    let data = service.data_with(read, json!({"g": guid}));
    let keys = json!([{"key": "account"}, {"key": "accountId"}, {"key": "trustedAccountId"}]);
    assert_eq!(data["actor"]["entity"]["tags"], keys);
    let again = service.data_with(undelete, json!({"g": guid}));
    assert_eq!(again["dashboardUndelete"]["errors"][0]["type"], "DASHBOARD_NOT_FOUND");
}

#[test]
fn pages_and_widgets_on_their_own() {
    let service = Service::new();
    let made = create(&service, input());
    let page = text(&made["entityResult"]["pages"][1]["guid"]);
    let widget = json!({"title": "New", "visualization": {"id": "viz.pie"},
        "rawConfiguration": {"nrqlQueries": []}});
    let add = "mutation($g: EntityGuid!, $w: [DashboardWidgetInput!]!) { \
               dashboardAddWidgetsToPage(guid: $g, widgets: $w) { errors { type } } }";
    let data = service.data_with(add, json!({"g": page, "w": [widget, widget]}));
    assert_eq!(data["dashboardAddWidgetsToPage"]["errors"], Json::Null);
    let widgets = || {
        let read = "query($g: EntityGuid!) { actor { entity(guid: $g) { ... on DashboardEntity { \
                    pages { name widgets { id title layout { column row } } } } } } }";
        let data = service.data_with(read, json!({"g": page}));
        data["actor"]["entity"]["pages"][0].clone()
    };
    let before = widgets();
    let column = |number: usize| before["widgets"][number]["layout"]["column"].clone();
    assert_eq!((column(0), column(1)), (json!(1), json!(5)));

    let update = "mutation($g: EntityGuid!, $w: [DashboardUpdateWidgetInput!]!) { \
                  dashboardUpdateWidgetsInPage(guid: $g, widgets: $w) { errors { type } } }";
    let change = json!([{"id": before["widgets"][1]["id"], "title": "Newer"}]);
    service.data_with(update, json!({"g": page, "w": change}));
    assert_eq!(widgets()["widgets"][1]["title"], "Newer");
    assert_eq!(widgets()["widgets"][0], before["widgets"][0]);
    let data = service.data_with(update, json!({"g": page, "w": [{"id": "none"}]}));
    assert_eq!(data["dashboardUpdateWidgetsInPage"]["errors"][0]["type"], "WIDGET_NOT_FOUND");

    let replace = "mutation($g: EntityGuid!, $p: DashboardUpdatePageInput!) { \
                   dashboardUpdatePage(guid: $g, page: $p) { errors { type } } }";
    let input = json!({"name": "2", "widgets": []});
    let data = service.data_with(replace, json!({"g": page, "p": input}));
    assert_eq!(data["dashboardUpdatePage"]["errors"], Json::Null);
    assert_eq!(widgets(), json!({"name": "2", "widgets": []}));
    assert!(found(&service).contains(&("Queues / 2".to_owned(), true)));

    let dashboard = &made["entityResult"]["guid"];
    let data = service.data_with(replace, json!({"g": dashboard, "p": input}));
    assert_eq!(data["dashboardUpdatePage"]["errors"][0]["type"], "PAGE_NOT_FOUND");

    let snapshot = "mutation($g: EntityGuid!) { dashboardCreateSnapshotUrl(guid: $g) }";
    let data = service.data_with(snapshot, json!({"g": page}));
    assert!(text(&data["dashboardCreateSnapshotUrl"]).starts_with("https://"));
    let data = service.data_with(snapshot, json!({"g": "none"}));
    assert_eq!(data["dashboardCreateSnapshotUrl"], Json::Null);
}

#[test]
fn permissions_of_others() {
    let service = Service::new();
    // Another user of account 1.
    let other = "NRAK-11111111111111111111111111A";
    let key = ApiKey::new(other).expect("valid");
    service.newrelic.state().config.accounts[0].keys.push(key);
    let ask = |key: &str, query: &str, variables: Json| {
        let body = json!({"query": query, "variables": variables}).to_string();
        service.newrelic.graphql(service.now, Some(key), body.as_bytes()).body["data"].clone()
    };
    let read = "query($g: EntityGuid!) { actor { entity(guid: $g) { guid } } }";
    let update = "mutation($g: EntityGuid!, $d: DashboardInput!) { \
        dashboardUpdate(guid: $g, dashboard: $d) { errors { type } } }";
    let delete = "mutation($g: EntityGuid!) { dashboardDelete(guid: $g) { errors { type } } }";
    // Permissions, whether the other user sees it, what changing and deleting it answers.
    let forbidden = json!([{"type": "FORBIDDEN_OPERATION"}]);
    let cases = [
        ("PUBLIC_READ_WRITE", true, Json::Null),
        ("PUBLIC_READ_ONLY", true, forbidden.clone()),
        ("PRIVATE", false, forbidden),
    ];
    for (permissions, visible, expected) in cases {
        let mut dashboard = input();
        dashboard["permissions"] = json!(permissions);
        let guid = create(&service, dashboard.clone())["entityResult"]["guid"].clone();
        let seen = ask(other, read, json!({"g": guid}));
        assert_eq!(!seen["actor"]["entity"].is_null(), visible, "{permissions}");
        let mut change = dashboard.clone();
        change["pages"] = json!([{"name": "p", "widgets": []}]);
        let answer = ask(other, update, json!({"g": guid, "d": change}));
        assert_eq!(answer["dashboardUpdate"]["errors"], expected, "{permissions}");
        let answer = ask(other, delete, json!({"g": guid}));
        assert_eq!(answer["dashboardDelete"]["errors"], expected, "{permissions}");
        // A user of another account finds nothing.
        let answer = ask(OTHER_KEY, delete, json!({"g": guid}));
        let missing = json!([{"type": "DASHBOARD_NOT_FOUND"}]);
        assert_eq!(answer["dashboardDelete"]["errors"], missing, "{permissions}");
    }
}

/// Path into the input, value, description of the error.
const INVALID: &[(&str, &str, &str)] = &[
    ("/name", r#"" ""#, "Invalid dashboard input: name cannot be blank"),
    ("/pages", "[]", "Invalid dashboard input: must have between 1 and 20 pages"),
    ("/pages/0/name", r#""""#, "Invalid page input: name cannot be blank"),
    (
        "/pages/0/widgets/0/rawConfiguration",
        r#"{"nrqlQueries": [{"accountId": "1", "query": "x"}]}"#,
        "Invalid widget input: nrql queries must provide either a valid 'accountId' or a list of \
         'accountIds'",
    ),
    (
        "/pages/0/widgets/0/rawConfiguration",
        r#"{"nrqlQueries": [{"accountIds": [], "query": "x"}]}"#,
        "Invalid widget input: nrql queries must provide either a valid 'accountId' or a list of \
         'accountIds'",
    ),
    (
        "/pages/0/widgets/1/configuration/billboard/nrqlQueries/0/query",
        r#""SELECT count(*) FORM A""#,
        "Invalid widget input: invalid nrql query: NRQL Syntax Error: Error at line 1 position \
         17, unexpected 'FORM'",
    ),
    (
        "/pages/0/widgets/0/layout/width",
        "13",
        "Invalid widget input: layout width must be between 1 and 12",
    ),
    (
        "/pages/0/widgets/0/layout/column",
        "8",
        "Invalid widget input: layout column and width go beyond column 12",
    ),
    (
        "/pages/0/widgets/0/layout/height",
        "33",
        "Invalid widget input: layout height must be between 1 and 32",
    ),
    ("/pages/0/widgets/0/layout/row", "0", "Invalid widget input: layout row must be at least 1"),
    (
        "/pages/0/widgets/0/visualization",
        "null",
        "Invalid widget input: 'rawConfiguration' needs a 'visualization' with an 'id'",
    ),
    (
        "/pages/0/widgets/1/configuration",
        "{}",
        "Invalid widget input: 'configuration' must have exactly one kind of widget",
    ),
    (
        "/pages/0/widgets/1/configuration",
        "null",
        "Invalid widget input: must provide either 'configuration' or 'rawConfiguration'",
    ),
    (
        "/variables/0/type",
        r#""NRQL""#,
        "Invalid variable input: a variable of type NRQL needs an nrqlQuery",
    ),
];

#[test]
fn invalid_inputs() {
    let service = Service::new();
    for (path, value, description) in INVALID {
        let mut dashboard = input();
        *dashboard.pointer_mut(path).expect(path) = serde_json::from_str(value).expect("JSON");
        let answer = create(&service, dashboard);
        let expected = json!({"entityResult": null,
            "errors": [{"type": "INVALID_INPUT", "description": description}]});
        assert_eq!(answer, expected, "{path} = {value}");
    }
    assert_eq!(found(&service), []);
}

#[test]
fn limits_of_inputs() {
    let service = Service::new();
    let widget = json!({"visualization": {"id": "viz.line"}, "rawConfiguration": {}});
    let widgets = |count: usize| vec![widget.clone(); count];
    let queries =
        |count: usize| json!({"nrqlQueries": vec![json!({"accountId": 1, "query": "x"}); count]});
    let page = json!({"name": "p", "widgets": []});
    // Path, the most that passes, the least that does not.
    let cases = [
        ("/name", json!("é".repeat(255)), json!("é".repeat(256))),
        ("/description", json!("d".repeat(1_024)), json!("d".repeat(1_025))),
        ("/pages", json!(vec![page.clone(); 20]), json!(vec![page; 21])),
        ("/pages/1/widgets", json!(widgets(100)), json!(widgets(101))),
        ("/pages/0/widgets/0/title", json!("t".repeat(255)), json!("t".repeat(256))),
        ("/pages/0/widgets/0/rawConfiguration", queries(20), queries(21)),
    ];
    for (path, most, more) in cases {
        for (value, passes) in [(most, true), (more, false)] {
            let mut dashboard = input();
            *dashboard.pointer_mut(path).expect(path) = value;
            let answer = create(&service, dashboard);
            assert_eq!(answer["errors"].is_null(), passes, "{path} {}", answer["errors"]);
        }
    }
}

#[test]
fn an_account_id_is_a_number() {
    let service = Service::new();
    let answer = service.ask_with(CREATE, json!({"account": "1", "dashboard": input()}));
    assert_eq!(answer.body.get("data"), None);
    let answer = service.ask_with(CREATE, json!({"account": 3, "dashboard": input()}));
    assert_eq!(answer.body["data"], json!({"dashboardCreate": null}));
    assert_eq!(answer.body["errors"][0]["extensions"]["errorClass"], "ACCESS_DENIED");
}
