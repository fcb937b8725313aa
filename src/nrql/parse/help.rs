//! What to write instead.

use super::{Parser, Symbol, TokenKind};
use crate::nrql::error::Span;

/// Words of other query languages, and what NRQL has for them.
const FOREIGN: &[(&str, &str)] = &[
    ("BETWEEN", "NRQL has no BETWEEN: write a >= 1 AND a <= 5"),
    ("HAVING", "NRQL has no HAVING: write FROM (SELECT … FACET …) SELECT … WHERE …"),
    ("UNION", "NRQL has no UNION: name several event types, as in FROM A, B"),
    ("DISTINCT", "NRQL has no DISTINCT: write uniques(a), uniqueCount(a) or FACET a"),
    ("GROUP", "NRQL has no GROUP BY: write FACET"),
    ("CASE", "NRQL has no CASE: write if(condition, a, b) or FACET CASES (WHERE … AS 'a')"),
    ("WHEN", "NRQL has no CASE: write if(condition, a, b) or FACET CASES (WHERE … AS 'a')"),
    ("ILIKE", "LIKE knows no upper and lower case: write LIKE"),
    ("REGEXP", "write RLIKE r'pattern'"),
    ("MATCHES", "write RLIKE r'pattern'"),
    ("CONTAINS", "write LIKE '%text%'"),
    ("TOP", "write LIMIT 10"),
    ("OVER", "NRQL has no window functions: nest the query or use TIMESERIES … SLIDE BY"),
    ("EXISTS", "write IS NOT NULL, or IN (SELECT uniques(…) FROM …)"),
    ("RIGHT", "only INNER JOIN and LEFT JOIN exist"),
    ("FULL", "only INNER JOIN and LEFT JOIN exist"),
    ("CROSS", "only INNER JOIN and LEFT JOIN exist"),
    ("JOIN", "JOIN follows right behind FROM: FROM A JOIN (SELECT …) ON key SELECT …"),
    ("SLIDE", "SLIDE BY follows right behind TIMESERIES: TIMESERIES 5 minutes SLIDE BY 1 minute"),
    ("HOURLY", "write TIMESERIES 1 hour"),
    ("DAILY", "write TIMESERIES 1 day"),
    ("ESCAPE", "LIKE knows no ESCAPE; write RLIKE for a literal %"),
    ("INSERT", "NRQL only reads"),
    ("UPDATE", "NRQL only reads"),
    ("DELETE", "NRQL only reads"),
    ("CREATE", "NRQL only reads"),
    ("DROP", "NRQL only reads"),
    ("EMPTY", "write IS NULL or = ''"),
    ("MISSING", "write IS NULL"),
];

/// Those of [`FOREIGN`] that stand before what they belong to.
const PREFIXES: &[&str] = &["DISTINCT", "TOP", "CASE", "EXISTS"];

/// Keywords that a misspelt word may mean.
const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "FACET",
    "SINCE",
    "UNTIL",
    "LIMIT",
    "OFFSET",
    "TIMESERIES",
    "WITH",
    "COMPARE",
    "ORDER",
    "EXTRAPOLATE",
    "JOIN",
    "TIMEZONE",
    "AGO",
    "AND",
    "LIKE",
    "RLIKE",
    "NULL",
    "seconds",
    "minutes",
    "hours",
    "days",
    "weeks",
    "months",
    "today",
    "yesterday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Help for a quote, a comment or a template that never ends.
pub(super) fn unbalanced(opener: &str) -> String {
    match opener {
        "/*" => "nothing closes this comment: write */".to_owned(),
        "{{" => "nothing closes this template variable: write {{name}}".to_owned(),
        "`" => "nothing closes this name: write another `".to_owned(),
        quote => {
            let closer = quote.trim_start_matches('r');
            format!("nothing closes this text: write {closer}; inside a text write \\{closer}")
        }
    }
}

/// Help for a character that begins no token.
pub(super) fn character(c: char) -> Option<String> {
    let text = match c {
        '‘' | '’' | '“' | '”' | '„' | '‚' | '«' | '»' => {
            "typographic quotes do not quote: write 'text'"
        }
        '&' => "write AND",
        '|' => "write OR, or concat(a, b)",
        '!' => "write NOT, or != to compare",
        '#' => "a comment begins with -- or //",
        '?' => "NRQL has no parameters: write the value, or {{name}} in a dashboard",
        '~' => "write RLIKE r'pattern'",
        '\\' => "a backslash belongs inside quotes only",
        '–' | '—' | '−' => "this is no minus sign: write -",
        _ => return None,
    };
    Some(text.to_owned())
}

/// What may be meant as a name where a keyword stands.
const NAMES_EXPECTED: &[&str] =
    &["an attribute", "a condition", "an expression", "a label", "an event type"];

impl Parser<'_> {
    /// Where the error that this token makes really is, and what to write instead.
    pub(super) fn advice(&self, expected: &str) -> (Span, String) {
        let span = self.span();
        if let Some(found) = self.foreign_here() {
            return found;
        }
        if let Some(help) = self.after_the_last(span) {
            return (span, help);
        }
        let mut help = format!("expected {expected}");
        let Some(word) = self.word() else { return (span, help) };
        let keyword = super::is_hard_keyword(word);
        if keyword && NAMES_EXPECTED.iter().any(|name| expected.starts_with(name)) {
            help = format!("{help}; write `{word}` in back-quotes if it is a name");
        } else if super::clause::begins_clause(word) && expected.starts_with("another clause") {
            help = format!("one {} is allowed", word.to_ascii_uppercase());
        } else if let Some(nearest) = nearest(word) {
            help = format!("{help}; did you mean {nearest}?");
        } else if !keyword && expected == "FROM" {
            help = format!("{help}; a label needs AS: write AS '{word}'");
        }
        (span, help)
    }

    /// A word of another language here or right before.
    fn foreign_here(&self) -> Option<(Span, String)> {
        let span = self.span();
        if let Some((before, word)) = self.word_before()
            && PREFIXES.iter().any(|prefix| prefix.eq_ignore_ascii_case(word))
            && let Some(help) = foreign(word)
        {
            // `SELECT DISTINCT a` is read as an attribute of that name, and `a` is too much.
            return Some((before, help.to_owned()));
        }
        let written = self.text.get(span.start..span.end).unwrap_or_default();
        let (by, word, place) = match self.word_at(1) {
            Some(next) if written.eq_ignore_ascii_case("NOT") => (1, next, self.ahead(1)?.span),
            _ => (0, written, span),
        };
        let help = foreign(word)?;
        let rewritten = self.between(by).filter(|_| word.eq_ignore_ascii_case("BETWEEN"));
        Some((place, rewritten.unwrap_or_else(|| help.to_owned())))
    }

    /// `a BETWEEN 1 AND 5` as NRQL says it; BETWEEN stands `by` tokens ahead.
    fn between(&self, by: usize) -> Option<String> {
        let text = |token: &super::Token| self.text.get(token.span.start..token.span.end);
        let operand = text(self.tokens.get(self.at.checked_sub(1)?)?)?;
        let (low, high) = (text(self.ahead(by + 1)?)?, text(self.ahead(by + 3)?)?);
        let named = operand.starts_with(super::lex::begins_word) || operand.starts_with('`');
        if !named || !self.is_word_at(by + 2, "AND") {
            return None;
        }
        Some(match by {
            0 => format!("NRQL has no BETWEEN: write {operand} >= {low} AND {operand} <= {high}"),
            _ => format!("NRQL has no BETWEEN: write ({operand} < {low} OR {operand} > {high})"),
        })
    }

    fn word_before(&self) -> Option<(Span, &str)> {
        let before = self.tokens.get(self.at.checked_sub(1)?)?;
        let word = self.text.get(before.span.start..before.span.end)?;
        (before.kind == TokenKind::Word).then_some((before.span, word))
    }

    /// Help that only the token before this one explains.
    fn after_the_last(&self, span: Span) -> Option<String> {
        let before = self.tokens.get(self.at.checked_sub(1)?)?;
        let adjacent = before.span.end == span.start;
        let written = self.text.get(span.start..span.end).unwrap_or_default();
        let help = match (&before.kind, self.peek()) {
            (TokenKind::Symbol(Symbol::Equal), TokenKind::Symbol(Symbol::Equal)) if adjacent => {
                "write = to compare"
            }
            (TokenKind::Text(_), TokenKind::Text(_)) => {
                "inside a text write \\' for a quote, or use the other quotes"
            }
            (TokenKind::Text(_), TokenKind::Word) if adjacent => {
                "inside a text write \\' for a quote, or use the other quotes"
            }
            (TokenKind::Word, _)
                if written == "-" && self.word_before()?.1.eq_ignore_ascii_case("now") =>
            {
                "write 1 hour ago"
            }
            _ => return None,
        };
        Some(help.to_owned())
    }
}

fn foreign(word: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, help)| *help)
}

/// The keyword that `word` most probably means.
fn nearest(word: &str) -> Option<&'static str> {
    let plain = word.to_ascii_lowercase();
    if plain.len() > 16 || plain.len() < 3 {
        return None;
    }
    if KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word)) {
        return None;
    }
    let distance =
        |keyword: &&str| strsim::damerau_levenshtein(&plain, &keyword.to_ascii_lowercase());
    KEYWORDS
        .iter()
        .map(|keyword| (distance(keyword), *keyword))
        .filter(|(distance, keyword)| *distance <= keyword.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, keyword)| keyword)
}
