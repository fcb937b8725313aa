//! Places of widgets, and the two forms of configurations.

use serde_json::json;

use super::model::Layout;
use super::{configuration_of, place};

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
