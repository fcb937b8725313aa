//! A dashboard as one HTML page, drawn from answers: what it will look like, offline.
//!
//! Invariants: a pure function of dashboard and answers; the page loads nothing and runs nothing;
//! whatever stands in names and data is escaped. A widget that waits for a source says so.
//!
//! Not modelled: New Relic's own fonts, tool-tips and zoom; heat maps are drawn as tables.

mod chart;
mod data;
mod legend;
mod number;
mod plot;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::model::{Chart, Content, Dashboard, Link, Page, Visualization, Widget};
use super::trial::{Answers, chosen};
use crate::domain::words::{counted, escape};
use crate::nrql::ast::Statement;
use crate::nrql::template::fill;
use crate::nrql::{QueryResult, parse};

const STYLE: &str = include_str!("style.css");
/// Narrower windows have one column instead of the grid.
const GRID_FROM: &str = "@media (min-width: 46rem), print";

/// Where a dashboard and its data come from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// Its template.
    pub template: &'a str,
    /// Which data it shows: "scenario x, run y".
    pub caption: &'a str,
    /// When the data begin and end.
    pub span: &'a str,
    /// Why widgets may show nothing, if that is no mistake.
    pub awaits: Option<&'a str>,
}

/// The page; `answers` are those to the dashboard's queries.
pub fn html(dashboard: &Dashboard, origin: &Origin<'_>, answers: &Answers<'_>) -> String {
    let values = chosen(dashboard, answers);
    let ask = |text: &str| answers(&fill(text, &values));
    let (mut places, mut body) = (String::new(), String::new());
    let sheet = Sheet { dashboard, origin, answers: &ask };
    for (number, page) in dashboard.pages.iter().enumerate() {
        sheet.page(number, page, &mut places, &mut body);
    }
    // The page's policy refuses inline styles: each place on the grid is a rule of its own.
    let style = format!("{STYLE}{GRID_FROM} {{\n{places}}}\n");
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'",
        STANDARD.encode(Sha256::digest(style.as_bytes()))
    );
    let name = escape(&dashboard.name);
    let head = sheet.head(&values);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<title>{name}</title>\n\
         <style>{style}</style>\n</head>\n<body>\n{head}{body}</body>\n</html>\n"
    )
}

/// The fragment of the page `number`.
fn anchor(number: usize) -> String {
    format!("page-{}", number + 1)
}

/// What all parts of the page read.
struct Sheet<'a> {
    dashboard: &'a Dashboard,
    origin: &'a Origin<'a>,
    answers: &'a Answers<'a>,
}

impl Sheet<'_> {
    /// Name, origin, filters, and the way to each page.
    fn head(&self, values: &BTreeMap<String, String>) -> String {
        let Dashboard { name, description, pages, .. } = self.dashboard;
        let mut text = format!("<header>\n<h1>{}</h1>\n", escape(name));
        if let Some(description) = description {
            let _ = writeln!(text, "<p>{}</p>", escape(description));
        }
        text.push_str("<dl>");
        let filters: Vec<String> = values
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.replace('\'', "")))
            .collect();
        let facts = [
            ("Template", self.origin.template),
            ("Data", self.origin.caption),
            ("Time", self.origin.span),
            ("Filters", &filters.join("; ")),
        ];
        for (term, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
            let _ = write!(text, "<div><dt>{term}</dt><dd>{}</dd></div>", escape(fact));
        }
        text.push_str("</dl>\n");
        if pages.len() > 1 {
            text.push_str("<nav>");
            for (number, page) in pages.iter().enumerate() {
                let (to, name) = (anchor(number), escape(&page.name));
                let _ = write!(text, "<a href=\"#{to}\">{name}</a>");
            }
            text.push_str("</nav>\n");
        }
        text + "</header>\n"
    }

    fn page(&self, number: usize, page: &Page, places: &mut String, body: &mut String) {
        let widgets = page.widgets.iter().filter(|widget| widget.chart().is_some()).count();
        let _ = writeln!(
            body,
            "<section id=\"{}\">\n<h2>{} <small>{}</small></h2>",
            anchor(number),
            escape(&page.name),
            counted(widgets, "widget"),
        );
        if let Some(description) = &page.description {
            let _ = writeln!(body, "<p>{}</p>", escape(description));
        }
        body.push_str("<div class=\"grid\">\n");
        for (place, widget) in page.widgets.iter().enumerate() {
            let id = format!("w{number}-{place}");
            if let Some(at) = widget.layout {
                let _ = writeln!(
                    places,
                    "#{id} {{ grid-column: {}/span {}; grid-row: {}/span {}; }}",
                    at.column, at.width, at.row, at.height
                );
            }
            body.push_str(&self.widget(widget, &id));
        }
        body.push_str("</div>\n</section>\n");
    }

    fn widget(&self, widget: &Widget, id: &str) -> String {
        let kind = widget.visualization.id().trim_start_matches("viz.");
        let kind =
            if Visualization::KNOWN.contains(&widget.visualization) { kind } else { "other" };
        let chart = match &widget.content {
            Content::Markdown(text) => {
                let words = escape(text.trim_start_matches(['#', ' ']));
                return format!("<div class=\"widget text\" id=\"{id}\"><p>{words}</p></div>\n");
            }
            Content::Chart(chart) => chart,
        };
        let mut results = Vec::new();
        let mut failed = String::new();
        for query in &chart.queries {
            match (self.answers)(&query.text) {
                Ok(result) => results.push(result),
                Err(error) => {
                    let _ = write!(failed, "<p class=\"fails\">{}</p>", escape(&error.to_string()));
                }
            }
        }
        let body = if failed.is_empty() { self.drawn(widget, chart, &results) } else { failed };
        let title = escape(&widget.title);
        let since = chart.queries.first().and_then(|query| since(&query.text)).unwrap_or_default();
        let since = escape(&since);
        let link = self.link(widget);
        format!(
            "<div class=\"widget {kind}\" id=\"{id}\"><h3 title=\"{title}\">{title}</h3><p \
             class=\"since\">{since}{link}</p>{body}</div>\n"
        )
    }

    /// The way to the page that a click leads to.
    fn link(&self, widget: &Widget) -> String {
        let Some(Link::Page(name)) = &widget.link else { return String::new() };
        let place = self.dashboard.pages.iter().position(|page| page.name == *name);
        let to = place.map(anchor).unwrap_or_default();
        format!(" <a href=\"#{to}\" title=\"{0}\">→ {0}</a>", escape(name))
    }

    fn drawn(&self, widget: &Widget, chart: &Chart, results: &[QueryResult]) -> String {
        let drawn = match &widget.visualization {
            Visualization::Billboard => chart::billboard(&widget.title, chart, results),
            Visualization::Line => plot::over_time(chart, results, plot::Stack::No),
            Visualization::Area => plot::over_time(chart, results, plot::Stack::Area),
            Visualization::StackedBar => plot::over_time(chart, results, plot::Stack::Bars),
            Visualization::Bar => chart::bars(chart, results),
            Visualization::Pie => chart::pie(chart, results),
            Visualization::Histogram => plot::histogram(results),
            _ => chart::table(results),
        };
        drawn.unwrap_or_else(|| match self.origin.awaits {
            Some(reason) => format!("<p class=\"none waits\">Waits: {}</p>", escape(reason)),
            None => "<p class=\"none\">No data</p>".to_owned(),
        })
    }
}

/// The window of a query, in NRQL's words.
fn since(query: &str) -> Option<String> {
    match parse(query).ok()? {
        Statement::Select(query) => {
            let since = query.since?.to_string();
            Some(match since.strip_suffix(" AGO") {
                Some(span) => format!("since {span} ago"),
                None => format!("since {since}"),
            })
        }
        _ => None,
    }
}
