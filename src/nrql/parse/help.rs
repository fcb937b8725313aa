//! What to write instead.

use super::{Parser, TokenKind};
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

impl Parser<'_> {
    /// Where the error that this token makes really is, and what to write instead.
    pub(super) fn advice(&self, expected: &str) -> (Span, String) {
        let span = self.span();
        if let Some(at) = self.at.checked_sub(1)
            && let Some(before) = self.tokens.get(at)
            && before.kind == TokenKind::Word
            && let Some(word) = self.text.get(before.span.start..before.span.end)
            && PREFIXES.iter().any(|prefix| prefix.eq_ignore_ascii_case(word))
            && let Some(help) = foreign(word)
            && self.peek() != &TokenKind::End
        {
            // `SELECT DISTINCT a` is read as an attribute of that name, and `a` is too much.
            return (before.span, help.to_owned());
        }
        let written = self.text.get(span.start..span.end).unwrap_or_default();
        if let Some(help) = foreign(written) {
            return (span, help.to_owned());
        }
        if written == "=" && self.text.get(span.end..).is_some_and(|rest| rest.starts_with('=')) {
            return (span, "write = to compare".to_owned());
        }
        if let TokenKind::Text(_) = self.peek()
            && self.at > 0
            && matches!(self.tokens.get(self.at - 1).map(|t| &t.kind), Some(TokenKind::Text(_)))
        {
            return (
                span,
                "inside a text write \\' for a quote, or use the other quotes".to_owned(),
            );
        }
        let mut help = format!("expected {expected}");
        if let Some(word) = self.word() {
            if super::is_hard_keyword(word) && !expected.contains("clause") {
                help = format!("{help}; write `{word}` in back-quotes if it is a name");
            } else if let Some(nearest) = nearest(word) {
                help = format!("{help}; did you mean {nearest}?");
            }
        }
        (span, help)
    }
}

fn foreign(word: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, help)| *help)
}

/// The keyword that `word` most probably means.
fn nearest(word: &str) -> Option<&'static str> {
    let plain = word.to_ascii_lowercase();
    if plain.len() > 16 {
        return None;
    }
    let distance =
        |keyword: &&str| strsim::damerau_levenshtein(&plain, &keyword.to_ascii_lowercase());
    KEYWORDS
        .iter()
        .map(|keyword| (distance(keyword), *keyword))
        .filter(|(distance, keyword)| (1..=(keyword.len() / 3).max(1)).contains(distance))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, keyword)| keyword)
}
