//! Names, numbers, places.

use std::collections::BTreeMap;

use super::{Report, Spot, each_widget};
use crate::dashboards::layout::size_min;
use crate::dashboards::model::{Content, Dashboard, Page, Visualization, Widget};
use crate::dashboards::{
    COLUMNS, DESCRIPTION_CHARS_MAX, HEIGHT_MAX, NAME_CHARS_MAX, PAGES_MAX, QUERIES_MAX,
    WIDGETS_ADVISED_MAX, WIDGETS_MAX,
};

pub(super) fn check(dashboard: &Dashboard, report: &mut Report) {
    let root = Spot::default();
    name("dashboard-name", "the dashboard", &dashboard.name, &root.below("name"), report);
    description(dashboard.description.as_deref(), &root.below("description"), report);
    let pages = root.below("pages");
    match dashboard.pages.len() {
        0 => report.error("no-pages", &pages, "there is no page", "add one page at least"),
        count if count > PAGES_MAX => {
            let message = format!("{count} pages are more than {PAGES_MAX}");
            report.error("too-many-pages", &pages, message, "split the dashboard");
        }
        _ => {}
    }
    let mut names = BTreeMap::new();
    for (number, page) in dashboard.pages.iter().enumerate() {
        let spot = Spot {
            page: Some(page.name.clone()),
            widget: None,
            pointer: format!("/pages/{number}"),
        };
        self::page(page, &spot, report);
        if let Some(first) = names.insert(page.name.as_str(), number) {
            let message = format!("pages {} and {} are both called so", first + 1, number + 1);
            report.error("duplicate-page-name", &spot.below("name"), message, "rename one");
        }
    }
    each_widget(dashboard, &mut |widget, spot| self::widget(widget, spot, report));
}

fn name(code: &'static str, what: &str, name: &str, spot: &Spot, report: &mut Report) {
    if name.trim().is_empty() {
        report.error(code, spot, format!("{what} has no name"), "write one");
    }
    let count = name.chars().count();
    if count > NAME_CHARS_MAX {
        let message = format!("{count} characters are more than {NAME_CHARS_MAX}");
        report.error("name-too-long", spot, message, "shorten it");
    }
}

fn description(text: Option<&str>, spot: &Spot, report: &mut Report) {
    let count = text.unwrap_or_default().chars().count();
    if count > DESCRIPTION_CHARS_MAX {
        let message = format!("{count} characters are more than {DESCRIPTION_CHARS_MAX}");
        report.error("description-too-long", spot, message, "shorten it");
    }
}

fn page(page: &Page, spot: &Spot, report: &mut Report) {
    name("page-name", "the page", &page.name, &spot.below("name"), report);
    description(page.description.as_deref(), &spot.below("description"), report);
    let widgets = spot.below("widgets");
    match page.widgets.len() {
        0 => report.error("no-widgets", &widgets, "the page has no widget", "add one"),
        count if count > WIDGETS_MAX => {
            let message = format!("{count} widgets are more than {WIDGETS_MAX}");
            report.error("too-many-widgets", &widgets, message, "split the page");
        }
        count if count > WIDGETS_ADVISED_MAX => {
            let message = format!("{count} widgets load slowly, and nobody takes them in");
            let help = format!("keep to {WIDGETS_ADVISED_MAX} a page");
            report.warning("crowded-page", &widgets, message, &help);
        }
        _ => {}
    }
    let mut titles = BTreeMap::new();
    for (number, widget) in page.widgets.iter().enumerate() {
        let is_text = widget.visualization == Visualization::Markdown;
        if widget.title.trim().is_empty() || is_text {
            continue;
        }
        let key = (widget.title.as_str(), widget.visualization.clone());
        if titles.insert(key, number).is_some() {
            let mut spot = spot.below(&format!("widgets/{number}/title"));
            spot.widget = Some(widget.title.clone());
            let message = "another widget of this page looks and is called the same";
            report.error("duplicate-widget-title", &spot, message, "rename or remove one");
        }
    }
    overlaps(page, spot, report);
}

fn overlaps(page: &Page, spot: &Spot, report: &mut Report) {
    let placed: Vec<(usize, &Widget, _)> = page
        .widgets
        .iter()
        .enumerate()
        .filter_map(|(number, widget)| Some((number, widget, widget.layout?)))
        .collect();
    for (index, (number, widget, at)) in placed.iter().enumerate() {
        let other = placed[..index].iter().find(|(_, _, before)| before.overlaps(*at));
        if let Some((_, other, before)) = other {
            let mut spot = spot.below(&format!("widgets/{number}/layout"));
            spot.widget = Some(widget.title.clone());
            let message = format!("it stands ({at}) upon “{}” ({before})", other.title);
            let help = format!("move it to row {} or below", before.bottom());
            report.error("overlap", &spot, message, &help);
        }
    }
}

fn widget(widget: &Widget, spot: &Spot, report: &mut Report) {
    let is_text = matches!(widget.content, Content::Markdown(_));
    if !is_text {
        name("widget-title", "the widget", &widget.title, &spot.below("title"), report);
    }
    if widget.visualization.id().trim().is_empty() {
        let spot = spot.below("visualization");
        report.error("no-visualization", &spot, "it has no visualization", "for example viz.line");
    }
    if let Some(chart) = widget.chart() {
        queries(chart, spot, report);
    }
    let Some(at) = widget.layout else { return };
    let spot = spot.below("layout");
    let zero = [at.column, at.row, at.width, at.height].contains(&0);
    if zero || at.column.saturating_add(at.width) > COLUMNS + 1 || at.height > HEIGHT_MAX {
        let message = format!("{at} is not on the grid of {COLUMNS} columns");
        let help = format!("columns and rows count from 1; at most {HEIGHT_MAX} rows high");
        report.error("outside-grid", &spot, message, &help);
        return;
    }
    let (width, height) = size_min(&widget.visualization);
    if !is_text && (at.width < width || at.height < height) {
        let message = format!("at {}×{} it cannot be read", at.width, at.height);
        report.warning("too-small", &spot, message, &format!("give it {width}×{height} or more"));
    }
}

fn queries(chart: &crate::dashboards::model::Chart, spot: &Spot, report: &mut Report) {
    let place = spot.below("rawConfiguration/nrqlQueries");
    match chart.queries.len() {
        0 => report.error("no-query", &place, "it asks nothing", "add a query"),
        count if count > QUERIES_MAX => {
            let message = format!("{count} queries are more than {QUERIES_MAX}");
            report.error("too-many-queries", &place, message, "split the widget");
        }
        _ => {}
    }
    for (number, query) in chart.queries.iter().enumerate() {
        if query.accounts.is_empty() {
            let spot = place.below(&number.to_string());
            let message = "the query has no account";
            report.error("no-account", &spot, message, "add accountId, a number, or 0 to fill in");
        }
    }
}
