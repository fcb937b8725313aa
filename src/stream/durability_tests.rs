//! The streamer over a spool on a simulated disk: crashes, full and stalled disks, dead letters,
//! limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::spool::{DeadSelection, Opened, Spool, SpoolConfig};
use super::*;
use crate::domain::account::AccountId;
use crate::newrelic::{ApiKey, EventApi, Region, RejectReason};
use crate::ports::testing::{TestClock, TestPorts};
use crate::ports::{Clock, Http, HttpError, HttpLimits, HttpRequest, HttpResponse};
use crate::resilience::breaker::Breaker;
use crate::rt::{Race, race};
use crate::sim::disk::{DiskFault, DiskStore, SimDisk};
use crate::sim::seed::Seed;
use crate::sim::world::CrashMode;

/// New Relic with one answer for all: a status, or none at all after it has taken the events.
#[derive(Clone)]
struct Service {
    clock: TestClock,
    status: Arc<Mutex<u16>>,
    /// Request ids and events of every POST that was accepted, in order.
    accepted: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Http for Service {
    async fn send(&self, request: HttpRequest, _: HttpLimits) -> Result<HttpResponse, HttpError> {
        self.clock.sleep(Duration::from_millis(20)).await;
        let status = *self.status.lock().expect("lock");
        if status == 200 {
            let id = request.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
            let events: Vec<serde_json::Value> =
                serde_json::from_slice(request.body()).expect("plain JSON");
            self.accepted.lock().expect("lock").push((id, events.len()));
        }
        let mut answer =
            HttpResponse::new(Bytes::from_static(b"{\"success\":true,\"uuid\":\"u\"}"));
        *answer.status_mut() = http::StatusCode::from_u16(status).expect("status");
        Ok(answer)
    }
}

/// A pipeline's host: its lives come and go, its disk stays.
struct Host {
    clock: TestClock,
    store: DiskStore,
    service: Service,
    config: StreamConfig,
    next: usize,
}

type HostStreamer = Streamer<TestPorts<Service, SimDisk>>;

impl Host {
    fn new(config: StreamConfig) -> Self {
        let clock = TestClock::default();
        let service = Service {
            clock: clock.clone(),
            status: Arc::new(Mutex::new(200)),
            accepted: Arc::default(),
        };
        let config = StreamConfig { gzip_above_bytes: 10_000_000, ..config };
        Self { clock, store: DiskStore::new(Seed(3)), service, config, next: 0 }
    }

    fn answer(&self, status: u16) {
        *self.service.status.lock().expect("lock") = status;
    }

    fn open(&self) -> Opened<SimDisk> {
        let disk = self.store.mount_on(&self.clock);
        let opening = Spool::open(disk, SpoolConfig::default(), self.clock.wall());
        self.clock.run(opening).expect("the disk works")
    }

    fn life(&self) -> HostStreamer {
        let opened = self.open();
        let disk = self.store.mount_on(&self.clock);
        let ports = TestPorts { clock: self.clock.clone(), http: self.service.clone(), disk };
        let account = AccountId::try_from(1).expect("valid");
        let uri = Region::Local.addresses().events_of(account).expect("valid");
        let api = EventApi::new(uri, ApiKey::ingest("test-license-key").expect("valid"));
        let breaker = Breaker::new("event-api", self.config.breaker.clone()).expect("valid");
        Streamer::new(ports, api, self.config.clone(), breaker, Some(opened)).expect("valid")
    }

    fn enqueue(&mut self, streamer: &HostStreamer, count: usize) {
        for _ in 0..count {
            let json = format!(r#"{{"id":{},"padding":"{}"}}"#, self.next, "x".repeat(80));
            self.next += 1;
            streamer.enqueue(EncodedEvent { json: json.into_bytes(), kind: "TEST".into() });
        }
    }

    /// Flushes beside the courier for up to `seconds`, which pass in any case.
    fn flush(&self, streamer: &HostStreamer, seconds: u64) -> FlushReport {
        let until = self.clock.monotonic() + Duration::from_secs(seconds);
        let flush = async {
            let report = streamer.flush(Duration::from_secs(seconds)).await;
            self.clock.sleep(until.saturating_sub(self.clock.monotonic())).await;
            report
        };
        let ran = self.clock.run(race(flush, streamer.courier(|_| ())));
        streamer.ledger().check().expect("the law");
        match ran {
            Race::First(report) => report,
            Race::Second(never) => match never {},
        }
    }

    fn accepted(&self) -> Vec<(String, usize)> {
        self.service.accepted.lock().expect("lock").clone()
    }

    fn accepted_events(&self) -> usize {
        self.accepted().iter().map(|(_, events)| events).sum()
    }
}

fn tens() -> StreamConfig {
    StreamConfig { batch_events_max: 10, ..StreamConfig::default() }
}

#[test]
fn what_one_life_left_the_next_one_sends() {
    for mode in [CrashMode::Process, CrashMode::Power] {
        let mut host = Host::new(tens());
        host.answer(503);
        let first = host.life();
        host.enqueue(&first, 25);
        host.flush(&first, 5);
        let ledger = first.ledger();
        assert_eq!((ledger.in_flight, ledger.spooled, ledger.acknowledged), (25, 25, 0));
        host.store.crash(mode);
        drop(first);
        host.answer(200);
        let second = host.life();
        assert_eq!(second.ledger().recovered, 25, "{mode:?}");
        host.enqueue(&second, 5);
        host.flush(&second, 60);
        let ledger = second.ledger();
        assert_eq!((ledger.acknowledged, ledger.in_flight), (30, 0), "{mode:?}");
        let sizes: Vec<usize> = host.accepted().iter().map(|(_, events)| *events).collect();
        assert_eq!(sizes, [10, 10, 5, 5], "what came first leaves first");
        // What was accepted and settled never comes again.
        host.store.crash(mode);
        drop(second);
        assert_eq!(host.life().ledger().recovered, 0, "{mode:?}");
    }
}

#[test]
fn a_failing_disk_costs_durability_and_nothing_else() {
    let check = |fault: DiskFault, count: usize| {
        let mut host = Host::new(StreamConfig { batch_events_max: 1_000, ..tens() });
        let streamer = host.life();
        host.store.set_fault(Some(fault));
        host.answer(503);
        host.enqueue(&streamer, count);
        host.flush(&streamer, 5);
        let ledger = streamer.ledger();
        assert_eq!((ledger.in_flight, ledger.spooled), (count as u64, 0), "{fault:?}");
        let stats = streamer.stats();
        assert!(stats.spool_failures > 0 && stats.spool_error.is_some(), "{fault:?}");
        host.answer(200);
        host.flush(&streamer, 60);
        assert_eq!(streamer.ledger().acknowledged, count as u64, "{fault:?}");
        // When the disk works again, what comes is durable again.
        host.store.set_fault(None);
        host.answer(503);
        host.enqueue(&streamer, 10);
        host.flush(&streamer, 5);
        assert_eq!(streamer.ledger().spooled, 10, "{fault:?}");
        assert_eq!(streamer.stats().spool_error, None, "{fault:?}");
    };
    check(DiskFault::FailWrites { share: 1.0 }, 20);
    check(DiskFault::FailSyncs { share: 1.0 }, 20);
    // The file has room for a while: more events than fit.
    check(DiskFault::Full { free_bytes: 0 }, 9_000);
}

#[test]
fn a_disk_that_stands_still_delays_events_for_seconds_only() {
    let mut host = Host::new(tens());
    let streamer = host.life();
    host.store.set_fault(Some(DiskFault::Stalled));
    host.enqueue(&streamer, 20);
    let (clock, more) = (host.clock.clone(), streamer.clone());
    // One courier all the time: it waits for the disk once, and then no more.
    let later = async {
        let first = streamer.flush(Duration::from_secs(30)).await;
        for id in 100..120 {
            let json = format!(r#"{{"id":{id}}}"#).into_bytes();
            more.enqueue(EncodedEvent { json, kind: "TEST".into() });
        }
        let began = clock.monotonic();
        let second = more.flush(Duration::from_secs(30)).await;
        (first, second, clock.monotonic() - began)
    };
    let Race::First((first, second, took)) = host.clock.run(race(later, streamer.courier(|_| ())));
    assert_eq!((first.acknowledged, second.acknowledged), (20, 20));
    assert!(took < Duration::from_secs(1), "{took:?}");
    // The disk wakes up and holds the first ones: they are taken off it, not sent again.
    host.store.set_fault(None);
    host.flush(&streamer, 60);
    assert_eq!(host.accepted_events(), 40);
    host.store.crash(CrashMode::Process);
    drop(streamer);
    assert_eq!(host.life().ledger().recovered, 0);
}

#[test]
fn a_disk_that_cannot_be_read_does_not_hold_up_what_is_in_memory() {
    let mut host = Host::new(StreamConfig { resident_bytes_max: 0, ..tens() });
    let streamer = host.life();
    host.answer(503);
    host.enqueue(&streamer, 20);
    host.flush(&streamer, 5);
    assert_eq!(streamer.resident_bytes(), 0);
    for fault in [DiskFault::Stalled, DiskFault::FailReads { share: 1.0 }] {
        host.store.set_fault(Some(fault));
        host.store.set_fault(Some(DiskFault::FailWrites { share: 1.0 }));
        host.answer(200);
        let before = host.accepted_events();
        host.enqueue(&streamer, 10);
        host.flush(&streamer, 60);
        assert_eq!(host.accepted_events() - before, 10, "{fault:?}");
        host.store.set_fault(None);
        host.store.set_fault(Some(DiskFault::Stalled));
    }
    host.store.set_fault(None);
    host.flush(&streamer, 60);
    assert_eq!((host.accepted_events(), streamer.ledger().in_flight), (40, 0));
}

#[test]
fn a_flush_does_not_wait_for_a_disk_that_cannot_forget() {
    let mut host = Host::new(tens());
    let streamer = host.life();
    host.answer(503);
    host.enqueue(&streamer, 10);
    host.flush(&streamer, 5);
    host.store.set_fault(Some(DiskFault::FailWrites { share: 1.0 }));
    host.answer(200);
    host.clock.advance(Duration::from_secs(60));
    let began = host.clock.monotonic();
    let flush = streamer.flush(Duration::from_secs(60));
    host.clock.run(race(flush, streamer.courier(|_| ())));
    assert!(host.clock.monotonic() - began < Duration::from_secs(5));
    assert_eq!(host.accepted_events(), 10);
    // Once the disk can, it is told: nothing is sent again.
    host.store.set_fault(None);
    host.flush(&streamer, 60);
    assert_eq!((streamer.ledger().acknowledged, host.accepted_events()), (10, 10));
    host.store.crash(CrashMode::Process);
    drop(streamer);
    assert_eq!(host.life().ledger().recovered, 0);
}

#[test]
fn a_chunk_on_its_way_to_the_disk_is_not_cut() {
    let mut host = Host::new(tens());
    let streamer = host.life();
    host.store.set_fault(Some(DiskFault::Stalled));
    host.answer(413);
    host.enqueue(&streamer, 10);
    let ((), ()) = {
        let clock = host.clock.clone();
        let story = async {
            streamer.flush(Duration::from_secs(20)).await;
            clock.sleep(Duration::from_secs(20)).await;
            host.store.set_fault(None);
            clock.sleep(Duration::from_secs(5)).await;
            host.answer(200);
            streamer.flush(Duration::from_secs(60)).await;
        };
        let Race::First(()) = host.clock.run(race(story, streamer.courier(|_| ())));
        ((), ())
    };
    streamer.ledger().check().expect("the law");
    let rejected = streamer.ledger().rejected_total() as usize;
    assert_eq!(host.accepted_events() + rejected, 10, "each event once");
    host.store.crash(CrashMode::Process);
    drop(streamer);
    assert_eq!(host.life().ledger().recovered, 0);
}

#[test]
fn refused_events_are_dead_letters_that_can_be_replayed() {
    let mut host = Host::new(tens());
    let streamer = host.life();
    host.answer(403);
    host.enqueue(&streamer, 10);
    host.flush(&streamer, 5);
    let ledger = streamer.ledger();
    let forbidden = Rejection::Refused(RejectReason::Key);
    assert_eq!(ledger.rejected, BTreeMap::from([(forbidden, 10)]));
    assert_eq!((ledger.dead_lettered, ledger.in_flight), (10, 0));
    host.clock.run(streamer.close(Duration::from_secs(1)));
    host.store.crash(CrashMode::Process);
    drop(streamer);
    // The key is mended, the letters are put back.
    let Opened { spool, .. } = host.open();
    let replayed = spool.replay_dead_letters(DeadSelection::All, host.clock.wall());
    assert_eq!(host.clock.run(replayed).expect("works").len(), 1);
    drop(spool);
    host.answer(200);
    let streamer = host.life();
    host.flush(&streamer, 60);
    assert_eq!((streamer.ledger().recovered, streamer.ledger().acknowledged), (10, 10));
}

#[test]
fn limits_of_size_and_age_drop_the_oldest() {
    // 10 events are about 1,100 bytes.
    let size = StreamConfig { spool_bytes_max: 2_500, ..tens() };
    let age = StreamConfig { spool_age_max: Duration::from_secs(60), ..tens() };
    // Settings, events before and after 61 seconds, then: drops, events sent.
    let check = |config: StreamConfig, batches: [usize; 2], dropped: (DropReason, u64), sent| {
        let mut host = Host::new(config);
        let streamer = host.life();
        host.answer(503);
        host.enqueue(&streamer, batches[0]);
        host.flush(&streamer, 61);
        host.enqueue(&streamer, batches[1]);
        host.flush(&streamer, 1);
        assert_eq!(streamer.ledger().dropped, BTreeMap::from([dropped]));
        host.answer(200);
        host.flush(&streamer, 50);
        assert_eq!(host.accepted_events(), sent);
        // What was dropped is gone from the disk, too.
        host.store.crash(CrashMode::Process);
        drop(streamer);
        assert_eq!(host.life().ledger().recovered, 0);
    };
    check(size, [30, 10], (DropReason::SpoolFull, 20), 20);
    check(age, [10, 20], (DropReason::Expired, 10), 20);
}

#[test]
fn events_that_memory_cannot_keep_are_read_back() {
    let mut host = Host::new(StreamConfig { resident_bytes_max: 0, ..tens() });
    let streamer = host.life();
    host.answer(503);
    host.enqueue(&streamer, 30);
    host.flush(&streamer, 5);
    assert_eq!(streamer.resident_bytes(), 0);
    host.answer(200);
    host.flush(&streamer, 60);
    assert_eq!((streamer.ledger().acknowledged, host.accepted_events()), (30, 30));
}

#[test]
fn tries_can_be_limited() {
    let retry = crate::resilience::retry::RetryConfig { attempts_max: 2, ..tens().retry };
    let mut host = Host::new(StreamConfig { retry, ..tens() });
    let streamer = host.life();
    host.answer(503);
    host.enqueue(&streamer, 10);
    host.flush(&streamer, 60);
    let ledger = streamer.ledger();
    assert_eq!(ledger.rejected, BTreeMap::from([(Rejection::AttemptsSpent, 10)]));
    assert_eq!(ledger.dead_lettered, 10);
}
