//! Dashboards of an account at the command line, against a served New Relic.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Failed, Trial};

use super::{Case, Served, check, command, contains, expect};

/// The default account's user key.
const USER_KEY: &str = "NRAK-SHAKEDOWN0000000000000LOCAL";
const FILE: &str = "fixtures/dashboards/lag.json";

const CASES: &[Case] = &[
    ("dashboards_of_nothing", &["dashboards", "apply", "no/such.json"], 3, &["cannot be read"]),
    (
        "dashboards_file_of_another_kind",
        &["dashboards", "diff", "scenarios/steady.toml"],
        3,
        &["steady.toml: line 1, column ", "help: a dashboard is an object with `name`"],
    ),
];

pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static Case| Trial::test(format!("cli/{}", case.0), move || check(case));
    let mut trials: Vec<Trial> = CASES.iter().map(trial).collect();
    trials.push(Trial::test("cli/dashboards_life", life));
    trials.push(Trial::test("cli/dashboards_template", template));
    trials.push(Trial::test("cli/dashboards_refusals", refusals));
    trials.push(Trial::test("cli/dashboards_lost_answers", lost_answers));
    trials
}

/// A verb about dashboards with an account's settings.
fn dashboards(served: &Served, arguments: &[&str]) -> Result<Command, Failed> {
    for_account(served, &[&["dashboards"], arguments].concat())
}

/// A verb with an account's settings, in an environment without others.
pub fn for_account(served: &Served, arguments: &[&str]) -> Result<Command, Failed> {
    let url = format!("http://{}/graphql", served.address("newrelic")?);
    let mut command = command(arguments);
    command
        .env("NEW_RELIC_API_KEY", USER_KEY)
        .env("NEW_RELIC_ACCOUNT_ID", "1")
        .env("NEW_RELIC_NERDGRAPH_BASE_URL", url)
        .env_remove("NEW_RELIC_REGION")
        .stdin(std::process::Stdio::null());
    Ok(command)
}

fn run(served: &Served, arguments: &[&str]) -> Result<Output, Failed> {
    Ok(dashboards(served, arguments)?.output()?)
}

fn json(output: &Output) -> Result<serde_json::Value, Failed> {
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Writes the fixture with `edit` made to its text.
fn edited(folder: &Path, edit: impl Fn(String) -> String) -> Result<PathBuf, Failed> {
    let path = folder.join("edited.json");
    std::fs::write(&path, edit(std::fs::read_to_string(FILE)?))?;
    Ok(path)
}

/// Made, compared, exported, applied again unchanged, changed, deleted.
fn life() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let served = Served::start(&[])?;
    let go = |code: i32, arguments: &[&str], texts: &[&str]| -> Result<Output, Failed> {
        let output = run(&served, arguments)?;
        expect(&output, code, texts)?;
        contains(&String::from_utf8_lossy(&output.stderr), &[]).map(|()| output)
    };
    go(0, &["list", "--deployed"], &["account 1 has no dashboards"])?;
    go(1, &["diff", FILE], &["+ dashboard \"Lag\": the account has none"])?;
    go(0, &["apply", FILE, "--dry-run"], &["2 pages, 3 widgets", "would be created"])?;
    go(2, &["apply", FILE], &["nobody can be asked", "--yes"])?;
    go(0, &["list", "--deployed"], &["account 1 has no dashboards"])?;
    let made = json(&go(0, &["apply", FILE, "--yes", "--format", "json"], &["created"])?)?;
    let guid = made["guid"].as_str().ok_or("no guid")?;
    contains(made["link"].as_str().unwrap_or_default(), &["one.newrelic.com", guid])?;
    go(0, &["diff", FILE], &["is what the file says"])?;
    go(0, &["apply", FILE], &["nothing was changed", guid])?;

    // What is exported goes back unchanged, with ids and without.
    let out = folder.path().join("exported.json");
    let exported = out.to_string_lossy().into_owned();
    for ids in [&[][..], &["--ids"]] {
        let arguments = [&["export", "Lag", "--out", &exported], ids].concat();
        go(0, &arguments, &["exported.json"])?;
        let text = std::fs::read_to_string(&out)?;
        contains(&text, &["Lag by group", "viz.billboard", "Lag is what waits to be read."])?;
        if text.contains("\"guid\"") == ids.is_empty() {
            return Err(format!("ids {ids:?}, but:\n{text}").into());
        }
        go(0, &["diff", &exported], &["is what the file says"])?;
        go(0, &["apply", &exported, "--guid", guid], &["nothing was changed"])?;
    }

    let changed = edited(folder.path(), |text| text.replace("max(consumer", "average(consumer"))?;
    let changed = changed.to_string_lossy();
    let words = ["~ widget \"Lag by group\"", "- SELECT max(", "+ SELECT average("];
    go(1, &["diff", &changed], &words)?;
    go(0, &["apply", &changed, "--dry-run"], &[&words[..], &["would be changed"]].concat())?;
    go(1, &["diff", &changed, "--format", "json"], &["\"same\": false", "nrqlQueries[0].query"])?;
    let before = std::fs::read_to_string(&out)?;
    go(0, &["apply", &changed, "--yes"], &[&words[..], &["was changed"]].concat())?;
    go(0, &["export", guid, "--ids", "--out", &exported], &[])?;
    let after = std::fs::read_to_string(&out)?;
    if after != before.replace("max(consumer", "average(consumer") {
        return Err(format!("pages and widgets did not keep their ids:\n{after}").into());
    }

    go(2, &["delete", "Lag"], &["nobody can be asked", "--confirm"])?;
    go(1, &["delete", guid, "--confirm", "lag"], &["is called `Lag`, not `lag`"])?;
    go(0, &["list", "--deployed"], &["Lag", guid])?;
    go(0, &["delete", "Lag", "--confirm", "Lag"], &["\"Lag\" was deleted"])?;
    go(0, &["list", "--deployed"], &["account 1 has no dashboards"])?;
    go(1, &["export", guid], &["there is no dashboard"])?;
    go(1, &["export", "Lag"], &["no dashboard called `Lag`"]).map(drop)
}

/// A template in one step: its queries read the account, its links lead to its own pages, and
/// nothing is left to do afterwards.
fn template() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let served = Served::start(&[])?;
    let go = |code: i32, arguments: &[&str], texts: &[&str]| -> Result<Output, Failed> {
        let output = run(&served, arguments)?;
        expect(&output, code, texts).map(|()| output)
    };
    let set = ["--set", "name=Orders", "--set", "cluster=orders"];
    let with =
        |verb: &'static str, more: &[&'static str]| [&[verb, "standard"], &set[..], more].concat();
    go(
        0,
        &with("apply", &["--dry-run"]),
        &["dashboard \"Orders\" in account 1: 4 pages", "would be"],
    )?;
    go(1, &with("diff", &[]), &["the account has none"])?;
    go(0, &with("apply", &["--yes"]), &["was created"])?;
    go(0, &with("diff", &[]), &["is what the template says"])?;
    go(0, &with("apply", &[]), &["nothing was changed"])?;
    // Another name is another dashboard, and other settings are a difference.
    go(1, &["diff", "standard"], &["\"Message Queues\": the account has none"])?;
    let other = ["diff", "standard", "--set", "name=Orders", "--set", "cluster=payments"];
    go(1, &other, &["- SELECT", "clusterName = 'orders'", "clusterName = 'payments'"])?;

    let out = folder.path().join("orders.json");
    let exported = out.to_string_lossy().into_owned();
    go(0, &["export", "Orders", "--ids", "--out", &exported], &[])?;
    let stored: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&out)?)?;
    let guid_of = |name: &str| {
        let pages = stored["pages"].as_array().into_iter().flatten();
        pages.filter(|page| page["name"] == name).map(|page| page["guid"].clone()).next()
    };
    let widgets = stored["pages"][0]["widgets"].as_array().into_iter().flatten();
    let linked: Vec<_> = widgets
        .map(|widget| widget["linkedEntityGuids"][0].clone())
        .filter(|l| !l.is_null())
        .collect();
    let pages =
        ["Infrastructure & Cost", "Topics & Partitions", "Consumer Groups", "Topics & Partitions"];
    let expected: Vec<_> = pages.iter().filter_map(|name| guid_of(name)).collect();
    if linked != expected || linked.len() != pages.len() {
        return Err(format!("links lead to {linked:?}, not {expected:?}").into());
    }
    // A file without ids holds names, so that it makes a whole dashboard elsewhere too.
    go(0, &["export", "Orders", "--out", &exported], &[])?;
    contains(&std::fs::read_to_string(&out)?, &["\"page:Consumer Groups\""])?;
    go(0, &["diff", &exported], &["is what the file says"])?;
    go(0, &["delete", "Orders", "--confirm", "Orders"], &["was deleted"])?;
    go(0, &["apply", &exported, "--yes"], &["was created"])?;
    go(0, &with("diff", &[]), &["is what the template says"])?;

    later_page(&served, &out)?;
    go(2, &["apply", FILE, "--set", "cluster=x", "--yes"], &["--set is for templates"])?;
    go(3, &["apply", "standart", "--yes"], &["did you mean the template `standard`?"])?;
    go(2, &["apply", "standard", "--set", "clutser=x"], &["did you mean `cluster`?"]).map(drop)
}

/// A page that comes later is linked to as well.
fn later_page(served: &Served, file: &Path) -> Result<(), Failed> {
    let path = file.to_string_lossy();
    let go = |arguments: &[&str], texts: &[&str]| expect(&run(served, arguments)?, 0, texts);
    let text = std::fs::read_to_string(file)?;
    let mut later: serde_json::Value = serde_json::from_str(&text)?;
    let mut page = later["pages"][3].clone();
    page["name"] = "More topics".into();
    later["pages"].as_array_mut().ok_or("no pages")?.push(page);
    let linking = text.matches("page:Topics & Partitions").count();
    let later = later.to_string().replace("page:Topics & Partitions", "page:More topics");
    std::fs::write(file, later)?;
    go(&["apply", &path, "--dry-run"], &["+ page \"More topics\"", "+ page:More topics"])?;
    go(&["apply", &path, "--yes"], &["was changed"])?;
    go(&["diff", &path], &["is what the file says"])?;
    if linking == 0 { Err("no link was looked at".into()) } else { Ok(()) }
}

/// Keys, accounts, inputs and names that New Relic or we refuse; no key is ever printed.
fn refusals() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let served = Served::start(&[])?;
    let secret = "NRAK-THIS0IS0NOT0A0KEY0OF0NEWREL";
    let with = |variable: &str, value: &str, code: i32, texts: &[&str]| -> Result<(), Failed> {
        let output = dashboards(&served, &["list", "--deployed"])?.env(variable, value).output()?;
        expect(&output, code, texts)?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        match [secret, USER_KEY].iter().find(|key| said.contains(**key)) {
            Some(_) => Err("a key was printed".into()),
            None => Ok(()),
        }
    };
    with("NEW_RELIC_API_KEY", secret, 4, &["does not accept the user key", "NEW_RELIC_API_KEY"])?;
    with("NEW_RELIC_API_KEY", "", 2, &["there is no user key", "NEW_RELIC_API_KEY"])?;
    with("NEW_RELIC_API_KEY", "a\tb", 2, &["NEW_RELIC_API_KEY is no key"])?;
    with("NEW_RELIC_ACCOUNT_ID", "", 2, &["no account is named", "--account"])?;
    with("NEW_RELIC_ACCOUNT_ID", "x", 2, &["not a New Relic account id"])?;
    with("NEW_RELIC_REGION", "mars", 2, &["`mars` is no region"])?;
    with("NEW_RELIC_NERDGRAPH_BASE_URL", "nowhere", 2, &["is no address of NerdGraph"])?;
    let closed = "http://127.0.0.1:1/graphql";
    with("NEW_RELIC_NERDGRAPH_BASE_URL", closed, 4, &["no answer from NerdGraph"])?;
    // The default user's key does not open this account.
    let output = run(&served, &["apply", FILE, "--yes", "--account", "2"])?;
    expect(&output, 4, &["Account 2 is not accessible"])?;
    let wrong = edited(folder.path(), |text| text.replace("\"accountId\": 1", "\"accountId\": 0"))?;
    let output = run(&served, &["apply", &wrong.to_string_lossy(), "--yes"])?;
    expect(&output, 3, &["INVALID_INPUT", "accountId"])?;
    // Two dashboards of one name: neither is taken for the other.
    let make = ["apply", FILE, "--yes", "--format", "json"];
    let guid = json(&run(&served, &make)?)?["guid"].as_str().ok_or("no guid")?.to_owned();
    let twin = edited(folder.path(), |text| text.replacen("\"Lag\"", "\"Twin\"", 1))?;
    expect(&run(&served, &["apply", &twin.to_string_lossy(), "--yes"])?, 0, &["created"])?;
    let renamed = ["apply", &*twin.to_string_lossy(), "--guid", &guid, "--yes"];
    expect(&run(&served, &renamed)?, 0, &["~ name", "was changed"])?;
    let output = run(&served, &["delete", "Twin", "--confirm", "Twin"])?;
    expect(&output, 1, &["has 2 dashboards called `Twin`", &guid, "by its GUID"])?;
    let throttled = Served::start(&["--fault", "too_many_requests:target=nerdgraph"])?;
    expect(
        &run(&throttled, &["list", "--deployed"])?,
        4,
        &["too many requests", "try again in a minute"],
    )
}

/// Runs again, as the message says, while so many answers are lost that New Relic is out of reach.
fn until_reached(served: &Served, arguments: &[&str]) -> Result<Output, Failed> {
    const RUNS_MAX: usize = 8;
    let mut output = run(served, arguments)?;
    for _ in 1..RUNS_MAX {
        if output.status.code() != Some(4) {
            break;
        }
        output = run(served, arguments)?;
    }
    Ok(output)
}

/// Whatever share of the answers is lost, a dashboard that is applied is there, and once.
fn lost_answers() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let fault = "accepted_then_lost:target=nerdgraph,share=0.3";
    let served = Served::start(&["--fault", fault])?;
    let mut found_out = 0;
    for name in ["A", "B", "C", "D"] {
        let file = edited(folder.path(), |text| text.replacen("\"Lag\"", &format!("{name:?}"), 1))?;
        let output = run(&served, &["apply", &file.to_string_lossy(), "--yes"])?;
        expect(&output, 0, &["was created"])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        found_out += usize::from(said.contains("New Relic's answer was lost"));
    }
    // Pages that link to each other take two changes, and either answer may be lost.
    for name in ["E", "F", "G", "H"] {
        let set = format!("name={name}");
        let output = until_reached(&served, &["apply", "standard", "--set", &set, "--yes"])?;
        expect(&output, 0, &[&format!("dashboard \"{name}\"")])?;
        let output = until_reached(&served, &["apply", "standard", "--set", &set])?;
        expect(&output, 0, &["nothing was changed"])?;
    }
    let listed = json(&run(&served, &["list", "--deployed", "--format", "json"])?)?;
    let names: Vec<&str> = listed["dashboards"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|dashboard| dashboard["name"].as_str())
        .collect();
    if names != ["A", "B", "C", "D", "E", "F", "G", "H"] {
        return Err(format!("{names:?}").into());
    }
    if found_out == 0 {
        return Err("no answer to a mutation was lost: choose another share".into());
    }
    Ok(())
}
