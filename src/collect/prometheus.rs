//! Prometheus' text exposition format (0.0.4), read in place.
//!
//! Invariants:
//! - Nothing is allocated per line: names, label values and help texts are slices of the input;
//!   only a label value with an escape allocates, when someone asks for it.
//! - A line is either taken whole or refused with its number and reason; a refused line never
//!   changes how the next one is read.
//! - The last line must end in a line feed, as the format demands: one that does not was cut off,
//!   and a number cut short is a wrong number.
//!
//! Not read: OpenMetrics' exemplars, units and `# EOF`, native histograms, UTF-8 metric names.

use std::borrow::Cow;

/// What the parser accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest text.
    pub text_bytes_max: usize,
    /// Longest line, without its line feed.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text_bytes_max: 64 << 20, line_bytes_max: 64 << 10 }
    }
}

/// A line that says something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a> {
    /// `name{labels} value timestamp`.
    Sample(Sample<'a>),
    /// `# HELP name text`; the text still carries its escapes.
    Help {
        /// Metric family.
        name: &'a str,
        /// Text.
        text: &'a str,
    },
    /// `# TYPE name kind`.
    Type {
        /// Metric family.
        name: &'a str,
        /// Its kind.
        kind: Kind,
    },
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Metric name.
    pub name: &'a str,
    /// Its labels.
    pub labels: Labels<'a>,
    /// Its value; may be NaN or infinite.
    pub value: f64,
    /// Milliseconds since 1970, where the source gives any.
    pub timestamp_ms: Option<i64>,
    /// 1-based line.
    pub line: usize,
}

/// The kind of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until its process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// Quantiles, sum and count.
    Summary,
    /// Not known.
    Untyped,
}

/// A line that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct LineError {
    /// 1-based.
    pub line: usize,
    /// 1-based, in bytes.
    pub column: usize,
    /// What is wrong.
    pub reason: LineReason,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineReason {
    /// Names are `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    #[error("expected a metric name")]
    Name,
    /// Label names are `[a-zA-Z_][a-zA-Z0-9_]*`, then `="…"`.
    #[error("expected a label: name=\"value\"")]
    Label,
    /// Labels are separated by commas and end with `}`.
    #[error("expected `,` or `}}` after a label")]
    LabelEnd,
    /// Only `\\`, `\"` and `\n` are escapes.
    #[error("unknown escape in a label value")]
    Escape,
    /// Not a number.
    #[error("expected a number")]
    Value,
    /// Not whole milliseconds.
    #[error("expected a time stamp in whole milliseconds")]
    Timestamp,
    /// Something after the sample.
    #[error("unexpected text after the sample")]
    Trailing,
    /// HELP or TYPE without its parts.
    #[error("expected `# HELP name text` or `# TYPE name counter|gauge|histogram|summary|untyped`")]
    Comment,
    /// The text ends inside this line.
    #[error("the text ends before the end of the line: cut off")]
    CutOff,
    /// Longer than [`Limits::line_bytes_max`].
    #[error("line is longer than the limit")]
    TooLong,
}

/// A text that is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Longer than [`Limits::text_bytes_max`].
    #[error("exposition of {bytes} bytes is above the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("line {line} is not UTF-8")]
    NotUtf8 {
        /// 1-based line of the first bad byte.
        line: usize,
    },
}

/// Reads `text` line by line.
///
/// # Errors
/// [`TextError`] when the whole text is out of bounds; the iterator yields a [`LineError`] for
/// each line that cannot be read and goes on with the next.
pub fn parse(text: &[u8], limits: Limits) -> Result<Parser<'_>, TextError> {
    if text.len() > limits.text_bytes_max {
        return Err(TextError::TooLong { bytes: text.len(), limit: limits.text_bytes_max });
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let good = &text[..error.valid_up_to()];
        TextError::NotUtf8 { line: 1 + good.iter().filter(|b| **b == b'\n').count() }
    })?;
    Ok(Parser { rest: text, line: 0, line_bytes_max: limits.line_bytes_max })
}

/// Iterator over the entries of a text; see [`parse`].
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    rest: &'a str,
    line: usize,
    line_bytes_max: usize,
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            self.line += 1;
            let line = match self.rest.find('\n') {
                Some(end) => {
                    let line = &self.rest[..end];
                    self.rest = &self.rest[end + 1..];
                    line
                }
                None => {
                    let column = self.rest.len() + 1;
                    self.rest = "";
                    return Some(Err(self.error(column, LineReason::CutOff)));
                }
            };
            if line.len() > self.line_bytes_max {
                return Some(Err(self.error(self.line_bytes_max + 1, LineReason::TooLong)));
            }
            let mut cursor = Cursor { line, at: 0 };
            match cursor.entry(self.line) {
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => {}
                Err(reason) => return Some(Err(self.error(cursor.at + 1, reason))),
            }
        }
    }
}

impl Parser<'_> {
    fn error(&self, column: usize, reason: LineReason) -> LineError {
        LineError { line: self.line, column, reason }
    }
}

/// Bytes of a metric name.
const NAME: u8 = 1;
/// Bytes of a label name.
const LABEL: u8 = 2;
/// White space within a line.
const BLANK: u8 = 4;
/// Everything else than white space.
const WORD: u8 = 8;
/// Bytes that stand for themselves in a label value.
const PLAIN: u8 = 16;

/// The classes of every byte.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let blank = matches!(b, b' ' | b'\t' | b'\r');
        let label = b.is_ascii_alphanumeric() || b == b'_';
        classes[byte] = if blank { BLANK } else { WORD };
        if label {
            classes[byte] |= LABEL;
        }
        if label || b == b':' {
            classes[byte] |= NAME;
        }
        if b != b'"' && b != b'\\' {
            classes[byte] |= PLAIN;
        }
        byte += 1;
    }
    classes
};

/// A place in one line.
struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn byte(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Advances over bytes of `class` and returns them.
    fn take(&mut self, class: u8) -> &'a str {
        let start = self.at;
        let rest = &self.line.as_bytes()[start..];
        let other = rest.iter().position(|byte| CLASSES[usize::from(*byte)] & class == 0);
        self.at += other.unwrap_or(rest.len());
        // Every class either holds no byte of a longer character or all of them, so both ends are
        // ends of characters.
        &self.line[start..self.at]
    }

    /// Goes back to where the word that is wrong begins.
    fn back(&mut self, to: usize, reason: LineReason) -> LineReason {
        self.at = to;
        reason
    }

    fn blanks(&mut self) {
        self.take(BLANK);
    }

    fn word(&mut self) -> &'a str {
        self.take(WORD)
    }

    fn metric_name(&mut self) -> Option<&'a str> {
        let name = self.take(NAME);
        if name.bytes().next().is_some_and(|b| !b.is_ascii_digit()) {
            return Some(name);
        }
        self.at -= name.len();
        None
    }

    fn entry(&mut self, number: usize) -> Result<Option<Entry<'a>>, LineReason> {
        self.blanks();
        match self.byte() {
            None => Ok(None),
            Some(b'#') => self.comment(),
            Some(_) => self.sample(number).map(|sample| Some(Entry::Sample(sample))),
        }
    }

    fn comment(&mut self) -> Result<Option<Entry<'a>>, LineReason> {
        self.at += 1;
        self.blanks();
        let keyword = self.word();
        if keyword != "HELP" && keyword != "TYPE" {
            return Ok(None);
        }
        self.blanks();
        let name = self.metric_name().ok_or(LineReason::Comment)?;
        if !matches!(self.byte(), None | Some(b' ' | b'\t' | b'\r')) {
            return Err(LineReason::Comment);
        }
        self.blanks();
        if keyword == "HELP" {
            let text = &self.line[self.at..];
            return Ok(Some(Entry::Help { name, text: text.trim_end_matches('\r') }));
        }
        let start = self.at;
        let kind = match self.word() {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "untyped" | "unknown" => Kind::Untyped,
            _ => return Err(self.back(start, LineReason::Comment)),
        };
        self.blanks();
        if self.byte().is_some() {
            Err(LineReason::Trailing)
        } else {
            Ok(Some(Entry::Type { name, kind }))
        }
    }

    fn sample(&mut self, line: usize) -> Result<Sample<'a>, LineReason> {
        let name = self.metric_name().ok_or(LineReason::Name)?;
        self.blanks();
        let labels = if self.byte() == Some(b'{') { self.labels()? } else { Labels::default() };
        self.blanks();
        let start = self.at;
        let value = number(self.word()).ok_or_else(|| self.back(start, LineReason::Value))?;
        self.blanks();
        let start = self.at;
        let timestamp_ms = match self.word() {
            "" => None,
            word => Some(word.parse().map_err(|_| self.back(start, LineReason::Timestamp))?),
        };
        self.blanks();
        if self.byte().is_some() {
            return Err(LineReason::Trailing);
        }
        Ok(Sample { name, labels, value, timestamp_ms, line })
    }

    /// Checks `{a="x",b="y",}` and returns what stands between the braces.
    fn labels(&mut self) -> Result<Labels<'a>, LineReason> {
        self.at += 1;
        let start = self.at;
        loop {
            self.blanks();
            if self.byte() == Some(b'}') {
                break;
            }
            let name = self.take(LABEL);
            if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
                return Err(self.back(self.at - name.len(), LineReason::Label));
            }
            self.blanks();
            self.expect(b'=', LineReason::Label)?;
            self.blanks();
            self.expect(b'"', LineReason::Label)?;
            self.label_value()?;
            self.blanks();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(LineReason::LabelEnd),
            }
        }
        let text = &self.line[start..self.at];
        self.at += 1;
        Ok(Labels { text })
    }

    fn expect(&mut self, byte: u8, otherwise: LineReason) -> Result<(), LineReason> {
        if self.byte() != Some(byte) {
            return Err(otherwise);
        }
        self.at += 1;
        Ok(())
    }

    /// Advances behind the closing quote.
    fn label_value(&mut self) -> Result<&'a str, LineReason> {
        let start = self.at;
        loop {
            self.take(PLAIN);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.line[start..self.at - 1]);
                }
                Some(_) => match self.line.as_bytes().get(self.at + 1) {
                    Some(b'\\' | b'"' | b'n') => self.at += 2,
                    _ => return Err(LineReason::Escape),
                },
                None => return Err(LineReason::LabelEnd),
            }
        }
    }
}

/// A number as Go's `ParseFloat` reads it, as far as exporters write it.
fn number(word: &str) -> Option<f64> {
    match word.as_bytes().first()? {
        b'0'..=b'9' | b'-' | b'+' | b'.' => {}
        b'N' | b'n' | b'I' | b'i' => {}
        _ => return None,
    }
    // Rust reads `NaN`, `Inf` and `+Inf` in any case, like Go, but no `0x` and no `_`.
    word.parse().ok()
}

/// The labels of a sample, already checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels<'a> {
    text: &'a str,
}

impl<'a> Labels<'a> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Names and values in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        let mut cursor = Cursor { line: self.text, at: 0 };
        std::iter::from_fn(move || {
            cursor.take(BLANK);
            if cursor.byte() == Some(b',') {
                cursor.at += 1;
                cursor.take(BLANK);
            }
            let name = cursor.take(LABEL);
            cursor.take(BLANK);
            cursor.expect(b'=', LineReason::Label).ok()?;
            cursor.take(BLANK);
            cursor.expect(b'"', LineReason::Label).ok()?;
            // The parser walked the same text with the same function and found it whole.
            let value = cursor.label_value().ok()?;
            Some((name, unescape(value)))
        })
    }

    /// The value of the label `name`.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next().map(|c| if c == 'n' { '\n' } else { c })),
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests;
