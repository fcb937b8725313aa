//! Random trees that some text could have given.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::nrql::Span;
use crate::nrql::ast::{
    Amount, Argument, ArgumentValue, Binding, BucketWidth, Case, Cases, CompareWith, Expr,
    ExprKind, Facet, FacetBy, From, InSet, IsState, Join, Limit, Name, Operator, OrderItem, Query,
    SelectItem, Statement, TimeExpr, TimeKind, TimeUnit, Timeseries,
};

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn name(text: String) -> Name {
    Name { text, span: Span::default() }
}

fn unquoted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_][a-z0-9_]{0,6}",
        "[a-z]{1,3}(\\.[a-z0-9_]{1,4}){1,2}",
        select(vec!["raw", "limits", "a.in.b", "x.select", "größe", "名", "day", "ago", "left"])
            .prop_map(str::to_owned),
    ]
    .prop_filter("no keyword", |word| {
        let literal = ["null", "true", "false"].contains(&word.as_str());
        !literal && !super::super::is_hard_keyword(word)
    })
}

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z .'/-]{1,8}", Just("select".to_owned()), Just("ünï \"x\"".to_owned())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z%_ .-]{0,8}", "[a-z'\"\\\\{}()\n-]{0,6}", Just("{{x}} 🙂".to_owned())]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.*+?()]{0,6}", "([a-z]|\\\\[a-z'\"\\\\]){0,4}", "[a-z']{0,4}"]
}

fn template() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z][a-z.]{0,5}", "[{][a-z]{1,4}[}]", " [a-z]{1,4} "]
}

fn amount() -> impl Strategy<Value = Amount> {
    let units = vec![
        TimeUnit::Millisecond,
        TimeUnit::Second,
        TimeUnit::Minute,
        TimeUnit::Hour,
        TimeUnit::Day,
        TimeUnit::Week,
        TimeUnit::Month,
        TimeUnit::Quarter,
        TimeUnit::Year,
    ];
    let counts = vec![1.0, 2.0, 30.0, 1.5, 0.25, 1e9];
    (select(counts), select(units)).prop_map(|(count, unit)| Amount { count, unit })
}

fn leaf() -> impl Strategy<Value = Expr> {
    prop_oneof![
        Just(ExprKind::Star),
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Bool),
        (0..=i64::MAX).prop_map(ExprKind::Integer),
        (0_i64..100).prop_map(ExprKind::Integer),
        (0.0..1e18_f64).prop_map(ExprKind::Number),
        Just(ExprKind::Number(1e300)),
        Just(ExprKind::Number(2.0)),
        text().prop_map(ExprKind::Text),
        pattern().prop_map(ExprKind::Regex),
        template().prop_map(ExprKind::Template),
        unquoted().prop_map(|name| ExprKind::Attribute { name, quoted: false }),
        quoted().prop_map(|name| ExprKind::Attribute { name, quoted: true }),
    ]
    .prop_map(expr)
}

fn operator() -> impl Strategy<Value = Operator> {
    select(vec![
        Operator::Or,
        Operator::And,
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::Add,
        Operator::Subtract,
        Operator::Multiply,
        Operator::Divide,
        Operator::Remainder,
        Operator::Power,
    ])
}

fn case(condition: impl Strategy<Value = Expr>) -> impl Strategy<Value = Case> {
    (condition, option::of(text())).prop_map(|(condition, label)| Case { condition, label })
}

fn argument(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Argument> {
    let value = prop_oneof![
        4 => inner.clone().prop_map(ArgumentValue::Expr),
        1 => case(inner.clone()).prop_map(ArgumentValue::Where),
        1 => amount().prop_map(ArgumentValue::Amount),
        1 => inner.prop_map(ArgumentValue::Other),
    ];
    (option::weighted(0.2, "[a-z]{1,5}"), value)
        .prop_map(|(label, value)| Argument { name: label.map(name), value })
}

fn branch(inner: BoxedStrategy<Expr>, depth: u32) -> BoxedStrategy<Expr> {
    let one = || inner.clone().prop_map(Box::new);
    let call = ("[a-z]{2,8}", vec(argument(inner.clone()), 0..4))
        .prop_filter("cases have a form of their own", |(name, _)| {
            name != "cases" && !super::super::is_hard_keyword(name)
        })
        .prop_map(|(name, arguments)| ExprKind::Call { name, arguments });
    let states = vec![IsState::Null, IsState::True, IsState::False];
    let flat = prop_oneof![
        4 => (operator(), one(), one())
            .prop_map(|(operator, left, right)| ExprKind::Binary { operator, left, right }),
        4 => call,
        1 => one().prop_map(ExprKind::Negate),
        1 => one().prop_map(ExprKind::Not),
        1 => (any::<bool>(), one(), vec(inner.clone(), 1..4)).prop_map(
            |(negated, operand, values)| {
                // Alone and bare, a template is a whole list of values.
                ExprKind::In { negated, operand, set: InSet::Values(values) }
            }
        ),
        1 => (any::<bool>(), one(), one())
            .prop_map(|(negated, operand, pattern)| ExprKind::Like { negated, operand, pattern }),
        1 => (any::<bool>(), one(), one())
            .prop_map(|(negated, operand, pattern)| ExprKind::Rlike { negated, operand, pattern }),
        1 => (any::<bool>(), one(), select(states))
            .prop_map(|(negated, operand, state)| ExprKind::Is { negated, operand, state }),
        1 => (one(), one()).prop_map(|(operand, index)| ExprKind::Index { operand, index }),
        1 => vec(inner.clone(), 0..3).prop_map(ExprKind::List),
    ]
    .prop_map(expr);
    if depth == 0 {
        return flat.boxed();
    }
    let inner_query = || query(depth - 1).prop_map(Box::new);
    let sub_query = inner_query().prop_map(|query| expr(ExprKind::Subquery(query)));
    let member = (any::<bool>(), one(), inner_query()).prop_map(|(negated, operand, query)| {
        expr(ExprKind::In { negated, operand, set: InSet::Query(query) })
    });
    prop_oneof![20 => flat, 1 => sub_query, 1 => member].boxed()
}

fn expression(depth: u32) -> BoxedStrategy<Expr> {
    leaf().prop_recursive(4, 24, 4, move |inner| branch(inner, depth)).boxed()
}

fn item(depth: u32) -> impl Strategy<Value = SelectItem> {
    (expression(depth), option::of(text()))
        .prop_map(|(expr, alias)| SelectItem { expr, alias: alias.map(name) })
}

fn moment() -> impl Strategy<Value = TimeExpr> {
    let days = select(vec!["today", "yesterday", "friday", "this week", "last hour"]);
    let day = prop_oneof![
        vec(amount(), 1..3).prop_map(TimeKind::Ago),
        days.prop_map(|day| TimeKind::Named(day.to_owned())),
    ];
    prop_oneof![
        Just(TimeKind::Now),
        day.clone(),
        (day, text()).prop_map(|(day, time)| TimeKind::At { day: Box::new(day), time }),
        (0..i64::MAX).prop_map(TimeKind::Epoch),
        text().prop_map(TimeKind::Text),
        template().prop_map(TimeKind::Template),
    ]
    .prop_map(|kind| TimeExpr { kind, span: Span::default() })
}

fn width() -> impl Strategy<Value = BucketWidth> {
    prop_oneof![
        Just(BucketWidth::Auto),
        Just(BucketWidth::Max),
        amount().prop_map(BucketWidth::Fixed),
        template().prop_map(BucketWidth::Template),
    ]
}

fn timeseries() -> impl Strategy<Value = Timeseries> {
    (width(), option::of(width())).prop_map(|(width, slide_by)| Timeseries {
        width,
        slide_by,
        span: Span::default(),
    })
}

fn order(depth: u32) -> impl Strategy<Value = OrderItem> {
    (expression(depth), any::<bool>()).prop_map(|(expr, descending)| OrderItem { expr, descending })
}

fn facet(depth: u32) -> impl Strategy<Value = Facet> {
    let cases = (vec(case(expression(0)), 1..4), option::of(leaf()))
        .prop_map(|(branches, other)| FacetBy::Cases(Cases { branches, other }));
    let by = prop_oneof![vec(item(0), 1..6).prop_map(FacetBy::Items), cases];
    (by, option::of(order(depth))).prop_map(|(by, order)| Facet { by, order })
}

fn source(depth: u32) -> BoxedStrategy<From> {
    let table = prop_oneof![unquoted(), quoted(), Just("{{type}}".to_owned())].prop_map(name);
    let types = vec(table.clone(), 1..4)
        .prop_filter("reads as a lookup", |names| names.iter().all(|name| name.text != "lookup"))
        .prop_map(From::EventTypes);
    if depth == 0 {
        return types.boxed();
    }
    let nested = query(depth - 1).prop_map(|query| From::Query(Box::new(query)));
    prop_oneof![4 => types, 1 => table.prop_map(From::Lookup), 1 => nested].boxed()
}

fn join() -> impl Strategy<Value = Join> {
    (any::<bool>(), query(0), option::of(expression(0)), expression(0)).prop_map(
        |(left, query, left_key, right_key)| Join {
            left,
            query,
            left_key,
            right_key,
            span: Span::default(),
        },
    )
}

fn binding() -> impl Strategy<Value = Binding> {
    let names = vec(prop_oneof![unquoted(), quoted()].prop_map(name), 1..3);
    (expression(0), names).prop_map(|(expr, names)| Binding { expr, names })
}

fn joins(depth: u32) -> BoxedStrategy<Vec<Join>> {
    if depth == 0 { Just(Vec::new()).boxed() } else { vec(join(), 0..2).boxed() }
}

pub(super) fn query(depth: u32) -> BoxedStrategy<Query> {
    let limit = prop_oneof![
        any::<u32>().prop_map(|rows| Limit::Rows(rows.into())),
        Just(Limit::Max),
        template().prop_map(Limit::Template),
    ];
    let what = (
        vec(item(depth), 1..3),
        source(depth),
        joins(depth),
        vec(binding(), 0..2),
        option::of(expression(depth)),
        option::of(facet(0)),
        vec(order(0), 0..2),
    );
    let how = (
        option::of(limit),
        option::of(0..i64::MAX as u64),
        option::of(moment()),
        option::of(moment()),
        option::of(text()),
        option::of(amount()),
        option::of(timeseries()),
        any::<[bool; 2]>(),
        option::of(text()),
    );
    (what, how)
        .prop_map(|((select, from, joins, bindings, filter, facet, order), how)| {
            let (limit, offset, since, until, timezone, compare, timeseries, flags, format) = how;
            Query {
                explain: false,
                select,
                from,
                joins,
                bindings,
                filter,
                facet,
                order,
                limit,
                offset,
                since,
                until,
                timezone,
                compare_with: compare.map(|amount| CompareWith { amount, span: Span::default() }),
                timeseries,
                extrapolate: flags[0],
                raw: flags[1],
                metric_format: format,
                span: Span::default(),
            }
        })
        .boxed()
}

pub(super) fn statement() -> impl Strategy<Value = Statement> {
    let show = (option::of(moment()), option::of(moment()), option::of(text()))
        .prop_map(|(since, until, timezone)| Statement::ShowEventTypes { since, until, timezone });
    let select = (query(1), any::<bool>()).prop_map(|(mut query, explain)| {
        query.explain = explain;
        Statement::Select(Box::new(query))
    });
    prop_oneof![1 => show, 20 => select]
}
