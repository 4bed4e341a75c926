//! A ledger of one execution, read from an export.
//!
//! INVARIANT: it holds what the export's witnesses say and how the execution began; payloads are not in it.

use aim_core::{
    event::ExecutionStart,
    frame::WitnessFrame,
    id::{ExecutionId, TraceId},
    leaf::{Leaf, LeafKind},
    witness::Statement,
};
use serde::Deserialize;

use super::{Ledger, LedgerError, read_json};

#[derive(Deserialize)]
struct OfExecution {
    execution: ExecutionId,
}

/// All that is known of an earlier execution: that it was of the same plan, as its witness says or whoever made the export.
fn start_of(execution: ExecutionId, start: &ExecutionStart) -> ExecutionStart {
    ExecutionStart {
        execution,
        trace: TraceId::of(execution),
        ..start.clone()
    }
}

impl Ledger {
    /// The execution that began with `start`, with these witnesses by ascending leaf. Leaves give the frames their numbers, so
    /// what was before is before.
    ///
    /// # Errors
    /// [`LedgerError::Unreadable`].
    pub(crate) fn of_export(
        origin: &str,
        start: ExecutionStart,
        witnesses: &[(Leaf, Vec<u8>)],
    ) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            origin: origin.to_owned(),
            ..Self::default()
        };
        ledger.begin(0, start.clone());
        for (leaf, statement) in witnesses {
            // Attempts of earlier executions are here for what they put into buckets, and these belong to a step of one plan.
            if leaf.kind == LeafKind::Attempt {
                let read: Statement<OfExecution> =
                    read_json(leaf.index, "attempt statement", statement)?;
                let execution = read.predicate.execution;
                if ledger.execution(execution).is_none() {
                    ledger.begin(leaf.index, start_of(execution, &start));
                }
            }
            let witness = WitnessFrame {
                leaf: *leaf,
                leaf_bytes: &leaf.encode(),
                statement,
            };
            ledger.take_witness(leaf.index, &witness)?;
        }
        Ok(ledger)
    }
}
