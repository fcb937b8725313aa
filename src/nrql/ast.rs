//! The syntax tree of a query.
//!
//! Invariants: two trees are equal when they mean the same text, wherever it stood ([`Span`] never
//! counts); names are kept as written, without quotes.

use super::error::Span;

/// A whole text.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `SELECT … FROM …` in either order.
    Select(Box<Query>),
    /// `SHOW EVENT TYPES`.
    ShowEventTypes {
        /// `SINCE`.
        since: Option<TimeExpr>,
        /// `UNTIL`.
        until: Option<TimeExpr>,
        /// `WITH TIMEZONE`.
        timezone: Option<String>,
    },
}

/// One query; also a sub-query in FROM, JOIN, WHERE and SELECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Begins with `EXPLAIN`.
    pub explain: bool,
    /// After SELECT; never empty.
    pub select: Vec<SelectItem>,
    /// After FROM.
    pub from: From,
    /// `[INNER | LEFT] JOIN (…) ON …`, in order.
    pub joins: Vec<Join>,
    /// `WITH expression AS name`, in order; later ones see earlier ones.
    pub bindings: Vec<Binding>,
    /// After WHERE; several WHERE clauses are joined by AND.
    pub filter: Option<Expr>,
    /// After FACET.
    pub facet: Option<Facet>,
    /// `ORDER BY` outside FACET.
    pub order: Vec<OrderItem>,
    /// After LIMIT.
    pub limit: Option<Limit>,
    /// After OFFSET.
    pub offset: Option<u64>,
    /// After SINCE.
    pub since: Option<TimeExpr>,
    /// After UNTIL.
    pub until: Option<TimeExpr>,
    /// After WITH TIMEZONE.
    pub timezone: Option<String>,
    /// After COMPARE WITH.
    pub compare_with: Option<CompareWith>,
    /// After TIMESERIES.
    pub timeseries: Option<Timeseries>,
    /// `EXTRAPOLATE`.
    pub extrapolate: bool,
    /// `RAW`: no roll-ups of metrics.
    pub raw: bool,
    /// After WITH METRIC_FORMAT: how names of timeslice metrics are taken apart.
    pub metric_format: Option<String>,
    /// The whole query.
    pub span: Span,
}

/// What a query reads.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// Event types; back-quoted ones without their quotes. None at all beside WITH: the query
    /// reads no events, and its bindings make one row.
    EventTypes(Vec<Name>),
    /// The rows of another query.
    Query(Box<Query>),
    /// `lookup(name)`: a table that somebody uploaded.
    Lookup(Name),
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// Without quotes.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// One item after SELECT.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectItem {
    /// `*` is [`ExprKind::Star`].
    pub expr: Expr,
    /// After AS.
    pub alias: Option<Name>,
}

/// `[INNER | LEFT] JOIN (query) ON [left =] right`.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Whether rows without a partner stay.
    pub left: bool,
    /// The other side.
    pub query: Query,
    /// Key on the side of FROM; `None`: the same as `right_key`.
    pub left_key: Option<Expr>,
    /// Key among the columns of `query`.
    pub right_key: Expr,
    /// The clause.
    pub span: Span,
}

/// `WITH expression AS name` or `AS (a, b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The value; of several names each gets one member.
    pub expr: Expr,
    /// One or more.
    pub names: Vec<Name>,
}

/// After FACET.
#[derive(Debug, Clone, PartialEq)]
pub struct Facet {
    /// One to five expressions, or cases.
    pub by: FacetBy,
    /// `ORDER BY` right after the facet's items.
    pub order: Option<OrderItem>,
}

/// What facets are made of.
#[derive(Debug, Clone, PartialEq)]
pub enum FacetBy {
    /// Expressions with aliases.
    Items(Vec<SelectItem>),
    /// `CASES (WHERE … [AS 'x'], … [OR 'Other'])`.
    Cases(Cases),
}

/// Branches of `CASES` and of `cases()`; the first that holds wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Cases {
    /// Condition and label.
    pub branches: Vec<Case>,
    /// After OR: gives the label of the rows that no branch takes, mostly a text, perhaps an
    /// attribute; without it those rows are dropped.
    pub other: Option<Expr>,
}

/// One branch.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// After WHERE.
    pub condition: Expr,
    /// After AS.
    pub label: Option<String>,
}

/// An expression and a direction.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderItem {
    /// An attribute, an alias or an aggregate.
    pub expr: Expr,
    /// `DESC`.
    pub descending: bool,
}

/// After LIMIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// A number.
    Rows(u64),
    /// `MAX`.
    Max,
    /// `{{name}}`: see [`ExprKind::Template`].
    Template(String),
}

/// A length of time as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    /// How many; may have decimals.
    pub count: f64,
    /// Of which unit.
    pub unit: TimeUnit,
}

/// Units of time. Source: "Set time range on dashboards and charts": a month is 30 days, a quarter
/// 91, a year 365.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeUnit {
    /// `millisecond(s)`.
    Millisecond,
    /// `second(s)`.
    Second,
    /// `minute(s)`.
    Minute,
    /// `hour(s)`.
    Hour,
    /// `day(s)`.
    Day,
    /// `week(s)`.
    Week,
    /// `month(s)`, 30 days.
    Month,
    /// `quarter(s)`, 91 days.
    Quarter,
    /// `year(s)`, 365 days.
    Year,
}

/// A point in time as written.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeExpr {
    /// What it says.
    pub kind: TimeKind,
    /// Where.
    pub span: Span,
}

/// What a point in time says.
#[derive(Debug, Clone, PartialEq)]
pub enum TimeKind {
    /// `now`.
    Now,
    /// `3 hours ago`; `1 hour 30 minutes ago` has two amounts.
    Ago(Vec<Amount>),
    /// `3 days ago AT '09:30'` and the like: a day, then a time of that day.
    At {
        /// The day.
        day: Box<TimeKind>,
        /// After AT.
        time: String,
    },
    /// `today`, `yesterday`, a weekday, `this week`, `last month` …, in lower case.
    Named(String),
    /// Since 1970; seconds or milliseconds by magnitude.
    Epoch(i64),
    /// `'2023-12-18 12:34:56 +0100'` and the like.
    Text(String),
    /// `{{name}}`: see [`ExprKind::Template`].
    Template(String),
}

/// `COMPARE WITH 1 week ago`.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareWith {
    /// How far back.
    pub amount: Amount,
    /// Where.
    pub span: Span,
}

/// After TIMESERIES.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeseries {
    /// The width of a bucket.
    pub width: BucketWidth,
    /// After SLIDE BY.
    pub slide_by: Option<BucketWidth>,
    /// Where.
    pub span: Span,
}

/// The width of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub enum BucketWidth {
    /// Left to New Relic; also when nothing is written.
    Auto,
    /// As many buckets as there may be.
    Max,
    /// So much.
    Fixed(Amount),
    /// `{{name}}`: see [`ExprKind::Template`].
    Template(String),
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `*`.
    Star,
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// `'text'` or `"text"`.
    Text(String),
    /// `r'pattern'`.
    Regex(String),
    /// An attribute, an alias or a name bound by WITH.
    Attribute {
        /// Without quotes.
        name: String,
        /// Whether it stood in back-quotes.
        quoted: bool,
    },
    /// `{{name}}` of a dashboard, `{{{name}}}` of a definition: what stands between the outer two
    /// braces, so `{name}` for the latter. It parses; only a filled text can be evaluated.
    Template(String),
    /// A function.
    Call {
        /// As written; names of functions know no case.
        name: String,
        /// In order.
        arguments: Vec<Argument>,
    },
    /// `-x`.
    Negate(Box<Expr>),
    /// `NOT x`.
    Not(Box<Expr>),
    /// Two operands.
    Binary {
        /// Which.
        operator: Operator,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// `x [NOT] IN (…)`.
    In {
        /// `NOT`.
        negated: bool,
        /// What is looked for.
        operand: Box<Expr>,
        /// Among these.
        set: InSet,
    },
    /// `x [NOT] LIKE 'p%'`.
    Like {
        /// `NOT`.
        negated: bool,
        /// What is looked at.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
    },
    /// `x [NOT] RLIKE r'p'`.
    Rlike {
        /// `NOT`.
        negated: bool,
        /// What is looked at.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
    },
    /// `x IS [NOT] NULL | TRUE | FALSE`.
    Is {
        /// `NOT`.
        negated: bool,
        /// What is looked at.
        operand: Box<Expr>,
        /// What it is compared with.
        state: IsState,
    },
    /// `metric[field]`, `array[index]`.
    Index {
        /// What is looked into.
        operand: Box<Expr>,
        /// Which member.
        index: Box<Expr>,
    },
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(SELECT …)` as a value.
    Subquery(Box<Query>),
}

/// What IN looks among.
#[derive(Debug, Clone, PartialEq)]
pub enum InSet {
    /// Written out.
    Values(Vec<Expr>),
    /// A query's.
    Query(Box<Query>),
}

/// What IS compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsState {
    /// `NULL`.
    Null,
    /// `TRUE`.
    True,
    /// `FALSE`.
    False,
}

/// Operators of two operands, weakest first. `OR` between values that are no conditions takes the
/// first that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// `OR`.
    Or,
    /// `AND`.
    And,
    /// `=`.
    Equal,
    /// `!=`, `<>`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Remainder,
    /// `^` and `**`.
    Power,
}

/// One argument of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `width` of `width: 10`.
    pub name: Option<Name>,
    /// What is given.
    pub value: ArgumentValue,
}

/// What is given to a function.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgumentValue {
    /// A value.
    Expr(Expr),
    /// `WHERE condition [AS 'label']` of filter, percentage, funnel and cases.
    Where(Case),
    /// `1 minute` of rate, derivative and buckets of time.
    Amount(Amount),
    /// `OR 'Other'` after the branches of cases.
    Other(Expr),
}
