//! From the items of a query to aggregates that can run.
//!
//! Every aggregate of a query becomes a leaf; what stands around it (arithmetic, `if`, `round`,
//! `rate`, `percentage`) becomes an expression that reads the leaves as attributes of one row.
//!
//! Invariants: equal aggregates are computed once; names of leaves cannot be written in a query.
//!
//! Assumed: a percentage of nothing is null; an attribute beside aggregates is an error unless
//! FACET names it.

use std::sync::Arc;

use super::super::ast::{
    Argument, ArgumentValue, Case, Expr, ExprKind, Facet, FacetBy, Operator, Query,
};
use super::super::error::{NrqlError, Span};
use super::super::value::Value;
use super::aggregate::{self, Call, Kind};
use super::expr::{self, CompiledExpr, Scope};
use super::group::Facets;
use super::limits::semantic;
use super::rewrite;
use super::shape;

/// Begins the names of leaves.
const LEAF: char = '\u{1}';
/// The length of a row's window or bucket in milliseconds.
const DURATION: &str = "\u{1}duration";
/// Source: "FACET".
const FACETS_MAX: usize = 5;

/// One aggregate as it stands in a query.
#[derive(Debug, Clone, PartialEq)]
struct PlainLeaf {
    call: Call,
    condition: Option<Expr>,
}

/// One aggregate, ready to run.
pub(super) struct Leaf {
    /// What it computes.
    pub kind: Kind,
    /// Of what.
    pub arguments: Vec<CompiledExpr>,
    /// Place among [`Plan::conditions`] of the rows that it takes.
    pub condition: Option<usize>,
}

/// How one value of a result comes about.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A leaf as it is.
    Leaf(usize),
    /// Computed of leaves.
    Computed(CompiledExpr),
}

/// One value of each result.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its key.
    pub key: Arc<str>,
    /// Name of the function when nothing else is there, for the old answers and inner queries.
    pub short: Option<Arc<str>>,
    /// How it comes about.
    pub shape: Shape,
}

/// What decides the order of facets.
#[derive(Debug, Clone)]
pub(super) enum FacetOrder {
    /// How often each came.
    Frequency,
    /// A value, greatest first.
    Value(Shape),
}

/// A query's aggregates.
pub(super) struct Plan {
    /// All aggregates, each once.
    pub leaves: Vec<Leaf>,
    /// Conditions of leaves, each once.
    pub conditions: Vec<CompiledExpr>,
    /// After SELECT.
    pub items: Vec<Item>,
    /// Which facets are chosen.
    pub order: FacetOrder,
    /// In which order the chosen ones stand, where it is not that in which they were chosen.
    pub shown: Option<FacetOrder>,
    /// The first function's attribute: facets without it do not show.
    pub first: Option<CompiledExpr>,
    /// Names of facets, one per attribute; empty without FACET.
    pub facet_names: Vec<Arc<str>>,
}

impl Plan {
    /// Values in one line: a histogram has as many as it has buckets.
    pub(super) fn values_per_line(&self) -> usize {
        let width = |item: &Item| match &item.shape {
            Shape::Leaf(leaf) => self.leaves[*leaf].kind.members(),
            Shape::Computed(_) => 1,
        };
        self.items.iter().map(width).sum()
    }

    /// Whether `shape` is a percentile as it is.
    pub(super) fn is_percentile(&self, shape: &Shape) -> bool {
        matches!(shape, Shape::Leaf(leaf)
            if matches!(self.leaves[*leaf].kind, Kind::Percentile { .. }))
    }
}

/// Whether any item of `query` aggregates.
pub(super) fn aggregates(query: &Query) -> bool {
    query.select.iter().any(|item| has_aggregate(&item.expr))
}

/// Whether `expr` holds an aggregate.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    rewrite::any(expr, &|expr| match &expr.kind {
        ExprKind::Call { name, .. } => aggregate::is_aggregate(name),
        _ => false,
    })
}

/// Plans the aggregates of `query`; `metrics` when it reads metric points, whose `count(*)` counts
/// what they stand for.
pub(super) fn plan(
    query: &Query,
    text: &str,
    scope: &Scope,
    metrics: bool,
) -> Result<Plan, NrqlError> {
    let mut planner = Planner { leaves: Vec::new(), metrics };
    let facet_names = facet_names(query.facet.as_ref(), text)?;
    let mut items = Vec::new();
    for item in &query.select {
        let residual = planner.extract(&item.expr, None)?;
        let key = shape::item_key(item, text);
        let short = shape::short_key(item);
        items.push(Item { key, short, shape: planned(&residual, &facet_names, scope)? });
    }
    let first = first_attribute(&planner.leaves, scope)?;
    let chosen = chosen_by(query, &mut planner, &items, &facet_names, scope)?;
    let first_order = first_order(&planner, &items);
    let (order, shown) = match chosen {
        Some(order) => (order, Some(first_order)),
        None => (first_order, None),
    };
    let (leaves, conditions) = compile_leaves(&planner.leaves, scope)?;
    Ok(Plan { leaves, conditions, items, order, shown, first, facet_names })
}

struct Planner {
    leaves: Vec<PlainLeaf>,
    metrics: bool,
}

impl Planner {
    /// `expr` with its aggregates replaced by leaves that take rows where `condition` holds.
    fn extract(&mut self, expr: &Expr, condition: Option<&Expr>) -> Result<Expr, NrqlError> {
        let ExprKind::Call { name, arguments } = &expr.kind else {
            return rewrite::map_children(expr, &mut |child| self.extract(child, condition));
        };
        match name.to_ascii_lowercase().as_str() {
            "filter" => {
                let (inner, case) = inner_and_where(name, arguments)?;
                self.extract(inner, Some(&and(condition, &case.condition)))
            }
            "percentage" => {
                let (inner, case) = inner_and_where(name, arguments)?;
                let part = self.extract(inner, Some(&and(condition, &case.condition)))?;
                let all = self.extract(inner, condition)?;
                Ok(percentage(part, all))
            }
            "rate" => {
                let Some(ArgumentValue::Expr(inner)) =
                    arguments.first().map(|argument| &argument.value)
                else {
                    return Err(semantic("rate() requires an aggregator function"));
                };
                if !has_aggregate(inner) {
                    return Err(semantic("rate() requires an aggregator function"));
                }
                let interval = aggregate::interval_ms(name, arguments.get(1))?;
                let inner = self.extract(inner, condition)?;
                let scale = binary(Operator::Divide, number(interval), attribute(DURATION));
                Ok(binary(Operator::Multiply, inner, scale))
            }
            _ => match aggregate::read(name, arguments)? {
                Some(call) => self.leaf(name, call, condition),
                None => rewrite::map_children(expr, &mut |child| self.extract(child, condition)),
            },
        }
    }

    fn leaf(
        &mut self,
        name: &str,
        mut call: Call,
        condition: Option<&Expr>,
    ) -> Result<Expr, NrqlError> {
        if call.arguments.iter().any(has_aggregate) {
            return Err(semantic(format!(
                "{name}() cannot take another aggregator function: use a nested query"
            )));
        }
        if self.metrics && call.kind == Kind::CountAll {
            call.kind = Kind::CountPoints;
        }
        let leaf = PlainLeaf { call, condition: condition.cloned() };
        let at = self.leaves.iter().position(|known| *known == leaf).unwrap_or_else(|| {
            self.leaves.push(leaf);
            self.leaves.len() - 1
        });
        Ok(attribute(&format!("{LEAF}{at}")))
    }
}

/// The number of the leaf that an attribute stands for.
pub(super) fn leaf_of(name: &str) -> Option<usize> {
    name.strip_prefix(LEAF)?.parse().ok()
}

/// Whether an attribute stands for the length of a row's window.
pub(super) fn is_duration(name: &str) -> bool {
    name == DURATION
}

fn inner_and_where<'a>(
    name: &str,
    arguments: &'a [Argument],
) -> Result<(&'a Expr, &'a Case), NrqlError> {
    let mut values = arguments.iter().map(|argument| &argument.value);
    match (values.next(), values.next()) {
        (Some(ArgumentValue::Expr(inner)), Some(ArgumentValue::Where(case)))
            if has_aggregate(inner) =>
        {
            Ok((inner, case))
        }
        _ => Err(semantic(format!("{name}() requires an aggregator function and a WHERE clause"))),
    }
}

fn at_nowhere(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn attribute(name: &str) -> Expr {
    at_nowhere(ExprKind::Attribute { name: name.to_owned(), quoted: true })
}

fn number(number: f64) -> Expr {
    at_nowhere(ExprKind::Number(number))
}

fn binary(operator: Operator, left: Expr, right: Expr) -> Expr {
    at_nowhere(ExprKind::Binary { operator, left: Box::new(left), right: Box::new(right) })
}

fn and(one: Option<&Expr>, other: &Expr) -> Expr {
    match one {
        None => other.clone(),
        Some(one) => binary(Operator::And, one.clone(), other.clone()),
    }
}

/// Division by zero is null, so nothing of nothing is.
fn percentage(part: Expr, all: Expr) -> Expr {
    binary(Operator::Multiply, number(100.0), binary(Operator::Divide, part, all))
}

fn planned(residual: &Expr, facet_names: &[Arc<str>], scope: &Scope) -> Result<Shape, NrqlError> {
    if let ExprKind::Attribute { name, .. } = &residual.kind
        && let Some(leaf) = leaf_of(name)
    {
        return Ok(Shape::Leaf(leaf));
    }
    let compiled = expr::compile(residual, scope)?;
    for name in compiled.attributes() {
        let known = name.starts_with(LEAF) || facet_names.contains(&name);
        if !known {
            return Err(semantic(format!(
                "Attribute '{name}' must be inside an aggregator function or in FACET"
            )));
        }
    }
    Ok(Shape::Computed(compiled))
}

/// The attribute of the first function; `count(*)` has none.
fn first_attribute(leaves: &[PlainLeaf], scope: &Scope) -> Result<Option<CompiledExpr>, NrqlError> {
    let first = leaves.first().and_then(|leaf| leaf.call.arguments.first());
    first.map(|argument| expr::compile(argument, scope)).transpose()
}

/// What `FACET … ORDER BY` chooses facets by. It has one direction: ASC and DESC change nothing.
/// An ORDER BY elsewhere is about rows of events and says nothing of facets. Source: "FACET …
/// ORDER BY".
fn chosen_by(
    query: &Query,
    planner: &mut Planner,
    items: &[Item],
    facet_names: &[Arc<str>],
    scope: &Scope,
) -> Result<Option<FacetOrder>, NrqlError> {
    let Some(order) = query.facet.as_ref().and_then(|facet| facet.order.as_ref()) else {
        return Ok(None);
    };
    if let ExprKind::Attribute { name, .. } = &order.expr.kind
        && let Some(item) = items.iter().find(|item| *item.key == **name)
    {
        return Ok(Some(FacetOrder::Value(item.shape.clone())));
    }
    let residual = planner.extract(&order.expr, None)?;
    planned(&residual, facet_names, scope).map(|shape| Some(FacetOrder::Value(shape)))
}

/// The order of facets without ORDER BY. Source: "FACET": by the first function where it is one of
/// these, else by how often.
fn first_order(planner: &Planner, items: &[Item]) -> FacetOrder {
    match items.first().map(|item| &item.shape) {
        Some(Shape::Leaf(leaf)) if orders(&planner.leaves[*leaf]) => {
            FacetOrder::Value(Shape::Leaf(*leaf))
        }
        _ => FacetOrder::Frequency,
    }
}

/// A filtered function is a function of its own, so it does not order.
fn orders(leaf: &PlainLeaf) -> bool {
    leaf.condition.is_none()
        && matches!(
            leaf.call.kind,
            Kind::CountAll
                | Kind::CountPoints
                | Kind::Count
                | Kind::Average
                | Kind::Min
                | Kind::Max
                | Kind::Percentile { .. }
        )
}

fn compile_leaves(
    plain: &[PlainLeaf],
    scope: &Scope,
) -> Result<(Vec<Leaf>, Vec<CompiledExpr>), NrqlError> {
    let mut known: Vec<&Expr> = Vec::new();
    let mut conditions = Vec::new();
    let mut leaves = Vec::new();
    for PlainLeaf { call, condition } in plain {
        let condition = match condition {
            None => None,
            Some(condition) => match known.iter().position(|known| *known == condition) {
                Some(at) => Some(at),
                None => {
                    known.push(condition);
                    conditions.push(expr::compile(condition, scope)?);
                    Some(conditions.len() - 1)
                }
            },
        };
        let arguments = call.arguments.iter().map(|argument| expr::compile(argument, scope));
        let arguments = arguments.collect::<Result<_, _>>()?;
        leaves.push(Leaf { kind: call.kind.clone(), arguments, condition });
    }
    Ok((leaves, conditions))
}

/// The names of facets as keys of results.
fn facet_names(facet: Option<&Facet>, text: &str) -> Result<Vec<Arc<str>>, NrqlError> {
    match facet.map(|facet| &facet.by) {
        None => Ok(Vec::new()),
        Some(FacetBy::Cases(_)) => Ok(vec![Arc::from(shape::CASES)]),
        Some(FacetBy::Items(items)) if items.len() > FACETS_MAX => Err(semantic(format!(
            "FACET supports at most {FACETS_MAX} attributes, found {}",
            items.len()
        ))),
        Some(FacetBy::Items(items)) => {
            Ok(items.iter().map(|item| shape::item_key(item, text)).collect())
        }
    }
}

/// What rows are grouped by.
pub(super) fn facets(facet: &Facet, scope: &Scope) -> Result<Facets, NrqlError> {
    match &facet.by {
        FacetBy::Items(items) => {
            if items.iter().any(|item| has_aggregate(&item.expr)) {
                return Err(semantic("FACET cannot contain an aggregator function"));
            }
            let items = items.iter().map(|item| expr::compile(&item.expr, scope));
            Ok(Facets::Items(items.collect::<Result<_, _>>()?))
        }
        FacetBy::Cases(cases) => {
            let branches = cases.branches.iter().map(|case| {
                let label = case.label.clone().unwrap_or_else(|| case.condition.to_string());
                Ok((expr::compile(&case.condition, scope)?, Value::text(&label)))
            });
            let other = cases.other.as_ref().map(|other| expr::compile(other, scope));
            Ok(Facets::Cases {
                branches: branches.collect::<Result<_, NrqlError>>()?,
                other: other.transpose()?,
            })
        }
    }
}
