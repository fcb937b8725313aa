//! The files in `fixtures/config`, precedence, and the generated documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const CANARIES: [&str; 2] = ["c4n4ry", "C4N4RY"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> String {
    fs::read_to_string(root().join("fixtures/config").join(name)).expect(name)
}

fn load(
    text: &str,
    variables: &[(&str, &str)],
    flags: &Flags,
) -> Result<Config, toml_file::FileProblems> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let environment = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Config::load("pipeline.toml", text, &environment, flags)
}

const ACCOUNT: (&str, &str) = ("NEW_RELIC_ACCOUNT_ID", "7");
const KEY: (&str, &str) = ("NEW_RELIC_LICENSE_KEY", "c4n4ry-of-the-environment");

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("snapshots/config"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn minimal_file_takes_everything_else_from_defaults() {
    let config = load(&fixture("minimal.toml"), &[ACCOUNT, KEY], &Flags::default());
    let config = config.expect("valid");
    assert_eq!(config.newrelic.account.to_string(), "7");
    assert_eq!(config.newrelic.key.expose(), KEY.1);
    assert_eq!(config.newrelic.addresses, crate::newrelic::Region::Us.addresses());
    assert_eq!(config.cycle.interval.as_secs(), 15);
    assert_eq!(config.cycle.cycle_deadline.as_secs(), 15);
    assert_eq!(config.cycle.collect_deadline.as_secs(), 10);
    assert_eq!(config.http.map(|http| http.address.is_loopback()), Some(true));
    assert_eq!(config.kafka.len(), 1);
    snapshot("redacted_minimal", &config.redacted());
}

#[test]
fn full_file_sets_every_key() {
    let config = load(&fixture("full.toml"), &[], &Flags::default()).expect("valid");
    assert_eq!(config.kafka[0].bootstrap[1], crate::ports::Endpoint::new("::1", 9093));
    assert_eq!(config.kafka[0].jmx[&3], crate::ports::Endpoint::new("jmx-3", 7072));
    assert_eq!(config.http, None);
    assert_eq!(config.newrelic.addresses, crate::newrelic::Region::Eu.addresses());
    snapshot("redacted_full", &config.redacted());
    // What is shown is a valid file (but for the key), so every key was shown.
    let shown = config.redacted();
    let again = load(&shown, &[], &Flags::default()).expect("still valid");
    assert_eq!(again.redacted(), shown);
    let schema = docs::json_schema();
    for key in ["environment", "collect_deadline", "jmx_port", "buffer_bytes", "stdin"] {
        assert!(shown.contains(key) && schema.contains(key), "{key}");
    }
}

#[test]
fn invalid_files_say_where_and_how_to_mend_them() {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("fixtures/config/invalid"))
        .expect("fixtures")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("utf-8");
        let text = fs::read_to_string(&file).expect(name);
        let problems = load(&text, &[], &Flags::default()).expect_err(name);
        let shown = problems.render(false);
        for canary in CANARIES {
            assert!(!shown.contains(canary), "{name}: {shown}");
            assert!(!format!("{problems:?}{problems}").contains(canary), "{name}");
        }
        snapshot(&format!("invalid_{name}"), &shown);
    }
}

#[test]
fn flags_beat_environment_beats_file() {
    let text = "[newrelic]\naccount_id = 1\nlicense_key = 'file'\nregion = 'EU'\n\
                [pipeline]\ninterval = '20s'\n[[kafka]]\ncluster = 'a'\nbootstrap = ['b:1']\n";
    let summary = |variables: &[(&str, &str)], flags: Flags| {
        let config = load(text, variables, &flags).expect("valid");
        let url = config.newrelic.addresses.events_of(config.newrelic.account).expect("valid");
        (url.to_string(), config.newrelic.key.expose().to_owned(), config.cycle.interval.as_secs())
    };
    let eu = "https://insights-collector.eu01.nr-data.net/v1/accounts";
    assert_eq!(summary(&[], Flags::default()), (format!("{eu}/1/events"), "file".into(), 20));
    let variables = [ACCOUNT, KEY, ("NEW_RELIC_REGION", "jp")];
    let jp = "https://insights-collector.jp.nr-data.net/v1/accounts";
    let expected = (format!("{jp}/7/events"), KEY.1.to_owned(), 20);
    assert_eq!(summary(&variables, Flags::default()), expected);
    let flags = Flags {
        account_id: Some("8".into()),
        region: Some("local".into()),
        interval: Some("1min".parse().expect("valid")),
        ..Flags::default()
    };
    let expected = ("http://localhost:3000/v1/accounts/8/events".to_owned(), KEY.1.to_owned(), 60);
    assert_eq!(summary(&variables, flags.clone()), expected);
    let mut variables = variables.to_vec();
    variables.push(("NEW_RELIC_INSIGHTS_BASE_URL", "http://nr:1/v1"));
    assert_eq!(summary(&variables, flags).0, "http://nr:1/v1/accounts/8/events");
    // An empty variable is none.
    assert_eq!(
        summary(&[("NEW_RELIC_ACCOUNT_ID", "")], Flags::default()).0,
        format!("{eu}/1/events")
    );
}

#[test]
fn problems_of_environment_and_flags_name_their_place() {
    let variables = [
        ("NEW_RELIC_ACCOUNT_ID", "12ab"),
        ("NEW_RELIC_LICENSE_KEY", "NRAK-C4N4RY"),
        ("NEW_RELIC_INSIGHTS_BASE_URL", "ftp://nr/v1"),
    ];
    let flags = Flags { region: Some("mars".into()), ..Flags::default() };
    let text = fixture("minimal.toml").replace("orders", "");
    let text = format!("{text}jmx_port = 9\n");
    let problems = load(&text.replace("cluster = \"\"", "cluster = \"x\""), &variables, &flags);
    let shown = problems.expect_err("invalid").render(false);
    assert!(!shown.contains("C4N4RY"), "{shown}");
    snapshot("environment_and_flags", &shown);
}

#[test]
fn secrets_never_appear() {
    let config = load(&fixture("full.toml"), &[], &Flags::default()).expect("valid");
    let shown = [format!("{config:?}"), format!("{config:#?}"), config.redacted()];
    for text in shown {
        // The first six characters are what New Relic itself shows as `apiKeyPrefix`.
        assert!(!text.contains("c4n4ry0"), "{text}");
    }
}

#[test]
fn generated_documents_are_up_to_date() {
    let documents = [
        ("docs/CONFIG.md", docs::markdown()),
        ("docs/schema/pipeline.schema.json", docs::json_schema()),
    ];
    for (path, text) in documents {
        let file = root().join(path);
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            fs::create_dir_all(file.parent().expect("folder")).expect(path);
            fs::write(&file, &text).expect(path);
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == text, "{path} is stale: run the tests with SHAKEDOWN_BLESS=1");
    }
}
