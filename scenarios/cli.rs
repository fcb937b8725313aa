//! What a user meets at the command line: exit codes, messages, formats.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::shakedown;

mod alerts;
mod dashboards;
mod features;
mod gaps;
mod traces;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

const FAULTY: &str = "fixtures/relationships/faulty.ndjson";

/// Arguments, exit code, and what standard output or error must contain.
pub type Case = (&'static str, &'static [&'static str], i32, &'static [&'static str]);

const CASES: &[Case] = &[
    ("built_in_passes", &["run"], 0, &["PASSED", "ground truth", "card "]),
    ("json_is_complete", &["run", "--format", "json"], 0, &["\"checks\"", "\"trace\"", "\"id\""]),
    ("markdown_has_a_table", &["run", "--format", "markdown"], 0, &["| ✓ | conservation |"]),
    ("svg_is_a_picture", &["run", "--format", "svg"], 0, &["<svg xmlns", "Faults", "</svg>"]),
    ("card_of_a_scenario", &["card", "scenarios/steady.toml"], 0, &["target/shakedown/", ".html"]),
    ("card_of_nothing", &["card", "fixtures/scenarios/not_utf8.bin"], 3, &["not_utf8.bin"]),
    ("junit_names_checks", &["run", "--format", "junit"], 0, &["<testcase name=\"conservation\""]),
    ("unknown_verb", &["sial"], 2, &["Usage"]),
    (
        "minimize_of_a_run_that_passes",
        &["minimize", "scenarios/steady.toml"],
        2,
        &["steady.toml, seed 1: the run passes, so there is nothing to minimise", "sweep"],
    ),
    (
        "minimize_of_an_absent_host",
        &["minimize", "fixtures/scenarios/unknown_host.toml"],
        3,
        &["orders-brokr-1", "did you mean `orders-broker-1`"],
    ),
    ("minimize_of_nothing", &["minimize", "no/such.toml"], 3, &["no/such.toml cannot be read"]),
    (
        "minimize_of_no_time",
        &["minimize", "scenarios/steady.toml", "--for", "0s"],
        1,
        &["it was stopped before the first run", "give it more time"],
    ),
    ("minimize_bad_time", &["minimize", "x.toml", "--for", "soon"], 2, &["is not a duration"]),
    (
        "minimize_without_a_state",
        &["minimize", "scenarios/steady.toml", "--resume", "--out", "/tmp/no-such/x.toml"],
        2,
        &["steady.toml, seed 1: the run passes, so there is nothing to minimise"],
    ),
    (
        "minimize_failure_of_a_scenario",
        &["minimize", "scenarios/steady.toml", "--failure", "1"],
        2,
        &["--failure is for a sweep's summary"],
    ),
    (
        "promote_bad_name",
        &["promote", "scenarios/steady.toml", "--name", "../x"],
        2,
        &["`../x` cannot be the name of a scenario", "such as lost-answer-twice"],
    ),
    ("promote_without_a_name", &["promote", "scenarios/steady.toml"], 2, &["--name"]),
    (
        "promote_into_a_file",
        &["promote", "scenarios/steady.toml", "--name", "x", "--root", "/dev/null"],
        1,
        &["cannot write /dev/null/scenarios/regressions/x.toml"],
    ),
    (
        "promote_of_another_failure",
        &["promote", "scenarios/steady.toml", "--name", "x", "--fingerprint", "zzzz"],
        2,
        &["no failure of the run has a fingerprint that begins with `zzzz`"],
    ),
    (
        "unknown_key",
        &["run", "fixtures/scenarios/unknown_key.toml"],
        3,
        &["unknown_key.toml:6", "duratoin", "duration"],
    ),
    (
        "wrong_type",
        &["run", "fixtures/scenarios/wrong_type.toml"],
        3,
        &["wrong_type.toml", "brokers"],
    ),
    (
        "impossible_topology",
        &["run", "fixtures/scenarios/impossible_topology.toml"],
        3,
        &["3 replicas need as many brokers", "set replication to at most 2"],
    ),
    (
        "unknown_host",
        &["run", "fixtures/scenarios/unknown_host.toml"],
        3,
        &["orders-brokr-1", "did you mean `orders-broker-1`"],
    ),
    ("absent_file", &["run", "no/such.toml"], 3, &["no/such.toml cannot be read: No such file"]),
    ("folder_as_file", &["run", "scenarios"], 3, &["scenarios cannot be read: Is a directory"]),
    (
        "not_utf8",
        &["run", "fixtures/scenarios/not_utf8.bin"],
        3,
        &["not_utf8.bin:2: byte 25 is not UTF-8", "save the file as UTF-8"],
    ),
    ("endless_file", &["run", "/dev/zero"], 3, &["the limit is 1048576 bytes"]),
    ("bad_seed", &["run", "--seed", "x"], 2, &["--seed", "write a whole number in digits alone"]),
    ("no_seeds", &["meta", "--seeds", "0"], 2, &["--seeds"]),
    (
        "seeds_beyond_the_last",
        &["meta", "--first", "18446744073709551615"],
        2,
        &["there are no 10 seeds from 18446744073709551615 on"],
    ),
    ("meta_json", &["meta", "--seeds", "1", "--format", "json"], 0, &["\"equal\": true"]),
    (
        "trace_on_a_full_disk",
        &["run", "--trace", "/dev/full"],
        1,
        &["PASSED", "cannot write the trace to /dev/full: No space left"],
    ),
    ("trace_without_folder", &["run", "--trace", "no/such"], 1, &["the trace to no/such: No such"]),
    (
        "named_folder_for_the_card",
        &["run", "--out", "/dev/null/x"],
        1,
        &["no file can be written to `/dev/null/x`", "name another folder"],
    ),
    (
        "topology_graph",
        &["topology", "graph", "--events", "fixtures/relationships/orders.ndjson"],
        0,
        &[
            "  group mailer  health 41  CONSUMES_FROM emails  COORDINATED_BY orders-broker-3",
            "STALE",
        ],
    ),
    (
        "topology_graph_svg",
        &["topology", "graph", "--events", FAULTY, "--format", "svg"],
        0,
        &["<svg xmlns", "data-standing=\"missing\"", "CONSUMES_FROM", "</svg>"],
    ),
    (
        "topology_path",
        &["topology", "path", "billing", "orders/mailer", "--events", FAULTY],
        0,
        &["group billing ←CONTAINS─ cluster kafka-cluster-orders ─CONTAINS→ group mailer"],
    ),
    (
        "topology_path_misspelt",
        &["topology", "path", "biling", "mailer", "--events", FAULTY],
        2,
        &["no entity is called `biling`", "did you mean `billing`?"],
    ),
    (
        "topology_no_path",
        &["topology", "path", "emails", "mailer", "--follow", "forward", "--events", FAULTY],
        1,
        &["no path from topic emails to group mailer"],
    ),
    (
        "topology_check",
        &["topology", "check", "--events", "fixtures/relationships/orders.ndjson"],
        0,
        &["0 errors and 0 warnings among 10 entities and 14 relationships"],
    ),
    (
        "topology_check_of_faults",
        &["topology", "check", "--events", FAULTY],
        1,
        &[
            "error orphaned_target: group mailer CONSUMES_FROM topic ",
            "error self_loop: broker orders-broker-1 REPLICATES_TO",
            "error cardinality: group mailer COORDINATED_BY",
            "error pair_not_allowed: topic orders CONSUMES_FROM group billing",
            "CONSUMES_FROM joins MESSAGE_QUEUE_CONSUMER_GROUP to MESSAGE_QUEUE_TOPIC",
        ],
    ),
    (
        "topology_of_a_run",
        &["topology", "check", "--scenario", "scenarios/steady.toml", "--format", "json"],
        0,
        &["\"errors\": 0", "\"COORDINATED_BY\": 5", "\"hierarchyDepth\": 2"],
    ),
    (
        "topology_before_anything",
        &["topology", "graph", "--scenario", "scenarios/steady.toml", "--at", "0s"],
        3,
        &["holds no entities"],
    ),
    (
        "topology_graph_of_a_desired_one",
        &["topology", "graph", "fixtures/topology/estate.toml"],
        0,
        &["  group billing  CONSUMES_FROM orders, payments", "10 entities, 9 relationships"],
    ),
    (
        "topology_path_in_a_desired_one",
        &["topology", "path", "billing", "kafka-prod-broker-1", "fixtures/topology/estate.toml"],
        0,
        &["group billing ←CONTAINS─ cluster kafka-cluster-kafka-prod ─MANAGES→ broker"],
    ),
    (
        "topology_check_of_a_desired_one",
        &["topology", "check", "fixtures/topology/estate.toml", "--format", "json"],
        0,
        &["\"errors\": 0", "\"CONSUMES_FROM\": 2", "\"desired\": 10"],
    ),
    (
        "topology_graph_of_a_wrong_one",
        &["topology", "graph", "fixtures/topology/wrong.toml"],
        3,
        &["fixtures/topology/wrong.toml:14:15", "did you mean `kafka-prod`?"],
    ),
    (
        "topology_of_two_sources",
        &["topology", "graph", "fixtures/topology/estate.toml", "--events", FAULTY],
        2,
        &["cannot be used with"],
    ),
    ("topology_of_nothing", &["topology", "check"], 2, &["--events"]),
    (
        "topology_of_other_lines",
        &["topology", "check", "--events", "README.md"],
        3,
        &["README.md:1:1: not JSON"],
    ),
    (
        "topology_seed_of_a_file",
        &["topology", "check", "--seed", "3", "--events", FAULTY],
        2,
        &["--seed", "go with --scenario"],
    ),
    ("checks", &["checks"], 0, &["ground truth   oracle   13  every stored figure"]),
    ("checks_json", &["checks", "--format", "json"], 0, &["\"name\": \"no panic\""]),
    ("faults", &["faults"], 0, &["partition             Nothing passes"]),
    ("fault_by_name", &["faults", "partition"], 0, &["one_way", "between"]),
    ("faults_json", &["faults", "--format", "json"], 0, &["\"name\": \"crash\""]),
    (
        "lint_json",
        &["scenario", "lint", "--format", "json", "fixtures/scenarios/unknown_key.toml"],
        3,
        &["\"code\": \"shakedown::scenario::unknown_key\"", "\"line\": 6"],
    ),
    (
        "no_brokers",
        &["fleet", "serve", "--brokers", "0"],
        2,
        &["brokers is 0: give a value from 1"],
    ),
    (
        "more_replicas_than_brokers",
        &["fleet", "serve", "--brokers", "2", "--replication", "3"],
        2,
        &["replication 3 needs as many brokers, there are 2"],
    ),
    ("no_speed", &["fleet", "serve", "--speed", "nan"], 2, &["--speed is NaN: give a number from"]),
    (
        "rows_of_a_lookup_table",
        &["pipeline", "--config", "fixtures/config/lookup/wrong.toml"],
        3,
        &[
            "fixtures/config/lookup/wrong.csv:2: the row has 2 values, and there are 3 columns",
            "fixtures/config/lookup/no-such.csv cannot be read: No such file",
            "`file` is relative to the folder of the configuration",
        ],
    ),
    (
        "no_configuration",
        &["pipeline", "--config", "no/such.toml"],
        3,
        &["no/such.toml cannot be read", "--config FILE"],
    ),
    (
        "crash_sweep_of_one_event",
        &["crash-sweep", "scenarios/crash-anywhere.toml", "--event", "60"],
        0,
        &["1 run, in 1 of which it went down", "every promise was kept"],
    ),
    (
        "crash_sweep_of_nobody",
        &["crash-sweep", "scenarios/crash-anywhere.toml", "--host", "nobody"],
        2,
        &["no host is called `nobody`; hosts are newrelic"],
    ),
    (
        "crash_sweep_of_a_host_that_crashes_anyway",
        &["crash-sweep", "scenarios/pipeline-crashes.toml"],
        2,
        &["takes pipeline down by itself"],
    ),
    (
        "crash_sweep_json",
        &["crash-sweep", "scenarios/crash-anywhere.toml", "--event", "9", "--format", "json"],
        0,
        &["\"crashes\": 1"],
    ),
    (
        "newrelic_no_speed",
        &["newrelic", "serve", "--speed", "nan"],
        2,
        &["--speed is NaN: give a number from 0.001 to 10000"],
    ),
    (
        "newrelic_fault_misspelt",
        &["newrelic", "serve", "--fault", "unavailble"],
        2,
        &["there is no fault `unavailble`; did you mean `unavailable`?"],
    ),
    (
        "newrelic_fault_without_its_key",
        &["newrelic", "serve", "--fault", "slow_answers"],
        2,
        &["`slow_answers` needs `after`; add after"],
    ),
    (
        "newrelic_data_max_without_data",
        &["newrelic", "serve", "--data-max", "1GiB"],
        2,
        &["--data <DIR>"],
    ),
    (
        "newrelic_accounts_absent",
        &["newrelic", "serve", "--accounts", "no/such.toml"],
        3,
        &["no/such.toml cannot be read"],
    ),
    (
        "newrelic_accounts_wrong",
        &["newrelic", "serve", "--accounts", "fixtures/accounts/wrong.toml"],
        3,
        &[
            "wrong.toml:5:17",
            "a license key is 40 letters",
            "wrong.toml:8:11",
            "accounts are 1234567",
        ],
    ),
    (
        "newrelic_without_definitions",
        &["newrelic", "serve", "--definitions", "scenarios"],
        3,
        &["scenarios holds no entity definitions: give the folder that contains entity-types/"],
    ),
    (
        "newrelic_address_of_another_machine",
        &["newrelic", "serve", "--port", "0", "--admin-port", "0", "--listen", "192.0.2.1"],
        4,
        &["cannot listen on 192.0.2.1", "choose another with --listen"],
    ),
    (
        "definitions_of_no_folder",
        &["definitions", "check", "README.md"],
        3,
        &["README.md is a file", "the folder that contains entity-types/"],
    ),
    (
        "definitions_in_the_wrong_folder",
        &["definitions", "test", "docs"],
        3,
        &["docs holds no entity definitions"],
    ),
    (
        "definitions_explain_of_a_type_misspelt",
        &[
            "definitions",
            "explain",
            "fixtures/definitions",
            "fixtures/nrql/point.json",
            "--type",
            "INFRA-MESSAGE_QUEUE_BROKR",
        ],
        2,
        &["did you mean `INFRA-MESSAGE_QUEUE_BROKER`?"],
    ),
    (
        "nrql_event_type_misspelt",
        &[
            "nrql",
            "eval",
            "SELECT count(*) FROM QueueSamples",
            "--events",
            "fixtures/nrql/events.ndjson",
        ],
        0,
        &["note: ", "did you mean QueueSample?"],
    ),
    (
        "nrql_repl_without_input_for_queries",
        &["nrql", "repl", "--events", "-"],
        2,
        &["leaves no standard input for the queries"],
    ),
    (
        "dashboards_list_names_templates_and_parameters",
        &["dashboards", "list"],
        0,
        &["operations", "no data until a queue source runs", "price_broker_hour"],
    ),
    (
        "dashboards_render_gives_an_input",
        &["dashboards", "render", "standard", "--set", "account=7"],
        0,
        &["\"accountId\": 7", "viz.billboard", "IN ({{cluster}})"],
    ),
    (
        "dashboards_template_misspelt",
        &["dashboards", "render", "operatons"],
        2,
        &["did you mean `operations`?"],
    ),
    (
        "dashboards_parameter_misspelt",
        &["dashboards", "render", "standard", "--set", "prce_in_gib=1"],
        2,
        &["did you mean `price_in_gib`?"],
    ),
    (
        "dashboards_validate_names_every_problem",
        &["dashboards", "validate", "fixtures/dashboards/broken.json"],
        3,
        &[
            "broken.json:15:30: error[shape]",
            "error[unknown-attribute] page “Overview”, “Health”",
            "did you mean cluster.health.score",
            "error[overlap] page “Overview”, “Lag”",
            "error[sum-of-gauge]",
        ],
    ),
    (
        "dashboards_validate_of_no_file",
        &["dashboards", "validate", "no/such.json"],
        3,
        &["no/such.json cannot be read", "shakedown dashboards list"],
    ),
    (
        "dashboards_that_show_nothing",
        &["dashboards", "validate", "--simulate", "fixtures/dashboards/silent.json"],
        1,
        &["empty[condition-never-holds]", "“Stuck groups”", "no row fulfils state = 'STUCK'"],
    ),
    ("dashboards_of_templates_are_sound", &["dashboards", "validate", "--all"], 0, &["operations"]),
    (
        "dashboards_that_wait",
        &["dashboards", "validate", "--simulate", "queue-overview", "gap-visibility"],
        0,
        &[
            "queue-overview: waits: page “Overview”, “Depth”: no data until a queue source runs",
            "8 wait: no data until a queue source runs",
            "2 dashboards, 30 widgets with queries: 22 show data, 0 show nothing, 8 wait for a source",
        ],
    ),
    (
        "dashboards_that_may_not_wait",
        &["dashboards", "validate", "--simulate", "--strict", "queue-overview"],
        1,
        &["8 wait"],
    ),
    ("nrql_check_of_nothing", &["nrql", "check", "/dev/null"], 3, &["no queries here"]),
    ("newrelic_claims", &["newrelic", "claims"], 0, &["conformant", "documented", "assumed"]),
    (
        "newrelic_claims_json",
        &["newrelic", "claims", "--format", "json"],
        0,
        &["\"level\": \"conformant\""],
    ),
    ("schema", &["scenario", "schema"], 0, &["\"$schema\"", "synthesis_lag_max"]),
    ("explain", &["scenario", "explain"], 0, &["Faults in order", "all healed at"]),
    ("lint", &["scenario", "lint", "scenarios/steady.toml"], 0, &["steady.toml: ok"]),
];

/// One trial per case, and those that need more than arguments.
pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static Case| Trial::test(format!("cli/{}", case.0), move || check(case));
    let mut trials: Vec<Trial> = CASES.iter().chain(gaps::CASES).map(trial).collect();
    trials.push(Trial::test("cli/full_disk_behind_standard_output", full_output));
    trials.push(Trial::test("cli/reader_that_closes_its_pipe", closed_pipe));
    trials.push(Trial::test("cli/port_that_is_taken", taken_port));
    trials.push(Trial::test("cli/newrelic_serves_stops_and_comes_back", served_newrelic));
    trials.push(Trial::test("cli/newrelic_port_or_folder_that_is_taken", taken_newrelic));
    trials.extend(gaps::trials());
    trials.extend(alerts::trials());
    trials.extend(features::trials());
    trials.extend(dashboards::trials());
    trials.extend(traces::trials());
    trials.push(Trial::test("cli/readme_commands", readme_commands));
    trials.push(Trial::test("cli/readme_sample", readme_sample));
    trials
}

pub fn check((_, arguments, code, texts): &Case) -> Result<(), Failed> {
    let output = shakedown(arguments);
    expect(&output, *code, texts)
}

fn expect(output: &Output, code: i32, texts: &[&str]) -> Result<(), Failed> {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said);
    if output.status.code() != Some(code) {
        return Err(format!("exit {:?}, expected {code}:\n{said}", output.status.code()).into());
    }
    match texts.iter().find(|text| !said.contains(**text)) {
        None => Ok(()),
        Some(text) => Err(format!("`{text}` is not in:\n{said}").into()),
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(arguments);
    command
}

fn full_output() -> Result<(), Failed> {
    let verbs: [&[&str]; 5] =
        [&["run"], &["run", "--trace", "-"], &["checks"], &["scenario", "schema"], &["faults"]];
    for arguments in verbs {
        let full = File::create("/dev/full")?;
        let output = command(arguments).stdout(full).stderr(Stdio::piped()).output()?;
        expect(&output, 1, &["cannot write", "No space left"])?;
    }
    Ok(())
}

fn closed_pipe() -> Result<(), Failed> {
    for arguments in [["run", "--trace", "-"], ["run", "--format", "json"]] {
        let mut child =
            command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        expect(&output, 0, &[])?;
        if !output.stderr.is_empty() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    Ok(())
}

/// Two fleets want one port; the first one also shows that its address is printed at once.
fn taken_port() -> Result<(), Failed> {
    let serve = ["fleet", "serve", "--brokers", "1", "--jmx-port", "0", "--port"];
    let mut first = command(&[&serve[..], &["0"]].concat()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    let stdout = first.stdout.take().ok_or("no standard output")?;
    let read = BufReader::new(stdout).read_line(&mut address);
    let port = address.split(['\t', ':']).nth(1).unwrap_or_default();
    let second = command(&[&serve[..], &[port]].concat()).output();
    first.kill()?;
    first.wait()?;
    read?;
    expect(&second?, 4, &[&format!("cannot listen on port {port}"), "in use"])
}

/// A served New Relic, killed when dropped; what it said of itself at the start.
struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
    told: serde_json::Value,
}

impl Served {
    fn start(arguments: &[&str]) -> Result<Self, Failed> {
        let serve = ["newrelic", "serve", "--port", "0", "--admin-port", "0", "--format", "json"];
        let mut child =
            command(&[&serve[..], arguments].concat()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        let told = serde_json::from_str(&line);
        // From here on the process ends with the value, whatever fails.
        let mut served = Self { child, stdout, told: serde_json::Value::Null };
        read?;
        served.told = told?;
        Ok(served)
    }

    /// `host:port` of `newrelic` or `admin`.
    fn address(&self, name: &str) -> Result<String, Failed> {
        let url = self.told[name].as_str().ok_or("no address")?;
        Ok(url.trim_start_matches("http://").to_owned())
    }

    /// Sends one request; status line, headers and body of the answer.
    #[expect(clippy::disallowed_methods, reason = "the service is another process")]
    fn exchange(&self, name: &str, head: &str, body: &str) -> Result<String, Failed> {
        let address = self.address(name)?;
        let mut stream = TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             api-key: {LICENSE_KEY}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Asks it to stop; its exit code and the rest of what it printed.
    fn stop(mut self) -> Result<(Option<i32>, String), Failed> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest)?;
        Ok((self.child.wait()?.code(), rest))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The default account's key, as the guide has it.
const LICENSE_KEY: &str = "5a4edd000000000000000000000000000000NRAL";

fn contains(text: &str, parts: &[&str]) -> Result<(), Failed> {
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("`{part}` is not in:\n{text}").into()),
    }
}

/// An event is taken, the process stops when asked to, and the next one has the event again.
fn served_newrelic() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_string_lossy();
    let arguments = ["--data", &*data, "--fault", "unavailable:target=metric,retry_after=9s"];
    let served = Served::start(&arguments)?;
    contains(&served.told.to_string(), &[LICENSE_KEY, "\"taken\":0", "NRAK-"])?;
    let event = r#"{"eventType":"Trial","n":1}"#;
    let answer = served.exchange("newrelic", "POST /v1/accounts/1/events", event)?;
    contains(&answer, &["HTTP/1.1 200 OK", "\"success\":true"])?;
    let answer = served.exchange("newrelic", "POST /metric/v1", "[]")?;
    contains(&answer, &["HTTP/1.1 503", "retry-after: 9"])?;
    contains(&served.exchange("newrelic", "GET /", "")?, &["default-src 'none'", "<title>"])?;
    let answer = served.exchange("admin", "POST /clock/advance", r#"{"by":"10s"}"#)?;
    contains(&answer, &["HTTP/1.1 200 OK", "now_ms"])?;
    contains(&served.exchange("admin", "GET /stats", "")?, &["\"events_stored\": 1"])?;
    let (code, rest) = served.stop()?;
    if code != Some(0) {
        return Err(format!("exit {code:?}:\n{rest}").into());
    }
    contains(&rest, &["\"summary\"", "\"events_stored\":1", "\"503\":1"])?;
    let served = Served::start(&["--data", &data])?;
    contains(&served.told.to_string(), &["\"refused\":0"])?;
    contains(&served.exchange("admin", "GET /stats", "")?, &["\"events_stored\": 1", "Trial"])?;
    served.stop()?;
    let other = command(&["newrelic", "serve", "--data", &data, "--seed", "2"]).output()?;
    expect(&other, 3, &["was made with seed 1; start with --seed 1"])
}

fn taken_newrelic() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_string_lossy();
    let served = Served::start(&["--data", &data])?;
    let address = served.address("newrelic")?;
    let port = address.rsplit(':').next().unwrap_or_default();
    let second = command(&["newrelic", "serve", "--port", port]).output()?;
    expect(&second, 4, &[&format!("cannot listen on 127.0.0.1 port {port}"), "with --port"])?;
    let free = ["newrelic", "serve", "--port", "0", "--admin-port"];
    let second = command(&[&free[..], &[port]].concat()).output()?;
    expect(&second, 4, &["choose another with --admin-port"])?;
    let second = command(&[&free[..], &["0", "--data", &data]].concat()).output()?;
    expect(&second, 4, &["is in use by another process", "--data"])?;
    served.stop().map(drop)
}

/// Runs what the README tells its readers to run, on the README's scenario. What would not end is
/// asked for its help; a hundred seeds are proven elsewhere.
fn readme_commands() -> Result<(), Failed> {
    let readme = std::fs::read_to_string(README)?;
    let folder = tempfile::tempdir()?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    std::os::unix::fs::symlink(fixtures, folder.path().join("fixtures"))?;
    let scenario = block(&readme, "```toml\n").ok_or("the README has no scenario")?;
    std::fs::write(folder.path().join("my.toml"), scenario)?;
    let spans = readme.split('`').skip(1).step_by(2);
    let commands: Vec<&str> = spans
        .filter_map(|span| span.strip_prefix("shakedown "))
        .filter(|command| !command.contains('…'))
        .collect();
    if commands.len() < 10 {
        return Err(format!("only {} commands found: {commands:?}", commands.len()).into());
    }
    for line in commands {
        let line = line.replace("--seeds 100", "--seeds 1");
        let mut arguments = words(&line);
        if ["pipeline", "fleet", "newrelic"].contains(&arguments[0]) {
            arguments.push("--help");
        }
        let output = command(&arguments).current_dir(folder.path()).output()?;
        expect(&output, 0, &[])
            .map_err(|error| format!("{line}: {}", error.message().unwrap_or_default()))?;
    }
    Ok(())
}

/// The words of a command line, as a shell sees them; double quotes hold words together.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

/// The block of `text` that begins with `fence`.
fn block<'a>(text: &'a str, fence: &str) -> Option<&'a str> {
    let from = text.find(fence)? + fence.len();
    let length = text[from..].find("```")?;
    Some(&text[from..from + length])
}

/// The README shows what the built-in run prints; identities change with every change of a trace
/// and are not compared.
fn readme_sample() -> Result<(), Failed> {
    let readme = std::fs::read_to_string(README)?;
    let shown = block(&readme, "```text\n").ok_or("the README has no sample")?;
    let folder = tempfile::tempdir()?;
    let output = command(&["run"]).current_dir(folder.path()).output()?;
    let printed = String::from_utf8(output.stdout)?;
    let pictures = Path::new("target/shakedown");
    if !folder.path().join(pictures).read_dir()?.any(|entry| entry.is_ok()) {
        return Err("no picture".into());
    }
    let identity =
        |line: &&str| !["run ", "trace ", "picture "].iter().any(|head| line.starts_with(head));
    if shown.lines().filter(identity).eq(printed.lines().filter(identity)) {
        return Ok(());
    }
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(README, readme.replacen(shown, &printed, 1))?;
        return Ok(());
    }
    Err(format!("README.md shows another run; SHAKEDOWN_BLESS=1 renews it:\n{printed}").into())
}
