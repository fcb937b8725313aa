//! The files in `fixtures/config`, precedence, and the generated documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::resilience::breaker::{BreakerConfig, SlowCall, Window};
use crate::resilience::limiter::{LimiterConfig, Profile};
use crate::resilience::pool::{PoolConfig, QueuePolicy};
use crate::resilience::recovery::RecoveryConfig;
use crate::stream::StreamConfig;

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
    Config::load("pipeline.toml", text, &environment, flags, None)
}

const ACCOUNT: (&str, &str) = ("NEW_RELIC_ACCOUNT_ID", "7");
const MINUTE: Duration = Duration::from_secs(60);
const ALERT: (&str, &str) = ("ALERT_SECRET", "c4n4ry-of-the-alerts");
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
    let config = load(&fixture("full.toml"), &[ALERT], &Flags::default()).expect("valid");
    assert_eq!(config.kafka[0].bootstrap[1], crate::ports::Endpoint::new("::1", 9093));
    assert_eq!(config.kafka[0].jmx[&3], crate::ports::Endpoint::new("jmx-3", 7072));
    assert_eq!(config.http, None);
    assert_eq!(config.newrelic.addresses, crate::newrelic::Region::Eu.addresses());
    snapshot("redacted_full", &config.redacted());
    // What is shown is a valid file (but for the key), so every key was shown.
    let shown = config.redacted();
    let again = load(&shown, &[ALERT], &Flags::default()).expect("still valid");
    assert_eq!(again.redacted(), shown);
    let schema = docs::json_schema();
    for key in ["environment", "collect_deadline", "jmx_port", "memory_max", "slow_call_after"] {
        assert!(shown.contains(key) && schema.contains(key), "{key}");
    }
}

#[test]
fn the_example_of_extensions_loads_and_is_shown_in_full() {
    let config = load(&fixture("custom-metrics.toml"), &[KEY], &Flags::default()).expect("valid");
    let extensions = &config.extensions;
    let count = |kind| extensions.metrics.of_kind(kind);
    use crate::domain::entity::EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
    assert_eq!([Cluster, Broker, Topic, ConsumerGroup].map(count), [2, 2, 2, 4]);
    assert_eq!(extensions.windows.map(|windows| windows.groups_max), Some(5_000));
    let names: Vec<_> = extensions.hooks.iter().map(|hook| hook.name.as_str()).collect();
    assert_eq!(names, ["sane", "owners", "zones", "not-too-many"]);
    assert!(!extensions.mappings.is_empty());
    let shown = config.redacted();
    let again = load(&shown, &[KEY], &Flags::default()).expect("still valid");
    assert_eq!(again.redacted(), shown);
}

/// Loads a configuration of `fixtures/config/lookup`, with the files that it names.
fn load_with_files(name: &str) -> Result<Config, toml_file::FileProblems> {
    let environment =
        |name: &str| [ACCOUNT, KEY].iter().find(|pair| pair.0 == name).map(|p| p.1.to_owned());
    let files = |file: &str| {
        let path = root().join("fixtures/config/lookup").join(file);
        let text = fs::read_to_string(path).map_err(|_| format!("{file} cannot be read"))?;
        Ok((file.to_owned(), text))
    };
    let text = fixture(&format!("lookup/{name}"));
    Config::load(name, &text, &environment, &Flags::default(), Some(&files))
}

#[test]
fn rows_of_lookup_tables_may_have_a_file_of_their_own() {
    let config = load_with_files("right.toml").expect("valid");
    let [hook] = &config.extensions.hooks[..] else { panic!("one hook") };
    let crate::hooks::StepAction::Lookup(lookup) = &hook.action else { panic!("a lookup") };
    let told: Vec<(&str, &str, &str)> = lookup
        .table
        .iter()
        .flat_map(|(value, row)| {
            row.iter().map(|(name, text)| (value.as_str(), &**name, text.as_str()))
        })
        .collect();
    let expected = [
        ("orders", "tags.owner", "shop"),
        ("orders", "tags.costCentre", "4711"),
        ("stock", "tags.owner", "warehouse, north"),
    ];
    assert_eq!(told, expected);
    let problems = load_with_files("wrong.toml").expect_err("invalid");
    let told: Vec<String> = problems.problems().iter().map(ToString::to_string).collect();
    let expected = [
        "wrong.csv:2: the row has 2 values, and there are 3 columns",
        "wrong.csv:4: `stock` has a row already, in line 3",
        "no-such.csv cannot be read",
    ];
    assert_eq!(told, expected);
    let lines: Vec<usize> = problems.problems().iter().map(|p| p.line_and_column().0).collect();
    assert_eq!(lines, [11, 11, 16], "each at the key that names the file");
    // What a hook may not set is found in the file as well.
    let text = fixture("lookup/right.toml");
    let environment =
        |name: &str| [ACCOUNT, KEY].iter().find(|pair| pair.0 == name).map(|p| p.1.to_owned());
    let files = |_: &str| Ok(("x.csv".to_owned(), "k,displayName\na,b\n".to_owned()));
    let flags = Flags::default();
    let problems = Config::load("x", &text, &environment, &flags, Some(&files)).expect_err("taken");
    let told = problems.problems()[0].to_string();
    assert_eq!(told, "x.csv:1: events of a cluster have `displayName` already");
    // Where nothing but the text itself is read, rows must stand in it.
    let problems = load(&text, &[ACCOUNT, KEY], &Flags::default()).expect_err("no files");
    assert_eq!(problems.problems()[0].help(), Some("write the rows into `rows`"));
}

/// An entity of cluster `orders` with `values`.
fn entity(
    kind: crate::domain::entity::EntityKind,
    values: &[(crate::domain::metric::MetricId, f64)],
) -> crate::aggregate::EntityState {
    use crate::domain::entity::{EntityKey, EntityKind};
    let (provider, cluster) = (crate::domain::provider::Provider::Kafka, "orders".to_owned());
    let mut metrics = crate::domain::metric::MetricSet::new(kind);
    values.iter().for_each(|(id, value)| metrics.set(*id, *value));
    crate::aggregate::EntityState {
        key: match kind {
            EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: "1".into() },
            EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: "t".into() },
            EntityKind::ConsumerGroup => EntityKey::Group { provider, cluster, group: "g".into() },
            EntityKind::Cluster | EntityKind::Queue => EntityKey::Cluster { provider, cluster },
        },
        data_source: Default::default(),
        serving_brokers: Vec::new(),
        observed_at: crate::domain::units::UnixMillis(1),
        metrics,
        window: None,
        attributes: Default::default(),
        topics: Vec::new(),
        extras: Default::default(),
    }
}

#[test]
fn the_ten_examples_of_metrics_have_the_values_that_their_words_promise() {
    use crate::domain::attribute::{AttributeId, AttributeValue};
    use crate::domain::entity::EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
    use crate::domain::extra::ExtraValue;
    use crate::domain::metric::MetricId as M;
    let config = load(&fixture("custom-metrics.toml"), &[KEY], &Flags::default()).expect("valid");
    let cluster = [
        (M::CLUSTER_BROKER_COUNT, 3.0),
        (M::CLUSTER_PARTITIONS_TOTAL, 60.0),
        (M::CLUSTER_PARTITIONS_UNDER_REPLICATED, 6.0),
        (M::CLUSTER_PARTITIONS_OFFLINE, 1.2),
        (M::CLUSTER_THROUGHPUT_TOTAL, 100.0),
    ];
    let broker = [
        (M::BROKER_LEADER_PARTITIONS, 25.0),
        (M::BROKER_CPU_USAGE, 50.0),
        (M::BROKER_MEMORY_USAGE, 80.0),
        (M::BROKER_DISK_USAGE, 20.0),
        (M::BROKER_HANDLER_IDLE, 60.0),
    ];
    let group = [
        (M::GROUP_LAG_TOTAL, 800.0),
        (M::GROUP_CONSUMPTION, 20.0),
        (M::GROUP_LAST_COMMIT_AGE, 30.0),
    ];
    let mut topic = entity(Topic, &[(M::TOPIC_SIZE, 4.0), (M::TOPIC_MESSAGES_IN, 50.0)]);
    topic.attributes.set(AttributeId::RetentionMs, AttributeValue::Integer(86_400_000));
    let mut states = vec![
        entity(Cluster, &cluster),
        entity(Broker, &broker),
        topic,
        entity(ConsumerGroup, &group),
    ];
    let absences = config.extensions.metrics.apply(&mut states);
    assert!(absences.is_empty(), "{absences:?}");
    let check = |place: usize, name: &str, expected: f64| {
        let Some(ExtraValue::Number(value)) = states[place].extras.get(name) else {
            panic!("{name} has no value");
        };
        assert!((value - expected).abs() < 1e-9, "{name} is {value}, not {expected}");
    };
    check(0, "replication_health_score", 80.0);
    check(0, "cost_per_message", 1.8 * 3.0 / 3_600.0 / 100.0);
    check(1, "partition_skew", 25.0);
    check(1, "broker_saturation_index", 0.3 * 50.0 + 0.2 * 80.0 + 0.3 * 20.0 + 0.2 * 40.0);
    check(2, "topic_retention_efficiency", 6.0);
    check(2, "message_value_rate", 0.01);
    check(3, "consumer_lag_ratio", 40.0);
    check(3, "sla_compliance_score", 50.0);
    check(3, "data_freshness_score", 90.0);
    check(3, "stalled", 0.0);
}

#[test]
fn invalid_files_say_where_and_how_to_mend_them() {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("fixtures/config/invalid"))
        .expect("fixtures")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
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
fn resilience_comes_from_defaults() {
    let config = load(&fixture("minimal.toml"), &[ACCOUNT, KEY], &Flags::default());
    let resilience = config.expect("valid").resilience;
    let spool = resilience.spool.expect("on");
    assert_eq!((spool.config.folder.as_str(), spool.config.sync), ("spool", true));
    assert_eq!((spool.size_max_bytes, spool.age_max.as_secs()), (1 << 30, 86_400));
    assert_eq!(resilience.retry, StreamConfig::default().retry);
    assert_eq!(Some(resilience.breakers.event_api), BreakerConfig::named("event-api"));
    assert_eq!(Some(resilience.breakers.collector), BreakerConfig::named("collector"));
    assert_eq!(Some(resilience.breakers.nerdgraph), BreakerConfig::named("nerdgraph-api"));
    let profile = |name| Profile::named(name).map(Profile::config);
    assert_eq!(Some(resilience.limits.event_api), profile("event_api"));
    assert_eq!(Some(resilience.limits.nerdgraph), profile("nerdgraph_nrql"));
    assert_eq!(resilience.limits.resident_max_bytes, 16 << 20);
    assert_eq!(resilience.limits.memory_max_bytes, 144 << 20);
    assert!(resilience.alerts.is_none());
    assert_eq!(resilience.recovery.manager, RecoveryConfig::default());
    assert_eq!(
        (resilience.recovery.delay, resilience.recovery.cache_age_max),
        (MINUTE, MINUTE * 5)
    );
    assert_eq!(resilience.pool, PoolConfig::default());
}

#[test]
fn resilience_is_what_the_file_says() {
    let config = load(&fixture("full.toml"), &[ALERT], &Flags::default()).expect("valid");
    let resilience = config.resilience;
    let spool = resilience.spool.expect("on");
    assert_eq!((spool.size_max_bytes, spool.age_max), (256 << 20, MINUTE * 720));
    assert_eq!((spool.config.dead_letters_max, spool.config.sync), (10, false));
    assert_eq!(spool.config.dead_letter_bytes_max, 1 << 20);
    let retry = resilience.retry;
    assert_eq!((retry.attempts_max, retry.factor, retry.base.as_millis()), (9, 1.5, 250));
    assert_eq!(retry.believed(MINUTE * 9), MINUTE * 2);
    assert_eq!(resilience.limits.event_api, LimiterConfig::at_most(6_000, MINUTE, 60));
    assert_eq!(resilience.limits.nerdgraph, LimiterConfig::at_most(300, MINUTE, 5));
    assert_eq!(resilience.limits.resident_max_bytes, 4 << 20);
    let expected = BreakerConfig {
        failure_threshold: 4,
        success_threshold: 3,
        call_timeout: Duration::from_secs(25),
        retry_delay: Duration::ZERO,
        retry_factor: 2.0,
        retry_delay_max: MINUTE,
        window: Window::Count(50),
        volume_threshold: 20,
        failure_rate_percent: Some(60.0),
        slow_call: Some(SlowCall { after: Duration::from_secs(9), rate_percent: 80.0 }),
        half_open_max: 2,
    };
    assert_eq!(resilience.breakers.event_api, expected);
    let base = |profile| BreakerConfig::named(profile).expect("a profile");
    let expected = BreakerConfig { window: Window::None, ..base("collector") };
    assert_eq!(resilience.breakers.collector, expected);
    let slow_call = Some(SlowCall { after: MINUTE, rate_percent: 50.0 });
    assert_eq!(resilience.breakers.nerdgraph, BreakerConfig { slow_call, ..base("nerdgraph-api") });
    let alerts = resilience.alerts.expect("a webhook");
    assert_eq!(alerts.webhook.expose(), "https://alerts.example.com:8443/hooks/c4n4ry000");
    assert_eq!(alerts.webhook.to_string(), "https://alerts.example.com:8443/***");
    let (header, secret) = alerts.secret.expect("a secret");
    assert_eq!((header.as_str(), secret.expose_secret()), ("x-alert-secret", ALERT.1));
    let names: Vec<_> = alerts.events.iter().map(|event| event.bus_name()).collect();
    assert_eq!(names, ["circuit.opened", "circuit.half_open", "circuit.closed"]);
    let pool = resilience.pool;
    assert_eq!((pool.workers, pool.queue_max, pool.policy), (3, 0, QueuePolicy::Wait));
    assert_eq!((pool.ageing, pool.task_timeout), (Some(MINUTE / 60), Some(MINUTE / 6)));
}

#[test]
fn every_profile_can_be_named_and_zero_is_zero() {
    let text = fixture("minimal.toml");
    for (name, config) in BreakerConfig::PROFILES {
        let text = format!("{text}\n[breaker.collector]\nprofile = '{name}'\n");
        let loaded = load(&text, &[ACCOUNT, KEY], &Flags::default()).expect(name);
        assert_eq!(&loaded.resilience.breakers.collector, config);
    }
    let zeros = "[spool]\nage_max = '0s'\ndead_letters_max = 0\n[retry]\nbase = '0s'\n\
                 delay_max = '0s'\nretry_after_max = '0s'\n[breaker.event_api]\n\
                 call_timeout = '0s'\nretry_delay = '0s'\nretry_delay_max = '0s'\n\
                 volume_threshold = 0\n[recovery]\nhistory_max = 0\ncache_age_max = '0s'\n\
                 [pool]\nqueue_max = 0\nageing = '0s'\ntask_timeout = '0s'\n";
    let config = load(&format!("{text}\n{zeros}"), &[ACCOUNT, KEY], &Flags::default());
    let resilience = config.expect("zeros are values").resilience;
    let spool = resilience.spool.expect("on");
    assert_eq!((spool.age_max, spool.config.dead_letters_max), (Duration::ZERO, 0));
    let retry = resilience.retry;
    assert_eq!((retry.ceiling(9), retry.believed(MINUTE)), (Duration::ZERO, Duration::ZERO));
    let breaker = resilience.breakers.event_api;
    assert_eq!((breaker.call_timeout, breaker.retry_delay), (Duration::ZERO, Duration::ZERO));
    assert_eq!(resilience.recovery.manager.history_max, 0);
    assert_eq!(resilience.recovery.cache_age_max, Duration::ZERO);
    assert_eq!(resilience.pool.task_timeout, Some(Duration::ZERO));
    let off =
        load(&format!("{text}\n[spool]\nenabled = false"), &[ACCOUNT, KEY], &Flags::default());
    assert!(off.expect("valid").resilience.spool.is_none());
}

#[test]
fn a_secret_for_a_header_is_checked_and_never_shown() {
    let text = fixture("minimal.toml");
    let text = format!("{text}\n[alerts]\nwebhook = 'http://a/b'\nsecret_variable = 'S'\n");
    let variables = [ACCOUNT, KEY, ("S", "c4n4ry\nin two lines")];
    let problems = load(&text, &variables, &Flags::default()).expect_err("two lines");
    let shown = problems.render(false);
    assert!(shown.contains("cannot be sent in a header"), "{shown}");
    assert!(!shown.contains("c4n4ry"), "{shown}");
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
    let config = load(&fixture("full.toml"), &[ALERT], &Flags::default()).expect("valid");
    let shown = [format!("{config:?}"), format!("{config:#?}"), config.redacted()];
    for text in shown {
        // The first six characters are what New Relic itself shows as `apiKeyPrefix`.
        assert!(!text.contains("c4n4ry0") && !text.contains(ALERT.1), "{text}");
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
