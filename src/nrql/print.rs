//! Tree to text, in one form for every query that means the same.
//!
//! Invariant: parsing what is printed gives the same tree again. Parentheses stand only where
//! precedence asks for them; names are back-quoted only where they would read as something else.

use std::fmt::{self, Display, Formatter, Write as _};

use super::ast::{
    Amount, Argument, ArgumentValue, Binding, BucketWidth, Case, Cases, Expr, ExprKind, Facet,
    FacetBy, From, InSet, IsState, Join, Limit, Name, Operator, OrderItem, Query, SelectItem,
    Statement, TimeExpr, TimeKind, TimeUnit, Timeseries,
};
use super::lex;
use super::parse::{binding, is_hard_keyword};

/// The text of `expr` as it stands in `text`: what an un-aliased result is called.
pub fn expression_text<'a>(text: &'a str, expr: &Expr) -> &'a str {
    text.get(expr.span.start..expr.span.end).unwrap_or_default()
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Select(query) => query.fmt(f),
            Self::ShowEventTypes { since, until, timezone } => {
                f.write_str("SHOW EVENT TYPES")?;
                window(f, since.as_ref(), until.as_ref(), timezone.as_deref())
            }
        }
    }
}

fn window(
    f: &mut Formatter<'_>,
    since: Option<&TimeExpr>,
    until: Option<&TimeExpr>,
    timezone: Option<&str>,
) -> fmt::Result {
    if let Some(since) = since {
        write!(f, " SINCE {since}")?;
    }
    if let Some(until) = until {
        write!(f, " UNTIL {until}")?;
    }
    if let Some(timezone) = timezone {
        write!(f, " WITH TIMEZONE {}", Text(timezone))?;
    }
    Ok(())
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.explain {
            f.write_str("EXPLAIN ")?;
        }
        f.write_str("SELECT ")?;
        list(f, &self.select)?;
        if !matches!(&self.from, From::EventTypes(names) if names.is_empty()) {
            write!(f, " FROM {}", self.from)?;
        }
        for join in &self.joins {
            write!(f, " {join}")?;
        }
        if !self.bindings.is_empty() {
            f.write_str(" WITH ")?;
            list(f, &self.bindings)?;
        }
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        // Right behind FACET it would be the facet's own.
        if !self.order.is_empty() {
            f.write_str(" ORDER BY ")?;
            list(f, &self.order)?;
        }
        if let Some(facet) = &self.facet {
            write!(f, " FACET {facet}")?;
        }
        if let Some(limit) = &self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " OFFSET {offset}")?;
        }
        window(f, self.since.as_ref(), self.until.as_ref(), self.timezone.as_deref())?;
        if let Some(compare) = &self.compare_with {
            write!(f, " COMPARE WITH {} AGO", compare.amount)?;
        }
        if let Some(timeseries) = &self.timeseries {
            write!(f, " {timeseries}")?;
        }
        if self.extrapolate {
            f.write_str(" EXTRAPOLATE")?;
        }
        if self.raw {
            f.write_str(" RAW")?;
        }
        if let Some(pattern) = &self.metric_format {
            write!(f, " WITH METRIC_FORMAT {}", Text(pattern))?;
        }
        Ok(())
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl Display for From {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventTypes(names) => list(f, names),
            Self::Query(query) => write!(f, "({query})"),
            Self::Lookup(table) => write!(f, "lookup({table})"),
        }
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        identifier(f, &self.text, false)
    }
}

impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)?;
        match &self.alias {
            Some(alias) => write!(f, " AS {}", Text(&alias.text)),
            None => Ok(()),
        }
    }
}

impl Display for Join {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} JOIN ({}) ON ", if self.left { "LEFT" } else { "INNER" }, self.query)?;
        if let Some(left) = &self.left_key {
            Operand(left, binding::ADDITIVE).fmt(f)?;
            f.write_str(" = ")?;
        }
        Operand(&self.right_key, binding::ADDITIVE).fmt(f)
    }
}

impl Display for Binding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} AS ", self.expr)?;
        match self.names.as_slice() {
            [name] => name.fmt(f),
            names => {
                f.write_char('(')?;
                list(f, names)?;
                f.write_char(')')
            }
        }
    }
}

impl Display for Facet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.by {
            FacetBy::Items(items) => list(f, items)?,
            FacetBy::Cases(cases) => cases.fmt(f)?,
        }
        match &self.order {
            Some(order) => write!(f, " ORDER BY {order}"),
            None => Ok(()),
        }
    }
}

impl Display for Cases {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CASES (")?;
        for (at, case) in self.branches.iter().enumerate() {
            write!(f, "{}WHERE {case}", if at > 0 { ", " } else { "" })?;
        }
        if let Some(other) = &self.other {
            write!(f, ", OR {other}")?;
        }
        f.write_char(')')
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)?;
        match &self.label {
            Some(label) => write!(f, " AS {}", Text(label)),
            None => Ok(()),
        }
    }
}

impl Display for OrderItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, if self.descending { " DESC" } else { "" })
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => rows.fmt(f),
            Self::Max => f.write_str("MAX"),
            Self::Template(inner) => write!(f, "{{{{{inner}}}}}"),
        }
    }
}

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plural = (self.count - 1.0).abs() > f64::EPSILON;
        write!(f, "{} {}{}", self.count, self.unit.word(), if plural { "s" } else { "" })
    }
}

impl TimeUnit {
    /// In the singular, in lower case.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Millisecond => "millisecond",
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

impl Display for TimeExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Display for TimeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("NOW"),
            Self::Ago(amounts) => {
                for amount in amounts {
                    write!(f, "{amount} ")?;
                }
                f.write_str("AGO")
            }
            Self::At { day, time } => write!(f, "{day} AT {}", Text(time)),
            Self::Named(name) => f.write_str(name),
            Self::Epoch(number) => number.fmt(f),
            Self::Text(text) => Text(text).fmt(f),
            Self::Template(inner) => write!(f, "{{{{{inner}}}}}"),
        }
    }
}

impl Display for Timeseries {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "TIMESERIES {}", self.width)?;
        match &self.slide_by {
            Some(step) => write!(f, " SLIDE BY {step}"),
            None => Ok(()),
        }
    }
}

impl Display for BucketWidth {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("AUTO"),
            Self::Max => f.write_str("MAX"),
            Self::Fixed(amount) => amount.fmt(f),
            Self::Template(inner) => write!(f, "{{{{{inner}}}}}"),
        }
    }
}

impl Operator {
    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "^",
        }
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// How strongly the outermost operator of an expression binds.
fn strength(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Binary { operator, .. } => binding::of(*operator),
        ExprKind::In { .. }
        | ExprKind::Like { .. }
        | ExprKind::Rlike { .. }
        | ExprKind::Is { .. } => binding::COMPARISON,
        ExprKind::Not(_) => binding::NOT,
        ExprKind::Negate(_) => binding::NEGATE,
        _ => u8::MAX,
    }
}

/// An expression where only what binds at least so strongly may stand without parentheses.
struct Operand<'a>(&'a Expr, u8);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if strength(&self.0.kind) < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Display for ExprKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match self {
            Self::Star => f.write_char('*'),
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Self::Integer(number) => number.fmt(f),
            // The debug form keeps `2.0` a number with decimals.
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Text(text) => Text(text).fmt(f),
            Self::Regex(pattern) => regex(f, pattern),
            Self::Attribute { name, quoted } => identifier(f, name, *quoted),
            Self::Template(inner) => write!(f, "{{{{{inner}}}}}"),
            Self::Call { name, arguments } => {
                identifier(f, name, false)?;
                f.write_char('(')?;
                list(f, arguments)?;
                f.write_char(')')
            }
            Self::Negate(inner) => {
                // Two dashes in a row would begin a comment.
                let twice = matches!(inner.kind, Self::Negate(_));
                f.write_str(if twice { "- " } else { "-" })?;
                Operand(inner, binding::NEGATE).fmt(f)
            }
            Self::Not(inner) => write!(f, "NOT {}", Operand(inner, binding::NOT)),
            Self::Binary { operator, left, right } => binary(f, *operator, left, right),
            Self::In { negated, operand, set } => {
                write!(f, "{} {}IN ", Operand(operand, binding::ADDITIVE), not(negated))?;
                set.fmt(f)
            }
            Self::Like { negated, operand, pattern } => {
                let operand = Operand(operand, binding::ADDITIVE);
                let pattern = Operand(pattern, binding::ADDITIVE);
                write!(f, "{operand} {}LIKE {pattern}", not(negated))
            }
            Self::Rlike { negated, operand, pattern } => {
                let operand = Operand(operand, binding::ADDITIVE);
                let pattern = Operand(pattern, binding::ADDITIVE);
                write!(f, "{operand} {}RLIKE {pattern}", not(negated))
            }
            Self::Is { negated, operand, state } => {
                let state = match state {
                    IsState::Null => "NULL",
                    IsState::True => "TRUE",
                    IsState::False => "FALSE",
                };
                write!(f, "{} IS {}{state}", Operand(operand, binding::ADDITIVE), not(negated))
            }
            Self::Index { operand, index } => {
                write!(f, "{}[{index}]", Operand(operand, binding::POSTFIX))
            }
            Self::List(members) => {
                f.write_char('[')?;
                list(f, members)?;
                f.write_char(']')
            }
            Self::Subquery(query) => write!(f, "({query})"),
        }
    }
}

fn binary(f: &mut Formatter<'_>, operator: Operator, left: &Expr, right: &Expr) -> fmt::Result {
    let own = binding::of(operator);
    // Comparisons do not chain, so both sides of one must bind stronger; the others lean left.
    let left_least = if own == binding::COMPARISON { own + 1 } else { own };
    // `NOT a` and `-a` take all that binds as strongly as they do: on the left they need help only
    // when the operator binds stronger, which `Operand` sees.
    write!(f, "{} {operator} {}", Operand(left, left_least), Operand(right, own + 1))
}

impl Display for InSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(query) => write!(f, "({query})"),
            Self::Values(values) => {
                f.write_char('(')?;
                list(f, values)?;
                f.write_char(')')
            }
        }
    }
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{}: ", name.text)?;
        }
        match &self.value {
            ArgumentValue::Expr(expr) => expr.fmt(f),
            ArgumentValue::Where(case) => write!(f, "WHERE {case}"),
            ArgumentValue::Amount(amount) => amount.fmt(f),
            ArgumentValue::Other(other) => write!(f, "OR {other}"),
        }
    }
}

/// A text in single quotes.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for c in self.0.chars() {
            match c {
                '\'' | '\\' => write!(f, "\\{c}")?,
                // A query stays on its line.
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('\'')
    }
}

/// A pattern: whichever quote it does not hold.
fn regex(f: &mut Formatter<'_>, pattern: &str) -> fmt::Result {
    let mut escaped = false;
    let mut single = false;
    for c in pattern.chars() {
        single |= c == '\'' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    let quote = if single { '"' } else { '\'' };
    write!(f, "r{quote}{pattern}{quote}")
}

/// A name; in back-quotes where it had them or would read as something else without.
fn identifier(f: &mut Formatter<'_>, name: &str, quoted: bool) -> fmt::Result {
    if quoted || !reads_as_name(name) { write!(f, "`{name}`") } else { f.write_str(name) }
}

fn reads_as_name(name: &str) -> bool {
    let literal = ["null", "true", "false"].iter().any(|word| word.eq_ignore_ascii_case(name));
    if literal || is_hard_keyword(name) {
        return false;
    }
    if name.contains("{{") || lex::is_wildcard(name) {
        return true;
    }
    let whole = name.chars().next().is_some_and(lex::begins_word);
    whole && name.split('.').all(|part| !part.is_empty() && part.chars().all(lex::continues_word))
}
