//! Lines that somebody meant as a keyword.
//!
//! A description may say anything, so only what is close to a keyword counts, and in a
//! description only with more evidence: a colon after a block's, words of a known step after a
//! step's.

use super::lines::{BLOCK_KEYWORDS, Block, Keyword, STEP_KEYWORDS};

/// Most letters that a misspelt keyword of `letters` letters differs in.
fn letters_wrong_max(letters: usize) -> usize {
    match letters {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    }
}

/// How many letters differ, small and capital ones being the same; `None` when too many do.
fn distance(written: &str, keyword: &str) -> Option<usize> {
    let distance = strsim::damerau_levenshtein(&written.to_lowercase(), &keyword.to_lowercase());
    (distance <= letters_wrong_max(keyword.chars().count())).then_some(distance)
}

/// A keyword that is near to `written`, the nearest first.
fn near<'k>(written: &str, keywords: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let near = keywords.filter_map(|keyword| Some((distance(written, keyword)?, keyword)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, keyword)| keyword)
}

/// The block keyword that `words` begin with, misspelt or without its colon.
pub(super) fn block(words: &str) -> Option<(&'static str, Block)> {
    let meant = block_keyword(words)?;
    BLOCK_KEYWORDS.into_iter().find(|(keyword, _)| *keyword == meant)
}

fn block_keyword(words: &str) -> Option<&'static str> {
    let keywords = || BLOCK_KEYWORDS.iter().map(|(keyword, _)| *keyword);
    if let Some((before, _)) = words.split_once(':') {
        let plain: String = before.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(keyword) = near(&plain, keywords()) {
            return Some(keyword);
        }
    }
    // Without a colon only what nobody would write in prose.
    let unmistakable = ["Scenario Outline", "Scenario", "Background", "Examples", "Feature"];
    let is_alone = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    unmistakable.into_iter().find(|keyword| words.strip_prefix(keyword).is_some_and(is_alone))
}

/// The step keyword that `words` begin with, misspelt; and the words after it.
pub(super) fn step(words: &str) -> Option<(Keyword, &str)> {
    let end = words.find([' ', '\t', '\u{a0}', ':']).unwrap_or(words.len());
    let (first, rest) = words.split_at(end);
    let keywords = STEP_KEYWORDS.iter().map(|(written, _)| *written);
    let meant = near(first, keywords.filter(|written| *written != "*"))?;
    let (_, keyword) = STEP_KEYWORDS.into_iter().find(|(written, _)| *written == meant)?;
    Some((keyword, rest.trim_start_matches([' ', '\t', '\u{a0}', ':'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_where_they_were_meant() {
        let check = |words: &str, expected_block: Option<&str>, expected_step: Option<&str>| {
            assert_eq!(block(words).map(|(keyword, _)| keyword), expected_block, "{words}");
            let found = step(words).map(|(keyword, _)| keyword.written());
            assert_eq!(found, expected_step, "{words}");
        };
        check("Senario: a", Some("Scenario"), None);
        check("scenario: a", Some("Scenario"), None);
        check("Scenario outline: a", Some("Scenario Outline"), None);
        check("Scenario a", Some("Scenario"), None);
        check("Scenarios of lag", None, None);
        check("Exampels:", Some("Examples"), None);
        check("Note: a", None, None);
        check("Givn a cluster", None, Some("Given"));
        check("given a cluster", None, Some("Given"));
        check("Given: a cluster", None, Some("Given"));
        check("Given\u{a0}a cluster", None, Some("Given"));
        check("Thne it is", None, Some("Then"));
        check("Adn it is", None, Some("And"));
        check("Brokers are", None, None);
        assert_eq!(step("given: a b"), Some((Keyword::Given, "a b")));
    }
}
