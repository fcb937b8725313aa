use serde_json::{Value, json};

use super::*;
use crate::newrelic::nerdgraph::Refusal;
use crate::newrelic::nerdgraph::tests::{Rig, Step, account};

fn widget(id: &str, title: &str, query: &str) -> Value {
    json!({"id": id, "title": title, "description": null,
        "layout": {"column": 1, "row": 1, "width": 4, "height": 3},
        "visualization": {"id": "viz.line"}, "linkedEntities": null, "link": null,
        "rawConfiguration": {"nrqlQueries": [{"accountId": 1, "query": query}]}})
}

fn page(guid: &str, name: &str, widgets: &[Value]) -> Value {
    json!({"guid": guid, "name": name, "description": null, "widgets": widgets})
}

fn stored(guid: &str, pages: &[Value]) -> Step {
    Step::Answer(
        200,
        json!({"data": {"actor": {"entity": {"guid": guid, "name": "D", "accountId": 1,
            "dashboardParentGuid": null, "description": "", "permissions": "PUBLIC_READ_WRITE",
            "updatedAt": "2026-01-01T00:00:00Z", "pages": pages, "variables": null}}}}),
    )
}

fn nothing_stored() -> Step {
    Step::Answer(200, json!({"data": {"actor": {"entity": null}}}))
}

fn list(guids: &[&str]) -> Step {
    let outline = |guid: &&str| json!({"guid": guid, "name": "D", "accountId": 1});
    let mut entities: Vec<Value> = guids.iter().map(outline).collect();
    // A page of a dashboard, and a dashboard of another name that the search found as well.
    entities.push(json!({"guid": "p", "name": "D", "accountId": 1, "dashboardParentGuid": "g"}));
    entities.push(json!({"guid": "x", "name": "d", "accountId": 1}));
    let results = json!({"nextCursor": null, "entities": entities});
    Step::Answer(200, json!({"data": {"actor": {"entitySearch": {"results": results}}}}))
}

fn made(guid: &str) -> Step {
    let payload = json!({"entityResult": {"guid": guid}, "errors": null});
    Step::Answer(200, json!({"data": {"dashboardCreate": payload}}))
}

fn refused(field: &str, kind: &str) -> Step {
    let errors = json!([{"type": kind, "description": "because"}]);
    Step::Answer(200, json!({"data": {field: {"errors": errors}}}))
}

/// The document that [`stored`] with one page of one widget shows.
fn document() -> DashboardDocument {
    let text = r#"{"name": "D", "pages": [{"name": "P", "widgets": [{"title": "T",
        "layout": {"column": 1, "row": 1, "width": 4, "height": 3},
        "configuration": {"line": {"nrqlQueries": [{"accountId": 1, "query": "q"}]}}}]}]}"#;
    DashboardDocument::parse(text).expect("a document")
}

fn same_pages() -> [Value; 1] {
    [page("pg", "P", &[widget("1", "T", "q")])]
}

fn mutations(rig: &Rig) -> usize {
    let is_mutation =
        |body: &&Value| body["query"].as_str().is_some_and(|query| query.starts_with("mutation"));
    rig.asked().iter().filter(is_mutation).count()
}

#[test]
fn a_creation_sends_no_ids() {
    let rig = Rig::new([list(&[]), made("g")]);
    let fetched = before();
    let done = rig.clock.run(rig.client.create_dashboard(account(), &fetched));
    assert_eq!(done, Ok(Done { id: "g".to_owned(), found_out: false }));
    let sent = rig.asked()[1]["variables"]["dashboard"].clone();
    assert_eq!(sent, serde_json::to_value(before().without_ids()).expect("JSON"));
}

#[test]
fn lost_answers_of_creations() {
    let run = |steps: Vec<Step>| {
        let rig = Rig::new(steps);
        let done = rig.clock.run(rig.client.create_dashboard(account(), &document()));
        (done, mutations(&rig))
    };
    let lost = || Step::Silence;
    let looks = |count: usize| vec![list(&["old"]); count];
    let same = || stored("g", &same_pages());
    // Done: the search knows of it at the second look. A dashboard that was there before is not it.
    let steps = [looks(1), vec![lost()], looks(1), vec![list(&["old", "g"]), same()]].concat();
    let found_out = |guid: &str| Ok(Done { id: guid.to_owned(), found_out: true });
    assert_eq!(run(steps), (found_out("g"), 1));
    // Not done: nothing shows up, so it is sent again.
    let steps = [looks(1), vec![lost()], looks(4), vec![made("h")]].concat();
    assert_eq!(run(steps), (Ok(Done { id: "h".to_owned(), found_out: false }), 2));
    // Somebody else's dashboard of the same name is not it either.
    let other = || stored("g", &[page("pg", "P", &[widget("1", "T", "other")])]);
    let look = || vec![list(&["old", "g"]), other()];
    let steps = [looks(1), vec![lost()], look(), look(), look(), look(), vec![made("h")]].concat();
    assert_eq!(run(steps), (Ok(Done { id: "h".to_owned(), found_out: false }), 2));
    // Never known: after three sends it stays open.
    let one = || [vec![lost()], looks(4)].concat();
    let (done, sent) = run([looks(1), one(), one(), one()].concat());
    assert!(matches!(done, Err(ChangeError::Unknown { .. })), "{done:?}");
    assert_eq!(sent, 3);
}

/// Page P links to page Q.
fn linking() -> DashboardDocument {
    let text = r#"{"name": "D", "pages": [{"name": "P", "widgets": [{"title": "T",
        "layout": {"column": 1, "row": 1, "width": 4, "height": 3},
        "linkedEntityGuids": ["page:Q"],
        "configuration": {"line": {"nrqlQueries": [{"accountId": 1, "query": "q"}]}}}]},
        {"name": "Q", "widgets": []}]}"#;
    DashboardDocument::parse(text).expect("a document")
}

/// What is stored of it, with a link or without.
fn two_pages(linked: Option<&str>) -> Step {
    let mut widget = widget("1", "T", "q");
    if let Some(guid) = linked {
        widget["linkedEntities"] = json!([{"guid": guid}]);
    }
    stored("g", &[page("pg", "P", &[widget]), page("qg", "Q", &[])])
}

fn updated() -> Step {
    let payload = json!({"entityResult": {"guid": "g"}, "errors": null});
    Step::Answer(200, json!({"data": {"dashboardUpdate": payload}}))
}

#[test]
fn links_between_pages_are_set_once_the_pages_are_there() {
    let run = |steps: Vec<Step>| {
        let rig = Rig::new(steps);
        let done = rig.clock.run(rig.client.create_dashboard(account(), &linking()));
        let asked = rig.asked();
        let sent = asked.iter().filter(|body| !body["variables"]["dashboard"].is_null());
        let links = sent.map(|body| {
            let widget = &body["variables"]["dashboard"]["pages"][0]["widgets"][0];
            (widget["id"].clone(), widget["linkedEntityGuids"][0].clone())
        });
        (done, links.collect::<Vec<_>>())
    };
    let done = |found_out| Ok(Done { id: "g".to_owned(), found_out });
    let both = vec![(Value::Null, Value::Null), (json!("1"), json!("qg"))];
    // It shows up a little late.
    let steps = vec![list(&[]), made("g"), nothing_stored(), two_pages(None), updated()];
    assert_eq!(run(steps), (done(false), both.clone()));
    // The answer to the second change is lost: the dashboard shows that it was made.
    let lost = vec![Step::Silence, two_pages(None), two_pages(Some("qg"))];
    let steps = [vec![list(&[]), made("g"), two_pages(None)], lost].concat();
    assert_eq!(run(steps), (done(true), both.clone()));
    // So does that to the first one.
    let lost = vec![list(&[]), Step::Silence, list(&["g"]), two_pages(None), two_pages(None)];
    assert_eq!(run([lost, vec![updated()]].concat()), (done(true), both.clone()));
    // Somebody else's change in between stays.
    let other = || stored("g", &same_pages());
    let steps = [vec![list(&[]), made("g")], vec![other(); 5]].concat();
    let (failed, sent) = run(steps);
    let error = failed.expect_err("changed").to_string();
    assert_eq!(
        error,
        "g is there, but links between its pages are not set: somebody changed it meanwhile"
    );
    assert_eq!(sent, both[..1]);
}

#[test]
fn links_are_names_in_files_and_guids_in_what_is_stored() {
    let rig = Rig::new([two_pages(Some("qg"))]);
    let fetched = rig.clock.run(rig.client.dashboard("g")).expect("an answer").expect("one");
    let linked = linking().linked_within(&fetched.document);
    assert!(Difference::between(&fetched.document, &linked).is_empty());
    assert_eq!(fetched.document.without_ids(), linking());
    // A page that is not there yet keeps its name, so that a plan can tell where the link leads.
    let mut fewer = fetched.document.clone();
    fewer.pages.truncate(1);
    assert!(linking().linked_within(&fewer).has_page_links());
    let dead = linking().to_json().replace("page:Q", "page:R");
    let error = DashboardDocument::parse(&dead).expect_err("a dead link").to_string();
    assert_eq!(error, "pages[0].widgets[0].linkedEntityGuids: there is no page `R`");
}

#[test]
fn what_new_relic_refuses_is_not_tried_again() {
    let rig = Rig::new([list(&[]), refused("dashboardCreate", "INVALID_INPUT")]);
    let done = rig.clock.run(rig.client.create_dashboard(account(), &document()));
    let error = done.expect_err("refused").to_string();
    assert_eq!(error, "New Relic refuses it (INVALID_INPUT): because");
    let check = |kind: &str, expected: Refusal| {
        let rig = Rig::new([refused("dashboardDelete", kind)]);
        let done = rig.clock.run(rig.client.delete_dashboard("g"));
        let description = "because".to_owned();
        assert_eq!(done, Err(ChangeError::Refused { kind: expected, description }));
    };
    check("DASHBOARD_NOT_FOUND", Refusal::NotFound);
    check("FORBIDDEN_OPERATION", Refusal::Forbidden);
    check("NEW_ONE", Refusal::Other("NEW_ONE".to_owned()));
    let rig = Rig::new([Step::Answer(401, json!({}))]);
    let done = rig.clock.run(rig.client.update_dashboard("g", &document()));
    assert!(matches!(done, Err(ChangeError::NerdGraph(NerdGraphError::Key(_)))), "{done:?}");
    let rig = Rig::new([Step::Answer(200, json!({"data": {"dashboardDelete": {}}}))]);
    let done = rig.clock.run(rig.client.delete_dashboard("g"));
    let unreadable = matches!(done, Err(ChangeError::NerdGraph(NerdGraphError::Unreadable(_))));
    assert!(unreadable, "{done:?}");
}

#[test]
fn lost_answers_of_replacements_and_deletions() {
    let found_out = Ok(Done { id: "g".to_owned(), found_out: true });
    let rig = Rig::new([Step::Answer(502, json!("")), stored("g", &same_pages())]);
    let done = rig.clock.run(rig.client.update_dashboard("g", &document()));
    assert_eq!((done, mutations(&rig)), (found_out.clone(), 1));

    let rig = Rig::new([Step::Silence, nothing_stored()]);
    let done = rig.clock.run(rig.client.delete_dashboard("g"));
    assert_eq!((done, mutations(&rig)), (found_out, 1));

    // It is still there: the deletion did not happen.
    let still = || stored("g", &same_pages());
    let success = json!({"data": {"dashboardDelete": {"status": "SUCCESS", "errors": null}}});
    let rig =
        Rig::new([Step::Silence, still(), still(), still(), still(), Step::Answer(200, success)]);
    let done = rig.clock.run(rig.client.delete_dashboard("g"));
    assert_eq!(done, Ok(Done { id: "g".to_owned(), found_out: false }));
    assert_eq!(mutations(&rig), 2);
}

#[test]
fn what_is_fetched_can_be_sent_back() {
    let rig = Rig::new([stored("g", &same_pages()), nothing_stored()]);
    let fetched = rig.clock.run(rig.client.dashboard("g")).expect("an answer").expect("one");
    assert_eq!((fetched.guid.as_str(), fetched.account), ("g", 1));
    assert_eq!(fetched.document.without_ids(), document());
    let again = DashboardDocument::parse(&fetched.document.to_json()).expect("a document");
    assert_eq!(again, fetched.document);
    assert!(Difference::between(&fetched.document, &document()).is_empty());
    assert_eq!(document().adopting(&fetched.document), fetched.document);
    assert_eq!(rig.clock.run(rig.client.dashboard("g")), Ok(None));

    // An entity that is no dashboard has no pages.
    let entity = json!({"guid": "h", "name": "host", "accountId": 1});
    let rig = Rig::new([Step::Answer(200, json!({"data": {"actor": {"entity": entity}}}))]);
    assert_eq!(rig.clock.run(rig.client.dashboard("h")), Ok(None));
}

#[test]
fn names_that_searches_cannot_say_are_looked_for_here() {
    let search = |name: &str| {
        let rig = Rig::new([list(&["g"])]);
        let found = rig.clock.run(rig.client.dashboards_called(account(), name));
        let search = rig.asked()[0]["variables"]["query"].as_str().expect("a text").to_owned();
        (found.expect("an answer").len(), search)
    };
    let all = "type = 'DASHBOARD' AND accountId = 1".to_owned();
    assert_eq!(search("D"), (1, format!("{all} AND name = 'D'")));
    assert_eq!(search("it's"), (0, all));
    let rig = Rig::new([list(&["g", "h"])]);
    assert_eq!(rig.clock.run(rig.client.dashboards(account())).expect("an answer").len(), 3);
}

/// Two pages; the first has two widgets.
fn before() -> DashboardDocument {
    let text = r#"{"name": "D", "pages": [
        {"guid": "p1", "name": "One", "widgets": [
          {"id": "1", "title": "A", "visualization": {"id": "viz.line"},
           "layout": {"column": 1, "row": 1, "width": 4, "height": 3},
           "rawConfiguration": {"nrqlQueries": [{"accountId": 1, "query": "q"}]}},
          {"id": "2", "title": "B", "visualization": {"id": "viz.bar"},
           "layout": {"column": 5, "row": 1, "width": 4, "height": 3},
           "rawConfiguration": {"nrqlQueries": [{"accountId": 1, "query": "r"}]}}]},
        {"guid": "p2", "name": "Two", "widgets": []}]}"#;
    DashboardDocument::parse(text).expect("a document")
}

fn edited(edit: impl FnOnce(&mut DashboardDocument)) -> DashboardDocument {
    let mut after = before().without_ids();
    edit(&mut after);
    after
}

#[test]
fn differences_are_told_by_page_and_widget() {
    let check = |after: &DashboardDocument, expected: &str| {
        let difference = Difference::between(&before(), after);
        assert_eq!(difference.text(), expected);
        assert_eq!(difference.is_empty(), expected.is_empty());
        // What is applied is what was wanted, and differs in nothing.
        let applied = after.adopting(&before());
        assert!(Difference::between(&applied, after).is_empty());
    };
    check(&edited(|_| ()), "");
    check(&edited(|d| d.pages[0].widgets.reverse()), "");
    check(&edited(|d| d.pages[0].widgets[0].layout = None), "");
    check(&edited(|d| d.name = "E".into()), "  ~ name\n      - D\n      + E\n");
    check(&edited(|d| d.description = Some("x".into())), "  ~ description\n      + x\n");
    let query = "  ~ page \"One\"\n      ~ widget \"A\"\n          \
        ~ rawConfiguration.nrqlQueries[0].query\n              - q\n              + z\n";
    check(
        &edited(|d| {
            d.pages[0].widgets[0].raw_configuration["nrqlQueries"][0]["query"] = "z".into()
        }),
        query,
    );
    let gone = "  ~ page \"One\"\n      - widget \"A\"\n  - page \"Two\"\n";
    let remove = |d: &mut DashboardDocument| {
        d.pages[0].widgets.remove(0);
        d.pages.remove(1);
    };
    check(&edited(remove), gone);
    let moved = "  ~ page \"One\"\n      ~ widget \"A\"\n          ~ place\n              \
        - 4×3 at column 1, row 1\n              + 4×3 at column 1, row 9\n";
    let down = |d: &mut DashboardDocument| {
        if let Some(layout) = &mut d.pages[0].widgets[0].layout {
            layout.row = 9;
        }
    };
    check(&edited(down), moved);
    let turned = "  ~ order of pages\n      - [\"One\",\"Two\"]\n      + [\"Two\",\"One\"]\n";
    check(&edited(|d| d.pages.reverse()), turned);
    let more = |d: &mut DashboardDocument| {
        let mut page = d.pages[0].clone();
        page.name = "Three".into();
        d.pages.push(page);
    };
    let added = "  + page \"Three\"\n      + widget \"A\"\n      + widget \"B\"\n";
    check(&edited(more), added);
}

#[test]
fn a_renamed_part_with_its_id_stays_the_same_part() {
    let mut after = before();
    after.pages[0].name = "Uno".into();
    after.pages[0].widgets[1].title = Some("Beta".into());
    let text = Difference::between(&before(), &after).text();
    assert!(text.contains("~ page \"One\"") && text.contains("~ widget \"B\""), "{text}");
    assert!(!text.contains(['+', '-']) || !text.contains("+ page"), "{text}");
    assert_eq!(after.adopting(&before()), after);
    // Of another dashboard's ids nothing is kept.
    let mut foreign = before();
    foreign.pages[0].guid = Some("elsewhere".into());
    foreign.pages[0].widgets[0].id = Some("99".into());
    assert_eq!(foreign.adopting(&before()), before());
}

#[test]
fn numbers_are_equal_however_written() {
    let mut one = before();
    let mut other = before();
    one.pages[0].widgets[0].raw_configuration.insert("yAxisLeft".into(), json!({"min": 1}));
    other.pages[0].widgets[0].raw_configuration.insert("yAxisLeft".into(), json!({"min": 1.0}));
    assert!(Difference::between(&one, &other).is_empty());
}
