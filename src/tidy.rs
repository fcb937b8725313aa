//! House rules that no compiler checks, as a test: import edges, sizes, module heads, banned items.
//!
//! Invariants:
//! - Every rule is a pure function over one file's text, with its own test that shows it failing.
//! - The walk fails when it meets fewer files than the tree is known to have.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;
const TEST_FILE_LINES_MAX: usize = 1_200;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
const BLOB_BYTES_MAX: u64 = 512 * 1024;

/// Which rooms a room may name with `crate::`. `sim`'s own rooms count as `sim`.
const EDGES: &[(&str, &[&str])] = &[
    ("sometimes", &[]),
    ("domain", &[]),
    ("workload", &["domain"]),
    ("transform", &["sometimes", "domain"]),
    ("aggregate", &["sometimes", "domain", "transform"]),
    ("synthesize", &["sometimes", "domain", "aggregate"]),
    ("custom_metrics", &["domain", "aggregate", "nrql"]),
    ("hooks", &["domain", "transform", "aggregate", "custom_metrics", "ports", "resilience"]),
    ("graph", &["domain"]),
    ("definitions", &[]),
    ("dashboards", &["domain", "nrql"]),
    ("alerts", &["domain", "nrql"]),
    ("nrql", &["domain"]),
    ("hybrid", &["sometimes", "domain", "workload", "transform", "aggregate"]),
    ("kafka_wire", &[]),
    ("ports", &["domain", "rt"]),
    ("rt", &["ports"]),
    ("resilience", &["sometimes", "domain", "ports", "rt"]),
    (
        "config",
        &[
            "domain",
            "hybrid",
            "workload",
            "transform",
            "aggregate",
            "custom_metrics",
            "hooks",
            "ports",
            "newrelic",
            "resilience",
            "stream",
        ],
    ),
    ("newrelic", &["domain", "dashboards", "ports", "resilience"]),
    ("stream", &["sometimes", "domain", "ports", "rt", "resilience", "newrelic"]),
    ("collect", &["sometimes", "domain", "kafka_wire", "ports", "rt", "resilience"]),
    (
        "pipeline",
        &[
            "sometimes",
            "domain",
            "transform",
            "aggregate",
            "synthesize",
            "hybrid",
            "custom_metrics",
            "hooks",
            "ports",
            "rt",
            "resilience",
            "collect",
            "stream",
            "newrelic",
            "config",
        ],
    ),
    ("bdd", &["domain", "config", "hybrid", "nrql", "alerts", "dashboards", "sim"]),
    ("adapters", &["domain", "ports", "rt"]),
    // Not the pure rooms that make the figures: the oracle must not judge them by themselves.
    (
        "sim",
        &[
            "sometimes",
            "domain",
            "workload",
            "hybrid",
            "definitions",
            "kafka_wire",
            "ports",
            "rt",
            "resilience",
            "collect",
            "stream",
            "newrelic",
            "nrql",
            "alerts",
            "pipeline",
            "config",
        ],
    ),
];

/// Rooms without a row above may name every room.
const UNRESTRICTED: &[&str] = &["http", "cli", "fuzzing", "lib", "main", "tidy"];

/// Where a determinism ban may be lifted, each with a `reason` that clippy demands.
const BAN_LIFTED_IN: &[&str] = &["adapters", "rt", "sim/kernel", "sim/turmoil", "sim/run", "cli"];

const BANNED: &[(&str, &str)] = &[
    (concat!("#[", "ignore"), "run it or delete it"),
    (concat!("#[", "should_panic"), "assert on a Result instead"),
    (concat!("#[", "allow("), "use #[expect(…, reason = …)]"),
    (concat!("/", "work/"), "a path of somebody's machine"),
    (concat!("sub", "agent"), "the project speaks of itself alone"),
    (concat!("FIX", "ME"), "mend it or open an issue"),
    (concat!("TO", "DO"), "do it or open an issue"),
];

fn room(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The part of a file that is not its trailing test module.
fn production(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests").map_or(text, |at| &text[..at])
}

fn code(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("/conformance/")
}

/// Rooms named after `crate::`, also within `use crate::{…}` on one line.
fn rooms_named(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let list = rest.strip_prefix('{').map_or(rest, |inner| inner);
        let names = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        for name in names {
            let name: String =
                name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            rooms.push(name);
        }
    }
    rooms.retain(|name| !name.is_empty());
    rooms
}

fn edge_faults(path: &str, text: &str) -> Vec<String> {
    let from = room(path);
    if UNRESTRICTED.contains(&from) || is_test_file(path) {
        return Vec::new();
    }
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == from) else {
        return vec![format!("{path}: room `{from}` has no row in the edge table")];
    };
    // What judges the pipeline's figures may not be what makes them.
    let is_oracle = path.starts_with("src/sim/oracle/");
    let known =
        |name: &str| EDGES.iter().any(|(room, _)| *room == name) || ["http", "cli"].contains(&name);
    let mut faults = Vec::new();
    for (number, line) in production(text).lines().enumerate() {
        let line = code(line);
        if is_oracle && line.contains("crate::domain") && !line.contains("crate::domain::units") {
            faults.push(format!("{path}:{}: the oracle has its own `domain`", number + 1));
        }
        for to in rooms_named(line) {
            if known(&to) && to != from && !allowed.contains(&to.as_str()) {
                faults.push(format!("{path}:{}: `{from}` must not use `{to}`", number + 1));
            }
        }
    }
    faults
}

fn size_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let limit = if is_test_file(path) { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let lines = text.lines().count();
    if lines > limit {
        faults.push(format!("{path}: {lines} lines, at most {limit}"));
    }
    for (number, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX && !line.contains('"') && !line.contains("http") {
            faults.push(format!("{path}:{}: {columns} columns", number + 1));
        }
    }
    faults.extend(long_functions(path, text));
    faults
}

/// Functions whose body is too long; relies on rustfmt's closing brace at the `fn`'s indentation.
fn long_functions(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut faults = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let is_fn = ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(crate) fn ", "const fn "]
            .iter()
            .any(|head| trimmed.starts_with(head))
            || (trimmed.starts_with("pub(") && trimmed.contains(" fn "));
        if !is_fn {
            continue;
        }
        let indent = &line[..line.len() - trimmed.len()];
        let close = format!("{indent}}}");
        // A line at its own indentation ends it: a brace the body, a semicolon the signature.
        let ends = |l: &&str| *l == close || (outdent(l) == indent.len() && l.ends_with(';'));
        let Some(length) = lines[start..].iter().position(ends) else { continue };
        if length + 1 > FUNCTION_LINES_MAX {
            faults.push(format!("{path}:{}: function of {} lines", start + 1, length + 1));
        }
    }
    faults
}

fn outdent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn head_faults(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//!") || path.ends_with("tests.rs") {
        return Vec::new();
    }
    vec![format!("{path}: does not begin with a `//!` that says its purpose")]
}

fn banned_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (item, why) in BANNED {
            if line.contains(item) {
                faults.push(format!("{path}:{}: `{item}`: {why}", number + 1));
            }
        }
        let lifts =
            line.contains("expect(clippy::disallowed") || line.contains("clippy::disallowed_");
        let inside = path.strip_prefix("src/").unwrap_or(path);
        let allowed = !path.starts_with("src/")
            || is_test_file(path)
            || path == "src/tidy.rs"
            || BAN_LIFTED_IN.iter().any(|room| inside.starts_with(room));
        if lifts && !allowed {
            faults.push(format!("{path}:{}: lifts a determinism ban here", number + 1));
        }
    }
    faults
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("readable entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("named").to_string_lossy().into_owned();
        if name == "target" || name == ".git" || name.starts_with("corpus") {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn tree() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(root, &mut found);
    let relative = |path: &PathBuf| {
        path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned()
    };
    found.iter().map(|path| (relative(path), path.clone())).collect()
}

#[test]
fn sources_keep_the_house_rules() {
    let mut faults = Vec::new();
    let mut examined = 0;
    for (name, path) in tree() {
        if !name.ends_with(".rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8 source");
        examined += 1;
        faults.extend(size_faults(&name, &text));
        faults.extend(head_faults(&name, &text));
        faults.extend(banned_faults(&name, &text));
        if name.starts_with("src/") {
            faults.extend(edge_faults(&name, &text));
        }
    }
    assert!(examined >= 20, "only {examined} sources found");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn documents_speak_of_the_project_alone() {
    let mut faults = Vec::new();
    let mut examined = 0;
    for (name, path) in tree() {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let bytes = fs::metadata(&path).expect("readable").len();
        if bytes > BLOB_BYTES_MAX {
            faults.push(format!("{name}: {bytes} bytes; no large blobs"));
        }
        if ["md", "toml", "sh", "py", "yml"].contains(&extension) {
            examined += 1;
            faults.extend(banned_faults(&name, &fs::read_to_string(&path).expect("UTF-8")));
        }
    }
    assert!(examined >= 5, "only {examined} documents found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn changelog_has_its_form() {
    let text = include_str!("../CHANGELOG.md");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("# Changelog"));
    let releases: Vec<_> = lines.filter(|line| line.starts_with("## ")).collect();
    assert!(!releases.is_empty());
    for release in releases {
        let name = &release[3..];
        let well_formed = name == "Unreleased"
            || name.split_once(" - ").is_some_and(|(version, date)| {
                version.split('.').count() == 3 && date.split('-').count() == 3
            });
        assert!(well_formed, "`{release}` is neither `## Unreleased` nor `## 1.2.3 - 2026-01-31`");
    }
}

#[test]
fn each_rule_can_fail() {
    let long_file = "//! x\n".repeat(FILE_LINES_MAX + 1);
    let long_fn = format!("//! x\nfn f() {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LINES_MAX));
    let ignored = concat!("//! x\n#[", "ignore]\n");
    let lifted = "//! x\n#[expect(clippy::disallowed_methods, reason = \"r\")]\n";
    let cases: &[(&str, Vec<String>)] = &[
        ("edge", edge_faults("src/domain/a.rs", "use crate::ports::Net;\n")),
        ("edge in braces", edge_faults("src/adapters/a.rs", "use crate::{rt, sim};\n")),
        ("edge by path", edge_faults("src/rt/a.rs", "let x = crate::sim::f();\n")),
        ("oracle", edge_faults("src/sim/oracle/a.rs", "use crate::domain::guid::EntityGuid;\n")),
        ("unknown room", edge_faults("src/nowhere/a.rs", "")),
        ("file size", size_faults("src/a.rs", &long_file)),
        ("function size", size_faults("src/a.rs", &long_fn)),
        ("columns", size_faults("src/a.rs", &"x".repeat(COLUMNS_MAX + 1))),
        ("head", head_faults("src/a.rs", "use std::fs;\n")),
        ("banned", banned_faults("src/a.rs", ignored)),
        ("lifted ban", banned_faults("src/domain/a.rs", lifted)),
    ];
    for (rule, faults) in cases {
        assert_eq!(faults.len(), 1, "{rule}: {faults:?}");
    }
    assert!(edge_faults("src/sim/a.rs", "use crate::domain::units::UnixMillis;\n").is_empty());
    assert!(edge_faults("src/domain/a.rs", "// crate::sim is not code\n").is_empty());
    assert!(banned_faults("src/adapters/a.rs", lifted).is_empty());
}
