//! "Did you mean": the nearest of the words that would have been right.

pub use crate::domain::words::nearest;

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
