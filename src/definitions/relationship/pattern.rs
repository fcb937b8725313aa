//! Regular expressions of relationship rules, run in bounded time.
//!
//! Plain ones run in the `regex` crate (linear time, bounded program); those with look-around or
//! back-references, which it refuses, run in a backtracking engine with a limit of steps.

use std::borrow::Cow;

/// Bytes of a compiled expression.
const SIZE_MAX: usize = 1 << 20;
/// Characters of an expression; the longest public one has under 300.
const TEXT_MAX: usize = 4_096;
/// Steps of backtracking for one value. The public look-ahead expressions need under a hundred.
const STEPS_MAX: usize = 20_000;
/// Bytes of a value that expressions look at; longer ones match nothing. Values of attributes end
/// at 4,096 characters anyway.
const VALUE_MAX: usize = 16_384;

/// Why an expression gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not parse, or is too big.
    #[error("{0}")]
    Invalid(String),
    /// It back-tracked past the limit.
    #[error("the expression back-tracked more than {STEPS_MAX} times on a value of {0} bytes")]
    Backtracked(usize),
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    whole: Engine,
    anywhere: Engine,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[derive(Debug, Clone)]
enum Engine {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles `text`; letters match in either case unless `case_sensitive`.
    ///
    /// # Errors
    /// [`PatternError::Invalid`]
    pub fn new(text: &str, case_sensitive: bool) -> Result<Self, PatternError> {
        if text.len() > TEXT_MAX {
            let problem = format!("the expression is {} bytes long", text.len());
            return Err(PatternError::Invalid(problem));
        }
        let whole = Engine::new(&format!(r"\A(?:{text})\z"), case_sensitive)?;
        let anywhere = Engine::new(text, case_sensitive)?;
        Ok(Self { text: text.to_owned(), whole, anywhere })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it needs the backtracking engine.
    pub fn backtracks(&self) -> bool {
        matches!(self.whole, Engine::Backtracking(_))
    }

    /// Groups that capture.
    pub fn groups(&self) -> usize {
        match &self.anywhere {
            Engine::Linear(regex) => regex.captures_len() - 1,
            Engine::Backtracking(regex) => regex.captures_len() - 1,
        }
    }

    /// Whether it matches all of `value`.
    ///
    /// # Errors
    /// [`PatternError::Backtracked`]
    pub fn matches(&self, value: &str) -> Result<bool, PatternError> {
        if value.len() > VALUE_MAX {
            return Ok(false);
        }
        match &self.whole {
            Engine::Linear(regex) => Ok(regex.is_match(value)),
            Engine::Backtracking(regex) => {
                regex.is_match(value).map_err(|_| PatternError::Backtracked(value.len()))
            }
        }
    }

    /// What the first group holds, or all that matched when there is no group. The whole value is
    /// tried first, then any part of it: public captures are written both ways.
    ///
    /// # Errors
    /// [`PatternError::Backtracked`]
    pub fn capture<'v>(&self, value: &'v str) -> Result<Option<Cow<'v, str>>, PatternError> {
        if value.len() > VALUE_MAX {
            return Ok(None);
        }
        match self.whole.capture(value)? {
            Some(found) => Ok(Some(found)),
            None => self.anywhere.capture(value),
        }
    }
}

impl Engine {
    fn new(text: &str, case_sensitive: bool) -> Result<Self, PatternError> {
        let plain = regex::RegexBuilder::new(text)
            .case_insensitive(!case_sensitive)
            .size_limit(SIZE_MAX)
            .dfa_size_limit(SIZE_MAX)
            .nest_limit(100)
            .build();
        match plain {
            Ok(regex) => Ok(Self::Linear(regex)),
            Err(regex::Error::CompiledTooBig(limit)) => {
                let problem = format!("the expression compiles to more than {limit} bytes");
                Err(PatternError::Invalid(problem))
            }
            Err(plain) => fancy_regex::RegexBuilder::new(text)
                .case_insensitive(!case_sensitive)
                .backtrack_limit(STEPS_MAX)
                .delegate_size_limit(SIZE_MAX)
                .delegate_dfa_size_limit(SIZE_MAX)
                .build()
                .map(|regex| Self::Backtracking(Box::new(regex)))
                .map_err(|_| PatternError::Invalid(first_problem(&plain))),
        }
    }

    fn capture<'v>(&self, value: &'v str) -> Result<Option<Cow<'v, str>>, PatternError> {
        match self {
            Self::Linear(regex) => {
                let Some(found) = regex.captures(value) else { return Ok(None) };
                let group = if found.len() > 1 { found.get(1) } else { found.get(0) };
                Ok(group.map(|group| Cow::Borrowed(group.as_str())))
            }
            Self::Backtracking(regex) => {
                let found =
                    regex.captures(value).map_err(|_| PatternError::Backtracked(value.len()))?;
                let Some(found) = found else { return Ok(None) };
                let group = if found.len() > 1 { found.get(1) } else { found.get(0) };
                Ok(group.map(|group| Cow::Borrowed(group.as_str())))
            }
        }
    }
}

/// The last line of the `regex` crate's drawing says what is wrong.
fn first_problem(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
