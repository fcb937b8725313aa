//! Ways from one entity to another.
//!
//! Invariant: a path visits no entity twice. Shorter paths come first, equally long ones in the
//! order of their steps (kind, direction, GUID).

use std::collections::VecDeque;

use super::related::{Reach, Step};
use super::{Graph, NodeId};
use crate::domain::guid::EntityGuid;

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathLimits {
    /// Directions that are followed.
    pub reach: Reach,
    /// Most steps of a path.
    pub steps_max: usize,
    /// Most paths.
    pub paths_max: usize,
}

impl Default for PathLimits {
    fn default() -> Self {
        Self { reach: Reach::Both, steps_max: 6, paths_max: 100 }
    }
}

/// Steps that are tried before a search gives up; about a second of work.
const TRIES_MAX: usize = 10_000_000;

/// The paths between two entities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// Each as its steps; the first step begins at the one entity, the last leads to the other.
    pub paths: Vec<Vec<Step>>,
    /// Whether there are more within the number of steps.
    pub is_cut: bool,
}

impl Graph {
    /// The shortest path, the first of them if several are; `None` if there is none, empty from an
    /// entity to itself.
    pub fn shortest_path(
        &self,
        from: &EntityGuid,
        to: &EntityGuid,
        reach: Reach,
    ) -> Option<Vec<Step>> {
        let (mut at, goal) = (self.node(from)?, self.node(to)?);
        let distances = self.distances(goal, reach.reversed());
        let mut path = Vec::new();
        while at != goal {
            let left = distances[at.index()]?;
            let nearer = |node: NodeId| distances[node.index()].is_some_and(|other| other < left);
            let steps = self.steps(at, reach).filter(|(_, _, other)| nearer(*other));
            let (step, next) = steps
                .map(|(kind, direction, other)| {
                    (Step { kind, direction, to: self.guid(other) }, other)
                })
                .min_by_key(|(step, _)| *step)?;
            path.push(step);
            at = next;
        }
        Some(path)
    }

    /// All paths within `limits`.
    pub fn paths(&self, from: &EntityGuid, to: &EntityGuid, limits: &PathLimits) -> Paths {
        let mut found = Paths::default();
        let Some((start, goal)) = self.node(from).zip(self.node(to)) else { return found };
        if start == goal {
            found.paths.push(Vec::new());
            return found;
        }
        let distances = self.distances(goal, limits.reach.reversed());
        let Some(shortest) = distances[start.index()] else { return found };
        let mut search = Search {
            graph: self,
            limits,
            distances: &distances,
            goal,
            on_path: vec![false; self.nodes.len()],
            tries: TRIES_MAX,
        };
        // One length after the other, so that the first paths found are the shortest.
        for length in shortest as usize..=limits.steps_max {
            search.of_length(start, length, &mut found);
            if found.is_cut {
                break;
            }
        }
        found
    }

    /// Steps from each entity to `goal`, where `reach` is that of the way back.
    fn distances(&self, goal: NodeId, reach: Reach) -> Vec<Option<u32>> {
        let mut distances = vec![None; self.nodes.len()];
        distances[goal.index()] = Some(0);
        let mut queue = VecDeque::from([(goal, 0)]);
        while let Some((node, distance)) = queue.pop_front() {
            for (_, _, other) in self.steps(node, reach) {
                if distances[other.index()].is_none() {
                    distances[other.index()] = Some(distance + 1);
                    queue.push_back((other, distance + 1));
                }
            }
        }
        distances
    }
}

struct Search<'a> {
    graph: &'a Graph,
    limits: &'a PathLimits,
    distances: &'a [Option<u32>],
    goal: NodeId,
    on_path: Vec<bool>,
    tries: usize,
}

impl Search<'_> {
    /// Appends the paths of exactly `length` steps.
    fn of_length(&mut self, start: NodeId, length: usize, found: &mut Paths) {
        let mut path: Vec<(Step, NodeId)> = Vec::with_capacity(length);
        let mut open = vec![self.steps(start, length)];
        self.on_path[start.index()] = true;
        while let Some(steps) = open.last_mut() {
            let Some((step, next)) = steps.pop() else {
                open.pop();
                if let Some((_, left)) = path.pop() {
                    self.on_path[left.index()] = false;
                }
                continue;
            };
            if self.tries == 0 {
                found.is_cut = true;
            }
            if found.is_cut {
                break;
            }
            self.tries -= 1;
            if next == self.goal {
                if path.len() + 1 == length {
                    found.is_cut = found.paths.len() == self.limits.paths_max;
                    if !found.is_cut {
                        let steps = path.iter().map(|(step, _)| *step).chain([step]);
                        found.paths.push(steps.collect());
                    }
                }
                continue;
            }
            if self.on_path[next.index()] {
                continue;
            }
            self.on_path[next.index()] = true;
            path.push((step, next));
            open.push(self.steps(next, length - path.len()));
        }
        self.on_path.fill(false);
    }

    /// Steps from `node` after which the goal can be reached in `left - 1` more; the first one
    /// stands last.
    fn steps(&self, node: NodeId, left: usize) -> Vec<(Step, NodeId)> {
        let near = |other: NodeId| {
            self.distances[other.index()].is_some_and(|distance| (distance as usize) < left)
        };
        let steps = self.graph.steps(node, self.limits.reach).filter(|(_, _, other)| near(*other));
        let mut steps: Vec<_> = steps
            .map(|(kind, direction, other)| {
                (Step { kind, direction, to: self.graph.guid(other) }, other)
            })
            .collect();
        steps.sort_unstable_by_key(|(step, _)| std::cmp::Reverse(*step));
        steps
    }
}
