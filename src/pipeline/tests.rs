//! Cycles under virtual time: starts, overlaps, deadlines, failures, shutdown.

use std::time::Duration;

use super::health::{HealthStatus, assess};
use super::testing::*;
use super::*;
use crate::hybrid::topology::Topology;
use crate::ports::testing::{EPOCH, TestPorts};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const QUICK: Step = Step::Brokers(3, Duration::from_millis(200));

fn one_source(world: &TestWorld, steps: &[Step]) -> Vec<ScriptedSource> {
    vec![ScriptedSource::new(&world.clock, "kafka/orders", steps)]
}

/// When collections began, in a run until `stop` with a source that follows `steps`.
fn starts(steps: &[Step], config: PipelineConfig, stop: Duration) -> (Vec<Duration>, RunReport) {
    let world = TestWorld::new(&[], ACCEPT);
    let sources = one_source(&world, steps);
    let starts = std::rc::Rc::clone(&sources[0].starts);
    let mut pipeline = world.pipeline(config, sources);
    let report = world.run_until(&mut pipeline, stop);
    let starts = starts.borrow().clone();
    (starts, report)
}

/// Deadlines that let a cycle run for `seconds` and more.
fn patient(seconds: u64) -> PipelineConfig {
    let mut config = TestWorld::config();
    config.cycle.collect_deadline = s(seconds + 1);
    config.cycle.cycle_deadline = s(seconds + 10);
    config
}

#[test]
fn starts_are_aligned_to_the_wall_clock() {
    // The epoch lies 5 s after a multiple of 15 s.
    assert_eq!(EPOCH.0 % 15_000, 5_000);
    let (starts, report) = starts(&[QUICK], TestWorld::config(), s(61));
    assert_eq!(starts, [s(10), s(25), s(40), s(55)]);
    assert_eq!((report.cycles, report.skipped, report.undelivered), (4, 0, 0));
    assert!(report.ledger.balances(), "{:?}", report.ledger);
}

#[test]
fn cycles_never_overlap_and_skipped_starts_are_counted() {
    let acknowledged = ms(40);
    let cases: &[(Duration, &[u64], u64)] = &[
        (s(14), &[10, 25, 40, 55, 70], 0),
        // It ends exactly at the next start.
        (s(15) - acknowledged, &[10, 25, 40, 55, 70], 0),
        (s(15), &[10, 40, 70], 2),
        (s(20), &[10, 40, 70], 2),
        (s(31), &[10, 55], 2),
    ];
    for (takes, expected, skipped) in cases {
        let (starts, report) = starts(&[Step::Brokers(1, *takes)], patient(takes.as_secs()), s(80));
        let expected: Vec<Duration> = expected.iter().map(|at| s(*at)).collect();
        assert_eq!(starts, expected, "{takes:?}");
        assert_eq!(report.skipped, *skipped, "{takes:?}");
    }
}

#[test]
fn a_hanging_source_costs_only_its_own_part() {
    let world = TestWorld::new(&[], ACCEPT);
    let sources = vec![
        ScriptedSource::new(&world.clock, "kafka/hangs", &[Step::Hangs]),
        ScriptedSource::new(&world.clock, "kafka/fails", &[Step::Fails(ms(5))]),
        ScriptedSource::new(&world.clock, "kafka/orders", &[QUICK]),
    ];
    let mut pipeline = world.pipeline(TestWorld::config(), sources);
    let run = world.run_until(&mut pipeline, s(41));
    assert_eq!((run.cycles, run.skipped), (2, 0));
    let report = pipeline.last_report().expect("cycles ran");
    assert_eq!(report.stages.collect_ms, 10_000);
    let failures: Vec<_> = report
        .sources
        .iter()
        .map(|source| (source.source.as_str(), source.failure.as_ref().map(|f| f.reason.as_str())))
        .collect();
    let expected = [
        ("kafka/hangs", Some("deadline")),
        ("kafka/fails", Some("unreachable")),
        ("kafka/orders", None),
    ];
    assert_eq!(failures, expected);
    assert_eq!(run.ledger.failures["kafka/hangs"]["deadline"], 2);
    assert_eq!(run.ledger.failures["kafka/fails"]["unreachable"], 2);
    assert_eq!(run.ledger.collected["broker"], 6);
    assert!(run.ledger.balances());
}

#[test]
fn a_cycle_ends_at_its_deadline() {
    let world = TestWorld::new(&[], Answer::Silence);
    let mut pipeline =
        world.pipeline(TestWorld::config(), one_source(&world, &[Step::Hangs, QUICK]));
    world.run_until(&mut pipeline, s(41));
    let report = pipeline.last_report().expect("cycles ran");
    // The second cycle collected in 200 ms, and New Relic kept it waiting until its deadline. The
    // POST goes on without it.
    assert_eq!((report.cycle, report.duration_ms, report.skipped), (2, 15_000, 0));
    assert_eq!(report.stream.stopped.as_deref(), Some("cycle_deadline"));
    assert!(report.stream.in_flight > 0);
    let snapshot = pipeline.status().snapshot();
    assert!(snapshot.stream.unknown_sends > 0);
}

#[test]
fn what_new_relic_does_not_take_goes_before_the_next_cycle() {
    let world = TestWorld::new(&[UNAVAILABLE, UNAVAILABLE], ACCEPT);
    let mut pipeline = world.pipeline(TestWorld::config(), one_source(&world, &[QUICK]));
    let status = pipeline.status();
    let run = world.run_until(&mut pipeline, s(41));
    assert_eq!((run.cycles, run.undelivered), (3, 0));
    let snapshot = status.snapshot();
    snapshot.stream.check().expect("the stream's law");
    assert_eq!(snapshot.stream.enqueued, run.ledger.enqueued);
    assert_eq!(snapshot.stream.acknowledged, run.ledger.enqueued);
    let report = pipeline.last_report().expect("cycles ran");
    assert_eq!(report.stream.acknowledged, report.events_enqueued);
    assert_eq!(snapshot.stream_stats.posts["server_error"], 2);
}

#[test]
fn drops_of_a_full_buffer_are_in_the_report_and_the_health() {
    let world = TestWorld::new(&[], UNAVAILABLE);
    let mut config = TestWorld::config();
    config.stream.batch_events_max = 2;
    config.stream.buffer_events_max = 4;
    let mut pipeline = world.pipeline(config, one_source(&world, &[QUICK]));
    world.run_until(&mut pipeline, s(41));
    let report = pipeline.last_report().expect("cycles ran");
    assert_eq!(report.stream.in_flight, 4);
    assert!(report.stream.dropped["buffer_full"] > 0);
    let status = pipeline.status();
    let health = assess(&status.snapshot(), world.clock.monotonic());
    let buffer = health.checks.iter().find(|check| check.name == "buffer").expect("there");
    assert_eq!(buffer.status, HealthStatus::Unhealthy);
}

#[test]
fn invalid_samples_are_rejected_counted_and_shown() {
    let world = TestWorld::new(&[], ACCEPT);
    let steps = [Step::Invalid(3, ms(5))];
    let mut pipeline = world.pipeline(TestWorld::config(), one_source(&world, &steps));
    let run = world.run_until(&mut pipeline, s(26));
    assert_eq!(run.ledger.collected["broker"], 8);
    assert_eq!(run.ledger.transformed, 6);
    assert_eq!(run.ledger.rejected, Counts::from([("negative_broker_id".to_owned(), 2)]));
    assert_eq!(run.ledger.fields_left_out, Counts::from([("non_finite".to_owned(), 2)]));
    assert!(run.ledger.balances());
    let report = pipeline.last_report().expect("cycles ran");
    assert!(report.rejection_examples.iter().any(|example| example.contains("-1")));
    let health = assess(&pipeline.status().snapshot(), world.clock.monotonic());
    let samples = health.checks.iter().find(|check| check.name == "samples").expect("there");
    assert_eq!(samples.status, HealthStatus::Degraded);
}

#[test]
fn events_carry_identity_environment_and_tags() {
    let world = TestWorld::new(&[], ACCEPT);
    let mut config = TestWorld::config();
    config.cycle.environment = Some("staging".to_owned());
    config.cycle.tags = [("team".to_owned(), "core".to_owned())].into();
    let mut pipeline = world.pipeline(config, one_source(&world, &[QUICK]));
    let run = world.run_cycles(&mut pipeline, 1);
    let events = world.newrelic.events();
    assert_eq!(events.len() as u64, run.ledger.enqueued);
    let of = |kind: &str| events.iter().filter(|event| event["eventType"] == kind).count() as u64;
    assert_eq!(of("MessageQueue"), total(&run.ledger.entities));
    assert_eq!(of("MessageQueueRelationship"), run.ledger.relationships);
    assert_eq!(run.ledger.entities["MESSAGE_QUEUE_BROKER"], 3);
    assert_eq!(run.ledger.entities["MESSAGE_QUEUE_CLUSTER"], 1);
    assert_eq!(run.ledger.relationships, 3);
    for event in events.iter().filter(|event| event["eventType"] == "MessageQueue") {
        assert_eq!(event["environment"], "staging", "{event:#}");
        assert_eq!(event["tags.team"], "core", "{event:#}");
        assert_eq!(event["clusterName"], "orders", "{event:#}");
        assert_eq!(event["entityIdentifier"].as_str().map(str::len), Some(32), "{event:#}");
    }
}

#[test]
fn impossible_settings_are_refused_with_words() {
    let refused = |config: PipelineConfig| {
        let world = TestWorld::new(&[], ACCEPT);
        let ports = TestPorts::new(&world.clock, world.newrelic.clone());
        Pipeline::new(ports, config, Vec::new(), None)
            .map(|_| ())
            .expect_err("impossible")
            .to_string()
    };
    let mut config = TestWorld::config();
    config.cycle.tags.insert("a b".to_owned(), "c".to_owned());
    assert!(refused(config).contains("`a b`"));
    let mut config = TestWorld::config();
    config.addresses.events = "ftp://nr".to_owned();
    assert!(refused(config).contains("ftp://nr"));
    let mut config = TestWorld::config();
    config.stream.batch_events_max = 0;
    assert!(refused(config).contains("batch_events_max"));
}

#[test]
fn every_valid_file_makes_a_pipeline() {
    let head = "[newrelic]\naccount_id = 7\nlicense_key = 'k'\n\
                [[kafka]]\ncluster = 'a'\nbootstrap = ['b:1']\n";
    let streams = [
        "",
        "[stream]\nbatch_events = 1\nbatch_bytes = '1kB'\ngzip_level = 0\nconcurrent_posts = 1\n\
         buffer_events = 1\nbuffer_bytes = '1kB'\ntimeout = '1ms'\n",
        "[stream]\nbatch_events = 2000\nbatch_bytes = '16MB'\ngzip_level = 9\n\
         concurrent_posts = 64\nbuffer_events = 1000000\nbuffer_bytes = '1GiB'\ntimeout = '1h'\n",
    ];
    for stream in streams {
        let text = format!("{head}{stream}");
        let flags = crate::config::Flags::default();
        let config = crate::config::Config::load("x.toml", &text, &|_| None, &flags, None);
        let config = PipelineConfig::from_config(&config.expect(stream), None);
        assert_eq!(config.stream.validate(), [], "{stream}");
        let world = TestWorld::new(&[], ACCEPT);
        world.pipeline(config, one_source(&world, &[QUICK]));
    }
}

#[test]
fn exactly_so_many_cycles_begin_at_once() {
    let world = TestWorld::new(&[], ACCEPT);
    let sources = one_source(&world, &[QUICK]);
    let starts = std::rc::Rc::clone(&sources[0].starts);
    let mut pipeline = world.pipeline(TestWorld::config(), sources);
    let run = world.run_cycles(&mut pipeline, 3);
    assert_eq!(*starts.borrow(), [s(0), s(10), s(25)]);
    assert_eq!((run.cycles, run.undelivered), (3, 0));
    assert_eq!(world.clock.monotonic(), s(25) + ms(240));
}

/// How long after the request the run ended, and its report.
fn stopped_at(
    steps: &[Step],
    answers: &[Answer],
    otherwise: Answer,
    stop: Duration,
) -> (Duration, RunReport) {
    let world = TestWorld::new(answers, otherwise);
    let mut pipeline = world.pipeline(TestWorld::config(), one_source(&world, steps));
    let report = world.run_until(&mut pipeline, stop);
    (world.clock.monotonic() - stop, report)
}

#[test]
fn shutdown_while_waiting_ends_at_once() {
    let (took, report) = stopped_at(&[QUICK], &[], ACCEPT, s(20));
    assert_eq!((took, report.cycles, report.interrupted), (s(0), 1, false));
}

#[test]
fn shutdown_during_a_cycle_lets_it_finish() {
    let (took, report) = stopped_at(&[Step::Brokers(3, s(4))], &[], ACCEPT, s(11));
    assert_eq!((took, report.cycles, report.interrupted), (s(3) + ms(40), 1, false));
    assert_eq!(report.undelivered, 0);
}

#[test]
fn shutdown_cuts_a_cycle_that_takes_too_long() {
    let (took, report) = stopped_at(&[Step::Hangs], &[], ACCEPT, s(11));
    assert_eq!((took, report.cycles, report.interrupted), (s(5), 0, true));
}

#[test]
fn shutdown_delivers_what_is_left_within_its_deadline() {
    // The second cycle's POST fails twice: the waits are at most 1 s and 2 s.
    let down = [ACCEPT, UNAVAILABLE, UNAVAILABLE];
    let (took, report) = stopped_at(&[QUICK], &down, ACCEPT, ms(25_250));
    assert_eq!((report.undelivered, report.cycles), (0, 2));
    assert!(took > ms(40) && took <= s(4), "{took:?}");
}

#[test]
fn shutdown_counts_what_stays_undelivered() {
    for otherwise in [UNAVAILABLE, Answer::Silence] {
        let (took, report) = stopped_at(&[QUICK], &[], otherwise, s(26));
        assert_eq!(took, s(10), "{otherwise:?}");
        assert_eq!(report.undelivered, report.ledger.enqueued, "{otherwise:?}");
        assert!(report.undelivered > 0);
    }
}

#[test]
fn shutdown_before_the_first_cycle_runs_none() {
    let (took, report) = stopped_at(&[QUICK], &[], ACCEPT, s(3));
    assert_eq!((took, report.cycles, report.undelivered), (s(0), 0, 0));
}

#[test]
fn relationships_go_with_the_first_cycle_of_each_minute() {
    let sent = |stop: u64| {
        let world = TestWorld::new(&[], ACCEPT);
        let sources = one_source(&world, &[QUICK]);
        let mut pipeline = world.pipeline(TestWorld::config(), sources);
        world.run_until(&mut pipeline, s(stop)).ledger.relationships
    };
    // The epoch is at :20 of a minute, so cycles are at :30, :45, :00, :15, :30, :45 and :00.
    assert_eq!(EPOCH.0 % 60_000, 20_000);
    let once = sent(11);
    assert!(once > 0);
    assert_eq!([sent(26), sent(41), sent(86), sent(101)], [once, 2 * once, 2 * once, 3 * once]);
}

#[test]
fn health_follows_what_happens() {
    let world = TestWorld::new(&[ACCEPT, UNAVAILABLE], ACCEPT);
    // Three tries of one cycle fail.
    let fails = Step::Fails(ms(5));
    let steps = [QUICK, QUICK, fails, fails, fails, Step::Partial(2, ms(5)), QUICK];
    let mut pipeline = world.pipeline(TestWorld::config(), one_source(&world, &steps));
    let status = pipeline.status();
    let health = |at: Duration| assess(&status.snapshot(), at);
    let verdict = |at: Duration| {
        let health = health(at);
        let bad: Vec<String> = health
            .checks
            .iter()
            .filter(|check| check.status != HealthStatus::Healthy)
            .map(|check| check.name.clone())
            .collect();
        (health.live, health.ready, bad.join(" "))
    };
    let starting = "collection source/kafka/orders newrelic";
    assert_eq!(verdict(s(0)), (true, false, starting.to_owned()));
    // A loop that never begins a cycle is stuck.
    assert_eq!(verdict(s(46)), (false, false, format!("loop {starting}")));

    let expected = [
        (true, ""),
        (true, "newrelic"),
        (true, "source/kafka/orders"),
        (true, "source/kafka/orders"),
        (true, ""),
    ];
    let signal = world.shutdown.signal();
    let watch = async {
        let mut verdicts = Vec::new();
        for cycle in 0..expected.len() as u64 {
            // Shortly before the next cycle.
            world.clock.sleep(s(24 + 15 * cycle) - world.clock.monotonic()).await;
            verdicts.push(verdict(world.clock.monotonic()));
        }
        world.shutdown.request();
        verdicts
    };
    let run = pipeline.run(Cycles::Forever, &signal);
    let (_, verdicts) = world.clock.run(futures_util::future::join(run, watch));
    for (cycle, (verdict, (ready, bad))) in verdicts.iter().zip(expected).enumerate() {
        assert_eq!(*verdict, (true, ready, bad.to_owned()), "cycle {cycle}");
    }
    // Stopped: neither live nor ready.
    let (live, ready, _) = verdict(world.clock.monotonic());
    assert_eq!((live, ready), (false, false));
}

#[test]
fn health_turns_unhealthy_when_nothing_succeeds_for_long() {
    let world = TestWorld::new(&[ACCEPT], UNAVAILABLE);
    let steps = [QUICK, Step::Fails(ms(5))];
    let mut pipeline = world.pipeline(TestWorld::config(), one_source(&world, &steps));
    let status = pipeline.status();
    let signal = world.shutdown.signal();
    let watch = async {
        let mut ready = Vec::new();
        for at in [11, 41, 56, 71] {
            world.clock.sleep(s(at) - world.clock.monotonic()).await;
            ready.push(assess(&status.snapshot(), world.clock.monotonic()).ready);
        }
        world.shutdown.request();
        ready
    };
    let run = pipeline.run(Cycles::Forever, &signal);
    let (_, ready) = world.clock.run(futures_util::future::join(run, watch));
    // The first cycle succeeded at 10 s; three intervals later that is too long ago.
    assert_eq!(ready, [true, true, false, false]);
}

#[test]
fn the_key_never_appears() {
    let log = Capture::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish();
    let refused = Answer::Status(403, ms(40));
    let world = TestWorld::new(&[UNAVAILABLE, refused, Answer::Silence], ACCEPT);
    let steps = [QUICK, Step::Fails(ms(5)), Step::Partial(2, ms(5))];
    let mut pipeline = world.pipeline(TestWorld::config(), one_source(&world, &steps));
    let status = pipeline.status();
    let run =
        tracing::subscriber::with_default(subscriber, || world.run_until(&mut pipeline, s(80)));
    let report = pipeline.last_report().expect("cycles ran");
    let shown = [
        log.text(),
        format!("{:?} {run:?} {:?}", status.snapshot(), TestWorld::config()),
        serde_json::to_string(&(&run, report.as_ref())).expect("serialises"),
    ];
    assert!(shown[0].lines().count() > 5, "{}", shown[0]);
    for text in shown {
        // Six characters are what New Relic itself shows as `apiKeyPrefix`.
        assert!(!text.contains(&CANARY_KEY[..7]), "{text}");
    }
}

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Capture(Arc<std::sync::Mutex<Vec<u8>>>);

impl Capture {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("utf-8")
    }
}

impl std::io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A topology of brokers 1 and 2 of the cluster that [`ScriptedSource`] plays.
fn two_brokers(mode: Mode) -> HybridSettings {
    let text = "[[clusters]]\nname = \"orders\"\nrequiredBrokers = 2\n\
                [[brokers]]\nclusterName = \"orders\"\nid = \"1\"\n\
                [[brokers]]\nclusterName = \"orders\"\nid = \"2\"\n";
    let config = crate::config::schema::HybridTable {
        mode,
        topology: Some("t.toml".into()),
        tolerance: crate::config::quantity::DurationText::from_secs(20),
        filled_share_max: 1.0,
        ..Default::default()
    };
    let topology = Topology::load("t.toml", text).expect("valid");
    HybridSettings { mode, config: config.config(topology) }
}

/// Data sources of the brokers of each cycle: of broker 1, of broker 2.
fn sources_of_brokers(world: &TestWorld) -> Vec<(String, String)> {
    let mut cycles: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
    let events = world.newrelic.events().into_iter();
    let mut seen = 0;
    for event in events.filter(|event| {
        event["eventType"] == "MessageQueue" && event["entityType"] == "MESSAGE_QUEUE_BROKER"
    }) {
        seen += 1;
        let text = |name: &str| event[name].as_str().expect("text").to_owned();
        // Cycles are 15 s apart, and collecting takes less than 5 s.
        let cycle = event["timestamp"].as_i64().expect("a number") / 15_000;
        let cycle = cycles.entry(cycle).or_default();
        let twice = cycle.insert(text("brokerId"), text("dataSource"));
        assert_eq!(twice, None, "a broker is told twice in one cycle");
    }
    assert!(seen > 0);
    let of = |cycle: &BTreeMap<String, String>, id: &str| {
        cycle.get(id).cloned().unwrap_or_else(|| "none".to_owned())
    };
    cycles.values().map(|cycle| (of(cycle, "1"), of(cycle, "2"))).collect()
}

#[test]
fn modes_change_between_cycles_and_lose_nothing() {
    let world = TestWorld::new(&[], ACCEPT);
    let sources = one_source(&world, &[Step::Brokers(1, ms(200))]);
    let asked = std::rc::Rc::clone(&sources[0].starts);
    let config =
        PipelineConfig { hybrid: Some(two_brokers(Mode::Infrastructure)), ..TestWorld::config() };
    let mut pipeline = world.pipeline(config, sources);
    let switch = pipeline.mode_switch();
    let modes = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&modes);
    pipeline.status().subscribe(std::sync::Arc::new(move |news| {
        if let CycleNews::Ended(report) = news {
            told.lock().unwrap().push((report.mode, report.gaps.is_some()));
        }
    }));
    let signal = world.shutdown.signal();
    // The first cycle is at once, the others begin at 10 s, 25 s, 40 s and so on.
    let switching = async {
        for (after, mode) in [(20, Mode::Hybrid), (50, Mode::Simulation), (80, Mode::Hybrid)] {
            world.clock.sleep(s(after).saturating_sub(world.clock.monotonic())).await;
            switch.set(mode).unwrap();
        }
    };
    let run = pipeline.run(Cycles::Exactly(8), &signal);
    let report = world.clock.run(futures_util::future::join(run, switching)).0;
    assert_eq!(report.undelivered, 0);
    let (infrastructure, hybrid, simulation) =
        ((Mode::Infrastructure, true), (Mode::Hybrid, true), (Mode::Simulation, false));
    let expected = [infrastructure, hybrid, simulation, hybrid].into_iter();
    let expected: Vec<_> = expected.flat_map(|mode| [mode, mode]).collect();
    assert_eq!(*modes.lock().unwrap(), expected);
    assert_eq!(asked.borrow().len(), 6, "two cycles asked nobody");
    let told = sources_of_brokers(&world);
    let expected = [
        ("infrastructure", "none"),
        ("infrastructure", "none"),
        ("infrastructure", "gapFilled"),
        ("infrastructure", "gapFilled"),
        ("simulated", "simulated"),
        ("simulated", "simulated"),
        ("infrastructure", "gapFilled"),
        ("infrastructure", "gapFilled"),
    ];
    let expected = expected.map(|(one, two)| (one.to_owned(), two.to_owned()));
    assert_eq!(told, expected);
    let ledger = pipeline.status().snapshot().ledger;
    assert!(ledger.balances(), "{ledger:?}");
    assert!(ledger.gaps > 0);
}

#[test]
fn a_mode_that_fills_needs_a_topology() {
    let world = TestWorld::new(&[], ACCEPT);
    let pipeline = world.pipeline(TestWorld::config(), one_source(&world, &[QUICK]));
    let switch = pipeline.mode_switch();
    for mode in [Mode::Hybrid, Mode::Simulation] {
        assert_eq!(switch.set(mode), Err(NoTopology(mode)));
    }
    assert_eq!(switch.set(Mode::Infrastructure), Ok(Mode::Infrastructure));
    assert_eq!(switch.get(), Mode::Infrastructure);
}

/// What is desired and absent shows in the health, stand-in or none.
#[test]
fn a_gap_degrades_the_health() {
    let check = |brokers: i32, expected: HealthStatus, words: &str| {
        let world = TestWorld::new(&[], ACCEPT);
        let sources = one_source(&world, &[Step::Brokers(brokers, ms(200))]);
        let config =
            PipelineConfig { hybrid: Some(two_brokers(Mode::Hybrid)), ..TestWorld::config() };
        let mut pipeline = world.pipeline(config, sources);
        world.run_cycles(&mut pipeline, 4);
        let health = assess(&pipeline.status().snapshot(), world.clock.monotonic());
        let topology = health.checks.iter().find(|check| check.name == "topology").unwrap();
        assert_eq!((topology.status, topology.detail.as_str()), (expected, words));
    };
    check(2, HealthStatus::Healthy, "3 of 3 desired entities are fresh");
    check(
        1,
        HealthStatus::Degraded,
        "2 of 3 desired entities are fresh, 1 missing, 1 with a stand-in, 1 clusters short of \
         brokers",
    );
    check(
        3,
        HealthStatus::Healthy,
        "3 of 3 desired entities are fresh, 1 entities that nobody desired",
    );
}

/// The extensions that the tables in `text` make.
fn extensions(text: &str) -> crate::config::Extensions {
    let head = "[newrelic]\naccount_id = 7\n[[nri]]\ncluster = \"c\"\nstdin = true\n";
    let key = |name: &str| {
        (name == "NEW_RELIC_LICENSE_KEY").then(|| super::testing::CANARY_KEY.to_owned())
    };
    let text = format!("{head}{text}");
    let config = crate::config::Config::load("test.toml", &text, &key, &Default::default(), None);
    config.map_err(|problems| problems.render(false)).expect("valid").extensions
}

#[test]
fn windows_custom_metrics_and_hooks_reach_new_relic_and_balance() {
    let text = r#"
        [windows]
        enabled = true
        size = "30s"
        lateness = "0s"
        [[metric]]
        name = "followers"
        entity = "broker"
        expression = "partitionCount - leaderPartitions"
        [[metric]]
        name = "absent"
        entity = "broker"
        expression = "broker.disk.usage / 2"
        [[hook]]
        name = "owners"
        at = "before-stream"
        when = { kind = "broker" }
        set = { "tags.owner" = "shop" }
        [[hook]]
        name = "first-only"
        at = "before-transform"
        when = { kind = "broker" }
        relabel = [{ source = ["brokerId"], regex = "2", action = "drop" }]
        [[hook]]
        name = "no-clusters"
        at = "before-stream"
        relabel = [{ source = ["kind-of-nothing", "brokerId"], regex = ";", action = "drop" }]
    "#;
    let world = TestWorld::new(&[], ACCEPT);
    let config = PipelineConfig { extensions: extensions(text), ..TestWorld::config() };
    let sources = one_source(&world, &[Step::Brokers(2, ms(5))]);
    let began = world.clock.wall().0;
    let mut pipeline = world.pipeline(config, sources);
    let run = world.run_until(&mut pipeline, s(100));
    assert!(run.ledger.balances(), "{:?}", run.ledger);
    let dropped = |reason: &str| run.ledger.rejected.get(reason).copied().unwrap_or(0);
    assert_eq!(dropped("hook/first-only/matched"), run.cycles, "one broker of two each cycle");
    assert_eq!(run.ledger.unsynthesized["hook/no-clusters/matched"], run.cycles);
    assert_eq!(run.ledger.metrics_absent["absent/missing_input"], run.cycles);
    assert!(run.ledger.windows >= 3, "{:?}", run.ledger);
    let events = world.newrelic.events();
    let of = |kind: &str| events.iter().filter(move |e| e["eventType"] == kind).collect::<Vec<_>>();
    let entities = of("MessageQueue");
    assert_eq!(entities.len() as u64, run.cycles);
    for entity in &entities {
        assert_eq!(entity["followers"].as_f64(), Some(8.0));
        assert_eq!(entity["tags.owner"], "shop");
        assert!(entity.get("absent").is_none());
    }
    let windows = of("MessageQueueWindow");
    assert_eq!(windows.len() as u64, run.ledger.windows);
    let readings: u64 = windows.iter().filter_map(|w| w["window.readings"].as_u64()).sum();
    assert_eq!(readings, run.cycles, "every reading is in one window");
    let last = windows.last().expect("there");
    assert_eq!(last["window.closedBy"], "shutdown");
    // The watch began at a multiple of half a minute or within one; the last is told too early.
    assert_eq!(last["window.complete"], "false");
    for window in &windows[..windows.len() - 1] {
        let watched = window["timestamp"].as_i64() >= Some(began);
        assert_eq!(window["window.complete"], if watched { "true" } else { "false" }, "{window}");
    }
    assert_eq!(last["entityGuid"], entities[0]["entityGuid"]);
    assert!(last["partitionCount.last"] == 12, "{last}");
    let status = pipeline.status();
    let hooks = status.peek(|status| status.hooks.clone());
    assert_eq!(hooks[0].changed, run.cycles);
}

#[test]
fn what_hooks_drop_is_counted_by_hook_and_reason() {
    let text = r#"
        [[hook]]
        name = "sane"
        at = "before-transform"
        when = { brokerId = "4" }
        require = ["never.there"]
        [[hook]]
        name = "ranged"
        at = "before-transform"
        when = { brokerId = "3" }
        ranges = { "metadata.partition_count" = [0, 1] }
        [[hook]]
        name = "trickle"
        at = "after-transform"
        when = { brokerId = "2" }
        limit = { per_second = 0.001, burst = 2 }
        [[hook]]
        name = "teams"
        at = "before-stream"
        when = { kind = "broker" }
        lookup = { key = "brokerId", rows = { 1 = { "tags.team" = "a" } }, drop_missing = true }
    "#;
    let world = TestWorld::new(&[], ACCEPT);
    let config = PipelineConfig { extensions: extensions(text), ..TestWorld::config() };
    let sources = one_source(&world, &[Step::Brokers(4, ms(5))]);
    let mut pipeline = world.pipeline(config, sources);
    let run = world.run_until(&mut pipeline, s(100));
    assert!(run.ledger.balances(), "{:?}", run.ledger);
    assert!(run.cycles > 2, "the limit lets two pass and drops the others");
    let count = |name: &str, count| (name.to_owned(), count);
    let rejected = [
        count("hook/ranged/out_of_range", run.cycles),
        count("hook/sane/missing", run.cycles),
        count("hook/trickle/rate_limited", run.cycles - 2),
    ];
    assert_eq!(run.ledger.rejected, Counts::from(rejected));
    let unsynthesized = [count("hook/teams/not_in_table", 2)];
    assert_eq!(run.ledger.unsynthesized, Counts::from(unsynthesized));
    let events = world.newrelic.events();
    let brokers = || events.iter().filter(|event| event["entityType"] == "MESSAGE_QUEUE_BROKER");
    assert_eq!(brokers().count() as u64, run.cycles);
    assert!(brokers().all(|event| event["tags.team"] == "a"), "{events:?}");
    let hooks = pipeline.status().peek(|status| status.hooks.clone());
    let dropped: Vec<_> = hooks.iter().map(|hook| hook.dropped.values().sum::<u64>()).collect();
    assert_eq!(dropped, [run.cycles, run.cycles, run.cycles - 2, 2], "{hooks:?}");
    let passed: Vec<_> = hooks.iter().map(|hook| (hook.passed, hook.changed)).collect();
    // Each cycle has four samples, of which three are left, then two and what trickles through;
    // and these brokers with their cluster.
    let n = run.cycles;
    assert_eq!(passed, [(3 * n, 0), (2 * n, 0), (n + 2, 0), (n, n)], "{hooks:?}");
}

#[test]
fn a_hook_may_fail_the_cycle_and_nothing_is_lost_from_the_books() {
    struct Broken;
    impl crate::hooks::Hook for Broken {
        fn points(&self) -> &[crate::hooks::Point] {
            &[crate::hooks::Point::BeforeStream]
        }

        fn before_stream(
            &mut self,
            _: &mut crate::aggregate::EntityState,
            _: &crate::hooks::Context,
        ) -> crate::hooks::Verdict {
            crate::hooks::Verdict::Fail("no table".to_owned())
        }
    }
    let world = TestWorld::new(&[], ACCEPT);
    let sources = one_source(&world, &[Step::Brokers(2, ms(5))]);
    let mut pipeline = world.pipeline(TestWorld::config(), sources);
    pipeline.add_hook("broken", crate::hooks::OnError::FailCycle, Box::new(Broken));
    let run = world.run_until(&mut pipeline, s(40));
    assert!(run.ledger.balances(), "{:?}", run.ledger);
    let collected: u64 = run.ledger.collected.values().sum();
    assert_eq!(run.ledger.rejected, Counts::from([("hook_failed".to_owned(), collected)]));
    assert!(collected >= 4 && run.ledger.entities.is_empty());
}
