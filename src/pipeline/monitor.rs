//! The breaker monitor: changes of state into the log and a short history, and every minute events
//! about all breakers for New Relic.
//!
//! | event type | how often |
//! | --- | --- |
//! | `CircuitBreakerMetric` | one per breaker and interval |
//! | `CircuitBreakerStateChange` | one per transition, with the next interval's events |
//! | `CircuitBreakerHealth` | one per interval |
//!
//! Invariants:
//! - Every field of an event is defined: a share of no calls is 0, an error that never happened is
//!   an empty text, a breaker that never changed has its state since the monitor began.
//! - Each transition gives one event; when too many wait for an interval's end, the oldest are
//!   dropped and counted.
//! - The events' kinds are their own, so that accounts tell them from entities' events.
//!
//! Not modelled: the dashboard and the alert conditions that the original made beside them.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::status::{BreakerChange, Moment};
use crate::domain::units::whole_millis;
use crate::ports::Clock;
use crate::resilience::breaker::{
    Breaker, BreakerEvent, BreakerRegistry, BreakerStats, EventKind, Listener, StateKind,
};
use crate::stream::EncodedEvent;

/// `eventType` of one breaker's figures.
pub const METRIC_EVENT_TYPE: &str = "CircuitBreakerMetric";
/// `eventType` of one transition.
pub const STATE_CHANGE_EVENT_TYPE: &str = "CircuitBreakerStateChange";
/// `eventType` of all breakers together.
pub const HEALTH_EVENT_TYPE: &str = "CircuitBreakerHealth";
/// Attribute `platform` of all of them.
pub const PLATFORM: &str = "message-queues-v2";

/// Characters of an error that an event carries; the Event API takes 4,096 of any value.
const ERROR_CHARS_MAX: usize = 4_096;

/// Settings of a [`BreakerMonitor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorConfig {
    /// Time between two rounds of events.
    pub interval: Duration,
    /// Changes of each breaker that its history keeps.
    pub history_max: usize,
    /// Changes of all breakers that wait for the next round.
    pub changes_max: usize,
}

impl Default for MonitorConfig {
    /// A round every minute, 20 changes of each breaker, 1,000 waiting.
    fn default() -> Self {
        Self { interval: Duration::from_secs(60), history_max: 20, changes_max: 1_000 }
    }
}

/// A change of the breaker of that name.
type Named = (Arc<str>, BreakerChange);

#[derive(Debug)]
struct Heard {
    config: MonitorConfig,
    began: Moment,
    due: Duration,
    history: BTreeMap<Arc<str>, VecDeque<BreakerChange>>,
    waiting: VecDeque<Named>,
    dropped: u64,
}

/// Listens to breakers; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct BreakerMonitor(Arc<Mutex<Heard>>);

impl BreakerMonitor {
    /// A monitor that begins at `now`; its first round is due one interval later.
    pub fn new(config: MonitorConfig, now: Moment) -> Self {
        Self(Arc::new(Mutex::new(Heard {
            config,
            began: now,
            due: now.monotonic.saturating_add(config.interval),
            history: BTreeMap::new(),
            waiting: VecDeque::new(),
            dropped: 0,
        })))
    }

    /// Listens to every breaker of `registry`, present and future.
    pub fn attach(&self, registry: &BreakerRegistry) {
        registry.subscribe(self.listener());
    }

    /// Listens to one breaker that is in no registry.
    pub fn attach_breaker(&self, breaker: &Breaker) {
        breaker.subscribe(self.listener());
    }

    fn listener(&self) -> Listener {
        let monitor = self.clone();
        Arc::new(move |event| monitor.hear(event))
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // Each change is complete by itself: a panic elsewhere does not spoil the rest.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, event: &BreakerEvent) {
        if let EventKind::StateChange { from, to, failure_count, .. } = event.kind {
            let at = event.at;
            let change = BreakerChange { at, from, to, failure_count, reason: None };
            self.heard().note(Arc::clone(&event.breaker), change);
        }
        let Some(name) = event.kind.bus_name() else { return };
        // The change came right before: the named event tells the reason.
        let mut heard = self.heard();
        if let EventKind::CircuitOpened { reason, .. } = &event.kind {
            heard.explain(&event.breaker, reason);
        }
        let last = heard.history.get(&event.breaker).and_then(VecDeque::back).cloned();
        drop(heard);
        if let Some(change) = last {
            log(name, &event.breaker, &change);
        }
    }

    /// When the next round is due (monotonic).
    pub fn next_due(&self) -> Duration {
        self.heard().due
    }

    /// The round's events if it is due at `now`, else none. `breakers` are their accounts at that
    /// time. Rounds that were missed are not made up for.
    pub fn take_due(&self, breakers: &[BreakerStats], now: Moment) -> Vec<EncodedEvent> {
        let mut heard = self.heard();
        if now.monotonic < heard.due {
            return Vec::new();
        }
        let interval = heard.config.interval.max(Duration::from_nanos(1));
        let behind = now.monotonic.saturating_sub(heard.due).as_nanos() / interval.as_nanos();
        let behind = u32::try_from(behind).unwrap_or(u32::MAX - 1);
        heard.due = heard.due.saturating_add(interval.saturating_mul(behind + 1));
        let began = heard.began;
        let waiting = std::mem::take(&mut heard.waiting);
        drop(heard);
        round(breakers, &waiting, began, now)
    }

    /// Gives `send` each round of the breakers of `registry` when it is due, until dropped. Run it
    /// beside the cycles; [`BreakerMonitor::take_changes`] has what waits after the last round.
    pub async fn run(
        &self,
        clock: &impl Clock,
        registry: &BreakerRegistry,
        mut send: impl FnMut(Vec<EncodedEvent>),
    ) -> Infallible {
        loop {
            let wait = self.next_due().saturating_sub(clock.monotonic());
            clock.sleep(wait).await;
            let now = Moment { monotonic: clock.monotonic(), wall: clock.wall() };
            let events = self.take_due(&registry.stats(now.monotonic), now);
            if !events.is_empty() {
                send(events);
            }
        }
    }

    /// The transitions that wait, whether or not a round is due: for the end of a run.
    pub fn take_changes(&self, now: Moment) -> Vec<EncodedEvent> {
        let waiting = std::mem::take(&mut self.heard().waiting);
        waiting.iter().map(|change| state_change_event(change, now)).collect()
    }

    /// The last changes of each breaker, oldest first.
    pub fn history(&self) -> BTreeMap<String, Vec<BreakerChange>> {
        let heard = self.heard();
        let changes = heard.history.iter();
        changes.map(|(name, all)| (name.to_string(), all.iter().cloned().collect())).collect()
    }

    /// Transitions that no event tells of, because too many waited.
    pub fn dropped(&self) -> u64 {
        self.heard().dropped
    }
}

impl Heard {
    fn note(&mut self, breaker: Arc<str>, change: BreakerChange) {
        let history = self.history.entry(Arc::clone(&breaker)).or_default();
        history.push_back(change.clone());
        while history.len() > self.config.history_max.max(1) {
            history.pop_front();
        }
        self.waiting.push_back((breaker, change));
        while self.waiting.len() > self.config.changes_max {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    fn explain(&mut self, breaker: &str, reason: &str) {
        let reason = || Some(reason.to_owned());
        if let Some(last) = self.history.get_mut(breaker).and_then(VecDeque::back_mut) {
            last.reason = reason();
        }
        let mut waiting = self.waiting.iter_mut().rev();
        if let Some((_, last)) = waiting.find(|(name, _)| **name == *breaker) {
            last.reason = reason();
        }
    }
}

fn log(event: &str, breaker: &str, change: &BreakerChange) {
    let BreakerChange { from, to, failure_count, reason, .. } = change;
    let (from, to) = (from.as_str(), to.as_str());
    if change.to == StateKind::Open {
        tracing::warn!(
            event,
            component = breaker,
            previousState = from,
            newState = to,
            failureCount = failure_count,
            reason = reason.as_deref().unwrap_or_default(),
            "Circuit breaker opened."
        );
    } else {
        tracing::info!(
            event,
            component = breaker,
            previousState = from,
            newState = to,
            failureCount = failure_count,
            "Circuit breaker changed its state."
        );
    }
}

/// All events of one round.
fn round(
    breakers: &[BreakerStats],
    waiting: &VecDeque<Named>,
    began: Moment,
    now: Moment,
) -> Vec<EncodedEvent> {
    let mut events: Vec<EncodedEvent> =
        breakers.iter().map(|breaker| metric_event(breaker, began, now)).collect();
    events.extend(waiting.iter().map(|change| state_change_event(change, now)));
    events.push(health_event(breakers, now));
    events
}

/// The `CircuitBreakerMetric` of one breaker at `now`.
pub fn metric_event(breaker: &BreakerStats, began: Moment, now: Moment) -> EncodedEvent {
    let average = breaker.average_response_time().unwrap_or_default();
    let changed = breaker.last_change_at.map_or(began.wall, |at| now.wall_of(at));
    let error = breaker.last_error.as_deref().unwrap_or_default();
    let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
    encode(
        METRIC_EVENT_TYPE,
        &json!({
            "eventType": METRIC_EVENT_TYPE,
            "timestamp": now.wall.0,
            "breakerName": breaker.name,
            "state": breaker.state.as_str(),
            "stateNumeric": breaker.state.numeric(),
            "totalCalls": breaker.total_calls,
            "totalFailures": breaker.total_failures,
            "totalSuccesses": breaker.total_successes,
            "totalTimeouts": breaker.total_timeouts,
            "totalRejected": breaker.total_rejected,
            "averageResponseTime": average.as_secs_f64() * 1_000.0,
            "failureRate": breaker.failure_rate_percent,
            "successRate": breaker.success_rate_percent(),
            "lastError": error,
            "lastStateChange": changed.0,
            "platform": PLATFORM,
        }),
    )
}

/// The `CircuitBreakerStateChange` of one transition, told at `now`; its time is the transition's.
fn state_change_event((breaker, change): &Named, now: Moment) -> EncodedEvent {
    let since = now.monotonic.saturating_sub(change.at);
    encode(
        STATE_CHANGE_EVENT_TYPE,
        &json!({
            "eventType": STATE_CHANGE_EVENT_TYPE,
            "timestamp": now.wall_of(change.at).0,
            "breakerName": &**breaker,
            "previousState": change.from.as_str(),
            "currentState": change.to.as_str(),
            "stateNumeric": change.to.numeric(),
            "failureCount": change.failure_count,
            "reason": change.reason.as_deref().unwrap_or_default(),
            "timeSinceChangeMs": whole_millis(since),
            "platform": PLATFORM,
        }),
    )
}

/// The `CircuitBreakerHealth` of all breakers: closed is healthy, half-open degraded, open
/// unhealthy.
pub fn health_event(breakers: &[BreakerStats], now: Moment) -> EncodedEvent {
    let count = |state| breakers.iter().filter(|breaker| breaker.state == state).count();
    encode(
        HEALTH_EVENT_TYPE,
        &json!({
            "eventType": HEALTH_EVENT_TYPE,
            "timestamp": now.wall.0,
            "healthyCount": count(StateKind::Closed),
            "degradedCount": count(StateKind::HalfOpen),
            "unhealthyCount": count(StateKind::Open),
            "totalBreakers": breakers.len(),
            "platform": PLATFORM,
        }),
    )
}

fn encode(kind: &'static str, event: &Value) -> EncodedEvent {
    EncodedEvent { json: event.to_string().into_bytes(), kind: kind.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::units::UnixMillis;
    use crate::ports::testing::TestClock;
    use crate::resilience::breaker::BreakerConfig;
    use crate::resilience::breaker::{Measured, Outcome};

    const WALL: i64 = 1_700_000_000_000;

    fn at(millis: u64) -> Moment {
        let monotonic = Duration::from_millis(millis);
        Moment { monotonic, wall: UnixMillis(WALL).plus(monotonic) }
    }

    fn registry() -> (BreakerRegistry, Breaker) {
        let registry = BreakerRegistry::default();
        let config = BreakerConfig {
            failure_threshold: 2,
            success_threshold: 1,
            retry_delay: Duration::from_secs(5),
            ..BreakerConfig::DEFAULT
        };
        let breaker = registry.get_or_create("event-api", config).expect("valid");
        (registry, breaker)
    }

    /// One call of `breaker` that ends at `millis` after 40 ms.
    fn call(breaker: &Breaker, millis: u64, outcome: Outcome) {
        let now = Duration::from_millis(millis);
        let permit = breaker.admit(|| now).expect("admitted");
        permit.record(outcome, || Measured { now, took: Some(Duration::from_millis(40)) });
    }

    fn read(events: &[EncodedEvent]) -> Vec<Value> {
        let read = |event: &EncodedEvent| {
            let value: Value = serde_json::from_slice(&event.json).expect("JSON");
            assert_eq!(value["eventType"], *event.kind);
            let fields = value.as_object().expect("an object");
            assert!(fields.values().all(|field| field.is_string() || field.is_number()));
            assert_eq!(value["platform"], "message-queues-v2");
            value
        };
        events.iter().map(read).collect()
    }

    #[test]
    fn a_round_is_due_at_its_instant_and_missed_ones_are_skipped() {
        let monitor = BreakerMonitor::new(MonitorConfig::default(), at(1_000));
        // Time in milliseconds, events, next due.
        let cases = [
            (60_999, 0, 61_000),
            (61_000, 1, 121_000),
            (61_000, 0, 121_000),
            (120_999, 0, 121_000),
            (181_000, 1, 241_000),
            (300_999, 1, 301_000),
        ];
        for (now, count, due) in cases {
            let events = monitor.take_due(&[], at(now));
            assert_eq!(events.len(), count, "at {now}");
            assert_eq!(monitor.next_due(), Duration::from_millis(due), "at {now}");
        }
    }

    #[test]
    fn rounds_come_by_themselves() {
        let clock = TestClock::default();
        let (registry, _breaker) = registry();
        let began = Moment { monotonic: clock.monotonic(), wall: clock.wall() };
        let monitor = BreakerMonitor::new(MonitorConfig::default(), began);
        let mut rounds = Vec::new();
        let run = monitor.run(&clock, &registry, |events| {
            rounds.push((clock.monotonic().as_secs(), events.len()));
        });
        clock.run(crate::rt::race(run, clock.sleep(Duration::from_secs(185))));
        assert_eq!(rounds, [(60, 2), (120, 2), (180, 2)]);
    }

    #[test]
    fn fields_are_defined_before_the_first_call() {
        let (registry, _breaker) = registry();
        let monitor = BreakerMonitor::new(MonitorConfig::default(), at(0));
        let events = monitor.take_due(&registry.stats(at(60_000).monotonic), at(60_000));
        let events = read(&events);
        assert_eq!(events.len(), 2);
        assert_eq!(
            events[0],
            json!({
                "eventType": "CircuitBreakerMetric", "timestamp": WALL + 60_000,
                "breakerName": "event-api", "state": "CLOSED", "stateNumeric": 0,
                "totalCalls": 0, "totalFailures": 0, "totalSuccesses": 0, "totalTimeouts": 0,
                "totalRejected": 0, "averageResponseTime": 0.0, "failureRate": 0.0,
                "successRate": 0.0, "lastError": "", "lastStateChange": WALL,
                "platform": "message-queues-v2",
            })
        );
        assert_eq!(
            events[1],
            json!({
                "eventType": "CircuitBreakerHealth", "timestamp": WALL + 60_000, "healthyCount": 1,
                "degradedCount": 0, "unhealthyCount": 0, "totalBreakers": 1,
                "platform": "message-queues-v2",
            })
        );
    }

    #[test]
    fn each_transition_gives_one_event() {
        let (registry, breaker) = registry();
        let monitor = BreakerMonitor::new(MonitorConfig::default(), at(0));
        monitor.attach(&registry);
        call(&breaker, 1_000, Outcome::Success);
        call(&breaker, 2_000, Outcome::Failure("HTTP 503".into()));
        call(&breaker, 3_000, Outcome::Timeout);
        call(&breaker, 8_000, Outcome::Success);
        let events = read(&monitor.take_due(&registry.stats(at(60_500).monotonic), at(60_500)));
        let kinds: Vec<_> = events.iter().map(|event| event["eventType"].clone()).collect();
        let change = STATE_CHANGE_EVENT_TYPE;
        assert_eq!(kinds, [METRIC_EVENT_TYPE, change, change, change, HEALTH_EVENT_TYPE]);
        let figures = &events[0];
        assert_eq!(figures["totalCalls"], 4);
        assert_eq!((&figures["totalFailures"], &figures["totalTimeouts"]), (&json!(2), &json!(1)));
        assert_eq!(figures["averageResponseTime"], 40.0);
        assert_eq!(figures["lastStateChange"], WALL + 8_000);
        let states: Vec<_> = events[1..4]
            .iter()
            .map(|event| {
                let text = |name: &str| event[name].as_str().expect("text").to_owned();
                let since = event["timeSinceChangeMs"].as_u64().expect("number");
                assert_eq!(event["timestamp"].as_u64().expect("number") + since, 1_700_000_060_500);
                (text("previousState"), text("currentState"), since)
            })
            .collect();
        let expected = [
            ("CLOSED", "OPEN", 57_500),
            ("OPEN", "HALF_OPEN", 52_500),
            ("HALF_OPEN", "CLOSED", 52_500),
        ];
        let expected = expected.map(|(from, to, since)| (from.to_owned(), to.to_owned(), since));
        assert_eq!(states, expected);
        assert_eq!(events[1]["failureCount"], 2);
        assert!(!events[1]["reason"].as_str().expect("text").is_empty());
        // No transition is told twice.
        let again = monitor.take_due(&registry.stats(at(120_500).monotonic), at(120_500));
        assert_eq!(read(&again).len(), 2);
        assert!(monitor.take_changes(at(120_500)).is_empty());
        let history = &monitor.history()["event-api"];
        assert_eq!(history.len(), 3);
        assert!(history[0].reason.is_some() && history[1].reason.is_none());
    }

    #[test]
    fn history_and_waiting_changes_are_bounded() {
        let (registry, breaker) = registry();
        let config = MonitorConfig { history_max: 2, changes_max: 3, ..MonitorConfig::default() };
        let monitor = BreakerMonitor::new(config, at(0));
        monitor.attach(&registry);
        for round in 0..5 {
            breaker.trip(at(round * 10).monotonic, "test");
            breaker.reset(at(round * 10 + 5).monotonic);
        }
        let ats: Vec<u64> =
            monitor.history()["event-api"].iter().map(|change| whole_millis(change.at)).collect();
        assert_eq!(ats, [40, 45]);
        assert_eq!(monitor.dropped(), 7);
        let changes = read(&monitor.take_changes(at(50)));
        let since: Vec<_> = changes.iter().map(|change| &change["timeSinceChangeMs"]).collect();
        assert_eq!(since, [15, 10, 5]);
    }
}
