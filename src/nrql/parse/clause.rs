//! Statements, queries and their clauses.

use super::{Parser, Symbol, Tall, TokenKind, is_hard_keyword};
use crate::nrql::ast::{
    Binding, BucketWidth, Case, Cases, CompareWith, Expr, ExprKind, Facet, FacetBy, From, Join,
    Limit, Name, Operator, OrderItem, Query, SelectItem, Statement, TimeExpr, Timeseries,
};
use crate::nrql::error::{NrqlError, Span};

/// Most attributes after FACET. Source: "NRQL reference", FACET clause.
const FACETS_MAX: usize = 5;

/// A query that is being read.
#[derive(Default)]
struct Draft {
    select: Option<Vec<SelectItem>>,
    from: Option<From>,
    joins: Vec<Join>,
    bindings: Vec<Binding>,
    filter: Option<Expr>,
    facet: Option<Facet>,
    order: Vec<OrderItem>,
    limited: bool,
    limit: Option<Limit>,
    offset: Option<u64>,
    since: Option<TimeExpr>,
    until: Option<TimeExpr>,
    timezone: Option<String>,
    compare_with: Option<CompareWith>,
    timeseries: Option<Timeseries>,
    extrapolate: bool,
    raw: bool,
    metric_format: Option<String>,
    /// Of the highest tree so far.
    height: usize,
    filter_height: usize,
}

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Result<Statement, NrqlError> {
        if self.is_word("SHOW") {
            return self.show_event_types();
        }
        let start = self.span().start;
        let explain = self.eat_word("EXPLAIN");
        let mut query = self.query()?.node;
        query.explain = explain;
        query.span.start = start;
        Ok(Statement::Select(Box::new(query)))
    }

    fn show_event_types(&mut self) -> Result<Statement, NrqlError> {
        self.next();
        self.expect_word("EVENT")?;
        self.expect_word("TYPES")?;
        let (mut since, mut until, mut timezone) = (None, None, None);
        loop {
            if since.is_none() && self.eat_word("SINCE") {
                since = Some(self.moment()?);
            } else if until.is_none() && self.eat_word("UNTIL") {
                until = Some(self.moment()?);
            } else if timezone.is_none() && self.is_word("WITH") && self.is_word_at(1, "TIMEZONE") {
                self.next();
                self.next();
                timezone = Some(self.text_literal("a time zone in quotes")?);
            } else {
                break;
            }
        }
        match self.peek() {
            TokenKind::End | TokenKind::Symbol(Symbol::Semicolon) => {
                Ok(Statement::ShowEventTypes { since, until, timezone })
            }
            _ => Err(self.unexpected("SINCE, UNTIL, WITH TIMEZONE or the end of the query")),
        }
    }

    /// A query without the parentheses that may stand around it.
    pub(super) fn query(&mut self) -> Result<Tall<Query>, NrqlError> {
        let start = self.span().start;
        if !["SELECT", "FROM", "WITH"].iter().any(|first| self.is_word(first)) {
            return Err(self.unexpected("SELECT or FROM"));
        }
        let mut draft = Draft::default();
        while self.clause(&mut draft)? {}
        let Some(select) = draft.select else {
            return Err(self.unexpected("SELECT"));
        };
        // `WITH '{…}' AS json SELECT jparse(json)` reads no events. Source: "NRQL reference", jparse.
        let constant = (!draft.bindings.is_empty()).then(|| From::EventTypes(Vec::new()));
        let Some(from) = draft.from.or(constant) else {
            return Err(self.unexpected("FROM"));
        };
        let query = Query {
            explain: false,
            select,
            from,
            joins: draft.joins,
            bindings: draft.bindings,
            filter: draft.filter,
            facet: draft.facet,
            order: draft.order,
            limit: draft.limit,
            offset: draft.offset,
            since: draft.since,
            until: draft.until,
            timezone: draft.timezone,
            compare_with: draft.compare_with,
            timeseries: draft.timeseries,
            extrapolate: draft.extrapolate,
            raw: draft.raw,
            metric_format: draft.metric_format,
            span: Span { start, end: self.last_end() },
        };
        Ok(Tall { node: query, height: self.grown(draft.height)? })
    }

    /// Reads one clause; false where none begins.
    fn clause(&mut self, draft: &mut Draft) -> Result<bool, NrqlError> {
        let Some(word) = self.word() else { return Ok(false) };
        let word = word.to_ascii_uppercase();
        match word.as_str() {
            "SELECT" if draft.select.is_none() => {
                self.next();
                draft.select = Some(self.items("an attribute, a function or *", draft)?);
            }
            "FROM" if draft.from.is_none() => self.from(draft)?,
            "WITH" => self.with(draft)?,
            "WHERE" => self.filter(draft)?,
            "FACET" if draft.facet.is_none() => self.facet(draft)?,
            "ORDER" if draft.order.is_empty() => draft.order = self.order(draft)?,
            "LIMIT" if !draft.limited => {
                self.next();
                draft.limited = true;
                draft.limit = self.limit()?;
            }
            "OFFSET" if draft.offset.is_none() => {
                self.next();
                draft.offset = Some(self.whole("a number of rows")?);
            }
            "SINCE" if draft.since.is_none() => {
                self.next();
                draft.since = Some(self.moment()?);
            }
            "UNTIL" if draft.until.is_none() => {
                self.next();
                draft.until = Some(self.moment()?);
            }
            "COMPARE" if draft.compare_with.is_none() => {
                draft.compare_with = Some(self.compare_with()?);
            }
            "TIMESERIES" if draft.timeseries.is_none() => {
                draft.timeseries = Some(self.timeseries()?);
            }
            "EXTRAPOLATE" if !draft.extrapolate => {
                self.next();
                draft.extrapolate = true;
            }
            "RAW" if !draft.raw => {
                self.next();
                draft.raw = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Expressions with aliases.
    fn items(&mut self, what: &str, draft: &mut Draft) -> Result<Vec<SelectItem>, NrqlError> {
        let mut items = Vec::new();
        loop {
            let expr = self.expr(what)?;
            draft.height = draft.height.max(expr.height);
            let alias = if self.eat_word("AS") { Some(self.alias()?) } else { None };
            items.push(SelectItem { expr: expr.node, alias });
            if !self.eat(Symbol::Comma) {
                return Ok(items);
            }
        }
    }

    /// What may stand after AS: a text or a name.
    pub(super) fn alias(&mut self) -> Result<Name, NrqlError> {
        let span = self.span();
        let text = match self.peek() {
            TokenKind::Text(text) | TokenKind::Quoted(text) => text.clone(),
            TokenKind::Template(inner) => format!("{{{{{inner}}}}}"),
            TokenKind::Word if !self.word().is_none_or(is_hard_keyword) => {
                self.word().unwrap_or_default().to_owned()
            }
            _ => return Err(self.unexpected("a label in single quotes")),
        };
        self.next();
        Ok(Name { text, span })
    }

    /// A name that is no text: an event type or a name bound by WITH.
    fn name(&mut self, what: &str) -> Result<Name, NrqlError> {
        let span = self.span();
        let text = match self.peek() {
            TokenKind::Quoted(text) => text.clone(),
            TokenKind::Template(inner) => format!("{{{{{inner}}}}}"),
            TokenKind::Word if !self.word().is_none_or(is_hard_keyword) => {
                self.word().unwrap_or_default().to_owned()
            }
            _ => return Err(self.unexpected(what)),
        };
        self.next();
        Ok(Name { text, span })
    }

    pub(super) fn text_literal(&mut self, what: &str) -> Result<String, NrqlError> {
        let TokenKind::Text(text) = self.peek() else { return Err(self.unexpected(what)) };
        let text = text.clone();
        self.next();
        Ok(text)
    }

    fn from(&mut self, draft: &mut Draft) -> Result<(), NrqlError> {
        self.next();
        if self.subquery_at(0) {
            let query = self.subquery()?;
            draft.height = draft.height.max(query.height);
            draft.from = Some(From::Query(Box::new(query.node)));
        } else if self.is_word("lookup") && self.is_symbol_at(1, Symbol::Open) {
            self.next();
            self.open(Symbol::Open, "(")?;
            let table = self.alias()?;
            self.close(Symbol::Close, ")")?;
            draft.from = Some(From::Lookup(table));
        } else {
            let mut names = vec![self.name("an event type")?];
            while self.eat(Symbol::Comma) {
                names.push(self.name("an event type")?);
            }
            draft.from = Some(From::EventTypes(names));
        }
        while let Some(join) = self.join(draft)? {
            draft.joins.push(join);
        }
        Ok(())
    }

    /// `[INNER | LEFT] JOIN (…) ON [left =] right`, if it begins here.
    fn join(&mut self, draft: &mut Draft) -> Result<Option<Join>, NrqlError> {
        let start = self.span().start;
        let kind = self.is_word("LEFT") || self.is_word("INNER");
        if !(self.is_word("JOIN") || kind && self.is_word_at(1, "JOIN")) {
            return Ok(None);
        }
        let left = self.is_word("LEFT");
        if kind {
            self.next();
        }
        self.next();
        let query = self.subquery()?;
        self.expect_word("ON")?;
        let key = self.key()?;
        draft.height = draft.height.max(query.height).max(key.height);
        let (left_key, right_key) = if self.eat(Symbol::Equal) {
            let right = self.key()?;
            draft.height = draft.height.max(right.height);
            (Some(key.node), right.node)
        } else {
            (None, key.node)
        };
        let span = Span { start, end: self.last_end() };
        Ok(Some(Join { left, query: query.node, left_key, right_key, span }))
    }

    fn with(&mut self, draft: &mut Draft) -> Result<(), NrqlError> {
        let text_follows = matches!(self.ahead(2).map(|t| &t.kind), Some(TokenKind::Text(_)));
        if draft.timezone.is_none() && self.is_word_at(1, "TIMEZONE") && text_follows {
            self.next();
            self.next();
            draft.timezone = Some(self.text_literal("a time zone in quotes")?);
            return Ok(());
        }
        if draft.metric_format.is_none() && self.is_word_at(1, "METRIC_FORMAT") && text_follows {
            self.next();
            self.next();
            draft.metric_format = Some(self.text_literal("a pattern in quotes")?);
            return Ok(());
        }
        if self.is_word_at(1, "TIMEZONE") && !self.is_word_at(2, "AS") && draft.timezone.is_none() {
            self.next();
            self.next();
            return Err(self.unexpected("a time zone in quotes, as in 'Europe/Berlin'"));
        }
        if !draft.bindings.is_empty() || draft.timezone.is_some() && self.is_word_at(1, "TIMEZONE")
        {
            return Err(self
                .unexpected("another clause")
                .with_help("one WITH is allowed: write further names after a comma"));
        }
        self.next();
        loop {
            let expr = self.expr("an expression to name, or TIMEZONE 'Zone/Id'")?;
            draft.height = draft.height.max(expr.height);
            self.expect_word("AS")?;
            let names = self.bound_names()?;
            draft.bindings.push(Binding { expr: expr.node, names });
            if !self.eat(Symbol::Comma) {
                return Ok(());
            }
        }
    }

    fn bound_names(&mut self) -> Result<Vec<Name>, NrqlError> {
        if !self.is_symbol_at(0, Symbol::Open) {
            return Ok(vec![self.alias()?]);
        }
        self.open(Symbol::Open, "(")?;
        let mut names = vec![self.alias()?];
        while self.eat(Symbol::Comma) {
            names.push(self.alias()?);
        }
        self.close(Symbol::Close, ")")?;
        Ok(names)
    }

    /// Several WHERE clauses hold together.
    fn filter(&mut self, draft: &mut Draft) -> Result<(), NrqlError> {
        self.next();
        let expr = self.expr("a condition")?;
        let (filter, height) = match draft.filter.take() {
            None => (expr.node, expr.height),
            Some(left) => {
                let span = Span { start: left.span.start, end: expr.node.span.end };
                let height = self.grown(expr.height.max(draft.filter_height))?;
                let (left, right) = (Box::new(left), Box::new(expr.node));
                let kind = ExprKind::Binary { operator: Operator::And, left, right };
                (Expr { kind, span }, height)
            }
        };
        draft.filter = Some(filter);
        draft.filter_height = height;
        draft.height = draft.height.max(height);
        Ok(())
    }

    fn facet(&mut self, draft: &mut Draft) -> Result<(), NrqlError> {
        let start = self.span().start;
        self.next();
        let items = self.items("an attribute, a function or CASES (…)", draft)?;
        if items.len() > FACETS_MAX {
            let span = Span { start, end: self.last_end() };
            let message =
                format!("FACET takes at most {FACETS_MAX} attributes, not {}", items.len());
            let error = NrqlError::semantic(message, span);
            return Err(error.with_help("join attributes, as in concat(a, '/', b)"));
        }
        let by = match cases_of(items) {
            Ok(cases) => FacetBy::Cases(cases),
            Err(items) => FacetBy::Items(items),
        };
        let order = if self.is_word("ORDER") { self.order_items(draft, 1)?.pop() } else { None };
        draft.facet = Some(Facet { by, order });
        Ok(())
    }

    fn order(&mut self, draft: &mut Draft) -> Result<Vec<OrderItem>, NrqlError> {
        self.order_items(draft, usize::MAX)
    }

    fn order_items(&mut self, draft: &mut Draft, max: usize) -> Result<Vec<OrderItem>, NrqlError> {
        self.expect_word("ORDER")?;
        self.expect_word("BY")?;
        let mut items = Vec::new();
        loop {
            let expr = self.expr("an attribute or a function")?;
            draft.height = draft.height.max(expr.height);
            let descending = self.eat_word("DESC");
            if !descending {
                self.eat_word("ASC");
            }
            items.push(OrderItem { expr: expr.node, descending });
            if items.len() >= max || !self.eat(Symbol::Comma) {
                return Ok(items);
            }
        }
    }

    /// After LIMIT; the documentation also allows no value at all, which is the default.
    fn limit(&mut self) -> Result<Option<Limit>, NrqlError> {
        if self.eat_word("MAX") {
            return Ok(Some(Limit::Max));
        }
        let limit = match self.peek() {
            TokenKind::Template(inner) => Limit::Template(inner.clone()),
            TokenKind::Integer(rows) => Limit::Rows(u64::try_from(*rows).unwrap_or(u64::MAX)),
            TokenKind::End => return Ok(None),
            TokenKind::Symbol(Symbol::Close | Symbol::Semicolon) => return Ok(None),
            TokenKind::Word if self.word().is_some_and(begins_clause) => return Ok(None),
            _ => return Err(self.unexpected("a number of rows or MAX")),
        };
        self.next();
        if self.is_symbol_at(0, Symbol::Comma) {
            return Err(self.unexpected("another clause").with_help("write LIMIT 10 OFFSET 20"));
        }
        Ok(Some(limit))
    }

    fn whole(&mut self, what: &str) -> Result<u64, NrqlError> {
        let TokenKind::Integer(number) = self.peek() else { return Err(self.unexpected(what)) };
        let number = u64::try_from(*number).unwrap_or_default();
        self.next();
        Ok(number)
    }

    fn compare_with(&mut self) -> Result<CompareWith, NrqlError> {
        let start = self.span().start;
        self.next();
        self.expect_word("WITH")?;
        let amount = self.amount("a length of time, as in COMPARE WITH 1 week ago")?;
        self.expect_word("AGO")?;
        Ok(CompareWith { amount, span: Span { start, end: self.last_end() } })
    }

    fn timeseries(&mut self) -> Result<Timeseries, NrqlError> {
        let start = self.span().start;
        self.next();
        let width = self.bucket_width()?.unwrap_or(BucketWidth::Auto);
        let slide_by = if self.is_word("SLIDE") {
            self.next();
            self.expect_word("BY")?;
            let Some(step) = self.bucket_width()? else {
                return Err(self.unexpected("a length of time, AUTO or MAX"));
            };
            Some(step)
        } else {
            None
        };
        Ok(Timeseries { width, slide_by, span: Span { start, end: self.last_end() } })
    }

    fn bucket_width(&mut self) -> Result<Option<BucketWidth>, NrqlError> {
        if self.eat_word("AUTO") {
            return Ok(Some(BucketWidth::Auto));
        }
        if self.eat_word("MAX") {
            return Ok(Some(BucketWidth::Max));
        }
        match self.peek() {
            TokenKind::Template(inner) => {
                let width = BucketWidth::Template(inner.clone());
                self.next();
                Ok(Some(width))
            }
            TokenKind::Integer(_) | TokenKind::Number(_) => {
                Ok(Some(BucketWidth::Fixed(self.amount("a length of time")?)))
            }
            _ => Ok(None),
        }
    }
}

/// Words that clauses begin with.
const CLAUSES: &[&str] = &[
    "SELECT",
    "FROM",
    "WITH",
    "WHERE",
    "FACET",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "SINCE",
    "UNTIL",
    "COMPARE",
    "TIMESERIES",
    "EXTRAPOLATE",
    "RAW",
];

pub(super) fn begins_clause(word: &str) -> bool {
    CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word))
}

/// The cases that are all of a FACET: `CASES (…)` or `CASES (…) OR other`; else the items back.
fn cases_of(mut items: Vec<SelectItem>) -> Result<Cases, Vec<SelectItem>> {
    let is_cases = |expr: &Expr| match &expr.kind {
        ExprKind::Call { name, arguments } => {
            name.eq_ignore_ascii_case("cases") && super::expr::are_cases(arguments)
        }
        _ => false,
    };
    let fits = items.len() == 1
        && items.first().is_some_and(|item| {
            item.alias.is_none()
                && match &item.expr.kind {
                    ExprKind::Binary { operator: Operator::Or, left, right } => {
                        is_cases(left) && !super::expr::has_other(left) && !is_cases(right)
                    }
                    _ => is_cases(&item.expr),
                }
        });
    let Some(item) = (if fits { items.pop() } else { None }) else { return Err(items) };
    let (call, outer) = match item.expr.kind {
        ExprKind::Binary { left, right, .. } => (left.kind, Some(*right)),
        kind => (kind, None),
    };
    let ExprKind::Call { arguments, .. } = call else { return Err(items) };
    let (branches, inner): (Vec<Case>, Option<Expr>) = super::expr::split_cases(arguments);
    Ok(Cases { branches, other: outer.or(inner) })
}
