//! The courier: takes chunks from the queue to the disk, to New Relic and off the disk, all the
//! time, cycle or no cycle.
//!
//! Invariants:
//! - One transaction of the spool at a time, in the order: new chunks onto the disk, then settled
//!   chunks off it; reads for POSTs come between them. What New Relic took leaves the disk for good
//!   before it counts as acknowledged.
//! - After a failure one POST at a time leaves until one succeeds; none while a back-off, a
//!   `Retry-After` or an open breaker lasts.
//! - A disk that does not answer delays nothing for long: after [`SPOOL_PATIENCE`] chunks leave
//!   from memory, and what the disk then holds too much is removed.
//! - Dropping the courier loses nothing: what was under way is put back, its fate unknown.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::core::{Ended, Shared};
use super::egress::{NotNow, class};
use super::spool::{Chunk, ChunkId, Settlement};
use crate::ports::{Clock, Ports};
use crate::resilience::breaker::{Outcome, Permit};
use crate::rt::cause::strand;
use crate::rt::{Race, race};
use crate::sometimes;

/// How long chunks wait for the disk before they leave from memory.
const SPOOL_PATIENCE: Duration = Duration::from_secs(5);
/// Pause after an operation of the disk failed, or when a breaker is held by somebody else.
const PAUSE: Duration = Duration::from_secs(1);

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs until dropped.
pub(super) async fn run<P: Ports>(shared: &Shared<P>, observe: &dyn Fn(&Outcome)) -> Infallible {
    // Declared first, so that it is dropped last: when the POSTs are gone.
    let _recall = Recall(shared);
    let clock = shared.ports.clock();
    let mut posts: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    let mut disk: Option<Work<'_>> = None;
    loop {
        let wake = shared.wake.notified();
        let now = clock.monotonic();
        if disk.is_none() {
            disk = disk_work(shared, now);
        }
        let next = start_posts(shared, observe, now, &mut posts);
        let timer = async {
            match next {
                Some(at) => clock.sleep(at.saturating_sub(now)).await,
                None => pending().await,
            }
        };
        let posted = async {
            if posts.is_empty() {
                pending().await
            } else {
                posts.next().await;
            }
        };
        let written = async {
            match &mut disk {
                Some(work) => work.as_mut().await,
                None => pending().await,
            }
        };
        if let Race::First(()) = race(written, race(posted, race(wake, timer))).await {
            disk = None;
        }
    }
}

/// Puts back what was under way when the courier ends.
struct Recall<'a, P: Ports>(&'a Shared<P>);

impl<P: Ports> Drop for Recall<'_, P> {
    fn drop(&mut self) {
        self.0.core().recall();
    }
}

/// The next operation of the spool, if there is something to do.
fn disk_work<P: Ports>(shared: &Shared<P>, now: Duration) -> Option<Work<'_>> {
    let mut core = shared.core();
    if now < core.disk_not_before {
        return None;
    }
    let staged = core.stage();
    if !staged.is_empty() {
        return Some(Box::pin(strand(append(shared, staged))));
    }
    let settlement = core.take_settlement()?;
    Some(Box::pin(strand(settle(shared, settlement))))
}

/// Waits for an operation of the disk; if that takes long, what waits for the disk is freed.
async fn patiently<P: Ports, T>(shared: &Shared<P>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let patience = shared.ports.clock().sleep(SPOOL_PATIENCE);
    let done = match race(work.as_mut(), patience).await {
        Race::First(done) => done,
        Race::Second(()) => {
            shared.core().stalled();
            shared.wake.notify_one();
            shared.changed();
            work.await
        }
    };
    shared.core().answered();
    done
}

async fn append<P: Ports>(shared: &Shared<P>, chunks: Vec<Chunk>) {
    let Some(spool) = &shared.spool else { return shared.core().unspooled(None) };
    let clock = shared.ports.clock();
    let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
    let appended = patiently(shared, spool.append(chunks)).await;
    let now = clock.monotonic();
    let mut core = shared.core();
    match appended {
        Ok(()) => core.spooled(&ids),
        Err(error) => {
            sometimes!(SPOOL_WRITE_FAILED);
            tracing::warn!(%error, "Events could not be spooled; they are kept in memory.");
            core.unspooled(Some(error.to_string()));
            core.disk_not_before = now + PAUSE;
        }
    }
    drop(core);
    shared.changed();
}

async fn settle<P: Ports>(shared: &Shared<P>, settlement: Settlement) {
    let Some(spool) = &shared.spool else { return };
    let settled = patiently(shared, spool.settle(settlement)).await;
    let now = shared.ports.clock().monotonic();
    let mut core = shared.core();
    match settled {
        Ok(()) => core.settled(),
        Err(error) => {
            sometimes!(SPOOL_WRITE_FAILED);
            tracing::warn!(%error, "The spool could not be told what New Relic took.");
            core.unsettled(error.to_string());
            core.disk_not_before = now + PAUSE;
        }
    }
    drop(core);
    shared.changed();
}

/// Starts what may be started; when to try again if nothing else happens (monotonic).
fn start_posts<'a, P: Ports>(
    shared: &'a Shared<P>,
    observe: &'a dyn Fn(&Outcome),
    now: Duration,
    posts: &mut FuturesUnordered<Work<'a>>,
) -> Option<Duration> {
    let mut core = shared.core();
    core.trim(shared.ports.clock().wall());
    let disk = core.wants_disk().then_some(core.disk_not_before).filter(|at| *at > now);
    let disk_works = core.disk_works(now);
    let concurrency = if core.is_failing() { 1 } else { shared.config.concurrency };
    while posts.len() < concurrency && core.has_waiting(disk_works) {
        if now < core.not_before {
            return Some(earliest(core.not_before, disk));
        }
        match shared.egress.admit(now) {
            Ok(permit) => {
                let Some(id) = core.start(disk_works) else { break };
                posts.push(Box::pin(strand(post(shared, observe, id, permit))));
            }
            Err(NotNow { reason, until }) => {
                let until = match until {
                    // The call under way that decides is one of ours, and wakes us.
                    None if !posts.is_empty() => break,
                    None => now + PAUSE,
                    Some(until) => until.max(now + Duration::from_nanos(1)),
                };
                core.hold_back(reason, until);
                drop(core);
                shared.changed();
                return Some(earliest(until, disk));
            }
        }
    }
    disk
}

fn earliest(at: Duration, other: Option<Duration>) -> Duration {
    other.map_or(at, |other| at.min(other))
}

/// One chunk to New Relic.
async fn post<P: Ports>(
    shared: &Shared<P>,
    observe: &dyn Fn(&Outcome),
    id: ChunkId,
    permit: Permit,
) {
    let ended = if load(shared, id).await {
        let payload = shared.core().payload(id);
        match payload {
            Some(payload) => {
                let timeout = shared.config.request_timeout;
                let (outcome, took) = shared.egress.post(permit, payload, timeout).await;
                observe(&class(&outcome));
                Some(Ended { outcome, took })
            }
            None => None,
        }
    } else {
        None
    };
    let clock = shared.ports.clock();
    let (now, wall) = (clock.monotonic(), clock.wall());
    shared.core().ended(id, ended, now, wall);
    shared.changed();
}

/// Brings a chunk's events into memory; false if they cannot be had now or ever, which is booked.
async fn load<P: Ports>(shared: &Shared<P>, id: ChunkId) -> bool {
    if shared.core().is_resident(id) {
        return true;
    }
    let Some(spool) = &shared.spool else { return false };
    let clock = shared.ports.clock();
    let loaded = clock.timeout(SPOOL_PATIENCE, spool.load(id)).await;
    let now = clock.monotonic();
    let mut core = shared.core();
    let Ok(loaded) = loaded else {
        tracing::warn!(chunk = id.0, "A chunk cannot be read: the disk does not answer.");
        core.disk_not_before = now + PAUSE;
        return false;
    };
    match loaded {
        Ok(Some(chunk)) => {
            core.loaded(id, chunk.events);
            true
        }
        Ok(None) => {
            tracing::error!(chunk = id.0, "The spool has lost a chunk.");
            core.unreadable(id);
            false
        }
        Err(error) if error.is_transient() => {
            sometimes!(SPOOL_READ_FAILED);
            tracing::warn!(%error, chunk = id.0, "A chunk cannot be read from the spool now.");
            core.disk_not_before = now + PAUSE;
            false
        }
        Err(error) => {
            tracing::error!(%error, chunk = id.0, "A chunk in the spool is damaged.");
            core.unreadable(id);
            false
        }
    }
}
