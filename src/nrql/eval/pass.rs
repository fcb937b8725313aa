//! One reading of the rows: filter, facet, bucket, aggregate.
//!
//! Invariants: the place of a row's values is `facet × buckets + bucket`; a row is in as many
//! buckets as SLIDE BY makes overlap; rows before the first bucket count nowhere. Facet 0 holds the
//! rows without a facet.

use super::super::error::NrqlError;
use super::aggregate::{self, Accumulator, Input, Kind, Part, Target};
use super::batch::Batch;
use super::bitmap::Bitmap;
use super::column::{Column, Validity};
use super::expr::CompiledExpr;
use super::group::Grouper;
use super::limits::Budget;
use super::plan::Plan;
use super::window::Buckets;

/// Which facets get places of their own.
pub(super) enum Facet<'a> {
    /// There is no FACET.
    None,
    /// All, as they come.
    All(&'a mut Grouper),
    /// Those with a place here, by their number; all others have the place behind them.
    Chosen {
        /// Numbers facets.
        grouper: &'a mut Grouper,
        /// Place by number; [`OTHER`]: none.
        places: &'a [u32],
        /// How many have one.
        count: usize,
    },
}

/// No place of its own.
pub(super) const OTHER: u32 = u32::MAX;

/// What a reading has gathered.
pub(super) struct Pass {
    accumulators: Vec<Box<dyn Accumulator>>,
    buckets: usize,
    facets: usize,
    /// Rows with the first function's attribute, by facet.
    present: Vec<u64>,
}

/// What to read, and how.
pub(super) struct Reading<'a> {
    /// The aggregates.
    pub plan: &'a Plan,
    /// Which of its leaves are wanted; all others stay empty.
    pub wanted: Vec<bool>,
    /// WHERE.
    pub filter: Option<&'a CompiledExpr>,
    /// TIMESERIES.
    pub buckets: Option<Buckets>,
}

impl Reading<'_> {
    /// Reads `batches`.
    pub(super) fn run<'b>(
        &self,
        batches: impl Iterator<Item = Result<Batch<'b>, NrqlError>>,
        mut facet: Facet<'_>,
        budget: &Budget,
    ) -> Result<Pass, NrqlError> {
        let leaves = &self.plan.leaves;
        let mut pass = Pass {
            accumulators: leaves.iter().map(|leaf| aggregate::accumulator(&leaf.kind)).collect(),
            buckets: self.buckets.map_or(1, |buckets| buckets.count),
            facets: 0,
            present: Vec::new(),
        };
        pass.grow(facet.places(), budget)?;
        for batch in batches {
            let batch = batch?;
            self.batch(&batch, &mut facet, &mut pass, budget)?;
            let bytes: usize = pass.accumulators.iter().map(|one| one.bytes()).sum();
            budget.hold(bytes + facet.bytes())?;
        }
        Ok(pass)
    }

    fn batch(
        &self,
        batch: &Batch<'_>,
        facet: &mut Facet<'_>,
        pass: &mut Pass,
        budget: &Budget,
    ) -> Result<(), NrqlError> {
        let rows = match self.filter {
            Some(filter) => filter.select(batch),
            None => Bitmap::ones(batch.len()),
        };
        if rows.none() {
            return Ok(());
        }
        let prepared = self.prepare(batch);
        if matches!(facet, Facet::None) && self.buckets.is_none() {
            let target = Target::One { slot: 0, rows: &rows };
            pass.update(self, &prepared, &target, batch);
            return Ok(());
        }
        let rows = rows.to_rows();
        let facets = facet.of_rows(batch, &rows);
        budget.groups(facet.places())?;
        pass.grow(facet.places(), budget)?;
        pass.note_present(self, &facets, &rows, batch);
        let Some(buckets) = self.buckets else {
            let target = Target::Many { rows: &rows, slots: &facets };
            pass.update(self, &prepared, &target, batch);
            return Ok(());
        };
        for back in 0..buckets.turns() {
            budget.work(rows.len(), usize::from(back > 0))?;
            let (rows, slots) = in_buckets(&buckets, back, &rows, &facets, batch.timestamps());
            let target = Target::Many { rows: &rows, slots: &slots };
            pass.update(self, &prepared, &target, batch);
        }
        Ok(())
    }

    /// Arguments and conditions over a batch, evaluated once.
    fn prepare<'b>(&self, batch: &Batch<'b>) -> Prepared<'b> {
        let leaves = self.plan.leaves.iter().zip(&self.wanted);
        let columns = leaves.map(|(leaf, wanted)| {
            if !*wanted {
                return Vec::new();
            }
            if leaf.kind == Kind::CountPoints {
                return vec![points(batch)];
            }
            leaf.arguments.iter().map(|argument| argument.eval(batch)).collect()
        });
        Prepared {
            columns: columns.collect(),
            conditions: self.plan.conditions.iter().map(|one| one.select(batch)).collect(),
        }
    }
}

struct Prepared<'b> {
    columns: Vec<Vec<Column<'b>>>,
    conditions: Vec<Bitmap>,
}

impl Facet<'_> {
    /// Places there are so far.
    fn places(&self) -> usize {
        match self {
            Self::None => 1,
            Self::All(grouper) => grouper.len(),
            // Behind the chosen ones: all others, and rows without a facet.
            Self::Chosen { count, .. } => count + 2,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::All(grouper) | Self::Chosen { grouper, .. } => grouper.bytes(),
        }
    }

    fn of_rows(&mut self, batch: &Batch<'_>, rows: &[u32]) -> Vec<u32> {
        match self {
            Self::None => vec![0; rows.len()],
            Self::All(grouper) => grouper.groups(batch, rows),
            Self::Chosen { grouper, places, count } => {
                let count = u32::try_from(*count).unwrap_or(OTHER);
                let mut groups = grouper.groups(batch, rows);
                for group in &mut groups {
                    *group = match (*group, places.get(*group as usize)) {
                        (0, _) => count + 1,
                        (_, Some(place)) if *place != OTHER => *place,
                        _ => count,
                    };
                }
                groups
            }
        }
    }
}

/// Rows and slots of those in the bucket `back` before their newest.
fn in_buckets(
    buckets: &Buckets,
    back: usize,
    rows: &[u32],
    facets: &[u32],
    times: &[i64],
) -> (Vec<u32>, Vec<u32>) {
    let mut kept = Vec::with_capacity(rows.len());
    let mut slots = Vec::with_capacity(rows.len());
    let count = u32::try_from(buckets.count).unwrap_or(u32::MAX);
    // Rows come by time: most are where the row before was, which needs no division.
    let mut known: Option<u32> = None;
    let (mut from, mut until) = (i64::MAX, i64::MIN);
    for (row, facet) in rows.iter().zip(facets) {
        let at = times[*row as usize];
        if at < from || at >= until {
            let bucket = buckets.bucket_in(at, back);
            known = bucket.and_then(|bucket| u32::try_from(bucket).ok());
            (from, until) = match bucket {
                Some(bucket) => buckets.span_in(bucket, back),
                None => (i64::MAX, i64::MIN),
            };
        }
        if let Some(bucket) = known {
            kept.push(*row);
            slots.push(facet * count + bucket);
        }
    }
    (kept, slots)
}

impl Pass {
    fn grow(&mut self, facets: usize, budget: &Budget) -> Result<(), NrqlError> {
        if facets > self.facets {
            let slots = facets.saturating_mul(self.buckets);
            // Slots are numbered with 32 bits, and each takes eight bytes at least.
            budget.hold(slots.saturating_mul(8 * self.accumulators.len().max(1)))?;
            self.facets = facets;
            self.present.resize(facets, 0);
            self.accumulators.iter_mut().for_each(|one| one.grow(slots));
        }
        Ok(())
    }

    fn note_present(
        &mut self,
        reading: &Reading<'_>,
        facets: &[u32],
        rows: &[u32],
        batch: &Batch<'_>,
    ) {
        let column = reading.plan.first.as_ref().map(|first| first.eval(batch));
        let valid = column.as_ref().map_or(Validity::All, Column::validity);
        for (facet, row) in facets.iter().zip(rows) {
            self.present[*facet as usize] += u64::from(valid.get(*row as usize));
        }
    }

    fn update(
        &mut self,
        reading: &Reading<'_>,
        prepared: &Prepared<'_>,
        target: &Target<'_>,
        batch: &Batch<'_>,
    ) {
        let leaves = reading.plan.leaves.iter().zip(&reading.wanted).enumerate();
        for (at, (leaf, wanted)) in leaves {
            if !*wanted {
                continue;
            }
            let input = Input { batch, columns: &prepared.columns[at] };
            let accumulator = &mut self.accumulators[at];
            let Some(condition) = leaf.condition.map(|one| &prepared.conditions[one]) else {
                accumulator.update(target, &input);
                continue;
            };
            match target {
                Target::One { slot, rows } => {
                    let mut rows = (*rows).clone();
                    rows.and(condition);
                    accumulator.update(&Target::One { slot: *slot, rows: &rows }, &input);
                }
                Target::Many { rows, slots } => {
                    let both = rows.iter().zip(*slots);
                    let (rows, slots): (Vec<u32>, Vec<u32>) = both
                        .filter(|(row, _)| condition.get(**row as usize))
                        .map(|(row, slot)| (*row, *slot))
                        .unzip();
                    accumulator.update(&Target::Many { rows: &rows, slots: &slots }, &input);
                }
            }
        }
    }

    /// Rows with the first function's attribute, by facet.
    pub(super) fn present(&self) -> &[u64] {
        &self.present
    }

    /// The accumulator of leaf `at`.
    pub(super) fn leaf(&self, at: usize) -> &dyn Accumulator {
        &*self.accumulators[at]
    }

    /// Where `facet`'s value of bucket `bucket` is.
    pub(super) const fn slot(&self, facet: usize, bucket: usize) -> usize {
        facet * self.buckets + bucket
    }

    /// Adds up `facets` and gives the place of the sum: a facet of its own, behind all others.
    pub(super) fn merged(&mut self, facets: impl Iterator<Item = usize>) -> usize {
        let into = self.facets;
        self.facets += 1;
        self.present.push(0);
        let slots = self.facets * self.buckets;
        self.accumulators.iter_mut().for_each(|one| one.grow(slots));
        for facet in facets {
            self.present[into] += self.present[facet];
            for bucket in 0..self.buckets {
                let (to, from) = (self.slot(into, bucket), self.slot(facet, bucket));
                self.accumulators.iter_mut().for_each(|one| one.merge(to, from));
            }
        }
        into
    }
}

/// How many values each metric point stands for; other events stand for themselves. Source:
/// "count(*)", since March 2025.
fn points<'b>(batch: &Batch<'b>) -> Column<'b> {
    let mut weights = vec![1.0; batch.len()];
    let names = batch.column("metricName");
    if let Some(Column::Texts { codes, valid, dictionary }) = names {
        let mut by_code: Vec<Vec<usize>> = vec![Vec::new(); dictionary.len()];
        for row in 0..batch.len() {
            if valid.get(row) {
                by_code[codes.get(row)].push(row);
            }
        }
        for (name, rows) in dictionary.iter().zip(by_code) {
            if rows.is_empty() {
                continue;
            }
            let Some(column) = batch.column(name) else { continue };
            let (values, valid) = aggregate::numbers(&column, Part::Weight);
            for row in rows {
                if valid.get(row) {
                    weights[row] = values[row];
                }
            }
        }
    }
    Column::finite(weights, Validity::All)
}
