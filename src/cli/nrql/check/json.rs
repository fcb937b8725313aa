//! Queries in JSON: lists of queries and dashboards.
//!
//! A reader of its own, because a finding shall name the byte of the file that a character of a
//! query comes from, through all escapes.
//!
//! Invariant: nesting is at most [`DEPTH_MAX`] deep.

use super::queries::FoundQuery;

/// How deep JSON may be nested.
const DEPTH_MAX: usize = 128;

/// A value with the place of its texts.
enum Value {
    Text(Text),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    Other,
}

struct Text {
    value: String,
    places: Vec<(usize, usize)>,
}

impl Value {
    fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    fn text(&self) -> Option<&Text> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// All queries of a JSON text: an array of texts or of objects with `query`, or a dashboard, whose
/// `nrqlQueries` (or `queries`) and `nrqlQuery` hold them at any depth.
pub(super) fn queries(name: &str, text: &str) -> Result<Vec<FoundQuery>, Vec<String>> {
    let mut reader = Reader { text, at: text.len() - text.trim_start_matches('\u{feff}').len() };
    let value = reader.document().map_err(|fault| {
        let (line, column) =
            crate::nrql::line_column(text, &crate::nrql::Span { start: reader.at, end: reader.at });
        vec![format!("{name}:{line}:{column}: not JSON: {fault}")]
    })?;
    let mut found = Vec::new();
    listed(&value, &mut found);
    let dashboard = walk(&value, None, &mut found);
    if found.is_empty() && !dashboard {
        return Err(vec![format!(
            "{name}: no queries here: expected a list of queries, objects with `query`, or a \
             dashboard with `pages`"
        )]);
    }
    found.sort_by_key(|query: &FoundQuery| query.places.first().copied());
    found.dedup();
    Ok(found)
}

/// The queries of a list: texts, or `query` or `nrql` of objects.
fn listed(value: &Value, found: &mut Vec<FoundQuery>) {
    match value {
        Value::List(items) => {
            for item in items {
                match item {
                    Value::Text(text) => push(text, None, found),
                    item => one(item, None, found),
                }
            }
        }
        Value::Object(_) => {
            one(value, None, found);
            if let Some(list @ Value::List(_)) = value.get("queries") {
                listed(list, found);
            }
        }
        Value::Text(_) | Value::Other => {}
    }
}

fn one(value: &Value, owner: Option<&str>, found: &mut Vec<FoundQuery>) {
    let text = ["query", "nrql"].iter().find_map(|key| value.get(key).and_then(Value::text));
    if let Some(text) = text {
        let own = ["name", "title"].iter().find_map(|key| value.get(key).and_then(Value::text));
        push(text, owner.or_else(|| own.map(|own| own.value.as_str())), found);
    }
}

fn push(text: &Text, owner: Option<&str>, found: &mut Vec<FoundQuery>) {
    found.push(FoundQuery {
        text: text.value.clone(),
        owner: owner.map(str::to_owned),
        places: text.places.clone(),
    });
}

/// Looks for `nrqlQueries` and `nrqlQuery`; whether this is a dashboard at all.
fn walk(value: &Value, owner: Option<&str>, found: &mut Vec<FoundQuery>) -> bool {
    match value {
        Value::Object(members) => {
            let title = ["title", "name"].iter().find_map(|key| value.get(key)?.text());
            let owner = title.map(|title| title.value.as_str()).or(owner);
            let mut dashboard = false;
            for (key, member) in members {
                dashboard |= ["pages", "widgets", "nrqlQueries"].contains(&key.as_str());
                match (key.as_str(), member) {
                    ("nrqlQueries" | "nrql_queries" | "queries", Value::List(items)) => {
                        items.iter().for_each(|item| one(item, owner, found));
                    }
                    ("nrqlQuery", object) => one(object, owner, found),
                    _ => dashboard |= walk(member, owner, found),
                }
            }
            dashboard
        }
        Value::List(items) => {
            let mut dashboard = false;
            for item in items {
                dashboard |= walk(item, owner, found);
            }
            dashboard
        }
        Value::Text(_) | Value::Other => false,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, &'static str> {
        let value = self.value(0)?;
        self.blanks();
        if self.at < self.text.len() { Err("more than one value") } else { Ok(value) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, &'static str> {
        if depth > DEPTH_MAX {
            return Err("nested too deep");
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(_) => self.word(),
            None => Err("unexpected end"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, &'static str> {
        self.at += 1;
        let mut members = Vec::new();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err("expected a name in double quotes");
            }
            let name = self.string()?.value;
            if !self.eat(b':') {
                return Err("expected `:`");
            }
            members.push((name, self.value(depth + 1)?));
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return Err("expected `,` or `}`");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, &'static str> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err("expected `,` or `]`");
            }
        }
    }

    fn string(&mut self) -> Result<Text, &'static str> {
        self.at += 1;
        let mut text = Text { value: String::new(), places: vec![(0, self.at)] };
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(end) = rest.find(['"', '\\']) else { return Err("nothing closes this text") };
            text.value.push_str(rest.get(..end).unwrap_or_default());
            self.at += end + 1;
            if rest.as_bytes().get(end) == Some(&b'"') {
                return Ok(text);
            }
            // Of the escape itself the backslash is the place.
            text.places.push((text.value.len(), self.at - 1));
            let c = self.escape()?;
            text.value.push(c);
            text.places.push((text.value.len(), self.at));
        }
    }

    fn escape(&mut self) -> Result<char, &'static str> {
        let byte = self.peek().ok_or("nothing closes this text")?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let low_follows = self.text.get(self.at..).is_some_and(|r| r.starts_with("\\u"));
                if (0xd800..0xdc00).contains(&high) && low_follows {
                    self.at += 2;
                    let low = self.hex()?;
                    let pair =
                        0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                    char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER)
                } else {
                    char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            _ => return Err("no such escape"),
        })
    }

    fn hex(&mut self) -> Result<u32, &'static str> {
        let digits = self.text.get(self.at..self.at + 4).ok_or("expected four digits")?;
        let number = u32::from_str_radix(digits, 16).map_err(|_| "expected four digits")?;
        self.at += 4;
        Ok(number)
    }

    /// Numbers and the three words, which no query is in.
    fn word(&mut self) -> Result<Value, &'static str> {
        let start = self.at;
        let part = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
        while self.peek().is_some_and(part) {
            self.at += 1;
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        if ["true", "false", "null"].contains(&word) || word.parse::<f64>().is_ok() {
            return Ok(Value::Other);
        }
        self.at = start;
        Err("expected a value")
    }
}
