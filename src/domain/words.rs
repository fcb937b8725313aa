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

/// The word of `known` that `written` most probably means: the first of [`nearest_few`].
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_few(written, known, 1).pop()
}

/// The words of `known` that `written` most probably means, nearest first, at most `most`. A word
/// is near if at most a third of its letters differ, and no more than six (a swap of neighbours
/// counts as one), or if they differ in case, `-` and `_` only. Equally near ones stay in their
/// order.
pub fn nearest_few<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let written = plain(written);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).clamp(1, 6))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(most).map(|(_, word)| word).collect()
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
    fn near_words_come_in_the_order_of_their_distance() {
        let known = ["lag.total", "lag.max", "consumer-lag", "rate"];
        let check = |written: &str, expected: &[&str]| {
            assert_eq!(nearest_few(written, known, 2), expected, "{written}");
            assert_eq!(nearest(written, known), expected.first().copied(), "{written}");
        };
        check("lag.totla", &["lag.total"]);
        check("lag.mxa", &["lag.max"]);
        check("Consumer_Lag", &["consumer-lag"]);
        check("rtae", &["rate"]);
        check("throughput", &[]);
        let alike = ["abcd", "abce", "abcf"];
        assert_eq!(nearest_few("abcx", alike, 2), ["abcd", "abce"], "in their order");
    }

    #[test]
    fn one_is_singular() {
        let counts = [0_u64, 1, 2].map(|count| counted(count, "run"));
        assert_eq!(counts, ["0 runs", "1 run", "2 runs"]);
        let counts = [0_usize, 1, 2].map(|count| counted_as(count, "query", "queries"));
        assert_eq!(counts, ["0 queries", "1 query", "2 queries"]);
    }
}
