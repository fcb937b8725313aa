//! Files in memory; what was written survives a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ports::{Disk, DiskFile, DiskLock};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// The files of one host.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    files: BTreeMap<String, Bytes>,
    locks: BTreeSet<String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn absent(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file is called `{path}`"))
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn open(&self, path: &str) -> io::Result<MemoryFile> {
        Ok(MemoryFile(Arc::clone(locked(&self.0).files.entry(path.to_owned()).or_default())))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = locked(&self.0).files.get(path).cloned().ok_or_else(|| absent(path))?;
        let bytes = locked(&file).clone();
        Ok(bytes)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = locked(&self.0);
        let file = disk.files.remove(from).ok_or_else(|| absent(from))?;
        disk.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        locked(&self.0).files.remove(path).map(|_| ()).ok_or_else(|| absent(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let disk = locked(&self.0);
        let below = disk.files.keys().filter_map(|name| name.strip_prefix(&folder));
        let names: Vec<&str> = below.collect();
        if names.is_empty() && !path.is_empty() {
            return Err(absent(path));
        }
        Ok(names.into_iter().filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn lock(&self, path: &str) -> io::Result<DiskLock> {
        if !locked(&self.0).locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(DiskLock::new(Held { disk: Arc::clone(&self.0), path: path.to_owned() }))
    }
}

struct Held {
    disk: Arc<Mutex<Files>>,
    path: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        locked(&self.disk).locks.remove(&self.path);
    }
}

/// An open file in memory.
#[derive(Debug)]
pub struct MemoryFile(Bytes);

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (bytes, from) = (locked(&self.0), index(offset)?);
        let found = bytes.get(from..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut bytes, from) = (locked(&self.0), index(offset)?);
        let end = from.checked_add(data.len()).ok_or(io::ErrorKind::InvalidInput)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[from..end].copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = index(len)?;
        locked(&self.0).resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
