//! What waits for New Relic: chunks of events in the order in which they came, in memory, on disk
//! or both.
//!
//! Invariants:
//! - A chunk's id is the number of its first event, counted over all lives of the spool: taking the
//!   smallest id first keeps the order, and the later half of a chunk has its own id by itself.
//! - A chunk is offered for sending only once it is durable, or once the spool could not take it:
//!   what New Relic stores was never only on its way to the disk.
//! - The counts of events and bytes are those of what is held, whichever way it came and goes.
//! - Events in memory alone are bounded by events and bytes, events on disk by bytes and age;
//!   beyond that the oldest go, each counted by its reason.

use std::collections::{BTreeMap, VecDeque};

use super::ledger::DropReason;
use super::spool::{Chunk, ChunkId, ChunkMeta};
use super::{EncodedEvent, StreamConfig};
use crate::domain::units::UnixMillis;
use crate::sometimes;

/// Bytes of events that go to the spool in one append, about.
const STAGE_BYTES_MAX: usize = 4 << 20;

/// Where a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In memory, not yet offered to the spool, or on its way there.
    Staged,
    /// May be sent.
    Waiting,
    /// In a POST.
    UnderWay,
    /// Its fate is known; the spool does not know it yet.
    Settling,
}

#[derive(Debug)]
struct Entry {
    events: usize,
    bytes: usize,
    enqueued_at: UnixMillis,
    attempts: u32,
    /// Its events, unless they are on disk alone.
    resident: Option<VecDeque<EncodedEvent>>,
    durable: bool,
    /// Whether the POST under way has begun.
    is_sent: bool,
    state: State,
}

impl Entry {
    /// Whether it may be sent now.
    fn may_go(&self, disk_works: bool) -> bool {
        self.state == State::Waiting && (disk_works || self.resident.is_some())
    }
}

/// How much is where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    /// All events that have not left.
    pub(super) events: usize,
    /// Of which on disk.
    pub(super) durable_events: usize,
    /// Bytes of events on disk.
    pub(super) durable_bytes: usize,
    /// Bytes of events in memory, whether or not they are on disk as well.
    pub(super) resident_bytes: usize,
    /// Of which in memory alone.
    pub(super) volatile_bytes: usize,
    /// Of the durable events: those whose fate is known here, but not on disk.
    pub(super) settling_events: usize,
}

impl Held {
    /// Events in memory alone.
    pub(super) fn volatile_events(&self) -> usize {
        self.events - self.durable_events
    }
}

/// Events dropped to keep a limit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overflow {
    /// Events by reason.
    pub(super) dropped: BTreeMap<DropReason, u64>,
    /// Chunks to be removed from the disk.
    pub(super) removed: Vec<ChunkId>,
}

impl Overflow {
    fn add(&mut self, reason: DropReason, events: usize) {
        *self.dropped.entry(reason).or_default() += events as u64;
    }
}

/// Chunks in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<ChunkId, Entry>,
    /// Events that no chunk holds yet.
    fresh: VecDeque<EncodedEvent>,
    next_id: u64,
    held: Held,
}

impl Queue {
    /// A queue over what a spool holds.
    pub(super) fn new(chunks: Vec<ChunkMeta>, next_id: ChunkId) -> Self {
        let mut queue = Self { next_id: next_id.0, ..Self::default() };
        for meta in chunks {
            let events = meta.events as usize;
            let bytes = usize::try_from(meta.bytes).unwrap_or(usize::MAX);
            let entry = Entry {
                events,
                bytes,
                enqueued_at: meta.enqueued_at,
                attempts: 0,
                resident: None,
                durable: true,
                is_sent: false,
                state: State::Waiting,
            };
            queue.insert(meta.id, entry);
        }
        queue
    }

    pub(super) fn held(&self) -> Held {
        self.held
    }

    /// Whether something may be sent, or is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.entries.values().any(|entry| entry.state != State::Settling)
    }

    pub(super) fn push(&mut self, event: EncodedEvent) {
        self.held.events += 1;
        self.held.resident_bytes += event.json.len();
        self.held.volatile_bytes += event.json.len();
        self.fresh.push_back(event);
    }

    /// Makes chunks of the fresh events.
    pub(super) fn seal(&mut self, config: &StreamConfig, now: UnixMillis) {
        while !self.fresh.is_empty() {
            let mut count = 0;
            let mut body_bytes = 2;
            let mut bytes = 0;
            for event in self.fresh.iter().take(config.batch_events_max) {
                body_bytes += event.json.len() + 1;
                if count > 0 && body_bytes > config.batch_bytes_max {
                    break;
                }
                bytes += event.json.len();
                count += 1;
            }
            let events: VecDeque<EncodedEvent> = self.fresh.drain(..count).collect();
            // They are counted anew as a chunk's.
            self.held.events -= count;
            self.held.resident_bytes -= bytes;
            self.held.volatile_bytes -= bytes;
            let id = ChunkId(self.next_id);
            self.next_id += count as u64;
            let entry = Entry {
                events: count,
                bytes,
                enqueued_at: now,
                attempts: 0,
                resident: Some(events),
                durable: false,
                is_sent: false,
                state: State::Staged,
            };
            self.insert(id, entry);
        }
    }

    /// Whether any chunk is in a POST.
    pub(super) fn has_under_way(&self) -> bool {
        self.entries.values().any(|entry| entry.state == State::UnderWay)
    }

    /// Whether chunks wait for the spool.
    pub(super) fn has_staged(&self) -> bool {
        self.entries.values().any(|entry| entry.state == State::Staged)
    }

    /// Copies of the oldest chunks that are in memory alone, some [`STAGE_BYTES_MAX`] of them, for
    /// the spool; they are not sent until [`Queue::spooled`] or [`Queue::unspooled`] tells how that
    /// went.
    pub(super) fn stage(&mut self) -> Vec<Chunk> {
        let mut staged = Vec::new();
        let mut bytes = 0;
        for (id, entry) in &mut self.entries {
            if bytes >= STAGE_BYTES_MAX {
                break;
            }
            let idle = matches!(entry.state, State::Staged | State::Waiting);
            let Some(events) = entry.resident.as_ref().filter(|_| idle && !entry.durable) else {
                continue;
            };
            entry.state = State::Staged;
            bytes += entry.bytes;
            staged.push(Chunk {
                id: *id,
                enqueued_at: entry.enqueued_at,
                attempts: entry.attempts,
                events: events.clone(),
            });
        }
        staged
    }

    /// The spool holds these now; memory keeps their events while `resident_bytes_max` allows it.
    /// Those that are not here any more are given back.
    pub(super) fn spooled(&mut self, ids: &[ChunkId], resident_bytes_max: usize) -> Vec<ChunkId> {
        let mut orphans = Vec::new();
        for id in ids {
            let Some(mut entry) = self.take(*id) else {
                orphans.push(*id);
                continue;
            };
            entry.durable = true;
            if entry.state == State::Staged {
                entry.state = State::Waiting;
            }
            let full = self.held.resident_bytes + entry.bytes > resident_bytes_max;
            if full && entry.state == State::Waiting {
                entry.resident = None;
            }
            self.insert(*id, entry);
        }
        orphans
    }

    /// The spool could not take what was staged, or there is none: it may be sent from memory.
    pub(super) fn unspooled(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| entry.state == State::Staged) {
            entry.state = State::Waiting;
        }
    }

    /// Whether a chunk is in a POST.
    pub(super) fn is_under_way(&self, id: ChunkId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.state == State::UnderWay)
    }

    /// The oldest chunk that may be sent, marked as under way; while the disk is of no use
    /// (`disk_works`), the oldest of those in memory.
    pub(super) fn start(&mut self, disk_works: bool) -> Option<ChunkId> {
        let (id, entry) = self.entries.iter_mut().find(|(_, entry)| entry.may_go(disk_works))?;
        entry.state = State::UnderWay;
        entry.is_sent = false;
        Some(*id)
    }

    /// Whether a chunk may be sent.
    pub(super) fn has_waiting(&self, disk_works: bool) -> bool {
        self.entries.values().any(|entry| entry.may_go(disk_works))
    }

    /// Whether chunks wait that the spool could not take.
    pub(super) fn has_volatile(&self) -> bool {
        self.entries.values().any(|entry| !entry.durable && entry.state == State::Waiting)
    }

    /// A chunk under way waits for what becomes of it on its way to the disk.
    pub(super) fn restage(&mut self, id: ChunkId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.state = State::Staged;
        }
    }

    /// The events of a chunk, if they are in memory.
    pub(super) fn events(&self, id: ChunkId) -> Option<&VecDeque<EncodedEvent>> {
        self.entries.get(&id)?.resident.as_ref()
    }

    /// One more POST of the chunk begins; how many there were before.
    pub(super) fn count_attempt(&mut self, id: ChunkId) -> u32 {
        let Some(entry) = self.entries.get_mut(&id) else { return 0 };
        entry.attempts += 1;
        entry.is_sent = true;
        entry.attempts - 1
    }

    /// Whether the chunk is on disk.
    pub(super) fn is_durable(&self, id: ChunkId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.durable)
    }

    /// POSTs of the chunk so far.
    pub(super) fn attempts(&self, id: ChunkId) -> u32 {
        self.entries.get(&id).map_or(0, |entry| entry.attempts)
    }

    /// The spool gave the events of a chunk back.
    pub(super) fn loaded(&mut self, id: ChunkId, events: VecDeque<EncodedEvent>) {
        if let Some(mut entry) = self.take(id) {
            entry.resident = Some(events);
            self.insert(id, entry);
        }
    }

    /// The chunk may be sent again. Events that are on disk and do not fit beside the others are
    /// forgotten here.
    pub(super) fn put_back(&mut self, id: ChunkId, resident_bytes_max: usize) {
        if let Some(mut entry) = self.take(id) {
            entry.state = State::Waiting;
            if entry.durable && self.held.resident_bytes + entry.bytes > resident_bytes_max {
                entry.resident = None;
            }
            self.insert(id, entry);
        }
    }

    /// Whatever was under way is not any more; the events of each chunk whose POST had begun.
    pub(super) fn recall(&mut self) -> Vec<usize> {
        let mut sent = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| entry.state == State::UnderWay) {
            entry.state = State::Waiting;
            if entry.is_sent {
                sent.push(entry.events);
            }
        }
        sent
    }

    /// The chunk's fate is known. One in memory alone leaves at once and is given back; one on disk
    /// stays until [`Queue::remove`] confirms that the disk knows.
    pub(super) fn settle(&mut self, id: ChunkId) -> Option<usize> {
        let durable = self.entries.get(&id)?.durable;
        if !durable {
            return self.remove(id);
        }
        let mut entry = self.take(id)?;
        entry.state = State::Settling;
        // Nobody reads them any more, and a disk that fails may keep the chunk here for long.
        entry.resident = None;
        self.insert(id, entry);
        None
    }

    /// Forgets a chunk; its number of events.
    pub(super) fn remove(&mut self, id: ChunkId) -> Option<usize> {
        self.take(id).map(|entry| entry.events)
    }

    /// A copy of the chunk as it is now.
    pub(super) fn chunk(&self, id: ChunkId) -> Option<Chunk> {
        let entry = self.entries.get(&id)?;
        Some(Chunk {
            id,
            enqueued_at: entry.enqueued_at,
            attempts: entry.attempts,
            events: entry.resident.clone()?,
        })
    }

    /// Cuts a chunk in two, both of them waiting; the two, if the disk must be told. `Err` if it
    /// has one event only.
    pub(super) fn split(&mut self, id: ChunkId) -> Result<Option<Vec<Chunk>>, ()> {
        let Some(mut entry) = self.take(id) else { return Ok(None) };
        let half = entry.events / 2;
        let later = match &mut entry.resident {
            Some(events) if half > 0 => events.split_off(half),
            _ => {
                let single = entry.events < 2;
                self.insert(id, entry);
                return if single { Err(()) } else { Ok(None) };
            }
        };
        let later_id = ChunkId(id.0 + half as u64);
        let durable = entry.durable;
        let bytes = |events: &VecDeque<EncodedEvent>| events.iter().map(|e| e.json.len()).sum();
        let state = if durable { State::Settling } else { State::Waiting };
        let part = |events: VecDeque<EncodedEvent>| Entry {
            events: events.len(),
            bytes: bytes(&events),
            enqueued_at: entry.enqueued_at,
            attempts: entry.attempts,
            resident: Some(events),
            durable,
            is_sent: false,
            state,
        };
        let earlier = part(entry.resident.take().unwrap_or_default());
        let later = part(later);
        self.insert(id, earlier);
        self.insert(later_id, later);
        let parts = [id, later_id].into_iter().filter_map(|id| self.chunk(id)).collect();
        Ok(durable.then_some(parts))
    }

    /// The disk knows both halves: they may be sent.
    pub(super) fn resume(&mut self, ids: impl IntoIterator<Item = ChunkId>) {
        for id in ids {
            if let Some(mut entry) = self.take(id) {
                entry.state = State::Waiting;
                self.insert(id, entry);
            }
        }
    }

    /// Drops the oldest events until the limits are kept. Chunks under way are left alone.
    pub(super) fn trim(&mut self, config: &StreamConfig, now: UnixMillis) -> Overflow {
        let mut overflow = Overflow::default();
        self.trim_memory(config, &mut overflow);
        self.trim_disk(config, now, &mut overflow);
        overflow
    }

    fn trim_memory(&mut self, config: &StreamConfig, overflow: &mut Overflow) {
        loop {
            let events = self.held.volatile_events().saturating_sub(config.buffer_events_max);
            let bytes = self.held.volatile_bytes.saturating_sub(config.buffer_bytes_max);
            if events == 0 && bytes == 0 {
                return;
            }
            let dropped = self.drop_oldest_volatile();
            if !dropped {
                return;
            }
            sometimes!(MEMORY_FULL);
            overflow.add(DropReason::BufferFull, 1);
        }
    }

    /// Drops one event; false if all that are in memory alone are under way.
    fn drop_oldest_volatile(&mut self) -> bool {
        // What is on its way to the spool stays: the disk may hold it already.
        let oldest =
            self.entries.iter().find(|(_, entry)| !entry.durable && entry.state == State::Waiting);
        let Some(id) = oldest.map(|(id, _)| *id) else {
            let Some(event) = self.fresh.pop_front() else { return false };
            self.held.events -= 1;
            self.held.resident_bytes -= event.json.len();
            self.held.volatile_bytes -= event.json.len();
            return true;
        };
        let Some(mut entry) = self.take(id) else { return false };
        let event = entry.resident.as_mut().and_then(VecDeque::pop_front);
        entry.events -= 1;
        entry.bytes -= event.map_or(0, |event| event.json.len());
        if entry.events > 0 {
            self.insert(ChunkId(id.0 + 1), entry);
        }
        true
    }

    fn trim_disk(&mut self, config: &StreamConfig, now: UnixMillis, overflow: &mut Overflow) {
        let age_max = i64::try_from(config.spool_age_max.as_millis()).unwrap_or(i64::MAX);
        let mut doomed = Vec::new();
        let mut bytes = self.held.durable_bytes;
        for (id, entry) in &self.entries {
            if entry.state != State::Waiting {
                continue;
            }
            let old = now.millis_since(entry.enqueued_at) > age_max;
            let full = entry.durable && bytes > config.spool_bytes_max;
            let reason = match (old, full) {
                (true, _) => DropReason::Expired,
                (false, true) => DropReason::SpoolFull,
                (false, false) => continue,
            };
            if entry.durable {
                bytes -= entry.bytes;
            }
            doomed.push((*id, reason));
        }
        for (id, reason) in doomed {
            let Some(entry) = self.take(id) else { continue };
            sometimes!(SPOOL_FULL, reason == DropReason::SpoolFull);
            sometimes!(EVENTS_TOO_OLD, reason == DropReason::Expired);
            overflow.add(reason, entry.events);
            if entry.durable {
                overflow.removed.push(id);
            }
        }
    }

    fn insert(&mut self, id: ChunkId, entry: Entry) {
        self.count(&entry, |total, part| *total += part);
        self.entries.insert(id, entry);
    }

    fn take(&mut self, id: ChunkId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.count(&entry, |total, part| *total -= part);
        Some(entry)
    }

    fn count(&mut self, entry: &Entry, add: impl Fn(&mut usize, usize)) {
        let held = &mut self.held;
        add(&mut held.events, entry.events);
        if entry.durable {
            add(&mut held.durable_events, entry.events);
            add(&mut held.durable_bytes, entry.bytes);
            if entry.state == State::Settling {
                add(&mut held.settling_events, entry.events);
            }
        } else {
            add(&mut held.volatile_bytes, entry.bytes);
        }
        if entry.resident.is_some() {
            add(&mut held.resident_bytes, entry.bytes);
        }
    }
}
