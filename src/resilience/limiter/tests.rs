//! The laws of the limiter, against GCRA: the same limit reckoned with arrival times in place of
//! credit, and a line of waiters that is served by looking at it, without alerts.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::domain::units::UnixMillis;
use crate::ports::testing::TestClock;

const NS: Duration = Duration::from_nanos(1);
const TOKEN: i128 = 1_000_000_000_000_000_000;

fn limiter(rate_per_second: f64, burst: u32) -> Limiter {
    Limiter::new(LimiterConfig { rate_per_second, burst }).expect("valid")
}

/// "Generic cell rate algorithm": one theoretical arrival time, in nanoseconds times rate.
struct Gcra {
    /// Billionths of a token per second.
    rate: i128,
    burst: i128,
    /// What is owed beyond `now · rate`, in 1e-18 tokens; may be negative after a long rest.
    arrival: i128,
}

impl Gcra {
    fn new(rate: u64, burst: u32) -> Self {
        Self { rate: rate.into(), burst: burst.into(), arrival: 0 }
    }

    fn next(&self, n: u32, now: u64) -> i128 {
        self.arrival.max(i128::from(now) * self.rate) + i128::from(n) * TOKEN
    }

    fn admits(&mut self, n: u32, now: u64) -> bool {
        let next = self.next(n, now);
        let admitted = next - i128::from(now) * self.rate <= self.burst * TOKEN;
        self.arrival = if admitted { next } else { self.arrival };
        admitted
    }

    /// The first instant from `now` on at which `n` tokens are admitted.
    fn earliest(&self, n: u32, now: u64) -> Option<u64> {
        let over = self.next(n, now) - self.burst * TOKEN - i128::from(now) * self.rate;
        if over <= 0 {
            return Some(now);
        }
        if self.rate == 0 {
            return None;
        }
        u64::try_from(i128::from(now) + (over + self.rate - 1) / self.rate).ok()
    }

    fn set_rate(&mut self, rate: u64, now: u64) {
        let owed = (self.arrival - i128::from(now) * self.rate).max(0);
        self.rate = rate.into();
        self.arrival = i128::from(now) * self.rate + owed;
    }
}

/// A clock whose time moves only by hand, timer by timer.
#[derive(Clone, Default)]
struct HandClock(Arc<Mutex<Hands>>);

#[derive(Default)]
struct Hands {
    now: Duration,
    next: u64,
    timers: BTreeMap<(Duration, u64), Waker>,
}

impl Clock for HandClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(0)
    }
    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().now
    }
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let until = self.monotonic() + duration;
        poll_fn(move |context| {
            let mut hands = self.0.lock().unwrap();
            if hands.now >= until {
                return Poll::Ready(());
            }
            hands.next += 1;
            let key = (until, hands.next);
            hands.timers.insert(key, context.waker().clone());
            Poll::Pending
        })
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

type Waiter = (usize, Pin<Box<dyn Future<Output = Result<Duration, TooMany>>>>, Arc<Flag>);

/// Polls waiters only when they are woken, so that a lost wake-up shows as a missing grant.
struct Stand {
    clock: HandClock,
    limiter: Limiter,
    waiters: Vec<Waiter>,
    granted: Vec<(usize, u64)>,
}

impl Stand {
    fn new(limiter: Limiter) -> Self {
        Self { clock: HandClock::default(), limiter, waiters: Vec::new(), granted: Vec::new() }
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_nanos() as u64
    }

    fn join(&mut self, id: usize, n: u32) {
        let (limiter, clock) = (self.limiter.clone(), self.clock.clone());
        let future = Box::pin(async move { limiter.acquire(&clock, n).await });
        self.waiters.push((id, future, Arc::new(Flag(AtomicBool::new(true)))));
        self.settle();
    }

    fn leave(&mut self, index: usize) {
        drop(self.waiters.remove(index));
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(at) =
            self.waiters.iter().position(|(.., flag)| flag.0.load(Ordering::Acquire))
        {
            let (id, future, flag) = &mut self.waiters[at];
            flag.0.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(flag));
            if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                let id = *id;
                result.expect("not more than the burst");
                self.granted.push((id, self.now()));
                drop(self.waiters.remove(at));
            }
        }
    }

    fn advance(&mut self, duration: Duration) {
        let target = self.clock.monotonic() + duration;
        loop {
            let due = {
                let mut hands = self.clock.0.lock().unwrap();
                let first = hands.timers.first_key_value().map(|(key, _)| *key);
                let Some(key) = first.filter(|(at, _)| *at <= target) else {
                    hands.now = target;
                    break;
                };
                hands.now = hands.now.max(key.0);
                hands.timers.remove(&key).expect("just seen")
            };
            due.wake();
            self.settle();
        }
        self.settle();
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Advance(u64),
    Join(u32),
    Leave(usize),
    Try(u32),
    SetRate(u64),
}

fn arb_rate() -> impl Strategy<Value = u64> {
    let whole = (1..2_000_u64).prop_map(|rate| rate * 1_000_000_000);
    prop_oneof![1 => Just(0), 4 => whole, 4 => 1..3_000_000_000_000_u64]
}

fn arb_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => prop_oneof![0..5_u64, 0..2_000_000_000_u64].prop_map(Op::Advance),
        4 => (0..8_u32).prop_map(Op::Join),
        1 => any::<usize>().prop_map(Op::Leave),
        3 => (0..8_u32).prop_map(Op::Try),
        1 => arb_rate().prop_map(Op::SetRate),
    ]
}

/// Tokens, and nanoseconds since the last call.
fn arb_call() -> impl Strategy<Value = (u32, u64)> {
    (0..8_u32, prop_oneof![0..3_u64, 0..99_000_000_u64])
}

fn per_second(billionths: u64) -> f64 {
    billionths as f64 / 1e9
}

/// Serves the model's line up to `until`.
fn serve(
    gcra: &mut Gcra,
    line: &mut VecDeque<(usize, u32)>,
    now: u64,
    until: u64,
) -> Vec<(usize, u64)> {
    let (mut now, mut granted) = (now, Vec::new());
    while let Some(&(id, n)) = line.front() {
        let Some(at) = gcra.earliest(n, now).filter(|at| *at <= until) else { break };
        assert!(gcra.admits(n, at));
        granted.push((id, at));
        line.pop_front();
        now = at;
    }
    granted
}

proptest! {
    /// Grants come to the same waiters in the same order at the same nanoseconds as in the model,
    /// whatever is dropped, tried and changed in between.
    #[test]
    fn waiters_are_served_as_in_the_model(
        rate in arb_rate(),
        burst in 1..10_u32,
        ops in proptest::collection::vec(arb_op(), 1..80),
    ) {
        let mut stand = Stand::new(limiter(per_second(rate), burst));
        let (mut gcra, mut line) = (Gcra::new(rate, burst), VecDeque::new());
        let (mut expected, mut tried, mut left) = (Vec::new(), 0_u64, 0);
        for (id, op) in ops.into_iter().enumerate() {
            let now = stand.now();
            match op {
                Op::Advance(nanos) => {
                    stand.advance(Duration::from_nanos(nanos));
                    expected.extend(serve(&mut gcra, &mut line, now, now + nanos));
                }
                Op::Join(n) if n > burst => {
                    let clock = TestClock::default();
                    let refused = clock.run(stand.limiter.acquire(&clock, n));
                    prop_assert_eq!(refused, Err(TooMany { asked: n, burst }));
                }
                Op::Join(n) => {
                    stand.join(id, n);
                    // Taking nothing overtakes nobody.
                    if n == 0 { expected.push((id, now)) } else { line.push_back((id, n)) }
                    expected.extend(serve(&mut gcra, &mut line, now, now));
                }
                Op::Leave(_) if line.is_empty() => {}
                Op::Leave(index) => {
                    let index = index % line.len();
                    stand.leave(index);
                    line.remove(index);
                    left += 1;
                    expected.extend(serve(&mut gcra, &mut line, now, now));
                }
                Op::Try(n) => {
                    let result = stand.limiter.try_acquire(n, stand.clock.monotonic());
                    let free = n <= burst && (n == 0 || line.is_empty()) && gcra.admits(n, now);
                    prop_assert_eq!(result.is_ok(), free, "{:?}", result);
                    tried += u64::from(if free { n } else { 0 });
                    if let (Err(refused), true) = (result, n <= burst) {
                        let all = n + line.iter().map(|(_, n)| n).sum::<u32>();
                        let wait = gcra.earliest(all, now).map(|at| Duration::from_nanos(at - now));
                        prop_assert_eq!(refused.wait(), wait);
                    }
                }
                Op::SetRate(rate) => {
                    let now = stand.clock.monotonic();
                    stand.limiter.set_rate(per_second(rate), now).expect("valid");
                    gcra.set_rate(rate, stand.now());
                    stand.settle();
                }
            }
            prop_assert_eq!(&stand.granted, &expected, "after {:?}", op);
            prop_assert_eq!(stand.waiters.len(), line.len());
        }
        let stats = stand.limiter.stats(stand.clock.monotonic());
        prop_assert_eq!((stats.waiting, stats.cancelled_total), (line.len(), left));
        prop_assert!(stats.tokens_total >= tried);
    }

    /// At most `rate · t + burst` between any two grants, and exactly as much as GCRA gives.
    #[test]
    fn every_span_keeps_the_limit(
        rate in arb_rate(),
        burst in 1..50_u32,
        calls in proptest::collection::vec(arb_call(), 1..120),
    ) {
        let limiter = limiter(per_second(rate), burst);
        let (mut gcra, mut now, mut grants) = (Gcra::new(rate, burst), 0, Vec::new());
        for (n, wait) in calls {
            now += wait;
            let given = limiter.try_acquire(n, Duration::from_nanos(now)).is_ok();
            prop_assert_eq!(given, n <= burst && gcra.admits(n, now), "{} at {}", n, now);
            if given {
                grants.push((now, i128::from(n)));
            }
        }
        for (index, &(from, _)) in grants.iter().enumerate() {
            let mut sum = 0;
            for &(to, n) in &grants[index..] {
                sum += n;
                let flow = i128::from(to - from) * i128::from(rate);
                prop_assert!(sum * TOKEN <= flow + i128::from(burst) * TOKEN);
            }
        }
    }

    #[test]
    fn no_window_exceeds_its_limit(limit in 1..200_000_u32, seconds in 1..4_000_u64, burst: u32) {
        let window = Duration::from_secs(seconds);
        let config = LimiterConfig::at_most(limit, window, burst);
        prop_assert_eq!(config.validate(), []);
        let limiter = Limiter::new(config).expect("valid");
        let rate = limiter.inner().bucket.rate_per_second();
        // The rate in whole billionths, the way the bucket counts. A span without its end gets
        // less than this, so at most `limit` whole tokens.
        let flow = (rate * 1e9).round() as i128 * window.as_nanos() as i128;
        let bound = flow + i128::from(config.burst) * TOKEN;
        prop_assert!(bound <= i128::from(limit + 1) * TOKEN, "{config:?}");
        prop_assert!(bound > i128::from(limit) * TOKEN, "{config:?} wastes");
    }

    /// The same by counting what the greediest caller gets.
    #[test]
    fn the_greediest_caller_keeps_a_windowed_limit(limit in 1..30_u32, burst in 1..40_u32) {
        let window = Duration::from_secs(60);
        let limiter = Limiter::new(LimiterConfig::at_most(limit, window, burst)).expect("valid");
        let (mut now, mut grants) = (Duration::ZERO, Vec::new());
        while now < window * 4 {
            match limiter.try_acquire(1, now) {
                Ok(()) => grants.push(now),
                Err(refused) => now += refused.wait().expect("it flows"),
            }
        }
        for (index, from) in grants.iter().enumerate() {
            let within = grants[index..].iter().filter(|at| **at < *from + window).count();
            prop_assert!(within <= limit as usize, "{within} from {from:?}");
        }
let burst = burst.min(limit);
        let least = (burst + 3 * (limit - burst + 1)) as usize;
        prop_assert!(grants.len() >= least, "{} of {limit} a minute", grants.len());
    }
}

#[test]
fn tokens_come_on_the_nanosecond() {
    let check = |rate, burst: u32, n: u32, at: Duration| {
        for (now, given) in [(at - NS, false), (at, true), (at + NS, true)] {
            let limiter = limiter(rate, burst);
            limiter.try_acquire(burst, Duration::ZERO).expect("full at first");
            let refused = limiter.try_acquire(n, Duration::ZERO).expect_err("empty");
            assert_eq!(refused.wait(), Some(at));
            assert_eq!(limiter.try_acquire(n, now).is_ok(), given, "{rate} {n} {now:?}");
        }
    };
    check(1.0, 1, 1, Duration::from_secs(1));
    check(3.0, 1, 1, Duration::from_nanos(333_333_334));
    check(3.0, 9, 3, Duration::from_secs(1));
    check(0.1, 1, 1, Duration::from_secs(10));
    check(1e9, 1, 1, NS);
    check(1e-9, 1, 1, Duration::from_secs(1_000_000_000));
    check(100_000.0 / 60.0, 1, 1, Duration::from_nanos(600_001));
}

#[test]
fn asking_often_neither_loses_nor_gains() {
    // 7 ns at 3 tokens a second are 0.000000021 tokens: rounding each would lose them all.
    let limiter = limiter(3.0, 5);
    limiter.try_acquire(5, Duration::ZERO).expect("full at first");
    let mut now = Duration::ZERO;
    for _ in 0..100_000 {
        now += Duration::from_nanos(7);
        assert_eq!(limiter.stats(now).available, 0);
    }
    assert_eq!(now, Duration::from_micros(700));
    assert!(limiter.try_acquire(1, Duration::from_nanos(333_333_333)).is_err());
    assert!(limiter.try_acquire(1, Duration::from_nanos(333_333_334)).is_ok());
    assert!(limiter.try_acquire(1, Duration::from_nanos(666_666_666)).is_err());
    assert!(limiter.try_acquire(1, Duration::from_nanos(666_666_667)).is_ok());
}

#[test]
fn extremes_neither_hang_nor_overflow() {
    let slow = limiter(1e-9, u32::MAX);
    assert_eq!(slow.stats(Duration::MAX).available, u32::MAX);
    slow.try_acquire(u32::MAX, Duration::ZERO).expect("full at first");
    let wait = slow.try_acquire(u32::MAX, Duration::ZERO).expect_err("empty").wait();
    assert_eq!(wait, Some(Duration::from_secs(u64::from(u32::MAX) * 1_000_000_000)));
    let fast = limiter(1e9, u32::MAX);
    fast.try_acquire(u32::MAX, Duration::ZERO).expect("full at first");
    assert_eq!(fast.stats(Duration::MAX).available, u32::MAX);
    // An instant before the latest gains nothing, and is not held against anyone.
    fast.try_acquire(u32::MAX, Duration::ZERO).expect("full again");
    assert!(fast.try_acquire(1, Duration::ZERO).is_err());
    assert!(fast.try_acquire(1, Duration::from_secs(1)).is_err());
    let stopped = limiter(0.0, 2);
    assert_eq!(stopped.try_acquire(2, Duration::ZERO), Ok(()));
    assert_eq!(stopped.try_acquire(1, Duration::MAX), Err(Refused::NotYet(None)));
    assert_eq!(stopped.try_acquire(0, Duration::ZERO), Ok(()));
    let refused = stopped.try_acquire(3, Duration::ZERO);
    assert_eq!(refused, Err(Refused::TooMany(TooMany { asked: 3, burst: 2 })));
    assert_eq!(stopped.stats(Duration::ZERO).refused_total, 2);
}

#[test]
fn a_stopped_inflow_serves_once_it_is_opened() {
    let mut stand = Stand::new(limiter(0.0, 1));
    (0..3).for_each(|id| stand.join(id, 1));
    stand.advance(Duration::from_secs(1_000_000));
    assert_eq!(stand.granted, [(0, 0)]);
    let now = stand.clock.monotonic();
    stand.limiter.set_rate(1.0, now).expect("valid");
    stand.settle();
    stand.advance(Duration::from_secs(5));
    assert_eq!(
        stand.granted[1..],
        [(1, 1_000_001 * 1_000_000_000), (2, 1_000_002 * 1_000_000_000)]
    );
    assert!(stand.limiter.set_rate(-1.0, now).is_err());
    let stats = stand.limiter.stats(stand.clock.monotonic());
    assert_eq!((stats.admitted_total, stats.waited_total, stats.available), (3, 2, 1));
    assert_eq!(stats.wait_time_total, Duration::from_secs(2_000_003));
}

#[test]
fn settings_out_of_range_are_all_named() {
    let check = |rate_per_second, burst, expected: &[&str]| {
        let config = LimiterConfig { rate_per_second, burst };
        let faults: Vec<_> = config.validate().iter().map(|fault| fault.setting).collect();
        assert_eq!(faults, expected, "{config:?}");
        assert_eq!(Limiter::new(config).is_err(), !expected.is_empty());
    };
    check(0.0, 1, &[]);
    check(1e-9, u32::MAX, &[]);
    check(1e9, 1, &[]);
    check(0.9e-9, 1, &["rate_per_second"]);
    check(1.1e9, 0, &["rate_per_second", "burst"]);
    check(f64::NAN, 0, &["rate_per_second", "burst"]);
    check(f64::INFINITY, 1, &["rate_per_second"]);
    check(-0.5, 1, &["rate_per_second"]);
}

#[test]
fn profiles_are_usable_and_within_their_limits() {
    for profile in PROFILES {
        let config = profile.config();
        assert_eq!(config.validate(), [], "{}", profile.name);
        let most = config.rate_per_second * 60.0 + f64::from(config.burst);
        assert!(most <= f64::from(profile.per_minute) + 1.0, "{}: {most}", profile.name);
        assert_eq!(Profile::named(profile.name), Some(profile));
    }
    assert_eq!(PROFILES.len(), 4);
    assert_eq!(Profile::named("event-api"), None);
}

#[test]
fn handles_may_be_shared_between_threads() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Limiter>();
    check::<LimiterLayer<TestClock>>();
}

#[test]
fn the_layer_takes_one_token_per_call() {
    let clock = TestClock::default();
    let layer = LimiterLayer::new(limiter(2.0, 2), clock.clone());
    let stamps = clock.clone();
    let mut service = layer.layer(service_fn(move |fail: bool| {
        let at = stamps.monotonic();
        async move { if fail { Err(at) } else { Ok(at) } }
    }));
    let half = Duration::from_millis(500);
    clock.run(async {
        let mut call = async |fail| service.ready().await.expect("ready").call(fail).await;
        assert_eq!(call(false).await, Ok(Duration::ZERO));
        // A call that fails has cost its token.
        assert_eq!(call(true).await, Err(LimitedError::Inner(Duration::ZERO)));
        assert_eq!(call(false).await, Ok(half));
        assert_eq!(call(false).await, Ok(half * 2));
    });
}

#[test]
fn a_long_wait_is_slept_day_by_day() {
    let mut stand = Stand::new(limiter(1e-6, 1));
    stand.join(0, 1);
    stand.join(1, 1);
    let timers: Vec<_> = stand.clock.0.lock().unwrap().timers.keys().map(|key| key.0).collect();
    assert_eq!(timers, [Duration::from_secs(86_400)]);
    stand.advance(Duration::from_secs(1_000_000) - NS);
    assert_eq!(stand.granted, [(0, 0)]);
    stand.advance(NS);
    assert_eq!(stand.granted[1..], [(1, 1_000_000 * 1_000_000_000)]);
}
