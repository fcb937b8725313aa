//! One file of a simulated disk: what the host reads, what survives, and what a power loss leaves.
//!
//! Invariants:
//! - Pages that were never written take no memory, and a page that is durable as it is read is
//!   kept once.
//! - The fate of a change depends on the disk's seed, on the file, on the place and on the syncs
//!   before it, but not on the order of changes between two syncs: a program may write its pages
//!   in the order of a hash table.
//!
//! Not modelled: changes of one file that the disk carries out in another order than they were
//! made, beyond the loss of any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Unit of sharing between what is read and what is durable.
const PAGE: usize = 4096;
/// What a disk writes as a whole, unless its writes tear.
const SECTOR: usize = 512;

/// Bytes of a file.
#[derive(Clone, Default)]
pub(super) struct Contents {
    len: usize,
    /// By number; what is missing is zero.
    pages: BTreeMap<usize, Arc<[u8; PAGE]>>,
}

impl Contents {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn read(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buffer.len()).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < buffer.len() {
            let (page, at) = ((offset + done) / PAGE, (offset + done) % PAGE);
            let part = (PAGE - at).min(buffer.len() - done);
            match self.pages.get(&page) {
                Some(bytes) => buffer[done..done + part].copy_from_slice(&bytes[at..at + part]),
                None => buffer[done..done + part].fill(0),
            }
            done += part;
        }
        Ok(())
    }

    pub(super) fn whole(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        for (number, page) in &self.pages {
            let start = number * PAGE;
            let part = PAGE.min(self.len - start);
            bytes[start..start + part].copy_from_slice(&page[..part]);
        }
        bytes
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let mut done = 0;
        while done < data.len() {
            let (page, at) = ((offset + done) / PAGE, (offset + done) % PAGE);
            let part = (PAGE - at).min(data.len() - done);
            let bytes = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(bytes)[at..at + part].copy_from_slice(&data[done..done + part]);
            done += part;
        }
        self.len = self.len.max(offset + data.len());
    }

    fn resize(&mut self, len: usize) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            if let Some(last) = self.pages.get_mut(&(len / PAGE)) {
                Arc::make_mut(last)[len % PAGE..].fill(0);
            }
        }
        self.len = len;
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, data } => self.write(*offset, data),
            Change::Length(len) => self.resize(*len),
        }
    }
}

/// What a host does to a file.
pub(super) enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Change {
    /// How many bytes the file grows by.
    pub(super) fn growth(&self, len: usize) -> u64 {
        let end = match self {
            Self::Write { offset, data } => offset + data.len(),
            Self::Length(len) => *len,
        };
        end.saturating_sub(len) as u64
    }

    fn pages(&self, len: usize) -> std::ops::Range<usize> {
        match self {
            Self::Write { data, .. } if data.is_empty() => 0..0,
            Self::Write { offset, data } => offset / PAGE..(offset + data.len()).div_ceil(PAGE),
            Self::Length(new) => new / PAGE..len.div_ceil(PAGE).max(new / PAGE),
        }
    }

    pub(super) fn place(&self) -> u64 {
        match self {
            Self::Write { offset, data } => (*offset as u64) << 24 ^ data.len() as u64,
            Self::Length(len) => !(*len as u64),
        }
    }
}

/// Draws that depend on what they are about, not on how many there were.
#[derive(Clone, Copy)]
pub(super) struct Fates(pub(super) u64);

impl Fates {
    /// The fates of a part of what these are about.
    pub(super) fn of(self, part: u64) -> Self {
        Self(xxh3_64_with_seed(&part.to_le_bytes(), self.0))
    }

    pub(super) fn of_name(self, name: &str) -> Self {
        Self(xxh3_64_with_seed(name.as_bytes(), self.0))
    }

    /// Whether something with this probability happens.
    pub(super) fn happens(self, share: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
        let draw = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        draw < share
    }

    /// 0 to `bound`, exclusive.
    pub(super) fn below(self, bound: u64) -> u64 {
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }
}

/// What becomes of one unsynced change.
enum Fate {
    Kept,
    Lost,
    /// So many bytes of it are written.
    Torn(usize),
}

/// A file.
#[derive(Default)]
pub(super) struct Inode {
    /// Contents as the host reads them.
    pub(super) current: Contents,
    /// Contents as of the last sync; `None` before the first.
    pub(super) durable: Option<Contents>,
    /// Changes since, oldest first, each with the number of syncs before it.
    unsynced: Vec<(u64, Change)>,
    /// Pages that may differ between the two.
    dirty: BTreeSet<usize>,
    /// Syncs so far, lies and failures included.
    pub(super) epoch: u64,
    /// A sync failed and left changes that will never be durable.
    forsaken: bool,
}

impl Inode {
    pub(super) fn change(&mut self, change: Change) {
        self.dirty.extend(change.pages(self.current.len()));
        self.current.apply(&change);
        self.unsynced.push((self.epoch, change));
    }

    /// A change that the host does not live to see done: some of it may be.
    pub(super) fn half_change(&mut self, change: Change, fates: Fates, tears: bool) {
        match fate(&change, fates, tears) {
            Fate::Kept => self.change(change),
            Fate::Lost => {}
            Fate::Torn(bytes) => {
                if let Change::Write { offset, mut data } = change {
                    data.truncate(bytes);
                    self.change(Change::Write { offset, data });
                }
            }
        }
    }

    /// Makes every change durable.
    pub(super) fn sync(&mut self) {
        self.epoch += 1;
        let durable = self.durable.get_or_insert_default();
        if self.forsaken {
            for (_, change) in self.unsynced.drain(..) {
                durable.apply(&change);
            }
            return;
        }
        self.unsynced.clear();
        for number in std::mem::take(&mut self.dirty) {
            match self.current.pages.get(&number) {
                Some(page) => {
                    durable.pages.insert(number, Arc::clone(page));
                }
                None => {
                    durable.pages.remove(&number);
                }
            }
        }
        durable.len = self.current.len;
    }

    /// A sync that does nothing and says that it did.
    pub(super) fn pretend_sync(&mut self) {
        self.epoch += 1;
    }

    /// A sync that failed: as with Linux, some of what was to be written counts as written from
    /// then on, is still read, and never reaches the disk.
    pub(super) fn fail_sync(&mut self, fates: Fates) {
        self.epoch += 1;
        let before = self.unsynced.len();
        self.unsynced.retain(|(epoch, change)| fates.of(*epoch).of(change.place()).happens(0.5));
        self.forsaken |= self.unsynced.len() < before;
    }

    /// Keeps, loses or tears every unsynced change and counts those that it loses, torn ones
    /// included; false when the file itself is lost.
    pub(super) fn lose_power(&mut self, fates: Fates, tears: bool, lost: &mut usize) -> bool {
        let changes = std::mem::take(&mut self.unsynced);
        self.dirty.clear();
        let was_forsaken = std::mem::take(&mut self.forsaken);
        // Before the first sync the file's own name is one more change that may be lost.
        if self.durable.is_none() && fates.of_name("name").happens(0.5) {
            *lost += changes.len() + 1;
            return false;
        }
        if changes.is_empty() && !was_forsaken && self.durable.is_some() {
            return true;
        }
        // One time in four each: nothing was left to do, and nothing had been begun.
        let all = match fates.of_name("all").below(4) {
            0 => Some(Fate::Kept),
            1 => Some(Fate::Lost),
            _ => None,
        };
        let mut contents = self.durable.take().unwrap_or_default();
        let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
        for (epoch, change) in &changes {
            let place = change.place();
            let again = seen.entry(place).or_default();
            *again += 1;
            let fates = fates.of(*epoch).of(place).of(*again);
            match (&all, change) {
                (Some(Fate::Kept), _) => contents.apply(change),
                (Some(_), _) => *lost += 1,
                (None, change) => match fate(change, fates, tears) {
                    Fate::Kept => contents.apply(change),
                    Fate::Lost => *lost += 1,
                    Fate::Torn(bytes) => {
                        *lost += 1;
                        if let Change::Write { offset, data } = change {
                            contents.write(*offset, &data[..bytes]);
                        }
                    }
                },
            }
        }
        self.current = contents.clone();
        self.durable = Some(contents);
        true
    }
}

/// What becomes of a change that is under way when the power goes.
fn fate(change: &Change, fates: Fates, tears: bool) -> Fate {
    match (fates.below(4), change) {
        (0, Change::Write { data, .. }) if tears => {
            Fate::Torn(usize::try_from(fates.of(1).below(data.len() as u64)).unwrap_or(0))
        }
        (0, Change::Write { data, .. }) if data.len() > SECTOR => {
            let sectors = fates.of(1).below((data.len() / SECTOR) as u64);
            Fate::Torn(usize::try_from(sectors).unwrap_or(0) * SECTOR)
        }
        (0 | 1, _) => Fate::Kept,
        _ => Fate::Lost,
    }
}
