//! The disk of a simulated host: files in memory that survive crashes, as far as they were synced.
//!
//! Invariants:
//! - What [`DiskFile::sync`] has confirmed survives every crash, unless the disk lies
//!   ([`DiskFault::LyingSync`]); a rename or removal survives once it returned.
//! - A process crash loses nothing that was written; a power loss keeps, loses or tears each
//!   unsynced write by itself, whatever the order in which they were made.
//! - Handles and locks of an older mount are dead, and so are those of a mount that reached its
//!   last operation ([`DiskStore::die_after`]).
//! - Everything follows from the seed and the operations; see `inode` for what does not matter.
//!
//! Not modelled: folders as things of their own (they are made by opening files and never
//! removed), permissions, links. A rename or removal is durable at once. Time passes in
//! [`Disk::run`] only: an operation outside a job takes none and does not wait for a stalled disk.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_core::Rng as _;
use tokio::sync::Notify;

use super::fuse::Fuse;
use super::seed::Seed;
use super::world::CrashMode;
use crate::ports::{Clock, Disk, DiskFile, DiskLock};

mod fault;
mod inode;

pub use fault::DiskFault;
use fault::Faults;
use inode::{Change, Fates, Inode};

/// Largest file of a simulated disk: bounds the memory a bad offset may take.
const FILE_BYTES_MAX: u64 = 1 << 32;

/// What a disk did so far, over all mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskUsage {
    /// Operations that change something: making, writing, cutting, syncing, renaming, removing.
    pub operations: u64,
    /// Reads of contents.
    pub reads: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Syncs.
    pub syncs: u64,
}

/// A host's disk; it outlives the host's crashes. Clones are handles on the same disk.
#[derive(Clone)]
pub struct DiskStore(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A stalled disk moves on, or a fault changed.
    moved: Notify,
}

struct State {
    fates: Fates,
    mount: u64,
    files: BTreeMap<String, Arc<Mutex<File>>>,
    folders: BTreeSet<String>,
    locks: BTreeSet<String>,
    faults: Faults,
    usage: DiskUsage,
    /// Number of the last operation that the present mount begins.
    last_operation: Option<u64>,
    died: bool,
    /// Counts the host's events, of which these operations are some.
    fuse: Fuse,
    on_death: Option<Arc<dyn Fn() + Send + Sync>>,
}

struct File {
    inode: Inode,
    fates: Fates,
}

/// Whether an operation is the one at which its mount dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Whole,
    Last,
}

impl DiskStore {
    /// An empty disk whose power losses and failures are drawn from `seed`.
    pub fn new(seed: Seed) -> Self {
        let state = State {
            fates: Fates(seed.stream("power loss").next_u64()),
            mount: 0,
            files: BTreeMap::new(),
            folders: BTreeSet::from([String::new()]),
            locks: BTreeSet::new(),
            faults: Faults::default(),
            usage: DiskUsage::default(),
            last_operation: None,
            died: false,
            fuse: Fuse::default(),
            on_death: None,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), moved: Notify::new() }))
    }

    /// Counts every operation that changes something on `fuse` too; the one that blows it is the
    /// mount's last, as with [`DiskStore::die_after`].
    pub fn attach(&self, fuse: Fuse) {
        self.state().fuse = fuse;
    }

    /// A handle for a host that starts now, whose jobs take no time.
    pub fn mount(&self) -> SimDisk {
        SimDisk {
            store: self.clone(),
            mount: self.state().mount,
            sleep: None,
            turn: Arc::new(tokio::sync::Mutex::new(())),
        }
    }

    /// A handle for a host that starts now, whose jobs take time on `clock` when the disk is slow.
    pub fn mount_on(&self, clock: &impl Clock) -> SimDisk {
        let clock = clock.clone();
        let sleep = move |duration| -> Sleeping {
            let clock = clock.clone();
            Box::pin(async move { clock.sleep(duration).await })
        };
        SimDisk { sleep: Some(Arc::new(sleep)), ..self.mount() }
    }

    /// The host goes down: handles and locks die, and a power loss loses unsynced writes. How many
    /// it lost.
    pub fn crash(&self, mode: CrashMode) -> usize {
        let mut lost = 0;
        let mut state = self.state();
        let state = &mut *state;
        state.mount += 1;
        state.locks.clear();
        (state.died, state.last_operation) = (false, None);
        if mode == CrashMode::Power {
            let (mount, tears) = (state.mount, state.faults.tears);
            state.files.retain(|_, file| {
                let mut file = lock(file);
                let fates = file.fates.of(mount);
                file.inode.lose_power(fates, tears, &mut lost)
            });
        }
        lost
    }

    /// Puts a fault in force, in place of one of its kind; `None` repairs the disk.
    pub fn set_fault(&self, fault: Option<DiskFault>) {
        let mut state = self.state();
        match fault {
            Some(fault) => state.faults.set(fault),
            None => state.faults.clear_all(),
        }
        drop(state);
        self.0.moved.notify_waiters();
    }

    /// Ends faults of the kind of `fault`, whatever its figures.
    pub fn clear_fault(&self, fault: DiskFault) {
        self.state().faults.clear(fault);
        self.0.moved.notify_waiters();
    }

    /// Operations so far that change something, of all mounts: the points to crash at.
    pub fn operations(&self) -> u64 {
        self.state().usage.operations
    }

    /// What the disk did so far.
    pub fn usage(&self) -> DiskUsage {
        self.state().usage
    }

    /// The present mount ends at its operation number `operations` from now, counted from 1 as
    /// [`DiskStore::operations`] counts: that one is done, torn or not done (a sync or rename:
    /// done or not), and from then on every call fails, as if the host were down. 0 ends it at
    /// once. The host is to be crashed then ([`DiskStore::crash`]), which ends this.
    pub fn die_after(&self, operations: u64) {
        let mut state = self.state();
        state.died = operations == 0;
        state.last_operation = Some(state.usage.operations + operations);
    }

    /// Whether the present mount reached its last operation.
    pub fn died(&self) -> bool {
        self.state().died
    }

    /// Calls `hook` within the last operation of a mount; it must not use the disk.
    pub fn on_death(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.state().on_death = Some(Arc::new(hook));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// Waits until the disk is not stalled.
    async fn unstalled(&self) {
        loop {
            let mut moved = std::pin::pin!(self.0.moved.notified());
            moved.as_mut().enable();
            if !self.state().faults.stalled {
                return;
            }
            moved.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn down() -> io::Error {
    io::Error::other("this incarnation of the host is down")
}

impl State {
    fn admit(&self, mount: u64) -> io::Result<()> {
        let alive = mount == self.mount && !self.died && !self.fuse.is_blown();
        if alive { Ok(()) } else { Err(down()) }
    }

    /// Every operation that changes something passes here first.
    fn begin(&mut self) -> Step {
        self.usage.operations += 1;
        self.fuse.pass();
        if self.last_operation == Some(self.usage.operations) || self.fuse.is_blown() {
            self.died = true;
            return Step::Last;
        }
        Step::Whole
    }

    /// Whether a mount's last operation, if it is one and cannot be done in part, is done.
    fn is_done(&self, step: Step, fates: Fates) -> bool {
        step == Step::Whole || fates.of(self.mount).of(self.usage.operations).happens(0.5)
    }

    fn file(&self, path: &str) -> io::Result<&Arc<Mutex<File>>> {
        self.files.get(path).ok_or_else(|| self.missing(path))
    }

    fn missing(&self, path: &str) -> io::Error {
        if self.folders.contains(path) {
            return io::Error::new(io::ErrorKind::IsADirectory, format!("`{path}` is a folder"));
        }
        io::Error::new(io::ErrorKind::NotFound, format!("no file `{path}`"))
    }

    /// The file at `path`, made with its folders when absent.
    fn open(&mut self, path: &str) -> io::Result<(Step, Arc<Mutex<File>>)> {
        if let Some(file) = self.files.get(path) {
            return Ok((Step::Whole, Arc::clone(file)));
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
        let fates = self.fates.of_name(path);
        let step = self.begin();
        let file = Arc::new(Mutex::new(File { inode: Inode::default(), fates }));
        if self.is_done(step, fates) {
            self.files.insert(path.to_owned(), Arc::clone(&file));
        }
        Ok((step, file))
    }
}

/// Ends an operation: the last one of a mount tells the hook and fails.
fn end(state: MutexGuard<'_, State>, step: Step) -> io::Result<()> {
    if step == Step::Whole {
        return Ok(());
    }
    let hook = state.on_death.clone();
    drop(state);
    if let Some(hook) = hook {
        hook();
    }
    Err(down())
}

type Sleeping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One mount of a disk.
#[derive(Clone)]
pub struct SimDisk {
    store: DiskStore,
    mount: u64,
    sleep: Option<Arc<dyn Fn(Duration) -> Sleeping + Send + Sync>>,
    /// The disk does one job at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimDisk").field("mount", &self.mount).finish_non_exhaustive()
    }
}

impl SimDisk {
    fn admitted(&self, path: &str) -> io::Result<MutexGuard<'_, State>> {
        let state = self.store.state();
        state.admit(self.mount)?;
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
        let mut state = self.admitted(path)?;
        let (step, file) = state.open(path)?;
        end(state, step)?;
        Ok(SimFile { file, disk: self.clone() })
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut state = self.admitted(path)?;
        state.usage.reads += 1;
        let file = Arc::clone(state.file(path)?);
        let file = lock(&file);
        state.faults.read(file.fates.of(file.inode.epoch))?;
        Ok(file.inode.current.whole())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        drop(self.admitted(to)?);
        let mut state = self.admitted(from)?;
        let fates = lock(state.file(from)?).fates;
        let parent = to.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !state.folders.contains(parent) {
            let text = format!("no folder `{parent}`");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        if state.folders.contains(to) {
            return Err(state.missing(to));
        }
        let step = state.begin();
        if state.is_done(step, fates)
            && let Some(file) = state.files.remove(from)
        {
            // The name is durable from here on, even if the contents are not.
            lock(&file).inode.durable.get_or_insert_default();
            if let Some(old) = state.files.insert(to.to_owned(), file) {
                state.faults.give_room(lock(&old).inode.current.len() as u64);
            }
        }
        end(state, step)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.admitted(path)?;
        let fates = lock(state.file(path)?).fates;
        let step = state.begin();
        if state.is_done(step, fates)
            && let Some(old) = state.files.remove(path)
        {
            state.faults.give_room(lock(&old).inode.current.len() as u64);
        }
        end(state, step)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let state = self.store.state();
        state.admit(self.mount)?;
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

    fn lock(&self, path: &str) -> io::Result<DiskLock> {
        let mut state = self.admitted(path)?;
        let (step, _) = state.open(path)?;
        if step == Step::Whole && !state.locks.insert(path.to_owned()) {
            let text = format!("`{path}` is locked by another holder");
            return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
        }
        end(state, step)?;
        Ok(DiskLock::new(Held { disk: self.clone(), path: path.to_owned() }))
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        let disk = self.clone();
        async move {
            let _turn = disk.turn.lock().await;
            disk.store.unstalled().await;
            let done = |usage: DiskUsage| usage.operations + usage.reads;
            let before = done(disk.store.usage());
            let output = job();
            let (operations, per_operation) = {
                let state = disk.store.state();
                (done(state.usage) - before, state.faults.per_operation)
            };
            let took = per_operation * u32::try_from(operations).unwrap_or(u32::MAX);
            if let Some(sleep) = disk.sleep.as_ref().filter(|_| took > Duration::ZERO) {
                sleep(took).await;
            }
            output
        }
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
    file: Arc<Mutex<File>>,
    disk: SimDisk,
}

impl SimFile {
    /// Disk and file, always in this order.
    fn admitted(&self) -> io::Result<(MutexGuard<'_, State>, MutexGuard<'_, File>)> {
        let state = self.disk.store.state();
        state.admit(self.disk.mount)?;
        Ok((state, lock(&self.file)))
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let (mut state, mut file) = self.admitted()?;
        let (len, fates) = (file.inode.current.len(), file.fates);
        if let Change::Write { data, .. } = &change {
            state.usage.written_bytes += data.len() as u64;
        }
        let step = state.begin();
        if step == Step::Last {
            let fates = fates.of(state.mount).of(state.usage.operations);
            file.inode.half_change(change, fates, state.faults.tears);
            drop(file);
            return end(state, step);
        }
        state.faults.write(fates.of(file.inode.epoch).of(change.place()))?;
        state.faults.take_room(change.growth(len))?;
        file.inode.change(change);
        let shrunk = len.saturating_sub(file.inode.current.len());
        state.faults.give_room(shrunk as u64);
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
        Ok(self.admitted()?.1.inode.current.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (mut state, file) = self.admitted()?;
        state.usage.reads += 1;
        let start = Self::position(offset, buffer.len())?;
        state.faults.read(file.fates.of(file.inode.epoch).of(offset))?;
        file.inode.current.read(start, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = Self::position(offset, data.len())?;
        self.change(Change::Write { offset, data: data.to_vec() })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(Self::position(len, 0)?))
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, mut file) = self.admitted()?;
        state.usage.syncs += 1;
        let (fates, lying) = (file.fates.of(file.inode.epoch), state.faults.lying);
        let step = state.begin();
        if !state.is_done(step, fates) {
            drop(file);
            return end(state, step);
        }
        if let Err(error) = state.faults.sync(fates) {
            file.inode.fail_sync(fates);
            return Err(error);
        }
        if lying {
            file.inode.pretend_sync();
        } else {
            file.inode.sync();
        }
        drop(file);
        end(state, step)
    }
}

#[cfg(test)]
mod tests;
