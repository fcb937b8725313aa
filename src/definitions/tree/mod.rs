//! A document of any schema as a tree whose every node knows its place.
//!
//! Two readers make it: [`yaml`] and [`json`]. Checks walk the tree with [`Walk`] and so find all
//! problems of a file at once instead of the first.
//!
//! Invariants: a key occurs once in a map; depth, nodes and bytes are bounded, also behind aliases.

mod json;
mod typed;
mod walk;
mod yaml;

use super::error::{DefinitionError, Place};
use super::source::Source;

pub(super) use typed::typed;
pub(super) use walk::{Fields, Walk, nearest};

/// Bytes of a file; the greatest public one, a dashboard, has a third of it.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;
/// Lists and maps within each other.
const DEPTH_MAX: usize = 64;

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct At {
    pub line: u64,
    pub column: u64,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub at: At,
    pub value: Value,
}

/// A value. Numbers keep the text of their shortest form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub at: At,
    pub value: Node,
}

impl Node {
    /// What it is, for complaints.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// The file as a whole, or a place in it.
pub(super) fn place(source: Source<'_>, at: At) -> Place {
    Place { file: source.path.to_owned(), line: at.line, column: at.column }
}

/// Reads the file as YAML, or as JSON when its name says so; `None` when it has no tree. A key that
/// is given twice is a problem and the first of its values counts: one public definition, of
/// EXT-SERVICE, has such a key.
pub(super) fn parse(source: Source<'_>, problems: &mut Vec<DefinitionError>) -> Option<Node> {
    if source.text.len() > FILE_BYTES_MAX {
        problems.push(too_large(source));
        return None;
    }
    // Editors of one system write a byte order mark, which neither format wants.
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    let source = Source { path: source.path, text };
    if source.path.ends_with(".json") {
        json::parse(source, problems)
    } else {
        yaml::parse(source, problems)
    }
}

/// The problem of a file above [`FILE_BYTES_MAX`].
fn too_large(source: Source<'_>) -> DefinitionError {
    let problem = format!("the file is larger than {FILE_BYTES_MAX} bytes");
    let fix = "split it, or remove what does not belong in it";
    DefinitionError::error(Place::file(source.path), "file-size", problem, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as one line: `{key@line:column=value}`.
    fn show(node: &Node) -> String {
        let list = |parts: Vec<String>| parts.join(", ");
        match &node.value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.clone(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", list(items.iter().map(show).collect())),
            Value::Map(entries) => {
                let entry = |e: &Entry| {
                    format!("{}@{}:{}={}", e.key, e.at.line, e.at.column, show(&e.value))
                };
                format!("{{{}}}", list(entries.iter().map(entry).collect()))
            }
        }
    }

    fn read(path: &str, text: &str) -> String {
        let mut problems = Vec::new();
        let tree = parse(Source { path, text }, &mut problems);
        assert_eq!(tree.is_none(), problems.iter().any(|problem| problem.code != "key-twice"));
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.into_iter().chain(tree.as_ref().map(show)).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn yaml_as_js_yaml_reads_it() {
        let check =
            |text: &str, expected: &str| assert_eq!(read("x.yml", text), expected, "{text:?}");
        check(
            "a: 1\nb: [x, 'y', true, ~, 1.5]\n",
            "{a@1:1=1, b@2:1=[\"x\", \"y\", true, null, 1.5]}",
        );
        check("\u{feff}a: b\r\nc:\r\n  d: e\r\n", "{a@1:1=\"b\", c@2:1={d@3:3=\"e\"}}");
        // Tabs at line ends and between a key and its value.
        check(
            "a: b\t\nc:\t d\n\t\ne:\t\n  f: g\n",
            "{a@1:1=\"b\", c@2:1=\"d\", e@4:1={f@5:3=\"g\"}}",
        );
        check("a: 'x\ty'\n", "{a@1:1=\"x\\ty\"}");
        check("a: &x {b: 1}\nc: *x\n", "{a@1:1={b@1:8=1}, c@2:1={b@2:4=1}}");
        check("5: x\ntrue: y\non: TRUE\n", "{5@1:1=\"x\", true@2:1=\"y\", on@3:1=true}");
        check("a: |\n  one\n  two\n", "{a@1:1=\"one\\ntwo\\n\"}");
        check("", "null");
        check("---\na: 1\n", "{a@2:1=1}");
    }

    #[test]
    fn broken_yaml_has_a_place() {
        let check = |text: &str, expected: &str| {
            let told = read("x.yml", text);
            assert!(told.starts_with(expected), "{text:?}: {told}");
        };
        let fix = "keep one of them | {a@1:1=1}";
        check("a: 1\na: 2\n", &format!("x.yml:2:1: key `a` is given twice; {fix}"));
        check("a:\n  b: [1\nc: 2\n", "x.yml:3:");
        check("a:\n\tb: 1\n", "x.yml:2:");
        check("a: 1\n---\nb: 2\n", "x.yml:3:1: a second document begins");
        check("a: *x\n", "x.yml:1:");
        check(&"- ".repeat(100), "x.yml:1:");
        check(&format!("a: {}", "x".repeat(FILE_BYTES_MAX)), "x.yml: the file is larger than");
    }

    #[test]
    fn json_has_places_too() {
        let check =
            |text: &str, expected: &str| assert_eq!(read("x.json", text), expected, "{text:?}");
        check(
            "\u{feff}{\r\n \"a\": [1, -2.5e3, true, null],\n\t\"b\": {\"c\": \"\\u00e9\\ud83d\\ude00\\n\"}}",
            "{a@2:2=[1, -2500, true, null], b@3:2={c@3:8=\"é😀\\n\"}}",
        );
        check("[]", "[]");
        check("  \"x\" ", "\"x\"");
        check("9007199254740993", "9007199254740993");
        check("12345678901234567890123", "1.2345678901234568e+22");
        let fails = |text: &str, expected: &str| {
            let told = read("x.json", text);
            assert!(told.starts_with(expected), "{text:?}: {told}");
        };
        fails("", "x.json:1:1: a value is missing");
        fails("[\n{]", "x.json:2:2: a key in double quotes is missing");
        fails("[1,]", "x.json:1:4: a value is missing");
        fails("{\"a\": 1,\n}", "x.json:2:1: a key in double quotes is missing");
        fails("[1 2]", "x.json:1:4: `,` or `]` is missing");
        fails("{\"a\" 1}", "x.json:1:6: `:` is missing");
        let twice = "x.json:1:10: key `a` is given twice; keep one of them | {a@1:2=1}";
        fails("{\"a\": 1, \"a\": 2}", twice);
        fails("[1] x", "x.json:1:5: text after the end");
        fails("\"a\nb\"", "x.json:1:1: ");
        fails("\"a", "x.json:1:1: the text has no end");
        fails("[tru]", "x.json:1:2: a value is missing");
        fails("[01]", "x.json:1:2: `01` is no number");
        fails("[NaN]", "x.json:1:2: a value is missing");
        fails("[1e999]", "x.json:1:2: `1e999` is no number");
        fails("\"\\x\"", "x.json:1:1: ");
        fails(&"[".repeat(100), "x.json:1:65: more than 64 lists and maps within each other");
    }
}
