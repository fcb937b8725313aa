//! The order of start, from names and what they need. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The order of start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Registration numbers in order of start.
    pub(super) order: Vec<usize>,
    /// By position in that order: positions of what it needs, ascending.
    pub(super) needs: Vec<Vec<usize>>,
}

/// Something that no order can mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// Two components have one name.
    #[error("component `{0}` is registered twice")]
    Duplicate(String),
    /// A component needs one that is not there.
    #[error("component `{component}` needs `{needs}`, which is not registered{}", hint(.nearest))]
    Unknown {
        /// Who needs it.
        component: String,
        /// What it needs.
        needs: String,
        /// The registered name that was probably meant.
        nearest: Option<String>,
    },
    /// Components that need each other in a circle: each needs the next, the last is the first.
    #[error("components need each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Every fault of the declared dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError(pub Vec<PlanFault>);

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}

impl std::error::Error for PlanError {}

/// Orders `graph`: (name, names it needs) in order of registration.
pub(super) fn plan(graph: &[(&str, &[String])]) -> Result<Plan, PlanError> {
    let mut faults = Vec::new();
    let mut numbers = BTreeMap::new();
    for (number, (name, _)) in graph.iter().enumerate() {
        if numbers.contains_key(name) {
            faults.push(PlanFault::Duplicate((*name).to_owned()));
        } else {
            numbers.insert(*name, number);
        }
    }
    let mut needs = vec![BTreeSet::new(); graph.len()];
    for (number, (component, names)) in graph.iter().enumerate() {
        for name in *names {
            if let Some(needed) = numbers.get(name.as_str()) {
                needs[number].insert(*needed);
            } else {
                faults.push(PlanFault::Unknown {
                    component: (*component).to_owned(),
                    needs: name.clone(),
                    nearest: nearest(name, numbers.keys().copied()),
                });
            }
        }
    }
    let (order, cycles) = sort(&needs);
    let named = |number: usize| graph[number].0.to_owned();
    faults.extend(cycles.into_iter().map(|cycle| {
        let closing = cycle.first().copied();
        PlanFault::Cycle(cycle.into_iter().chain(closing).map(named).collect())
    }));
    if !faults.is_empty() {
        return Err(PlanError(faults));
    }
    let position: BTreeMap<_, _> = order.iter().enumerate().map(|(at, n)| (*n, at)).collect();
    let positions = |number: &usize| {
        let mut positions: Vec<_> = needs[*number].iter().map(|need| position[need]).collect();
        positions.sort_unstable();
        positions
    };
    let needs = order.iter().map(positions).collect();
    Ok(Plan { order, needs })
}

/// The order of start, the earliest registered of those that can start always next, and cycles
/// that share no member; a member of a cycle counts as placed once its cycle is named.
fn sort(needs: &[BTreeSet<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (number, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|need| needed_by[*need].push(number));
    }
    let mut left: BTreeSet<usize> = (0..needs.len()).collect();
    let mut ready: BTreeSet<usize> = left.iter().copied().filter(|n| missing[*n] == 0).collect();
    let (mut order, mut cycles) = (Vec::new(), Vec::new());
    while let Some(first) = left.first().copied() {
        let placed = match ready.pop_first() {
            Some(number) => {
                order.push(number);
                vec![number]
            }
            None => {
                let cycle = cycle_from(first, needs, &left);
                cycles.push(cycle.clone());
                cycle
            }
        };
        left.retain(|number| !placed.contains(number));
        for dependant in placed.iter().flat_map(|number| &needed_by[*number]) {
            missing[*dependant] -= 1;
            if missing[*dependant] == 0 && left.contains(dependant) {
                ready.insert(*dependant);
            }
        }
    }
    (order, cycles)
}

/// The cycle that is reached from `start`, beginning at its earliest registered member. Everything
/// in `left` needs something in `left`, so that the walk comes round.
fn cycle_from(start: usize, needs: &[BTreeSet<usize>], left: &BTreeSet<usize>) -> Vec<usize> {
    let mut path = vec![start];
    loop {
        let last = path[path.len() - 1];
        let next = needs[last].iter().find(|need| left.contains(need)).copied().unwrap_or(start);
        if let Some(at) = path.iter().position(|seen| *seen == next) {
            let mut cycle = path.split_off(at);
            let least = cycle.iter().enumerate().min_by_key(|(_, n)| **n).map_or(0, |(at, _)| at);
            cycle.rotate_left(least);
            return cycle;
        }
        path.push(next);
    }
}

/// The name that `written` probably means: at most a third of its letters differ.
fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let distance = |name: &str| strsim::damerau_levenshtein(written, name);
    names
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}
