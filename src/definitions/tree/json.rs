//! JSON to a tree with places.
//!
//! serde_json gives a place only to errors of syntax; checks of a dashboard need one for every
//! widget. Texts and numbers are decoded by serde_json all the same.

use indexmap::IndexSet;

use super::{At, DEPTH_MAX, Entry, Node, Value};
use crate::definitions::error::{DefinitionError, Place};
use crate::definitions::source::Source;

/// Reads the one value of `source`.
pub(super) fn parse(source: Source<'_>, problems: &mut Vec<DefinitionError>) -> Option<Node> {
    let mut reader = Reader { text: source.text, at: 0, line: 1, line_start: 0, twice: Vec::new() };
    let node = reader.value(0).and_then(|node| {
        reader.space();
        match reader.rest().is_empty() {
            true => Ok(node),
            false => Err(reader.fault("text after the end", "write one value only")),
        }
    });
    let problem = |fault: Fault, code| {
        let At { line, column } = fault.at;
        let place = Place { file: source.path.to_owned(), line, column };
        DefinitionError::error(place, code, fault.problem, fault.fix)
    };
    problems.extend(reader.twice.into_iter().map(|fault| problem(fault, "key-twice")));
    node.map_err(|fault| problems.push(problem(fault, "json"))).ok()
}

struct Fault {
    at: At,
    problem: String,
    fix: &'static str,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    line_start: usize,
    /// Keys that are given twice.
    twice: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn here(&self) -> At {
        let before = self.text.get(self.line_start..self.at).unwrap_or_default();
        At { line: self.line, column: before.chars().count() as u64 + 1 }
    }

    fn fault(&self, problem: impl Into<String>, fix: &'static str) -> Fault {
        Fault { at: self.here(), problem: problem.into(), fix }
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        self.space();
        let at = self.here();
        let value = match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => {
                let problem = format!("more than {DEPTH_MAX} lists and maps within each other");
                return Err(self.fault(problem, "flatten the document"));
            }
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node { at, value })
    }

    fn word(&mut self) -> Result<Value, Fault> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let value = match &rest[..end] {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(self.fault("a value is missing", "write one, or remove the comma")),
        };
        self.at += end;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let rest = self.rest();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
        let text = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) => {
                self.at += text.len();
                let whole = number.as_f64().filter(|v| number.is_f64() && v.fract() == 0.0);
                let text = match whole.filter(|whole| whole.abs() < 1e15) {
                    Some(whole) => format!("{whole:.0}"),
                    None => number.to_string(),
                };
                Ok(Value::Number(text))
            }
            Err(_) => Err(self.fault(format!("`{text}` is no number"), "write a finite number")),
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut end = 1;
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let Some(text) = rest.get(..=end) else {
            return Err(self.fault("the text has no end", "close it with a double quote"));
        };
        match serde_json::from_str::<String>(text) {
            Ok(value) => {
                self.at += text.len();
                Ok(value)
            }
            Err(error) => {
                let problem = error.to_string();
                let problem = problem.split(" at line").next().unwrap_or_default();
                Err(self.fault(problem, "escape it as JSON wants"))
            }
        }
    }

    /// Whether the list or map goes on after a value.
    fn goes_on(&mut self, close: u8) -> Result<bool, Fault> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => {
                let problem = format!("`,` or `{}` is missing", char::from(close));
                Err(self.fault(problem, "add it"))
            }
        }
    }

    /// Whether the list or map that begins here is empty; then it is behind us.
    fn is_empty(&mut self, close: u8) -> bool {
        self.at += 1;
        self.space();
        let empty = self.peek() == Some(close);
        self.at += usize::from(empty);
        empty
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        if !self.is_empty(b']') {
            loop {
                items.push(self.value(depth + 1)?);
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut entries = Vec::new();
        let mut keys: IndexSet<String> = IndexSet::new();
        if self.is_empty(b'}') {
            return Ok(Value::Map(entries));
        }
        loop {
            self.space();
            let at = self.here();
            if self.peek() != Some(b'"') {
                return Err(self
                    .fault("a key in double quotes is missing", "write one, or remove the comma"));
            }
            let key = self.string()?;
            let is_new = keys.insert(key.clone());
            if !is_new {
                let problem = format!("key `{key}` is given twice");
                self.twice.push(Fault { at, problem, fix: "keep one of them" });
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fault("`:` is missing", "add it"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            if is_new {
                entries.push(Entry { key, at, value });
            }
            if !self.goes_on(b'}')? {
                return Ok(Value::Map(entries));
            }
        }
    }
}
