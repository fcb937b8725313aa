//! JOIN: rows beside the rows of a sub-query with the same key.
//!
//! Invariants: keys of different types are never equal, nulls never; an attribute of the left side
//! hides one of the same name on the right; only attributes that the query reads are joined.
//!
//! Source: "Use subquery joins to combine queries".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::error::NrqlError;
use super::super::value::Value;
use super::batch::Batch;
use super::column::Column;
use super::expr::CompiledExpr;
use super::key::Key;
use super::limits::{Budget, limit};

/// Rows of the right side that one key may have.
const PARTNERS_MAX: usize = 100;

/// One right side, ready.
pub(super) struct Side {
    left: bool,
    key: CompiledExpr,
    rows: BTreeMap<Key, Vec<u32>>,
    names: Vec<Arc<str>>,
    /// By name of `names`; behind the last row stands a null for rows without a partner.
    values: Vec<Vec<Value>>,
    len: usize,
}

impl Side {
    /// Of the rows of the sub-query and the attribute in them that is the key.
    pub(super) fn new(
        left: bool,
        key: CompiledExpr,
        right: &Batch<'_>,
        right_key: &str,
    ) -> Result<Self, NrqlError> {
        let keys = right.column(right_key);
        let mut rows: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        for row in 0..right.len() {
            let value = keys.as_ref().map_or(Value::Null, |column| column.value(row));
            let partners = match Key::of(&value) {
                Key::Null | Key::Other(_) => continue,
                key => rows.entry(key).or_default(),
            };
            partners.push(u32::try_from(row).unwrap_or(u32::MAX));
            if partners.len() > PARTNERS_MAX {
                return Err(limit(
                    format!("JOIN key maps to more than {PARTNERS_MAX} rows of the subquery"),
                    "facet the subquery by its key alone",
                ));
            }
        }
        let names: Vec<Arc<str>> =
            right.names().into_iter().filter(|name| **name != *"timestamp").collect();
        let values = names.iter().map(|name| {
            let column = right.column(name);
            let value = |row| column.as_ref().map_or(Value::Null, |column| column.value(row));
            (0..right.len()).map(value).chain([Value::Null]).collect()
        });
        let values = values.collect();
        Ok(Self { left, key, rows, names, values, len: right.len() })
    }

    /// The joined rows of `batch`; of their attributes those in `wanted`, or all.
    pub(super) fn join<'a>(
        &self,
        batch: &Batch<'a>,
        wanted: Option<&BTreeSet<String>>,
        budget: &Budget,
    ) -> Result<Batch<'a>, NrqlError> {
        let keys = self.key.eval(batch);
        let mut left: Vec<u32> = Vec::new();
        let mut right: Vec<usize> = Vec::new();
        for row in 0..batch.len() {
            let at = u32::try_from(row).unwrap_or(u32::MAX);
            match self.rows.get(&Key::of(&keys.value(row))) {
                Some(partners) => {
                    for partner in partners {
                        left.push(at);
                        right.push(*partner as usize);
                    }
                }
                None if self.left => {
                    left.push(at);
                    right.push(self.len);
                }
                None => {}
            }
            if left.len() > batch.len().saturating_mul(2) {
                budget.hold(left.len() * 64)?;
            }
        }
        budget.work(left.len(), 1)?;
        let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted.contains(name));
        let taken = batch.take(&left);
        let mut columns: Vec<(Arc<str>, Column<'a>)> = Vec::new();
        for (name, values) in self.names.iter().zip(&self.values) {
            if is_wanted(name) {
                let values = right.iter().map(|row| values[*row].clone()).collect();
                columns.push((Arc::clone(name), Column::from_values(values)));
            }
        }
        for name in batch.names() {
            if is_wanted(&name)
                && let Some(column) = taken.column(&name)
            {
                columns.retain(|(known, _)| *known != name);
                columns.push((name, column));
            }
        }
        let times = taken.timestamps().to_vec();
        Ok(Batch::from_columns(batch.event_type(), left.len(), Some(times), columns))
    }
}
