//! The inputs of a served New Relic on a disk, so that a later start has the same store.
//!
//! What is kept is what came, not what became of it: requests that were taken with the time of
//! their taking, what users changed, how late synthesis is. Played back in order to a New Relic of
//! the same seed they make the same events, ids, entities and relationships; with other
//! definitions, the same data are synthesized anew.
//!
//! Invariants:
//! - [`Journal::append`] is one transaction: after a crash all of its inputs are there or none, and
//!   once it returned they are there, as long as the disk keeps what it confirmed.
//! - Inputs come back in the order in which they were appended.
//! - Data older than the retention go, then the oldest ones above the limit of bytes; what users
//!   changed stays.
//! - A folder is used by one instance at a time. A file of a newer program, of another seed, or one
//!   that is damaged is refused with what to do; nothing is deleted.
//! - No key is written, only digests.
//!
//! Not modelled: after data went, ids and lags drawn at the next start differ from those of the
//! first time (events, entities and their times do not).

mod backend;
mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};

pub use entry::{BadEntry, Entry, Input, KeyDigest, Taken};

use crate::domain::units::{UnixMillis, whole_millis};
use crate::ports::{Disk, DiskLock};
use backend::{Backend, contain};

/// Newest format of the file that this program reads, and the one that it writes.
pub const FORMAT: u64 = 1;

const FILE: &str = "journal.redb";
/// A file in the making; worth nothing.
const NEW: &str = "journal.redb.new";
const LOCK: &str = "lock";
/// `format` and `seed`.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Records by their number.
const INPUTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("inputs");
/// redb's memory for pages: what is written is read once, at the next start.
const CACHE_BYTES: usize = 4 << 20;
/// Bytes of records that one read brings.
const READ_BYTES: usize = 8 << 20;

/// How a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// What people call the folder, for messages.
    pub folder: String,
    /// Seed of the New Relic whose inputs these are.
    pub seed: u64,
    /// How long data count, by the time of their taking.
    pub retention: Duration,
    /// Most bytes of inputs.
    pub bytes_max: u64,
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another instance works on the folder.
    #[error(
        "the journal in {0} is in use by another process; stop that one, or give this one a folder \
         of its own with --data"
    )]
    Locked(String),
    /// A newer program wrote it.
    #[error(
        "the journal in {folder} has format {found}, this program reads up to {FORMAT}; run the \
         newer program, or choose another folder with --data"
    )]
    NewerVersion {
        /// The folder.
        folder: String,
        /// Its format.
        found: u64,
    },
    /// It is that of another seed, so the same inputs would make another store.
    #[error(
        "the journal in {folder} was made with seed {found}; start with --seed {found}, or choose \
         another folder with --data"
    )]
    OtherSeed {
        /// The folder.
        folder: String,
        /// Its seed.
        found: u64,
    },
    /// What is on the disk is not what was written.
    #[error(
        "the journal in {folder} is damaged: {why}; move {folder}/{FILE} aside to start without \
         it, or restore it from a copy"
    )]
    Damaged {
        /// The folder.
        folder: String,
        /// What was found.
        why: String,
    },
    /// What users changed fills it.
    #[error(
        "the journal in {folder} is full: what users changed takes more than {bytes_max} bytes; \
         raise --data-max, or choose another folder"
    )]
    Full {
        /// The folder.
        folder: String,
        /// The limit.
        bytes_max: u64,
    },
    /// The disk failed.
    #[error("the journal in {folder} cannot be {action}: {source}")]
    Io {
        /// The folder.
        folder: String,
        /// What was being done.
        action: &'static str,
        /// What the disk said.
        source: io::Error,
    },
}

impl JournalError {
    /// Whether the file, and not its disk, is the reason.
    pub fn is_of_the_file(&self) -> bool {
        matches!(self, Self::NewerVersion { .. } | Self::OtherSeed { .. } | Self::Damaged { .. })
    }
}

/// What is known of an input without reading it.
#[derive(Debug, Clone, Copy)]
struct Known {
    at: UnixMillis,
    bytes: u64,
    for_ever: bool,
}

/// An open journal.
pub struct Journal<D: Disk> {
    disk: D,
    config: JournalConfig,
    database: Arc<Database>,
    known: BTreeMap<u64, Known>,
    bytes: u64,
    next: u64,
    /// Inputs that went because they were old, or because there was no room.
    pruned: u64,
    _lock: DiskLock,
}

impl<D: Disk> std::fmt::Debug for Journal<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<D: Disk> Journal<D> {
    /// Takes the folder (the disk's root), and opens the file in it or makes one.
    ///
    /// # Errors
    /// [`JournalError`]
    pub async fn open(disk: D, config: JournalConfig) -> Result<Self, JournalError> {
        let lock = disk.lock(LOCK).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => JournalError::Locked(config.folder.clone()),
            _ => config.io("locked", source),
        })?;
        let job = {
            let (disk, config) = (disk.clone(), config.clone());
            move || open_file(&disk, &config)
        };
        let (database, known) = disk.run(job).await?;
        let bytes = known.values().map(|known| known.bytes).sum();
        let next = known.keys().next_back().map_or(0, |last| last + 1);
        let database = Arc::new(database);
        Ok(Self { disk, config, database, known, bytes, next, pruned: 0, _lock: lock })
    }

    /// How many inputs there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Bytes of all inputs.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Inputs that this instance let go.
    pub fn pruned(&self) -> u64 {
        self.pruned
    }

    /// The latest time of an input.
    pub fn last_at(&self) -> Option<UnixMillis> {
        self.known.values().map(|known| known.at).max()
    }

    /// Inputs from number `from` on, as many as one read brings, and the number to go on with;
    /// empty at the end.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Io`].
    pub async fn read(&self, from: u64) -> Result<(Vec<Entry>, u64), JournalError> {
        let (database, config) = (Arc::clone(&self.database), self.config.clone());
        self.disk.run(move || read(&database, &config, from)).await
    }

    /// Keeps `entries`, durably, and lets go of what is too old or too much.
    ///
    /// # Errors
    /// [`JournalError`]; the inputs may or may not be kept then, and nothing more will be.
    pub async fn append(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let damaged = |error: BadEntry| self.config.damaged(error.to_string());
            let record = entry.encode().map_err(damaged)?;
            let bytes = record.len() as u64;
            let known = Known { at: entry.at, bytes, for_ever: entry.for_ever() };
            self.known.insert(self.next, known);
            self.bytes += bytes;
            records.push((self.next, record));
            self.next += 1;
        }
        let gone = self.too_much();
        for number in &gone {
            self.bytes -= self.known.remove(number).map_or(0, |known| known.bytes);
        }
        self.pruned += gone.len() as u64;
        if self.bytes > self.config.bytes_max {
            let JournalConfig { folder, bytes_max, .. } = self.config.clone();
            return Err(JournalError::Full { folder, bytes_max });
        }
        let (database, config) = (Arc::clone(&self.database), self.config.clone());
        self.disk.run(move || write(&database, &config, &records, &gone)).await
    }

    /// Numbers of the inputs that have to go.
    fn too_much(&self) -> Vec<u64> {
        let retention = i64::try_from(whole_millis(self.config.retention)).unwrap_or(i64::MAX);
        let newest = self.known.values().next_back().map_or(UnixMillis(0), |known| known.at);
        let oldest = newest.plus_millis(retention.saturating_neg());
        let mut excess = self.bytes.saturating_sub(self.config.bytes_max);
        let mut gone = Vec::new();
        for (number, known) in self.known.iter().filter(|(_, known)| !known.for_ever) {
            if known.at >= oldest && excess == 0 {
                // Inputs are in the order of their times.
                break;
            }
            excess = excess.saturating_sub(known.bytes);
            gone.push(*number);
        }
        gone
    }
}

impl JournalConfig {
    fn io(&self, action: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { folder: self.folder.clone(), action, source }
    }

    fn damaged(&self, why: impl Into<String>) -> JournalError {
        JournalError::Damaged { folder: self.folder.clone(), why: why.into() }
    }

    /// Does something with redb and says what its error means.
    fn redb<T>(
        &self,
        action: &'static str,
        work: impl FnOnce() -> Result<T, redb::Error>,
    ) -> Result<T, JournalError> {
        match contain(work) {
            Err(panic) => Err(self.damaged(panic)),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(redb::Error::Io(source))) => match source.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                    Err(self.damaged(source.to_string()))
                }
                _ => Err(self.io(action, source)),
            },
            Ok(Err(redb::Error::PreviousIo)) => {
                Err(self.io(action, io::Error::other("the disk failed before")))
            }
            Ok(Err(error)) => Err(self.damaged(error.to_string())),
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

fn backend<D: Disk>(
    disk: &D,
    config: &JournalConfig,
    name: &str,
) -> Result<Backend<D::File>, JournalError> {
    let opened = disk.open(name).map_err(|source| config.io("opened", source))?;
    Ok(Backend(opened))
}

type Opened = (Database, BTreeMap<u64, Known>);

/// Opens the file, after making it when there is none, and checks all of it.
fn open_file<D: Disk>(disk: &D, config: &JournalConfig) -> Result<Opened, JournalError> {
    let names = disk.list("").map_err(|source| config.io("listed", source))?;
    if !names.iter().any(|name| name == FILE) {
        make(disk, config, names.iter().any(|name| name == NEW))?;
    }
    let backend = backend(disk, config, FILE)?;
    let database = config.redb("opened", || Ok(builder().create_with_backend(backend)?))?;
    let meta = |key: &'static str| {
        config.redb("read", || {
            let meta = database.begin_read()?.open_table(META)?;
            Ok(meta.get(key)?.map(|value| value.value()))
        })
    };
    match meta("format")? {
        Some(FORMAT) => {}
        Some(found) => {
            return Err(JournalError::NewerVersion { folder: config.folder.clone(), found });
        }
        None => return Err(config.damaged("the format is missing")),
    }
    match meta("seed")? {
        Some(seed) if seed == config.seed => {}
        Some(found) => {
            return Err(JournalError::OtherSeed { folder: config.folder.clone(), found });
        }
        None => return Err(config.damaged("the seed is missing")),
    }
    let known = config.redb("read", || {
        let table = database.begin_read()?.open_table(INPUTS)?;
        let mut known = BTreeMap::new();
        for row in table.iter()? {
            let (number, record) = row?;
            let bytes = record.value().len() as u64;
            known.insert(number.value(), (Entry::decode(record.value()), bytes));
        }
        Ok(known)
    })?;
    let mut checked = BTreeMap::new();
    for (number, (entry, bytes)) in known {
        let entry = entry.map_err(|error| config.damaged(format!("input {number}: {error}")))?;
        checked.insert(number, Known { at: entry.at, bytes, for_ever: entry.for_ever() });
    }
    Ok((database, checked))
}

/// Makes an empty file under another name and gives it its own when it is complete.
fn make<D: Disk>(disk: &D, config: &JournalConfig, leftover: bool) -> Result<(), JournalError> {
    if leftover {
        disk.remove(NEW).map_err(|source| config.io("made", source))?;
    }
    let backend = backend(disk, config, NEW)?;
    config.redb("made", || {
        let database = builder().create_with_backend(backend)?;
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert("format", FORMAT)?;
            meta.insert("seed", config.seed)?;
            transaction.open_table(INPUTS)?;
        }
        transaction.commit()?;
        Ok(database.close()?)
    })?;
    disk.rename(NEW, FILE).map_err(|source| config.io("made", source))
}

fn read(
    database: &Database,
    config: &JournalConfig,
    from: u64,
) -> Result<(Vec<Entry>, u64), JournalError> {
    let mut next = from;
    let records = config.redb("read", || {
        let table = database.begin_read()?.open_table(INPUTS)?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        for row in table.range(from..)? {
            let (number, record) = row?;
            bytes += record.value().len();
            records.push(Entry::decode(record.value()));
            next = number.value() + 1;
            if bytes >= READ_BYTES {
                break;
            }
        }
        Ok(records)
    })?;
    let entries: Result<Vec<Entry>, BadEntry> = records.into_iter().collect();
    Ok((entries.map_err(|error| config.damaged(error.to_string()))?, next))
}

fn write(
    database: &Database,
    config: &JournalConfig,
    records: &[(u64, Vec<u8>)],
    gone: &[u64],
) -> Result<(), JournalError> {
    config.redb("written", || {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(INPUTS)?;
            for (number, record) in records {
                table.insert(number, record.as_slice())?;
            }
            for number in gone {
                table.remove(number)?;
            }
        }
        Ok(transaction.commit()?)
    })
}
