//! Text to tree.
//!
//! A hand-written recursive descent: clauses come in any order and most keywords are names
//! elsewhere, which a generator's grammar says badly. Expressions are climbed by precedence.
//!
//! Invariants: every token is looked at a bounded number of times (no backtracking), so the work is
//! linear in the text; texts are at most [`TEXT_BYTES_MAX`] long, nested at most [`NESTING_MAX`]
//! deep, and no tree is higher than [`HEIGHT_MAX`], so whoever walks one may recurse.

mod clause;
mod expr;
mod help;
mod moment;
#[cfg(test)]
mod tests;

pub(super) use expr::binding;

use super::ast::{Expr, Query, Statement};
use super::error::{NrqlError, Span, line_column};
use super::lex::{self, Fault, Symbol, Token, TokenKind};
use crate::domain::metric::RESERVED_WORDS;

/// Longest text of a query, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// How deep parentheses, calls and queries may stand in each other.
pub const NESTING_MAX: usize = 64;
/// How high a tree may be; `a + b + c` has height 3, so chains end here too.
pub const HEIGHT_MAX: usize = 512;

/// Words that begin or join clauses: as names they need back-quotes everywhere.
const HARD_KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "FACET",
    "SINCE",
    "UNTIL",
    "LIMIT",
    "TIMESERIES",
    "WITH",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "LIKE",
    "RLIKE",
    "BETWEEN",
];

/// Whether New Relic asks for back-quotes around `word` as a name or a dotted part of one.
pub fn is_reserved(word: &str) -> bool {
    RESERVED_WORDS.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// Whether `word` can never stand for a name.
pub(super) fn is_hard_keyword(word: &str) -> bool {
    HARD_KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// The tree of `text`.
///
/// # Errors
/// [`super::ErrorKind::Syntax`] with the place and, where something better is known to write, help;
/// [`super::ErrorKind::Limit`] when the text is too long or too deep.
pub fn parse(text: &str) -> Result<Statement, NrqlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(NrqlError::limit(format!(
            "the query has {} bytes, at most {TEXT_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    let mut parser =
        Parser { text, tokens: lex::tokens(text), at: 0, nesting: 0, open: Vec::new() };
    let statement = parser.statement()?;
    while parser.eat(Symbol::Semicolon) {}
    match parser.peek() {
        TokenKind::End => Ok(statement),
        _ => Err(parser.unexpected("another clause or the end of the query")),
    }
}

/// The tree of `text`, which is one expression and nothing else, as it may stand after SELECT.
///
/// # Errors
/// Those of [`parse`].
pub fn parse_expression(text: &str) -> Result<Expr, NrqlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(NrqlError::limit(format!(
            "the expression has {} bytes, at most {TEXT_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    let mut parser =
        Parser { text, tokens: lex::tokens(text), at: 0, nesting: 0, open: Vec::new() };
    let expression = parser.expr("an expression")?;
    match parser.peek() {
        TokenKind::End => Ok(expression.node),
        _ => Err(parser.unexpected("an operator or the end of the expression")),
    }
}

/// A node and how high the tree below it is.
struct Tall<T> {
    node: T,
    height: usize,
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
    /// Parentheses and brackets that stand open.
    open: Vec<Span>,
}

impl Parser<'_> {
    fn token(&self) -> &Token {
        // The last token is End or Bad, and nothing steps over it.
        let last = self.tokens.len().saturating_sub(1);
        &self.tokens[self.at.min(last)]
    }

    fn peek(&self) -> &TokenKind {
        &self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    fn ahead(&self, by: usize) -> Option<&Token> {
        self.tokens.get(self.at + by)
    }

    fn next(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    /// The end of the token before this one.
    fn last_end(&self) -> usize {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(0, |token| token.span.end)
    }

    /// The text of the word here, if a word stands here.
    fn word(&self) -> Option<&str> {
        self.word_at(0)
    }

    fn word_at(&self, by: usize) -> Option<&str> {
        let token = self.ahead(by)?;
        if token.kind != TokenKind::Word {
            return None;
        }
        self.text.get(token.span.start..token.span.end)
    }

    fn is_word_at(&self, by: usize, keyword: &str) -> bool {
        self.word_at(by).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn is_word(&self, keyword: &str) -> bool {
        self.is_word_at(0, keyword)
    }

    fn is_symbol_at(&self, by: usize, symbol: Symbol) -> bool {
        self.ahead(by).is_some_and(|token| token.kind == TokenKind::Symbol(symbol))
    }

    fn eat_word(&mut self, keyword: &str) -> bool {
        let is = self.is_word(keyword);
        if is {
            self.next();
        }
        is
    }

    fn eat(&mut self, symbol: Symbol) -> bool {
        let is = self.is_symbol_at(0, symbol);
        if is {
            self.next();
        }
        is
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), NrqlError> {
        if self.eat_word(keyword) { Ok(()) } else { Err(self.unexpected(keyword)) }
    }

    fn expect(&mut self, symbol: Symbol, written: &str) -> Result<(), NrqlError> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{written}`"))) }
    }

    /// Steps over an opening parenthesis or bracket, one level deeper.
    fn open(&mut self, symbol: Symbol, written: &str) -> Result<(), NrqlError> {
        let span = self.span();
        self.expect(symbol, written)?;
        self.open.push(span);
        self.deeper()
    }

    fn close(&mut self, symbol: Symbol, written: &str) -> Result<(), NrqlError> {
        if !self.eat(symbol) {
            return Err(self.unexpected(&format!("`{written}`")));
        }
        self.open.pop();
        self.nesting -= 1;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), NrqlError> {
        self.nesting += 1;
        if self.nesting <= NESTING_MAX {
            return Ok(());
        }
        let mut error =
            NrqlError::limit(format!("the query is nested more than {NESTING_MAX} levels deep"));
        error.span = Some(self.span());
        Err(error)
    }

    fn grown(&self, height: usize) -> Result<usize, NrqlError> {
        if height < HEIGHT_MAX {
            return Ok(height + 1);
        }
        let mut error = NrqlError::limit(format!(
            "an expression has more than {HEIGHT_MAX} operators in a row"
        ));
        error.span = Some(self.span());
        Err(error.with_help("write IN ('a', 'b', …) instead of a = 'a' OR a = 'b' OR …"))
    }

    /// The error that what stands here is not what belongs here.
    fn unexpected(&self, expected: &str) -> NrqlError {
        let token = self.token();
        let span = token.span;
        match &token.kind {
            TokenKind::End => match self.open.last() {
                Some(open) => self.unbalanced(span, *open),
                None => NrqlError::syntax(self.text, span, "unexpected end of query")
                    .with_help(format!("expected {expected}")),
            },
            TokenKind::Bad(Fault::Unbalanced(opener)) => {
                NrqlError::syntax(self.text, span, &format!("perhaps unbalanced {opener}"))
                    .with_help(help::unbalanced(opener))
            }
            TokenKind::Bad(Fault::Character(c)) => {
                NrqlError::syntax(self.text, span, &format!("unexpected '{c}'")).with_help(
                    help::character(*c).unwrap_or_else(|| format!("expected {expected}")),
                )
            }
            TokenKind::Word if self.cut_off(expected) => {
                let open = self.open.last().copied().unwrap_or(span);
                self.unbalanced(span, open)
            }
            _ => {
                let (span, help) = self.advice(expected);
                let written = self.text.get(span.start..span.end).unwrap_or_default();
                NrqlError::syntax(self.text, span, &format!("unexpected '{written}'"))
                    .with_help(help)
            }
        }
    }

    /// Whether a clause begins where a parenthesis should be closed.
    fn cut_off(&self, expected: &str) -> bool {
        !self.open.is_empty()
            && ["`)`", "`]`", "`}`"].contains(&expected)
            && self.word().is_some_and(clause::begins_clause)
    }

    fn unbalanced(&self, at: Span, open: Span) -> NrqlError {
        let opener = self.text.get(open.start..open.end).unwrap_or("(");
        let (line, position) = line_column(self.text, &open);
        let closer = match opener {
            "[" => "]",
            "{" => "}",
            _ => ")",
        };
        let mut error = NrqlError::syntax(self.text, at, &format!("perhaps unbalanced {opener}"));
        error.span = Some(open);
        error.with_help(format!(
            "nothing closes the `{opener}` of line {line} position {position}: write `{closer}`"
        ))
    }

    /// `(SELECT …)`, the parentheses included.
    fn subquery(&mut self) -> Result<Tall<Query>, NrqlError> {
        self.open(Symbol::Open, "(")?;
        let query = self.query()?;
        self.close(Symbol::Close, ")")?;
        Ok(query)
    }

    /// Whether a query in parentheses begins `by` tokens ahead.
    fn subquery_at(&self, by: usize) -> bool {
        self.is_symbol_at(by, Symbol::Open)
            && (self.is_word_at(by + 1, "SELECT") || self.is_word_at(by + 1, "FROM"))
    }
}
