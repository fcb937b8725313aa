//! One event as it is read back: the parts of a line of the trace.
//!
//! Invariants:
//! - What [`TraceEvent`]'s `Display` prints parses to the same event; what does not parse is
//!   refused with line and column.
//! - A parent is less than its child's id.

use std::fmt;

use super::EventId;
use crate::sim::fleet::broker_host;
use crate::sim::time::SimTime;

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEvent {
    /// Its place in the trace, from 1.
    pub id: EventId,
    /// When it happened.
    pub at: SimTime,
    /// The earlier event that led to it, if one did.
    pub parent: Option<EventId>,
    /// Who tells it: `net`, `fault`, `fleet`, or a host.
    pub source: String,
    /// What kind of event of that source.
    pub kind: String,
    /// Keys and values in their order; a bare word is a value without a key.
    pub fields: Vec<(String, String)>,
}

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct LineError {
    /// The line, from 1.
    pub line: u64,
    /// The character, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

impl TraceEvent {
    /// The event that `line` (with or without its line feed) tells; `number` stands in errors.
    ///
    /// # Errors
    /// [`LineError`] with the first place that is not as the format says.
    pub fn parse(line: &str, number: u64) -> Result<Self, LineError> {
        let mut words = Words { line: line.strip_suffix('\n').unwrap_or(line), at: 0, number };
        let at = SimTime(words.digits("the time in nanoseconds")?);
        let id = EventId(words.digits("the event's id")?);
        let parent = match words.next("the parent")? {
            (_, "-") => None,
            (start, word) => Some(EventId(words.number(start, word, "the parent's id or `-`")?)),
        };
        if parent.is_some_and(|parent| parent >= id) {
            return Err(words.error(words.at, "the parent is not earlier than the event"));
        }
        let source = words.next("the source")?.1.to_owned();
        let kind = words.next("the kind")?.1.to_owned();
        let mut fields = Vec::new();
        while !words.is_over() {
            fields.push(words.field()?);
        }
        Ok(Self { id, at, parent, source, kind, fields })
    }

    /// The first value of `key`; `""` asks for the first bare word.
    pub fn field(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The bare words, joined by spaces.
    pub fn words(&self) -> String {
        let bare = self.fields.iter().filter(|(key, _)| key.is_empty());
        bare.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The hosts (or clusters) that it is about: its source, the ends of its connection or link,
    /// the broker that changed; `fault` when it names nobody.
    pub fn hosts(&self) -> Vec<String> {
        fn host_of(end: &str) -> String {
            let end = end.trim_end_matches('<');
            end.split(':').next().unwrap_or(end).to_owned()
        }
        let mut hosts: Vec<String> = Vec::new();
        match self.source.as_str() {
            "net" | "fault" | "world" => {
                let named = ["flow", "link"].into_iter().filter_map(|key| self.field(key));
                hosts.extend(named.flat_map(|text| text.split('>')).map(host_of));
                hosts.extend(self.field("host").map(str::to_owned));
            }
            "fleet" => {
                let cluster = self.field("cluster").unwrap_or("fleet");
                hosts.push(match self.field("id") {
                    Some(id) => broker_host(cluster, id),
                    None => cluster.to_owned(),
                });
            }
            source => hosts.push(source.to_owned()),
        }
        if hosts.is_empty() {
            hosts.push(self.source.clone());
        }
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The fields as the line has them.
    pub fn field_text(&self) -> String {
        struct Fields<'a>(&'a [(String, String)]);
        impl fmt::Display for Fields<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (position, field) in self.0.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { " " })?;
                    write_field(f, field)?;
                }
                Ok(())
            }
        }
        Fields(&self.fields).to_string()
    }
}

fn write_field(f: &mut fmt::Formatter<'_>, (key, value): &(String, String)) -> fmt::Result {
    if !key.is_empty() {
        write!(f, "{key}=")?;
    }
    if needs_quotes(key, value) {
        f.write_str(&serde_json::Value::from(value.as_str()).to_string())
    } else {
        f.write_str(value)
    }
}

fn needs_quotes(key: &str, value: &str) -> bool {
    let bare = key.is_empty() && (value.is_empty() || value.contains('='));
    let splits = |c: char| c == ' ' || c.is_control();
    bare || value.starts_with('"') || value.contains(splits)
}

/// The value of a field as lines have it: in quotes when it would not be read back otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a>(pub &'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if needs_quotes("value", self.0) {
            f.write_str(&serde_json::Value::from(self.0).to_string())
        } else {
            f.write_str(self.0)
        }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013} {} ", self.at.0, self.id)?;
        match self.parent {
            Some(parent) => write!(f, "{parent} ")?,
            None => f.write_str("- ")?,
        }
        write!(f, "{} {}", self.source, self.kind)?;
        for field in &self.fields {
            f.write_str(" ")?;
            write_field(f, field)?;
        }
        Ok(())
    }
}

/// What is left of a line.
struct Words<'a> {
    line: &'a str,
    /// Bytes before what is left.
    at: usize,
    number: u64,
}

impl<'a> Words<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.at >= self.line.len()
    }

    fn error(&self, at: usize, what: impl Into<String>) -> LineError {
        let before = self.line.get(..at).unwrap_or(self.line);
        LineError { line: self.number, column: before.chars().count() + 1, what: what.into() }
    }

    /// Ends a word at byte `end`: a space or the line's end must follow.
    fn step_over(&mut self, end: usize) -> Result<(), LineError> {
        self.at = end;
        match self.rest().strip_prefix(' ') {
            None if self.is_over() => Ok(()),
            Some(rest) if !rest.is_empty() => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.error(end, "the line ends with a space")),
            None => Err(self.error(end, "a space must stand here")),
        }
    }

    /// The next word with its place.
    fn next(&mut self, what: &str) -> Result<(usize, &'a str), LineError> {
        let (start, rest) = (self.at, self.rest());
        let word = rest.split(' ').next().unwrap_or_default();
        if word.is_empty() {
            return Err(self.error(start, format!("{what} is missing")));
        }
        if let Some((at, _)) = word.char_indices().find(|(_, c)| c.is_control()) {
            return Err(self.error(start + at, "a control character stands outside quotes"));
        }
        self.step_over(start + word.len())?;
        Ok((start, word))
    }

    fn digits(&mut self, what: &str) -> Result<u64, LineError> {
        let (start, word) = self.next(what)?;
        self.number(start, word, what)
    }

    fn number(&self, start: usize, word: &str, what: &str) -> Result<u64, LineError> {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        let number = word.parse().ok().filter(|_| digits);
        number.ok_or_else(|| self.error(start, format!("`{word}` is not {what}")))
    }

    fn field(&mut self) -> Result<(String, String), LineError> {
        let (start, rest) = (self.at, self.rest());
        let key_end = rest.find(['=', ' ', '"']).filter(|at| rest[*at..].starts_with('='));
        let (key, value_at) = match key_end {
            Some(0) => return Err(self.error(start, "a key is missing before `=`")),
            Some(at) => (&rest[..at], start + at + 1),
            None => ("", start),
        };
        if let Some((at, _)) = key.char_indices().find(|(_, c)| c.is_control()) {
            return Err(self.error(start + at, "a control character stands outside quotes"));
        }
        self.at = value_at;
        let value = self.value(key)?;
        Ok((key.to_owned(), value))
    }

    fn value(&mut self, key: &str) -> Result<String, LineError> {
        let start = self.at;
        if !self.rest().starts_with('"') {
            // `key=` is an empty value; a bare word is never empty.
            if !key.is_empty() && (self.is_over() || self.rest().starts_with(' ')) {
                self.step_over(start)?;
                return Ok(String::new());
            }
            return self.next("a field").map(|(_, word)| word.to_owned());
        }
        let mut texts = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        match texts.next() {
            Some(Ok(text)) => {
                let end = start + texts.byte_offset();
                self.step_over(end)?;
                Ok(text)
            }
            _ => Err(self.error(start, "a quoted text is not valid JSON")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let lines = [
            "0000005000000 1 - net data bytes=3",
            "0120000000000 317 12 fault begin crash of orders-broker-2",
            "0120000000000 318 317 fleet orders broker-down id=2",
            "0120000000000 319 - fault begin kind=crash label=\"crash of \\\"x\\\"\" empty= x=a=b",
            "99999999999999 320 - net recv",
            "0120000000000 321 - fault disk host=pipeline fault=Full { bytes: 3 }",
        ];
        for line in lines {
            let event = TraceEvent::parse(line, 1).expect(line);
            assert_eq!(event.to_string(), line);
        }
        let event = TraceEvent::parse(lines[3], 1).expect("an event");
        assert_eq!(event.field("label"), Some("crash of \"x\""));
        assert_eq!(event.field("empty"), Some(""));
        assert_eq!(event.field("x"), Some("a=b"));
        let event = TraceEvent::parse(lines[1], 1).expect("an event");
        assert_eq!(event.words(), "crash of orders-broker-2");
    }

    #[test]
    fn events_tell_whom_they_are_about() {
        let cases = [
            ("1 9 - net recv flow=pipeline:32768>newrelic:3000", "newrelic pipeline"),
            ("1 9 - net recv flow=a:1>a:2", "a"),
            ("1 9 - fault repair link=pipeline<>newrelic", "newrelic pipeline"),
            ("1 9 - fault partition link=a>b", "a b"),
            ("1 9 - fault crash host=orders-broker-2 mode=power", "orders-broker-2"),
            ("1 9 - fault begin kind=crash label=\"crash of orders-broker-2\"", "fault"),
            ("1 9 - fleet broker-down id=2 cluster=orders", "orders-broker-2"),
            ("1 9 - fleet partition x-0 leader=1 cluster=orders", "orders"),
            ("1 9 - world join host=orders-broker-4", "orders-broker-4"),
            ("1 9 - pipeline cycle-begin number=1", "pipeline"),
        ];
        for (line, hosts) in cases {
            assert_eq!(TraceEvent::parse(line, 1).expect(line).hosts().join(" "), hosts, "{line}");
        }
    }

    #[test]
    fn what_is_no_line_is_refused_with_its_place() {
        let cases = [
            ("", 1, "the time in nanoseconds is missing"),
            ("x 1 - net recv", 1, "`x` is not the time"),
            ("+1 1 - net recv", 1, "`+1` is not the time"),
            ("1 2 2 net recv", 7, "the parent is not earlier"),
            ("1 2 x net recv", 5, "`x` is not the parent's id or `-`"),
            ("1 2 - net", 10, "the kind is missing"),
            ("1 2 -  recv", 7, "the source is missing"),
            ("1 2 - net recv ", 15, "ends with a space"),
            ("1 2 - net recv =x", 16, "a key is missing"),
            ("1 2 - net recv a=\"x", 18, "not valid JSON"),
            ("1 2 - net recv a=\"x\"y", 21, "a space must stand here"),
            ("1 2 - net recv a\tb", 17, "control character"),
            ("1 2 - net recv  a", 16, "a field is missing"),
            ("99999999999999999999 1 - net recv", 1, "is not the time"),
        ];
        for (line, column, what) in cases {
            let error = TraceEvent::parse(line, 7).expect_err(line);
            assert_eq!((error.line, error.column), (7, column), "{line}: {error}");
            assert!(error.what.contains(what), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn every_event_survives_its_line(
            at in any::<u64>(), id in 2..u64::MAX, up in proptest::option::of(1..u64::MAX),
            source in "[a-z0-9-]{1,9}", kind in "[a-z-]{1,9}",
            fields in proptest::collection::vec(
                ("([a-z_]{1,5})?", "\\PC{0,9}|[\\x00-\\x20]{0,3}"), 0..5,
            ),
        ) {
            let parent = up.map(|up| EventId(up % (id - 1) + 1)).filter(|parent| parent.0 < id);
            let (id, at) = (EventId(id), SimTime(at));
            let event = TraceEvent { id, at, parent, source, kind, fields };
            let line = event.to_string();
            prop_assert_eq!(TraceEvent::parse(&line, 1), Ok(event), "{}", line);
        }
    }
}
