//! A step whose outputs are kept aside: its plan waits for two people, goes on with what they release, and ends where one
//! of them says no.
//!
//! INVARIANT: what is handed on is what the witness of the attempt names, byte for byte, and only after the release is in
//! the log.

use aim_core::{
    outcome::{Fault, Outcome},
    witness::StepState,
};

use super::{Execution, slot::NodeEnd};
use crate::resume::PastCase;

impl Execution {
    /// Does what became of the case; without an answer, and where the deployment lets people release at all, the run waits.
    pub(super) fn keep_aside(&mut self, index: usize, end: NodeEnd) {
        let is_released_by_people = self
            .nodes
            .get(index)
            .and_then(|node| self.units.get(node.step))
            .is_some_and(|unit| unit.is_quarantining);
        match self.cases.remove(&end.witness) {
            Some(PastCase::Released { step, witness }) => {
                self.moved(index, |machine, at| machine.let_go(at));
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.released = Some(step);
                    slot.outcome = Some(Outcome::Completed);
                    slot.fault = None;
                    slot.released_by = Some(witness);
                }
                self.settle(index, StepState::Completed);
            }
            Some(PastCase::Rejected { by }) => {
                self.settle_end(index, end);
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.fault = Some(Fault {
                        code: "AIM-G031".to_owned(),
                        message: format!("`{by}` has rejected what was kept aside"),
                    });
                }
            }
            None if is_released_by_people => {
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.case = Some(end.witness);
                }
                self.schedule.park(index);
                self.told(index, StepState::Waiting);
            }
            None => self.settle_end(index, end),
        }
    }
}
