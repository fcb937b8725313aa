//! Variables that queries use, and links between pages.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Report, Spot, each_widget};
use crate::dashboards::model::{Content, Dashboard, Link, Variable, VariableKind};
use crate::nrql::template;

pub(super) fn check(dashboard: &Dashboard, report: &mut Report) {
    variables(dashboard, report);
    used(dashboard, report);
    links(dashboard, report);
}

fn spot_of(number: usize, variable: &Variable) -> Spot {
    Spot {
        page: None,
        widget: Some(format!("variable {}", variable.name)),
        pointer: format!("/variables/{number}"),
    }
}

fn variables(dashboard: &Dashboard, report: &mut Report) {
    let mut names = BTreeMap::new();
    for (number, variable) in dashboard.variables.iter().enumerate() {
        let spot = spot_of(number, variable);
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.name.is_empty() || !variable.name.chars().all(letters) {
            let message = format!("“{}” is no name of a variable", variable.name);
            report.error("variable-name", &spot.below("name"), message, "use letters and digits");
        }
        if names.insert(variable.name.as_str(), number).is_some() {
            let message = format!("there are two variables {}", variable.name);
            report.error("duplicate-variable", &spot.below("name"), message, "rename one");
        }
        if let VariableKind::Enum(items) = &variable.kind {
            if items.is_empty() {
                let spot = spot.below("items");
                report.error("variable-empty", &spot, "it offers no value", "add items");
            }
            let known = |value: &&String| {
                value.as_str() == "*" || items.iter().any(|item| item.value == **value)
            };
            if let Some(value) = variable.defaults.iter().find(|value| !known(value)) {
                let spot = spot.below("defaultValues");
                let message = format!("“{value}” is chosen at first and not among its items");
                report.error("variable-default", &spot, message, "choose one of the items");
            }
        }
    }
}

fn used(dashboard: &Dashboard, report: &mut Report) {
    let mut used = vec![false; dashboard.variables.len()];
    let mut see = |text: &str, spot: &Spot, report: &mut Report| {
        for name in template::names(text) {
            match dashboard.variables.iter().position(|variable| variable.name == name) {
                Some(number) => used[number] = true,
                None => {
                    let message = format!("there is no variable {name}");
                    let known: Vec<&str> =
                        dashboard.variables.iter().map(|known| known.name.as_str()).collect();
                    let help = match known.as_slice() {
                        [] => "add it to variables".to_owned(),
                        known => format!("add it to variables, or use {}", known.join(", ")),
                    };
                    report.error("undefined-variable", spot, message, &help);
                }
            }
        }
    };
    each_widget(dashboard, &mut |widget, spot| match &widget.content {
        Content::Markdown(text) => see(text, &spot.below("rawConfiguration/text"), report),
        Content::Chart(chart) => {
            for (number, query) in chart.queries.iter().enumerate() {
                let path = format!("rawConfiguration/nrqlQueries/{number}/query");
                see(&query.text, &spot.below(&path), report);
            }
        }
    });
    for (number, variable) in dashboard.variables.iter().enumerate() {
        if let VariableKind::Nrql(query) = &variable.kind {
            see(&query.text, &spot_of(number, variable).below("nrqlQuery/query"), report);
        }
    }
    for ((number, variable), used) in dashboard.variables.iter().enumerate().zip(used) {
        if !used {
            let message = format!("no query uses {}: choosing it changes nothing", variable.name);
            let help = format!("filter by IN ({{{{{}}}}}), or remove it", variable.name);
            report.error("unused-variable", &spot_of(number, variable), message, &help);
        }
    }
}

fn links(dashboard: &Dashboard, report: &mut Report) {
    each_widget(dashboard, &mut |widget, spot| {
        let Some(link) = &widget.link else { return };
        let place = spot.below("linkedEntityGuids");
        match link {
            Link::Page(name) if dashboard.pages.iter().all(|page| page.name != *name) => {
                let pages: Vec<&str> =
                    dashboard.pages.iter().map(|page| page.name.as_str()).collect();
                let message = format!("it leads to a page “{name}” that is not there");
                report.error("dead-link", &place, message, &format!("pages: {}", pages.join(", ")));
            }
            Link::Entity(guid) if !is_guid(guid) => {
                let message = format!("“{guid}” is no GUID of an entity");
                report.error("dead-link", &place, message, "copy the GUID from New Relic");
            }
            Link::Url(url) if !(url.starts_with("https://") || url.starts_with("http://")) => {
                let message = format!("“{url}” is no address");
                report.error("dead-link", &spot.below("link/url"), message, "write https://…");
            }
            _ => {}
        }
    });
}

/// Base64url of `account|DOMAIN|TYPE|id`.
fn is_guid(text: &str) -> bool {
    let decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    let plain = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let parts: Vec<&str> = plain.split('|').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 4 && digits(parts[0])
}
