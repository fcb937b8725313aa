//! What the streamer and its courier share: the queue, the books, and when to send again.
//!
//! Invariants:
//! - Every method is one step of bookkeeping: it ends with the ledger's law intact, and nothing
//!   awaits while it holds the lock.
//! - A chunk on disk is booked (acknowledged, rejected, unreadable) when the disk has forgotten it;
//!   one in memory alone at once. What a limit drops is booked at once, wherever it is: if the
//!   process ends before the disk has forgotten it, the next life finds and sends it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::batch::{Packer, json_of};
use super::egress::Egress;
use super::ledger::{DropReason, Ledger, Rejection};
use super::queue::{Held, Overflow, Queue};
use super::spool::{Chunk, ChunkId, DeadLetter, Settlement, Spool};
use super::{EncodedEvent, StreamConfig, StreamStats};
use crate::domain::units::UnixMillis;
use crate::newrelic::{Payload, PostOutcome};
use crate::ports::Ports;
use crate::resilience::retry::Backoff;
use crate::sometimes;

/// Most bytes of dead letters that wait for the disk.
const LETTERS_BYTES_MAX: usize = 8 << 20;

/// How one POST ended.
pub(super) struct Ended {
    pub(super) outcome: PostOutcome,
    pub(super) took: Duration,
}

/// What both sides hold.
pub(super) struct Shared<P: Ports> {
    pub(super) ports: P,
    pub(super) config: StreamConfig,
    pub(super) egress: Egress<P>,
    pub(super) spool: Option<Spool<P::Disk>>,
    /// Wakes the courier.
    pub(super) wake: Notify,
    /// Wakes those who wait for a flush.
    news: Notify,
    core: Mutex<Core>,
}

impl<P: Ports> Shared<P> {
    pub(super) fn new(
        ports: P,
        config: StreamConfig,
        egress: Egress<P>,
        spool: Option<Spool<P::Disk>>,
        core: Core,
    ) -> Self {
        let (wake, news) = (Notify::new(), Notify::new());
        Self { ports, config, egress, spool, wake, news, core: Mutex::new(core) }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        // The books are plain data: whoever panicked while writing left them readable.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait that something happened.
    pub(super) fn changed(&self) {
        self.news.notify_waiters();
    }

    /// Something happened after this call.
    pub(super) fn news(&self) -> impl Future<Output = ()> + '_ {
        self.news.notified()
    }
}

/// What is to become of a chunk once the disk has forgotten it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    Rejected(Rejection),
    Dropped(DropReason),
}

/// The books.
pub(super) struct Core {
    config: StreamConfig,
    queue: Queue,
    packer: Packer,
    ledger: Ledger,
    pub(super) stats: StreamStats,
    backoff: Backoff,
    /// Whether the last POST that ended failed.
    failing: bool,
    /// Why sending stands still, by name.
    stopped: Option<&'static str>,
    /// Monotonic time before which nothing is sent.
    pub(super) not_before: Duration,
    /// Monotonic time before which the disk is left alone.
    pub(super) disk_not_before: Duration,
    has_spool: bool,
    /// Fates that the disk does not know yet.
    fates: BTreeMap<ChunkId, Fate>,
    settlement: Settlement,
    /// Of these: what the disk is being told now.
    settling: Settlement,
    /// Chunks on their way to the disk.
    appending: BTreeSet<ChunkId>,
    /// Whether the disk has not answered for long.
    disk_stalled: bool,
    /// Events dropped since that was last told.
    dropped_untold: u64,
    /// The wall clock, as of the last step.
    wall: UnixMillis,
}

impl Core {
    pub(super) fn new(
        config: StreamConfig,
        queue: Queue,
        backoff: Backoff,
        has_spool: bool,
    ) -> Self {
        let recovered = queue.held().events as u64;
        Self {
            config,
            queue,
            packer: Packer::default(),
            ledger: Ledger { recovered, ..Ledger::default() },
            stats: StreamStats::default(),
            backoff,
            failing: false,
            stopped: None,
            not_before: Duration::ZERO,
            disk_not_before: Duration::ZERO,
            has_spool,
            fates: BTreeMap::new(),
            settlement: Settlement::default(),
            settling: Settlement::default(),
            appending: BTreeSet::new(),
            disk_stalled: false,
            dropped_untold: 0,
            wall: UnixMillis(0),
        }
    }

    pub(super) fn held(&self) -> Held {
        self.queue.held()
    }

    pub(super) fn ledger(&self) -> Ledger {
        let held = self.queue.held();
        Ledger {
            in_flight: held.events as u64,
            spooled: held.durable_events as u64,
            unsettled: held.settling_events as u64,
            ..self.ledger.clone()
        }
    }

    /// Whether nothing is under way and nothing may be sent for a while.
    pub(super) fn is_standing_still(&self, now: Duration) -> bool {
        now < self.not_before && !self.queue.has_under_way() && !self.is_staging()
    }

    /// Why sending stands still, if it does.
    pub(super) fn stopped(&self) -> Option<&'static str> {
        self.stopped
    }

    pub(super) fn enqueue(&mut self, event: EncodedEvent, now: UnixMillis) {
        self.ledger.enqueued += 1;
        if event.json.len() + 2 > self.config.batch_bytes_max {
            self.ledger.reject(Rejection::EventTooLarge, 1);
            return;
        }
        self.queue.push(event);
        let held = self.queue.held();
        if held.volatile_events() > self.config.buffer_events_max
            || held.volatile_bytes > self.config.buffer_bytes_max
        {
            self.trim(now);
        }
        self.note_peaks();
    }

    fn note_peaks(&mut self) {
        let held = self.queue.held();
        let peak = &mut self.stats.buffer_events_peak;
        *peak = (*peak).max(held.volatile_events());
        let peak = &mut self.stats.resident_bytes_peak;
        *peak = (*peak).max(held.resident_bytes);
        let peak = &mut self.stats.spool_bytes_peak;
        *peak = (*peak).max(held.durable_bytes);
    }

    /// Makes chunks of what was enqueued.
    pub(super) fn seal(&mut self, now: UnixMillis) {
        self.queue.seal(&self.config, now);
        if !self.has_spool || self.disk_stalled {
            self.queue.unspooled();
        }
        let events = std::mem::take(&mut self.dropped_untold);
        if events > 0 {
            tracing::error!(events, "Events were dropped.");
        }
    }

    /// Drops what exceeds the limits.
    pub(super) fn trim(&mut self, now: UnixMillis) {
        self.wall = now;
        let Overflow { dropped, removed } = self.queue.trim(&self.config, now);
        for (reason, events) in dropped {
            self.dropped_untold += events;
            self.ledger.drop_events(reason, usize::try_from(events).unwrap_or(usize::MAX));
        }
        self.settlement.removed.extend(removed);
    }

    /// The chunks to be written to disk now.
    pub(super) fn stage(&mut self) -> Vec<Chunk> {
        let staged = if self.has_spool { self.queue.stage() } else { Vec::new() };
        self.appending = staged.iter().map(|chunk| chunk.id).collect();
        staged
    }

    /// Whether chunks wait for the disk.
    pub(super) fn is_staging(&self) -> bool {
        self.queue.has_staged()
    }

    /// Whether the disk has something to do.
    pub(super) fn has_disk_work(&self) -> bool {
        let settles = !self.settlement.is_empty() || !self.settling.is_empty();
        self.has_spool && (self.queue.has_staged() || settles)
    }

    pub(super) fn spooled(&mut self, ids: &[ChunkId]) {
        self.appending.clear();
        sometimes!(SPOOL_RESUMED, self.stats.spool_error.is_some());
        self.stats.spool_error = None;
        let orphans = self.queue.spooled(ids, self.config.resident_bytes_max);
        // They left from memory while the disk was slow.
        self.settlement.removed.extend(orphans);
        self.trim(self.wall);
        self.note_peaks();
    }

    pub(super) fn unspooled(&mut self, error: Option<String>) {
        self.appending.clear();
        self.free_staged(error);
    }

    /// The disk has not answered for long: what waits for it need not.
    pub(super) fn stalled(&mut self) {
        sometimes!(SPOOL_STALLED);
        self.disk_stalled = true;
        self.free_staged(Some("the disk does not answer".to_owned()));
    }

    /// The disk has answered.
    pub(super) fn answered(&mut self) {
        self.disk_stalled = false;
    }

    /// Whether the disk is worth asking.
    pub(super) fn disk_works(&self, now: Duration) -> bool {
        !self.disk_stalled && now >= self.disk_not_before
    }

    fn free_staged(&mut self, error: Option<String>) {
        self.stats.spool_failures += u64::from(error.is_some());
        self.stats.spool_error = error;
        self.queue.unspooled();
    }

    /// What the disk is to be told now; kept here until it has answered.
    pub(super) fn take_settlement(&mut self) -> Option<Settlement> {
        self.settling = std::mem::take(&mut self.settlement);
        (!self.settling.is_empty()).then(|| self.settling.clone())
    }

    /// The disk knows all that it was told.
    pub(super) fn settled(&mut self) {
        let settlement = std::mem::take(&mut self.settling);
        self.stats.spool_error = None;
        for id in settlement.removed.iter().chain(settlement.dead.iter().map(|d| &d.chunk.id)) {
            let Some(fate) = self.fates.remove(id) else { continue };
            let events = self.queue.remove(*id).unwrap_or(0);
            self.book(fate, events);
        }
        for dead in &settlement.dead {
            sometimes!(DEAD_LETTER_WRITTEN);
            self.ledger.dead_lettered += dead.chunk.events.len() as u64;
        }
        for (_, parts) in settlement.replaced {
            self.queue.resume(parts.into_iter().map(|part| part.id));
        }
    }

    /// The disk may know nothing of it; it is told again later.
    pub(super) fn unsettled(&mut self, error: String) {
        self.stats.spool_failures += 1;
        self.stats.spool_error = Some(error);
        self.tell_again();
    }

    fn tell_again(&mut self) {
        let settlement = std::mem::take(&mut self.settling);
        let later = std::mem::replace(&mut self.settlement, settlement);
        self.settlement.removed.extend(later.removed);
        self.settlement.replaced.extend(later.replaced);
        self.settlement.dead.extend(later.dead);
    }

    fn book(&mut self, fate: Fate, events: usize) {
        match fate {
            Fate::Acknowledged => self.ledger.acknowledged += events as u64,
            Fate::Rejected(reason) => self.ledger.reject(reason, events),
            Fate::Dropped(reason) => self.ledger.drop_events(reason, events),
        }
    }

    /// Books a chunk's fate: at once if it is in memory alone, else when the disk has heard.
    fn decide(&mut self, id: ChunkId, fate: Fate, dead: Option<DeadLetter>) {
        let kept = self.has_spool && dead.is_some();
        match self.queue.settle(id) {
            Some(events) => {
                self.book(fate, events);
                if kept {
                    self.settlement.dead.extend(dead);
                    self.bound_letters();
                }
            }
            None => {
                self.fates.insert(id, fate);
                match dead {
                    Some(dead) => self.settlement.dead.push(dead),
                    None => self.settlement.removed.push(id),
                }
            }
        }
    }

    /// Drops the oldest dead letters that wait for a disk, beyond [`LETTERS_BYTES_MAX`].
    fn bound_letters(&mut self) {
        let bytes = |letter: &DeadLetter| -> usize {
            letter.chunk.events.iter().map(|event| event.json.len()).sum()
        };
        let mut waiting: usize = self.settlement.dead.iter().map(bytes).sum();
        while waiting > LETTERS_BYTES_MAX {
            // Those of chunks on disk stay: the disk must be told to forget the chunk.
            let fates = &self.fates;
            let at = self.settlement.dead.iter().position(|d| !fates.contains_key(&d.chunk.id));
            let Some(at) = at else { return };
            let letter = self.settlement.dead.remove(at);
            waiting -= bytes(&letter);
            self.stats.letters_dropped += 1;
            tracing::error!(events = letter.chunk.events.len(), "A dead letter was dropped.");
        }
    }

    pub(super) fn has_waiting(&self, disk_works: bool) -> bool {
        self.queue.has_waiting(disk_works)
    }

    /// Whether the courier has something for the disk, now or after a pause.
    pub(super) fn wants_disk(&self) -> bool {
        self.has_disk_work()
            || (self.has_spool && (self.queue.has_volatile() || self.queue.has_waiting(true)))
    }

    /// Whether a chunk waits for New Relic or for its answer.
    pub(super) fn is_busy(&self) -> bool {
        self.queue.is_busy()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    pub(super) fn start(&mut self, disk_works: bool) -> Option<ChunkId> {
        self.queue.start(disk_works)
    }

    pub(super) fn hold_back(&mut self, reason: &'static str, until: Duration) {
        self.stopped = Some(reason);
        self.not_before = self.not_before.max(until);
    }

    pub(super) fn is_resident(&self, id: ChunkId) -> bool {
        self.queue.events(id).is_some()
    }

    pub(super) fn loaded(&mut self, id: ChunkId, events: VecDeque<EncodedEvent>) {
        self.queue.loaded(id, events);
        self.note_peaks();
    }

    /// The disk cannot give the chunk's events back.
    pub(super) fn unreadable(&mut self, id: ChunkId) {
        sometimes!(BATCH_UNREADABLE);
        self.decide(id, Fate::Dropped(DropReason::Unreadable), None);
    }

    /// The body of a chunk that is under way. `None` if it must be cut first, which is done.
    pub(super) fn payload(&mut self, id: ChunkId) -> Option<Payload> {
        let json = json_of(self.queue.events(id)?);
        let json_bytes = json.len();
        // Writing to memory cannot fail; if it did, the chunk would be put back.
        let payload = self.packer.payload(json, &self.config).ok()?;
        if payload.body.len() >= self.config.body_bytes_limit {
            self.split(id);
            return None;
        }
        let before = self.queue.count_attempt(id);
        sometimes!(SENT_FROM_MEMORY, self.has_spool && !self.queue.is_durable(id));
        self.stats.retries += u64::from(before > 0);
        self.stats.body_bytes += json_bytes as u64;
        self.stats.sent_bytes += payload.body.len() as u64;
        Some(payload)
    }

    /// Cuts a chunk in two; a single event that does not fit is rejected. One that is on its way to
    /// the disk waits for that: the disk must not hold the whole beside a part.
    fn split(&mut self, id: ChunkId) {
        if self.appending.contains(&id) {
            return self.queue.restage(id);
        }
        match self.queue.split(id) {
            Ok(parts) => {
                sometimes!(BATCH_SPLIT);
                self.stats.splits += 1;
                self.settlement.replaced.extend(parts.map(|parts| (id, parts)));
            }
            Err(()) => {
                let dead = self.dead_letter(id, Rejection::EventTooLarge.as_str());
                self.decide(id, Fate::Rejected(Rejection::EventTooLarge), dead);
            }
        }
    }

    fn dead_letter(&self, id: ChunkId, reason: &str) -> Option<DeadLetter> {
        let chunk = self.queue.chunk(id)?;
        let attempts = chunk.attempts;
        Some(DeadLetter { chunk, reason: reason.to_owned(), attempts, at: self.wall })
    }

    /// Whatever was under way has no courier any more: nobody heard those answers, and the disk's.
    pub(super) fn recall(&mut self) {
        self.appending.clear();
        self.disk_stalled = false;
        self.tell_again();
        for events in self.queue.recall() {
            self.count_unknown(events);
        }
    }

    fn count_unknown(&mut self, events: usize) {
        self.ledger.unknown_sends += 1;
        self.ledger.unknown_events += events as u64;
    }

    /// Books the end of a POST, or that there was none.
    pub(super) fn ended(
        &mut self,
        id: ChunkId,
        ended: Option<Ended>,
        now: Duration,
        wall: UnixMillis,
    ) {
        self.wall = wall;
        let Some(Ended { outcome, took }) = ended else {
            // It may have been cut or given up; what is still under way waits again.
            if self.queue.is_under_way(id) {
                self.queue.put_back(id, self.config.resident_bytes_max);
            }
            return;
        };
        self.stats.post_time += took;
        *self.stats.posts.entry(name(&outcome)).or_default() += 1;
        match outcome {
            PostOutcome::Accepted { .. } => {
                self.succeed(now, wall);
                for event in self.queue.events(id).into_iter().flatten() {
                    *self.stats.acknowledged.entry(event.kind.clone()).or_default() += 1;
                }
                self.decide(id, Fate::Acknowledged, None);
            }
            PostOutcome::Rejected(reason) => {
                tracing::warn!(reason = reason.as_str(), chunk = id.0, "Chunk refused.");
                let rejection = Rejection::Refused(reason);
                let dead = self.dead_letter(id, rejection.as_str());
                self.decide(id, Fate::Rejected(rejection), dead);
            }
            PostOutcome::TooLarge => self.split(id),
            PostOutcome::RetryLater { reason, after } => {
                self.fail(reason.as_str(), after, now);
                self.put_back(id);
            }
            PostOutcome::Unknown(reason) => {
                sometimes!(ANSWER_LOST);
                let events = self.queue.events(id).map_or(0, VecDeque::len);
                self.count_unknown(events);
                self.fail(reason.as_str(), None, now);
                self.put_back(id);
            }
        }
    }

    /// The chunk waits for its next POST, unless it has had all that are allowed.
    fn put_back(&mut self, id: ChunkId) {
        if self.queue.attempts(id) < self.config.retry.attempts_max {
            return self.queue.put_back(id, self.config.resident_bytes_max);
        }
        let dead = self.dead_letter(id, Rejection::AttemptsSpent.as_str());
        self.decide(id, Fate::Rejected(Rejection::AttemptsSpent), dead);
    }

    fn succeed(&mut self, now: Duration, wall: UnixMillis) {
        self.stats.last_success = Some((now, wall));
        self.failing = false;
        self.stopped = None;
        self.backoff.reset();
    }

    fn fail(&mut self, reason: &'static str, asked: Option<Duration>, now: Duration) {
        self.failing = true;
        self.stopped = Some(reason);
        sometimes!(RETRY_AFTER_HONOURED, asked.is_some());
        // POSTs that were under way together fail together: one wait for all of them.
        let retry = &self.config.retry;
        let delay = match (asked, now < self.not_before) {
            (None, true) => return,
            (Some(asked), true) => {
                asked.clamp(retry.retry_after_min.min(retry.retry_after_max), retry.retry_after_max)
            }
            (asked, false) => self.backoff.next_delay(asked).unwrap_or(retry.delay_max),
        };
        self.not_before = self.not_before.max(now.saturating_add(delay));
    }
}

fn name(outcome: &PostOutcome) -> &'static str {
    match outcome {
        PostOutcome::Accepted { .. } => "accepted",
        PostOutcome::Rejected(reason) => reason.as_str(),
        PostOutcome::TooLarge => "too_large",
        PostOutcome::RetryLater { reason, .. } => reason.as_str(),
        PostOutcome::Unknown(reason) => reason.as_str(),
    }
}
