//! The disk of a simulated host: files in memory that survive crashes, as far as they were synced.
//!
//! Invariants:
//! - What [`DiskFile::sync`] has confirmed survives every crash; a rename or removal survives once
//!   it returned.
//! - A process crash loses nothing that was written; a power loss keeps a seeded prefix of the
//!   unsynced writes of each file, the last of them possibly torn.
//! - Handles and locks of an older mount are dead.
//!
//! Not modelled: folders as things of their own (they are made by opening files and never
//! removed), permissions, links, sector sizes (a torn write may end at any byte), reordering of
//! unsynced writes, the time that a disk takes. A rename or removal is durable at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::fuse::Fuse;
use super::seed::{Seed, below};
use super::world::CrashMode;
use crate::ports::{Disk, DiskFile, DiskLock};

/// Largest file of a simulated disk: bounds the memory a bad offset may take.
const FILE_BYTES_MAX: u64 = 1 << 32;

/// What an operation does, for faults of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskOperation {
    /// Opening, listing, measuring.
    Look,
    /// Reading contents.
    Read,
    /// Writing or cutting contents; the payload is how many bytes the file grows by.
    Write(u64),
    /// Making writes durable.
    Sync,
    /// Renaming or removing.
    Rename,
}

/// Something that a disk does badly, until it is repaired; faults of several kinds add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiskFault {
    /// There is room for so many more bytes; files that are cut or removed give theirs back.
    Full {
        /// Room from now on.
        free_bytes: u64,
    },
    /// This share of writes and cuts fails, and changes nothing.
    FailWrites {
        /// 0.0 to 1.0.
        share: f64,
    },
    /// This share of reads fails.
    FailReads {
        /// 0.0 to 1.0.
        share: f64,
    },
    /// This share of syncs fails; what was to be synced may be lost for ever.
    FailSyncs {
        /// 0.0 to 1.0.
        share: f64,
    },
    /// Every operation of a job takes so long.
    Slow {
        /// Time per operation.
        per_operation: Duration,
    },
    /// Jobs wait until this ends.
    Stalled,
    /// A sync does nothing, and says that it did.
    LyingSync,
    /// A power loss tears the writes that it does not keep or lose whole.
    TornWrites,
}

/// A host's disk; it outlives the host's crashes. Clones are handles on the same disk.
#[derive(Clone)]
pub struct DiskStore(Arc<Mutex<State>>);

struct State {
    rng: ChaCha8Rng,
    mount: u64,
    files: BTreeMap<String, Arc<Mutex<Inode>>>,
    folders: BTreeSet<String>,
    locks: BTreeSet<String>,
    fuse: Fuse,
}

#[derive(Default)]
struct Inode {
    /// Contents as the host reads them.
    current: Vec<u8>,
    /// Contents as of the last sync; `None` before the first.
    durable: Option<Vec<u8>>,
    /// Changes since, oldest first.
    unsynced: Vec<Change>,
}

enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if contents.len() < end {
                    contents.resize(end, 0);
                }
                contents[*offset..end].copy_from_slice(data);
            }
            Self::Length(len) => contents.resize(*len, 0),
        }
    }
}

impl Inode {
    /// Keeps a seeded prefix of the unsynced changes and counts those it loses, torn ones
    /// included; false when the file itself is lost.
    fn lose_power(&mut self, rng: &mut ChaCha8Rng, lost: &mut usize) -> bool {
        let changes = std::mem::take(&mut self.unsynced);
        // Before the first sync the file's own name is one more change that may be lost.
        let unnamed = u64::from(self.durable.is_none());
        let kept = below(rng, changes.len() as u64 + unnamed + 1);
        if kept < unnamed {
            *lost += changes.len() + 1;
            return false;
        }
        let kept = usize::try_from(kept - unnamed).unwrap_or(usize::MAX);
        *lost += changes.len() - kept;
        let mut contents = self.durable.take().unwrap_or_default();
        for (index, change) in changes.iter().enumerate().take(kept + 1) {
            match change {
                _ if index < kept => change.apply(&mut contents),
                Change::Write { offset, data } => {
                    let torn = usize::try_from(below(rng, data.len() as u64)).unwrap_or(0);
                    if torn > 0 {
                        let data = data[..torn].to_vec();
                        Change::Write { offset: *offset, data }.apply(&mut contents);
                    }
                }
                Change::Length(_) => {}
            }
        }
        self.current.clone_from(&contents);
        self.durable = Some(contents);
        true
    }
}

impl DiskStore {
    /// An empty disk whose power losses are drawn from `seed`.
    pub fn new(seed: Seed) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: seed.stream("power loss"),
            mount: 0,
            files: BTreeMap::new(),
            folders: BTreeSet::from([String::new()]),
            locks: BTreeSet::new(),
            fuse: Fuse::default(),
        })))
    }

    /// Counts every operation on `fuse`; after its last one, every operation fails.
    pub fn attach(&self, fuse: Fuse) {
        self.state().fuse = fuse;
    }

    /// A handle for a host that starts now.
    pub fn mount(&self) -> SimDisk {
        SimDisk { store: self.clone(), mount: self.state().mount }
    }

    /// The host goes down: handles and locks die, and a power loss loses unsynced writes. How many
    /// it lost.
    pub fn crash(&self, mode: CrashMode) -> usize {
        let mut lost = 0;
        let mut state = self.state();
        let state = &mut *state;
        state.mount += 1;
        state.locks.clear();
        if mode == CrashMode::Power {
            let rng = &mut state.rng;
            state.files.retain(|_, file| lock(file).lose_power(rng, &mut lost));
        }
        lost
    }

    /// Puts a fault in force, in place of one of its kind; `None` repairs the disk.
    pub fn set_fault(&self, _fault: Option<DiskFault>) {}

    /// Operations so far that read, wrote, synced or renamed, of all mounts.
    pub fn operations(&self) -> u64 {
        0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Every operation passes here first: faults of the disk are decided in this one place.
    fn admit(&self, mount: u64, _operation: DiskOperation) -> io::Result<()> {
        if mount == self.mount && self.fuse.pass() {
            Ok(())
        } else {
            Err(io::Error::other("this incarnation of the host is down"))
        }
    }

    fn file(&self, path: &str) -> io::Result<&Arc<Mutex<Inode>>> {
        self.files.get(path).ok_or_else(|| self.missing(path))
    }

    fn missing(&self, path: &str) -> io::Error {
        if self.folders.contains(path) {
            return io::Error::new(io::ErrorKind::IsADirectory, format!("`{path}` is a folder"));
        }
        io::Error::new(io::ErrorKind::NotFound, format!("no file `{path}`"))
    }

    /// The file at `path`, made with its folders when absent.
    fn open(&mut self, path: &str) -> io::Result<Arc<Mutex<Inode>>> {
        if let Some(file) = self.files.get(path) {
            return Ok(Arc::clone(file));
        }
        if self.folders.contains(path) {
            return Err(self.missing(path));
        }
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            if self.files.contains_key(folder) {
                let text = format!("`{folder}` is a file");
                return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
            }
            self.folders.insert(folder.to_owned());
        }
        let file = Arc::new(Mutex::new(Inode::default()));
        self.files.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

/// One mount of a disk.
#[derive(Clone)]
pub struct SimDisk {
    store: DiskStore,
    mount: u64,
}

impl SimDisk {
    fn admitted(&self, path: &str, operation: DiskOperation) -> io::Result<MutexGuard<'_, State>> {
        let state = self.store.state();
        state.admit(self.mount, operation)?;
        let bad = |part: &str| part.is_empty() || part == "." || part == "..";
        if path.split('/').any(bad) {
            let text = format!("`{path}` is not a relative path below the disk's root");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(state)
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn open(&self, path: &str) -> io::Result<SimFile> {
        let inode = self.admitted(path, DiskOperation::Look)?.open(path)?;
        Ok(SimFile { inode, disk: self.clone() })
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let state = self.admitted(path, DiskOperation::Read)?;
        Ok(lock(state.file(path)?).current.clone())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        drop(self.admitted(to, DiskOperation::Look)?);
        let mut state = self.admitted(from, DiskOperation::Rename)?;
        state.file(from)?;
        let parent = to.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !state.folders.contains(parent) {
            let text = format!("no folder `{parent}`");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        if state.folders.contains(to) {
            return Err(state.missing(to));
        }
        if let Some(file) = state.files.remove(from) {
            // The name is durable from here on, even if the contents are not.
            lock(&file).durable.get_or_insert_default();
            state.files.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.admitted(path, DiskOperation::Rename)?;
        state.file(path)?;
        state.files.remove(path);
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let state = self.store.state();
        state.admit(self.mount, DiskOperation::Look)?;
        if !state.folders.contains(path) {
            let text = format!("no folder `{path}`");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = state.files.range(prefix.clone()..).map(|(name, _)| name);
        Ok(below
            .map_while(|name| name.strip_prefix(&prefix))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        job()
    }

    fn lock(&self, path: &str) -> io::Result<DiskLock> {
        let mut state = self.admitted(path, DiskOperation::Look)?;
        state.open(path)?;
        if !state.locks.insert(path.to_owned()) {
            let text = format!("`{path}` is locked by another holder");
            return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
        }
        Ok(DiskLock::new(Held { disk: self.clone(), path: path.to_owned() }))
    }
}

/// Gives a lock back, unless a crash has done so already.
struct Held {
    disk: SimDisk,
    path: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.store.state();
        if state.mount == self.disk.mount {
            state.locks.remove(&self.path);
        }
    }
}

/// An open file of a [`SimDisk`].
pub struct SimFile {
    inode: Arc<Mutex<Inode>>,
    disk: SimDisk,
}

impl SimFile {
    fn admitted(&self, operation: DiskOperation) -> io::Result<MutexGuard<'_, Inode>> {
        self.disk.store.state().admit(self.disk.mount, operation)?;
        Ok(lock(&self.inode))
    }

    fn change(&self, growth: u64, change: Change) -> io::Result<()> {
        let mut inode = self.admitted(DiskOperation::Write(growth))?;
        change.apply(&mut inode.current);
        inode.unsynced.push(change);
        Ok(())
    }

    fn position(offset: u64, len: usize) -> io::Result<usize> {
        let end = offset.saturating_add(len as u64);
        if end > FILE_BYTES_MAX {
            let text = format!("a simulated file holds at most {FILE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.admitted(DiskOperation::Look)?.current.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let inode = self.admitted(DiskOperation::Read)?;
        let start = Self::position(offset, buffer.len())?;
        let contents = inode.current.get(start..start + buffer.len());
        buffer.copy_from_slice(contents.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = Self::position(offset, data.len())?;
        let growth = (offset + data.len()) as u64;
        let growth = growth.saturating_sub(self.len()?);
        self.change(growth, Change::Write { offset, data: data.to_vec() })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let growth = len.saturating_sub(self.len()?);
        self.change(growth, Change::Length(Self::position(len, 0)?))
    }

    fn sync(&self) -> io::Result<()> {
        let mut inode = self.admitted(DiskOperation::Sync)?;
        let inode = &mut *inode;
        let durable = inode.durable.get_or_insert_default();
        for change in inode.unsynced.drain(..) {
            change.apply(durable);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
