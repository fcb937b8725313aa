//! Thresholds: whether they can be met, and whether somebody draws them.

use super::queries::labelled_metrics;
use super::{Report, Spot, each_widget};
use crate::dashboards::draft::low_is_bad;
use crate::dashboards::model::{
    Band, Chart, Dashboard, Level, Severity, Thresholds, Visualization, Widget,
};
use crate::domain::metric::MetricId;
use crate::nrql::parse;

pub(super) fn check(dashboard: &Dashboard, report: &mut Report) {
    each_widget(dashboard, &mut |widget, spot| {
        if let Some(chart) = widget.chart() {
            let spot = spot.below("rawConfiguration/thresholds");
            self::widget(widget, chart, &spot, report);
        }
    });
}

fn widget(widget: &Widget, chart: &Chart, spot: &Spot, report: &mut Report) {
    let metrics: Vec<(String, MetricId)> = chart
        .queries
        .iter()
        .filter_map(|query| parse(&query.text).ok())
        .flat_map(|statement| labelled_metrics(&statement))
        .collect();
    let first = metrics.first().map(|(_, metric)| *metric);
    let takes = match (&chart.thresholds, &widget.visualization) {
        (Thresholds::None, _) => return,
        (Thresholds::Levels(levels), Visualization::Billboard) => {
            self::levels(levels, first, spot, report);
            true
        }
        (Thresholds::Bands(bands), kind) if kind.is_over_time() => {
            bands.iter().for_each(|band| self::band(band, first, spot, report));
            true
        }
        (Thresholds::Columns(columns), Visualization::Table) => {
            for (column, band) in columns {
                self::column(chart, column, spot, report);
                let metric = metrics.iter().find(|(label, _)| label == column);
                self::band(band, metric.map(|(_, metric)| *metric), spot, report);
            }
            true
        }
        // What other visualizations make of them is theirs.
        (_, Visualization::Other(_)) => true,
        _ => false,
    };
    if !takes {
        let message = format!("{} draws no thresholds of this form", widget.visualization.id());
        let help = "remove them, or use a billboard, a line or a table with its own form";
        report.error("thresholds-ignored", spot, message, help);
    }
}

fn levels(levels: &[Level], metric: Option<MetricId>, spot: &Spot, report: &mut Report) {
    let of = |severity| {
        let mut found = levels.iter().filter(move |level| level.severity == severity);
        (found.next(), found.next())
    };
    for severity in [Severity::Warning, Severity::Critical] {
        if let (Some(_), Some(second)) = of(severity) {
            let message = format!("{} is there twice, also at {}", severity.upper(), second.value);
            report.error("duplicate-threshold", spot, message, "remove one");
        }
    }
    for level in levels {
        range(level.value, metric, spot, report);
    }
    let (Some(warning), Some(critical)) = (of(Severity::Warning).0, of(Severity::Critical).0)
    else {
        return;
    };
    let (warning, critical) = (warning.value, critical.value);
    let wrong = match metric {
        Some(metric) if low_is_bad(metric) => warning <= critical,
        Some(_) => warning >= critical,
        None => warning == critical,
    };
    if wrong {
        let what = metric.map_or("the value", |metric| metric.name());
        let worse = if metric.is_some_and(low_is_bad) { "low" } else { "high" };
        let message = format!(
            "{worse} values of {what} are bad: warning {warning} and critical {critical} are the \
             wrong way round"
        );
        report.error("threshold-order", spot, message, "exchange them");
    }
}

fn band(band: &Band, metric: Option<MetricId>, spot: &Spot, report: &mut Report) {
    for value in [band.from, band.to].into_iter().flatten() {
        range(value, metric, spot, report);
    }
    match (band.from, band.to) {
        (None, None) => {
            let message = format!("a {} band without an end", band.severity.lower());
            report.error("threshold-empty", spot, message, "write from, to, or both");
        }
        (Some(from), Some(to)) if from >= to => {
            let message = format!("nothing is from {from} to {to}");
            report.error("threshold-order", spot, message, "exchange from and to");
        }
        _ => {}
    }
}

fn range(value: f64, metric: Option<MetricId>, spot: &Spot, report: &mut Report) {
    let Some(metric) = metric else { return };
    let range = metric.def().range;
    if !range.contains(value) {
        let bounds = if range.max > 1e18 {
            format!("at least {}", range.min)
        } else {
            format!("{} to {}", range.min, range.max)
        };
        let message = format!("{value} is never reached: {} is {bounds}", metric.name());
        report.error("threshold-range", spot, message, "write a value that occurs");
    }
}

fn column(chart: &Chart, column: &str, spot: &Spot, report: &mut Report) {
    let mut known = Vec::new();
    for statement in chart.queries.iter().filter_map(|query| parse(&query.text).ok()) {
        let crate::nrql::ast::Statement::Select(outer) = statement else { continue };
        known.extend(outer.select.iter().map(|item| match &item.alias {
            Some(alias) => alias.text.clone(),
            None => item.expr.to_string(),
        }));
    }
    if !known.is_empty() && !known.iter().any(|label| label == column) {
        let message = format!("the table has no column “{column}”");
        let help = format!("name one of {}", known.join(", "));
        report.error("threshold-column", spot, message, &help);
    }
}
