//! The queue against a list that is searched from end to end.

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::super::queue::Queue;
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Push(i32),
    Pop,
    /// The task at this place of the list of waiting ones, modulo its length.
    Remove(usize),
    Pass(u64),
}

/// (slot, priority, entered), in order of entering.
#[derive(Debug, Clone)]
struct List {
    ageing: Option<Duration>,
    waiting: Vec<(u32, i32, Duration)>,
    free: Vec<u32>,
    slots: u32,
    now: Duration,
    popped: Option<u32>,
    touched: Option<u32>,
}

impl List {
    /// `priority + waited / ageing`, times `ageing`; the claim as its definition has it.
    fn claim(&self, priority: i32, entered: Duration) -> i128 {
        match self.ageing {
            None => i128::from(priority),
            Some(ageing) => {
                let waited = (self.now - entered).as_nanos() as i128;
                i128::from(priority) * ageing.as_nanos() as i128 + waited
            }
        }
    }

    fn first(&self) -> Option<usize> {
        let claims = self.waiting.iter().map(|(_, priority, at)| self.claim(*priority, *at));
        let best = claims.clone().max()?;
        claims.into_iter().position(|claim| claim == best)
    }

    fn leave(&mut self, at: usize) -> u32 {
        let (slot, ..) = self.waiting.remove(at);
        self.free.push(slot);
        slot
    }
}

impl ReferenceStateMachine for List {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let ageing = prop_oneof![
            Just(None),
            Just(Some(Duration::ZERO)),
            (1u64..50).prop_map(|ns| Some(Duration::from_nanos(ns))),
        ];
        ageing
            .prop_map(|ageing| Self {
                ageing,
                waiting: Vec::new(),
                free: Vec::new(),
                slots: 0,
                now: Duration::ZERO,
                popped: None,
                touched: None,
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let priority = prop_oneof![4 => -2..3, 1 => any::<i32>(), 1 => Just(i32::MIN)];
        prop_oneof![
            6 => priority.prop_map(Step::Push),
            3 => Just(Step::Pop),
            2 => any::<usize>().prop_map(Step::Remove),
            3 => (0u64..60).prop_map(Step::Pass),
        ]
        .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        (state.popped, state.touched) = (None, None);
        match step {
            Step::Push(priority) => {
                let fresh = state.slots;
                let slot = state.free.pop().unwrap_or(fresh);
                state.slots += u32::from(slot == fresh);
                state.waiting.push((slot, *priority, state.now));
                state.touched = Some(slot);
            }
            Step::Pop => state.popped = state.first().map(|at| state.leave(at)),
            Step::Remove(_) if state.waiting.is_empty() => {}
            Step::Remove(at) => {
                let at = at % state.waiting.len();
                state.touched = Some(state.leave(at));
            }
            Step::Pass(ns) => state.now += Duration::from_nanos(*ns),
        }
        state
    }
}

struct Real;

impl StateMachineTest for Real {
    type SystemUnderTest = Queue;
    type Reference = List;

    fn init_test(list: &List) -> Queue {
        Queue::new(list.ageing)
    }

    fn apply(mut queue: Queue, list: &List, step: Step) -> Queue {
        match step {
            Step::Push(priority) => {
                queue.push(list.touched.expect("it was pushed"), priority, list.now);
            }
            Step::Pop => assert_eq!(queue.pop(), list.popped),
            Step::Remove(_) => {
                if let Some(slot) = list.touched {
                    queue.remove(slot);
                }
            }
            Step::Pass(_) => {}
        }
        assert_eq!(queue.len(), list.waiting.len());
        queue
    }

    fn teardown(mut queue: Queue, mut list: List) {
        while let Some(at) = list.first() {
            assert_eq!(queue.pop(), Some(list.leave(at)));
        }
        assert_eq!((queue.pop(), queue.len()), (None, 0));
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn queue_gives_what_the_list_gives(sequential 1..60 => Real);
}

/// Which of two tasks is next: one of priority 0 at 0, one of priority 1 `later`, ageing 10 ns.
#[test]
fn ageing_beats_priority_after_its_time() {
    let check = |later: u64, expected: u32| {
        let mut queue = Queue::new(Some(Duration::from_nanos(10)));
        queue.push(0, 0, Duration::ZERO);
        queue.push(1, 1, Duration::from_nanos(later));
        assert_eq!(queue.pop(), Some(expected), "{later} ns later");
    };
    check(9, 1);
    // Equal claims: first come first served.
    check(10, 0);
    check(11, 0);
}
