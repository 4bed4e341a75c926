//! The one order of a plan's steps, and its cycles by name.
//!
//! INVARIANT: the order depends on the graph and the source order only: of all steps whose requirements already stand,
//! the one that is first in the source comes next.

use alloc::{collections::BinaryHeap, vec, vec::Vec};
use core::cmp::Reverse;

/// The order of a graph, or why it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Node indices so that each stands after all that it requires, nodes of cycles excepted.
    pub nodes: Vec<usize>,
    /// Cycles that share no node, each in the order in which its nodes require one another:
    /// every node requires the next one, the last requires the first.
    pub cycles: Vec<Vec<usize>>,
}

/// Sorts nodes by requirement. `requires[n]` lists what node `n` requires; indices outside the graph are ignored.
#[must_use]
pub fn order(requires: &[Vec<usize>]) -> Order {
    let mut sorter = Sorter::new(requires);
    let mut cycles = Vec::new();
    loop {
        sorter.drain();
        let Some(cycle) = sorter.find_cycle() else {
            break;
        };
        // The rest of the graph is sorted as if the cycle were done, which finds further cycles.
        cycle.iter().for_each(|node| sorter.place(*node));
        cycles.push(cycle);
    }
    Order {
        nodes: sorter.placed,
        cycles,
    }
}

/// Returns only the cycles of [`order()`].
#[must_use]
pub fn cycles(requires: &[Vec<usize>]) -> Vec<Vec<usize>> {
    order(requires).cycles
}

struct Sorter<'a> {
    requires: &'a [Vec<usize>],
    dependents: Vec<Vec<usize>>,
    missing: Vec<usize>,
    is_placed: Vec<bool>,
    placed: Vec<usize>,
    ready: BinaryHeap<Reverse<usize>>,
    /// Every node below it is placed.
    first_open: usize,
}

impl<'a> Sorter<'a> {
    fn new(requires: &'a [Vec<usize>]) -> Self {
        let count = requires.len();
        let mut dependents = vec![Vec::new(); count];
        let mut missing = vec![0; count];
        for ((node, list), missing) in requires.iter().enumerate().zip(&mut missing) {
            for required in list {
                if let Some(dependents) = dependents.get_mut(*required) {
                    dependents.push(node);
                    *missing += 1;
                }
            }
        }
        let ready = (missing.iter().enumerate())
            .filter_map(|(node, missing)| (*missing == 0).then_some(Reverse(node)))
            .collect();
        Self {
            requires,
            dependents,
            missing,
            is_placed: vec![false; count],
            placed: Vec::with_capacity(count),
            ready,
            first_open: 0,
        }
    }

    fn drain(&mut self) {
        // BOUND: a node is placed once, and only placing makes others ready.
        while let Some(Reverse(node)) = self.ready.pop() {
            self.place(node);
        }
    }

    fn place(&mut self, node: usize) {
        match self.is_placed.get_mut(node) {
            Some(is_placed) if !*is_placed => *is_placed = true,
            _ => return,
        }
        self.placed.push(node);
        for dependent in self.dependents.get(node).into_iter().flatten() {
            if let Some(missing) = self.missing.get_mut(*dependent) {
                *missing -= 1;
                if *missing == 0 && self.is_placed.get(*dependent) == Some(&false) {
                    self.ready.push(Reverse(*dependent));
                }
            }
        }
    }

    fn is_open(&self, node: usize) -> bool {
        self.is_placed.get(node) == Some(&false)
    }

    /// Follows requirements from the first open node until one repeats. Every open node has an open requirement once
    /// nothing is ready, so the walk only ends in a cycle.
    fn find_cycle(&mut self) -> Option<Vec<usize>> {
        while self.is_placed.get(self.first_open) == Some(&true) {
            self.first_open += 1;
        }
        let mut node = self.is_open(self.first_open).then_some(self.first_open)?;
        let mut seen_at = vec![None; self.requires.len()];
        let mut walk = Vec::new();
        // BOUND: each turn sees a new node or ends.
        loop {
            match seen_at.get_mut(node)? {
                Some(start) => {
                    let start: usize = *start;
                    return walk.get(start..).map(<[usize]>::to_vec).map(rotated);
                }
                slot => *slot = Some(walk.len()),
            }
            walk.push(node);
            let next = self.requires.get(node)?.iter().copied();
            node = next.into_iter().find(|next| self.is_open(*next))?;
        }
    }
}

/// Starts a cycle at its first node in source order.
fn rotated(mut cycle: Vec<usize>) -> Vec<usize> {
    let first = (cycle.iter().enumerate()).min_by_key(|(_, node)| **node);
    let first = first.map_or(0, |(at, _)| at);
    cycle.rotate_left(first);
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_are_broken_by_source_order() {
        assert_eq!(order(&[vec![], vec![], vec![]]).nodes, [0, 1, 2]);
        // 0 waits for 3; 1 and 2 are free.
        let graph = [vec![3], vec![], vec![1], vec![]];
        assert_eq!(order(&graph).nodes, [1, 2, 3, 0]);
    }

    #[test]
    fn every_cycle_is_named_once_and_starts_at_its_first_node() {
        let graph = [vec![1], vec![0], vec![0], vec![4], vec![5], vec![3], vec![]];
        assert_eq!(cycles(&graph), [vec![0, 1], vec![3, 4, 5]]);
        assert_eq!(cycles(&[vec![0]]), [vec![0]]);
    }

    #[test]
    fn a_long_chain_and_many_small_cycles_end() {
        let chain: Vec<_> = (0..10_000_usize).map(|n| vec![n + 1]).collect();
        assert!(order(&chain).nodes.into_iter().eq((0..10_000).rev()));
        let pairs: Vec<_> = (0..10_000_usize).map(|n| vec![n ^ 1]).collect();
        assert_eq!(cycles(&pairs).len(), 5_000);
    }

    proptest! {
        #[test]
        fn an_order_respects_every_edge_or_the_graph_has_a_cycle(
            graph in prop::collection::vec(prop::collection::vec(0_usize..12, 0..4), 0..12)
        ) {
            let Order { nodes, cycles } = order(&graph);
            prop_assert_eq!(nodes.len(), graph.len());
            if cycles.is_empty() {
                let place = |node: usize| nodes.iter().position(|n| *n == node);
                for (node, required) in graph.iter().enumerate() {
                    for required in required.iter().filter(|r| **r < graph.len()) {
                        prop_assert!(place(*required) < place(node));
                    }
                }
            }
            for cycle in cycles {
                for (at, node) in cycle.iter().enumerate() {
                    let next = cycle[(at + 1) % cycle.len()];
                    prop_assert!(graph[*node].contains(&next));
                }
            }
        }
    }
}
