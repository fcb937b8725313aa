//! Every state against every event, written down by hand from the rules.

use std::time::Duration;

use super::super::{Breaker, Forced, Outcome, Permit};
use super::{at, breaker, listen, small};

const STARTS: [&str; 8] = [
    "closed",
    "closed, one short",
    "open",
    "open, due",
    "half-open",
    "half-open, one short",
    "forced open",
    "forced closed",
];

/// Per row an event, per column the start, per cell the state after it (C, O or H) and the events:
/// s success, f failure, r rejected, > stateChange, o opened, h half-open, c closed, z reset,
/// t trip. `-`: no call of that state can be under way.
const TABLE: &str = "
admit        | C    | C     | O r  | H >h | H r   | H r   | O r  | C
success      | C s  | C s   | -    | -    | H s   | C s>c | -    | C s
failure      | C f  | O f>o | -    | -    | O f>o | O f>o | -    | C f
timeout      | C f  | O f>o | -    | -    | O f>o | O f>o | -    | C f
panic        | C f  | O f>o | -    | -    | O f>o | O f>o | -    | C f
unknown      | C f  | O f>o | -    | -    | O f>o | O f>o | -    | C f
ignored      | C    | C     | -    | -    | H     | H     | -    | C
dropped      | C    | C     | -    | -    | H     | H     | -    | C
late success | C s  | C s   | O s  | O s  | H s   | H s   | O s  | C s
late failure | C f  | C f   | O f  | O f  | H f   | H f   | O f  | C f
late ignored | C    | C     | O    | O    | H     | H     | O    | C
late dropped | C    | C     | O    | O    | H     | H     | O    | C
trip         | O >ot| O >ot | O    | O    | O >ot | O >ot | O    | O >ot
reset        | C    | C     | C >cz| C >cz| C >cz | C >cz | C >cz| C
force open   | O >o | O >o  | O    | O    | O >o  | O >o  | O    | O >o
force closed | C    | C     | C >c | C >c | C >c  | C >c  | C >c | C
lift         | C    | C     | O    | O    | H     | H     | O    | C
";

/// A breaker in that state, a call of an older generation and, if there can be one, of this one.
struct Start {
    breaker: Breaker,
    late: Permit,
    current: Option<Permit>,
    now: Duration,
}

fn admit(breaker: &Breaker, now: Duration) -> Permit {
    breaker.admit_owned(|| now).expect("admitted")
}

fn fail(breaker: &Breaker, now: Duration) {
    admit(breaker, now).record(Outcome::Failure("broken".into()), || at(now));
}

fn start(state: &str) -> Start {
    let breaker = breaker(small());
    let mut now = Duration::from_secs(100);
    let late = admit(&breaker, now);
    breaker.trip(now, "so that the first permit is late");
    if state.starts_with("closed") || state == "forced closed" {
        breaker.reset(now);
    }
    let mut current = None;
    match state {
        "closed" => current = Some(admit(&breaker, now)),
        "closed, one short" => {
            current = Some(admit(&breaker, now));
            fail(&breaker, now);
        }
        "open" => now += Duration::from_secs(10) - Duration::from_nanos(1),
        "open, due" => now += Duration::from_secs(10),
        "half-open" => {
            now += Duration::from_secs(10);
            current = Some(admit(&breaker, now));
        }
        "half-open, one short" => {
            now += Duration::from_secs(10);
            admit(&breaker, now).record(Outcome::Success, || at(now));
            current = Some(admit(&breaker, now));
        }
        "forced open" => breaker.force(Some(Forced::Open), now),
        "forced closed" => {
            breaker.force(Some(Forced::Closed), now);
            current = Some(admit(&breaker, now));
        }
        other => panic!("no start `{other}`"),
    }
    Start { breaker, late, current, now }
}

fn outcome(name: &str) -> Option<Outcome> {
    match name {
        "success" => Some(Outcome::Success),
        "failure" => Some(Outcome::Failure("broken".into())),
        "timeout" => Some(Outcome::Timeout),
        "panic" => Some(Outcome::Panic),
        "unknown" => Some(Outcome::Unknown("lost".into())),
        "ignored" => Some(Outcome::Ignored),
        "dropped" => None,
        other => panic!("no outcome `{other}`"),
    }
}

fn act(event: &str, start: Start) -> Option<()> {
    let Start { breaker, late, current, now } = start;
    // Calls that this event is not about stay under way.
    let mut kept = Vec::new();
    match event {
        "admit" => kept.extend(breaker.admit_owned(|| now).ok()),
        "trip" => breaker.trip(now, "by hand"),
        "reset" => breaker.reset(now),
        "force open" => breaker.force(Some(Forced::Open), now),
        "force closed" => breaker.force(Some(Forced::Closed), now),
        "lift" => breaker.force(None, now),
        event => {
            let (permit, name) = match event.strip_prefix("late ") {
                Some(name) => {
                    kept.extend(current);
                    (late, name)
                }
                None => {
                    kept.push(late);
                    (current?, event)
                }
            };
            if let Some(outcome) = outcome(name) {
                permit.record(outcome, || at(now));
            }
            std::mem::forget(kept);
            return Some(());
        }
    }
    kept.push(late);
    kept.extend(current);
    std::mem::forget(kept);
    Some(())
}

fn cell(state: &str, event: &str) -> String {
    let start = start(state);
    let (breaker, generation) = (start.breaker.clone(), start.breaker.stats(start.now).generation);
    let now = start.now;
    let heard = listen(&breaker);
    if act(event, start).is_none() {
        return "-".to_owned();
    }
    let heard = heard.lock().expect("no panic");
    let letters: String = heard
        .iter()
        .map(|event| match event.kind.as_str() {
            "success" => 's',
            "failure" => 'f',
            "callRejected" => 'r',
            "stateChange" => '>',
            "circuitOpened" => 'o',
            "circuitHalfOpen" => 'h',
            "circuitClosed" => 'c',
            "reset" => 'z',
            _ => 't',
        })
        .collect();
    let stats = breaker.stats(now);
    let changes = letters.chars().filter(|letter| *letter == '>').count() as u64;
    assert_eq!(stats.generation - generation, changes, "one stateChange per generation");
    format!("{} {letters}", &stats.state.as_str()[..1]).trim_end().to_owned()
}

#[test]
fn every_state_and_event() {
    let mut cells = 0;
    for row in TABLE.trim().lines() {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let (event, expected) = columns.split_first().expect("a row has columns");
        for (state, expected) in STARTS.iter().zip(expected) {
            assert_eq!(cell(state, event), *expected, "{event}, {state}");
            cells += 1;
        }
    }
    assert_eq!(cells, 17 * STARTS.len());
}

/// What a forced state leaves behind when it is lifted.
#[test]
fn lifting_a_forced_state() {
    let now = Duration::from_secs(1);
    let held = breaker(small());
    held.force(Some(Forced::Open), now);
    let rejected = held.admit(|| now).expect_err("held open");
    assert_eq!(rejected.retry_at, None);
    assert_eq!(held.admit(|| Duration::MAX).expect_err("for ever").retry_at, None);
    held.force(None, now);
    admit(&held, now).record(Outcome::Success, || at(now));
    assert_eq!(held.stats(now).successes, 1, "the next call is a probe");

    let disabled = breaker(small());
    disabled.force(Some(Forced::Closed), now);
    for _ in 0..10 {
        fail(&disabled, now);
    }
    assert_eq!((disabled.stats(now).failures, disabled.stats(now).total_failures), (0, 10));
    disabled.force(None, now);
    fail(&disabled, now);
    assert_eq!(disabled.stats(now).failures, 1, "nothing of before counts");
    fail(&disabled, now);
    assert_eq!(disabled.stats(now).opens, 1);
}

/// A trip on an open breaker starts its delay anew and never shortens it.
#[test]
fn a_second_trip_delays() {
    let breaker = breaker(small());
    let second = Duration::from_secs(1);
    breaker.trip(second, "first");
    breaker.trip(3 * second, "second");
    assert_eq!(breaker.stats(3 * second).next_retry_at, Some(13 * second));
    assert_eq!(breaker.open_reason().as_deref(), Some("second"));
    breaker.trip(2 * second, "a clock that went back");
    assert_eq!(breaker.stats(3 * second).next_retry_at, Some(13 * second));
    assert_eq!(breaker.stats(3 * second).opens, 1);
}
