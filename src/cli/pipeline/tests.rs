//! The verb on real loopback sockets: a simulated fleet on one side, wiremock on the other.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use clap::Parser;
use tempfile::TempDir;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::domain::units::UnixMillis;
use crate::sim::fleet::{Fleet, FleetSpec, ServeOptions, serve_fleet};
use crate::sim::seed::Seed;

const KEY: &str = "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryNRAL";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: PipelineArgs,
}

/// A folder with a configuration, and the verb's arguments for it.
fn arguments(text: &str, more: &[&str]) -> (TempDir, PipelineArgs) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pipeline.toml");
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("utf-8");
    let line = ["pipeline", "--config", file].into_iter().chain(more.iter().copied());
    (folder, Line::parse_from(line).args)
}

fn in_local_set<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), future)
}

/// Serves a small fleet; the configuration's tables for it.
async fn fleet(stop: &ShutdownHandle) -> String {
    let spec = FleetSpec { topics: 2, groups: 1, ..FleetSpec::default() };
    let fleet = Fleet::new(spec, Seed(7), UnixMillis(0)).expect("possible");
    let folder = tempfile::tempdir().expect("a folder");
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ports = RealPorts::new(folder.path()).expect("usable").listening_on(loopback);
    let options = ServeOptions { host: "127.0.0.1".to_owned(), port: 0, jmx_port: 0, speed: 1.0 };
    let bound = Rc::new(RefCell::new(Vec::new()));
    let signal = stop.signal();
    let heard = Rc::clone(&bound);
    let clock = *ports.clock();
    rt::spawn("fleet", async move {
        let started = |brokers: &[_]| heard.borrow_mut().extend_from_slice(brokers);
        serve_fleet(ports, fleet, options, signal, started).await.expect("serves");
    });
    while bound.borrow().is_empty() {
        clock.sleep(Duration::from_millis(1)).await;
    }
    let bound = bound.borrow();
    let mut text = format!(
        "[[kafka]]\ncluster = \"orders\"\nbootstrap = [\"127.0.0.1:{}\"]\n[kafka.jmx]\n",
        bound[0].port
    );
    for broker in bound.iter() {
        let _ = writeln!(text, "{} = \"127.0.0.1:{}\"", broker.broker, broker.jmx_port);
    }
    text
}

/// A New Relic that answers everything with `status`.
async fn newrelic(status: u16) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(status)
        .set_body_json(serde_json::json!({ "success": true, "uuid": "u" }));
    Mock::given(method("POST"))
        .and(path("/v1/accounts/1234567/events"))
        .and(header("api-key", KEY))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

fn newrelic_table(server: &MockServer) -> String {
    format!(
        "[newrelic]\naccount_id = 1234567\nlicense_key = \"{KEY}\"\nbase_url = \"{}/v1\"\n\
         [http]\nport = 0\n[pipeline]\ninterval = \"1s\"\ncycle_deadline = \"20s\"\n\
         shutdown_deadline = \"1s\"\n",
        server.uri()
    )
}

/// Code and JSON report of a run.
async fn run(text: &str, more: &[&str]) -> (u8, serde_json::Value) {
    let (_folder, args) = arguments(text, more);
    let config = args.load().expect("valid");
    let mut out = Vec::new();
    let code = args.serve(&config, None, &mut out).await.expect("runs");
    let text = String::from_utf8(out).expect("utf-8");
    assert!(!text.contains("c4n4ry"), "{text}");
    (code, serde_json::from_str(&text).expect("JSON"))
}

#[test]
fn two_cycles_against_a_fleet_reach_new_relic() {
    in_local_set(async {
        let stop = ShutdownHandle::new();
        let server = newrelic(200).await;
        let text = newrelic_table(&server) + &fleet(&stop).await;
        let (code, report) = run(&text, &["--cycles", "2", "--format", "json"]).await;
        assert_eq!(code, 0, "{report:#}");
        assert_eq!(report["run"]["cycles"], 2);
        assert_eq!(report["run"]["undelivered"], 0);
        let cycle = &report["last_cycle"];
        assert_eq!(cycle["sources"][0]["failure"], serde_json::Value::Null);
        assert_eq!(cycle["sources"][0]["missing"], serde_json::json!({}));
        assert_eq!(cycle["samples"]["broker"], 3);
        assert_eq!(cycle["rejected"], serde_json::json!({}));
        let entities = serde_json::json!({
            "MESSAGE_QUEUE_BROKER": 3,
            "MESSAGE_QUEUE_CLUSTER": 1,
            "MESSAGE_QUEUE_CONSUMER_GROUP": 1,
            "MESSAGE_QUEUE_TOPIC": 2,
        });
        assert_eq!(cycle["entities"], entities);
        let delivered = report["run"]["delivered"].as_u64().expect("number");
        assert!(delivered > 0 && report["run"]["ledger"]["enqueued"] == delivered);
        assert!(!server.received_requests().await.expect("recorded").is_empty());
        stop.request();
    });
}

#[test]
fn nothing_that_answers_is_exit_code_4() {
    in_local_set(async {
        let stop = ShutdownHandle::new();
        let server = newrelic(503).await;
        let table = newrelic_table(&server);
        let once = ["--once", "--format", "json"];
        // New Relic does not take anything.
        let (code, report) = run(&(table.clone() + &fleet(&stop).await), &once).await;
        assert_eq!(code, UNREACHABLE);
        // It all waits on the disk.
        assert_eq!(report["run"]["undelivered"], 0);
        assert!(report["run"]["spooled"].as_u64() > Some(0));
        // No broker answers.
        let dead = "[[kafka]]\ncluster = \"dead\"\nbootstrap = [\"127.0.0.1:1\"]\n";
        let (code, report) = run(&(table + dead), &once).await;
        assert_eq!(code, UNREACHABLE);
        let failure = &report["last_cycle"]["sources"][0]["failure"];
        assert_eq!(failure["reason"], "no_broker_answers");
        stop.request();
    });
}

#[test]
fn invalid_configurations_are_exit_code_3() {
    let invalid = "[newrelic]\nlicense_key = \"c4n4ry\"\naccount_di = 7\n";
    let (_folder, args) = arguments(invalid, &[]);
    let message = args.load().expect_err("invalid");
    assert!(message.contains("did you mean `account_id`?"), "{message}");
    assert!(!message.contains("c4n4ry"), "{message}");
    let (folder, args) = arguments("", &[]);
    drop(folder);
    let message = args.load().expect_err("absent");
    assert!(message.contains("cannot be read"), "{message}");
    assert_eq!(format!("{:?}", args.run()), format!("{:?}", ExitCode::from(INVALID)));
}

#[test]
fn a_taken_port_says_what_to_do() {
    in_local_set(async {
        let server = newrelic(200).await;
        let taken = server.address().port().to_string();
        let dead = "[[kafka]]\ncluster = \"dead\"\nbootstrap = [\"127.0.0.1:1\"]\n";
        let (_folder, args) =
            arguments(&(newrelic_table(&server) + dead), &["--once", "--http-port", &taken]);
        let config = args.load().expect("valid");
        let message = args.serve(&config, None, &mut Vec::new()).await.expect_err("taken");
        assert!(message.contains(&taken) && message.contains("--http-port"), "{message}");
    });
}

#[test]
fn reports_for_people() {
    in_local_set(async {
        let stop = ShutdownHandle::new();
        let server = newrelic(200).await;
        let text = newrelic_table(&server) + &fleet(&stop).await;
        let (_folder, args) = arguments(&text, &["--once"]);
        let config = args.load().expect("valid");
        let mut out = Vec::new();
        args.serve(&config, None, &mut out).await.expect("runs");
        let shown = String::from_utf8(out).expect("utf-8");
        for part in ["cycle 1 in ", "kafka/orders  ", "entities  ", "1 cycle, 0 starts skipped"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        stop.request();
    });
}

#[test]
fn output_of_nri_kafka_reaches_new_relic() {
    in_local_set(async {
        let server = newrelic(200).await;
        let nri = "[[nri]]\ncluster = \"legacy\"\nfiles = [\"nri.json\"]\n";
        let text = newrelic_table(&server) + nri;
        let (folder, args) = arguments(&text, &["--once", "--format", "json"]);
        let sample = "{\"event_type\":\"KafkaTopicSample\",\"clusterName\":\"legacy\",\
                      \"topic\":\"orders\",\"topic.diskSize\":4096}";
        std::fs::write(folder.path().join("nri.json"), sample).expect("written");
        let config = args.load().expect("valid");
        let mut out = Vec::new();
        assert_eq!(args.serve(&config, None, &mut out).await, Ok(0));
        let report: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(report["last_cycle"]["samples"], serde_json::json!({ "topic": 1 }));
        assert_eq!(report["last_cycle"]["entities"]["MESSAGE_QUEUE_TOPIC"], 1);
        assert_eq!(report["run"]["undelivered"], 0);
    });
}
