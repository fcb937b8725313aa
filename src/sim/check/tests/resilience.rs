//! The checks of delivery, breakers, recovery and memory on hand-made records.

use super::*;
use crate::resilience::breaker::StateKind::{self, Closed, HalfOpen, Open};
use crate::resilience::recovery::ComponentState;
use crate::sim::check::record::{
    BreakerEventRecord, BreakerNews, BreakerRecord, ComponentRecord, LedgerRecord, MemoryRecord,
    PostAnswer, PostRecord, RecoveryRecord, RequestSeen,
};
use crate::sim::check::recovery::returns;
use crate::sim::fault::{Action, Fault, FaultSpec};
use crate::sim::world::NetworkFault;

fn post(id: &str, began_ms: u64, ended_ms: u64, answer: PostAnswer) -> PostRecord {
    PostRecord {
        began: SimTime::from_millis(began_ms),
        ended: Some(SimTime::from_millis(ended_ms)),
        request_id: id.to_owned(),
        answer,
        retry_after: None,
        refused_events: 0,
    }
}

fn refused(began_ms: u64, ended_ms: u64, status: u16, refused_events: u64) -> PostRecord {
    PostRecord { refused_events, ..post("no", began_ms, ended_ms, PostAnswer::Refused(status)) }
}

fn seen(id: &str, seconds: u64, events_stored: u64) -> RequestSeen {
    RequestSeen { at: at(seconds), request_id: id.to_owned(), accepted: true, events_stored }
}

fn with_fault(record: &mut Record, text: &str) {
    let spec: FaultSpec = toml::from_str(text).expect("well-formed");
    record.faults.push(spec.fault(&record.scenario.network).expect("a fault"));
}

fn ledger(record: &mut Record) -> &mut LedgerRecord {
    &mut record.pipelines[0].ledger
}

/// Five events enqueued, acknowledged and stored, in one request.
fn delivered() -> Record {
    let mut record = steady();
    (ledger(&mut record).enqueued, ledger(&mut record).acknowledged) = (5, 5);
    record.newrelic.samples = (1..=5).map(|n| sample(&record, "a", at(n * 15))).collect();
    record.newrelic.requests = vec![seen("one", 75, 5)];
    record.pipelines[0].posts = vec![post("one", 74_900, 75_000, PostAnswer::Accepted)];
    record
}

#[test]
fn conservation_adds_up() {
    let mut record = delivered();
    (ledger(&mut record).collected, ledger(&mut record).transformed) = (10, 9);
    breaks(&record, "conservation", "10 samples collected, but 9 transformed and 0 rejected");
    ledger(&mut record).samples_rejected.insert("no_identity".to_owned(), 1);
    holds(&record, "conservation");
    ledger(&mut record).enqueued = 6;
    breaks(&record, "conservation", "6 events enqueued and 0 recovered, but 5 acknowledged");
    ledger(&mut record).events_lost.insert("buffer_full".to_owned(), 1);
    holds(&record, "conservation");
    ledger(&mut record).in_flight = 1;
    breaks(&record, "conservation", "1 in flight");
    ledger(&mut record).recovered = 1;
    breaks(&record, "conservation", "1 events in flight, but 0 in the spool and 0 staged");
    ledger(&mut record).spooled = 1;
    breaks(&record, "conservation", "1 events are still in flight after healing");
}

#[test]
fn acknowledged_events_are_stored() {
    let mut record = delivered();
    record.newrelic.samples.pop();
    breaks(&record, "conservation", "acknowledged 5 events and holds only 4");
    // What New Relic's own store gave up is no loss of the pipeline's; a second event is.
    record.newrelic.evicted = 1;
    holds(&record, "conservation");
    record.newrelic.samples.pop();
    breaks(&record, "conservation", "acknowledged 5 events and holds only 3, having given up 1");
    // What it had taken and not yet parsed when the run ended is no loss either.
    let mut record = delivered();
    record.newrelic.samples.pop();
    record.newrelic.unstored = 1;
    holds(&record, "conservation");
    holds(&record, "loss");
    let mut record = delivered();
    record.newrelic.samples.push(sample(&record, "a", at(90)));
    breaks(&record, "conservation", "holds 6 different events, but only 5 were enqueued");
}

#[test]
fn what_is_refused_for_good_is_kept() {
    let said = |change: &dyn Fn(&mut Record)| {
        let mut record = delivered();
        record.scenario.pipeline.spool = true;
        record.pipelines[0].ledger.events_lost.insert("forbidden".to_owned(), 2);
        change(&mut record);
        let violations = result(&record, "loss").finding.violations;
        violations.iter().any(|v| v.what == "2 events were refused for good, and 0 kept")
    };
    assert!(said(&|_| {}));
    assert!(!said(&|record| record.pipelines[0].ledger.dead_lettered = 2));
    assert!(!said(&|record| record.pipelines[0].crashed = true));
    assert!(!said(&|record| record.scenario.pipeline.spool = false));
}

/// A time that two cycles showed, and a request that was taken twice: nobody can tell copies from
/// samples, and neither is an invention.
#[test]
fn what_looks_alike_is_no_invention() {
    let mut record = delivered();
    let cycles = &mut record.pipelines[0].cycles;
    cycles[2].wall = cycles[1].wall;
    for _ in 0..2 {
        let copy = record.newrelic.samples[0].clone();
        record.newrelic.samples.push(copy);
    }
    let said = result(&record, "conservation").finding.violations;
    assert!(said.iter().all(|v| !v.what.contains("different events")), "{said:?}");
}

/// A life that crashed at 80 s with two events in its spool and one only staged, and a second one.
fn two_lives(recovered: u64) -> Record {
    let mut record = delivered();
    let first = &mut record.pipelines[0];
    (first.ended, first.crashed) = (at(80), true);
    first.ledger = LedgerRecord {
        enqueued: 8,
        acknowledged: 5,
        in_flight: 3,
        spooled: 2,
        staged: 1,
        ..LedgerRecord::default()
    };
    let ledger = LedgerRecord { recovered, acknowledged: recovered, ..LedgerRecord::default() };
    let posts = vec![post("two", 85_100, 85_200, PostAnswer::Accepted)];
    record.pipelines.push(PipelineRecord {
        started: at(85),
        ended: at(300),
        ledger,
        posts,
        ..PipelineRecord::default()
    });
    let more = (6..6 + recovered).map(|n| sample(&record, "a", at(n * 15)));
    let more: Vec<_> = more.collect();
    record.newrelic.samples.extend(more);
    record.newrelic.requests.push(seen("two", 85, recovered));
    record
}

#[test]
fn what_the_spool_took_survives_a_crash_and_what_was_staged_need_not() {
    holds(&two_lives(2), "conservation");
    // The disk took it, and the pipeline died before it heard so.
    holds(&two_lives(3), "conservation");
    let forgotten = two_lives(1);
    breaks(&forgotten, "conservation", "1 events that the spool had taken");
    breaks(&forgotten, "loss", "1 events are missing without need");
    let mut lied = two_lives(1);
    with_fault(&mut lied, "at = \"70s\"\nlasts = \"9s\"\ndisk_lies = {}");
    // A lie that no power loss follows takes nothing.
    breaks(&lied, "conservation", "1 events that the spool had taken");
    breaks(&lied, "loss", "1 events are missing without need");
    with_fault(&mut lied, POWER_LOSS);
    holds(&lied, "conservation");
    holds(&lied, "loss");
    lied.scenario.expect.loss = Some(0);
    breaks(&lied, "loss", "1 events were given up (1 missing), at most 0");
    lied.scenario.expect.loss = Some(1);
    holds(&lied, "loss");
    // Two were in the spool, so no more than two can have gone with it.
    let mut more = two_lives(0);
    with_fault(&mut more, "at = \"70s\"\nlasts = \"9s\"\ndisk_lies = {}");
    with_fault(&mut more, POWER_LOSS);
    holds(&more, "loss");
    more.newrelic.samples.pop();
    breaks(&more, "loss", "3 events are missing, but the power loss explains only 2");
}

const POWER_LOSS: &str =
    "at = \"80s\"\nlasts = \"5s\"\ncrash = { host = \"pipeline\", mode = \"power\" }";

/// One request, whose first answer is `first`, and then once more.
fn twice(first: PostRecord) -> Record {
    let mut record = delivered();
    let copies: Vec<_> = record.newrelic.samples.clone();
    record.newrelic.samples.extend(copies);
    record.newrelic.requests.push(seen("one", 80, 5));
    let again = post("one", 79_900, 80_000, PostAnswer::Accepted);
    record.pipelines[0].posts = vec![first, again];
    record
}

/// Ids are made of content: under a clock that was set back the same events may come again.
#[test]
fn a_clock_that_was_set_back_makes_the_same_request_again() {
    let mut record = twice(post("one", 74_900, 75_000, PostAnswer::Accepted));
    let is_repeated = |record: &Record| {
        let violations = result(record, "conservation").finding.violations;
        violations.iter().any(|v| v.what.contains("request one was taken 2 times"))
    };
    assert!(is_repeated(&record));
    let skew = NetworkFault::Skew { host: "pipeline".into(), offset_ms: -5_000 };
    record.faults = vec![Fault {
        from: at(76),
        to: at(78),
        kind: "clock_jump",
        label: "clock of pipeline".to_owned(),
        begin: vec![Action::Network(skew)],
        end: Vec::new(),
    }];
    assert!(!is_repeated(&record));
}

#[test]
fn copies_come_from_doubt_only() {
    let first = |answer| post("one", 74_900, 75_000, answer);
    holds(&twice(first(PostAnswer::None { sent: true })), "conservation");
    holds(&twice(first(PostAnswer::Unreadable)), "conservation");
    let sure = twice(first(PostAnswer::Accepted));
    breaks(&sure, "conservation", "5 events are stored twice and only 0 were sent again in doubt");
    let said = result(&sure, "conservation");
    let what = "request one was taken 2 times, and in doubt only 0 times";
    assert!(said.finding.violations.iter().any(|v| v.what == what), "{:?}", said.finding);
    // A crash between the answer and the spool's note of it is a doubt; a later one is none.
    let crashing = |crash| {
        let mut record = twice(first(PostAnswer::Accepted));
        let second = PipelineRecord {
            started: at(79),
            ended: at(300),
            posts: record.pipelines[0].posts.split_off(1),
            ..PipelineRecord::default()
        };
        let life = &mut record.pipelines[0];
        (life.ended, life.crashed) = (SimTime::from_millis(crash), true);
        record.pipelines.push(second);
        record
    };
    holds(&crashing(77_000), "conservation");
    breaks(&crashing(77_001), "conservation", "5 events are stored twice");
    // Faults of the disk in seconds, the crash in milliseconds, whether it leaves a doubt about
    // what was taken at 75 s.
    for (faults, crash, doubt) in [
        (&[("disk_stall = {}", 60.0, 20.0)] as &[(&str, f64, f64)], 78_000, true),
        (&[("disk_stall = {}", 60.0, 16.0)], 78_000, true),
        (&[("disk_stall = {}", 60.0, 16.0)], 78_001, false),
        (&[("disk_stall = {}", 60.0, 14.0)], 78_000, false),
        (&[("disk_full = {}", 77.0, 1.0)], 79_000, true),
        // It was noted before the disk misbehaved.
        (&[("disk_full = {}", 78.0, 1.0)], 78_500, false),
        (&[("disk_slow = { latency = \"10ms\" }", 76.0, 0.5)], 79_500, true),
        (&[("disk_stall = {}", 60.0, 16.0), ("disk_full = {}", 77.5, 0.1)], 79_000, true),
        (&[("disk_lies = {}", 75.0, 1.0)], 78_000, false),
        (&[("disk_lies = {}", 76.0, 1.0), (POWER, 80.0, 1.0)], 80_000, true),
        (&[("disk_lies = {}", 60.0, 1.0), (POWER, 80.0, 1.0)], 80_000, false),
        (&[("disk_torn_writes = {}", 76.0, 1.0), (POWER, 80.0, 1.0)], 80_000, false),
    ] {
        let mut record = crashing(crash);
        for (fault, at, lasts) in faults {
            let (at, lasts) = (at * 1_000.0, lasts * 1_000.0);
            with_fault(&mut record, &format!("at = \"{at}ms\"\nlasts = \"{lasts}ms\"\n{fault}"));
        }
        let said = result(&record, "conservation");
        let said = format!("{faults:?} {crash}: {:?}", said.first_violation());
        assert_eq!(result(&record, "conservation").passed(), doubt, "{said}");
    }
}

const POWER: &str = "crash = { host = \"pipeline\", mode = \"power\" }";

#[test]
fn losses_are_held_to_the_scenario() {
    let mut record = delivered();
    holds(&record, "loss");
    ledger(&mut record).enqueued = 9;
    ledger(&mut record).events_lost.insert("forbidden".to_owned(), 4);
    ledger(&mut record).dead_lettered = 4;
    breaks(&record, "loss", "4 events were given up (forbidden) without need");
    with_fault(&mut record, "at = \"70s\"\nlasts = \"9s\"\nforbidden = {}");
    breaks(&record, "loss", "4 events were given up (forbidden), but");
    record.pipelines[0].posts.push(refused(74_000, 74_900, 403, 4));
    holds(&record, "loss");
    record.pipelines[0].posts[1].refused_events = 3;
    breaks(&record, "loss", "explains only 3");
    record.scenario.expect.loss = Some(0);
    breaks(&record, "loss", "4 events were given up (4 forbidden), at most 0");
    record.scenario.expect.loss = Some(3);
    breaks(&record, "loss", "at most 3");
    record.scenario.expect.loss = Some(4);
    holds(&record, "loss");
}

/// What one life of 300 s lost: events, reason, and what else is known of it.
type Lost = (u64, &'static str, fn(&mut Record), &'static str);

#[test]
fn excuses_are_borne_out_by_what_was_seen_of_the_life() {
    const FORBIDDEN: &str = "at = \"70s\"\nlasts = \"9s\"\nforbidden = {}";
    const TOO_LARGE: &str = "at = \"70s\"\nlasts = \"9s\"\npayload_too_large = {}";
    const OUTAGE: &str = "at = \"70s\"\nlasts = \"90s\"\nunavailable = {}";
    let cases: &[Lost] = &[
        (4, "forbidden", |r| r.pipelines[0].posts.push(refused(79_000, 79_500, 403, 4)), ""),
        // Refused while no fault was in force: that was the pipeline's own doing.
        (
            4,
            "forbidden",
            |r| r.pipelines[0].posts.push(refused(80_000, 80_500, 403, 300)),
            "explains only 0",
        ),
        // A life that ended before the fault began.
        (
            4,
            "forbidden",
            |r| {
                r.pipelines[0].ended = at(60);
                r.pipelines[0].posts.push(refused(50_000, 50_500, 403, 300));
            },
            "4 events were given up (forbidden) without need",
        ),
        (
            2,
            "event_too_large",
            |r| r.pipelines[0].posts = vec![refused(72_000, 73_000, 413, 1); 2],
            "",
        ),
        (
            2,
            "event_too_large",
            |r| r.pipelines[0].posts = vec![refused(72_000, 73_000, 413, 2); 9],
            "explains only 0",
        ),
        (9, "expired", |r| r.scenario.pipeline.spool_age_max = "1min".parse().expect("time"), ""),
        (
            100_000,
            "expired",
            |r| r.scenario.pipeline.spool_age_max = "1min".parse().expect("time"),
            "New Relic: 503 unavailable explains only",
        ),
        (
            9,
            "expired",
            |r| {
                r.scenario.pipeline.spool_age_max = "1min".parse().expect("time");
                r.pipelines[0].ended = at(69);
            },
            "9 events were given up (expired) without need",
        ),
        (1, "unreadable", |_| {}, "1 events were given up (unreadable) without need"),
    ];
    for (count, reason, change, words) in cases {
        let mut record = delivered();
        for fault in [FORBIDDEN, TOO_LARGE, OUTAGE] {
            with_fault(&mut record, fault);
        }
        ledger(&mut record).enqueued += count;
        ledger(&mut record).events_lost.insert((*reason).to_owned(), *count);
        ledger(&mut record).dead_lettered = *count;
        change(&mut record);
        match *words {
            "" => holds(&record, "loss"),
            words => breaks(&record, "loss", words),
        }
    }
}

#[test]
fn what_a_life_found_in_its_spool_may_have_waited_before() {
    let with = |recovered, opened_ms: u64| {
        let mut record = two_lives(recovered);
        with_fault(&mut record, "at = \"5s\"\nlasts = \"74s\"\nunavailable = {}");
        record.scenario.pipeline.spool_age_max = "1min".parse().expect("time");
        let life = &mut record.pipelines[1];
        life.started = SimTime::from_millis(opened_ms);
        life.ledger.enqueued += 3;
        life.ledger.events_lost.insert("expired".to_owned(), 3);
        record
    };
    holds(&with(2, 85_000), "loss");
    // It found nothing: what it gave up it had made itself, after the outage.
    breaks(&with(0, 85_000), "loss", "3 events were given up (expired) without need");
}

#[test]
fn a_lie_of_the_disk_is_no_outage() {
    let mut record = outage(Some(70_500));
    with_fault(&mut record, "at = \"55s\"\nlasts = \"90s\"\ndisk_lies = {}");
    assert_eq!(returns(&record)[0].at, at(60));
    holds(&record, "recovery");
    with_fault(&mut record, "at = \"55s\"\nlasts = \"90s\"\ndisk_stall = {}");
    assert!(returns(&record).is_empty());
}

#[test]
fn who_is_asked_to_wait_waits() {
    let asked = |began_ms: u64| {
        let mut record = delivered();
        let mut first = post("one", 1_000, 2_000, PostAnswer::Refused(429));
        first.retry_after = Some(Duration::from_secs(20));
        let next = post("two", began_ms, began_ms + 100, PostAnswer::Accepted);
        record.pipelines[0].posts = vec![first, next];
        record
    };
    holds(&asked(1_500), "politeness");
    holds(&asked(2_000), "politeness");
    breaks(&asked(2_001), "politeness", "began 19999 ms before the wait's end");
    breaks(&asked(21_998), "politeness", "began 2 ms before the wait's end");
    holds(&asked(21_999), "politeness");
    holds(&asked(22_000), "politeness");
    let mut record = asked(400_000);
    record.pipelines[0].posts[0].retry_after = Some(Duration::from_secs(86_400));
    holds(&record, "politeness");
    let mut reborn = asked(3_000);
    let posts = reborn.pipelines[0].posts.split_off(1);
    reborn.pipelines.push(PipelineRecord { posts, ..PipelineRecord::default() });
    holds(&reborn, "politeness");
}

/// A breaker of thresholds 3 and 2 and a delay of 10 s that told `events`, times in milliseconds.
fn breaker(events: &[(u64, BreakerNews)]) -> Record {
    let changes: Vec<StateKind> = events
        .iter()
        .filter_map(|(_, news)| match news {
            BreakerNews::Change { to, .. } => Some(*to),
            _ => None,
        })
        .collect();
    let event = |(at_ms, what): &(u64, BreakerNews)| BreakerEventRecord {
        at: SimTime::from_millis(*at_ms),
        what: *what,
    };
    let mut record = delivered();
    record.pipelines[0].posts.clear();
    record.pipelines[0].resilience.breakers = vec![BreakerRecord {
        name: "event-api".to_owned(),
        failure_threshold: 3,
        success_threshold: 2,
        half_open_max: 1,
        retry_delay: Duration::from_secs(10),
        state: changes.last().copied().unwrap_or(Closed),
        generation: changes.len() as u64,
        opens: changes.iter().filter(|to| **to == Open).count() as u64,
        events: events.iter().map(event).collect(),
    }];
    record
}

const FAILED: BreakerNews = BreakerNews::Failure;
const WORKED: BreakerNews = BreakerNews::Success;
const OPENED: BreakerNews = BreakerNews::Change { from: Closed, to: Open };
const HALF_OPENED: BreakerNews = BreakerNews::Change { from: Open, to: HalfOpen };
const REOPENED: BreakerNews = BreakerNews::Change { from: HalfOpen, to: Open };
const CLOSED: BreakerNews = BreakerNews::Change { from: HalfOpen, to: Closed };

#[test]
fn breakers_obey_their_thresholds() {
    let whole = [
        (1, FAILED),
        (2, FAILED),
        (3, FAILED),
        (3, OPENED),
        (10_003, HALF_OPENED),
        (10_100, FAILED),
        (10_100, REOPENED),
        (20_100, HALF_OPENED),
        (20_200, WORKED),
        (20_300, WORKED),
        (20_300, CLOSED),
    ];
    holds(&breaker(&whole), "breaker");
    let without = |left_out: usize| {
        let mut events = whole.to_vec();
        events.remove(left_out);
        breaker(&events)
    };
    breaks(&without(0), "breaker", "opened after 2 failures in a row, not 3");
    breaks(&without(4), "breaker", "left HALF_OPEN, but was OPEN");
    breaks(&without(5), "breaker", "opened again without a failure");
    breaks(&without(8), "breaker", "closed after 1 successes, not 2");
    let early = [(1, FAILED), (2, FAILED), (3, FAILED), (3, OPENED), (10_002, HALF_OPENED)];
    breaks(&breaker(&early), "breaker", "half-opened after 9999 ms, not 10000 ms");
    let interrupted = [(1, FAILED), (2, FAILED), (3, WORKED), (4, FAILED), (4, OPENED)];
    breaks(&breaker(&interrupted), "breaker", "opened after 1 failures in a row");
    let stubborn = [(1, FAILED), (2, FAILED), (3, FAILED), (4, FAILED)];
    breaks(&breaker(&stubborn), "breaker", "stays closed after 4 failures in a row");
    holds(&breaker(&[(1, OPENED), (1, BreakerNews::ByHand)]), "breaker");
    let mut miscounted = breaker(&whole);
    miscounted.pipelines[0].resilience.breakers[0].generation += 1;
    breaks(&miscounted, "breaker", "counts 6 as transitions, told 5");
    let mut lazy = breaker(&[]);
    holds(&lazy, "breaker");
    lazy.scenario.expect.breaker_opens_min = 1;
    breaks(&lazy, "breaker", "opened 0 times, at least 1 expected");
}

#[test]
fn nothing_passes_an_open_breaker() {
    let events = [(1, FAILED), (2, FAILED), (3, FAILED), (3, OPENED), (10_003, HALF_OPENED)];
    let with = |posts: &[(u64, u64)]| {
        let mut record = breaker(&events);
        let posts = posts.iter().map(|(b, e)| post("x", *b, *e, PostAnswer::Refused(503)));
        record.pipelines[0].posts = posts.collect();
        record
    };
    holds(&with(&[(2, 50), (10_003, 10_050)]), "breaker");
    breaks(&with(&[(4, 50)]), "breaker", "a request began although event-api is open since");
    breaks(&with(&[(10_002, 10_050)]), "breaker", "although event-api is open");
    holds(&with(&[(10_004, 10_050), (10_050, 10_090)]), "breaker");
    let crowd = with(&[(10_004, 10_050), (10_049, 10_090)]);
    breaks(&crowd, "breaker", "2 requests at once while half-open, at most 1");
}

/// New Relic is out from 30 s to 60 s; a request fails at 50 s and is taken at `taken_ms`.
fn outage(taken_ms: Option<u64>) -> Record {
    let mut record = delivered();
    with_fault(&mut record, "at = \"30s\"\nlasts = \"30s\"\nunavailable = {}");
    let failed = post("one", 49_900, 50_000, PostAnswer::Refused(503));
    let taken = taken_ms.map(|at| post("one", at - 100, at, PostAnswer::Accepted));
    record.pipelines[0].posts = std::iter::once(failed).chain(taken).collect();
    record
}

#[test]
fn what_was_cut_off_comes_back_in_time() {
    holds(&outage(Some(90_000)), "recovery");
    assert_eq!(returns(&outage(Some(70_500)))[0].took(), Some(Duration::from_millis(10_500)));
    breaks(&outage(Some(90_001)), "recovery", "New Relic was back and took 30001 ms, limit 30000");
    breaks(&outage(None), "recovery", "has taken nothing for 240000 ms");
    // A wait that New Relic asked for is part of its absence.
    let mut asked = outage(Some(110_000));
    asked.pipelines[0].posts[0].retry_after = Some(Duration::from_secs(40));
    holds(&asked, "recovery");
    assert_eq!(returns(&asked)[0].at, at(90));
    // Nothing waited: there is nothing to recover.
    let mut calm = outage(None);
    calm.pipelines[0].posts.clear();
    assert!(returns(&calm).is_empty());
}

#[test]
fn a_spool_found_at_the_start_is_sent_soon() {
    let mut late = two_lives(2);
    assert_eq!(returns(&late)[0].took(), Some(Duration::from_millis(200)));
    holds(&late, "recovery");
    late.pipelines[1].posts[0].ended = Some(SimTime::from_millis(115_001));
    breaks(&late, "recovery", "took 30001 ms");
}

#[test]
fn guards_come_to_rest() {
    let mut record = breaker(&[]);
    holds(&record, "recovery");
    record.pipelines[0].resilience.breakers[0].state = HalfOpen;
    breaks(&record, "recovery", "event-api is HALF_OPEN in the end");
    record.pipelines[0].resilience.breakers.clear();
    let component = |state| ComponentRecord {
        name: "streamer".to_owned(),
        state,
        incidents: 1,
        recovered: 1,
        recovery_time: Duration::ZERO,
    };
    for (state, well) in [
        (ComponentState::Healthy, true),
        (ComponentState::Unknown, true),
        (ComponentState::Degraded, false),
        (ComponentState::CircuitOpen, false),
        (ComponentState::Unhealthy, false),
    ] {
        let components = vec![component(state)];
        record.pipelines[0].resilience.recovery = Some(RecoveryRecord { components });
        assert_eq!(result(&record, "recovery").passed(), well, "{state:?}");
    }
}

#[test]
fn memory_keeps_its_caps() {
    let mut record = steady();
    breaks(&record, "bounded memory", "examined nothing");
    let bounded = |peak| MemoryRecord { what: "staged events".to_owned(), peak, cap: 10 };
    record.pipelines[0].resilience.memory = vec![bounded(0), bounded(10)];
    holds(&record, "bounded memory");
    record.pipelines[0].resilience.memory.push(bounded(11));
    breaks(&record, "bounded memory", "11 staged events, at most 10");
}
