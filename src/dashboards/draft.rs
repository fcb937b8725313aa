//! Dashboards before they have places: pages of sections of drafts.
//!
//! Invariants:
//! - Every chart takes its axis, its unit and its thresholds from the metrics that it asks for.
//! - Thresholds lie within the range of their metric, and the worse one lies on the worse side.

use super::layout::{self, Footprint, Grid, Mode, Placed};
use super::model::{
    Account, Band, Chart, Content, Dashboard, DisplayUnit, Layout, Level, Link, Page, Permissions,
    Query, Replacement, Severity, Thresholds, Variable, VariableKind, Visualization, Widget, YAxis,
};
use super::query::{Ask, AskError, ENTITY_EVENT, Scope};
use crate::domain::metric::{MetricId, Unit};

/// Why a draft is no dashboard.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DraftError {
    /// A query that makes no sense.
    #[error("{title}: {source}")]
    Ask {
        /// The widget.
        title: String,
        /// Why.
        source: AskError,
    },
    /// Thresholds that can never be met, or in the wrong order.
    #[error("{title}: thresholds {warning} and {critical} do not fit {metric}")]
    Thresholds {
        /// The widget.
        title: String,
        /// What it measures.
        metric: MetricId,
        /// Warning from here on.
        warning: f64,
        /// Critical from here on.
        critical: f64,
    },
}

/// Warning and critical values of a billboard or a line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Alarm {
    warning: f64,
    critical: f64,
    /// What the values are of; `None` for counts of entities.
    metric: Option<MetricId>,
}

/// A widget without a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    title: String,
    visualization: Visualization,
    asks: Vec<Ask>,
    text: Option<String>,
    alarm: Option<Alarm>,
    size: Option<(u32, u32)>,
    link: Option<Link>,
    is_key: bool,
}

impl Draft {
    /// A chart of one query.
    pub fn chart(title: &str, visualization: Visualization, ask: Ask) -> Self {
        Self {
            title: title.to_owned(),
            visualization,
            asks: vec![ask],
            text: None,
            alarm: None,
            size: None,
            link: None,
            is_key: false,
        }
    }

    /// A text.
    pub fn markdown(text: &str) -> Self {
        Self {
            title: String::new(),
            visualization: Visualization::Markdown,
            asks: Vec::new(),
            text: Some(text.to_owned()),
            alarm: None,
            size: None,
            link: None,
            is_key: false,
        }
    }

    /// Tells values as bad from these on.
    #[must_use]
    pub fn alarm(mut self, warning: f64, critical: f64) -> Self {
        let metric = self.asks.first().and_then(|ask| ask.metrics().first().copied());
        self.alarm = Some(Alarm { warning, critical, metric });
        self
    }

    /// Prefers another size: columns of twelve, and rows.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width, height));
        self
    }

    /// Leads to another page of the dashboard.
    #[must_use]
    pub fn to_page(mut self, name: &str) -> Self {
        self.link = Some(Link::Page(name.to_owned()));
        self
    }

    /// Goes first among equals.
    #[must_use]
    pub fn key(mut self) -> Self {
        self.is_key = true;
        self
    }

    fn footprint(&self) -> Footprint {
        Footprint {
            visualization: self.visualization.clone(),
            is_key: self.is_key,
            size: self.size,
        }
    }

    fn widget(&self, at: Layout, settings: &Settings) -> Result<Widget, DraftError> {
        let content = match &self.text {
            Some(text) => Content::Markdown(text.clone()),
            None => Content::Chart(self.content(settings)?),
        };
        Ok(Widget {
            id: None,
            title: self.title.clone(),
            layout: Some(at),
            visualization: self.visualization.clone(),
            content,
            link: self.link.clone(),
        })
    }

    fn content(&self, settings: &Settings) -> Result<Chart, DraftError> {
        let query = |ask: &Ask| {
            let text = ask.text(&settings.scope);
            let text =
                text.map_err(|source| DraftError::Ask { title: self.title.clone(), source })?;
            Ok(Query { accounts: vec![settings.account], text })
        };
        let unit = self.asks.first().and_then(Ask::unit);
        let over_time = self.visualization.is_over_time();
        let y_axis = unit.filter(|_| over_time).map(|unit| match unit {
            Unit::Percent | Unit::Score => YAxis { min: Some(0.0), max: Some(100.0), zero: None },
            _ => YAxis { min: None, max: None, zero: Some(true) },
        });
        Ok(Chart {
            queries: self.asks.iter().map(query).collect::<Result<_, _>>()?,
            thresholds: self.thresholds()?,
            y_axis,
            unit: unit
                .filter(|_| self.visualization != Visualization::Histogram)
                .and_then(DisplayUnit::of),
            legend: over_time.then_some(true),
            other_series: None,
            ignores_time_range: false,
            rest: serde_json::Map::new(),
        })
    }

    fn thresholds(&self) -> Result<Thresholds, DraftError> {
        let Some(Alarm { warning, critical, metric }) = self.alarm else {
            return Ok(Thresholds::None);
        };
        // Without a metric the order of the two says which side is bad.
        let low = metric.map_or(critical < warning, low_is_bad);
        if let Some(metric) = metric {
            let range = metric.def().range;
            let ordered = if low { critical < warning } else { warning < critical };
            if !ordered || !range.contains(warning) || !range.contains(critical) {
                let title = self.title.clone();
                return Err(DraftError::Thresholds { title, metric, warning, critical });
            }
        }
        if self.visualization.is_over_time() {
            let band = |severity, from, to| Band { severity, from, to };
            return Ok(Thresholds::Bands(if low {
                vec![
                    band(Severity::Warning, Some(critical), Some(warning)),
                    band(Severity::Critical, None, Some(critical)),
                ]
            } else {
                vec![
                    band(Severity::Warning, Some(warning), Some(critical)),
                    band(Severity::Critical, Some(critical), None),
                ]
            }));
        }
        Ok(Thresholds::Levels(vec![
            Level { severity: Severity::Warning, value: warning },
            Level { severity: Severity::Critical, value: critical },
        ]))
    }
}

/// Whether low values of `metric` are the bad ones.
pub fn low_is_bad(metric: MetricId) -> bool {
    let name = metric.name();
    ["health.score", "health.confidence", "availability.percentage", "handlerIdle.percent"]
        .iter()
        .any(|end| name.ends_with(end))
        || [
            "efficiencyScore",
            "cluster.brokers.online",
            "cluster.controllers.active",
            "topic.respondsToMetadata",
            "memory.free.bytes",
            "disk.free.bytes",
            "consumerGroup.members.active",
        ]
        .contains(&name)
}

/// Widgets that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What stands above them; empty for nothing.
    pub header: String,
    /// The widgets.
    pub drafts: Vec<Draft>,
}

/// A page before its widgets have places.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftPage {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// In order.
    pub sections: Vec<Section>,
}

impl DraftPage {
    /// A page of one section without a header.
    pub fn new(name: &str, description: &str, drafts: Vec<Draft>) -> Self {
        let sections = vec![Section { header: String::new(), drafts }];
        Self { name: name.to_owned(), description: description.to_owned(), sections }
    }

    /// The page with one more section.
    #[must_use]
    pub fn section(mut self, header: &str, drafts: Vec<Draft>) -> Self {
        self.sections.push(Section { header: header.to_owned(), drafts });
        self
    }
}

/// What users decide about any dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whose data it shows.
    pub account: Account,
    /// What narrows its queries.
    pub scope: Scope,
    /// How much room widgets get.
    pub mode: Mode,
    /// The screen.
    pub grid: Grid,
}

/// Gives every draft its place.
///
/// # Errors
/// [`DraftError`]: a template that makes no sense with these settings.
pub fn assemble(
    name: &str,
    description: &str,
    pages: &[DraftPage],
    settings: &Settings,
) -> Result<Dashboard, DraftError> {
    let mut assembled = Vec::new();
    for page in pages {
        assembled.extend(assemble_page(page, settings)?);
    }
    Ok(Dashboard {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        permissions: Permissions::default(),
        pages: assembled,
        variables: variables(&settings.scope, settings.account),
    })
}

fn assemble_page(page: &DraftPage, settings: &Settings) -> Result<Vec<Page>, DraftError> {
    let sections: Vec<layout::Section> = page
        .sections
        .iter()
        .map(|section| layout::Section {
            has_header: !section.header.is_empty(),
            widgets: section.drafts.iter().map(Draft::footprint).collect(),
        })
        .collect();
    let mut pages: Vec<Page> = Vec::new();
    for Placed { section, index, page: number, at } in
        layout::arrange(&sections, settings.mode, settings.grid)
    {
        if pages.len() <= number {
            let name = match number {
                0 => page.name.clone(),
                _ => format!("{} ({})", page.name, number + 1),
            };
            let description = Some(page.description.clone());
            pages.push(Page { guid: None, name, description, widgets: Vec::new() });
        }
        let at = settings.grid.on_new_relic(at);
        let from = &page.sections[section];
        let widget = match index {
            Some(index) => from.drafts[index].widget(at, settings)?,
            None => Draft::markdown(&format!("## {}", from.header)).widget(at, settings)?,
        };
        pages[number].widgets.push(widget);
    }
    Ok(pages)
}

/// A variable for each attribute that the scope narrows: everything at first.
fn variables(scope: &Scope, account: Account) -> Vec<Variable> {
    let variable = |(attribute, name): &(&'static str, &'static str)| Variable {
        name: (*name).to_owned(),
        title: Some(title(name)),
        kind: VariableKind::Nrql(Query {
            accounts: vec![account],
            text: format!("SELECT uniques({attribute}, 500) FROM {ENTITY_EVENT} SINCE 1 day ago"),
        }),
        multiple: true,
        replacement: Replacement::Text,
        defaults: vec!["*".to_owned()],
        ignores_time_range: true,
    };
    scope.variables.iter().map(variable).collect()
}

fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
