//! From JSON to the model.

use serde_json::{Map, Value as Json};

use super::PAGE_LINK;
use crate::dashboards::model::{
    Account, Band, Chart, Content, Dashboard, DisplayUnit, Layout, Level, Link, Page, Permissions,
    Query, Replacement, Severity, Thresholds, Variable, VariableItem, VariableKind, Visualization,
    Widget, YAxis,
};
use crate::domain::account::AccountId;

/// Something that has not the shape of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFault {
    /// Where: a JSON pointer, from the text's beginning.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// What reading gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What could be read; what has another shape is left out of it.
    pub dashboard: Dashboard,
    /// Pointer to the dashboard: not empty where a request or an answer holds it.
    pub root: String,
    /// What has another shape, in the order of the text.
    pub faults: Vec<ReadFault>,
}

/// Where a dashboard may stand in what people save: requests and answers of NerdGraph.
const WRAPPERS: [&str; 5] =
    ["/dashboard", "/variables/dashboard", "/data/actor/entity", "/actor/entity", "/entity"];

/// Reads a dashboard, wherever it stands in a request or an answer.
pub fn read(json: &Json) -> Reading {
    let inside = WRAPPERS.iter().filter(|_| json.get("pages").is_none());
    let mut inside = inside.filter(|at| json.pointer(at).is_some_and(Json::is_object));
    let root = inside.next().copied().unwrap_or_default();
    let mut faults = Faults::default();
    let at = At { json: json.pointer(root).unwrap_or(json), pointer: root.to_owned() };
    let dashboard = dashboard(&at, &mut faults);
    Reading { dashboard, root: root.to_owned(), faults: faults.0 }
}

#[derive(Default)]
struct Faults(Vec<ReadFault>);

/// A value and where it stands.
struct At<'a> {
    json: &'a Json,
    pointer: String,
}

impl Faults {
    fn add(&mut self, at: &At<'_>, message: impl Into<String>, help: impl Into<String>) {
        let pointer = at.pointer.clone();
        self.0.push(ReadFault { pointer, message: message.into(), help: help.into() });
    }
}

impl<'a> At<'a> {
    /// A member; `null` counts as absent, as in GraphQL.
    fn get(&self, key: &str) -> Option<At<'a>> {
        let json = self.json.get(key).filter(|json| !json.is_null())?;
        Some(At { json, pointer: format!("{}/{key}", self.pointer) })
    }

    fn name(&self) -> &str {
        self.pointer.rsplit('/').next().unwrap_or_default()
    }

    fn object(&self, faults: &mut Faults) -> Option<&'a Map<String, Json>> {
        let object = self.json.as_object();
        if object.is_none() {
            let what = if self.pointer.is_empty() { "a dashboard" } else { self.name() };
            faults.add(self, format!("{what} must be an object"), "write { … }");
        }
        object
    }

    fn list(&self, key: &str, faults: &mut Faults) -> Vec<At<'a>> {
        let Some(at) = self.get(key) else { return Vec::new() };
        let Some(list) = at.json.as_array() else {
            faults.add(&at, format!("{key} must be a list"), "write [ … ]");
            return Vec::new();
        };
        let member = |(number, json)| At { json, pointer: format!("{}/{number}", at.pointer) };
        list.iter().enumerate().map(member).collect()
    }

    fn text(&self, key: &str, faults: &mut Faults) -> Option<String> {
        let at = self.get(key)?;
        let text = at.json.as_str();
        if text.is_none() {
            faults.add(&at, format!("{key} must be a text"), "write it in quotes");
        }
        text.map(str::to_owned)
    }

    fn flag(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        let at = self.get(key)?;
        let flag = at.json.as_bool();
        if flag.is_none() {
            faults.add(&at, format!("{key} must be true or false"), "write true or false");
        }
        flag
    }

    fn number(&self, key: &str, faults: &mut Faults) -> Option<f64> {
        let at = self.get(key)?;
        // Some exports have numbers in quotes; New Relic draws no threshold for them.
        let number = at.json.as_f64();
        if number.is_none() {
            let message = format!("{key} must be a number, not {}", at.json);
            faults.add(&at, message, "write digits without quotes");
        }
        number
    }

    fn whole(&self, key: &str, faults: &mut Faults) -> Option<u32> {
        let at = self.get(key)?;
        let whole = at.json.as_u64().and_then(|number| u32::try_from(number).ok());
        if whole.is_none() {
            let message = format!("{key} must be a whole number, not {}", at.json);
            faults.add(&at, message, "write 1 or more, in digits without quotes");
        }
        whole
    }

    /// The word of `all` that a member holds.
    fn word<T: Copy>(&self, key: &str, all: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let at = self.get(key)?;
        let word = at.json.as_str().unwrap_or_default();
        let found = all.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
            let message = format!("{key} cannot be {}", at.json);
            faults.add(&at, message, format!("write one of {}", words.join(", ")));
        }
        found.map(|(_, value)| *value)
    }
}

fn dashboard(at: &At<'_>, faults: &mut Faults) -> Dashboard {
    let permissions = Permissions::ALL.map(|kind| (kind.as_str(), kind));
    at.object(faults);
    Dashboard {
        name: at.text("name", faults).unwrap_or_default(),
        description: at.text("description", faults),
        permissions: at.word("permissions", &permissions, faults).unwrap_or_default(),
        pages: at.list("pages", faults).iter().map(|at| page(at, faults)).collect(),
        variables: at.list("variables", faults).iter().map(|at| variable(at, faults)).collect(),
    }
}

fn page(at: &At<'_>, faults: &mut Faults) -> Page {
    at.object(faults);
    Page {
        guid: at.text("guid", faults),
        name: at.text("name", faults).unwrap_or_default(),
        description: at.text("description", faults),
        widgets: at.list("widgets", faults).iter().map(|at| widget(at, faults)).collect(),
    }
}

fn widget(at: &At<'_>, faults: &mut Faults) -> Widget {
    at.object(faults);
    let id = at.get("visualization").and_then(|at| at.text("id", faults));
    let typed = at.get("configuration").and_then(|at| {
        let (kind, _) = at.object(faults)?.iter().find(|(_, members)| members.is_object())?;
        Some((kind.clone(), at.get(kind)?))
    });
    let raw = at.get("rawConfiguration");
    let visualization = match (&id, &typed) {
        (Some(id), _) => Visualization::from_id(id),
        (None, Some((kind, _))) => Visualization::from_id(&format!("viz.{kind}")),
        (None, None) => Visualization::Other(String::new()),
    };
    let configuration = raw.or(typed.map(|(_, at)| at));
    let is_markdown = visualization == Visualization::Markdown;
    let content = match configuration {
        Some(at) if is_markdown => Content::Markdown(at.text("text", faults).unwrap_or_default()),
        None if is_markdown => Content::Markdown(String::new()),
        Some(at) => Content::Chart(chart(&at, &visualization, faults)),
        None => Content::Chart(Chart::default()),
    };
    Widget {
        id: at.text("id", faults),
        title: at.text("title", faults).unwrap_or_default(),
        layout: at.get("layout").and_then(|at| layout(&at, faults)),
        visualization,
        content,
        link: link(at, faults),
    }
}

/// A place is one when all of it is said.
fn layout(at: &At<'_>, faults: &mut Faults) -> Option<Layout> {
    at.object(faults)?;
    let [column, row, width, height] =
        ["column", "row", "width", "height"].map(|key| at.whole(key, faults));
    Some(Layout { column: column?, row: row?, width: width?, height: height? })
}

fn link(at: &At<'_>, faults: &mut Faults) -> Option<Link> {
    if let Some(url) = at.get("link").and_then(|at| at.text("url", faults)) {
        return Some(Link::Url(url));
    }
    let linked = at.list("linkedEntityGuids", faults);
    if let Some(second) = linked.get(1) {
        faults.add(second, "a widget links to one entity only", "remove the others");
    }
    let guid = linked.first()?.json.as_str()?;
    Some(match guid.strip_prefix(PAGE_LINK) {
        Some(name) => Link::Page(name.to_owned()),
        None => Link::Entity(guid.to_owned()),
    })
}

/// Members that the model has a place for.
const CHART_KEYS: [&str; 7] =
    ["nrqlQueries", "thresholds", "yAxisLeft", "units", "legend", "facet", "platformOptions"];

fn chart(at: &At<'_>, visualization: &Visualization, faults: &mut Faults) -> Chart {
    let members = at.object(faults);
    let rest = members.into_iter().flatten().filter(|(key, _)| !CHART_KEYS.contains(&key.as_str()));
    Chart {
        queries: at.list("nrqlQueries", faults).iter().map(|at| query(at, faults)).collect(),
        thresholds: thresholds(at, visualization, faults),
        y_axis: at.get("yAxisLeft").map(|at| YAxis {
            min: at.number("min", faults),
            max: at.number("max", faults),
            zero: at.flag("zero", faults),
        }),
        unit: at
            .get("units")
            .and_then(|at| at.text("unit", faults))
            .map(|id| DisplayUnit::from_id(&id)),
        legend: at.get("legend").and_then(|at| at.flag("enabled", faults)),
        other_series: at.get("facet").and_then(|at| at.flag("showOtherSeries", faults)),
        ignores_time_range: at
            .get("platformOptions")
            .and_then(|at| at.flag("ignoreTimeRange", faults))
            .unwrap_or(false),
        rest: rest.map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

fn query(at: &At<'_>, faults: &mut Faults) -> Query {
    at.object(faults);
    let mut accounts: Vec<Account> =
        at.list("accountIds", faults).iter().filter_map(|at| account(at, faults)).collect();
    accounts.extend(at.get("accountId").and_then(|at| account(&at, faults)));
    Query { accounts, text: at.text("query", faults).unwrap_or_default() }
}

fn account(at: &At<'_>, faults: &mut Faults) -> Option<Account> {
    if at.json.as_u64() == Some(0) {
        return Some(Account::Placeholder);
    }
    let id = at.json.as_u64().and_then(|number| AccountId::try_from(number).ok());
    if id.is_none() {
        let message = format!("an account id is a number (NerdGraph's Int), not {}", at.json);
        faults.add(at, message, "write the digits without quotes, or 0 to fill it in later");
    }
    id.map(Account::Id)
}

const SEVERITIES: [(&str, Option<Severity>); 5] = [
    ("WARNING", Some(Severity::Warning)),
    ("CRITICAL", Some(Severity::Critical)),
    // Told by New Relic's editor; colours for values that are not bad.
    ("NOT_ALERTING", None),
    ("success", None),
    ("unavailable", None),
];

fn thresholds(at: &At<'_>, visualization: &Visualization, faults: &mut Faults) -> Thresholds {
    let Some(given) = at.get("thresholds") else { return Thresholds::None };
    if given.json.is_object() {
        let bands = given.list("thresholds", faults);
        let bands = bands.iter().filter_map(|at| band(at, faults)).collect::<Vec<_>>();
        return if bands.is_empty() { Thresholds::None } else { Thresholds::Bands(bands) };
    }
    let members = at.list("thresholds", faults);
    if members.is_empty() {
        return Thresholds::None;
    }
    if *visualization == Visualization::Table {
        let column = |at: &At<'_>, faults: &mut Faults| {
            let name = at.text("columnName", faults).unwrap_or_default();
            Some((name, band(at, faults)?))
        };
        return Thresholds::Columns(members.iter().filter_map(|at| column(at, faults)).collect());
    }
    Thresholds::Levels(members.iter().filter_map(|at| level(at, faults)).collect())
}

fn level(at: &At<'_>, faults: &mut Faults) -> Option<Level> {
    at.object(faults)?;
    // A level without a value is an empty row of the editor.
    let value = at.number("value", faults);
    let severity = at.word("alertSeverity", &SEVERITIES, faults)??;
    Some(Level { severity, value: value? })
}

fn band(at: &At<'_>, faults: &mut Faults) -> Option<Band> {
    at.object(faults)?;
    let (from, to) = (at.number("from", faults), at.number("to", faults));
    let severity = at.word("severity", &SEVERITIES, faults)??;
    Some(Band { severity, from, to })
}

fn variable(at: &At<'_>, faults: &mut Faults) -> Variable {
    at.object(faults);
    let replacements = Replacement::ALL.map(|kind| (kind.as_str(), kind));
    let kinds = [("NRQL", 0), ("ENUM", 1), ("STRING", 2)];
    let kind = match at.word("type", &kinds, faults) {
        Some(0) => VariableKind::Nrql(match at.get("nrqlQuery") {
            Some(at) => query(&at, faults),
            None => Query { accounts: Vec::new(), text: String::new() },
        }),
        Some(1) => {
            VariableKind::Enum(at.list("items", faults).iter().map(|at| item(at, faults)).collect())
        }
        _ => VariableKind::Text,
    };
    let default = |at: At<'_>, faults: &mut Faults| at.text("string", faults);
    let mut defaults: Vec<String> = at
        .list("defaultValues", faults)
        .iter()
        .filter_map(|at| at.get("value").and_then(|at| default(at, faults)))
        .collect();
    defaults.extend(at.get("defaultValue").and_then(|at| default(at, faults)));
    Variable {
        name: at.text("name", faults).unwrap_or_default(),
        title: at.text("title", faults),
        kind,
        multiple: at.flag("isMultiSelection", faults).unwrap_or(false),
        replacement: at.word("replacementStrategy", &replacements, faults).unwrap_or_default(),
        defaults,
        ignores_time_range: at
            .get("options")
            .and_then(|at| at.flag("ignoreTimeRange", faults))
            .unwrap_or(false),
    }
}

fn item(at: &At<'_>, faults: &mut Faults) -> VariableItem {
    VariableItem {
        title: at.text("title", faults),
        value: at.text("value", faults).unwrap_or_default(),
    }
}
