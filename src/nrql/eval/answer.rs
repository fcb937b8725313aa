//! Aggregated queries: which facets show, and the values of each.
//!
//! Invariants: facets are chosen over the present window alone, so a comparison and every bucket
//! show the same ones; ties are broken by the facets' values, never by the order of reading.
//!
//! Source: newrelic.md 4.1. Assumed: rows without a facet count in the total and nowhere else.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::error::NrqlError;
use super::super::result::TimeWindow;
use super::super::value::Value;
use super::batch::Batch;
use super::expr::{CompiledExpr, RowLike};
use super::group::Grouper;
use super::key::Key;
use super::limits::Budget;
use super::pass::{Facet, OTHER, Pass, Reading};
use super::plan::{self, FacetOrder, Plan, Shape};
use super::window::Buckets;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// One result of an aggregated query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The facet's values; empty without FACET, and in totals.
    pub facet: Vec<Value>,
    /// Of the window or the bucket, in milliseconds.
    pub bounds: (i64, i64),
    /// One for each item of the plan.
    pub values: Vec<Value>,
}

/// All results of an aggregated query over one window.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Facet by facet, bucket by bucket.
    pub lines: Vec<Line>,
    /// With FACET: what the facets that do not show have.
    pub other: Vec<Line>,
    /// With FACET: all rows.
    pub total: Vec<Line>,
    /// With FACET: rows without one.
    pub unknown: Vec<Line>,
}

/// What an aggregated query asks.
pub(super) struct Question<'a> {
    /// Its aggregates.
    pub plan: &'a Plan,
    /// WHERE.
    pub filter: Option<&'a CompiledExpr>,
    /// Of FACET.
    pub limit: usize,
    /// Of FACET.
    pub offset: usize,
}

/// The facets that show, found over the first window.
pub(super) struct Chosen {
    grouper: Grouper,
    /// Numbers of facets in the order of results.
    groups: Vec<usize>,
}

/// Memory of one result and of each of its values, in bytes, about.
const LINE_BYTES: usize = 128;
const VALUE_BYTES: usize = 96;

type Batches<'i, 'b> = &'i mut (dyn Iterator<Item = Result<Batch<'b>, NrqlError>> + 'i);

impl Question<'_> {
    fn reading(&self, wanted: Vec<bool>, buckets: Option<Buckets>) -> Reading<'_> {
        Reading { plan: self.plan, wanted, filter: self.filter, buckets }
    }

    fn all(&self) -> Vec<bool> {
        vec![true; self.plan.leaves.len()]
    }

    /// Refuses results that would not fit, before any of them is made.
    fn hold_lines(&self, facets: usize, buckets: usize, budget: &Budget) -> Result<(), NrqlError> {
        let line = LINE_BYTES + VALUE_BYTES.saturating_mul(self.plan.values_per_line());
        budget.hold(facets.saturating_mul(buckets).saturating_mul(line))
    }

    /// The results without FACET.
    pub(super) fn plain(
        &self,
        batches: Batches<'_, '_>,
        window: &TimeWindow,
        buckets: Option<Buckets>,
        budget: &Budget,
    ) -> Result<Vec<Line>, NrqlError> {
        self.hold_lines(1, buckets.map_or(1, |buckets| buckets.count), budget)?;
        let pass = self.reading(self.all(), buckets).run(batches, Facet::None, budget)?;
        Ok(self.lines(&pass, 0, &[], window, buckets))
    }

    /// Chooses facets; without buckets the results come along.
    pub(super) fn choose(
        &self,
        mut grouper: Grouper,
        batches: Batches<'_, '_>,
        window: &TimeWindow,
        with_lines: bool,
        budget: &Budget,
    ) -> Result<(Chosen, Lines), NrqlError> {
        let wanted = if with_lines { self.all() } else { self.ordering_leaves() };
        let reading = self.reading(wanted, None);
        let mut pass = reading.run(batches, Facet::All(&mut grouper), budget)?;
        let all = (1..grouper.len()).collect();
        let groups = self.ordered(&self.plan.order, all, &pass, &grouper, window);
        let mut groups: Vec<usize> =
            groups.into_iter().skip(self.offset).take(self.limit).collect();
        if let Some(shown) = &self.plan.shown {
            groups = self.ordered(shown, groups, &pass, &grouper, window);
        }
        let mut lines = Lines::default();
        if with_lines {
            self.hold_lines(groups.len() + 3, 1, budget)?;
            for group in &groups {
                let keys = grouper.values(*group);
                lines.lines.extend(self.lines(&pass, *group, &keys, window, None));
            }
            let mut shown = vec![false; grouper.len()];
            groups.iter().for_each(|group| shown[*group] = true);
            let hidden = (1..grouper.len()).filter(|group| !shown[*group]);
            let other = pass.merged(hidden);
            let total = pass.merged(0..grouper.len());
            lines.unknown = self.lines(&pass, 0, &[], window, None);
            lines.other = self.lines(&pass, other, &[], window, None);
            lines.total = self.lines(&pass, total, &[], window, None);
        }
        Ok((Chosen { grouper, groups }, lines))
    }

    /// The results of chosen facets over any window.
    pub(super) fn chosen(
        &self,
        chosen: &mut Chosen,
        batches: Batches<'_, '_>,
        window: &TimeWindow,
        buckets: Option<Buckets>,
        budget: &Budget,
    ) -> Result<Lines, NrqlError> {
        let count = chosen.groups.len();
        let series = buckets.map_or(1, |buckets| buckets.count);
        self.hold_lines(count + 3, series, budget)?;
        let mut places = vec![OTHER; chosen.grouper.len()];
        for (place, group) in (0..).zip(&chosen.groups) {
            places[*group] = place;
        }
        let facet = Facet::Chosen { grouper: &mut chosen.grouper, places: &places, count };
        let mut pass = self.reading(self.all(), buckets).run(batches, facet, budget)?;
        let total = pass.merged(0..count + 2);
        let mut lines = Lines {
            other: self.lines(&pass, count, &[], window, buckets),
            unknown: self.lines(&pass, count + 1, &[], window, buckets),
            total: self.lines(&pass, total, &[], window, buckets),
            lines: Vec::new(),
        };
        for (place, group) in chosen.groups.iter().enumerate() {
            let keys = chosen.grouper.values(*group);
            lines.lines.extend(self.lines(&pass, place, &keys, window, buckets));
        }
        Ok(lines)
    }

    fn ordering_leaves(&self) -> Vec<bool> {
        let mut wanted = vec![false; self.plan.leaves.len()];
        for order in [Some(&self.plan.order), self.plan.shown.as_ref()].into_iter().flatten() {
            match order {
                FacetOrder::Frequency => {}
                FacetOrder::Value(Shape::Leaf(leaf)) => wanted[*leaf] = true,
                FacetOrder::Value(Shape::Computed(expr)) => {
                    for leaf in expr.attributes().iter().filter_map(|name| plan::leaf_of(name)) {
                        wanted[leaf] = true;
                    }
                }
            }
        }
        wanted
    }

    /// Of the facets `groups` those that may show, as `order` says.
    fn ordered(
        &self,
        order: &FacetOrder,
        groups: Vec<usize>,
        pass: &Pass,
        grouper: &Grouper,
        window: &TimeWindow,
    ) -> Vec<usize> {
        let bounds = (window.begin.0, window.end.0);
        let mut found: Vec<(Option<Key>, Vec<Key>, usize)> = Vec::new();
        for group in groups {
            let present = pass.present()[group];
            if present == 0 {
                continue;
            }
            let keys = grouper.values(group);
            let rank = match order {
                FacetOrder::Frequency => Value::Integer(i64::try_from(present).unwrap_or(i64::MAX)),
                FacetOrder::Value(shape) => {
                    let row = ResultRow::new(self.plan, pass, pass.slot(group, 0), bounds, &keys);
                    scalar(&row.item(shape))
                }
            };
            let rank = Some(Key::of(&rank)).filter(|rank| *rank != Key::Null);
            found.push((rank, keys, group));
        }
        found.sort_by(|(one, one_keys, _), (other, other_keys, _)| {
            ranked(one.as_ref(), other.as_ref(), true).then_with(|| one_keys.cmp(other_keys))
        });
        found.into_iter().map(|(_, _, group)| group).collect()
    }

    /// The values of one facet, bucket by bucket.
    fn lines(
        &self,
        pass: &Pass,
        facet: usize,
        keys: &[Key],
        window: &TimeWindow,
        buckets: Option<Buckets>,
    ) -> Vec<Line> {
        let count = buckets.map_or(1, |buckets| buckets.count);
        let line = |bucket: usize| {
            let bounds =
                buckets.map_or((window.begin.0, window.end.0), |buckets| buckets.bounds(bucket));
            let row = ResultRow::new(self.plan, pass, pass.slot(facet, bucket), bounds, keys);
            Line {
                facet: keys.iter().map(Key::value).collect(),
                bounds,
                values: self.plan.items.iter().map(|item| row.item(&item.shape)).collect(),
            }
        };
        (0..count).map(line).collect()
    }
}

/// Greatest or least first; what has no rank comes last either way.
pub(super) fn ranked(one: Option<&Key>, other: Option<&Key>, descending: bool) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) if descending => other.cmp(one),
        (Some(one), Some(other)) => one.cmp(other),
        (one, other) => one.is_none().cmp(&other.is_none()),
    }
}

/// The number that stands for an aggregate of several values: its first, an apdex's score.
pub(super) fn scalar(value: &Value) -> Value {
    match value {
        Value::Map(members) => members.first().map_or(Value::Null, |(_, first)| first.clone()),
        other => other.clone(),
    }
}

/// Aggregates of one slot as the attributes of a row.
struct ResultRow<'a> {
    plan: &'a Plan,
    pass: &'a Pass,
    slot: usize,
    bounds: (i64, i64),
    facet: &'a [Key],
}

impl<'a> ResultRow<'a> {
    const fn new(
        plan: &'a Plan,
        pass: &'a Pass,
        slot: usize,
        bounds: (i64, i64),
        facet: &'a [Key],
    ) -> Self {
        Self { plan, pass, slot, bounds, facet }
    }

    fn item(&self, shape: &Shape) -> Value {
        match shape {
            Shape::Leaf(leaf) => self.pass.leaf(*leaf).finish(self.slot, self.bounds),
            Shape::Computed(expr) => expr.eval_row(self),
        }
    }
}

impl RowLike for ResultRow<'_> {
    fn get(&self, name: &str) -> Value {
        if let Some(leaf) = plan::leaf_of(name) {
            return scalar(&self.item(&Shape::Leaf(leaf)));
        }
        if plan::is_duration(name) {
            #[expect(clippy::cast_precision_loss, reason = "a length of time")]
            return Value::Number(self.bounds.1.saturating_sub(self.bounds.0) as f64);
        }
        let named = self.plan.facet_names.iter().position(|facet| **facet == *name);
        named.and_then(|at| self.facet.get(at)).map_or(Value::Null, Key::value)
    }

    fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.bounds.0)
    }

    fn event_type(&self) -> &str {
        ""
    }

    fn account(&self) -> Option<AccountId> {
        None
    }
}

impl Lines {
    /// These lines as the rows of a table that an outer query reads. Assumed: rows without a
    /// bucket stand at the begin of the window.
    pub(super) fn into_batch(self, plan: &Plan, series: bool) -> Batch<'static> {
        use super::column::Column;

        let lines = self.lines;
        let times = lines.iter().map(|line| line.bounds.0).collect();
        let mut columns: Vec<(Arc<str>, Column<'static>)> = Vec::new();
        for (at, name) in plan.facet_names.iter().enumerate() {
            let value = |line: &Line| line.facet.get(at).cloned().unwrap_or(Value::Null);
            columns
                .push((Arc::clone(name), Column::from_values(lines.iter().map(value).collect())));
        }
        for (at, item) in plan.items.iter().enumerate() {
            let compound = plan.is_percentile(&item.shape);
            let value = |line: &Line| match line.values.get(at) {
                Some(value) if compound => keyed_by_doubles(value),
                Some(value) => value.clone(),
                None => Value::Null,
            };
            let column = Column::from_values(lines.iter().map(value).collect());
            if let Some(short) = &item.short
                && plan.items.iter().all(|other| other.key != *short || other.key == item.key)
                && !columns.iter().any(|(name, _)| name == short)
            {
                columns.push((Arc::clone(short), column.clone()));
            }
            columns.retain(|(name, _)| *name != item.key);
            columns.push((Arc::clone(&item.key), column));
        }
        if series {
            for (name, end) in [("beginTimeSeconds", false), ("endTimeSeconds", true)] {
                let at = |line: &Line| if end { line.bounds.1 } else { line.bounds.0 };
                let value = |line: &Line| Value::Integer(at(line).div_euclid(1_000));
                let column = Column::from_values(lines.iter().map(value).collect());
                columns.push((Arc::from(name), column));
            }
        }
        Batch::from_columns("", lines.len(), Some(times), columns)
    }
}

/// Percentiles as an outer query sees them: their keys are texts of doubles, `95.0`.
/// Source: "percentile()", joined sub-queries.
fn keyed_by_doubles(value: &Value) -> Value {
    let Value::Map(members) = value else { return value.clone() };
    let key = |key: &Arc<str>| match key.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 => Arc::from(format!("{number:.1}")),
        _ => Arc::clone(key),
    };
    Value::Map(members.iter().map(|(name, value)| (key(name), value.clone())).collect())
}
