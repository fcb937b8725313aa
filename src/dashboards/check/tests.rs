//! Faults planted in a sound dashboard, one at a time.

use serde_json::{Value as Json, json};

use super::*;
use crate::dashboards::catalogue::{Parameters, template, templates};
use crate::dashboards::{Links, read, write};

fn sound() -> Json {
    let dashboard = template("standard").expect("there").build(&Parameters::default());
    write(&dashboard.expect("built"), Links::Named)
}

/// The codes and the widgets of everything that is told about `json`.
fn told(json: &Json) -> Vec<(String, String)> {
    let reading = read(json);
    let shape = reading.faults.iter().map(|fault| ("shape".to_owned(), fault.pointer.clone()));
    let found = check(&reading.dashboard);
    let found = found.into_iter().map(|problem| {
        assert!(!problem.help.is_empty(), "{problem:?}");
        let place = json.pointer(&problem.pointer);
        let parent = problem.pointer.rsplit_once('/').map(|(parent, _)| parent);
        let around = parent.is_some_and(|parent| json.pointer(parent).is_some());
        assert!(place.is_some() || around, "{} is nowhere", problem.pointer);
        (problem.code.to_owned(), problem.widget.or(problem.page).unwrap_or_default())
    });
    shape.chain(found).collect()
}

fn widget<'a>(json: &'a mut Json, title: &str) -> &'a mut Json {
    let pages = json["pages"].as_array_mut().expect("pages");
    let mut widgets = pages.iter_mut().flat_map(|p| p["widgets"].as_array_mut().expect("widgets"));
    widgets.find(|widget| widget["title"] == title).unwrap_or_else(|| panic!("no {title}"))
}

fn raw<'a>(json: &'a mut Json, title: &str) -> &'a mut Json {
    &mut widget(json, title)["rawConfiguration"]
}

/// Replaces a part of a widget's first query.
fn edit(json: &mut Json, title: &str, from: &str, to: &str) {
    let query = &mut raw(json, title)["nrqlQueries"][0]["query"];
    let text = query.as_str().expect("a query");
    assert!(text.contains(from), "{from} is not in {text}");
    *query = json!(text.replace(from, to));
}

type Plant = (&'static str, fn(&mut Json), &'static str);

/// The code that is expected, what is done, and the widget, page or pointer that is named.
const PLANTS: &[Plant] = &[
    ("overlap", |d| widget(d, "Availability")["layout"]["column"] = json!(1), "Availability"),
    ("outside-grid", |d| widget(d, "Throughput")["layout"]["width"] = json!(13), "Throughput"),
    ("too-small", |d| widget(d, "Throughput")["layout"]["height"] = json!(1), "Throughput"),
    (
        "shape",
        |d| {
            d["pages"][0]["widgets"][0]["rawConfiguration"]["nrqlQueries"][0]["accountId"] =
                json!("7")
        },
        "/pages/0/widgets/0/rawConfiguration/nrqlQueries/0/accountId",
    ),
    ("no-account", |d| raw(d, "Network")["nrqlQueries"][0]["accountId"] = Json::Null, "Network"),
    ("nrql", |d| edit(d, "Health score", "SELECT", "SELCT"), "Health score"),
    (
        "nrql",
        |d| edit(d, "Health score", " SINCE", " AND cluster.health.score BETWEEN 1 AND 2 SINCE"),
        "Health score",
    ),
    (
        "unknown-attribute",
        |d| edit(d, "Availability", "availability", "availabilty"),
        "Availability",
    ),
    ("unknown-function", |d| edit(d, "Availability", "average", "avrage"), "Availability"),
    ("sum-of-gauge", |d| edit(d, "Error rate", "average", "sum"), "Error rate"),
    ("foreign-attribute", |d| edit(d, "Error rate", "QUEUE_CLUSTER", "QUEUE_TOPIC"), "Error rate"),
    (
        "mixed-units",
        |d| edit(d, "CPU", "SELECT", "SELECT average(broker.request.latency) AS 'Latency',"),
        "CPU",
    ),
    (
        "identical-series",
        |d| edit(d, "CPU", "SELECT", "SELECT average(broker.cpu.usage) AS 'Again',"),
        "CPU",
    ),
    (
        "identical-queries",
        |d| {
            let queries = &mut raw(d, "CPU")["nrqlQueries"];
            let first = queries[0].clone();
            queries.as_array_mut().expect("a list").push(first);
        },
        "CPU",
    ),
    ("reserved-word", |d| edit(d, "Messages in and out", "`", ""), "Messages in and out"),
    ("no-time-series", |d| edit(d, "CPU", " TIMESERIES AUTO", ""), "CPU"),
    (
        "threshold-order",
        |d| raw(d, "Health score")["thresholds"][0]["value"] = json!(50),
        "Health score",
    ),
    (
        "threshold-range",
        |d| raw(d, "Health score")["thresholds"][0]["value"] = json!(120),
        "Health score",
    ),
    (
        "thresholds-ignored",
        |d| raw(d, "Storage")["thresholds"] = json!([{"alertSeverity": "CRITICAL", "value": 1}]),
        "Storage",
    ),
    (
        "threshold-column",
        |d| {
            raw(d, "Brokers")["thresholds"] =
                json!([{"columnName": "Cpu", "from": 80, "severity": "critical"}]);
        },
        "Brokers",
    ),
    ("undefined-variable", |d| edit(d, "CPU", "{{cluster}}", "{{clustr}}"), "CPU"),
    (
        "unused-variable",
        |d| {
            let variable = json!({"name": "region", "type": "STRING"});
            d["variables"].as_array_mut().expect("a list").push(variable);
        },
        "variable region",
    ),
    (
        "duplicate-variable",
        |d| {
            let first = d["variables"][0].clone();
            d["variables"].as_array_mut().expect("a list").push(first);
        },
        "variable cluster",
    ),
    (
        "dead-link",
        |d| widget(d, "Active brokers")["linkedEntityGuids"] = json!(["page:Nowhere"]),
        "Active brokers",
    ),
    (
        "dead-link",
        |d| widget(d, "Active brokers")["linkedEntityGuids"] = json!(["REPLACE_ME"]),
        "Active brokers",
    ),
    (
        "duplicate-page-name",
        |d| d["pages"][3]["name"] = json!("Consumer Groups"),
        "Consumer Groups",
    ),
    ("widget-title", |d| widget(d, "CPU")["title"] = json!(" "), "widget 1"),
    ("duplicate-widget-title", |d| widget(d, "Memory")["title"] = json!("CPU"), "CPU"),
    ("no-query", |d| raw(d, "CPU")["nrqlQueries"] = json!([]), "CPU"),
    ("no-visualization", |d| widget(d, "CPU")["visualization"]["id"] = json!(""), "CPU"),
    ("no-widgets", |d| d["pages"][1]["widgets"] = json!([]), "Consumer Groups"),
    ("dashboard-name", |d| d["name"] = json!(""), ""),
    ("no-pages", |d| d["pages"] = json!([]), ""),
];

#[test]
fn every_planted_fault_is_found_and_named() {
    assert_eq!(told(&sound()), [], "nothing is wrong with what is not touched");
    let mut kinds = std::collections::BTreeSet::new();
    for (code, plant, place) in PLANTS {
        let mut json = sound();
        plant(&mut json);
        assert_ne!(json, sound(), "{code} changes nothing");
        let told = told(&json);
        let expected = ((*code).to_owned(), (*place).to_owned());
        assert!(told.contains(&expected), "{expected:?} is not among {told:?}");
        let listed = |code: &str| {
            CODES.iter().any(|(known, _)| *known == code)
                || crate::nrql::lint::CODES.iter().any(|(known, ..)| *known == code)
        };
        assert!(told.iter().all(|(code, _)| listed(code)), "{told:?}");
        kinds.insert(*code);
    }
    assert!(kinds.len() >= 20, "{} kinds of faults", kinds.len());
}

#[test]
fn templates_are_sound_with_any_parameters() {
    let sets: &[&[(&str, &str)]] = &[
        &[],
        &[("account", "1234567"), ("filters", "cluster,environment,provider")],
        &[("cluster", "it's"), ("environment", "production"), ("filters", "none")],
        &[("mode", "compact")],
        &[("mode", "detailed")],
        &[("columns", "4")],
        &[("price_broker_hour", "0"), ("price_storage_gib_month", "0"), ("price_in_gib", "1")],
    ];
    for set in sets {
        let mut parameters = Parameters::default();
        for (name, value) in *set {
            parameters.set(name, value).expect(name);
        }
        for template in templates() {
            let dashboard = template.build(&parameters).expect(template.name);
            let mut problems = check(&dashboard);
            if set.iter().any(|(name, _)| *name == "filters" || *name == "cluster") {
                // A filter may fit nothing of a dashboard about the pipeline itself.
                problems.retain(|problem| problem.code != "unused-variable");
            }
            assert_eq!(problems, [], "{} {set:?}", template.name);
        }
    }
}

#[test]
fn problems_stand_in_the_order_of_the_text() {
    let mut json = sound();
    for title in ["Topics", "Health score", "CPU"] {
        edit(&mut json, title, "SELECT", "SELCT");
    }
    let widgets: Vec<String> = told(&json).into_iter().map(|(_, widget)| widget).collect();
    assert_eq!(widgets, ["Health score", "CPU", "Topics"]);
}
