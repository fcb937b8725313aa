//! From tokens to a search.

use super::lex::{Token, lex};
use super::{
    CONDITIONS_MAX, Condition, DEPTH_MAX, Field, Piece, Search, SearchError, Test, VALUES_MAX,
};

const FIELDS: [(&str, Field); 12] = [
    ("name", Field::Name),
    ("domain", Field::Domain),
    ("type", Field::Type),
    ("domaintype", Field::DomainType),
    ("id", Field::Guid),
    ("guid", Field::Guid),
    ("accountid", Field::AccountId),
    ("domainid", Field::DomainId),
    ("alertseverity", Field::AlertSeverity),
    ("alertable", Field::Alertable),
    ("reporting", Field::Reporting),
    ("infrastructureintegrationtype", Field::IntegrationType),
];

/// Reads a search. An empty one matches everything.
///
/// # Errors
/// The first thing that is wrong, with its position.
pub(in crate::sim::newrelic) fn parse(text: &str) -> Result<Search, SearchError> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, conditions: Vec::new() };
    if parser.peek() != &Token::End {
        parser.all(0)?;
    }
    match parser.peek() {
        Token::End => Ok(Search { conditions: parser.conditions }),
        token => Err(parser.unexpected(token, "AND")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    conditions: Vec<Condition>,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        // The last token is the end, and stays.
        self.at = (self.at + 1).min(self.tokens.len().saturating_sub(1));
        token
    }

    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(1, |(_, position)| *position)
    }

    fn error(&self, message: impl Into<String>) -> SearchError {
        SearchError { message: message.into(), position: self.position() }
    }

    fn unexpected(&self, token: &Token, expected: &str) -> SearchError {
        let hint = match token {
            Token::Word(word) if word.eq_ignore_ascii_case("or") => {
                "; alternatives of a field are written IN ('a', 'b')"
            }
            _ => "",
        };
        self.error(format!("unexpected {}, expected {expected}{hint}", token.shown()))
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(w) if w.eq_ignore_ascii_case(word));
        if found {
            self.next();
        }
        found
    }

    /// Conditions joined by AND.
    fn all(&mut self, depth: usize) -> Result<(), SearchError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("parentheses nested deeper than {DEPTH_MAX}")));
        }
        loop {
            if self.peek() == &Token::Open {
                self.next();
                self.all(depth + 1)?;
                match self.peek().clone() {
                    Token::Close => drop(self.next()),
                    token => return Err(self.unexpected(&token, "AND or ')'")),
                }
            } else {
                let condition = self.condition()?;
                if self.conditions.len() >= CONDITIONS_MAX {
                    return Err(self.error(format!("more than {CONDITIONS_MAX} conditions")));
                }
                self.conditions.push(condition);
            }
            if !self.keyword("AND") {
                return Ok(());
            }
        }
    }

    fn condition(&mut self) -> Result<Condition, SearchError> {
        let field = self.field()?;
        if self.keyword("IS") {
            return self.is(field);
        }
        let not = self.keyword("NOT");
        let (negated, test) = match self.peek().clone() {
            Token::Equal if !not => {
                self.next();
                (false, Test::OneOf(vec![self.value()?]))
            }
            Token::NotEqual if !not => {
                self.next();
                (true, Test::OneOf(vec![self.value()?]))
            }
            Token::Word(word) if word.eq_ignore_ascii_case("LIKE") => {
                self.next();
                (not, Test::Like(pattern(&self.value()?)))
            }
            Token::Word(word) if word.eq_ignore_ascii_case("IN") => {
                self.next();
                (not, Test::OneOf(self.values()?))
            }
            token if not => return Err(self.unexpected(&token, "LIKE or IN")),
            token => return Err(self.unexpected(&token, "=, !=, LIKE, IN or IS")),
        };
        Ok(Condition { field, negated, test })
    }

    /// Behind IS.
    fn is(&mut self, field: Field) -> Result<Condition, SearchError> {
        let not = self.keyword("NOT");
        if self.keyword("NULL") {
            return Ok(Condition { field, negated: !not, test: Test::Present });
        }
        for word in ["true", "false"] {
            if self.keyword(word) {
                let test = Test::OneOf(vec![word.to_owned()]);
                return Ok(Condition { field, negated: not, test });
            }
        }
        let token = self.peek().clone();
        Err(self.unexpected(&token, "NULL"))
    }

    fn field(&mut self) -> Result<Field, SearchError> {
        let word = match self.peek().clone() {
            // tags.`key`, and `tags.key` as a whole.
            Token::Word(word) | Token::Quoted(word) => word,
            token => return Err(self.unexpected(&token, "a field")),
        };
        if let Some(key) = strip_tags(&word) {
            let key = key.to_owned();
            self.next();
            return match (key.is_empty(), self.peek().clone()) {
                (true, Token::Quoted(key) | Token::Text(key)) => {
                    self.next();
                    Ok(Field::Tag(key))
                }
                (true, token) => Err(self.unexpected(&token, "a tag key in back-quotes")),
                (false, _) => Ok(Field::Tag(key)),
            };
        }
        let lower = word.to_lowercase();
        let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == lower) else {
            return Err(self.error(format!("unknown field '{word}'")));
        };
        self.next();
        Ok(field.clone())
    }

    fn value(&mut self) -> Result<String, SearchError> {
        match self.peek().clone() {
            Token::Text(text) | Token::Word(text) => {
                self.next();
                Ok(text)
            }
            token => Err(self.unexpected(&token, "a text in single quotes")),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, SearchError> {
        match self.peek().clone() {
            Token::Open => drop(self.next()),
            token => return Err(self.unexpected(&token, "'('")),
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if values.len() > VALUES_MAX {
                return Err(self.error(format!("more than {VALUES_MAX} values")));
            }
            match self.peek().clone() {
                Token::Close => {
                    self.next();
                    return Ok(values);
                }
                Token::Comma => drop(self.next()),
                Token::Word(word) if word.eq_ignore_ascii_case("OR") => drop(self.next()),
                token => return Err(self.unexpected(&token, "',' or ')'")),
            }
        }
    }
}

fn strip_tags(word: &str) -> Option<&str> {
    let (head, key) = word.split_at_checked(5)?;
    head.eq_ignore_ascii_case("tags.").then_some(key)
}

/// Pieces of a LIKE pattern; one without `%` is looked for anywhere.
fn pattern(text: &str) -> Vec<Piece> {
    let text = text.to_lowercase();
    let mut pieces = Vec::new();
    for (number, part) in text.split('%').enumerate() {
        if number > 0 && pieces.last() != Some(&Piece::Any) {
            pieces.push(Piece::Any);
        }
        if !part.is_empty() {
            pieces.push(Piece::Text(part.to_owned()));
        }
    }
    if !text.contains('%') {
        pieces.insert(0, Piece::Any);
        pieces.push(Piece::Any);
    }
    pieces
}
