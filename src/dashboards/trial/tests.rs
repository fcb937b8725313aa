//! Trials over a simulated run, with faults planted in what is tried.

use std::sync::OnceLock;

use super::*;
use crate::dashboards::catalogue::{Awaited, Parameters, template, templates};
use crate::dashboards::model::{Content, VariableKind};
use crate::dashboards::preview::{Origin, html};
use crate::sim::run::{self, Filled, Network, Options};
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// One run for all tests of this file.
fn filled() -> &'static Filled {
    static FILLED: OnceLock<Filled> = OnceLock::new();
    FILLED.get_or_init(|| {
        let text = include_str!("../../../scenarios/dashboards.toml");
        let scenario = scenario::load("dashboards.toml", text).expect("valid");
        let options =
            Options { seed: Seed(scenario.seed), network: Network::Kernel, sink: Sink::None };
        run::run_and_keep(&scenario, options).1.expect("kept")
    })
}

fn tried(dashboard: &Dashboard) -> Trial {
    try_out(dashboard, &|text| filled().nrql(text))
}

#[test]
fn every_widget_of_every_template_shows_something() {
    let mut widgets = 0;
    for template in templates() {
        let dashboard = template.build(&Parameters::default()).expect(template.name);
        let trial = tried(&dashboard);
        widgets += trial.widgets;
        let empty: Vec<&Fault> = trial
            .faults
            .iter()
            .filter(|fault| match template.awaits {
                None => true,
                Some(Awaited::Kind(kind)) => !fault.cause.is_about(kind.type_name()),
            })
            .collect();
        assert!(empty.is_empty(), "{}: {empty:#?}", template.name);
        if template.awaits.is_none() {
            assert!(trial.widgets > 0, "{}", template.name);
        }
    }
    assert!(widgets > 200, "only {widgets} widgets");
}

#[test]
fn an_empty_dashboard_examined_nothing() {
    let mut dashboard = template("standard").expect("there").build(&Parameters::default());
    let dashboard = dashboard.as_mut().expect("built");
    dashboard.pages.clear();
    assert_eq!(tried(dashboard), Trial::default());
}

/// Replaces a part of the first query of the widget called `title`.
fn edit(dashboard: &mut Dashboard, title: &str, from: &str, to: &str) {
    let mut widgets = dashboard.pages.iter_mut().flat_map(|page| &mut page.widgets);
    let widget = widgets.find(|widget| widget.title == title).expect(title);
    let Content::Chart(chart) = &mut widget.content else { panic!("{title} is a text") };
    let text = &mut chart.queries[0].text;
    assert!(text.contains(from), "{from} is not in {text}");
    *text = text.replace(from, to);
}

type Plant = (&'static str, &'static str, fn(&mut Dashboard), &'static str);

/// Code, widget, what is done, and words of the diagnosis.
const PLANTS: &[Plant] = &[
    (
        "condition-never-holds",
        "Health score",
        |d| edit(d, "Health score", "QUEUE_CLUSTER", "QUEUE_CLUSTERS"),
        "no row fulfils entityType = 'MESSAGE_QUEUE_CLUSTERS': entityType is 'MESSAGE_QUEUE_",
    ),
    (
        "condition-never-holds",
        "Health score",
        |d| edit(d, "Health score", " SINCE", " AND cluster.health.score > 100 SINCE"),
        "no row fulfils cluster.health.score > 100: cluster.health.score is ",
    ),
    (
        "condition-never-holds",
        "CPU",
        |d| edit(d, "CPU", " FACET", " AND brokerId = 1 FACET"),
        "no row fulfils brokerId = 1: brokerId is '1', '2'",
    ),
    (
        "conditions-exclude-each-other",
        "CPU",
        |d| edit(d, "CPU", " FACET", " AND clusterName = 'payments' AND brokerId = '3' FACET"),
        "no row fulfils brokerId = '3' with those before",
    ),
    (
        "attribute-absent",
        "Time to catch up",
        |d| edit(d, "Time to catch up", "lag.timeToCatchUp", "lag.nowhere"),
        "consumerGroup.lag.nowhere.seconds is never present",
    ),
    (
        "attribute-absent",
        "CPU",
        |d| edit(d, "CPU", "FACET displayName", "FACET vhost"),
        "vhost is never present",
    ),
    (
        "no-events",
        "Health score",
        |d| edit(d, "Health score", "FROM MessageQueue", "FROM MessageQueueSample"),
        "no event of type MessageQueueSample",
    ),
    (
        "outside-window",
        "Health score",
        |d| edit(d, "Health score", "SINCE 30 minutes ago", "SINCE 3 days ago UNTIL 2 days ago"),
        "there are events, but none in the window",
    ),
    (
        "no-case-holds",
        "Replication",
        |d| {
            edit(d, "Replication", ">= 0", ">= 999");
            edit(d, "Replication", "> 0", "> 999");
        },
        "no row falls into a case",
    ),
    (
        "series-identical",
        "Errors and availability",
        |d| {
            edit(
                d,
                "Errors and availability",
                "average(cluster.error.rate)",
                "average(cluster.availability.percentage * 1)",
            );
        },
        "have the same values everywhere",
    ),
    (
        "query-fails",
        "Health score",
        |d| edit(d, "Health score", "average(", "nonsense("),
        "nonsense",
    ),
    (
        "variable-empty",
        "cluster",
        |d| {
            if let VariableKind::Nrql(query) = &mut d.variables[0].kind {
                query.text = query.text.replace("clusterName", "vhost");
            }
        },
        "it offers no value",
    ),
];

#[test]
fn whatever_shows_nothing_is_explained() {
    let sound = template("standard").expect("there").build(&Parameters::default());
    let sound = sound.expect("built");
    assert_eq!(tried(&sound).faults, [], "nothing is wrong with what is not touched");
    for (code, widget, plant, words) in PLANTS {
        let mut dashboard = sound.clone();
        plant(&mut dashboard);
        let trial = tried(&dashboard);
        let fault = trial.faults.iter().find(|fault| fault.widget == *widget);
        let fault = fault.unwrap_or_else(|| panic!("{code} is not found: {:?}", trial.faults));
        let told = fault.cause.to_string();
        assert_eq!(fault.cause.code(), *code, "{widget}: {told}");
        assert!(told.contains(words), "{words} is not in {told}");
    }
}

#[test]
fn a_preview_draws_every_widget_and_loads_nothing() {
    let origin =
        Origin { template: "of <mine>", caption: "a <caption>", span: "a while", awaits: None };
    let mut drawn = 0;
    for template in templates().iter().filter(|template| template.awaits.is_none()) {
        let name = template.name;
        let dashboard = template.build(&Parameters::default()).expect(name);
        let draw = || html(&dashboard, &origin, &|text| filled().nrql(text));
        let page = draw();
        assert_eq!(page, draw(), "byte for byte");
        let widgets: usize = dashboard.pages.iter().map(|page| page.widgets.len()).sum();
        drawn += page.matches("<div class=\"widget ").count();
        assert_eq!(page.matches("<div class=\"widget ").count(), widgets);
        assert!(page.contains("of &lt;mine&gt;") && page.contains("a &lt;caption&gt;"), "{name}");
        let undrawn = ["class=\"none", "class=\"fails", "NaN", "<script", "style=\""];
        for part in undrawn.iter().chain(&["http://", "https://", "src="]) {
            assert!(!page.contains(part), "{name}: {part}");
        }
        for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"{link}\"")), "{name}: #{link}");
        }
    }
    assert!(drawn > 200, "only {drawn} widgets");
}

#[test]
fn a_preview_says_why_a_widget_waits() {
    let template = template("queue-overview").expect("there");
    let awaits = template.awaits.expect("waits").sentence();
    let dashboard = template.build(&Parameters::default()).expect("built");
    let draw = |awaits| {
        let origin = Origin { awaits, ..Origin::default() };
        html(&dashboard, &origin, &|text| filled().nrql(text))
    };
    assert!(draw(Some(&awaits)).contains("Waits: no data until a queue source runs"));
    assert!(draw(None).contains("<p class=\"none\">No data</p>"));
}
