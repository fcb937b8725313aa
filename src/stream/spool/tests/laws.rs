//! The spool's laws against a model: histories of calls, crashes at every operation of the disk,
//! and disks that fail, fill up and lie.
//!
//! The model knows the set of states that the spool may be in: a call that ended well leaves one,
//! a call that failed or was cut short leaves two, with and without the change. What is found
//! after a crash must be one of them, event by event; then that one is known.

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::*;

/// What is in a spool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Contents {
    chunks: BTreeMap<ChunkId, Chunk>,
    /// Reasons, chunks and attempts, oldest first.
    dead: Vec<(String, Chunk)>,
}

impl Contents {
    fn apply(&mut self, call: &Call) {
        match call {
            Call::Append(chunks) => {
                self.chunks.extend(chunks.iter().map(|chunk| (chunk.id, chunk.clone())));
            }
            Call::Settle(settlement) => {
                for id in &settlement.removed {
                    self.chunks.remove(id);
                }
                for (id, _) in &settlement.replaced {
                    self.chunks.remove(id);
                }
                // A settlement that is repeated buries nobody twice.
                let buried: Vec<_> =
                    self.dead.iter().map(|(_, chunk)| (chunk.id, chunk.enqueued_at)).collect();
                for letter in &settlement.dead {
                    self.chunks.remove(&letter.chunk.id);
                    if !buried.contains(&(letter.chunk.id, letter.chunk.enqueued_at)) {
                        self.dead.push((letter.reason.clone(), letter.chunk.clone()));
                    }
                }
                for (_, chunks) in &settlement.replaced {
                    self.chunks.extend(chunks.iter().map(|chunk| (chunk.id, chunk.clone())));
                }
                let surplus = self.dead.len().saturating_sub(DEAD_MAX);
                self.dead.drain(..surplus);
            }
            Call::Replay(next) => {
                let mut next = *next;
                for (_, chunk) in self.dead.drain(..) {
                    let id = ChunkId(next);
                    next += chunk.events.len().max(1) as u64;
                    self.chunks.insert(id, Chunk { id, attempts: 0, enqueued_at: LATER, ..chunk });
                }
            }
            Call::Purge => self.dead.clear(),
        }
    }
}

/// A call that changes something.
#[derive(Debug, Clone)]
enum Call {
    Append(Vec<Chunk>),
    Settle(Settlement),
    /// All dead letters, from this number on.
    Replay(u64),
    Purge,
}

const DEAD_MAX: usize = 3;
const LATER: UnixMillis = UnixMillis(1_800_000_000_000);

fn config(sync: bool) -> SpoolConfig {
    SpoolConfig { dead_letters_max: DEAD_MAX, sync, ..SpoolConfig::default() }
}

/// A spool on a simulated disk, and what may be in it.
struct Checked {
    store: DiskStore,
    sync: bool,
    opened: Option<Spool<SimDisk>>,
    /// States that it may be in.
    maybe: Vec<Contents>,
    /// States of failed appends, which are undone unless the process dies first.
    unless_undone: Vec<Contents>,
    /// Every chunk that was ever handed over, replayed ones by their events.
    ever: Vec<Chunk>,
    /// The disk lied, or was damaged: what is served must be genuine, no more.
    is_dishonest: bool,
    examined: u64,
}

impl Checked {
    fn new(seed: u64, sync: bool) -> Self {
        Self {
            store: DiskStore::new(Seed(seed)),
            sync,
            opened: None,
            maybe: vec![Contents::default()],
            unless_undone: Vec::new(),
            ever: Vec::new(),
            is_dishonest: false,
            examined: 0,
        }
    }

    async fn open(&mut self) -> Result<OpenReport, SpoolError> {
        let opened = Spool::open(self.store.mount(), config(self.sync), NOW).await?;
        let order: Vec<ChunkId> = opened.chunks.iter().map(|meta| meta.id).collect();
        assert!(order.is_sorted(), "{order:?}");
        self.opened = Some(opened.spool);
        Ok(opened.report)
    }

    fn spool(&self) -> Spool<SimDisk> {
        self.opened.clone().expect("open")
    }

    /// Makes a call; whether it ended well.
    async fn call(&mut self, call: &Call) -> Result<(), SpoolError> {
        let spool = self.spool();
        match call {
            Call::Append(chunks) => self.ever.extend(chunks.iter().cloned()),
            Call::Settle(settlement) => {
                let new = settlement.replaced.iter().flat_map(|(_, chunks)| chunks);
                self.ever.extend(new.chain(settlement.dead.iter().map(|l| &l.chunk)).cloned());
            }
            Call::Replay(_) | Call::Purge => {}
        }
        let result = match call {
            Call::Append(chunks) => spool.append(chunks.clone()).await,
            Call::Settle(settlement) => spool.settle(settlement.clone()).await,
            Call::Replay(_) => spool.replay_dead_letters(DeadSelection::All, LATER).await.map(drop),
            Call::Purge => spool.purge_dead_letters(DeadSelection::All).await.map(drop),
        };
        let changed = self.maybe.iter().cloned().map(|mut contents| {
            contents.apply(call);
            contents
        });
        let changed: Vec<Contents> = changed.collect();
        match (&result, call) {
            // It does not reach the disk.
            (Ok(()), Call::Settle(settlement)) if settlement.is_empty() => {}
            (Ok(()), _) => {
                self.maybe = changed;
                self.unless_undone.clear();
            }
            (Err(_), Call::Append(_)) => self.unless_undone.extend(changed),
            (Err(_), _) => self.maybe.extend(changed),
        }
        result
    }

    /// Ends every fault but the one that makes a disk dishonest.
    fn heal(&self) {
        self.store.set_fault(None);
        if self.is_dishonest {
            self.store.set_fault(Some(DiskFault::LyingSync));
        }
    }

    /// The host goes down and comes up; the disk is whole again by then.
    async fn crash(&mut self, mode: CrashMode) -> OpenReport {
        self.store.crash(mode);
        self.heal();
        self.opened = None;
        let undone = std::mem::take(&mut self.unless_undone);
        self.maybe.extend(undone);
        let report = self.open().await.expect("a healthy disk opens");
        self.look().await;
        report
    }

    /// Reads everything and narrows what is known.
    async fn look(&mut self) {
        let spool = self.spool();
        let mut found = Contents::default();
        let next = spool.next_id().await.expect("healthy").0;
        for id in 0..next {
            if let Some(chunk) = spool.load(ChunkId(id)).await.expect("a healthy disk reads") {
                found.chunks.insert(chunk.id, chunk);
            }
        }
        let letters = spool.dead_letters().await.expect("healthy");
        let dead: Vec<_> = letters.iter().map(|letter| (&letter.reason, letter.chunk)).collect();
        self.examined += 1 + (found.chunks.len() + dead.len()) as u64;
        if self.is_dishonest {
            for chunk in found.chunks.values() {
                let genuine = |known: &Chunk| known.events == chunk.events;
                assert!(self.ever.iter().any(genuine), "{chunk:?} was never handed over");
            }
            // Dead letters have no more to show than their sizes; they are taken as they are.
            found.dead = self.maybe[0].dead.clone();
            self.maybe = vec![found];
            return;
        }
        self.maybe.retain(|maybe| {
            let maybe_dead = maybe.dead.iter().map(|(reason, chunk)| (reason, chunk.meta()));
            maybe.chunks == found.chunks && maybe_dead.eq(dead.iter().copied())
        });
        self.maybe.dedup();
        assert!(!self.maybe.is_empty(), "found {:?} and {dead:?}", found.chunks.keys());
    }
}

/// A short history that does everything: appends, settles, splits, gives up, replays.
fn history() -> Vec<Call> {
    let settle = |removed: &[u64], replaced: Vec<(u64, Vec<Chunk>)>, dead: Vec<Chunk>| {
        let letter = |chunk: Chunk| DeadLetter {
            reason: format!("reason {}", chunk.id.0),
            attempts: 1,
            at: NOW,
            chunk,
        };
        Call::Settle(Settlement {
            removed: removed.iter().copied().map(ChunkId).collect(),
            replaced: replaced.into_iter().map(|(id, new)| (ChunkId(id), new)).collect(),
            dead: dead.into_iter().map(letter).collect(),
        })
    };
    let long = |id: u64| {
        let mut long = chunk(id, 3);
        long.events[1].json = vec![b'j'; 9_000];
        long
    };
    vec![
        Call::Append(vec![chunk(0, 3), chunk(3, 2)]),
        Call::Append(vec![long(5), chunk(8, 1)]),
        settle(&[0], vec![(5, vec![chunk(5, 1), chunk(6, 2)])], Vec::new()),
        settle(&[], Vec::new(), vec![chunk(3, 2), chunk(6, 2)]),
        Call::Append(vec![chunk(9, 2)]),
        Call::Replay(11),
        settle(&[5, 8, 11], Vec::new(), Vec::new()),
        Call::Append((0..4).map(|n| long(20 + 3 * n)).collect()),
        settle(&[20, 26], vec![(23, vec![chunk(23, 1)])], vec![long(29)]),
        Call::Purge,
    ]
}

/// Runs the history with the host dying at its operation `last`; whether it died.
fn sweep_point(seed: u64, last: u64, mode: CrashMode, sync: bool, tears: bool) -> (bool, u64) {
    run(async {
        let mut checked = Checked::new(seed, sync);
        if tears {
            checked.store.set_fault(Some(DiskFault::TornWrites));
        }
        checked.store.die_after(last);
        // A disk that dies while the spool is made leaves nothing to lose, and nothing broken.
        if checked.open().await.is_ok() {
            for call in history() {
                if checked.call(&call).await.is_err() {
                    break;
                }
            }
        }
        let died = checked.store.died();
        let report = checked.crash(mode).await;
        assert_eq!(report, OpenReport::default(), "a crash damages nothing");
        // It works, and a second crash finds what the first one left.
        let more = chunk(1_000, 2);
        checked.call(&Call::Append(vec![more])).await.expect("it works again");
        checked.crash(mode).await;
        (died, checked.examined)
    })
}

/// Every operation of the disk in a history is one at which the host dies once, by a crash of the
/// process and by a loss of power.
#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_accepted() {
    let cases = [
        (CrashMode::Process, true, false),
        (CrashMode::Process, false, false),
        (CrashMode::Power, true, false),
        (CrashMode::Power, true, true),
    ];
    for (mode, sync, tears) in cases {
        for seed in 0..if mode == CrashMode::Power { 3 } else { 1 } {
            let (mut points, mut examined) = (0, 0);
            loop {
                points += 1;
                let (died, looked) = sweep_point(seed, points, mode, sync, tears);
                examined += looked;
                if !died {
                    break;
                }
            }
            assert!(points > 60 && examined > 4 * points, "{points} points, {examined} examined");
        }
    }
}

/// Equal seeds leave equal bytes, whatever happens.
#[test]
fn equal_seeds_leave_equal_bytes() {
    let bytes = || {
        run(async {
            let mut checked = Checked::new(7, true);
            checked.open().await.expect("healthy");
            checked.store.set_fault(Some(DiskFault::FailWrites { share: 0.02 }));
            for call in history() {
                let _ = checked.call(&call).await;
            }
            checked.store.crash(CrashMode::Power);
            checked.store.set_fault(None);
            let disk = checked.store.mount();
            (checked.store.usage(), disk.read("spool/spool.redb").expect("the data"))
        })
    };
    assert_eq!(bytes(), bytes());
}

/// What may be done to a spool and its disk; which chunks are meant is decided when it is done.
#[derive(Debug, Clone)]
enum Step {
    Append { chunks: usize, events: usize, bytes: usize },
    Settle { remove: usize, split: bool, kill: bool },
    Replay,
    Purge,
    Fault(DiskFault),
    Repair,
    Crash(CrashMode),
    CrashSoon { operations: u64, mode: CrashMode },
    Look,
}

/// The order of steps has no rules.
#[derive(Debug, Clone)]
struct AnySteps;

impl ReferenceStateMachine for AnySteps {
    type State = ();
    type Transition = Step;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Step> {
        let share = || prop_oneof![Just(0.02), Just(0.2), Just(1.0)];
        let mode = || prop_oneof![Just(CrashMode::Process), Just(CrashMode::Power)];
        let fault = prop_oneof![
            (0_u64..40_000).prop_map(|free_bytes| DiskFault::Full { free_bytes }),
            share().prop_map(|share| DiskFault::FailWrites { share }),
            share().prop_map(|share| DiskFault::FailReads { share }),
            share().prop_map(|share| DiskFault::FailSyncs { share }),
            Just(DiskFault::TornWrites),
        ];
        prop_oneof![
            6 => (1_usize..4, 1_usize..6, 0_usize..6_000)
                .prop_map(|(chunks, events, bytes)| Step::Append { chunks, events, bytes }),
            6 => (0_usize..5, any::<bool>(), any::<bool>())
                .prop_map(|(remove, split, kill)| Step::Settle { remove, split, kill }),
            1 => Just(Step::Replay),
            1 => Just(Step::Purge),
            3 => fault.prop_map(Step::Fault),
            3 => Just(Step::Repair),
            2 => mode().prop_map(Step::Crash),
            2 => (1_u64..40, mode())
                .prop_map(|(operations, mode)| Step::CrashSoon { operations, mode }),
            1 => Just(Step::Look),
        ]
        .boxed()
    }

    fn apply((): (), _: &Step) {}
}

/// A checked spool and the clock that its calls run on.
struct Machine {
    checked: Checked,
    next: u64,
    is_dying: bool,
    dies_by: CrashMode,
}

impl Machine {
    /// A settlement of what is known to wait, in the state that is likeliest.
    fn settlement(&self, remove: usize, split: bool, kill: bool) -> Settlement {
        let mut waiting = self.checked.maybe[0].chunks.values();
        let mut settlement = Settlement::default();
        settlement.removed.extend(waiting.by_ref().take(remove).map(|chunk| chunk.id));
        if split && let Some(whole) = waiting.by_ref().find(|chunk| chunk.events.len() > 1) {
            let mut first = Chunk { attempts: whole.attempts + 1, ..whole.clone() };
            let events = first.events.split_off(first.events.len() / 2);
            let id = ChunkId(first.id.0 + first.events.len() as u64);
            let later = Chunk { id, events, ..first.clone() };
            settlement.replaced.push((whole.id, vec![first, later]));
        }
        if kill && let Some(chunk) = waiting.next() {
            let reason = "invalid".to_owned();
            let letter = DeadLetter { chunk: chunk.clone(), reason, attempts: 1, at: NOW };
            settlement.dead.push(letter);
        }
        settlement
    }

    async fn call(&mut self, call: Call) {
        let result = self.checked.call(&call).await;
        if self.checked.store.died() {
            self.crash(self.dies_by).await;
        } else if let Err(error) = result {
            // A fault is in force; the spool must say which kind it was.
            assert!(error.is_transient(), "{error}");
        }
    }

    async fn crash(&mut self, mode: CrashMode) {
        self.is_dying = false;
        let report = self.checked.crash(mode).await;
        if !self.checked.is_dishonest {
            assert_eq!(report, OpenReport::default(), "an honest disk damages nothing");
        }
        // A replay that was cut short may have taken numbers.
        let next = self.checked.spool().next_id().await.expect("healthy").0;
        self.next = self.next.max(next);
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Append { chunks, events, bytes } => {
                let new = (0..chunks as u64).map(|n| {
                    let mut chunk = chunk(self.next + n * 6, events);
                    chunk.events[0].json.resize(bytes + 20, b'z');
                    chunk
                });
                let new: Vec<Chunk> = new.collect();
                self.next += 6 * chunks as u64;
                self.call(Call::Append(new)).await;
            }
            Step::Settle { remove, split, kill } => {
                let settlement = self.settlement(remove, split, kill);
                self.call(Call::Settle(settlement)).await;
            }
            Step::Replay => {
                // Numbers are the spool's to give, so it has to be asked, and to be well.
                if let Ok(next) = self.checked.spool().next_id().await {
                    self.call(Call::Replay(next.0)).await;
                    self.next += 100;
                }
            }
            Step::Purge => self.call(Call::Purge).await,
            Step::Fault(fault) => self.checked.store.set_fault(Some(fault)),
            Step::Repair => self.checked.heal(),
            Step::Crash(mode) => self.crash(mode).await,
            Step::CrashSoon { operations, mode } => {
                (self.is_dying, self.dies_by) = (true, mode);
                self.checked.store.die_after(operations);
            }
            Step::Look => {
                if self.is_dying {
                    self.crash(self.dies_by).await;
                }
                self.checked.heal();
                self.checked.look().await;
            }
        }
        let stats = self.checked.spool().stats();
        assert!(stats.dead_letters <= DEAD_MAX as u64, "{stats:?}");
    }
}

impl StateMachineTest for Machine {
    type SystemUnderTest = Self;
    type Reference = AnySteps;

    fn init_test((): &()) -> Self {
        let mut checked = Checked::new(3, true);
        run(checked.open()).expect("a healthy disk");
        Self { checked, next: 0, is_dying: false, dies_by: CrashMode::Power }
    }

    fn apply(mut machine: Self, (): &(), step: Step) -> Self {
        run(machine.step(step));
        machine
    }

    fn teardown(mut machine: Self, (): ()) {
        run(async {
            machine.crash(CrashMode::Power).await;
            machine.crash(CrashMode::Process).await;
        });
        assert!(machine.checked.examined > 0);
    }
}

/// The same on a disk whose syncs do nothing.
struct Lied(Machine);

impl StateMachineTest for Lied {
    type SystemUnderTest = Self;
    type Reference = AnySteps;

    fn init_test((): &()) -> Self {
        let mut machine = Machine::init_test(&());
        machine.checked.is_dishonest = true;
        machine.checked.heal();
        Self(machine)
    }

    fn apply(lied: Self, (): &(), step: Step) -> Self {
        Self(Machine::apply(lied.0, &(), step))
    }

    fn teardown(lied: Self, (): ()) {
        Machine::teardown(lied.0, ());
    }
}

const CASES: u32 = 256;

prop_state_machine! {
    #![proptest_config(Config { cases: CASES, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_history_on_an_honest_disk_ends_in_a_state_it_may_end_in(sequential 1..30 => Machine);
}

prop_state_machine! {
    #![proptest_config(Config { cases: CASES, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_history_on_a_lying_disk_serves_nothing_that_was_not_handed_over(
        sequential 1..30 => Lied
    );
}
