//! The catalogue of steps for people: searched, and as docs/STEPS.md.

use std::fmt::Write as _;

use super::pattern::HOLES;
use super::steps::{SUBJECTS, Step};

/// Steps with all of `words` in their pattern, meaning or subject, capitals or not.
pub fn search(words: &[String]) -> Vec<(&'static str, &'static Step)> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let all =
        SUBJECTS.iter().flat_map(|(subject, steps)| steps.iter().map(move |step| (*subject, step)));
    let has_all = |(subject, step): &(&'static str, &'static Step)| {
        let keyword = step.phase.keyword();
        let text = format!("{subject} {keyword} {} {}", step.pattern, step.meaning).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    all.filter(has_all).collect()
}

/// Steps for a terminal, by subject.
pub fn text(found: &[(&'static str, &'static Step)]) -> String {
    let (mut out, mut last) = (String::new(), "");
    for (subject, step) in found {
        if last != *subject {
            let blank = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{blank}{subject}");
            last = subject;
        }
        let _ = writeln!(out, "  {} {}", step.phase.keyword(), step.pattern);
        let _ = writeln!(out, "      {}", step.meaning);
    }
    out
}

/// docs/STEPS.md.
pub fn document() -> String {
    let mut out = String::from(
        "# Steps of feature files\n\n\
         <!-- Generated from src/bdd/steps by `cargo test`; edit there. -->\n\n\
         A scenario says what there is (`Given`), what happens (`When`), lets the simulation run, \
         and says what must\nhold (`Then`). `shakedown steps WORD…` searches this list; \
         `shakedown features --check` says what is wrong with a\nfile, `shakedown features` runs \
         it.\n\n## Values\n\n| in a pattern | is | for example |\n| --- | --- | --- |\n",
    );
    for hole in &HOLES {
        let _ = writeln!(out, "| `{{{}}}` | {} | `{}` |", hole.name, hole.meaning, hole.example);
    }
    for (subject, steps) in SUBJECTS {
        let _ = writeln!(out, "\n## {subject}\n");
        for step in steps {
            let _ = writeln!(out, "- **{}** `{}`  ", step.phase.keyword(), step.pattern);
            let _ = writeln!(out, "  {}", step.meaning);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_narrow_the_search() {
        let all = search(&[]);
        let some = search(&["Broker".to_owned(), "down".to_owned()]);
        assert!(all.len() > some.len() && !some.is_empty());
        assert!(some.iter().all(|(_, step)| step.pattern.contains("down")));
        assert_eq!(search(&["zebra".to_owned()]).len(), 0);
        assert!(text(&all).starts_with("Fleet and traffic\n  Given "));
    }

    #[test]
    fn the_document_of_steps_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/STEPS.md");
        let text = document();
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            std::fs::write(path, &text).expect("the document can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text,
            "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib bdd::reference"
        );
    }
}
