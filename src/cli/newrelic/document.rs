//! docs/NEWRELIC.md lists faults, routes and claims; these parts are made of the code.

use std::fmt::Write as _;
use std::path::Path;

use super::claims;
use crate::sim::fault::Key;
use crate::sim::newrelic::claims::to_markdown;
use crate::sim::newrelic::serve::{
    Accounts, COMMON_KEYS, DEFAULT_INGEST_KEY, DEFAULT_USER_KEY, ROUTES, fault_kinds,
};

fn faults() -> String {
    let mut text = String::from("| Name | Effect |\n|---|---|\n");
    let mut keys: Vec<(String, String, Vec<&str>)> = Vec::new();
    for kind in fault_kinds() {
        writeln!(text, "| `{}` | {} |", kind.name, kind.summary).expect("a string");
        for Key { name, meaning, .. } in kind.keys() {
            match keys.iter_mut().find(|(key, known, _)| *key == name && *known == meaning) {
                Some((_, _, kinds)) => kinds.push(kind.name),
                None => keys.push((name, meaning, vec![kind.name])),
            }
        }
    }
    text.push_str("\n| Key | Of | Meaning |\n|---|---|---|\n");
    for (key, meaning) in COMMON_KEYS {
        writeln!(text, "| `{key}` | all | {meaning} |").expect("a string");
    }
    let all_but_one = fault_kinds().count() - 1;
    for (key, meaning, kinds) in keys {
        let of = match kinds.len() {
            count if count == all_but_one => "all but `late_synthesis`".to_owned(),
            _ => format!("`{}`", kinds.join("`, `")),
        };
        writeln!(text, "| `{key}` | {of} | {meaning} |").expect("a string");
    }
    text
}

fn routes() -> String {
    let mut text = String::from("| Method | Path | Meaning |\n|---|---|---|\n");
    for (method, path, meaning) in ROUTES {
        writeln!(text, "| {method} | `{path}` | {meaning} |").expect("a string");
    }
    text
}

/// `text` with each generated part made anew.
fn renewed(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, part) in [("faults", faults()), ("routes", routes()), ("claims", to_markdown())] {
        let begin = format!("<!-- generated: {name} -->\n");
        let from = text.find(&begin).unwrap_or_else(|| panic!("no part {name}")) + begin.len();
        let to = from + text[from..].find("<!-- end -->").expect("an end");
        text.replace_range(from..to, &part);
    }
    text
}

#[test]
fn the_document_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/NEWRELIC.md");
    let committed = std::fs::read_to_string(&path).expect("the document");
    let text = renewed(&committed);
    for known in [DEFAULT_INGEST_KEY, DEFAULT_USER_KEY] {
        assert!(text.contains(known), "{known}");
    }
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(&path, text).expect("written");
        return;
    }
    assert!(committed == text, "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib cli::newrelic");
}

#[test]
fn the_document_shows_an_accounts_file_that_is_valid() {
    let text = include_str!("../../../docs/NEWRELIC.md");
    let from = text.find("```toml\n").expect("a file") + "```toml\n".len();
    let length = text[from..].find("```").expect("an end");
    let accounts = Accounts::parse("docs", &text[from..from + length]).expect("valid");
    assert_eq!(accounts.ids().len(), 2);
}

#[test]
fn claims_are_printed_in_every_format() {
    for format in claims::FORMATS {
        let text = claims::text(format);
        assert!(text.contains("Introduction to the Event API"), "{format:?}: {text}");
        let rows = crate::sim::newrelic::claims::claims().count();
        assert!(text.lines().count() >= rows, "{format:?}: {text}");
    }
}
