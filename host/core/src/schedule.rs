//! Which node may run next. Kahn's order with stable ties: a node becomes ready when everything it requires is settled, and
//! of all that are ready the first in plan order runs next, as far as its shard has room.
//!
//! Nodes wait for *groups*: one node, all instances of a step, or the rounds of a flow. A group is looked at once, when its
//! last member settles, so the work is proportional to nodes and edges however wide a fan-out is.
//!
//! INVARIANT: a node that requires something that did not complete never runs, unless it requires it optionally (`x?`).

use alloc::{collections::BTreeSet, vec, vec::Vec};

use crate::witness::StepState;

/// What a node waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Index of the group.
    pub group: usize,
    /// How many members must have completed; all when `None`. A flow's group is decided from outside.
    pub least: Option<usize>,
    /// True for `x?`: run even if it was skipped, abstained or failed.
    pub is_optional: bool,
}

/// Nodes that are waited for together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Indices of nodes.
    pub members: Vec<usize>,
    /// True when [`Schedule::decide`] says what came of it, and not its members.
    pub is_flow: bool,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSpec {
    /// What it waits for; a node without needs may start at once.
    pub needs: Vec<Need>,
    /// Index of its shard.
    pub shard: usize,
    /// True when it only runs once [`Schedule::activate`] was called.
    pub is_standby: bool,
    /// Of all that are ready, the lowest goes first; plan order decides among equal ones.
    pub rank: u8,
}

#[derive(Debug, Clone, Default)]
struct GroupState {
    unsettled: usize,
    completed: usize,
    size: usize,
    is_flow: bool,
    /// Nobody any more once the group is decided.
    dependents: Vec<(usize, Need)>,
}

/// The state of every node of one execution. Knows indices only.
#[derive(Debug, Clone)]
pub struct Schedule {
    states: Vec<StepState>,
    /// Needs that are not decided yet, by node.
    open: Vec<usize>,
    is_standby: Vec<bool>,
    shard_of: Vec<usize>,
    ranks: Vec<u8>,
    groups: Vec<GroupState>,
    groups_of: Vec<Vec<usize>>,
    ready: Vec<BTreeSet<(u8, usize)>>,
    running: Vec<usize>,
    parallel_max: Vec<usize>,
    running_all: usize,
    parallel_all_max: usize,
    is_stopped: bool,
}

impl Schedule {
    /// Starts with every node pending. `parallel_max` holds how many nodes of each shard run at the same time at most, and
    /// `parallel_all_max` how many in all. A need on a group that does not exist is never met.
    #[must_use]
    pub fn new(
        nodes: &[NodeSpec],
        groups: &[Group],
        parallel_max: Vec<usize>,
        parallel_all_max: usize,
    ) -> Self {
        let mut parallel_max = parallel_max;
        let shards = nodes.iter().map(|node| node.shard + 1).max().unwrap_or(1);
        parallel_max.resize(shards.max(parallel_max.len()), usize::MAX);
        let mut schedule = Self {
            states: vec![StepState::Pending; nodes.len()],
            open: nodes.iter().map(|node| node.needs.len()).collect(),
            is_standby: nodes.iter().map(|node| node.is_standby).collect(),
            shard_of: nodes.iter().map(|node| node.shard).collect(),
            ranks: nodes.iter().map(|node| node.rank).collect(),
            groups: Vec::with_capacity(groups.len()),
            groups_of: vec![Vec::new(); nodes.len()],
            ready: vec![BTreeSet::new(); parallel_max.len()],
            running: vec![0; parallel_max.len()],
            parallel_max,
            running_all: 0,
            parallel_all_max,
            is_stopped: false,
        };
        for (index, group) in groups.iter().enumerate() {
            for member in &group.members {
                if let Some(of) = schedule.groups_of.get_mut(*member) {
                    of.push(index);
                }
            }
            schedule.groups.push(GroupState {
                unsettled: group.members.len(),
                size: group.members.len(),
                is_flow: group.is_flow,
                ..GroupState::default()
            });
        }
        for (index, node) in nodes.iter().enumerate() {
            for need in &node.needs {
                if let Some(group) = schedule.groups.get_mut(need.group) {
                    group.dependents.push((index, *need));
                }
            }
            schedule.make_ready(index);
        }
        schedule
    }

    /// Every node's state, by index.
    #[must_use]
    pub fn states(&self) -> &[StepState] {
        &self.states
    }

    /// One node's state.
    #[must_use]
    pub fn state(&self, index: usize) -> Option<StepState> {
        self.states.get(index).copied()
    }

    /// The node that should start now: of those that are ready and whose shard has room, the first by rank and plan order.
    #[must_use]
    pub fn next(&self) -> Option<usize> {
        if self.running_all >= self.parallel_all_max {
            return None;
        }
        let rooms = self.running.iter().zip(&self.parallel_max);
        (self.ready.iter().zip(rooms))
            .filter(|(_, (running, most))| running < most)
            .filter_map(|(ready, _)| ready.first())
            .min()
            .map(|(_, index)| *index)
    }

    /// Everything that may start now, rooms aside, in plan order.
    #[must_use]
    pub fn ready(&self) -> Vec<usize> {
        let ready = self.ready.iter().flatten();
        let mut all: Vec<usize> = ready.map(|(_, index)| *index).collect();
        all.sort_unstable();
        all
    }

    /// Marks a node as running.
    pub fn start(&mut self, index: usize) {
        self.leave(index);
        self.enter(index, StepState::Running);
    }

    /// Takes a node out of the running ones: it is due again later. Returns false when nothing starts any more.
    pub fn hold(&mut self, index: usize) -> bool {
        self.leave(index);
        let state = if self.is_stopped {
            StepState::Skipped
        } else {
            StepState::Pending
        };
        self.enter(index, state);
        !self.is_stopped
    }

    /// Takes a node out of the running ones until somebody has answered; what depends on it stays pending.
    pub fn park(&mut self, index: usize) {
        self.leave(index);
        self.enter(index, StepState::Waiting);
    }

    /// Lets a held node run again.
    pub fn wake(&mut self, index: usize) {
        self.make_ready(index);
    }

    /// Lets a standby node run as soon as what it requires is settled.
    pub fn activate(&mut self, index: usize) {
        if let Some(is_standby) = self.is_standby.get_mut(index) {
            *is_standby = false;
        }
        self.make_ready(index);
    }

    /// Gives a node its final state. Returns every node that thereby can never run, in the order in which that became
    /// clear; they are skipped.
    pub fn settle(&mut self, index: usize, state: StepState) -> Vec<usize> {
        let mut skipped = Vec::new();
        let mut work = vec![(index, state)];
        // BOUND: a node settles once, and only settling makes work.
        while let Some((index, state)) = work.pop() {
            if self.states.get(index).copied().is_none_or(is_settled) {
                continue;
            }
            self.leave(index);
            self.enter(index, state);
            if state == StepState::Skipped {
                skipped.push(index);
            }
            for group in self.groups_of.get(index).cloned().unwrap_or_default() {
                let doomed = self.member_settled(group, state == StepState::Completed);
                work.extend(doomed.into_iter().map(|node| (node, StepState::Skipped)));
            }
        }
        skipped
    }

    /// Says what came of a flow. Returns the nodes that thereby can never run; they are skipped.
    pub fn decide(&mut self, group: usize, is_met: bool) -> Vec<usize> {
        let doomed = self.group_decided(group, |need| is_met || need.is_optional);
        doomed
            .into_iter()
            .flat_map(|node| self.settle(node, StepState::Skipped))
            .collect()
    }

    /// Starts nothing more: every pending node is skipped, and none becomes pending again. Returns those.
    pub fn stop(&mut self) -> Vec<usize> {
        self.is_stopped = true;
        self.ready.iter_mut().for_each(BTreeSet::clear);
        let pending = |(index, state): (usize, &mut StepState)| {
            (*state == StepState::Pending).then(|| {
                *state = StepState::Skipped;
                index
            })
        };
        self.states
            .iter_mut()
            .enumerate()
            .filter_map(pending)
            .collect()
    }

    /// True when nothing runs and nothing can start.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running_all == 0 && self.next().is_none()
    }

    fn make_ready(&mut self, index: usize) {
        let is_due = self.states.get(index) == Some(&StepState::Pending)
            && self.open.get(index) == Some(&0)
            && self.is_standby.get(index) == Some(&false);
        if is_due
            && let Some(shard) = self.shard_of.get(index)
            && let Some(ready) = self.ready.get_mut(*shard)
        {
            ready.insert((self.ranks.get(index).copied().unwrap_or(0), index));
        }
    }

    fn leave(&mut self, index: usize) {
        let shard = self.shard_of.get(index).copied().unwrap_or(usize::MAX);
        if self.states.get(index) == Some(&StepState::Running) {
            self.running_all = self.running_all.saturating_sub(1);
            if let Some(running) = self.running.get_mut(shard) {
                *running = running.saturating_sub(1);
            }
        }
        let rank = self.ranks.get(index).copied().unwrap_or(0);
        if let Some(ready) = self.ready.get_mut(shard) {
            ready.remove(&(rank, index));
        }
    }

    fn enter(&mut self, index: usize, state: StepState) {
        if state == StepState::Running {
            self.running_all += 1;
            let shard = self.shard_of.get(index).copied().unwrap_or(usize::MAX);
            if let Some(running) = self.running.get_mut(shard) {
                *running += 1;
            }
        }
        if let Some(slot) = self.states.get_mut(index) {
            *slot = state;
        }
    }

    /// Counts a member in; returns the dependents that can never run when it was the last.
    fn member_settled(&mut self, index: usize, has_completed: bool) -> Vec<usize> {
        let Some(group) = self.groups.get_mut(index) else {
            return Vec::new();
        };
        group.unsettled = group.unsettled.saturating_sub(1);
        group.completed += usize::from(has_completed);
        let (completed, size) = (group.completed, group.size);
        if group.unsettled > 0 || group.is_flow {
            return Vec::new();
        }
        self.group_decided(index, |need| {
            need.is_optional || completed >= need.least.unwrap_or(size)
        })
    }

    fn group_decided(&mut self, index: usize, is_met: impl Fn(&Need) -> bool) -> Vec<usize> {
        let Some(group) = self.groups.get_mut(index) else {
            return Vec::new();
        };
        let mut doomed = Vec::new();
        for (dependent, need) in core::mem::take(&mut group.dependents) {
            if !is_met(&need) {
                doomed.push(dependent);
                continue;
            }
            if let Some(open) = self.open.get_mut(dependent) {
                *open = open.saturating_sub(1);
            }
            self.make_ready(dependent);
        }
        // Taken from the back, so that the first in plan order is skipped first.
        doomed.reverse();
        doomed
    }
}

const fn is_settled(state: StepState) -> bool {
    !matches!(state, StepState::Pending | StepState::Running)
}

#[cfg(test)]
mod tests;
