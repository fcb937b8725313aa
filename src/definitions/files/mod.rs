//! The files of one type's folder, each read by its schema.
//!
//! Source: validator/schemas of newrelic/entity-definitions (entity-schema-v1, golden-metrics,
//! summary-metrics, dashboard).

mod dashboard;
mod metrics;
mod rules;
mod test_data;

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::dashboard::{Dashboard, DashboardTemplate};
use super::error::DefinitionError;
use super::model::{EntityDefinition, Expiration};
use super::source::{Folder, Source, View};
use super::tree::{At, Fields, Walk, parse, place};
use rules::Synthesis;

/// Reads the type in the folder at `path`, whose definition is `source`.
pub(super) fn definition(
    path: &str,
    source: Source<'_>,
    folder: &Folder<'_>,
    view: View,
    problems: &mut Vec<DefinitionError>,
) -> Option<EntityDefinition> {
    let tree = parse(source, problems)?;
    let mut walk = Walk { source, problems };
    let fields = walk.fields(
        &tree,
        "the definition",
        &[
            "domain",
            "type",
            "goldenTags",
            "configuration",
            "ownership",
            "synthesis",
            "dashboardTemplates",
        ],
    )?;
    let (domain, entity_type) = names(&mut walk, path, fields)?;
    let owner = owner(&mut walk, fields).unwrap_or_default();
    let (expiration, alertable) = configuration(&mut walk, fields);
    let golden_tags = golden_tags(&mut walk, fields);
    let synthesis = rules::synthesis(&mut walk, fields, path);
    if let Some(Synthesis { rules, .. }) = &synthesis
        && domain == "UNINSTRUMENTED"
        && !rules.is_empty()
    {
        let at = fields.get("synthesis").map_or(fields.at, |node| node.at);
        let problem = "UNINSTRUMENTED types are never synthesized";
        walk.error(at, "uninstrumented", problem, "remove `synthesis`");
    }
    let mut dashboards = templates(&mut walk, fields, folder, view);
    let synthesis = synthesis.unwrap_or_default();
    // Several providers may share a file; what is wrong with it is said once.
    let mut known: BTreeMap<String, Option<Dashboard>> = BTreeMap::new();
    for template in dashboards.values_mut() {
        let read = || {
            let source = folder.dashboard(&template.file, view);
            source.and_then(|source| dashboard::read(source, problems))
        };
        template.dashboard = known.entry(template.file.clone()).or_insert_with(read).clone();
    }
    unused(folder, view, &dashboards, problems);
    let golden_metrics = metrics::golden(folder.yaml("golden_metrics", view), problems);
    let summary = folder.yaml("summary_metrics", view);
    let summary_metrics = metrics::summary(summary, &golden_metrics, problems);
    let tests = folder.tests(view);
    let tests =
        tests.filter_map(|(kind, source)| test_data::read(kind, source, problems)).collect();
    Some(EntityDefinition {
        place: place(source, fields.get("type").map_or(At::default(), |node| node.at)),
        domain,
        entity_type,
        golden_tags,
        expiration,
        alertable,
        owner,
        synthesis_disabled: synthesis.disabled,
        rules: synthesis.rules,
        dashboards,
        golden_metrics,
        summary_metrics,
        tests,
    })
}

/// Domain and type, checked against each other and the folder's name.
fn names(walk: &mut Walk<'_, '_>, path: &str, fields: Fields<'_>) -> Option<(String, String)> {
    let named = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '_'))
    };
    let domain = walk.required_text(fields, "domain");
    let kind = walk.required_text(fields, "type");
    let (domain, kind) = (domain?, kind?);
    let at = |key: &str| fields.get(key).map_or(fields.at, |node| node.at);
    if !named(domain, 3..=15) {
        let fix = "use 3 to 15 of A-Z, 0-9 and _, beginning with a letter";
        walk.error(at("domain"), "domain-name", format!("domain `{domain}`"), fix);
    }
    if !named(kind, 3..=50) && kind != "NA" {
        let fix = "use 3 to 50 of A-Z, 0-9 and _, beginning with a letter, or NA";
        walk.error(at("type"), "type-name", format!("type `{kind}`"), fix);
    }
    let folder = path.rsplit('/').next().unwrap_or(path);
    let expected = format!("{domain}-{kind}").to_lowercase();
    if folder != expected {
        let problem = format!("folder `{folder}` does not belong to {domain}-{kind}");
        walk.error(at("type"), "folder-name", problem, format!("name the folder `{expected}`"));
    }
    Some((domain.to_owned(), kind.to_owned()))
}

fn owner(walk: &mut Walk<'_, '_>, fields: Fields<'_>) -> Option<String> {
    let node = walk.required(fields, "ownership")?;
    let fields = walk.fields(node, "`ownership`", &["primaryOwner"])?;
    let node = walk.required(fields, "primaryOwner")?;
    let fields = walk.fields(node, "`primaryOwner`", &["teamName"])?;
    let name = walk.required_text(fields, "teamName")?;
    if name.trim().is_empty() {
        let at = fields.get("teamName").map_or(fields.at, |node| node.at);
        walk.error(at, "owner", "the owner has no name", "name the team");
    }
    Some(name.to_owned())
}

fn configuration(walk: &mut Walk<'_, '_>, fields: Fields<'_>) -> (Expiration, bool) {
    let known = ["entityExpirationTime", "alertable"];
    let fields =
        fields.get("configuration").and_then(|node| walk.fields(node, "`configuration`", &known));
    let Some(fields) = fields else { return (Expiration::default(), true) };
    let alertable = walk.optional_bool(fields, "alertable").unwrap_or(true);
    let Some(text) = walk.optional_text(fields, "entityExpirationTime") else {
        return (Expiration::default(), alertable);
    };
    let found = Expiration::NAMES.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let known = Expiration::NAMES.map(|(name, _)| name).join(", ");
        let at = fields.get("entityExpirationTime").map_or(fields.at, |node| node.at);
        let problem = format!("unknown expiration time `{text}`");
        walk.error(at, "expiration", problem, format!("use one of {known}"));
    }
    (found.map(|(_, expiration)| *expiration).unwrap_or_default(), alertable)
}

fn golden_tags(walk: &mut Walk<'_, '_>, fields: Fields<'_>) -> Vec<String> {
    let Some(node) = fields.get("goldenTags") else { return Vec::new() };
    let tags = walk.texts(node, "`goldenTags`");
    for (at, tag) in tags.iter().enumerate() {
        if tags[..at].contains(tag) {
            let problem = format!("golden tag `{tag}` is listed twice");
            walk.warning(node.at, "golden-tag-twice", problem, "list it once");
        }
    }
    tags
}

/// The dashboards that the definition names; their files come later.
fn templates(
    walk: &mut Walk<'_, '_>,
    fields: Fields<'_>,
    folder: &Folder<'_>,
    view: View,
) -> IndexMap<String, DashboardTemplate> {
    let mut templates = IndexMap::new();
    let entries = fields
        .get("dashboardTemplates")
        .and_then(|node| walk.entries(node, "`dashboardTemplates`"));
    for entry in entries.iter().flat_map(Fields::entries) {
        let known = ["template", "filterNRQLByEntityID"];
        let what = format!("the template of `{}`", entry.key);
        let Some(fields) = walk.fields(&entry.value, &what, &known) else { continue };
        let filter_by_entity = walk.optional_bool(fields, "filterNRQLByEntityID").unwrap_or(false);
        let Some(file) = walk.required_text(fields, "template") else { continue };
        let at = fields.get("template").map_or(entry.at, |node| node.at);
        let stem = file.strip_suffix(".json").map(|stem| stem.strip_suffix(".stg").unwrap_or(stem));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !stem.is_some_and(|stem| stem.ends_with("dashboard") && stem.chars().all(named)) {
            let problem = format!("dashboard template `{file}`");
            let fix = "name it `…dashboard.json` of letters, digits, - and _, without a folder";
            walk.error(at, "template-name", problem, fix);
        } else if folder.dashboard(file, view).is_none() {
            let problem = format!("dashboard template `{file}` is not in the folder");
            walk.error(at, "template-missing", problem, "add the file, or correct its name");
        }
        let template =
            DashboardTemplate { file: file.to_owned(), filter_by_entity, dashboard: None };
        templates.insert(entry.key.clone(), template);
    }
    templates
}

/// Warns of files that nothing reads.
fn unused(
    folder: &Folder<'_>,
    view: View,
    templates: &IndexMap<String, DashboardTemplate>,
    problems: &mut Vec<DefinitionError>,
) {
    for (name, source) in folder.dashboards(view) {
        let named = |template: &DashboardTemplate| {
            let stem = template.file.strip_suffix(".json").unwrap_or(&template.file);
            stem.strip_suffix(".stg").unwrap_or(stem) == name
        };
        if !templates.values().any(named) {
            let problem = "no dashboardTemplates entry names this file";
            let place = place(source, At::default());
            let fix = "name it in definition.yml, or remove it";
            problems.push(DefinitionError::warning(place, "file-unused", problem, fix));
        }
    }
    for (source, near) in folder.strange(view) {
        let fix = match near {
            Some(near) => format!("did you mean `{near}.yml`?"),
            None => "remove it".to_owned(),
        };
        let place = place(source, At::default());
        let problem = "New Relic reads no file of this name";
        problems.push(DefinitionError::warning(place, "file-unknown", problem, fix));
    }
}
