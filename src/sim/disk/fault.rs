//! What a simulated disk does badly.
//!
//! Invariant: whether an operation fails depends on the seed, the file, the place and the failures
//! so far, not on the order of the operations between two syncs.

use std::io;
use std::time::Duration;

use super::inode::Fates;

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
    /// This share of syncs fails; half of what was to be synced is lost by the next power loss,
    /// whatever is synced later, and is read all the same until then (as Linux does it).
    FailSyncs {
        /// 0.0 to 1.0.
        share: f64,
    },
    /// Every operation of a job takes so long.
    Slow {
        /// Time per operation, reads included.
        per_operation: Duration,
    },
    /// Jobs wait until this ends.
    Stalled,
    /// A sync does nothing, and says that it did.
    LyingSync,
    /// A power loss tears writes at any byte, not only between sectors of 512 bytes.
    TornWrites,
}

/// The faults in force.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// Bytes that are free, when they are few.
    pub(super) free_bytes: Option<u64>,
    fail_writes: f64,
    fail_reads: f64,
    fail_syncs: f64,
    pub(super) per_operation: Duration,
    pub(super) stalled: bool,
    pub(super) lying: bool,
    pub(super) tears: bool,
    /// Operations that failed so far: one that is tried again is drawn again.
    failures: u64,
}

impl Faults {
    pub(super) fn set(&mut self, fault: DiskFault) {
        match fault {
            DiskFault::Full { free_bytes } => self.free_bytes = Some(free_bytes),
            DiskFault::FailWrites { share } => self.fail_writes = share,
            DiskFault::FailReads { share } => self.fail_reads = share,
            DiskFault::FailSyncs { share } => self.fail_syncs = share,
            DiskFault::Slow { per_operation } => self.per_operation = per_operation,
            DiskFault::Stalled => self.stalled = true,
            DiskFault::LyingSync => self.lying = true,
            DiskFault::TornWrites => self.tears = true,
        }
    }

    /// Ends faults of the kind of `fault`.
    pub(super) fn clear(&mut self, fault: DiskFault) {
        match fault {
            DiskFault::Full { .. } => self.free_bytes = None,
            DiskFault::FailWrites { .. } => self.fail_writes = 0.0,
            DiskFault::FailReads { .. } => self.fail_reads = 0.0,
            DiskFault::FailSyncs { .. } => self.fail_syncs = 0.0,
            DiskFault::Slow { .. } => self.per_operation = Duration::ZERO,
            DiskFault::Stalled => self.stalled = false,
            DiskFault::LyingSync => self.lying = false,
            DiskFault::TornWrites => self.tears = false,
        }
    }

    pub(super) fn clear_all(&mut self) {
        *self = Self { failures: self.failures, ..Self::default() };
    }

    /// Takes room for `growth` more bytes.
    pub(super) fn take_room(&mut self, growth: u64) -> io::Result<()> {
        let Some(free) = &mut self.free_bytes else { return Ok(()) };
        match free.checked_sub(growth) {
            Some(left) => *free = left,
            None => return Err(io::Error::new(io::ErrorKind::StorageFull, "disk full")),
        }
        Ok(())
    }

    pub(super) fn give_room(&mut self, bytes: u64) {
        if let Some(free) = &mut self.free_bytes {
            *free = free.saturating_add(bytes);
        }
    }

    pub(super) fn read(&mut self, fates: Fates) -> io::Result<()> {
        self.fail(self.fail_reads, fates.of_name("read"), "reading fails")
    }

    pub(super) fn write(&mut self, fates: Fates) -> io::Result<()> {
        self.fail(self.fail_writes, fates.of_name("write"), "writing fails")
    }

    pub(super) fn sync(&mut self, fates: Fates) -> io::Result<()> {
        self.fail(self.fail_syncs, fates.of_name("sync"), "syncing fails")
    }

    fn fail(&mut self, share: f64, fates: Fates, what: &'static str) -> io::Result<()> {
        if share > 0.0 && fates.of(self.failures).happens(share) {
            self.failures += 1;
            return Err(io::Error::other(what));
        }
        Ok(())
    }
}
