//! Every rule of the walk as a rendered diagnostic, and the laws of masking.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::config::quantity::{DurationText, SizeText};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
struct Sample {
    title: String,
    interval: Option<DurationText>,
    size: Option<SizeText>,
    #[schemars(range(min = 1, max = 9))]
    level: Option<u8>,
    ratio: Option<f64>,
    #[serde(default)]
    #[schemars(length(min = 1))]
    names: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    server: Vec<Server>,
    #[serde(default)]
    fault: Vec<Fault>,
    mode: Option<Mode>,
    disk: Option<Disk>,
    license_key: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
struct Server {
    host: String,
    port: u16,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
enum Fault {
    Crash { host: String },
    Partition { from: String, to: String },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
struct Disk {
    operation: Mode,
    sure: Option<bool>,
    #[schemars(extend("examples" = [["a", "b"]]))]
    between: Option<[String; 2]>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Fast,
    Slow,
}

fn read(text: &str) -> Result<Sample, FileProblems> {
    TomlFile::parse("config", "sample.toml", text)?.read()
}

fn rendered(text: &str) -> String {
    read(text).expect_err(text).render(false)
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/config"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_valid_file_is_read() {
    let sample = read(
        "title = 'x'\ninterval = '5min'\nlevel = 9\nratio = 1\nmode = 'fast'\ntags = { a = 'b' }\n\
         server = [{ host = 'h', port = 1 }]\n[[fault]]\nkind = 'partition'\nfrom = 'a'\nto = 'b'\n",
    );
    let sample = sample.expect("valid");
    assert_eq!(sample.interval, Some(DurationText::from_secs(300)));
    assert!(matches!(&sample.fault[..], [Fault::Partition { from, .. }] if from == "a"));
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = r#"titel = "x"
interval = "15"
size = "1 meg"
level = 10
ratio = "half"
names = []
tags = { a = 1 }
mode = "fsat"

[[server]]
hots = "a"
port = 70000

[[server]]
port = "9092"

[[fault]]
kind = "crush"
host = "a"

[[fault]]
kind = "partition"
from = "a"
too = "b"

[[fault]]
host = "a"
"#;
    snapshot("toml_every_problem", &rendered(text));
}

#[test]
fn syntax_errors_have_places() {
    snapshot("toml_syntax", &rendered("title = \"x\nlevel = 3\nratio = = 4\n[[server]\n"));
}

#[test]
fn every_problem_of_a_key_has_its_fix() {
    let cases = [
        ("level = 'three'", "write a whole number without quotation marks"),
        ("ratio = 'half'", "write a number without quotation marks"),
        ("names = 'a'", "write values in [ ]"),
        ("server = [{ port = 1 }]", "add `host = …`, a text in quotation marks"),
        ("disk = {}", "add `operation`, one of `fast` or `slow`"),
        ("disk = { ops = 'fast', operation = 'fast' }", "did you mean `operation`?"),
        ("disk = { operation = 'fast', sure = 'yes' }", "write true or false without quotation"),
        ("disk = { operation = 'fast', between = ['a'] }", "give exactly 2, for example [\"a\""),
        ("disk = { operation = 'fast', between = ['a', 'b', 'c'] }", "give exactly 2, for"),
    ];
    for (text, fix) in cases {
        let problems = read(&format!("title = ''\n{text}")).expect_err(text);
        let [problem] = problems.problems() else { panic!("{text}: {problems:?}") };
        let help = problem.help().map(|help| help.to_string()).unwrap_or_default();
        assert!(help.starts_with(fix), "{text}: {help}");
    }
}

#[test]
fn what_follows_the_first_syntax_errors_is_counted() {
    let text = "{ \"a\": 1,\n".repeat(100);
    let problems = read(&text).expect_err("no TOML");
    assert_eq!(problems.problems().len(), 3);
    assert!(problems.render(false).contains(" more syntax errors follow"), "{problems:?}");
}

#[test]
fn codes_and_lines() {
    let cases = [
        ("", "shakedown::config::missing_key", (1, 1)),
        ("title = 3", "shakedown::config::wrong_type", (1, 9)),
        ("title = ''\nlevel = 0", "shakedown::config::out_of_range", (2, 9)),
        ("title = ''\nlevel = -99999999999999999999", "shakedown::config::out_of_range", (2, 9)),
        ("title = ''\nlevel = 1.5", "shakedown::config::wrong_type", (2, 9)),
        ("title = ''\nmode = 'quick'", "shakedown::config::unknown_value", (2, 8)),
        ("title = ''\nmode = 3", "shakedown::config::wrong_type", (2, 8)),
        ("title = ''\nfault = ['x']", "shakedown::config::wrong_type", (2, 10)),
        ("title = ''\ntitle = ''", "shakedown::config::syntax", (2, 1)),
        ("title = 1979-05-27", "shakedown::config::wrong_type", (1, 9)),
        ("title = ''\nratio = nan", "shakedown::config::out_of_range", (2, 9)),
        ("title = ''\n[[fault]]\nkind = 1", "shakedown::config::wrong_type", (3, 8)),
    ];
    for (text, code, place) in cases {
        let problems = read(text).expect_err(text);
        let [problem] = problems.problems() else { panic!("{text}: {problems:?}") };
        assert_eq!((problem.code(), problem.line_and_column()), (code, place), "{text}");
    }
}

#[test]
fn own_rules_point_at_their_place() {
    let text = "title = 'x'\n[[server]]\nhost = 'a'\nport = 1\n[[server]]\nhost = 'a'\nport = 2\n";
    let file = TomlFile::parse("config", "sample.toml", text).expect("valid");
    let place = Place::root().key("server").at(1).key("host");
    assert_eq!(place.to_string(), "server[1].host");
    assert_eq!(&text[file.span(&place)], "'a'");
    assert_eq!(file.span(&place).start, text.rfind("'a'").expect("there"));
    let problem = file.problem("duplicate", &place, "host `a` appears twice", "rename one");
    let problems = file.require(vec![problem]).expect_err("one problem");
    assert_eq!(problems.to_string(), "sample.toml:6:8: host `a` appears twice");
    // A place that does not exist points at the nearest table around it.
    let absent = Place::root().key("server").at(0).key("absent");
    assert!(text[file.span(&absent)].starts_with("[[server]]"));
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let text = format!("title = '{}'", "x".repeat(FILE_BYTES_MAX));
    let problems = read(&text).expect_err("too long");
    assert_eq!(problems.problems()[0].code(), "shakedown::config::too_long");
}

#[test]
fn suggestions() {
    let known = ["interval", "bootstrap", "jmx_port", "gzip"];
    let cases = [
        ("intervall", Some("interval")),
        ("Interval", Some("interval")),
        ("jmx-port", Some("jmx_port")),
        ("botostrap", Some("bootstrap")),
        ("zip", Some("gzip")),
        ("colour", None),
        ("", None),
    ];
    for (written, expected) in cases {
        assert_eq!(nearest(written, known), expected, "{written}");
    }
}

const CANARY: &str = "c4n4ry";

#[test]
fn secrets_are_masked_wherever_a_file_is_wrong() {
    let cases = [
        "license_kye = 'c4n4ry'",
        "license_key = ['c4n4ry']",
        "license_key = 'c4n4ry\ntitle = 1",
        "license_key = c4n4ry",
        "license_key = \"\"\"\nc4n4ry\n\"\"\"\ntitle = 1",
        "license_key = \"\"\"\nc4n4ry",
        "a = { license-key = 'c4n4ry' }",
        "LICENSE_KEY='c4n4ry'",
        "license_key = 'c4n4ry', title = 3",
        "title = 3\nlicense_key = 'a\"c4n4ry'",
        "secret.token = 'c4n4ry'\nlevel = 'c'",
        "title = 3 # license_key = c4n4ry",
        "license_key =\n'c4n4ry'",
        "license_key 'c4n4ry'",
        "license_key: c4n4ry",
        "license_key = [\n  'c4n4ry'\n]",
        "# old license_key = 'c4n4ry'\ntitle = 3",
    ];
    for text in cases {
        let problems = read(text).expect_err(text);
        for shown in [
            problems.render(false),
            problems.render(true),
            problems.to_string(),
            format!("{problems:?}"),
        ] {
            assert!(!shown.contains(CANARY), "{text}:\n{shown}");
        }
    }
}

#[test]
fn new_relic_keys_are_masked_anywhere() {
    let cases = [
        ("title = NRAK-ABCDEF", "title = ***********"),
        (
            "x = '0123456789012345678901234567890123NRAL'",
            "x = '**************************************'",
        ),
        ("title = 'short NRAL'", "title = 'short NRAL'"),
    ];
    for (text, expected) in cases {
        assert_eq!(mask::mask(text), expected);
    }
    let shown = rendered("title = 'x'\nmode = 'NRAK-C4N4RY'");
    assert!(!shown.contains("C4N4RY"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_diagnosed(text in "[a-z\"'=\\[\\]{}., \n0-9_é-]{0,80}") {
        if let Err(problems) = read(&text) {
            proptest::prop_assert!(!problems.problems().is_empty());
            proptest::prop_assert!(problems.render(false).contains("shakedown::config::"));
        }
    }

    #[test]
    fn masking_keeps_every_byte_in_its_place(text in "(license_key|a|=|\"|'|\n| |é|,|NRAK-é?x){0,30}") {
        let masked = mask::mask(&text);
        proptest::prop_assert_eq!(masked.len(), text.len());
        let newlines = |text: &str| text.match_indices('\n').map(|(at, _)| at).collect::<Vec<_>>();
        proptest::prop_assert_eq!(newlines(&masked), newlines(&text));
    }
}
