//! Queries without aggregates: events as they are, and `keyset()`.
//!
//! Invariants: the newest events come first unless ORDER BY says otherwise; at most
//! LIMIT + OFFSET events are held at a time, twice over.
//!
//! Assumed: an attribute that an event does not have is null in the answer when it was asked for by
//! name, and left out with `*`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::ast::{ExprKind, OrderItem, SelectItem};
use super::super::error::NrqlError;
use super::super::result::Row;
use super::super::value::Value;
use super::answer::ranked;
use super::batch::Batch;
use super::column::Column;
use super::expr::{self, CompiledExpr, Scope};
use super::key::Key;
use super::limits::Budget;
use super::shape;

const TIMESTAMP: &str = "timestamp";

/// What a query without aggregates asks.
pub(super) struct RawQuestion {
    /// Keys and values; `None`: all attributes.
    items: Vec<(Arc<str>, Option<CompiledExpr>)>,
    order: Vec<(CompiledExpr, bool)>,
    limit: usize,
    offset: usize,
}

/// An event that may show.
struct Candidate {
    ranks: Vec<Option<Key>>,
    timestamp: i64,
    arrival: u64,
    batch: usize,
    row: u32,
}

impl RawQuestion {
    /// Of `items`, in the order that `order` says.
    pub(super) fn new(
        items: &[SelectItem],
        order: &[OrderItem],
        (limit, offset): (usize, usize),
        text: &str,
        scope: &Scope,
    ) -> Result<Self, NrqlError> {
        let item = |item: &SelectItem| {
            Ok(match item.expr.kind {
                ExprKind::Star => (Arc::from("*"), None),
                _ => (shape::item_key(item, text), Some(expr::compile(&item.expr, scope)?)),
            })
        };
        let aliased = |order: &OrderItem| {
            let named = items.iter().find(|item| match (&item.alias, &order.expr.kind) {
                (Some(alias), ExprKind::Attribute { name, .. }) => alias.text == *name,
                _ => false,
            });
            let by = named.map_or(&order.expr, |item| &item.expr);
            Ok((expr::compile(by, scope)?, order.descending))
        };
        Ok(Self {
            items: items.iter().map(item).collect::<Result<_, NrqlError>>()?,
            order: order.iter().map(aliased).collect::<Result<_, NrqlError>>()?,
            limit,
            offset,
        })
    }

    /// The events that show; rows of a `nested` query of the same time keep its order.
    pub(super) fn run<'b>(
        &self,
        batches: &mut dyn Iterator<Item = Result<Batch<'b>, NrqlError>>,
        filter: Option<&CompiledExpr>,
        nested: bool,
        budget: &Budget,
    ) -> Result<Vec<Row>, NrqlError> {
        let wanted = self.limit.saturating_add(self.offset);
        let mut kept: Vec<Batch<'b>> = Vec::new();
        let mut found: Vec<Candidate> = Vec::new();
        for batch in batches {
            let batch = batch?;
            let ranks: Vec<Column<'_>> = self.order.iter().map(|(by, _)| by.eval(&batch)).collect();
            let mut take = |row: usize| {
                found.push(Candidate {
                    ranks: ranks.iter().map(|column| rank(&column.value(row))).collect(),
                    timestamp: batch.timestamps()[row],
                    arrival: if nested {
                        u64::MAX - batch.arrival(row)
                    } else {
                        batch.arrival(row)
                    },
                    batch: kept.len(),
                    row: u32::try_from(row).unwrap_or(u32::MAX),
                });
            };
            match filter {
                Some(filter) => filter.select(&batch).for_each(&mut take),
                None if self.order.is_empty() && batch.account().is_some() => {
                    // Stored rows stand by time: of more than are wanted only the last can show.
                    (batch.len().saturating_sub(wanted)..batch.len()).for_each(&mut take);
                }
                None => (0..batch.len()).for_each(&mut take),
            }
            kept.push(batch);
            self.cut(&mut found, wanted);
            budget.hold(found.len().saturating_mul(size_of::<Candidate>()))?;
        }
        self.sort(&mut found);
        let shown = found.into_iter().skip(self.offset).take(self.limit);
        let mut bytes = 0;
        let rows = shown.map(|one| {
            let row = kept.get(one.batch).map(|batch| self.row(batch, one.row));
            let row = row.unwrap_or_default();
            bytes += row.len() * 64;
            budget.hold(bytes)?;
            Ok(row)
        });
        rows.collect()
    }

    fn cut(&self, found: &mut Vec<Candidate>, wanted: usize) {
        if found.len() > wanted.saturating_mul(2) {
            self.sort(found);
            found.truncate(wanted);
        }
    }

    fn sort(&self, found: &mut [Candidate]) {
        found.sort_by(|one, other| {
            let by_rank = one.ranks.iter().zip(&other.ranks).zip(&self.order);
            by_rank
                .map(|((one, other), (_, descending))| {
                    ranked(one.as_ref(), other.as_ref(), *descending)
                })
                .find(|order| order.is_ne())
                .unwrap_or_else(|| {
                    (other.timestamp, other.arrival).cmp(&(one.timestamp, one.arrival))
                })
        });
    }

    fn row(&self, batch: &Batch<'_>, row: u32) -> Row {
        let one = batch.take(&[row]);
        let mut values = Row::new();
        for (key, item) in &self.items {
            match item {
                Some(item) => {
                    values.insert(Arc::clone(key), item.eval(&one).value(0));
                }
                None => {
                    for name in one.names() {
                        let value = one.column(&name).map_or(Value::Null, |c| c.value(0));
                        if !value.is_null() {
                            values.insert(name, value);
                        }
                    }
                }
            }
        }
        if !values.contains_key(TIMESTAMP) {
            let time = one.timestamps().first().copied().unwrap_or_default();
            values.insert(Arc::from(TIMESTAMP), Value::Integer(time));
        }
        values
    }
}

fn rank(value: &Value) -> Option<Key> {
    Some(Key::of(value)).filter(|key| *key != Key::Null)
}

/// `keyset()`: names of attributes and the types of their values, as rows of key and type.
pub(super) fn keyset<'b>(
    batches: &mut dyn Iterator<Item = Result<Batch<'b>, NrqlError>>,
    filter: Option<&CompiledExpr>,
) -> Result<Vec<Row>, NrqlError> {
    let mut found: BTreeMap<Arc<str>, BTreeSet<&'static str>> = BTreeMap::new();
    for batch in batches {
        let batch = batch?;
        let rows = filter.map(|filter| filter.select(&batch));
        if rows.as_ref().is_some_and(super::bitmap::Bitmap::none) {
            continue;
        }
        for name in batch.names() {
            let Some(column) = batch.column(&name) else { continue };
            kinds(&column, rows.as_ref(), &mut |kind| {
                found.entry(Arc::clone(&name)).or_default().insert(kind);
            });
        }
        found.entry(Arc::from(TIMESTAMP)).or_default().insert("numeric");
    }
    let rows = found.into_iter().flat_map(|(name, kinds)| {
        kinds.into_iter().map(move |kind| {
            let row = [("key", Value::Text(Arc::clone(&name))), ("type", Value::text(kind))];
            row.into_iter().map(|(key, value)| (Arc::from(key), value)).collect()
        })
    });
    Ok(rows.collect())
}

/// The types of the values that a column has among `rows`.
fn kinds(
    column: &Column<'_>,
    rows: Option<&super::bitmap::Bitmap>,
    f: &mut dyn FnMut(&'static str),
) {
    let kind = match column {
        Column::Mixed(parts) => {
            parts.iter().for_each(|part| kinds(part, rows, f));
            return;
        }
        Column::Texts { .. } => "string",
        Column::Bools(..) => "boolean",
        Column::Values(_) | Column::Constant(..) => {
            match (0..column.len()).map(|row| column.value(row)).find(|value| !value.is_null()) {
                Some(Value::Text(_)) => "string",
                Some(Value::Bool(_)) => "boolean",
                _ => "numeric",
            }
        }
        Column::Numbers(..) | Column::Integers(..) | Column::Metrics(..) => "numeric",
    };
    let mut valid = column.validity().to_bitmap(column.len());
    if let Some(rows) = rows {
        valid.and(rows);
    }
    if !valid.none() {
        f(kind);
    }
}
