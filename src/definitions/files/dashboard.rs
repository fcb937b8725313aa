//! A dashboard template.
//!
//! Source: validator/schemas/dashboard-schema-v1.json of newrelic/entity-definitions; the grid of
//! 12 columns and 32 rows a widget is NerdGraph's.

use super::super::dashboard::{Dashboard, Layout, Widget};
use super::super::error::{DefinitionError, Place};
use super::super::source::Source;
use super::super::tree::{Fields, Node, Walk, nearest, parse, place};

const COLUMNS: i64 = 12;
const HEIGHT_MAX: i64 = 32;

/// Visualizations of New Relic's own.
const VISUALIZATIONS: [&str; 20] = [
    "viz.area",
    "viz.bar",
    "viz.billboard",
    "viz.bullet",
    "viz.event-feed",
    "viz.funnel",
    "viz.heatmap",
    "viz.histogram",
    "viz.json",
    "viz.line",
    "viz.markdown",
    "viz.pie",
    "viz.scatter",
    "viz.stacked-bar",
    "viz.table",
    "viz.inventory",
    "infra.inventory",
    "logger.log-table-widget",
    "topology.service-map",
    "viz.dynamic",
];

/// Reads a dashboard; bad widgets are left out.
pub(super) fn read(source: Source<'_>, problems: &mut Vec<DefinitionError>) -> Option<Dashboard> {
    let tree = parse(source, problems)?;
    let mut walk = Walk { source, problems };
    let known = ["name", "description", "permissions", "pages", "variables"];
    let fields = walk.fields(&tree, "the dashboard", &known)?;
    let name = walk.required_text(fields, "name").map(str::to_owned);
    if let Some(node) = fields.get("permissions") {
        let problem = "a template has no permissions of its own";
        walk.warning(node.at, "dashboard-permissions", problem, "remove `permissions`");
    }
    let pages = walk.required(fields, "pages")?;
    let items = walk.list(pages, "`pages`")?;
    let [page] = items else {
        let problem = format!("{} pages", items.len());
        walk.error(pages.at, "dashboard-pages", problem, "a template has exactly one page");
        return None;
    };
    let fields = walk.entries(page, "the page")?;
    let page_name = walk.required_text(fields, "name").map(str::to_owned);
    let widgets = walk.required(fields, "widgets")?;
    let items = walk.list(widgets, "`widgets`")?;
    let widgets: Vec<Widget> = items.iter().filter_map(|item| widget(&mut walk, item)).collect();
    overlaps(&mut walk, items, &widgets);
    Some(Dashboard { name: name?, page: page_name?, widgets })
}

fn widget(walk: &mut Walk<'_, '_>, node: &Node) -> Option<Widget> {
    let fields = walk.entries(node, "a widget")?;
    if let Some(node) = fields.get("linkedEntityGuids") {
        let problem = "the widget links entities of one account";
        walk.error(node.at, "widget-linked", problem, "remove `linkedEntityGuids`");
    }
    let title = walk.required_text(fields, "title");
    let visualization = visualization(walk, fields);
    let layout = walk.required(fields, "layout").and_then(|node| layout(walk, node));
    let raw = walk.required(fields, "rawConfiguration");
    let raw = raw.and_then(|node| walk.entries(node, "`rawConfiguration`"))?;
    if let Some(node) = raw.get("metrics") {
        let problem = "`metrics` is no source of a widget here";
        walk.error(node.at, "widget-source", problem, "write the query below `nrqlQueries`");
    }
    formatters(walk, raw);
    let ((queries, places), text) = match (raw.get("nrqlQueries"), raw.get("text")) {
        (Some(node), None) => (queries(walk, node), None),
        (None, Some(node)) => (Default::default(), walk.text(node, "`text`").map(str::to_owned)),
        _ => {
            let problem = "a widget takes exactly one of nrqlQueries and text";
            walk.error(raw.at, "widget-source", problem, "give one of them");
            (Default::default(), None)
        }
    };
    Some(Widget {
        title: title?.to_owned(),
        visualization: visualization?,
        layout: layout?,
        queries,
        text,
        place: place(walk.source, node.at),
        query_places: places,
    })
}

fn visualization(walk: &mut Walk<'_, '_>, fields: Fields<'_>) -> Option<String> {
    let node = walk.required(fields, "visualization")?;
    let fields = walk.entries(node, "`visualization`")?;
    let id = walk.required_text(fields, "id")?;
    // A Nerdpack's own visualization is `<uuid>.<name>`.
    let own = id.split_once('.').is_some_and(|(pack, _)| pack.len() == 36);
    if !own && !VISUALIZATIONS.contains(&id) {
        let at = fields.get("id").map_or(fields.at, |node| node.at);
        let fix = match nearest(id, VISUALIZATIONS.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "use one of New Relic's own, such as viz.line".to_owned(),
        };
        let problem = format!("unknown visualization `{id}`");
        walk.warning(at, "visualization", problem, fix);
    }
    Some(id.to_owned())
}

fn layout(walk: &mut Walk<'_, '_>, node: &Node) -> Option<Layout> {
    let fields = walk.entries(node, "`layout`")?;
    let mut side = |key: &str| {
        let node = walk.required(fields, key)?;
        walk.integer(node, &format!("`{key}`"))
    };
    let [column, row, width, height] = ["column", "row", "width", "height"].map(&mut side);
    let layout = Layout { column: column?, row: row?, width: width?, height: height? };
    let mut wrong = |problem: String, fix: String| walk.error(node.at, "layout", problem, fix);
    if layout.column < 1 || layout.width < 1 || layout.column + layout.width > COLUMNS + 1 {
        let Layout { column, width, .. } = layout;
        let problem = format!("column {column} and width {width} leave the grid");
        wrong(problem, format!("the page is {COLUMNS} columns wide, from 1"));
    }
    if layout.row < 1 || !(1..=HEIGHT_MAX).contains(&layout.height) {
        let problem = format!("row {} and height {}", layout.row, layout.height);
        wrong(problem, format!("rows begin at 1, a widget is 1 to {HEIGHT_MAX} rows high"));
    }
    Some(layout)
}

fn formatters(walk: &mut Walk<'_, '_>, raw: Fields<'_>) {
    let items = raw.get("dataFormatters").and_then(|node| walk.list(node, "`dataFormatters`"));
    for item in items.unwrap_or_default() {
        if let Some(fields) = walk.entries(item, "a data formatter") {
            walk.required_text(fields, "name");
            walk.required_text(fields, "type");
        }
    }
}

/// The queries, and where each begins.
fn queries(walk: &mut Walk<'_, '_>, node: &Node) -> (Vec<String>, Vec<Place>) {
    let (mut queries, mut places) = (Vec::new(), Vec::new());
    let items = walk.list(node, "`nrqlQueries`").unwrap_or_default();
    if items.is_empty() {
        walk.error(node.at, "widget-query", "the widget has no query", "write one");
    }
    for item in items {
        let Some(fields) = walk.entries(item, "a query") else { continue };
        let account = walk.required(fields, "accountId");
        if let Some(node) = account
            && walk.integer(node, "`accountId`").is_some_and(|account| account != 0)
        {
            let problem = "the query names an account";
            let fix = "write 0, which stands for the account of the entity";
            walk.error(node.at, "widget-account", problem, fix);
        }
        let Some(query) = walk.required_text(fields, "query") else { continue };
        if query.trim().is_empty() {
            walk.error(fields.at, "widget-query", "the query is empty", "write it");
        }
        queries.push(query.to_owned());
        places.push(place(walk.source, fields.get("query").map_or(fields.at, |node| node.at)));
    }
    (queries, places)
}

/// Warns of widgets that cover each other.
fn overlaps(walk: &mut Walk<'_, '_>, items: &[Node], widgets: &[Widget]) {
    // Pairs of a page are few; a page of thousands is not worth the time.
    for (at, widget) in widgets.iter().enumerate().take(200) {
        let covers = |other: &&Widget| {
            let (a, b) = (widget.layout, other.layout);
            a.column < b.column.saturating_add(b.width)
                && b.column < a.column.saturating_add(a.width)
                && a.row < b.row.saturating_add(b.height)
                && b.row < a.row.saturating_add(a.height)
        };
        if let Some(other) = widgets[..at].iter().find(covers) {
            let here = items.iter().find(|item| place(walk.source, item.at) == widget.place);
            let problem = format!("widget `{}` covers `{}`", widget.title, other.title);
            let at = here.map(|node| node.at).unwrap_or_default();
            walk.warning(at, "layout-overlap", problem, "move one of them");
        }
    }
}
