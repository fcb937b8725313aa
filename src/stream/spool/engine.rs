//! The spool's calls, one at a time, and its recovery from whatever the disk did.
//!
//! Invariants:
//! - After any failure the data file is closed; the next call opens it anew, under the same lock,
//!   and what it finds there is what counts.
//! - What a failed append left behind is taken out before anything else happens.
//! - After a failed sync, and after an end without [`Engine::close`], the data are copied into a
//!   new file before they are relied on: an operating system may show what it will never write.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use redb::Database;

use super::backend::Traffic;
use super::record::{self, Kind, State};
use super::store::{Change, Fault, Index, Place, contain};
use super::{
    Chunk, ChunkId, ChunkMeta, DeadLetter, DeadLetterMeta, DeadSelection, FORMAT, OpenReport,
    Settlement, SpoolConfig, SpoolError, SpoolStats,
};
use crate::domain::units::UnixMillis;
use crate::ports::{Disk, DiskFile, DiskLock};

/// The data.
pub(super) const DATA: &str = "spool.redb";
/// A copy in the making; worth nothing.
const NEW: &str = "spool.redb.new";
/// What was saved from a damaged file, complete; it takes the place of `DATA` next.
pub(super) const READY: &str = "spool.redb.ready";
/// The version, as text.
const FORMAT_FILE: &str = "format";
const FORMAT_NEW: &str = "format.new";
const FORMAT_TEXT: &str = "shakedown spool, format ";
const LOCK: &str = "lock";
/// There while the data file is open: found at the start, it tells that the end was no orderly one.
const IN_USE: &str = "in-use";

/// A data file shorter than this is never copied to shorten it.
const COMPACT_ABOVE_BYTES: u64 = 8 << 20;
/// A data file is copied to shorten it when its data are less than a part in so many.
const COMPACT_BELOW_PART: u64 = 4;

/// Whether what is read is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distrust {
    /// As far as the disk is honest.
    No,
    /// The last instance did not live to tell: a copy is made if there is room for one.
    Suspected,
    /// A sync failed: nothing goes on without a copy.
    Known,
}

/// One instance's hold on a spool.
#[derive(Debug)]
pub(super) struct Engine<D: Disk> {
    place: Place<D>,
    config: SpoolConfig,
    _lock: DiskLock,
    /// Closed after a failure.
    database: Option<Database>,
    index: Index,
    /// Chunks whose append failed, and which may be in the file all the same.
    doubtful: BTreeSet<ChunkId>,
    distrust: Distrust,
    compact_above_bytes: u64,
    stats: SpoolStats,
}

impl<D: Disk> Engine<D> {
    /// Takes the lock, checks the format, opens and repairs the data.
    pub(super) fn open(
        disk: D,
        config: SpoolConfig,
        now: UnixMillis,
    ) -> Result<(Self, Vec<ChunkMeta>), SpoolError> {
        let traffic = Arc::new(Traffic::default());
        traffic.set_sync(config.sync);
        let place = Place { disk, folder: config.folder.clone(), sync: config.sync, traffic };
        let lock = take_lock(&place, &config.owner, now)?;
        let mut engine = Self {
            place,
            config,
            _lock: lock,
            database: None,
            index: Index::default(),
            doubtful: BTreeSet::new(),
            distrust: Distrust::No,
            compact_above_bytes: COMPACT_ABOVE_BYTES,
            stats: SpoolStats::default(),
        };
        engine.check_format()?;
        engine.ready()?;
        engine.stats.reopened = 0;
        engine.book(None);
        let chunks = engine.index.chunks.values().copied().collect();
        Ok((engine, chunks))
    }

    pub(super) fn next_id(&self) -> ChunkId {
        ChunkId(self.index.state.next_id)
    }

    pub(super) fn stats(&self) -> &SpoolStats {
        &self.stats
    }

    /// Counts a call that ended.
    pub(super) fn book(&mut self, error: Option<&SpoolError>) {
        self.stats.errors += u64::from(error.is_some());
        self.stats.last_error = error.map(|error| crate::rt::with_causes(error));
        self.stats.chunks = self.index.chunks.len() as u64;
        self.stats.chunk_bytes = self.index.chunk_bytes;
        self.stats.dead_letters = self.index.dead.len() as u64;
        self.stats.dead_letter_bytes = self.index.dead_bytes;
        self.stats.sync_count = self.place.traffic.syncs();
        self.stats.written_bytes = self.place.traffic.written_bytes();
        self.stats.file_bytes = self.place.traffic.file_bytes();
    }

    pub(super) fn append(&mut self, chunks: &[Chunk]) -> Result<(), SpoolError> {
        self.ready()?;
        let bytes: u64 = chunks.iter().map(|chunk| chunk.meta().bytes).sum();
        if self.index.chunk_bytes.saturating_add(bytes) > self.config.bytes_max {
            let text = format!(
                "{} bytes wait already, {bytes} more would be above the limit of {}",
                self.index.chunk_bytes, self.config.bytes_max
            );
            return Err(SpoolError::Full(text));
        }
        let known = |chunk: &&Chunk| !self.index.chunks.contains_key(&chunk.id);
        let new: Vec<ChunkId> = chunks.iter().filter(known).map(|chunk| chunk.id).collect();
        let mut change = Change::default();
        self.put(&mut change, chunks)?;
        if let Err(error) = self.commit(change) {
            self.doubtful.extend(new);
            return Err(error);
        }
        self.stats.appended += chunks.len() as u64;
        Ok(())
    }

    pub(super) fn load(&mut self, id: ChunkId) -> Result<Option<Chunk>, SpoolError> {
        // Twice: a record that is found damaged has the file repaired, which may save it.
        for _ in 0..2 {
            self.ready()?;
            let record = self.place.read_chunk(self.database()?, id);
            let Some(record) = self.or_close(record)? else { return Ok(None) };
            let chunk = record::parse_all(&record, Kind::Chunk)
                .and_then(|record| record::decode_chunk(record.payload))
                .filter(|chunk| chunk.id == id);
            if chunk.is_some() {
                return Ok(chunk);
            }
            self.close_broken();
        }
        Err(SpoolError::Corrupt(format!("chunk {} reads as something else", id.0)))
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) -> Result<(), SpoolError> {
        self.ready()?;
        let mut gone: BTreeSet<ChunkId> = settlement.removed.iter().copied().collect();
        gone.extend(settlement.replaced.iter().map(|(id, _)| *id));
        gone.extend(settlement.dead.iter().map(|letter| letter.chunk.id));
        let there = |id: &&ChunkId| self.index.chunks.contains_key(id);
        let removed = gone.iter().filter(there).count() as u64;
        let mut change = Change { removed: gone.iter().map(|id| id.0).collect(), ..<_>::default() };
        for (_, chunks) in &settlement.replaced {
            self.put(&mut change, chunks)?;
        }
        let dropped = self.bury(&mut change, &settlement.dead)?;
        self.commit(change)?;
        self.stats.removed += removed;
        self.stats.dead_letters_dropped += dropped;
        self.shorten();
        Ok(())
    }

    pub(super) fn dead_letters(&mut self) -> Result<Vec<DeadLetterMeta>, SpoolError> {
        self.ready()?;
        Ok(self.index.dead.values().cloned().collect())
    }

    pub(super) fn replay(
        &mut self,
        selection: &DeadSelection,
        now: UnixMillis,
    ) -> Result<Vec<ChunkMeta>, SpoolError> {
        self.ready()?;
        let (mut change, mut metas) = (Change::default(), Vec::new());
        let mut next = self.index.state.next_id;
        for number in self.selected(selection) {
            let record = self.place.read_dead(self.database()?, number);
            let record = self.or_close(record)?;
            let chunk = record.as_deref().and_then(|record| {
                record::decode_dead_chunk(record::parse_all(record, Kind::Dead)?.payload)
            });
            let Some(chunk) = chunk else {
                self.close_broken();
                return Err(SpoolError::Corrupt(format!("dead letter {number} is not readable")));
            };
            let chunk = Chunk { id: ChunkId(next), enqueued_at: now, attempts: 0, ..chunk };
            next = end_of(&chunk.meta());
            metas.push(chunk.meta());
            self.put(&mut change, &[chunk])?;
            change.dead_removed.push(number);
        }
        if !metas.is_empty() {
            self.commit(change)?;
            self.stats.appended += metas.len() as u64;
        }
        Ok(metas)
    }

    pub(super) fn purge(&mut self, selection: &DeadSelection) -> Result<u64, SpoolError> {
        self.ready()?;
        let numbers = self.selected(selection);
        let count = numbers.len() as u64;
        if count > 0 {
            self.commit(Change { dead_removed: numbers, ..<_>::default() })?;
            self.shorten();
        }
        Ok(count)
    }

    /// Makes everything durable and closes the file.
    pub(super) fn close(&mut self) -> Result<(), SpoolError> {
        let Some(database) = self.database.take() else { return Ok(()) };
        let closed = self.place.close(database);
        self.or_close(closed)?;
        let removed = self.place.disk.remove(&self.place.path(IN_USE));
        removed.map_err(|error| SpoolError::io("closes", error))
    }

    fn selected(&self, selection: &DeadSelection) -> Vec<u64> {
        let letters = self.index.dead.values().filter(|letter| selection.takes(letter));
        letters.map(|letter| letter.number).collect()
    }

    /// The number of the next transaction.
    fn sequence(&self) -> u64 {
        self.index.state.sequence + 1
    }

    fn put(&self, change: &mut Change, chunks: &[Chunk]) -> Result<(), SpoolError> {
        for chunk in chunks {
            let record = record::encode_chunk(chunk, self.sequence())
                .map_err(|error| SpoolError::io("writes", error))?;
            change.chunks.push((chunk.meta(), record));
        }
        Ok(())
    }

    /// Adds dead letters and takes the oldest out where there are too many; how many it takes out.
    fn bury(&self, change: &mut Change, letters: &[DeadLetter]) -> Result<u64, SpoolError> {
        // A settlement that is repeated buries nobody twice.
        let buried = |letter: &&DeadLetter| {
            let (id, came) = (letter.chunk.id, letter.chunk.enqueued_at);
            let mut known = self.index.dead.values();
            known.any(|meta| meta.chunk.id == id && meta.chunk.enqueued_at == came)
        };
        let new = letters.iter().filter(|letter| !buried(letter));
        for (number, letter) in (self.index.state.next_dead..).zip(new) {
            let record = record::encode_dead(letter, number, self.sequence())
                .map_err(|error| SpoolError::io("writes", error))?;
            let meta = DeadLetterMeta {
                number,
                chunk: letter.chunk.meta(),
                reason: letter.reason.clone(),
                attempts: letter.attempts,
                at: letter.at,
            };
            change.dead.push((meta, record));
        }
        let kept = self.index.dead.values();
        let all: Vec<(u64, u64)> = kept
            .chain(change.dead.iter().map(|(meta, _)| meta))
            .map(|letter| (letter.number, letter.chunk.bytes))
            .collect();
        let (mut count, mut bytes) = (all.len(), all.iter().map(|(_, bytes)| bytes).sum::<u64>());
        let mut dropped = 0;
        for (number, its_bytes) in all {
            let fits =
                count <= self.config.dead_letters_max && bytes <= self.config.dead_letter_bytes_max;
            if fits || letters.is_empty() {
                break;
            }
            change.dead_removed.push(number);
            (count, bytes, dropped) = (count - 1, bytes - its_bytes, dropped + 1);
        }
        Ok(dropped)
    }

    /// Carries out a change and keeps account of it.
    fn commit(&mut self, change: Change) -> Result<(), SpoolError> {
        let mut index = Index::default();
        std::mem::swap(&mut index, &mut self.index);
        for id in &change.removed {
            index.remove(ChunkId(*id));
        }
        for (meta, _) in &change.chunks {
            index.insert(*meta);
        }
        for (letter, _) in &change.dead {
            index.insert_dead(letter.clone());
        }
        for number in &change.dead_removed {
            index.remove_dead(*number);
        }
        let new = change.chunks.iter().map(|(meta, _)| end_of(meta));
        let next_id = new.fold(index.state.next_id, u64::max);
        let next_dead = index.state.next_dead + change.dead.len() as u64;
        let state = State {
            sequence: index.state.sequence + 1,
            next_id,
            next_dead,
            chunks: index.chunks.len() as u64,
            dead_letters: index.dead.len() as u64,
            oldest_chunk: index.chunks.first_key_value().map_or(next_id, |(id, _)| id.0),
            oldest_dead: index.dead.first_key_value().map_or(next_dead, |(number, _)| *number),
        };
        index.state = state;
        // Right if the commit succeeds, and read anew from the file if it does not.
        self.index = index;
        let committed = self.place.commit(self.database()?, &change, &state);
        self.or_close(committed)?;
        self.stats.commits += 1;
        Ok(())
    }

    /// Closes the file when something about it failed.
    fn or_close<T>(&mut self, result: Result<T, SpoolError>) -> Result<T, SpoolError> {
        if result.is_err() {
            self.close_broken();
        }
        result
    }

    fn close_broken(&mut self) {
        if let Some(database) = self.database.take() {
            // It is opened and checked anew, whatever closing says.
            let _ = contain(|| {
                drop(database);
                Ok(())
            });
        }
        if self.place.traffic.take_sync_failed() {
            self.distrust = Distrust::Known;
        }
        self.place.traffic.take_error();
    }

    /// Opens the data file if need be.
    fn ready(&mut self) -> Result<(), SpoolError> {
        if self.database.is_none() {
            let opened = self.reopen();
            self.or_close(opened)?;
        }
        Ok(())
    }

    fn database(&self) -> Result<&Database, SpoolError> {
        let closed = || SpoolError::Corrupt("the data file is closed".to_owned());
        self.database.as_ref().ok_or_else(closed)
    }

    fn reopen(&mut self) -> Result<(), SpoolError> {
        self.place.traffic.take_error();
        self.finish_salvage()?;
        let names = self.names()?;
        let is_there = |wanted: &str| names.iter().any(|name| name == wanted);
        if is_there(IN_USE) {
            self.distrust = self.distrust.max(Distrust::Suspected);
        } else {
            let marked = self.place.disk.open(&self.place.path(IN_USE));
            marked.map_err(|error| SpoolError::io("opens", error))?;
        }
        if !is_there(DATA) {
            let state = State { next_id: self.index.state.next_id, ..State::default() };
            self.place.build(NEW, |_| Ok(state))?;
            self.place.rename(NEW, DATA)?;
            self.distrust = Distrust::No;
        }
        let opened = match self.distrust {
            Distrust::No => self.place.open(DATA),
            // Not a byte is written to it: of what was there before, that might take the rest.
            _ => self.place.open_aside(DATA),
        };
        match opened {
            Ok(opened) => self.adopt(opened),
            Err(Fault::Refused(error)) => return Err(error),
            Err(Fault::Damaged { why, live }) => {
                crate::sometimes!(SPOOL_SALVAGED);
                tracing::error!(%why, folder = %self.place.folder, "The spool is damaged.");
                let report = self.place.salvage(DATA, live.as_ref(), NEW)?;
                self.place.rename(NEW, READY)?;
                self.add_report(report);
                self.finish_salvage()?;
                self.distrust = Distrust::No;
                self.adopt(self.place.open(DATA).map_err(Fault::into_error)?);
            }
        }
        self.stats.reopened += 1;
        self.trust()?;
        let there = |id: &&ChunkId| self.index.chunks.contains_key(id);
        let removed: Vec<u64> = self.doubtful.iter().filter(there).map(|id| id.0).collect();
        if !removed.is_empty() {
            self.commit(Change { removed, ..<_>::default() })?;
        }
        self.doubtful.clear();
        self.shorten();
        Ok(())
    }

    /// Goes on with an opened file. Numbers that were given out stay so, whatever it says.
    fn adopt(&mut self, (database, index): (Database, Index)) {
        let before = std::mem::replace(&mut self.index, index).state;
        let state = &mut self.index.state;
        state.next_id = state.next_id.max(before.next_id);
        state.next_dead = state.next_dead.max(before.next_dead);
        state.sequence = state.sequence.max(before.sequence);
        self.database = Some(database);
    }

    /// Copies data that may not be on the disk.
    fn trust(&mut self) -> Result<(), SpoolError> {
        if self.distrust == Distrust::No {
            return Ok(());
        }
        match self.copy() {
            Ok(()) => self.distrust = Distrust::No,
            Err(error) if error.is_full() && self.distrust == Distrust::Suspected => {
                tracing::warn!(%error, "The spool's data are used as they are.");
                self.close_broken();
                self.adopt(self.place.open(DATA).map_err(Fault::into_error)?);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, SpoolError> {
        let listed = self.place.disk.list(&self.place.folder);
        listed.map_err(|error| SpoolError::io("lists", error))
    }

    /// Puts what was saved in the place of the damaged file, which is kept.
    fn finish_salvage(&mut self) -> Result<(), SpoolError> {
        let names = self.names()?;
        if !names.iter().any(|name| name == READY) {
            return Ok(());
        }
        if names.iter().any(|name| name == DATA) {
            let prefix = format!("{DATA}.corrupt-");
            let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok());
            let aside = format!("{prefix}{}", numbers.max().unwrap_or(0_u64) + 1);
            self.place.rename(DATA, &aside)?;
            self.stats.repaired.corrupt_file = Some(aside);
        }
        self.place.rename(READY, DATA)
    }

    fn add_report(&mut self, report: OpenReport) {
        let sum = &mut self.stats.repaired;
        sum.salvaged_chunks += report.salvaged_chunks;
        sum.salvaged_dead_letters += report.salvaged_dead_letters;
        sum.lost_chunks += report.lost_chunks;
        sum.lost_bytes += report.lost_bytes;
    }

    /// Copies the data into a new file and goes on with that one.
    fn copy(&mut self) -> Result<(), SpoolError> {
        let Some(database) = &self.database else { return Ok(()) };
        let state = State { sequence: self.sequence(), ..self.index.state };
        self.place.copy(NEW, database, state)?;
        if let Some(database) = self.database.take() {
            contain(|| {
                drop(database);
                Ok(())
            })?;
        }
        self.place.traffic.take_error();
        self.place.rename(NEW, DATA)?;
        self.adopt(self.place.open(DATA).map_err(Fault::into_error)?);
        Ok(())
    }

    /// Makes a long file with little in it short. What fails here is tried again when the file is
    /// twice as long; nothing is lost by it.
    fn shorten(&mut self) {
        let live = self.index.chunk_bytes + self.index.dead_bytes;
        let file_bytes = self.place.traffic.file_bytes();
        let is_long = file_bytes > self.compact_above_bytes;
        if !is_long || live.saturating_mul(COMPACT_BELOW_PART) > file_bytes {
            return;
        }
        self.compact_above_bytes = COMPACT_ABOVE_BYTES;
        if let Err(error) = self.copy() {
            tracing::warn!(%error, "The spool's file stays long.");
            self.compact_above_bytes = file_bytes.saturating_mul(2);
            self.close_broken();
        }
    }

    /// Refuses a newer format before anything is touched; writes ours where there is none.
    fn check_format(&self) -> Result<(), SpoolError> {
        let text = match self.place.disk.read(&self.place.path(FORMAT_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(SpoolError::io("reads", error)),
        };
        let found = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.strip_prefix(FORMAT_TEXT)?.trim_end().parse::<u64>().ok());
        match found {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => Err(SpoolError::NewerVersion {
                folder: self.place.folder.clone(),
                found,
                supported: FORMAT,
            }),
            // Missing or unreadable: the data file has the version too, and it decides.
            _ => self.write_format().map_err(|error| SpoolError::io("writes", error)),
        }
    }

    fn write_format(&self) -> io::Result<()> {
        let (new, path) = (self.place.path(FORMAT_NEW), self.place.path(FORMAT_FILE));
        let file = self.place.disk.open(&new)?;
        file.set_len(0)?;
        file.write_at(0, format!("{FORMAT_TEXT}{FORMAT}\n").as_bytes())?;
        file.sync()?;
        self.place.disk.rename(&new, &path)
    }
}

impl<D: Disk> Drop for Engine<D> {
    fn drop(&mut self) {
        // Nobody is left to tell: an end that fails is found at the next start.
        let _ = self.close();
    }
}

/// The first number after those that a chunk takes.
fn end_of(meta: &ChunkMeta) -> u64 {
    meta.id.0.saturating_add(u64::from(meta.events.max(1)))
}

/// Takes the lock and leaves this instance's name in its file.
fn take_lock<D: Disk>(
    place: &Place<D>,
    owner: &str,
    now: UnixMillis,
) -> Result<DiskLock, SpoolError> {
    let path = place.path(LOCK);
    let lock = match place.disk.lock(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let text = place.disk.read(&path).unwrap_or_default();
            let holder = holder(&String::from_utf8_lossy(&text));
            return Err(SpoolError::Locked { folder: place.folder.clone(), holder });
        }
        Err(error) => return Err(SpoolError::io("locks", error)),
    };
    // The name is for people: a disk that is full does not keep a pipeline from starting.
    let _ = place.disk.open(&path).and_then(|file| {
        file.set_len(0)?;
        file.write_at(0, format!("{}\n{}\n", owner.replace('\n', " "), now.0).as_bytes())
    });
    Ok(lock)
}

/// The holder's name, out of a file that anybody may have written.
fn holder(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let name: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    if name.is_empty() { "another pipeline".to_owned() } else { name }
}
