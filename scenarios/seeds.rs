//! `shakedown sweep` as a user meets it: the same summary from any number of jobs, processes and
//! shards; exit codes and messages.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::cli::{Case, check};
use super::shakedown;

/// Seeds of the swarm that are swept again and again.
const SEEDS: &str = "24";

const CASES: &[Case] = &[
    ("no_shard", &["sweep", "--shard", "3/2"], 2, &["`3/2` is no shard: write it as 2/5"]),
    ("empty_shard", &["sweep", "--seeds", "2", "--shard", "3/3"], 2, &["use at most 2 shards"]),
    (
        "seeds_beyond_the_last",
        &["sweep", "--first", "18446744073709551615", "--seeds", "2"],
        2,
        &["there are no 2 seeds from 18446744073709551615 on"],
    ),
    ("no_time", &["sweep", "--for", "soon"], 2, &["--for", "`soon` is not a duration"]),
    ("merge_of_nothing", &["sweep", "merge"], 2, &["<SUMMARY>"]),
    (
        "merge_of_no_summary",
        &["sweep", "merge", "Cargo.toml"],
        3,
        &["Cargo.toml is no JSON, not a sweep's summary", "give the summary.json files"],
    ),
    ("jobs_of_no_kind", &["sweep", "jobs"], 2, &["--kind <KIND>"]),
    (
        "named_folder",
        &["sweep", "benches/storm.toml", "--seeds", "1", "--out", "/dev/null/x"],
        1,
        &["no file can be written to `/dev/null/x`", "name another folder"],
    ),
    ("marks", &["marks"], 0, &["spool-full ", "The spool was full"]),
    ("marks_json", &["marks", "--format", "json"], 0, &["\"name\": \"spool-full\""]),
];

/// One trial per case, and the proof.
pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static Case| Trial::test(format!("sweep/{}", case.0), move || check(case));
    let mut trials: Vec<Trial> = CASES.iter().map(trial).collect();
    trials.push(Trial::test("sweep/jobs_shards_and_processes_change_nothing", nothing_changes));
    trials
}

/// Sweeps the swarm into `folder`; whatever it finds, it must write its summary.
fn sweep(folder: &Path, more: &[&str]) -> Result<(), Failed> {
    let out = folder.display().to_string();
    let output = shakedown(&[&["sweep", "--seeds", SEEDS, "--out", &out], more].concat());
    let codes = [0, 1, 10, 11, 13];
    if output.status.code().is_some_and(|code| codes.contains(&code)) {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned().into())
}

/// The summary in `file`, without what it cost.
fn summary(file: &Path) -> Result<Value, Failed> {
    let mut summary: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let cost = summary.as_object_mut().and_then(|summary| summary.remove("performance"));
    if cost.is_none() || summary["runs"] != SEEDS.parse::<u64>()? {
        return Err(format!("{} tells of {} runs", file.display(), summary["runs"]).into());
    }
    Ok(summary)
}

fn nothing_changes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    sweep(&one, &["--jobs", "1"])?;
    sweep(&two, &["--jobs", "2"])?;
    let one = summary(&one.join("summary.json"))?;
    if summary(&two.join("summary.json"))? != one {
        return Err("one job and two give different summaries".into());
    }
    let parts = folder.path().join("parts");
    let mut files = Vec::new();
    for shard in 1..=3 {
        sweep(&parts, &["--shard", &format!("{shard}/3")])?;
        files.push(parts.join(format!("summary-{shard}-of-3.json")).display().to_string());
    }
    let out = folder.path().join("merged");
    let mut arguments = vec!["sweep", "merge", "--out"];
    let name = out.display().to_string();
    arguments.push(&name);
    arguments.extend(files.iter().map(String::as_str));
    shakedown(&arguments);
    if summary(&out.join("summary.json"))? != one {
        return Err("three shards merge to another summary than one sweep".into());
    }
    Ok(())
}
