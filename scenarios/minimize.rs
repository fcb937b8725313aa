//! Failing runs made small: planted mistakes amid noise, down to what they need.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Output;

use libtest_mimic::{Failed, Trial};
use shakedown::sim::minimize::{Ended, Hunt, Memory, Minimized, Oracle as _, Runs, minimize};
use shakedown::sim::run::Network;
use shakedown::sim::run::defect::Defect;
use shakedown::sim::run::reference::Letters;
use shakedown::sim::scenario::{self, Scenario};
use shakedown::sim::seed::Seed;

use super::shakedown;

const NOISY: &str = include_str!("../fixtures/scenarios/noisy.toml");

/// A mistake, the check that finds it, and the kinds of faults that it needs.
type Case = (Defect, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    (Defect::IgnoredRetryAfter, "politeness", &["too_many_requests"]),
    (Defect::AcceptedRefusals, "conservation", &["unavailable"]),
    (Defect::TirelessBreaker, "breaker", &["unavailable"]),
    (Defect::DoubledRate, "ground truth", &[]),
    (Defect::SwallowedError, "honesty", &["crash"]),
];

/// One trial per case, and those of the verbs.
pub fn trials() -> Vec<Trial> {
    let case =
        |case: &'static Case| Trial::test(format!("minimize/{:?}", case.0), move || minimal(case));
    let verbs = [
        Trial::test("minimize/fingerprints_do_not_depend_on_the_fleet", stable),
        Trial::test("minimize/verbs_from_a_sweep_to_a_regression", from_sweep_to_regression),
        Trial::test("minimize/resumed_state", resumed),
        Trial::test("minimize/the_failure_that_is_meant", meant),
    ];
    CASES.iter().map(case).chain(verbs).collect()
}

fn load(text: &str) -> Result<Scenario, Failed> {
    scenario::load("fixtures/scenarios/noisy.toml", text)
        .map_err(|problems| Failed::from(problems.render(false)))
}

fn runs(defect: Defect, seed: u64) -> Runs {
    Runs { seed: Seed(seed), network: Network::Kernel, defect: Some(defect) }
}

/// The first failure of a check, made small.
fn small(scenario: &Scenario, oracle: &Runs, check: &str) -> Result<Minimized, Failed> {
    let failures = oracle.failures(scenario);
    let wanted = failures.iter().find(|failure| failure.check == check);
    let broken: Vec<_> = failures.iter().map(|failure| failure.check).collect();
    let wanted = wanted.ok_or_else(|| format!("{check} holds, broken are {broken:?}"))?;
    let hunt = Hunt {
        scenario,
        oracle,
        fingerprint: Some(Letters::from(&wanted.fingerprint)),
        jobs: NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN),
        stop: &|| false,
        memory: Memory::default(),
    };
    minimize(hunt, &mut |_| {}).map_err(|error| error.to_string().into())
}

fn minimal((defect, check, needed): &Case) -> Result<(), Failed> {
    let oracle = runs(*defect, 3);
    let found = small(&load(NOISY)?, &oracle, check)?;
    let kinds: Vec<&str> =
        found.scenario.fault.iter().filter_map(|fault| Some(fault.entry()?.name)).collect();
    let text = scenario::write(&found.scenario, &[]);
    if kinds != *needed || found.ended != Ended::Minimal {
        return Err(format!("{:?}, not {needed:?}, are left:\n{text}", kinds).into());
    }
    let again = load(&text)?;
    let fails = |failure: &shakedown::sim::check::Failure| failure.fingerprint == found.fingerprint;
    if !oracle.failures(&again).iter().any(fails) {
        return Err(format!("what is written does not fail:\n{text}").into());
    }
    Ok(())
}

/// Other seeds, fleets and durations show the same failure under the same name.
fn stable() -> Result<(), Failed> {
    let plain = |fleet: &str| {
        load(&format!("title = \"t\"\nduration = \"3min\"\n[kafka.{fleet}\n[pipeline]\n"))
    };
    let small = plain("a]\nbrokers = 1\nreplication = 1\ntopics = 2\ngroups = 1")?;
    let large = plain("big-one]\nbrokers = 4\ntopics = 9\npartitions = 2\ngroups = 4")?;
    for (defect, check) in [
        (Defect::WrongGuidPart, "guid"),
        (Defect::DoubledRate, "ground truth"),
        (Defect::LagOffByOne, "ground truth"),
        (Defect::InventedTopic, "coverage"),
        (Defect::NoRelationships, "relationships"),
        (Defect::LostBatch, "conservation"),
        (Defect::WrongName, "ground truth"),
    ] {
        let first = |scenario: &Scenario, seed| {
            let failures = runs(defect, seed).failures(scenario);
            failures.into_iter().find(|failure| failure.check == check)
        };
        let (one, other) = (first(&small, 1), first(&large, 9));
        let prints = [&one, &other].map(|f| f.as_ref().map(|f| f.fingerprint.clone()));
        if prints[0].is_none() || prints[0] != prints[1] {
            return Err(format!("{defect:?}: {one:?} and {other:?}").into());
        }
    }
    Ok(())
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn expect(output: &Output, code: i32, words: &[&str]) -> Result<(), Failed> {
    let text = text(output);
    let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
    if output.status.code() == Some(code) && missing.is_empty() {
        return Ok(());
    }
    Err(format!("{:?}, lacks {missing:?}:\n{text}", output.status.code()).into())
}

/// A scenario that asks for more than any pipeline can do, amid noise.
fn impossible() -> String {
    format!("{NOISY}\n[expect]\nbreaker_opens_min = 99\n")
}

/// A failing scenario becomes a small one, that one a regression, and none is written over.
fn from_sweep_to_regression() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("noisy.toml"), impossible())?;
    let noisy = at("noisy.toml");
    let small = at("small.toml");
    let output = shakedown(&["minimize", &noisy, "--seed", "3", "--out", &small]);
    expect(&output, 0, &["breaker: event-api opened", "0 faults, 1 cluster, 1 broker, 0 topics"])?;
    let written = std::fs::read_to_string(&small)?;
    for part in [
        "# Fails as ",
        "seed = 3",
        "title = \"Fails without any fault: breaker\"",
        "breaker_opens_min = 90",
    ] {
        if !written.contains(part) {
            return Err(format!("no {part} in\n{written}").into());
        }
    }
    expect(&shakedown(&["run", &small, "--out", &at("pictures")]), 10, &["event-api opened"])?;
    let again = shakedown(&["minimize", &noisy, "--out", &small]);
    expect(&again, 2, &["small.toml exists", "--resume"])?;

    let root = at("root");
    let promote = ["promote", &small, "--name", "breaker-too-calm", "--root", &root];
    expect(&shakedown(&promote), 0, &["breaker-too-calm.toml", "breaker-too-calm.feature"])?;
    expect(&shakedown(&promote), 2, &["breaker-too-calm.toml exists", "another --name"])?;
    let toml = format!("{root}/scenarios/regressions/breaker-too-calm.toml");
    let feature = format!("{root}/features/regressions/breaker-too-calm.feature");
    expect(&shakedown(&["scenario", "lint", &toml]), 0, &["ok"])?;
    let feature = std::fs::read_to_string(feature)?;
    if !feature.contains("      When the simulation runs for") {
        return Err(feature.into());
    }
    let missing = Path::new(&root).join("scenarios/regressions/breaker-too-calm.state");
    if missing.exists() { Err("a state is left".into()) } else { Ok(()) }
}

/// A search that was stopped goes on where it was, and ends like one that was not.
fn resumed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("noisy.toml"), impossible())?;
    let [noisy, one, two, state] = ["noisy.toml", "one.toml", "two.toml", "two.state"].map(at);
    let whole = shakedown(&["minimize", &noisy, "--out", &one]);
    expect(&whole, 0, &["nothing more can go"])?;
    let part = shakedown(&["minimize", &noisy, "--out", &two, "--for", "1500ms", "--jobs", "1"]);
    expect(&part, 0, &["stopped: more may go"])?;
    let kept = std::fs::read_to_string(&state)?;
    for (text, words) in [
        (kept[..kept.len() / 2].to_owned(), "it is damaged"),
        (kept.replacen("shakedown-minimize 1", "shakedown-minimize 2", 1), "its version is 2"),
        ("other".to_owned(), "not the state of a search"),
    ] {
        std::fs::write(&state, text)?;
        let refused = shakedown(&["minimize", &noisy, "--out", &two, "--resume"]);
        expect(&refused, 3, &["two.state", words, "help: "])?;
    }
    std::fs::write(&state, kept)?;
    let other = shakedown(&["minimize", &noisy, "--seed", "8", "--out", &two, "--resume"]);
    expect(&other, 3, &["it is of run"])?;
    let rest = shakedown(&["minimize", &noisy, "--out", &two, "--resume"]);
    expect(&rest, 0, &["nothing more can go"])?;
    let done = shakedown(&["minimize", &noisy, "--out", &two, "--resume"]);
    expect(&done, 0, &["two.toml is already minimal"])?;
    let other = shakedown(&["minimize", &noisy, "--seed", "8", "--out", &two, "--resume"]);
    expect(&other, 3, &["two.state: there is no such state", "help: name another file"])?;
    let (one, two) = (std::fs::read_to_string(one)?, std::fs::read_to_string(two)?);
    if one.replace("one.toml", "two.toml") != two {
        return Err(format!("{one}\nis not\n{two}").into());
    }
    if Path::new(&state).exists() { Err("a state is left".into()) } else { Ok(()) }
}

/// Of several failures the one that was named is followed, when a search is resumed without a name
/// and when the smaller run is promoted; case says nothing.
fn meant() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text = format!("{}freshness_max = \"1ms\"\n", impossible());
    std::fs::write(at("noisy.toml"), &text)?;
    let [noisy, two, root] = ["noisy.toml", "two.toml", "root"].map(at);
    let oracle = Runs { seed: Seed(3), network: Network::Kernel, defect: None };
    let failures = oracle.failures(&load(&text)?);
    let last = failures.last().filter(|_| failures.len() > 1);
    let last = last.ok_or("it fails in one way only")?.fingerprint.to_string();
    let letters = last.to_uppercase();
    let run = [noisy.as_str(), "--seed", "3", "--jobs", "1", "--for", "1500ms"];
    let search = |verb: &str, more: &[&str]| shakedown(&[&[verb][..], &run[..], more].concat());

    let first = search("minimize", &["--out", &two, "--fingerprint", &letters]);
    expect(&first, 0, &[&last, "stopped: more may go"])?;
    expect(&search("minimize", &["--out", &two, "--resume"]), 0, &[&format!("{last}  ")])?;
    let more = ["--name", "meant", "--minimize", "--root", &root, "--fingerprint", &letters];
    let promoted = search("promote", &more);
    expect(&promoted, 0, &[&format!("it fails as {last} "), "it is not minimal"])?;
    let left: Vec<_> = std::fs::read_dir(format!("{root}/scenarios/regressions"))?.collect();
    if left.len() == 1 { Ok(()) } else { Err(format!("more than a scenario: {left:?}").into()) }
}
