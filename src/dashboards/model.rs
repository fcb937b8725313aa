//! What a dashboard is.
//!
//! Invariant: the model holds what New Relic's JSON can say, right or wrong, so that the checks can
//! name everything that is wrong at once; what is impossible to say has no place in it.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::domain::account::AccountId;
use crate::domain::metric::Unit;

/// A dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who may see and change it.
    pub permissions: Permissions,
    /// Its pages, in order.
    pub pages: Vec<Page>,
    /// What users filter by.
    pub variables: Vec<Variable>,
}

/// Who may see and change a dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Permissions {
    /// Its owner alone.
    Private,
    /// Everybody sees it, its owner changes it.
    PublicReadOnly,
    /// Everybody.
    #[default]
    PublicReadWrite,
}

impl Permissions {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Private, Self::PublicReadOnly, Self::PublicReadWrite];

    /// NerdGraph's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE",
            Self::PublicReadOnly => "PUBLIC_READ_ONLY",
            Self::PublicReadWrite => "PUBLIC_READ_WRITE",
        }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// GUID in New Relic, of a page that is there already.
    pub guid: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its widgets, in order.
    pub widgets: Vec<Widget>,
}

/// A widget.
#[derive(Debug, Clone, PartialEq)]
pub struct Widget {
    /// Id in New Relic, of a widget that is there already.
    pub id: Option<String>,
    /// What stands above it.
    pub title: String,
    /// Where it stands; `None` leaves that to New Relic.
    pub layout: Option<Layout>,
    /// How it is drawn.
    pub visualization: Visualization,
    /// What it shows.
    pub content: Content,
    /// Where a click on one of its facets leads.
    pub link: Option<Link>,
}

impl Widget {
    /// Its chart, unless it is a text.
    pub fn chart(&self) -> Option<&Chart> {
        match &self.content {
            Content::Chart(chart) => Some(chart),
            Content::Markdown(_) => None,
        }
    }
}

/// A rectangle of a page's grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layout {
    /// First column, from 1.
    pub column: u32,
    /// First row, from 1.
    pub row: u32,
    /// In columns.
    pub width: u32,
    /// In rows.
    pub height: u32,
}

impl Layout {
    /// Whether it shares a cell with `other`.
    pub fn overlaps(self, other: Self) -> bool {
        let meet = |from: u32, size: u32, other: u32, other_size: u32| {
            from < other.saturating_add(other_size) && other < from.saturating_add(size)
        };
        meet(self.column, self.width, other.column, other.width)
            && meet(self.row, self.height, other.row, other.height)
    }

    /// The first row below it.
    pub fn bottom(self) -> u32 {
        self.row.saturating_add(self.height)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, row, width, height } = self;
        write!(f, "column {column}, row {row}, {width}×{height}")
    }
}

/// How a widget is drawn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visualization {
    /// One number, or a few.
    Billboard,
    /// Values over time.
    Line,
    /// Values over time, one upon the other.
    Area,
    /// Values by facet.
    Bar,
    /// Values over time as bars, one upon the other.
    StackedBar,
    /// Rows and columns.
    Table,
    /// Shares of a whole by facet.
    Pie,
    /// How often values occur.
    Histogram,
    /// How often values occur, by facet.
    Heatmap,
    /// A text.
    Markdown,
    /// Another one: its id.
    Other(String),
}

impl Visualization {
    /// Those that this room knows.
    pub const KNOWN: [Self; 10] = [
        Self::Billboard,
        Self::Line,
        Self::Area,
        Self::Bar,
        Self::StackedBar,
        Self::Table,
        Self::Pie,
        Self::Histogram,
        Self::Heatmap,
        Self::Markdown,
    ];

    /// New Relic's id: `viz.line`.
    pub fn id(&self) -> &str {
        match self {
            Self::Billboard => "viz.billboard",
            Self::Line => "viz.line",
            Self::Area => "viz.area",
            Self::Bar => "viz.bar",
            Self::StackedBar => "viz.stacked-bar",
            Self::Table => "viz.table",
            Self::Pie => "viz.pie",
            Self::Histogram => "viz.histogram",
            Self::Heatmap => "viz.heatmap",
            Self::Markdown => "viz.markdown",
            Self::Other(id) => id,
        }
    }

    /// The visualization with this id.
    pub fn from_id(id: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.id() == id);
        known.unwrap_or_else(|| Self::Other(id.to_owned()))
    }

    /// Whether it draws values over time.
    pub const fn is_over_time(&self) -> bool {
        matches!(self, Self::Line | Self::Area | Self::StackedBar)
    }
}

/// What a widget shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A text.
    Markdown(String),
    /// Answers to queries.
    Chart(Chart),
}

/// Answers to queries, and how they are drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// What is asked, in order.
    pub queries: Vec<Query>,
    /// When values are told to be bad.
    pub thresholds: Thresholds,
    /// The left axis.
    pub y_axis: Option<YAxis>,
    /// What the values are.
    pub unit: Option<DisplayUnit>,
    /// Whether there is a legend; `None` leaves that to New Relic.
    pub legend: Option<bool>,
    /// Whether what is beyond the facets' limit is shown as one; `None` leaves that to New Relic.
    pub other_series: Option<bool>,
    /// Whether the query's own window wins over the page's time picker.
    pub ignores_time_range: bool,
    /// Whatever else its configuration holds, as it is.
    pub rest: Map<String, Json>,
}

/// One query of a widget or of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose data it reads; one at least in a dashboard that works.
    pub accounts: Vec<Account>,
    /// NRQL, perhaps with `{{variables}}`.
    pub text: String,
}

/// Whose data a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// `0`: whoever sends the dashboard fills in an account.
    Placeholder,
    /// This one.
    Id(AccountId),
}

impl Account {
    /// The number in JSON.
    pub fn number(self) -> u64 {
        match self {
            Self::Placeholder => 0,
            Self::Id(id) => id.get(),
        }
    }
}

/// The left axis of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct YAxis {
    /// Its lower end; `None` follows the data.
    pub min: Option<f64>,
    /// Its upper end; `None` follows the data.
    pub max: Option<f64>,
    /// Whether it begins at zero.
    pub zero: Option<bool>,
}

/// How bad a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Look at it.
    Warning,
    /// Do something now.
    Critical,
}

impl Severity {
    /// As billboards have it.
    pub const fn upper(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }

    /// As bands have it.
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// When values are told to be bad; each visualization has its own form.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Thresholds {
    /// Never.
    #[default]
    None,
    /// Billboards: from a value on, upwards or downwards as the levels' order says.
    Levels(Vec<Level>),
    /// Lines and areas: between two values.
    Bands(Vec<Band>),
    /// Tables: between two values, by column.
    Columns(Vec<(String, Band)>),
}

/// A threshold of a billboard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// How bad it is.
    pub severity: Severity,
    /// From where on.
    pub value: f64,
}

/// A range of bad values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// How bad they are.
    pub severity: Severity,
    /// Lower end; `None`: from the least on.
    pub from: Option<f64>,
    /// Upper end; `None`: to the greatest.
    pub to: Option<f64>,
}

/// Where a click on a facet leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// A page of the same dashboard, filtered by the facet; its name.
    Page(String),
    /// An entity of New Relic; its GUID.
    Entity(String),
    /// An address.
    Url(String),
}

/// What New Relic writes behind values, and how it scales them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DisplayUnit {
    /// `%`.
    Percentage,
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Messages per second.
    MessagesPerSecond,
    /// Occurrences per second.
    OperationsPerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Another one: its id.
    Other(String),
}

impl DisplayUnit {
    const KNOWN: [Self; 8] = [
        Self::Percentage,
        Self::Count,
        Self::Bytes,
        Self::BytesPerSecond,
        Self::MessagesPerSecond,
        Self::OperationsPerSecond,
        Self::Milliseconds,
        Self::Seconds,
    ];

    /// New Relic's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Percentage => "PERCENTAGE",
            Self::Count => "COUNT",
            Self::Bytes => "BYTES",
            Self::BytesPerSecond => "BYTES_PER_SECOND",
            Self::MessagesPerSecond => "MESSAGES_PER_SECOND",
            Self::OperationsPerSecond => "OPERATIONS_PER_SECOND",
            Self::Milliseconds => "MS",
            Self::Seconds => "SECONDS",
            Self::Other(id) => id,
        }
    }

    /// The unit with this id.
    pub fn from_id(id: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.id() == id);
        known.unwrap_or_else(|| Self::Other(id.to_owned()))
    }

    /// The unit in which values of a metric's unit are shown; `None` where New Relic has none.
    pub const fn of(unit: Unit) -> Option<Self> {
        match unit {
            Unit::Percent => Some(Self::Percentage),
            Unit::Count | Unit::Messages => Some(Self::Count),
            Unit::Bytes => Some(Self::Bytes),
            Unit::BytesPerSecond => Some(Self::BytesPerSecond),
            Unit::MessagesPerSecond => Some(Self::MessagesPerSecond),
            Unit::PerSecond => Some(Self::OperationsPerSecond),
            Unit::Milliseconds => Some(Self::Milliseconds),
            Unit::Seconds => Some(Self::Seconds),
            Unit::Share | Unit::Mebibytes | Unit::PerHour | Unit::Score | Unit::Flag => None,
        }
    }
}

/// What users filter a dashboard by: `{{name}}` in its queries.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name in queries.
    pub name: String,
    /// What users see.
    pub title: Option<String>,
    /// Where its values come from.
    pub kind: VariableKind,
    /// Whether several values can be chosen.
    pub multiple: bool,
    /// How values are put into queries.
    pub replacement: Replacement,
    /// What is chosen at first; `*` is everything.
    pub defaults: Vec<String>,
    /// Whether the page's time picker does not narrow its values.
    pub ignores_time_range: bool,
}

/// Where the values of a variable come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableKind {
    /// A query's answer.
    Nrql(Query),
    /// A list.
    Enum(Vec<VariableItem>),
    /// What users type.
    Text,
}

/// One value of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableItem {
    /// What users see; without it the value.
    pub title: Option<String>,
    /// What is put into queries.
    pub value: String,
}

/// How values of a variable are put into queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Replacement {
    /// As New Relic thinks best: texts in quotes.
    #[default]
    Default,
    /// As the name of an attribute.
    Identifier,
    /// As a number.
    Number,
    /// As a text in quotes.
    Text,
}

impl Replacement {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Default, Self::Identifier, Self::Number, Self::Text];

    /// NerdGraph's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::Identifier => "IDENTIFIER",
            Self::Number => "NUMBER",
            Self::Text => "STRING",
        }
    }
}
