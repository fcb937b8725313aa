//! A dashboard as one HTML page, drawn from answers: what it will look like, offline.
//!
//! Invariants: a pure function of dashboard and answers; the page loads nothing and runs nothing;
//! whatever stands in names and data is escaped.
//!
//! Not modelled: New Relic's own fonts, tool-tips and zoom; heat maps are drawn as tables.

mod chart;
mod data;
mod number;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::model::{Chart, Content, Dashboard, Visualization, Widget};
use super::trial::{Answers, chosen};
use crate::domain::words::escape;
use crate::nrql::QueryResult;
use crate::nrql::template::fill;

const STYLE: &str = include_str!("style.css");

/// The page; `caption` says where the answers come from.
pub fn html(dashboard: &Dashboard, caption: &str, answers: &Answers<'_>) -> String {
    let values = chosen(dashboard, answers);
    let ask = |text: &str| answers(&fill(text, &values));
    // The page's policy refuses inline styles: each place on the grid is a rule of its own.
    let (mut style, mut body) = (STYLE.to_owned(), String::new());
    for (page_number, page) in dashboard.pages.iter().enumerate() {
        let _ = write!(body, "<h2>{}</h2>\n<div class=\"grid\">\n", escape(&page.name));
        for (number, widget) in page.widgets.iter().enumerate() {
            let id = format!("w{page_number}-{number}");
            if let Some(at) = widget.layout {
                let _ = writeln!(
                    style,
                    "#{id} {{ grid-column: {}/span {}; grid-row: {}/span {}; }}",
                    at.column, at.width, at.row, at.height
                );
            }
            body.push_str(&self::widget(widget, &id, &ask));
        }
        body.push_str("</div>\n");
    }
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'",
        STANDARD.encode(Sha256::digest(style.as_bytes()))
    );
    let name = escape(&dashboard.name);
    let description = escape(dashboard.description.as_deref().unwrap_or_default());
    let caption = escape(caption);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<title>{name}</title>\n\
         <style>{style}</style>\n</head>\n<body>\n<h1>{name}</h1>\n<p>{description} \
         {caption}</p>\n{body}</body>\n</html>\n"
    )
}

fn widget(widget: &Widget, id: &str, answers: &Answers<'_>) -> String {
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
        match answers(&query.text) {
            Ok(result) => results.push(result),
            Err(error) => {
                let _ = write!(failed, "<p class=\"fails\">{}</p>", escape(&error.to_string()));
            }
        }
    }
    let body = if failed.is_empty() { drawn(widget, chart, &results) } else { failed };
    let title = escape(&widget.title);
    format!("<div class=\"widget\" id=\"{id}\"><h3>{title}</h3>{body}</div>\n")
}

fn drawn(widget: &Widget, chart: &Chart, results: &[QueryResult]) -> String {
    let (width, height) = widget.layout.map_or((6, 3), |at| (at.width, at.height));
    let size = chart::Size {
        width: f64::from(width) * 104.0 - 26.0,
        height: f64::from(height) * 80.0 - if height > 2 { 84.0 } else { 60.0 },
    };
    let table = || chart::table(results);
    let drawn = match &widget.visualization {
        Visualization::Billboard => chart::billboard(chart, results),
        Visualization::Line => chart::over_time(chart, results, size, chart::Stack::No),
        Visualization::Area => chart::over_time(chart, results, size, chart::Stack::Area),
        Visualization::StackedBar => chart::over_time(chart, results, size, chart::Stack::Bars),
        Visualization::Bar => chart::bars(chart, results, size),
        Visualization::Pie => chart::pie(chart, results, size),
        Visualization::Histogram => chart::histogram(results, size),
        _ => table(),
    };
    drawn.unwrap_or_else(|| "<p class=\"none\">No data</p>".to_owned())
}
