//! What people said about an execution: before it, in answer to it, and about what it has kept aside.
//!
//! INVARIANT: everything that a person's word has changed about an execution is found here, so an export that has it is whole.

use std::collections::BTreeSet;

use aim_core::digest::Digest;

use super::{EntryBody, Execution, Ledger};

impl Ledger {
    /// Places in [`Self::entries`] of approvals that it took, answers to its questions, and answers and releases about the
    /// outputs of its attempts.
    #[must_use]
    pub fn said_about(&self, execution: &Execution) -> BTreeSet<usize> {
        let attempts = self.attempts_of(execution);
        let attempts: BTreeSet<Digest> = attempts.map(|(entry, _)| entry.witness).collect();
        let id = execution.start.execution;
        let said = self.entries.iter().enumerate();
        let said = said.filter(|(_, entry)| match &entry.body {
            EntryBody::UseApproval(approval) => approval.execution == Some(id),
            EntryBody::Approval(approval) => attempts.contains(&approval.witness),
            EntryBody::Release(release) => attempts.contains(&release.witness),
            _ => false,
        });
        let answers = execution.answers.iter().copied();
        said.map(|(place, _)| place).chain(answers).collect()
    }
}
