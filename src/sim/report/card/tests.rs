//! Cards as people and programs read them.

use std::collections::BTreeSet;

use super::*;
use crate::sim::run::defect::Defect;
use crate::sim::run::passport::Build;
use crate::sim::run::reference::Reference;
use crate::sim::run::{Network, Options, run, run_defective_with_evidence, run_with_evidence};
use crate::sim::scenario::{self, Scenario};
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

const OUTAGE: &str = r#"
title = "New Relic is out for a minute"
promise = "Nothing is lost."
duration = "5min"
[kafka.orders]
topics = 3
groups = 2
[[fault]]
at = "1min"
lasts = "1min"
unavailable = {}
"#;

fn scenario(text: &str) -> Scenario {
    scenario::load("test", text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn options() -> Options {
    Options { seed: Seed(1), network: Network::Kernel, sink: Sink::None }
}

/// A card and what it was made of.
fn card(scenario: &Scenario, defect: Option<Defect>) -> (String, RunReport, Evidence, Passport) {
    let (report, evidence) = match defect {
        Some(defect) => run_defective_with_evidence(scenario, options(), defect),
        None => run_with_evidence(scenario, options()),
    };
    let passport = Passport::of("outage.toml", scenario, Seed(1), Network::Kernel);
    (html(&passport, &report, &evidence), report, evidence, passport)
}

/// Elements, with which of them need no end.
const VOID: [&str; 3] = ["meta", "link", "br"];

/// The page's words, a line for each block; panics where an element is not ended as it began.
fn words(page: &str) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!doctype html>").expect("a page");
    while let Some(at) = rest.find('<') {
        let hidden = open.iter().any(|tag| ["style", "script", "title", "svg"].contains(tag));
        if !hidden {
            out.push_str(&rest[..at]);
        }
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "…{}", &rest[..rest.len().min(80)]);
            let block = ["p", "li", "h1", "h2", "h3", "tr", "dd", "div", "figcaption", "summary"];
            if block.contains(&name) && !out.ends_with('\n') {
                out.push('\n');
            } else if !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if ["script", "style"].contains(&name) && !tag.starts_with('/') {
            let end = rest.find(&format!("</{name}>")).expect("it ends");
            rest = &rest[end..];
        }
    }
    assert!(open.is_empty(), "{open:?} are not ended");
    let text = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#39;", "'").replace("&amp;", "&");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// Values of an attribute, in order.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let mark = format!(" {attribute}=\"");
    page.split(mark.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_failure_reads_like_this() {
    let (page, report, ..) = card(&scenario(OUTAGE), Some(Defect::DoubledRate));
    assert!(!report.passed());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/card"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Ids of builds and runs change with every version; the rest does not.
    let Build { lock, source, .. } = Build::current();
    let text = words(&page).replace(report.id.as_str(), "RUN");
    let text = text.replace(&lock, "LOCK").replace(&source, "SOURCE");
    settings.bind(|| insta::assert_snapshot!("failure", text));
}

#[test]
fn a_card_is_whole_in_itself_and_the_same_again() {
    for defect in [None, Some(Defect::DroppedTopic)] {
        let scenario = scenario(OUTAGE);
        let (page, report, evidence, passport) = card(&scenario, defect);
        assert_eq!(report.passed(), defect.is_none());
        assert_eq!(page, html(&passport, &report, &evidence));
        assert_eq!(page, card(&scenario, defect).0, "another run of the same");
        let plain = page.replace("http://www.w3.org/2000/svg", "");
        for banned in ["http://", "https://", "//cdn", "@import", "url(http", "innerHTML", "eval("]
        {
            assert!(!plain.contains(banned), "{banned}");
        }
        for attribute in ["style", "onclick", "onload", "src"] {
            assert!(values(&page, attribute).is_empty(), "{attribute}");
        }
        let ids = values(&page, "id");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        let known: BTreeSet<&str> = ids.into_iter().collect();
        for id in SCRIPT.split("$(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(known.contains(id), "the script asks for {id}");
        }
        for id in values(&page, "aria-labelledby") {
            assert!(known.contains(id), "{id}");
        }
        for (text, directive) in [(SCRIPT, "script-src"), (STYLE, "style-src")] {
            assert!(page.contains(&format!("{directive} {}", hash(text))), "{directive}");
            assert!(page.contains(&format!(">{text}</")), "{directive}: the text itself");
        }
        assert!(!page.contains("unsafe-inline"));
        words(&page);
    }
}

#[test]
fn programs_find_run_and_verdict_in_a_card() {
    let (page, report, _, passport) = card(&scenario(OUTAGE), Some(Defect::LostBatch));
    let reference = Reference::of_card(&page).expect("a card");
    assert_eq!(reference.passport, passport);
    assert_eq!(reference.digest, Some(report.trace), "what a replay is compared with");
    let verdict = page.split("id=\"verdict\">").nth(1).and_then(|rest| rest.split('<').next());
    let verdict: serde_json::Value =
        serde_json::from_str(verdict.expect("a verdict")).expect("JSON");
    assert_eq!(verdict["schema"], verdict::VERDICT_SCHEMA);
    assert_eq!(verdict["passed"], false);
    assert_eq!(verdict["id"], report.id.to_string());
    let broken = report.checks.iter().find(|check| !check.passed()).expect("one is broken");
    assert_eq!(verdict["broken"][0], broken.name);
    let after = |mark: &str| page.find(mark).expect("it is there") + 200;
    for cut in [page.len() / 2, after("id=\"passport\""), after("id=\"verdict\"")] {
        let error = Reference::of_card(&page[..cut]).expect_err("cut").to_string();
        assert_eq!(error, "it is a failure card that is cut off", "cut at {cut}");
    }
    let newer = page.replace("id=\"passport\">{\"schema\":1", "id=\"passport\">{\"schema\":99");
    let error = Reference::of_card(&newer).expect_err("newer").to_string();
    assert!(error.contains("99"), "{error}");
}

#[test]
fn a_card_is_about_the_promise_that_broke_first() {
    let (_, mut report, evidence, passport) = card(&scenario(OUTAGE), Some(Defect::DoubledRate));
    let found = report.first_broken().expect("a defect").at;
    let earlier = SimTime::from_secs(2);
    assert!(found > earlier);
    // The last check of the list, and not its first violation.
    let last = report.checks.last_mut().expect("a check");
    last.finding.violate(None, "told without an instant");
    last.finding.violate(Some(earlier), "the earliest of all");
    let name = last.name;
    let page = html(&passport, &report, &evidence);
    assert!(page.contains(&format!("\"broken_at\":{}", earlier.0)), "the verdict for programs");
    let text = words(&page);
    assert!(text.contains("At 00:02: the earliest of all"), "{text}");
    let also = text.split("Also broken: ").nth(1).and_then(|rest| rest.split('.').next());
    assert!(also.is_some_and(|also| !also.contains(name)), "{also:?}");
}

#[test]
fn a_card_tells_what_led_to_what_from_what_was_only_earlier() {
    const NONE: &str = "No chain from a fault to the broken promise was found.";
    const CHAIN: &str = "The trace records a chain from the fault to what the pipeline did";
    let unrelated = OUTAGE.replace("at = \"1min\"", "at = \"10s\"");
    let unrelated = unrelated.replace("lasts = \"1min\"", "lasts = \"5s\"");
    let split = "partition = { between = [\"pipeline\", \"orders-broker-2\"] }";
    let split = OUTAGE.replace("unavailable = {}", split);
    let cases = [
        (unrelated.as_str(), Defect::DoubledRate, Some(NONE)),
        (split.as_str(), Defect::SwallowedError, Some(CHAIN)),
        (OUTAGE, Defect::DoubledRate, None),
    ];
    for (text, defect, expected) in cases {
        let (page, report, evidence, _) = card(&scenario(text), Some(defect));
        assert!(!report.passed());
        let honesty = &evidence.chain.honesty;
        let told = words(&page);
        assert!(told.contains(honesty) && told.contains("found by the check"), "{told}");
        for claim in [NONE, CHAIN] {
            assert_eq!(honesty.starts_with(claim), expected == Some(claim), "{honesty}");
        }
    }
}

#[test]
fn a_card_says_what_its_run_was_cut_down_from() {
    let cut = OUTAGE.replacen("[kafka", "minimized_from = \"9 faults, 600 s\"\n[kafka", 1);
    let defect = Some(Defect::DoubledRate);
    let to = "1 fault, 1 cluster, 3 brokers, 3 topics";
    let cases = [
        (OUTAGE, None, None),
        (OUTAGE, defect, Some("Not cut down yet: some of this may".to_owned())),
        (OUTAGE, defect, Some("shakedown minimize RUN.html finds the smallest run".to_owned())),
        (&cut, None, Some(format!("minimize from 9 faults, 600 s to {to}"))),
        (&cut, defect, Some(format!("minimize from 9 faults, 600 s to {to}"))),
    ];
    for (text, defect, expected) in cases {
        let (page, report, ..) = card(&scenario(text), defect);
        let words = words(&page).replace(report.id.as_str(), "RUN");
        let told = words.split("What was made to fail").nth(1).expect("the section");
        let told = told.split("How it").next().or(told.split("What it did").next());
        let told = told.expect("it ends");
        match expected {
            Some(expected) => assert!(told.contains(&expected), "{told}"),
            None => assert!(!told.contains("minimize"), "{told}"),
        }
        assert!(!words.contains("minimized_from"), "it is no setting");
    }
}

#[test]
fn no_name_becomes_markup() {
    let hostile = "</script><script>alert('x')</script>\" onload=\"y & <b>";
    let (_, report, mut evidence, mut passport) =
        card(&scenario(OUTAGE), Some(Defect::DoubledRate));
    let mut report = RunReport { title: hostile.to_owned(), ..report };
    passport.origin = hostile.to_owned();
    passport.scenario.promise = hostile.to_owned();
    passport.scenario.pipeline.environment = hostile.to_owned();
    report.drawn.push(hostile.to_owned());
    report.notes.push(hostile.to_owned());
    report.scenario.minimized_from = Some(hostile.to_owned());
    for fault in &mut evidence.faults {
        fault.words = hostile.to_owned();
    }
    for lane in evidence.lanes.iter_mut().flat_map(|group| &mut group.lanes) {
        lane.label = hostile.to_owned();
        lane.marks.iter_mut().for_each(|mark| mark.label = hostile.to_owned());
    }
    evidence.sequence.hosts.iter_mut().for_each(|host| *host = hostile.to_owned());
    evidence.chain.steps.iter_mut().for_each(|step| step.words = hostile.to_owned());
    evidence.last_events.iter_mut().for_each(|event| event.words = hostile.to_owned());
    evidence.curves.iter_mut().for_each(|curve| curve.title = hostile.to_owned());
    for check in &mut report.checks {
        check.finding.excused = Some(hostile.to_owned());
        check.finding.violations.iter_mut().for_each(|violation| {
            violation.what = hostile.to_owned();
        });
    }
    let page = html(&passport, &report, &evidence);
    assert!(!page.contains("<script>alert"), "a script came in");
    assert!(values(&page, "onload").is_empty());
    assert!(words(&page).matches("alert('x')").count() > 20);
    let picture = crate::sim::report::svg::svg(&report, &evidence);
    assert!(!picture.contains("<script"), "a script came in");
}

#[test]
fn cards_stay_small_however_large_the_run() {
    let many = OUTAGE.replace("topics = 3", "brokers = 100\ntopics = 60");
    let long = OUTAGE.replace("5min", "3h");
    for text in [OUTAGE, &many, &long] {
        let (page, ..) = card(&scenario(text), None);
        assert!(page.len() < 300_000, "{} bytes", page.len());
        assert!(page.len() > 40_000, "{} bytes: something is missing", page.len());
    }
}

#[test]
fn evidence_changes_nothing() {
    let scenario = scenario(OUTAGE);
    let (_, report, evidence, _) = card(&scenario, None);
    let plain = run(&scenario, options());
    assert_eq!(report.trace, plain.trace);
    assert_eq!(report.checks, plain.checks);
    assert_eq!(evidence.trace_events, (plain.trace.events, plain.trace.events));
}
