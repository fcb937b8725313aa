//! A query from its source to its results: sources, joins, sub-queries, windows.
//!
//! Invariants: the nesting of queries is that of the tree, which the parser bounds; all steps of a
//! query share one budget; nothing is read before the query as a whole is known to make sense.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::super::ast::{
    ArgumentValue, Expr, ExprKind, Facet, FacetBy, From, InSet, Join, Limit, Query, SelectItem,
};
use super::super::error::NrqlError;
use super::super::result::{Row, TimeWindow};
use super::super::time::{self, Zone};
use super::super::value::Value;
use super::super::walk;
use super::answer::{Chosen, Lines, Question};
use super::batch::Batch;
use super::expr::{self, CompiledExpr, Scope};
use super::group::Grouper;
use super::join::Side;
use super::limits::{Budget, limit, semantic};
use super::plan::{self, Plan};
use super::raw::{self, RawQuestion};
use super::window::Buckets;
use super::{QueryContext, rewrite};

/// Rows of events without LIMIT. Source: "LIMIT".
const RAW_LIMIT: u64 = 100;
/// Facets without LIMIT, and rows of a joined sub-query.
const FACET_LIMIT: u64 = 10;
/// Source: "capture(attribute, regular expression)".
const CAPTURES_MAX: usize = 5;
/// OFFSET up to which results are found.
const OFFSET_MAX: u64 = 100_000;
/// The event type whose points stand for several values.
const METRIC: &str = "Metric";

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the whole text.
    Top,
    /// In FROM.
    From,
    /// In WHERE, SELECT or IN.
    Subquery,
    /// In JOIN.
    Join,
}

/// Where rows come from.
struct Source<'c> {
    events: Vec<&'c str>,
    rows: Option<Batch<'static>>,
    sides: Vec<Side>,
    /// Attributes that the query reads; `None`: all.
    wanted: Option<BTreeSet<String>>,
}

/// What a query gives.
pub(super) enum Table {
    /// Aggregates.
    Aggregated(Box<Aggregated>),
    /// Events, or what describes them.
    Rows(Vec<Row>),
}

/// What a query with aggregates gives.
pub(super) struct Aggregated {
    /// Its aggregates.
    pub plan: Plan,
    /// Of the present window.
    pub lines: Lines,
    /// With COMPARE WITH.
    pub previous: Option<Lines>,
    /// Whether lines are buckets.
    pub series: bool,
    /// The window, its begin snapped.
    pub window: TimeWindow,
}

/// Runs one text.
pub(super) struct Engine<'c> {
    pub(super) context: &'c QueryContext<'c>,
    pub(super) text: &'c str,
    pub(super) budget: Budget,
    pub(super) messages: Vec<String>,
    pub(super) event_types: Vec<String>,
    /// Those answered so far; one that is answered for two windows counts once.
    subqueries: Vec<&'c Query>,
}

type Batches<'b> = Box<dyn Iterator<Item = Result<Batch<'b>, NrqlError>> + 'b>;

impl<'c> Engine<'c> {
    pub(super) fn new(text: &'c str, context: &'c QueryContext<'c>) -> Self {
        Self {
            context,
            text,
            budget: Budget::new(context.limits),
            messages: Vec::new(),
            event_types: Vec::new(),
            subqueries: Vec::new(),
        }
    }

    /// Adds a remark, once.
    pub(super) fn remark(&mut self, message: &str) {
        if !self.messages.iter().any(|known| known == message) {
            self.messages.push(message.to_owned());
        }
    }

    /// Runs `query` over `window`.
    pub(super) fn select(
        &mut self,
        query: &'c Query,
        window: &TimeWindow,
        place: Place,
    ) -> Result<Table, NrqlError> {
        check(query, place)?;
        if query.extrapolate {
            self.remark("EXTRAPOLATE has no effect: no events were sampled");
        }
        let scope = self.scope(query, window)?;
        let filter = query.filter.as_ref().map(|filter| {
            if plan::has_aggregate(filter) {
                return Err(semantic("WHERE cannot contain an aggregator function"));
            }
            expr::compile(filter, &scope)
        });
        let filter = filter.transpose()?;
        if query.facet.is_some() && !query.order.is_empty() {
            self.remark("ORDER BY has no effect on facets unless it stands right behind FACET");
        }
        let limits = self.limit_and_offset(query, place)?;
        if plan::aggregates(query) {
            return self.aggregated(query, window, &scope, filter.as_ref(), limits);
        }
        let source = self.source(query, window, &scope)?;
        let mut batches = self.batches(&source, window);
        let rows = if is_keyset(query) {
            raw::keyset(&mut batches, filter.as_ref())?
        } else {
            let question =
                RawQuestion::new(&query.select, &query.order, limits, self.text, &scope)?;
            let nested = source.rows.is_some();
            question.run(&mut batches, filter.as_ref(), nested, &self.budget)?
        };
        Ok(Table::Rows(rows))
    }

    fn aggregated(
        &mut self,
        query: &'c Query,
        window: &TimeWindow,
        scope: &Scope,
        filter: Option<&CompiledExpr>,
        (limit, offset): (usize, usize),
    ) -> Result<Table, NrqlError> {
        let metrics = matches!(&query.from, From::EventTypes(types)
            if types.iter().any(|name| name.text == METRIC));
        let plan = plan::plan(query, self.text, scope, metrics)?;
        if plan.leaves.iter().any(|leaf| leaf.kind == super::aggregate::Kind::CountPoints) {
            self.remark(COUNT_POINTS);
        }
        let buckets = query.timeseries.as_ref();
        let buckets = buckets.map(|series| Buckets::of(series, window)).transpose()?;
        let mut window = window.clone();
        if let Some(buckets) = &buckets {
            window.begin.0 = buckets.begin;
        }
        let question = Question { plan: &plan, filter, limit, offset };
        let back = query.compare_with.as_ref().map(|compare| time::amount_ms(compare.amount));
        let (lines, previous) = match &query.facet {
            None => self.plain(query, scope, &question, &window, buckets, back)?,
            Some(facet) => self.faceted(query, facet, scope, &question, &window, buckets, back)?,
        };
        let series = buckets.is_some();
        Ok(Table::Aggregated(Box::new(Aggregated { plan, lines, previous, series, window })))
    }

    fn plain(
        &mut self,
        query: &'c Query,
        scope: &Scope,
        question: &Question<'_>,
        window: &TimeWindow,
        buckets: Option<Buckets>,
        back: Option<i64>,
    ) -> Result<(Lines, Option<Lines>), NrqlError> {
        let mut over = |window: &TimeWindow, buckets| {
            let source = self.source(query, window, scope)?;
            let mut batches = self.batches(&source, window);
            let lines = question.plain(&mut batches, window, buckets, &self.budget)?;
            Ok(Lines { lines, ..Lines::default() })
        };
        let present = over(window, buckets)?;
        let previous = back
            .map(|back| over(&moved(window, -back), buckets.map(|buckets| buckets.moved(-back))));
        Ok((present, previous.transpose()?))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one query")]
    fn faceted(
        &mut self,
        query: &'c Query,
        facet: &Facet,
        scope: &Scope,
        question: &Question<'_>,
        window: &TimeWindow,
        buckets: Option<Buckets>,
        back: Option<i64>,
    ) -> Result<(Lines, Option<Lines>), NrqlError> {
        let source = self.source(query, window, scope)?;
        let grouper = Grouper::new(plan::facets(facet, scope)?);
        let (mut chosen, mut lines) = {
            let mut batches = self.batches(&source, window);
            let at_once = buckets.is_none();
            question.choose(grouper, &mut batches, window, at_once, &self.budget)?
        };
        if buckets.is_some() {
            lines = self.chosen(&source, question, &mut chosen, window, buckets)?;
        }
        let Some(back) = back else { return Ok((lines, None)) };
        let window = moved(window, -back);
        let buckets = buckets.map(|buckets| buckets.moved(-back));
        let source = self.source(query, &window, scope)?;
        let previous = self.chosen(&source, question, &mut chosen, &window, buckets)?;
        Ok((lines, Some(previous)))
    }

    fn chosen(
        &self,
        source: &Source<'c>,
        question: &Question<'_>,
        chosen: &mut Chosen,
        window: &TimeWindow,
        buckets: Option<Buckets>,
    ) -> Result<Lines, NrqlError> {
        let mut batches = self.batches(source, window);
        question.chosen(chosen, &mut batches, window, buckets, &self.budget)
    }

    /// LIMIT and OFFSET, or what holds without them.
    fn limit_and_offset(
        &mut self,
        query: &Query,
        place: Place,
    ) -> Result<(usize, usize), NrqlError> {
        let most = self.budget.limits().results_max;
        let default =
            if query.facet.is_some() || place == Place::Join { FACET_LIMIT } else { RAW_LIMIT };
        let rows = match &query.limit {
            None => default,
            Some(Limit::Max) => most,
            Some(Limit::Rows(rows)) => *rows,
            Some(Limit::Template(name)) => return Err(template(name)),
        };
        if rows > most {
            self.remark(&format!("LIMIT {rows} is more than the maximum: {most} is used"));
        }
        let offset = query.offset.unwrap_or(0);
        if offset > OFFSET_MAX {
            return Err(limit(
                format!("OFFSET must not be greater than {OFFSET_MAX}"),
                "narrow the window instead",
            ));
        }
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok((whole(rows.min(most)), whole(offset)))
    }

    /// What expressions of `query` see: zone, bindings, answers of sub-queries.
    fn scope(&mut self, query: &'c Query, window: &TimeWindow) -> Result<Scope, NrqlError> {
        let zone = match &query.timezone {
            Some(name) => Zone::named(name)?,
            None => Zone::utc(),
        };
        let mut scope = Scope::new(zone.0, self.context.now);
        for (subquery, is_set) in subqueries(query) {
            let value = self.subquery(subquery, is_set, window)?;
            scope.answer(subquery.clone(), value);
        }
        for binding in &query.bindings {
            if plan::has_aggregate(&binding.expr) {
                return Err(semantic(
                    "WITH … AS takes functions of one row, no aggregator function",
                ));
            }
            scope.bind(binding)?;
        }
        Ok(scope)
    }

    /// The value of a sub-query; of IN a list. Source: "Subqueries in NRQL".
    fn subquery(
        &mut self,
        query: &'c Query,
        is_set: bool,
        window: &TimeWindow,
    ) -> Result<Value, NrqlError> {
        if !self.subqueries.iter().any(|known| std::ptr::eq(*known, query)) {
            self.subqueries.push(query);
        }
        let most = self.budget.limits().subqueries_max;
        if self.subqueries.len() > most {
            return Err(limit(
                format!("A query may have at most {most} subqueries"),
                "use a nested aggregation or a JOIN instead",
            ));
        }
        if query.select.len() != 1 {
            return Err(semantic("A subquery must SELECT exactly one value"));
        }
        let window = self.own_window(query, window)?;
        let values = match self.select(query, &window, Place::Subquery)? {
            Table::Aggregated(table) => {
                let Aggregated { plan, lines, .. } = *table;
                let by_facet = is_set && !plan.facet_names.is_empty();
                let value = |line: &super::answer::Line| {
                    let from = if by_facet { &line.facet } else { &line.values };
                    from.first().map_or(Value::Null, super::answer::scalar)
                };
                lines.lines.iter().map(value).collect::<Vec<_>>()
            }
            Table::Rows(rows) => rows
                .into_iter()
                .map(|mut row| row.shift_remove_index(0).map_or(Value::Null, |(_, value)| value))
                .collect(),
        };
        if !is_set {
            return Ok(values.into_iter().next().unwrap_or(Value::Null));
        }
        let flat = values.into_iter().flat_map(|value| match value {
            Value::List(members) => members,
            other => vec![other],
        });
        let most = usize::try_from(self.budget.limits().results_max).unwrap_or(usize::MAX);
        Ok(Value::List(flat.take(most).collect()))
    }

    /// A sub-query's own SINCE and UNTIL, or the outer window.
    fn own_window(&self, query: &Query, outer: &TimeWindow) -> Result<TimeWindow, NrqlError> {
        if query.since.is_none() && query.until.is_none() {
            return Ok(outer.clone());
        }
        time::window(query, self.context.now)
    }

    fn source(
        &mut self,
        query: &'c Query,
        window: &TimeWindow,
        scope: &Scope,
    ) -> Result<Source<'c>, NrqlError> {
        let mut source = Source { events: Vec::new(), rows: None, sides: Vec::new(), wanted: None };
        match &query.from {
            // Without FROM there is one row, of nothing but what WITH binds.
            From::EventTypes(types) if types.is_empty() => {
                let now = Some(vec![self.context.now.0]);
                source.rows = Some(Batch::from_columns("", 1, now, []));
            }
            From::EventTypes(types) => {
                source.events = types.iter().map(|name| name.text.as_str()).collect();
                for name in &source.events {
                    if !self.event_types.iter().any(|known| known == name) {
                        self.event_types.push((*name).to_owned());
                    }
                }
            }
            From::Query(inner) => {
                let table = self.select(inner, window, Place::From)?;
                source.rows = Some(self.as_batch(table)?);
            }
            From::Lookup(name) => {
                return Err(semantic(format!("Lookup table '{}' does not exist", name.text)));
            }
        }
        for join in &query.joins {
            source.sides.push(self.side(join, window, scope)?);
        }
        if !source.sides.is_empty() {
            source.wanted = wanted(query);
        }
        Ok(source)
    }

    fn as_batch(&self, table: Table) -> Result<Batch<'static>, NrqlError> {
        let batch = match table {
            Table::Aggregated(table) => table.lines.into_batch(&table.plan, table.series),
            Table::Rows(rows) => Batch::from_rows("", &rows),
        };
        self.budget.hold(batch.len().saturating_mul(batch.names().len()).saturating_mul(32))?;
        Ok(batch)
    }

    fn side(
        &mut self,
        join: &'c Join,
        window: &TimeWindow,
        scope: &Scope,
    ) -> Result<Side, NrqlError> {
        let ExprKind::Attribute { name, .. } = &join.right_key.kind else {
            return Err(semantic(
                "The right side of a JOIN condition must be an identifier of the subquery",
            ));
        };
        let window = self.own_window(&join.query, window)?;
        let table = self.select(&join.query, &window, Place::Join)?;
        let right = self.as_batch(table)?;
        let key = expr::compile(join.left_key.as_ref().unwrap_or(&join.right_key), scope)?;
        Side::new(join.left, key, &right, name)
    }

    fn batches<'s>(&'s self, source: &'s Source<'c>, window: &TimeWindow) -> Batches<'s> {
        let base: Batches<'s> = match &source.rows {
            Some(batch) => Box::new((!batch.is_empty()).then(|| Ok(batch.clone())).into_iter()),
            None => Box::new(
                self.context
                    .store
                    .scan(self.context.accounts, &source.events, window.begin, window.end)
                    .map(Ok),
            ),
        };
        let events = source.rows.is_none();
        Box::new(base.map(move |batch| {
            let mut batch: Batch<'s> = batch?;
            if events {
                self.budget.inspect(batch.len())?;
            } else {
                self.budget.work(batch.len(), 1)?;
            }
            for side in &source.sides {
                batch = side.join(&batch, source.wanted.as_ref(), &self.budget)?;
            }
            Ok(batch)
        }))
    }
}

/// The remark that New Relic gives since `count(*)` counts values. Wording assumed.
const COUNT_POINTS: &str = "count(*) of Metric gives the sum of the count fields of gauge, \
                            summary and distribution data points; use datapointCount() to count \
                            data points";

fn moved(window: &TimeWindow, millis: i64) -> TimeWindow {
    TimeWindow {
        begin: window.begin.plus_millis(millis),
        end: window.end.plus_millis(millis),
        ..window.clone()
    }
}

pub(super) fn template(name: &str) -> NrqlError {
    semantic(format!("Template variable '{{{{{name}}}}}' has no value"))
}

fn is_keyset(query: &Query) -> bool {
    query.select.iter().any(|item| calls(&item.expr, "keyset"))
}

fn calls(expr: &Expr, function: &str) -> bool {
    matches!(&expr.kind, ExprKind::Call { name, .. } if name.eq_ignore_ascii_case(function))
}

/// Sub-queries of `query` itself, each with whether it stands in IN.
fn subqueries(query: &Query) -> Vec<(&Query, bool)> {
    let mut found = Vec::new();
    for expr in expressions(query) {
        collect(expr, &mut found);
    }
    found
}

/// All expressions of `query` itself.
fn expressions(query: &Query) -> Vec<&Expr> {
    let mut all: Vec<&Expr> = query.bindings.iter().map(|binding| &binding.expr).collect();
    all.extend(query.select.iter().map(|item: &SelectItem| &item.expr));
    all.extend(&query.filter);
    all.extend(query.order.iter().map(|order| &order.expr));
    if let Some(facet) = &query.facet {
        all.extend(facet.order.iter().map(|order| &order.expr));
        match &facet.by {
            FacetBy::Items(items) => all.extend(items.iter().map(|item| &item.expr)),
            FacetBy::Cases(cases) => {
                all.extend(cases.branches.iter().map(|case| &case.condition));
                all.extend(&cases.other);
            }
        }
    }
    for join in &query.joins {
        all.extend(&join.left_key);
        all.push(&join.right_key);
    }
    all
}

fn collect<'q>(expr: &'q Expr, into: &mut Vec<(&'q Query, bool)>) {
    match &expr.kind {
        ExprKind::Subquery(query) => into.push((query, false)),
        ExprKind::In { set: InSet::Query(query), .. } => into.push((query, true)),
        _ => {}
    }
    walk::children(expr, &mut |child| collect(child, into));
}

/// The attributes that `query` reads; `None`: all.
fn wanted(query: &Query) -> Option<BTreeSet<String>> {
    let all = expressions(query);
    let reads_all = |expr: &&Expr| {
        rewrite::any(expr, &|expr| match &expr.kind {
            ExprKind::Call { name, arguments } => {
                let reads = ["keyset", "cardinality", "bytecountestimate", "dimensions"];
                // Their names need not be written out: `getField(metric, count)`, `count(*)`.
                reads.iter().any(|known| name.eq_ignore_ascii_case(known))
                    || name.eq_ignore_ascii_case("bucketPercentile")
                    || (name.eq_ignore_ascii_case("count")
                        && arguments.iter().any(|argument| {
                            matches!(&argument.value, ArgumentValue::Expr(expr)
                                if expr.kind == ExprKind::Star)
                        })
                        && matches!(&query.from, From::EventTypes(types)
                            if types.iter().any(|name| name.text == METRIC)))
            }
            _ => false,
        })
    };
    let star = query.select.iter().any(|item| item.expr.kind == ExprKind::Star);
    if star || all.iter().any(reads_all) {
        return None;
    }
    let mut names = BTreeSet::new();
    for expr in all {
        rewrite::attributes(expr, &mut names);
    }
    Some(names)
}

/// Clauses in the wrong company.
fn check(query: &Query, place: Place) -> Result<(), NrqlError> {
    let aggregated = plan::aggregates(query);
    let outer_only = query.compare_with.is_some()
        || (place == Place::From && (query.since.is_some() || query.until.is_some()));
    match place {
        Place::From if outer_only => {
            return Err(semantic(
                "SINCE, UNTIL and COMPARE WITH can only be used at the outermost level of a \
                 nested query",
            ));
        }
        Place::Subquery | Place::Join
            if query.timeseries.is_some() || query.compare_with.is_some() =>
        {
            return Err(semantic("TIMESERIES and COMPARE WITH are not supported in a subquery"));
        }
        Place::Join => check_joined(query)?,
        Place::Top | Place::From | Place::Subquery => {}
    }
    if let Some(name) = query.select.iter().find_map(|item| match &item.expr.kind {
        ExprKind::Template(name) => Some(name),
        _ => None,
    }) {
        return Err(template(name));
    }
    let mut captures = 0;
    for expr in expressions(query) {
        walk::each(expr, &mut |expr| captures += usize::from(calls(expr, "capture")));
    }
    if captures > CAPTURES_MAX {
        return Err(limit(
            format!("A query may have at most {CAPTURES_MAX} calls of capture()"),
            "capture several groups with one pattern, and name them with WITH … AS (a, b)",
        ));
    }
    if aggregated {
        if query.select.iter().any(|item| item.expr.kind == ExprKind::Star) {
            return Err(semantic("SELECT * cannot be combined with aggregator functions"));
        }
        if query.facet.is_none() && !query.order.is_empty() {
            return Err(semantic("ORDER BY requires FACET when aggregator functions are selected"));
        }
        return Ok(());
    }
    let clause = [
        (query.facet.is_some(), "FACET"),
        (query.timeseries.is_some(), "TIMESERIES"),
        (query.compare_with.is_some(), "COMPARE WITH"),
    ];
    match clause.iter().find(|(given, _)| *given) {
        Some((_, clause)) => {
            Err(semantic(format!("{clause} requires an aggregator function in SELECT")))
        }
        None if is_keyset(query) && query.select.len() > 1 => {
            Err(semantic("keyset() cannot be combined with other selected values"))
        }
        None => Ok(()),
    }
}

fn check_joined(query: &Query) -> Result<(), NrqlError> {
    if query.select.iter().any(|item| item.expr.kind == ExprKind::Star) {
        return Err(semantic("SELECT * is not supported in a joined subquery"));
    }
    if query.select.iter().any(|item| calls(&item.expr, "uniques")) {
        return Err(semantic("uniques() is not supported in a joined subquery"));
    }
    Ok(())
}

/// Rows as maps, for results that are no events.
pub(super) fn row<const N: usize>(members: [(&str, Value); N]) -> Row {
    members.into_iter().map(|(key, value)| (key.into(), value)).collect::<IndexMap<_, _>>()
}
