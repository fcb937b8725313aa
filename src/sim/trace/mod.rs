//! The trace of a run: one text line per event, hashed as it grows.
//!
//! Format, version 2: `<nanoseconds, 13 digits> <id> <parent or -> <source> <kind> <key=value …>`
//! and a line feed; docs/TRACE.md says what every kind means.
//! Ids count lines from 1; a parent is an earlier line that led to this one. Lines carry simulated
//! time only. The digest covers every byte of every line.
//!
//! Invariants:
//! - Recording never influences the run; a run gives the same digest with and without a sink.
//! - A parent is always less than its child's id, so chains of parents end.

use std::fmt::{Arguments, Write as _};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use super::run::passport::Passport;
use super::time::SimTime;
use crate::rt::cause;

pub mod diverge;
mod event;
pub mod export;
pub mod file;
pub mod kinds;
pub mod perfetto;

pub use event::{LineError, TraceEvent, Value};

/// Version of the lines' form and of the file around them; raised when a reader of the old form
/// would misread the new one.
pub const TRACE_SCHEMA: u32 = 2;

/// Where lines go besides the digest.
pub enum Sink {
    /// Nowhere.
    None,
    /// Kept in memory.
    Memory(Vec<u8>),
    /// To a writer; the first error is kept and ends writing.
    Writer(Box<dyn Write + Send>, Option<std::io::Error>),
    /// To a trace file; the first error is kept and ends writing.
    File(Box<file::Writer<Box<dyn Write + Send>>>, Option<std::io::Error>),
    /// To somebody who looks at them afterwards, and on to another sink.
    Copied(Copies, Box<Self>),
}

/// Most bytes of lines that somebody keeps a copy of: a run's own memory is far below.
const COPY_BYTES_MAX: usize = 256 << 20;

/// A shared copy of a trace's lines, cut before the first that would exceed `COPY_BYTES_MAX`:
/// what is kept is a trace's begin, without a gap.
#[derive(Clone, Default)]
pub struct Copies(Arc<Mutex<Copied>>);

#[derive(Default)]
struct Copied {
    lines: Vec<u8>,
    /// Whether a line did not fit.
    is_cut: bool,
}

impl Copied {
    fn put(&mut self, line: &[u8], bytes_max: usize) {
        self.is_cut = self.is_cut || self.lines.len() + line.len() > bytes_max;
        if !self.is_cut {
            self.lines.extend_from_slice(line);
        }
    }
}

impl Copies {
    /// The lines so far; nothing stays.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).lines)
    }

    fn put(&self, line: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(line, COPY_BYTES_MAX);
    }
}

/// One event of a run: its line in the trace, counted from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct EventId(pub u64);

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

struct State {
    hash: Xxh3,
    events: u64,
    bytes: u64,
    line: String,
    sink: Sink,
}

/// A shared handle on the run's trace.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<State>>);

/// What identifies a trace.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct TraceDigest {
    /// XXH3-128 of all bytes, in hex.
    #[serde(serialize_with = "hex", deserialize_with = "from_hex")]
    #[schemars(with = "String")]
    pub hash: u128,
    /// Number of lines.
    pub events: u64,
    /// Number of bytes.
    pub bytes: u64,
}

fn hex<S: serde::Serializer>(hash: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{hash:032x}"))
}

fn from_hex<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(from)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

impl std::fmt::Display for TraceDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x} ({} events, {} bytes)", self.hash, self.events, self.bytes)
    }
}

impl State {
    fn digest(&self) -> TraceDigest {
        TraceDigest { hash: self.hash.digest128(), events: self.events, bytes: self.bytes }
    }

    fn record(
        &mut self,
        at: SimTime,
        parent: Option<EventId>,
        source: &str,
        what: Arguments<'_>,
    ) -> EventId {
        let id = EventId(self.events + 1);
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = match parent {
            Some(parent) => write!(self.line, "{:013} {id} {parent} ", at.0),
            None => write!(self.line, "{:013} {id} - ", at.0),
        };
        let head = self.line.len();
        let _ = writeln!(self.line, "{source} {what}");
        let bytes = self.line.as_bytes();
        self.hash.update(bytes);
        self.events += 1;
        self.bytes += bytes.len() as u64;
        self.sink.put(at, parent, bytes, head);
        id
    }
}

impl Sink {
    /// Takes one line, whose source begins at byte `head`.
    fn put(&mut self, at: SimTime, parent: Option<EventId>, line: &[u8], head: usize) {
        match self {
            Self::None | Self::Writer(_, Some(_)) | Self::File(_, Some(_)) => {}
            Self::Memory(kept) => kept.extend_from_slice(line),
            Self::Writer(writer, error) => *error = writer.write_all(line).err(),
            Self::File(file, error) => {
                let text = line.get(head..line.len() - 1).unwrap_or_default();
                *error = file.event(at, parent, text).err();
            }
            Self::Copied(copies, onward) => {
                copies.put(line);
                onward.put(at, parent, line, head);
            }
        }
    }

    fn finish(self, digest: TraceDigest) -> std::io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Memory(kept) => Ok(kept),
            Self::Writer(_, Some(error)) | Self::File(_, Some(error)) => Err(error),
            Self::Writer(mut writer, None) => writer.flush().map(|()| Vec::new()),
            Self::File(mut file, None) => file.finish(digest).map(|()| Vec::new()),
            Self::Copied(_, onward) => onward.finish(digest),
        }
    }

    /// A trace file at `out` of the run in `passport`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn file(out: Box<dyn Write + Send>, passport: &Passport) -> std::io::Result<Self> {
        Ok(Self::File(Box::new(file::Writer::new(out, passport)?), None))
    }
}

impl Trace {
    /// A trace that keeps its digest and sends lines to `sink`.
    pub fn new(sink: Sink) -> Self {
        Self(Arc::new(Mutex::new(State {
            hash: Xxh3::new(),
            events: 0,
            bytes: 0,
            line: String::with_capacity(256),
            sink,
        })))
    }

    /// Records one event of `source` (a host name, `net`, `fault`, `fleet`, …), led to by the
    /// present cause.
    pub fn event(&self, at: SimTime, source: &str, what: Arguments<'_>) -> EventId {
        self.event_from(self.cause(), at, source, what)
    }

    /// Records one event that `parent` led to, whatever the present cause is.
    pub fn event_from(
        &self,
        parent: Option<EventId>,
        at: SimTime,
        source: &str,
        what: Arguments<'_>,
    ) -> EventId {
        self.lock().record(at, parent, source, what)
    }

    /// What led to whatever happens now; see [`crate::rt::cause`], which keeps it for each strand
    /// of work of this thread.
    pub fn cause(&self) -> Option<EventId> {
        cause::present().map(|id| EventId(id.get()))
    }

    /// Sets what leads to whatever happens from now on; what did before.
    pub fn set_cause(&self, cause: Option<EventId>) -> Option<EventId> {
        let cause = cause.and_then(|id| cause::Cause::new(id.0));
        cause::set(cause).map(|id| EventId(id.get()))
    }

    /// The work that runs now goes on from `event`; nothing where nobody follows causes.
    pub fn go_on_from(&self, event: EventId) {
        if cause::Strand::running().is_some() {
            self.set_cause(Some(event));
        }
    }

    /// Runs `act` as something that `cause` led to.
    pub fn led_by<R>(&self, cause: Option<EventId>, act: impl FnOnce() -> R) -> R {
        let before = self.set_cause(cause);
        let output = act();
        self.set_cause(before);
        output
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether lines go anywhere besides the digest.
    pub fn is_kept(&self) -> bool {
        !matches!(self.lock().sink, Sink::None)
    }

    /// The digest so far.
    pub fn digest(&self) -> TraceDigest {
        self.lock().digest()
    }

    /// Ends the trace: flushes a writer and hands back what was kept in memory.
    ///
    /// # Errors
    /// The first error of the writer.
    pub fn finish(&self) -> std::io::Result<Vec<u8>> {
        let mut state = self.lock();
        let digest = state.digest();
        std::mem::replace(&mut state.sink, Sink::None).finish(digest)
    }
}

/// A short stable fingerprint of a payload, for trace lines.
pub fn fingerprint(payload: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_no_gap() {
        let cases: [(&[&str], &str); 4] = [
            (&["aa", "bbb"], "aabbb"),
            (&["aa", "bbbb", "c"], "aa"),
            (&["aaaaaa", "b"], ""),
            (&["aaaaa", "b"], "aaaaa"),
        ];
        for (lines, expected) in cases {
            let mut copied = Copied::default();
            lines.iter().for_each(|line| copied.put(line.as_bytes(), 5));
            assert_eq!(String::from_utf8_lossy(&copied.lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn digest_does_not_depend_on_the_sink() {
        let record = |sink| {
            let trace = Trace::new(sink);
            trace.event(SimTime::from_millis(5), "net", format_args!("data bytes={}", 3));
            (trace.digest(), trace.finish().expect("no writer"))
        };
        let (quiet, nothing) = record(Sink::None);
        let (kept, lines) = record(Sink::Memory(Vec::new()));
        assert_eq!(quiet, kept);
        assert!(nothing.is_empty());
        assert_eq!(lines, b"0000005000000 1 - net data bytes=3\n");
    }
}
