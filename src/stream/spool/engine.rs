//! The spool's data behind its calls; not there yet.

use super::{
    Chunk, ChunkId, ChunkMeta, DeadLetterMeta, DeadSelection, Settlement, SpoolConfig, SpoolError,
    SpoolStats,
};
use crate::domain::units::UnixMillis;
use crate::ports::Disk;

#[derive(Debug)]
pub(super) struct Engine<D: Disk> {
    _disk: std::marker::PhantomData<D>,
    stats: SpoolStats,
}

fn missing<T>() -> Result<T, SpoolError> {
    Err(SpoolError::io("starts", std::io::ErrorKind::Unsupported.into()))
}

impl<D: Disk> Engine<D> {
    pub(super) fn open(
        _disk: D,
        _config: SpoolConfig,
        _now: UnixMillis,
    ) -> Result<(Self, Vec<ChunkMeta>), SpoolError> {
        missing()
    }
    pub(super) fn next_id(&self) -> ChunkId {
        ChunkId(0)
    }
    pub(super) fn stats(&self) -> &SpoolStats {
        &self.stats
    }
    pub(super) fn book(&mut self, _error: Option<&SpoolError>) {}
    pub(super) fn append(&mut self, _chunks: &[Chunk]) -> Result<(), SpoolError> {
        missing()
    }
    pub(super) fn load(&mut self, _id: ChunkId) -> Result<Option<Chunk>, SpoolError> {
        missing()
    }
    pub(super) fn settle(&mut self, _settlement: &Settlement) -> Result<(), SpoolError> {
        missing()
    }
    pub(super) fn dead_letters(&mut self) -> Result<Vec<DeadLetterMeta>, SpoolError> {
        missing()
    }
    pub(super) fn replay(
        &mut self,
        _selection: &DeadSelection,
        _now: UnixMillis,
    ) -> Result<Vec<ChunkMeta>, SpoolError> {
        missing()
    }
    pub(super) fn purge(&mut self, _selection: &DeadSelection) -> Result<u64, SpoolError> {
        missing()
    }
    pub(super) fn close(&mut self) -> Result<(), SpoolError> {
        missing()
    }
}
