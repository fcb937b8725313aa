//! Laws of the search, with oracles that are no simulation: any predicate over scenarios.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::config::quantity::DurationText;
use crate::sim::fault::FaultSpec;
use crate::sim::run::{Network, RunId};
use crate::sim::scenario;
use crate::sim::seed::Seed;

/// A noisy plan: a dozen faults on two clusters, settings far from their defaults.
fn noisy() -> Scenario {
    let text = include_str!("../../../fixtures/scenarios/noisy.toml");
    scenario::load("noisy", text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn failure(check: &'static str, what: &str) -> Failure {
    let fingerprint = Fingerprint::of(check, what);
    let (shape, example) = (what.to_owned(), what.to_owned());
    Failure { fingerprint, check, class: Class::Safety, shape, example }
}

fn letters(text: &str) -> Letters {
    text.parse().expect("letters")
}

/// Of the run of `scenario` with `seed` by the program with the digest 7.
fn owner(scenario: &Scenario, seed: u64) -> Owner {
    Owner { run: RunId::of(scenario, Seed(seed), Network::Kernel), program: 7 }
}

fn kinds(scenario: &Scenario) -> Vec<&'static str> {
    scenario.fault.iter().filter_map(|fault| Some(fault.entry()?.name)).collect()
}

/// Fails with `what` of the check `guid` where `fails` says so.
fn oracle(fails: impl Fn(&Scenario) -> bool + Sync) -> impl Oracle {
    move |scenario: &Scenario| {
        fails(scenario).then(|| failure("guid", "wrong")).into_iter().collect::<Vec<_>>()
    }
}

struct Way<'a> {
    jobs: usize,
    stop: &'a (dyn Fn() -> bool + Sync),
    memory: Memory,
}

impl Default for Way<'_> {
    fn default() -> Self {
        Self { jobs: 1, stop: &|| false, memory: Memory::default() }
    }
}

fn search(scenario: &Scenario, oracle: &dyn Oracle, way: Way<'_>) -> Minimized {
    let hunt = Hunt {
        scenario,
        oracle,
        fingerprint: None,
        jobs: NonZeroUsize::new(way.jobs).expect("some"),
        stop: way.stop,
        memory: way.memory,
    };
    let mut weight = Weight::of(scenario);
    let found = minimize(hunt, &mut |news| {
        let now = Weight::of(news.best);
        assert_eq!(news.is_smaller, now < weight, "{}", news.pass);
        weight = now;
    });
    found.expect("it fails")
}

/// Without any one fault, nothing fails.
fn is_one_minimal(scenario: &Scenario, oracle: &dyn Oracle) -> bool {
    (0..scenario.fault.len()).all(|index| {
        let mut fewer = scenario.clone();
        fewer.fault.remove(index);
        oracle.failures(&fewer).is_empty()
    })
}

#[test]
fn what_the_failure_needs_is_left() {
    let noisy = noisy();
    let check = |fails: &(dyn Fn(&Scenario) -> bool + Sync), faults: &[&str], size: &str| {
        let found = search(&noisy, &oracle(fails), Way::default());
        assert_eq!(kinds(&found.scenario), faults);
        assert_eq!(found.to.to_string(), size);
        assert_eq!(found.ended, Ended::Minimal);
        assert!(found.others.is_empty());
    };
    // Nothing at all.
    let none = "0 faults, 1 cluster, 1 broker, 0 topics, 0 partitions, 0 groups, 0 settings, 110 s";
    check(&|_| true, &[], none);
    check(
        &|scenario| kinds(scenario).contains(&"too_many_requests"),
        &["too_many_requests"],
        "1 fault, 1 cluster, 1 broker, 0 topics, 0 partitions, 0 groups, 0 settings, 120 s",
    );
    check(
        &|scenario| scenario.kafka.values().any(|kafka| kafka.brokers >= 3 && kafka.topics >= 2),
        &[],
        "0 faults, 1 cluster, 3 brokers, 2 topics, 2 partitions, 0 groups, 0 settings, 110 s",
    );
    check(
        &|scenario| scenario.duration.0.as_secs() >= 200 && !scenario.pipeline.spool,
        &[],
        "0 faults, 1 cluster, 1 broker, 0 topics, 0 partitions, 0 groups, 1 setting, 240 s",
    );
    check(
        &|scenario| {
            let crash = scenario.fault.iter().any(|f| f.crash.is_some() && f.at.0.as_secs() >= 30);
            crash && kinds(scenario).contains(&"unavailable")
        },
        &["unavailable", "crash"],
        "2 faults, 1 cluster, 1 broker, 0 topics, 0 partitions, 0 groups, 0 settings, 140 s",
    );
}

#[test]
fn what_is_needed_keeps_its_value_or_gets_a_rounder_one() {
    let noisy = noisy();
    let batch = |scenario: &Scenario| scenario.pipeline.batch_events;
    assert_eq!(batch(&noisy), 37);
    let found = search(&noisy, &oracle(|s| batch(s) < 50), Way::default());
    assert_eq!(batch(&found.scenario), 30);
    let found = search(&noisy, &oracle(|s| batch(s) == 37), Way::default());
    assert_eq!(batch(&found.scenario), 37);
    let found =
        search(&noisy, &oracle(|s| s.fault.iter().any(|f| f.at.0.as_secs() >= 70)), Way::default());
    let fault = &found.scenario.fault[0];
    assert_eq!(
        (fault.at, fault.lasts),
        (DurationText::from_secs(70), Some(DurationText::from_secs(1)))
    );
}

#[test]
fn no_other_check_may_break_on_the_way() {
    let noisy = noisy();
    // With few topics another check breaks: the search must not go there, and must say so.
    let oracle = |scenario: &Scenario| {
        let topics: u32 = scenario.kafka.values().map(|kafka| kafka.topics).sum();
        let other = (topics < 3).then(|| failure("coverage", "gone"));
        [failure("guid", "wrong")].into_iter().chain(other).collect::<Vec<_>>()
    };
    let found = search(&noisy, &oracle, Way::default());
    assert_eq!(found.to.topics, 3);
    let others: Vec<_> = found.others.values().map(|told| told.check.as_str()).collect();
    assert_eq!(others, ["coverage"]);
}

#[test]
fn the_fingerprint_says_which_failure_is_kept() {
    let noisy = noisy();
    let two = |scenario: &Scenario| {
        let crash = kinds(scenario).contains(&"crash").then(|| failure("guid", "crash"));
        let slow = kinds(scenario).contains(&"latency").then(|| failure("loss", "slow"));
        crash.into_iter().chain(slow).collect::<Vec<_>>()
    };
    let hunt = |fingerprint| Hunt {
        scenario: &noisy,
        oracle: &two,
        fingerprint,
        jobs: NonZeroUsize::MIN,
        stop: &|| false,
        memory: Memory::default(),
    };
    let kept = |fingerprint| {
        let found = minimize(hunt(fingerprint), &mut |_| {});
        found.map(|found| kinds(&found.scenario))
    };
    assert_eq!(kept(None), Ok(vec!["crash"]));
    let slow = Fingerprint::of("loss", "slow").to_string();
    assert_eq!(kept(Some(letters(&slow[..4].to_uppercase()))), Ok(vec!["latency"]));
    assert_eq!(kept(Some(letters(&slow))), Ok(vec!["latency"]));
    let error = kept(Some(letters("zzz"))).expect_err("no such failure").to_string();
    assert!(error.contains("none of the run's failures begins with `zzz`"), "{error}");
    assert!(error.contains("  crash") && error.contains("  slow"), "{error}");
    let error = kept(Some(letters(""))).expect_err("both").to_string();
    assert!(error.contains("more than one of the run's failures"), "{error}");
    let passing = |_: &Scenario| Vec::new();
    let error = minimize(Hunt { oracle: &passing, ..hunt(None) }, &mut |_| {}).map(|_| ());
    assert_eq!(error, Err(MinimizeError::Passes));
    let error = minimize(Hunt { stop: &|| true, ..hunt(None) }, &mut |_| {}).map(|_| ());
    assert_eq!(error, Err(MinimizeError::TooSoon));
}

/// Any subset of kinds fails or not by a hash of it and of the fleet: nothing is monotone.
fn wild(salt: u64) -> impl Oracle {
    let all = kinds(&noisy()).len();
    oracle(move |scenario| {
        let text = format!("{salt} {:?} {:?}", kinds(scenario), scenario.kafka.keys());
        kinds(scenario).len() == all
            || xxhash_rust::xxh3::xxh3_64(text.as_bytes()).is_multiple_of(3)
    })
}

/// A search that is told to stop again and again, and resumed each time by the text of its memory.
fn in_pieces(scenario: &Scenario, oracle: &dyn Oracle, piece: u64) -> Minimized {
    let owner = owner(scenario, 1);
    let mut memory = Memory::default();
    for _ in 0..1_000 {
        let runs = AtomicU64::new(0);
        let stop = || runs.fetch_add(1, Ordering::SeqCst) > piece;
        let found = search(scenario, oracle, Way { jobs: 2, stop: &stop, memory });
        if found.ended == Ended::Minimal {
            return found;
        }
        let text = found.memory.encode(&owner, &found.fingerprint);
        let wanted = Letters::from(&found.fingerprint);
        let again = Memory::decode(&text, &owner, Some(&wanted)).expect("reads");
        assert_eq!(again, (found.memory, found.fingerprint));
        memory = again.0;
    }
    panic!("it never ends");
}

fn outcome(found: &Minimized) -> (String, u64, u64, Vec<Fingerprint>) {
    let others = found.others.keys().cloned().collect();
    (scenario::write(&found.scenario, &[]), found.tried, found.steps, others)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn laws_hold_whatever_fails(salt in any::<u64>(), piece in 1u64..40) {
        let noisy = noisy();
        let oracle = wild(salt);
        let one = search(&noisy, &oracle, Way::default());
        prop_assert!(is_one_minimal(&one.scenario, &oracle));
        prop_assert!(!oracle.failures(&one.scenario).is_empty());
        prop_assert!(Weight::of(&one.scenario) <= Weight::of(&noisy));
        let two = search(&noisy, &oracle, Way { jobs: 3, ..Way::default() });
        prop_assert_eq!(outcome(&one), outcome(&two));
        let pieces = in_pieces(&noisy, &oracle, piece);
        prop_assert_eq!(outcome(&one), outcome(&pieces));
    }
}

#[test]
fn a_memory_that_is_not_of_this_search_is_refused() {
    let noisy = noisy();
    let found = search(&noisy, &oracle(|_| true), Way::default());
    assert!(!found.memory.is_empty());
    let run = owner(&noisy, 1);
    let text = found.memory.encode(&run, &found.fingerprint);
    let upper = letters(&found.fingerprint.as_str()[..4].to_uppercase());
    assert!(Memory::decode(&text, &run, Some(&upper)).is_ok(), "{upper}");
    let check = |text: &str, run: &Owner, wanted: Option<&str>, expected: &str| {
        let error = Memory::decode(text, run, wanted.map(letters).as_ref()).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error} lacks {expected}");
    };
    let other = owner(&noisy, 2);
    let changed = Owner { program: 8, ..run.clone() };
    check("title = \"x\"", &run, None, "not the state of a search");
    check("", &run, None, "not the state of a search");
    check("shakedown-minimize x", &run, None, "damaged");
    check(&text[..text.len() - 1], &run, None, "damaged");
    check(&text[..text.len() / 2], &run, None, "damaged");
    check(&text.replacen("true", "false", 1), &run, None, "damaged");
    check(&text.replacen(" 1 ", " 2 ", 1), &run, None, "version is 2, this build reads up to 1");
    check(&text, &other, None, "it is of run");
    check(&text, &changed, None, "it is of another build");
    check(&text, &run, Some("zzzz"), "it is of the failure");
    for cut in 0..text.len().min(200) {
        assert!(Memory::decode(&text[..cut], &run, None).is_err(), "{cut}");
    }
}

#[test]
fn every_kind_of_fault_comes_to_an_end() {
    let mut seen = BTreeMap::new();
    for fault in &noisy().fault {
        let (mut next, mut steps) = (fault.clone(), 0);
        while let Some(simpler) = next.simpler().pop() {
            assert!(steps < 200, "{fault:?}");
            (next, steps) = (simpler, steps + 1);
        }
        seen.insert(fault.entry().expect("one kind").name, steps);
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

#[test]
fn candidates_are_tried_once() {
    let noisy = noisy();
    let seen = Mutex::new(BTreeMap::<String, u32>::new());
    let fails = |scenario: &Scenario| {
        *seen.lock().expect("whole").entry(scenario.canonical()).or_default() += 1;
        kinds(scenario).contains(&"crash")
    };
    let found = search(&noisy, &oracle(fails), Way { jobs: 2, ..Way::default() });
    let seen = seen.into_inner().expect("whole");
    assert!(seen.values().all(|times| *times == 1));
    assert!(found.tried <= seen.len() as u64, "{} of {}", found.tried, seen.len());
}

#[test]
fn a_stopped_search_has_the_best_so_far() {
    let noisy = noisy();
    let runs = AtomicU64::new(0);
    let stop = || runs.fetch_add(1, Ordering::SeqCst) >= 6;
    let needs: fn(&Scenario) -> bool = |s| kinds(s).contains(&"crash");
    let found = search(&noisy, &oracle(needs), Way { stop: &stop, ..Way::default() });
    assert_eq!(found.ended, Ended::Stopped);
    assert!(found.to.faults < found.from.faults && needs(&found.scenario));
    let faults: &[FaultSpec] = &found.scenario.fault;
    assert!(!faults.is_empty());
}

#[test]
fn what_is_cut_down_says_from_what() {
    let noisy = noisy();
    let needs: fn(&[&str]) -> bool = |kinds| kinds.contains(&"crash");
    let search_from = |scenario: &Scenario| {
        search(scenario, &oracle(|scenario| needs(&kinds(scenario))), Way::default())
    };
    let first = search_from(&noisy);
    assert_eq!(first.scenario.minimized_from, Some(Size::of(&noisy).to_string()));
    assert!(first.scenario.minimized_from.is_some_and(|from| from.starts_with("13 faults, ")));
    // Nothing more can go, so it is still what the first search began with.
    let (small, named) = (search_from(&noisy).scenario, "what the first one began with");
    let again = search_from(&Scenario { minimized_from: Some(named.to_owned()), ..small.clone() });
    assert_eq!(again.scenario.minimized_from.as_deref(), Some(named));
    // What was never cut down does not say so.
    let whole = Scenario { minimized_from: None, ..small };
    assert_eq!(search_from(&whole).scenario.minimized_from, None);
}
