//! The catalogue as a whole.

use std::collections::BTreeSet;

use super::*;
use crate::dashboards::{Links, read, write};

#[test]
fn there_are_as_many_templates_as_promised_and_each_is_built() {
    let all = templates();
    let names: BTreeSet<&str> = all.iter().map(|template| template.name).collect();
    assert_eq!((all.len(), names.len()), (22, 22));
    for template in all {
        let dashboard = template.build(&Parameters::default());
        let dashboard = dashboard.unwrap_or_else(|error| panic!("{}: {error}", template.name));
        let json = write(&dashboard, Links::Named);
        let reading = read(&json);
        assert_eq!(reading.faults, [], "{}", template.name);
        assert_eq!(reading.dashboard, dashboard, "{}", template.name);
        assert!(dashboard.pages.iter().all(|page| !page.widgets.is_empty()), "{}", template.name);
    }
}

#[test]
fn operations_has_its_five_pages_and_36_widgets() {
    let dashboard = operations::OPERATIONS.build(&Parameters::default()).expect("built");
    let counts: Vec<usize> = dashboard.pages.iter().map(|page| page.widgets.len()).collect();
    assert_eq!(counts, [8, 6, 6, 7, 9]);
}

#[test]
fn parameters_are_named_and_refused_with_words() {
    let mut parameters = Parameters::default();
    for known in PARAMETERS {
        parameters.set(known.name, known.default).expect(known.name);
    }
    assert_eq!(parameters, Parameters::default(), "defaults are what the table says");
    let cases = [
        ("acount", "1", "there is no parameter `acount`"),
        ("account", "abc", "`account` cannot be `abc`: write one to ten digits, or 0"),
        ("mode", "big", "`mode` cannot be `big`: write compact, balanced or detailed"),
        ("columns", "6", "`columns` cannot be `6`: write 12 or 4"),
        ("price_in_gib", "-1", "`price_in_gib` cannot be `-1`: write 0 or more"),
    ];
    for (name, value, expected) in cases {
        assert_eq!(parameters.set(name, value).expect_err(name).to_string(), expected);
    }
    let swapped = [("lag_warning", "500"), ("lag_critical", "100")];
    swapped.iter().for_each(|(name, value)| parameters.set(name, value).expect(name));
    let error = operations::OPERATIONS.build(&parameters).expect_err("the wrong order").to_string();
    assert_eq!(
        error,
        "Total Platform Consumer Lag: thresholds 500 and 100 do not fit consumerGroup.lag.total"
    );
}
