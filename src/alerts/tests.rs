use std::collections::BTreeSet;

use hcl::{Body, Expression};

use super::*;
use crate::domain::account::AccountId;

fn account() -> AccountId {
    AccountId::try_from(1).expect("an account")
}

fn file() -> AlertsFile {
    let text = "[policy]\nname = \"Queues \\\"${x}\\\" %{y} 100%\"\nrunbook_url = 'https://r'\n\
                [capacity]\ncluster_bytes_per_second = 1e9\nbroker_bytes_per_second = 1e8";
    toml::from_str(text).expect("a file")
}

fn everything() -> Plan {
    plan(&file()).expect("a plan")
}

fn indicators() -> Vec<Indicator> {
    let clusters = ["orders".to_owned(), "9 lives".to_owned()];
    service_levels(&file(), account(), &clusters).expect("service levels")
}

/// The text that an attribute of `body` holds, its escapes resolved.
fn text(body: &Body, name: &str) -> Option<String> {
    let attribute = body.attributes().find(|attribute| attribute.key() == name)?;
    match attribute.expr() {
        Expression::String(text) => Some(text.clone()),
        Expression::TemplateExpr(template) => {
            let template = hcl::Template::from_expr(template).ok()?;
            let literal = |element: &hcl::template::Element| match element {
                hcl::template::Element::Literal(text) => Some(text.clone()),
                _ => None,
            };
            template.elements().iter().map(literal).collect()
        }
        _ => None,
    }
}

fn block<'a>(body: &'a Body, name: &str) -> Option<&'a Body> {
    body.blocks().find(|block| block.identifier() == name).map(hcl::Block::body)
}

fn resources<'a>(body: &'a Body, kind: &str) -> Vec<&'a Body> {
    body.blocks()
        .filter(|block| block.identifier() == "resource")
        .filter(|block| block.labels().first().is_some_and(|label| label.as_str() == kind))
        .map(hcl::Block::body)
        .collect()
}

#[test]
fn terraform_and_nerdgraph_say_the_same() {
    let plan = everything();
    let written = conditions_text(&plan, account());
    let body = hcl::parse(&written).expect("HCL");
    let policies = resources(&body, "newrelic_alert_policy");
    // What looks like a template is only a name.
    assert_eq!(text(policies[0], "name").as_deref(), Some("Queues \"${x}\" %{y} 100%"));
    let blocks = resources(&body, "newrelic_nrql_alert_condition");
    assert_eq!((policies.len(), blocks.len()), (1, RULES.len()));
    let sent = mutations(&plan, account());
    assert_eq!(sent.len(), RULES.len() + 1);
    assert_eq!(sent[0].variables["policy"]["name"], "Queues \"${x}\" %{y} 100%");
    let mut labels = BTreeSet::new();
    for ((block, mutation), condition) in blocks.iter().zip(&sent[1..]).zip(&plan.conditions) {
        let input = &mutation.variables["condition"];
        let nrql = self::block(block, "nrql").expect("a query");
        assert_eq!(text(nrql, "query").as_deref(), input["nrql"]["query"].as_str());
        assert_eq!(text(block, "name").as_deref(), input["name"].as_str());
        let terms = input["terms"].as_array().expect("terms");
        let blocks = ["warning", "critical"].map(|name| self::block(block, name));
        assert_eq!(blocks.iter().flatten().count(), terms.len(), "{}", condition.id);
        assert!(!terms.is_empty(), "New Relic wants a term of {}", condition.id);
        let expires = text(block, "open_violation_on_expiration").is_some()
            || block.attributes().any(|a| a.key() == "open_violation_on_expiration");
        assert_eq!(expires, input.get("expiration").is_some(), "{}", condition.id);
        assert_eq!(expires, condition.basis == Basis::Silence);
        let baseline = text(block, "type").as_deref() == Some("baseline");
        assert_eq!(baseline, input.get("baselineDirection").is_some());
        assert_eq!(baseline, mutation.query.contains("alertsNrqlConditionBaselineCreate("));
        labels.insert(text(block, "name"));
    }
    assert_eq!(labels.len(), RULES.len(), "names are told apart");
}

#[test]
fn service_levels_have_both_forms() {
    let indicators = indicators();
    let body = hcl::parse(&service_levels_text(&indicators)).expect("HCL");
    let blocks = resources(&body, "newrelic_service_level");
    let sent = service_level_mutations(&indicators);
    assert_eq!((blocks.len(), sent.len()), (indicators.len(), indicators.len()));
    for (block, mutation) in blocks.iter().zip(&sent) {
        assert_eq!(text(block, "guid").as_deref(), mutation.variables["entityGuid"].as_str());
        let events = self::block(block, "events").expect("events");
        for (name, field) in [("valid_events", "validEvents"), ("good_events", "goodEvents")] {
            let events = self::block(events, name).expect("events");
            let input = &mutation.variables["indicator"]["events"][field];
            assert_eq!(text(events, "where").as_deref(), input["where"].as_str());
            // Counting is what Terraform's provider does unless it is told.
            let is_sum = input["select"]["function"] == "SUM";
            assert_eq!(self::block(events, "select").is_some(), is_sum);
        }
    }
}

#[test]
fn mutations_are_graphql() {
    let service_levels = service_level_mutations(&indicators());
    let all = mutations(&everything(), account()).into_iter().chain(service_levels);
    let texts: BTreeSet<&str> = all.map(|mutation| mutation.query).collect();
    assert_eq!(texts.len(), 4);
    for text in texts {
        async_graphql::parser::parse_query(text).expect(text);
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/alerts"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn terraform_text() {
    snapshot("conditions.tf", &conditions_text(&everything(), account()));
    snapshot("service_levels.tf", &service_levels_text(&indicators()));
}
