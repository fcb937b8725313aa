//! What a user meets at the command line: exit codes, messages, formats.

use libtest_mimic::{Failed, Trial};

use super::shakedown;

/// Arguments, exit code, and what standard output or error must contain.
type Case = (&'static str, &'static [&'static str], i32, &'static [&'static str]);

const CASES: &[Case] = &[
    ("built_in_passes", &["run"], 0, &["PASSED", "ground truth", "picture"]),
    ("json_is_complete", &["run", "--format", "json"], 0, &["\"checks\"", "\"trace\"", "\"id\""]),
    ("markdown_has_a_table", &["run", "--format", "markdown"], 0, &["| ✓ | conservation |"]),
    ("junit_names_checks", &["run", "--format", "junit"], 0, &["<testcase name=\"conservation\""]),
    ("unknown_verb", &["sial"], 2, &["Usage"]),
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
    ("absent_file", &["run", "no/such.toml"], 3, &["cannot read no/such.toml"]),
    ("schema", &["scenario", "schema"], 0, &["\"$schema\"", "synthesis_lag_max"]),
    ("explain", &["scenario", "explain"], 0, &["Faults in order", "all healed at"]),
    ("lint", &["scenario", "lint", "scenarios/steady.toml"], 0, &["steady.toml: ok"]),
];

/// One trial per case.
pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static Case| Trial::test(format!("cli/{}", case.0), move || check(case));
    CASES.iter().map(trial).collect()
}

fn check((_, arguments, code, texts): &Case) -> Result<(), Failed> {
    let output = shakedown(arguments);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.code() != Some(*code) {
        return Err(format!("exit {:?}, expected {code}:\n{said}", output.status.code()).into());
    }
    match texts.iter().find(|text| !said.contains(**text)) {
        None => Ok(()),
        Some(text) => Err(format!("`{text}` is not in:\n{said}").into()),
    }
}
