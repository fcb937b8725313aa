//! The data file: opening and checking it, one transaction, a copy of what is good.
//!
//! Invariants:
//! - redb's panics on damaged files end here, as [`Fault::Damaged`].
//! - A file is in use only after all of it was read and checked: redb's own checksums, the form of
//!   every record, and that there are as many as the last transaction said.
//! - A new file gets its name when it is complete.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};

use super::backend::{Backend, Overlay, Traffic};
use super::record::{self, Kind, State};
use super::salvage::Live;
use super::{ChunkId, ChunkMeta, DeadLetterMeta, FORMAT, SpoolError};
use crate::ports::Disk;

/// The version under `format`, and the last transaction's state under `state`.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Records of chunks, by [`ChunkId`].
const CHUNKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("chunks");
/// Records of dead letters, by number.
const DEAD: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("dead");

/// redb's memory for pages. What waits is read once, when it is sent: a bigger one gains nothing.
const CACHE_BYTES: usize = 4 << 20;

/// What is in a data file, without the events.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) chunks: BTreeMap<ChunkId, ChunkMeta>,
    pub(super) chunk_bytes: u64,
    pub(super) dead: BTreeMap<u64, DeadLetterMeta>,
    pub(super) dead_bytes: u64,
    pub(super) state: State,
}

impl Index {
    pub(super) fn insert(&mut self, meta: ChunkMeta) {
        self.remove(meta.id);
        self.chunk_bytes += meta.bytes;
        self.chunks.insert(meta.id, meta);
    }

    pub(super) fn remove(&mut self, id: ChunkId) -> bool {
        let old = self.chunks.remove(&id);
        self.chunk_bytes -= old.map_or(0, |old| old.bytes);
        old.is_some()
    }

    pub(super) fn insert_dead(&mut self, letter: DeadLetterMeta) {
        self.dead_bytes += letter.chunk.bytes;
        self.dead.insert(letter.number, letter);
    }

    pub(super) fn remove_dead(&mut self, number: u64) {
        self.dead_bytes -= self.dead.remove(&number).map_or(0, |old| old.chunk.bytes);
    }
}

/// One transaction: what is taken out, then what is put in.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) removed: Vec<u64>,
    pub(super) chunks: Vec<(ChunkMeta, Vec<u8>)>,
    pub(super) dead_removed: Vec<u64>,
    pub(super) dead: Vec<(DeadLetterMeta, Vec<u8>)>,
}

/// Why a data file is not in use.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not the file's fault, or not to be repaired.
    Refused(SpoolError),
    /// What is in the file is not what was written; which records are live, if that is known.
    Damaged { why: String, live: Option<Live> },
}

impl From<SpoolError> for Fault {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Corrupt(why) => Self::Damaged { why, live: None },
            error => Self::Refused(error),
        }
    }
}

impl Fault {
    pub(super) fn into_error(self) -> SpoolError {
        match self {
            Self::Refused(error) => error,
            Self::Damaged { why, .. } => SpoolError::Corrupt(why),
        }
    }
}

/// Runs what redb may panic in.
pub(super) fn contain<T>(work: impl FnOnce() -> Result<T, SpoolError>) -> Result<T, SpoolError> {
    let text = |panic: &(dyn Any + Send)| {
        let text = panic.downcast_ref::<&str>().copied();
        let owned = panic.downcast_ref::<String>().map(String::as_str);
        text.or(owned).unwrap_or("panic without a text").to_owned()
    };
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(SpoolError::Corrupt(text(panic.as_ref()))))
}

/// What redb's error means; the file's own error tells more, if it had one.
pub(super) fn refused(
    action: &'static str,
    traffic: &Traffic,
) -> impl Fn(redb::Error) -> SpoolError {
    let cause = traffic.take_error();
    move |error| {
        let io = match (&cause, error) {
            (Some(cause), _) => io::Error::new(cause.kind(), cause.to_string()),
            (None, redb::Error::Io(error)) => error,
            (None, redb::Error::Corrupted(why)) => return SpoolError::Corrupt(why),
            (None, error @ redb::Error::ValueTooLarge(_)) => {
                io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
            }
            // A table that is missing or of another type, a format of another age.
            (None, error) => return SpoolError::Corrupt(error.to_string()),
        };
        match io.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                SpoolError::Corrupt(io.to_string())
            }
            _ => SpoolError::io(action, io),
        }
    }
}

/// Where a spool's files are.
#[derive(Debug, Clone)]
pub(super) struct Place<D> {
    pub(super) disk: D,
    pub(super) folder: String,
    /// Whether changes are synced.
    pub(super) sync: bool,
    pub(super) traffic: Arc<Traffic>,
}

impl<D: Disk> Place<D> {
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Moves a file of the folder, durably.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), SpoolError> {
        let renamed = self.disk.rename(&self.path(from), &self.path(to));
        renamed.map_err(|error| SpoolError::io("renames", error))
    }

    /// Makes everything durable and closes the file.
    pub(super) fn close(&self, database: Database) -> Result<(), SpoolError> {
        self.traffic.set_sync(true);
        let closed = self.redb("closes", || Ok(database.close()?));
        self.traffic.set_sync(self.sync);
        closed
    }

    fn backend(&self, name: &str) -> Result<Backend<D::File>, SpoolError> {
        let file = self.disk.open(&self.path(name)).map_err(|e| SpoolError::io("opens", e))?;
        Ok(Backend { file, traffic: Arc::clone(&self.traffic) })
    }

    /// Does something with redb and says what its error means.
    fn redb<T>(
        &self,
        action: &'static str,
        work: impl FnOnce() -> Result<T, redb::Error>,
    ) -> Result<T, SpoolError> {
        contain(|| work().map_err(|error| refused(action, &self.traffic)(error)))
    }

    /// Opens the data file and checks all of it.
    pub(super) fn open(&self, name: &str) -> Result<(Database, Index), Fault> {
        self.check(self.backend(name)?)
    }

    /// Opens the data file and checks all of it, without writing to it, now or later.
    pub(super) fn open_aside(&self, name: &str) -> Result<(Database, Index), Fault> {
        let overlay = Overlay::new(self.backend(name)?);
        self.check(overlay.map_err(|error| SpoolError::io("opens", error))?)
    }

    fn check(&self, backend: impl StorageBackend) -> Result<(Database, Index), Fault> {
        let database = self.redb("opens", || {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
            Ok(builder.create_with_backend(backend)?)
        })?;
        let index = self.read_index(&database)?;
        Ok((database, index))
    }

    fn read_index(&self, database: &Database) -> Result<Index, Fault> {
        let mut index = Index::default();
        let mut live = Live::default();
        let mut bad = 0_u64;
        self.redb("reads", || {
            let transaction = database.begin_read()?;
            for entry in transaction.open_table(CHUNKS)?.iter()? {
                let (key, value) = entry?;
                live.chunks.insert(key.value());
                let meta = record::parse_all(value.value(), Kind::Chunk)
                    .and_then(|record| record::decode_chunk_meta(record.payload))
                    .filter(|meta| meta.id.0 == key.value());
                bad += u64::from(meta.is_none());
                if let Some(meta) = meta {
                    index.insert(meta);
                }
            }
            for entry in transaction.open_table(DEAD)?.iter()? {
                let (key, value) = entry?;
                live.dead.insert(key.value());
                let letter = record::parse_all(value.value(), Kind::Dead)
                    .and_then(|record| record::decode_dead_meta(record.payload))
                    .filter(|letter| letter.number == key.value());
                bad += u64::from(letter.is_none());
                if let Some(letter) = letter {
                    index.insert_dead(letter);
                }
            }
            Ok(())
        })?;
        let (format, state) = self.read_meta(database)?;
        let unsupported = |found| SpoolError::NewerVersion {
            folder: self.folder.clone(),
            found,
            supported: FORMAT,
        };
        match format {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(Fault::Refused(unsupported(found))),
            _ => return Err(SpoolError::Corrupt("the format is missing".to_owned()).into()),
        }
        let Some(state) = state else {
            return Err(SpoolError::Corrupt("the state is missing".to_owned()).into());
        };
        index.state = state;
        let counts = (live.chunks.len() as u64, live.dead.len() as u64);
        if counts != (state.chunks, state.dead_letters) {
            let why = format!("{counts:?} records instead of {state:?}");
            return Err(SpoolError::Corrupt(why).into());
        }
        if bad > 0 {
            let why = format!("{bad} records are damaged");
            return Err(Fault::Damaged { why, live: Some(live) });
        }
        Ok(index)
    }

    fn read_meta(&self, database: &Database) -> Result<(Option<u64>, Option<State>), SpoolError> {
        self.redb("reads", || {
            let meta = database.begin_read()?.open_table(META)?;
            let format = meta.get("format")?.and_then(|value| value.value().try_into().ok());
            let state = meta.get("state")?.and_then(|value| {
                record::parse_all(value.value(), Kind::State).and_then(record::decode_state)
            });
            Ok((format.map(u64::from_le_bytes), state))
        })
    }

    /// The payload of a chunk's record as it is; `None` when the key is not there.
    pub(super) fn read_chunk(
        &self,
        database: &Database,
        id: ChunkId,
    ) -> Result<Option<Vec<u8>>, SpoolError> {
        self.read(database, CHUNKS, id.0)
    }

    /// A dead letter's record, as it is.
    pub(super) fn read_dead(
        &self,
        database: &Database,
        number: u64,
    ) -> Result<Option<Vec<u8>>, SpoolError> {
        self.read(database, DEAD, number)
    }

    fn read(
        &self,
        database: &Database,
        table: TableDefinition<'static, u64, &'static [u8]>,
        key: u64,
    ) -> Result<Option<Vec<u8>>, SpoolError> {
        self.redb("reads", || {
            let table = database.begin_read()?.open_table(table)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    /// Carries out a change and writes the state that holds after it.
    pub(super) fn commit(
        &self,
        database: &Database,
        change: &Change,
        state: &State,
    ) -> Result<(), SpoolError> {
        let state = record::encode_state(state).map_err(|e| SpoolError::io("writes", e))?;
        self.redb("writes", || {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(CHUNKS)?;
                for id in &change.removed {
                    table.remove(id)?;
                }
                for (meta, record) in &change.chunks {
                    table.insert(meta.id.0, record.as_slice())?;
                }
            }
            if !change.dead_removed.is_empty() || !change.dead.is_empty() {
                let mut table = transaction.open_table(DEAD)?;
                for (letter, record) in &change.dead {
                    table.insert(letter.number, record.as_slice())?;
                }
                for number in &change.dead_removed {
                    table.remove(number)?;
                }
            }
            transaction.open_table(META)?.insert("state", state.as_slice())?;
            Ok(transaction.commit()?)
        })
    }

    /// Makes a data file called `name` that `fill` puts records into; all of it is durable once
    /// this returns. What had this name is a leftover and is removed.
    pub(super) fn build(
        &self,
        name: &str,
        fill: impl FnOnce(&mut Filler<'_>) -> Result<State, SpoolError>,
    ) -> Result<(), SpoolError> {
        match self.disk.remove(&self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SpoolError::io("clears", error));
            }
            _ => {}
        }
        let backend = self.backend(name)?;
        // A file takes the place of another only when it is on the disk.
        self.traffic.set_sync(true);
        let built = self.fill(backend, fill);
        self.traffic.set_sync(self.sync);
        built
    }

    fn fill(
        &self,
        backend: Backend<D::File>,
        fill: impl FnOnce(&mut Filler<'_>) -> Result<State, SpoolError>,
    ) -> Result<(), SpoolError> {
        let error = |error| refused("writes", &self.traffic)(error);
        contain(|| {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            let database = builder.create_with_backend(backend).map_err(|e| error(e.into()))?;
            let transaction = database.begin_write().map_err(|e| error(e.into()))?;
            let state = fill(&mut Filler { transaction: &transaction, traffic: &self.traffic })?;
            let state = record::encode_state(&state).map_err(|e| SpoolError::io("writes", e))?;
            let finish = || -> Result<(), redb::Error> {
                transaction.open_table(CHUNKS)?;
                transaction.open_table(DEAD)?;
                let mut meta = transaction.open_table(META)?;
                meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
                meta.insert("state", state.as_slice())?;
                Ok(())
            };
            finish().map_err(error)?;
            transaction.commit().map_err(|e| error(e.into()))?;
            database.close().map_err(|e| error(e.into()))
        })
    }

    /// Makes a data file called `name` with every record of `database`.
    pub(super) fn copy(
        &self,
        name: &str,
        database: &Database,
        state: State,
    ) -> Result<(), SpoolError> {
        self.build(name, |filler| {
            for kind in [Kind::Chunk, Kind::Dead] {
                let table = if kind == Kind::Chunk { CHUNKS } else { DEAD };
                self.redb("reads", || {
                    let table = database.begin_read()?.open_table(table)?;
                    for entry in table.iter()? {
                        let (key, value) = entry?;
                        filler.put_redb(kind, key.value(), value.value())?;
                    }
                    Ok(())
                })?;
            }
            Ok(state)
        })
    }
}

/// Puts records into a new data file.
pub(super) struct Filler<'a> {
    transaction: &'a WriteTransaction,
    traffic: &'a Traffic,
}

impl Filler<'_> {
    fn put_redb(&mut self, kind: Kind, key: u64, record: &[u8]) -> Result<(), redb::Error> {
        let table = if kind == Kind::Dead { DEAD } else { CHUNKS };
        self.transaction.open_table(table)?.insert(key, record)?;
        Ok(())
    }

    /// Puts one record in.
    pub(super) fn put(&mut self, kind: Kind, key: u64, record: &[u8]) -> Result<(), SpoolError> {
        self.put_redb(kind, key, record).map_err(refused("writes", self.traffic))
    }
}
