//! redb's storage over a file of the Disk port, and over one that must not be written.
//!
//! Invariants:
//! - [`Overlay`] keeps every write in memory: redb repairs what it opens, and a file whose last
//!   sync failed is worth nothing any more once it has been written to.
//! - The first error of the file is kept: redb answers every later call with "previous I/O error",
//!   which tells nobody what happened.
//! - While syncs are off, none reaches the file but those that are forced.

use std::collections::BTreeMap;
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

/// Unit of what an overlay keeps.
const PAGE: u64 = 4096;

/// A file that is read, and what was written since it was opened, in memory.
pub(super) struct Overlay<F> {
    file: F,
    traffic: Arc<Traffic>,
    state: Mutex<Written>,
}

struct Written {
    len: u64,
    /// The file counts up to here; what is beyond reads as zeros.
    base_len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl<F: DiskFile> Overlay<F> {
    pub(super) fn new(backend: Backend<F>) -> io::Result<Self> {
        let Backend { file, traffic } = backend;
        let len = file.len()?;
        let state = Mutex::new(Written { len, base_len: len, pages: BTreeMap::new() });
        Ok(Self { file, traffic, state })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Written> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One page as it reads now.
    fn page(&self, state: &Written, number: u64) -> io::Result<Vec<u8>> {
        if let Some(page) = state.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; PAGE as usize];
        let start = number * PAGE;
        let there = usize::try_from(state.base_len.saturating_sub(start).min(PAGE)).unwrap_or(0);
        if there > 0 {
            self.file.read_at(start, &mut page[..there])?;
        }
        Ok(page)
    }

    /// Page, place in it and length of each part of `len` bytes from `offset` on.
    fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
        let (mut at, end) = (offset, offset + len as u64);
        std::iter::from_fn(move || {
            let within = at % PAGE;
            let part = (PAGE - within).min(end - at);
            let found = (part > 0).then_some((at / PAGE, within as usize, part as usize));
            at += part;
            found
        })
    }
}

impl<F> std::fmt::Debug for Overlay<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Overlay")
    }
}

impl<F: DiskFile> StorageBackend for Overlay<F> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.len) {
            return self.traffic.note(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        // Most reads are of pages that nobody wrote: those go to the file in one piece.
        let first = offset / PAGE;
        let last = (offset + out.len() as u64).div_ceil(PAGE);
        if state.pages.range(first..last).next().is_none()
            && offset + out.len() as u64 <= state.base_len
        {
            return self.traffic.note(self.file.read_at(offset, out));
        }
        let mut done = 0;
        for (number, within, part) in Self::parts(offset, out.len()) {
            let page = self.traffic.note(self.page(&state, number))?;
            out[done..done + part].copy_from_slice(&page[within..within + part]);
            done += part;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            if !len.is_multiple_of(PAGE) {
                let mut last = self.traffic.note(self.page(&state, len / PAGE))?;
                last[(len % PAGE) as usize..].fill(0);
                state.pages.insert(len / PAGE, last);
            }
            state.pages.split_off(&len.div_ceil(PAGE));
            state.base_len = state.base_len.min(len);
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let mut done = 0;
        for (number, within, part) in Self::parts(offset, data.len()) {
            let mut page = self.traffic.note(self.page(&state, number))?;
            page[within..within + part].copy_from_slice(&data[done..done + part]);
            state.pages.insert(number, page);
            done += part;
        }
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
