use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::drive::Control;
use super::summary::scenario_hash;
use super::tally::{Tally, from_hex};
use super::*;
use crate::sim::check::{Class, Failure, Fingerprint, Margin};
use crate::sim::run::passport::Build;
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::TraceDigest;

/// A storm of half a minute that some seeds survive and some do not: a broker is gone for as long
/// as New Relic refuses, and the synthesis lag that is asked for is shorter than the longest drawn.
const STORM: &str = r#"
title = "a short storm"
duration = "55s"
sometimes = ["breaker-opened"]
[kafka.orders]
brokers = 2
topics = 2
partitions = 2
replication = 2
groups = 1
[newrelic]
synthesis_lag_min = "1s"
synthesis_lag_max = "3s"
[pipeline]
interval = "5s"
[expect]
synthesis_lag_max = "2900ms"
recovery_max = "10s"
[[fault]]
at = "2s"
lasts = "5s"
crash = { host = "orders-broker-2" }
"#;

fn storm() -> Scenario {
    scenario::load("storm", STORM).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn plan(seeds: u64, shard: Shard) -> Plan {
    Plan {
        scenarios: vec![("storm.toml".to_owned(), storm())],
        seeds: SeedRange { first: 1, count: Some(seeds) },
        shard,
        network: Network::Kernel,
        until_fail: false,
    }
}

fn swept(plan: Plan, jobs: usize) -> Summary {
    let sweep = Sweep::new(plan, NonZeroUsize::new(jobs).expect("a job"));
    sweep.run(|_| {}).expect("threads")
}

fn named(parts: impl IntoIterator<Item = Summary>) -> Vec<(String, Summary)> {
    let parts = parts.into_iter().enumerate();
    parts.map(|(at, part)| (format!("{}.json", at + 1), part)).collect()
}

#[test]
fn jobs_and_shards_change_nothing() {
    let one = swept(plan(24, Shard::WHOLE), 1);
    assert!(one.passed > 0 && one.passed < one.runs, "{} of {}", one.passed, one.runs);
    assert_eq!(one.runs, 24);
    assert_eq!(swept(plan(24, Shard::WHOLE), 2).json(), one.json());
    let shards = (1..=3).rev().map(|index| swept(plan(24, Shard { index, count: 3 }), 2));
    assert_eq!(merge(named(shards)).expect("all shards").json(), one.json());
}

#[test]
fn the_first_failing_run_is_the_last() {
    let whole = swept(plan(24, Shard::WHOLE), 2);
    let first = whole.failures.first().expect("some fail").runs[0];
    for jobs in [1, 2, 5] {
        let until = swept(Plan { until_fail: true, ..plan(24, Shard::WHOLE) }, jobs);
        assert_eq!((until.runs, until.ended), (first.seed.0, End::Failure), "{jobs} jobs");
        assert_eq!(until.failures[0].runs, [first]);
    }
}

#[test]
fn a_run_of_a_summary_can_be_run_again() {
    let summary = swept(plan(24, Shard::WHOLE), 2);
    for kind in &summary.failures {
        let passport = kind.passport.as_ref().expect("drawn");
        let options = crate::sim::run::Options {
            seed: passport.seed,
            network: passport.network,
            sink: crate::sim::trace::Sink::None,
        };
        let report = crate::sim::run::run(&passport.scenario, options);
        let failures = report.failures();
        assert!(failures.iter().any(|failure| failure.fingerprint == kind.fingerprint));
        assert_eq!(passport.seed, kind.runs[0].seed);
        assert_eq!(kind.trace, Some(report.trace), "what a replay is compared with");
    }
    assert!(!summary.failures.is_empty());
}

/// Topics without partitions: no file can say so, but a defect could.
#[test]
fn a_panic_of_the_simulator_is_a_failure_of_its_own() {
    let mut broken = storm();
    broken.kafka.values_mut().for_each(|spec| spec.partitions = 0);
    let scenarios = vec![("broken".to_owned(), broken), ("storm.toml".to_owned(), storm())];
    let summary = swept(Plan { scenarios, ..plan(2, Shard::WHOLE) }, 2);
    assert_eq!((summary.runs, summary.ended), (4, End::Complete));
    let kind = &summary.failures[0];
    assert_eq!((kind.check.as_str(), kind.class, kind.count), (SIMULATOR, Class::Safety, 2));
    assert_eq!(kind.runs.iter().map(|run| run.scenario).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(summary.worst(), Some(Class::Safety));
}

#[test]
fn a_sweep_ends_when_it_is_told_to() {
    for (end, count) in [(End::Interrupted, None), (End::Time, None), (End::Time, Some(1_000_000))]
    {
        let seeds = SeedRange { first: 1, count };
        let sweep = Sweep::new(Plan { seeds, ..plan(1, Shard::WHOLE) }, NonZeroUsize::MIN);
        let control: Control = sweep.control();
        let summary = sweep.run(|tally| {
            if tally.runs == 3 {
                control.end(end);
            }
        });
        let summary = summary.expect("threads");
        assert_eq!(summary.ended, end);
        assert!((3..=5).contains(&summary.runs), "{}", summary.runs);
        assert!(end != End::Interrupted || !summary.passed());
    }
}

#[test]
fn a_listed_situation_that_no_run_met_fails_the_whole_but_no_shard() {
    let scenario = Scenario { fault: Vec::new(), ..storm() };
    let scenarios = vec![("calm.toml".to_owned(), scenario)];
    let calm = |shard| swept(Plan { scenarios: scenarios.clone(), ..plan(2, shard) }, 1);
    let whole = calm(Shard::WHOLE);
    let unmet = [Situation { name: "breaker-opened".to_owned(), scenario: 0 }];
    assert_eq!(whole.unreached, unmet);
    let shard = calm(Shard { index: 1, count: 2 });
    assert_eq!(shard.unreached, unmet);
    let passes = |summary: &Summary| Summary { failures: Vec::new(), ..summary.clone() }.passed();
    assert!(!passes(&whole) && passes(&shard));
}

/// What the runs of one scenario met says nothing about another one that lists it, however the
/// sweep was divided.
#[test]
fn a_situation_is_met_by_runs_of_the_scenario_that_lists_it() {
    let scenarios = vec![("a.toml".to_owned(), storm()), ("b.toml".to_owned(), storm())];
    let plan = |shard| Plan { scenarios: scenarios.clone(), ..plan(9, shard) };
    type Met = fn(u64) -> bool;
    // Even places are runs of the first scenario; bit 12 is `breaker-opened`.
    let met = |of: Met| (0..18).map(move |at| outcome(at, u64::from(of(at)) << 12, 0.0));
    let unmet = |scenario| Situation { name: "breaker-opened".to_owned(), scenario };
    let cases: [(Met, Vec<Situation>); 4] = [
        (|_| false, vec![unmet(0), unmet(1)]),
        (|at| at % 2 == 0, vec![unmet(1)]),
        (|at| at == 17, vec![unmet(0)]),
        (|at| at > 15, vec![]),
    ];
    for (of, expected) in cases {
        let outcomes: Vec<Outcome> = met(of).collect();
        let whole = counted(&plan(Shard::WHOLE), &outcomes);
        assert_eq!(whole.unreached, expected);
        assert_eq!(whole.passed(), expected.is_empty());
        let shards = (1..=3).map(|index| counted(&plan(Shard { index, count: 3 }), &outcomes));
        assert_eq!(merge(named(shards)).expect("all").unreached, expected);
    }
}

#[test]
fn damaged_files_are_refused() {
    let text = Summary::of(&plan(3, Shard::WHOLE), &Tally::default(), End::Complete).json();
    assert!(read("x.json", &text).is_ok());
    let half = &text[..text.len() / 2];
    let swapped = text.replacen("\"runs\": 0", "\"runs\": 7", 1);
    let newer = text.replacen("\"schema\": 3", "\"schema\": 4", 1);
    let older = text.replacen("\"schema\": 3", "\"schema\": 2", 1);
    let extra = text.replacen("\"runs\": 0", "\"runs\": 0,\n  \"more\": 1", 1);
    let cases = [
        (half, "the summary ends in the middle"),
        ("", "x.json:1: the summary ends in the middle"),
        ("[]", "not the summary of a sweep"),
        ("{}", "missing field `schema`"),
        ("\u{0}\u{1}", "not the summary of a sweep"),
        (swapped.as_str(), "the seal does not fit"),
        (newer.as_str(), "a summary of schema 4, and this version of shakedown reads 3"),
        (older.as_str(), "a summary of schema 2, and this version of shakedown reads 3"),
        (extra.as_str(), "unknown field `more`"),
    ];
    for (text, said) in cases {
        let error = read("x.json", text).expect_err(said).to_string();
        assert!(error.contains(said) && error.starts_with("x.json"), "{error}");
    }
}

#[test]
fn summaries_of_different_sweeps_do_not_merge() {
    let part = |index, count| {
        Summary::of(&plan(9, Shard { index, count }), &Tally::default(), End::Complete)
    };
    let with = |change: fn(&mut Summary)| {
        let mut part = part(2, 2);
        change(&mut part);
        part
    };
    let cases = [
        (vec![], "no summary was given"),
        (vec![part(1, 2)], "of 2 shards, these are missing: 2/2"),
        (vec![part(2, 40)], "and 19 more"),
        (vec![part(1, 2), part(1, 2)], "1.json and 2.json are both shard 1/2"),
        (vec![part(1, 1), part(1, 1)], "both shard 1/1"),
        (vec![part(1, 2), part(2, 3)], "numbers of shards are 2, and 3"),
        (
            vec![part(1, 2), with(|s| s.build.version = "9.9.9".into())],
            "builds are shakedown 0.1.0",
        ),
        (vec![part(1, 2), with(|s| s.build.source = "other".into())], "source other)"),
        (
            vec![part(1, 2), with(|s| s.network = Network::Turmoil)],
            "networks are kernel, and turmoil",
        ),
        (
            vec![part(1, 2), with(|s| s.seeds.first = 5)],
            "seeds are 9 seeds from 1, and 9 seeds from 5",
        ),
        (
            vec![part(1, 2), with(|s| s.scenarios[0].hash = "0".into())],
            "scenarios are storm.toml (",
        ),
        (vec![part(1, 2), with(|s| s.digest = "x".into())], "a digest is no number"),
    ];
    for (parts, said) in cases {
        let error = merge(named(parts)).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_schema_is_committed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/summary.schema.json");
    let schema = schema_text();
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(path, &schema).expect("written");
    }
    let committed = std::fs::read_to_string(path).expect("committed");
    assert!(committed == schema, "{path} is old: run the tests with SHAKEDOWN_BLESS=1");
}

const CHECKS: [&str; 3] = ["no panic", "conservation", "freshness"];
const MARKS: [&str; 3] = ["breaker-opened", "spool-full", "batch-split"];
const FAULTS: [&str; 3] = ["crash", "hold", "loss"];

/// Any outcome of the run at `place` of a plan with two scenarios.
fn outcome(place: u64, bits: u64, margin: f64) -> Outcome {
    let has = |bit: u64| bits >> bit & 1 == 1;
    let checks = CHECKS.iter().zip(0..).map(|(name, bit)| CheckOutcome {
        name,
        class: if bit == 2 { Class::Liveness } else { Class::Safety },
        examined: bits % 97,
        is_excused: has(bit + 3),
        is_broken: has(bit),
        margin: has(bit + 6).then_some(Margin { worst: margin, limit: 1.5, unit: "s" }),
    });
    let failures = CHECKS.iter().zip(0..).filter(|(_, bit)| has(*bit)).map(|(check, bit)| {
        let words = format!("{check} broke in way {}", if has(bit + 9) { "one" } else { "two" });
        Failure {
            fingerprint: Fingerprint::of(check, &words),
            check,
            class: Class::Safety,
            shape: words.clone(),
            example: format!("{words} at {place}"),
        }
    });
    let some = |names: [&'static str; 3], from: u64| {
        let pairs = names.into_iter().zip(from..);
        pairs.filter(|(_, bit)| has(*bit)).map(|(name, _)| name).collect::<BTreeSet<_>>()
    };
    Outcome {
        scenario: usize::try_from(place % 2).expect("small"),
        seed: Seed(place / 2 + 1),
        trace: Some(TraceDigest { hash: u128::from(bits), events: bits % 97, bytes: bits % 97 }),
        checks: checks.collect(),
        failures: failures.collect(),
        marks: some(MARKS, 12),
        faults: some(FAULTS, 15)
            .into_iter()
            .map(|kind| (kind, bits % 3))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn counted(plan: &Plan, outcomes: &[Outcome]) -> Summary {
    let hashes: Vec<u128> = plan.scenarios.iter().map(|(_, of)| scenario_hash(of)).collect();
    let mut tally = Tally::default();
    let mine = |outcome: &&Outcome| {
        (outcome.seed.0 - plan.seeds.first) % plan.shard.count == plan.shard.index - 1
    };
    outcomes.iter().filter(mine).for_each(|outcome| tally.count(plan, &hashes, outcome));
    Summary::of(plan, &tally, End::Complete)
}

/// A summary in which something of everything happened, as no machine and no release changes it.
fn colourful(shard: Shard) -> Summary {
    let second = Scenario { title: "calm".to_owned(), fault: Vec::new(), ..storm() };
    let scenarios = vec![("my storm.toml".to_owned(), storm()), ("b.toml".to_owned(), second)];
    let outcomes: Vec<Outcome> = (0..60)
        .map(|place: u64| {
            let bits = place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20 & !0x1000;
            outcome(place, if place % 7 == 3 { bits } else { bits & !7 }, place as f64 / 50.0)
        })
        .collect();
    let seeds = SeedRange { first: 1, count: Some(30) };
    let plan = Plan { scenarios, seeds, ..plan(30, shard) };
    let mut summary = counted(&plan, &outcomes);
    summary.build = Build {
        version: "1.2.3".to_owned(),
        lock: "0123456789".to_owned(),
        source: "0123456789abcdef".to_owned(),
    };
    summary
}

#[test]
fn reports_say_what_failed_and_what_to_do() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/sweep"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let (whole, shard) = (colourful(Shard::WHOLE), colourful(Shard { index: 2, count: 3 }));
    let passed = Summary {
        failures: Vec::new(),
        unreached: Vec::new(),
        checks: whole.checks.iter().map(|of| CheckTotal { broken: 0, ..of.clone() }).collect(),
        passed: whole.runs,
        ..whole.clone()
    };
    settings.bind(|| {
        insta::assert_snapshot!("failed", text(&whole, Some("my folder/summary.json")));
        insta::assert_snapshot!("failed_without_a_file", text(&whole, None));
        insta::assert_snapshot!("shard", text(&shard, Some("summary-2-of-3.json")));
        insta::assert_snapshot!("passed", text(&passed, None));
        let interrupted = Summary { ended: End::Interrupted, ..passed.clone() };
        insta::assert_snapshot!("interrupted", text(&interrupted, None));
        let unmet = Summary { unreached: whole.unreached.clone(), ..passed.clone() };
        insta::assert_snapshot!("unmet", text(&unmet, None));
        insta::assert_snapshot!("junit", junit(&whole));
        insta::assert_snapshot!("junit_of_a_shard", junit(&shard));
        insta::assert_snapshot!("junit_interrupted", junit(&interrupted));
        let nothing = Summary { runs: 0, passed: 0, ..unmet };
        insta::assert_snapshot!("junit_of_nothing", junit(&nothing));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever runs give, the shards' summaries, written and read again, make the whole's.
    #[test]
    fn merged_shards_are_the_whole(
        runs in prop::collection::vec((any::<u64>(), -2.0..4.0f64), 1..40),
        count in 1u64..6,
    ) {
        let second = Scenario { title: "calm".to_owned(), fault: Vec::new(), ..storm() };
        let scenarios = vec![("a.toml".to_owned(), storm()), ("b.toml".to_owned(), second)];
        let plan = |shard| Plan { scenarios: scenarios.clone(), ..plan(20, shard) };
        let outcomes: Vec<Outcome> =
            runs.iter().zip(0..).map(|((bits, m), place)| outcome(place, *bits, *m)).collect();
        let whole = counted(&plan(Shard::WHOLE), &outcomes);
        let shards = (1..=count).rev().map(|index| {
            let text = counted(&plan(Shard { index, count }), &outcomes).json();
            read("shard", &text).expect("just written")
        });
        let merged = merge(named(shards)).expect("all shards");
        prop_assert_eq!(merged.json(), whole.json());
        prop_assert!(from_hex(&whole.digest).is_some());
        prop_assert!(whole.failures.iter().all(|kind| kind.runs.len() <= SEEDS_KEPT));
        prop_assert!(whole.failures.iter().all(|kind| kind.runs.is_sorted()));
    }

    /// One changed byte outside of what it cost is noticed.
    #[test]
    fn no_changed_byte_passes(at in 0usize..100_000, to in any::<u8>()) {
        let whole = Summary::of(&plan(3, Shard::WHOLE), &Tally::default(), End::Complete);
        let mut text = whole.json().into_bytes();
        let sealed = String::from_utf8_lossy(&text).find("\"performance\"").expect("a key");
        let at = at % sealed;
        let blank = text[at].is_ascii_whitespace() || to.is_ascii_whitespace();
        prop_assume!(!blank && text[at] != to);
        text[at] = to;
        prop_assert!(String::from_utf8(text).is_ok_and(|text| read("x", &text).is_err()) || to > 127);
    }
}
