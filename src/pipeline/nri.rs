//! Output of nri-kafka as a source: files that it writes, and documents piped in.
//!
//! Invariants:
//! - A file is read again only when its contents have changed; a writer that fell silent does not
//!   look like fresh data: after [`SILENCE_MAX`] the source fails.
//! - Memory is bounded: [`DOCUMENTS_BYTES_MAX`] for what was piped in and not yet collected, and
//!   for each file; what does not fit is counted and named.
//! - Every fault in a document shows in [`Collected::missing`] with its place.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::report::SourceFailure;
use super::source::{Collected, Collecting, MissingPart, Source};
use crate::collect::nri::{NriDefaults, read};
use crate::domain::units::UnixMillis;
use crate::ports::{Clock, Disk, Ports};
use crate::resilience::breaker::Admitted;

/// Most bytes of one file, and of all documents that wait for a cycle.
pub const DOCUMENTS_BYTES_MAX: usize = 64 << 20;

/// How long a source may have nothing new; nri-kafka writes every 30 s by default.
pub const SILENCE_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    ended: bool,
}

/// Documents on their way into a pipeline, line by line; clones feed the same one.
#[derive(Debug, Clone, Default)]
pub struct NriFeed(Arc<Mutex<Waiting>>);

impl NriFeed {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Plain data: whoever panicked while writing left it readable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one line; the oldest ones make room and are counted.
    fn push(&self, line: Vec<u8>) {
        let mut waiting = self.lock();
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        while waiting.bytes > DOCUMENTS_BYTES_MAX {
            let Some(oldest) = waiting.lines.pop_front() else { break };
            waiting.bytes -= oldest.len();
            waiting.dropped += 1;
        }
    }

    /// Adds every line of `input` until it ends, then says that no more will come. A line longer
    /// than `DOCUMENTS_BYTES_MAX` is dropped and counted.
    ///
    /// # Errors
    /// The input's; no more will come then, either.
    pub fn read_lines(&self, mut input: impl BufRead) -> io::Result<()> {
        let ended = loop {
            let mut line = Vec::new();
            let limit = DOCUMENTS_BYTES_MAX as u64 + 1;
            match input.by_ref().take(limit).read_until(b'\n', &mut line) {
                Ok(0) => break Ok(()),
                Ok(_) if line.len() > DOCUMENTS_BYTES_MAX => {
                    self.lock().dropped += 1;
                    if let Err(error) = input.skip_until(b'\n') {
                        break Err(error);
                    }
                }
                Ok(_) => self.push(line),
                Err(error) => break Err(error),
            }
        };
        self.lock().ended = true;
        ended
    }

    /// Takes everything that waits.
    fn take(&self) -> Waiting {
        let mut waiting = self.lock();
        let ended = waiting.ended;
        std::mem::replace(&mut *waiting, Waiting { ended, ..Waiting::default() })
    }
}

/// Reads documents of nri-kafka from files and a feed.
pub struct NriSource<P: Ports> {
    name: String,
    ports: P,
    cluster: String,
    files: Vec<String>,
    feed: Option<NriFeed>,
    /// Hash of each file's contents when it was last read.
    seen: BTreeMap<String, u64>,
    /// When there was something new, monotonic; at first, when the source was made.
    fresh_at: Duration,
}

impl<P: Ports> NriSource<P> {
    /// A source of `files` (paths on the host's disk) and of what comes through `feed`. Samples
    /// that do not name their cluster belong to `cluster`.
    pub fn new(
        ports: P,
        cluster: impl Into<String>,
        files: Vec<String>,
        feed: Option<NriFeed>,
    ) -> Self {
        let cluster = cluster.into();
        let name = format!("nri/{cluster}");
        let fresh_at = ports.clock().monotonic();
        Self { name, ports, cluster, files, feed, seen: BTreeMap::new(), fresh_at }
    }

    fn collect_now(&mut self) -> Result<Collected, SourceFailure> {
        let mut collected = Collected::default();
        let texts = self.texts(&mut collected.missing);
        let now = self.ports.clock().monotonic();
        if !texts.is_empty() {
            self.fresh_at = now;
        }
        let silence = now.saturating_sub(self.fresh_at);
        if silence > SILENCE_MAX {
            let mut message = format!("nothing new for {} s", silence.as_secs());
            for part in collected.missing {
                message.push_str("; ");
                message.push_str(&part.detail);
            }
            return Err(SourceFailure { reason: "silence".to_owned(), message });
        }
        for (from, text) in &texts {
            read_text(from, text, &self.cluster, self.ports.clock().wall(), &mut collected);
        }
        Ok(collected)
    }

    /// Everything new since the last cycle, and where it came from.
    fn texts(&mut self, missing: &mut Vec<MissingPart>) -> Vec<(String, Vec<u8>)> {
        let mut texts = Vec::new();
        for file in &self.files {
            match read_file(&self.ports, file) {
                Ok(text) => {
                    let hash = xxh3_64(&text);
                    if self.seen.insert(file.clone(), hash) != Some(hash) {
                        texts.push((format!("file `{file}`"), text));
                    }
                }
                Err(error) => {
                    missing.push(part("file_unreadable", 1, format!("file `{file}`: {error}")));
                }
            }
        }
        let Some(feed) = &self.feed else { return texts };
        let waiting = feed.take();
        if !waiting.lines.is_empty() {
            let text = waiting.lines.into_iter().flatten().collect();
            texts.push(("standard input".to_owned(), text));
        }
        if waiting.dropped > 0 {
            let detail = "lines came faster than cycles, or were too long".to_owned();
            missing.push(part("feed_overflow", waiting.dropped, detail));
        }
        if waiting.ended {
            missing.push(part("feed_ended", 1, "standard input has ended".to_owned()));
        }
        texts
    }
}

impl<P: Ports> Source for NriSource<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn collect(&mut self, _admitted: Admitted) -> Collecting<'_> {
        Box::pin(async { self.collect_now() })
    }
}

fn part(reason: &str, count: u64, detail: String) -> MissingPart {
    MissingPart { reason: reason.to_owned(), count, detail }
}

/// Adds the samples of `text`, and what is wrong in it, to `collected`.
fn read_text(from: &str, text: &[u8], cluster: &str, at: UnixMillis, collected: &mut Collected) {
    let defaults = NriDefaults { at, cluster: Some(cluster) };
    let Collected { samples, missing } = collected;
    let stats = read(text, defaults, |sample| match sample {
        Ok(sample) => samples.push(sample.clone().into_owned()),
        Err(error) => missing.push(part(error.fault.as_str(), 1, format!("{from}: {error}"))),
    });
    if stats.skipped_values > 0 {
        let detail = format!("{from}: {} values cannot be used", stats.skipped_values);
        missing.push(part("skipped_values", stats.skipped_values, detail));
    }
}

/// The contents of `file`, if it is not too long.
fn read_file(ports: &impl Ports, file: &str) -> io::Result<Vec<u8>> {
    let bytes = ports.disk().read(file)?;
    if bytes.len() > DOCUMENTS_BYTES_MAX {
        let why = format!("{} bytes, at most {DOCUMENTS_BYTES_MAX}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
