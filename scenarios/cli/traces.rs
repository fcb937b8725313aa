//! What a user meets at `trace`, `replay` and `diff`: whole files, wrong files, other runs.

use std::path::{Path, PathBuf};

use ::shakedown::sim::run::Network;
use ::shakedown::sim::run::passport::Passport;
use ::shakedown::sim::scenario;
use ::shakedown::sim::seed::Seed;
use ::shakedown::sim::time::SimTime;
use ::shakedown::sim::trace::file::Writer;
use ::shakedown::sim::trace::{Sink, Trace};
use libtest_mimic::{Failed, Trial};

use super::{command, expect};

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/single-broker.toml");

/// The trials of this file.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli/trace_show_grep_why_export", shown),
        Trial::test("cli/trace_of_wrong_files", wrong_files),
        Trial::test("cli/replay_verifies_and_looks", replayed),
        Trial::test("cli/replay_of_another_course", another_course),
        Trial::test("cli/replay_of_cards", cards),
        Trial::test("cli/diff_of_runs", compared),
    ]
}

/// A folder with the trace of one run.
struct Recorded {
    folder: tempfile::TempDir,
    trace: PathBuf,
}

impl Recorded {
    fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let trace = folder.path().join("run.trace");
        let recorded = Self { folder, trace };
        recorded.says(&["run", SCENARIO, "--trace", "run.trace"], 0, &["PASSED"])?;
        Ok(recorded)
    }

    /// Runs a command in the folder.
    fn says(&self, arguments: &[&str], code: i32, texts: &[&str]) -> Result<String, Failed> {
        let output = command(arguments).current_dir(self.folder.path()).output()?;
        expect(&output, code, texts)?;
        Ok(String::from_utf8(output.stdout)?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failed> {
        Ok(std::fs::write(self.folder.path().join(name), bytes)?)
    }
}

fn shown() -> Result<(), Failed> {
    let run = Recorded::new()?;
    let lines = |text: &str| text.lines().count();
    let three = run.says(&["trace", "show", "run.trace", "--limit", "3"], 0, &["#1 ", "#3 "])?;
    let part = ["trace", "show", "run.trace", "--from", "#10", "--to", "#19"];
    let ten = run.says(&part, 0, &["#10 ", "#19 "])?;
    if (lines(&three), lines(&ten)) != (3, 10) || three.contains('\x1b') {
        return Err(format!("{three}\n{ten}").into());
    }
    let host = ["trace", "show", "run.trace", "--host", "nwrelic"];
    run.says(&host, 1, &["no event is about `nwrelic`", "did you mean `newrelic`?"])?;
    let found = ["trace", "grep", "run.trace", "cycle-end number=2", "--with-causes"];
    run.says(&found, 0, &["▸ ", "cycle-end", "pipeline   born", "#1 "])?;
    run.says(&["trace", "grep", "run.trace", "no such words"], 1, &[])?;
    let field = ["trace", "grep", "run.trace", "", "--field", "kind=cycle-begin"];
    run.says(&field, 0, &["number=1", "number=2"])?;
    run.says(&["trace", "grep", "run.trace", "("], 2, &["unclosed group"])?;
    run.says(&["trace", "why", "run.trace", "#20"], 0, &["▸ ", "#20 "])?;
    run.says(
        &["trace", "why", "run.trace", "99999999"],
        1,
        &["has no event #99999999", "are #1 to"],
    )?;
    let jsonl = run.says(&["trace", "export", "run.trace", "--format", "jsonl"], 0, &[])?;
    let all = run.says(&["trace", "show", "run.trace"], 0, &[])?;
    for line in jsonl.lines() {
        serde_json::from_str::<::shakedown::sim::trace::export::EventJson>(line)?;
    }
    let perfetto = ["trace", "export", "run.trace", "--format", "perfetto", "--out", "run.json"];
    run.says(&perfetto, 0, &[])?;
    let perfetto = std::fs::read(run.folder.path().join("run.json"))?;
    let perfetto: serde_json::Value = serde_json::from_slice(&perfetto)?;
    let drawn = perfetto["traceEvents"].as_array().map_or(0, Vec::len);
    if lines(&jsonl) != lines(&all) || drawn <= lines(&all) {
        return Err(format!("{} rows, {drawn} drawn", lines(&all)).into());
    }
    let nowhere = ["trace", "export", "run.trace", "--format", "jsonl", "--out", "no/such"];
    run.says(&nowhere, 1, &["cannot write no/such"]).map(drop)
}

/// A file, and what is said of it.
type Wrong<'a> = (&'a str, Vec<u8>, &'a [&'a str]);

fn wrong_files() -> Result<(), Failed> {
    let run = Recorded::new()?;
    let whole = std::fs::read(&run.trace)?;
    let changed = |at: usize, byte: u8| {
        let mut changed = whole.clone();
        changed[at] = byte;
        changed
    };
    let files: [Wrong<'_>; 6] = [
        (
            "cut.trace",
            whole[..whole.len() - 20].to_vec(),
            &["it is cut off at byte", "after event"],
        ),
        ("damaged.trace", changed(whole.len() / 2, 0), &["it is damaged at byte", "checksum"]),
        ("newer.trace", changed(8, 9), &["its schema is 9", "a newer one"]),
        (
            "text.trace",
            b"0000005000000 1 - net recv\n".to_vec(),
            &["no trace file", "--trace FILE"],
        ),
        ("empty.trace", Vec::new(), &["it is empty"]),
        ("other", b"\x00\x01\x02".to_vec(), &["does not begin as one"]),
    ];
    for (name, bytes, texts) in files {
        run.write(name, &bytes)?;
        let said = run.says(&["trace", "show", name], 3, &[&[name], texts].concat())?;
        // What is whole comes first; the events of this run are one block.
        if (name == "cut.trace") != said.contains("#1 ") {
            return Err(format!("{name}: {said}").into());
        }
        // The passport is enough to run it again.
        let has_passport = ["cut.trace", "damaged.trace"].contains(&name);
        run.says(&["replay", name], if has_passport { 0 } else { 3 }, texts)?;
        for verb in [&["diff", "run.trace", name], &["diff", name, name]] {
            run.says(verb, 3, texts)?;
        }
        run.says(&["trace", "why", name, "1"], 3, texts)?;
    }
    run.says(
        &["trace", "show", "absent.trace"],
        3,
        &["absent.trace cannot be read: No such file", "help: "],
    )?;
    run.says(&["replay", "absent"], 3, &["absent cannot be read"])?;
    run.says(&["trace", "show", "run.trace", "--from", "soon"], 2, &["`soon` is no instant"])
        .map(drop)
}

fn replayed() -> Result<(), Failed> {
    let run = Recorded::new()?;
    run.says(&["replay", "run.trace"], 0, &["as recorded", "PASSED", "pipeline  up"])?;
    let until = ["replay", "run.trace", "--until", "01:00.000", "--host", "pipeline"];
    let text = run.says(&until, 0, &["at 01:00.000000", "breaker event-api", "last events"])?;
    if text.contains("newrelic  up") {
        return Err(format!("newrelic was not asked for:\n{text}").into());
    }
    let json = run.says(&["replay", "run.trace", "--until", "#50", "--format", "json"], 0, &[])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    if json["recorded"] != json["replayed"] || json["state"]["hosts"][0]["name"] != "newrelic" {
        return Err(json.to_string().into());
    }
    let seeded = ["replay", SCENARIO, "--seed", "5", "--network", "turmoil"];
    run.says(&seeded, 0, &["nothing recorded", "seed 5  network turmoil", "does not tell"])?;
    let wrong: [(&[&str], &[&str]); 5] = [
        (&["--seed", "5"], &["--seed is for a scenario file", "run.trace is a trace file"]),
        (&["--failure", "1"], &["--failure is for a sweep's summary"]),
        (&["--host", "pipelin"], &["did you mean `pipeline`?"]),
        (&["--until", "2d"], &["the run ends at"]),
        (&["--until", "#99999999"], &["the run has no event #99999999"]),
    ];
    for (options, texts) in wrong {
        run.says(&[&["replay", "run.trace"], options].concat(), 2, texts)?;
    }
    Ok(())
}

fn passport(path: &str) -> Result<Passport, Failed> {
    let text = std::fs::read_to_string(path)?;
    let scenario = scenario::load(path, &text).map_err(|problems| problems.to_string())?;
    Ok(Passport::of(path, &scenario, Seed(1), Network::Kernel))
}

/// A trace whose passport and events do not belong together, as after a change of the program.
fn another_course() -> Result<(), Failed> {
    let run = Recorded::new()?;
    let file = std::fs::File::create(run.folder.path().join("other.trace"))?;
    let trace = Trace::new(Sink::file(Box::new(file), &passport(SCENARIO)?)?);
    trace.event(SimTime::ZERO, "net", format_args!("send kind=syn flow=a:1>b:2"));
    trace.finish()?;
    let texts = ["not as recorded", "by the same build", "shakedown diff"];
    run.says(&["replay", "other.trace"], 12, &texts)?;
    run.says(&["diff", "other.trace", "run.trace"], 1, &["the first difference", "flow=a:1>b:2"])?;
    // Another build is told of, and no obstacle.
    let mut foreign = passport(SCENARIO)?;
    foreign.build.version = "9.9.9".to_owned();
    let file = std::fs::File::create(run.folder.path().join("foreign.trace"))?;
    let mut writer = Writer::new(file, &foreign)?;
    writer.finish(Trace::new(Sink::None).digest())?;
    let texts = ["was made by shakedown 9.9.9", "this is shakedown", "not as recorded"];
    run.says(&["replay", "foreign.trace"], 12, &texts).map(drop)
}

fn cards() -> Result<(), Failed> {
    let run = Recorded::new()?;
    run.says(&["run", SCENARIO, "--out", "cards"], 0, &["card cards/"])?;
    let card = std::fs::read_dir(run.folder.path().join("cards"))?.next().ok_or("no card")??;
    let page = std::fs::read_to_string(card.path())?;
    run.write("run.html", page.as_bytes())?;
    run.says(&["replay", "run.html"], 0, &["PASSED", "as recorded"])?;
    run.says(&["diff", "run.html", "run.trace"], 0, &["events are equal"])?;
    let passport = page.split_once("id=\"passport\">").and_then(|(_, rest)| rest.split_once('<'));
    let (passport, _) = passport.ok_or("no passport")?;
    let with = |from: &str, to: &str| page.replacen(passport, &passport.replacen(from, to, 1), 1);
    let wrong: [(&str, String, &[&str]); 6] = [
        ("newer", with("\"schema\":1", "\"schema\":7"), &["schema is 7, this build reads up to 1"]),
        ("hurt", with("\"brokers\":1", "\"brokers\":0"), &["its scenario is not possible"]),
        ("changed", with("orders", "ordres"), &["its passport"]),
        ("cut", page[..page.len() / 2].to_owned(), &["a failure card that is cut off"]),
        ("page", "<html></html>".to_owned(), &["it holds no whole passport"]),
        ("no_json", with(passport, "{"), &["its passport"]),
    ];
    for (name, html, texts) in wrong {
        let name = format!("{name}.html");
        run.write(&name, html.as_bytes())?;
        run.says(&["replay", &name], 3, &[&[name.as_str()], texts].concat())?;
    }
    run.write("sum.json", b"{\"schema\": 99}")?;
    run.says(&["replay", "sum.json"], 3, &["a summary of schema 99"])?;
    run.write("cut.json", b"{\"schema\": 1, \"seal\"")?;
    run.says(&["replay", "cut.json"], 3, &["ends in the middle"]).map(drop)
}

fn compared() -> Result<(), Failed> {
    let run = Recorded::new()?;
    let same = run.says(&["diff", "run.trace", SCENARIO, "--seed", "1"], 0, &["are equal"])?;
    if !same.contains("no verdict") || !same.contains("PASSED") {
        return Err(same.into());
    }
    let seeds = ["diff", SCENARIO, SCENARIO, "--seed", "1", "--seed", "2"];
    run.says(&seeds, 1, &["seed: 1 → 2", "the first difference", "what followed", "events alike"])?;
    let json = run.says(&[&seeds[..], &["--format", "json"]].concat(), 1, &[])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    if json["equal"] != false || json["plan"][0]["path"] != "seed" {
        return Err(json.to_string().into());
    }
    let slower = std::fs::read_to_string(SCENARIO)?.replacen("title = \"", "title = \"Other: ", 1);
    run.write("other.toml", slower.as_bytes())?;
    run.says(&["diff", "other.toml", SCENARIO], 0, &["scenario.title:", "are equal"])?;
    run.says(&["diff", "run.trace", "run.trace", "--seed", "1"], 2, &["--seed is for a scenario"])?;
    let thrice = ["diff", SCENARIO, SCENARIO, "--seed", "1", "--seed", "2", "--seed", "3"];
    run.says(&thrice, 2, &["at most twice"])?;
    let built_on = Path::new(SCENARIO).display().to_string();
    run.says(&["diff", &built_on, "absent.toml"], 3, &["absent.toml cannot be read"]).map(drop)
}
