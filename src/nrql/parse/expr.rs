//! Expressions, by climbing precedence.

use super::{Parser, Symbol, Tall, TokenKind, is_hard_keyword};
use crate::nrql::ast::{
    Argument, ArgumentValue, Case, Expr, ExprKind, InSet, IsState, Name, Operator,
};
use crate::nrql::error::{NrqlError, Span};

/// How strongly operators bind; the printer asks the same table.
pub(in crate::nrql) mod binding {
    use super::Operator;

    pub const NOT: u8 = 5;
    pub const COMPARISON: u8 = 7;
    pub const ADDITIVE: u8 = 9;
    pub const NEGATE: u8 = 15;
    pub const POSTFIX: u8 = 17;

    /// Of the left side; the right side of a left-associative operator binds one more.
    pub const fn of(operator: Operator) -> u8 {
        match operator {
            Operator::Or => 1,
            Operator::And => 3,
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => COMPARISON,
            Operator::Add | Operator::Subtract => ADDITIVE,
            Operator::Multiply | Operator::Divide | Operator::Remainder => 11,
            Operator::Power => 13,
        }
    }
}

/// An operator that is no [`Operator`].
enum Special {
    In,
    Like,
    Rlike,
    Is,
}

impl Parser<'_> {
    pub(super) fn expr(&mut self, what: &str) -> Result<Tall<Expr>, NrqlError> {
        self.climb(0, what)
    }

    /// An expression whose operators bind at least as strongly as `least`.
    fn climb(&mut self, least: u8, what: &str) -> Result<Tall<Expr>, NrqlError> {
        let mut left = self.prefix(what)?;
        loop {
            if least <= binding::COMPARISON
                && let Some((special, negated)) = self.special()
            {
                left = self.special_rest(left, &special, negated)?;
                self.no_chain()?;
                continue;
            }
            let Some(operator) = self.operator() else { return Ok(left) };
            let strength = binding::of(operator);
            if strength < least {
                return Ok(left);
            }
            self.next();
            let right = self.climb(strength + 1, "an expression")?;
            let height = self.grown(left.height.max(right.height))?;
            let span = Span { start: left.node.span.start, end: right.node.span.end };
            let (left_node, right_node) = (Box::new(left.node), Box::new(right.node));
            let kind = ExprKind::Binary { operator, left: left_node, right: right_node };
            left = Tall { node: Expr { kind, span }, height };
            if strength == binding::COMPARISON {
                self.no_chain()?;
            }
        }
    }

    /// `a < b < c` means nothing.
    fn no_chain(&self) -> Result<(), NrqlError> {
        let chained = self.special().is_some()
            || self.operator().is_some_and(|next| binding::of(next) == binding::COMPARISON);
        if !chained {
            return Ok(());
        }
        let error = self.unexpected("AND, OR or the end of the condition");
        Err(error.with_help("comparisons do not chain: write a < b AND b < c"))
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.peek() {
            TokenKind::Symbol(Symbol::Equal) => Operator::Equal,
            TokenKind::Symbol(Symbol::NotEqual) => Operator::NotEqual,
            TokenKind::Symbol(Symbol::Less) => Operator::Less,
            TokenKind::Symbol(Symbol::LessOrEqual) => Operator::LessOrEqual,
            TokenKind::Symbol(Symbol::Greater) => Operator::Greater,
            TokenKind::Symbol(Symbol::GreaterOrEqual) => Operator::GreaterOrEqual,
            TokenKind::Symbol(Symbol::Plus) => Operator::Add,
            TokenKind::Symbol(Symbol::Minus) => Operator::Subtract,
            TokenKind::Symbol(Symbol::Star) => Operator::Multiply,
            TokenKind::Symbol(Symbol::Slash) => Operator::Divide,
            TokenKind::Symbol(Symbol::Percent) => Operator::Remainder,
            TokenKind::Symbol(Symbol::Caret | Symbol::StarStar) => Operator::Power,
            TokenKind::Word if self.is_word("AND") => Operator::And,
            TokenKind::Word if self.is_word("OR") => Operator::Or,
            _ => return None,
        })
    }

    /// IN, LIKE, RLIKE and IS, and whether NOT stands before.
    fn special(&self) -> Option<(Special, bool)> {
        let negated = self.is_word("NOT");
        let by = usize::from(negated);
        let word = self.word_at(by)?;
        let special = [("IN", Special::In), ("LIKE", Special::Like), ("RLIKE", Special::Rlike)]
            .into_iter()
            .find(|(keyword, _)| keyword.eq_ignore_ascii_case(word))
            .map(|(_, special)| special);
        match special {
            Some(special) => Some((special, negated)),
            None if !negated && word.eq_ignore_ascii_case("IS") => Some((Special::Is, false)),
            None => None,
        }
    }

    fn special_rest(
        &mut self,
        left: Tall<Expr>,
        special: &Special,
        mut negated: bool,
    ) -> Result<Tall<Expr>, NrqlError> {
        if negated {
            self.next();
        }
        self.next();
        let start = left.node.span.start;
        let mut height = left.height;
        let operand = Box::new(left.node);
        let kind = match special {
            Special::Is => {
                negated = self.eat_word("NOT");
                let state = self.state()?;
                ExprKind::Is { negated, operand, state }
            }
            Special::In => {
                let set = self.set()?;
                height = height.max(set.height);
                ExprKind::In { negated, operand, set: set.node }
            }
            Special::Like | Special::Rlike => {
                let pattern = self.climb(binding::ADDITIVE, "a pattern in quotes")?;
                height = height.max(pattern.height);
                let pattern = Box::new(pattern.node);
                match special {
                    Special::Like => ExprKind::Like { negated, operand, pattern },
                    _ => ExprKind::Rlike { negated, operand, pattern },
                }
            }
        };
        let span = Span { start, end: self.last_end() };
        Ok(Tall { node: Expr { kind, span }, height: self.grown(height)? })
    }

    fn state(&mut self) -> Result<IsState, NrqlError> {
        for (word, state) in
            [("NULL", IsState::Null), ("TRUE", IsState::True), ("FALSE", IsState::False)]
        {
            if self.eat_word(word) {
                return Ok(state);
            }
        }
        Err(self.unexpected("NULL, TRUE or FALSE"))
    }

    fn set(&mut self) -> Result<Tall<InSet>, NrqlError> {
        if self.subquery_at(0) {
            let query = self.subquery()?;
            return Ok(Tall { node: InSet::Query(Box::new(query.node)), height: query.height });
        }
        if let TokenKind::Template(_) = self.peek() {
            let template = self.primary("a list")?;
            return Ok(Tall { node: InSet::Values(vec![template.node]), height: template.height });
        }
        self.open(Symbol::Open, "(")?;
        let mut values = Vec::new();
        let mut height = 0;
        loop {
            let value = self.expr("a value")?;
            height = height.max(value.height);
            values.push(value.node);
            if !self.eat(Symbol::Comma) {
                break;
            }
        }
        self.close(Symbol::Close, ")")?;
        Ok(Tall { node: InSet::Values(values), height })
    }

    fn prefix(&mut self, what: &str) -> Result<Tall<Expr>, NrqlError> {
        let start = self.span().start;
        let not = self.is_word("NOT");
        if !not && !self.is_symbol_at(0, Symbol::Minus) {
            if self.eat(Symbol::Plus) {
                self.deeper()?;
                let inner = self.prefix("an expression")?;
                self.nesting -= 1;
                return Ok(inner);
            }
            let primary = self.primary(what)?;
            return self.postfix(primary);
        }
        self.next();
        self.deeper()?;
        let inner =
            self.climb(if not { binding::NOT } else { binding::NEGATE }, "an expression")?;
        self.nesting -= 1;
        let span = Span { start, end: inner.node.span.end };
        let height = self.grown(inner.height)?;
        let operand = Box::new(inner.node);
        let kind = if not { ExprKind::Not(operand) } else { ExprKind::Negate(operand) };
        Ok(Tall { node: Expr { kind, span }, height })
    }

    fn postfix(&mut self, mut operand: Tall<Expr>) -> Result<Tall<Expr>, NrqlError> {
        while self.is_symbol_at(0, Symbol::OpenBracket) {
            self.open(Symbol::OpenBracket, "[")?;
            let index = self.expr("a field or a number")?;
            self.close(Symbol::CloseBracket, "]")?;
            let span = Span { start: operand.node.span.start, end: self.last_end() };
            let height = self.grown(operand.height.max(index.height))?;
            let (inner, index) = (Box::new(operand.node), Box::new(index.node));
            let kind = ExprKind::Index { operand: inner, index };
            operand = Tall { node: Expr { kind, span }, height };
        }
        Ok(operand)
    }

    fn primary(&mut self, what: &str) -> Result<Tall<Expr>, NrqlError> {
        let span = self.span();
        let kind = match self.peek() {
            TokenKind::Symbol(Symbol::Star) => ExprKind::Star,
            TokenKind::Integer(number) => ExprKind::Integer(*number),
            TokenKind::Number(number) => ExprKind::Number(*number),
            TokenKind::Text(text) => ExprKind::Text(text.clone()),
            TokenKind::Regex(pattern) => ExprKind::Regex(pattern.clone()),
            TokenKind::Template(inner) => ExprKind::Template(inner.clone()),
            TokenKind::Quoted(name) if self.is_symbol_at(1, Symbol::Open) => {
                let name = name.clone();
                return self.call(name);
            }
            TokenKind::Quoted(name) => ExprKind::Attribute { name: name.clone(), quoted: true },
            TokenKind::Word => return self.word_primary(what),
            TokenKind::Symbol(Symbol::Open) => return self.parenthesis(),
            TokenKind::Symbol(Symbol::OpenBracket) => {
                return self.list(Symbol::OpenBracket, Symbol::CloseBracket);
            }
            TokenKind::Symbol(Symbol::OpenBrace) => {
                return self.list(Symbol::OpenBrace, Symbol::CloseBrace);
            }
            _ => return Err(self.unexpected(what)),
        };
        self.next();
        Ok(Tall { node: Expr { kind, span }, height: 1 })
    }

    /// Literals, names and calls that begin with a word.
    fn word_primary(&mut self, what: &str) -> Result<Tall<Expr>, NrqlError> {
        let span = self.span();
        let word = self.word().unwrap_or_default().to_owned();
        if is_hard_keyword(&word) {
            return Err(self.unexpected(what));
        }
        if self.is_symbol_at(1, Symbol::Open) {
            return self.call(word);
        }
        let kind = match word.to_ascii_lowercase().as_str() {
            "null" => ExprKind::Null,
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            _ => ExprKind::Attribute { name: word, quoted: false },
        };
        self.next();
        Ok(Tall { node: Expr { kind, span }, height: 1 })
    }

    /// `(x)`: the parentheses belong to the expression's text.
    fn parenthesis(&mut self) -> Result<Tall<Expr>, NrqlError> {
        let start = self.span().start;
        if self.subquery_at(0) {
            let query = self.subquery()?;
            let span = Span { start, end: self.last_end() };
            let kind = ExprKind::Subquery(Box::new(query.node));
            return Ok(Tall { node: Expr { kind, span }, height: self.grown(query.height)? });
        }
        self.open(Symbol::Open, "(")?;
        let mut inner = self.expr("an expression")?;
        self.close(Symbol::Close, ")")?;
        inner.node.span = Span { start, end: self.last_end() };
        Ok(inner)
    }

    fn list(&mut self, open: Symbol, close: Symbol) -> Result<Tall<Expr>, NrqlError> {
        let start = self.span().start;
        let (opener, closer) = if open == Symbol::OpenBrace { ("{", "}") } else { ("[", "]") };
        self.open(open, opener)?;
        let mut members = Vec::new();
        let mut height = 0;
        while !self.is_symbol_at(0, close) {
            let member = self.expr("a value")?;
            height = height.max(member.height);
            members.push(member.node);
            if !self.eat(Symbol::Comma) {
                break;
            }
        }
        self.close(close, closer)?;
        let span = Span { start, end: self.last_end() };
        let kind = ExprKind::List(members);
        Ok(Tall { node: Expr { kind, span }, height: self.grown(height)? })
    }

    /// `name(…)`; the name is here, its parenthesis next.
    fn call(&mut self, name: String) -> Result<Tall<Expr>, NrqlError> {
        let start = self.span().start;
        self.next();
        self.open(Symbol::Open, "(")?;
        let mut arguments = Vec::new();
        let mut height = 0;
        let cases = name.eq_ignore_ascii_case("cases");
        while cases && arguments.is_empty() || !self.is_symbol_at(0, Symbol::Close) {
            if cases && !self.begins_branch(arguments.is_empty()) {
                return Err(self.unexpected("WHERE"));
            }
            let argument = self.argument()?;
            height = height.max(argument.height);
            arguments.push(argument.node);
            if !self.eat(Symbol::Comma) {
                break;
            }
            if self.is_symbol_at(0, Symbol::Close) {
                return Err(self.unexpected("another argument"));
            }
        }
        self.close(Symbol::Close, ")")?;
        let span = Span { start, end: self.last_end() };
        let kind = ExprKind::Call { name, arguments };
        Ok(Tall { node: Expr { kind, span }, height: self.grown(height)? })
    }

    /// Whether an argument of `cases` begins here: WHERE, or after the first OR.
    fn begins_branch(&self, first: bool) -> bool {
        self.is_word("WHERE")
            || !first && self.is_word("OR")
            || matches!(self.peek(), TokenKind::Template(_))
    }

    fn argument(&mut self) -> Result<Tall<Argument>, NrqlError> {
        let name = self.argument_name();
        let unit_follows = self.word_at(1).is_some_and(|word| super::moment::unit(word).is_some());
        let (value, height) = match self.peek() {
            TokenKind::Word if self.is_word("WHERE") => {
                self.next();
                let case = self.case()?;
                (ArgumentValue::Where(case.node), case.height)
            }
            TokenKind::Word if self.is_word("OR") => {
                self.next();
                let other = self.expr("a label")?;
                (ArgumentValue::Other(other.node), other.height)
            }
            TokenKind::Integer(_) | TokenKind::Number(_) if unit_follows => {
                (ArgumentValue::Amount(self.amount("a length of time")?), 1)
            }
            _ => {
                let value = self.expr("an argument")?;
                (ArgumentValue::Expr(value.node), value.height)
            }
        };
        Ok(Tall { node: Argument { name, value }, height })
    }

    /// `width` of `width: 10`, if it stands here.
    fn argument_name(&mut self) -> Option<Name> {
        let text = self.word()?.to_owned();
        if !self.is_symbol_at(1, Symbol::Colon) {
            return None;
        }
        let span = self.span();
        self.next();
        self.next();
        Some(Name { text, span })
    }

    /// `condition [AS 'label']`, behind WHERE.
    fn case(&mut self) -> Result<Tall<Case>, NrqlError> {
        let condition = self.expr("a condition")?;
        let label = if self.eat_word("AS") { Some(self.alias()?.text) } else { None };
        let case = Case { condition: condition.node, label };
        Ok(Tall { node: case, height: condition.height })
    }

    /// A key of JOIN: binds stronger than `=`.
    pub(super) fn key(&mut self) -> Result<Tall<Expr>, NrqlError> {
        self.climb(binding::ADDITIVE, "the key that both sides share")
    }
}

/// Whether these are the arguments of `CASES`: branches, then perhaps `OR other`.
pub(super) fn are_cases(arguments: &[Argument]) -> bool {
    let branches = match arguments.split_last() {
        Some((last, rest)) if matches!(last.value, ArgumentValue::Other(_)) => rest,
        _ => arguments,
    };
    let is_branch = |argument: &Argument| matches!(argument.value, ArgumentValue::Where(_));
    !branches.is_empty()
        && branches.iter().all(is_branch)
        && arguments.iter().all(|argument| argument.name.is_none())
}

/// Whether a call of `cases` ends in `OR other`.
pub(super) fn has_other(call: &Expr) -> bool {
    let ExprKind::Call { arguments, .. } = &call.kind else { return false };
    arguments.iter().any(|argument| matches!(argument.value, ArgumentValue::Other(_)))
}

/// Branches, and what stands after OR.
pub(super) fn split_cases(arguments: Vec<Argument>) -> (Vec<Case>, Option<Expr>) {
    let mut branches = Vec::with_capacity(arguments.len());
    let mut other = None;
    for argument in arguments {
        match argument.value {
            ArgumentValue::Where(case) => branches.push(case),
            ArgumentValue::Other(expr) => other = Some(expr),
            ArgumentValue::Expr(_) | ArgumentValue::Amount(_) => {}
        }
    }
    (branches, other)
}
