//! "Did you mean": the nearest of the words that would have been right.

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

/// The only word of `known` that `written`, in the plural or not, is the beginning of.
fn abbreviated<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let begin = written.strip_suffix('s').unwrap_or(written);
    let mut found = known.iter().filter(|word| begin.len() >= 2 && word.starts_with(begin));
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// `` `a`, `b` or `c` ``.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The fix for `written` where one of `known` belongs.
pub(super) fn fix(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()).or_else(|| abbreviated(written, known)) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("expected {}", one_of(known.iter().copied())),
    }
}
