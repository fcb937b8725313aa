//! Both directions, and what other shapes are told.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Links, read, write};

/// As New Relic's "Copy JSON to clipboard" gives it.
fn export() -> Json {
    json!({
        "name": "Queues",
        "description": null,
        "permissions": "PUBLIC_READ_ONLY",
        "pages": [{
            "guid": "MXxWSVp8REFTSEJPQVJEfGRhOjE",
            "name": "One",
            "description": "first",
            "widgets": [
                {
                    "id": "7",
                    "title": "Lag",
                    "layout": {"column": 1, "row": 1, "width": 4, "height": 3},
                    "linkedEntityGuids": ["MXxWSVp8REFTSEJPQVJEfGRhOjI"],
                    "visualization": {"id": "viz.line"},
                    "rawConfiguration": {
                        "facet": {"showOtherSeries": false},
                        "legend": {"enabled": true},
                        "nrqlQueries": [{"accountIds": [1, 2], "query": "SELECT 1"}],
                        "platformOptions": {"ignoreTimeRange": true},
                        "thresholds": {"isLabelVisible": true, "thresholds": [
                            {"from": 80, "to": 90, "severity": "warning"},
                            {"from": 90, "severity": "critical"}]},
                        "units": {"unit": "BYTES"},
                        "yAxisLeft": {"zero": true, "max": 100},
                        "colors": {"seriesOverrides": []}
                    }
                },
                {
                    "title": "",
                    "layout": {"column": 5, "row": 1, "width": 4, "height": 3},
                    "linkedEntityGuids": ["page:One"],
                    "visualization": {"id": "viz.table"},
                    "rawConfiguration": {
                        "nrqlQueries": [{"accountId": 0, "query": "SELECT 2"}],
                        "thresholds": [{"columnName": "Lag", "from": 5, "severity": "critical"}]
                    }
                },
                {
                    "title": "Text",
                    "visualization": {"id": "viz.markdown"},
                    "rawConfiguration": {"text": "# hello"},
                    "link": {"url": "https://example.com"}
                },
                {
                    "title": "Typed",
                    "configuration": {"billboard": {
                        "nrqlQueries": [{"accountId": 1, "query": "SELECT 3"}],
                        "thresholds": [{"alertSeverity": "CRITICAL", "value": 60}]}}
                }
            ]
        }],
        "variables": [
            {
                "name": "cluster", "title": "Cluster", "type": "NRQL",
                "nrqlQuery": {"accountIds": [1], "query": "SELECT 4"},
                "isMultiSelection": true, "replacementStrategy": "STRING",
                "defaultValues": [{"value": {"string": "*"}}],
                "options": {"ignoreTimeRange": true}
            },
            {"name": "kind", "type": "ENUM", "items": [{"title": "A", "value": "a"}]},
            {"name": "text", "type": "STRING", "defaultValue": {"string": "x"}}
        ]
    })
}

#[test]
fn what_new_relic_exports_survives_there_and_back() {
    let reading = read(&export());
    assert_eq!(reading.faults, []);
    let written = write(&reading.dashboard, Links::Named);
    let again = read(&written);
    assert_eq!((again.faults.len(), &again.dashboard), (0, &reading.dashboard));
    assert_eq!(write(&again.dashboard, Links::Named), written, "a fixed point");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/dashboards"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let text = serde_json::to_string_pretty(&written).expect("JSON");
        insta::assert_snapshot!("export-read-and-written", text);
    });
}

#[test]
fn a_dashboard_is_found_in_requests_and_answers() {
    let inner = json!({"name": "n", "pages": []});
    let cases = [
        (inner.clone(), ""),
        (json!({"dashboard": inner}), "/dashboard"),
        (json!({"query": "mutation …", "variables": {"dashboard": inner}}), "/variables/dashboard"),
        (json!({"data": {"actor": {"entity": inner}}}), "/data/actor/entity"),
    ];
    for (json, root) in cases {
        let reading = read(&json);
        assert_eq!((reading.dashboard.name.as_str(), reading.root.as_str()), ("n", root));
    }
}

#[test]
fn links_to_pages_become_their_guids() {
    let dashboard = read(&export()).dashboard;
    let linked = |links: Links<'_>| {
        write(&dashboard, links).pointer("/pages/0/widgets/1/linkedEntityGuids").cloned()
    };
    let guids = BTreeMap::from([("One".to_owned(), "GUID".to_owned())]);
    assert_eq!(linked(Links::Named), Some(json!(["page:One"])));
    assert_eq!(linked(Links::Resolved(&guids)), Some(json!(["GUID"])));
    assert_eq!(linked(Links::Resolved(&BTreeMap::new())), None);
}

#[test]
fn every_other_shape_is_named_with_its_place() {
    // Pointer into the export, what to put there, where the fault is told and in which words.
    let cases = [
        ("/name", json!(7), "/name", "must be a text"),
        ("/permissions", json!("ALL"), "/permissions", "cannot be \"ALL\""),
        ("/pages", json!({}), "/pages", "must be a list"),
        ("/pages/0", json!([]), "/pages/0", "must be an object"),
        ("/pages/0/widgets/0/layout/row", json!(-1), "/pages/0/widgets/0/layout/row", "not -1"),
        (
            "/pages/0/widgets/1/rawConfiguration/nrqlQueries/0/accountId",
            json!("123"),
            "/pages/0/widgets/1/rawConfiguration/nrqlQueries/0/accountId",
            "not \"123\"",
        ),
        (
            "/pages/0/widgets/3/configuration/billboard/thresholds/0/value",
            json!("60"),
            "/pages/0/widgets/3/configuration/billboard/thresholds/0/value",
            "must be a number, not \"60\"",
        ),
        ("/variables/0/isMultiSelection", json!(1), "/variables/0/isMultiSelection", "true or"),
        ("/variables/1/type", json!("LIST"), "/variables/1/type", "cannot be \"LIST\""),
    ];
    for (pointer, value, expected, words) in cases {
        let mut json = export();
        *json.pointer_mut(pointer).expect("a place of the export") = value;
        let faults = read(&json).faults;
        assert_eq!(faults.len(), 1, "{pointer}: {faults:?}");
        assert_eq!(faults[0].pointer, expected);
        assert!(faults[0].message.contains(words), "{pointer}: {}", faults[0].message);
        assert!(!faults[0].help.is_empty());
    }
}
