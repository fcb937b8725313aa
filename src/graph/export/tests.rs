//! What other programs would read is what the graph says, whatever entities are called.

use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::Value;

use super::super::tests::{cluster, described};
use super::*;
use crate::graph::{EntityFacts, Standing};

fn shown() -> Graph {
    let mut graph = Graph::new();
    cluster(&mut graph, "orders", 2, 2, 1);
    let stale = described(&mut graph, EntityKind::Topic, "orders", "t2");
    let facts = EntityFacts { standing: Standing::Stale, ..graph.facts(&stale).unwrap().clone() };
    graph.describe(stale, facts);
    described(&mut graph, EntityKind::Queue, "elsewhere", "mails");
    graph
}

#[test]
fn forms() {
    let graph = shown();
    let json = serde_json::to_string_pretty(&json(&graph)).expect("JSON");
    let forms = [
        ("json", json),
        ("dot", dot(&graph)),
        ("mermaid", mermaid(&graph)),
        ("graphml", graphml(&graph)),
    ];
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots/graph");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, text) in forms {
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// Quoted strings of a DOT or Mermaid text, undone by `undo`.
fn strings(
    text: &str,
    mut undo: impl FnMut(&mut std::iter::Peekable<std::str::Chars<'_>>, char) -> Option<char>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '"' {
            continue;
        }
        let mut string = String::new();
        loop {
            match chars.next().expect("strings end") {
                '"' => break,
                c => string.extend(undo(&mut chars, c)),
            }
        }
        found.push(string);
    }
    found
}

/// By the grammar of DOT: within quotes only `\"` is special; labels undo `\\`, `\n` and HTML's
/// references.
fn dot_strings(text: &str) -> Vec<String> {
    let strings = strings(text, |chars, c| match c {
        '\\' => match chars.next() {
            Some('n') => Some('\n'),
            other => other,
        },
        c => Some(c),
    });
    strings.into_iter().map(|string| string.replace("&amp;", "&")).collect()
}

fn mermaid_strings(text: &str) -> Vec<String> {
    strings(text, |chars, c| match c {
        '#' => {
            let mut number = 0;
            for digit in chars.by_ref().take_while(|c| *c != ';') {
                number = number * 10 + digit.to_digit(10).expect("a number");
            }
            char::from_u32(number)
        }
        c => Some(c),
    })
}

fn xml_names(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut names, mut in_name) = (Vec::new(), false);
    loop {
        match reader.read_event().expect("well formed") {
            Event::Eof => return names,
            Event::Start(start) => {
                in_name = start.attributes().any(|attribute| {
                    let attribute = attribute.expect("well formed");
                    attribute.key.as_ref() == b"key" && attribute.value.as_ref() == b"name"
                });
                if in_name {
                    names.push(String::new());
                }
            }
            Event::Text(text) if in_name => {
                names.last_mut().unwrap().push_str(&text.decode().expect("UTF-8"));
            }
            Event::GeneralRef(reference) if in_name => {
                let name = reference.decode().expect("UTF-8");
                let c = match &*name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "#39" => '\'',
                    other => panic!("&{other};"),
                };
                names.last_mut().unwrap().push(c);
            }
            Event::End(_) => in_name = false,
            _ => {}
        }
    }
}

/// `name` without what a format cannot hold.
fn held(name: &str, is_kept: impl Fn(char) -> bool) -> String {
    let keep = |c| if is_kept(c) { c } else { char::REPLACEMENT_CHARACTER };
    name.chars().map(keep).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn names_survive(name in "[\\PC\n\t\r\"\\\\#&<>'|;{}\\[\\]\u{0}\u{1b}\u{fffe}]{1,24}") {
        let mut graph = Graph::new();
        let guid = described(&mut graph, EntityKind::Topic, "c", "t");
        let facts = EntityFacts { name: name.clone(), ..EntityFacts::default() };
        graph.describe(guid, facts);
        let read: Value = serde_json::to_value(json(&graph)).unwrap();
        let text = serde_json::to_string(&read).unwrap();
        let again: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again["nodes"][0]["name"], &Value::String(name.clone()));
        let plain = held(&name, |c| c == '\n' || !c.is_control());
        let label = &dot_strings(&dot(&graph))[3];
        prop_assert_eq!(label, &plain);
        let plain = held(&name, |c| !c.is_control());
        prop_assert_eq!(&mermaid_strings(&mermaid(&graph))[0], &plain);
        let plain = held(&name, |c| {
            "\n\t".contains(c) || !(c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c))
        });
        prop_assert_eq!(&xml_names(&graphml(&graph)), &[plain]);
    }
}
