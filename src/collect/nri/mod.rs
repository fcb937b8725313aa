//! Samples of New Relic's nri-kafka integration, read from JSON: the second source of raw samples.
//!
//! It reads the integration's output (protocol 3 and 4), samples as New Relic stores them (an
//! array, as a query returns it), single samples, and any of these one after another, as in a file
//! with one document per line.
//!
//! Invariants:
//! - Texts are borrowed from the input wherever they hold no escape.
//! - A sample is told by its own attributes, then by its envelope's id attributes: the four shapes
//!   of KafkaOffsetSample become four kinds of subject, so that totals never mix with parts.
//! - A sample that lacks identity costs itself. A syntax error costs its document from there on;
//!   whole samples before it are kept, and reading goes on at the next line that begins with `{` or
//!   `[`.
//! - Every fault names its line, column, byte offset and sample.

mod draft;
mod points;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::domain::sample::RawSample;
use crate::domain::units::UnixMillis;

use draft::{Draft, Envelope};
use points::Points;
use scan::{Fault, Scanner};

pub use scan::Syntax;

/// What samples that do not say so themselves have.
#[derive(Debug, Clone, Copy)]
pub struct NriDefaults<'a> {
    /// When the samples were taken: integrations leave the time to the agent.
    pub at: UnixMillis,
    /// The cluster's name.
    pub cluster: Option<&'a str>,
}

/// What one input held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NriStats {
    /// Samples given on.
    pub samples: u64,
    /// Faults given on: samples without identity, documents with a syntax error.
    pub faults: u64,
    /// Samples of event types that tell nothing of brokers, topics and groups.
    pub ignored_samples: u64,
    /// Values that cannot be used: arrays and objects, counters without a window, summaries.
    pub skipped_values: u64,
}

/// A fault in the input, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}, column {column} (byte {offset}), after {sample} samples: {fault}")]
pub struct NriError {
    /// What is wrong.
    #[source]
    pub fault: NriFault,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// From 0, in bytes.
    pub offset: usize,
    /// Samples, good or bad, before this place.
    pub sample: u64,
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NriFault {
    /// Not UTF-8.
    #[error("not UTF-8 text")]
    NotUtf8,
    /// Not JSON.
    #[error(transparent)]
    Syntax(#[from] Syntax),
    /// A sample without an event type.
    #[error("sample without `event_type`")]
    MissingEventType,
    /// A sample without a cluster.
    #[error("{event_type} without `clusterName`")]
    MissingCluster {
        /// Its event type.
        event_type: String,
    },
    /// A sample that does not say what it is about.
    #[error("{event_type} without {what}")]
    MissingIdentity {
        /// Its event type.
        event_type: String,
        /// The attribute it lacks.
        what: &'static str,
    },
    /// An identifying attribute that cannot be.
    #[error("`{value}` cannot be the sample's {attribute}")]
    BadIdentity {
        /// Which attribute.
        attribute: &'static str,
        /// Its value.
        value: String,
    },
}

impl NriFault {
    /// The label under which it is counted.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::Syntax(Syntax::Truncated { .. }) => "truncated",
            Self::Syntax(_) => "syntax",
            Self::MissingEventType => "missing_event_type",
            Self::MissingCluster { .. } => "missing_cluster",
            Self::MissingIdentity { .. } => "missing_identity",
            Self::BadIdentity { .. } => "bad_identity",
        }
    }
}

/// Reads every sample of `input` and gives it, or the fault in its place, to `each`, in order. The
/// sample is the reader's own, used again for the next one: clone it to keep it.
pub fn read<'a>(
    input: &'a [u8],
    defaults: NriDefaults<'a>,
    each: impl FnMut(Result<&RawSample<'a>, NriError>),
) -> NriStats {
    let (text, whole) = match std::str::from_utf8(input) {
        Ok(text) => (text, true),
        Err(error) => {
            let (valid, _) = input.split_at(error.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), false)
        }
    };
    let mut reader = Reader {
        scanner: Scanner::new(text),
        draft: Draft::new(),
        defaults,
        places: Places { text, offset: 0, line: 1, line_start: 0 },
        stats: NriStats::default(),
        given_until: 0,
        each,
    };
    while reader.scanner.peek().is_some() {
        let start = reader.scanner.offset();
        let Err(Fault { syntax, offset }) = reader.document() else { continue };
        let ended = matches!(syntax, Syntax::Truncated { .. });
        if ended && !whole {
            // What follows is there; it is not text.
            break;
        }
        reader.report(syntax.into(), offset);
        // A line that was cut short shows only in one of the next; but what was given on must not
        // be read again, and the lines of an array are none of their own.
        let array = text.as_bytes().get(start) == Some(&b'[');
        let from = if array { offset.saturating_sub(1) } else { reader.given_until };
        let next_line = next_document(text, from.max(start));
        reader.scanner.seek(next_line);
        if ended && next_line == text.len() {
            break;
        }
    }
    if !whole {
        reader.report(NriFault::NotUtf8, text.len());
    }
    reader.stats
}

/// Where the next line begins with `{` or `[` after byte `from`: inner lines of a document printed
/// over several lines are indented.
fn next_document(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let starts = |at: &usize| bytes[*at] == b'\n' && matches!(bytes.get(at + 1), Some(b'{' | b'['));
    (from..bytes.len()).find(starts).map_or(bytes.len(), |at| at + 1)
}

/// Turns growing byte offsets into lines and columns, each byte looked at once.
struct Places<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    line_start: usize,
}

impl Places<'_> {
    fn of(&mut self, offset: usize) -> (usize, usize) {
        if offset < self.offset {
            (self.offset, self.line, self.line_start) = (0, 1, 0);
        }
        for (place, byte) in self.text.as_bytes()[..offset].iter().enumerate().skip(self.offset) {
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = place + 1;
            }
        }
        self.offset = offset;
        let before = self.text.get(self.line_start..offset).unwrap_or_default();
        (self.line, before.chars().count() + 1)
    }
}

struct Reader<'a, F> {
    scanner: Scanner<'a>,
    /// The object that is read.
    draft: Draft<'a>,
    defaults: NriDefaults<'a>,
    places: Places<'a>,
    stats: NriStats,
    /// End of the last sample, good or bad.
    given_until: usize,
    each: F,
}

impl<'a, F: FnMut(Result<&RawSample<'a>, NriError>)> Reader<'a, F> {
    #[cold]
    fn report(&mut self, fault: NriFault, offset: usize) {
        let (line, column) = self.places.of(offset);
        let sample = self.stats.samples + self.stats.ignored_samples + self.stats.faults;
        self.stats.faults += 1;
        (self.each)(Err(NriError { fault, line, column, offset, sample }));
    }

    /// An envelope, a sample, or an array of either.
    fn document(&mut self) -> Result<(), Fault> {
        match self.scanner.peek() {
            Some(b'[') => self.list(|reader| reader.object(&Envelope::default())),
            _ => self.object(&Envelope::default()),
        }
    }

    /// An array; `element` reads one.
    fn list(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.scanner.take(b'[', "`[`")?;
        if self.scanner.empty(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.scanner.more(b']')? {
                return Ok(());
            }
        }
    }

    /// A sample, or (at the top) an envelope.
    fn object(&mut self, envelope: &Envelope<'a>) -> Result<(), Fault> {
        let start = self.start();
        if !self.draft(true)? {
            self.give(envelope, start);
        }
        Ok(())
    }

    /// An element of an entity's `metrics`: a sample (protocol 3) or a point (protocol 4).
    fn metric(&mut self, envelope: &Envelope<'a>, points: &mut Points<'a>) -> Result<(), Fault> {
        let start = self.start();
        self.draft(false)?;
        if !self.draft.is_point() {
            self.give(envelope, start);
            return Ok(());
        }
        let attributes = match self.draft.attributes_at {
            Some(offset) => {
                let mut scanner = self.scanner;
                scanner.seek(offset);
                draft::scalars(&mut scanner)?
            }
            None => Vec::new(),
        };
        let skipped = points.take(&mut self.draft, attributes, envelope, self.defaults, start);
        self.stats.skipped_values += u64::from(skipped);
        if let Some((finished, start)) = points.finished() {
            self.draft = finished;
            self.give(envelope, start);
        }
        Ok(())
    }

    /// Byte offset of the next value.
    fn start(&mut self) -> usize {
        self.scanner.peek();
        self.scanner.offset()
    }

    /// Reads the attributes of one object into the draft. At the top, `data` makes it an envelope,
    /// whose samples are given on at once; returns whether it was one.
    fn draft(&mut self, top: bool) -> Result<bool, Fault> {
        self.scanner.take(b'{', "`{` or `[`")?;
        self.draft.reset(self.defaults.at);
        let mut is_envelope = false;
        if self.scanner.empty(b'}') {
            self.draft.end();
            return Ok(false);
        }
        loop {
            let key = self.draft.key(&mut self.scanner)?;
            if top && key.name == "data" && self.scanner.peek() == Some(b'[') {
                is_envelope = true;
                self.list(Self::item)?;
            } else {
                let skipped = self.draft.take(key, &mut self.scanner)?;
                self.stats.skipped_values += u64::from(skipped);
            }
            if !self.scanner.more(b'}')? {
                self.draft.end();
                return Ok(is_envelope);
            }
        }
    }

    /// Gives the draft on as a sample, or the reason why it is none.
    fn give(&mut self, envelope: &Envelope<'a>, start: usize) {
        self.given_until = self.scanner.offset();
        match self.draft.finish(envelope, self.defaults) {
            Ok(true) => {
                self.stats.samples += 1;
                (self.each)(Ok(&self.draft.sample));
            }
            Ok(false) => self.stats.ignored_samples += 1,
            Err(fault) => self.report(fault, start),
        }
    }

    /// One element of an envelope's `data`: an entity and its samples. Samples that stand before
    /// what they belong to are read when all of it is known.
    fn item(&mut self) -> Result<(), Fault> {
        let mut envelope = Envelope::default();
        let mut early = None;
        let read = self.members(|reader, key| {
            match key.as_ref() {
                "entity" => envelope.entity(&mut reader.scanner)?,
                "common" => envelope.common(&mut reader.scanner)?,
                "metrics" if envelope.entity_seen => reader.metrics(&envelope)?,
                "metrics" => {
                    early = Some(reader.start());
                    reader.scanner.skip()?;
                }
                _ => reader.scanner.skip()?,
            }
            Ok(())
        });
        let end = self.scanner.offset();
        if let Some(offset) = early {
            self.scanner.seek(offset);
            self.metrics(&envelope)?;
            self.scanner.seek(end);
        }
        read
    }

    fn metrics(&mut self, envelope: &Envelope<'a>) -> Result<(), Fault> {
        if self.scanner.peek() == Some(b'n') {
            return self.scanner.skip();
        }
        let mut points = Points::default();
        self.list(|reader| reader.metric(envelope, &mut points))?;
        points.end();
        if let Some((finished, start)) = points.finished() {
            self.draft = finished;
            self.give(envelope, start);
        }
        Ok(())
    }

    /// An object; `member` reads the value of one name.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.scanner.take(b'{', "`{`")?;
        if self.scanner.empty(b'}') {
            return Ok(());
        }
        loop {
            let key = self.scanner.key()?;
            member(self, key)?;
            if !self.scanner.more(b'}')? {
                return Ok(());
            }
        }
    }
}
