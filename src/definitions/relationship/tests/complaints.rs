//! What is said about wrong files, with place and fix.

use super::*;

/// Each wrong rule and everything that is said about it.
#[test]
fn problems_have_a_place_and_a_fix() {
    let good = rule("r", "[{attribute: a, present: true}]", SOURCE, TARGET);
    let check = |old: &str, new: &str, expected: &[&str]| {
        let text = good.replace(old, new);
        assert_ne!(text, good, "{old} is in the rule");
        let (_, errors) = load_rules(&text);
        let expected: Vec<_> = expected.iter().map(|e| format!("{FILE}:{e}")).collect();
        assert_eq!(errors, expected, "{new}");
    };
    check("conditions", "condition", &["5:5: unknown key `condition`; did you mean `conditions`?"]);
    check("    version: \"1\"\n", "", &["5:5: key `version` is missing; add `version:`"]);
    check("\"1\"", "\"2\"", &["3:14: version `2` is unknown, the rule is left out; write \"1\""]);
    check("\"1\"", "\"x\"", &["3:14: version `x` is no whole number; write \"1\""]);
    check(
        "OpenTelemetry",
        "Open Telemetry",
        &["4:15: unknown origin `Open Telemetry`; did you mean `OpenTelemetry`?"],
    );
    check(
        "CONTAINS",
        "CONTAIN",
        &["8:25: unknown relationship type `CONTAIN`; did you mean `CONTAINS`?"],
    );
    for bad in ["PT9M", "PT73H", "P4D", "75", "PT", "P1Y"] {
        let problem = format!(
            "7:16: the relationship expires after `{bad}`; \
             write an ISO-8601 duration of PT10M to PT72H"
        );
        check("PT75M", bad, &[&problem]);
    }
    check(
        "present: true",
        "present: true, anyOf: [x]",
        &["5:18: condition on `a` tests several things; \
           give one of anyOf, present, startsWith, regex"],
    );
    check(
        "present: true",
        "anyOf: []",
        &["5:18: condition on `a` allows no value; name at least one under `anyOf`"],
    );
    check(
        "{extractGuid: {attribute: to}}",
        "{}",
        &["10:15: the target takes exactly one of extractGuid, buildGuid and lookupGuid; \
         give one of them"],
    );
    check(
        "[{attribute: a, present: true}]",
        "[]",
        &["5:17: rule `r` has no condition, so it reads every point; \
           add one, for example on eventType"],
    );
}

#[test]
fn regular_expressions_are_compiled_at_once() {
    let check = |regex: &str, expected: &str| {
        let conditions = format!("[{{attribute: a, regex: '{regex}'}}]");
        let (rules, errors) = load_rules(&rule("r", &conditions, SOURCE, TARGET));
        assert!(rules.rules().is_empty(), "{regex}");
        let [error] = &*errors else { panic!("{regex}: {errors:?}") };
        assert!(error.starts_with(&format!("{FILE}:5:")), "{error}");
        assert!(error.contains(expected), "{error}");
    };
    check("a(b", "unclosed group");
    check("[z-a]", "invalid character class range");
    check("(?!a", "regular expression `(?!a`: ");
    check("(a{1000}){1000}", "compiles to more than");
    check(&"a".repeat(5_000), "the expression is 5000 bytes long");
}

#[test]
fn parts_of_guids_are_checked() {
    let build = "{buildGuid: {account: {attribute: accountId}, domain: {value: INFRA}, \
                 type: {value: HOST}, identifier: {fragments: [{attribute: x}], \
                 hashAlgorithm: FARM_HASH}}}";
    let check = |old: &str, new: &str, expected: &str| {
        let target = build.replace(old, new);
        assert_ne!(target, build, "{old} is in the resolver");
        let text = rule("r", "[{attribute: a, present: true}]", SOURCE, &target);
        let (_, errors) = load_rules(&text);
        let [error] = &*errors else { panic!("{new}: {errors:?}") };
        assert!(error.starts_with(&format!("{FILE}:10:")), "{error}");
        assert!(error.contains(expected), "{error}");
    };
    check("INFRA", "infra", "domain `infra`; use 3 to 15 of A-Z");
    check("HOST", "h", "type `h`; use 3 to 50 of A-Z");
    check("{value: HOST}", "{value: HOST, attribute: b}", "`type` takes exactly one of value");
    check("FARM_HASH", "FARMHASH", "did you mean `FARM_HASH`?");
    check("[{attribute: x}]", "[]", "the identifier is empty");
    check("{attribute: x}", "{attribute: x, value: y}", "exactly one of value, attribute and");
    check(
        "{attribute: x}",
        "{attribute: x, operations: [{operation: upper}]}",
        "unknown operation",
    );
    check(
        "{attribute: accountId}",
        "{lookup: false}",
        "exactly one of attribute and `lookup: true`",
    );
    check("{attribute: x}", "{capture: {attribute: x, regex: 'abc'}}", "has no group");
}

#[test]
fn names_are_unique_and_a_bad_rule_leaves_the_others() {
    let conditions = "[{attribute: a, present: true}]";
    let first = rule("same", conditions, SOURCE, TARGET);
    let bad = rule("bad", conditions, SOURCE, "{}");
    let (rules, errors) = load_rules(&format!("{first}{bad}{first}"));
    assert_eq!(rules.rules().len(), 2, "{errors:?}");
    let twice = format!(
        "{FILE}:20:11: relationship rule `same` is defined at {FILE}:2:11 already; \
         choose another name"
    );
    assert!(errors.contains(&twice), "{errors:?}");
    assert_eq!(errors.len(), 2);
}

#[test]
fn both_ends_cannot_be_looked_up() {
    let lookup = "{lookupGuid: {candidateCategory: THING, fields: [{field: f, attribute: a}]}}";
    let text = rule("r", "[{attribute: a, present: true}]", lookup, lookup);
    let (rules, errors) = load_rules(&text);
    assert!(rules.rules().is_empty());
    let expected =
        format!("{FILE}:10:15: rule `r` looks both ends up; extract or build one of them");
    assert_eq!(errors, [expected]);
}

const CANDIDATES: &str = "relationships/candidates/THING.yml";
const THING: &str = "category: THING
lookups:
  - entityTypes: [INFRA-THING]
    tags:
      matchingMode: ALL
      predicates:
        - {tagKeys: [k], field: f}
    onMatch: {onMultipleMatches: RELATE_ALL}
    onMiss: {action: NO_OP}
";

#[test]
fn candidates_are_checked() {
    let check = |old: &str, new: &str, expected: &str| {
        let text = THING.replace(old, new);
        assert_ne!(text, THING, "{old} is in the file");
        let (_, errors) = load_files(&[(CANDIDATES, &text)], View::Production);
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, [format!("{CANDIDATES}:{expected}")], "{new}");
    };
    check("ALL\n", "EVERY\n", "5:21: unknown matching mode `EVERY`; use one of ALL, ANY, FIRST");
    check(
        "RELATE_ALL",
        "RELATE",
        "8:34: unknown onMultipleMatches `RELATE`; \
           use one of RELATE_ALL, DISCARD_ALL, ALL, ONLY_ONE",
    );
    check("NO_OP", "NOOP", "9:22: unknown onMiss action `NOOP`; did you mean `NO_OP`?");
    check(
        "NO_OP",
        "CREATE_UNINSTRUMENTED",
        "9:22: CREATE_UNINSTRUMENTED does not say what to \
           create; add `uninstrumented: {type: …}`",
    );
    check(
        "INFRA-THING",
        "infra-thing",
        "3:5: entity type `infra-thing`; \
           write DOMAIN-TYPE in capitals",
    );
    check(
        "category: THING",
        "category: OTHER",
        "1:11: file `THING.yml` holds the category \
           `OTHER`; name the file `OTHER.yml`",
    );
    check("[INFRA-THING]", "[]", "3:5: a lookup needs entityTypes; name at least one");
    check(
        "[k]",
        "[]",
        "3:5: a lookup needs predicates, each with a key; \
           add what the entity must have",
    );
    check("tags:", "tag:", "4:5: unknown key `tag`; did you mean `tags`?");
}

#[test]
fn the_older_form_of_entity_types_is_read() {
    let text = THING.replace("[INFRA-THING]", "[{domain: INFRA, type: THING}, HOST]");
    let (rules, errors) = load_files(&[(CANDIDATES, &text)], View::Production);
    assert!(errors.is_empty(), "{errors:?}");
    let kinds = &rules.category("THING").expect("loaded").lookups[0].kinds;
    let kind = |domain: Option<&str>, entity_type: &str| EntityKind {
        domain: domain.map(str::to_owned),
        entity_type: entity_type.to_owned(),
    };
    assert_eq!(*kinds, [kind(Some("INFRA"), "THING"), kind(None, "HOST")]);
}

#[test]
fn rules_and_candidates_must_fit() {
    let lookup = |category: &str, field: &str| {
        let fields = format!("[{{field: {field}, attribute: a}}]");
        let target = format!("{{lookupGuid: {{candidateCategory: {category}, fields: {fields}}}}}");
        let rule = rule("r", "[{attribute: a, present: true}]", SOURCE, &target);
        let text = format!("relationships:\n{rule}");
        let (_, errors) = load_files(&[(FILE, &text), (CANDIDATES, THING)], View::Production);
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(lookup("THING", "f"), [""; 0]);
    assert_eq!(
        lookup("THINGS", "f"),
        [format!(
            "{FILE}:2:11: rule `r` looks among unknown candidates `THINGS`; did you mean `THING`?"
        )]
    );
    assert_eq!(
        lookup("THING", "field"),
        [format!(
            "{FILE}:2:11: rule `r` gives the field `field`, which no lookup of THING uses; \
         use one of f"
        )]
    );
}

#[test]
fn a_faulty_file_of_candidates_is_told_once() {
    let target = "{lookupGuid: {candidateCategory: THING, fields: [{field: f, attribute: a}]}}";
    let rule = rule("r", "[{attribute: a, present: true}]", SOURCE, target);
    let text = format!("relationships:\n{rule}");
    let broken = "category: THING\nlookups: [\"a\"\"b\"]\n";
    let (_, errors) = load_files(&[(FILE, &text), (CANDIDATES, broken)], View::Production);
    let files: Vec<&str> = errors.iter().map(|error| error.place.file.as_str()).collect();
    assert_eq!(files, [CANDIDATES], "{errors:?}");
}

#[test]
fn staging_files_replace_their_siblings_in_staging_only() {
    let named = |name: &str| {
        let rule = rule(name, "[{attribute: a, present: true}]", SOURCE, TARGET);
        format!("relationships:\n{rule}")
    };
    let (production, staging, only) = (named("production"), named("staging"), named("only"));
    let files = [
        ("x/relationships/synthesis/A.stg.yml", &*staging),
        ("x/relationships/synthesis/A.yml", &*production),
        ("x/relationships/synthesis/B.stg.yml", &*only),
        ("x/relationships/other/C.yml", "nonsense: ["),
        ("entity-types/infra-thing/definition.yml", "nonsense: ["),
    ];
    let names = |view: View| {
        let (rules, errors) = load_files(&files, view);
        assert!(errors.is_empty(), "{errors:?}");
        rules.rules().iter().map(|rule| rule.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(View::Production), ["production"]);
    assert_eq!(names(View::Staging), ["staging", "only"]);
}

#[test]
fn a_file_without_rules_and_months_that_mean_minutes_are_read() {
    let (rules, errors) = load_files(&[(FILE, "relationships: []\n")], View::Production);
    assert!(errors.is_empty() && rules.rules().is_empty(), "{errors:?}");
    let text = rule("r", "[{attribute: a, present: true}]", SOURCE, TARGET);
    let minutes = |text: &str| sound(text).rules()[0].expires.as_secs() / 60;
    assert_eq!(minutes(&text), 75);
    assert_eq!(minutes(&text.replace("PT75M", "P75M")), 75);
    assert_eq!(minutes(&text.replace("PT75M", "PT72H")), 72 * 60);
    assert_eq!(minutes(&text.replace("PT75M", "P3D")), 72 * 60);
    assert_eq!(minutes(&text.replace("PT75M", "PT10M")), 10);
}
