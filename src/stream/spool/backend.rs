//! redb's storage over a file of the Disk port.
//!
//! Invariants:
//! - The first error of the file is kept: redb answers every later call with "previous I/O error",
//!   which tells nobody what happened.
//! - While syncs are off, none reaches the file but those that are forced.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use crate::ports::DiskFile;

/// What goes through all backends of one spool.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    syncs: AtomicU64,
    written_bytes: AtomicU64,
    /// Length of the file in use.
    file_bytes: AtomicU64,
    /// Syncs do nothing.
    unsynced: AtomicBool,
    /// A sync failed: what was written before may never be durable, whatever is synced later.
    sync_failed: AtomicBool,
    first_error: Mutex<Option<io::Error>>,
}

impl Traffic {
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes.load(Ordering::Relaxed)
    }

    /// Turns syncs on or off.
    pub(super) fn set_sync(&self, sync: bool) {
        self.unsynced.store(!sync, Ordering::Relaxed);
    }

    /// The first error since the last call.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a sync failed since the last call.
    pub(super) fn take_sync_failed(&self) -> bool {
        self.sync_failed.swap(false, Ordering::Relaxed)
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let copy = io::Error::new(error.kind(), error.to_string());
            let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(copy);
        }
        result
    }
}

/// One open of the data file.
pub(super) struct Backend<F> {
    pub(super) file: F,
    pub(super) traffic: Arc<Traffic>,
}

impl<F> std::fmt::Debug for Backend<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl<F: DiskFile> StorageBackend for Backend<F> {
    fn len(&self) -> io::Result<u64> {
        let len = self.traffic.note(self.file.len())?;
        self.traffic.file_bytes.store(len, Ordering::Relaxed);
        Ok(len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.traffic.note(self.file.read_at(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.traffic.note(self.file.set_len(len))?;
        self.traffic.file_bytes.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.traffic.unsynced.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.traffic.syncs.fetch_add(1, Ordering::Relaxed);
        let result = self.file.sync();
        if result.is_err() {
            self.traffic.sync_failed.store(true, Ordering::Relaxed);
        }
        self.traffic.note(result)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.traffic.written_bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.traffic.note(self.file.write_at(offset, data))
    }
}
