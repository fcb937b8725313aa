//! The laws of the supervisor: random graphs against naive reckoning, deadlines to the nanosecond.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ports::testing::TestClock;
use crate::resilience::recovery::SystemState;
use crate::rt::take_panics;

const NS: Duration = Duration::from_nanos(1);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What happened, in order: `validate a`, `start a`, `stop a`.
type Log = Rc<RefCell<Vec<String>>>;

/// A component that logs its calls and fails where it is told to.
fn component(
    log: &Log,
    name: &str,
    kind: Kind,
    needs: &[String],
    fails: Option<Stage>,
) -> Component {
    let step = |verb: &'static str, fails: bool| {
        let (log, name) = (Rc::clone(log), name.to_owned());
        move || {
            log.borrow_mut().push(format!("{verb} {name}"));
            std::future::ready(if fails { Err(format!("{verb} broke")) } else { Ok(()) })
        }
    };
    let blank = match kind {
        Kind::Critical => Component::critical(name),
        Kind::Optional => Component::optional(name),
    };
    needs
        .iter()
        .fold(blank, |component, need| component.needs(need))
        .validate(step("validate", fails == Some(Stage::Validation)))
        .start(step("start", fails == Some(Stage::Start)))
        .stop(step("stop", false))
}

fn supervisor(clock: &TestClock, components: Vec<Component>) -> Supervisor<TestClock> {
    Supervisor::new(clock.clone(), SupervisorConfig::default(), components).expect("a sound graph")
}

fn of(log: &Log, verb: &str) -> Vec<String> {
    let named = |line: &String| line.strip_prefix(verb).map(|name| name.trim().to_owned());
    log.borrow().iter().filter_map(named).collect()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn name(number: usize) -> String {
    format!("c{number}")
}

/// Which numbers each number needs.
type Edges = Vec<BTreeSet<usize>>;

/// Members of cycles, by transitive closure.
fn on_cycles(edges: &Edges) -> BTreeSet<usize> {
    let count = edges.len();
    let mut reach: Vec<Vec<bool>> =
        edges.iter().map(|needs| (0..count).map(|n| needs.contains(&n)).collect()).collect();
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    (0..count).filter(|&n| reach[n][n]).collect()
}

/// The earliest registered whose needs are all placed, again and again.
fn naive_order(edges: &Edges) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while let Some(next) = (0..edges.len())
        .find(|n| !order.contains(n) && edges[*n].iter().all(|need| order.contains(need)))
    {
        order.push(next);
    }
    order
}

fn arb_edges(acyclic: bool) -> impl Strategy<Value = Edges> {
    (1..10_usize).prop_flat_map(move |count| {
        let edges = proptest::collection::btree_set((0..count, 0..count), 0..count * 2);
        let ranks = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        (edges, ranks).prop_map(move |(edges, ranks)| {
            let mut needs = vec![BTreeSet::new(); count];
            for (from, to) in edges {
                if !acyclic || ranks[from] > ranks[to] {
                    needs[from].insert(to);
                }
            }
            needs
        })
    })
}

fn arb_system() -> impl Strategy<Value = (Edges, Vec<(Kind, Option<Stage>)>)> {
    arb_edges(true).prop_flat_map(|edges| {
        let kind = prop_oneof![1 => Just(Kind::Critical), 3 => Just(Kind::Optional)];
        let fails = prop_oneof![
            8 => Just(None),
            1 => Just(Some(Stage::Validation)),
            1 => Just(Some(Stage::Start)),
        ];
        let traits = proptest::collection::vec((kind, fails), edges.len());
        (Just(edges), traits)
    })
}

fn components_of(log: &Log, edges: &Edges, traits: &[(Kind, Option<Stage>)]) -> Vec<Component> {
    let one = |(number, needs): (usize, &BTreeSet<usize>)| {
        let needs: Vec<_> = needs.iter().map(|need| name(*need)).collect();
        let (kind, fails) = traits[number];
        component(log, &name(number), kind, &needs, fails)
    };
    edges.iter().enumerate().map(one).collect()
}

/// What a start must come to, reckoned naively.
struct Expected {
    names: Vec<String>,
    /// What cannot run by what its validation, or that of something it needs, shows.
    early: BTreeSet<usize>,
    /// What cannot run.
    broken: BTreeSet<usize>,
    /// Whether a critical one is among the former, and among the latter.
    is_refused_early: bool,
    is_refused: bool,
    /// Starts that are tried: up to the first critical one that cannot run, failing ones included.
    attempts: Vec<String>,
    /// Starts that succeed.
    running: Vec<String>,
}

fn expected(edges: &Edges, traits: &[(Kind, Option<Stage>)]) -> Expected {
    let order = naive_order(edges);
    let broken_at = |stages: &[Stage]| {
        let mut broken = BTreeSet::new();
        for &number in &order {
            let own = traits[number].1.is_some_and(|stage| stages.contains(&stage));
            if own || edges[number].iter().any(|need| broken.contains(need)) {
                broken.insert(number);
            }
        }
        broken
    };
    let early = broken_at(&[Stage::Validation]);
    let broken = broken_at(&[Stage::Validation, Stage::Start]);
    let critical = |numbers: &BTreeSet<usize>| {
        order.iter().position(|n| numbers.contains(n) && traits[*n].0 == Kind::Critical)
    };
    let end = critical(&broken).map_or(order.len(), |at| at + 1);
    let is_tried = |number: &&usize| {
        let is_blocked = edges[**number].iter().any(|need| broken.contains(need));
        !early.contains(number) && !is_blocked
    };
    let runs = |number: &&usize| !broken.contains(number);
    let named = |number: &usize| name(*number);
    Expected {
        names: order.iter().map(named).collect(),
        is_refused_early: critical(&early).is_some(),
        is_refused: critical(&broken).is_some(),
        attempts: order[..end].iter().filter(is_tried).map(named).collect(),
        running: order[..end].iter().filter(runs).map(named).collect(),
        early,
        broken,
    }
}

fn names_of(failures: &[Failure]) -> BTreeSet<String> {
    failures.iter().map(|failure| failure.name.clone()).collect()
}

fn names(numbers: &BTreeSet<usize>) -> BTreeSet<String> {
    numbers.iter().map(|number| name(*number)).collect()
}

fn check_start(report: &StartReport, log: &Log, expected: &Expected) {
    assert!(!expected.is_refused);
    assert_eq!(report.started, expected.running);
    assert_eq!(of(log, "start "), expected.attempts);
    assert_eq!(names_of(&report.left_out), names(&expected.broken));
}

fn check_refusal(error: &StartError, log: &Log, expected: &Expected) {
    assert!(expected.is_refused);
    assert!(error.failures.iter().any(|failure| failure.kind == Kind::Critical));
    if expected.is_refused_early {
        assert_eq!(of(log, "start "), Vec::<String>::new(), "nothing starts");
        assert_eq!(error.undone, StopReport::default());
        assert_eq!(names_of(&error.failures), names(&expected.early));
    } else {
        let backwards: Vec<_> = expected.running.iter().rev().cloned().collect();
        assert_eq!(of(log, "start "), expected.attempts);
        assert_eq!(error.undone.stopped, backwards, "rolled back");
        assert_eq!(of(log, "stop "), backwards);
    }
}

proptest! {
    #[test]
    fn starts_follow_the_edges_and_stops_reverse_them((edges, traits) in arb_system()) {
        let (clock, log) = (TestClock::default(), Log::default());
        let mut supervisor = supervisor(&clock, components_of(&log, &edges, &traits));
        let expected = expected(&edges, &traits);
        let order: Vec<_> = supervisor.order().map(str::to_owned).collect();
        prop_assert_eq!(&order, &expected.names);

        let outcome = clock.run(supervisor.start());
        prop_assert_eq!(of(&log, "validate "), order, "all are validated, in order");
        let board = supervisor.board();
        match outcome {
            Ok(report) => {
                check_start(&report, &log, &expected);
                let is_whole = report.left_out.is_empty();
                let system = if is_whole { SystemState::Healthy } else { SystemState::Degraded };
                prop_assert_eq!(board.system(), system);
                let stopped = clock.run(supervisor.stop());
                let forwards: Vec<_> = stopped.stopped.into_iter().rev().collect();
                prop_assert_eq!(forwards, expected.running);
                prop_assert_eq!(stopped.not_stopped, []);
            }
            Err(error) => {
                check_refusal(&error, &log, &expected);
                prop_assert_eq!(board.system(), SystemState::Unhealthy);
            }
        }
        for status in board.components() {
            prop_assert!(matches!(status.phase, Phase::Stopped | Phase::Failed), "{:?}", status);
            prop_assert!(status.phase == Phase::Stopped || status.reason.is_some());
        }
        // A stop after that has nothing to do.
        prop_assert_eq!(clock.run(supervisor.stop()), StopReport::default());
    }

    #[test]
    fn cycles_are_named_whole(edges in arb_edges(false)) {
        let names: Vec<_> = (0..edges.len()).map(name).collect();
        let needs: Vec<Vec<_>> =
            edges.iter().map(|needs| needs.iter().map(|n| name(*n)).collect()).collect();
        let needs = needs.iter().map(Vec::as_slice);
        let graph: Vec<_> = names.iter().map(String::as_str).zip(needs).collect();
        let members = on_cycles(&edges);
        let faults = match plan::plan(&graph) {
            Ok(plan) => {
                prop_assert_eq!(members.len(), 0);
                prop_assert_eq!(plan.order, naive_order(&edges));
                return Ok(());
            }
            Err(PlanError(faults)) => faults,
        };
        let mut cut = edges.clone();
        for fault in faults {
            let PlanFault::Cycle(cycle) = fault else { return Err(TestCaseError::fail("no cycle")) };
            let cycle: Vec<usize> = cycle.iter().map(|name| name[1..].parse().unwrap()).collect();
            prop_assert_eq!(cycle.first(), cycle.last());
            for pair in cycle.windows(2) {
                prop_assert!(edges[pair[0]].contains(&pair[1]), "{:?}", cycle);
            }
            let distinct: BTreeSet<_> = cycle.iter().collect();
            prop_assert_eq!(distinct.len(), cycle.len() - 1, "a simple cycle");
            prop_assert_eq!(cycle.iter().min(), cycle.first());
            for needs in &mut cut {
                needs.retain(|need| !distinct.contains(need));
            }
        }
        // Every circle has been broken by what was named.
        prop_assert_eq!(on_cycles(&cut), BTreeSet::new());
        prop_assert!(!members.is_empty());
    }
}

#[test]
fn faults_of_the_graph_are_all_named_in_words() {
    let check = |graph: &[(&str, &[&str])], expected: &[&str]| {
        let needs: Vec<_> = graph.iter().map(|(_, needs)| texts(needs)).collect();
        let graph: Vec<_> =
            graph.iter().zip(&needs).map(|((name, _), needs)| (*name, needs.as_slice())).collect();
        let faults: Vec<_> = match plan::plan(&graph) {
            Ok(_) => Vec::new(),
            Err(PlanError(faults)) => faults.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(faults, expected);
    };
    check(&[], &[]);
    check(&[("a", &["b", "b"]), ("b", &[])], &[]);
    check(
        &[("a", &["b"]), ("b", &["c"]), ("c", &["a"])],
        &["components need each other: a -> b -> c -> a"],
    );
    check(&[("x", &["c"]), ("c", &["c"])], &["components need each other: c -> c"]);
    check(
        &[("http", &["spol"]), ("spool", &["disk"]), ("http", &[]), ("p", &["q"]), ("q", &["p"])],
        &[
            "component `http` is registered twice",
            "component `http` needs `spol`, which is not registered; did you mean `spool`?",
            "component `spool` needs `disk`, which is not registered",
            "components need each other: p -> q -> p",
        ],
    );
}

#[test]
fn a_refusal_says_what_failed_and_what_that_stopped() {
    let (clock, log) = (TestClock::default(), Log::default());
    let components = vec![
        component(&log, "disk", Kind::Optional, &[], None),
        component(&log, "spool", Kind::Optional, &texts(&["disk"]), Some(Stage::Start)),
        component(&log, "stream", Kind::Critical, &texts(&["spool"]), None),
        component(&log, "http", Kind::Optional, &[], None),
    ];
    let mut supervisor = supervisor(&clock, components);
    let error = clock.run(supervisor.start()).expect_err("stream needs spool");
    assert_eq!(
        error.to_string(),
        "cannot start: optional component `spool`: start broke; critical component `stream`: not \
         started: needs `spool`, which failed"
    );
    assert_eq!(error.undone.stopped, ["disk"]);
    let phase = |name| supervisor.board().component(name).map(|status| status.phase);
    assert_eq!(phase("disk"), Some(Phase::Stopped));
    assert_eq!(phase("stream"), Some(Phase::Failed));
    assert_eq!(phase("http"), Some(Phase::Stopped));
    assert_eq!(phase("nobody"), None);
}

fn sleeper(clock: &TestClock, wait: Duration) -> impl FnMut() -> SleepResult + 'static {
    let clock = clock.clone();
    move || {
        let clock = clock.clone();
        Box::pin(async move {
            clock.sleep(wait).await;
            Ok(())
        })
    }
}

type SleepResult = std::pin::Pin<Box<dyn Future<Output = Result<(), String>>>>;

#[test]
fn limits_are_exact_to_the_nanosecond() {
    for (took, in_time) in [(s(7) - NS, true), (s(7), true), (s(7) + NS, false)] {
        let clock = TestClock::default();
        let config = SupervisorConfig { validate_timeout: s(7), ..SupervisorConfig::default() };
        let start = |component| {
            let mut supervisor = Supervisor::new(clock.clone(), config, vec![component]).unwrap();
            clock.run(supervisor.start()).is_ok()
        };
        assert_eq!(start(Component::critical("a").validate(sleeper(&clock, took))), in_time);
        let slow = Component::critical("a").start(sleeper(&clock, took)).start_within(s(7));
        assert_eq!(start(slow), in_time);
    }
}

#[test]
fn stops_share_a_deadline() {
    // In order of stop: quick (1 s), slow (its own 10 s), stuck (the general 12 s), last (at once).
    let check = |slow: Duration, late: &[&str], took: Duration| {
        let clock = TestClock::default();
        let component = |name, wait| Component::critical(name).stop(sleeper(&clock, wait));
        let components = vec![
            Component::critical("last").stop(|| std::future::ready(Ok(()))),
            component("stuck", s(1_000)),
            component("slow", slow).stop_within(s(10)),
            component("quick", s(1)),
        ];
        let config = SupervisorConfig {
            stop_timeout: s(12),
            stop_deadline: s(20),
            ..SupervisorConfig::default()
        };
        let mut supervisor = Supervisor::new(clock.clone(), config, components).unwrap();
        clock.run(supervisor.start()).expect("all start");
        let report = clock.run(supervisor.stop());
        let names: Vec<_> = report.not_stopped.iter().map(|stop| stop.name.as_str()).collect();
        assert_eq!(names, late, "{slow:?}");
        assert!(report.not_stopped.iter().all(|stop| stop.late));
        assert_eq!(clock.monotonic(), took);
        assert_eq!(report.stopped.last().map(String::as_str), Some("last"), "asked all the same");
        let status = supervisor.board().component("stuck").expect("registered");
        assert_eq!((status.phase, status.since), (Phase::Failed, took));
    };
    check(s(5), &["stuck"], s(18));
    check(s(10) - NS, &["stuck"], s(20));
    check(s(10), &["stuck"], s(20));
    check(s(10) + NS, &["slow", "stuck"], s(20));
}

#[test]
fn failing_stops_and_panics_stop_nobody_else() {
    let (clock, log) = (TestClock::default(), Log::default());
    let broken = || std::future::ready(Err("handle lost".to_owned()));
    let components = vec![
        component(&log, "first", Kind::Critical, &[], None),
        Component::optional("fails").stop(broken),
        Component::optional("panics").start(|| async { panic!("no such luck") }),
        Component::optional("early").start(|| -> SleepResult { panic!("before the future") }),
    ];
    let mut supervisor = supervisor(&clock, components);
    let report = clock.run(supervisor.start()).expect("all that fails is optional");
    assert_eq!(report.started, ["first", "fails"]);
    let reasons: Vec<_> = report.left_out.iter().map(|f| (f.stage, f.reason.as_str())).collect();
    assert_eq!(reasons, [(Stage::Start, "panicked"), (Stage::Start, "panicked")]);
    let panics: Vec<_> =
        take_panics().into_iter().map(|panic| (panic.task, panic.message)).collect();
    let expected = [("panics", "no such luck"), ("early", "before the future")];
    assert_eq!(panics, expected.map(|(task, text)| (task.to_owned(), text.to_owned())));
    let report = clock.run(supervisor.stop());
    assert_eq!(report.stopped, ["first"]);
    let reason = "handle lost".to_owned();
    assert_eq!(report.not_stopped, [NotStopped { name: "fails".to_owned(), late: false, reason }]);
}

#[test]
fn the_board_shows_how_components_are() {
    let clock = TestClock::default();
    let health = Rc::new(RefCell::new(Health::Up));
    let told = Rc::clone(&health);
    let stuck = clock.clone();
    let components = vec![
        Component::critical("source").health(move || std::future::ready(told.borrow().clone())),
        Component::optional("sink").needs("source"),
        Component::optional("mute").health(move || {
            let clock = stuck.clone();
            async move {
                clock.sleep(s(6)).await;
                Health::Up
            }
        }),
    ];
    let mut supervisor = supervisor(&clock, components);
    let board = supervisor.board();
    assert_eq!(board.system(), SystemState::Unhealthy, "nothing runs yet");
    clock.run(supervisor.start()).expect("all start");
    assert_eq!(board.system(), SystemState::Healthy);
    let mut check = |told: Health, expected: [(Phase, Option<&str>); 2], system| {
        *health.borrow_mut() = told;
        clock.run(supervisor.check());
        let status = board.components();
        let seen = [0, 1].map(|at| (status[at].phase, status[at].reason.as_deref()));
        assert_eq!(seen, expected);
        assert_eq!(status[2].phase, Phase::Failed);
        assert_eq!(status[2].reason.as_deref(), Some("no answer within 5000 ms"));
        assert_eq!(board.system(), system);
        status[0].since
    };
    let up = (Phase::Running, None);
    assert_eq!(check(Health::Up, [up, up], SystemState::Degraded), s(0));
    let tired = [(Phase::Degraded, Some("slow")), up];
    assert_eq!(check(Health::Degraded("slow".to_owned()), tired, SystemState::Degraded), s(5));
    let needs = (Phase::Degraded, Some("needs `source`, which failed"));
    let down = [(Phase::Failed, Some("gone")), needs];
    assert_eq!(check(Health::Down("gone".to_owned()), down, SystemState::Unhealthy), s(10));
    let longer = [(Phase::Failed, Some("still")), needs];
    assert_eq!(check(Health::Down("still".to_owned()), longer, SystemState::Unhealthy), s(10));
    assert_eq!(check(Health::Up, [up, up], SystemState::Degraded), s(20));
}

#[test]
fn a_restart_takes_what_needs_it_along() {
    let (clock, log) = (TestClock::default(), Log::default());
    let components = vec![
        component(&log, "disk", Kind::Critical, &[], None),
        component(&log, "spool", Kind::Critical, &texts(&["disk"]), None),
        component(&log, "stream", Kind::Critical, &texts(&["spool"]), None),
        component(&log, "http", Kind::Optional, &texts(&["disk"]), None),
    ];
    let mut supervisor = supervisor(&clock, components);
    clock.run(supervisor.start()).expect("all start");
    log.borrow_mut().clear();
    let report = clock.run(supervisor.restart("spool")).expect("all start again");
    assert_eq!(report.started, ["spool", "stream"]);
    assert_eq!(of(&log, "stop "), ["stream", "spool"]);
    assert_eq!(of(&log, "validate "), ["spool", "stream"], "what runs is left alone");
    let restarts: Vec<_> =
        supervisor.board().components().iter().map(|status| status.restarts).collect();
    assert_eq!(restarts, [0, 1, 1, 0]);
    log.borrow_mut().clear();
    clock.run(supervisor.stop());
    assert_eq!(of(&log, "stop ").len(), 4);
    assert_eq!(of(&log, "stop ")[3], "disk");
}

#[test]
fn a_start_that_is_dropped_can_be_stopped() {
    let (clock, log) = (TestClock::default(), Log::default());
    let components = vec![
        component(&log, "first", Kind::Critical, &[], None),
        Component::critical("slow").start(sleeper(&clock, s(5))),
    ];
    let mut supervisor = supervisor(&clock, components);
    {
        let mut start = pin!(supervisor.start());
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(start.as_mut().poll(&mut context), Poll::Pending));
    }
    assert_eq!(clock.run(supervisor.stop()).stopped, ["first"]);
    let phases: Vec<_> = supervisor.board().components().iter().map(|line| line.phase).collect();
    assert_eq!(phases, [Phase::Stopped, Phase::Stopped]);
}

#[test]
fn a_restart_that_fails_leaves_the_others_running() {
    let (clock, log) = (TestClock::default(), Log::default());
    let mut starts = 0;
    let once = move || {
        starts += 1;
        std::future::ready(if starts == 1 { Ok(()) } else { Err("port taken".to_owned()) })
    };
    let components = vec![
        component(&log, "disk", Kind::Critical, &[], None),
        component(&log, "spool", Kind::Optional, &[], None),
        Component::critical("http").needs("spool").start(once),
    ];
    let mut supervisor = supervisor(&clock, components);
    clock.run(supervisor.start()).expect("all start");
    let error = clock.run(supervisor.restart("spool")).expect_err("the port is taken");
    assert_eq!(error.undone.stopped, ["spool"]);
    assert_eq!(clock.run(supervisor.stop()).stopped, ["disk"]);
}
