//! The query of a condition over one window, and the values that its answer holds.
//!
//! Invariant: a condition without facets has a value only where its filter let an event pass, as
//! New Relic makes no data point of a window without any.

use crate::domain::units::UnixMillis;
use crate::nrql::ast::{
    Argument, ArgumentValue, Expr, ExprKind, FacetBy, From, Limit, Name, Operator, Query,
    SelectItem, Statement, TimeExpr, TimeKind,
};
use crate::nrql::{ErrorKind, NrqlError, QueryResult, Row, Value, parse};

/// Name of the condition's value in an answer.
const VALUE: &str = "value";
/// Name of the number of events behind it.
const EVENTS: &str = "events";

/// One value, or none, of one signal in one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The signal's facets, as texts.
    pub facets: Vec<String>,
    /// Its value.
    pub value: Option<f64>,
}

/// A condition's query.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalQuery {
    text: String,
    query: Box<Query>,
}

impl SignalQuery {
    /// Reads a condition's NRQL.
    ///
    /// # Errors
    /// What does not parse, and whatever is no query.
    pub fn read(text: &str) -> Result<Self, NrqlError> {
        match parse(text)? {
            Statement::Select(query) => Ok(Self { text: text.to_owned(), query }),
            Statement::ShowEventTypes { .. } => Err(NrqlError {
                kind: ErrorKind::Semantic,
                message: "a condition asks with SELECT".to_owned(),
                span: None,
                help: None,
            }),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Types of the events that it reads; none of nested queries and lookups.
    pub fn event_types(&self) -> Vec<&str> {
        match &self.query.from {
            From::EventTypes(names) => names.iter().map(|name| name.text.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// The same for the window from `begin` to `end`.
    pub fn over(&self, begin: UnixMillis, end: UnixMillis) -> Statement {
        let span = self.query.span;
        let at = |time: UnixMillis| Some(TimeExpr { kind: TimeKind::Epoch(time.0), span });
        let name = |text: &str| Some(Name { text: text.to_owned(), span });
        let mut query = self.query.clone();
        query.select.truncate(1);
        for item in &mut query.select {
            item.alias = name(VALUE);
        }
        let star = ArgumentValue::Expr(Expr { kind: ExprKind::Star, span });
        let star = Argument { name: None, value: star };
        let count = ExprKind::Call { name: "count".to_owned(), arguments: vec![star] };
        query.select.push(SelectItem { expr: Expr { kind: count, span }, alias: name(EVENTS) });
        query.since = at(begin);
        query.until = at(end);
        query.limit = query.facet.is_some().then_some(Limit::Max);
        Statement::Select(query)
    }

    /// Which facet is one of the attributes `names`.
    pub fn facet_of(&self, names: &[&str]) -> Option<usize> {
        let FacetBy::Items(items) = &self.query.facet.as_ref()?.by else { return None };
        items.iter().position(|item| attribute(&item.expr).is_some_and(|own| names.contains(&own)))
    }

    /// The text that the filter demands of one of the attributes `names`.
    pub fn pinned(&self, names: &[&str]) -> Option<&str> {
        demanded(self.query.filter.as_ref()?, names)
    }
}

fn attribute(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Attribute { name, .. } => Some(name),
        _ => None,
    }
}

fn demanded<'e>(expr: &'e Expr, names: &[&str]) -> Option<&'e str> {
    match &expr.kind {
        ExprKind::Binary { operator: Operator::And, left, right } => {
            demanded(left, names).or_else(|| demanded(right, names))
        }
        ExprKind::Binary { operator: Operator::Equal, left, right } => {
            let is_named = attribute(left).is_some_and(|own| names.contains(&own));
            match &right.kind {
                ExprKind::Text(text) if is_named => Some(text),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The values of an answer to [`SignalQuery::over`].
pub fn readings(answer: &QueryResult) -> Vec<Reading> {
    answer.results.iter().map(reading).collect()
}

fn reading(row: &Row) -> Reading {
    let facets = match row.get("facet") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(facets)) => facets.iter().map(text).collect(),
        Some(facet) => vec![text(facet)],
    };
    let is_empty = row.get(EVENTS).and_then(number) == Some(0.0);
    let value = row.get(VALUE).filter(|_| !is_empty).and_then(number);
    Reading { facets, value: value.filter(|value| value.is_finite()) }
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A number; of a percentile the one that was asked for.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        // Counts of events are far below what a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "a count of one window")]
        Value::Integer(number) => Some(*number as f64),
        Value::Map(members) => members.values().next().and_then(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_put_around_a_query() {
        let check = |text: &str, expected: &str| {
            let query = SignalQuery::read(text).expect("a query");
            let over = query.over(UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_060_000));
            assert_eq!(over.to_string(), expected);
        };
        check(
            "SELECT max(a) FROM E WHERE b = 1 FACET c",
            "SELECT max(a) AS 'value', count(*) AS 'events' FROM E WHERE b = 1 FACET c LIMIT MAX \
             SINCE 1700000000000 UNTIL 1700000060000",
        );
        check(
            "FROM E SELECT count(*)",
            "SELECT count(*) AS 'value', count(*) AS 'events' FROM E SINCE 1700000000000 UNTIL \
             1700000060000",
        );
        assert!(SignalQuery::read("SHOW EVENT TYPES").is_err());
    }

    #[test]
    fn targets_are_facets_or_pinned_by_the_filter() {
        const NAMES: &[&str] = &["entity.guid", "entityGuid"];
        let check = |text: &str, facet: Option<usize>, pinned: Option<&str>| {
            let query = SignalQuery::read(text).expect("a query");
            assert_eq!((query.facet_of(NAMES), query.pinned(NAMES)), (facet, pinned), "{text}");
        };
        check("SELECT max(a) FROM E FACET b, entityGuid", Some(1), None);
        check("SELECT max(a) FROM E FACET entity.guid", Some(0), None);
        check("SELECT max(a) FROM E WHERE b = 1 AND entity.guid = 'g'", None, Some("g"));
        // An alternative demands nothing.
        check("SELECT max(a) FROM E WHERE b = 1 OR entity.guid = 'g'", None, None);
        check("SELECT max(a) FROM E FACET CASES(WHERE entityGuid = 'g')", None, None);
    }
}
