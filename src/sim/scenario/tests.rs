use super::*;

fn rules(text: &str) -> Vec<String> {
    match load("test.toml", text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.problems().iter().map(|p| p.code().to_owned()).collect(),
    }
}

const HEAD: &str = "title = \"t\"\nduration = \"10min\"\n";

#[test]
fn built_in_scenario_is_possible() {
    let scenario = load(BUILT_IN_NAME, BUILT_IN).expect("the built-in scenario");
    assert_eq!(scenario.faults().len(), 2);
    assert_eq!(scenario.heal(), SimTime::from_secs(270));
    assert_eq!(scenario.hosts().len(), 5);
}

#[test]
fn impossible_scenarios_are_refused_with_their_rule() {
    let fault = |body: &str| format!("{HEAD}[kafka.a]\n[[fault]]\n{body}");
    let cases = [
        (format!("{HEAD}[kafka]\n"), "no_cluster"),
        (format!("{HEAD}[kafka.A_b]\n"), "cluster_name"),
        (format!("{HEAD}[kafka.newrelic]\n"), "cluster_name"),
        (format!("{HEAD}[kafka.a]\nbrokers = 2\n"), "replication"),
        (format!("{HEAD}[kafka.a]\ntopics = 0\n"), "groups"),
        (format!("{HEAD}[kafka.a]\n[pipeline]\ninterval = \"200ms\"\n"), "interval"),
        (format!("{HEAD}start = \"yesterday\"\n[kafka.a]\n"), "start"),
        (format!("{HEAD}[kafka.a]\n[pipeline]\naccount_id = 0\n"), "account_id"),
        (format!("{HEAD}[kafka.a]\n[newrelic]\nsynthesis_lag_min = \"1h\"\n"), "synthesis_lag"),
        (format!("{HEAD}[kafka.a]\n[pipeline]\nmemory_max = \"1kB\"\n"), "memory_max"),
        (format!("{HEAD}[kafka.a]\n[pipeline]\nbuffer_events = 9\n"), "buffer_events"),
        (
            format!("{HEAD}[kafka.a]\n[pipeline]\nevent_api = {{ success_threshold = 0 }}\n"),
            "out_of_range",
        ),
        (format!("{HEAD}sometimes = [\"spool-ful\"]\n[kafka.a]\n"), "situation"),
        (format!("{HEAD}sometimes = [\"spool-full\", \"spool-full\"]\n[kafka.a]\n"), "situation"),
        (fault("at = \"1s\"\nlasts = \"1s\"\n"), "fault_kind"),
        (fault("at = \"1s\"\ncrash = { host = \"a-broker-1\" }\n"), "lasts"),
        (fault("at = \"1s\"\nlasts = \"1s\"\ncrash = { host = \"b\" }\n"), "unknown_host"),
        (fault("at = \"9min\"\nlasts = \"59s\"\ncrash = { host = \"a-broker-1\" }\n"), "too_short"),
        (fault("at = \"1s\"\nlasts = \"1s\"\nslow_answers = { after = \"0s\" }\n"), "no_effect"),
        (
            fault("at = \"1s\"\nlasts = \"1s\"\nhold = { between = [\"b\", \"pipeline\"] }\n"),
            "unknown_host",
        ),
        (
            fault(
                "at = \"10s\"\nlasts = \"20s\"\ncrash = { host = \"a-broker-1\" }\n\
                 [[fault]]\nat = \"20s\"\nlasts = \"20s\"\ncrash = { host = \"a-broker-1\" }\n",
            ),
            "overlap",
        ),
    ];
    cases.iter().for_each(|(text, rule)| refused(text, rule));
}

fn refused(text: &str, rule: &str) {
    let found = rules(text);
    let code = format!("shakedown::scenario::{rule}");
    assert!(found.contains(&code), "{rule} not in {found:?} of\n{text}");
}

#[test]
fn impossible_growth_and_unknown_objects_are_refused() {
    let cluster = |keys: &str| format!("{HEAD}[kafka.a]\n{keys}\n");
    let fault = |kind: &str| cluster(&format!("[[fault]]\nat = \"1s\"\nlasts = \"1s\"\n{kind}"));
    let join = "join = [{ at = \"9s\", brokers = 1 }]\n[[fault]]\nat = \"8s\"\nlasts = \"1s\"\n\
                crash = { host = \"a-broker-4\" }";
    let cases = [
        (cluster("load.surge = [{ at = \"1s\", lasts = \"0s\", factor = 2 }]"), "surge"),
        (cluster("load.surge = [{ at = \"1s\", lasts = \"1s\", factor = -1 }]"), "out_of_range"),
        (cluster("join = [{ at = \"9s\", brokers = 1 }, { at = \"8s\", brokers = 1 }]"), "join"),
        (cluster("join = [{ at = \"9min\", brokers = 1 }]"), "too_short"),
        (cluster(join), "not_joined"),
        (fault("restart = { host = \"pipeline\" }"), "not_a_broker"),
        (fault("controller_loss = { cluster = \"b\" }"), "unknown_cluster"),
        (fault("leader_move = { cluster = \"a\", topic = \"x\" }"), "unknown_topic"),
        (fault("consumer_stall = { cluster = \"a\", group = \"x\" }"), "unknown_group"),
    ];
    cases.iter().for_each(|(text, rule)| refused(text, rule));
}

#[test]
fn canonical_form_writes_every_default() {
    let short = load("a", &format!("{HEAD}[kafka.a]\n")).expect("valid");
    let long = load("b", &format!("{HEAD}seed = 1\n[kafka.a]\nbrokers = 3\n")).expect("valid");
    assert_eq!(short.canonical(), long.canonical());
    let other = load("c", &format!("{HEAD}[kafka.a]\nbrokers = 4\n")).expect("valid");
    assert_ne!(short.canonical(), other.canonical());
}

#[test]
fn committed_schema_is_the_enforced_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/scenario.schema.json");
    let schema = crate::sim::scenario::schema_text();
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(path, &schema).expect("writable");
    }
    let committed = std::fs::read_to_string(path).expect("the committed schema");
    assert!(committed == schema, "{path} is old: run the tests with SHAKEDOWN_BLESS=1");
}

proptest::proptest! {
    #[test]
    fn mutated_scenarios_never_panic(at in 0usize..400, byte in 0u8..=255, cut in 0usize..600) {
        let mut text = BUILT_IN.as_bytes().to_vec();
        text.truncate(cut.max(1));
        let at = at % text.len();
        text[at] = byte;
        if let Ok(text) = String::from_utf8(text) {
            let _ = load("mutated", &text);
        }
    }
}

#[test]
fn an_unknown_situation_is_refused_with_the_nearest_one() {
    let text = format!("{HEAD}sometimes = [\"spool-full\", \"brekaer-opened\"]\n[kafka.a]\n");
    let problems = load("test.toml", &text).expect_err("refused").render(false);
    for said in
        ["test.toml:3", "no mark is called `brekaer-opened`", "did you mean `breaker-opened`"]
    {
        assert!(problems.contains(said), "{said} is not in\n{problems}");
    }
}

#[test]
fn an_empty_scenario_is_told_what_to_write() {
    let problems = load("empty.toml", "").expect_err("nothing in it");
    let helps: Vec<String> = problems
        .problems()
        .iter()
        .map(|problem| problem.help().map(|help| help.to_string()).unwrap_or_default())
        .collect();
    assert_eq!(helps.len(), 3, "{helps:?}");
    for key in ["title = \"", "duration = \"10min\"", "[kafka.orders]"] {
        assert!(helps.iter().any(|help| help.contains(key)), "{key}: {helps:?}");
    }
}
