use super::*;
use crate::sim::scenario::load;

/// The atlas of a world of two brokers with these settings and faults.
fn atlas(pipeline: &str, faults: &[&str]) -> Atlas {
    let faults: String = faults.iter().map(|fault| format!("[[fault]]\n{fault}\n")).collect();
    let text = format!(
        "title = \"t\"\nduration = \"1h\"\n[kafka.a]\nbrokers = 2\nreplication = 2\ntopics = 3\n\
         groups = 1\n[pipeline]\n{pipeline}\n{faults}"
    );
    match load("test.toml", &text) {
        Ok(scenario) => Atlas::with(&scenario, &scenario.faults()),
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

const OUTAGE: &str = "at = \"1min\"\nlasts = \"5min\"\nunavailable = {}";
const HICCUP: &str = "at = \"1min\"\nlasts = \"2s\"\nunavailable = {}";
const FORBIDDEN: &str = "at = \"20s\"\nlasts = \"9s\"\nforbidden = {}";
const TOO_LARGE: &str = "at = \"40s\"\nlasts = \"9s\"\npayload_too_large = {}";
const LIES: &str = "at = \"20s\"\nlasts = \"9s\"\ndisk_lies = {}";
const STALL: &str = "at = \"20s\"\nlasts = \"5min\"\ndisk_stall = {}";
const KILL: &str = "at = \"40s\"\nlasts = \"9s\"\ncrash = { host = \"pipeline\" }";
const POWER: &str =
    "at = \"40s\"\nlasts = \"9s\"\ncrash = { host = \"pipeline\", mode = \"power\" }";
const JUMP: &str = "at = \"40s\"\nlasts = \"9s\"\nclock_jump = { offset_ms = 3_600_000 }";
const JUMP_BACK: &str = "at = \"40s\"\nlasts = \"9s\"\nclock_jump = { offset_ms = -3_600_000 }";
const LATE_LIES: &str = "at = \"60s\"\nlasts = \"9s\"\ndisk_lies = {}";
const TEARS: &str = "at = \"20s\"\nlasts = \"9s\"\ndisk_torn_writes = {}";
const SLOW: &str = "at = \"20s\"\nlasts = \"9s\"\ndisk_slow = { latency = \"10ms\" }";
const BROKER: &str =
    "at = \"1min\"\nlasts = \"5min\"\npartition = { between = [\"pipeline\", \"a-broker-1\"] }";

/// Settings, faults, reason, whether the loss is possible.
type Case = (&'static str, &'static [&'static str], &'static str, bool);

#[test]
fn losses_are_possible_only_where_a_fault_makes_them_so() {
    let cases: &[Case] = &[
        ("", &[], "forbidden", false),
        ("", &[OUTAGE, BROKER], "forbidden", false),
        ("", &[FORBIDDEN], "forbidden", true),
        ("", &[FORBIDDEN], "bad_request", false),
        ("", &[FORBIDDEN, OUTAGE], "event_too_large", false),
        ("", &[TOO_LARGE], "event_too_large", true),
        ("", &[FORBIDDEN, TOO_LARGE, OUTAGE], "attempts_spent", false),
        // Memory: what an outage piles up, if there is no spool to put it on.
        ("spool = false\nbuffer_events = 200", &[OUTAGE], "buffer_full", true),
        ("spool = false\nbuffer_events = 9000", &[OUTAGE], "buffer_full", false),
        ("spool = false\nbuffer_events = 1000", &[HICCUP], "buffer_full", false),
        ("spool = false\nbuffer_events = 200", &[BROKER], "buffer_full", false),
        ("buffer_events = 200", &[OUTAGE], "buffer_full", false),
        ("buffer_events = 200", &[STALL], "buffer_full", true),
        ("buffer_events = 200", &[HICCUP, KILL], "spool_full", false),
        // The disk.
        ("spool_size_max = \"64KiB\"", &[OUTAGE], "spool_full", true),
        ("spool_size_max = \"64MiB\"", &[OUTAGE], "spool_full", false),
        ("spool_age_max = \"1min\"", &[OUTAGE], "expired", true),
        ("spool_age_max = \"1h\"", &[OUTAGE], "expired", false),
        ("spool_age_max = \"1min\"", &[HICCUP], "expired", false),
        ("spool_age_max = \"1h\"", &[HICCUP, JUMP], "expired", true),
        ("", &[LIES], "unreadable", false),
        ("", &[LIES, KILL], "unreadable", false),
        ("", &[POWER, STALL], "unreadable", false),
        ("", &[LIES, POWER], "unreadable", true),
    ];
    for (settings, faults, reason, possible) in cases {
        // Of all lives; damage is found by one that began after the power loss.
        let started = if *reason == "unreadable" { 50 } else { 0 };
        let loss = atlas(settings, faults).loss(reason, &lifetime(0, started, 3_600));
        let said = format!("{reason} with {settings:?} and {faults:?}: {loss:?}");
        assert_eq!(loss.is_some(), *possible, "{said}");
    }
}

fn lifetime(waiting_since: u64, started: u64, ended: u64) -> Lifetime {
    let [waiting_since, started, ended] = [waiting_since, started, ended].map(SimTime::from_secs);
    Lifetime { waiting_since, started, ended }
}

/// Many events: the plan does not tell how many.
const ANY: u64 = u64::MAX;

/// Settings, fault, reason, and for several lives (since when the oldest of its events waited, its
/// start, its end) the most events that are excused.
type TimedCase =
    (&'static str, &'static [&'static str], &'static str, &'static [(u64, u64, u64, u64)]);

#[test]
fn excuses_know_time_and_amount() {
    let cases: &[TimedCase] = &[
        // What was refused was sent by this life.
        ("", &[FORBIDDEN], "forbidden", &[(0, 0, 19, 0), (0, 0, 20, ANY), (0, 30, 60, 0)]),
        ("", &[TOO_LARGE], "event_too_large", &[(0, 0, 39, 0), (0, 45, 60, ANY), (0, 50, 60, 0)]),
        // 76 events of a cycle, in 24 cycles, of which 200 stay.
        (
            "spool = false\nbuffer_events = 200",
            &[OUTAGE],
            "buffer_full",
            &[(0, 0, 3_600, 1_624), (0, 0, 70, 104), (0, 0, 59, 0), (361, 361, 3_600, 0)],
        ),
        // 316 events are surely left in the spool; what is given up may be of an earlier life.
        (
            "spool_size_max = \"1MiB\"\nbatch_bytes = \"100kB\"",
            &[OUTAGE],
            "spool_full",
            &[(0, 0, 3_600, 1_508), (0, 400, 600, 1_508), (400, 400, 600, 0), (0, 0, 59, 0)],
        ),
        // So small that each cycle may overflow it: no more than all cycles together.
        ("spool_size_max = \"64KiB\"", &[], "spool_full", &[(0, 0, 150, 912), (0, 0, 0, 152)]),
        (
            "spool_age_max = \"1min\"",
            &[OUTAGE],
            "expired",
            &[(0, 0, 3_600, 1_824), (0, 400, 600, 1_824), (400, 400, 600, 0), (0, 0, 80, 0)],
        ),
        // A jump makes those old that wait at its instant, and of two jumps the one ahead.
        (
            "spool_age_max = \"1h\"",
            &[JUMP],
            "expired",
            &[(0, 0, 39, 0), (0, 0, 41, 152), (0, 45, 60, 152), (41, 41, 3_600, 0)],
        ),
        (
            "spool_age_max = \"1h\"",
            &[JUMP_BACK],
            "expired",
            &[(0, 0, 48, 0), (0, 0, 50, 152), (41, 41, 60, 152), (50, 50, 3_600, 0)],
        ),
        // A spool is damaged from the power loss on, by a lie before it.
        ("", &[LIES, POWER], "unreadable", &[(0, 0, 39, 0), (0, 49, 60, ANY)]),
        ("", &[POWER, LATE_LIES], "unreadable", &[(0, 49, 100, 0), (0, 80, 100, 0)]),
    ];
    for (settings, faults, reason, lives) in cases {
        let atlas = atlas(settings, faults);
        for (since, started, ended, most) in *lives {
            let excuse = atlas.loss(reason, &lifetime(*since, *started, *ended));
            let said = format!("{reason} from {started} to {ended} under {faults:?}: {excuse:?}");
            assert_eq!(excuse.map_or(0, |excuse| excuse.events_max), *most, "{said}");
        }
    }
}

#[test]
fn a_life_without_its_spool_fills_its_memory_when_ingest_is_out() {
    let atlas = atlas(
        "buffer_events = 200",
        &[
            STALL,
            "at = \"10min\"\nlasts = \"5min\"\n\
                                                     unavailable = {}",
        ],
    );
    let most = |started| {
        let excuse = atlas.loss("buffer_full", &lifetime(started, started, 3_600));
        excuse.map_or(0, |excuse| excuse.events_max)
    };
    // It gave up waiting for the stalled disk, 30 s after its start, or it did not.
    assert_eq!([most(288), most(295)], [256 + 1_624, 180]);
}

#[test]
fn a_disk_notes_what_it_is_told_unless_it_fails_or_waits() {
    let noted = |faults: &[&str], at| {
        let by = atlas("", faults).noted_by(SimTime::from_secs(at));
        by.as_millis() / 1_000
    };
    for (faults, at, by) in [
        (&[] as &[&str], 10, 12),
        (&[STALL], 10, 12),
        (&[STALL], 18, 322),
        (&[STALL], 100, 322),
        (&[STALL], 321, 323),
        (&[LIES], 25, 27),
        (&[TEARS], 25, 27),
        // A hundred operations that were begun go on as slowly.
        (&[SLOW], 25, 32),
        (&[SLOW, "at = \"31s\"\nlasts = \"9s\"\ndisk_full = {}"], 25, 42),
        (&["at = \"20s\"\nlasts = \"9s\"\npause = {}"], 25, 31),
    ] {
        assert_eq!(noted(faults, at), by, "{faults:?}, told at {at} s");
    }
}

#[test]
fn a_power_loss_takes_what_a_lying_disk_confirmed_before() {
    let second = SimTime::from_secs;
    for (faults, from, crash, forgets) in [
        (&[LIES, POWER] as &[&str], 0, 40, true),
        (&[LIES, POWER], 29, 40, true),
        (&[LIES, POWER], 30, 40, false),
        (&[LIES, POWER], 0, 60, false),
        (&[LIES, KILL], 0, 40, false),
        (&[TEARS, POWER], 0, 40, false),
        (&[LATE_LIES, POWER], 0, 40, false),
    ] {
        let atlas = atlas("", faults);
        let said = atlas.forgets(second(from), second(crash));
        assert_eq!(said.is_some(), forgets, "{faults:?} from {from} to {crash}: {said:?}");
    }
}

#[test]
fn ingest_is_hindered_by_what_stands_in_its_way_alone() {
    let spans = |faults: &[&str]| atlas("", faults).ingest.joined(Duration::ZERO);
    let second = SimTime::from_secs;
    assert_eq!(spans(&[]), []);
    assert_eq!(spans(&[BROKER, JUMP, KILL]), []);
    let refused = (second(20), second(29));
    assert_eq!(spans(&[OUTAGE, FORBIDDEN]), [refused, (second(60), second(360))]);
    let between = "partition = { between = [\"newrelic\", \"pipeline\"] }";
    let cut = format!("at = \"10s\"\nlasts = \"5s\"\n{between}");
    // A connection that died without a word costs its next user one time-out more.
    assert_eq!(spans(&[&cut]), [(second(10), second(20))]);
    // A disk hinders whoever waits for it, and nobody when it lies or tears.
    assert_eq!(spans(&[STALL]), [(second(20), second(320))]);
    assert_eq!((spans(&[LIES]), spans(&[TEARS])), (vec![], vec![]));
    let late = "at = \"10s\"\nlasts = \"5s\"\nlate_synthesis = { lag = \"20s\" }";
    assert_eq!(spans(&[late]), []);
}

#[test]
fn the_pipeline_is_absent_while_it_is_down_or_stands_still() {
    let all = atlas("", &[KILL, OUTAGE]);
    assert_eq!(
        all.absent.joined(Duration::ZERO),
        [(SimTime::from_secs(40), SimTime::from_secs(49))]
    );
    let jumps = atlas("", &[JUMP]);
    assert!(jumps.absent.is_empty() && jumps.ingest.is_empty());
    assert!(jumps.clock_set(SimTime::from_secs(39), SimTime::from_secs(41)));
    assert!(!jumps.clock_set(SimTime::from_secs(41), SimTime::from_secs(48)));
    assert!(jumps.clock_set(SimTime::from_secs(48), SimTime::from_secs(50)));
}

#[test]
fn a_cluster_is_hidden_by_what_hits_it_and_for_a_while_after() {
    let hidden = |fault: &str, cluster: &str, from: u64, to: u64| {
        let clusters = "[kafka.a]\nbrokers = 2\nreplication = 2\ntopics = 1\n[kafka.b]\nbrokers = 2\nreplication = 2\n\
                        topics = 1\n";
        let text = format!(
            "title = \"t\"\nduration = \"1h\"\n{clusters}[pipeline]\ninterval = \"5s\"\n[[fault]]\n\
             at = \"60s\"\nlasts = \"10s\"\n{fault}\n"
        );
        let scenario = match load("test.toml", &text) {
            Ok(scenario) => scenario,
            Err(problems) => panic!("{}", problems.render(false)),
        };
        let sight = Sight::of(&scenario, cluster, &scenario.faults());
        sight.hidden(SimTime::from_secs(from), SimTime::from_secs(to)).is_some()
    };
    let crash = "crash = { host = \"a-broker-1\" }";
    let link = "hold = { between = [\"pipeline\", \"a-broker-2\"] }";
    let name = "dns_failure = { host = \"a-broker-2\" }";
    let slow = "slow = { host = \"a-broker-1\", delay = \"1s\" }";
    for fault in [crash, link, name, slow] {
        let seen = [
            hidden(fault, "a", 50, 59),
            hidden(fault, "a", 59, 61),
            hidden(fault, "a", 69, 71),
            hidden(fault, "a", 89, 91),
            hidden(fault, "a", 91, 95),
            hidden(fault, "b", 60, 70),
        ];
        assert_eq!(seen, [false, true, true, true, false, false], "{fault}");
    }
    for fault in ["pause = {}", "clock_jump = { offset_ms = 5000 }"] {
        assert!(hidden(fault, "a", 65, 66) && hidden(fault, "b", 65, 66), "{fault}");
    }
    // One broker is silent, the other is not.
    let answering = |fault: &str| {
        let text = format!(
            "title = \"t\"\nduration = \"1h\"\n[kafka.a]\nbrokers = 2\nreplication = 2\n\
             topics = 1\n[[fault]]\nat = \"60s\"\nlasts = \"10s\"\n{fault}\n"
        );
        let scenario = load("test.toml", &text).expect("it loads");
        let sight = Sight::of(&scenario, "a", &scenario.faults());
        [50, 65, 200].map(|at| sight.answering(SimTime::from_secs(at), SimTime::from_secs(at + 1)))
    };
    assert_eq!(answering(crash), [Some(1), Some(2), Some(1)]);
    assert_eq!(answering(slow), [Some(1), Some(2), Some(1)]);
    assert_eq!(answering(link), [Some(1); 3]);
    assert_eq!(answering("pause = {}"), [Some(1), None, Some(1)]);
    assert_eq!(answering("controller_loss = { cluster = \"a\" }"), [Some(1); 3]);
    for fault in ["unavailable = {}", "disk_stall = {}", "isr_shrink = { host = \"a-broker-1\" }"] {
        assert!(!hidden(fault, "a", 65, 66), "{fault}");
    }
}
