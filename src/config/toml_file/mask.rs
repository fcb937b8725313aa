//! Keeps secrets out of what is shown of a file.
//!
//! Invariants:
//! - [`mask`] keeps every character's place (bytes and lines), so spans stay right.
//! - It works on text, not on a parsed document: a file with a syntax error may hold secrets too.

/// Parts of a key that make its value a secret.
const SECRET_WORDS: &[&str] =
    &["license", "licence", "api_key", "secret", "password", "token", "webhook"];

/// `text` with everything that follows a secret-sounding word, and New Relic's keys anywhere, as
/// asterisks. It hides too much rather than too little: the rest of the word's line, all of a
/// multi-line string, and the next line when the word's own says nothing.
pub(super) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<&str> = None;
    let mut pending = false;
    for line in text.split_inclusive('\n') {
        let shown = match (open, pending) {
            (Some(_), _) | (None, true) => 0,
            (None, false) => secret_word_end(line).unwrap_or(line.len()),
        };
        let (shown, hidden) = line.split_at(shown);
        out.push_str(shown);
        let masked = push_masked(&mut out, hidden);
        if let Some(quotes) = open {
            open = open.filter(|_| !hidden.contains(quotes));
        } else if !hidden.is_empty() {
            let odd = |quotes: &&str| hidden.matches(*quotes).count() % 2 == 1;
            open = ["\"\"\"", "'''"].into_iter().find(odd);
            pending = !masked && !line.trim_start().starts_with('#');
        }
    }
    mask_keys(&out)
}

/// Where the first key of `line` that sounds secret ends.
fn secret_word_end(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase().replace('-', "_");
    let ends = SECRET_WORDS.iter().filter_map(|word| lower.find(word).map(|at| at + word.len()));
    let end = ends.min()?;
    let key_rest = lower[end..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    Some(key_rest.map_or(line.len(), |rest| end + rest))
}

/// Asterisks for everything but white space and the marks of syntax, byte for byte; whether there
/// was anything to hide.
fn push_masked(out: &mut String, secret: &str) -> bool {
    let mut masked = false;
    for c in secret.chars() {
        if c.is_whitespace() || "\"'=[]{},:".contains(c) {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
            masked = true;
        }
    }
    masked
}

/// `text` with everything that is shaped like one of New Relic's keys masked: user keys
/// (`NRAK-…`), browser and insert keys (`NRII-…`), licence keys (`…NRAL`, or 40 hex digits).
pub(super) fn mask_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut rest = text;
    while !rest.is_empty() {
        let word_len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_len);
        if is_key(word) {
            out.extend(std::iter::repeat_n('*', word.len()));
        } else {
            out.push_str(word);
        }
        let gap = after.find(is_word).unwrap_or(after.len());
        out.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    out
}

fn is_key(word: &str) -> bool {
    let long = word.len() >= 20;
    let hex = word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let prefixes = ["NRAK-", "NRII-", "NRIQ-"];
    let user = prefixes.iter().any(|p| word.len() > p.len() && word.starts_with(p));
    user || hex || (long && word.ends_with("NRAL"))
}

/// A message of the `toml` crate as message and help; it writes "expected …" after a comma.
pub(super) fn split_message(message: &str) -> (String, Option<String>) {
    let message = message.trim().trim_end_matches('.');
    match message.split_once(", expected ") {
        Some((what, "nothing")) => (what.to_owned(), None),
        Some((what, expected)) => (what.to_owned(), Some(format!("expected {expected}"))),
        None => (message.to_owned(), None),
    }
}
