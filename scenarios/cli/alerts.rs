//! Alerts and service levels at the command line.

use libtest_mimic::{Failed, Trial};
use shakedown::domain::account::AccountId;
use shakedown::domain::entity::EntityKey;
use shakedown::domain::guid::EntityGuid;
use shakedown::domain::provider::Provider;

use super::dashboards::for_account;
use super::{Case, Served, check, contains, expect};

const SHOP: &str = "fixtures/alerts/shop.toml";

const CASES: &[Case] = &[
    (
        "alerts_list",
        &["alerts", "list"],
        0,
        &[
            "group-lag",
            "> 10000 messages warning, > 100000 messages critical, for 300 s",
            "cluster-capacity",
            "left out: the configuration gives no capacity",
        ],
    ),
    (
        "alerts_list_json",
        &["alerts", "list", "--config", SHOP, "--format", "json"],
        0,
        &["\"threshold\": 1000.0", "clusterName IN ('orders')", "switches it off"],
    ),
    (
        "alerts_for_terraform",
        &["alerts", "render", "--account", "1", "--config", SHOP],
        0,
        &["resource \"newrelic_alert_policy\"", "\"Orders\"", "400000000"],
    ),
    (
        "alerts_for_nerdgraph",
        &["alerts", "render", "--account", "1", "--format", "nerdgraph"],
        0,
        &["alertsPolicyCreate(", "alertsNrqlConditionBaselineCreate(", "\"expirationDuration\""],
    ),
    (
        "alerts_are_valid",
        &["alerts", "validate"],
        0,
        &["25 conditions are valid, 2 rules left out"],
    ),
    (
        "alerts_file_of_wrong_shape",
        &["alerts", "validate", "--config", "fixtures/alerts/wrong.toml"],
        3,
        &["wrong.toml:3:", "30", "wrong.toml:7:", "did you mean `warning`?"],
    ),
    (
        "alerts_file_of_impossible_rules",
        &["alerts", "validate", "--config", "fixtures/alerts/impossible.toml"],
        3,
        &[
            "impossible.toml:3:",
            "did you mean `group-lag`?",
            "critical (85) is not worse than warning (95)",
            "CRITICAL: 100 % is no threshold",
            "90 s is no multiple of the window of 60 s",
            "rule `cluster-silent` has no thresholds",
        ],
    ),
    (
        "alerts_of_an_unknown_rule",
        &["alerts", "validate", "--simulate", "--fires", "group-lga"],
        2,
        &["there is no rule `group-lga`"],
    ),
    (
        "alerts_fire_in_a_simulated_breach",
        &[
            "alerts",
            "validate",
            "--simulate",
            "--scenario",
            "scenarios/broker-loss.toml",
            "--fires",
            "cluster-availability",
        ],
        0,
        &["cluster-availability", "fired: ", "no data", "New Relic alone knows its baseline"],
    ),
    (
        "alerts_are_quiet_when_all_is_well",
        &[
            "alerts",
            "validate",
            "--simulate",
            "--scenario",
            "scenarios/steady.toml",
            "--quiet",
            "cluster-availability",
            "--quiet",
            "cluster-offline-partitions",
        ],
        0,
        &["cluster-availability", "quiet (1 watched)"],
    ),
    (
        "alerts_that_did_not_fire_fail",
        &[
            "alerts",
            "validate",
            "--simulate",
            "--scenario",
            "scenarios/steady.toml",
            "--fires",
            "cluster-availability",
            "--quiet",
            "queue-depth",
            "--format",
            "json",
        ],
        1,
        &["cluster-availability: it did not fire", "queue-depth: no data"],
    ),
    ("slo_list", &["slo", "list"], 0, &["availability", "99.9 % over 28 days", "freshness"]),
    (
        "slo_for_terraform",
        &["slo", "render", "--account", "1", "--cluster", "orders", "--config", SHOP],
        0,
        &["resource \"newrelic_service_level\" \"orders_lag\"", "target = 95", "count = 7"],
    ),
    (
        "slo_for_nerdgraph",
        &["slo", "render", "--account", "1", "--cluster", "orders", "--format", "nerdgraph"],
        0,
        &["serviceLevelCreate(", "\"function\": \"SUM\"", "\"unit\": \"DAY\""],
    ),
    (
        "slo_budget_that_is_spent",
        &["slo", "budget", "--simulate", "--scenario", "scenarios/broker-loss.toml"],
        1,
        &["availability", "burn rate"],
    ),
    (
        "slo_budget_that_holds",
        &["slo", "budget", "--simulate", "--scenario", "scenarios/steady.toml", "--format", "json"],
        0,
        &["\"burn_rate\": 0.0", "\"left_percent\": 100.0"],
    ),
    (
        "slo_budget_of_nothing",
        &["slo", "budget", "--simulate", "--scenario", "scenarios/steady.toml", "--cluster", "no"],
        1,
        &["no data", "nothing was counted"],
    ),
];

pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static Case| Trial::test(format!("cli/{}", case.0), move || check(case));
    let mut trials: Vec<Trial> = CASES.iter().map(trial).collect();
    trials.push(Trial::test("cli/alerts_apply", apply));
    trials.push(Trial::test("cli/alerts_apply_lost_answers", lost_answers));
    trials.push(Trial::test("cli/slo_apply", slo_apply));
    trials.push(Trial::test("cli/slo_apply_lost_answers", slo_lost_answers));
    trials.push(Trial::test("cli/newrelic_serve_opens_incidents", incidents));
    trials
}

/// A policy is made, found unchanged, changed, pruned; budgets are asked of the account.
fn apply() -> Result<(), Failed> {
    let served = Served::start(&[])?;
    let go = |code: i32, arguments: &[&str], texts: &[&str]| -> Result<(), Failed> {
        expect(&for_account(&served, arguments)?.output()?, code, texts)
    };
    let plain = ["alerts", "apply"];
    let with = |more: &[&'static str]| [&plain[..], more].concat();
    go(0, &with(&["--dry-run"]), &["+ policy \"Message queues\"", "26 changes to do"])?;
    go(2, &plain, &["nobody can be asked"])?;
    go(0, &with(&["--yes"]), &["+ condition", "(group-lag)", "26 changes done"])?;
    go(0, &plain, &["is what the settings say; nothing was changed"])?;

    // Another file for the same policy: thresholds differ, one rule is off.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("alerts.toml");
    let text = std::fs::read_to_string(SHOP)?;
    let text = text.replace("name = \"Orders\"", "incident_preference = \"PER_POLICY\"");
    std::fs::write(&file, text)?;
    let file = file.to_string_lossy().into_owned();
    let changed = ["alerts", "apply", "--config", &file];
    let go_on = |more: &[&str], texts: &[&str]| go(0, &[&changed[..], more].concat(), texts);
    let words = ["~ policy", "~ condition", "+ condition", "(cluster-capacity)"];
    go_on(&["--dry-run"], &words)?;
    go_on(&["--yes"], &["changes done"])?;
    go_on(&[], &["nothing was changed"])?;
    go_on(
        &["--prune", "--yes"],
        &["- condition \"Broker has very many partitions", "1 change done"],
    )?;
    go_on(&["--prune"], &["nothing was changed"])?;

    let budget = ["slo", "budget", "--cluster", "orders"];
    go(1, &budget, &["no data", "nothing was counted"])?;
    go(2, &["slo", "budget"], &["no cluster is named"])?;
    go(4, &with(&["--account", "2"]), &["Account 2 is not accessible"])
}

/// Whatever share of the answers is lost, every condition is there, and once.
fn lost_answers() -> Result<(), Failed> {
    let fault = "accepted_then_lost:target=nerdgraph,share=0.1";
    let served = Served::start(&["--fault", fault])?;
    let arguments = ["alerts", "apply", "--yes"];
    expect(&for_account(&served, &arguments)?.output()?, 0, &["26 changes done"])?;
    let again = for_account(&served, &["alerts", "apply", "--prune"])?.output()?;
    expect(&again, 0, &["nothing was changed"])
}

/// The account in which the served New Relic keeps what its default key brings.
const ACCOUNT: u64 = 1;

/// Tells the served New Relic of clusters, and waits until it shows their entities.
fn report_clusters(served: &Served, clusters: &[&str]) -> Result<(), Failed> {
    let account = AccountId::try_from(ACCOUNT)?;
    for cluster in clusters {
        let key = EntityKey::Cluster { provider: Provider::Kafka, cluster: (*cluster).to_owned() };
        let guid = EntityGuid::new(account, &key);
        let event = serde_json::json!([{
            "eventType": "MessageQueue", "entityType": "MESSAGE_QUEUE_CLUSTER",
            "entityIdentifier": guid.identifier(), "entityGuid": guid.wire(),
            "displayName": cluster, "clusterName": cluster, "provider": "kafka",
            "dataSource": "infrastructure", "cluster.health.score": 10,
        }]);
        let head = format!("POST /v1/accounts/{ACCOUNT}/events");
        let answer = served.exchange("newrelic", &head, &event.to_string())?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!("the event is not taken: {answer}").into());
        }
    }
    forward(served, 60)
}

/// Service levels are made, found unchanged, changed, pruned.
fn slo_apply() -> Result<(), Failed> {
    let served = Served::start(&[])?;
    let go = |code: i32, arguments: &[&str], texts: &[&str]| -> Result<(), Failed> {
        let arguments = [&["slo", "apply"], arguments].concat();
        expect(&for_account(&served, &arguments)?.output()?, code, texts)
    };
    let orders = ["--cluster", "orders"];
    let with = |more: &[&'static str]| [&orders[..], more].concat();
    go(1, &orders, &["no entity of the cluster \"orders\"", "let the pipeline send"])?;
    report_clusters(&served, &["orders", "returns"])?;
    go(0, &with(&["--dry-run"]), &["+ service level \"orders: Consumer", "3 changes to do"])?;
    go(2, &orders, &["nobody can be asked"])?;
    go(0, &with(&["--yes"]), &["3 changes done"])?;
    go(0, &orders, &["are what the settings say; nothing was changed"])?;
    let both = with(&["--cluster", "returns", "--yes", "--format", "json"]);
    go(0, &both, &["+ service level \\\"returns: Brokers", "\"dry_run\": false"])?;

    // Another file: one level has another target, one is off.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("alerts.toml");
    std::fs::write(
        &file,
        "[[service_level]]\nid = \"lag\"\ntarget_percent = 95\n[[service_level]]\n\
         id = \"freshness\"\nenabled = false\n",
    )?;
    let file = file.to_string_lossy().into_owned();
    let changed = |more: &[&'static str]| -> Vec<String> {
        let words = with(&["--config"]).into_iter().map(str::to_owned);
        words.chain([file.clone()]).chain(more.iter().map(|word| (*word).to_owned())).collect()
    };
    let go_on = |more: &[&'static str], texts: &[&str]| {
        let arguments = changed(more);
        go(0, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), texts)
    };
    go_on(&["--yes"], &["~ service level \"orders: Consumer groups", "1 change done"])?;
    go_on(&[], &["nothing was changed"])?;
    go_on(&["--prune", "--yes"], &["- service level \"orders: Brokers are", "1 change done"])?;
    go_on(&["--prune"], &["nothing was changed"])?;
    // The other cluster kept what it has.
    go(0, &["--cluster", "returns", "--prune"], &["nothing was changed"])?;
    // An account that the key does not open has no entity for it.
    go(1, &with(&["--account", "2"]), &["no entity of the cluster"])
}

/// Whatever share of the answers is lost, every service level is there, and once.
fn slo_lost_answers() -> Result<(), Failed> {
    let fault = "accepted_then_lost:target=nerdgraph,share=0.4";
    let served = Served::start(&["--fault", fault])?;
    report_clusters(&served, &["orders"])?;
    let arguments = ["slo", "apply", "--cluster", "orders"];
    let yes = [&arguments[..], &["--yes"]].concat();
    expect(&for_account(&served, &yes)?.output()?, 0, &["3 changes done"])?;
    let again = for_account(&served, &[&arguments[..], &["--prune"]].concat())?.output()?;
    expect(&again, 0, &["nothing was changed"])
}

/// Lets the service's time leap.
fn forward(served: &Served, seconds: u32) -> Result<(), Failed> {
    let by = format!(r#"{{"by":"{seconds}s"}}"#);
    contains(&served.exchange("admin", "POST /clock/advance", &by)?, &["HTTP/1.1 200 OK"])
}

/// What `alerts apply` made judges what comes in: a cluster that is unwell opens incidents.
fn incidents() -> Result<(), Failed> {
    let served = Served::start(&[])?;
    let made = for_account(&served, &["alerts", "apply", "--yes"])?.output()?;
    expect(&made, 0, &["26 changes done"])?;
    for minute in 0..10 {
        let stats = served.exchange("admin", "GET /stats", "")?;
        // Five bad minutes open one, and late data are waited for.
        if minute < 5 && stats.contains("NrAiIncident") {
            return Err(format!("an incident after {minute} minutes: {stats}").into());
        }
        report_clusters(&served, &["orders"])?;
    }
    contains(&served.exchange("admin", "GET /stats", "")?, &["NrAiIncident"])
}
