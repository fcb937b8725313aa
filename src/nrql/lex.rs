//! Cuts the text of a query into tokens.
//!
//! Words know no keywords here: whether `limit` is a clause or a name is the parser's business. A
//! dotted name is one word, so `a.in.b` holds no keyword.
//!
//! Invariants: one pass, linear in the text; a text that cannot be cut ends in one
//! [`TokenKind::Bad`], so the parser reports the first thing that is wrong, whoever finds it.

use super::error::Span;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword, perhaps dotted; its text is the span's.
    Word,
    /// `` `name` ``, or a dotted name with a part in back-quotes.
    Quoted(String),
    /// `'text'` or `"text"`.
    Text(String),
    /// `r'pattern'`.
    Regex(String),
    Integer(i64),
    Number(f64),
    /// What stands between the outer two braces of `{{name}}`.
    Template(String),
    Symbol(Symbol),
    /// Nothing more can be cut here.
    Bad(Fault),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Comma,
    Colon,
    Semicolon,
    Star,
    StarStar,
    Plus,
    Minus,
    Slash,
    Percent,
    Caret,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why nothing more can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quote, a comment or a template never ends; this is what opened it.
    Unbalanced(&'static str),
    /// No token begins with this character.
    Character(char),
}

/// All tokens of `text`; the last is [`TokenKind::End`] or [`TokenKind::Bad`].
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::with_capacity(text.len() / 4 + 2) };
    loop {
        let last = lexer.token();
        let over = matches!(last.kind, TokenKind::End | TokenKind::Bad(_));
        lexer.tokens.push(last);
        if over {
            return lexer.tokens;
        }
    }
}

/// Whether a name may begin with `c`.
pub(super) fn begins_word(c: char) -> bool {
    c == '_' || c == '$' || c == '@' || c.is_alphabetic()
}

/// Whether a name may go on with `c`; dots are another matter.
pub(super) fn continues_word(c: char) -> bool {
    begins_word(c) || c.is_numeric() || is_mark(c)
}

/// Whether `text` begins with a name like `%.duration`; no operand begins with a dot and a letter,
/// so this is never a remainder.
fn begins_wildcard(text: &str) -> bool {
    let rest = text.strip_prefix("%.");
    rest.and_then(|rest| rest.chars().next()).is_some_and(|c| begins_word(c) || c == '%')
}

/// Whether `%` belongs to the name that began with `before`.
fn wildcard_goes_on(before: &str) -> bool {
    before.is_empty() || before.ends_with('.') || before.contains('%')
}

/// Whether `name`, without quotes, stands for all attributes that fit it: its first `%` is a whole
/// beginning, or comes behind a dot, since elsewhere `%` is the operator.
pub(super) fn is_wildcard(name: &str) -> bool {
    let begins = match name.find('%') {
        None => false,
        Some(0) => begins_wildcard(name),
        Some(at) => name.chars().next().is_some_and(begins_word) && name[..at].ends_with('.'),
    };
    let is_part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c == '%' || continues_word(c));
    begins && name.split('.').all(is_part)
}

/// Marks that letters of some scripts consist of beside their base.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}' | '\u{200c}' | '\u{200d}')
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        let byte = *self.text.as_bytes().get(self.at)?;
        if byte.is_ascii() { Some(char::from(byte)) } else { self.rest().chars().next() }
    }

    fn second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn advance(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    /// Blanks and comments; the opener of a comment that never ends.
    fn skip(&mut self) -> Result<(), usize> {
        loop {
            match self.peek() {
                Some(c) if c.is_whitespace() || c == '\u{feff}' => self.advance(c),
                Some('-' | '/')
                    if self.rest().starts_with("--") || self.rest().starts_with("//") =>
                {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                Some('/') if self.rest().starts_with("/*") => match self.rest().find("*/") {
                    Some(end) if end >= 2 => self.at += end + 2,
                    // `/*/` opens and does not close.
                    Some(_) => match self.rest().get(2..).and_then(|rest| rest.find("*/")) {
                        Some(end) => self.at += end + 4,
                        None => return Err(self.at),
                    },
                    None => return Err(self.at),
                },
                _ => return Ok(()),
            }
        }
    }

    fn token(&mut self) -> Token {
        if let Err(at) = self.skip() {
            return self.bad(at, Fault::Unbalanced("/*"));
        }
        let start = self.at;
        let Some(c) = self.peek() else {
            return Token { kind: TokenKind::End, span: Span { start, end: start } };
        };
        let kind = match c {
            'r' | 'R' if matches!(self.second(), Some('\'' | '"')) => {
                self.at += 1;
                self.raw_text()
            }
            '\'' | '"' => self.quoted_text(c),
            '`' => self.word(),
            c if c.is_ascii_digit() => self.number(),
            '.' if self.second().is_some_and(|next| next.is_ascii_digit()) => self.number(),
            '{' if self.rest().starts_with("{{") => self.word(),
            c if begins_word(c) || begins_wildcard(self.rest()) => self.word(),
            c => self.symbol(c),
        };
        match kind {
            TokenKind::Bad(fault) => self.bad(start, fault),
            kind => Token { kind, span: Span { start, end: self.at } },
        }
    }

    fn bad(&self, start: usize, fault: Fault) -> Token {
        let width = self.text.get(start..).and_then(|rest| rest.chars().next());
        let end = start + width.map_or(0, char::len_utf8);
        Token { kind: TokenKind::Bad(fault), span: Span { start, end } }
    }

    /// `'text'`: a backslash takes the next quote or backslash as it is, makes control characters
    /// of `n`, `r` and `t` as the documentation's patterns for log lines need, and stays before
    /// others.
    fn quoted_text(&mut self, quote: char) -> TokenKind {
        let opener = if quote == '\'' { "'" } else { "\"" };
        let mut value = String::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(end) = rest.find([quote, '\\']) else {
                return TokenKind::Bad(Fault::Unbalanced(opener));
            };
            value.push_str(rest.get(..end).unwrap_or_default());
            let escaped = rest.get(end + 1..).and_then(|after| after.chars().next());
            if rest.get(end..).is_some_and(|at| at.starts_with(quote)) {
                self.at += end + 1;
                return TokenKind::Text(value);
            }
            self.at += end + 1;
            match escaped {
                Some(c @ ('\'' | '"' | '\\')) => {
                    value.push(c);
                    self.at += 1;
                }
                Some(c @ ('n' | 'r' | 't')) => {
                    value.push(match c {
                        'n' => '\n',
                        'r' => '\r',
                        _ => '\t',
                    });
                    self.at += 1;
                }
                _ => value.push('\\'),
            }
        }
    }

    /// `r'pattern'`: a backslash and what follows it both stay.
    fn raw_text(&mut self) -> TokenKind {
        let quote = self.peek().unwrap_or('\'');
        let opener = if quote == '\'' { "r'" } else { "r\"" };
        self.at += 1;
        let start = self.at;
        while let Some(c) = self.peek() {
            self.advance(c);
            if c == '\\' {
                if let Some(next) = self.peek() {
                    self.advance(next);
                }
            } else if c == quote {
                let pattern = self.text.get(start..self.at - 1).unwrap_or_default();
                return TokenKind::Regex(pattern.to_owned());
            }
        }
        TokenKind::Bad(Fault::Unbalanced(opener))
    }

    /// A dotted name whose parts are words, back-quoted names or templates.
    fn word(&mut self) -> TokenKind {
        let start = self.at;
        let mut quoted: Option<String> = None;
        let mut template: Option<String> = None;
        let mut parts = 0_usize;
        loop {
            parts += 1;
            let part_start = self.at;
            match self.peek() {
                Some('`') => {
                    let before = self.text.get(start..part_start).unwrap_or_default();
                    let name = quoted.get_or_insert_with(|| before.to_owned());
                    let rest = self.text.get(part_start + 1..).unwrap_or_default();
                    let Some(end) = rest.find('`') else {
                        return TokenKind::Bad(Fault::Unbalanced("`"));
                    };
                    name.push_str(rest.get(..end).unwrap_or_default());
                    self.at += end + 2;
                }
                Some('{') => {
                    let Some(end) = template_end(self.rest()) else {
                        return TokenKind::Bad(Fault::Unbalanced("{{"));
                    };
                    let whole = self.rest().get(..end).unwrap_or_default();
                    let inner = whole.get(2..end - 2).unwrap_or_default().to_owned();
                    if let Some(name) = &mut quoted {
                        name.push_str(whole);
                    }
                    template = Some(inner);
                    self.at += end;
                }
                _ => {
                    while let Some(c) = self.peek() {
                        let before = self.text.get(start..self.at).unwrap_or_default();
                        let fits = c == '%' && quoted.is_none() && wildcard_goes_on(before);
                        if !fits && !continues_word(c) {
                            break;
                        }
                        self.advance(c);
                    }
                    let part = self.text.get(part_start..self.at).unwrap_or_default();
                    if let Some(name) = &mut quoted {
                        name.push_str(part);
                    }
                }
            }
            if !self.goes_on(&mut quoted) {
                break;
            }
        }
        match (quoted, template) {
            (Some(name), _) => TokenKind::Quoted(name),
            (None, Some(inner)) if parts == 1 => TokenKind::Template(inner),
            _ => TokenKind::Word,
        }
    }

    /// Whether another part of the same name follows; steps over the dot before it.
    fn goes_on(&mut self, quoted: &mut Option<String>) -> bool {
        let Some(c) = self.peek() else { return false };
        if c != '.' {
            return continues_word(c) || self.rest().starts_with("{{");
        }
        let rest = self.rest().get(1..).unwrap_or_default();
        let next = rest.chars().next();
        let fits =
            |next: char| next == '`' || continues_word(next) || (next == '%' && quoted.is_none());
        let more = next.is_some_and(fits) || rest.starts_with("{{");
        if more {
            if let Some(name) = quoted {
                name.push('.');
            }
            self.at += 1;
        }
        more
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        self.digits();
        let mut whole = true;
        if self.peek() == Some('.') && self.second().is_some_and(|c| c.is_ascii_digit()) {
            whole = false;
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(), Some('e' | 'E')) && self.exponent_follows() {
            whole = false;
            self.at += 2;
            self.digits();
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        match (whole, digits.parse::<i64>()) {
            (true, Ok(number)) => TokenKind::Integer(number),
            // Digits, a dot and an exponent always are a number, perhaps an infinite one.
            _ => match digits.parse::<f64>() {
                Ok(number) if number.is_finite() => TokenKind::Number(number),
                _ => TokenKind::Number(f64::MAX),
            },
        }
    }

    fn exponent_follows(&self) -> bool {
        let mut rest = self.rest().chars().skip(1);
        match rest.next() {
            Some('+' | '-') => rest.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => c.is_ascii_digit(),
            None => false,
        }
    }

    fn symbol(&mut self, c: char) -> TokenKind {
        let next = self.second();
        let (symbol, width) = match (c, next) {
            ('<', Some('=')) => (Symbol::LessOrEqual, 2),
            ('>', Some('=')) => (Symbol::GreaterOrEqual, 2),
            ('!', Some('=')) | ('<', Some('>')) => (Symbol::NotEqual, 2),
            ('*', Some('*')) => (Symbol::StarStar, 2),
            ('(', _) => (Symbol::Open, 1),
            (')', _) => (Symbol::Close, 1),
            ('[', _) => (Symbol::OpenBracket, 1),
            (']', _) => (Symbol::CloseBracket, 1),
            ('{', _) => (Symbol::OpenBrace, 1),
            ('}', _) => (Symbol::CloseBrace, 1),
            (',', _) => (Symbol::Comma, 1),
            (':', _) => (Symbol::Colon, 1),
            (';', _) => (Symbol::Semicolon, 1),
            ('*', _) => (Symbol::Star, 1),
            ('+', _) => (Symbol::Plus, 1),
            ('-', _) => (Symbol::Minus, 1),
            ('/', _) => (Symbol::Slash, 1),
            ('%', _) => (Symbol::Percent, 1),
            ('^', _) => (Symbol::Caret, 1),
            ('=', _) => (Symbol::Equal, 1),
            ('<', _) => (Symbol::Less, 1),
            ('>', _) => (Symbol::Greater, 1),
            _ => return TokenKind::Bad(Fault::Character(c)),
        };
        self.at += width;
        TokenKind::Symbol(symbol)
    }
}

/// The length of the template that `text` begins with: `{{name}}` or `{{{name}}}`, on one line.
fn template_end(text: &str) -> Option<usize> {
    let braces = text.bytes().take_while(|byte| *byte == b'{').count().min(3);
    let close = if braces == 3 { "}}}" } else { "}}" };
    let end = text.get(braces..)?.find(close)? + braces + close.len();
    let whole = text.get(..end)?;
    (!whole.contains('\n')).then_some(end)
}
