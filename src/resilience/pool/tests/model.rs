//! The pool against a model without time: tasks run until the test says how they end.
//!
//! After every step the states of all tasks, the order in which they began and the account must be
//! the model's; at the end the shutdown's report, and nothing may be left.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use futures_util::future::LocalBoxFuture;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::*;
use crate::rt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Good,
    Bad,
    Panic,
}

#[derive(Debug, Clone)]
enum Step {
    /// Submits tasks of (priority, retries) before anything else runs; some workers may be woken
    /// in vain before it.
    Burst(Vec<(i32, u32)>, bool),
    /// A submitter that waits for a place if there is none.
    Wait(i32),
    /// A submitter goes away.
    GiveUp(usize),
    Finish(usize, How),
    Cancel(usize),
    DropHandle(usize),
}

#[derive(Debug, Clone)]
struct Task {
    priority: i32,
    retries: u32,
    attempts: u32,
    /// `None`: not accepted (yet).
    state: Option<TaskState>,
    /// Order in the queue.
    order: u64,
    /// Order of acceptance.
    number: u64,
    has_handle: bool,
}

#[derive(Debug, Clone, Default)]
struct Model {
    workers: usize,
    places: usize,
    tasks: Vec<Task>,
    waiting: VecDeque<usize>,
    order: u64,
    accepted: u64,
    began: Vec<usize>,
    refused: u64,
    panicked: u64,
    retried: u64,
    /// What the step is about.
    target: Option<usize>,
}

impl Model {
    fn with(&self, state: TaskState) -> Vec<usize> {
        (0..self.tasks.len()).filter(|id| self.tasks[*id].state == Some(state)).collect()
    }

    fn count(&self, state: TaskState) -> usize {
        self.with(state).len()
    }

    fn unfinished(&self) -> Vec<usize> {
        let mut ids: Vec<_> = (0..self.tasks.len())
            .filter(|id| self.tasks[*id].state.is_some_and(|state| !state.is_final()))
            .collect();
        ids.sort_by_key(|id| self.tasks[*id].number);
        ids
    }

    fn has_place(&self) -> bool {
        self.unfinished().len() < self.places
    }

    fn add(&mut self, priority: i32, retries: u32) -> usize {
        let (state, has_handle) = (None, false);
        let task = Task { priority, retries, attempts: 0, state, order: 0, number: 0, has_handle };
        self.tasks.push(task);
        self.tasks.len() - 1
    }

    fn accept(&mut self, id: usize) {
        self.tasks[id].number = self.accepted;
        self.tasks[id].has_handle = true;
        self.accepted += 1;
        self.queue(id);
    }

    fn queue(&mut self, id: usize) {
        self.tasks[id].state = Some(TaskState::Queued);
        self.tasks[id].order = self.order;
        self.order += 1;
    }

    fn run(&mut self) {
        while self.count(TaskState::Running) < self.workers {
            let queued = self.with(TaskState::Queued).into_iter();
            let first = |id: &usize| (-i64::from(self.tasks[*id].priority), self.tasks[*id].order);
            let Some(id) = queued.min_by_key(first) else { return };
            self.tasks[id].state = Some(TaskState::Running);
            self.tasks[id].attempts += 1;
            self.began.push(id);
        }
    }

    fn end(&mut self, id: usize, state: TaskState) {
        self.tasks[id].state = Some(state);
        // The freed worker is faster than the submitter who gets the place.
        self.run();
        if let Some(next) = self.has_place().then(|| self.waiting.pop_front()).flatten() {
            self.accept(next);
            self.run();
        }
    }

    fn finish(&mut self, id: usize, how: How) {
        match how {
            How::Good => self.end(id, TaskState::Done),
            How::Bad if self.tasks[id].retries > 0 => {
                self.tasks[id].retries -= 1;
                self.retried += 1;
                self.tasks[id].state = Some(TaskState::RetryWait);
                self.run();
                self.queue(id);
                self.run();
            }
            how => {
                self.panicked += u64::from(how == How::Panic);
                self.end(id, TaskState::Failed);
            }
        }
    }
}

fn pick(from: &[usize], index: usize) -> Option<usize> {
    (!from.is_empty()).then(|| from[index % from.len()])
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let sizes = (1usize..4, 0usize..6);
        sizes
            .prop_map(|(workers, queue)| Self {
                workers,
                places: workers + queue,
                ..Self::default()
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let task = || (-1i32..3, prop_oneof![3 => Just(0u32), 1 => Just(1), 1 => Just(2)]);
        let how = prop_oneof![4 => Just(How::Good), 4 => Just(How::Bad), 1 => Just(How::Panic)];
        prop_oneof![
            5 => (prop::collection::vec(task(), 1..4), any::<bool>())
                .prop_map(|(tasks, stale)| Step::Burst(tasks, stale)),
            3 => (-1i32..3).prop_map(Step::Wait),
            1 => any::<usize>().prop_map(Step::GiveUp),
            7 => (any::<usize>(), how).prop_map(|(task, how)| Step::Finish(task, how)),
            2 => any::<usize>().prop_map(Step::Cancel),
            1 => any::<usize>().prop_map(Step::DropHandle),
        ]
        .boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.target = None;
        match step {
            Step::Burst(tasks, _) => {
                for (priority, retries) in tasks {
                    let id = model.add(*priority, *retries);
                    if model.has_place() {
                        model.accept(id);
                    } else {
                        model.refused += 1;
                    }
                }
                model.run();
            }
            Step::Wait(priority) => {
                let id = model.add(*priority, 0);
                if model.has_place() {
                    model.accept(id);
                    model.run();
                } else {
                    model.waiting.push_back(id);
                }
            }
            Step::GiveUp(index) => {
                let waiting: Vec<_> = model.waiting.iter().copied().collect();
                model.target = pick(&waiting, *index);
                model.waiting.retain(|id| Some(*id) != model.target);
            }
            Step::Finish(index, how) => {
                model.target = pick(&model.with(TaskState::Running), *index);
                if let Some(id) = model.target {
                    model.finish(id, *how);
                }
            }
            Step::Cancel(index) => {
                let ids: Vec<_> =
                    (0..model.tasks.len()).filter(|id| model.tasks[*id].has_handle).collect();
                model.target = pick(&ids, *index);
                if let Some(id) = model.target
                    && model.unfinished().contains(&id)
                {
                    model.end(id, TaskState::Cancelled);
                }
            }
            Step::DropHandle(index) => {
                let ids: Vec<_> =
                    (0..model.tasks.len()).filter(|id| model.tasks[*id].has_handle).collect();
                model.target = pick(&ids, *index);
                if let Some(id) = model.target {
                    model.tasks[id].has_handle = false;
                }
            }
        }
        model
    }
}

/// Where a running task waits for the test.
#[derive(Default)]
struct Gate {
    how: Cell<Option<How>>,
    waker: Cell<Option<Waker>>,
}

type Slot = Rc<RefCell<Option<Handle<(), ()>>>>;

struct System {
    host: Host,
    local: LocalSet,
    pool: Option<Pool>,
    gates: Vec<Rc<Gate>>,
    slots: Vec<Slot>,
    submitters: Vec<Option<rt::Task<()>>>,
    began: Rc<RefCell<Vec<usize>>>,
    /// Wakers of polls long past.
    stale: Rc<RefCell<Vec<Waker>>>,
}

impl System {
    fn pool(&self) -> &Pool {
        self.pool.as_ref().expect("until the end")
    }

    /// Runs `action`, then everything that can run.
    fn on_host<R>(&self, action: impl FnOnce() -> R) -> R {
        let host = &self.host;
        host.clock.run(self.local.run_until(async {
            let result = action();
            host.settle().await;
            result
        }))
    }

    fn task(
        &mut self,
    ) -> impl FnMut() -> LocalBoxFuture<'static, Result<(), ()>> + 'static + use<> {
        let gate = Rc::new(Gate::default());
        let id = self.gates.len();
        self.gates.push(Rc::clone(&gate));
        self.slots.push(Slot::default());
        self.submitters.push(None);
        let (host, began, stale) =
            (self.host.clone(), Rc::clone(&self.began), Rc::clone(&self.stale));
        move || {
            let (host, gate) = (host.clone(), Rc::clone(&gate));
            let (began, stale) = (Rc::clone(&began), Rc::clone(&stale));
            Box::pin(async move {
                let _presence = host.presence();
                began.borrow_mut().push(id);
                let how = poll_fn(|cx| {
                    stale.borrow_mut().push(cx.waker().clone());
                    if let Some(how) = gate.how.take() {
                        return Poll::Ready(how);
                    }
                    gate.waker.set(Some(cx.waker().clone()));
                    Poll::Pending
                });
                match how.await {
                    How::Good => Ok(()),
                    How::Bad => Err(()),
                    How::Panic => std::panic::panic_any("as the test says"),
                }
            })
        }
    }

    fn options(id: usize, priority: i32, retries: u32) -> TaskOptions {
        let retry = RetryConfig {
            attempts_max: retries + 1,
            base: Duration::ZERO,
            ..RetryConfig::default()
        };
        named(&format!("task {id}")).priority(priority).retry(retry)
    }

    fn burst(&mut self, tasks: &[(i32, u32)], wakes_in_vain: bool) {
        let tasks: Vec<_> = tasks
            .iter()
            .map(|(priority, retries)| {
                let operation = self.task();
                let id = self.gates.len() - 1;
                (id, Self::options(id, *priority, *retries), operation)
            })
            .collect();
        let stale = std::mem::take(&mut *self.stale.borrow_mut());
        self.on_host(|| {
            if wakes_in_vain {
                stale.into_iter().for_each(Waker::wake);
            }
            for (id, options, operation) in tasks {
                *self.slots[id].borrow_mut() = self.pool().try_submit(options, operation).ok();
            }
        });
    }

    fn wait(&mut self, priority: i32) {
        let operation = self.task();
        let id = self.gates.len() - 1;
        let (pool, slot) = (self.pool().clone(), Rc::clone(&self.slots[id]));
        let submitter = self.on_host(|| {
            rt::spawn("submitter", async move {
                let submitted = pool.submit(Self::options(id, priority, 0), operation).await;
                *slot.borrow_mut() = submitted.ok();
            })
        });
        self.submitters[id] = Some(submitter);
    }

    fn compare(&self, model: &Model) {
        for (id, task) in model.tasks.iter().enumerate() {
            let state = self.slots[id].borrow().as_ref().map(Handle::state);
            let expected = task.state.filter(|_| task.has_handle);
            assert_eq!(state, expected, "state of task {id}");
        }
        assert_eq!(*self.began.borrow(), model.began, "order of beginning");
        assert!(self.host.alive_max.get() <= model.workers);
        assert_eq!(self.host.alive.get(), model.count(TaskState::Running));
        let stats = self.pool().stats();
        let counts = [
            stats.active,
            stats.queued,
            stats.retry_waiting,
            stats.completed,
            stats.failed,
            stats.cancelled,
            stats.submitters_waiting,
            stats.submitted,
        ];
        let expected = [
            model.count(TaskState::Running),
            model.count(TaskState::Queued),
            0,
            model.count(TaskState::Done),
            model.count(TaskState::Failed),
            model.count(TaskState::Cancelled),
            model.waiting.len(),
            model.accepted as usize,
        ];
        assert_eq!(counts, expected.map(|count| count as u64));
        assert_eq!(stats.submitted, stats.unfinished() + stats.ended(), "each task in one state");
        assert_eq!(
            (stats.refused, stats.panicked, stats.retried, stats.idle),
            (model.refused, model.panicked, model.retried, stats.workers - stats.active)
        );
    }
}

struct Real;

impl StateMachineTest for Real {
    type SystemUnderTest = System;
    type Reference = Model;

    fn init_test(model: &Model) -> System {
        let host = Host::new();
        let (workers, places) = (model.workers as u32, model.places as u32);
        let policy = QueuePolicy::Wait;
        let pool = host.pool(PoolConfig { policy, ..config(workers, places - workers) });
        System {
            host,
            local: LocalSet::new(),
            pool: Some(pool),
            gates: Vec::new(),
            slots: Vec::new(),
            submitters: Vec::new(),
            began: Rc::default(),
            stale: Rc::default(),
        }
    }

    fn apply(mut system: System, model: &Model, step: Step) -> System {
        match (step, model.target) {
            (Step::Burst(tasks, wakes_in_vain), _) => system.burst(&tasks, wakes_in_vain),
            (Step::Wait(priority), _) => system.wait(priority),
            (Step::GiveUp(_), Some(id)) => {
                let submitter = system.submitters[id].take().expect("it waits");
                system.on_host(|| submitter.abort());
            }
            (Step::Finish(_, how), Some(id)) => {
                let gate = Rc::clone(&system.gates[id]);
                system.on_host(|| {
                    gate.how.set(Some(how));
                    gate.waker.take().expect("it waits").wake();
                });
            }
            (Step::Cancel(_), Some(id)) => {
                let slot = Rc::clone(&system.slots[id]);
                system.on_host(|| slot.borrow().as_ref().expect("a handle").cancel());
            }
            (Step::DropHandle(_), Some(id)) => {
                let slot = Rc::clone(&system.slots[id]);
                system.on_host(|| drop(slot.take()));
            }
            (_, None) => {}
        }
        drop(rt::take_panics());
        system.compare(model);
        system
    }

    fn teardown(mut system: System, model: Model) {
        let pool = system.pool.take().expect("until the end");
        let core = Rc::downgrade(pool.core());
        let report = system.host.clock.run(system.local.run_until(pool.shutdown(Duration::ZERO)));
        let expected = model.unfinished().into_iter().map(|id| Unfinished {
            name: format!("task {id}"),
            state: model.tasks[id].state.expect("it was accepted"),
            attempts: model.tasks[id].attempts,
            reason: CancelReason::ShutdownDeadline,
        });
        assert_eq!(report, expected.collect::<Vec<_>>());
        assert_eq!((pool.stats().unfinished(), system.host.alive.get()), (0, 0));
        let slots = std::mem::take(&mut system.slots);
        system.on_host(|| drop((slots, pool)));
        assert!(core.upgrade().is_none(), "something holds the pool");
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn pool_does_what_the_model_does(sequential 1..80 => Real);
}
