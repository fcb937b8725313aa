use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::sim::fault::CATALOGUE;
use crate::sim::scenario::load;
use crate::sim::time::SimTime;

const SWARM: &str = include_str!("../../../scenarios/swarm.toml");
const STEADY: &str = include_str!("../../../scenarios/steady.toml");

fn scenario(text: &str) -> Scenario {
    match load("test.toml", text) {
        Ok(scenario) => scenario,
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

#[test]
fn what_is_drawn_can_be_written_and_loads_as_the_same() {
    let open = scenario(SWARM);
    for seed in 0..3_000 {
        let drawn = draw(&open, Seed(seed));
        let text = toml::to_string(&drawn).expect("a scenario can be written");
        let loaded = match load("drawn.toml", &text) {
            Ok(loaded) => loaded,
            Err(problems) => panic!("seed {seed}: {}\n{text}", problems.render(false)),
        };
        assert_eq!(loaded, drawn, "seed {seed}");
        assert_eq!(draw(&drawn, Seed(seed)), drawn, "seed {seed}: nothing is left open");
    }
}

#[test]
fn every_kind_is_drawn_and_runs_differ() {
    let open = scenario(SWARM);
    let mut runs: BTreeMap<&str, u32> = BTreeMap::new();
    let mut shapes = BTreeSet::new();
    const SEEDS: u64 = 2_000;
    for seed in 0..SEEDS {
        let drawn = draw(&open, Seed(seed));
        let kinds: BTreeSet<&str> = drawn.faults().iter().map(|fault| fault.kind).collect();
        for kind in kinds {
            *runs.entry(kind).or_default() += 1;
        }
        shapes.insert(drawn.canonical());
    }
    assert_eq!(shapes.len() as u64, SEEDS, "two seeds drew the same");
    for entry in CATALOGUE {
        let met = runs.get(entry.name).copied().unwrap_or(0);
        assert!(met >= 20, "{} was drawn in {met} of {SEEDS} runs", entry.name);
    }
}

#[test]
fn the_storm_ends_and_the_heal_phase_is_long_enough() {
    let open = scenario(SWARM);
    let storm = open.swarm.as_ref().and_then(|spec| spec.storm).expect("it has a storm");
    for seed in 0..500 {
        let drawn = draw(&open, Seed(seed));
        let ends = SimTime::from(storm[1].0);
        assert!(drawn.heal() <= ends, "seed {seed}: heals at {}", drawn.heal());
        let first = drawn.faults().first().map(|fault| fault.from);
        assert!(first.is_none_or(|first| first >= SimTime::from(storm[0].0)), "seed {seed}");
        assert!(drawn.heal() + drawn.settle_time() <= drawn.end(), "seed {seed}");
    }
}

/// Other draws stay when one decision is taken away or given another range.
#[test]
fn a_draw_shifts_no_other() {
    let open = scenario(SWARM);
    let change = |text: &str, by: &str| scenario(&SWARM.replace(text, by));
    let fewer_groups = change("groups = [0, 4]", "groups = [1, 9]");
    let fixed_interval = change("batch_events = [3, 300]\n", "");
    for seed in (0..200).map(Seed) {
        let (one, other) = (draw(&open, seed), draw(&fewer_groups, seed));
        assert_eq!(one.pipeline, other.pipeline);
        let (one, other) = (draw(&open, seed), draw(&fixed_interval, seed));
        assert_eq!(one.kafka, other.kafka);
        assert_eq!(one.pipeline.interval, other.pipeline.interval);
        assert_eq!(one.pipeline.spool_age_max, other.pipeline.spool_age_max);
        assert_eq!(one.fault, other.fault);
    }
}

#[test]
fn any_scenario_can_be_given_to_the_swarm() {
    let steady = scenario(STEADY);
    let open = Scenario { swarm: Some(SwarmSpec::default()), ..steady.clone() };
    let mut faults = 0;
    for seed in 0..100 {
        let drawn = draw(&open, Seed(seed));
        assert_eq!(drawn.kafka, steady.kafka, "the topology is not the swarm's");
        assert_eq!(drawn.pipeline, steady.pipeline, "nor are the settings");
        let text = toml::to_string(&drawn).expect("a scenario can be written");
        assert_eq!(load("drawn.toml", &text).expect("possible"), drawn, "seed {seed}");
        faults += drawn.fault.len();
    }
    assert!(faults > 200, "{faults} faults in 100 runs");
}

#[test]
fn impossible_tables_are_refused_with_their_rule() {
    let head = "title = \"t\"\nduration = \"10min\"\n[kafka.a]\n[swarm]\n";
    let cases = [
        ("faults = [\"crash\", \"crahs\"]", "unknown_fault", "did you mean `crash`?"),
        ("except = [\"jiter\"]", "unknown_fault", "did you mean `jitter`?"),
        ("faults = [\"crash\"]\nexcept = [\"crash\"]", "no_fault", "one of them"),
        ("count = [5, 2]", "empty_range", "the least first"),
        ("count = [0, 1000]", "out_of_range", "from 0 to 100"),
        ("enabled = 1.5", "out_of_range", ""),
        ("lasts = [\"2min\", \"3min\"]\nstorm = [\"10s\", \"1min\"]", "storm", "lengthen `storm`"),
        ("[swarm.topology]\nbrokers = [0, 3]", "out_of_range", "from 1 to 1000"),
        ("[swarm.topology]\njmx = 2", "out_of_range", ""),
        ("[swarm.pipeline]\ninterval = [\"100ms\", \"3s\"]", "out_of_range", "from 1s to 1d"),
        ("[swarm.pipeline]\nmemory_max = [\"2MiB\", \"1MiB\"]", "empty_range", "the least first"),
        ("[swarm.pipeline]\nintervall = [\"1s\", \"3s\"]", "unknown_key", "interval"),
    ];
    for (table, rule, help) in cases {
        let problems = load("test.toml", &format!("{head}{table}\n")).expect_err(table);
        let code = format!("shakedown::scenario::{rule}");
        let text = problems.render(false);
        assert!(problems.problems().iter().any(|p| p.code() == code), "{table}: {text}");
        assert!(text.contains(help), "{table}: {text}");
    }
}
