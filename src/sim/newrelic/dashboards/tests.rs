//! Places of widgets, and the two forms of configurations.

use serde_json::json;

use super::model::Layout;
use super::{DashboardInput, Dashboards, Editor, configuration_of, place};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

fn layout(column: i64, row: i64, width: i64, height: i64) -> Layout {
    Layout { column, row, width, height }
}

#[test]
fn widgets_without_a_place_get_the_first_free_one() {
    // Taken places, column and row of the free one.
    let cases: [(&[Layout], (i64, i64)); 6] = [
        (&[], (1, 1)),
        (&[layout(1, 1, 4, 3)], (5, 1)),
        (&[layout(1, 1, 12, 3)], (1, 4)),
        (&[layout(1, 1, 4, 3), layout(5, 1, 4, 3), layout(9, 1, 4, 3)], (1, 4)),
        (&[layout(1, 1, 5, 6), layout(9, 1, 4, 3)], (9, 4)),
        (&[layout(3, 1, 12, i64::MAX)], (1, i64::MAX)),
    ];
    for (taken, expected) in cases {
        let free = place::free(taken);
        assert_eq!((free.column, free.row), expected, "{taken:?}");
    }
}

#[test]
fn typed_forms_of_raw_configurations() {
    let query = json!({"accountId": 1, "query": "q"});
    let cases = [
        ("viz.line", json!({"nrqlQueries": [query]}), json!({"line": {"nrqlQueries": [query]}})),
        ("viz.markdown", json!({"text": "t"}), json!({"markdown": {"text": "t"}})),
        (
            "viz.billboard",
            json!({"nrqlQueries": [query], "thresholds": []}),
            json!({"billboard": {"nrqlQueries": [query], "thresholds": []}}),
        ),
        // Several accounts have no typed form; nor have other visualizations.
        (
            "viz.bar",
            json!({"nrqlQueries": [{"accountIds": [1], "query": "q"}]}),
            json!({"bar": {"nrqlQueries": []}}),
        ),
        ("viz.funnel", json!({"nrqlQueries": [query]}), json!({})),
        ("custom", json!("text"), json!({})),
    ];
    for (visualization, raw, expected) in cases {
        assert_eq!(configuration_of(visualization, &raw), expected, "{visualization}");
    }
}

#[test]
fn deleted_dashboards_make_room_when_there_is_no_other() {
    let page = json!({"name": "page", "widgets": []});
    let input = json!({"name": "n", "permissions": "PRIVATE", "pages": [page]});
    let input: DashboardInput = serde_json::from_value(input).expect("valid");
    let account = AccountId::try_from(1).expect("valid");
    let editor = Editor { user: 1, at: UnixMillis(0) };
    let mut all = Dashboards::new(2);
    let create = |all: &mut Dashboards| all.create(account, &input, editor);
    let (first, second) = (create(&mut all).expect("room"), create(&mut all).expect("room"));
    let refusal = create(&mut all).expect_err("full");
    assert_eq!(refusal.description, "There are 2 dashboards already");
    all.delete(&second, editor).expect("there");
    let third = create(&mut all).expect("the room of the second one");
    assert!(all.find(&first).is_some() && all.find(&third).is_some());
    assert!(all.undelete(&second, editor).is_err(), "gone for good");
}
