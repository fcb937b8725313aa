//! A feature file as lines, each of one kind, none lost.
//!
//! Source: the Gherkin reference, English keywords (cucumber.io/docs/gherkin/reference).
//!
//! Invariant: what a line is follows from its first word and from whether it stands within a text
//! in quotes; never from what a scenario may hold at its place.

use std::ops::Range;

/// Keywords of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keyword {
    /// What there is.
    Given,
    /// What happens.
    When,
    /// What must hold.
    Then,
    /// The same as the step before.
    And,
    /// The same, in contrast.
    But,
    /// The same, as an item of a list.
    Star,
}

/// Every keyword of a step as it is written.
pub const STEP_KEYWORDS: [(&str, Keyword); 6] = [
    ("Given", Keyword::Given),
    ("When", Keyword::When),
    ("Then", Keyword::Then),
    ("And", Keyword::And),
    ("But", Keyword::But),
    ("*", Keyword::Star),
];

impl Keyword {
    /// As it is written.
    pub fn written(self) -> &'static str {
        STEP_KEYWORDS.iter().find(|(_, keyword)| *keyword == self).map_or("", |(text, _)| text)
    }
}

/// What begins a part of a feature file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Block {
    /// The whole file.
    Feature,
    /// One promise.
    Rule,
    /// Steps before every scenario.
    Background,
    /// One case.
    Scenario,
    /// One case for each row of its examples.
    Outline,
    /// Rows for an outline.
    Examples,
}

/// Every keyword of a block as it is written, without its colon; the first of each is ours.
pub const BLOCK_KEYWORDS: [(&str, Block); 11] = [
    ("Feature", Block::Feature),
    ("Rule", Block::Rule),
    ("Background", Block::Background),
    ("Scenario", Block::Scenario),
    ("Scenario Outline", Block::Outline),
    ("Examples", Block::Examples),
    ("Example", Block::Scenario),
    ("Scenario Template", Block::Outline),
    ("Scenarios", Block::Examples),
    ("Business Need", Block::Feature),
    ("Ability", Block::Feature),
];

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Blank,
    /// `# …`
    Comment,
    /// `@a @b`
    Tags,
    /// `Scenario: …`
    Block(Block),
    /// `Given …`
    Step(Keyword),
    /// `| a | b |`
    Row,
    /// `"""` or three back-ticks: begins or ends a text.
    Quotes,
    /// A line of a text in quotes.
    Quoted,
    /// Anything else: words of a description, or a mistake.
    Words,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the file, without blanks around.
    pub span: Range<usize>,
    /// The bytes after its keyword, without blanks around; of others the same as `span`.
    pub rest: Range<usize>,
}

/// The lines of `text`.
pub fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut start, mut quotes) = (0, None);
    for raw in text.split_inclusive('\n') {
        let from = start;
        start += raw.len();
        let bare = raw.trim_end_matches(['\n', '\r', ' ', '\t']);
        let words = bare.trim_start_matches([' ', '\t', '\u{feff}']);
        let span = from + bare.len() - words.len()..from + bare.len();
        let (kind, keyword) = match quotes {
            Some(mark) if words.starts_with(mark) => {
                quotes = None;
                (Kind::Quotes, 0)
            }
            Some(_) => (Kind::Quoted, 0),
            None => {
                quotes = ["\"\"\"", "```"].into_iter().find(|mark| words.starts_with(mark));
                if quotes.is_some() { (Kind::Quotes, 0) } else { classify(words) }
            }
        };
        let after = &words[keyword..];
        let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
        let rest = span.start + keyword + blanks..span.end;
        lines.push(Line { kind, span, rest });
    }
    lines
}

/// What `words` are outside of quotes, and how many bytes its keyword has.
fn classify(words: &str) -> (Kind, usize) {
    match words.chars().next() {
        None => return (Kind::Blank, 0),
        Some('#') => return (Kind::Comment, 0),
        Some('@') => return (Kind::Tags, 0),
        Some('|') => return (Kind::Row, 0),
        Some(_) => {}
    }
    for (keyword, block) in BLOCK_KEYWORDS {
        if words.strip_prefix(keyword).is_some_and(|rest| rest.starts_with(':')) {
            return (Kind::Block(block), keyword.len() + 1);
        }
    }
    for (written, keyword) in STEP_KEYWORDS {
        let is_step = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
        if words.strip_prefix(written).is_some_and(is_step) {
            return (Kind::Step(keyword), written.len());
        }
    }
    (Kind::Words, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_kind_and_a_place() {
        let check = |text: &str, expected: &[(Kind, &str)]| {
            let found = lines(text);
            let found: Vec<(Kind, &str)> =
                found.iter().map(|line| (line.kind, &text[line.rest.clone()])).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("Feature: a b \r\n", &[(Kind::Block(Block::Feature), "a b")]);
        check("\u{feff}Feature:x", &[(Kind::Block(Block::Feature), "x")]);
        check("  Scenario Outline: a", &[(Kind::Block(Block::Outline), "a")]);
        check("Scenario a", &[(Kind::Words, "Scenario a")]);
        check("\tGiven  a", &[(Kind::Step(Keyword::Given), "a")]);
        check("Given", &[(Kind::Step(Keyword::Given), "")]);
        check("Givena", &[(Kind::Words, "Givena")]);
        check("* a\n\n", &[(Kind::Step(Keyword::Star), "a"), (Kind::Blank, "")]);
        check("@a @b", &[(Kind::Tags, "@a @b")]);
        check("| a |", &[(Kind::Row, "| a |")]);
        check("# Given a", &[(Kind::Comment, "# Given a")]);
        check(
            "\"\"\"\nGiven a\n```\n\"\"\"\nThen b",
            &[
                (Kind::Quotes, "\"\"\""),
                (Kind::Quoted, "Given a"),
                (Kind::Quoted, "```"),
                (Kind::Quotes, "\"\"\""),
                (Kind::Step(Keyword::Then), "b"),
            ],
        );
    }
}
