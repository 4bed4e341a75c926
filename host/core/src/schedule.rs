//! Which step may run next. Kahn's order with stable ties: a step becomes ready when everything it requires is settled.
//!
//! INVARIANT: a step that requires something that did not complete never runs, unless it requires it optionally (`x?`).

use alloc::{vec, vec::Vec};

use crate::witness::StepState;

/// One edge into a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// Index of the required step.
    pub step: usize,
    /// True for `x?`: run even if `x` was skipped, abstained or failed.
    pub is_optional: bool,
}

/// The state of every step of one execution. Knows indices only.
#[derive(Debug, Clone)]
pub struct Schedule {
    requires: Vec<Vec<Requirement>>,
    states: Vec<StepState>,
    is_stopped: bool,
}

impl Schedule {
    /// Starts with every step pending. Requirements on indices that do not exist never become ready.
    #[must_use]
    pub fn new(requires: Vec<Vec<Requirement>>) -> Self {
        let states = vec![StepState::Pending; requires.len()];
        Self {
            requires,
            states,
            is_stopped: false,
        }
    }

    /// Every step's state, by index.
    #[must_use]
    pub fn states(&self) -> &[StepState] {
        &self.states
    }

    /// Indices of steps that may start now, in plan order.
    #[must_use]
    pub fn ready(&self) -> Vec<usize> {
        if self.is_stopped {
            return Vec::new();
        }
        (0..self.states.len())
            .filter(|index| self.is_ready(*index))
            .collect()
    }

    /// Marks a step as running.
    pub fn start(&mut self, index: usize) {
        self.set(index, StepState::Running);
    }

    /// Gives a step its final state, or back to pending for another attempt, and skips what can no longer run.
    pub fn settle(&mut self, index: usize, state: StepState) {
        self.set(index, state);
        self.skip_unreachable();
    }

    /// Starts nothing more: every pending step is skipped.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        for state in &mut self.states {
            if *state == StepState::Pending {
                *state = StepState::Skipped;
            }
        }
    }

    /// True when nothing runs and nothing can start.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.states.contains(&StepState::Running) && self.ready().is_empty()
    }

    fn set(&mut self, index: usize, state: StepState) {
        if let Some(slot) = self.states.get_mut(index) {
            *slot = state;
        }
    }

    fn is_ready(&self, index: usize) -> bool {
        self.states.get(index) == Some(&StepState::Pending)
            && self.requires.get(index).is_some_and(|requires| {
                requires
                    .iter()
                    .all(|requirement| match self.states.get(requirement.step) {
                        Some(StepState::Completed) => true,
                        Some(state) => requirement.is_optional && is_settled(*state),
                        None => false,
                    })
            })
    }

    fn skip_unreachable(&mut self) {
        // BOUND: every pass but the last skips at least one step.
        loop {
            let doomed: Vec<usize> = (0..self.states.len())
                .filter(|index| self.states.get(*index) == Some(&StepState::Pending))
                .filter(|index| self.is_doomed(*index))
                .collect();
            if doomed.is_empty() {
                return;
            }
            for index in doomed {
                self.set(index, StepState::Skipped);
            }
        }
    }

    fn is_doomed(&self, index: usize) -> bool {
        self.requires.get(index).is_some_and(|requires| {
            requires.iter().any(|requirement| {
                !requirement.is_optional
                    && self
                        .states
                        .get(requirement.step)
                        .is_some_and(|state| is_settled(*state) && *state != StepState::Completed)
            })
        })
    }
}

const fn is_settled(state: StepState) -> bool {
    matches!(
        state,
        StepState::Completed
            | StepState::Failed
            | StepState::Skipped
            | StepState::Abstained
            | StepState::Waiting
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn needs(step: usize) -> Requirement {
        Requirement {
            step,
            is_optional: false,
        }
    }

    const fn likes(step: usize) -> Requirement {
        Requirement {
            step,
            is_optional: true,
        }
    }

    #[test]
    fn a_diamond_runs_in_stable_order() {
        let mut schedule = Schedule::new(vec![
            vec![],
            vec![needs(0)],
            vec![needs(0)],
            vec![needs(1), needs(2)],
        ]);
        assert_eq!(schedule.ready(), [0]);
        schedule.start(0);
        assert!(schedule.ready().is_empty() && !schedule.is_done());
        schedule.settle(0, StepState::Completed);
        assert_eq!(schedule.ready(), [1, 2]);
        schedule.start(1);
        schedule.start(2);
        schedule.settle(2, StepState::Completed);
        assert!(schedule.ready().is_empty());
        schedule.settle(1, StepState::Completed);
        assert_eq!(schedule.ready(), [3]);
    }

    #[test]
    fn an_optional_requirement_runs_after_anything_and_a_hard_one_is_skipped() {
        for state in [StepState::Failed, StepState::Abstained, StepState::Skipped] {
            let mut schedule =
                Schedule::new(vec![vec![], vec![likes(0)], vec![needs(0)], vec![needs(2)]]);
            schedule.settle(0, state);
            assert_eq!(schedule.ready(), [1]);
            assert_eq!(
                schedule.states()[2..],
                [StepState::Skipped, StepState::Skipped]
            );
        }
    }

    #[test]
    fn an_optional_requirement_still_waits_for_the_end() {
        let mut schedule = Schedule::new(vec![vec![], vec![likes(0)]]);
        schedule.start(0);
        assert!(schedule.ready().is_empty());
    }

    #[test]
    fn a_stopped_schedule_starts_nothing() {
        let mut schedule = Schedule::new(vec![vec![], vec![]]);
        schedule.start(0);
        schedule.stop();
        assert!(schedule.ready().is_empty() && !schedule.is_done());
        schedule.settle(0, StepState::Completed);
        assert!(schedule.is_done());
    }

    #[test]
    fn an_unknown_requirement_never_becomes_ready() {
        assert!(Schedule::new(vec![vec![needs(7)]]).ready().is_empty());
    }
}
