//! Files with queries, and what is said about them.

use std::fs;
use std::path::Path;

use clap::Parser as _;
use serde_json::json;

use super::queries::{Document, document, read};
use super::{Catalogue, CheckArgs, Deny, Exit, Outcome, report};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: CheckArgs,
}

fn outcome(documents: Vec<Document>) -> Outcome {
    let mut outcome = Outcome::default();
    for document in documents {
        outcome.take(document, &Catalogue::message_queue(), &[]);
    }
    outcome
}

/// Code and place of every remark on a text.
fn remarks(name: &str, text: &str) -> Vec<(String, u64, u64)> {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    let outcome = outcome(vec![document(name.to_owned(), text.to_owned(), extension)]);
    assert_eq!(outcome.invalid, Vec::<String>::new(), "{text}");
    let value = report::value(&outcome);
    let findings = value["findings"].as_array().expect("a list");
    findings
        .iter()
        .map(|finding| {
            let number = |key: &str| finding[key].as_u64().expect("a number");
            (finding["code"].as_str().expect("a code").to_owned(), number("line"), number("column"))
        })
        .collect()
}

#[track_caller]
fn check(name: &str, text: &str, expected: &[(&str, u64, u64)]) {
    let found = remarks(name, text);
    let found: Vec<_> = found.iter().map(|(code, l, c)| (code.as_str(), *l, *c)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_remark_names_the_place_in_the_file() {
    check("a.nrql", "-- comment\n\nSELECT count(*) FROM X\n", &[]);
    check("a.nrql", "// comment\r\n  SELECT a FORM X\r\n", &[("syntax", 2, 12)]);
    check("a.nrql", "\u{feff}SELECT 'ü' FORM X", &[("syntax", 1, 12)]);
    check("a.nrql", "SELECT a\nSELECT b FROM X", &[("syntax", 1, 9)]);
    // Through JSON's escapes, each of which is more than one character of the file.
    check("a.json", r#"["SELECT \"x\" FORM X"]"#, &[("syntax", 1, 16)]);
    check("a.json", r#"["SELECT \u00fc\ud83d\ude42 FORM X"]"#, &[("syntax", 1, 16)]);
    check("a.json", "[\n  \"SELECT a FROM X\",\n  \"SELECT\\n a FORM X\"]", &[("syntax", 3, 15)]);
    check("a.json", r#"{"query": "SELECT a FORM X"}"#, &[("syntax", 1, 21)]);
    check("a.json", r#"{"queries": [{"nrql": "SELECT a FORM X"}]}"#, &[("syntax", 1, 33)]);
    check("standard input", r#"[{"name": "x", "query": "SELECT a FORM X"}]"#, &[("syntax", 1, 35)]);
}

#[test]
fn dashboards_are_searched_at_every_place_that_holds_queries() {
    let dashboard = json!({
        "name": "D",
        "pages": [{ "name": "P", "widgets": [
            { "title": "a", "rawConfiguration": { "nrqlQueries": [
                { "accountIds": [1], "query": "SELECT a FORM X" },
                { "accountId": 1, "query": "SELECT sum(loadScore) FROM MessageQueue" }
            ] } },
            { "title": "b", "configuration": { "line": { "nrqlQueries": [
                { "accountId": 1, "query": "SELECT b FORM X" }
            ] } } },
            { "title": "c", "configuration": { "markdown": { "text": "SELECT c FORM X" } } }
        ] }],
        "variables": [{ "name": "v", "nrqlQuery": { "accountIds": [1],
            "query": "FROM X SELECT uniques(a" } }]
    });
    let text = serde_json::to_string_pretty(&dashboard).expect("JSON");
    let found = remarks("d.json", &text);
    let codes: Vec<&str> = found.iter().map(|(code, ..)| code.as_str()).collect();
    assert_eq!(codes, ["syntax", "sum-of-gauge", "syntax", "syntax"]);
    let line =
        |wanted: &str| 1 + text.lines().position(|line| line.contains(wanted)).expect(wanted);
    assert_eq!(found[0].1, line("SELECT a FORM X") as u64);
    let lines: Vec<&str> = text.lines().collect();
    let place = &found[2];
    let from = &lines[place.1 as usize - 1][place.2 as usize - 1..];
    assert!(from.starts_with("FORM X"), "{from}");
    let own = r#"{"pages": [{"rawConfiguration": {"queries": [{"query": "SELECT a FORM X"}]}}]}"#;
    check("d.json", own, &[("syntax", 1, 66)]);
    // A dashboard without queries is one all the same.
    check("d.json", r#"{"pages": [{"widgets": []}]}"#, &[]);
}

#[test]
fn golden_metrics_are_put_together_from_their_parts() {
    let text = "cpu:\n  title: CPU\t\n  unit: PERCENTAGE\n  queries:\n    newRelic:\n      \
                select: average(`broker.cpu.usage`)\n      from: MessageQueue\n      \
                where: entityType = 'MESSAGE_QUEUE_BROKER'\n      eventId: entityGuid\n    \
                other:\n      select: \"sum(loadScore) + \"\n      from: MessageQueue\n    \
                third:\n      select: max(a)\n      where: b BETWEEN 1 AND 2\n";
    check("golden_metrics.yml", text, &[("syntax", 12, 7), ("syntax", 15, 16)]);
    let summary = "cpu:\n  goldenMetric: cpu\n  title: CPU\n  unit: COUNT\nlag:\n  title: L\n  \
                   unit: COUNT\n  query:\n    select: latest(x\n    from: X\n";
    check("summary_metrics.yml", summary, &[("syntax", 9, 19)]);
}

#[test]
fn what_holds_no_queries_is_refused() {
    for (name, text, expected) in [
        ("a.json", "{", "a.json:1:2: not JSON: expected a name"),
        ("a.json", "[1,]", "a.json:1:4: not JSON: expected a value"),
        ("a.json", "{\"a\": 1}", "no queries here"),
        ("a.json", "[\"x", "nothing closes this text"),
        ("a.json", "[\"\\q\"]", "no such escape"),
        ("a.json", "[] []", "more than one value"),
        ("g.yml", "a: [", "g.yml:1:"),
    ] {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
        let outcome = outcome(vec![document(name.to_owned(), text.to_owned(), extension)]);
        let reason = outcome.invalid.join("\n");
        assert!(reason.contains(expected), "{text}: {reason}");
        assert_eq!(outcome.exit(None), Exit::InvalidFile);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let outcome = outcome(vec![document("a.json".to_owned(), deep, Some("json"))]);
    assert!(outcome.invalid.join("").contains("nested too deep"));
}

#[test]
fn folders_of_definitions_are_walked() {
    let folder = tempfile::tempdir().expect("a folder");
    let types = folder.path().join("entity-types/infra-x");
    fs::create_dir_all(types.join("tests")).expect("made");
    let put = |name: &str, text: &str| fs::write(types.join(name), text).expect("written");
    put("definition.yml", "domain: INFRA\n");
    put("golden_metrics.yml", "a:\n  queries:\n    x:\n      select: max(a\n");
    put("dashboard.json", r#"{"pages":[{"widgets":[{"nrqlQueries":[{"query":"SELECT"}]}]}]}"#);
    put("tests/Metric.json", "[{\"query\": \"SELECT\"}]");
    let documents = read(folder.path()).unwrap_or_else(|reasons| panic!("{reasons:?}"));
    let outcome = outcome(documents);
    assert_eq!((outcome.documents.len(), outcome.checked.len()), (2, 2));
    assert_eq!(outcome.exit(None), Exit::Failed);
    let empty = tempfile::tempdir().expect("a folder");
    assert!(read(empty.path()).is_err());
    for text in ["", "\n-- a comment\n"] {
        let file = empty.path().join("none.nrql");
        std::fs::write(&file, text).expect("written");
        let documents = read(&file).expect("a document");
        assert!(documents[0].problems[0].contains("no queries here"), "{text:?}");
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/definitions");
    let outcome = self::outcome(read(&own).unwrap_or_else(|reasons| panic!("{reasons:?}")));
    assert!(outcome.checked.len() >= 20, "{} queries", outcome.checked.len());
    assert_eq!(outcome.exit(None), Exit::Ok, "{}", report::rendered(&outcome, false));
}

#[test]
fn severities_decide_about_the_exit() {
    let exit = |text: &str, deny| {
        outcome(vec![document("a".to_owned(), text.to_owned(), None)]).exit(deny)
    };
    let warning = "SELECT sum(loadScore) FROM MessageQueue";
    let advice = "SELECT max(a) + 1 FROM X";
    assert_eq!(exit(warning, None), Exit::Ok);
    assert_eq!(exit(warning, Some(Deny::Warnings)), Exit::Failed);
    assert_eq!(exit(advice, Some(Deny::Warnings)), Exit::Ok);
    assert_eq!(exit(advice, Some(Deny::Advice)), Exit::Failed);
    assert_eq!(exit("SELECT baseline(a) FROM X", None), Exit::Failed);
    let run = |arguments: &[&str]| {
        let line = std::iter::once(&"x").chain(arguments);
        Line::try_parse_from(line).expect("arguments").args.run()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.nrql");
    fs::write(&file, warning).expect("written");
    let file = file.to_str().expect("UTF-8");
    assert_eq!(run(&[file]), Exit::Ok);
    assert_eq!(run(&[file, "--deny", "warnings", "--format", "json"]), Exit::Failed);
    assert_eq!(run(&[file, "--deny", "warnings", "--allow", "sum-of-gauge"]), Exit::Ok);
    assert_eq!(run(&[file, "--allow", "sum-of-gages"]), Exit::Usage);
    assert_eq!(run(&[file, "--catalogue", file]), Exit::InvalidFile);
    assert_eq!(run(&["/nowhere.nrql"]), Exit::InvalidFile);
}

#[test]
fn people_see_the_text_and_what_to_write_instead() {
    let text = "SELECT uniqueCount(a) FROM X WHERE b BETWEEN 60 AND 80\n\
                SELECT max(loadScoer) FROM MessageQueue\n";
    let outcome = outcome(vec![document("q.nrql".to_owned(), text.to_owned(), None)]);
    insta::assert_snapshot!(report::rendered(&outcome, false), @r"
    shakedown::nrql::syntax

      × NRQL Syntax Error: Error at line 1 position 38, unexpected 'BETWEEN'
       ╭─[q.nrql:1:38]
     1 │ SELECT uniqueCount(a) FROM X WHERE b BETWEEN 60 AND 80
       ·                                      ───────
     2 │ SELECT max(loadScoer) FROM MessageQueue
       ╰────
      help: NRQL has no BETWEEN: write b >= 60 AND b <= 80

    shakedown::nrql::unknown-attribute

      ⚠ no event of type MessageQueue has loadScoer
       ╭─[q.nrql:2:12]
     1 │ SELECT uniqueCount(a) FROM X WHERE b BETWEEN 60 AND 80
     2 │ SELECT max(loadScoer) FROM MessageQueue
       ·            ─────────
       ╰────
      help: did you mean loadScore?

    2 queries in 1 file: 1 error, 1 warning, 0 pieces of advice
    ");
    // Of a dashboard on one line only the query is shown.
    let long = format!("[\"{}\", \"SELECT a FORM X\"]", "SELECT a FROM X ".repeat(40).trim());
    let outcome = self::outcome(vec![document("q.json".to_owned(), long, Some("json"))]);
    let shown = report::rendered(&outcome, false);
    assert!(shown.contains("[q.json:1:") && shown.len() < 2_000, "{shown}");
}
