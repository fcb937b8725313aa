//! Words for numbers, the word that was probably meant, and texts as markup takes them.

use std::fmt::Display;

/// `1 run`, `2 runs`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let end = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{end}")
}

/// `1 query`, `2 queries`: for nouns that take more than an `s`.
pub fn counted_as<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    format!("{count} {}", if count == N::from(1) { one } else { many })
}

/// The word of `known` that `written` most probably means, if one is near enough: at most a third
/// of its letters differ (a swap of neighbours counts as one), or they differ in case, `-` and `_`
/// only. The first of equally near ones wins.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let written = plain(written);
    let distances = known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1));
    distances.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// `text` as markup's text or attribute value. Characters that no document may hold become the
/// replacement character.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        let counts = [0_u64, 1, 2].map(|count| counted(count, "run"));
        assert_eq!(counts, ["0 runs", "1 run", "2 runs"]);
        let counts = [0_usize, 1, 2].map(|count| counted_as(count, "query", "queries"));
        assert_eq!(counts, ["0 queries", "1 query", "2 queries"]);
    }
}
