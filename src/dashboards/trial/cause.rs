//! Why a query shows nothing.

use std::fmt;

use super::{Answers, Shown, rows, values};
use crate::dashboards::tree;
use crate::nrql::ast::{
    ArgumentValue, Expr, ExprKind, Facet, FacetBy, From, Operator, Query, Statement,
};
use crate::nrql::{Value, walk};

/// Why a widget does not show what it promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The query fails.
    Error(String),
    /// No event of these types is stored.
    NoEvents(String),
    /// There are events, but none in the query's window.
    OutsideWindow(String),
    /// A condition that no row fulfils, and what rows hold instead.
    Condition {
        /// As written.
        text: String,
        /// What the attribute holds in the rows that the other conditions leave.
        instead: String,
    },
    /// Conditions that rows fulfil one by one and never together.
    Together(String),
    /// An attribute that no row has.
    Absent {
        /// Its name.
        name: String,
        /// The rows that it was looked for in.
        among: String,
    },
    /// No case takes a row.
    NoCase(String),
    /// Rows are there and every value is null.
    Nulls,
    /// Two series have the same values everywhere.
    Identical(String, String),
    /// A variable that offers no value.
    NothingOffered,
}

/// Codes of causes and what they say.
pub const CAUSES: &[(&str, &str)] = &[
    ("query-fails", "New Relic refuses the query"),
    ("no-events", "no event of the type is stored"),
    ("outside-window", "there are events, but none in the window"),
    ("condition-never-holds", "a condition removes all rows; what they hold instead is told"),
    ("conditions-exclude-each-other", "conditions that rows fulfil one by one, never together"),
    ("attribute-absent", "an attribute that no row has"),
    ("no-case-holds", "no row falls into a case of FACET CASES"),
    ("only-nulls", "rows are there and every value is null"),
    ("series-identical", "two series have the same values everywhere"),
    ("variable-empty", "a variable offers no value"),
];

impl Cause {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Error(_) => "query-fails",
            Self::NoEvents(_) => "no-events",
            Self::OutsideWindow(_) => "outside-window",
            Self::Condition { .. } => "condition-never-holds",
            Self::Together(_) => "conditions-exclude-each-other",
            Self::Absent { .. } => "attribute-absent",
            Self::NoCase(_) => "no-case-holds",
            Self::Nulls => "only-nulls",
            Self::Identical(..) => "series-identical",
            Self::NothingOffered => "variable-empty",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        let text = match self {
            Self::Error(_) => "mend the query",
            Self::NoEvents(_) => "name an event type that is sent, or send it",
            Self::OutsideWindow(_) => "widen SINCE",
            Self::Condition { .. } => {
                "compare with values that occur; a widget for faults needs a scenario with them"
            }
            Self::Together(_) => "remove one of them",
            Self::Absent { .. } => "read an attribute of docs/METRICS.md that the source fills",
            Self::NoCase(_) => "add a case, or OR 'Other'",
            Self::Nulls => "select values that the rows have",
            Self::Identical(..) => "let each series ask for something of its own",
            Self::NothingOffered => "ask for an attribute that events have",
        };
        text.to_owned()
    }

    /// Whether it is that nothing has `word` in it: the attribute, or the condition on it.
    pub fn is_about(&self, word: &str) -> bool {
        match self {
            Self::Absent { name, .. } => name == word,
            Self::Condition { text, .. } | Self::Together(text) => text.contains(word),
            _ => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(message) => f.write_str(message),
            Self::NoEvents(types) => write!(f, "no event of type {types} is stored"),
            Self::OutsideWindow(window) => {
                write!(f, "there are events, but none in the window ({window})")
            }
            Self::Condition { text, instead } => {
                write!(f, "no row fulfils {text}")?;
                if instead.is_empty() { Ok(()) } else { write!(f, ": {instead}") }
            }
            Self::Together(text) => {
                write!(f, "rows fulfil each condition, but no row fulfils {text} with those before")
            }
            Self::Absent { name, among } => write!(f, "{name} is never present{among}"),
            Self::NoCase(facet) => write!(f, "no row falls into a case of {facet}"),
            Self::Nulls => f.write_str("every value is null"),
            Self::Identical(one, other) => {
                write!(f, "{one} and {other} have the same values everywhere")
            }
            Self::NothingOffered => f.write_str("it offers no value"),
        }
    }
}

/// Event types whose absence is good news: New Relic writes them about what it refused.
const GOOD_WHEN_ABSENT: [&str; 1] = ["NrIntegrationError"];
/// Longer than anything is kept.
const EVER: &str = "SINCE 30 days ago";
/// Values told of a text attribute.
const VALUES_TOLD: usize = 5;

/// Why `statement` shows nothing, or zeros where the data may not be zero; `None` for zeros that
/// the data are.
pub(super) fn find(statement: &Statement, shown: Shown, answers: &Answers<'_>) -> Option<Cause> {
    let Statement::Select(outer) = statement else { return None };
    let window = window(outer);
    for query in tree::readers(statement) {
        let look = Look { query, window: &window, answers };
        if let Some(cause) = look.cause() {
            return match cause {
                Cause::NoEvents(types) if GOOD_WHEN_ABSENT.contains(&types.as_str()) => None,
                other => Some(other),
            };
        }
    }
    (shown == Shown::Nothing).then_some(Cause::Nulls)
}

/// The window of the whole query, as text.
fn window(outer: &Query) -> String {
    let mut text = match &outer.since {
        Some(since) => format!("SINCE {since}"),
        None => "SINCE 1 hour ago".to_owned(),
    };
    if let Some(until) = &outer.until {
        text.push_str(&format!(" UNTIL {until}"));
    }
    text
}

/// One query that reads events, looked into.
struct Look<'a> {
    query: &'a Query,
    window: &'a str,
    answers: &'a Answers<'a>,
}

impl Look<'_> {
    fn cause(&self) -> Option<Cause> {
        self.events()
            .or_else(|| self.conditions())
            .or_else(|| self.absent())
            .or_else(|| self.cases())
    }

    fn types(&self) -> String {
        let From::EventTypes(names) = &self.query.from else { return String::new() };
        let names: Vec<String> = names.iter().map(|name| name.text.clone()).collect();
        names.join(", ")
    }

    /// The single number of `SELECT what FROM types WHERE condition window`.
    fn number(&self, what: &str, condition: &str, window: &str) -> Option<f64> {
        self.value(what, condition, window)?.as_f64()
    }

    fn value(&self, what: &str, condition: &str, window: &str) -> Option<Value> {
        let types = self.types();
        let filter =
            if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let result =
            (self.answers)(&format!("SELECT {what} AS 'x' FROM {types}{filter} {window}")).ok()?;
        let row = rows(&result).first()?;
        values(&result, row).next().map(|(_, value)| value.clone())
    }

    fn count(&self, condition: &str) -> f64 {
        self.number("count(*)", condition, self.window).unwrap_or_default()
    }

    fn events(&self) -> Option<Cause> {
        if self.types().is_empty() || self.count("") > 0.0 {
            return None;
        }
        let ever = self.number("count(*)", "", EVER).unwrap_or_default();
        Some(if ever > 0.0 {
            Cause::OutsideWindow(self.window.to_owned())
        } else {
            Cause::NoEvents(self.types())
        })
    }

    /// The first of the conditions with which no row is left.
    fn conditions(&self) -> Option<Cause> {
        let mut before = String::new();
        let filter = self.query.filter.iter();
        for part in filter.flat_map(tree::conjuncts).map(operand) {
            let with = joined(&before, &part.text);
            if self.count(&with) == 0.0 {
                return Some(self.removes(&part, &before));
            }
            before = with;
        }
        // Conditions of filter() and the like remove rows for one value alone.
        let selected = self.query.select.iter().map(|item| &item.expr);
        let mut inner = Vec::new();
        selected.for_each(|expr| filters(expr, &mut inner));
        let all_removed = |part: &&Part<'_>| self.count(&joined(&before, &part.text)) == 0.0;
        let never: Vec<&Part<'_>> = inner.iter().filter(all_removed).collect();
        match never.first() {
            Some(first) if never.len() == inner.len() => Some(self.removes(first, &before)),
            _ => None,
        }
    }

    fn removes(&self, part: &Part<'_>, before: &str) -> Cause {
        let names = tree::attribute_names(part.expr);
        for name in &names {
            let quoted = quoted_name(name);
            if self.number(&format!("count({quoted})"), before, self.window) == Some(0.0)
                && names.len() == 1
            {
                return Cause::Absent { name: (*name).to_owned(), among: among(before) };
            }
        }
        if self.count(&part.text) > 0.0 {
            return Cause::Together(part.text.clone());
        }
        let instead: Vec<String> =
            names.iter().filter_map(|name| self.instead(name, before)).collect();
        Cause::Condition { text: part.text.clone(), instead: instead.join("; ") }
    }

    /// What an attribute holds in the rows that `condition` leaves.
    fn instead(&self, name: &str, condition: &str) -> Option<String> {
        let quoted = quoted_name(name);
        let bound = |f: &str| self.number(&format!("{f}({quoted})"), condition, self.window);
        if let (Some(least), Some(greatest)) = (bound("min"), bound("max")) {
            return Some(format!("{name} is {} to {}", short(least), short(greatest)));
        }
        let list = self.value(&format!("uniques({quoted})"), condition, self.window)?;
        let Value::List(members) = list else { return None };
        if members.is_empty() {
            return Some(format!("{name} is never present"));
        }
        let told = members.iter().filter_map(Value::as_str).take(VALUES_TOLD);
        let told: Vec<String> = told.map(|text| format!("'{text}'")).collect();
        let more = if members.len() > VALUES_TOLD { ", …" } else { "" };
        Some(format!("{name} is {}{more}", told.join(", ")))
    }

    /// An attribute that is selected, or divided by, and in no row.
    fn absent(&self) -> Option<Cause> {
        let condition = self.query.filter.as_ref().map(|filter| operand(filter).text);
        let condition = condition.unwrap_or_default();
        let mut present = false;
        let mut missing = None;
        let items = self.query.select.len();
        for (number, expr) in tree::shown(self.query).into_iter().enumerate() {
            let names = tree::attribute_names(expr);
            let absent = names.iter().find(|name| {
                let what = format!("count({})", quoted_name(name));
                **name != "timestamp" && self.number(&what, &condition, self.window) == Some(0.0)
            });
            match absent {
                // No facet without its attribute; of several values one is enough.
                Some(name) if number >= items => missing = Some((*name).to_owned()),
                Some(name) => missing = missing.or_else(|| Some((*name).to_owned())),
                None if number < items => present = true,
                None => {}
            }
            if number >= items && absent.is_some() {
                present = false;
                break;
            }
        }
        let name = missing.filter(|_| !present)?;
        Some(Cause::Absent { name, among: among(&condition) })
    }

    fn cases(&self) -> Option<Cause> {
        let Some(Facet { by: FacetBy::Cases(cases), .. }) = &self.query.facet else { return None };
        if cases.other.is_some() {
            return None;
        }
        let condition = self.query.filter.as_ref().map(|filter| operand(filter).text);
        let condition = condition.unwrap_or_default();
        let parts: Vec<Part<'_>> = cases.branches.iter().map(|c| operand(&c.condition)).collect();
        let taken = parts.iter().any(|part| self.count(&joined(&condition, &part.text)) > 0.0);
        let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
        (!taken).then(|| Cause::NoCase(texts.join(", ")))
    }
}

/// A condition and its text between ANDs.
struct Part<'a> {
    expr: &'a Expr,
    text: String,
}

fn operand(expr: &Expr) -> Part<'_> {
    let alone = matches!(&expr.kind, ExprKind::Binary { operator: Operator::Or, .. });
    let text = if alone { format!("({expr})") } else { expr.to_string() };
    Part { expr, text }
}

fn joined(before: &str, part: &str) -> String {
    if before.is_empty() { part.to_owned() } else { format!("{before} AND {part}") }
}

fn among(condition: &str) -> String {
    if condition.is_empty() { String::new() } else { format!(" where {condition}") }
}

fn quoted_name(name: &str) -> String {
    format!("`{name}`")
}

fn short(number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    format!("{rounded}")
}

/// Conditions of `filter(…, WHERE c)` and the like below `expr`.
fn filters<'a>(expr: &'a Expr, found: &mut Vec<Part<'a>>) {
    walk::each(expr, &mut |inner| {
        let ExprKind::Call { arguments, .. } = &inner.kind else { return };
        for argument in arguments {
            if let ArgumentValue::Where(case) = &argument.value {
                found.push(operand(&case.condition));
            }
        }
    });
}
