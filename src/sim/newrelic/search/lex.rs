//! Words, texts and signs of a search.

use super::{SearchError, TEXT_BYTES_MAX};

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word: letters, digits and `_ . - : /`.
    Word(String),
    /// Between back-quotes; the word in front of it, as in tags.`key`, is a token of its own.
    Quoted(String),
    /// Between single or double quotes, escapes resolved.
    Text(String),
    /// `=`.
    Equal,
    /// `!=` or `<>`.
    NotEqual,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
    /// Nothing more.
    End,
}

impl Token {
    /// As messages show it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("'{word}'"),
            Self::Quoted(word) => format!("`{word}`"),
            Self::Text(text) => format!("text '{text}'"),
            Self::Equal => "'='".to_owned(),
            Self::NotEqual => "'!='".to_owned(),
            Self::Open => "'('".to_owned(),
            Self::Close => "')'".to_owned(),
            Self::Comma => "','".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Tokens with the 1-based characters at which they begin; the last one is [`Token::End`].
pub(super) fn lex(text: &str) -> Result<Vec<(Token, usize)>, SearchError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("longer than {TEXT_BYTES_MAX} bytes");
        return Err(SearchError { message, position: 1 });
    }
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        let token = match c {
            _ if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => single(&mut at, Token::Open),
            ')' => single(&mut at, Token::Close),
            ',' => single(&mut at, Token::Comma),
            '=' => single(&mut at, Token::Equal),
            '!' if chars.get(at + 1) == Some(&'=') => double(&mut at, Token::NotEqual),
            '<' if chars.get(at + 1) == Some(&'>') => double(&mut at, Token::NotEqual),
            '\'' | '"' => Token::Text(delimited(&chars, &mut at, c)?),
            '`' => Token::Quoted(delimited(&chars, &mut at, c)?),
            _ if is_word(c) => {
                while chars.get(at).copied().is_some_and(is_word) {
                    at += 1;
                }
                Token::Word(chars[start..at].iter().collect())
            }
            other => {
                let message = format!("unexpected character '{other}'");
                return Err(SearchError { message, position: start + 1 });
            }
        };
        tokens.push((token, start + 1));
    }
    tokens.push((Token::End, chars.len() + 1));
    Ok(tokens)
}

fn single(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}

fn double(at: &mut usize, token: Token) -> Token {
    *at += 2;
    token
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '/')
}

/// The text up to the next `quote`; a backslash takes the character after it as it is.
fn delimited(chars: &[char], at: &mut usize, quote: char) -> Result<String, SearchError> {
    let start = *at;
    let mut text = String::new();
    loop {
        *at += 1;
        match chars.get(*at) {
            None => {
                let message = format!("no closing {quote}");
                return Err(SearchError { message, position: start + 1 });
            }
            Some('\\') if quote != '`' && *at + 1 < chars.len() => {
                *at += 1;
                text.push(chars[*at]);
            }
            Some(c) if *c == quote => {
                *at += 1;
                return Ok(text);
            }
            Some(c) => text.push(*c),
        }
    }
}
