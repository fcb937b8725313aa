//! What a user meets at `topology` and `gaps`: files, a fleet and a New Relic on real ports, and
//! what is not there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::{Case, Served, command, contains, expect};

const ESTATE: &str = "fixtures/topology/estate.toml";
const EVENTS: &str = "fixtures/topology/events.ndjson";

/// Cases that need nothing but arguments.
pub const CASES: &[Case] = &[
    (
        "topology_lint",
        &["topology", "lint", ESTATE],
        0,
        &["estate.toml: ok, 2 clusters, 3 brokers, 2 topics, 2 queues, 1 consumer group"],
    ),
    (
        "topology_lint_of_a_wrong_file",
        &["topology", "lint", "fixtures/topology/wrong.toml"],
        3,
        &[
            "wrong.toml:3:19",
            "requires 1 broker, and 2 are listed",
            "wrong.toml:14:15",
            "did you mean `kafka-prod`?",
        ],
    ),
    (
        "topology_lint_json",
        &["topology", "lint", "--format", "json", "fixtures/topology/wrong.toml"],
        3,
        &["\"code\": \"shakedown::topology::unknown_cluster\"", "\"line\": 14"],
    ),
    ("topology_of_nothing", &["topology", "lint", "no/such.toml"], 3, &["cannot be read"]),
    ("topology_schema", &["topology", "schema"], 0, &["\"$schema\"", "requiredBrokers"]),
    (
        "gaps_of_events",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--account-id", "1"],
        0,
        &[
            "coverage 70.0 %: 7 of 10 desired entities present and fresh",
            "Missing (2)",
            "broker 3 of kafka-prod (kafka)",
            "queue returns.fifo of eu-west-1 (sqs)",
            "cluster kafka-prod (kafka): 2 of 3 brokers",
            "topic payments of kafka-prod (kafka): silent for 10min 0s",
            "topic orders of kafka-prod (kafka): replicationFactor is 2, not 3",
            "topic scratch of kafka-prod (kafka)",
            "GAP010",
            "$ aws sqs create-queue --region eu-west-1 --queue-name returns.fifo --attributes",
        ],
    ),
    (
        "gaps_below_the_limit",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--fail-under", "70.1"],
        1,
        &["below the 70.1 % demanded"],
    ),
    (
        "gaps_at_the_limit",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--fail-under", "70%"],
        0,
        &["not below the 70 % demanded"],
    ),
    (
        "gaps_within_another_tolerance",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--tolerance", "10min"],
        0,
        &["8 of 10 desired entities"],
    ),
    (
        "gaps_as_json",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--format", "json"],
        0,
        &["\"code\": \"GAP006\"", "\"ageSeconds\": 600.0", "\"percent\": 70.0"],
    ),
    (
        "gaps_as_markdown",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--format", "markdown"],
        0,
        &["| broker | 3 | 2 | 0 | 1 | 66.6 % |", "- **high** GAP006"],
    ),
    ("gaps_of_no_source", &["gaps", "--topology", ESTATE], 2, &["--kafka", "--events"]),
    (
        "gaps_of_two_sources",
        &["gaps", "--topology", ESTATE, "--events", EVENTS, "--newrelic"],
        2,
        &["cannot be used with"],
    ),
    (
        "gaps_of_a_topology_that_asks_for_nothing",
        &["gaps", "--topology", "/dev/null", "--events", EVENTS],
        3,
        &["/dev/null asks for nothing"],
    ),
    (
        "gaps_of_no_events",
        &["gaps", "--topology", ESTATE, "--events", "/dev/null"],
        3,
        &["holds no MessageQueue events"],
    ),
    (
        "gaps_of_an_unreachable_cluster",
        &["gaps", "--topology", ESTATE, "--kafka", "kafka-prod=127.0.0.1:1"],
        4,
        &["no broker of cluster `kafka-prod` answers"],
    ),
    (
        "topology_import_of_an_unreachable_cluster",
        &["topology", "import", "--kafka", "kafka-prod=127.0.0.1:1"],
        4,
        &["no broker of cluster `kafka-prod` answers"],
    ),
    (
        "gaps_of_no_address",
        &["gaps", "--topology", ESTATE, "--kafka", "kafka-prod"],
        2,
        &["write NAME=HOST:PORT"],
    ),
];

/// Trials that need servers.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli/gaps_of_a_fleet", of_a_fleet),
        Trial::test("cli/gaps_of_new_relic", of_new_relic),
    ]
}

/// A served fleet, killed when dropped.
struct Fleet {
    child: Child,
    address: String,
}

impl Fleet {
    fn start() -> Result<Self, Failed> {
        let arguments = [
            "fleet",
            "serve",
            "--brokers",
            "3",
            "--topics",
            "4",
            "--groups",
            "2",
            "--partitions",
            "2",
            "--port",
            "0",
            "--jmx-port",
            "0",
        ];
        let mut child = command(&arguments).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output");
        // From here on the process ends with the value, whatever fails.
        let mut fleet = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(stdout?).read_line(&mut line)?;
        fleet.address = line.split('\t').next().unwrap_or_default().to_owned();
        Ok(fleet)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json_of(output: &Output) -> Result<Value, Failed> {
    expect(output, 0, &[])?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A fleet covers the topology that was imported from it; one that wants more has exactly the gaps
/// that were written into it; and a fleet that is gone is no estate.
fn of_a_fleet() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("estate.json");
    let path = file.to_string_lossy();
    let fleet = Fleet::start()?;
    let source = format!("orders={}", fleet.address);
    let imported = command(&["topology", "import", "--kafka", &source, "--out", &path]).output()?;
    expect(&imported, 0, &["1 cluster, 3 brokers, 4 topics, 2 consumer groups"])?;
    expect(&command(&["topology", "lint", &path]).output()?, 0, &["ok, 1 cluster"])?;
    let gaps = ["gaps", "--topology", &*path, "--kafka", &source, "--format", "json"];
    let report = json_of(&command(&gaps).output()?)?;
    contains(&report["clean"].to_string(), &["true"])?;
    contains(&report["coverage"]["overall"].to_string(), &["\"desired\":10", "\"fresh\":10"])?;

    widen(&file)?;
    let report = json_of(&command(&gaps).output()?)?;
    contains(&report["missing"].to_string(), &["\"name\":\"absent\"", "\"name\":\"7\""])?;
    contains(&report["partialClusters"].to_string(), &["\"actual\":3", "\"expected\":4"])?;
    contains(&report["mismatches"].to_string(), &["\"field\":\"partitions\"", "\"expected\":9"])?;
    let create = format!("kafka-topics.sh --bootstrap-server {} --create", fleet.address);
    contains(&report["recommendations"].to_string(), &[&create])?;
    let gaps = ["gaps", "--topology", &*path, "--kafka", &source, "--fail-under", "100"];
    expect(&command(&gaps).output()?, 1, &["10 of 12 desired entities"])?;

    drop(fleet);
    let gone = command(&gaps).output()?;
    expect(&gone, 4, &["no broker of cluster `orders` answers"])?;
    if !gone.stdout.is_empty() {
        return Err("an estate that was not seen was reported on".into());
    }
    Ok(())
}

/// Asks for a broker and a topic that are not there, and for other partitions.
fn widen(file: &Path) -> Result<(), Failed> {
    let mut topology: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    topology["clusters"][0]["requiredBrokers"] = json!(4);
    topology["topics"][0]["partitions"] = json!(9);
    let push = |list: &mut Value, element: Value| -> Result<(), Failed> {
        list.as_array_mut().ok_or("no list")?.push(element);
        Ok(())
    };
    push(&mut topology["brokers"], json!({ "clusterName": "orders", "id": "7" }))?;
    push(&mut topology["topics"], json!({ "clusterName": "orders", "name": "absent" }))?;
    std::fs::write(file, topology.to_string())?;
    Ok(())
}

/// What the pipeline would stream is there, what it would not is missing; a wrong key, and a New
/// Relic that is gone, are no estate.
fn of_new_relic() -> Result<(), Failed> {
    let served = Served::start(&[])?;
    let url = format!("{}/graphql", served.told["newrelic"].as_str().ok_or("no address")?);
    let key = user_key(&served.told).ok_or("no user key")?;
    let now = json!(std::time::UNIX_EPOCH.elapsed()?.as_millis() as u64);
    let mut events: Vec<Value> = std::fs::read_to_string(EVENTS)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    events.iter_mut().for_each(|event| event["timestamp"] = now.clone());
    let body = Value::Array(events).to_string();
    let answer = served.exchange("newrelic", "POST /v1/accounts/1/events", &body)?;
    contains(&answer, &["HTTP/1.1 200 OK"])?;
    let ask = |verb: &[&str], key: &str| {
        let more = ["--newrelic", "--account-id", "1", "--nerdgraph-url", &url];
        let arguments = [verb, &more].concat();
        command(&arguments).env("NEW_RELIC_API_KEY", key).output()
    };
    let gaps = ["gaps", "--topology", ESTATE];
    // The events are stored a moment after they were taken.
    let mut output = ask(&gaps, &key)?;
    for _ in 0..100 {
        if String::from_utf8_lossy(&output.stdout).contains("8 of 10 desired") {
            break;
        }
        pause();
        output = ask(&gaps, &key)?;
    }
    let told = [
        "8 of 10 desired entities",
        "broker 3 of kafka-prod (kafka)  ",
        "replicationFactor is 2, not 3",
        "topic scratch of kafka-prod",
    ];
    expect(&output, 0, &told)?;
    let imported = ask(&["topology", "import"], &key)?;
    let told =
        ["[[queues]]", "name = \"invoices\"", "requiredBrokers = 3", "topics = [\"orders\"]"];
    expect(&imported, 0, &told)?;
    expect(&ask(&gaps, "NRAK-WRONG")?, 4, &["New Relic cannot be asked", "NEW_RELIC_API_KEY"])?;
    expect(&ask(&gaps, "")?, 2, &["there is no user key", "set NEW_RELIC_API_KEY"])?;
    drop(served);
    expect(&ask(&gaps, &key)?, 4, &["New Relic cannot be asked", "check --region"])
}

#[expect(clippy::disallowed_methods, reason = "the service is another process")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(100));
}

/// The first user key of what a served New Relic says of itself.
fn user_key(told: &Value) -> Option<String> {
    let text = told.to_string();
    let from = text.find("NRAK-")?;
    text[from..].split('"').next().map(str::to_owned)
}
