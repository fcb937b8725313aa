//! The durable spool: chunks of events that wait on the disk until New Relic took them.
//!
//! Invariants:
//! - What [`Spool::append`] accepted is readable until a [`Spool::settle`] removed it, after any
//!   crash, as long as the disk keeps what it confirmed; what a settlement removed does not return.
//! - Appending and settling are one transaction each: a dropped future, a crash or an error leaves
//!   all of it or nothing, never a part.
//! - One instance works on a folder at a time; a newer format is refused and not touched.
//! - What is damaged is found by checksums, counted, and moved aside; it is never served, never
//!   deleted and never overwritten. The rest is saved.
//! - After an error of the disk the spool works again as soon as the disk does.
//!
//! Not modelled: two computers that share a folder over a network whose locks do not work.
//!
//! Files, in the configured folder: `format` (the version, as text), `lock` (with its holder's
//! name), `spool.redb` (the data), `spool.redb.corrupt-<n>` (what was damaged).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::units::UnixMillis;
use crate::ports::Disk;
use crate::stream::EncodedEvent;

mod backend;
mod engine;
mod error;
mod record;
mod salvage;
mod store;
#[cfg(test)]
mod tests;

use engine::Engine;
pub use error::SpoolError;

/// Newest format of the spool's files that this program reads, and the one that it writes.
pub const FORMAT: u64 = 1;

/// Files of which one at least is there when a folder holds a spool.
pub const DATA_FILES: [&str; 2] = [engine::DATA, engine::READY];

/// A chunk's place in the queue; unique over all lives of a spool.
///
/// The caller gives the numbers, in ascending order: [`Opened::next_id`] and above. Numbers may
/// have gaps (the number of a chunk's first event, say, so that the parts of a split chunk fit
/// between): a chunk of *n* events keeps the numbers `id..id + n` from being given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChunkId(pub u64);

/// The events of one POST, as they wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Place in the queue.
    pub id: ChunkId,
    /// When its events came.
    pub enqueued_at: UnixMillis,
    /// POSTs so far.
    pub attempts: u32,
    /// Not empty.
    pub events: VecDeque<EncodedEvent>,
}

impl Chunk {
    /// Number, time and size.
    pub fn meta(&self) -> ChunkMeta {
        ChunkMeta {
            id: self.id,
            enqueued_at: self.enqueued_at,
            events: u32::try_from(self.events.len()).unwrap_or(u32::MAX),
            bytes: self.events.iter().map(|event| event.json.len() as u64).sum(),
        }
    }
}

/// What is known of a chunk without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkMeta {
    /// Place in the queue.
    pub id: ChunkId,
    /// When its events came.
    pub enqueued_at: UnixMillis,
    /// How many events.
    pub events: u32,
    /// Bytes of the events' JSON.
    pub bytes: u64,
}

/// A chunk that New Relic will never take, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The chunk, or the part of it that is refused.
    pub chunk: Chunk,
    /// Why, in one word, for example `invalid`.
    pub reason: String,
    /// POSTs so far.
    pub attempts: u32,
    /// When it was given up.
    pub at: UnixMillis,
}

/// What is known of a dead letter without reading its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterMeta {
    /// Its number among all dead letters ever, ascending.
    pub number: u64,
    /// Its chunk, as it was.
    pub chunk: ChunkMeta,
    /// Why it was given up.
    pub reason: String,
    /// POSTs so far.
    pub attempts: u32,
    /// When it was given up.
    pub at: UnixMillis,
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadSelection {
    /// Every one.
    All,
    /// Those given up for this reason.
    Reason(String),
    /// Those with these numbers.
    Numbers(Vec<u64>),
}

impl DeadSelection {
    fn takes(&self, letter: &DeadLetterMeta) -> bool {
        match self {
            Self::All => true,
            Self::Reason(reason) => *reason == letter.reason,
            Self::Numbers(numbers) => numbers.contains(&letter.number),
        }
    }
}

/// One durable change: what left the queue, what took whose place, what was given up.
///
/// Everything that is named in `removed`, as the first of `replaced` or in `dead` is taken out
/// first; then the replacements are put in. A number that is not there any more is no error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Chunks that New Relic took, or that were dropped.
    pub removed: Vec<ChunkId>,
    /// Chunks and what takes their place: their parts, or themselves with more attempts.
    pub replaced: Vec<(ChunkId, Vec<Chunk>)>,
    /// Chunks, or parts of them, that become dead letters.
    pub dead: Vec<DeadLetter>,
}

impl Settlement {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.replaced.is_empty() && self.dead.is_empty()
    }
}

/// How a spool is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolConfig {
    /// Folder on the host's disk.
    pub folder: String,
    /// Most dead letters; the oldest go first, counted.
    pub dead_letters_max: usize,
    /// Most bytes of dead letters' events; the oldest go first, counted.
    pub dead_letter_bytes_max: u64,
    /// Most bytes of waiting chunks' events; an append beyond is [`SpoolError::Full`].
    pub bytes_max: u64,
    /// Whether a change is on the disk before its call returns. Without, a loss of power takes the
    /// changes since the last sync with it (a crash of the process takes them too); they are
    /// synced when the spool is closed. Nothing is torn either way.
    pub sync: bool,
    /// What this instance calls itself, shown to a second one that is refused, for example
    /// `process 4711 on host a`. One line.
    pub owner: String,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            folder: "spool".to_owned(),
            dead_letters_max: 1_000,
            dead_letter_bytes_max: 64 << 20,
            bytes_max: 4 << 30,
            sync: true,
            owner: "another pipeline".to_owned(),
        }
    }
}

/// An opened spool and what is in it.
#[derive(Debug)]
pub struct Opened<D: Disk> {
    /// The spool.
    pub spool: Spool<D>,
    /// What waits, oldest first.
    pub chunks: Vec<ChunkMeta>,
    /// The least number that no chunk ever had.
    pub next_id: ChunkId,
    /// What was repaired.
    pub report: OpenReport,
}

/// What opening found broken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenReport {
    /// Chunks carried over from a damaged file.
    pub salvaged_chunks: u64,
    /// Dead letters carried over from a damaged file.
    pub salvaged_dead_letters: u64,
    /// Chunks known to have been there that could not be saved.
    pub lost_chunks: u64,
    /// Bytes of records that were found damaged.
    pub lost_bytes: u64,
    /// Where the damaged file is kept, in the spool's folder.
    pub corrupt_file: Option<String>,
}

/// Counts since the spool was opened, and what is in it now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpoolStats {
    /// Length of the data file.
    pub file_bytes: u64,
    /// Chunks that wait.
    pub chunks: u64,
    /// Bytes of their events.
    pub chunk_bytes: u64,
    /// Chunks appended.
    pub appended: u64,
    /// Chunks removed or replaced.
    pub removed: u64,
    /// Dead letters kept.
    pub dead_letters: u64,
    /// Bytes of their events.
    pub dead_letter_bytes: u64,
    /// Dead letters dropped because there were too many.
    pub dead_letters_dropped: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Syncs of the data file.
    pub sync_count: u64,
    /// Bytes written to the data file.
    pub written_bytes: u64,
    /// Calls that failed.
    pub errors: u64,
    /// The last failure, until a call succeeds.
    pub last_error: Option<String>,
    /// Times the data file was opened anew after an error.
    pub reopened: u64,
    /// Repairs since the spool was opened, its opening included, added up.
    pub repaired: OpenReport,
}

/// A queue of chunks on a disk; clones are handles on the same one.
///
/// Every call is one job on the disk ([`Disk::run`]), one after another in the order of the calls.
#[derive(Debug)]
pub struct Spool<D: Disk> {
    disk: D,
    engine: Arc<tokio::sync::Mutex<Engine<D>>>,
    stats: Arc<Mutex<SpoolStats>>,
}

impl<D: Disk> Clone for Spool<D> {
    fn clone(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            engine: Arc::clone(&self.engine),
            stats: Arc::clone(&self.stats),
        }
    }
}

impl<D: Disk> Spool<D> {
    /// Opens the spool in `config.folder`, repairs what is damaged, and tells what waits.
    ///
    /// # Errors
    /// [`SpoolError::Locked`], [`SpoolError::NewerVersion`], and what the disk says. A damaged file
    /// is no error.
    pub async fn open(
        disk: D,
        config: SpoolConfig,
        now: UnixMillis,
    ) -> Result<Opened<D>, SpoolError> {
        let disk_of_engine = disk.clone();
        let (engine, chunks) = disk.run(move || Engine::open(disk_of_engine, config, now)).await?;
        let (next_id, report) = (engine.next_id(), engine.stats().repaired.clone());
        let stats = Arc::new(Mutex::new(engine.stats().clone()));
        let engine = Arc::new(tokio::sync::Mutex::new(engine));
        Ok(Opened { spool: Self { disk, engine, stats }, chunks, next_id, report })
    }

    /// Takes `chunks`, all or none; durable once this returns `Ok`. A chunk whose number is taken
    /// replaces the one that has it, so that a repeated call does no harm.
    ///
    /// # Errors
    /// See [`SpoolError`]; then none of them waits here, and the caller still owns them.
    pub async fn append(&self, chunks: Vec<Chunk>) -> Result<(), SpoolError> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.job(move |engine| engine.append(&chunks)).await
    }

    /// Reads a chunk; `None` when it is not there, or was found damaged and is counted as lost.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub async fn load(&self, id: ChunkId) -> Result<Option<Chunk>, SpoolError> {
        self.job(move |engine| engine.load(id)).await
    }

    /// Carries out a settlement as one change; durable once this returns `Ok`.
    ///
    /// # Errors
    /// See [`SpoolError`]; the change may have happened then. Repeat it.
    pub async fn settle(&self, settlement: Settlement) -> Result<(), SpoolError> {
        if settlement.is_empty() {
            return Ok(());
        }
        self.job(move |engine| engine.settle(&settlement)).await
    }

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetterMeta>, SpoolError> {
        self.job(|engine| engine.dead_letters()).await
    }

    /// Puts dead letters back at the end of the queue, as new chunks that came `now` and were
    /// never tried. A pipeline that gives out numbers itself must go on from [`Spool::next_id`].
    ///
    /// # Errors
    /// See [`SpoolError`]; the change may have happened then.
    pub async fn replay_dead_letters(
        &self,
        selection: DeadSelection,
        now: UnixMillis,
    ) -> Result<Vec<ChunkMeta>, SpoolError> {
        self.job(move |engine| engine.replay(&selection, now)).await
    }

    /// Deletes dead letters; how many.
    ///
    /// # Errors
    /// See [`SpoolError`]; the change may have happened then.
    pub async fn purge_dead_letters(&self, selection: DeadSelection) -> Result<u64, SpoolError> {
        self.job(move |engine| engine.purge(&selection)).await
    }

    /// The least number that no chunk ever had.
    ///
    /// # Errors
    /// None but those of the disk.
    pub async fn next_id(&self) -> Result<ChunkId, SpoolError> {
        self.job(|engine| Ok(engine.next_id())).await
    }

    /// Writes what is not durable yet and closes the file; later calls open it again. Dropping the
    /// last handle closes it too, but on the caller's thread.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub async fn close(&self) -> Result<(), SpoolError> {
        self.job(|engine| engine.close()).await
    }

    /// Counts as of the last call that ended.
    pub fn stats(&self) -> SpoolStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One call at a time: the guard travels with the job, so that a job whose future was dropped
    /// still keeps its place.
    async fn job<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine<D>) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let mut engine = Arc::clone(&self.engine).lock_owned().await;
        let stats = Arc::clone(&self.stats);
        let job = move || {
            let result = work(&mut engine);
            engine.book(result.as_ref().err());
            engine.stats().clone_into(&mut stats.lock().unwrap_or_else(PoisonError::into_inner));
            result
        };
        self.disk.run(job).await
    }
}
