//! Saves what is good in a damaged data file.
//!
//! Records are found by their magic and checked by their checksum wherever they lie, inside redb's
//! pages too. Which of them still wait, the file's tree tells if it can be read; else the newest
//! state that is found bounds them, and chunks removed lately may come back: they are delivered
//! twice rather than lost.
//!
//! Invariants:
//! - The damaged file is read only.
//! - Of several records of one chunk the newest counts, and a chunk whose dead letter is newer is
//!   not brought back.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{self, Kind, State};
use super::store::Place;
use super::{OpenReport, SpoolError};
use crate::ports::{Disk, DiskFile};

/// Keys of the records that a file's tree still holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) chunks: BTreeSet<u64>,
    pub(super) dead: BTreeSet<u64>,
}

/// Where the newest record of a key lies.
#[derive(Debug, Clone, Copy)]
struct Found {
    sequence: u64,
    offset: u64,
    bytes: usize,
    /// Of a dead letter, the chunk that it was.
    chunk: u64,
    /// The first number that the chunk does not take.
    end: u64,
}

#[derive(Debug, Default)]
struct Finds {
    chunks: BTreeMap<u64, Found>,
    dead: BTreeMap<u64, Found>,
    state: Option<State>,
}

impl Finds {
    fn note(&mut self, offset: u64, record: record::Record<'_>) {
        let found = |chunk: u64, events: u32| Found {
            sequence: record.sequence,
            offset,
            bytes: record.len(),
            chunk,
            end: chunk.saturating_add(u64::from(events.max(1))),
        };
        let (map, key, found) = match record.kind {
            Kind::Chunk => {
                let Some(chunk) = record::decode_chunk(record.payload) else { return };
                (&mut self.chunks, chunk.id.0, found(chunk.id.0, chunk.meta().events))
            }
            Kind::Dead => {
                let Some(letter) = record::decode_dead_meta(record.payload) else { return };
                let found = found(letter.chunk.id.0, letter.chunk.events);
                (&mut self.dead, letter.number, found)
            }
            Kind::State => {
                let state = record::decode_state(record);
                self.state = self.state.max(state);
                return;
            }
        };
        let newest = map.entry(key).or_insert(found);
        if newest.sequence < found.sequence {
            *newest = found;
        }
    }

    /// Leaves what still waits, as far as that is known.
    fn keep(&mut self, live: Option<&Live>) {
        if let Some(live) = live {
            self.chunks.retain(|id, _| live.chunks.contains(id));
            self.dead.retain(|number, _| live.dead.contains(number));
            return;
        }
        let state = self.state.unwrap_or_default();
        self.dead.retain(|number, _| *number >= state.oldest_dead);
        let died: BTreeMap<u64, u64> =
            self.dead.values().map(|found| (found.chunk, found.sequence)).collect();
        self.chunks.retain(|id, found| {
            *id >= state.oldest_chunk && died.get(id).is_none_or(|at| *at <= found.sequence)
        });
    }

    /// The state of a file that holds what was found.
    fn state(&self) -> State {
        let last = self.state.unwrap_or_default();
        let all = || self.chunks.values().chain(self.dead.values());
        let next_dead = self.dead.last_key_value().map_or(0, |(number, _)| number + 1);
        let next_id = all().map(|found| found.end).fold(last.next_id, u64::max);
        State {
            sequence: all().map(|found| found.sequence).fold(last.sequence, u64::max) + 1,
            next_id,
            next_dead: next_dead.max(last.next_dead),
            chunks: self.chunks.len() as u64,
            dead_letters: self.dead.len() as u64,
            oldest_chunk: self.chunks.first_key_value().map_or(next_id, |(id, _)| *id),
            oldest_dead: self.dead.first_key_value().map_or(0, |(number, _)| *number),
        }
    }
}

impl<D: Disk> Place<D> {
    /// Makes a data file called `new` with what is good in the damaged one called `damaged`, and
    /// tells what it saved and lost.
    ///
    /// # Errors
    /// Those of the disk; nothing but `new` was touched then.
    pub(super) fn salvage(
        &self,
        damaged: &str,
        live: Option<&Live>,
        new: &str,
    ) -> Result<OpenReport, SpoolError> {
        let reads = |error| SpoolError::io("reads", error);
        let file = self.disk.open(&self.path(damaged)).map_err(reads)?;
        let mut finds = Finds::default();
        let lost_bytes =
            record::scan(&file, |offset, record| finds.note(offset, record)).map_err(reads)?;
        finds.keep(live);
        let state = finds.state();
        let known = match (live, finds.state) {
            (Some(live), _) => live.chunks.len() as u64,
            (None, state) => state.map_or(0, |state| state.chunks),
        };
        self.build(new, |filler| {
            let mut bytes = Vec::new();
            let tables = [(Kind::Chunk, &finds.chunks), (Kind::Dead, &finds.dead)];
            for (kind, map) in tables {
                for (key, found) in map {
                    bytes.resize(found.bytes, 0);
                    file.read_at(found.offset, &mut bytes).map_err(reads)?;
                    filler.put(kind, *key, &bytes)?;
                }
            }
            Ok(state)
        })?;
        Ok(OpenReport {
            salvaged_chunks: state.chunks,
            salvaged_dead_letters: state.dead_letters,
            lost_chunks: known.saturating_sub(state.chunks),
            lost_bytes,
            corrupt_file: None,
        })
    }
}
