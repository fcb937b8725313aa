//! Patterns and their holes.

use std::time::Duration;

use super::pattern::{ArgError, Named, Pattern, UnknownHole};
use super::steps::catalogue;
use super::suite::Catalogue;

#[test]
fn holes_take_values_of_their_type() {
    let take = |pattern: &str, step: &str| Pattern::new(pattern).unwrap().take(step);
    let args = take("{count} brokers of {string} for {duration}", "3 brokers of \"a b\" for 90s");
    let args = args.unwrap().unwrap();
    assert_eq!((args.count(0), args.text(1)), (Ok(3), Ok("a b".to_owned())));
    assert_eq!(args.duration(2), Ok(Duration::from_secs(90)));
    assert_eq!(args.text(0), Err(ArgError::Type(0, "string")));
    let percent = take("coverage is {percent}", "coverage is 91.7 %").unwrap().unwrap();
    assert_eq!(percent.percent(0), Ok(91.7));
    for text in ["cluster \"a\"", "broker \"1\" of \"a\"", "topic \"x.y\" of \"a\""] {
        let args = take("{entity} is there", &format!("{text} is there")).unwrap().unwrap();
        assert_eq!(Named(&args.entity(0).unwrap()).to_string(), text);
    }
    for (pattern, step) in [
        ("{count} brokers", "three brokers"),
        ("{count} brokers", "3 brokers there"),
        ("a {string}", "a \"b\"c\""),
        ("{mode} mode", "lunch mode"),
        ("a.b", "axb"),
    ] {
        assert!(take(pattern, step).is_none(), "{pattern}: {step}");
    }
    let huge = take("{count} brokers", "99999999999999999999 brokers").unwrap();
    assert_eq!(huge, Err(ArgError::Value("99999999999999999999".into(), "count")));
    let unknown = Pattern::new("a {colour} b").err();
    let expected = UnknownHole { pattern: "a {colour} b".into(), hole: "colour".into() };
    assert_eq!(unknown, Some(expected));
}

#[test]
fn every_step_has_a_meaning_and_words_of_its_own() {
    let mut patterns: Vec<_> = catalogue().map(|step| (step.phase, step.pattern)).collect();
    assert!(patterns.len() > 20);
    assert!(catalogue().all(|step| step.meaning.ends_with('.')));
    patterns.sort_unstable();
    assert!(patterns.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(Catalogue::new().is_ok());
}
